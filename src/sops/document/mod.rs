//! File formats: each reads a text into the tree of [`super::tree`], the `sops` block still in it.
//!
//! YAML and JSON share one builder over events; the flat formats will have files of their own.

mod builder;
mod comments;
mod scalar;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use self::builder::Builder;
use super::error::Error;
use super::tree::{Branch, Item, Kind, Node};
use crate::yaml::json::JsonReader;
use crate::yaml::{EventReader, YamlReader};

/// The formats that this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML, one or more documents.
    Yaml,
    /// JSON, one object; what follows it is not looked at.
    Json,
}

/// The documents of a text, in order.
pub(super) fn read(text: &str, format: Format) -> Result<Vec<Branch>, Error> {
    let mut builder = Builder::new(text, format);
    match format {
        Format::Yaml => run(&mut YamlReader::with_comments(text, true), &mut builder)?,
        Format::Json => run(&mut JsonReader::new(text), &mut builder)?,
    }
    let documents = builder.finish();
    if format == Format::Yaml
        && let Some(first) = documents.first()
    {
        refuse_duplicates(first)?;
    }
    Ok(documents)
}

fn run<'a>(reader: &mut impl EventReader<'a>, builder: &mut Builder<'a>) -> Result<(), Error> {
    while let Some(event) = reader.next_event().map_err(Error::Syntax)? {
        builder.take(event)?;
        if builder.is_complete() {
            break;
        }
    }
    Ok(())
}

/// SOPS's YAML reader refuses equal keys at the top of the first document, and nowhere else.
fn refuse_duplicates(branch: &Branch) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for item in branch {
        if let Item::Entry(key, node) = item
            && !seen.insert(key.as_str())
        {
            return Err(Error::structure(
                node.span,
                format!("the key {key} stands twice"),
            ));
        }
    }
    Ok(())
}

/// The mapping that a document must be.
fn into_branch(root: Node) -> Result<Branch, Error> {
    match root.kind {
        Kind::Map(branch) => Ok(branch),
        Kind::Null => Ok(Branch::new()),
        Kind::Leaf(_) | Kind::List(_) => Err(Error::structure(
            root.span,
            "the top of a SOPS file must be a mapping",
        )),
    }
}
