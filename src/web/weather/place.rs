//! Which place is meant. Pure.

use serde::{Deserialize, Serialize};

use super::Problem;
use crate::domain::text::{clean_line, ellipsis};

/// Places that are asked for: enough to tell towns of one name apart.
pub(super) const COUNT: usize = 20;

/// Other places that are named.
const OTHERS_MAX: usize = 4;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// A place on earth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::web) struct Place {
    pub(in crate::web) name: String,
    /// The region: a state, a province.
    #[serde(default, rename = "admin1", skip_serializing_if = "Option::is_none")]
    pub(in crate::web) region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::web) country: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::web) country_code: Option<String>,
    pub(in crate::web) latitude: f64,
    pub(in crate::web) longitude: f64,
}

impl Place {
    /// `Paris, Île-de-France, France`, without what says the same twice.
    pub(in crate::web) fn label(&self) -> String {
        let mut parts = vec![self.name.as_str()];
        for part in [&self.region, &self.country].into_iter().flatten() {
            if !parts.contains(&part.as_str()) {
                parts.push(part);
            }
        }
        parts.join(", ")
    }
}

/// The place that is meant, and others that it could have been.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::web) struct Choice {
    pub(in crate::web) place: Place,
    pub(in crate::web) others: Vec<Place>,
}

/// What the search for places answers; without `results` where there are none.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    results: Vec<Place>,
}

/// `48.85,2.35` as a place; the text where it is out of range; nothing where it is a name.
pub(super) fn position(text: &str) -> Option<Result<Place, String>> {
    let (latitude, longitude) = text.trim().split_once([',', ' ', ';', '，'])?;
    let number = |text: &str| text.trim().trim_matches(['°', ',']).trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let (latitude, longitude) = (number(latitude)?, number(longitude)?);
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return Some(Err(clean_line(text)));
    }
    let name = format!("{latitude:.4}, {longitude:.4}");
    Some(Ok(Place { name, region: None, country: None, country_code: None, latitude, longitude }))
}

/// What somebody asked for: a name, and what it lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    within: Vec<String>,
}

impl Wanted {
    pub(super) fn read(text: &str) -> Self {
        let text = clean_line(text);
        let mut parts =
            text.split([',', '，']).map(|part| ellipsis(part.trim(), NAME_CHARS_MAX).into_owned()).filter(|part| !part.is_empty());
        let name = parts.next().unwrap_or_default();
        Self { name, within: parts.take(4).collect() }
    }

    /// The language that names are looked up and told in.
    pub(super) fn language(&self) -> &'static str {
        let han = |ch: char| ('\u{4e00}'..='\u{9fff}').contains(&ch);
        if self.name.chars().any(han) { "zh" } else { "en" }
    }

    /// The first place that fits: the service puts the best known first.
    pub(super) fn choose(&self, answer: Answer) -> Result<Choice, Problem> {
        let known: Vec<Place> = answer.results.into_iter().filter(is_on_earth).map(cleaned).collect();
        if known.is_empty() {
            return Err(Problem::NoPlace(self.name.clone()));
        }
        let mut fitting = known.iter().filter(|place| self.within.iter().all(|within| lies_in(place, within)));
        let Some(place) = fitting.next() else {
            let named = distinct(known.iter(), None).iter().map(Place::label).collect::<Vec<_>>().join("; ");
            return Err(Problem::NotThere { name: self.name.clone(), within: self.within.join(", "), known: named });
        };
        Ok(Choice { place: place.clone(), others: distinct(fitting, Some(place)) })
    }
}

fn is_on_earth(place: &Place) -> bool {
    (-90.0..=90.0).contains(&place.latitude) && (-180.0..=180.0).contains(&place.longitude)
}

fn cleaned(place: Place) -> Place {
    let line = |text: String| ellipsis(&clean_line(&text), NAME_CHARS_MAX).into_owned();
    Place {
        name: line(place.name),
        region: place.region.map(line),
        country: place.country.map(line),
        country_code: place.country_code.map(line),
        ..place
    }
}

/// Whether a place lies in what is named: its country, the country's code, its region or the region's initials (`TX` for
/// Texas is known to nobody here, `NY` for New York is).
fn lies_in(place: &Place, within: &str) -> bool {
    let wanted = within.trim_end_matches('.').to_lowercase();
    let initials = |text: &str| text.split_whitespace().filter_map(|word| word.chars().next()).collect::<String>().to_lowercase();
    let is = |text: &Option<String>| {
        text.as_ref().is_some_and(|text| text.to_lowercase() == wanted || (text.contains(' ') && initials(text) == wanted))
    };
    let code = match wanted.as_str() {
        "uk" | "england" | "britain" | "great britain" => Some("gb"),
        "usa" | "america" | "united states of america" => Some("us"),
        _ => None,
    };
    let coded = place.country_code.as_ref().is_some_and(|known| {
        let known = known.to_lowercase();
        known == wanted || code == Some(known.as_str())
    });
    coded || is(&place.country) || is(&place.region) || state_code(place.region.as_deref()).is_some_and(|code| code == wanted)
}

/// The postal code of a state of the United States, for those whose initials do not give it.
fn state_code(region: Option<&str>) -> Option<&'static str> {
    const CODES: &[(&str, &str)] = &[
        ("Alabama", "al"),
        ("Alaska", "ak"),
        ("Arizona", "az"),
        ("Arkansas", "ar"),
        ("California", "ca"),
        ("Colorado", "co"),
        ("Connecticut", "ct"),
        ("Delaware", "de"),
        ("Florida", "fl"),
        ("Georgia", "ga"),
        ("Hawaii", "hi"),
        ("Idaho", "id"),
        ("Illinois", "il"),
        ("Indiana", "in"),
        ("Iowa", "ia"),
        ("Kansas", "ks"),
        ("Kentucky", "ky"),
        ("Louisiana", "la"),
        ("Maine", "me"),
        ("Maryland", "md"),
        ("Massachusetts", "ma"),
        ("Michigan", "mi"),
        ("Minnesota", "mn"),
        ("Mississippi", "ms"),
        ("Missouri", "mo"),
        ("Montana", "mt"),
        ("Nebraska", "ne"),
        ("Nevada", "nv"),
        ("Ohio", "oh"),
        ("Oklahoma", "ok"),
        ("Oregon", "or"),
        ("Pennsylvania", "pa"),
        ("Tennessee", "tn"),
        ("Texas", "tx"),
        ("Utah", "ut"),
        ("Vermont", "vt"),
        ("Virginia", "va"),
        ("Washington", "wa"),
        ("Wisconsin", "wi"),
        ("Wyoming", "wy"),
    ];
    CODES.iter().find(|(name, _)| Some(*name) == region).map(|(_, code)| *code)
}

/// Places that read differently, without `but`.
fn distinct<'a>(places: impl Iterator<Item = &'a Place>, but: Option<&Place>) -> Vec<Place> {
    let mut out: Vec<Place> = Vec::new();
    for place in places {
        let label = place.label();
        if but.is_none_or(|but| but.label() != label) && out.iter().all(|known| known.label() != label) {
            out.push(place.clone());
        }
        if out.len() == OTHERS_MAX {
            break;
        }
    }
    out
}
