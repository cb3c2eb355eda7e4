//! From text to value: tokens, then precedence climbing that calculates as it reads.

use super::functions::{constant, factorial, function};
use super::number::Number;
use super::{DEPTH_MAX, EXPRESSION_CHARS_MAX, Error};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(Number),
    Name(String),
    Sign(char),
}

/// A value and whether it was written as a percentage: `80 + 10%` adds a tenth of 80.
#[derive(Debug, Clone, Copy)]
struct Value {
    number: Number,
    percent: bool,
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self { number, percent: false }
    }
}

/// Calculates an expression.
pub(super) fn evaluate(expression: &str) -> Result<Number, Error> {
    if expression.chars().count() > EXPRESSION_CHARS_MAX {
        return Err(Error::TooLong);
    }
    let tokens = tokens(expression)?;
    if tokens.is_empty() {
        return Err(Error::Empty);
    }
    let end = expression.chars().count() + 1;
    let mut parser = Parser { tokens, at: 0, end, depth: 0 };
    // A trailing `=`, as one types it on a calculator.
    if parser.tokens.last().is_some_and(|(token, _)| *token == Token::Sign('=')) {
        parser.tokens.pop();
    }
    let value = parser.expression(0)?;
    if let Some((token, at)) = parser.tokens.get(parser.at) {
        return Err(Error::Unexpected { found: describe(token), at: *at, expected: "an operator was expected" });
    }
    if value.number.is_finite() { Ok(value.number) } else { Err(Error::TooLarge) }
}

/// Reads tokens with their positions. Signs of other scripts and typography become the plain ones.
fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Error> {
    let chars: Vec<char> = text.chars().map(plain).collect();
    let mut found = Vec::new();
    let mut at = 0;
    // Inside a function's parentheses a comma parts arguments, elsewhere it groups thousands.
    let mut calls: Vec<bool> = Vec::new();
    while at < chars.len() {
        let (ch, start) = (chars[at], at);
        if ch.is_whitespace() {
            at += 1;
        } else if ch.is_ascii_digit() || (ch == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit)) {
            at = number_end(&chars, at, !calls.last().copied().unwrap_or(false));
            let digits: String = chars[start..at].iter().filter(|ch| !matches!(ch, ',' | '_')).collect();
            let number = Number::parse(&digits).ok_or(Error::BadNumber { text: digits, at: start + 1 })?;
            found.push((Token::Number(number), start + 1));
        } else if ch.is_alphabetic() {
            while at < chars.len() && (chars[at].is_alphabetic() || chars[at].is_ascii_digit()) {
                at += 1;
            }
            found.push((Token::Name(chars[start..at].iter().collect::<String>().to_lowercase()), start + 1));
        } else {
            at += 1;
            match ch {
                '(' => calls.push(matches!(found.last(), Some((Token::Name(name), _)) if function(name).is_some())),
                ')' => {
                    calls.pop();
                }
                '*' if chars.get(at) == Some(&'*') => {
                    at += 1;
                    found.push((Token::Sign('^'), start + 1));
                    continue;
                }
                _ => {}
            }
            found.push((Token::Sign(ch), start + 1));
        }
    }
    Ok(found)
}

fn plain(ch: char) -> char {
    match ch {
        '×' | '·' | '✕' | '⋅' => '*',
        '÷' => '/',
        '−' | '–' => '-',
        '！'..='～' => char::from_u32(u32::from(ch) - 0xfee0).unwrap_or(ch),
        '【' | '[' => '(',
        '】' | ']' => ')',
        '²' => '²',
        _ => ch,
    }
}

/// Where the number that starts at `at` ends.
fn number_end(chars: &[char], mut at: usize, commas: bool) -> usize {
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let group = |at: usize| chars.get(at) == Some(&',') && digit(at + 1) && digit(at + 2) && digit(at + 3) && !digit(at + 4);
    while digit(at) || (chars.get(at) == Some(&'_') && digit(at + 1)) || (commas && group(at)) {
        at += 1;
    }
    if chars.get(at) == Some(&'.') {
        at += 1;
        while digit(at) {
            at += 1;
        }
    }
    if matches!(chars.get(at), Some('e' | 'E')) {
        let signed = matches!(chars.get(at + 1), Some('+' | '-'));
        if digit(at + 1 + usize::from(signed)) {
            at += 1 + usize::from(signed);
            while digit(at) {
                at += 1;
            }
        }
    }
    at
}

fn describe(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("`{number}`"),
        Token::Name(name) => format!("`{name}`"),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}

