//! The `sops` block: who can open the file, which values are encrypted, and the MAC.
//!
//! It is read as leniently as SOPS reads it: unknown fields are passed over, numbers serve as texts, a single mapping
//! serves as a list, names match in any letter case. Nothing in it is secret.

mod write;

use super::error::Error;
use super::keys::{KeyGroup, KeyKind, MasterKey, Wrapped};
use super::selector::Selector;
use super::tree::{Branch, Element, Item, Kind, Leaf, Node};
use crate::secret::Text;
use crate::yaml::timestamp::Timestamp;

/// More master keys than anybody needs; each is tried with each key at hand.
const MAX_MASTER_KEYS: usize = 10_000;

/// The version of SOPS whose layout and rules new files follow.
pub(super) const VERSION: &str = "3.13.2";

/// What a file is encrypted by that names no selector.
pub(super) const DEFAULT_RULE: (&str, &str) = ("unencrypted_suffix", "_unencrypted");

pub(super) const SELECTORS: [&str; 6] = [
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
];

/// The `sops` block as types.
pub(super) struct Metadata {
    pub(super) groups: Vec<KeyGroup>,
    /// How many groups must be opened, if there are several. 0 is all.
    pub(super) threshold: usize,
    pub(super) selector: Selector,
    /// The selector as it is written; `None` for a binary file, which has none.
    pub(super) rule: Option<(&'static str, String)>,
    pub(super) mac_only_encrypted: bool,
    /// The encrypted MAC; empty when there is none.
    pub(super) mac: Text,
    /// What the MAC is bound to: the time of the last change.
    pub(super) last_modified: Text,
    /// The version of SOPS that the file was made by, or whose rules it follows; empty in old files.
    pub(super) version: String,
}

impl Metadata {
    pub(super) fn parse(block: &Node) -> Result<Self, Error> {
        let Kind::Map(branch) = &block.kind else {
            return Err(Error::structure(
                block.span,
                "the sops block is not a mapping",
            ));
        };
        let block = Fields(branch);
        let rule = rule(block)?;
        let selector = selector(rule.as_ref()).map_err(Error::Metadata)?;
        let metadata = Self {
            groups: groups(block)?,
            threshold: threshold(block)?,
            selector,
            rule,
            mac_only_encrypted: flag(block, "mac_only_encrypted")?,
            mac: block.text("mac")?.unwrap_or_else(|| Text::from("")),
            last_modified: last_modified(block)?,
            version: block.word("version").unwrap_or_default(),
        };
        let count = metadata.groups.iter().map(|group| group.keys.len()).sum();
        match count {
            0 => Err(Error::Metadata("No keys found in file".to_owned())),
            1..=MAX_MASTER_KEYS => Ok(metadata),
            _ => Err(Error::Metadata(format!(
                "it names {count} master keys, more than {MAX_MASTER_KEYS}"
            ))),
        }
    }
}

/// Whether a block says what every file has that SOPS wrote.
pub(super) fn is_complete(block: &Node) -> bool {
    let Kind::Map(branch) = &block.kind else {
        return false;
    };
    let has = |name| Fields(branch).word(name).is_ok_and(|text| !text.is_empty());
    has("mac") && has("version")
}

/// The entries of a mapping, by name.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a Branch);

impl<'a> Fields<'a> {
    /// A field by its exact name, else by its name in any letter case. A null is as good as none.
    fn get(self, name: &str) -> Option<&'a Node> {
        let entries = self.0.iter().filter_map(|item| match item {
            Item::Entry(key, node) => Some((key.as_str(), node)),
            Item::Comment(_) => None,
        });
        let exact = entries.clone().find(|(key, _)| *key == name);
        let found = exact.or_else(|| {
            let mut entries = entries;
            entries.find(|(key, _)| key.eq_ignore_ascii_case(name))
        });
        found
            .map(|(_, node)| node)
            .filter(|node| !matches!(node.kind, Kind::Null))
    }

    fn text(self, name: &str) -> Result<Option<Text>, Error> {
        match self.get(name).map(|node| &node.kind) {
            None => Ok(None),
            Some(Kind::Leaf(leaf)) => Ok(Some(leaf.text())),
            Some(_) => Err(Error::Metadata(format!("{name} is not a text"))),
        }
    }

    /// A text that may be shown.
    fn word(self, name: &str) -> Result<String, Error> {
        let text = self.text(name)?;
        let text = text.as_ref().and_then(Text::expose_str);
        Ok(text.unwrap_or_default().to_owned())
    }

    /// The texts of a mapping that may be shown, sorted by name.
    fn words(self, name: &str) -> Result<Vec<(String, String)>, Error> {
        let Some(Kind::Map(branch)) = self.get(name).map(|node| &node.kind) else {
            return Ok(Vec::new());
        };
        let mut words = Vec::new();
        for item in branch {
            if let Item::Entry(key, _) = item {
                words.push((key.clone(), Fields(branch).word(key)?));
            }
        }
        words.sort();
        Ok(words)
    }

