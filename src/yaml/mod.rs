//! YAML and JSON as text: events with byte spans, scalars' decoded text and where its bytes lie, the scalar writer,
//! the edit list, and the resolver tables. Knows no Kubernetes.

mod event;
mod parser;
pub mod value;

pub use event::{Event, EventKind, EventReader, Layout, Properties, Style, SyntaxError};
pub use parser::{MAX_DEPTH, YamlReader};
