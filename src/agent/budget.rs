//! What models may take: warns as it gets close, and stops model calls when it is used up.
//!
//! What was taken is a fold of the log, so that it holds across restarts and processes: turns as they end, judgements of
//! findings as they are made; what running turns of a session took so far is added by whoever asks. The log is asked
//! before a model call, and only where a limit is set.

mod ledger;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

use crate::bus::Recorder;
use crate::domain::clock::{Clock, Instant};
use crate::domain::event::{ErrorEvent, EventBody, NewEvent};
use crate::domain::ids::SessionId;
use crate::domain::message::Usage;
use crate::domain::price::Price;
use crate::domain::query::{EventFilter, EventReader, QueryError};
use ledger::{Ledger, Sum};

/// Percent of a limit at which it is told once that it gets close.
const WARN_PERCENT: u64 = 80;

/// Events that are read at once, and pages of the past that are looked through for today's.
const PAGE: usize = 1_000;
const PAGES_MAX: usize = 50;

/// The provider that costs nothing.
const FREE: &str = "offline/";

/// `[budget]`: 0 sets no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// US dollars that models may take a day, background tasks included; 0: no limit. Default: 0.
    pub daily_usd: f64,
    /// US dollars that models may take in one session; 0: no limit. Default: 0.
    pub session_usd: f64,
    /// Tokens that models may read and write a day; 0: no limit. Default: 0.
    pub daily_tokens: u64,
}

impl Options {
    /// What is wrong with these options, by key and range.
    pub fn problem(&self) -> Option<String> {
        let values = [("daily_usd", self.daily_usd), ("session_usd", self.session_usd)];
        let wrong = values.into_iter().find(|(_, value)| !(0.0..=1_000_000.0).contains(value));
        wrong.map(|(key, value)| format!("`{key}` is {value}; it must be 0 (no limit) to 1000000"))
    }

    fn is_set(&self) -> bool {
        self.daily_usd > 0.0 || self.session_usd > 0.0 || self.daily_tokens > 0
    }
}

/// What a budget works with.
#[derive(Clone)]
pub struct Parts {
    /// Tells what was taken.
    pub reader: Arc<dyn EventReader>,
    /// Takes the warnings.
    pub recorder: Arc<dyn Recorder>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where a day begins.
    pub zone: TimeZone,
    /// What models cost, by `provider/model`.
    pub prices: BTreeMap<String, Price>,
    /// The limits.
    pub options: Options,
}

/// The budget of the program. Cheap to clone.
#[derive(Clone, Default)]
pub struct Budget(Option<Arc<Inner>>);

struct Inner {
    parts: Parts,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// What was told, so that it is told once.
    told: HashSet<String>,
}

/// One limit and how much of it is taken.
struct Line {
    /// The key of the config.
    key: &'static str,
    /// What it is counted for: a day or a session.
    of: String,
    taken: u64,
    limit: u64,
    is_money: bool,
}

impl Budget {
    /// A budget; it is not looked at where no limit is set.
    pub fn new(parts: Parts) -> Self {
        Self(parts.options.is_set().then(|| Arc::new(Inner { parts, state: Mutex::default() })))
    }

    /// Whether `model` (`provider/model`) may be called once more in `session`; `running` is what the session's running
    /// turns took, by model.
    ///
    /// # Errors
    /// When a limit is used up: what was taken, and which key raises the limit. Also when the log cannot be read.
    pub async fn check(&self, session: Option<&SessionId>, model: &str, running: &[(String, Usage)]) -> Result<(), String> {
        let Some(inner) = &self.0 else { return Ok(()) };
        if model.starts_with(FREE) {
            return Ok(());
        }
        let unreadable = |error: QueryError| format!("what models took today cannot be read, so none is called: {error}");
        inner.check(session, model, running).await.map_err(unreadable)?
    }
}

impl Inner {
    async fn check(&self, session: Option<&SessionId>, model: &str, running: &[(String, Usage)]) -> Result<Result<(), String>, QueryError> {
        let (parts, now) = (&self.parts, self.parts.clock.now());
        let mut state = self.state.lock().await;
        let day = day_of(now, &parts.zone);
        state.follow(parts, day).await?;
        if let Some(session) = session.filter(|_| parts.options.session_usd > 0.0) {
            state.know(parts, session).await?;
        }
        let mut more = Sum::default();
        running.iter().for_each(|(model, usage)| more.add(model, *usage, &parts.prices));
        let today = state.ledger.today().plus(more);
        let of_session = session.map(|session| state.ledger.of(session).plus(more));
        let lines = lines(&parts.options, today, of_session, day, session);
        if let Some(line) = lines.iter().find(|line| line.taken >= line.limit) {
            return Ok(Err(line.used_up()));
        }
        let mut news: Vec<(String, String, serde_json::Value)> = Vec::new();
        for line in lines.iter().filter(|line| line.taken.saturating_mul(100) >= line.limit.saturating_mul(WARN_PERCENT)) {
            let details = json!({"limit": line.key, "of": line.of, "taken": line.taken, "limit_value": line.limit});
            news.push((format!("{}/{}", line.key, line.of), line.close(), details));
        }
        let money = parts.options.daily_usd > 0.0 || parts.options.session_usd > 0.0;
        if money && !parts.prices.contains_key(model) {
            let message = format!("`{model}` has no price under [prices], so what it takes does not count for the limits in dollars");
            news.push((format!("unpriced/{model}"), message, json!({"limit": "unpriced", "of": model})));
        }
        for (key, message, details) in news {
            if state.told.insert(key) {
                let body = EventBody::Error(ErrorEvent { message, source: ErrorEvent::BUDGET.to_owned(), details });
                // Told in passing: a log that takes nothing stops the turn elsewhere.
                let _ = parts.recorder.record(vec![NewEvent::system(body)]).await;
            }
        }
        Ok(Ok(()))
    }
}

