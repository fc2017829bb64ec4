//! Recorded cases of sops: reads the bundles of `tests/golden/sops/`, whose format `bundle_sops.py` explains.

use std::collections::BTreeMap;

use super::bundle::unescape;

/// One recorded case.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) format: String,
    /// The key files' texts.
    pub(crate) keys: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) expect: String,
    pub(crate) encrypted: String,
    /// What sops prints.
    pub(crate) printed: Option<Vec<u8>>,
    /// What sops prints as JSON, if that is another format.
    pub(crate) json: Option<Vec<u8>>,
    /// What a key service was asked, and what it answered.
    pub(crate) exchanges: Vec<serde_json::Value>,
    /// The arguments of a run of sops.
    pub(crate) args: Vec<String>,
    /// The files that lie there.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// sops's exit code.
    pub(crate) exit: i32,
    /// Where something must come out, and what.
    pub(crate) result: Option<(String, Vec<u8>)>,
    /// The extension of an encrypted file, and the file with what differs each time masked, as versions of sops leave it.
    pub(crate) masked: Vec<(String, Vec<u8>)>,
    /// How many encrypted texts sops leaves as they are.
    pub(crate) kept: usize,
    /// What that file decrypts to.
    pub(crate) plain: Vec<u8>,
}

impl Case {
    /// A name for the encrypted file that says its format.
    pub(crate) fn file_name(&self) -> String {
        format!("f.{}", self.format.replace("dotenv", "env"))
    }
}

/// The cases of a bundle.
pub(crate) fn cases(bundle: &str) -> Vec<Case> {
    let mut keys: BTreeMap<&str, String> = BTreeMap::new();
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = bundle.lines().peekable();
    while let Some(line) = lines.next() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut bytes = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(['|', '%'])) {
            match line.split_at(1) {
                ("|", line) => {
                    bytes.extend_from_slice(line.as_bytes());
                    bytes.push(b'\n');
                }
                (_, line) => unescape(line, &mut bytes),
            }
        }
        if word == "key" {
            keys.insert(rest, String::from_utf8(bytes).unwrap());
            continue;
        }
        if word == "case" {
            cases.push(Case {
                name: rest.to_owned(),
                ..Case::default()
            });
        }
        if !word.is_empty() && word != "#" {
            let files = &keys;
            field(cases.last_mut().unwrap(), word, rest, bytes, files);
        }
    }
    cases
}

fn field(case: &mut Case, word: &str, rest: &str, text: Vec<u8>, keys: &BTreeMap<&str, String>) {
    match word {
        "case" | "rule" | "differs" => {}
        "format" => rest.clone_into(&mut case.format),
        "keys" => {
            let names = rest.split(' ');
            case.keys = names.map(|name| keys[name].clone()).collect();
        }
        "env" => {
            let (name, value) = rest.split_once('=').unwrap();
            case.env.push((name.to_owned(), value.to_owned()));
        }
        "expect" => rest.clone_into(&mut case.expect),
        "encrypted" => case.encrypted = String::from_utf8(text).unwrap(),
        "exchange" => case.exchanges.push(serde_json::from_slice(&text).unwrap()),
        "json" => case.json = Some(text),
        "args" => case.args = serde_json::from_str(rest).unwrap(),
        "file" => case.files.push((rest.to_owned(), text)),
        "exit" => case.exit = rest.parse().unwrap(),
        "kept" => case.kept = rest.parse().unwrap(),
        "masked" => case.masked.push((rest.to_owned(), text)),
        "plain" => case.plain = text,
        "result" => case.result = Some((rest.to_owned(), text)),
        "printed" => case.printed = Some(text),
        other => panic!("{other} is no word of a bundle"),
    }
}
