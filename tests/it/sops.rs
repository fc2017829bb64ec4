//! What the real sops makes of its files, case by case: `tests/golden/sops/`, and what must hold for damaged ones.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use manifuse::diagnostics::Explain as _;
use manifuse::secret::{Map, Value};
use manifuse::sops::{Decrypted, Encrypted, Error, Format, Keyring, Layout, MacCheck};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::core_yaml;
use crate::support::program::Program;
use crate::support::sops_bundle::{Case, cases};
use crate::support::sops_keys::{self, data_key, no_keys};
use crate::support::tree::{Number, Tree, differences};

const BUNDLES: [(&str, &str); 6] = [
    ("flat", include_str!("../golden/sops/flat.txt")),
    ("json", include_str!("../golden/sops/json.txt")),
    ("keys", include_str!("../golden/sops/keys.txt")),
    ("metadata", include_str!("../golden/sops/metadata.txt")),
    ("tampered", include_str!("../golden/sops/tampered.txt")),
    ("yaml", include_str!("../golden/sops/yaml.txt")),
];
const MESSAGES: &str = include_str!("../golden/sops/messages.txt");

fn all() -> impl Iterator<Item = Case> {
    BUNDLES.iter().flat_map(|(_, bundle)| cases(bundle))
}

pub(crate) fn case(name: &str) -> Case {
    all().find(|case| case.name == name).unwrap()
}

fn decrypt(case: &Case, text: &str, keyring: &Keyring) -> Result<Vec<Map>, Error> {
    open(case, text, keyring).map(Decrypted::into_documents)
}

fn open(case: &Case, text: &str, keyring: &Keyring) -> Result<Decrypted, Error> {
    let encrypted = Encrypted::parse(text, format(case))?;
    let key = data_key(&encrypted, keyring)?;
    encrypted.decrypt(&key, MacCheck::Required)
}

fn format(case: &Case) -> Format {
    Format::of_name(&case.format).unwrap()
}

fn keyring(case: &Case, folder: &Path) -> Keyring {
    sops_keys::keyring(variables(case, folder))
}

/// What leads to the keys of a case, its files in `folder`.
fn variables(case: &Case, folder: &Path) -> Vec<(String, String)> {
    for (name, text) in &case.files {
        fs::write(folder.join(name), text).unwrap();
    }
    let mut variables = sops_keys::files(&case.keys, folder);
    let folder = folder.to_str().unwrap();
    let own = case.env.iter();
    variables.extend(own.map(|(name, value)| (name.clone(), value.replace("{dir}", folder))));
    variables
}

/// Message, causes and hint, one a line.
fn explained(error: &Error, folder: &Path) -> String {
    let mut lines = vec![error.to_string()];
    lines.extend(error.causes());
    lines.extend(error.hint());
    lines
        .join("\n  ")
        .replace(folder.to_str().unwrap(), "{dir}")
}

fn tree(value: &Value) -> Tree {
    match value {
        Value::Null => Tree::Null,
        Value::Bool(truth) => Tree::Bool(*truth),
        Value::Number(number) => {
            let number: serde_json::Value = serde_json::from_str(number.expose()).unwrap();
            Tree::from(&number)
        }
        Value::String(text) | Value::Bytes(text) => {
            Tree::String(String::from_utf8_lossy(text.expose()).into_owned())
        }
        Value::List(items) => Tree::List(items.iter().map(tree).collect()),
        Value::Map(map) => of_map(map),
    }
}

pub(crate) fn of_map(map: &Map) -> Tree {
    let entries = map.iter().map(|(key, value)| (key.clone(), tree(value)));
    Tree::Map(entries.collect())
}

/// The second reader has one number for all that no JSON number can hold; here they come out as YAML's words.
pub(crate) fn without_specials(tree: Tree) -> Tree {
    let special = || Tree::String("beyond JSON".to_owned());
    match tree {
        Tree::Number(Number::Float(float)) if !float.is_finite() => special(),
        Tree::String(text) if [".nan", ".inf", "-.inf", "1e400"].contains(&text.as_str()) => {
            special()
        }
        Tree::List(items) => Tree::List(items.into_iter().map(without_specials).collect()),
        Tree::Map(entries) => {
            let entries = entries.into_iter();
            Tree::Map(
                entries
                    .map(|(key, value)| (key, without_specials(value)))
                    .collect(),
            )
        }
        other => other,
    }
}

