//! The variables of an application, as repo-server sends them (`argocd-cmp.md` 7), and what they say about who asks.

use serde::Deserialize;

use super::messages::EnvEntry;

/// Names and values in the order in which they came; of one name the last counts.
#[derive(Clone, Default)]
pub struct Variables(Vec<(String, String)>);

/// Who asks, where that changes what may be rendered (`argocd-cmp.md` 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Argo CD, to compare or to apply.
    Ordinary,
    /// A person who has uploaded files of his own (`app diff --local`); he needs no right to write.
    Upload,
    /// The source hydrator, which commits what it gets.
    Hydrator,
}

/// What an application sets for its plugin by `plugin.parameters`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// The value of a text.
    #[serde(default)]
    pub string: Option<String>,
    /// The values of a list.
    #[serde(default)]
    pub array: Option<Vec<String>>,
    /// The values of a map.
    #[serde(default)]
    pub map: Option<std::collections::BTreeMap<String, String>>,
}

impl Variables {
    /// Of a message. What is not UTF-8 is replaced.
    pub fn new(entries: Vec<EnvEntry>) -> Self {
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        };
        let entries = entries.into_iter();
        Self(
            entries
                .map(|entry| (text(entry.name), text(entry.value)))
                .collect(),
        )
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Who asks for a render.
    pub fn caller(&self) -> Caller {
        let is_empty = |name| self.get(name).unwrap_or_default().is_empty();
        if self.get("ARGOCD_APP_REVISION") == Some("streamed") {
            Caller::Upload
        } else if is_empty("KUBE_VERSION") && is_empty("KUBE_API_VERSIONS") {
            Caller::Hydrator
        } else {
            Caller::Ordinary
        }
    }

    /// The parameters; none where there is no list of them.
    pub fn parameters(&self) -> Result<Vec<Parameter>, serde_json::Error> {
        let text = self.get("ARGOCD_APP_PARAMETERS").unwrap_or("null");
        let parameters: Option<Vec<Parameter>> = serde_json::from_str(text)?;
        Ok(parameters.unwrap_or_default())
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(entries: &[(&str, &str)]) -> Variables {
        let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        entries.iter().map(owned).collect()
    }

    #[test]
    fn callers_are_told_apart() {
        for (entries, caller) in [
            (
                &[("KUBE_VERSION", "1.33.0"), ("ARGOCD_APP_REVISION", "abc")][..],
                Caller::Ordinary,
            ),
            (
                &[("KUBE_API_VERSIONS", "v1"), ("KUBE_VERSION", "")],
                Caller::Ordinary,
            ),
            (
                &[("KUBE_API_VERSIONS", ""), ("KUBE_VERSION", "")],
                Caller::Hydrator,
            ),
            (&[], Caller::Hydrator),
            (
                &[("KUBE_VERSION", "1"), ("ARGOCD_APP_REVISION", "streamed")],
                Caller::Upload,
            ),
            (&[("ARGOCD_APP_REVISION", "streamed")], Caller::Upload),
        ] {
            assert_eq!(variables(entries).caller(), caller, "{entries:?}");
        }
    }

    #[test]
    fn the_last_of_a_name_counts_and_wrong_bytes_are_replaced() {
        let entry = |name: &str, value: &[u8]| EnvEntry {
            name: name.into(),
            value: value.into(),
        };
        let found = Variables::new(vec![
            entry("A", b"1"),
            entry("A", b"\xff2"),
            entry("B", b""),
        ]);
        assert_eq!(found.get("A"), Some("\u{fffd}2"));
        assert_eq!(found.get("B"), Some(""));
        assert_eq!(found.get("C"), None);
    }

    #[test]
    fn parameters_may_be_null() {
        let of = |text| variables(&[("ARGOCD_APP_PARAMETERS", text)]).parameters();
        assert!(of("null").unwrap().is_empty());
        assert!(variables(&[]).parameters().unwrap().is_empty());
        let found = of(r#"[{"array":["x"],"name":"l"},{"name":"m","map":{"a":"b"}},{"name":"n"}]"#);
        let found = found.unwrap();
        assert_eq!(found[0].array.as_deref(), Some(&["x".to_owned()][..]));
        assert_eq!(found[1].map.as_ref().unwrap().len(), 1);
        assert!(of("{").is_err());
    }
}
