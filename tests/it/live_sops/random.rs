//! The real sops: it encrypts random files by random rules, and what we read of them must be what it decrypts them to.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use manifuse::diagnostics::{Rendering, Source, render};
use manifuse::inject::{self, Decryption};
use manifuse::secret::Map;
use manifuse::sops::{Config, Encrypted, Error, Format, Keyring, Layout, MacCheck};
use regex::Regex;

use crate::sops::{of_map, without_specials};
use crate::support::sops_keys::{data_key, deadline, keyring, wait};
use crate::support::tree::{Tree, differences};
use crate::support::{core_yaml, live};

const FILES: u64 = 1000;

const RULES: &[&str] = &[
    "",
    "unencrypted_suffix: _unencrypted",
    "encrypted_suffix: _enc",
    "encrypted_regex: ^(data|pass)",
    "unencrypted_regex: '^(meta|name$)'",
    "encrypted_comment_regex: secret",
    "unencrypted_comment_regex: public",
];

const KEYS: &[&str] = &[
    "data",
    "password",
    "name",
    "meta",
    "x_unencrypted",
    "y_enc",
    "'1'",
    "\"a:b\"",
    "'true'",
    "\"\"",
    "yes",
    "é",
    "<<",
    "k",
    "l",
    "m",
];

const SCALARS: &[&str] = &[
    "word",
    "two words",
    "'quoted'",
    "\"a\\tb\"",
    "5",
    "-17",
    "0x1F",
    "0o17",
    "0777",
    "1_000",
    "1.50",
    "1e3",
    "-0.0",
    "08",
    ".inf",
    "true",
    "False",
    "yes",
    "~",
    "null",
    "''",
    "2024-01-31",
    "2001-12-14t21:59:43.10-05:00",
    "2020-01-01 10:00:00",
    "1:30",
    "!!str 5",
    "!!float 3",
    "!!binary aGVsbG8=",
    "!mine 5",
    "[1, two, {k: v}]",
    "{a: 1, b: [x]}",
    "[]",
    "{}",
    "9223372036854775807",
    "1e400",
    "ENC[nothing]",
    "\"multi\\nline\"",
    "9007199254740993",
];

const COMMENTS: &[&str] = &["secret", "public", "note", "", "ENC", "a: b"];

/// Numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.roll(words.len())]
    }

    fn comment(&mut self, text: &mut String, indent: usize) {
        for _ in 0..self.roll(12).saturating_sub(8) {
            let comment = self.pick(COMMENTS);
            let _ = writeln!(text, "{:indent$}# {comment}", "");
        }
    }

    fn end_of_line(&mut self, text: &mut String) {
        if self.roll(8) == 0 {
            let comment = self.pick(COMMENTS);
            let _ = write!(text, " # {comment}");
        }
        text.push('\n');
    }

    fn map(&mut self, text: &mut String, indent: usize, depth: usize) {
        let mut free: Vec<&str> = KEYS.to_vec();
        for _ in 0..=self.roll(4) {
            self.comment(text, indent);
            let key = free.swap_remove(self.roll(free.len()));
            let _ = write!(text, "{:indent$}{key}:", "");
            self.value(text, indent, depth);
        }
        if depth > 0 {
            self.comment(text, indent);
        }
    }

    fn list(&mut self, text: &mut String, indent: usize, depth: usize) {
        for _ in 0..=self.roll(3) {
            self.comment(text, indent);
            let _ = write!(text, "{:indent$}-", "");
            self.value(text, indent, depth);
        }
    }

    fn value(&mut self, text: &mut String, indent: usize, depth: usize) {
        match self.roll(9) {
            0 | 1 if depth < 3 => {
                self.end_of_line(text);
                self.map(text, indent + 2, depth + 1);
            }
            2 if depth < 3 => {
                self.end_of_line(text);
                self.list(text, indent + 2, depth + 1);
            }
            3 => {
                let inner = indent + 2;
                let _ = write!(text, " |\n{:inner$}first\n{:inner$}# second\n", "", "");
            }
            _ => {
                let _ = write!(text, " {}", self.pick(SCALARS));
                self.end_of_line(text);
            }
        }
    }

    fn file(&mut self) -> String {
        let mut text = String::new();
        for document in 0..=self.roll(5).saturating_sub(3) {
            if document > 0 {
                text.push_str("---\n");
            }
            self.map(&mut text, 0, 0);
        }
        text
    }
}

