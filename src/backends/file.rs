//! Plain files as a store: a folder holds secrets as folders, and a secret's keys are its files, as Kubernetes mounts
//! Secrets. Only as a configured instance, confined to its root.
//!
//! In a manifest: `<mounted:shop/db#password>` reads `ROOT/shop/db/password`; `<mounted:-#password>` reads the root itself.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;

use super::registry::{Own, SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Keys, Request, without_version};
use crate::diagnostics::io_reason;
use crate::env::{Environment, Options};
use crate::files::{FileError, Files, FolderFiles};
use crate::secret::{Map, Text, Value};

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "file",
    settings: &[(ROOT, "root")],
    own: &[Own::setting(ROOT, "the folder it may read")],
    built_in: false,
    open,
};

const ROOT: &str = "MANIFUSE_FILE_ROOT";

/// The path that means the root itself.
const HERE: &str = "-";

/// What one file and all files of one secret may hold together: the limit of any answer (design section 7).
const LARGEST_ANSWER: u64 = 16 << 20;

/// A folder of secrets.
struct Folder {
    root: PathBuf,
}

fn open(options: &Options, _: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let error = |message: &str| {
        let error = SettingsError::new(message).about(ROOT);
        error.hint("set root: to the folder that holds the secrets")
    };
    let Some(root) = options.path(ROOT) else {
        return Err(error("a file backend needs the root of its folders"));
    };
    let root = root.canonicalize().map_err(|cause| {
        error(&format!(
            "the root of a file backend cannot be used: {}",
            io_reason(&cause)
        ))
    })?;
    if !root.is_dir() {
        return Err(error("the root of a file backend is not a folder"));
    }
    Ok(Arc::new(Folder { root }))
}

impl Folder {
    fn read(&self, request: &Request) -> Result<Answer, Error> {
        without_version(request, "a folder")?;
        let path = &request.id.path;
        let folder = self.folder(path)?;
        let files = FolderFiles::open(&folder, &self.root, LARGEST_ANSWER);
        let files = files.map_err(|cause| unreadable(path, &cause))?;
        let names = match &request.keys {
            Keys::Some(keys) => keys.iter().cloned().collect(),
            Keys::All => names(&folder).map_err(|cause| unreadable(path, &cause))?,
        };
        let mut answer = Answer::whole(Map::new(), None);
        let mut total = 0;
        for name in names {
            if !is_name(&name) {
                let message = format!("the key {name} is not the name of a file");
                return Err(Error::new(ErrorKind::Reference, message));
            }
            match files.read(&name) {
                Ok(bytes) => {
                    total += bytes.len() as u64;
                    answer.values.push((name, value(bytes)));
                }
                Err(FileError::Absent { .. }) => {}
                Err(error) => answer.denied.push((name, reason(&error))),
            }
            if total > LARGEST_ANSWER {
                let message = format!("the files of {path} hold more than {LARGEST_ANSWER} bytes");
                return Err(Error::new(ErrorKind::Malformed, message));
            }
        }
        Ok(answer)
    }

    /// The real folder of a path, within the root.
    fn folder(&self, path: &str) -> Result<PathBuf, Error> {
        let clean = clean(path).ok_or_else(|| {
            let message = format!("the path {path} leads out of the backend's root");
            Error::new(ErrorKind::Reference, message)
        })?;
        match self.root.join(clean).canonicalize() {
            Ok(real) if !real.starts_with(&self.root) => {
                let message = format!("the path {path} leads out of the backend's root");
                Err(Error::new(ErrorKind::Denied, message))
            }
            Ok(real) if real.is_dir() => Ok(real),
            Ok(_) => {
                let error = Error::new(ErrorKind::AbsentPath, format!("{path} is not a folder"));
                Err(error.with_hint("the path is the folder, the key is the file: FOLDER#FILE"))
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                let message = format!("there is no folder {path} in the backend's root");
                Err(Error::new(ErrorKind::AbsentPath, message))
            }
            Err(cause) => Err(unreadable(path, &cause)),
        }
    }
}

impl Backend for Folder {
    fn normalize(&self, path: &str) -> String {
        let clean = clean(path).and_then(|clean| clean.to_str().map(ToOwned::to_owned));
        // A path that leaves the root is refused by `fetch`.
        clean.unwrap_or_else(|| path.to_owned())
    }

