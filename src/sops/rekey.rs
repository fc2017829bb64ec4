//! Who can open a file, changed: the file's own data key wrapped for other master keys, or a new one for all.

use std::fmt::Write as _;

use tokio::time::Instant;

use super::document::{self, Layout};
use super::error::Error;
use super::keys::{DataKey, KeyGroup, KeyKind, Keyring, MasterKey, Wrapped};
use super::metadata::Metadata;
use super::recipe::{self, Recipe};
use super::rewrite::rewritten;
use super::sealed::Sealed;
use super::{Encrypted, Revision};

impl Encrypted<'_> {
    /// Who can open the file.
    pub fn recipe(&self) -> Recipe {
        self.metadata.recipe()
    }

    /// The file with its data key wrapped for others. Values, MAC and time stay; of one group that becomes another, so do
    /// the keys that are in both.
    ///
    /// # Errors
    /// The data key cannot be wrapped for one of the keys.
    pub async fn rewrap(
        mut self,
        key: &DataKey,
        recipe: &Recipe,
        keyring: &Keyring,
        deadline: Instant,
        layout: Layout,
    ) -> Result<Vec<u8>, Error> {
        self.metadata.threshold = recipe.needed();
        self.metadata.groups =
            rewrapped(&self.metadata.groups, recipe, key, keyring, deadline).await?;
        let block = self.metadata.block();
        let old = document::read(self.text, self.format)?;
        for (document, old) in self.documents.iter_mut().zip(&old) {
            document::restore_block(old, document, Some(&block), self.format);
        }
        rewritten(self.text, &old, &self.documents, self.format, layout)
    }
}

/// Groups for the keys of a recipe. Keys of the only group that it has already stay wrapped as they are: they need not be
/// at hand.
async fn rewrapped(
    old: &[KeyGroup],
    recipe: &Recipe,
    key: &DataKey,
    keyring: &Keyring,
    deadline: Instant,
) -> Result<Vec<KeyGroup>, Error> {
    let now = recipe::now();
    let ([old], [new]) = (old, &recipe.groups[..]) else {
        return keyring.wrap(key, recipe.wanted(), &now, deadline).await;
    };
    let kept = |key: &MasterKey| {
        let mut old = old.keys.iter();
        old.find(|old| old.key.is(key) && !old.enc.is_empty())
    };
    let missing = new.iter().filter(|key| kept(key).is_none());
    let missing: Vec<MasterKey> = missing.cloned().collect();
    let mut keys: Vec<Wrapped> = new.iter().filter_map(kept).cloned().collect();
    if !missing.is_empty() || new.is_empty() {
        let made = keyring.wrap(key, (&[missing], 0), &now, deadline).await?;
        keys.extend(made.into_iter().flat_map(|group| group.keys));
    }
    Ok(vec![KeyGroup { keys }])
}

impl Revision<'_> {
    /// Who can open the file.
    pub fn recipe(&self) -> Recipe {
        self.metadata.recipe()
    }

    /// Has everything encrypted anew with a new data key, wrapped for the keys of a recipe.
    ///
    /// # Errors
    /// The data key cannot be wrapped for one of the keys.
    pub async fn rotate(
        &mut self,
        recipe: &Recipe,
        keyring: &Keyring,
        deadline: Instant,
    ) -> Result<(), Error> {
        self.key = DataKey::generate();
        self.sealed = Sealed::new();
        let now = recipe::now();
        let groups = keyring.wrap(&self.key, recipe.wanted(), &now, deadline);
        self.metadata.groups = groups.await?;
        self.metadata.threshold = recipe.needed();
        self.has_new_keys = true;
        Ok(())
    }
}

impl Revision<'_> {
    /// Wraps the data key for those keys of the block that have no wrapped one beside them, as where a user wrote them
    /// into it.
    ///
    /// # Errors
    /// The data key cannot be wrapped for one of the keys.
    pub async fn complete_keys(
        &mut self,
        keyring: &Keyring,
        deadline: Instant,
    ) -> Result<(), Error> {
        let mut keys = self.metadata.groups.iter().flat_map(|group| &group.keys);
        if keys.all(|key| !key.enc.is_empty()) {
            return Ok(());
        }
        let recipe = self.recipe();
        self.metadata.groups =
            rewrapped(&self.metadata.groups, &recipe, &self.key, keyring, deadline).await?;
        self.metadata.threshold = recipe.needed();
        Ok(())
    }
}

impl Metadata {
    fn recipe(&self) -> Recipe {
        let keys = |group: &KeyGroup| group.keys.iter().map(|key| key.key.clone()).collect();
        Recipe {
            groups: self.groups.iter().map(keys).collect(),
            threshold: self.threshold,
            ..Recipe::default()
        }
    }
}

