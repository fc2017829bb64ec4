//! Rendered manifests as repo-server is given them: one compact JSON object each, read by Kubernetes' rules, so that it
//! does not read YAML by its own. Checked before they are sent: what repo-server refuses it quotes in its error, with the
//! secrets in it (`argocd-cmp.md` 8.3).

use crate::manifest::{self, Format};
use crate::modifier::stringify;
use crate::secret::{Map, Value, last};
use crate::yaml::value::{from_json, from_yaml};

/// Why a rendered text cannot be sent. Quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("document {document} of {file} {reason}")]
pub struct Error {
    /// The file.
    pub file: String,
    /// Counted from 1, empty ones not counted.
    pub document: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The objects of a rendered text, in order. Empty documents vanish.
pub fn objects(file: &str, text: &str) -> Result<Vec<String>, Vec<Error>> {
    let format = Format::of(text);
    let (chunks, separators) = manifest::split(text);
    let mut objects = Vec::new();
    let mut errors = Vec::new();
    let mut document = 0;
    let error = |document, reason: &str| Error {
        file: file.to_owned(),
        document,
        reason: reason.to_owned(),
    };
    for chunk in chunks {
        let text = &text[chunk.range()];
        let value = match format {
            Format::Json => from_json(text),
            Format::Yaml => from_yaml(text),
        };
        match value {
            Ok(Value::Null) => {}
            Ok(value) => {
                document += 1;
                match check(&value) {
                    Ok(()) => objects.push(compact(&value)),
                    Err(reason) => errors.push(error(document, &reason)),
                }
            }
            Err(syntax) => {
                document += 1;
                // The parser's words are its own; it quotes nothing.
                errors.push(error(
                    document,
                    &format!("cannot be read: {}", syntax.message),
                ));
            }
        }
    }
    let broken = |_| error(document, "is broken where its next one should begin");
    errors.extend(separators.into_iter().map(broken));
    if errors.is_empty() {
        Ok(objects)
    } else {
        Err(errors)
    }
}

fn compact(value: &Value) -> String {
    let text = stringify(value);
    let text = text.expose_str().expect("it was checked that all is text");
    text.to_owned()
}

/// What repo-server, or the cluster, would refuse in an object, in a sentence without its subject.
fn check(value: &Value) -> Result<(), String> {
    let Value::Map(object) = value else {
        return Err(format!("is no object but a {}", value.type_name()));
    };
    if !is_text(value) {
        return Err("holds bytes that are no text".to_owned());
    }
    for key in ["apiVersion", "kind"] {
        let text = last(object, key).and_then(Value::text);
        if text.is_none_or(|text| text.expose().is_empty()) {
            return Err(format!("has no {key}"));
        }
    }
    if let Some(metadata) = field(object, "metadata", "metadata")? {
        check_metadata(metadata, "metadata")?;
    }
    check_templates(object)?;
    if let Some(Value::List(items)) = last(object, "items") {
        for (index, item) in items.iter().enumerate() {
            check(item)
                .map_err(|reason| format!("holds an item, number {}, that {reason}", index + 1))?;
        }
    }
    Ok(())
}

fn is_text(value: &Value) -> bool {
    match value {
        Value::String(text) | Value::Bytes(text) => text.expose_str().is_some(),
        Value::List(items) => items.iter().all(is_text),
        Value::Map(map) => map.iter().all(|(_, value)| is_text(value)),
        _ => true,
    }
}

/// A map in a map; an absent one and a null are none.
fn field<'v>(map: &'v Map, key: &str, name: &str) -> Result<Option<&'v Map>, String> {
    match last(map, key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Map(map)) => Ok(Some(map)),
        Some(other) => Err(format!("has a {} for its {name}", other.type_name())),
    }
}

fn check_metadata(metadata: &Map, name: &str) -> Result<(), String> {
    for key in ["labels", "annotations"] {
        let name = format!("{name}.{key}");
        let Some(map) = field(metadata, key, &name)? else {
            continue;
        };
        for (key, value) in map {
            if value.text().is_none() {
                let kind = value.type_name();
                return Err(format!(
                    "has a {kind} in its {name}, at {key}, where only strings may stand"
                ));
            }
        }
    }
    Ok(())
}