    /// The mappings of a list; a single mapping is a list of one.
    fn list(self, name: &str) -> Result<Vec<Fields<'a>>, Error> {
        let wrong = || Error::Metadata(format!("{name} is not a list of mappings"));
        match self.get(name).map(|node| &node.kind) {
            None => Ok(Vec::new()),
            Some(Kind::Map(branch)) => Ok(vec![Fields(branch)]),
            Some(Kind::List(elements)) => elements
                .iter()
                .filter_map(|element| match element {
                    Element::Value(node) => Some(node),
                    Element::Comment(_) => None,
                })
                .map(|node| match &node.kind {
                    Kind::Map(branch) => Ok(Fields(branch)),
                    _ => Err(wrong()),
                })
                .collect(),
            Some(Kind::Leaf(_) | Kind::Null) => Err(wrong()),
        }
    }
}

/// The groups of the block: its own lists, or `key_groups` where those are all empty.
fn groups(block: Fields<'_>) -> Result<Vec<KeyGroup>, Error> {
    let own = group(block)?;
    if !own.keys.is_empty() {
        return Ok(vec![own]);
    }
    block.list("key_groups")?.into_iter().map(group).collect()
}

fn group(fields: Fields<'_>) -> Result<KeyGroup, Error> {
    let mut keys = Vec::new();
    for kind in KeyKind::ALL {
        for entry in fields.list(kind.list())? {
            let field = |name: &&str| Ok(entry.word(name)?.trim().to_owned());
            let key = MasterKey {
                kind,
                fields: kind
                    .fields()
                    .iter()
                    .map(field)
                    .collect::<Result<_, Error>>()?,
                context: entry.words("context")?,
            };
            keys.push(Wrapped {
                key,
                enc: entry.word("enc")?,
                created_at: entry.word("created_at")?,
            });
        }
    }
    Ok(KeyGroup { keys })
}

fn threshold(block: Fields<'_>) -> Result<usize, Error> {
    let wrong = || Error::Metadata("shamir_threshold is not a small number".to_owned());
    let number = match block.get("shamir_threshold").map(|node| &node.kind) {
        None => return Ok(0),
        Some(Kind::Leaf(leaf)) => leaf.text(),
        Some(_) => return Err(wrong()),
    };
    // Old flat files hold it as the text of a float.
    let number = number.expose_str().and_then(|text| text.parse().ok());
    let number: f64 = number.ok_or_else(wrong)?;
    (0..=255_u8)
        .find(|candidate| (f64::from(*candidate) - number).abs() < f64::EPSILON)
        .map(usize::from)
        .ok_or_else(wrong)
}

fn flag(block: Fields<'_>, name: &str) -> Result<bool, Error> {
    let wrong = || Error::Metadata(format!("{name} is neither true nor false"));
    match block.get(name).map(|node| &node.kind) {
        None => Ok(false),
        Some(Kind::Leaf(Leaf::Bool(truth))) => Ok(*truth),
        Some(Kind::Leaf(leaf)) => match leaf.text().expose_str() {
            Some("true" | "True" | "TRUE" | "t" | "T" | "1") => Ok(true),
            Some("" | "false" | "False" | "FALSE" | "f" | "F" | "0") => Ok(false),
            _ => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

/// The name and value of the one selector, if the block has any.
fn rule(block: Fields<'_>) -> Result<Option<(&'static str, String)>, Error> {
    let mut found = None;
    for name in SELECTORS {
        let value = block.word(name)?;
        if value.is_empty() {
            continue;
        }
        if found.replace((name, value)).is_some() {
            return Err(Error::Metadata(format!(
                "cannot use more than one of {} in the same file",
                SELECTORS.join(", ")
            )));
        }
    }
    Ok(found)
}

/// The selector of a rule; without one keys that end in `_unencrypted` stay plain. The reason why there is none is in
/// words.
pub(super) fn selector(rule: Option<&(&'static str, String)>) -> Result<Selector, String> {
    let (name, value) = rule.map_or(DEFAULT_RULE, |(name, value)| (*name, value.as_str()));
    Selector::parse(name, value).map_err(|_| format!("{name} is not a valid regular expression"))
}

/// The time in the spelling that the MAC is bound to.
fn last_modified(block: Fields<'_>) -> Result<Text, Error> {
    let wrong = || Error::Metadata("lastmodified is missing, or no time in RFC 3339".to_owned());
    let time = match block.get("lastmodified").map(|node| &node.kind) {
        Some(Kind::Leaf(Leaf::Time(time))) => Some(*time),
        Some(Kind::Leaf(Leaf::String(text))) => text.expose_str().and_then(Timestamp::from_rfc3339),
        _ => None,
    };
    time.map(|time| time.whole_seconds().to_text())
        .ok_or_else(wrong)
}
