//! The user's `.sops.yaml`: for whom files are encrypted, by their paths, and how they are laid out (`sops.md` section
//! 13).

use regex::Regex;

use super::document::Layout;
use super::error::Error;
use super::keys::{KeyKind, MasterKey};
use super::metadata::SELECTORS;
use super::recipe::Recipe;
use crate::go_regex;
use crate::secret::{Map, Value};
use crate::yaml::value;

/// The flat fields of a rule, in the order in which their keys are put together.
const FLAT: [(&str, KeyKind); 7] = [
    ("age", KeyKind::Age),
    ("pgp", KeyKind::Pgp),
    ("kms", KeyKind::AwsKms),
    ("gcp_kms", KeyKind::GcpKms),
    ("hckms", KeyKind::HuaweiKms),
    ("azure_keyvault", KeyKind::AzureKeyVault),
    ("hc_vault_transit_uri", KeyKind::Vault),
];

/// How deep key groups may merge others.
const MAX_MERGES: usize = 16;

/// A configuration.
pub struct Config(Map);

impl Config {
    /// Reads a configuration.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match value::from_yaml(text).map_err(Error::Syntax)? {
            Value::Map(map) => Ok(Self(map)),
            Value::Null => Ok(Self(Map::new())),
            _ => Err(wrong("it is no mapping")),
        }
    }

    /// The layout that it asks for. What it does not say is as SOPS has it without one.
    pub fn layout(&self) -> Layout {
        let usual = Layout::default();
        let indent = |store| match get(map(get(map(get(&self.0, "stores")?)?, store)?)?, "indent")?
        {
            Value::Number(number) => number.expose().parse::<usize>().ok(),
            _ => None,
        };
        Layout {
            yaml_indent: indent("yaml")
                .filter(|indent| *indent > 0)
                .unwrap_or(usual.yaml_indent),
            json_indent: indent("json").or(usual.json_indent),
        }
    }

    /// What the first rule says that matches a path, as it is seen from the configuration's folder. `None` without rules.
    ///
    /// # Errors
    /// No rule matches, or one that is looked at is wrong.
    pub fn recipe(&self, path: &str) -> Result<Option<Recipe>, Error> {
        let rules = match get(&self.0, "creation_rules") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::List(rules)) => rules,
            Some(_) => return Err(wrong("creation_rules is no list")),
        };
        for rule in rules {
            let rule = map(rule).ok_or_else(|| wrong("a creation rule is no mapping"))?;
            if matches(rule, path)? {
                return recipe(rule).map(Some);
            }
        }
        Err(Error::NoRule)
    }
}

fn matches(rule: &Map, path: &str) -> Result<bool, Error> {
    let Some(expression) = get(rule, "path_regex") else {
        return Ok(true);
    };
    let expression = text(expression).ok_or_else(|| wrong("path_regex is no text"))?;
    let translated = go_regex::translate(&expression);
    let regex = translated.ok().and_then(|regex| Regex::new(&regex).ok());
    let regex = regex.ok_or_else(|| wrong("path_regex is not a valid regular expression"))?;
    Ok(regex.is_match(path))
}

fn recipe(rule: &Map) -> Result<Recipe, Error> {
    let mut recipe = Recipe::default();
    match get(rule, "key_groups") {
        Some(Value::List(groups)) => {
            for group in groups {
                recipe.groups.push(Vec::new());
                add_group(&mut recipe, group, 0)?;
            }
        }
        Some(Value::Null) | None => {
            for (field, kind) in FLAT {
                for key in get(rule, field)
                    .map(texts)
                    .transpose()?
                    .into_iter()
                    .flatten()
                {
                    recipe.add_keys(kind, &key)?;
                }
            }
            if let Some(profile) = get(rule, "aws_profile").and_then(text) {
                recipe.set_aws_profile(&profile);
            }
        }
        Some(_) => return Err(wrong("key_groups is no list")),
    }
    for name in SELECTORS {
        if let Some(value) = get(rule, name)
            .and_then(text)
            .filter(|value| !value.is_empty())
        {
            recipe.set_rule(name, &value)?;
        }
    }
    recipe.mac_only_encrypted = matches!(get(rule, "mac_only_encrypted"), Some(Value::Bool(true)));
    if let Some(Value::Number(number)) = get(rule, "shamir_threshold") {
        let threshold = number.expose().parse();
        recipe.threshold = threshold.map_err(|_| wrong("shamir_threshold is no small number"))?;
    }
    Ok(recipe)
}

