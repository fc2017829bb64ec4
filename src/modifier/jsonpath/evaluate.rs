//! A parsed template at work on a value.
//!
//! Ranges are no tree: `{range}` and `{end}` are steps that raise counters, and the walk over the pieces of the
//! template jumps by them. That is how kubectl does it, and what an unclosed range gives follows from it.

use super::super::json::Form;
use super::compare;
use super::error::Error;
use super::item::Item;
use super::template::{End, Filter, Node, Slice};
use crate::secret::Value;

/// How many steps and results one template may take. Ranges and `..` in a row multiply.
const MAX_WORK: usize = 2_000_000;

/// How deep ranges may stand in ranges.
const MAX_RANGES: usize = 64;

/// The results of each piece of the template, in order.
pub(super) fn evaluate<'a>(
    nodes: &'a [Node],
    value: &'a Value,
    form: Form,
) -> Result<Vec<Vec<Item<'a>>>, Error> {
    let mut evaluation = Evaluation {
        nodes,
        literals: form == Form::Go { literals: true },
        to_begin: 0,
        inside: 0,
        to_end: 0,
        last_end: None,
        work: MAX_WORK,
    };
    let mut results = Vec::new();
    evaluation.run(Item::root(value), 0, &mut results)?;
    Ok(results)
}

struct Evaluation<'a> {
    nodes: &'a [Node],
    literals: bool,
    /// Ranges that a step has opened and the walk has not yet entered.
    to_begin: usize,
    /// Ranges that the walk is in.
    inside: usize,
    /// Ends that a step has met and the walk has not yet obeyed.
    to_end: usize,
    /// The piece that held the last end.
    last_end: Option<usize>,
    /// Steps and results that are left.
    work: usize,
}

/// A failed step. A filter that only asks for existence does not mind failures: for it counts whether kubectl hands
/// back anything beside the error.
struct Failure {
    error: Error,
    with_results: bool,
}

type Results<'a> = Result<Vec<Item<'a>>, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            with_results: false,
        }
    }
}

impl Failure {
    fn with(error: Error, results: &[Item<'_>]) -> Self {
        Self {
            error,
            with_results: !results.is_empty(),
        }
    }
}

impl<'a> Evaluation<'a> {
    fn spend(&mut self, work: usize) -> Result<(), Error> {
        self.work = self.work.checked_sub(work).ok_or(Error::TooMuch)?;
        Ok(())
    }

    /// Walks the pieces from `first` on, to the end of the template or of the range that this call walks in.
    fn run(
        &mut self,
        root: Item<'a>,
        first: usize,
        results: &mut Vec<Vec<Item<'a>>>,
    ) -> Result<(), Error> {
        let nodes = self.nodes;
        let mut at = first;
        while let Some(node) = nodes.get(at) {
            let found = self
                .step(vec![root], node)
                .map_err(|failure| failure.error)?;
            if self.to_end > 0 && self.to_end <= self.inside {
                self.to_end -= 1;
                self.last_end = Some(at);
                return Ok(());
            }
            if self.to_begin == 0 {
                results.push(found);
            } else {
                self.range(found, at + 1, results)?;
                at = self.last_end.map_or(at, |end| end.max(at));
            }
            at += 1;
        }
        Ok(())
    }

    fn range(
        &mut self,
        elements: Vec<Item<'a>>,
        first: usize,
        results: &mut Vec<Vec<Item<'a>>>,
    ) -> Result<(), Error> {
        if self.inside == MAX_RANGES {
            return Err(Error::TooDeep);
        }
        self.to_begin -= 1;
        self.inside += 1;
        if elements.is_empty() {
            // Only a walk through its pieces tells where the range ends.
            self.run(Item::Nothing, first, &mut Vec::new())?;
        }
        for element in elements {
            if matches!(element, Item::Nothing) {
                return Err(Error::NotList(element.type_name(self.literals)));
            }
            self.run(element.as_root(), first, results)?;
        }
        self.inside -= 1;
        Ok(())
    }

    fn action(&mut self, input: Vec<Item<'a>>, nodes: &'a [Node]) -> Results<'a> {
        nodes
            .iter()
            .try_fold(input, |current, node| self.step(current, node))
    }

