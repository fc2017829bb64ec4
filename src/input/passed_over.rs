//! Files in a rendered folder that hold no manifests: our settings, SOPS's settings, and encrypted data files.
//!
//! Judged by cheap looks at the text; what is not surely one of these goes on and fails for lack of a `kind`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::diagnostics::Source;

/// Whether a file found by a walk is passed over. A file with a `kind` never is.
pub(super) fn is_no_manifest(source: &Source) -> bool {
    let text = source.text();
    let base_name = source.name().rsplit('/').next().unwrap_or_default();
    let ours = matches!(base_name, "manifuse.yaml" | ".sops.yaml");
    if !ours && !text.contains("ENC[AES256_GCM,") {
        return false;
    }
    if text.starts_with('{') {
        return is_json_data(text);
    }
    let has_key = |key: &str| text.lines().any(|line| starts_with_key(line, key));
    !has_key("kind") && (ours || has_key("sops"))
}

/// Whether the line is an entry of the top map with this key.
fn starts_with_key(line: &str, key: &str) -> bool {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let rest = ["", "\"", "'"].iter().find_map(|quote| {
        line.strip_prefix(quote)?
            .strip_prefix(key)?
            .strip_prefix(quote)
    });
    rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
}

fn is_json_data(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Top {
        kind: Option<IgnoredAny>,
        sops: Option<IgnoredAny>,
    }
    serde_json::from_str::<Top>(text).is_ok_and(|top| top.kind.is_none() && top.sops.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCRYPTED: &str = "ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]";

    fn passed_over(name: &str, text: &str) -> bool {
        is_no_manifest(&Source::new(name, text.replace('@', ENCRYPTED)))
    }

    #[test]
    fn ours_and_encrypted_data_are_no_manifests() {
        for (name, text) in [
            ("k8s/manifuse.yaml", "defaultBackend: v\n"),
            ("manifuse.yaml", ""),
            (".sops.yaml", "creation_rules: []\n"),
            ("k8s/secrets.enc.yaml", "db: @\nsops:\n  mac: @\n"),
            ("k8s/secrets.enc.yaml", "\u{feff}\"sops\" : {mac: '@'}\n"),
            ("k8s/secrets.json", "{\"db\":\"@\",\"sops\":{}}"),
        ] {
            assert!(passed_over(name, text), "{name}: {text}");
        }
    }

    #[test]
    fn what_has_a_kind_or_is_not_sure_goes_on() {
        for (name, text) in [
            ("a.yaml", "kind: Secret\nsops:\n  mac: @\n"),
            ("a.yaml", "a: @\n---\n\"kind\": Secret\nsops:\n  mac: @\n"),
            ("a.yaml", "'kind' : Secret\nsops:\n  mac: @\n"),
            ("a.json", "{\"kind\":\"Secret\",\"sops\":{\"mac\":\"@\"}}"),
            ("a.json", "{\"a\":\"@\"}"),
            ("a.json", "{\"a\":\"@\",\"sops\":{}"),
            ("a.yaml", "a: @\n"),
            ("a.yaml", "sops: {}\n"),
            ("a.yaml", "x:\n  sops: @\n"),
            ("a.yaml", "sopsx: @\nsop: 1\n"),
            ("values.yaml", "a: b\n"),
            ("manifuse.yaml", "kind: ConfigMap\n"),
        ] {
            assert!(!passed_over(name, text), "{name}: {text}");
        }
    }
}
