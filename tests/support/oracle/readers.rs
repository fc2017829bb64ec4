//! Two readers that are not ours, of two versions of YAML: where they agree, we have no excuse.

use crate::support::tree::Tree;
use crate::support::{core_yaml, kube_yaml};

/// The first document of a YAML text as Kubernetes' reader sees it, if one of YAML 1.2 sees the same. What the versions read
/// differently is many odd things (further line ends, `[?a]`, a block at the margin) and none that people write.
pub(super) fn agreed(text: &str) -> Option<Tree> {
    // Further line ends of YAML 1.1: a scalar of another type would hide that they are read as text.
    if text.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        return None;
    }
    let kubernetes = kube_yaml::document(text.as_bytes()).ok()?;
    let core = core_yaml::document(text).ok()?;
    same_shape(&kubernetes, &core).then_some(kubernetes)
}

/// Whether both readers see the same structure and texts; what a plain scalar is they may see each in its own way.
pub(super) fn same_shape(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        (Tree::Map(a), Tree::Map(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.0 == b.0 && same_shape(a.1, b.1))
        }
        (Tree::List(a), Tree::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b))
        }
        (Tree::Map(_) | Tree::List(_) | Tree::Null, _)
        | (_, Tree::Map(_) | Tree::List(_) | Tree::Null) => a == b,
        (Tree::String(a), Tree::String(b)) => a == b,
        _ => true,
    }
}
