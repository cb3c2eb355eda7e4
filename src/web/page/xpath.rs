//! The part of `XPath` 1.0 that picks a part of a page, walked over the parsed page.
//!
//! Understood: `/` and `//`, `.` and `..`, names and `*`, the axes `child`, `descendant`, `descendant-or-self`, `self`,
//! `parent`, `ancestor`, `ancestor-or-self`, `following-sibling`, `preceding-sibling` and `attribute` (`@`), `text()` and
//! `node()`, unions with `|`, and predicates of positions, `last()`, `position()`, attributes and paths, comparisons,
//! `and`, `or`, `not()`, `contains()`, `starts-with()`, `normalize-space()`, `string-length()` and `count()`.
//! Anything else is refused when the task is made.

mod parse;

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use dom_query::NodeRef;

/// Nodes that one evaluation may touch.
const VISITS_MAX: usize = 4_000_000;

/// Nodes that a path may find.
const FOUND_MAX: usize = 5_000;

/// A path that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct XPath {
    source: String,
    paths: Vec<Path>,
}

/// What a path found.
pub(super) enum Found<'a> {
    /// Elements and texts.
    Nodes(Vec<NodeRef<'a>>),
    /// Values of attributes.
    Values(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
struct Path {
    absolute: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
struct Step {
    axis: Axis,
    test: Test,
    predicates: Vec<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Itself,
    Parent,
    Ancestor,
    AncestorOrSelf,
    FollowingSibling,
    PrecedingSibling,
    Attribute,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Name(String),
    Any,
    Text,
    Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Or(Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Compare(Box<Expr>, Sign, Box<Expr>),
    Contains(Box<Expr>, Box<Expr>),
    StartsWith(Box<Expr>, Box<Expr>),
    NormalizeSpace(Box<Expr>),
    StringLength(Box<Expr>),
    Count(Path),
    Position,
    Last,
    Number(f64),
    Literal(String),
    Path(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

enum Value {
    Truth(bool),
    Number(f64),
    /// A text, or the texts of a set of nodes.
    Texts(Vec<String>),
}

impl Value {
    fn truth(&self) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Number(number) => *number != 0.0,
            Self::Texts(texts) => !texts.is_empty(),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Truth(truth) => truth.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Texts(texts) => texts.first().cloned().unwrap_or_default(),
        }
    }

    fn texts(&self) -> Vec<String> {
        match self {
            Self::Texts(texts) => texts.clone(),
            other => vec![other.text()],
        }
    }
}

impl fmt::Display for XPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Where a predicate stands.
struct Place<'p, 'a> {
    node: &'p NodeRef<'a>,
    position: usize,
    last: usize,
    visits: &'p Cell<usize>,
}

impl XPath {
    /// Understands `source`.
    ///
    /// # Errors
    /// What is wrong, and the way out, in a sentence.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        let paths = parse::paths(source)?;
        Ok(Self { source: source.to_owned(), paths })
    }

    /// What the path finds below `root`, in the order of the document.
    pub(super) fn find<'a>(&self, root: NodeRef<'a>) -> Found<'a> {
        let visits = Cell::new(VISITS_MAX);
        let mut nodes = Vec::new();
        let mut values = Vec::new();
        for path in &self.paths {
            match path.walk(&root, &visits) {
                Found::Nodes(mut found) => nodes.append(&mut found),
                Found::Values(mut found) => values.append(&mut found),
            }
        }
        if nodes.is_empty() && !values.is_empty() {
            return Found::Values(values);
        }
        Found::Nodes(ordered(nodes))
    }
}

/// Each node once, in the order of the document.
fn ordered(mut nodes: Vec<NodeRef<'_>>) -> Vec<NodeRef<'_>> {
    let mut seen = HashSet::new();
    nodes.retain(|node| seen.insert(node.id));
    nodes.sort_by_key(|node| node.id);
    nodes
}

impl Path {
    fn walk<'a>(&self, from: &NodeRef<'a>, visits: &Cell<usize>) -> Found<'a> {
        let start = if self.absolute { from.tree.root() } else { *from };
        let mut nodes = vec![start];
        for step in &self.steps {
            if step.axis == Axis::Attribute {
                let values = nodes.iter().flat_map(|node| attributes(node, &step.test)).take(FOUND_MAX);
                return Found::Values(values.collect());
            }
            let mut next = Vec::new();
            for node in &nodes {
                next.append(&mut step.from(node, visits));
            }
            nodes = ordered(next);
            // The steps of `//` pass through all nodes; only what is kept at the end is bounded.
        }
        nodes.truncate(FOUND_MAX);
        Found::Nodes(nodes)
    }
}

fn attributes(node: &NodeRef<'_>, test: &Test) -> Vec<String> {
    match test {
        Test::Name(name) => node.attr(name).map(|value| value.to_string()).into_iter().collect(),
        _ => node.attrs().iter().map(|attribute| attribute.value.to_string()).collect(),
    }
}