/// Adds the keys of a group, those that it merges first, to the last group of a recipe.
fn add_group(recipe: &mut Recipe, group: &Value, depth: usize) -> Result<(), Error> {
    let group = map(group).ok_or_else(|| wrong("a key group is no mapping"))?;
    if depth > MAX_MERGES {
        return Err(wrong("key groups merge too deeply"));
    }
    if let Some(Value::List(merged)) = get(group, "merge") {
        for group in merged {
            add_group(recipe, group, depth + 1)?;
        }
    }
    for (field, kind) in FLAT {
        let field = if kind == KeyKind::Vault {
            "hc_vault"
        } else {
            field
        };
        let keys = match get(group, field) {
            None | Some(Value::Null) => continue,
            Some(Value::List(keys)) => keys.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        for key in keys {
            if let Value::Map(fields) = key {
                recipe.add_key(of_fields(kind, fields));
            } else {
                let text = text(key).ok_or_else(|| wrong("a key is no text"))?;
                recipe.add_keys(kind, &text)?;
            }
        }
    }
    Ok(())
}

/// A key by its fields, some of which are called otherwise than in files.
fn of_fields(kind: KeyKind, fields: &Map) -> MasterKey {
    let mut key = MasterKey::new(kind, "");
    for (name, value) in kind.fields().iter().zip(&mut key.fields) {
        let here = match *name {
            "vault_url" => "vaultUrl",
            "name" => "key",
            name => name,
        };
        *value = get(fields, here).and_then(text).unwrap_or_default();
    }
    let context = get(fields, "context").and_then(map);
    let pair = |(name, value): &(String, Value)| Some((name.clone(), text(value)?));
    key.context = context.into_iter().flatten().filter_map(pair).collect();
    key.context.sort();
    key
}

/// A text, or the texts of a list; each may hold several with commas between them.
fn texts(value: &Value) -> Result<Vec<String>, Error> {
    let wrong = || wrong("a list of keys holds something that is no text");
    match value {
        Value::Null => Ok(Vec::new()),
        Value::List(items) => items
            .iter()
            .map(|item| text(item).ok_or_else(wrong))
            .collect(),
        one => Ok(vec![text(one).ok_or_else(wrong)?]),
    }
}

fn get<'v>(map: &'v Map, key: &str) -> Option<&'v Value> {
    map.iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

fn map(value: &Value) -> Option<&Map> {
    match value {
        Value::Map(map) => Some(map),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.expose_str().map(str::to_owned),
        Value::Number(number) => Some(number.expose().to_owned()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn wrong(reason: &str) -> Error {
    Error::Config(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "\
creation_rules:
  - path_regex: ^prod/
    encrypted_regex: ^data$
    age: age1kury3dpwxr8htp6xxf2m6qd0jmagnqnc0es2yd8vnlq0k883hy0s2y9uy8
  - path_regex: groups
    shamir_threshold: 2
    key_groups:
      - merge: [{pgp: [ABCD]}]
        azure_keyvault: [{vaultUrl: https://v, key: k, version: '1'}]
      - kms: [{arn: a, context: {b: c}}]
stores: {yaml: {indent: 2}}
";

    #[test]
    fn the_first_rule_that_matches_counts() {
        let config = Config::parse(RULES).unwrap();
        assert_eq!(config.layout().yaml_indent, 2);
        let prod = config.recipe("prod/a.yaml").unwrap().unwrap();
        assert_eq!(prod.rule, Some(("encrypted_regex", "^data$".to_owned())));
        assert_eq!(prod.groups.len(), 1);
        let groups = config.recipe("x/groups").unwrap().unwrap();
        let kinds: Vec<Vec<_>> = groups
            .groups
            .iter()
            .map(|group| group.iter().map(|key| key.kind).collect())
            .collect();
        assert_eq!(
            kinds,
            [
                vec![KeyKind::Pgp, KeyKind::AzureKeyVault],
                vec![KeyKind::AwsKms]
            ]
        );
        assert_eq!(groups.groups[0][1].fields, ["https://v", "k", "1"]);
        assert_eq!(groups.threshold, 2);
        assert!(config.recipe("other").is_err());
        assert!(Config::parse("").unwrap().recipe("a").unwrap().is_none());
    }

    #[test]
    fn wrong_rules_are_errors() {
        for rule in [
            "{path_regex: '('}",
            "{age: nobody}",
            "{encrypted_regex: a, encrypted_suffix: b}",
            "{key_groups: {}}",
            "{key_groups: [a]}",
            "{age: [[a]]}",
            "a",
        ] {
            let config = Config::parse(&format!("creation_rules: [{rule}]")).unwrap();
            assert!(config.recipe("a").is_err(), "{rule}");
        }
        assert!(Config::parse("creation_rules: [").is_err());
    }
}