    fn step(&mut self, input: Vec<Item<'a>>, node: &'a Node) -> Results<'a> {
        self.spend(1 + input.len())?;
        match node {
            Node::Action(nodes) => self.action(input, nodes),
            Node::Text(text) => Ok(vec![Item::Text(text)]),
            Node::Integer(integer) => Ok(vec![Item::Integer(*integer); input.len()]),
            Node::Float(float) => Ok(vec![Item::Float(*float); input.len()]),
            Node::Bool(truth) => Ok(vec![Item::Bool(*truth); input.len()]),
            Node::Field(name) => fields(&input, name),
            Node::Slice(slice) => self.slice(&input, *slice),
            Node::Filter(filter) => self.filter(&input, filter),
            Node::Union(parts) => self.union(&input, parts),
            Node::Wildcard => self.wildcard(&input),
            Node::Descent => self.descent(input),
            Node::Identifier(word) => self.identifier(input, word),
        }
    }

    fn identifier(&mut self, input: Vec<Item<'a>>, word: &str) -> Results<'a> {
        match word {
            "range" => {
                self.to_begin += 1;
                Ok(input)
            }
            "end" if self.inside > 0 => {
                self.to_end += 1;
                Ok(Vec::new())
            }
            "end" => Err(Error::NothingToEnd.into()),
            word => Err(Failure::with(Error::Identifier(word.to_owned()), &input)),
        }
    }

    fn slice(&mut self, input: &[Item<'a>], slice: Slice) -> Results<'a> {
        let mut results = Vec::new();
        for item in input.iter().filter(|item| !item.is_null()) {
            let type_name = item.type_name(self.literals);
            let elements = item
                .elements()
                .ok_or_else(|| Failure::with(Error::NotList(type_name), input))?;
            self.spend(elements.len())?;
            let range = bounds(slice, elements.len()).map_err(|e| Failure::with(e, input))?;
            let Some((range, step)) = range else {
                // kubectl leaves the step here, and what is behind this list goes unseen.
                return Ok(results);
            };
            results.extend(elements[range].iter().step_by(step));
        }
        Ok(results)
    }

    fn union(&mut self, input: &[Item<'a>], parts: &'a [Vec<Node>]) -> Results<'a> {
        let mut results = Vec::new();
        for part in parts {
            let found = self
                .action(input.to_vec(), part)
                .map_err(|failure| Failure::with(failure.error, input))?;
            self.spend(found.len())?;
            results.extend(found);
        }
        Ok(results)
    }

    fn wildcard(&mut self, input: &[Item<'a>]) -> Results<'a> {
        let mut results = Vec::new();
        for item in input {
            let children = item.children();
            self.spend(children.len())?;
            results.extend(children);
        }
        Ok(results)
    }

    /// Everything that has something inside, each before what is in it.
    fn descent(&mut self, input: Vec<Item<'a>>) -> Results<'a> {
        let mut results = Vec::new();
        let mut open = input;
        open.reverse();
        while let Some(item) = open.pop() {
            let children = item.children();
            self.spend(1 + children.len())?;
            if !children.is_empty() {
                results.push(item);
                open.extend(children.into_iter().rev());
            }
        }
        Ok(results)
    }

    fn filter(&mut self, input: &[Item<'a>], filter: &'a Filter) -> Results<'a> {
        let mut results = Vec::new();
        for item in input {
            let type_name = item.type_name(self.literals);
            let elements = item
                .elements()
                .ok_or_else(|| Failure::with(Error::NotFilterable(type_name), input))?;
            self.spend(elements.len())?;
            for element in elements {
                let passes = match &filter.comparison {
                    None => self.exists(element, &filter.left),
                    Some((operator, right)) => self
                        .compares(element, &filter.left, operator, right)
                        .map_err(|error| Failure::with(error, input)),
                };
                if passes? {
                    results.push(element);
                }
            }
        }
        Ok(results)
    }

    fn exists(&mut self, element: Item<'a>, nodes: &'a [Node]) -> Result<bool, Failure> {
        match self.action(vec![element], nodes) {
            Ok(found) => Ok(!found.is_empty()),
            Err(failure) if failure.error == Error::TooMuch => Err(failure),
            Err(failure) => Ok(failure.with_results),
        }
    }

    fn compares(
        &mut self,
        element: Item<'a>,
        left: &'a [Node],
        operator: &str,
        right: &'a [Node],
    ) -> Result<bool, Error> {
        let Some(left) = self.operand(element, left)? else {
            return Ok(false);
        };
        let Some(right) = self.operand(element, right)? else {
            return Ok(false);
        };
        compare::holds(left, operator, right, self.literals)
    }

    fn operand(&mut self, element: Item<'a>, nodes: &'a [Node]) -> Result<Option<Item<'a>>, Error> {
        let found = self
            .action(vec![element], nodes)
            .map_err(|failure| failure.error)?;
        match found[..] {
            [] => Ok(None),
            [item] => Ok(Some(item)),
            _ => Err(Error::OneAtATime),
        }
    }
}

/// The field of each input that has it. Only where none has it, it is missing.
fn fields<'a>(input: &[Item<'a>], name: &str) -> Results<'a> {
    let found: Vec<_> = input.iter().filter_map(|item| item.field(name)).collect();
    if found.is_empty() && !input.is_empty() {
        return Err(Error::NotFound(name.to_owned()).into());
    }
    Ok(found)
}

/// The elements of a list that a slice means, and its step; `None` if it means none.
fn bounds(slice: Slice, length: usize) -> Result<Option<(std::ops::Range<usize>, usize)>, Error> {
    let length = i64::try_from(length).map_err(|_| Error::TooMuch)?;
    let from_end = |index: i64| if index < 0 { index + length } else { index };
    let start = slice.start.unwrap_or(0);
    let end = match slice.end {
        End::OfList => length,
        End::Before(end) => from_end(end),
        // Behind the last element is the end of the list, where a count from the end says 0.
        End::AfterStart if start == -1 => length,
        End::AfterStart => from_end(start.saturating_add(1)),
    };
    let start = from_end(start);
    if start == end {
        return Ok(None);
    }
    let out_of_bounds = |index| Error::OutOfBounds { index, length };
    let first = usize::try_from(start).ok().filter(|_| start < length);
    let first = first.ok_or(out_of_bounds(start))?;
    let behind = usize::try_from(end).ok().filter(|_| end <= length);
    let behind = behind.ok_or(out_of_bounds(end.saturating_sub(1)))?;
    if start > end {
        return Err(Error::Backwards { start, end });
    }
    let step = slice.step.unwrap_or(1);
    let step = usize::try_from(step).ok().filter(|step| *step > 0);
    Ok(Some((first..behind, step.ok_or(Error::Step)?)))
}
