//! Workloads with files that SOPS encrypted, beside sops itself and KSOPS. The files are ours, which sops opens.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use manifuse::sops::{Format, Layout, Recipe};

use crate::measure::{Program, Sample};
use crate::report::Row;
use crate::support::sops_keys::{deadline, keyring, wait};

/// A key that protects nothing but these files.
const KEY: &str = include_str!("../../tests/golden/stream/test.agekey");

/// Keys in GnuPG's folder: one of today's kind, and RSA with 2048 bits.
const CURVE: &str = "AA98F08DF734FDB766346A874966ECC495F08345";
const RSA: &str = "5CB371F02CCF934EDD7AE1EA58F7410D1937D6EF";

/// The keys of a Secret whose values are encrypted.
const SECRET: &str = "^stringData$";

/// The cases by name.
pub(crate) const NAMES: [&str; 6] = [
    "W6",
    "sops-yaml",
    "sops-binary",
    "W6-pgp",
    "sops-pgp",
    "sops-rsa",
];

/// One thing to do, by several programs.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    runs: Vec<(Program, Vec<String>)>,
    keys: Keys,
}

/// Where the keys of these files lie.
#[derive(Clone)]
struct Keys {
    age: String,
    gnupg: String,
}

impl Case {
    /// A row a program, ours first.
    pub(crate) fn rows(&self, rounds: usize) -> Result<Vec<Row>, Box<dyn Error>> {
        let variables = [
            ("SOPS_AGE_KEY_FILE", self.keys.age.as_str()),
            ("GNUPGHOME", self.keys.gnupg.as_str()),
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
/// values, and 20 MB of bytes, for an age key; 100 Secrets in one stream and a single one for an OpenPGP key, and one for RSA.
pub(crate) fn all(
    folder: &Path,
    [sops, ksops]: [Option<PathBuf>; 2],
) -> Result<Vec<Case>, Box<dyn Error>> {
    let keys = keys(folder)?;
    let case = |name, ours: &[&str]| {
        let program = Program::new("manifuse", env!("CARGO_BIN_EXE_manifuse"));
        let words = ours.iter().map(|word| (*word).to_owned()).collect();
        Case {
            name,
            runs: vec![(program, words)],
            keys: keys.clone(),
        }
    };
    let decrypt = |name, file: &str| {
        let mut case = case(name, &["sops", "decrypt", file]);
        if let Some(sops) = &sops {
            let words = ["decrypt", file].map(str::to_owned).to_vec();
            case.runs.push((Program::new("sops", sops), words));
        }
        case
    };
    let stream = |name, secrets: &Secrets| {
        let mut case = case(name, &["generate", &secrets.stream]);
        if let Some(sops) = &sops {
            let each = format!(
                "for file in {}/*.yaml; do {} decrypt \"$file\"; done",
                secrets.files,
                sops.display()
            );
            let shell = Program::new("sops, a file each", "/bin/sh");
            case.runs.push((shell, vec!["-ec".to_owned(), each]));
        }
        case
    };
    let age = recipe("age", age()?, SECRET)?;
    let secrets = secrets(&folder.join("age"), 1_000, &age, &keys)?;
    let mut many = stream(NAMES[0], &secrets);
    if let Some(ksops) = ksops {
        let program = Program::new("KSOPS, one call", ksops);
        many.runs.push((program, vec![secrets.generator]));
    }
    let all = recipe("age", self::age()?, ".")?;
    let write = |name, format, plain: &[u8]| -> Result<String, Box<dyn Error>> {
        let path = folder.join(name);
        std::fs::write(&path, encrypt(format, plain, &all, &keys)?)?;
        Ok(path.display().to_string())
    };
    let yaml = write("large.yaml", Format::Yaml, &values())?;
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let binary = write("large.bin", Format::Binary, &bytes)?;
    let curve = recipe("pgp", CURVE, SECRET)?;
    let secrets = self::secrets(&folder.join("pgp"), 100, &curve, &keys)?;
    let rsa = self::secrets(&folder.join("rsa"), 1, &recipe("pgp", RSA, SECRET)?, &keys)?;
    Ok(vec![
        many,
        decrypt(NAMES[1], &yaml),
        decrypt(NAMES[2], &binary),
        stream(NAMES[3], &secrets),
        decrypt(NAMES[4], &format!("{}/s0000.yaml", secrets.files)),
        decrypt(NAMES[5], &format!("{}/s0000.yaml", rsa.files)),
    ])
}

/// The key for age, and a folder of GnuPG that its agent may use.
fn keys(folder: &Path) -> Result<Keys, Box<dyn Error>> {
    let age = folder.join("age.agekey");
    std::fs::write(&age, KEY)?;
    let gnupg = folder.join("gnupg");
    let private = "private-keys-v1.d";
    std::fs::create_dir_all(gnupg.join(private))?;
    std::fs::set_permissions(&gnupg, Permissions::from_mode(0o700))?;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gnupg/home");
    std::fs::copy(from.join("pubring.kbx"), gnupg.join("pubring.kbx"))?;
    for key in std::fs::read_dir(from.join(private))? {
        let key = key?;
        std::fs::copy(key.path(), gnupg.join(private).join(key.file_name()))?;
    }
    Ok(Keys {
        age: age.display().to_string(),
        gnupg: gnupg.display().to_string(),
    })
}

struct Secrets {
    stream: String,
    files: String,
    /// What KSOPS is given.
    generator: String,
}

fn secrets(
    folder: &Path,
    count: usize,
    recipe: &Recipe,
    keys: &Keys,
) -> Result<Secrets, Box<dyn Error>> {
    let files = folder.join("secrets");
    std::fs::create_dir_all(&files)?;
    let (mut stream, mut list) = (String::new(), String::new());
    for number in 0..count {
        let plain = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s{number}\nstringData:\n  user: app{number}\n  password: word-{number}\n"
        );
        let text = encrypt(Format::Yaml, plain.as_bytes(), recipe, keys)?;
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

/// The recipient of the test key.
fn age() -> Result<&'static str, Box<dyn Error>> {
    let mut lines = KEY.lines();
    let public = lines.find_map(|line| line.split("public key: ").nth(1));
    Ok(public.ok_or("no recipient")?)
}

fn recipe(list: &str, key: &str, rule: &str) -> Result<Recipe, Box<dyn Error>> {
    let mut recipe = Recipe::default();
    recipe.add(list, key)?;
    recipe.set_rule("encrypted_regex", rule)?;
    Ok(recipe)
}

fn encrypt(
    format: Format,
    plain: &[u8],
    recipe: &Recipe,
    keys: &Keys,
) -> Result<String, Box<dyn Error>> {
    let keys = keyring([("GNUPGHOME", keys.gnupg.as_str())]);
    let layout = Layout::default();
    let text = wait(recipe.encrypt(plain, (format, format), layout, &keys, deadline()))?;
    Ok(String::from_utf8(text)?)
}
