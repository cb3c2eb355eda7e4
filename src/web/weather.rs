//! The weather of a place, as Open-Meteo tells it: places by name or position, the weather now and of the next days.
//!
//! <https://open-meteo.com/en/docs>. No key. Both answers are kept: where a place is for a month, its weather for as long as
//! the cache keeps weather.

mod forecast;
mod place;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::net;
use crate::store::cache::{Cache, Fetched, Hit, Kind, Lifetime};
use crate::web::api::{Api, Error, Question};
use crate::web::options::{Units, WeatherOptions};

pub(super) use forecast::{Day, Now, Report};
pub(super) use place::{Choice, Place};

/// The most days of a forecast: what the service has.
pub(super) const DAYS_MAX: u8 = 16;

/// How long the place of a name is kept. Towns do not move.
const PLACE_KEPT: Duration = Duration::from_hours(30 * 24);

/// Asks for the weather. Clones share the cache.
#[derive(Clone)]
pub(super) struct Weather {
    geocoding: Api,
    forecast: Api,
    geocoding_url: String,
    forecast_url: String,
    cache: Cache,
}

/// Why there is no weather, with what to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Asked(#[from] Error),
    #[error("no place `{0}` is known; try the name of a larger town nearby, or give a position such as `48.85,2.35`")]
    NoPlace(String),
    #[error("there is a `{name}`, but none in `{within}`: {known}; give one of these, or a position such as `48.85,2.35`")]
    NotThere { name: String, within: String, known: String },
    #[error("`{0}` is no position: the latitude lies between -90 and 90, the longitude between -180 and 180")]
    Position(String),
    #[error("what was kept of the answer is damaged: {0}")]
    Damaged(String),
}

impl Weather {
    pub(super) fn new(options: &WeatherOptions, net: &net::Client, cache: Cache) -> Self {
        let timeout = Duration::from_secs(options.timeout_seconds.clamp(1, 120));
        let api = |service, url_key| Api { net: net.clone(), service, url_key, key_key: "web.weather", timeout };
        let base = |url: &str| url.trim().trim_end_matches('/').to_owned();
        Self {
            geocoding: api("the search for places", "web.weather.geocoding_url"),
            forecast: api("the weather service", "web.weather.forecast_url"),
            geocoding_url: base(&options.geocoding_url),
            forecast_url: base(&options.forecast_url),
            cache,
        }
    }

    /// The place that is meant, and others of the same name.
    pub(super) async fn find(&self, location: &str) -> Result<Choice, Problem> {
        if let Some(position) = place::position(location) {
            return Ok(Choice { place: position.map_err(Problem::Position)?, others: Vec::new() });
        }
        let wanted = place::Wanted::read(location);
        let query = vec![
            ("name".to_owned(), wanted.name.clone()),
            ("count".to_owned(), place::COUNT.to_string()),
            ("language".to_owned(), wanted.language().to_owned()),
            ("format".to_owned(), "json".to_owned()),
        ];
        let question = Question { url: format!("{}/v1/search", self.geocoding_url), query, headers: HeaderMap::new(), body: None };
        let (answer, _) = self.kept::<place::Answer>(&self.geocoding, question, Some(Lifetime::fresh(PLACE_KEPT))).await?;
        wanted.choose(answer)
    }

    /// The weather there, and how long ago it was asked for.
    pub(super) async fn report(&self, place: &Place, days: u8, units: Units) -> Result<(Report, Duration), Problem> {
        // All days are asked for: another number of days is then answered from what is kept.
        let query = forecast::query(place, DAYS_MAX, units);
        let question = Question { url: format!("{}/v1/forecast", self.forecast_url), query, headers: HeaderMap::new(), body: None };
        let (answer, age) = self.kept::<forecast::Answer>(&self.forecast, question, None).await?;
        Ok((answer.report(usize::from(days)), age))
    }

    /// Asks a service through the cache.
    async fn kept<T: DeserializeOwned>(&self, api: &Api, question: Question, lifetime: Option<Lifetime>) -> Result<(T, Duration), Problem> {
        let pairs: Vec<String> = question.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let key = format!("{}?{}", question.url, pairs.join("&"));
        let api = api.clone();
        let asked = self.cache.get_or_fetch(Kind::Weather, &key, move || async move {
            let answer: Value = api.ask(question).await?;
            Ok::<_, Error>(Fetched { value: answer.to_string().into(), lifetime })
        });
        let Hit { value, age, .. } = asked.await?;
        let answer = serde_json::from_slice(&value).map_err(|error| Problem::Damaged(error.to_string()))?;
        Ok((answer, age))
    }
}
