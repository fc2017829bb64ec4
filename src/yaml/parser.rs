//! YAML events by the parser crate, with comments on request.

use std::borrow::Cow;

use granit_parser::{
    Event as Parsed, Options, Parser, ScalarStyle, Span as ParsedSpan, StructureStyle,
    Tag as ParsedTag,
};

use super::event::{Event, EventKind, EventReader, Layout, Properties, Style, SyntaxError, Tag};
use crate::diagnostics::Span;

/// How deep collections may nest (design section 7).
pub const MAX_DEPTH: usize = 512;

/// Reads the events of a YAML text.
pub struct YamlReader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
}

impl<'a> YamlReader<'a> {
    /// A reader without comments.
    pub fn new(text: &'a str) -> Self {
        Self::with_comments(text, false)
    }

    /// A reader that also gives comments, as SOPS needs them.
    pub fn with_comments(text: &'a str, comments: bool) -> Self {
        let mut options = Options::default();
        options.emit_comments = comments;
        options.max_buffered_comment_events = usize::MAX;
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        Self {
            parser: Parser::new_from_str_with_options(text, options),
        }
    }
}

impl<'a> EventReader<'a> for YamlReader<'a> {
    fn next_event(&mut self) -> Result<Option<Event<'a>>, SyntaxError> {
        loop {
            // Matched in place: the parser's events are large, and there are many.
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((parsed, span))) => {
                    if let Some(event) = convert(parsed, &span) {
                        return Ok(Some(event));
                    }
                }
                Some(Err(error)) => {
                    return Err(SyntaxError {
                        message: error.info().clone(),
                        position: error.marker().byte_offset().unwrap_or(0),
                    });
                }
            }
        }
    }
}

/// Our event; `None` for those without meaning here.
fn convert<'a>(parsed: Parsed<'a>, parsed_span: &ParsedSpan) -> Option<Event<'a>> {
    let properties = |anchor, tag| Properties {
        anchor,
        tag: to_tag(tag, parsed_span),
    };
    let span = to_span(parsed_span);
    let (kind, properties) = match parsed {
        Parsed::Scalar(text, style, anchor, tag) => (
            EventKind::Scalar(present(text, style, span), to_style(style)),
            properties(anchor, tag),
        ),
        Parsed::SequenceStart(layout, anchor, tag) => (
            EventKind::SequenceStart(to_layout(layout)),
            properties(anchor, tag),
        ),
        Parsed::MappingStart(layout, anchor, tag) => (
            EventKind::MappingStart(to_layout(layout)),
            properties(anchor, tag),
        ),
        Parsed::DocumentStart(..) => (EventKind::DocumentStart, Properties::default()),
        Parsed::DocumentEnd => (EventKind::DocumentEnd, Properties::default()),
        Parsed::SequenceEnd => (EventKind::SequenceEnd, Properties::default()),
        Parsed::MappingEnd => (EventKind::MappingEnd, Properties::default()),
        Parsed::Alias(anchor) => (EventKind::Alias(anchor), Properties::default()),
        Parsed::Comment(text, _) => (EventKind::Comment(text), Properties::default()),
        _ => return None,
    };
    Some(Event {
        kind,
        span,
        properties,
    })
}

/// Nothing at all is `~` to the parser, also where a tag makes it a text.
fn present(text: Cow<'_, str>, style: ScalarStyle, span: Span) -> Cow<'_, str> {
    let absent = span.is_empty() && style == ScalarStyle::Plain;
    if absent { Cow::Borrowed("") } else { text }
}

fn to_tag(tag: Option<Cow<'_, ParsedTag>>, node: &ParsedSpan) -> Option<Box<Tag>> {
    let name = tag?.to_string();
    let span = node.tag_span().as_ref().map(to_span);
    Some(Box::new(Tag { name, span }))
}

fn to_span(span: &ParsedSpan) -> Span {
    span.byte_range()
        .expect("a parser of a str gives byte offsets")
        .into()
}

fn to_style(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn to_layout(style: StructureStyle) -> Layout {
    match style {
        StructureStyle::Block => Layout::Block,
        StructureStyle::Flow => Layout::Flow,
    }
}