impl State {
    /// Takes in what happened since the last look; today's past at the first one.
    async fn follow(&mut self, parts: &Parts, day: Instant) -> Result<(), QueryError> {
        if self.ledger.begin_day(day) {
            self.told.retain(|key| !key.starts_with("daily"));
        }
        if !self.ledger.is_read {
            self.read_back(parts, day).await?;
        }
        loop {
            let filter = EventFilter { types: ledger::types(), after: self.ledger.last, limit: Some(PAGE), ..EventFilter::default() };
            let events = parts.reader.events(filter).await?;
            events.iter().for_each(|event| self.ledger.apply(event, &parts.prices));
            if events.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Reads today's events, the newest pages first, and what was told today.
    async fn read_back(&mut self, parts: &Parts, day: Instant) -> Result<(), QueryError> {
        let (mut pages, mut upto) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let filter = EventFilter { types: ledger::types(), upto, limit: Some(PAGE), newest: true, ..EventFilter::default() };
            let events = parts.reader.events(filter).await?;
            let (first, count) = (events.first().cloned(), events.len());
            pages.push(events);
            let Some(first) = first else { break };
            upto = first.seq.and_then(|seq| seq.0.checked_sub(1)).map(crate::domain::ids::Seq);
            if count < PAGE || first.at < day || upto.is_none() {
                break;
            }
        }
        for event in pages.iter().rev().flatten() {
            self.ledger.apply(event, &parts.prices);
        }
        self.ledger.is_read = true;
        let filter = EventFilter { types: vec!["error".to_owned()], limit: Some(PAGE), newest: true, ..EventFilter::default() };
        for event in parts.reader.events(filter).await?.iter().filter(|event| event.at >= day) {
            if let EventBody::Error(error) = &event.body
                && error.source == ErrorEvent::BUDGET
                && let (Some(key), Some(of)) = (error.details["limit"].as_str(), error.details["of"].as_str())
            {
                self.told.insert(format!("{key}/{of}"));
            }
        }
        Ok(())
    }

    /// Reads all of a session, once.
    async fn know(&mut self, parts: &Parts, session: &SessionId) -> Result<(), QueryError> {
        if self.ledger.knows(session) {
            return Ok(());
        }
        let (mut events, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let filter = EventFilter {
                types: ledger::types(),
                session: Some(session.clone()),
                after,
                upto: self.ledger.last,
                limit: Some(PAGE),
                ..EventFilter::default()
            };
            let page = parts.reader.events(filter).await?;
            after = page.last().and_then(|event| event.seq).or(after);
            let count = page.len();
            events.extend(page);
            if count < PAGE {
                break;
            }
        }
        self.ledger.learn(session, &events, &parts.prices);
        Ok(())
    }
}

fn lines(options: &Options, today: Sum, of_session: Option<Sum>, day: Instant, session: Option<&SessionId>) -> Vec<Line> {
    let mut lines = Vec::new();
    let date = day.to_string();
    if options.daily_usd > 0.0 {
        let limit = micros(options.daily_usd);
        lines.push(Line { key: "daily_usd", of: date.clone(), taken: today.micros, limit, is_money: true });
    }
    if options.daily_tokens > 0 {
        lines.push(Line { key: "daily_tokens", of: date, taken: today.tokens, limit: options.daily_tokens, is_money: false });
    }
    if let (true, Some(sum), Some(session)) = (options.session_usd > 0.0, of_session, session) {
        let limit = micros(options.session_usd);
        lines.push(Line { key: "session_usd", of: session.to_string(), taken: sum.micros, limit, is_money: true });
    }
    lines
}

impl Line {
    fn amounts(&self) -> (String, String) {
        if self.is_money {
            return (dollars(self.taken), dollars(self.limit));
        }
        (format!("{} tokens", self.taken), self.limit.to_string())
    }

    fn span(&self) -> &'static str {
        if self.key == "session_usd" { "this session" } else { "today" }
    }

    fn used_up(&self) -> String {
        let (taken, limit) = self.amounts();
        format!(
            "the budget is used up: models took {taken} {} of {limit}; raise `{}` of [budget] in the config, or go on with `offline/assistant`",
            self.span(),
            self.key
        )
    }

    fn close(&self) -> String {
        let (taken, limit) = self.amounts();
        format!("the budget gets short: models took {taken} {} of {limit}; `{}` of [budget] stops them there", self.span(), self.key)
    }
}

fn dollars(micros: u64) -> String {
    format!("${}.{:04}", micros / 1_000_000, micros % 1_000_000 / 100)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; checked to be 0 to a million")]
fn micros(usd: f64) -> u64 {
    (usd * 1_000_000.0).round() as u64
}

/// When the day of `now` began in `zone`.
fn day_of(now: Instant, zone: &TimeZone) -> Instant {
    let day = now.timestamp().to_zoned(zone.clone()).start_of_day();
    day.map_or(now, |day| Instant::from_millis(day.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests;