impl Step {
    fn from<'a>(&self, node: &NodeRef<'a>, visits: &Cell<usize>) -> Vec<NodeRef<'a>> {
        let mut found: Vec<NodeRef<'a>> = Vec::new();
        let mut take = |candidate: NodeRef<'a>| {
            visits.set(visits.get().saturating_sub(1));
            if visits.get() > 0 && self.test.holds(&candidate) {
                found.push(candidate);
            }
            visits.get() > 0
        };
        match self.axis {
            Axis::Child => node.children_it(false).all(&mut take),
            Axis::Descendant => node.descendants_it().all(&mut take),
            Axis::DescendantOrSelf => take(*node) && node.descendants_it().all(&mut take),
            Axis::Itself => take(*node),
            Axis::Parent => node.parent().into_iter().all(&mut take),
            Axis::Ancestor => node.ancestors_it(None).all(&mut take),
            Axis::AncestorOrSelf => take(*node) && node.ancestors_it(None).all(&mut take),
            Axis::FollowingSibling => std::iter::successors(node.next_sibling(), NodeRef::next_sibling).all(&mut take),
            Axis::PrecedingSibling => std::iter::successors(node.prev_sibling(), NodeRef::prev_sibling).all(&mut take),
            Axis::Attribute => true,
        };
        for predicate in &self.predicates {
            let last = found.len();
            let mut position = 0;
            found.retain(|node| {
                position += 1;
                let place = Place { node, position, last, visits };
                match predicate.value(&place) {
                    #[expect(clippy::cast_precision_loss, reason = "positions are small")]
                    Value::Number(number) => (number - position as f64).abs() < 0.5,
                    value => value.truth(),
                }
            });
        }
        found
    }
}

impl Test {
    fn holds(&self, node: &NodeRef<'_>) -> bool {
        match self {
            Self::Name(name) => node.is_element() && node.has_name(name),
            Self::Any => node.is_element(),
            Self::Text => node.is_text(),
            Self::Node => true,
        }
    }
}

impl Expr {
    fn value(&self, place: &Place<'_, '_>) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "positions and lengths are small")]
        match self {
            Self::Or(a, b) => Value::Truth(a.value(place).truth() || b.value(place).truth()),
            Self::And(a, b) => Value::Truth(a.value(place).truth() && b.value(place).truth()),
            Self::Not(a) => Value::Truth(!a.value(place).truth()),
            Self::Compare(a, sign, b) => Value::Truth(compare(&a.value(place), *sign, &b.value(place))),
            Self::Contains(a, b) => Value::Truth(a.value(place).text().contains(&b.value(place).text())),
            Self::StartsWith(a, b) => Value::Truth(a.value(place).text().starts_with(&b.value(place).text())),
            Self::NormalizeSpace(a) => Value::Texts(vec![a.value(place).text().split_whitespace().collect::<Vec<_>>().join(" ")]),
            Self::StringLength(a) => Value::Number(a.value(place).text().chars().count() as f64),
            Self::Count(path) => Value::Number(match path.walk(place.node, place.visits) {
                Found::Nodes(nodes) => nodes.len() as f64,
                Found::Values(values) => values.len() as f64,
            }),
            Self::Position => Value::Number(place.position as f64),
            Self::Last => Value::Number(place.last as f64),
            Self::Number(number) => Value::Number(*number),
            Self::Literal(text) => Value::Texts(vec![text.clone()]),
            Self::Path(path) => Value::Texts(match path.walk(place.node, place.visits) {
                Found::Nodes(nodes) => nodes.iter().map(|node| node.text().to_string()).collect(),
                Found::Values(values) => values,
            }),
        }
    }
}

/// A comparison holds where it holds for any text of a set.
fn compare(a: &Value, sign: Sign, b: &Value) -> bool {
    let holds = |a: &str, b: &str| {
        let numbers = a.trim().parse::<f64>().ok().zip(b.trim().parse::<f64>().ok());
        match (sign, numbers) {
            (Sign::Equal, Some((a, b))) => (a - b).abs() < f64::EPSILON,
            (Sign::Unequal, Some((a, b))) => (a - b).abs() >= f64::EPSILON,
            (Sign::Equal, None) => a == b,
            (Sign::Unequal, None) => a != b,
            (Sign::Less, Some((a, b))) => a < b,
            (Sign::LessOrEqual, Some((a, b))) => a <= b,
            (Sign::More, Some((a, b))) => a > b,
            (Sign::MoreOrEqual, Some((a, b))) => a >= b,
            (_, None) => false,
        }
    };
    let b = b.texts();
    a.texts().iter().any(|a| b.iter().any(|b| holds(a, b)))
}