impl Recipe {
    /// How many key groups are needed: several are all needed unless something else is said.
    pub(super) fn needed(&self) -> usize {
        match (self.groups.len(), self.threshold) {
            (count @ 2.., 0) => count,
            (_, threshold) => threshold,
        }
    }

    /// What data keys are wrapped for.
    pub(super) fn wanted(&self) -> (&[Vec<MasterKey>], usize) {
        (&self.groups, self.threshold)
    }

    /// How many key groups are needed, as it is written.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// How many key groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Adds the keys of another recipe as a group.
    pub fn add_group(&mut self, keys: &Self) {
        self.groups.push(keys.groups.concat());
    }

    /// Takes away a group; says whether there is one of that number.
    pub fn remove_group(&mut self, index: usize) -> bool {
        let exists = index < self.groups.len();
        if exists {
            self.groups.remove(index);
        }
        exists
    }

    /// Adds the keys of another recipe to the first group.
    pub fn add_to_first(&mut self, keys: &Self) {
        if let Some(first) = self.groups.first_mut() {
            for key in keys.groups.concat() {
                if !first.iter().any(|known| known.is(&key)) {
                    first.push(key);
                }
            }
        }
    }

    /// Takes away the keys of another recipe, wherever they are.
    pub fn remove(&mut self, keys: &Self) {
        for group in &mut self.groups {
            group.retain(|known| !keys.groups.iter().flatten().any(|key| known.is(key)));
        }
    }

    /// What there would be of another recipe's keys and threshold instead of these, as sops tells it; `None` where
    /// nothing would change.
    pub fn changes_to(&self, other: &Self) -> Option<String> {
        let mut text = String::new();
        let mut changes = self.needed() != other.needed();
        match (self.needed(), other.needed()) {
            (0, 0) => {}
            (old, new) if old == new => _ = writeln!(text, "shamir_threshold: {new}"),
            (old, new) => {
                for (sign, number) in [("+++", new), ("---", old)]
                    .into_iter()
                    .filter(|(_, number)| *number > 0)
                {
                    let _ = writeln!(text, "{sign} shamir_threshold: {number}");
                }
            }
        }
        let none = Vec::new();
        for index in 0..self.groups.len().max(other.groups.len()) {
            let [old, new] = [self, other].map(|recipe| recipe.groups.get(index).unwrap_or(&none));
            let is_in = |group: &[MasterKey], key: &MasterKey| {
                group.iter().any(|known| known.is(key) || key.is(known))
            };
            let _ = writeln!(text, "Group {}", index + 1);
            let stays = new
                .iter()
                .filter(|key| is_in(old, key))
                .map(|key| ("   ", key));
            let comes = new
                .iter()
                .filter(|key| !is_in(old, key))
                .map(|key| ("+++", key));
            let goes = old
                .iter()
                .filter(|key| !is_in(new, key))
                .map(|key| ("---", key));
            for (sign, key) in stays.chain(comes).chain(goes) {
                changes |= sign != "   ";
                let _ = writeln!(text, "{sign} {}", key.name());
            }
        }
        changes.then_some(text)
    }
}

impl MasterKey {
    /// Whether it is the key that somebody has named. Azure's version may be left out there.
    fn is(&self, named: &Self) -> bool {
        let same = |(own, named): (&String, &String)| {
            own == named || self.kind == KeyKind::AzureKeyVault && named.is_empty()
        };
        self.kind == named.kind
            && self.context == named.context
            && self.fields.iter().zip(&named.fields).all(same)
    }

    /// All that tells it from other keys.
    fn name(&self) -> String {
        let context = self
            .context
            .iter()
            .map(|(name, value)| format!("{name}:{value}"));
        let context = context.collect::<Vec<_>>().join(",");
        match (self.kind, &self.fields[..]) {
            (KeyKind::AwsKms, [arn, role, profile]) => {
                let role = if role.is_empty() {
                    String::new()
                } else {
                    format!("+{role}")
                };
                let tail = match (context.is_empty(), profile.is_empty()) {
                    (true, true) => String::new(),
                    (false, true) => format!("|{context}"),
                    (_, false) => format!("|{context}|{profile}"),
                };
                format!("{arn}{role}{tail}")
            }
            (KeyKind::AzureKeyVault, [vault, name, version]) => {
                format!("{vault}/keys/{name}/{version}")
            }
            (KeyKind::Vault, [address, engine, name]) => {
                format!("{address}/v1/{engine}/keys/{name}")
            }
            _ => self.known_by().to_owned(),
        }
    }
}
