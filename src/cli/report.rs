//! `wakeful report`: the reports to a coordinator, for people and programs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app;
use crate::cli::args::report::{ReportArgs, ReportVerb};
use crate::cli::output::{self, Exit, Outcome};
use crate::cli::{Base, coordinator};
use crate::domain::clock::{Clock, Instant as At, SystemClock};
use crate::domain::report::{ReportState, ReportStatus};
use crate::domain::text::clean_line;
use crate::interactions::options::Options;
use crate::interactions::reporter::Reports;
use crate::interactions::transport::http::Http;
use crate::interactions::transport::{Transport, Trouble, make};
use crate::net;

/// The widest column of a list, in characters.
const COLUMN_CHARS_MAX: usize = 60;

/// The longest that a flush may take, in seconds.
const FLUSH_SECONDS_MAX: u64 = 24 * 60 * 60;

/// What a command works with.
struct Desk<'a> {
    base: &'a Base,
    settings: crate::config::settings::Settings,
    clock: Arc<dyn Clock>,
    reports: Reports,
    json: bool,
}

pub(super) async fn run(base: &Base, args: ReportArgs) -> Outcome {
    let settings = base.load()?.settings;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let reports = Reports::new(settings.interaction_logging.clone(), &base.paths.data, Arc::clone(&clock));
    let desk = Desk { base, settings, clock, reports, json: args.json };
    match args.command.unwrap_or(ReportVerb::Status) {
        ReportVerb::Status => desk.status().await,
        ReportVerb::Retry { dead: None } => {
            let refused = desk.reports.hurry().await?;
            desk.say(&json!({"refused": refused}), &format!("{refused} refused records are tried again at once"))
        }
        ReportVerb::Retry { dead: Some(numbers) } => {
            let sent = desk.reports.resend(Some(numbers).filter(|numbers| !numbers.is_empty())).await?;
            desk.say(&json!({"resent": sent}), &format!("{sent} dead letters are sent again"))
        }
        ReportVerb::Dead { limit } => desk.dead(limit).await,
        ReportVerb::Flush { seconds } => desk.flush(seconds).await,
        ReportVerb::Test => desk.test().await,
        ReportVerb::Stats { hours } => desk.stats(hours).await,
        ReportVerb::Import { file } => {
            let secrets = app::reports::secrets(&desk.settings, &base.environment);
            let done = desk.reports.import(&file, secrets).await?;
            let told = format!("{} rows read, {} new records wait to be sent, {} rows are no records", done.read, done.new, done.wrong);
            desk.say(&json!({"read": done.read, "new": done.new, "wrong": done.wrong}), &told)
        }
    }
}

