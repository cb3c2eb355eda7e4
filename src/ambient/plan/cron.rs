//! Reads cron expressions: five fields, six with seconds in front, or a name such as `@daily`.

use croner::CronPattern;
use croner::parser::{CronParser, Year};

use super::dates::Dates;
use super::times::Times;

/// The longest expression, in bytes.
const LENGTH_MAX: usize = 256;

/// What the names stand for.
const NAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The six fields and what each may hold.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, `L` for the last, `15W` for the working day nearest to the 15th"),
    ("month", "1 to 12 or `JAN` to `DEC`"),
    ("day of the week", "0 to 7 or `SUN` to `SAT`, `MON#1` for the first Monday, `FRI#L` for the last Friday"),
];

/// An expression, taken apart.
pub(super) struct Expression {
    pub(super) dates: Dates,
    pub(super) times: Times,
    /// Whether its times are stated, not wild (`*`, `/`) in the hours, minutes or seconds.
    pub(super) stated: bool,
}

/// Takes `text` apart.
///
/// # Errors
/// What is wrong with it, in a phrase.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let fields = fields(text)?;
    let line = fields.join(" ");
    let parser = CronParser::builder().year(Year::Disallowed).build();
    let mut pattern = parser.parse(&line).map_err(|_| culprit(parser, &fields))?.pattern;
    let values = |component: &croner::CronComponent| component.get_set_values(1);
    let times =
        Times::of(&values(&pattern.hours), &values(&pattern.minutes), &values(&pattern.seconds)).ok_or("it names no time of day")?;
    let stated = !fields.iter().take(3).any(|field| field.contains(['*', '/', '?']));
    slim(&mut pattern);
    Ok(Expression { dates: Dates::Cron(Box::new(pattern)), times, stated })
}

/// The six fields of `text`.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.len() > LENGTH_MAX {
        return Err(format!("it is longer than {LENGTH_MAX} characters"));
    }
    let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, line)| *line);
    if named.is_none() && text.starts_with('@') {
        let all = NAMES.map(|(name, _)| format!("`{name}`")).join(", ");
        return Err(format!("its name is not one of {all}"));
    }
    let mut fields: Vec<String> = named.unwrap_or(text).split_whitespace().map(str::to_owned).collect();
    match fields.len() {
        5 => fields.insert(0, "0".to_owned()),
        6 => {}
        0 => return Err("it is empty".to_owned()),
        count => return Err(format!("it has {count} fields, not 5 (minute hour day month weekday) or 6 (a second in front)")),
    }
    Ok(fields)
}

/// Finds the field that the parser does not like, by giving it each alone.
fn culprit(parser: CronParser, fields: &[String]) -> String {
    let alone = |index: usize, field: &str| {
        let mut line = ["*"; 6];
        if let Some(slot) = line.get_mut(index) {
            *slot = field;
        }
        parser.parse(&line.join(" ")).is_err()
    };
    let bad = fields.iter().enumerate().zip(FIELDS).find(|((index, field), _)| alone(*index, field));
    match bad {
        Some(((_, field), (name, range))) => format!("its {name} `{field}` is not understood (use {range})"),
        None => "its fields do not go together".to_owned(),
    }
}

/// Drops what is kept elsewhere or not needed: the years alone would take 5 KB.
fn slim(pattern: &mut CronPattern) {
    for part in [&mut pattern.years, &mut pattern.hours, &mut pattern.minutes, &mut pattern.seconds] {
        *part = croner::CronComponent::default();
    }
}
