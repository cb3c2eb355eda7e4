//! One file, measured: lines, symbols, imports, complexity, tokens. Plain: text in, numbers out.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

use tree_sitter::{Node, ParseOptions, Parser, TreeCursor};

use super::languages::{BRANCHING, Language, Role};
use crate::domain::text::{clean_line, ellipsis};

/// The longest name and import that is told, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Symbols and imports of one file that are kept.
const SYMBOLS_MAX: usize = 5_000;
const IMPORTS_MAX: usize = 500;

/// Lines of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lines {
    pub(super) all: usize,
    pub(super) code: usize,
    pub(super) comment: usize,
    pub(super) blank: usize,
}

impl Lines {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            code: self.code + other.code,
            comment: self.comment + other.comment,
            blank: self.blank + other.blank,
        }
    }

    /// Of a text whose comments are not known.
    pub(super) fn plain(text: &str) -> Self {
        let (all, blank) = (text.lines().count(), text.lines().filter(|line| line.trim().is_empty()).count());
        Self { all, code: all - blank, comment: 0, blank }
    }
}

/// A function, a type, a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// First and last line, from 1.
    pub(super) lines: (usize, usize),
    /// Symbols around it.
    pub(super) depth: usize,
    /// Of functions.
    pub(super) complexity: Option<u32>,
}

/// A token: a hash of its text, and its line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) hash: u64,
    pub(super) line: u32,
}

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) lines: Lines,
    pub(super) symbols: Vec<Symbol>,
    pub(super) imports: Vec<String>,
    pub(super) tokens: Vec<Token>,
    /// The line of the first place that does not parse.
    pub(super) first_error: Option<usize>,
}

/// Measures `text`; `None` where `stopped` says so in the middle.
pub(super) fn measure(language: &'static Language, text: &str, stopped: &dyn Fn() -> bool) -> Option<Measured> {
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()).ok()?;
    let bytes = text.as_bytes();
    let mut progress = |_: &tree_sitter::ParseState| if stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let tree = parser.parse_with_options(&mut |from, _| bytes.get(from..).unwrap_or_default(), None, Some(options))?;
    let mut walk =
        Walk { roles: language.roles(), text, found: Measured::default(), open: Vec::new(), flags: vec![0; text.lines().count()] };
    let root = tree.root_node();
    walk.found.first_error = first_error(root);
    walk.all(root);
    let mut lines = Lines { all: walk.flags.len(), ..Lines::default() };
    for (flag, line) in walk.flags.iter().zip(text.lines()) {
        if line.trim().is_empty() {
            lines.blank += 1;
        } else if *flag == COMMENT {
            lines.comment += 1;
        } else {
            // Also what a grammar passes over, as a continued line.
            lines.code += 1;
        }
    }
    walk.found.lines = lines;
    Some(walk.found)
}

const CODE: u8 = 1;
const COMMENT: u8 = 2;

/// A symbol whose end has not come.
struct Open {
    /// How deep its node is.
    level: usize,
    /// Its place in the list; `None` for a function without a name, whose branches count for the one around it.
    place: Option<usize>,
}

struct Walk<'a> {
    roles: &'static [Role],
    text: &'a str,
    found: Measured,
    open: Vec<Open>,
    flags: Vec<u8>,
}