impl Desk<'_> {
    fn options(&self) -> &Options {
        &self.settings.interaction_logging
    }

    fn say(&self, value: &serde_json::Value, line: &str) -> Outcome {
        if self.json {
            output::json(value)?;
        } else {
            output::line(line)?;
        }
        Ok(Exit::Done)
    }

    fn transports(&self) -> Result<Vec<Arc<dyn Transport>>, Trouble> {
        let net = net::Client::new(self.settings.net.clone());
        let variable = |name: &str| self.base.environment.get(name).map(str::to_owned);
        let parts = make::Parts { net: &net, clock: &self.clock, variable: &variable, data: &self.base.paths.data };
        make::transports(self.options(), &parts)
    }

    async fn status(&self) -> Outcome {
        self.reports.look().await?;
        let status = self.reports.status().await?;
        if self.json {
            output::json(&status)?;
        } else {
            for line in lines(&status) {
                output::line(line)?;
            }
        }
        Ok(Exit::Done)
    }

    async fn dead(&self, limit: usize) -> Outcome {
        let letters = self.reports.dead(limit).await?;
        if self.json {
            output::json(&letters)?;
            return Ok(Exit::Done);
        }
        if letters.is_empty() {
            output::line("no dead letters")?;
            return Ok(Exit::Done);
        }
        let mut table = vec![["number", "interaction", "refused", "since", "why"].map(str::to_owned).to_vec()];
        let row = |letter: &crate::domain::report::DeadLetter| {
            let (number, refusals) = (letter.number.to_string(), letter.refusals.to_string());
            vec![number, clean_line(&letter.interaction_id), refusals, letter.died_at.to_string(), clean_line(&letter.reason)]
        };
        table.extend(letters.iter().map(row));
        output::raw(output::table(&table, COLUMN_CHARS_MAX))?;
        output::line("`wakeful report retry --dead [NUMBER …]` sends them again; `--json` shows the records")?;
        Ok(Exit::Done)
    }

    async fn flush(&self, seconds: u64) -> Outcome {
        let transports = self.transports().map_err(anyhow::Error::from)?;
        let limit = Duration::from_secs(seconds.min(FLUSH_SECONDS_MAX));
        if !self.reports.flush(transports, limit).await? {
            output::note("wakeful: another wakeful reports from this queue: it was left to send");
        }
        let status = self.reports.status().await?;
        let left = status.totals.waiting;
        let told = match &status.state {
            ReportState::Waiting { reason, .. } if left > 0 => format!("{left} records are left: {}", clean_line(reason)),
            _ => format!("{left} records are left, {} were handed over and wait for the coordinator", status.totals.handed),
        };
        let _shown = self.say(&serde_json::to_value(&status)?, &told)?;
        Ok(if left > status.totals.handed { Exit::Failed } else { Exit::Done })
    }

    async fn stats(&self, hours: u32) -> Outcome {
        let options = self.options();
        let key = options.key(&|name: &str| self.base.environment.get(name).map(str::to_owned));
        let net = net::Client::new(self.settings.net.clone());
        let http = Http::new(net, options.base_url(), key, options.timeout(), Arc::clone(&self.clock));
        let until = self.clock.now();
        let span = i64::from(hours.max(1)) * 3_600_000;
        let since = At::from_millis(until.as_millis().saturating_sub(span).max(0));
        let statistics = http.statistics(since, until).await.map_err(anyhow::Error::from)?;
        if self.json {
            output::json(&statistics)?;
        } else {
            coordinator::print(&statistics)?;
        }
        Ok(Exit::Done)
    }

    async fn test(&self) -> Outcome {
        let transports = self.transports().map_err(anyhow::Error::from)?;
        let mut rows = Vec::new();
        for transport in transports {
            let began = Instant::now();
            let probed = transport.probe().await;
            let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let problem = probed.err().map(|trouble| clean_line(&trouble.to_string()));
            rows.push((transport.name(), problem, ms));
        }
        let good = rows.iter().any(|(_, problem, _)| problem.is_none());
        if self.json {
            let row = |(name, problem, ms): &(&str, Option<String>, u64)| json!({"transport": name, "ok": problem.is_none(), "problem": problem, "ms": ms});
            output::json(&rows.iter().map(row).collect::<Vec<_>>())?;
        } else {
            for (name, problem, ms) in &rows {
                match problem {
                    None => output::line(format_args!("ok    {name}: answers and takes the key ({ms} ms)"))?,
                    Some(problem) => output::line(format_args!("FAIL  {name}: {problem}"))?,
                }
            }
            if !self.options().is_on() {
                output::line("      → nothing is reported: `enable_interaction_logging` is false")?;
            }
        }
        Ok(if good { Exit::Done } else { Exit::Failed })
    }
}

/// How the reports stand, line by line.
fn lines(status: &ReportStatus) -> Vec<String> {
    let totals = &status.totals;
    let via = status.via.as_ref().map(|via| format!(", over {via} now")).unwrap_or_default();
    let mut lines = vec![
        format!("state      {}", clean_line(&status.state.words())),
        format!("to         {} ({}{via})", clean_line(&status.place), status.transport),
        format!("queue      {}", clean_line(&status.queue)),
    ];
    let since = status.oldest.map(|at| format!(", the oldest since {at}")).unwrap_or_default();
    let kib = totals.waiting_bytes.div_ceil(1_024);
    lines.push(format!("waiting    {} records, {kib} KiB of {} MiB{since}", totals.waiting, status.bytes_max >> 20));
    if totals.handed > 0 {
        lines.push(format!("           {} of them are handed over and not confirmed yet", totals.handed));
    }
    if totals.refused > 0 {
        lines.push(format!("           {} of them were refused and are tried again", totals.refused));
    }
    lines.push(format!("delivered  {}", totals.delivered_ever));
    let dead = if totals.dead_unseen > 0 {
        format!(", {} of them not looked at: `wakeful report dead`", totals.dead_unseen)
    } else {
        String::new()
    };
    lines.push(format!("dead       {}{dead}", totals.dead));
    if totals.dropped > 0 {
        lines.push(format!("dropped    {} dead letters that somebody had seen, for want of room", totals.dropped));
    }
    lines.extend(status.problem.as_ref().map(|problem| format!("problem    {}", clean_line(problem))));
    lines
}
