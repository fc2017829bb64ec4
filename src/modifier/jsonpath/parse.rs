//! Templates from text, in kubectl's dialect.
//!
//! Parts of a template (the keys of a union, the sides of a filter) are read as templates of their own, as kubectl
//! does; its oddities come from there, for example that a point in `['a.b']` separates two fields.

use super::error::Error;
use super::quote::unquote;
use super::template::{End, Filter, Node, Slice};

/// How deep templates may stand in templates. A filter in a union in a filter is three.
const MAX_DEPTH: usize = 16;

/// The pieces of a template: texts and actions.
pub(super) fn template(text: &str) -> Result<Vec<Node>, Error> {
    Parser::new(text, 0)?.template()
}

struct Parser<'t> {
    text: &'t str,
    position: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, depth: usize) -> Result<Self, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        Ok(Self {
            text,
            position: 0,
            depth,
        })
    }

    fn rest(&self) -> &'t str {
        &self.text[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.position += next.len_utf8();
        Some(next)
    }

    fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.position += prefix.len();
        }
        found
    }

    /// The text up to a character that `stop` knows, which stays, or to the end.
    fn take_until(&mut self, stop: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = &rest[..rest.find(stop).unwrap_or(rest.len())];
        self.position += taken.len();
        taken
    }

    fn template(&mut self) -> Result<Vec<Node>, Error> {
        let mut nodes = Vec::new();
        loop {
            let text = self.take_until(|c| c == '{');
            if !text.is_empty() {
                nodes.push(Node::Text(text.as_bytes().to_vec()));
            }
            if !self.take("{") {
                return Ok(nodes);
            }
            nodes.push(Node::Action(self.action()?));
        }
    }

    /// The steps up to the closing brace.
    fn action(&mut self) -> Result<Vec<Node>, Error> {
        let mut nodes = Vec::new();
        while !self.take("}") {
            self.step(&mut nodes)?;
        }
        Ok(nodes)
    }

    fn step(&mut self, nodes: &mut Vec<Node>) -> Result<(), Error> {
        if self.take("[?(") {
            return self.filter(nodes);
        }
        if self.rest().starts_with("..") {
            return self.descent(nodes);
        }
        match self.peek() {
            None | Some('\r' | '\n') => return Err(Error::UnclosedAction),
            Some('\'' | '"') => nodes.push(self.quoted()?),
            Some('+' | '-') => nodes.push(self.number()?),
            Some(c) if c.is_ascii_digit() => nodes.push(self.number()?),
            Some(c) if is_word(c) => nodes.push(self.identifier()),
            Some(c) => {
                self.next();
                match c {
                    // The object that the action works on anyway.
                    ' ' | '@' | '$' => {}
                    '[' => self.brackets(nodes)?,
                    '.' => nodes.push(self.field()),
                    c => return Err(Error::Character(c)),
                }
            }
        }
        Ok(())
    }

    fn descent(&mut self, nodes: &mut Vec<Node>) -> Result<(), Error> {
        if nodes.last() == Some(&Node::Descent) {
            return Err(Error::RepeatedDescent);
        }
        self.position += "..".len();
        nodes.push(Node::Descent);
        if self.peek().is_some_and(is_word) {
            nodes.push(self.field());
        }
        Ok(())
    }

    /// A name up to a terminator that is not escaped. All backslashes go, also an escaped one.
    fn field(&mut self) -> Node {
        let start = self.position;
        while let Some(c) = self.peek().filter(|c| !is_terminator(*c)) {
            self.next();
            if c == '\\' {
                self.next();
            }
        }
        match &self.text[start..self.position] {
            "*" => Node::Wildcard,
            name => Node::Field(name.replace('\\', "")),
        }
    }

    fn identifier(&mut self) -> Node {
        match self.take_until(is_terminator) {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            word => Node::Identifier(word.to_owned()),
        }
    }

    fn number(&mut self) -> Result<Node, Error> {
        let start = self.position;
        self.next();
        self.take_until(|c| c != '.' && !c.is_ascii_digit());
        let number = &self.text[start..self.position];
        if let Ok(integer) = number.parse() {
            return Ok(Node::Integer(integer));
        }
        match number.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Node::Float(float)),
            _ => Err(Error::Number(number.to_owned())),
        }
    }

    fn quoted(&mut self) -> Result<Node, Error> {
        let start = self.position;
        let quote = self.next();
        let mut escaped = false;
        loop {
            match self.next() {
                None | Some('\n') => return Err(Error::UnterminatedQuote),
                c if c == quote && !escaped => break,
                // Also behind a backslash that is escaped itself: kubectl looks one character back.
                c => escaped = c == Some('\\'),
            }
        }
        let quoted = &self.text[start..self.position];
        let text = unquote(quoted).ok_or_else(|| Error::Quote(quoted.to_owned()))?;
        Ok(Node::Text(text))
    }

    /// What stands in brackets: a union, a name in quotes, an index or a slice.
    fn brackets(&mut self, nodes: &mut Vec<Node>) -> Result<(), Error> {
        let inner = self.take_until(|c| matches!(c, ']' | '\n'));
        if !self.take("]") {
            return Err(Error::UnterminatedArray);
        }
        if inner.contains(',') {
            let parts = inner.split(',');
            let parts = parts.map(|part| self.inner(&format!("[{}]", part.trim_matches(' '))));
            nodes.push(Node::Union(parts.collect::<Result<_, _>>()?));
        } else if let Some(name) = in_single_quotes(inner) {
            nodes.extend(self.inner(&format!(".{name}"))?);
        } else {
            nodes.push(Node::Slice(slice(inner)?));
        }
        Ok(())
    }

    fn filter(&mut self, nodes: &mut Vec<Node>) -> Result<(), Error> {
        let condition = self.condition()?;
        if !self.take("]") {
            return Err(Error::UnclosedFilter);
        }
        let filter = match comparison(condition) {
            None => Filter {
                left: self.inner(condition)?,
                comparison: None,
            },
            Some((left, operator, right)) => Filter {
                left: self.inner(left)?,
                comparison: Some((operator.to_owned(), self.inner(right)?)),
            },
        };
        nodes.push(Node::Filter(filter));
        Ok(())
    }

    /// The text up to the closing parenthesis, which is taken. Parentheses in quotes do not close, if it is the first
    /// quoted text.
    fn condition(&mut self) -> Result<&'t str, Error> {
        let start = self.position;
        let mut quote = None;
        let mut closed = false;
        let mut before = '(';
        loop {
            let c = self.next().filter(|c| *c != '\n');
            let c = c.ok_or(Error::UnterminatedFilter)?;
            match c {
                '"' | '\'' if quote.is_none() => quote = Some(c),
                '"' | '\'' => closed |= before != '\\' && quote == Some(c),
                ')' if quote.is_some() == closed => break,
                _ => {}
            }
            before = c;
        }
        Ok(&self.text[start..self.position - 1])
    }

    /// The steps of a part that is read like an action of its own.
    fn inner(&self, part: &str) -> Result<Vec<Node>, Error> {
        let text = format!("{{{part}}}");
        let nodes = Parser::new(&text, self.depth + 1)?.template()?;
        // A brace in the part closes the action early, and what follows goes unseen.
        match nodes.into_iter().next() {
            Some(Node::Action(steps)) => Ok(steps),
            _ => Ok(Vec::new()),
        }
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_terminator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}'
    )
}