/// go-yaml breaks a quoted text at a line separator and indents what follows; here it is escaped. The trees are equal.
const LAID_OUT_OTHERWISE: &str = "yaml-unicode";

/// How a result differs from what sops prints.
fn wrong(case: &Case, decrypted: &Decrypted) -> Vec<String> {
    let Some(printed) = &case.printed else {
        return vec!["nothing to compare".to_owned()];
    };
    let as_json = case.json.as_ref().map(|json| (Format::Json, json));
    let all = [(format(case), printed)].into_iter().chain(as_json);
    all.flat_map(|(format, expected)| {
        let found = match decrypted.write(format, Layout::default()) {
            Ok(found) => found,
            Err(error) => return vec![error.to_string()],
        };
        if *found == *expected {
            Vec::new()
        } else if case.name == LAID_OUT_OTHERWISE && format == Format::Yaml {
            trees_differ(case.json.as_ref().unwrap(), &found)
        } else {
            let found = String::from_utf8_lossy(&found);
            vec![format!("{format:?} comes out as\n{found}")]
        }
    })
    .collect()
}

/// How the values of a YAML text differ from those of a JSON text.
fn trees_differ(json: &[u8], yaml: &[u8]) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_slice(json).unwrap();
    let documents = core_yaml::documents(yaml).unwrap();
    differences(&Tree::from(&json), &documents[0])
}

