//! `wakeful events`: the log, and what happens from now on.

use futures::StreamExt;
use jiff::tz::TimeZone;

use crate::app::queries::find_session;
use crate::cli::args::EventsArgs;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::{Base, line};
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::Seq;
use crate::domain::query::{EventFilter, EventReader};

/// Events that are printed where nothing else is said.
const NEWEST: usize = 50;

/// Events that are read at once.
const PAGE: usize = 1_000;

pub(super) async fn run(base: &Base, args: EventsArgs) -> Outcome {
    for name in &args.types {
        check_type(name);
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