impl Walk<'_> {
    /// Visits all nodes without calling itself: a deep tree needs no deep stack.
    fn all(&mut self, root: Node<'_>) {
        let mut cursor: TreeCursor<'_> = root.walk();
        let (mut level, mut import) = (0_usize, None);
        loop {
            let node = cursor.node();
            let role = self.role(node);
            let goes_down = self.visit(node, role, level, import.is_some());
            if role == Role::Import && import.is_none() {
                import = Some(level);
            }
            if goes_down && cursor.goto_first_child() {
                level += 1;
                continue;
            }
            loop {
                if self.open.last().is_some_and(|open| open.level == level) {
                    self.open.pop();
                }
                if import == Some(level) {
                    import = None;
                }
                if cursor.goto_next_sibling() {
                    break;
                }
                if !cursor.goto_parent() {
                    return;
                }
                level -= 1;
            }
        }
    }

    fn role(&self, node: Node<'_>) -> Role {
        if !node.is_named() {
            return Role::Plain;
        }
        self.roles.get(usize::from(node.kind_id())).copied().unwrap_or_default()
    }

    /// Takes in one node; says whether what is below it is wanted.
    fn visit(&mut self, node: Node<'_>, role: Role, level: usize, in_import: bool) -> bool {
        let (first, last) = (node.start_position().row, node.end_position().row);
        match role {
            Role::Comment => {
                self.mark(first, last, node, COMMENT);
                return false;
            }
            Role::Function => self.function(node, level),
            Role::Symbol(kind) => self.symbol(node, kind, level),
            Role::Import if !in_import && self.found.imports.len() < IMPORTS_MAX => {
                let text = node.utf8_text(self.text.as_bytes()).unwrap_or_default();
                self.found.imports.push(short(&text.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            Role::Branch => self.branch(),
            Role::Operator => {
                let mut below = node.walk();
                let branches = node.children(&mut below).any(|child| !child.is_named() && BRANCHING.contains(&child.kind()));
                if branches {
                    self.branch();
                }
            }
            Role::Plain | Role::Import => {}
        }
        if node.child_count() == 0 && node.end_byte() > node.start_byte() {
            self.mark(first, last, node, CODE);
            if !in_import && role != Role::Import {
                let mut hasher = DefaultHasher::new();
                self.text.as_bytes().get(node.byte_range()).hash(&mut hasher);
                self.found.tokens.push(Token { hash: hasher.finish(), line: u32::try_from(first + 1).unwrap_or(u32::MAX) });
            }
        }
        true
    }

    /// Marks the lines of a node. One that ends at the beginning of a line does not reach into it.
    fn mark(&mut self, first: usize, last: usize, node: Node<'_>, flag: u8) {
        let last = if last > first && node.end_position().column == 0 { last - 1 } else { last };
        let end = (last + 1).min(self.flags.len());
        if let Some(flags) = self.flags.get_mut(first..end) {
            flags.iter_mut().for_each(|known| *known |= flag);
        }
    }

    fn branch(&mut self) {
        let place = self
            .open
            .iter()
            .rev()
            .filter_map(|open| open.place)
            .find(|place| self.found.symbols.get(*place).is_some_and(|symbol| symbol.complexity.is_some()));
        if let Some(complexity) = place.and_then(|place| self.found.symbols.get_mut(place)).and_then(|symbol| symbol.complexity.as_mut()) {
            *complexity += 1;
        }
    }

    fn function(&mut self, node: Node<'_>, level: usize) {
        let place = self.name(node).and_then(|name| self.push(node, "function", name, Some(1)));
        self.open.push(Open { level, place });
    }

    fn symbol(&mut self, node: Node<'_>, kind: &'static str, level: usize) {
        // `struct point p;` only names a type: what has a body makes it. Others have no field of that name.
        let is_specifier = node.kind().ends_with("_specifier");
        if is_specifier && node.child_by_field_name("body").is_none() {
            return;
        }
        let place = self.name(node).and_then(|name| self.push(node, kind, name, None));
        if place.is_some() {
            self.open.push(Open { level, place });
        }
    }

    fn push(&mut self, node: Node<'_>, kind: &'static str, name: String, complexity: Option<u32>) -> Option<usize> {
        if self.found.symbols.len() >= SYMBOLS_MAX {
            return None;
        }
        let depth = self.open.iter().filter(|open| open.place.is_some()).count();
        let lines = (node.start_position().row + 1, node.end_position().row + 1);
        self.found.symbols.push(Symbol { kind, name, lines, depth, complexity });
        Some(self.found.symbols.len() - 1)
    }

    /// The name of a symbol, as its language has it.
    fn name(&self, node: Node<'_>) -> Option<String> {
        let field = |node: Node<'_>, name: &str| node.child_by_field_name(name).map(|child| child.byte_range());
        let text = |range: std::ops::Range<usize>| self.text.get(range).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let name = match node.kind() {
            "impl_item" => {
                let of = text(field(node, "type")?)?;
                field(node, "trait").and_then(text).map_or(of.clone(), |of_trait| format!("{of_trait} for {of}"))
            }
            // A name that was given to a function that has none of its own.
            "arrow_function" | "function_expression" => {
                let above = node.parent()?;
                let key = match above.kind() {
                    "variable_declarator" => "name",
                    "pair" => "key",
                    "assignment_expression" => "left",
                    "public_field_definition" | "field_definition" => {
                        if above.child_by_field_name("name").is_some() {
                            "name"
                        } else {
                            "property"
                        }
                    }
                    _ => return None,
                };
                text(field(above, key)?)?
            }
            _ => match field(node, "name") {
                Some(range) => text(range)?,
                None => text(declared(node)?)?,
            },
        };
        Some(short(&name)).filter(|name| !name.is_empty())
    }
}

/// The name inside the declarator of C and C++: pointers, references and parameters lie around it.
fn declared(node: Node<'_>) -> Option<std::ops::Range<usize>> {
    let mut node = node.child_by_field_name("declarator")?;
    for _ in 0..32 {
        match node.kind() {
            "identifier" | "field_identifier" | "type_identifier" | "qualified_identifier" | "destructor_name" | "operator_name" => {
                return Some(node.byte_range());
            }
            _ => {
                let inner = node.child_by_field_name("declarator").or_else(|| {
                    let mut below = node.walk();
                    node.named_children(&mut below)
                        .find(|child| child.kind().ends_with("declarator") || child.kind().ends_with("identifier"))
                });
                node = inner?;
            }
        }
    }
    None
}

/// The line of the first node that does not parse.
fn first_error(root: Node<'_>) -> Option<usize> {
    if !root.has_error() {
        return None;
    }
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            return Some(node.start_position().row + 1);
        }
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return Some(root.start_position().row + 1);
            }
        }
    }
}

fn short(text: &str) -> String {
    ellipsis(&clean_line(text), NAME_CHARS_MAX).into_owned()
}