#[test]
fn gives_the_answers_of_sops() {
    let mut failures = Vec::new();
    for case in all() {
        let folder = tempfile::tempdir().unwrap();
        let result = open(&case, &case.encrypted, &keyring(&case, folder.path()));
        let wrong = match (case.expect.as_str(), result) {
            // What sops refuses for its version, which the description says to pass over, has nothing to compare.
            ("either", Ok(_)) if case.printed.is_none() => continue,
            ("decrypt" | "either", Ok(decrypted)) => wrong(&case, &decrypted),
            ("decrypt", Err(error)) => vec![explained(&error, folder.path())],
            ("error" | "either", Err(_)) => continue,
            (expect, _) => vec![format!("{expect} is expected")],
        };
        failures.extend(wrong.iter().map(|line| format!("{}: {line}", case.name)));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Exit codes that differ from those of sops, and why.
const OTHER_CODES: [(&str, i32); 4] = [
    // sops passes over the expression, and finds then that the values are not those of the MAC.
    ("metadata-regex-invalid", 1),
    // It takes the comment for a value, and finds the same.
    ("tamper-type-comment", 25),
    // It panics: for want of memory, and of a text.
    ("tamper-dotenv-huge-index", 1),
    ("tamper-value-number", 25),
];

/// As programs that run sops know them.
#[test]
fn failures_have_the_exit_codes_of_sops() {
    let mut failures = Vec::new();
    for case in all().filter(|case| case.expect == "error") {
        let file = case.file_name();
        let program = Program::sops(["decrypt", &file]).file(&file, &case.encrypted);
        let folder = program.folder();
        let variables = variables(&case, &folder).into_iter();
        let program = variables.fold(program, |program, (name, value)| program.env(&name, value));
        let run = program.run();
        let other = OTHER_CODES.iter().find(|(other, _)| *other == case.name);
        let code = other.map_or(case.exit, |(_, code)| *code);
        if run.code != Some(code) || !run.stdout.is_empty() {
            let (name, found) = (&case.name, run.code);
            failures.push(format!(
                "{name}: {found:?}, {code} is right: {}",
                run.stderr
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn no_case_is_lost() {
    assert_eq!(all().count(), 263);
}

/// Every failure of the recorded cases in words, as `messages.txt` has them.
#[test]
fn failures_are_worded_for_people() {
    let mut messages = String::new();
    for case in all() {
        let folder = tempfile::tempdir().unwrap();
        if let Err(error) = decrypt(&case, &case.encrypted, &keyring(&case, folder.path())) {
            let message = explained(&error, folder.path());
            let _ = write!(messages, "{}\n  {message}\n", case.name);
        }
    }
    assert!(messages == MESSAGES, "messages.txt should be:\n{messages}");
}

/// A small file of each format.
const SMALL: [&str; 5] = [
    "kubernetes-string",
    "json-simple",
    "dotenv-simple",
    "ini-simple",
    "binary-text",
];

/// A case, its keys, and the text of all that it says.
fn small(name: &str) -> (Case, Keyring, String) {
    let case = case(name);
    let folder = tempfile::tempdir().unwrap();
    let keyring = keyring(&case, folder.path());
    let documents = decrypt(&case, &case.encrypted, &keyring).unwrap();
    (case, keyring, hashed(documents))
}

/// No other values come out, whatever happens to the file.
#[test]
fn a_flipped_byte_never_changes_a_value() {
    for name in SMALL {
        let (case, keyring, said) = small(name);
        let mut opened = 0;
        for position in 0..case.encrypted.len() {
            // Two bits of each byte, which are others for the next one.
            for bit in [position, position + 5] {
                let mut bytes = case.encrypted.clone().into_bytes();
                bytes[position] ^= 1 << (bit % 8);
                let Ok(text) = String::from_utf8(bytes) else {
                    continue;
                };
                // Only what lies outside of the values and of what they are bound to may change: a recipient's name,
                // white space, a key that nothing encrypted lies under.
                if let Ok(documents) = decrypt(&case, &text, &keyring) {
                    opened += 1;
                    assert_eq!(hashed(documents), said, "{name} {position}");
                }
            }
        }
        assert!(opened > 0, "some bytes of {name} do not matter");
    }
}

/// Cut anywhere, a file is refused as long as its MAC is not whole. What stands behind the MAC may be cut so that it means
/// the same.
#[test]
fn a_cut_file_is_refused_or_says_the_same() {
    for name in SMALL {
        let (case, keyring, said) = small(name);
        let text = &case.encrypted;
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            if let Ok(documents) = decrypt(&case, &text[..end], &keyring) {
                assert_eq!(hashed(documents), said, "{name} cut at {end}");
                let mac = text.rfind("mac").unwrap();
                let mac = mac + text[mac..].find("type:str]").unwrap();
                assert!(end > mac, "{name} cut at {end}");
            }
        }
    }
}

#[test]
fn a_million_recipients_are_refused_in_time() {
    let recipient = r#"{"recipient":"age1x","enc":"x"}"#;
    for (count, message) in [
        (10_000, "no key at hand opens this file"),
        (
            1_000_000,
            "the sops block is broken: it names 1000000 master keys, more than 10000",
        ),
    ] {
        let recipients = vec![recipient; count].join(",");
        let text = format!(
            r#"{{"a":"x","sops":{{"lastmodified":"2025-06-01T12:00:00Z","age":[{recipients}]}}}}"#
        );
        let encrypted = Encrypted::parse(&text, Format::Json);
        let error = encrypted
            .and_then(|encrypted| data_key(&encrypted, &no_keys()).map(drop))
            .unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

/// Aliases and wrong types where the format has none.
#[test]
fn odd_files_are_refused_by_name() {
    let bomb = (1..12).fold(
        "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(),
        |text, level| {
            let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
            format!("{text}a{level}: &a{level} [{aliases}]\n")
        },
    );
    let block = "sops: {lastmodified: '2025-06-01T12:00:00Z', age: [{recipient: age1x, enc: x}]";
    for (text, message) in [
        (bomb.as_str(), "too many nodes behind anchors"),
        ("- a\n", "the top of a SOPS file must be a mapping"),
        ("a\n", "the top of a SOPS file must be a mapping"),
        ("", "sops metadata not found"),
        ("# only this\n", "sops metadata not found"),
        (
            "1: a\n",
            "a key that is not a string: SOPS supports only string keys",
        ),
        ("? [a]\n: b\n", "a key that is a list or a mapping"),
        ("a: &x [*x]\n", "an alias to something that is not complete"),
        ("a: !!int x\n", "a value that does not fit its tag"),
        ("a: !!binary '!'\n", "a !!binary value that is not base64"),
        (
            "a: 9223372036854775808\n",
            "a number that is too large for SOPS",
        ),
        ("a: 1\na: 2\n", "the key a stands twice"),
        ("sops: 1\n", "the sops block is not a mapping"),
        (
            "sops: {age: {}}\n",
            "the sops block is broken: lastmodified is missing, or no time in RFC 3339",
        ),
        (
            "sops: {age: [1]}\n",
            "the sops block is broken: age is not a list of mappings",
        ),
        (
            "sops: {age: [{enc: [1]}]}\n",
            "the sops block is broken: enc is not a text",
        ),
        (
            &format!("{block}, mac_only_encrypted: perhaps}}\n"),
            "the sops block is broken: mac_only_encrypted is neither true nor false",
        ),
        (
            &format!("{block}, shamir_threshold: -1}}\n"),
            "the sops block is broken: shamir_threshold is not a small number",
        ),
        (
            &format!("{block}, shamir_threshold: [1]}}\n"),
            "the sops block is broken: shamir_threshold is not a small number",
        ),
        (
            &format!("{block}, unencrypted_comment_regex: '(?!'}}\n"),
            "the sops block is broken: unencrypted_comment_regex is not a valid regular expression",
        ),
    ] {
        let error = Encrypted::parse(text, Format::Yaml).map(drop).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}

/// What trips readers of YAML and JSON, and of encrypted values.
const SPLICES: &[&str] = &[
    "\n",
    "\n  ",
    "\n- ",
    ": ",
    "#",
    " # x",
    "&a ",
    "*a",
    "!!int ",
    "!!binary ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "|",
    ">-\n",
    "---\n",
    "...\n",
    "? ",
    "<<: ",
    "~",
    "\t",
    "\r",
    "\u{feff}",
    "é",
    "\0",
    "sops:\n",
    "ENC[AES256_GCM,data:",
    "]",
    ",type:comment]",
    "data: x\n",
    "encrypted_comment_regex: x\n",
    "mac_only_encrypted: true\n",
    "shamir_threshold: 2\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A file with pieces put in and taken out is read or refused; nothing panics, and what was encrypted comes out as
    /// it was or not at all.
    #[test]
    fn spliced_files_are_read_or_refused(
        name in select(vec!["kubernetes-string", "selector-encrypted-comment-regex", "yaml-list-comments", "json-types"]),
        edits in prop::collection::vec((any::<Index>(), 0..40_usize, select(SPLICES.to_vec())), 1..4),
    ) {
        let case = case(name);
        let folder = tempfile::tempdir().unwrap();
        let keyring = keyring(&case, folder.path());
        let original = decrypt(&case, &case.encrypted, &keyring).unwrap();
        let mut text = case.encrypted.clone();
        for (index, cut, splice) in edits {
            let start = text.floor_char_boundary(index.index(text.len()));
            let end = text.floor_char_boundary((start + cut).min(text.len()));
            text.replace_range(start..end, splice);
        }
        if let Ok(documents) = decrypt(&case, &text, &keyring) {
            // The MAC is over the texts of all values one after another, and says nothing of where one ends.
            prop_assert_eq!(hashed(documents), hashed(original));
        }
    }
}

/// The texts of all values but nulls, in the order of the file.
fn hashed(documents: Vec<Map>) -> String {
    let mut text = String::new();
    for document in documents {
        append(&Value::Map(document), &mut text);
    }
    text
}

fn append(value: &Value, text: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(truth) => text.push_str(if *truth { "True" } else { "False" }),
        Value::Number(number) => text.push_str(number.expose()),
        Value::String(string) | Value::Bytes(string) => {
            text.push_str(&String::from_utf8_lossy(string.expose()));
        }
        Value::List(items) => items.iter().for_each(|item| append(item, text)),
        Value::Map(map) => map.iter().for_each(|(_, item)| append(item, text)),
    }
}
