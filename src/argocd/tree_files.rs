//! An uploaded archive as the files that a render may read, by the same rules as a folder on disk.

use std::io;
use std::sync::Arc;

use super::archive::{Keep, Tree, clean};
use crate::files::{FileError, Files};

/// The files of an upload, relative to the application's folder.
pub struct TreeFiles {
    /// The unpacked upload.
    pub tree: Arc<Tree>,
    /// What may be read.
    pub keep: Keep,
    /// The largest file, in bytes.
    pub limit: u64,
}

impl Files for TreeFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let outside = || FileError::Outside { path: path.into() };
        let absent = || FileError::Absent { path: path.into() };
        let root = match self.keep {
            Keep::Application => self.tree.application(),
            Keep::Everything => "",
        };
        let is_inside = |name: &str| {
            let rest = name.strip_prefix(root);
            rest.is_some_and(|rest| root.is_empty() || rest.is_empty() || rest.starts_with('/'))
        };
        if path.starts_with('/') {
            return Err(outside());
        }
        let named = clean(&format!("{}/{path}", self.tree.application())).ok_or_else(outside)?;
        if !is_inside(&named) {
            return Err(outside());
        }
        let name = self.tree.resolve(&named).ok_or_else(absent)?;
        if !is_inside(&name) {
            return Err(outside());
        }
        let Some(bytes) = self.tree.file(&name) else {
            let source = io::Error::other("is a folder");
            return Err(FileError::Io {
                path: path.into(),
                source,
            });
        };
        if bytes.len() as u64 > self.limit {
            let limit = self.limit;
            return Err(FileError::TooLarge {
                path: path.into(),
                limit,
            });
        }
        Ok(bytes.to_vec())
    }
}
