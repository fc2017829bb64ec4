//! What an entry says: its first line is the password; below it are keys with values in one of three forms, as gopass tells
//! them apart. A text of no form is a text.
//!
//! <https://github.com/gopasspw/gopass/blob/master/docs/secrets.md>

use std::collections::HashSet;

use zeroize::Zeroizing;

use crate::backends::Keys;
use crate::backends::file::value;
use crate::secret::{Map, Value};
use crate::yaml::tree::Tree;
use crate::yaml::value::from_tree;
use crate::yaml::{YamlReader, decode_base64};

/// The key of the first line.
const PASSWORD: &str = "password";
/// All bytes as they are, the last line end too.
const ALL: &str = "@all";
/// What is neither the password nor a key.
const BODY: &str = "@body";
/// A file that gopass has put in, decoded.
const BINARY: &str = "@binary";

/// The first line of gopass's oldest form.
const MIME: &str = "GOPASS-SECRET-1.0";

/// The keys of an entry. Those that begin with `@` are there for whoever names them.
pub(super) fn values(text: &[u8], keys: &Keys) -> Result<Map, &'static str> {
    let entry = match std::str::from_utf8(text) {
        Ok(text) => Entry::parse(text)?,
        Err(_) => Entry::binary(text),
    };
    let Keys::Some(wanted) = keys else {
        return Ok(entry.values);
    };
    let mut values = entry.values;
    for key in wanted {
        let special = match key.as_str() {
            ALL => Some(value(text.to_vec())),
            BODY => Some(Value::string(entry.body.as_str())),
            BINARY => decoded(&values, &entry.body)?,
            _ => None,
        };
        values.extend(special.map(|value| (key.clone(), value)));
    }
    Ok(values)
}

/// An entry, taken apart.
struct Entry {
    values: Map,
    body: Zeroizing<String>,
}

impl Entry {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        if first == MIME {
            return Self::mime(rest);
        }
        Ok(Self::yaml(first, text, rest).unwrap_or_else(|| Self::lines(first, rest)))
    }

    /// Of a file that is no text only the first line may be one.
    fn binary(text: &[u8]) -> Self {
        let first = text.split(|byte| *byte == b'\n').next();
        let first = value(first.unwrap_or_default().to_vec());
        Self {
            values: vec![(PASSWORD.to_owned(), first)],
            body: Zeroizing::default(),
        }
    }

    /// Keys and values between colons, lines of text between them. Of equal keys the first counts.
    fn lines(first: &str, rest: &str) -> Self {
        let mut values = Values::of(PASSWORD, first);
        let mut body = Zeroizing::new(String::with_capacity(rest.len()));
        for line in rest.split_inclusive('\n') {
            let text = line.strip_suffix('\n').unwrap_or(line);
            match text.split_once(": ") {
                Some((key, value)) => values.add(key.trim(), Value::string(value)),
                None => body.push_str(line),
            }
        }
        Self {
            values: values.map,
            body,
        }
    }

    /// A mapping in YAML behind a line `---`, with text above it. `None` where there is none.
    fn yaml(first: &str, text: &str, rest: &str) -> Option<Self> {
        let mut values = Values::default();
        let above = if is_mark(first) {
            text
        } else {
            values = Values::of(PASSWORD, first);
            rest
        };
        let mut start = 0;
        let mark = above.split_inclusive('\n').find(|line| {
            let is_mark = is_mark(line);
            start += if is_mark { 0 } else { line.len() };
            is_mark
        })?;
        let yaml = &above[start + mark.len()..];
        let tree = Tree::read(&mut YamlReader::new(yaml)).ok()??;
        if tree.is_empty() {
            return None;
        }
        let Ok(Value::Map(map)) = from_tree(&tree, Tree::ROOT) else {
            return None;
        };
        for (key, value) in map {
            let spelled = tree.get(Tree::ROOT, &key).and_then(|id| tree.text(id));
            let value = match (value, spelled) {
                // `pin: 0123` is those four digits.
                (Value::Number(_) | Value::Bool(_), Some(text)) => Value::string(text),
                (value, _) => value,
            };
            values.add(&key, value);
        }
        Some(Self {
            values: values.map,
            body: Zeroizing::new(above[..start].to_owned()),
        })
    }

    /// Headers as mail has them, the password among them, then the text.
    fn mime(rest: &str) -> Result<Self, &'static str> {
        let mut values = Values::default();
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            end += line.len();
            let header = line.trim_end_matches(['\r', '\n']);
            if header.is_empty() {
                break;
            }
            let (key, value) = header
                .split_once(':')
                .ok_or("a line of its head is no header")?;
            values.add(&key.trim().to_lowercase(), Value::string(value.trim()));
        }
        Ok(Self {
            values: values.map,
            body: Zeroizing::new(rest[end..].to_owned()),
        })
    }
}

/// Whether a line begins YAML. A PEM text begins with more dashes.
fn is_mark(line: &str) -> bool {
    let line = line.trim_end();
    line == "---" || line.starts_with("--- ")
}

/// The file that gopass has put in as base64, if it says so.
fn decoded(values: &Map, body: &str) -> Result<Option<Value>, &'static str> {
    let is_base64 = values.iter().any(|(key, value)| {
        let coding = value.text().and_then(|text| text.expose_str());
        key.eq_ignore_ascii_case("content-transfer-encoding")
            && coding.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("base64"))
    });
    if !is_base64 {
        return Ok(None);
    }
    let text: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    let bytes = decode_base64(&text).ok_or("its body is not base64")?;
    Ok(Some(value(bytes)))
}

/// Values of which the first of a name counts.
#[derive(Default)]
struct Values {
    map: Map,
    known: HashSet<String>,
}

impl Values {
    fn of(key: &str, text: &str) -> Self {
        let mut values = Self::default();
        values.add(key, Value::string(text));
        values
    }

    fn add(&mut self, key: &str, value: Value) {
        if !key.is_empty() && self.known.insert(key.to_owned()) {
            self.map.push((key.to_owned(), value));
        }
    }
}