    fn reads(&self, request: &Request) -> Vec<String> {
        let folder = match self.normalize(&request.id.path) {
            path if path.is_empty() || path == HERE => String::new(),
            path => path + "/",
        };
        match &request.keys {
            Keys::All => vec![folder + "*/*"],
            Keys::Some(keys) => keys.iter().map(|key| format!("{folder}{key}")).collect(),
        }
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        _: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(std::future::ready(self.read(request)))
    }
}

/// The path below the root; `None` when it leads out of it.
fn clean(path: &str) -> Option<PathBuf> {
    if path == HERE {
        return Some(PathBuf::new());
    }
    below(path)
}

/// A relative path without `.`; `None` when it is absolute or climbs.
pub(super) fn below(path: &str) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// Whether a key names a file in the folder itself. Names that begin with two dots are Kubernetes' own.
fn is_name(key: &str) -> bool {
    !key.is_empty() && key != "." && !key.starts_with("..") && !key.contains(['/', '\0'])
}

/// The files of a folder by name, links to files among them.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        names.extend(
            name.ok()
                .filter(|name| is_name(name) && entry.path().is_file()),
        );
    }
    names.sort();
    Ok(names)
}

/// Bytes as a text, if they are one.
pub(super) fn value(bytes: Vec<u8>) -> Value {
    let text = Text::from(bytes);
    if text.expose_str().is_some() {
        Value::String(text)
    } else {
        Value::Bytes(text)
    }
}

fn reason(error: &FileError) -> String {
    match error {
        FileError::Outside { path } => format!("the link {path} leads out of the backend's root"),
        FileError::Io { source, .. } => format!("{error}: {}", io_reason(source)),
        FileError::Absent { .. } | FileError::TooLarge { .. } => error.to_string(),
    }
}

fn unreadable(path: &str, cause: &io::Error) -> Error {
    Error::new(
        ErrorKind::Denied,
        format!("could not read the folder {path}"),
    )
    .with_cause(io_reason(cause))
}

#[cfg(test)]
mod tests {
    use crate::env::Origin;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::backends::Outcome;
    use crate::env::Setting;
    use crate::secret::SecretId;

