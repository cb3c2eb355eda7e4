//! The calculator's functions and constants, one row each.

use super::number::Number;

/// One function.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The fewest and the most arguments.
    pub(super) arity: (usize, usize),
    /// `None` where it has no real value.
    pub(super) apply: fn(&[Number]) -> Option<Number>,
}

/// The most arguments of `min`, `max`, `sum` and `avg`.
const ARGUMENTS_MAX: usize = 200;

/// Sines and the like below this are rounding noise around zero.
const NOISE: f64 = 1e-15;

const fn row(name: &'static str, least: usize, most: usize, apply: fn(&[Number]) -> Option<Number>) -> Function {
    Function { name, arity: (least, most), apply }
}

const FUNCTIONS: &[Function] = &[
    row("sqrt", 1, 1, |given| given[0].square_root()),
    row("cbrt", 1, 1, |given| float(given, f64::cbrt)),
    row("abs", 1, 1, |given| Some(given[0].absolute())),
    row("floor", 1, 1, |given| Some(given[0].floor())),
    row("ceil", 1, 1, |given| Some(given[0].negated().floor().negated())),
    row("round", 1, 2, round),
    row("min", 1, ARGUMENTS_MAX, |given| pick(given, |new, old| new < old)),
    row("max", 1, ARGUMENTS_MAX, |given| pick(given, |new, old| new > old)),
    row("sum", 1, ARGUMENTS_MAX, |given| Some(sum(given))),
    row("avg", 1, ARGUMENTS_MAX, |given| sum(given).over(Number::whole(i128::try_from(given.len()).ok()?))),
    row("pow", 2, 2, |given| given[0].power(given[1])),
    row("mod", 2, 2, |given| given[0].modulo(given[1])),
    row("hypot", 2, 2, |given| Some(Number::Float(given[0].float().hypot(given[1].float())))),
    row("exp", 1, 1, |given| float(given, f64::exp)),
    row("ln", 1, 1, |given| float(given, f64::ln)),
    row("log", 1, 2, |given| match given {
        [value, base] => finite(value.float().log(base.float())),
        _ => float(given, f64::log10),
    }),
    row("log2", 1, 1, |given| float(given, f64::log2)),
    row("sin", 1, 1, |given| float(given, |x| quiet(x.sin()))),
    row("cos", 1, 1, |given| float(given, |x| quiet(x.cos()))),
    row("tan", 1, 1, |given| float(given, |x| quiet(x.tan()))),
    row("asin", 1, 1, |given| float(given, f64::asin)),
    row("acos", 1, 1, |given| float(given, f64::acos)),
    row("atan", 1, 1, |given| float(given, f64::atan)),
    row("sinh", 1, 1, |given| float(given, f64::sinh)),
    row("cosh", 1, 1, |given| float(given, f64::cosh)),
    row("tanh", 1, 1, |given| float(given, f64::tanh)),
    row("fact", 1, 1, |given| factorial(given[0])),
];

const CONSTANTS: &[(&str, f64)] =
    &[("pi", std::f64::consts::PI), ("π", std::f64::consts::PI), ("e", std::f64::consts::E), ("tau", std::f64::consts::TAU)];

pub(super) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

pub(super) fn constant(name: &str) -> Option<Number> {
    CONSTANTS.iter().find(|(known, _)| *known == name).map(|(_, value)| Number::Float(*value))
}

/// All names, for messages.
pub(super) fn names() -> String {
    let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).chain(CONSTANTS.iter().map(|(name, _)| *name)).collect();
    names.join(" ")
}

/// The product of 1 up to `number`; `None` for what is no whole number from 0 to 170 (the last that fits an `f64`).
pub(super) fn factorial(number: Number) -> Option<Number> {
    let whole = number.as_whole().filter(|whole| (0..=170).contains(whole))?;
    Some((1..=whole).fold(Number::whole(1), |product, factor| product.times(Number::whole(factor))))
}

fn float(given: &[Number], apply: impl Fn(f64) -> f64) -> Option<Number> {
    finite(apply(given[0].float()))
}

fn finite(value: f64) -> Option<Number> {
    value.is_finite().then_some(Number::Float(value))
}

fn quiet(value: f64) -> f64 {
    if value.abs() < NOISE { 0.0 } else { value }
}

fn pick(given: &[Number], better: fn(f64, f64) -> bool) -> Option<Number> {
    given.iter().copied().reduce(|old, new| if better(new.float(), old.float()) { new } else { old })
}

fn sum(given: &[Number]) -> Number {
    given.iter().fold(Number::ZERO, |sum, value| sum.plus(*value))
}

fn round(given: &[Number]) -> Option<Number> {
    let places = given.get(1).map_or(Some(0), |places| places.as_whole().filter(|places| (-15..=15).contains(places)))?;
    let scale = Number::whole(10).power(Number::whole(places))?;
    given[0].times(scale).round().over(scale)
}
