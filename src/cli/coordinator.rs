//! `wakeful coordinator`: takes interaction reports of agents; its keys and statistics.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::intake::Records;
use crate::app::{App, feed};
use crate::cli::args::coordinator::{CoordinatorArgs, CoordinatorVerb, KeysVerb};
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::{Base, awake};
use crate::config::settings::Settings;
use crate::domain::clock::{Clock, Instant, SystemClock};
use crate::domain::reports::{Figures, Group, Statistics, Window};
use crate::domain::text::{clean_line, ellipsis};
use crate::interactions::coordinator::{Options, Ways, intake};
use crate::interactions::intake::{Intake, Refusal};
use crate::server;
use crate::server::reports::ReportServer;

/// The widest column of a list, in characters.
const COLUMN_CHARS_MAX: usize = 40;

pub(super) async fn run(base: &Base, args: CoordinatorArgs) -> Outcome {
    let settings = base.load()?.settings;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let intake = intake(&settings.coordinator, &base.paths.state, Arc::clone(&clock));
    match args.command {
        None => serve(base, &settings, &args, intake, clock).await,
        Some(CoordinatorVerb::Keys(verb)) => keys(&intake, verb, args.json).await,
        Some(CoordinatorVerb::Stats { hours, mcp_id }) => stats(&intake, hours, mcp_id, args.json).await,
    }
}

/// Takes reports by all ways that are configured, until it is told to stop.
async fn serve(base: &Base, settings: &Settings, args: &CoordinatorArgs, intake: Arc<Intake>, clock: Arc<dyn Clock>) -> Outcome {
    let stopped = awake::stopped()?;
    tokio::pin!(stopped);
    let mut options = settings.coordinator.clone();
    options.grpc_listen = args.grpc.or(options.grpc_listen);
    let mut front = feed::settled(&settings.server, &base.environment).map_err(|error| Stop::Usage(format!("{error:#}")))?;
    front.listen = args.listen.unwrap_or(options.listen);
    let stop = CancellationToken::new();
    let begun = async {
        let has_keys = intake.has_keys().await.map_err(failed)?;
        let ways = Ways::open(&options, tls(&front).await?, &intake, &stop).await.map_err(anyhow::Error::msg)?;
        let server = ReportServer::bind(front, has_keys, Arc::new(Records::new(Arc::clone(&intake))), clock).await?;
        Ok::<_, anyhow::Error>((server, ways))
    };
    let (server, ways) = tokio::select! {
        begun = begun => match begun {
            Ok(begun) => begun,
            Err(error) => {
                stop.cancel();
                return Err(Stop::Failed(error));
            }
        },
        signal = &mut stopped => return signal.map(|()| Exit::Done).map_err(Stop::from),
    };
    output::note(format_args!("coordinator: {}/api/v2/interactions; ctrl+c stops", server.url()));
    tell(&options, &ways);
    let serving = tokio::spawn(server.run(stop.clone()));
    let signal = stopped.await;
    stop.cancel();
    let _ended = serving.await;
    ways.ended().await;
    signal.map(|()| Exit::Done).map_err(Stop::from)
}

/// The ways in beside HTTP, as a part of `wakeful serve`; none where none is configured.
pub(super) async fn ways(base: &Base, app: &App, stop: &CancellationToken) -> Result<Option<Ways>, Stop> {
    let settings = base.load()?.settings;
    let options = &settings.coordinator;
    if !options.has_ways() {
        return Ok(None);
    }
    let ways = Ways::open(options, tls(&settings.server).await?, &app.intake(), stop).await.map_err(anyhow::Error::msg)?;
    tell(options, &ways);
    Ok(Some(ways))
}

fn tell(options: &Options, ways: &Ways) {
    if let Some(address) = ways.grpc {
        output::note(format_args!("gRPC: {address}"));
    }
    if options.redis_url.is_some() {
        output::note(format_args!("stream: `{}`, group `{}`", options.redis_stream, options.redis_group));
    }
    if let Some(url) = &options.database_url {
        output::note(format_args!("table: `interaction_logs` in {url}"));
    }
}

/// The certificate chain and its key, which HTTP and gRPC share.
async fn tls(options: &server::Options) -> anyhow::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) else { return Ok(None) };
    let certificate =
        tokio::fs::read(certificate).await.with_context(|| format!("[server] tls_cert `{}` cannot be read", certificate.display()))?;
    let key = tokio::fs::read(key).await.with_context(|| format!("[server] tls_key `{}` cannot be read", key.display()))?;
    Ok(Some((certificate, key)))
}

