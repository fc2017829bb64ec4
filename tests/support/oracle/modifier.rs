//! Every modifier of the table with any arguments on any value: no panic, the same twice, numbers stay numbers, no
//! value in a message; and where another reader or an inverse knows the answer, that answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifuse::diagnostics::Explain;
use manifuse::modifier::{self, Applied, Error, MODIFIERS};
use manifuse::secret::Value;

use super::{input, readers};
use crate::support::expectation::to_tree;
use crate::support::kube_yaml;
use crate::support::tree::Tree;

/// The arguments, then the values.
pub(super) fn check(input: &[u8]) {
    let Some((arguments, values)) = input::pieces(input) else {
        return;
    };
    let arguments = String::from_utf8_lossy(arguments);
    for value in values.iter().map(input::marked_value) {
        for modifier in MODIFIERS.iter().filter(|modifier| !is_slow(modifier.name)) {
            one(modifier.name, &arguments, &value);
            one(modifier.name, "", &value);
        }
        inverses(&value);
        if let Some(text) = text_of(&value) {
            json(text, &value);
            yaml(text, &value);
        }
    }
}

/// Made to take long, whatever the value.
fn is_slow(name: &str) -> bool {
    matches!(name, "bcrypt" | "htpasswd")
}

fn apply(statements: &[&str], value: &Value) -> Result<Applied, Error> {
    let statements: Vec<String> = statements
        .iter()
        .map(|&statement| statement.to_owned())
        .collect();
    modifier::apply(&statements, Some(value.clone()), "shop/db#k")
}

fn one(name: &str, arguments: &str, value: &Value) {
    let statement = format!("{name} {arguments}");
    let applied = apply(&[&statement], value);
    assert_eq!(
        applied.as_ref().ok(),
        apply(&[&statement], value).as_ref().ok(),
        "{statement}"
    );
    match applied {
        Ok(Applied { value, warnings }) => {
            input::check_text(&warnings.join("\n"));
            well_formed(&value, &statement);
        }
        Err(error) => input::check_text(&format!("{error:?} {error} {:?}", error.hint())),
    }
}

/// What becomes of numbers must be a number in JSON.
fn well_formed(value: &Value, statement: &str) {
    match value {
        Value::Number(number) => {
            let literal = number.expose();
            let digits = serde_json::from_str::<serde_json::Value>(literal);
            let out_of_range = literal.contains(['e', 'E']);
            assert!(
                digits.is_ok_and(|json| json.is_number()) || out_of_range,
                "{statement}: {literal}"
            );
        }
        Value::List(items) => items.iter().for_each(|item| well_formed(item, statement)),
        Value::Map(map) => map
            .iter()
            .for_each(|(_, item)| well_formed(item, statement)),
        _ => {}
    }
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => text.expose_str(),
        _ => None,
    }
}

fn inverses(value: &Value) {
    if let Ok(json) = apply(&["toJson"], value) {
        let again = apply(&["jsonParse"], &json.value).expect("what is written as JSON is JSON");
        assert_eq!(to_tree(&again.value), to_tree(value));
        let text = text_of(&json.value).expect("JSON is text");
        let theirs: serde_json::Value = serde_json::from_str(text).expect("JSON for others, too");
        assert_eq!(Tree::from(&theirs), to_tree(value), "{text}");
    }
    if let Ok(yaml) = apply(&["toYaml"], value) {
        let text = text_of(&yaml.value).expect("YAML is text");
        let theirs = kube_yaml::document(text.as_bytes());
        assert_eq!(theirs.as_ref(), Ok(&to_tree(value)), "{text}");
    }
    let Value::String(text) = value else {
        return;
    };
    let encoded = apply(&["base64encode"], value).expect("any string has a base64 form");
    assert_eq!(encoded.value, Value::string(STANDARD.encode(text.expose())));
    for pair in [
        ["base64encode", "base64decode"],
        ["base64urlEncode", "base64urlDecode"],
    ] {
        let decoded = apply(&pair, value).expect("base64 decodes");
        assert_eq!((&decoded.value, decoded.warnings.len()), (value, 0));
    }
    let bytes = STANDARD.decode(text.expose());
    let decoded = apply(&["base64decode"], value).expect("decodes what it can");
    if let Ok(bytes) = bytes {
        assert_eq!(
            (decoded.value, decoded.warnings.len()),
            (Value::string(bytes), 0)
        );
    }
}

/// `jsonParse` against `serde_json`.
fn json(text: &str, value: &Value) {
    let Ok(theirs) = serde_json::from_str::<serde_json::Value>(text) else {
        return;
    };
    let ours = apply(&["jsonParse"], value).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(to_tree(&ours.value), Tree::from(&theirs), "{text}");
}

/// `yamlParse` against other readers.
fn yaml(text: &str, value: &Value) {
    if let (Ok(ours), Some(theirs)) = (apply(&["yamlParse"], value), readers::agreed(text)) {
        assert_eq!(to_tree(&ours.value), theirs, "{text}");
    }
}
