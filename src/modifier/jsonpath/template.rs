//! What a template consists of.

/// One step of a template, or of an action in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Text outside braces, or in quotes. Escapes can make it something else than UTF-8.
    Text(Vec<u8>),
    /// What stands in one pair of braces: steps, each working on the results of the one before.
    Action(Vec<Node>),
    /// `.name`
    Field(String),
    /// `[0]`, `[-1]`, `[a:b:step]`, `[*]`
    Slice(Slice),
    /// `[?(…)]`
    Filter(Filter),
    /// `['a','b']`
    Union(Vec<Vec<Node>>),
    /// `.*`
    Wildcard,
    /// `..`
    Descent,
    /// A bare integer.
    Integer(i64),
    /// A bare number with a point.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `range`, `end`, or a mistake that only counts where it is reached.
    Identifier(String),
}

/// An index or a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// `None` is the first element.
    pub(super) start: Option<i64>,
    /// Where it ends.
    pub(super) end: End,
    /// `None` is 1.
    pub(super) step: Option<i64>,
}

/// The end of a slice, not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// That of the list.
    OfList,
    /// Before this element.
    Before(i64),
    /// Right behind the start: an index.
    AfterStart,
}

/// A condition on the elements of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    /// What is looked at.
    pub(super) left: Vec<Node>,
    /// The operator as written, and what `left` is compared with; `None` asks only whether `left` has a result.
    pub(super) comparison: Option<(String, Vec<Node>)>,
}
