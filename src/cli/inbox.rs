//! `wakeful inbox`: what the background tasks told and asked, and what became of the notices.

use serde_json::json;

use crate::ambient::service::TaskService;
use crate::ambient::why::schedule;
use crate::cli::Base;
use crate::cli::args::tasks::{InboxArgs, InboxVerb};
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::tasks::{duration, open, stop};
use crate::domain::command::InboxCommand;
use crate::domain::event::words::short_id;
use crate::domain::ids::{InboxId, NoticeId};
use crate::domain::notice::{InboxKind, InboxRow};
use crate::domain::query::InboxFilter;
use crate::domain::text::{clean, clean_line};

/// The widest column of the list, in characters.
const COLUMN_CHARS_MAX: usize = 70;

pub(super) async fn run(base: &Base, args: InboxArgs) -> Outcome {
    let (log, service) = open(base).await?;
    let outcome = act(&service, args).await;
    log.shutdown().await;
    outcome.map(|()| Exit::Done)
}

async fn act(service: &TaskService, args: InboxArgs) -> Result<(), Stop> {
    let json = args.json;
    let deal = |item: String, word: &'static str, command: fn(InboxId) -> InboxCommand| async move {
        let row = service.find_item(&item).await.map_err(stop)?;
        service.inbox_command(command(row.item.item_id.clone())).await.map_err(stop)?;
        said(json, &row, word)
    };
    match args.command.unwrap_or(InboxVerb::List) {
        InboxVerb::List => list(service, InboxFilter { all: args.all, limit: Some(args.limit) }, json).await,
        InboxVerb::Read { item } => read(service, &item, json).await,
        InboxVerb::Unread { item } => deal(item, "unread", InboxCommand::Unread).await,
        InboxVerb::Archive { item } => deal(item, "archived", InboxCommand::Archive).await,
        InboxVerb::Fewer { item } => deal(item, "fewer like", |item| InboxCommand::Feedback { item, fewer: true }).await,
        InboxVerb::More { item } => deal(item, "more like", |item| InboxCommand::Feedback { item, fewer: false }).await,
        InboxVerb::Snooze { item, time } => {
            let until = service.now().plus(duration("snooze", &time)?);
            let row = service.find_item(&item).await.map_err(stop)?;
            service.inbox_command(InboxCommand::Snooze { item: row.item.item_id.clone(), until }).await.map_err(stop)?;
            said(json, &row, "asleep")
        }
        InboxVerb::Notices => notices(service, args.limit, json).await,
        InboxVerb::Resend { notice } => {
            service.inbox_command(InboxCommand::Resend(NoticeId::from(notice.as_str()))).await.map_err(stop)?;
            if json { output::json(&json!({"notice_id": notice, "status": "queued"})) } else { Ok(output::line("queued again")?) }
        }
    }
}

fn said(json: bool, row: &InboxRow, word: &str) -> Result<(), Stop> {
    let id = &row.item.item_id;
    if json {
        return output::json(&json!({"item_id": id, "done": word}));
    }
    Ok(output::line(format_args!("{word}: {} {}", short_id(id.as_str()), clean_line(&row.item.title)))?)
}

async fn list(service: &TaskService, filter: InboxFilter, json: bool) -> Result<(), Stop> {
    let rows = service.inbox(filter).await.map_err(stop)?;
    if json {
        return output::json(&rows);
    }
    if rows.is_empty() {
        output::note("nothing in the inbox");
        return Ok(());
    }
    let mut table = vec![["id", "", "kind", "when", "title"].map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        let mark = if row.unread { "new" } else { "" };
        let when = schedule::distance(row.item.at, service.now());
        vec![short_id(row.item.item_id.as_str()).to_owned(), mark.to_owned(), kind(row).to_owned(), when, clean_line(&row.item.title)]
    }));
    Ok(output::raw(output::table(&table, COLUMN_CHARS_MAX))?)
}

fn kind(row: &InboxRow) -> &'static str {
    match row.item.kind {
        InboxKind::Told => "told",
        InboxKind::Asks => "asks",
        InboxKind::Trouble => "trouble",
        InboxKind::Report => "report",
    }
}

async fn read(service: &TaskService, item: &str, json: bool) -> Result<(), Stop> {
    let row = service.find_item(item).await.map_err(stop)?;
    service.inbox_command(InboxCommand::Read(row.item.item_id.clone())).await.map_err(stop)?;
    if json {
        return output::json(&row);
    }
    output::line(format_args!("# {}", clean_line(&row.item.title)))?;
    output::line(clean(&row.item.body))?;
    if let Some(url) = &row.item.url {
        output::line(clean_line(url))?;
    }
    Ok(())
}

async fn notices(service: &TaskService, limit: usize, json: bool) -> Result<(), Stop> {
    let rows = service.deliveries(limit).await.map_err(stop)?;
    if json {
        return output::json(&rows);
    }
    if rows.is_empty() {
        output::note("no notices yet");
        return Ok(());
    }
    let mut table = vec![["id", "channel", "to", "status", "tries", "when", "title"].map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        let status = serde_json::to_value(row.status).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let title = match &row.error {
            Some(error) => format!("{}: {error}", row.title),
            None => row.title.clone(),
        };
        let when = schedule::distance(row.queued_at, service.now());
        let cells = [row.channel.as_str().to_owned(), row.to.clone(), status, row.attempts.to_string(), when, title];
        std::iter::once(row.notice_id.to_string()).chain(cells.iter().map(|cell| clean_line(cell))).collect()
    }));
    Ok(output::raw(output::table(&table, COLUMN_CHARS_MAX))?)
}
