//! Every warning of the program by its name, and what the user wants to become of it: `docs/warnings.md`.

use super::{Diagnostic, Severity, nearest};

/// What may be warned of. In the order of [`WARNINGS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    BrokenBase64,
    CutReference,
    DuplicateKey,
    IgnoredSetting,
    LinkedFile,
    ListItems,
    LostText,
    MisspeltBackend,
    OddSetting,
    Policy,
    SecretInMetadata,
    ShadowedFailure,
    TextBehindDocument,
    UnknownAnnotation,
    UnreadableFolder,
    UnreplacedPlaceholder,
}

/// All warnings, sorted by name: the warning, its name, what becomes of it unless the user says otherwise, what it tells of.
pub const WARNINGS: &[(Warning, &str, Level, &str)] = {
    const ON: Level = Level::On;
    const OFF: Level = Level::Off;
    &[
        (
            Warning::BrokenBase64,
            "broken-base64",
            ON,
            "`base64decode` of a text that is not base64 as a whole",
        ),
        (
            Warning::CutReference,
            "cut-reference",
            ON,
            "a reference whose end is lost: in a comment behind ` #`, at a comma in brackets, or because it has no `>`",
        ),
        (
            Warning::DuplicateKey,
            "duplicate-key",
            ON,
            "a key that stands twice in one map: the last one counts",
        ),
        (
            Warning::IgnoredSetting,
            "ignored-setting",
            ON,
            "a setting without effect: a name that is nearly right, a store or an option that this version does not have",
        ),
        (
            Warning::LinkedFile,
            "linked-file",
            ON,
            "a link in a rendered folder to a file outside of it",
        ),
        (
            Warning::ListItems,
            "list-items",
            ON,
            "what has no effect in an item of a list (`kind: List`, `kind: SecretList`): an annotation of ours, a placeholder in base64",
        ),
        (
            Warning::LostText,
            "lost-text",
            ON,
            "a value that is no string takes the place of the text around it",
        ),
        (
            Warning::MisspeltBackend,
            "misspelt-backend",
            ON,
            "`<NAME:…>` that nearly names a backend, or names a type that has none, and is left as it is",
        ),
        (
            Warning::OddSetting,
            "odd-setting",
            ON,
            "a credential that ends in a line end, a value that the `.env` form cuts or changes",
        ),
        (
            Warning::Policy,
            "policy",
            ON,
            "what a rule of the operator forbids and `policy.mode: report` lets pass",
        ),
        (
            Warning::SecretInMetadata,
            "secret-in-metadata",
            OFF,
            "a secret in an annotation or a label, which is no place for one; digests do not count",
        ),
        (
            Warning::ShadowedFailure,
            "shadowed-failure",
            ON,
            "a placeholder that fails where nobody reads it, because its key stands again",
        ),
        (
            Warning::TextBehindDocument,
            "text-behind-document",
            ON,
            "text behind the end of a document, which readers drop",
        ),
        (
            Warning::UnknownAnnotation,
            "unknown-annotation",
            ON,
            "an annotation that begins like ours and means nothing, or whose truth value is none",
        ),
        (
            Warning::UnreadableFolder,
            "unreadable-folder",
            ON,
            "a folder within a rendered one that cannot be read and is left out",
        ),
        (
            Warning::UnreplacedPlaceholder,
            "unreplaced-placeholder",
            ON,
            "a placeholder that is left as it is: in a key or in a list within a list, or without its #KEY",
        ),
    ]
};

impl Warning {
    /// How messages, flags and pages call it.
    pub fn name(self) -> &'static str {
        WARNINGS[self as usize].1
    }
}

/// What becomes of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing is said.
    Off,
    /// It is told.
    On,
    /// It fails the run.
    Error,
}

/// What becomes of each warning in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels([Level; WARNINGS.len()]);

impl Default for Levels {
    fn default() -> Self {
        Self(std::array::from_fn(|index| WARNINGS[index].2))
    }
}

/// What `NAME=LEVEL,…` says, in its order: a warning, or all, and what is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelList(Vec<(Option<Warning>, Level)>);