    /// As the kubelet lays out a mounted Secret, with something outside.
    fn mounted() -> tempfile::TempDir {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        let data = root.join("shop/..2024_01_01");
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("password"), "hunter2\n").unwrap();
        fs::write(data.join(".dockerconfigjson"), b"\xff\xfe").unwrap();
        symlink("..2024_01_01", root.join("shop/..data")).unwrap();
        for name in ["password", ".dockerconfigjson"] {
            symlink(format!("..data/{name}"), root.join("shop").join(name)).unwrap();
        }
        fs::create_dir(root.join("shop/folder")).unwrap();
        fs::write(outer.path().join("outside"), "CANARY").unwrap();
        symlink("../../outside", root.join("shop/escape")).unwrap();
        symlink("..", root.join("up")).unwrap();
        fs::write(root.join("top"), "t").unwrap();
        outer
    }

    fn opened(root: &str, origin: Origin) -> Result<Arc<dyn Backend>, SettingsError> {
        let mut options = Options::default();
        let value = root.into();
        options.set(ROOT, Setting { value, origin });
        open(&options, &Environment::default())
    }

    fn fetch(outer: &tempfile::TempDir, path: &str, keys: Keys) -> Result<Answer, Error> {
        let root = outer.path().join("root");
        let backend = opened(root.to_str().unwrap(), Origin::Default).unwrap();
        let request = Request {
            id: SecretId {
                backend: "mounted".into(),
                path: path.into(),
                version: None,
                kv_version: None,
            },
            keys,
        };
        let context = FetchContext {
            files: Arc::new(FolderFiles::open(&root, &root, 0).unwrap()),
            deadline: tokio::time::Instant::now(),
        };
        futures::executor::block_on(backend.fetch(&request, &context))
    }

    fn some(key: &str) -> Keys {
        Keys::Some([key.to_owned()].into())
    }

    #[test]
    fn reads_a_mounted_secret_with_its_links() {
        let outer = mounted();
        let answer = fetch(&outer, "shop", Keys::All).unwrap();
        let keys: Vec<&str> = answer.values.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [".dockerconfigjson", "password"]);
        assert_eq!(
            answer.values[0].1,
            Value::Bytes(b"\xff\xfe".to_vec().into())
        );
        assert_eq!(answer.values[1].1, Value::string("hunter2\n"));
        let answer = fetch(&outer, "./shop/", some("password")).unwrap();
        assert_eq!(
            answer.outcome("password"),
            Outcome::Present(&Value::string("hunter2\n"))
        );
        assert_eq!(answer.outcome("none"), Outcome::Absent);
        let answer = fetch(&outer, "-", some("top")).unwrap();
        assert_eq!(answer.outcome("top"), Outcome::Present(&Value::string("t")));
    }

    #[test]
    fn never_leaves_the_root() {
        let outer = mounted();
        let answer = fetch(&outer, "shop", some("escape")).unwrap();
        let expected = "the link escape leads out of the backend's root";
        assert_eq!(answer.outcome("escape"), Outcome::Denied(expected));
        assert_eq!(
            fetch(&outer, "up", some("outside")).unwrap_err().kind,
            ErrorKind::Denied
        );
        for path in ["..", "shop/../..", "/etc"] {
            let error = fetch(&outer, path, some("passwd")).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Reference);
            assert_eq!(
                error.message,
                format!("the path {path} leads out of the backend's root")
            );
        }
        for key in ["../outside", "..data", ".", "", "a/b"] {
            let error = fetch(&outer, "shop", some(key)).unwrap_err();
            assert_eq!(
                error.message,
                format!("the key {key} is not the name of a file")
            );
        }
    }

    #[test]
    fn tells_a_missing_folder_from_a_missing_file() {
        let outer = mounted();
        let error = fetch(&outer, "none", some("k")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AbsentPath);
        assert_eq!(
            error.message,
            "there is no folder none in the backend's root"
        );
        let error = fetch(&outer, "top", some("k")).unwrap_err();
        assert_eq!(error.message, "top is not a folder");
        assert_eq!(
            fetch(&outer, "shop", some("none")).unwrap().outcome("none"),
            Outcome::Absent
        );
        let answer = fetch(&outer, "shop", some("folder")).unwrap();
        assert!(
            matches!(answer.outcome("folder"), Outcome::Denied(reason) if reason.contains("is a folder"))
        );
    }

    #[test]
    fn what_the_system_refuses_is_told_in_its_words_without_numbers() {
        let outer = mounted();
        let long = "x".repeat(300);
        let error = fetch(&outer, &long, some("k")).unwrap_err();
        assert_eq!(error.message, format!("could not read the folder {long}"));
        assert_eq!(error.causes, ["file name too long"]);
        let answer = fetch(&outer, "shop", some(&long)).unwrap();
        let expected = format!("could not read {long}: file name too long");
        assert_eq!(answer.outcome(&long), Outcome::Denied(&expected));
    }

    #[test]
    fn a_huge_file_is_not_read() {
        let outer = mounted();
        let file = fs::File::create(outer.path().join("root/shop/huge")).unwrap();
        file.set_len(LARGEST_ANSWER + 1).unwrap();
        let answer = fetch(&outer, "shop", some("huge")).unwrap();
        let expected = "the file huge is larger than 16777216 bytes";
        assert_eq!(answer.outcome("huge"), Outcome::Denied(expected));
    }

    #[test]
    fn the_root_is_seen_from_the_settings_file() {
        let outer = mounted();
        let origin = Origin::File {
            path: outer
                .path()
                .join("manifuse.yaml")
                .to_str()
                .unwrap()
                .to_owned(),
            key: "backends.mounted.root".into(),
        };
        let backend = opened("root", origin).unwrap();
        assert_eq!(backend.normalize("shop//./db/"), "shop/db");
        assert_eq!(backend.normalize("-"), "");
        assert_eq!(backend.normalize("../x"), "../x");
    }

    #[test]
    fn a_root_must_be_a_folder() {
        let error = |root| opened(root, Origin::Default).err().unwrap().to_string();
        assert_eq!(error(""), "a file backend needs the root of its folders");
        assert_eq!(
            error("/etc/passwd"),
            "the root of a file backend is not a folder"
        );
        assert_eq!(
            error("/proc/none"),
            "the root of a file backend cannot be used: no such file or directory"
        );
    }
}
