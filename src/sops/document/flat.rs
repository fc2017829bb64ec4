//! The `sops` block in formats without nesting: one key for each text, `age__list_0__map_enc`.

use std::collections::BTreeMap;

use super::flat_text;
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::sops::error::Error;
use crate::sops::tree::{Branch, Element, Item, Kind, Leaf, Node};

const MAP: &str = "__map_";
const LIST: &str = "__list_";

/// More steps than any block has.
const MAX_STEPS: usize = 16;

/// The block that the entries of a flat one say. In all texts a backslash and an `n` stand for a line end.
pub(super) fn unflatten(entries: Branch, span: Span) -> Result<Node, Error> {
    let mut top = Flat::Map(BTreeMap::new());
    for item in entries {
        let Item::Entry(key, node) = item else {
            continue;
        };
        let steps = steps(&key);
        if steps.len() > MAX_STEPS {
            return Err(broken("a name of too many parts", &key));
        }
        top.insert(&steps, node, &key)?;
    }
    top.into_node(span)
}

/// The entries that a block is as a flat one, sorted by their names.
pub(super) fn flatten(block: &Branch) -> Branch {
    let mut entries = Vec::new();
    for item in block {
        if let Item::Entry(key, node) = item {
            add(key.clone(), node, &mut entries);
        }
    }
    entries.sort_by(|(first, _), (second, _)| first.cmp(second));
    let item = |(name, text): (String, String)| Item::Entry(name, Node::text(text));
    entries.into_iter().map(item).collect()
}

fn add(name: String, node: &Node, entries: &mut Vec<(String, String)>) {
    match &node.kind {
        Kind::Map(branch) => {
            for item in branch {
                if let Item::Entry(key, node) = item {
                    add(format!("{name}{MAP}{key}"), node, entries);
                }
            }
        }
        Kind::List(elements) => {
            let values = elements.iter().filter_map(|element| match element {
                Element::Value(node) => Some(node),
                Element::Comment(_) => None,
            });
            for (index, node) in values.enumerate() {
                add(format!("{name}{LIST}{index}"), node, entries);
            }
        }
        Kind::Null | Kind::Leaf(_) => {
            let text = flat_text(node).unwrap_or_else(|| Text::from(""));
            let text = String::from_utf8_lossy(text.expose()).replace('\n', "\\n");
            entries.push((name, text));
        }
    }
}

/// A step from a node to one of its children.
enum Step<'k> {
    Key(&'k str),
    Index(usize),
}

/// A block while it is put together.
enum Flat {
    Leaf(Node),
    Map(BTreeMap<String, Flat>),
    List(BTreeMap<usize, Flat>),
}

/// The steps that a name says: the first is a key, each other one has a marker before it.
fn steps(name: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = name;
    let mut is_index = false;
    loop {
        let next = [(MAP, false), (LIST, true)]
            .into_iter()
            .filter_map(|(marker, index)| Some((rest.find(marker)?, marker, index)))
            .min();
        let text = next.map_or(rest, |(start, ..)| &rest[..start]);
        steps.push(if is_index {
            // As SOPS reads what is no number.
            Step::Index(text.parse().unwrap_or_default())
        } else {
            Step::Key(text)
        });
        let Some((start, marker, index)) = next else {
            return steps;
        };
        rest = &rest[start + marker.len()..];
        is_index = index;
    }
}

