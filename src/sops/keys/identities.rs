//! The age identities at hand, from everywhere SOPS looks for them: all are used, none overrides another.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use age::x25519::Identity;
use zeroize::Zeroizing;

use crate::diagnostics::io_reason;
use crate::env::Options;
use crate::secret::Text;

/// Key files are small; a larger one is a mistake.
const MAX_FILE: u64 = 16 << 20;

/// Variables by which SOPS finds keys that this version does not use.
const UNUSED: [&str; 3] = [
    "SOPS_AGE_KEY_CMD",
    "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
    "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
];

/// Where identities are to be looked for.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Keys themselves, as `SOPS_AGE_KEY` holds them.
    keys: Option<Text>,
    /// A key file that was named.
    file: Option<PathBuf>,
    /// The user's own key file, which need not exist.
    default_file: Option<PathBuf>,
    /// Variables that are set and not used.
    unused: Vec<&'static str>,
}

impl Sources {
    /// The places that the settings and the user's folders say.
    pub(super) fn new(options: &Options) -> Self {
        let is_set = |name: &&str| options.text(name).is_some();
        Self {
            keys: options.text("SOPS_AGE_KEY").map(Into::into),
            file: options.path("SOPS_AGE_KEY_FILE"),
            default_file: default_file(options),
            unused: UNUSED.into_iter().filter(is_set).collect(),
        }
    }
}

/// The user's key file as SOPS places it.
fn default_file(options: &Options) -> Option<PathBuf> {
    let folder = |name| {
        let path = options.text(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let user = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".config"
    };
    let config = if cfg!(windows) {
        folder("APPDATA")
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(user)))
    };
    config.map(|config| config.join("sops/age/keys.txt"))
}

/// Identities, and what became of each place.
#[derive(Default)]
pub(super) struct Identities {
    identities: Vec<Identity>,
    places: Vec<String>,
}

impl Identities {
    /// Reads all places. One that cannot be read is no error: another may hold the key that fits. What happened is
    /// kept for the message that none does.
    pub(super) fn load(sources: &Sources) -> Self {
        let mut all = Self::default();
        match &sources.keys {
            None => all.places.push("SOPS_AGE_KEY (not set)".to_owned()),
            Some(keys) => {
                let text = keys.expose_str().unwrap_or_default();
                all.add("SOPS_AGE_KEY", text.split_whitespace());
            }
        }
        match &sources.file {
            None => all.places.push("SOPS_AGE_KEY_FILE (not set)".to_owned()),
            Some(file) => all.add_file(file),
        }
        match &sources.default_file {
            None => {
                let place = "the user's key file (HOME is not set)";
                all.places.push(place.to_owned());
            }
            Some(file) => all.add_file(file),
        }
        for name in &sources.unused {
            all.places
                .push(format!("{name} (not used by this version)"));
        }
        all
    }

    /// Each identity.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.identities.iter()
    }

    /// Each place and what was found there, never what it holds.
    pub(super) fn places(&self) -> &[String] {
        &self.places
    }

    fn add_file(&mut self, path: &Path) {
        let place = place(path);
        match read(path) {
            Ok(text) if is_age_file(&text) => self.note(
                &place,
                "protected by a passphrase, which this version cannot ask for",
            ),
            Ok(text) => {
                let lines = text.lines().map(str::trim);
                self.add(
                    &place,
                    lines.filter(|line| !line.is_empty() && !line.starts_with('#')),
                );
            }
            Err(error) => self.note(&place, &io_reason(&error)),
        }
    }

    /// Adds the identities of a place: all of them, or none where one is broken, as in SOPS.
    fn add<'t>(&mut self, place: &str, texts: impl Iterator<Item = &'t str>) {
        let (mut found, mut unused) = (Vec::new(), 0);
        for (index, text) in texts.enumerate() {
            if is_later_kind(text) {
                unused += 1;
                continue;
            }
            match text.parse() {
                Ok(identity) => found.push(identity),
                Err(_) => {
                    return self.note(place, &format!("entry {} is no age identity", index + 1));
                }
            }
        }
        let mut outcome = match found.len() {
            1 => "1 identity".to_owned(),
            count => format!("{count} identities"),
        };
        if unused > 0 {
            let _ = write!(
                outcome,
                ", {unused} of kinds that this version does not use"
            );
        }
        self.note(place, &outcome);
        self.identities.append(&mut found);
    }

    fn note(&mut self, place: &str, outcome: &str) {
        self.places.push(format!("{place} ({outcome})"));
    }
}

/// What messages call a file: its path, unless that is the key itself, set where its file belongs.
fn place(path: &Path) -> String {
    let place = path.display().to_string();
    if place.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
        return "a file that is called like a key".to_owned();
    }
    place
}

/// Identities of plugins, and post-quantum ones.
fn is_later_kind(text: &str) -> bool {
    text.starts_with("AGE-PLUGIN-") || text.starts_with("AGE-SECRET-KEY-PQ-1")
}

fn is_age_file(text: &str) -> bool {
    text.starts_with("age-encryption") || text.starts_with("-----BEGIN AGE")
}

/// A key file, read from the disk as the operator named it.
fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other("too large for a key file"));
    }
    Ok(text)
}
