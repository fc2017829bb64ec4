//! SOPS files: what we encrypt we open again, and print so that it holds the same values once more (its comments may move,
//! as sops moves them); what others say is read or refused.

use std::sync::LazyLock;

use manifuse::secret::{Map, Value};
use manifuse::sops::{Decrypted, Encrypted, Error, Format, Keyring, Layout, MacCheck, Recipe};

use super::input;
use crate::support::expectation::to_tree;
use crate::support::sops_keys::{data_key, deadline, keyring, wait};
use crate::support::tree::Tree;

/// The recorded files, whose keys open what grows out of them.
const FILES: &str = include_str!("../../golden/sops/yaml.txt");

/// A recipient whose key is at hand.
const RECIPIENT: &str = include_str!("../../golden/stream/test.agekey");

static KEYS: LazyLock<Keyring> = LazyLock::new(|| {
    let lines = FILES.lines().map(|line| line.trim_start_matches('|'));
    let keys = lines.chain(RECIPIENT.lines());
    let keys: Vec<&str> = keys
        .filter(|line| line.starts_with("AGE-SECRET-KEY-"))
        .collect();
    keyring([("SOPS_AGE_KEY", keys.join(" "))])
});

static RECIPE: LazyLock<Recipe> = LazyLock::new(|| {
    let lines = RECIPIENT.lines();
    let mut public = lines.filter_map(|line| line.split("public key: ").nth(1));
    let mut recipe = Recipe::default();
    recipe.add("age", public.next().unwrap()).unwrap();
    recipe
});

/// Longer messages are pages.
const LONGEST_MESSAGE: usize = 20_000;

pub(super) fn yaml(input: &[u8]) {
    check(input, Format::Yaml);
}

pub(super) fn json(input: &[u8]) {
    check(input, Format::Json);
}

pub(super) fn dotenv(input: &[u8]) {
    check(input, Format::Dotenv);
}

pub(super) fn ini(input: &[u8]) {
    check(input, Format::Ini);
}

pub(super) fn binary(input: &[u8]) {
    check(input, Format::Binary);
}

/// A `sops` block alone: one in braces is that of a JSON file, one with a section's head that of an INI file, any other
/// that of a dotenv file.
pub(super) fn metadata(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (text, format) = match text.chars().next() {
        Some('{') => (format!(r#"{{"a":"","sops":{text}}}"#), Format::Json),
        Some('[') => (text.to_owned(), Format::Ini),
        _ => (text.to_owned(), Format::Dotenv),
    };
    match Encrypted::parse(&text, format) {
        Ok(encrypted) => drop(data_key(&encrypted, &KEYS).map_err(|error| is_short(&error))),
        Err(error) => drop(is_short(&error)),
    }
}

fn check(input: &[u8], format: Format) {
    let marked;
    let mut input = input;
    if let Ok(text) = std::str::from_utf8(input) {
        marked = input::marked(text);
        input = marked.as_bytes();
        match opened(&marked, format) {
            Ok(decrypted) => print(&decrypted),
            Err(error) => told_of(input, &error),
        }
    }
    let Some(values) = round(input, format) else {
        return;
    };
    let (printed, values) = values;
    // A format that cannot hold all that it is read to (a comment's end in an INI value) says something else.
    if matches!(format, Format::Ini | Format::Dotenv) {
        return;
    }
    let (_, same) = round(&printed, format).expect("what we print can be encrypted");
    assert_eq!(same, values, "{}", String::from_utf8_lossy(&printed));
}

fn opened(text: &str, format: Format) -> Result<Decrypted, Error> {
    let encrypted = Encrypted::parse(text, format)?;
    let key = data_key(&encrypted, &KEYS)?;
    encrypted.decrypt(&key, MacCheck::Required)
}

/// What is told of a text shows none of its values.
fn told_of(text: &[u8], error: &Error) {
    let told = is_short(error);
    if std::str::from_utf8(text).is_ok_and(marks_are_values) {
        input::check_text(&told);
    }
}

/// Whether all marks are values: whom a file is encrypted for, its block says, and messages do.
fn marks_are_values(marked: &str) -> bool {
    let (_, block) = marked.split_once("sops").unwrap_or_default();
    input::marks_are_values(marked) && !input::is_marked(block)
}

/// What a text becomes when it was encrypted and decrypted again: printed, and as values. `None` if it is refused.
fn round(text: &[u8], format: Format) -> Option<(Vec<u8>, Vec<Tree>)> {
    let layout = Layout::default();
    let encrypted = wait(RECIPE.encrypt(text, (format, format), layout, &KEYS, deadline()));
    let encrypted = match encrypted {
        Ok(encrypted) => String::from_utf8(encrypted).expect("encrypted files are texts"),
        Err(error) => {
            told_of(text, &error);
            return None;
        }
    };
    let decrypted = opened(&encrypted, format).expect("we open what we made");
    let printed = decrypted
        .write(format, layout)
        .expect("it was read from it");
    let values: Vec<Map> = decrypted.into_documents();
    let trees = values.into_iter().map(|map| to_tree(&Value::Map(map)));
    Some((printed.to_vec(), trees.collect()))
}

/// Any format prints it or says why not.
fn print(decrypted: &Decrypted) {
    for format in ["yaml", "json", "dotenv", "ini", "binary"] {
        let format = Format::of_name(format).unwrap();
        drop(
            decrypted
                .write(format, Layout::default())
                .map_err(|error| told(&error)),
        );
    }
}

fn told(error: &Error) {
    input::check_text(&is_short(error));
}

/// The message and its causes.
fn is_short(error: &Error) -> String {
    let text = format!("{error} {}", error.causes().join(" "));
    assert!(text.len() < LONGEST_MESSAGE, "{} bytes", text.len());
    text
}