struct Sops<'f> {
    program: String,
    folder: &'f Path,
}

impl Sops<'_> {
    fn run(&self, args: &[&str]) -> Output {
        Command::new(&self.program)
            .args(args)
            .current_dir(self.folder)
            .env("SOPS_AGE_KEY_FILE", self.folder.join("keys.txt"))
            .output()
            .unwrap()
    }

    /// Lets sops encrypt and decrypt a text, and us decrypt it: what sops decrypts it to, and how we differ. `None`
    /// where sops itself cannot do the one or the other, for one of its defects with numbers and comments in lists.
    fn compare(&self, kind: &str, plain: &str, keys: &Keyring) -> Option<(String, String)> {
        let (open, closed) = (format!("plain.{kind}"), format!("encrypted.{kind}"));
        fs::write(self.folder.join(&open), plain).unwrap();
        let encrypted = self.run(&["encrypt", &open]);
        fs::write(self.folder.join(&closed), &encrypted.stdout).unwrap();
        let decrypted = self.run(&["decrypt", &closed]);
        if !encrypted.status.success() || !decrypted.status.success() {
            return None;
        }
        let text = String::from_utf8(encrypted.stdout).unwrap();
        let format = if kind == "json" {
            Format::Json
        } else {
            Format::Yaml
        };
        let complaint = match decrypt(&text, format, keys) {
            Ok(documents) => {
                let theirs = core_yaml::documents(&decrypted.stdout).unwrap();
                let theirs = theirs.into_iter().map(without_specials).collect();
                differences(&Tree::List(theirs), &Tree::List(trees(&documents))).join("\n")
            }
            Err(error) => error.to_string(),
        };
        let back = self.reads_ours((kind, format), plain, &decrypted.stdout, keys);
        let complaint = complaint + &back.err().unwrap_or_default();
        Some((String::from_utf8(decrypted.stdout).unwrap(), complaint))
    }

    /// Lets us encrypt a text and sops decrypt it: the same values must come out as when sops did both. Comments may stand
    /// elsewhere: go-yaml gives some of them to places that nobody else would.
    fn reads_ours(
        &self,
        (kind, format): (&str, Format),
        plain: &str,
        expected: &[u8],
        keys: &Keyring,
    ) -> Result<(), String> {
        let told = |error: Error| format!("we cannot encrypt it: {error}");
        let config = fs::read_to_string(self.folder.join(".sops.yaml")).unwrap();
        let recipe = Config::parse(&config).and_then(|config| config.recipe("plain"));
        let recipe = recipe.map_err(told)?.expect("the configuration has a rule");
        let formats = (format, format);
        let layout = Layout::default();
        let ours = wait(recipe.encrypt(plain.as_bytes(), formats, layout, keys, deadline()));
        let file = format!("ours.{kind}");
        fs::write(self.folder.join(&file), ours.map_err(told)?).unwrap();
        let decrypted = self.run(&["decrypt", &file]);
        // This sops takes numbers in JSON for floats, which lose digits and keep the sign of zero.
        let older = Regex::new(r"-0\b|\d{16}").unwrap();
        let read = |text: &[u8]| core_yaml::documents(text).map(Tree::List);
        let is_same = decrypted.status.success() && read(&decrypted.stdout) == read(expected);
        if is_same || kind == "json" && older.is_match(plain) {
            return Ok(());
        }
        Err(format!(
            "\nsops decrypts ours to\n{}{}",
            String::from_utf8_lossy(&decrypted.stdout),
            String::from_utf8_lossy(&decrypted.stderr)
        ))
    }
}

fn decrypt(text: &str, format: Format, keyring: &Keyring) -> Result<Vec<Map>, Error> {
    let encrypted = Encrypted::parse(text, format)?;
    let key = data_key(&encrypted, keyring)?;
    Ok(encrypted
        .decrypt(&key, MacCheck::Required)?
        .into_documents())
}

fn trees(documents: &[Map]) -> Vec<Tree> {
    documents.iter().map(of_map).map(without_specials).collect()
}

