//! Which files of a folder are manifests, and in which order: exactly as AVP walks, but folders are never files.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostics::{Diagnostic, Warning, io_reason};

/// A file to read.
#[derive(Debug)]
pub(super) struct FoundFile {
    /// How messages call it.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
    /// Whether the walk of a folder found it, or it was named.
    pub(super) in_folder: bool,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<FoundFile>,
    pub(super) warnings: Vec<Diagnostic>,
    /// The path is a link, which is not followed.
    pub(super) is_link: bool,
}

/// Walks one path that exists. What is no folder is taken for a file if it is named like one.
pub(super) fn walk(base: &Path, path: &OsString) -> Found {
    let mut found = Found::default();
    let place = base.join(path);
    let name = path.to_string_lossy();
    let metadata = place.symlink_metadata();
    if metadata.as_ref().is_ok_and(fs::Metadata::is_dir) {
        let root = place.canonicalize().ok();
        let mut walk = Walk {
            root,
            found: &mut found,
        };
        walk.folder(&place, &cleaned(&name));
        return found;
    }
    found.is_link = metadata.is_ok_and(|metadata| metadata.is_symlink());
    if is_manifest_name(place.as_os_str()) {
        found.files.push(FoundFile {
            name: name.into_owned(),
            path: place,
            in_folder: false,
        });
    }
    found
}

/// The folder as it begins the names of its files: `.` and `./` do not show.
fn cleaned(name: &str) -> String {
    let mut name = name;
    while let Some(rest) = name.strip_prefix("./") {
        name = rest.trim_start_matches('/');
    }
    match name {
        "" | "." => String::new(),
        name if name.trim_end_matches('/').is_empty() => "/".to_owned(),
        name => format!("{}/", name.trim_end_matches('/')),
    }
}

/// Whether the text from the last dot of the base name is one of the three extensions; case matters.
pub(super) fn is_manifest_name(path: &OsStr) -> bool {
    let bytes = path.as_encoded_bytes();
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|extension| bytes.ends_with(extension.as_bytes()))
}

struct Walk<'a> {
    /// The walked folder without links.
    root: Option<PathBuf>,
    found: &'a mut Found,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) {
        let entries = match entries(folder) {
            Ok(entries) => entries,
            Err(error) => {
                let name = folder_name(prefix);
                let text = format!("the folder {name} could not be read and is left out");
                let warning = Diagnostic::warning(Warning::UnreadableFolder, text);
                self.found
                    .warnings
                    .push(warning.with_cause(io_reason(&error)));
                return;
            }
        };
        for (base_name, kind) in entries {
            let name = format!("{prefix}{}", base_name.to_string_lossy());
            let path = folder.join(&base_name);
            if kind.is_dir() {
                self.folder(&path, &(name + "/"));
            } else if is_manifest_name(&base_name) {
                if kind.is_symlink() {
                    self.check_link(&path, &name);
                }
                self.found.files.push(FoundFile {
                    name,
                    path,
                    in_folder: true,
                });
            }
        }
    }

    /// A link may bring in a file that the repository's readers never see.
    fn check_link(&mut self, path: &Path, name: &str) {
        let Ok(target) = path.canonicalize() else {
            return; // Reading it says why.
        };
        if self
            .root
            .as_ref()
            .is_some_and(|root| !target.starts_with(root))
        {
            let text = format!("{name} is a link to a file outside the rendered folder");
            self.found
                .warnings
                .push(Diagnostic::warning(Warning::LinkedFile, text));
        }
    }
}

fn folder_name(prefix: &str) -> &str {
    match prefix {
        "" => ".",
        "/" => "/",
        prefix => prefix.trim_end_matches('/'),
    }
}

/// The folder's entries, sorted by the bytes of their names.
fn entries(folder: &Path) -> io::Result<Vec<(OsString, FileType)>> {
    let mut entries = fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name(), entry.file_type()?))
        })
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort_by(|(a, _), (b, _)| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_by_their_last_extension() {
        for name in [
            "a.yaml",
            "a.yml",
            "a.json",
            ".yaml",
            ".hid.yaml",
            "x.tmpl.yaml",
            "d/.json",
        ] {
            assert!(is_manifest_name(OsStr::new(name)), "{name}");
        }
        for name in [
            "A.YAML",
            "yaml",
            "a.yaml.tpl",
            "a.json5",
            "a.yaml/",
            "n.json.txt",
            "",
        ] {
            assert!(!is_manifest_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn folder_names_are_shown_as_short_as_they_can_be() {
        for (typed, shown) in [
            (".", ""),
            ("./", ""),
            ("./k8s", "k8s/"),
            (".//k8s//", "k8s/"),
            ("../k8s/", "../k8s/"),
            ("/", "/"),
            ("/srv/k8s", "/srv/k8s/"),
        ] {
            assert_eq!(cleaned(typed), shown, "{typed}");
        }
    }
}
