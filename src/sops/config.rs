//! The user's `.sops.yaml`, as far as it says how files are laid out (`sops.md` section 13).

use super::document::Layout;
use crate::secret::Value;
use crate::yaml::value;

/// The layout that a configuration asks for. What it does not say, or not rightly, is as SOPS has it without one.
pub fn layout_of(config: &str) -> Layout {
    let usual = Layout::default();
    let Ok(config) = value::from_yaml(config) else {
        return usual;
    };
    let stores = get(&config, "stores");
    let indent = |store| {
        let indent = get(get(stores?, store)?, "indent")?;
        match indent {
            Value::Number(number) => number.expose().parse::<usize>().ok(),
            _ => None,
        }
    };
    Layout {
        yaml_indent: indent("yaml")
            .filter(|indent| *indent > 0)
            .unwrap_or(usual.yaml_indent),
        json_indent: indent("json").or(usual.json_indent),
    }
}

fn get<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Map(map) => map
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value),
        _ => None,
    }
}
