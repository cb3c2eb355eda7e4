//! What the weather service is asked and what it answers. Pure.

use serde::{Deserialize, Serialize};

use super::Place;
use crate::domain::wmo;
use crate::web::options::Units;

/// What is asked about now.
const CURRENT: &str = "temperature_2m,apparent_temperature,relative_humidity_2m,is_day,precipitation,weather_code,cloud_cover,\
                       wind_speed_10m,wind_direction_10m,wind_gusts_10m";

/// What is asked about a day.
const DAILY: &str = "weather_code,temperature_2m_max,temperature_2m_min,precipitation_sum,precipitation_probability_max,\
                     wind_speed_10m_max,uv_index_max,sunrise,sunset";

/// The parameters of the question.
pub(super) fn query(place: &Place, days: u8, units: Units) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let mut query = vec![
        pair("latitude", format!("{:.4}", place.latitude)),
        pair("longitude", format!("{:.4}", place.longitude)),
        pair("timezone", "auto".to_owned()),
        pair("forecast_days", days.to_string()),
        pair("current", CURRENT.to_owned()),
        pair("daily", DAILY.to_owned()),
    ];
    if units == Units::Imperial {
        query.push(pair("temperature_unit", "fahrenheit".to_owned()));
        query.push(pair("wind_speed_unit", "mph".to_owned()));
        query.push(pair("precipitation_unit", "inch".to_owned()));
    }
    query
}

/// What the service answers. A number may be missing (`null`) where it has none.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    timezone: Option<String>,
    current: Current,
    daily: Daily,
}

#[derive(Debug, Deserialize)]
struct Current {
    time: String,
    temperature_2m: Option<f64>,
    apparent_temperature: Option<f64>,
    relative_humidity_2m: Option<f64>,
    #[serde(default)]
    precipitation: Option<f64>,
    weather_code: Option<f64>,
    #[serde(default)]
    cloud_cover: Option<f64>,
    wind_speed_10m: Option<f64>,
    #[serde(default)]
    wind_direction_10m: Option<f64>,
    #[serde(default)]
    wind_gusts_10m: Option<f64>,
}

type Column = Vec<Option<f64>>;

#[derive(Debug, Deserialize)]
struct Daily {
    time: Vec<String>,
    #[serde(default)]
    weather_code: Column,
    #[serde(default)]
    temperature_2m_max: Column,
    #[serde(default)]
    temperature_2m_min: Column,
    #[serde(default)]
    precipitation_sum: Column,
    #[serde(default)]
    precipitation_probability_max: Column,
    #[serde(default)]
    wind_speed_10m_max: Column,
    #[serde(default)]
    uv_index_max: Column,
    #[serde(default)]
    sunrise: Vec<Option<String>>,
    #[serde(default)]
    sunset: Vec<Option<String>>,
}

/// The weather now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::web) struct Now {
    /// Local time, to the minute.
    pub(in crate::web) time: String,
    pub(in crate::web) condition: String,
    pub(in crate::web) weather_code: Option<u8>,
    pub(in crate::web) temperature: Option<f64>,
    pub(in crate::web) feels_like: Option<f64>,
    pub(in crate::web) humidity_percent: Option<f64>,
    pub(in crate::web) cloud_cover_percent: Option<f64>,
    pub(in crate::web) precipitation: Option<f64>,
    pub(in crate::web) wind_speed: Option<f64>,
    pub(in crate::web) wind_gusts: Option<f64>,
    /// From where it blows, in degrees clockwise from north.
    pub(in crate::web) wind_direction_degrees: Option<f64>,
}

/// The weather of a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::web) struct Day {
    pub(in crate::web) date: String,
    pub(in crate::web) condition: String,
    pub(in crate::web) weather_code: Option<u8>,
    pub(in crate::web) temperature_min: Option<f64>,
    pub(in crate::web) temperature_max: Option<f64>,
    pub(in crate::web) precipitation: Option<f64>,
    pub(in crate::web) precipitation_probability_percent: Option<f64>,
    pub(in crate::web) wind_speed_max: Option<f64>,
    pub(in crate::web) uv_index_max: Option<f64>,
    /// Local time of day.
    pub(in crate::web) sunrise: Option<String>,
    pub(in crate::web) sunset: Option<String>,
}

/// The weather of a place.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::web) struct Report {
    pub(in crate::web) timezone: Option<String>,
    pub(in crate::web) now: Now,
    pub(in crate::web) days: Vec<Day>,
}

impl Answer {
    /// The answer in our words, with so many days.
    pub(super) fn report(self, days: usize) -> Report {
        let Current { time, .. } = &self.current;
        let code = code(self.current.weather_code);
        let now = Now {
            time: line(&time.replace('T', " ")),
            condition: condition(code),
            weather_code: code,
            temperature: self.current.temperature_2m,
            feels_like: self.current.apparent_temperature,
            humidity_percent: self.current.relative_humidity_2m,
            cloud_cover_percent: self.current.cloud_cover,
            precipitation: self.current.precipitation,
            wind_speed: self.current.wind_speed_10m,
            wind_gusts: self.current.wind_gusts_10m,
            wind_direction_degrees: self.current.wind_direction_10m,
        };
        let days = (0..self.daily.time.len().min(days)).filter_map(|at| self.daily.day(at)).collect();
        Report { timezone: self.timezone.map(|zone| line(&zone)), now, days }
    }
}

impl Daily {
    fn day(&self, at: usize) -> Option<Day> {
        let number = |column: &Column| column.get(at).copied().flatten();
        let clock =
            |column: &[Option<String>]| column.get(at).cloned().flatten().map(|moment| line(moment.rsplit('T').next().unwrap_or_default()));
        let code = code(number(&self.weather_code));
        Some(Day {
            date: line(self.time.get(at)?),
            condition: condition(code),
            weather_code: code,
            temperature_min: number(&self.temperature_2m_min),
            temperature_max: number(&self.temperature_2m_max),
            precipitation: number(&self.precipitation_sum),
            precipitation_probability_percent: number(&self.precipitation_probability_max),
            wind_speed_max: number(&self.wind_speed_10m_max),
            uv_index_max: number(&self.uv_index_max),
            sunrise: clock(&self.sunrise),
            sunset: clock(&self.sunset),
        })
    }
}

fn line(text: &str) -> String {
    crate::domain::text::ellipsis(&crate::domain::text::clean_line(text), 60).into_owned()
}

/// Codes are whole numbers from 0 to 99.
fn code(number: Option<f64>) -> Option<u8> {
    let number = number?;
    (0_u8..=99).find(|code| (f64::from(*code) - number).abs() < 0.5)
}

fn condition(code: Option<u8>) -> String {
    code.map_or_else(|| "weather unknown".to_owned(), wmo::words)
}
