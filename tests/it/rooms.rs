//! Holds the table of rooms: what each may import. The same table stands in `docs/architecture.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Every room, and the rooms it may import: only rooms further down, so that there is no circle.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "inject",
            "argocd",
            "settings",
            "input",
            "output",
            "policy",
            "backends",
            "sops",
            "clients",
            "manifest",
            "modifier",
            "placeholder",
            "yaml",
            "files",
            "env",
            "secret",
            "diagnostics",
        ],
    ),
    (
        "inject",
        &[
            "policy",
            "backends",
            "sops",
            "manifest",
            "modifier",
            "placeholder",
            "yaml",
            "files",
            "env",
            "secret",
            "diagnostics",
        ],
    ),
    (
        "argocd",
        &["manifest", "modifier", "yaml", "files", "secret"],
    ),
    (
        "settings",
        &[
            "policy",
            "backends",
            "clients",
            "yaml",
            "files",
            "go_regex",
            "env",
            "secret",
            "diagnostics",
        ],
    ),
    ("input", &["files", "diagnostics"]),
    ("output", &["diagnostics"]),
    ("policy", &["diagnostics"]),
    (
        "backends",
        &[
            "sops",
            "clients",
            "yaml",
            "files",
            "env",
            "secret",
            "diagnostics",
        ],
    ),
    (
        "sops",
        &[
            "clients",
            "yaml",
            "files",
            "go_regex",
            "env",
            "secret",
            "diagnostics",
        ],
    ),
    ("clients", &["env", "secret", "diagnostics"]),
    ("manifest", &["yaml", "secret", "diagnostics"]),
    ("modifier", &["yaml", "secret", "diagnostics"]),
    ("placeholder", &["secret", "diagnostics"]),
    ("yaml", &["secret", "diagnostics"]),
    ("files", &["diagnostics"]),
    ("go_regex", &[]),
    ("env", &["secret"]),
    ("secret", &[]),
    ("diagnostics", &[]),
];

#[test]
fn rooms_import_what_the_table_says() {
    let mut wrong = Vec::new();
    for file in sources() {
        let room = room(&file);
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{} is in no room of the table", file.display()));
            continue;
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            if import != room && !allowed.contains(&import.as_str()) {
                wrong.push(format!(
                    "{}: {room} must not import {import}",
                    file.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_points_downward() {
    for (index, (room, allowed)) in ROOMS.iter().enumerate() {
        let below: Vec<&str> = ROOMS[index + 1..].iter().map(|(name, _)| *name).collect();
        for import in *allowed {
            assert!(
                below.contains(import),
                "{room} imports {import}, which does not stand below it"
            );
        }
    }
}

#[test]
fn the_architecture_page_has_the_same_table() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows: Vec<(String, String)> = page
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let name = cells
                .first()?
                .strip_prefix('`')?
                .split(['/', '.', '`'])
                .next()?;
            Some((name.to_owned(), (*cells.get(2)?).to_owned()))
        })
        .collect();
    let table: Vec<(String, String)> = ROOMS
        .iter()
        .map(|(room, allowed)| {
            let allowed = if allowed.is_empty() {
                "none".to_owned()
            } else {
                allowed.join(", ")
            };
            ((*room).to_owned(), allowed)
        })
        .collect();
    assert_eq!(rows, table);
}

#[test]
fn imports_are_found_in_any_form() {
    let text = "use crate::yaml::Event;\nuse crate::{env, secret::{Map, Text}};\n// crate::cli\nlet x = crate::files::read();\npub(in crate::input) fn f() {}\n";
    let found: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(found, ["env", "files", "input", "secret", "yaml"]);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All source files but `lib.rs`, which names every room.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    files.retain(|path| path != Path::new("src/lib.rs"));
    files
}

fn room(file: &Path) -> String {
    let first = file
        .components()
        .nth(1)
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms that a text names behind `crate::` (or `manifuse::`, as `main.rs` does), comments left out.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let single = Regex::new(r"\b(?:crate|manifuse)::(\w+)").unwrap();
    let group = Regex::new(r"\b(?:crate|manifuse)::\{").unwrap();
    let mut found: BTreeSet<String> = single
        .captures_iter(&code)
        .map(|hit| hit[1].to_owned())
        .collect();
    for hit in group.find_iter(&code) {
        found.extend(names_of_group(&code[hit.end()..]));
    }
    found
}

/// The first names of a group, up to its closing brace: `a, b::{c, d}}` is `a` and `b`.
fn names_of_group(text: &str) -> Vec<String> {
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (position, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                let name = text[start..position].trim();
                names.extend(
                    name.split("::")
                        .next()
                        .filter(|name| !name.is_empty())
                        .map(ToOwned::to_owned),
                );
                start = position + 1;
                if char == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}
