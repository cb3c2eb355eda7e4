//! `GET /metrics` in the text format of Prometheus (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};

use crate::server::api::Api;
use crate::server::http::info;
use crate::server::http::table::Route;

/// The media type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets, in seconds: those that Prometheus' own clients begin with.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The rows of this route.
pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/metrics", "metrics", "Counts and gauges for Prometheus", metrics).answers_media(
        StatusCode::OK,
        "text/plain",
        "The text format, version 0.0.4",
    )]
}

#[derive(Debug, Clone, Default)]
struct Times {
    /// How many fell into each bucket (not in those below).
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

/// Requests so far. Bounded: routes come from the table, methods and statuses are few.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    requests: BTreeMap<(String, String, u16), u64>,
    times: BTreeMap<String, Times>,
}

impl Counts {
    /// Counts an answer. `route` is the path of the table, without what callers put into it.
    pub(super) fn count(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let known = [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE, Method::PUT, Method::OPTIONS];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        let route = route.unwrap_or("none");
        let seconds = took.as_secs_f64();
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.requests.entry((route.to_owned(), method.to_owned(), status.as_u16())).or_default() += 1;
        let times = counted.times.entry(route.to_owned()).or_default();
        if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound) {
            times.buckets[bucket] += 1;
        }
        times.count += 1;
        times.sum += seconds;
    }

    fn write(&self, out: &mut Text) {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.about("wakeful_http_requests_total", "counter", "Requests by route, method and status");
        for ((route, method, status), count) in &counted.requests {
            out.line("wakeful_http_requests_total", &[("route", route), ("method", method), ("status", &status.to_string())], *count);
        }
        out.about("wakeful_http_request_duration_seconds", "histogram", "Time until an answer began");
        for (route, times) in &counted.times {
            let mut below = 0;
            for (bound, count) in BUCKETS.iter().zip(times.buckets) {
                below += count;
                out.line("wakeful_http_request_duration_seconds_bucket", &[("route", route), ("le", &bound.to_string())], below);
            }
            out.line("wakeful_http_request_duration_seconds_bucket", &[("route", route), ("le", "+Inf")], times.count);
            out.line("wakeful_http_request_duration_seconds_sum", &[("route", route)], times.sum);
            out.line("wakeful_http_request_duration_seconds_count", &[("route", route)], times.count);
        }
    }
}

/// The text as it grows.
#[derive(Debug, Default)]
struct Text(String);

impl Text {
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _infallible = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _infallible = writeln!(self.0, "{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.about(name, kind, help);
        self.line(name, &[], value);
    }
}

async fn metrics(State(api): State<Arc<Api>>, Extension(counts): Extension<Arc<Counts>>) -> Response {
    let mut out = Text::default();
    out.about("wakeful_build_info", "gauge", "What runs");
    out.line("wakeful_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.one("wakeful_uptime_seconds", "gauge", "Time since the start", api.uptime().as_secs());
    out.one("wakeful_feed_clients", "gauge", "Clients that read the feed", api.hub.clients());
    out.one("wakeful_feed_clients_max", "gauge", "Clients that may read the feed", api.options.clients_max);
    out.one("wakeful_feed_frames_total", "counter", "Frames that went out since the start", api.hub.published());
    let (head, servers, ambient) = tokio::join!(info::head(&api), api.queries.servers(), api.queries.ambient_status());
    out.one("wakeful_store_up", "gauge", "Whether the log can be read", u8::from(head.is_ok()));
    if let Ok(head) = head {
        out.one("wakeful_events_total", "counter", "Events in the log", head);
    }
    if let Ok(servers) = servers {
        out.about("wakeful_servers", "gauge", "MCP servers by state");
        for state in ["connecting", "ready", "failing", "failed", "disabled"] {
            let count = servers.iter().filter(|server| info::word(&server.status) == state).count();
            out.line("wakeful_servers", &[("state", state)], count);
        }
        out.about("wakeful_tool_calls_total", "counter", "Calls of tools by server");
        for server in &servers {
            out.line("wakeful_tool_calls_total", &[("server", server.name.as_str())], server.calls);
        }
        out.about("wakeful_tool_failures_total", "counter", "Calls of tools that failed, by server");
        for server in &servers {
            out.line("wakeful_tool_failures_total", &[("server", server.name.as_str())], server.failures);
        }
    }
    if let Ok(status) = ambient {
        out.about("wakeful_tasks", "gauge", "Background tasks by state");
        let rest = status.total_tasks.saturating_sub(status.active_tasks + status.paused_tasks);
        for (state, count) in [("active", status.active_tasks), ("paused", status.paused_tasks), ("completed", rest)] {
            out.line("wakeful_tasks", &[("state", state)], count);
        }
        out.one("wakeful_tasks_running", "gauge", "Whether anything runs the tasks", u8::from(status.service_running));
        out.one("wakeful_firings_waiting", "gauge", "Findings that wait for a decision", status.firings_waiting);
        out.one("wakeful_notices_waiting", "gauge", "Notices that wait", status.notices_waiting);
        out.one("wakeful_notices_dead", "gauge", "Notices that failed for good", status.dead_letters);
        out.one("wakeful_inbox_unread", "gauge", "Unread entries of the inbox", status.unread);
    }
    counts.write(&mut out);
    ([(CONTENT_TYPE, TEXT)], out.0).into_response()
}
