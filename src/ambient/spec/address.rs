//! Reads addresses, numbers of phones, zones and moments.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{SpecError, suggest};
use crate::domain::clock::Instant;

/// The longest address, in bytes.
const URL_MAX: usize = 2_048;

/// An address of the web; `https://` is put before one that names no scheme.
pub(super) fn url(field: &str, given: &str) -> Result<String, SpecError> {
    const EXAMPLE: &str = "give an address such as https://example.com/news";
    let bad = |reason: &str, hint: &str| Err(SpecError::new(field, format!("`{}` {reason}", suggest::shown(given)), hint));
    if given.len() > URL_MAX {
        return bad("is too long for an address", "give at most 2,048 bytes");
    }
    if given.chars().any(|ch| ch.is_whitespace() || ch.is_control() || "<>\"{}|\\^`".contains(ch)) {
        return bad("has signs that no address has", EXAMPLE);
    }
    let (scheme, rest) = given.split_once("://").unwrap_or(("https", given));
    if !(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")) {
        return bad("is not of the web", "give an address that begins with http:// or https://");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return bad("holds a name or password, which would be kept in the log", "leave out what stands before `@`");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, "443"),
    };
    if port.parse::<u16>().is_ok_and(|port| port > 0) && is_host(host) {
        Ok(format!("{}://{rest}", scheme.to_lowercase()))
    } else {
        bad("is no address", EXAMPLE)
    }
}

/// A name with a dot, `localhost`, or an IP address.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let label =
        |label: &&str| !label.is_empty() && label.len() <= 63 && label.chars().all(|ch| ch.is_alphanumeric() || ch == '-' || ch == '_');
    let numeric = labels.last().is_some_and(|last| last.chars().all(|ch| ch.is_ascii_digit()));
    let shape = labels.len() > 1 || host.eq_ignore_ascii_case("localhost");
    shape && labels.iter().all(label) && host.len() <= 253 && (!numeric || host.parse::<std::net::Ipv4Addr>().is_ok())
}

/// A number in E.164 form; blanks, dashes, dots and brackets between digits are taken out.
pub(super) fn phone(field: &str, given: &str) -> Result<String, SpecError> {
    let bare: String = given.chars().filter(|ch| !(ch.is_whitespace() || "-.()/".contains(*ch))).collect();
    let digits = bare.strip_prefix('+').unwrap_or_default();
    let good = (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    if good {
        return Ok(bare);
    }
    let hint = "give the country's code and the number, such as +1234567890";
    Err(SpecError::new(field, format!("`{}` is no phone number in international form", suggest::shown(given)), hint))
}

/// One address of a mailbox.
pub(super) fn email(field: &str, given: &str) -> Result<String, SpecError> {
    let good = given.split_once('@').is_some_and(|(name, host)| {
        let plain = |ch: char| !(ch.is_whitespace() || ch.is_control() || "<>()[],;:\\\"@".contains(ch));
        (1..=64).contains(&name.len()) && name.chars().all(plain) && is_host(host)
    });
    if good {
        return Ok(given.to_owned());
    }
    Err(SpecError::new(field, format!("`{}` is no mail address", suggest::shown(given)), "give one such as name@example.com"))
}

/// A topic of ntfy.
pub(super) fn topic(field: &str, given: &str) -> Result<String, SpecError> {
    let good = given.len() <= 64 && given.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '-' || ch == '_');
    if good {
        return Ok(given.to_owned());
    }
    Err(SpecError::new(field, format!("`{}` is no topic", suggest::shown(given)), "give up to 64 letters, digits, `-` and `_`"))
}

/// The IANA name of a zone, as the data base writes it.
pub(super) fn zone(field: &str, given: &str) -> Result<String, SpecError> {
    if let Ok(zone) = TimeZone::get(given)
        && let Some(name) = zone.iana_name()
    {
        return Ok(name.to_owned());
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().replace('_', " ");
    let city = known.iter().find(|name| last(name).eq_ignore_ascii_case(given)).map(String::as_str);
    let near = city.or_else(|| suggest::nearest(given, known.iter().map(String::as_str)));
    let hint = match near {
        Some(name) => format!("did you mean `{name}`?"),
        None => "give a name of the IANA data base such as `Europe/Berlin` or `UTC`".to_owned(),
    };
    Err(SpecError::new(field, format!("`{}` is no time zone", suggest::shown(given)), hint))
}

/// A moment: RFC 3339, or a date and time of day in `zone`.
pub(super) fn moment(field: &str, given: &str, zone: &TimeZone) -> Result<Instant, SpecError> {
    let local = || given.parse::<DateTime>().ok().and_then(|local| zone.to_timestamp(local).ok());
    let stamp = given.parse::<Timestamp>().ok().or_else(local);
    stamp.map(|stamp| Instant::from_millis(stamp.as_millisecond())).ok_or_else(|| {
        let hint = "give one such as 2026-12-01T10:00:00Z, or 2026-12-01T10:00 for the task's own zone";
        SpecError::new(field, format!("`{}` is no moment", suggest::shown(given)), hint)
    })
}
