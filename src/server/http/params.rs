//! Reads what stands in the query and the path.

use std::str::FromStr;

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::domain::ids::Seq;
use crate::server::http::problem::Problem;

/// The parameters of the query. Unknown ones are ignored; of several with one name, the last counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::of(parts.uri.query().unwrap_or_default()))
    }
}

impl Params {
    /// The parameters in `query`.
    pub(super) fn of(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The text of a parameter; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(given, value)| given == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The values of a parameter: several of them, or one with commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let given = self.0.iter().filter(|(given, _)| given == name);
        let values = given.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|value| !value.is_empty());
        values.map(str::to_owned).collect()
    }

    /// A position in the log.
    ///
    /// # Errors
    /// 400 where it is none.
    pub(super) fn seq(&self, name: &str) -> Result<Option<Seq>, Problem> {
        let wrong = |text: &str| Problem::parameter(name, format!("`{text}` is no position in the log; give a whole number from 0"));
        self.parse(name, wrong).map(|seq| seq.map(Seq))
    }

    /// A count from 1 to `most`; `default` where absent.
    ///
    /// # Errors
    /// 400 where it is none.
    pub(super) fn count(&self, name: &str, default: usize, most: usize) -> Result<usize, Problem> {
        let wrong = |text: &str| Problem::parameter(name, format!("`{text}` is no count; give a whole number from 1 to {most}"));
        let count = self.parse(name, wrong)?.unwrap_or(default);
        if (1..=most).contains(&count) { Ok(count) } else { Err(wrong(&count.to_string())) }
    }

    fn parse<T: FromStr>(&self, name: &str, wrong: impl Fn(&str) -> Problem) -> Result<Option<T>, Problem> {
        self.text(name).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }
}

/// The one parameter of the path, decoded.
#[derive(Debug)]
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let path = parts.extract::<Path<String>>().await;
        path.map(|Path(text)| Self(text)).map_err(|_| Problem::bad_request("the path is no text in UTF-8; percent-encode it so"))
    }
}