fn failed(refusal: Refusal) -> anyhow::Error {
    anyhow::Error::new(refusal)
}

async fn keys(intake: &Intake, verb: KeysVerb, json: bool) -> Outcome {
    match verb {
        KeysVerb::Add { mcp_id } => {
            let made = intake.add_key(&mcp_id).await.map_err(failed)?;
            if json {
                output::json(&json!({"key": made.key.expose_secret(), "prefix": made.info.prefix, "mcp_id": made.info.mcp_id}))?;
            } else {
                output::line(made.key.expose_secret())?;
                output::note(format_args!(
                    "the key of `{}`: it is not shown again. The reporter has it as `coordinator_api_key` under [interaction_logging]",
                    clean_line(&made.info.mcp_id)
                ));
            }
        }
        KeysVerb::List => {
            let keys = intake.list_keys().await.map_err(failed)?;
            if json {
                output::json(&keys)?;
            } else if keys.is_empty() {
                output::note(
                    "no keys: whoever reaches the coordinator on this machine may report. `wakeful coordinator keys add MCP_ID` makes one",
                );
            } else {
                for key in keys {
                    let state = key.revoked_at.map_or_else(String::new, |at| format!("  revoked {at}"));
                    output::line(format_args!("{}…  {}  {}{state}", key.prefix, key.created_at, column(&key.mcp_id)))?;
                }
            }
        }
        KeysVerb::Revoke { key } => {
            // Who pastes a whole key means that one.
            let named = if key.starts_with("wk_") { key.trim_end_matches('…').chars().take(11).collect() } else { key };
            let count = intake.revoke_keys(&named).await.map_err(failed)?;
            if count == 0 {
                return Err(Stop::Usage(
                    "no key begins so, and none is for such an `mcp_id`; `wakeful coordinator keys list` shows them".to_owned(),
                ));
            }
            if json {
                output::json(&json!({"revoked": count}))?;
            } else {
                output::note(format_args!("{count} revoked"));
            }
        }
    }
    Ok(Exit::Done)
}

async fn stats(intake: &Intake, hours: u32, mcp_id: Option<String>, json: bool) -> Outcome {
    let until = intake.clock().now();
    let span = i64::try_from(Duration::from_hours(u64::from(hours.max(1))).as_millis()).unwrap_or(i64::MAX);
    let window = Window { since: Instant::from_millis(until.as_millis().saturating_sub(span)), until, mcp_id };
    let store = intake.store().await.map_err(failed)?;
    let statistics = store.statistics(window).await.context("the records cannot be read")?;
    if json {
        output::json(&statistics)?;
    } else {
        print(&statistics)?;
    }
    Ok(Exit::Done)
}

/// The figures as a table for the terminal.
pub(super) fn print(statistics: &Statistics) -> Result<(), Stop> {
    output::line(format_args!("{} to {}", statistics.since, statistics.until))?;
    let head = ["records", "a second", "failed", "share", "p50", "p95", "p99"];
    output::line(format_args!("{:COLUMN_CHARS_MAX$} {}", "", head.map(|name| format!("{name:>10}")).join("")))?;
    row(&Group { name: "all".to_owned(), figures: statistics.total.clone() })?;
    for group in statistics.by_mcp.iter().chain(&statistics.by_adapter) {
        row(group)?;
    }
    Ok(())
}

fn row(group: &Group) -> Result<(), Stop> {
    let Figures { records, records_per_second, failed, error_share, p50_seconds, p95_seconds, p99_seconds, .. } = &group.figures;
    let time = |seconds: &Option<f64>| seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.3} s"));
    let share = error_share.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", share * 100.0));
    let cells = [
        records.to_string(),
        format!("{records_per_second:.2}"),
        failed.to_string(),
        share,
        time(p50_seconds),
        time(p95_seconds),
        time(p99_seconds),
    ];
    let mut line = format!("{:COLUMN_CHARS_MAX$} ", column(&group.name));
    for cell in &cells {
        let _ = write!(line, "{cell:>10}");
    }
    output::line(line)?;
    Ok(())
}

fn column(text: &str) -> String {
    ellipsis(&clean_line(text), COLUMN_CHARS_MAX).into_owned()
}
