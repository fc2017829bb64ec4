//! What an answer holds: records, alone or in shared folders, each sealed by a key of its own, and their fields as values.

use crate::backends::object;
use crate::secret::{Map, Text, Value, last};

use super::envelope::{decode, open};

/// A record, if its keys open it.
pub(super) struct Record {
    pub(super) uid: String,
    pub(super) fields: Option<Map>,
}

/// All records of an answer, which leaves out what it has none of; `None` if it is no answer.
pub(super) fn all(answer: &Text, app_key: &Text) -> Option<Vec<Record>> {
    let answer = Value::Map(object(answer)?);
    let mut records = records(&answer, Some(app_key));
    let folders = answer.get("folders").map(Value::items).unwrap_or_default();
    for folder in folders {
        let key = unwrapped(folder, "folderKey", app_key);
        records.extend(self::records(folder, key.as_ref()));
    }
    Some(records)
}

fn records(within: &Value, key: Option<&Text>) -> Vec<Record> {
    let records = within.get("records").map(Value::items).unwrap_or_default();
    let parse = |record: &Value| {
        Some(Record {
            uid: record.get("recordUid")?.text()?.expose_str()?.to_owned(),
            fields: key.and_then(|key| fields(record, key)),
        })
    };
    records.iter().filter_map(parse).collect()
}

/// A key of what is shared, opened by the one above it.
fn unwrapped(shared: &Value, name: &str, key: &Text) -> Option<Text> {
    open(key, decode(shared.get(name)?.text()?)?.expose())
}

/// The fields of a record by label, or by type where there is none. Standard fields win over custom ones, and those
/// with no value or several are left out, as AVP has it.
fn fields(record: &Value, key: &Text) -> Option<Map> {
    let own = match record.get("recordKey").and_then(Value::text) {
        Some(wrapped) if !wrapped.expose().is_empty() => unwrapped(record, "recordKey", key)?,
        // One that is shared by itself: the application's key is its own.
        _ => key.clone(),
    };
    let data = object(&unwrapped(record, "data", &own)?)?;
    let parts = ["custom", "fields"]
        .into_iter()
        .filter_map(|part| last(&data, part));
    Some(parts.flat_map(Value::items).filter_map(field).collect())
}

fn field(field: &Value) -> Option<(String, Value)> {
    let text = |name| {
        field
            .get(name)?
            .text()?
            .expose_str()
            .filter(|text| !text.is_empty())
    };
    let kind = text("type")?;
    match field.get("value")?.items() {
        [value] => Some((text("label").unwrap_or(kind).to_owned(), value.clone())),
        _ => None,
    }
}
