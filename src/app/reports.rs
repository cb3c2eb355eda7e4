//! The reports to a coordinator: started where they are wanted, and what a person wants of them.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;

use crate::app::{Start, complain, models};
use crate::bus::Recorder;
use crate::config::environment::Environment;
use crate::config::settings::Settings;
use crate::domain::clock::Clock;
use crate::domain::command::ReportCommand;
use crate::domain::event::{Custom, EventBody, NewEvent};
use crate::domain::report::REPORT_EVENT;
use crate::domain::text::with_causes;
use crate::interactions::reporter::{Parts, Reports, Running};
use crate::interactions::transport::make;
use crate::net;
use crate::store::EventLog;

/// The longest that a shutdown waits for the reports; what is not sent by then is sent by the next run.
pub const FLUSH_MAX: Duration = Duration::from_secs(2);

/// Starts reporting where the settings want it; nothing is opened or reached before this answers.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn start(
    reports: &Reports,
    settings: &Settings,
    start: &Start,
    log: &EventLog,
    net: &net::Client,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Option<Running>> {
    let options = &settings.interaction_logging;
    if !options.is_on() {
        reports.forget();
        return Ok(None);
    }
    let from = log.head().await?;
    let variable = |name: &str| start.environment.get(name).map(str::to_owned);
    let parts = make::Parts { net, clock, variable: &variable, data: &start.paths.data };
    Ok(Some(reports.start(Parts {
        log: log.clone(),
        from,
        transports: make::transports(options, &parts),
        recorder: Arc::new(log.clone()),
        secrets: secrets(settings, &start.environment),
    })))
}

/// Keys and passwords of the settings: no record holds one of them.
pub fn secrets(settings: &Settings, environment: &Environment) -> Vec<String> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let mut all = models::secrets(settings, environment);
    all.extend(settings.server.token.iter().map(|token| token.expose_secret().to_owned()));
    all.extend(settings.server.token_env.as_deref().and_then(variable));
    all
}

/// Does what a person wants of the reports, and tells what came of it.
pub(super) async fn command(reports: Reports, command: ReportCommand, recorder: Arc<dyn Recorder>) {
    let done = match command {
        ReportCommand::Retry => {
            reports.hurry().await.map(|refused| ("retried", format!("tried at once; {refused} records were refused before")))
        }
        ReportCommand::Resend { numbers } => {
            reports.resend(numbers).await.map(|sent| ("resent", format!("{sent} dead letters are sent again")))
        }
    };
    match done {
        Ok((event_type, message)) => {
            let data = json!({"event_type": event_type, "message": message});
            let body = EventBody::Custom(Custom { type_name: REPORT_EVENT.to_owned(), data });
            recorder.emit(NewEvent::system(body));
        }
        Err(error) => complain(&*recorder, with_causes(&error)),
    }
}
