//! `get_weather`: the weather of a place, now and on the next days.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{READS_OUTSIDE, WEATHER, ago, line};
use crate::domain::wmo;
use crate::tools::ToolOutcome;
use crate::tools::local::{Definition, Failure, LocalTool};
use crate::web::Web;
use crate::web::options::Units;
use crate::web::weather::{Choice, DAYS_MAX, Day, Now, Place, Report};

/// Days of a forecast where nobody says otherwise.
const DAYS: u8 = 3;

/// Whose weather it is: their licence asks for it (CC BY 4.0).
const SOURCE: &str = "Weather data by Open-Meteo.com";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// A town or region, with its country or state where several have the name (`Paris, Texas`), or a position as `latitude,longitude`.
    location: String,
    /// How many days, today included, 1 to 16. Default: 3.
    #[serde(default)]
    days: Option<u8>,
    /// `metric` (°C, km/h, mm) or `imperial` (°F, mph, inches). Default: what the config says, `metric`.
    #[serde(default)]
    units: Option<Units>,
}

pub(super) fn tool(web: &Web) -> LocalTool {
    let definition = Definition {
        server: WEATHER,
        name: "get_weather",
        title: "Weather",
        description: "Tells the weather of a place: now, and day by day for up to 16 days (condition, temperatures, rain, wind, UV, sun). Says \
                      which place it took where several have the name.",
        hints: READS_OUTSIDE,
    };
    // Two questions: where the place is, and its weather.
    let limit = Duration::from_secs(web.options.weather.timeout_seconds.saturating_mul(2).saturating_add(5));
    let web = web.clone();
    let mut tool = LocalTool::new(&definition, move |arguments: Arguments, _context| {
        let web = web.clone();
        async move { weather(&web, &arguments).await }
    });
    tool.limit_time(limit);
    tool
}

async fn weather(web: &Web, arguments: &Arguments) -> Result<ToolOutcome, Failure> {
    let days = arguments.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Failure(format!("`days`: {days} is out of range; give 1 to {DAYS_MAX}")));
    }
    if line(&arguments.location).is_empty() {
        return Err(Failure("`location` is empty; give a town such as `Paris`, or a position such as `48.85,2.35`".to_owned()));
    }
    let units = arguments.units.unwrap_or(web.options.weather.units);
    let Choice { place, others } = web.weather.find(&arguments.location).await?;
    let (report, age) = web.weather.report(&place, days, units).await?;
    let others: Vec<String> = others.iter().map(Place::label).collect();
    let structured = json!({
        "place": {
            "name": place.name, "region": place.region, "country": place.country, "country_code": place.country_code,
            "latitude": place.latitude, "longitude": place.longitude, "timezone": report.timezone,
        },
        "units": match units {
            Units::Metric => json!({"system": "metric", "temperature": "°C", "wind": "km/h", "precipitation": "mm"}),
            Units::Imperial => json!({"system": "imperial", "temperature": "°F", "wind": "mph", "precipitation": "inch"}),
        },
        "current": report.now,
        "daily": report.days,
        "others": others,
        "age_seconds": age.as_secs(),
        "source": SOURCE,
    });
    Ok(ToolOutcome { text: told(&place, &report, &others, units, age), structured: Some(structured), is_error: false })
}

fn told(place: &Place, report: &Report, others: &[String], units: Units, age: Duration) -> String {
    let zone = report.timezone.as_ref().map(|zone| format!("; {zone}")).unwrap_or_default();
    let mut lines = vec![format!("{} ({:.2}, {:.2}{zone})", place.label(), place.latitude, place.longitude)];
    lines.push(now(&report.now, units));
    lines.extend(report.days.iter().map(|one| day(one, units)));
    if !others.is_empty() {
        lines.push(format!("Other places of this name: {}. Say which one is meant, as in `{}`.", others.join("; "), others[0]));
    }
    let kept = if age >= Duration::from_mins(1) { format!(", asked {} ago", ago(age)) } else { String::new() };
    lines.push(format!("{SOURCE}{kept}"));
    lines.join("\n")
}

fn now(now: &Now, units: Units) -> String {
    let mut facts = vec![now.condition.clone()];
    facts.extend(now.temperature.map(|degrees| temperature(degrees, units)));
    facts.extend(now.feels_like.map(|degrees| format!("feels like {}", temperature(degrees, units))));
    facts.extend(now.humidity_percent.map(|percent| format!("humidity {percent:.0} %")));
    let gusts = now.wind_gusts.map(|speed| format!(", gusts {}", wind(speed, units))).unwrap_or_default();
    let from = now.wind_direction_degrees.map(|degrees| format!(" from the {}", wmo::wind_from(degrees).0)).unwrap_or_default();
    facts.extend(now.wind_speed.map(|speed| format!("wind {}{from}{gusts}", wind(speed, units))));
    facts.extend(now.precipitation.filter(|amount| *amount > 0.0).map(|amount| format!("precipitation {}", rain(amount, units))));
    format!("Now ({}): {}", now.time, facts.join(", "))
}

fn day(day: &Day, units: Units) -> String {
    let weekday = day.date.parse::<jiff::civil::Date>().map(|date| date.strftime("%A, ").to_string()).unwrap_or_default();
    let mut facts = vec![day.condition.clone()];
    facts.extend(match (day.temperature_min, day.temperature_max) {
        (Some(min), Some(max)) => Some(format!("{} to {}", number(min), temperature(max, units))),
        (one, other) => one.or(other).map(|degrees| temperature(degrees, units)),
    });
    let chance = day.precipitation_probability_percent.map(|percent| format!(" ({percent:.0} % likely)")).unwrap_or_default();
    facts.extend(day.precipitation.map(|amount| format!("precipitation {}{chance}", rain(amount, units))));
    facts.extend(day.wind_speed_max.map(|speed| format!("wind up to {}", wind(speed, units))));
    facts.extend(day.uv_index_max.map(|index| format!("UV {index:.0}")));
    if let (Some(rise), Some(set)) = (&day.sunrise, &day.sunset) {
        facts.push(format!("sun {rise} to {set}"));
    }
    format!("{weekday}{}: {}", day.date, facts.join(", "))
}

/// One place behind the point, and none where it is nought.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn temperature(degrees: f64, units: Units) -> String {
    format!("{} {}", number(degrees), if units == Units::Metric { "°C" } else { "°F" })
}

fn wind(speed: f64, units: Units) -> String {
    format!("{speed:.0} {}", if units == Units::Metric { "km/h" } else { "mph" })
}

fn rain(amount: f64, units: Units) -> String {
    match units {
        Units::Metric => format!("{} mm", number(amount)),
        Units::Imperial => format!("{amount:.2} in"),
    }
}