const SUM: u8 = 10;
const PRODUCT: u8 = 20;
const SIGN: u8 = 30;
const POWER: u8 = 40;

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    end: usize,
    depth: u32,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(_, at)| *at)
    }

    fn sign(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(&Token::Sign(wanted));
        self.at += usize::from(there);
        there
    }

    fn unexpected(&self, expected: &'static str) -> Error {
        let found = self.peek().map_or_else(|| "end".to_owned(), describe);
        Error::Unexpected { found, at: self.position(), expected }
    }

    /// Reads what binds at least as tightly as `least`.
    fn expression(&mut self, least: u8) -> Result<Value, Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Error::TooDeep { at: self.position() });
        }
        let mut left = self.operand()?;
        loop {
            left = self.postfix(left)?;
            let at = self.position();
            let Some((operator, strength, written)) = self.operator() else { break };
            if strength < least {
                break;
            }
            self.at += usize::from(written);
            let right = self.expression(if operator == '^' { SIGN } else { strength + 1 })?;
            left = apply(operator, left, right, at)?.into();
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The operator that comes next, its strength, and whether it is written (`2(3)` multiplies without one).
    fn operator(&self) -> Option<(char, u8, bool)> {
        match self.peek()? {
            Token::Sign(sign @ ('+' | '-')) => Some((*sign, SUM, true)),
            Token::Sign(sign @ ('*' | '/' | '%')) => Some((*sign, PRODUCT, true)),
            Token::Sign('^') => Some(('^', POWER, true)),
            Token::Name(name) => match name.as_str() {
                "of" | "x" | "times" => Some(('*', PRODUCT, true)),
                "mod" => Some(('%', PRODUCT, true)),
                name => (function(name).is_some() || constant(name).is_some()).then_some(('*', PRODUCT, false)),
            },
            Token::Sign('(') => Some(('*', PRODUCT, false)),
            _ => None,
        }
    }

    fn operand(&mut self) -> Result<Value, Error> {
        let at = self.position();
        let Some(token) = self.peek().cloned() else { return Err(self.unexpected("a number was expected")) };
        self.at += 1;
        match token {
            Token::Number(number) => Ok(number.into()),
            Token::Sign('-') => Ok(self.expression(SIGN)?.number.negated().into()),
            Token::Sign('+') => Ok(self.expression(SIGN)?.number.into()),
            Token::Sign('√') => {
                let inner = self.expression(SIGN)?.number;
                inner.square_root().map(Value::from).ok_or(Error::NoValue { what: format!("the root of {inner}"), at })
            }
            Token::Sign('(') => {
                let inner = self.expression(0)?;
                if self.sign(')') { Ok(inner.number.into()) } else { Err(self.unexpected("a closing `)` was expected")) }
            }
            Token::Name(name) => self.named(&name, at),
            Token::Sign(_) => {
                self.at -= 1;
                Err(self.unexpected("a number was expected"))
            }
        }
    }

    fn named(&mut self, name: &str, at: usize) -> Result<Value, Error> {
        let Some(function) = function(name) else {
            return constant(name).map(Value::from).ok_or(Error::UnknownName { name: name.to_owned(), at });
        };
        let mut given = Vec::new();
        if !self.sign('(') {
            return Err(self.unexpected("a `(` was expected after the function"));
        }
        if !self.sign(')') {
            loop {
                given.push(self.expression(0)?.number);
                if self.sign(')') {
                    break;
                }
                if !self.sign(',') && !self.sign(';') {
                    return Err(self.unexpected("a `,` or a closing `)` was expected"));
                }
            }
        }
        let (fewest, most) = function.arity;
        if given.len() < fewest || given.len() > most {
            let takes = if fewest == most { format!("{fewest} argument(s)") } else { format!("{fewest} to {most} arguments") };
            return Err(Error::Arity { name: function.name, at, takes, given: given.len() });
        }
        let what = || format!("`{name}({})`", given.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        (function.apply)(&given).map(Value::from).ok_or_else(|| Error::NoValue { what: what(), at })
    }

    /// `!`, `%` as percent, squares, degrees.
    fn postfix(&mut self, mut value: Value) -> Result<Value, Error> {
        loop {
            let at = self.position();
            let result = match self.peek() {
                Some(Token::Sign('!')) => {
                    let number = value.number;
                    factorial(number).ok_or(Error::NoValue { what: format!("`{number}!`"), at })?.into()
                }
                Some(Token::Sign('%')) if !self.starts_operand(self.at + 1) => {
                    let part = value.number.over(Number::HUNDRED).unwrap_or(value.number);
                    Value { number: part, percent: true }
                }
                Some(Token::Sign('²')) => value.number.times(value.number).into(),
                Some(Token::Sign('°')) => radians(value.number).into(),
                Some(Token::Name(name)) if matches!(name.as_str(), "deg" | "degrees") => radians(value.number).into(),
                Some(Token::Name(name)) if name == "percent" => {
                    let part = value.number.over(Number::HUNDRED).unwrap_or(value.number);
                    Value { number: part, percent: true }
                }
                _ => return Ok(value),
            };
            self.at += 1;
            value = result;
        }
    }

    /// Whether a number, a function or a parenthesis starts there: then `%` before it is the remainder.
    fn starts_operand(&self, at: usize) -> bool {
        match self.tokens.get(at) {
            Some((Token::Number(_) | Token::Sign('('), _)) => true,
            Some((Token::Name(name), _)) => function(name).is_some() || constant(name).is_some(),
            _ => false,
        }
    }
}

fn radians(degrees: Number) -> Number {
    Number::Float(degrees.float().to_radians())
}

fn apply(operator: char, left: Value, right: Value, at: usize) -> Result<Number, Error> {
    let (a, b) = (left.number, right.number);
    match operator {
        // `80 + 10%` is 88: a percentage that is added or taken away is one of what stands before it.
        '+' if right.percent && !left.percent => Ok(a.plus(a.times(b))),
        '-' if right.percent && !left.percent => Ok(a.minus(a.times(b))),
        '+' => Ok(a.plus(b)),
        '-' => Ok(a.minus(b)),
        '*' => Ok(a.times(b)),
        '/' => a.over(b).ok_or(Error::DivisionByZero { at }),
        '%' => a.modulo(b).ok_or(Error::DivisionByZero { at }),
        _ => a.power(b).ok_or_else(|| Error::NoValue { what: format!("`{a}^{b}`"), at }),
    }
}
