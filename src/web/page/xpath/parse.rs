//! Understands the text of an `XPath`.

use super::{Axis, Expr, Path, Sign, Step, Test};

/// How deep expressions may be nested, and how many steps a path may have.
const DEPTH_MAX: usize = 16;
const STEPS_MAX: usize = 40;

/// The paths of a union.
pub(super) fn paths(source: &str) -> Result<Vec<Path>, String> {
    let mut parser = Parser { source, at: 0, depth: 0 };
    let mut paths = vec![parser.path()?];
    while parser.eat("|") {
        paths.push(parser.path()?);
    }
    parser.blanks();
    if parser.at < source.len() {
        return Err(parser.wrong("the end of the path"));
    }
    Ok(paths)
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    /// Eats a word that stands alone.
    fn eat_word(&mut self, word: &str) -> bool {
        self.blanks();
        let ends = |ch: char| !(ch.is_alphanumeric() || "-_.:(".contains(ch));
        let found = self.rest().strip_prefix(word).is_some_and(|after| after.chars().next().is_none_or(ends));
        if found {
            self.at += word.len();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.eat(sign) { Ok(()) } else { Err(self.wrong(&format!("`{sign}`"))) }
    }

    fn wrong(&self, wanted: &str) -> String {
        let head: String = self.rest().chars().take(20).collect();
        let here = if head.is_empty() { "its end".to_owned() } else { format!("`{head}`") };
        format!(
            "`{}` is not understood at {here}: {wanted} was expected; write it as in `//div[@id='price']/span[1]`, or use `selector`",
            self.source
        )
    }

    fn name(&mut self) -> Option<String> {
        self.blanks();
        let rest = self.rest();
        let length = rest.find(|ch: char| !(ch.is_alphanumeric() || ch == '-' || ch == '_' || ch == '.')).unwrap_or(rest.len());
        let name = &rest[..length];
        if name.is_empty() || !name.starts_with(|ch: char| ch.is_alphabetic() || ch == '_') {
            return None;
        }
        let name = name.to_owned();
        self.at += length;
        Some(name)
    }

    fn path(&mut self) -> Result<Path, String> {
        self.blanks();
        let mut steps = Vec::new();
        let absolute = self.rest().starts_with('/');
        if absolute {
            self.slash(&mut steps);
            if steps.is_empty() && (self.rest().trim_start().is_empty() || self.rest().trim_start().starts_with(['|', ']', ')'])) {
                return Ok(Path { absolute, steps });
            }
        }
        loop {
            steps.push(self.step()?);
            if steps.len() > STEPS_MAX {
                return Err(format!("`{}` has more than {STEPS_MAX} steps; shorten it", self.source));
            }
            self.blanks();
            if !self.rest().starts_with('/') {
                break;
            }
            self.slash(&mut steps);
        }
        let attribute = steps.iter().position(|step| step.axis == Axis::Attribute);
        if attribute.is_some_and(|at| at + 1 < steps.len()) {
            return Err(format!("`{}` goes on after an attribute; an attribute is the end of a path", self.source));
        }
        Ok(Path { absolute, steps })
    }

    /// `/`, or `//` as the step that it stands for.
    fn slash(&mut self, steps: &mut Vec<Step>) {
        if self.eat("//") {
            steps.push(Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() });
        } else {
            self.eat("/");
        }
    }

    fn step(&mut self) -> Result<Step, String> {
        if self.eat("..") {
            return Ok(Step { axis: Axis::Parent, test: Test::Node, predicates: Vec::new() });
        }
        if self.eat(".") {
            return Ok(Step { axis: Axis::Itself, test: Test::Node, predicates: self.predicates()? });
        }
        let axis = if self.eat("@") { Axis::Attribute } else { self.axis()? };
        let test = if self.eat("*") {
            Test::Any
        } else {
            let name = self.name().ok_or_else(|| self.wrong("the name of an element"))?;
            match (name.as_str(), self.rest().starts_with('(')) {
                ("text" | "node", true) => {
                    self.expect("(")?;
                    self.expect(")")?;
                    if name == "text" { Test::Text } else { Test::Node }
                }
                (_, true) => {
                    return Err(format!(
                        "`{}` uses the function `{name}()` as a step, which is not understood; use `selector` instead",
                        self.source
                    ));
                }
                // The parser of pages writes names in lower case.
                (_, false) => Test::Name(name.to_lowercase()),
            }
        };
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn axis(&mut self) -> Result<Axis, String> {
        const AXES: &[(&str, Axis)] = &[
            ("child", Axis::Child),
            ("descendant", Axis::Descendant),
            ("descendant-or-self", Axis::DescendantOrSelf),
            ("self", Axis::Itself),
            ("parent", Axis::Parent),
            ("ancestor", Axis::Ancestor),
            ("ancestor-or-self", Axis::AncestorOrSelf),
            ("following-sibling", Axis::FollowingSibling),
            ("preceding-sibling", Axis::PrecedingSibling),
            ("attribute", Axis::Attribute),
        ];
        let start = self.at;
        if let Some(name) = self.name()
            && self.eat("::")
        {
            let known = AXES.iter().find(|(axis, _)| *axis == name).map(|(_, axis)| *axis);
            return known.ok_or_else(|| {
                let names: Vec<&str> = AXES.iter().map(|(name, _)| *name).collect();
                format!("`{}` uses the axis `{name}`, which is not understood; understood are {}", self.source, names.join(", "))
            });
        }
        self.at = start;
        Ok(Axis::Child)
    }

    fn predicates(&mut self) -> Result<Vec<Expr>, String> {
        let mut predicates = Vec::new();
        while self.eat("[") {
            predicates.push(self.or()?);
            self.expect("]")?;
        }
        Ok(predicates)
    }

    fn or(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("`{}` is nested deeper than {DEPTH_MAX} levels; simplify it", self.source));
        }
        let mut expr = self.and()?;
        while self.eat_word("or") {
            expr = Expr::Or(Box::new(expr), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(expr)
    }

    fn and(&mut self) -> Result<Expr, String> {
        let mut expr = self.comparison()?;
        while self.eat_word("and") {
            expr = Expr::And(Box::new(expr), Box::new(self.comparison()?));
        }
        Ok(expr)
    }

    fn comparison(&mut self) -> Result<Expr, String> {
        const SIGNS: &[(&str, Sign)] = &[
            ("!=", Sign::Unequal),
            ("<=", Sign::LessOrEqual),
            (">=", Sign::MoreOrEqual),
            ("=", Sign::Equal),
            ("<", Sign::Less),
            (">", Sign::More),
        ];
        let left = self.operand()?;
        for (text, sign) in SIGNS {
            if self.eat(text) {
                return Ok(Expr::Compare(Box::new(left), *sign, Box::new(self.operand()?)));
            }
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr, String> {
        self.blanks();
        let Some(first) = self.rest().chars().next() else { return Err(self.wrong("a condition")) };
        if first == '\'' || first == '"' {
            let body = &self.rest()[1..];
            let Some(length) = body.find(first) else { return Err(self.wrong("the closing quote")) };
            let text = body[..length].to_owned();
            self.at += length + 2;
            return Ok(Expr::Literal(text));
        }
        if first.is_ascii_digit() {
            let rest = self.rest();
            let length = rest.find(|ch: char| !(ch.is_ascii_digit() || ch == '.')).unwrap_or(rest.len());
            let number = rest[..length].parse().map_err(|_| self.wrong("a number"))?;
            self.at += length;
            return Ok(Expr::Number(number));
        }
        if self.eat("(") {
            let expr = self.or()?;
            self.expect(")")?;
            return Ok(expr);
        }
        let start = self.at;
        if let Some(name) = self.name()
            && self.rest().starts_with('(')
            && !matches!(name.as_str(), "text" | "node")
        {
            self.expect("(")?;
            return self.function(&name);
        }
        self.at = start;
        self.path().map(Expr::Path)
    }

    /// A function whose opening bracket was read.
    fn function(&mut self, name: &str) -> Result<Expr, String> {
        let expr = match name {
            "position" => Expr::Position,
            "last" => Expr::Last,
            "not" => Expr::Not(Box::new(self.or()?)),
            "contains" | "starts-with" => {
                let text = Box::new(self.or()?);
                self.expect(",")?;
                let part = Box::new(self.or()?);
                if name == "contains" { Expr::Contains(text, part) } else { Expr::StartsWith(text, part) }
            }
            "count" => Expr::Count(self.path()?),
            "normalize-space" | "string-length" | "string" => {
                let itself = Path { absolute: false, steps: vec![Step { axis: Axis::Itself, test: Test::Node, predicates: Vec::new() }] };
                self.blanks();
                let text = Box::new(if self.rest().starts_with(')') { Expr::Path(itself) } else { self.or()? });
                match name {
                    "string-length" => Expr::StringLength(text),
                    "normalize-space" => Expr::NormalizeSpace(text),
                    _ => *text,
                }
            }
            _ => return Err(format!("`{}` uses the function `{name}()`, which is not understood; use `selector` instead", self.source)),
        };
        self.expect(")")?;
        Ok(expr)
    }
}
