//! What a render may read from the application's folder: paths that come from manifests and settings, confined.
//!
//! A render never looks at the working directory; it asks its [`Files`]. The native plugin server will serve a tar in
//! memory through the same trait.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// How large a file may be that a manifest or a setting names, if nobody says otherwise.
pub const DEFAULT_LIMIT: u64 = 16 << 20;

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

/// A folder on disk.
#[derive(Debug)]
pub struct FolderFiles {
    folder: PathBuf,
    root: PathBuf,
    limit: u64,
}

impl FolderFiles {
    /// Reads relative to `folder`, never outside `root`, never more than `limit` bytes. Both folders must exist.
    pub fn open(folder: &Path, root: &Path, limit: u64) -> io::Result<Self> {
        Ok(Self {
            folder: folder.canonicalize()?,
            root: root.canonicalize()?,
            limit,
        })
    }

    /// The root, with all links resolved.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The real path of a file, if it lies within the root.
    ///
    /// A path that does not exist is judged by its nearest parent that does, so that the answer tells nothing about
    /// what lies outside.
    fn confine(&self, path: &str) -> Result<PathBuf, FileError> {
        let outside = || FileError::Outside { path: path.into() };
        let lexical = clean(&self.folder.join(path));
        if !lexical.starts_with(&self.root) {
            return Err(outside());
        }
        let mut existing = lexical.as_path();
        loop {
            match existing.canonicalize() {
                Ok(real) if !real.starts_with(&self.root) => return Err(outside()),
                Ok(real) if existing == lexical => return Ok(real),
                Ok(_) => return Err(FileError::Absent { path: path.into() }),
                Err(source) => match existing.parent() {
                    Some(parent) if source.kind() == io::ErrorKind::NotFound => existing = parent,
                    _ => return Err(io_error(path, source)),
                },
            }
        }
    }
}

impl Files for FolderFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let real = self.confine(path)?;
        // Asked before it is opened: opening a pipe waits for a writer.
        let metadata = real.metadata().map_err(|source| io_error(path, source))?;
        if !metadata.is_file() {
            let kind = if metadata.is_dir() {
                "is a folder"
            } else {
                "is not a regular file"
            };
            return Err(io_error(path, io::Error::other(kind)));
        }
        let mut bytes = Vec::new();
        File::open(&real)
            .and_then(|file| file.take(self.limit + 1).read_to_end(&mut bytes))
            .map_err(|source| io_error(path, source))?;
        if bytes.len() as u64 > self.limit {
            return Err(FileError::TooLarge {
                path: path.into(),
                limit: self.limit,
            });
        }
        Ok(bytes)
    }
}

fn io_error(path: &str, source: io::Error) -> FileError {
    FileError::Io {
        path: path.into(),
        source,
    }
}

/// The nearest folder at or above `folder` that holds `.git`: what a person would call the project.
pub fn project_of(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let holds_git = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
    folder.ancestors().find(holds_git).map(Path::to_owned)
}

/// The path with `.` and `..` resolved as text. Links are looked at afterwards.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// `outside/o`, and `top/` with `app/` in it, where a render runs.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("outside/o", "o"),
            ("top/r", "r"),
            ("top/app/a", "a"),
            ("top/app/big", "12345"),
        ] {
            let file = tree.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let app = tree.path().join("top/app");
        symlink("../r", app.join("to-r")).unwrap();
        symlink("../../outside/o", app.join("to-o")).unwrap();
        symlink("../../outside", app.join("to-outside")).unwrap();
        symlink("loop", app.join("loop")).unwrap();
        tree
    }

    fn read(path: &str) -> Result<String, String> {
        let tree = tree();
        let root = tree.path().join("top");
        let files = FolderFiles::open(&root.join("app"), &root, 4).unwrap();
        let real = tree.path().canonicalize().unwrap();
        let path = path.replace('@', real.to_str().unwrap());
        files
            .read(&path)
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .map_err(|error| {
                let cause = std::error::Error::source(&error);
                let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
                format!("{error}{cause}").replace(real.to_str().unwrap(), "@")
            })
    }

    #[test]
    fn reads_within_the_root() {
        for (path, text) in [
            ("a", "a"),
            ("./a", "a"),
            ("../r", "r"),
            ("../app/../r", "r"),
            ("to-r", "r"),
            ("@/top/r", "r"),
        ] {
            assert_eq!(read(path).as_deref(), Ok(text), "{path}");
        }
    }

    #[test]
    fn never_leaves_the_root() {
        for path in [
            "../../outside/o",
            "../../outside/nothing",
            "../../..",
            "@/outside/o",
            "/etc/passwd",
            "to-o",
            "to-outside/o",
            "to-outside/nothing",
        ] {
            let expected = format!("the path {path} leads out of the application's root");
            assert_eq!(read(path), Err(expected));
        }
    }

    #[test]
    fn says_why_a_file_cannot_be_read() {
        for (path, message) in [
            ("nothing", "no such file: nothing"),
            ("no/thing", "no such file: no/thing"),
            ("big", "the file big is larger than 4 bytes"),
            (".", "could not read .: is a folder"),
            ("", "could not read : is a folder"),
        ] {
            assert_eq!(read(path), Err(message.to_owned()));
        }
        for path in ["loop", "a/b", "a\0b"] {
            let message = read(path).unwrap_err();
            let start = format!("could not read {path}: ");
            assert!(message.starts_with(&start), "{message}");
        }
    }

    #[test]
    fn a_project_is_where_git_is() {
        let tree = tree();
        let app = tree.path().join("top/app");
        fs::create_dir(tree.path().join("top/.git")).unwrap();
        let root = tree.path().join("top").canonicalize().unwrap();
        assert_eq!(project_of(&app), Some(root.clone()));
        assert_eq!(project_of(&root), Some(root));
        assert_eq!(project_of(&tree.path().join("nothing")), None);
    }
}
