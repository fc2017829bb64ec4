//! Which values of a file are encrypted: by their keys, or by the comments above them.

use std::sync::{Mutex, PoisonError};

use regex::bytes::Regex;

use crate::go_regex;

/// The file's one rule.
pub(super) enum Selector {
    /// Encrypted where some key of the path matches, or where none does.
    Keys { pattern: Pattern, encrypted: bool },
    /// Encrypted where some comment above matches, or where none does.
    Comments { regex: Regex, encrypted: bool },
}

/// What a key must look like.
pub(super) enum Pattern {
    Suffix(String),
    Regex(Regex),
}

impl Pattern {
    fn matches(&self, key: &str) -> bool {
        match self {
            Self::Suffix(suffix) => key.ends_with(suffix.as_str()),
            Self::Regex(regex) => regex.is_match(key.as_bytes()),
        }
    }
}

impl Selector {
    /// The rule by its name in the `sops` block. SOPS takes an invalid expression for one that matches nothing, and so
    /// leaves secrets in plain text; here it is an error.
    pub(super) fn parse(name: &str, value: &str) -> Result<Self, go_regex::Invalid> {
        let encrypted = !name.starts_with("un");
        Ok(if name.ends_with("_suffix") {
            let pattern = Pattern::Suffix(value.to_owned());
            Self::Keys { pattern, encrypted }
        } else if name.ends_with("_comment_regex") {
            let regex = compiled(value)?;
            Self::Comments { regex, encrypted }
        } else {
            let pattern = Pattern::Regex(compiled(value)?);
            Self::Keys { pattern, encrypted }
        })
    }
}

/// The files of a repository share their rule, and to compile it takes longer than to read such a file: the last one is
/// kept.
fn compiled(value: &str) -> Result<Regex, go_regex::Invalid> {
    static LAST: Mutex<Option<(String, Regex)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((text, regex)) if text == value => Ok(regex.clone()),
        _ => {
            let regex = Regex::new(&go_regex::translate(value)?)?;
            *last = Some((value.to_owned(), regex.clone()));
            Ok(regex)
        }
    }
}

/// Where in the tree a walk is, as far as the rule is concerned.
pub(super) struct Position<'s> {
    selector: &'s Selector,
    /// For each open mapping and list: whether a key on the way to it matched.
    matched: Vec<bool>,
    /// For each open mapping and list: whether a comment in it matched since the last entry.
    marked: Vec<bool>,
}

impl<'s> Position<'s> {
    pub(super) fn new(selector: &'s Selector) -> Self {
        Self {
            selector,
            matched: vec![false],
            marked: vec![false],
        }
    }

    /// Goes into the value of a key. To be followed by [`Self::leave_key`].
    pub(super) fn enter_key(&mut self, key: &str) {
        let above = self.matched.last().copied().unwrap_or_default();
        let matched = above
            || matches!(self.selector, Selector::Keys { pattern, .. } if pattern.matches(key));
        self.matched.push(matched);
    }

    pub(super) fn leave_key(&mut self) {
        self.matched.pop();
    }

    /// Goes into a mapping or list. To be followed by [`Self::leave_collection`].
    pub(super) fn enter_collection(&mut self) {
        self.marked.push(false);
    }

    pub(super) fn leave_collection(&mut self) {
        self.marked.pop();
    }

    /// An entry of the innermost collection has been read: comments above it are no longer above what follows.
    pub(super) fn after_entry(&mut self) {
        if let Some(marked) = self.marked.last_mut() {
            *marked = false;
        }
    }

    /// Whether a value here is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        match self.selector {
            Selector::Keys { encrypted, .. } => {
                self.matched.last().copied().unwrap_or_default() == *encrypted
            }
            Selector::Comments { encrypted, .. } => {
                self.marked.iter().any(|marked| *marked) == *encrypted
            }
        }
    }

    /// Whether a comment here, as it stands in the file, is encrypted. From here on it is above what follows.
    ///
    /// A comment that makes others encrypted does not make itself so; one that keeps others plain stays plain itself.
    pub(super) fn meet_comment(&mut self, text: &[u8]) -> bool {
        let Selector::Comments { regex, encrypted } = self.selector else {
            return self.is_encrypted();
        };
        let before = self.is_encrypted();
        if let Some(marked) = self.marked.last_mut() {
            *marked |= regex.is_match(text);
        }
        if *encrypted {
            before
        } else {
            self.is_encrypted()
        }
    }

    /// Whether an encrypted comment of that text would keep plain what stands below it.
    pub(super) fn keeps_plain(&self, text: &[u8]) -> bool {
        matches!(self.selector, Selector::Comments { regex, encrypted: false } if regex.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(selector: &Selector, keys: &[&str]) -> bool {
        let mut position = Position::new(selector);
        position.enter_collection();
        for key in keys {
            position.enter_key(key);
            position.enter_collection();
        }
        position.is_encrypted()
    }

    #[test]
    fn keys_choose_with_all_that_lies_below() {
        for (name, value, keys, expected) in [
            ("unencrypted_suffix", "_open", "a b", true),
            ("unencrypted_suffix", "_open", "a_open b", false),
            ("encrypted_suffix", "_enc", "a_enc b", true),
            ("encrypted_suffix", "_enc", "a b", false),
            ("encrypted_regex", "^(data|stringData)$", "data k", true),
            (
                "encrypted_regex",
                "^(data|stringData)$",
                "metadata k",
                false,
            ),
            ("encrypted_regex", "data", "metadata k", true),
            ("unencrypted_regex", "(?i)^meta", "METADATA", false),
            ("unencrypted_regex", "(?i)^meta", "a", true),
        ] {
            let selector = Selector::parse(name, value).unwrap();
            let keys: Vec<&str> = keys.split(' ').collect();
            assert_eq!(
                position(&selector, &keys),
                expected,
                "{name} {value} {keys:?}"
            );
        }
    }

    #[test]
    fn an_invalid_expression_is_an_error() {
        assert!(Selector::parse("encrypted_regex", "(").is_err());
        assert!(Selector::parse("encrypted_comment_regex", "[").is_err());
        assert!(Selector::parse("encrypted_suffix", "(").is_ok());
    }

    #[test]
    fn comments_choose_the_entry_below_them() {
        for (name, own, second, below, next) in [
            ("encrypted_comment_regex", false, true, true, false),
            ("unencrypted_comment_regex", false, false, false, true),
        ] {
            let selector = Selector::parse(name, "mark").unwrap();
            let mut position = Position::new(&selector);
            position.enter_collection();
            assert_eq!(position.meet_comment(b" mark"), own, "{name}");
            assert_eq!(position.meet_comment(b" other"), second, "{name}");
            position.enter_key("a");
            position.enter_collection();
            assert_eq!(position.is_encrypted(), below, "{name}");
            position.after_entry();
            assert_eq!(position.is_encrypted(), below, "{name}");
            position.leave_collection();
            position.leave_key();
            position.after_entry();
            assert_eq!(position.is_encrypted(), next, "{name}");
        }
    }
}
