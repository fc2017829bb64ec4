//! Settings files of every type with any content: no panic, and no message holds a marked secret.

use std::cell::LazyCell;
use std::fs;
use std::path::Path;

use manifuse::diagnostics::Diagnostic;
use manifuse::env::Environment;
use manifuse::settings::{self, Request, Settings};
use tempfile::TempDir;

use super::input;

thread_local! {
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("there is room"));
    static NAMES: LazyCell<Vec<String>> = LazyCell::new(names);
}

pub(super) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let text = input::marked(text);
    FOLDER.with(|folder| {
        NAMES.with(|names| {
            for name in names.iter() {
                fs::write(folder.path().join(name), &text).expect("there is room");
                one(name, folder.path(), &text);
            }
        });
    });
}

/// A file of each type, by the hint that lists them all, and ours.
fn names() -> Vec<String> {
    let told = load("s.none", Path::new("")).expect_err("there is no such type");
    let hint = told[0].hint.as_deref().unwrap_or_default();
    let endings = hint.split(' ').filter(|word| word.starts_with('.'));
    let mut names: Vec<String> = endings.map(|ending| format!("s{ending}")).collect();
    assert!(names.len() > 3, "{hint}");
    names.push("manifuse.yaml".to_owned());
    names
}

fn load(name: &str, folder: &Path) -> Result<Settings, Vec<Diagnostic>> {
    let environment = Environment::from_iter([("HOME", "/h")]);
    settings::load(&Request {
        environment: &environment,
        folder,
        rendered: folder,
        system_folder: folder,
        is_shared: false,
        config: Some(name),
        secret: None,
    })
}

fn one(name: &str, folder: &Path, text: &str) {
    let loaded = load(name, folder);
    if !input::marks_are_values(text) {
        return;
    }
    match loaded {
        // Names and types may be printed; what is set may not.
        Ok(settings) => {
            let named = settings.backends.iter().map(|backend| &backend.settings);
            let named: Vec<_> = named.collect();
            input::check_text(&format!(
                "{:?} {:?} {named:?}",
                settings.flat, settings.plain
            ));
        }
        Err(told) => input::check_told(&told),
    }
}
