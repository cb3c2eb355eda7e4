//! `current_time`: date and time here or anywhere, by the clock that is handed in.

use std::sync::Arc;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::domain::clock::{Clock, Instant};
use crate::domain::text::clean_line;
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::zones;
use crate::tools::local::{Definition, Failure, LocalTool, SYSTEM};

/// A place or none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// IANA name such as `Asia/Tokyo`, a large city such as `Tokyo`, or an offset such as `UTC+8`. Default: the time zone of this machine.
    #[serde(default)]
    timezone: Option<String>,
}

/// Why there is no time to tell.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("there is no time zone `{name}`; give an IANA name such as `Europe/Paris`, a large city, or an offset such as `UTC+8`{near}")]
    Unknown { name: String, near: String },
}

pub(super) fn tool(home: String, clock: Arc<dyn Clock>) -> LocalTool {
    let definition = Definition {
        server: SYSTEM,
        name: "current_time",
        title: "Current time",
        description: "Tells the current date, weekday and time, here or in another time zone.",
        hints: ToolHints { idempotent: false, ..ToolHints::READ_ONLY },
    };
    LocalTool::new(&definition, move |arguments: Arguments, _context| {
        let wanted = arguments.timezone.filter(|name| !name.trim().is_empty());
        let result = zone(wanted.as_deref().unwrap_or(&home)).map(|zone| tell(clock.now(), &zone));
        std::future::ready(result.map_err(Failure::from))
    })
}

/// The zone of a name; the machine's own for an empty one.
fn zone(name: &str) -> Result<TimeZone, Error> {
    if name.is_empty() {
        return Ok(TimeZone::system());
    }
    if let Some(offset) = zones::offset(name) {
        return Ok(TimeZone::fixed(offset));
    }
    let found = zones::find(name).and_then(|iana| TimeZone::get(&iana).ok());
    found.ok_or_else(|| {
        let near = zones::near(name);
        let near = if near.is_empty() { String::new() } else { format!("; close names: {}", near.join(", ")) };
        Error::Unknown { name: clean_line(name), near }
    })
}

fn tell(now: Instant, zone: &TimeZone) -> ToolOutcome {
    let here = now.timestamp().to_zoned(zone.clone());
    let name = zone.iana_name().map_or_else(|| here.strftime("UTC%:z").to_string(), str::to_owned);
    let text = format!("{} ({name}, UTC{})", here.strftime("%A, %Y-%m-%d %H:%M:%S"), here.strftime("%:z"));
    let structured = json!({
        "timezone": name,
        "datetime": here.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        "date": here.strftime("%Y-%m-%d").to_string(),
        "time": here.strftime("%H:%M:%S").to_string(),
        "weekday": here.strftime("%A").to_string(),
        "utc_offset": here.strftime("%:z").to_string(),
        "daylight_saving": zone.to_offset_info(now.timestamp()).dst().is_dst(),
    });
    ToolOutcome { text, structured: Some(structured), is_error: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> Result<String, String> {
        let now = "2026-01-01T12:00:00.000Z".parse().unwrap();
        zone(name).map(|zone| tell(now, &zone).text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_time_is_told_for_names_cities_and_offsets() {
        let check = |name: &str, text: &str| assert_eq!(at(name).as_deref(), Ok(text), "{name}");
        check("UTC", "Thursday, 2026-01-01 12:00:00 (UTC, UTC+00:00)");
        check("Asia/Tokyo", "Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)");
        check("tokyo", "Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)");
        check("New York", "Thursday, 2026-01-01 07:00:00 (America/New_York, UTC-05:00)");
        check("北京", "Thursday, 2026-01-01 20:00:00 (Asia/Shanghai, UTC+08:00)");
        check("UTC+5:30", "Thursday, 2026-01-01 17:30:00 (UTC+05:30, UTC+05:30)");
        check("GMT-3", "Thursday, 2026-01-01 09:00:00 (UTC-03:00, UTC-03:00)");
    }

    #[test]
    fn an_unknown_place_is_refused_with_close_names() {
        let error = at("Tokio").unwrap_err();
        assert!(error.contains("no time zone `Tokio`") && error.contains("Asia/Tokyo"), "{error}");
        assert!(!at("Atlantis on Sea").unwrap_err().contains("close names: ,"));
        assert!(at("UTC+99").is_err());
    }
}
