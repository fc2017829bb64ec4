//! Errors of templates, in kubectl's words. They quote the template, and of the value only types and lengths.

/// A template that cannot be read, or that asks a value for what it has not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `{` without `}`.
    #[error("unclosed action")]
    UnclosedAction,
    /// `[` without `]`.
    #[error("unterminated array")]
    UnterminatedArray,
    /// `[?(` without `)`.
    #[error("unterminated filter")]
    UnterminatedFilter,
    /// A quote that is not closed.
    #[error("unterminated quoted string")]
    UnterminatedQuote,
    /// `[?(…)` without `]`.
    #[error("unclosed array expect ]")]
    UnclosedFilter,
    /// A character that starts nothing.
    #[error("unrecognized character in action: U+{:04X} '{}'", u32::from(*.0), .0)]
    Character(char),
    /// `..` right after `..`.
    #[error("invalid multiple recursive descent")]
    RepeatedDescent,
    /// Digits and points that are no number.
    #[error("cannot parse number {0}")]
    Number(String),
    /// What stands in brackets is no index, slice, name or filter.
    #[error("invalid array index {0}")]
    Index(String),
    /// An index that is only a sign, or too large.
    #[error("array index {0} is not a number")]
    IndexNumber(String),
    /// A wrong escape in quotes.
    #[error("unquote string {0} error invalid syntax")]
    Quote(String),
    /// A bare word.
    #[error("unrecognized identifier {0}")]
    Identifier(String),
    /// `{end}` without `{range}`.
    #[error("not in range, nothing to end")]
    NothingToEnd,
    /// A field that no input has.
    #[error("{0} is not found")]
    NotFound(String),
    /// An index on something that has none.
    #[error("{0} is not array or slice")]
    NotList(&'static str),
    /// A filter on something that has no elements.
    #[error("{0} is not array or slice and cannot be filtered")]
    NotFilterable(&'static str),
    /// An index outside the list.
    #[error("array index out of bounds: index {index}, length {length}")]
    OutOfBounds {
        /// As counted from the start.
        index: i64,
        /// The list's.
        length: i64,
    },
    /// A slice that ends before it starts.
    #[error("starting index {start} is greater than ending index {end}")]
    Backwards {
        /// As counted from the start.
        start: i64,
        /// As counted from the start.
        end: i64,
    },
    /// A slice with a step of 0 or less.
    #[error("step must be > 0")]
    Step,
    /// A side of a comparison that has several values.
    #[error("can only compare one element at a time")]
    OneAtATime,
    /// Such as `=` or `=<`.
    #[error("unrecognized filter operator {0}")]
    Operator(String),
    /// A list, a map or a null in a comparison, or an order between booleans.
    #[error("invalid type for comparison")]
    ComparisonType,
    /// Two types that do not compare. An integer in a template is none of JSON's numbers: `2.0` is.
    #[error("incompatible types for comparison")]
    Comparison,
    /// Templates in templates, or ranges in ranges, beyond all reason.
    #[error("the template is nested too deeply")]
    TooDeep,
    /// More steps or results than anyone wants.
    #[error("the template yields too much")]
    TooMuch,
}
