//! `wakeful events`: the log, and what happens from now on.

use std::sync::Arc;

use futures::StreamExt;
use jiff::tz::TimeZone;

use crate::app::queries::find_session;
use crate::cli::args::EventsArgs;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::{Base, attach, line};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::Seq;
use crate::domain::query::{EventFilter, EventReader};
use crate::domain::remote::{ATTACH, Line, LineState};
use crate::domain::text::clean_line;
use crate::remote::queries::RemoteQueries;
use crate::remote::{self, Position};

/// Events that are printed where nothing else is said.
const NEWEST: usize = 50;

/// Events that are read at once.
const PAGE: usize = 1_000;

pub(super) async fn run(base: &Base, args: EventsArgs) -> Outcome {
    for name in &args.types {
        check_type(name);
    }
    if let Some(url) = &args.url {
        return elsewhere(base, url, &args).await;
    }
    let log = base.log().await?;
    let session = match &args.session {
        Some(wanted) => Some(find_session(&log, wanted).await?),
        None => None,
    };
    let filter = EventFilter { types: args.types.clone(), session, ..EventFilter::default() };
    let zone = TimeZone::system();
    let after = if args.since.is_some() && args.limit.is_none() {
        print_all(&log, &filter, Seq(args.since.unwrap_or(0)), args.json, &zone).await?
    } else {
        print_newest(&log, &filter, &args, &zone).await?
    };
    if args.follow {
        let mut live = log.follow(filter, after);
        loop {
            tokio::select! {
                event = live.next() => match event {
                    Some(event) => print(&event, args.json, &zone)?,
                    None => break,
                },
                _ = tokio::signal::ctrl_c() => break,
            }
        }
    }
    log.shutdown().await;
    Ok(Exit::Done)
}

/// The same of a program that runs elsewhere.
async fn elsewhere(base: &Base, url: &str, args: &EventsArgs) -> Outcome {
    let api = attach::api(base, url, &args.token)?;
    let log = RemoteQueries::new(api.clone());
    let session = match &args.session {
        Some(wanted) => Some(find_session(&log, wanted).await?),
        None => None,
    };
    let filter = EventFilter { types: args.types.clone(), session, ..EventFilter::default() };
    let zone = TimeZone::system();
    let after = if args.since.is_some() && args.limit.is_none() {
        print_all(&log, &filter, Seq(args.since.unwrap_or(0)), args.json, &zone).await?
    } else {
        print_newest(&log, &filter, args, &zone).await?
    };
    if !args.follow {
        return Ok(Exit::Done);
    }
    let status = remote::status(&api).await.map_err(|error| anyhow::anyhow!("the log of {} cannot be followed: {error}", api.address()))?;
    // The log need not be as long as was said.
    let position = Position { epoch: status.epoch, seq: after.min(status.head) };
    let mut following = remote::follow(&api, Arc::new(SystemClock), position);
    loop {
        tokio::select! {
            event = following.events.recv() => match event {
                Some(event) => print_wanted(&event, &filter, args.json, &zone)?,
                None => return Ok(Exit::Done),
            },
            Ok(()) = following.line.changed() => told(&following.line.borrow_and_update().clone())?,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

/// Says how the connection stands, where it does not.
fn told(line: &Line) -> Result<(), Stop> {
    match &line.state {
        LineState::Connecting | LineState::Live { .. } => Ok(()),
        LineState::Waiting { reason, retry_at } => {
            let left = retry_at.since(SystemClock.now()).as_secs_f64();
            output::note(format_args!("wakeful: no connection to {}: {reason}; again in {left:.1} s", line.address));
            Ok(())
        }
        LineState::Refused { reason, .. } => Err(anyhow::anyhow!("{} does not let us in: {reason}", line.address).into()),
    }
}

/// Stored events are printed, as from the log; what this end has to say goes to standard error.
fn print_wanted(event: &Event, filter: &EventFilter, json: bool, zone: &TimeZone) -> Result<(), Stop> {
    if event.seq.is_none() {
        if let EventBody::Error(error) = &event.body
            && error.source == ATTACH
        {
            output::note(format_args!("wakeful: {}", clean_line(&error.message)));
        }
        return Ok(());
    }
    let type_wanted = filter.types.is_empty() || filter.types.iter().any(|name| name == event.body.type_name());
    let session_wanted = filter.session.is_none() || filter.session == event.session;
    if type_wanted && session_wanted { print(event, json, zone) } else { Ok(()) }
}

/// An unknown type may be a caller's own; a slip is more likely.
fn check_type(name: &str) {
    if !EventBody::TYPES.contains(&name) {
        let near = EventBody::TYPES.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
        let hint =
            near.filter(|near| strsim::jaro_winkler(name, near) > 0.8).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        output::note(format_args!("wakeful: `{name}` is no type of wakeful's own{hint}"));
    }
}

async fn print_all(log: &impl EventReader, filter: &EventFilter, after: Seq, json: bool, zone: &TimeZone) -> Result<Seq, Stop> {
    let mut after = after;
    loop {
        let page = log.events(EventFilter { after: Some(after), limit: Some(PAGE), ..filter.clone() }).await?;
        for event in &page {
            print(event, json, zone)?;
        }
        match page.last().and_then(|event| event.seq) {
            Some(last) if page.len() == PAGE => after = last,
            Some(last) => return Ok(last),
            None => return Ok(after),
        }
    }
}

async fn print_newest(log: &impl EventReader, filter: &EventFilter, args: &EventsArgs, zone: &TimeZone) -> Result<Seq, Stop> {
    let limit = Some(args.limit.unwrap_or(NEWEST));
    let page = log.events(EventFilter { after: args.since.map(Seq), limit, newest: true, ..filter.clone() }).await?;
    for event in &page {
        print(event, args.json, zone)?;
    }
    Ok(page.last().and_then(|event| event.seq).or(args.since.map(Seq)).unwrap_or_default())
}

fn print(event: &Event, json: bool, zone: &TimeZone) -> Result<(), Stop> {
    if json {
        output::line(serde_json::to_string(event)?)?;
    } else {
        output::line(line::line(event, zone))?;
    }
    Ok(())
}
