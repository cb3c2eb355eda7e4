//! The weather: which place is meant, and what the service's answer comes to.

use serde_json::{Value, json};

use super::place::{Wanted, position};
use super::*;

fn places(rows: &[(&str, Option<&str>, &str, &str)]) -> place::Answer {
    let rows: Vec<Value> = rows
        .iter()
        .map(|(name, region, country, code)| {
            json!({"name": name, "admin1": region, "country": country, "country_code": code, "latitude": 1.0, "longitude": 2.0})
        })
        .collect();
    serde_json::from_value(json!({ "results": rows })).unwrap()
}

fn all() -> place::Answer {
    places(&[
        ("Paris", Some("Île-de-France"), "France", "FR"),
        ("Paris", Some("Texas"), "United States", "US"),
        ("Paris", Some("New York"), "United States", "US"),
        ("Paris", Some("Texas"), "United States", "US"),
        ("Paris", None, "Canada", "CA"),
    ])
}

#[test]
fn the_place_that_is_meant_is_found_and_the_others_are_named() {
    let check = |text: &str, label: &str| assert_eq!(Wanted::read(text).choose(all()).unwrap().place.label(), label, "{text}");
    check("Paris", "Paris, Île-de-France, France");
    check(" paris , FR", "Paris, Île-de-France, France");
    check("Paris, Texas", "Paris, Texas, United States");
    check("Paris, TX", "Paris, Texas, United States");
    check("Paris, TX, USA", "Paris, Texas, United States");
    check("Paris, NY", "Paris, New York, United States");
    check("Paris，canada", "Paris, Canada");
    let others: Vec<String> = Wanted::read("Paris").choose(all()).unwrap().others.iter().map(Place::label).collect();
    assert_eq!(others, ["Paris, Texas, United States", "Paris, New York, United States", "Paris, Canada"]);
    assert!(Wanted::read("Paris, Texas").choose(all()).unwrap().others.is_empty());
}

#[test]
fn a_place_that_is_not_there_is_said_with_what_is() {
    let error = Wanted::read("Paris, Atlantis").choose(all()).unwrap_err().to_string();
    assert!(error.contains("none in `Atlantis`") && error.contains("Paris, Texas, United States"), "{error}");
    let error = Wanted::read("Nowhere").choose(places(&[])).unwrap_err().to_string();
    assert!(error.contains("`Nowhere`") && error.contains("48.85,2.35"), "{error}");
    let empty = serde_json::from_value::<place::Answer>(json!({"generationtime_ms": 0.5})).unwrap();
    assert!(Wanted::read("x").choose(empty).is_err());
}

#[test]
fn positions_are_taken_as_they_are() {
    let place = position(" 48.8534, 2.3488 ").unwrap().unwrap();
    assert_eq!(place.label(), "48.8534, 2.3488");
    assert_eq!(position("-33.9 151.2").unwrap().unwrap().label(), "-33.9000, 151.2000");
    assert!(position("91,0").unwrap().is_err());
    assert!(position("0,181").unwrap().is_err());
    assert!(position("Paris, Texas").is_none() && position("Paris").is_none() && position("nan,1").is_none());
}

#[test]
fn names_are_looked_up_in_their_own_language() {
    assert_eq!(Wanted::read("北京").language(), "zh");
    assert_eq!(Wanted::read("Paris").language(), "en");
}

#[test]
fn an_answer_with_holes_is_read() {
    let answer: forecast::Answer = serde_json::from_value(json!({
        "timezone": "Europe/Paris",
        "current": {"time": "2026-01-01T12:00", "temperature_2m": 8.4, "apparent_temperature": null, "relative_humidity_2m": 81,
            "weather_code": 3, "wind_speed_10m": 14.0},
        "daily": {"time": ["2026-01-01", "2026-01-02", "2026-01-03"], "weather_code": [61, null, 142], "temperature_2m_max": [9.1],
            "temperature_2m_min": [4.2, 3.0], "sunrise": ["2026-01-01T08:44"], "sunset": []},
    }))
    .unwrap();
    let report = answer.report(2);
    assert_eq!((report.now.time.as_str(), report.now.condition.as_str(), report.now.feels_like), ("2026-01-01 12:00", "overcast", None));
    assert_eq!(report.days.len(), 2);
    assert_eq!(
        (report.days[0].condition.as_str(), report.days[0].sunrise.as_deref(), report.days[0].sunset.as_deref()),
        ("light rain", Some("08:44"), None)
    );
    assert_eq!(
        (report.days[1].condition.as_str(), report.days[1].temperature_min, report.days[1].temperature_max),
        ("weather unknown", Some(3.0), None)
    );
}
