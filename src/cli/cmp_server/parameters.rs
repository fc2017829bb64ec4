//! What an application may set by `plugin.parameters`, and what Argo CD's interface is told of it. Values become arguments
//! of their own, files must lie in the repository, and only flags that stay within the chart are taken.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::argocd::archive::{self, Tree};
use crate::argocd::messages::ParameterAnnouncement;
use crate::argocd::variables::{Parameter, Variables};
use crate::diagnostics::{Diagnostic, Fault, io_reason, nearest};

const BACKEND: &str = "backend";
const VALUES_FILES: &str = "values-files";
const VALUES: &str = "values";
const SET: &str = "set";
const HELM_ARGUMENTS: &str = "helm-arguments";

/// The flags of helm that an application may give, with `=` where they have a value. None of them runs or fetches
/// anything, or reads a file outside of the chart.
const FLAGS: [&str; 12] = [
    "--api-versions=",
    "--include-crds",
    "--is-upgrade",
    "--kube-version=",
    "--name-template=",
    "--no-hooks",
    "--set=",
    "--set-json=",
    "--set-literal=",
    "--set-string=",
    "--skip-crds",
    "--skip-tests",
];

/// The parameters of an application.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// What `path:` means, in place of the operator's default.
    pub(super) backend: Option<String>,
    values_files: Vec<String>,
    values: Option<String>,
    set: BTreeMap<String, String>,
    helm_arguments: Vec<String>,
}

impl Parameters {
    /// Reads them. Others are refused unless the operator's plugin file announces them.
    pub(super) fn read(
        variables: &Variables,
        announced: &[ParameterAnnouncement],
    ) -> Result<Self, Box<Diagnostic>> {
        let all = variables
            .parameters()
            .map_err(|_| error("ARGOCD_APP_PARAMETERS is no list of parameters".to_owned()))?;
        let mut read = Self::default();
        for parameter in all {
            read.take(parameter, announced)?;
        }
        read.check_arguments()?;
        Ok(read)
    }

    fn take(
        &mut self,
        own: Parameter,
        announced: &[ParameterAnnouncement],
    ) -> Result<(), Box<Diagnostic>> {
        let name = own.name.as_str();
        let wrong = |kind: &str| error(format!("the parameter {name} must be {kind}"));
        let text = |text: Option<String>| text.ok_or_else(|| wrong("a text"));
        let list = |list: Option<Vec<String>>| list.ok_or_else(|| wrong("a list"));
        let is_set = |text: &String| !text.is_empty();
        match name {
            BACKEND => self.backend = Some(text(own.string)?).filter(is_set),
            VALUES => self.values = Some(text(own.string)?).filter(is_set),
            VALUES_FILES => self.values_files = list(own.array)?,
            HELM_ARGUMENTS => self.helm_arguments = list(own.array)?,
            SET => self.set = own.map.ok_or_else(|| wrong("a map"))?,
            _ if announced.iter().any(|known| known.name == name) => {}
            _ => {
                let names = [BACKEND, VALUES_FILES, VALUES, SET, HELM_ARGUMENTS];
                let hint = match nearest(name, names) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("there are {}", names.join(", ")),
                };
                let told = error(format!("there is no parameter {name}"));
                return Err(Box::new(told.with_hint(hint)));
            }
        }
        Ok(())
    }

    fn check_arguments(&self) -> Result<(), Box<Diagnostic>> {
        let is_allowed = |argument: &str| {
            FLAGS.iter().any(|flag| match flag.strip_suffix('=') {
                Some(_) => argument.starts_with(flag),
                None => argument == *flag,
            })
        };
        match self.helm_arguments.iter().find(|own| !is_allowed(own)) {
            None => Ok(()),
            Some(argument) => {
                let flag = argument.split('=').next().unwrap_or_default();
                let flag = if flag.starts_with("--") {
                    flag
                } else {
                    "one of them"
                };
                let told = error(format!("{HELM_ARGUMENTS} may not hold {flag}"));
                let hint = format!(
                    "each is one piece, such as --set=name=value; allowed are {}",
                    FLAGS.join(" ")
                );
                Err(Box::new(told.with_hint(hint)))
            }
        }
    }

    /// What helm is told besides. A file of values that stand in the application goes into `place`.
    pub(super) fn helm(&self, tree: &Tree, place: &Path) -> Result<Vec<String>, Box<Diagnostic>> {
        let mut arguments = Vec::new();
        for file in &self.values_files {
            let named = format!("{}/{file}", tree.application());
            let inside = !file.starts_with('/')
                && archive::clean(&named).is_some_and(|name| tree.file(&name).is_some());
            if !inside {
                return Err(error(format!(
                    "the values file {file} is not in the repository"
                )));
            }
            arguments.extend(["--values".to_owned(), file.clone()]);
        }
        if let Some(values) = &self.values {
            let file = place.join("values.yaml");
            fs::write(&file, values).map_err(|cause| {
                let told = error("the values for helm could not be written".to_owned());
                Box::new(told.with_cause(io_reason(&cause)))
            })?;
            arguments.extend(["--values".to_owned(), file.to_string_lossy().into_owned()]);
        }
        for (name, value) in &self.set {
            let value = value.replace(',', "\\,");
            arguments.extend(["--set".to_owned(), format!("{name}={value}")]);
        }
        arguments.extend(self.helm_arguments.iter().cloned());
        Ok(arguments)
    }
}

