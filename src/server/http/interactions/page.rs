//! The statistics as a page: plain HTML, nothing from elsewhere, every text of a reporter escaped.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use crate::domain::reports::{Figures, Group, Statistics};
use crate::domain::text::{clean_line, ellipsis, escape_markup};
use crate::server::http::interactions::{Admitted, read};
use crate::server::http::params::Params;
use crate::server::http::problem::Problem;

/// Where it is.
pub(super) const PATH: &str = "/api/v2/interactions/report";

/// The longest name that is shown, in characters.
const NAME_CHARS_MAX: usize = 80;

/// Nothing is loaded and nothing runs; the style is the page's own.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}\
table{border-collapse:collapse;width:100%;margin-bottom:2rem}th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #8886}\
th:first-child,td:first-child{text-align:left}caption{text-align:left;font-weight:600;padding:.3rem .6rem}";

pub(super) async fn page(admitted: Admitted, params: Params) -> Result<Response, Problem> {
    let statistics = read::figures(admitted, &params).await?;
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-store")];
    Ok((headers, html(&statistics)).into_response())
}

fn html(statistics: &Statistics) -> String {
    let total = [Group { name: "All".to_owned(), figures: statistics.total.clone() }];
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Interactions</title><style>{STYLE}</style><h1>Interactions</h1><p>{} to {}</p>{}{}{}</html>\n",
        statistics.since,
        statistics.until,
        table("Everything", "", &total),
        table("By reporter", "Reporter", &statistics.by_mcp),
        table("By adapter", "Adapter", &statistics.by_adapter),
    )
}

fn table(caption: &str, name: &str, groups: &[Group]) -> String {
    if groups.is_empty() {
        return format!("<h2>{caption}</h2><p>Nothing was reported.</p>");
    }
    let rows: String = groups.iter().map(row).collect();
    format!(
        "<table><caption>{caption}</caption><thead><tr><th scope=\"col\">{name}</th><th scope=\"col\">Records</th>\
         <th scope=\"col\">a second</th><th scope=\"col\">Started</th><th scope=\"col\">Completed</th><th scope=\"col\">Failed</th>\
         <th scope=\"col\">Error share</th><th scope=\"col\">p50</th><th scope=\"col\">p95</th><th scope=\"col\">p99</th></tr></thead>\
         <tbody>{rows}</tbody></table>"
    )
}

fn row(group: &Group) -> String {
    let Figures { records, records_per_second, started, completed, failed, error_share, p50_seconds, p95_seconds, p99_seconds } =
        &group.figures;
    let time = |seconds: &Option<f64>| seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.3} s"));
    let share = error_share.map_or_else(|| "–".to_owned(), |share| format!("{:.2} %", share * 100.0));
    let name = escape_markup(&ellipsis(&clean_line(&group.name), NAME_CHARS_MAX));
    format!(
        "<tr><td>{name}</td><td>{records}</td><td>{records_per_second:.2}</td><td>{started}</td><td>{completed}</td><td>{failed}</td>\
         <td>{share}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
        time(p50_seconds),
        time(p95_seconds),
        time(p99_seconds),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reporter_calls_itself_stays_a_text() {
        let name = "<script>alert('x')</script>\u{1b}[31m&\"".to_owned();
        let figures = Figures { records: 3, error_share: Some(0.25), p50_seconds: Some(0.5), ..Figures::default() };
        let html = html(&Statistics { by_mcp: vec![Group { name, figures }], ..Statistics::default() });
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"), "{html}");
        assert!(!html.contains("<script") && !html.contains('\u{1b}'), "{html}");
        assert!(html.contains("25.00 %") && html.contains("0.500 s"), "{html}");
        assert!(html.contains("Nothing was reported."), "{html}");
    }
}
