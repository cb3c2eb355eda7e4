//! Numbers of the calculator: exact fractions as long as they fit, floating point after that.
//!
//! `0.1 + 0.2` is `0.3`, `1/3*3` is `1`. A result that outgrows 128 bits, or that no fraction can hold (a root, a
//! sine), goes on as `f64` and is shown with 15 significant digits.

use std::fmt;

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// A fraction in lowest terms; `den` is positive.
    Exact { num: i128, den: i128 },
    /// An approximation.
    Float(f64),
}

/// The digits after the point that an exact decimal may have before it is shown rounded.
const DECIMALS_MAX: u32 = 28;

impl Number {
    pub(super) const ZERO: Self = Self::Exact { num: 0, den: 1 };
    pub(super) const HUNDRED: Self = Self::Exact { num: 100, den: 1 };

    pub(super) fn whole(value: i128) -> Self {
        Self::Exact { num: value, den: 1 }
    }

    fn exact(num: i128, den: i128) -> Option<Self> {
        let divisor = i128::try_from(gcd(num.unsigned_abs(), den.unsigned_abs())).ok().filter(|divisor| *divisor != 0)?;
        let (num, den) = (num / divisor, den / divisor);
        if den < 0 { Some(Self::Exact { num: num.checked_neg()?, den: den.checked_neg()? }) } else { Some(Self::Exact { num, den }) }
    }

    /// Reads digits with an optional point and exponent.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let scale = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let exact = || {
            let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
            let power = 10_i128.checked_pow(scale.unsigned_abs())?;
            if scale >= 0 { Self::exact(mantissa.checked_mul(power)?, 1) } else { Self::exact(mantissa, power) }
        };
        exact().or_else(|| text.parse().ok().map(Self::Float))
    }

    #[expect(clippy::cast_precision_loss, reason = "the approximation is what is asked for")]
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Exact { num, den } => num as f64 / den as f64,
            Self::Float(value) => value,
        }
    }

    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Exact { num, .. } => num == 0,
            Self::Float(value) => value == 0.0,
        }
    }

    pub(super) fn is_finite(self) -> bool {
        self.float().is_finite()
    }

    /// The whole number it is, if it is one.
    pub(super) fn as_whole(self) -> Option<i128> {
        match self {
            Self::Exact { num, den: 1 } => Some(num),
            _ => None,
        }
    }

    fn both(self, other: Self, exact: impl Fn(i128, i128, i128, i128) -> Option<Self>, float: impl Fn(f64, f64) -> f64) -> Self {
        if let (Self::Exact { num: a, den: b }, Self::Exact { num: c, den: d }) = (self, other)
            && let Some(result) = exact(a, b, c, d)
        {
            return result;
        }
        Self::Float(float(self.float(), other.float()))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let exact = |a: i128, b: i128, c: i128, d: i128| Self::exact(a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?);
        self.both(other, exact, |a, b| a + b)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    pub(super) fn times(self, other: Self) -> Self {
        let exact = |a: i128, b: i128, c: i128, d: i128| Self::exact(a.checked_mul(c)?, b.checked_mul(d)?);
        self.both(other, exact, |a, b| a * b)
    }

    /// `None` where `other` is zero.
    pub(super) fn over(self, other: Self) -> Option<Self> {
        let exact = |a: i128, b: i128, c: i128, d: i128| Self::exact(a.checked_mul(d)?, b.checked_mul(c)?);
        (!other.is_zero()).then(|| self.both(other, exact, |a, b| a / b))
    }

    /// The remainder with the sign of the divisor, as in arithmetic modulo; `None` where `other` is zero.
    pub(super) fn modulo(self, other: Self) -> Option<Self> {
        let quotient = self.over(other)?.floor();
        Some(self.minus(other.times(quotient)))
    }

    /// `None` for a root of a negative number and for zero to a negative power.
    pub(super) fn power(self, exponent: Self) -> Option<Self> {
        if self.is_zero() && exponent.float() < 0.0 {
            return None;
        }
        let exact = || {
            let Self::Exact { num, den } = self else { return None };
            let times = exponent.as_whole().and_then(|whole| u32::try_from(whole.unsigned_abs()).ok())?;
            let (num, den) = (num.checked_pow(times)?, den.checked_pow(times)?);
            if exponent.float() < 0.0 { Self::exact(den, num) } else { Self::exact(num, den) }
        };
        let result = exact().unwrap_or_else(|| Self::Float(self.float().powf(exponent.float())));
        (!result.float().is_nan()).then_some(result)
    }

    /// `None` for negative numbers.
    pub(super) fn square_root(self) -> Option<Self> {
        if self.float() < 0.0 {
            return None;
        }
        if let Self::Exact { num, den } = self {
            let (top, bottom) = (num.unsigned_abs().isqrt(), den.unsigned_abs().isqrt());
            if top * top == num.unsigned_abs() && bottom * bottom == den.unsigned_abs() {
                return Self::exact(i128::try_from(top).ok()?, i128::try_from(bottom).ok()?);
            }
        }
        Some(Self::Float(self.float().sqrt()))
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Exact { num, den } => num.checked_neg().map_or(Self::Float(-self.float()), |num| Self::Exact { num, den }),
            Self::Float(value) => Self::Float(-value),
        }
    }

    pub(super) fn absolute(self) -> Self {
        if self.float() < 0.0 { self.negated() } else { self }
    }

    pub(super) fn floor(self) -> Self {
        match self {
            Self::Exact { num, den } => Self::whole(num.div_euclid(den)),
            Self::Float(value) => Self::Float(value.floor()),
        }
    }

    /// Half goes away from zero.
    pub(super) fn round(self) -> Self {
        let half = Self::Exact { num: 1, den: 2 };
        if self.float() < 0.0 { self.negated().plus(half).floor().negated() } else { self.plus(half).floor() }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exact { num, den: 1 } => write!(f, "{num}"),
            Self::Exact { num, den } => match decimal(num, den) {
                Some(text) => f.write_str(&text),
                None => f.write_str(&significant(self.float())),
            },
            Self::Float(value) => f.write_str(&significant(value)),
        }
    }
}

/// The decimal of a fraction that ends, within [`DECIMALS_MAX`] digits.
fn decimal(num: i128, den: i128) -> Option<String> {
    let places = (1..=DECIMALS_MAX).find(|places| 10_i128.checked_pow(*places).is_some_and(|power| power % den == 0))?;
    let scaled = num.checked_mul(10_i128.checked_pow(places)? / den)?;
    let digits = format!("{:0>width$}", scaled.unsigned_abs(), width = places as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places as usize);
    Some(format!("{}{whole}.{}", if num < 0 { "-" } else { "" }, fraction.trim_end_matches('0')))
}

/// 15 significant digits, in the shorter of plain and scientific form.
fn significant(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:.14e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trimmed(mantissa));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a finite number is small")]
    let before = if size == 0.0 { 0 } else { size.log10().floor() as i32 };
    let places = usize::try_from(14 - before).unwrap_or(0);
    trimmed(&format!("{value:.places$}")).to_owned()
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