impl Flat {
    fn insert(&mut self, steps: &[Step<'_>], node: Node, name: &str) -> Result<(), Error> {
        let Some((step, rest)) = steps.split_first() else {
            return Err(broken("something that is there already", name));
        };
        let make = || match rest.first() {
            None => None,
            Some(Step::Key(_)) => Some(Self::Map(BTreeMap::new())),
            Some(Step::Index(_)) => Some(Self::List(BTreeMap::new())),
        };
        let child = match (self, step) {
            (Self::Map(children), Step::Key(key)) => match make() {
                Some(empty) => children.entry((*key).to_owned()).or_insert(empty),
                None if children.contains_key(*key) => {
                    return Err(broken("something that is there already", name));
                }
                None => {
                    children.insert((*key).to_owned(), Self::Leaf(node));
                    return Ok(());
                }
            },
            (Self::List(children), Step::Index(index)) => match make() {
                Some(empty) => children.entry(*index).or_insert(empty),
                None if children.contains_key(index) => {
                    return Err(broken("something that is there already", name));
                }
                None => {
                    children.insert(*index, Self::Leaf(node));
                    return Ok(());
                }
            },
            _ => return Err(broken("what another name says to be of another kind", name)),
        };
        child.insert(rest, node, name)
    }

    fn into_node(self, span: Span) -> Result<Node, Error> {
        Ok(match self {
            Self::Leaf(node) => with_line_ends(node),
            Self::Map(children) => {
                let entry =
                    |(key, child): (String, Self)| Ok(Item::Entry(key, child.into_node(span)?));
                let branch = children
                    .into_iter()
                    .map(entry)
                    .collect::<Result<_, Error>>()?;
                Node::new(Kind::Map(branch), span)
            }
            Self::List(children) => {
                if !children.keys().copied().eq(0..children.len()) {
                    return Err(Error::Metadata("a list in it has gaps".to_owned()));
                }
                let element = |child: Self| Ok(Element::Value(child.into_node(span)?));
                let elements = children.into_values().map(element);
                Node::new(Kind::List(elements.collect::<Result<_, Error>>()?), span)
            }
        })
    }
}

fn with_line_ends(node: Node) -> Node {
    match &node.kind {
        Kind::Leaf(Leaf::String(text)) => {
            let text = String::from_utf8_lossy(text.expose()).replace("\\n", "\n");
            Node::new(Kind::Leaf(Leaf::String(Text::from(text))), node.span)
        }
        _ => node,
    }
}

fn broken(what: &str, name: &str) -> Error {
    let name: String = name.chars().take(100).collect();
    Error::Metadata(format!("{name} names {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unflattened(names: &[&str]) -> Result<Node, String> {
        let leaf = || Node::new(Kind::Leaf(Leaf::String("a\\nb".into())), Span::at(0));
        let entries = names
            .iter()
            .map(|name| Item::Entry((*name).to_owned(), leaf()));
        unflatten(entries.collect(), Span::at(0)).map_err(|error| error.to_string())
    }

    #[test]
    fn names_become_lists_and_mappings() {
        let names = ["mac", "age__list_1__map_enc", "age__list_0__map_enc"];
        let Kind::Map(block) = unflattened(&names).unwrap().kind else {
            panic!("not a mapping");
        };
        let [Item::Entry(age, list), Item::Entry(mac, text)] = &block[..] else {
            panic!("not two entries");
        };
        assert_eq!((age.as_str(), mac.as_str()), ("age", "mac"));
        assert!(matches!(&list.kind, Kind::List(elements) if elements.len() == 2));
        assert!(matches!(&text.kind, Kind::Leaf(Leaf::String(text)) if text.expose() == b"a\nb"));
        let again = flatten(&block).into_iter().map(|item| match item {
            Item::Entry(name, _) => name,
            Item::Comment(_) => String::new(),
        });
        let sorted = ["age__list_0__map_enc", "age__list_1__map_enc", "mac"];
        assert_eq!(again.collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for names in [
            &["a", "a"][..],
            &["a", "a__map_b"],
            &["a__list_0", "a__map_b"],
            &["a__list_0", "a__list_x"],
            &["a__list_0", "a__list_2"],
            &["a__list_999999999999"],
            &["a__map_b", "a"],
        ] {
            assert!(unflattened(names).is_err(), "{names:?}");
        }
        let deep = format!("a{}", "__map_b".repeat(20));
        assert!(unflattened(&[&deep]).is_err());
    }
}
