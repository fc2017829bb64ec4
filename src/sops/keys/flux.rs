//! The credentials of clouds in a folder of keys, as Flux wants them there: small maps of texts in YAML or JSON.

use super::folder::Folder;
use super::opener::Failure;
use crate::secret::Text;
#[cfg(any(feature = "aws", feature = "azure"))]
use crate::secret::{Map, Value};
#[cfg(any(feature = "aws", feature = "azure"))]
use crate::yaml::value::from_yaml;

/// Fields of a credentials file.
#[cfg(any(feature = "aws", feature = "azure"))]
pub(super) struct Fields {
    place: String,
    map: Map,
}

/// The fields of the file of that name, if there is a folder with it.
#[cfg(any(feature = "aws", feature = "azure"))]
pub(super) fn fields(folder: Option<&Folder>, name: &str) -> Result<Option<Fields>, Failure> {
    let Some((place, text)) = text(folder, name)? else {
        return Ok(None);
    };
    let map = text.expose_str().and_then(|text| from_yaml(text).ok());
    match map {
        Some(Value::Map(map)) => Ok(Some(Fields { place, map })),
        // The parser's words could quote the file.
        _ => Err(Failure::new(format!("{place} is no map in YAML or JSON"))),
    }
}

/// The text of the file of that name and what messages call it, if there is a folder with it. PowerShell writes UTF-16.
pub(super) fn text(folder: Option<&Folder>, name: &str) -> Result<Option<(String, Text)>, Failure> {
    let Some(file) = folder.and_then(|folder| folder.files(name).into_iter().next()) else {
        return Ok(None);
    };
    let place = file.place;
    let unreadable = |error| {
        let reason = crate::diagnostics::io_reason(&error);
        Failure::new(format!("{place} cannot be read: {reason}"))
    };
    let bytes = file.text.map_err(unreadable)?;
    let (text, _, broken) = encoding_rs::UTF_8.decode(&bytes);
    if broken {
        return Err(Failure::new(format!("{place} is no text")));
    }
    Ok(Some((place, Text::from(text.into_owned()))))
}

#[cfg(any(feature = "aws", feature = "azure"))]
impl Fields {
    /// A field that is a text and not empty.
    pub(super) fn get(&self, name: &str) -> Option<Text> {
        let found = self.map.iter().rev().find(|(key, _)| key == name);
        match found {
            Some((_, Value::String(text))) if !text.expose().is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    /// Whether a field is set.
    #[cfg(feature = "azure")]
    pub(super) fn is_true(&self, name: &str) -> bool {
        let found = self.map.iter().rev().find(|(key, _)| key == name);
        matches!(found, Some((_, Value::Bool(true))))
    }

    /// A field that must be there.
    pub(super) fn required(&self, name: &str) -> Result<Text, Failure> {
        self.get(name).ok_or_else(|| self.lacks(name))
    }

    /// That a field is not there.
    pub(super) fn lacks(&self, name: &str) -> Failure {
        Failure::new(format!("{} says no {name}", self.place))
    }
}