fn in_single_quotes(text: &str) -> Option<&str> {
    let name = text.strip_prefix('\'')?.strip_suffix('\'')?;
    (!name.contains('\'')).then_some(name)
}

/// Left side, operator and right side of a condition; `None` where it has no operator between two sides.
fn comparison(condition: &str) -> Option<(&str, &str, &str)> {
    let is_operator = |c| matches!(c, '!' | '<' | '=' | '>');
    let start = condition.find(is_operator).filter(|at| *at > 0)?;
    let (left, rest) = condition.split_at(start);
    let end = rest.find(|c| !is_operator(c)).unwrap_or(rest.len() - 1);
    let (operator, right) = rest.split_at(end);
    (!operator.is_empty()).then_some((left, operator, right))
}

/// `[*]`, an index, or up to three numbers with colons between them.
fn slice(text: &str) -> Result<Slice, Error> {
    let mut parts = match text {
        "*" => ":".split(':'),
        _ => text.split(':'),
    };
    let [start, end, step] = [parts.next(), parts.next(), parts.next()];
    let digits = |part: &str| {
        let part = part.strip_prefix('-').unwrap_or(part);
        part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let well_formed = [start, end, step].into_iter().flatten().all(digits);
    if !well_formed || parts.next().is_some() {
        return Err(Error::Index(text.to_owned()));
    }
    let number = |part: Option<&str>| match part {
        None | Some("") => Ok(None),
        Some(part) => match part.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::IndexNumber(part.to_owned())),
        },
    };
    Ok(Slice {
        start: number(start)?,
        end: match end {
            None => End::AfterStart,
            Some(end) => number(Some(end))?.map_or(End::OfList, End::Before),
        },
        step: number(step)?,
    })
}