/// A fresh key, known to the real sops in this folder and to us.
fn key_in(folder: &Path) -> (String, Keyring) {
    let identity = age::x25519::Identity::generate();
    let secret = identity.to_string();
    fs::write(folder.join("keys.txt"), secret.expose_secret()).unwrap();
    let keyring = keyring([("SOPS_AGE_KEY", secret.expose_secret())]);
    (identity.to_public().to_string(), keyring)
}

/// Random manifests, decrypted in place, hold what sops decrypts them to.
#[test]
#[ignore = "needs the real sops, which tests/live/run names"]
fn random_manifests_of_the_real_sops_are_decrypted_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let (recipient, keyring) = key_in(folder.path());
    let keyring = Arc::new(keyring);
    let sops = Sops {
        program: live::variable("LIVE_SOPS"),
        folder: folder.path(),
    };
    let how = Decryption {
        keyring: &|| Ok(Arc::clone(&keyring)),
        mac: MacCheck::Required,
        document_limit: 1 << 20,
        timeout: Duration::from_mins(1),
    };
    let (mut complaints, mut compared) = (Vec::new(), 0);
    for seed in 0..FILES {
        let mut dice = Dice(seed);
        let plain = format!("kind: X\n{}", dice.file()).replace("---\n", "---\nkind: X\n");
        let rule = dice.pick(RULES);
        let config = format!("creation_rules:\n  - age: {recipient}\n    {rule}\n");
        fs::write(folder.path().join(".sops.yaml"), config).unwrap();
        let Some((decrypted, _)) = sops.compare("yaml", &plain, &keyring) else {
            continue;
        };
        let encrypted = fs::read_to_string(folder.path().join("encrypted.yaml")).unwrap();
        let sources = [Arc::new(Source::new("x", encrypted.as_str()))];
        let text = match wait(inject::decrypt(&sources, &how)) {
            Ok(sources) => sources[0].text().to_owned(),
            Err(errors) => render(&errors, Rendering::PLAIN),
        };
        if text.contains("\nsops:\n") || text.contains("a number that JSON cannot hold") {
            // Kubernetes does not take the document as it is.
            continue;
        }
        let read = |text: &str| {
            let documents = core_yaml::documents(text.as_bytes())?;
            let documents = documents.into_iter().map(without_specials);
            Ok::<_, String>(Tree::List(documents.collect()))
        };
        if read(&encrypted).is_err() {
            // Sops writes an empty map with a comment in it so that others cannot read it.
            continue;
        }
        compared += 1;
        let complaint = match read(&text) {
            Ok(ours) => differences(&read(&decrypted).unwrap(), &ours).join("\n"),
            Err(error) => error,
        };
        if !complaint.is_empty() {
            complaints.push(format!(
                "{seed} {rule}: {complaint}\n{decrypted}\nours:\n{text}"
            ));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert!(compared > FILES / 2, "only {compared} files were compared");
}

#[test]
#[ignore = "needs the real sops, which tests/live/run names"]
fn random_files_of_the_real_sops_read_as_it_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let (recipient, keyring) = key_in(folder.path());
    let sops = Sops {
        program: live::variable("LIVE_SOPS"),
        folder: folder.path(),
    };
    let (mut complaints, mut compared) = (Vec::new(), 0);
    for seed in 0..FILES {
        let mut dice = Dice(seed);
        let plain = dice.file();
        let rule = dice.pick(RULES);
        let only = dice.roll(4) == 0;
        let config = format!(
            "creation_rules:\n  - age: {recipient}\n    mac_only_encrypted: {only}\n    {rule}\n"
        );
        fs::write(folder.path().join(".sops.yaml"), config).unwrap();
        let Some((decrypted, complaint)) = sops.compare("yaml", &plain, &keyring) else {
            continue;
        };
        // The same as JSON, where JSON can hold it.
        let as_json = sops.run(&["decrypt", "--output-type", "json", "encrypted.yaml"]);
        let json = String::from_utf8(as_json.stdout).unwrap();
        let as_json = as_json.status.success();
        let of_json = as_json.then(|| sops.compare("json", &json, &keyring));
        compared += 1;
        let found = [Some((decrypted, complaint)), of_json.flatten()];
        for (text, complaint) in found.into_iter().flatten() {
            if !complaint.is_empty() {
                complaints.push(format!("{seed} {rule} {only}: {complaint}\n{text}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    // In both directions; of the rest sops itself cannot do one.
    assert!(compared >= 500, "only {compared} files were compared");
}
