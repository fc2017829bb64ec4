//! Pages that must keep up with the code: backends, dependencies.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use manifuse::backends::registry::TYPES;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_backend_has_its_page_and_every_page_its_backend() {
    let pages: BTreeSet<String> = fs::read_dir(root("docs/backends"))
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    let wanted: BTreeSet<String> = TYPES
        .iter()
        .map(|backend| format!("{}.md", backend.name))
        // The table of all.
        .chain(["README.md".to_owned()])
        .collect();
    assert_eq!(pages, wanted);
}

#[test]
fn a_backend_page_names_every_setting() {
    let mut missing = Vec::new();
    for backend in TYPES {
        let page =
            fs::read_to_string(root("docs/backends").join(format!("{}.md", backend.name))).unwrap();
        for (key, dotted) in backend.settings {
            for name in [key, dotted] {
                if !name.is_empty() && !page.contains(&format!("`{name}`")) {
                    missing.push(format!("{}.md does not explain `{name}`", backend.name));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn what_only_one_backend_reads_is_its_setting_and_tested() {
    let tests = sources("tests/it");
    for backend in TYPES {
        for own in backend.own {
            let is_setting = backend.settings.iter().any(|(key, _)| *key == own.name);
            assert!(is_setting, "{} has no setting {}", backend.name, own.name);
            let is_tested = tests.contains(&format!("\"{}\"", own.name));
            assert!(is_tested, "no test sets {}", own.name);
        }
    }
}

/// `docs/dependencies.md` has a table row for each direct dependency, and for nothing else.
#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string(root("Cargo.toml")).unwrap();
    let page = fs::read_to_string(root("docs/dependencies.md")).unwrap();
    let explained: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(explained, dependencies(&manifest));
}

/// Dependencies that are there before their use.
const AHEAD: [&str; 0] = [];

/// What nobody names is not needed.
#[test]
fn every_dependency_is_used() {
    let manifest = fs::read_to_string(root("Cargo.toml")).unwrap();
    let (program, tests) = manifest.split_once("[dev-dependencies]").unwrap();
    let tests = format!("[dev-dependencies]{tests}");
    let program_text = sources("src");
    let tests_text = sources("tests") + &sources("benches");
    let unused = |manifest: &str, text: &str| -> Vec<String> {
        let is_unused = |name: &&str| !text.contains(&format!("{}::", name.replace('-', "_")));
        dependencies(manifest)
            .into_iter()
            .filter(is_unused)
            .map(ToOwned::to_owned)
            .collect()
    };
    assert_eq!(unused(program, &program_text), AHEAD);
    assert_eq!(
        unused(&tests, &(program_text + &tests_text)),
        Vec::<String>::new()
    );
}

/// All Rust code below a folder.
fn sources(folder: &str) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(root(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(path.to_str().unwrap());
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && line.contains(" = ") {
            found.extend(line.split(' ').next());
        }
    }
    found
}