impl LevelList {
    /// Reads it; `all` is every name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(level)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn level(setting: &str) -> Result<(Option<Warning>, Level), String> {
    let (name, level) = setting.split_once('=').unwrap_or((setting, ""));
    let warning = match name.trim() {
        "all" => None,
        name => Some(find(name).ok_or_else(|| unknown(name))?),
    };
    match level.trim() {
        "off" => Ok((warning, Level::Off)),
        "on" => Ok((warning, Level::On)),
        "error" => Ok((warning, Level::Error)),
        _ => Err(
            "it is a list like list-items=off,lost-text=error; there are off, on and error"
                .to_owned(),
        ),
    }
}

impl Levels {
    /// The levels where these lists say otherwise than the table: what stands later wins.
    pub fn new(lists: &[LevelList]) -> Self {
        let mut levels = Self::default();
        for (warning, level) in lists.iter().flat_map(|list| &list.0) {
            match warning {
                None => levels.0.fill(*level),
                Some(warning) => levels.0[*warning as usize] = *level,
            }
        }
        levels
    }

    /// Drops the warnings that are off and makes errors of those that are to be errors.
    pub fn apply(&self, told: &mut Vec<Diagnostic>) {
        told.retain_mut(|diagnostic| {
            let warning = diagnostic
                .warning
                .filter(|_| diagnostic.severity == Severity::Warning);
            let level = warning.map_or(Level::On, |warning| self.0[warning as usize]);
            if level == Level::Error {
                diagnostic.severity = Severity::Error;
            }
            level != Level::Off
        });
    }
}

fn find(name: &str) -> Option<Warning> {
    let line = WARNINGS.iter().find(|(_, known, ..)| *known == name)?;
    Some(line.0)
}

/// The names for `--warn`.
pub fn warning_names() -> impl Iterator<Item = &'static str> {
    ["all"]
        .into_iter()
        .chain(WARNINGS.iter().map(|(_, name, ..)| *name))
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = warning_names().collect();
    // What is nearly a name is no secret that was put in a wrong place.
    let what = match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no warning {name}; did you mean {near}?"),
        None => "there is no such warning;".to_owned(),
    };
    format!("{what} there are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_in_the_order_of_the_warnings() {
        for (index, (warning, name, ..)) in WARNINGS.iter().enumerate() {
            assert_eq!((*warning as usize, warning.name()), (index, *name));
        }
        assert!(WARNINGS.is_sorted_by_key(|(_, name, ..)| name));
    }

    #[test]
    fn levels_by_name_and_for_all() {
        let level = |text, warning: Warning| {
            Levels::new(&[LevelList::parse(text).unwrap()]).0[warning as usize]
        };
        assert_eq!(level("list-items=error", Warning::ListItems), Level::Error);
        assert_eq!(level("list-items=error", Warning::LostText), Level::On);
        assert_eq!(
            level("list-items=error", Warning::SecretInMetadata),
            Level::Off
        );
        assert_eq!(
            level("all=error, list-items=off", Warning::ListItems),
            Level::Off
        );
        assert_eq!(
            level("all=error, list-items=off", Warning::SecretInMetadata),
            Level::Error
        );
        assert_eq!(
            level("list-items=off,all=on", Warning::ListItems),
            Level::On
        );
    }

    #[test]
    fn of_several_lists_the_last_word_counts() {
        let list = |text| LevelList::parse(text).unwrap();
        let levels = Levels::new(&[list("all=error"), list("list-items=off")]);
        assert_eq!(levels.0[Warning::ListItems as usize], Level::Off);
        assert_eq!(levels.0[Warning::LostText as usize], Level::Error);
        let levels = Levels::new(&[list("list-items=off"), list("all=on")]);
        assert_eq!(levels.0[Warning::ListItems as usize], Level::On);
    }

    #[test]
    fn what_is_no_level_or_no_name_is_told() {
        let form = "it is a list like list-items=off,lost-text=error; there are off, on and error";
        for text in ["list-items", "list-items=no", "all"] {
            assert_eq!(LevelList::parse(text), Err(form.to_owned()), "{text}");
        }
        let names = warning_names().collect::<Vec<_>>().join(", ");
        for (text, expected) in [
            ("", "there is no such warning; there are "),
            ("list-items=off,", "there is no such warning; there are "),
            (
                "list-item=off",
                "there is no warning list-item; did you mean list-items? there are ",
            ),
            ("al=off", "there is no such warning; there are "),
            ("CANARY", "there is no such warning; there are "),
        ] {
            let expected = format!("{expected}{names}");
            assert_eq!(LevelList::parse(text), Err(expected), "{text}");
        }
    }
}
