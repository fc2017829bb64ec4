//! The `sops` block as it is written.

use super::Metadata;
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::sops::keys::{KeyGroup, KeyKind, Wrapped};
use crate::sops::tree::{Branch, Element, Item, Kind, Leaf, Node};

impl Metadata {
    /// The block as SOPS 3.13 writes it: all names sorted, what is empty left out.
    pub(in crate::sops) fn block(&self) -> Branch {
        let mut block = Branch::new();
        match &self.groups[..] {
            [group] => block.extend(lists(group, false)),
            groups => {
                let group = |group| Element::Value(mapping(sorted(lists(group, true))));
                let groups = Node::new(Kind::List(groups.iter().map(group).collect()), NOWHERE);
                block.push(Item::Entry("key_groups".to_owned(), groups));
            }
        }
        block.push(entry("lastmodified", self.last_modified.clone()));
        block.push(entry("mac", self.mac.clone()));
        if self.mac_only_encrypted {
            block.push(leaf("mac_only_encrypted", Leaf::Bool(true)));
        }
        if self.threshold > 0 {
            let threshold = i64::try_from(self.threshold).unwrap_or_default();
            block.push(leaf("shamir_threshold", Leaf::Int(threshold)));
        }
        if let Some((name, value)) = &self.rule {
            block.push(entry(name, value.as_str()));
        }
        block.push(entry("version", self.version.as_str()));
        sorted(block)
    }
}

/// Where something is that is in no text yet.
const NOWHERE: Span = Span { start: 0, end: 0 };

/// The lists of a group. Within several groups SOPS also writes those of Vault and age that are empty.
fn lists(group: &KeyGroup, with_empty: bool) -> Branch {
    let mut lists = Branch::new();
    for kind in KeyKind::ALL {
        let keys = group.keys.iter().filter(|wrapped| wrapped.key.kind == kind);
        let entries: Vec<Element> = keys
            .map(|key| Element::Value(mapping(fields(key))))
            .collect();
        let always = with_empty && matches!(kind, KeyKind::Vault | KeyKind::Age);
        if always || !entries.is_empty() {
            let list = Node::new(Kind::List(entries), NOWHERE);
            lists.push(Item::Entry(kind.list().to_owned(), list));
        }
    }
    lists
}

/// The fields of an entry.
fn fields(wrapped: &Wrapped) -> Branch {
    let Wrapped {
        key,
        enc,
        created_at,
    } = wrapped;
    let names = key.kind.fields().iter().zip(&key.fields);
    let mut fields: Branch = names
        .filter(|(name, value)| !value.is_empty() || key.kind.keeps_empty(name))
        .map(|(name, value)| entry(name, value.as_str()))
        .collect();
    if !key.context.is_empty() {
        let context = key
            .context
            .iter()
            .map(|(name, value)| entry(name, value.as_str()));
        fields.push(Item::Entry(
            "context".to_owned(),
            mapping(context.collect()),
        ));
    }
    if key.kind.is_dated() {
        fields.push(entry("created_at", created_at.as_str()));
    }
    fields.push(entry("enc", enc.as_str()));
    sorted(fields)
}

fn entry(name: &str, text: impl Into<Text>) -> Item {
    Item::Entry(name.to_owned(), Node::text(text))
}

fn leaf(name: &str, leaf: Leaf) -> Item {
    Item::Entry(name.to_owned(), Node::new(Kind::Leaf(leaf), NOWHERE))
}

fn mapping(branch: Branch) -> Node {
    Node::new(Kind::Map(branch), NOWHERE)
}

fn sorted(mut branch: Branch) -> Branch {
    branch.sort_by(|first, second| match (first, second) {
        (Item::Entry(first, _), Item::Entry(second, _)) => first.cmp(second),
        _ => std::cmp::Ordering::Equal,
    });
    branch
}
