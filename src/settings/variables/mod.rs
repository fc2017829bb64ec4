//! Every variable that argocd-vault-plugin or a library of it reads (`avp-compat.md` section 10), and ours: who reads
//! it here, what it says and where its value goes. `manifuse config variables` prints them all. `docs/settings.md` holds
//! the table of this room; what only one type of backend reads stands with the type, and on its page.

mod table;

use std::fmt::Write as _;

use self::table::VARIABLES;
use super::flat;
use crate::backends::registry;
use crate::diagnostics::nearest;

/// One variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The backend, the part of a backend, or the part of the program that it is for.
    pub reader: &'static str,
    /// What it says.
    pub says: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// Whether its value may be shown to people.
    pub shown: bool,
}

/// What becomes of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A setting of the backends whose tables name it.
    Setting,
    /// It goes somewhere else.
    Goes(&'static str),
    /// It has no effect, and why.
    Ignored(&'static str),
    /// It is for what this version does not have.
    NotYet,
}

/// Where a variable may be set, beside the plain environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// AVP's own: `ARGOCD_ENV_`, plain, file.
    Avp,
    /// AVP hands it to a library: `ARGOCD_ENV_`, file, plain.
    Exported,
    /// Plain only.
    Plain,
}

impl Variable {
    /// Where it may be set.
    pub fn order(&self) -> Order {
        match self.name {
            name if flat::is_exported(name) => Order::Exported,
            name if flat::is_key(name) => Order::Avp,
            _ => Order::Plain,
        }
    }

    /// Whether it has no effect.
    pub fn is_unread(&self) -> bool {
        matches!(self.fate, Fate::NotYet | Fate::Ignored(_))
    }

    /// Whether backends of a type read it, or would.
    pub(super) fn is_for(&self, kind: &str) -> bool {
        let mut readers = self.reader.split(", ");
        readers.any(|reader| reader.split(':').next() == Some(kind))
    }

    /// Where its value goes, in a few words.
    pub fn goes_to(&self) -> String {
        match self.fate {
            Fate::Goes(place) => place.to_owned(),
            Fate::Ignored(reason) => format!("ignored: {reason}"),
            Fate::NotYet => "not read by this version".to_owned(),
            Fate::Setting => {
                let settings = registry::TYPES.iter().filter_map(|kind| {
                    let found = kind.settings.iter().find(|(key, _)| *key == self.name);
                    match found?.1 {
                        "" => Some(kind.name.to_owned()),
                        dotted => Some(format!("{}: {dotted}", kind.name)),
                    }
                });
                settings.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

impl Order {
    /// In a few words, the winner first.
    pub fn text(self) -> &'static str {
        match self {
            Self::Avp => "ARGOCD_ENV_, plain, file",
            Self::Exported => "ARGOCD_ENV_, file, plain",
            Self::Plain => "plain",
        }
    }
}

/// All of them: the table's in its order, then those that only one type of backend reads.
pub fn all() -> impl Iterator<Item = Variable> {
    let own = registry::TYPES.iter().flat_map(|kind| {
        kind.own.iter().map(|own| Variable {
            name: own.name,
            reader: kind.name,
            says: own.says,
            fate: Fate::Setting,
            shown: own.shown,
        })
    });
    VARIABLES.iter().copied().chain(own)
}

/// The variable of that name.
pub fn find(name: &str) -> Option<Variable> {
    all().find(|variable| variable.name == name)
}

/// The variable that an unknown name is likely to mean.
pub(super) fn meant(upper: &str) -> Option<&'static str> {
    let names = all().map(|variable| variable.name);
    find(upper).is_none().then(|| nearest(upper, names))?
}

/// The table of this room as Markdown, as it stands in `docs/settings.md`.
pub fn markdown() -> String {
    let mut table =
        String::from("| variable | for | says | goes to | set by |\n|---|---|---|---|---|\n");
    for variable in VARIABLES {
        let Variable {
            name, reader, says, ..
        } = variable;
        let (goes, order) = (variable.goes_to(), variable.order().text());
        let _ = writeln!(table, "| `{name}` | {reader} | {says} | {goes} | {order} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_variable_stands_once_and_goes_somewhere() {
        let names: BTreeSet<_> = all().map(|variable| variable.name).collect();
        assert_eq!(names.len(), all().count());
        for variable in all() {
            assert_ne!(variable.goes_to(), "", "{}", variable.name);
        }
    }

    #[test]
    fn every_setting_of_a_backend_is_here() {
        let known = |key: &&str| find(key).is_none_or(|variable| variable.fate == Fate::NotYet);
        let keys = registry::TYPES.iter().flat_map(|kind| kind.settings);
        let missing: Vec<_> = keys.map(|(key, _)| *key).filter(known).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }

    #[test]
    fn the_page_holds_the_table() {
        let page = include_str!("../../../docs/settings.md");
        let table = markdown();
        assert!(
            page.contains(&table),
            "docs/settings.md should hold\n{table}"
        );
    }

    #[test]
    fn where_a_variable_may_be_set_is_as_in_avp() {
        for (name, order) in [
            ("AVP_TYPE", Order::Avp),
            ("VAULT_ADDR", Order::Exported),
            ("GOOGLE_APPLICATION_CREDENTIALS", Order::Exported),
            ("OP_CONNECT_TOKEN", Order::Exported),
            ("KSM_TOKEN", Order::Plain),
            ("HTTPS_PROXY", Order::Plain),
            ("GNUPGHOME", Order::Plain),
            ("MANIFUSE_ROOT", Order::Plain),
        ] {
            assert_eq!(find(name).unwrap().order(), order, "{name}");
        }
    }
}
