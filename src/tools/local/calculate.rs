//! `calculate`: arithmetic that is exact where it can be.
//!
//! [`evaluate`] is a precedence climber over a bounded text: no variables, no loops, no way to run for long. Every
//! refusal names the place.

mod functions;
mod number;
mod parse;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::{Definition, Failure, LocalTool, SYSTEM};

use parse::evaluate;

/// The longest expression, in characters.
const EXPRESSION_CHARS_MAX: usize = 1_000;

/// How deep parentheses, signs and powers may nest.
const DEPTH_MAX: u32 = 64;

/// Why an expression has no value. Positions count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Error {
    #[error("the expression is empty; write something like `3*(4+5)`")]
    Empty,
    #[error("the expression is longer than {EXPRESSION_CHARS_MAX} characters; calculate it in parts")]
    TooLong,
    #[error("the expression nests deeper than {DEPTH_MAX} levels (position {at}); calculate it in parts")]
    TooDeep { at: usize },
    #[error("unexpected {found} at position {at}; {expected}")]
    Unexpected { found: String, at: usize, expected: &'static str },
    #[error("`{text}` at position {at} is not a number")]
    BadNumber { text: String, at: usize },
    #[error("`{name}` at position {at} is neither a function nor a constant; there are: {}", functions::names())]
    UnknownName { name: String, at: usize },
    #[error("`{name}` at position {at} takes {takes}, not {given}")]
    Arity { name: &'static str, at: usize, takes: String, given: usize },
    #[error("division by zero at position {at}")]
    DivisionByZero { at: usize },
    #[error("{what} at position {at} has no real value")]
    NoValue { what: String, at: usize },
    #[error("the result is too large to be shown")]
    TooLarge,
}

/// Arithmetic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// What to calculate, for example `3*(4+5)`, `17% of 2340`, `sqrt(2)^3`.
    expression: String,
}

pub(super) fn tool() -> LocalTool {
    let definition = Definition {
        server: SYSTEM,
        name: "calculate",
        title: "Calculate",
        description: "Calculates an arithmetic expression exactly where possible. Operators + - * / ^ ! and parentheses; \
                      `%` after a number is a percentage (`17% of 2340`, `80 + 10%`), between two numbers it is the remainder (also `mod`). \
                      Functions: sqrt cbrt abs round floor ceil min max sum avg ln log log2 exp sin cos tan asin acos atan pow mod \
                      (angles in radians, or with `deg`). Constants: pi, e, tau.",
        hints: ToolHints::READ_ONLY,
    };
    LocalTool::new(&definition, |arguments: Arguments, _context| {
        std::future::ready(evaluate(&arguments.expression).map_err(Failure::from).map(|value| {
            let expression = arguments.expression.trim();
            ToolOutcome {
                text: format!("{expression} = {value}"),
                structured: Some(json!({ "expression": expression, "value": value.to_string() })),
                is_error: false,
            }
        }))
    })
}

#[cfg(test)]
mod tests;
