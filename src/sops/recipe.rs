//! How a file is to be encrypted: for whom, and which of its values.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::document::{self, Format, Layout};
use super::encrypt;
use super::error::Error;
use super::keys::{DataKey, KeyGroup, KeyKind, Keyring, MasterKey};
use super::metadata::{self, Metadata, SELECTORS, VERSION};
use super::sealed::Sealed;
use super::tree::{self, Branch};
use super::{Encrypted, MacCheck};
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::yaml::timestamp::Timestamp;

/// Who can open a file, and which of its values are encrypted.
#[derive(Clone, Default)]
pub struct Recipe {
    pub(super) groups: Vec<Vec<MasterKey>>,
    /// How many groups are needed; 0 is all.
    pub(super) threshold: usize,
    pub(super) rule: Option<(&'static str, String)>,
    pub(super) mac_only_encrypted: bool,
}

/// A text that is no context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an encryption context is written like app:web,stage:prod")]
pub struct InvalidContext;

impl Recipe {
    /// Adds keys with commas between them, by the name that files have for the list of their kind.
    pub fn add(&mut self, list: &str, keys: &str) -> Result<(), Error> {
        let kind = KeyKind::ALL.into_iter().find(|kind| kind.list() == list);
        let kind = kind.ok_or_else(|| Error::Recipe("no such kind of keys".to_owned()))?;
        self.add_keys(kind, keys)
    }

    /// Binds all AWS keys that are bound to nothing yet to a context: pairs of a name and a value with a colon between
    /// them, and commas between the pairs.
    pub fn set_context(&mut self, pairs: &str) -> Result<(), InvalidContext> {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once(':').ok_or(InvalidContext)?;
            let is_pair = !value.contains(':');
            is_pair
                .then(|| (name.to_owned(), value.to_owned()))
                .ok_or(InvalidContext)
        };
        let mut context = pairs.split(',').map(pair).collect::<Result<Vec<_>, _>>()?;
        context.sort();
        let keys = self.groups.iter_mut().flatten();
        for key in keys.filter(|key| key.kind == KeyKind::AwsKms && key.context.is_empty()) {
            key.context.clone_from(&context);
        }
        Ok(())
    }

    /// Takes the keys of another recipe in place of its own, if that one has any.
    #[must_use]
    pub fn with_keys_of(mut self, other: Self) -> Self {
        if !other.groups.is_empty() {
            self.groups = other.groups;
        }
        self
    }