/// Pod templates, of workloads and of what makes such.
fn check_templates(object: &Map) -> Result<(), String> {
    let spec = last(object, "spec");
    let job = spec.and_then(|spec| spec.get("jobTemplate")?.get("spec"));
    for (spec, name) in [(spec, "spec"), (job, "spec.jobTemplate.spec")] {
        let metadata = spec.and_then(|spec| spec.get("template")?.get("metadata"));
        if let Some(Value::Map(metadata)) = metadata {
            check_metadata(metadata, &format!("{name}.template.metadata"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<String>, String> {
        objects("a.yaml", text).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })
    }

    #[test]
    fn documents_become_compact_objects_by_kubernetes_rules() {
        let text = "apiVersion: v1\nkind: X\na: yes\nb: 0777\nc: 1e3\nd: 12:30:45\ne: 2020-01-01\nf: 0o7\ng: 1\ng: 2\n---\n# nothing\n---\nnull\n---\r\n{apiVersion: v1, kind: B, b: !!binary aGk=}\n";
        let first = r#"{"apiVersion":"v1","kind":"X","a":true,"b":511,"c":1000,"d":"12:30:45","e":"2020-01-01","f":7,"g":2}"#;
        let second = r#"{"apiVersion":"v1","kind":"B","b":"hi"}"#;
        assert_eq!(of(text).unwrap(), [first, second]);
        let json = "{\"kind\":\"A\", \"apiVersion\":\"v1\"}\n{\"kind\":\"B\",\"apiVersion\":\"v1\",\"n\":1.50}";
        let objects = [
            r#"{"kind":"A","apiVersion":"v1"}"#,
            r#"{"kind":"B","apiVersion":"v1","n":1.50}"#,
        ];
        assert_eq!(of(json).unwrap(), objects);
        assert_eq!(of("").unwrap(), [""; 0]);
    }

    #[test]
    fn what_repo_server_would_quote_is_never_sent() {
        let top = "apiVersion: v1\nkind: X\n";
        for (text, reason) in [
            ("a: cnry", "has no apiVersion"),
            ("apiVersion: v1\nkind: ''", "has no kind"),
            ("apiVersion: v1\nkind: 5", "has no kind"),
            ("[cnry]", "is no object but a list"),
            ("cnry", "is no object but a string"),
            ("{", "cannot be read"),
            (
                &format!("{top}metadata: cnry"),
                "has a string for its metadata",
            ),
            (
                &format!("{top}metadata: {{annotations: {{a: 1}}}}"),
                "has a number in its metadata.annotations, at a,",
            ),
            (
                &format!("{top}metadata: {{labels: {{a: null}}}}"),
                "has a null in its metadata.labels, at a,",
            ),
            (
                &format!("{top}metadata: {{labels: [cnry]}}"),
                "has a list for its metadata.labels",
            ),
            (
                &format!("{top}a: !!binary /w=="),
                "holds bytes that are no text",
            ),
            (
                &format!("{top}items: [{{kind: A, apiVersion: v1}}, {{a: cnry}}]"),
                "holds an item, number 2, that has no apiVersion",
            ),
            (
                &format!("{top}spec: {{template: {{metadata: {{labels: {{a: true}}}}}}}}"),
                "in its spec.template.metadata.labels",
            ),
            (
                &format!(
                    "{top}spec: {{jobTemplate: {{spec: {{template: {{metadata: {{annotations: {{a: 2}}}}}}}}}}}}"
                ),
                "in its spec.jobTemplate.spec.template.metadata.annotations",
            ),
        ] {
            let error = of(&format!("{top}---\n{text}\n")).unwrap_err();
            assert!(error.starts_with("document 2 of a.yaml"), "{error}");
            assert!(error.contains(reason), "{error}: {reason}");
            assert!(!error.contains("cnry"), "{error}");
        }
        assert!(
            of(&format!(
                "{top}metadata: {{annotations: null, labels: {{a: b}}}}\nspec: 5\nitems: 3"
            ))
            .is_ok()
        );
    }

    #[test]
    fn all_broken_documents_are_told() {
        let error = of("a: 1\n---\nb: 2\n--- x\nc: 3\n").unwrap_err();
        assert_eq!(error.lines().count(), 4, "{error}");
    }
}
