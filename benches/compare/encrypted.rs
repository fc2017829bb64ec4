//! Workloads with files that SOPS encrypted, beside sops itself and KSOPS. The files are ours, which sops opens.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use manifuse::sops::{Format, Layout, Recipe};

use crate::measure::{Program, Sample};
use crate::report::Row;
use crate::support::sops_keys::{deadline, keyring, wait};

/// A key that protects nothing but these files.
const KEY: &str = include_str!("../../tests/golden/stream/test.agekey");

/// The cases by name.
pub(crate) const NAMES: [&str; 3] = ["W6", "sops-yaml", "sops-binary"];

/// One thing to do, by several programs.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    runs: Vec<(Program, Vec<String>)>,
    key_file: String,
}

impl Case {
    /// A row a program, ours first.
    pub(crate) fn rows(&self, rounds: usize) -> Result<Vec<Row>, Box<dyn Error>> {
        let variables = [
            ("SOPS_AGE_KEY_FILE", self.key_file.as_str()),
            ("SOPS_DISABLE_VERSION_CHECK", "1"),
            ("PATH", "/usr/bin:/bin"),
        ];
        let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); self.runs.len()];
        for _ in 0..rounds {
            for ((program, arguments), samples) in self.runs.iter().zip(&mut samples) {
                samples.push(program.once(arguments, &variables)?);
            }
        }
        let all = self.runs.iter().zip(&samples);
        let row = |((program, _), own): (&(Program, _), &Vec<Sample>)| {
            Row::new(self.name, program.name, own, &samples[0])
        };
        Ok(all.map(row).collect())
    }
}

/// All cases: 1,000 Secrets with data keys of their own in one stream (the peers get a file each), a file with 45,000
/// values, and 20 MB of bytes.
pub(crate) fn all(
    folder: &Path,
    [sops, ksops]: [Option<PathBuf>; 2],
) -> Result<Vec<Case>, Box<dyn Error>> {
    let key_file = folder.join("age.agekey");
    std::fs::write(&key_file, KEY)?;
    let key_file = key_file.display().to_string();
    let case = |name, ours: &[&str], theirs: Option<&[&str]>| {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut runs = vec![(
            Program::new("manifuse", env!("CARGO_BIN_EXE_manifuse")),
            owned(ours),
        )];
        if let (Some(sops), Some(words)) = (&sops, theirs) {
            runs.push((Program::new("sops", sops), owned(words)));
        }
        let key_file = key_file.clone();
        Case {
            name,
            runs,
            key_file,
        }
    };
    let secrets = secrets(folder)?;
    let mut stream = case(NAMES[0], &["generate", &secrets.stream], None);
    if let Some(sops) = &sops {
        let each = format!(
            "for file in {}/*.yaml; do {} decrypt \"$file\"; done",
            secrets.files,
            sops.display()
        );
        let shell = Program::new("sops, a file each", "/bin/sh");
        stream.runs.push((shell, vec!["-ec".to_owned(), each]));
    }
    if let Some(ksops) = ksops {
        let program = Program::new("KSOPS, one call", ksops);
        stream.runs.push((program, vec![secrets.generator]));
    }
    let yaml = file(folder, "large.yaml", Format::Yaml, &values())?;
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let binary = file(folder, "large.bin", Format::Binary, &bytes)?;
    Ok(vec![
        stream,
        case(
            NAMES[1],
            &["sops", "decrypt", &yaml],
            Some(&["decrypt", &yaml]),
        ),
        case(
            NAMES[2],
            &["sops", "decrypt", &binary],
            Some(&["decrypt", &binary]),
        ),
    ])
}

struct Secrets {
    stream: String,
    files: String,
    /// What KSOPS is given.
    generator: String,
}

fn secrets(folder: &Path) -> Result<Secrets, Box<dyn Error>> {
    let files = folder.join("secrets");
    std::fs::create_dir(&files)?;
    let (mut stream, mut list) = (String::new(), String::new());
    for number in 0..1_000 {
        let plain = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s{number}\nstringData:\n  user: app{number}\n  password: word-{number}\n"
        );
        let text = encrypt(Format::Yaml, plain.as_bytes(), "^stringData$")?;
        let name = format!("s{number:04}.yaml");
        std::fs::write(files.join(&name), &text)?;
        let _ = write!(stream, "---\n{text}");
        let _ = writeln!(list, "  - secrets/{name}");
    }
    let path = folder.join("encrypted.yaml");
    std::fs::write(&path, stream)?;
    let generator = folder.join("generator.yaml");
    let head = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: all\nfiles:\n";
    let list = list.replace("secrets/", &format!("{}/", files.display()));
    std::fs::write(&generator, format!("{head}{list}"))?;
    Ok(Secrets {
        stream: path.display().to_string(),
        files: files.display().to_string(),
        generator: generator.display().to_string(),
    })
}

/// A file with 45,000 values, 5 MB once it is encrypted.
fn values() -> Vec<u8> {
    let mut text = String::new();
    for number in 0..15_000 {
        let _ = write!(
            text,
            "k{number}:\n  a: v{number}\n  b: {number}\n  c: true\n"
        );
    }
    text.into_bytes()
}

fn file(folder: &Path, name: &str, format: Format, plain: &[u8]) -> Result<String, Box<dyn Error>> {
    let path = folder.join(name);
    std::fs::write(&path, encrypt(format, plain, ".")?)?;
    Ok(path.display().to_string())
}

/// Encrypts the values of the keys that the rule names.
fn encrypt(format: Format, plain: &[u8], rule: &str) -> Result<String, Box<dyn Error>> {
    let public = KEY
        .lines()
        .find_map(|line| line.split("public key: ").nth(1));
    let mut recipe = Recipe::default();
    recipe.add("age", public.ok_or("no recipient")?)?;
    recipe.set_rule("encrypted_regex", rule)?;
    let keys = keyring::<String, String>([]);
    let layout = Layout::default();
    let text = wait(recipe.encrypt(plain, (format, format), layout, &keys, deadline()))?;
    Ok(String::from_utf8(text)?)
}