    /// Whether nobody could open what it encrypts.
    pub fn is_for_nobody(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many key groups are needed.
    pub fn set_threshold(&mut self, threshold: usize) {
        self.threshold = threshold;
    }

    /// Lets only encrypted values count for the MAC.
    pub fn set_mac_only_encrypted(&mut self) {
        self.mac_only_encrypted = true;
    }

    /// Adds keys of one kind, with commas between them, to the last group.
    pub(super) fn add_keys(&mut self, kind: KeyKind, texts: &str) -> Result<(), Error> {
        for text in texts.split(',').filter(|text| !text.trim().is_empty()) {
            self.add_key(MasterKey::parse(kind, text)?);
        }
        Ok(())
    }

    /// Adds a key to the last group, if it is not in it.
    pub(super) fn add_key(&mut self, key: MasterKey) {
        if self.groups.is_empty() {
            self.groups.push(Vec::new());
        }
        let group = self.groups.last_mut().expect("there is a group");
        if !group.contains(&key) {
            group.push(key);
        }
    }

    /// Lets all AWS keys be used by a profile.
    pub fn set_aws_profile(&mut self, profile: &str) {
        let keys = self.groups.iter_mut().flatten();
        for key in keys.filter(|key| key.kind == KeyKind::AwsKms) {
            profile.clone_into(&mut key.fields[2]);
        }
    }

    /// The rule for values, by its name and value. A file has one at most.
    pub fn set_rule(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let name = SELECTORS.into_iter().find(|known| *known == name);
        let name = name.ok_or_else(|| Error::Recipe("no such rule".to_owned()))?;
        let rule = (name, value.to_owned());
        if self
            .rule
            .replace(rule.clone())
            .is_some_and(|old| old != rule)
        {
            return Err(Error::Recipe(format!(
                "cannot use more than one of {} in the same file",
                SELECTORS.join(", ")
            )));
        }
        Ok(())
    }

    /// Encrypts a text, and gives the encrypted one in the same or another format.
    ///
    /// # Errors
    /// The text is no document of its format or encrypted already; there are no keys; a rule or key is not valid.
    pub async fn encrypt(
        &self,
        bytes: &[u8],
        (input, output): (Format, Format),
        layout: Layout,
        keyring: &Keyring,
        deadline: Instant,
    ) -> Result<Vec<u8>, Error> {
        let documents = document::read_plain(bytes, input)?;
        let mut recipe = self.clone();
        if input == Format::Binary {
            // It has one value, which is encrypted.
            (recipe.rule, recipe.mac_only_encrypted) = (None, false);
        } else if recipe.rule.is_none() {
            let (name, value) = metadata::DEFAULT_RULE;
            recipe.rule = Some((name, value.to_owned()));
        }
        let key = DataKey::generate();
        let now = now();
        let groups = keyring.wrap(&key, recipe.wanted(), &now, deadline).await?;
        let documents = recipe.seal(documents, (&key, groups), output, now)?;
        let documents: Vec<&Branch> = documents.iter().collect();
        // The encrypted form of any bytes is JSON.
        let written = match output {
            Format::Binary => Format::Json,
            other => other,
        };
        let text = document::write(&documents, written, layout)?.to_vec();
        if input == output && matches!(output, Format::Ini | Format::Dotenv) {
            check_reads_back(&text, &documents, &key, output)?;
        }
        Ok(text)
    }

    /// The documents encrypted, with their block for a file of that format.
    fn seal(
        self,
        documents: Vec<Branch>,
        (key, groups): (&DataKey, Vec<KeyGroup>),
        format: Format,
        now: String,
    ) -> Result<Vec<Branch>, Error> {
        let selector = metadata::selector(self.rule.as_ref()).map_err(Error::Recipe)?;
        let rule = (&selector, self.mac_only_encrypted);
        let (mut documents, mac) =
            encrypt::documents(documents, rule, key, &mut Sealed::new(), &now)?;
        let metadata = Metadata {
            groups,
            threshold: self.needed(),
            selector,
            rule: self.rule,
            mac_only_encrypted: self.mac_only_encrypted,
            mac,
            last_modified: Text::from(now),
            version: VERSION.to_owned(),
        };
        document::put_block(&mut documents, &metadata.block(), format);
        Ok(documents)
    }
}

/// The time as files say it.
pub(super) fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let text = Timestamp::from_unix(now.unwrap_or_default().as_secs()).to_text();
    String::from_utf8_lossy(text.expose()).into_owned()
}

/// INI files and dotenv files have no escapes for all that their readers let pass in a key, and no order for sections of one
/// name. What would be something else when it is read again could never be decrypted.
fn check_reads_back(
    text: &[u8],
    documents: &[&Branch],
    key: &DataKey,
    format: Format,
) -> Result<(), Error> {
    let own = |branch: &Branch| {
        let mut map = tree::into_map(tree::copy_all(branch));
        map.retain(|(key, _)| !key.starts_with("sops"));
        map
    };
    let text = std::str::from_utf8(text).unwrap_or_default();
    let read = document::read(text, format)?;
    let is_same = (read.iter().map(own)).eq(documents.iter().map(|branch| own(branch)));
    let opened = Encrypted::parse(text, format)?.decrypt(key, MacCheck::Required);
    if is_same && opened.is_ok() {
        return Ok(());
    }
    let reason = "what it says cannot be written so that it is read as the same: take quotes out of keys, and join sections of one name";
    Err(Error::structure(Span::at(0), reason))
}
