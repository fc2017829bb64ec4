//! Argo CD's `plugin.yaml` (`argocd-cmp.md` 13), as far as a server needs it that renders by itself: so that a sidecar is
//! switched by its entrypoint alone.

use regex::Regex;
use serde::Deserialize;

use crate::argocd::messages::ParameterAnnouncement;

/// Its name in the folder of `--config-dir-path`.
pub(super) const NAME: &str = "plugin.yaml";

/// What it says.
#[derive(Debug, Default)]
pub(super) struct PluginFile {
    /// The plugin's name.
    pub(super) name: String,
    /// Empty where it has none.
    pub(super) version: String,
    /// By which files an application is for us.
    pub(super) files: Option<Regex>,
    /// What Argo CD is to offer besides our own parameters.
    pub(super) parameters: Vec<ParameterAnnouncement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    discover: Option<Discover>,
    #[serde(default)]
    parameters: Option<Parameters>,
    #[serde(default)]
    provide_git_creds: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discover {
    #[serde(default)]
    file_name: Option<String>,
    #[serde(default)]
    find: Option<Find>,
}

#[derive(Default, Deserialize)]
struct Find {
    #[serde(default)]
    glob: Option<String>,
    #[serde(default)]
    command: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Parameters {
    #[serde(default, rename = "static")]
    fixed: Vec<Announcement>,
    #[serde(default)]
    dynamic: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Announcement {
    name: String,
    title: String,
    tooltip: String,
    required: bool,
    item_type: String,
    collection_type: String,
    string: String,
    array: Vec<String>,
    map: std::collections::BTreeMap<String, String>,
}

impl PluginFile {
    /// Reads it, or says in one sentence what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document: Document =
            serde_saphyr::from_str(text).map_err(|error| format!("it cannot be read: {error}"))?;
        if document.kind != "ConfigManagementPlugin" {
            return Err("its kind is not ConfigManagementPlugin".to_owned());
        }
        if document.spec.provide_git_creds {
            return Err(
                "provideGitCreds: this server has no use for credentials of git".to_owned(),
            );
        }
        let parameters = document.spec.parameters.unwrap_or_default();
        if parameters.dynamic.is_some() {
            return Err("parameters.dynamic: this server runs no command for them".to_owned());
        }
        let discover = document.spec.discover.unwrap_or_default();
        let find = discover.find.unwrap_or_default();
        if !find.command.is_empty() {
            return Err("discover.find.command: this server runs no command for it; --discover looks for references".to_owned());
        }
        let pattern = discover.file_name.or(find.glob);
        let files = pattern.as_deref().map(glob).transpose()?;
        Ok(Self {
            name: document.metadata.name,
            version: document.spec.version.unwrap_or_default(),
            files,
            parameters: parameters.fixed.into_iter().map(announcement).collect(),
        })
    }
}

fn announcement(own: Announcement) -> ParameterAnnouncement {
    let or = |text: String, default: &str| {
        if text.is_empty() {
            default.to_owned()
        } else {
            text
        }
    };
    ParameterAnnouncement {
        name: own.name,
        title: own.title,
        tooltip: own.tooltip,
        required: own.required,
        item_type: or(own.item_type, "string"),
        collection_type: or(own.collection_type, "string"),
        string: own.string,
        array: own.array,
        map: own.map,
    }
}

/// A pattern of file names: `*` and `?` within a step, a step `**` any number of steps.
fn glob(pattern: &str) -> Result<Regex, String> {
    if pattern.contains(['[', ']', '{', '}', '\\']) {
        return Err(format!(
            "discover: the pattern {pattern:?} may hold *, ** and ? only"
        ));
    }
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let mut expression = String::from("^");
    let steps: Vec<&str> = pattern.split('/').collect();
    for (index, step) in steps.iter().enumerate() {
        let last = index + 1 == steps.len();
        match (*step, last) {
            ("**", true) => expression.push_str(".*"),
            ("**", false) => expression.push_str("(?:[^/]+/)*"),
            _ => {
                let step = regex::escape(step)
                    .replace("\\*", "[^/]*")
                    .replace("\\?", "[^/]");
                expression.push_str(&step);
                if !last {
                    expression.push('/');
                }
            }
        }
    }
    expression.push('$');
    Regex::new(&expression).map_err(|_| format!("discover: the pattern {pattern:?} cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata: {name: p}\nspec:\n  ";

    #[test]
    fn name_version_and_parameters_are_taken() {
        let text = format!(
            "{FILE}version: v1.0\n  generate: {{command: [sh]}}\n  parameters: {{static: [{{name: a, collectionType: array, array: [x]}}, {{name: b, string: c}}]}}\n"
        );
        let file = PluginFile::parse(&text).unwrap();
        assert_eq!((&*file.name, &*file.version), ("p", "v1.0"));
        assert_eq!(file.parameters[0].collection_type, "array");
        assert_eq!(file.parameters[1].collection_type, "string");
        assert_eq!(file.parameters[1].item_type, "string");
        assert!(file.files.is_none());
    }

    #[test]
    fn what_a_server_cannot_do_is_told() {
        for (spec, reason) in [
            ("provideGitCreds: true", "provideGitCreds"),
            (
                "parameters: {dynamic: {command: [x]}}",
                "parameters.dynamic",
            ),
            ("discover: {find: {command: [x]}}", "discover.find.command"),
            ("discover: {fileName: '[a]'}", "may hold *, ** and ? only"),
        ] {
            let error = PluginFile::parse(&format!("{FILE}{spec}\n")).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        for text in [
            "kind: X\nmetadata: {name: a}",
            "kind: [",
            "metadata: {name: a}",
        ] {
            assert!(PluginFile::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_of_files() {
        for (pattern, yes, no) in [
            ("./Chart.yaml", "Chart.yaml", "a/Chart.yaml"),
            ("*.yaml", "a.yaml", "a/b.yaml"),
            ("**/*.yaml", "a.yaml", "a.yml"),
            ("**/Chart.yaml", "a/b/Chart.yaml", "a/xChart.yaml"),
            ("a/**", "a/b/c", "b/a"),
            ("a?.yaml", "ab.yaml", "a/.yaml"),
        ] {
            let found = glob(pattern).unwrap();
            assert!(found.is_match(yes), "{pattern} {yes}");
            assert!(!found.is_match(no), "{pattern} {no}");
        }
    }
}
