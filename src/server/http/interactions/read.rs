//! Gives records back: pages, one interaction, statistics. A key opens what its own reporter reported.

use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value};

use crate::domain::clock::Instant;
use crate::domain::reports::{Access, PAGE_DEFAULT, PAGE_MAX, RecordQuery, Statistics, Status, Window};
use crate::server::http::interactions::{Admitted, page};
use crate::server::http::params::Params;
use crate::server::http::problem::Problem;
use crate::server::http::table::Route;

/// The window of statistics where nothing is said.
const WINDOW: Duration = Duration::from_hours(24);

/// The last second of the year 9999, the greatest time that is taken.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    let since = "Only what happened then or later: RFC 3339, or Unix seconds";
    let until = "Only what happened before: RFC 3339, or Unix seconds";
    vec![
        Route::get("/api/v2/interactions", "interactions", "Records, the latest first", list)
            .in_query::<String>("interaction_id", "Only those of this interaction")
            .in_query::<String>("mcp_id", "Only those of this reporter")
            .in_query::<String>("status", "`start`, `progress`, `complete` or `error`")
            .in_query::<String>("since", since)
            .in_query::<String>("until", until)
            .in_query::<String>("order", "`asc`: in the order of their arrival")
            .in_query::<u64>("cursor", "Where the page before ended (`next`)")
            .in_query::<u64>("limit", "At most so many; default 100, at most 1,000")
            .answers::<Map<String, Value>>(StatusCode::OK, "A page: `records`, and `next` where there are more")
            .refuses(StatusCode::BAD_REQUEST, "A parameter is wrong")
            .refuses(StatusCode::UNAUTHORIZED, "The key is missing, unknown or revoked"),
        Route::get(
            "/api/v2/interactions/statistics",
            "interaction_statistics",
            "Counts, error share and times, by reporter and adapter",
            statistics,
        )
        .in_query::<String>("mcp_id", "Only records of this reporter")
        .in_query::<String>("since", since)
        .in_query::<String>("until", until)
        .answers::<Map<String, Value>>(StatusCode::OK, "The figures; of the last 24 hours where nothing is said")
        .refuses(StatusCode::BAD_REQUEST, "A parameter is wrong")
        .refuses(StatusCode::UNAUTHORIZED, "The key is missing, unknown or revoked"),
        Route::get(page::PATH, "interaction_report", "The statistics as a page", page::page)
            .in_query::<String>("token", "The token or key, which a browser cannot send as a header")
            .answers_media(StatusCode::OK, "text/html", "The page")
            .refuses(StatusCode::UNAUTHORIZED, "The key is missing, unknown or revoked"),
        Route::get(
            "/api/v2/interactions/{interaction_id}",
            "interaction",
            "The records of one interaction, in the order of their arrival",
            one,
        )
        .in_path::<String>("interaction_id", "Which interaction")
        .in_query::<u64>("cursor", "Where the page before ended (`next`)")
        .answers::<Map<String, Value>>(StatusCode::OK, "A page: `records`, and `next` where there are more")
        .refuses(StatusCode::NOT_FOUND, "There is none of that id")
        .refuses(StatusCode::UNAUTHORIZED, "The key is missing, unknown or revoked"),
    ]
}

/// A time: RFC 3339, or Unix seconds.
#[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
fn time(params: &Params, name: &str) -> Result<Option<Instant>, Problem> {
    let Some(text) = params.text(name) else { return Ok(None) };
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    let at = seconds.map(|seconds| Instant::from_millis((seconds * 1e3) as i64)).or_else(|| text.parse().ok());
    at.map(Some).ok_or_else(|| Problem::parameter(name, "give a time in RFC 3339, or in Unix seconds"))
}

/// The reporter that is asked for, which the key must open.
fn reporter(access: Access, asked: Option<&str>) -> Result<Option<String>, Problem> {
    match (access, asked) {
        (Access::All, asked) => Ok(asked.map(str::to_owned)),
        (access @ Access::Only(_), Some(asked)) if !access.covers(asked) => {
            Err(Problem::forbidden(format!("this key opens {access} only")))
        }
        (Access::Only(own), _) => Ok(Some(own)),
    }
}

fn cursor(params: &Params) -> Result<Option<u64>, Problem> {
    let Some(text) = params.text("cursor") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Problem::parameter("cursor", "give the `next` of the page before"))
}

pub(super) async fn list(admitted: Admitted, params: Params) -> Result<Response, Problem> {
    let status = params.text("status").map(str::parse::<Status>).transpose().map_err(|detail| Problem::parameter("status", detail))?;
    let oldest_first = match params.text("order") {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(Problem::parameter("order", "give `asc` or `desc`")),
    };
    let query = RecordQuery {
        interaction_id: params.text("interaction_id").map(str::to_owned),
        mcp_id: reporter(admitted.access, params.text("mcp_id"))?,
        action: status.map(|status| status.0),
        since: time(&params, "since")?,
        until: time(&params, "until")?,
        cursor: cursor(&params)?,
        oldest_first,
        limit: params.count("limit", PAGE_DEFAULT, PAGE_MAX)?,
    };
    let page = admitted.reports.records.page(query).await?;
    Ok(axum::Json(page).into_response())
}

pub(super) async fn one(admitted: Admitted, Path(interaction_id): Path<String>, params: Params) -> Result<Response, Problem> {
    let cursor = cursor(&params)?;
    let query = RecordQuery {
        interaction_id: Some(interaction_id),
        mcp_id: reporter(admitted.access, None)?,
        cursor,
        oldest_first: true,
        limit: PAGE_MAX,
        ..RecordQuery::default()
    };
    let page = admitted.reports.records.page(query).await?;
    if page.records.is_empty() && cursor.is_none() {
        return Err(Problem::not_found("there is no interaction of that id; `GET /api/v2/interactions` lists what there is"));
    }
    Ok(axum::Json(page).into_response())
}

pub(super) async fn statistics(admitted: Admitted, params: Params) -> Result<Response, Problem> {
    Ok(axum::Json(figures(admitted, &params).await?).into_response())
}

/// The statistics that are asked for.
pub(super) async fn figures(admitted: Admitted, params: &Params) -> Result<Statistics, Problem> {
    let until = time(params, "until")?.unwrap_or_else(|| admitted.reports.clock.now());
    let earlier = || Instant::from_millis(until.as_millis().saturating_sub(i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX)));
    let since = time(params, "since")?.unwrap_or_else(earlier);
    if since >= until {
        return Err(Problem::parameter("since", "it must be before `until`"));
    }
    let window = Window { since, until, mcp_id: reporter(admitted.access, params.text("mcp_id"))? };
    Ok(admitted.reports.records.statistics(window).await?)
}
