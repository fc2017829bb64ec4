//! What a render may read from the application's folder: paths that come from manifests and settings, confined.
//!
//! A render never looks at the working directory; it asks its [`Files`]. The native plugin server will serve a tar in
//! memory through the same trait.

use std::io;

/// Read access to the application's folder.
pub trait Files: Send + Sync {
    /// The whole file at a path relative to the folder a render runs in. A path that leaves the root, also by a
    /// symlink, is [`FileError::Outside`].
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;
}

/// Why a file could not be read. The texts name the path only.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("no such file: {path}")]
    Absent {
        /// The path as asked.
        path: String,
    },
    /// The path leads out of the application's root.
    #[error("the path {path} leads out of the application's root")]
    Outside {
        /// The path as asked.
        path: String,
    },
    /// The file is larger than the limit.
    #[error("the file {path} is larger than {limit} bytes")]
    TooLarge {
        /// The path as asked.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Reading failed.
    #[error("could not read {path}")]
    Io {
        /// The path as asked.
        path: String,
        /// The cause.
        source: io::Error,
    },
}