fn error(message: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(Fault::Input, message))
}

/// What Argo CD's interface shows.
pub(super) fn announcements() -> Vec<ParameterAnnouncement> {
    let of = |name: &str, title: &str, tooltip: &str, collection: &str| ParameterAnnouncement {
        name: name.to_owned(),
        title: title.to_owned(),
        tooltip: tooltip.to_owned(),
        item_type: "string".to_owned(),
        collection_type: collection.to_owned(),
        ..ParameterAnnouncement::default()
    };
    vec![
        of(
            BACKEND,
            "Backend",
            "The store that <path:…> means, by its name in the operator's settings",
            "string",
        ),
        of(
            VALUES_FILES,
            "Values files",
            "Of a chart: files of the repository, relative to the application's folder; the last one wins",
            "array",
        ),
        of(
            VALUES,
            "Values",
            "Of a chart: YAML that wins over all values files",
            "string",
        ),
        of(
            SET,
            "Set values",
            "Of a chart: single values that win over all others",
            "map",
        ),
        of(
            HELM_ARGUMENTS,
            "Helm arguments",
            "Of a chart: flags of helm template in one piece each, such as --skip-tests",
            "array",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Parameters, String> {
        let entry = ("ARGOCD_APP_PARAMETERS".to_owned(), json.to_owned());
        let announced = [ParameterAnnouncement {
            name: "own".to_owned(),
            ..ParameterAnnouncement::default()
        }];
        Parameters::read(&[entry].into_iter().collect(), &announced).map_err(|error| error.message)
    }

    #[test]
    fn known_ones_are_read_and_others_refused() {
        let json = r#"[{"name":"backend","string":"prod"},{"name":"values-files","array":["a.yaml"]},
            {"name":"set","map":{"a":"b,c"}},{"name":"helm-arguments","array":["--skip-tests","--set=a=b"]},
            {"name":"own","string":"x"},{"name":"values","string":""}]"#;
        let found = read(json).unwrap();
        assert_eq!(found.backend.as_deref(), Some("prod"));
        assert_eq!(found.values, None);
        assert_eq!(found.helm_arguments.len(), 2);
        for (json, reason) in [
            (
                r#"[{"name":"backnd","string":"x"}]"#,
                "there is no parameter backnd",
            ),
            (
                r#"[{"name":"backend","array":["x"]}]"#,
                "the parameter backend must be a text",
            ),
            (
                r#"[{"name":"values-files","string":"x"}]"#,
                "the parameter values-files must be a list",
            ),
            (
                r#"[{"name":"set","string":"x"}]"#,
                "the parameter set must be a map",
            ),
            ("{", "ARGOCD_APP_PARAMETERS is no list of parameters"),
        ] {
            assert_eq!(read(json).unwrap_err(), reason);
        }
    }

    #[test]
    fn flags_that_leave_the_chart_are_refused() {
        for argument in [
            "--post-renderer=/bin/sh",
            "--set-file=a=/etc/passwd",
            "--values=/etc/passwd",
            "-f",
            "--repo=https://x",
            "--kubeconfig=x",
            "--set",
            "--skip-testsx",
            "--registry-config=x",
            "--dependency-update",
            "..",
            "",
        ] {
            let json = format!(r#"[{{"name":"helm-arguments","array":["{argument}"]}}]"#);
            let error = read(&json).unwrap_err();
            assert!(error.starts_with("helm-arguments may not hold"), "{error}");
        }
    }
}
