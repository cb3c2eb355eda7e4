//! What stands around the program: notices, the feed, the clipboard, the editor.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::row;
use crate::app::Start;
use crate::domain::query::{CheckLevel, CheckRow};
use crate::domain::report::ReportState;
use crate::domain::text::with_causes;
use crate::interactions::reporter::Reports;
use crate::notify::ChannelStatus;
use crate::tui::emulator::Emulator;

/// All rows; none of them tells a secret.
pub(super) fn rows(start: &Start, channels: &[ChannelStatus]) -> Vec<CheckRow> {
    let process = |name: &str| start.environment.process(name);
    let path = process("PATH").unwrap_or_default();
    vec![
        notices(channels),
        feed(start),
        clipboard(&Emulator::read(process, cfg!(target_os = "macos")), path),
        editor(process("VISUAL").or_else(|| process("EDITOR")), path),
    ]
}

/// How the reports to a coordinator stand.
pub(super) async fn reports(reports: &Reports) -> CheckRow {
    let name = "reports";
    let status = match reports.status().await {
        Ok(status) => status,
        Err(error) => return row(name, CheckLevel::Fail, with_causes(&error), Some("move the queue's file away: a new one is made")),
    };
    let totals = &status.totals;
    let waiting = format!("{} wait, {} delivered, {} dead letters", totals.waiting, totals.delivered_ever, totals.dead);
    if let Some(problem) = &status.problem {
        return row(
            name,
            CheckLevel::Fail,
            problem.clone(),
            Some("`wakeful report test` looks at the coordinator; nothing is lost meanwhile"),
        );
    }
    match &status.state {
        ReportState::Off => row(name, CheckLevel::Ok, "off: nothing is reported", None),
        ReportState::Waiting { reason, .. } => {
            let remedy = "`wakeful report test` looks at the coordinator; nothing is lost meanwhile";
            row(name, CheckLevel::Warn, format!("{reason}; {waiting}"), Some(remedy))
        }
        ReportState::Idle | ReportState::Sending | ReportState::Standby if totals.dead_unseen > 0 => {
            row(name, CheckLevel::Warn, waiting, Some("`wakeful report dead` says why they were refused"))
        }
        ReportState::Idle | ReportState::Sending | ReportState::Standby => {
            row(name, CheckLevel::Ok, format!("to {} ({}): {waiting}", status.place, status.transport), None)
        }
    }
}

fn notices(channels: &[ChannelStatus]) -> CheckRow {
    let told = |configured: bool| {
        let names = channels.iter().filter(|channel| channel.configured == configured);
        names.map(|channel| channel.kind.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (real, simulated) = (told(true), told(false));
    let message = match (real.as_str(), simulated.as_str()) {
        (real, "") => format!("sent for real: {real}"),
        ("", simulated) => format!("only shown, not sent: {simulated}"),
        (real, simulated) => format!("sent for real: {real}; only shown, not sent: {simulated}"),
    };
    let remedy =
        (!simulated.is_empty()).then_some("`[notify]` in the config sets channels up; `wakeful notify test CHANNEL` says what one lacks");
    row("notices", CheckLevel::Ok, message, remedy)
}

fn feed(start: &Start) -> CheckRow {
    let options = &start.loaded.settings.server;
    let listen = options.listen;
    let name = "feed";
    match TcpListener::bind(listen) {
        _ if !options.enabled => {
            let remedy = "`wakeful serve` offers it, or `enabled = true` under [server] beside the terminal";
            row(name, CheckLevel::Ok, format!("off; it would be on {listen}"), Some(remedy))
        }
        Ok(_) => row(name, CheckLevel::Ok, format!("{listen} is free for it"), None),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let remedy = "well if that is another wakeful; else set `listen` under [server] to a free port";
            row(name, CheckLevel::Warn, format!("somebody listens on {listen} already"), Some(remedy))
        }
        Err(error) => {
            row(name, CheckLevel::Fail, format!("{listen}: {error}"), Some("set `listen` under [server] to an address of this machine"))
        }
    }
}

fn clipboard(emulator: &Emulator, path: &str) -> CheckRow {
    let name = "clipboard";
    let found = emulator.clipboards.iter().find(|program| find(program.name(), path).is_some());
    if let Some(program) = found {
        return row(name, CheckLevel::Ok, format!("by {}", program.name()), None);
    }
    let message = format!("by the terminal itself (OSC 52){}", emulator.wrap.told());
    let programs: Vec<&str> = emulator.clipboards.iter().map(|program| program.name()).collect();
    let remedy = (!programs.is_empty()).then(|| format!("if copies do not arrive, install {}", programs.join(" or ")));
    row(name, CheckLevel::Ok, message, remedy.as_deref())
}

fn editor(command: Option<&str>, path: &str) -> CheckRow {
    let name = "editor";
    let remedy = "set VISUAL or EDITOR to your editor, e.g. `export EDITOR=vim`: Ctrl+G writes a message with it";
    let Some(command) = command.filter(|command| !command.trim().is_empty()) else {
        return row(name, CheckLevel::Warn, "none is set", Some(remedy));
    };
    let program = shlex::split(command).and_then(|words| words.into_iter().next()).unwrap_or_default();
    match find(&program, path) {
        Some(file) => row(name, CheckLevel::Ok, format!("`{command}` ({})", file.display()), None),
        None => row(name, CheckLevel::Warn, format!("`{command}`: there is no program `{program}`"), Some(remedy)),
    }
}

/// Where a program is, by its path or in the folders of `path`.
fn find(program: &str, path: &str) -> Option<PathBuf> {
    let is_file = |file: &PathBuf| file.is_file();
    if program.contains('/') {
        return Some(Path::new(program).to_path_buf()).filter(is_file);
    }
    std::env::split_paths(path).map(|folder| folder.join(program)).find(is_file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::ChannelKind;

    #[test]
    fn an_editor_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ed"), "").unwrap();
        let path = folder.path().to_str().unwrap();
        let level = |command: Option<&str>| editor(command, path).level;
        assert_eq!(level(Some("ed -p '> '")), CheckLevel::Ok);
        assert_eq!(level(Some(&format!("{path}/ed"))), CheckLevel::Ok);
        assert_eq!(
            (level(None), level(Some(" ")), level(Some("vim")), level(Some("'"))),
            (CheckLevel::Warn, CheckLevel::Warn, CheckLevel::Warn, CheckLevel::Warn)
        );
        assert!(editor(Some("vim -f"), path).message.contains("no program `vim`"));
    }

    #[test]
    fn the_clipboard_is_the_first_program_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let x11 = |name: &str| (name == "DISPLAY").then_some(":0");
        let emulator = Emulator::read(x11, false);
        let row = clipboard(&emulator, path);
        assert!(row.message.contains("OSC 52") && row.remedy.unwrap().contains("xclip or xsel"));
        std::fs::write(folder.path().join("xsel"), "").unwrap();
        assert_eq!(clipboard(&emulator, path).message, "by xsel");
        assert_eq!(clipboard(&Emulator::default(), path).remedy, None);
    }

    #[test]
    fn what_is_only_shown_is_told_apart() {
        let status = |kind, configured| ChannelStatus { kind, configured, note: "a note".to_owned() };
        let row = notices(&[status(ChannelKind::Sms, false), status(ChannelKind::Webhook, true)]);
        assert_eq!(row.message, "sent for real: webhook; only shown, not sent: sms");
        assert!(row.remedy.is_some());
        assert_eq!(notices(&[status(ChannelKind::Webhook, true)]).remedy, None);
    }
}
