//! From the nodes of a YAML document to a tree: aliases expanded, scalars resolved by a dialect's rules.

use std::collections::BTreeMap;

use super::tree::Tree;

/// How YAML's own tags begin.
pub(crate) const TAGS: &str = "tag:yaml.org,2002:";

/// A node, by its index in the list of all nodes. An alias is a node of its own, so that a node inside itself can be told.
pub(crate) enum Node {
    Scalar {
        text: String,
        tag: Option<String>,
        /// Not quoted, so that its text may say a type.
        plain: bool,
    },
    List(Vec<usize>),
    Map(Vec<(usize, usize)>),
    Alias(usize),
}

/// What a dialect says about scalars: text, tag, whether plain.
pub(crate) struct Rules {
    pub(crate) scalar: fn(&str, Option<&str>, bool) -> Result<Tree, String>,
    pub(crate) key: fn(&str, Option<&str>, bool) -> Result<String, String>,
    /// Whether `<<` merges.
    pub(crate) merge: bool,
}

/// The tree of the node `root`.
pub(crate) fn tree(nodes: &[Node], root: usize, rules: &Rules) -> Result<Tree, String> {
    let mut resolver = Resolver {
        nodes,
        rules,
        open: Vec::new(),
        built: 0,
    };
    resolver.tree(root)
}

struct Resolver<'n> {
    nodes: &'n [Node],
    rules: &'n Rules,
    open: Vec<usize>,
    built: usize,
}

impl Resolver<'_> {
    fn tree(&mut self, id: usize) -> Result<Tree, String> {
        self.built += 1;
        if self.built > 4_000_000 {
            return Err("document contains excessive aliasing".to_owned());
        }
        match &self.nodes[id] {
            Node::Alias(target) => self.alias(id, *target),
            Node::Scalar { text, tag, plain } => (self.rules.scalar)(text, tag.as_deref(), *plain),
            Node::List(items) => Ok(Tree::List(
                items
                    .iter()
                    .map(|item| self.tree(*item))
                    .collect::<Result<_, _>>()?,
            )),
            Node::Map(_) => {
                let mut map = BTreeMap::new();
                self.fill(id, &mut map)?;
                Ok(Tree::Map(map))
            }
        }
    }

    fn alias(&mut self, id: usize, target: usize) -> Result<Tree, String> {
        if self.open.contains(&id) {
            return Err("anchor value contains itself".to_owned());
        }
        self.open.push(id);
        let tree = self.tree(target);
        self.open.pop();
        tree
    }

    /// Puts the entries of a mapping into a map. A merge key overwrites what stands before it, as go-yaml 2 has it.
    fn fill(&mut self, id: usize, map: &mut BTreeMap<String, Tree>) -> Result<(), String> {
        let Node::Map(entries) = &self.nodes[id] else {
            return Err("map merge requires map or sequence of maps as the value".to_owned());
        };
        for (key, value) in entries {
            if self.is_merge(*key) {
                self.merge(*value, map)?;
                continue;
            }
            let key = self.key(*key)?;
            let value = self.tree(*value)?;
            map.insert(key, value);
        }
        Ok(())
    }

    fn key(&self, id: usize) -> Result<String, String> {
        match &self.nodes[self.target(id)] {
            Node::Scalar { text, tag, plain } => (self.rules.key)(text, tag.as_deref(), *plain),
            _ => Err("invalid map key".to_owned()),
        }
    }

    fn is_merge(&self, id: usize) -> bool {
        let is_merge_tag =
            |tag: Option<&str>| tag.and_then(|tag| tag.strip_prefix(TAGS)) == Some("merge");
        match &self.nodes[id] {
            Node::Scalar { text, tag, plain } if self.rules.merge => {
                text == "<<" && (*plain || is_merge_tag(tag.as_deref()))
            }
            _ => false,
        }
    }

    fn merge(&mut self, id: usize, map: &mut BTreeMap<String, Tree>) -> Result<(), String> {
        match &self.nodes[id] {
            Node::List(items) => items
                .iter()
                .rev()
                .try_for_each(|item| self.fill(self.target(*item), map)),
            _ => self.fill(self.target(id), map),
        }
    }

    fn target(&self, id: usize) -> usize {
        match self.nodes[id] {
            Node::Alias(target) => target,
            _ => id,
        }
    }
}
