//! YAML events by the parser crate, with comments on request.

use std::borrow::Cow;

use granit_parser::{
    Event as Parsed, Options, Parser, ScalarStyle, Span as ParsedSpan, StructureStyle, Tag,
};

use super::event::{Event, EventKind, EventReader, Layout, Properties, Style, SyntaxError};
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
            let Some(next) = self.parser.next_event() else {
                return Ok(None);
            };
            let (parsed, span) = next.map_err(|error| SyntaxError {
                message: error.info().clone(),
                position: error.marker().byte_offset().unwrap_or(0),
            })?;
            if let Some(event) = convert(parsed, span) {
                return Ok(Some(event));
            }
        }
    }
}

/// Our event; `None` for those without meaning here.
fn convert<'a>(parsed: Parsed<'a>, parsed_span: ParsedSpan) -> Option<Event<'a>> {
    let span = to_span(parsed_span);
    let with = |kind, anchor, tag: Option<Cow<'a, Tag>>| {
        let tag_span = parsed_span.tag_span().map(to_span);
        let properties = Properties {
            anchor,
            tag: tag.map(|tag| Cow::Owned(tag.to_string())),
            tag_span,
        };
        Some(Event {
            kind,
            span,
            properties,
        })
    };
    match parsed {
        Parsed::DocumentStart(..) => with(EventKind::DocumentStart, 0, None),
        Parsed::DocumentEnd => with(EventKind::DocumentEnd, 0, None),
        Parsed::Scalar(text, style, anchor, tag) => {
            with(EventKind::Scalar(text, to_style(style)), anchor, tag)
        }
        Parsed::SequenceStart(layout, anchor, tag) => {
            with(EventKind::SequenceStart(to_layout(layout)), anchor, tag)
        }
        Parsed::MappingStart(layout, anchor, tag) => {
            with(EventKind::MappingStart(to_layout(layout)), anchor, tag)
        }
        Parsed::SequenceEnd => with(EventKind::SequenceEnd, 0, None),
        Parsed::MappingEnd => with(EventKind::MappingEnd, 0, None),
        Parsed::Alias(anchor) => with(EventKind::Alias(anchor), 0, None),
        Parsed::Comment(text, _) => with(EventKind::Comment(text), 0, None),
        _ => None,
    }
}

fn to_span(span: ParsedSpan) -> Span {
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
