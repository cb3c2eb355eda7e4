//! The desktop's notification service: over D-Bus with the feature `desktop`, else by the program the system brings
//! (`notify-send`, `osascript`), else simulated.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::tz::TimeZone;

use crate::domain::clock::Clock;
use crate::domain::notice::{ChannelKind, Notice};
use crate::domain::text::{clean_line, ellipsis};
use crate::notify::template::{Facts, Template, shorten};
use crate::notify::{Built, Channel, OptionsError, Parts, Receipt, SendError};

/// The longest heading, in UTF-16 units.
const TITLE_UNITS_MAX: usize = 120;

/// The longest text, in UTF-16 units; services cut more off themselves.
const BODY_UNITS_MAX: usize = 500;

/// The longest part of a program's error output that is told, in characters.
const TOLD_CHARS_MAX: usize = 200;

/// What the program needs to find the desktop; it gets nothing else, our credentials least of all.
const PASSED: &[&str] =
    &["PATH", "HOME", "LANG", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];

/// How the desktop is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "desktop", allow(dead_code, reason = "the programs are for builds without the service"))]
enum Way {
    /// `notify-send`.
    NotifySend(PathBuf),
    /// `osascript`.
    AppleScript(PathBuf),
    /// The service itself.
    #[cfg(feature = "desktop")]
    Service,
}

/// The channel.
pub(super) struct Desktop(Arc<Shower>);

struct Shower {
    way: Way,
    template: Template,
    environment: Vec<(&'static str, String)>,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    timeout: Duration,
}

pub(super) fn build(parts: &mut Parts<'_>) -> Result<Built, OptionsError> {
    let template = Template::parse("desktop.template", &parts.options.desktop.template)?;
    let way = match find_way(parts.variable) {
        Ok(way) => way,
        Err(why) => return Ok(Built::Missing(why)),
    };
    let note = match &way {
        Way::NotifySend(path) | Way::AppleScript(path) => path.display().to_string(),
        #[cfg(feature = "desktop")]
        Way::Service => "the desktop's service".to_owned(),
    };
    let environment = PASSED.iter().filter_map(|name| Some((*name, (parts.variable)(name)?))).collect();
    let (clock, zone) = (Arc::clone(&parts.clock), parts.zone.clone());
    let shower = Shower { way, template, environment, clock, zone, timeout: parts.http.timeout() };
    Ok(Built::Real(Arc::new(Desktop(Arc::new(shower))), note))
}

fn find_way(variable: &dyn Fn(&str) -> Option<String>) -> Result<Way, String> {
    let there = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "linux") && !there("DBUS_SESSION_BUS_ADDRESS") && !there("XDG_RUNTIME_DIR") {
        return Err("there is no desktop session".to_owned());
    }
    #[cfg(feature = "desktop")]
    return Ok(Way::Service);
    #[cfg(not(feature = "desktop"))]
    {
        let found = |name| find_program(name, variable("PATH").as_deref());
        let way = found("notify-send").map(Way::NotifySend).or_else(|| found("osascript").map(Way::AppleScript));
        way.ok_or_else(|| "neither `notify-send` nor `osascript` is installed".to_owned())
    }
}

/// The first file of this name in the folders of `path`.
#[cfg_attr(feature = "desktop", allow(dead_code, reason = "only without the service"))]
fn find_program(name: &str, path: Option<&str>) -> Option<PathBuf> {
    let folders = std::env::split_paths(path?);
    // A relative folder in the path would let the working folder choose the program.
    folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl Shower {
    async fn send(self: Arc<Self>, notice: Notice) -> Result<Receipt, SendError> {
        let facts = Facts::of(&notice, self.clock.now(), &self.zone);
        let body = shorten(&self.template.render(&facts), BODY_UNITS_MAX).into_owned();
        let title = if facts.title.is_empty() { "wakeful".to_owned() } else { shorten(&facts.title, TITLE_UNITS_MAX).into_owned() };
        match &self.way {
            #[cfg(feature = "desktop")]
            Way::Service => self.over_service(&title, &body, notice.priority).await?,
            Way::NotifySend(program) => {
                let urgency = match notice.priority {
                    0..=1 => "low",
                    2..=4 => "normal",
                    _ => "critical",
                };
                let arguments = ["--app-name=wakeful", "--urgency", urgency, "--", title.as_str(), &markup_escaped(&body)];
                self.run(program, &arguments).await?;
            }
            Way::AppleScript(program) => {
                let script =
                    ["-e", "on run argv", "-e", "display notification (item 2 of argv) with title (item 1 of argv)", "-e", "end run"];
                let arguments: Vec<&str> = script.into_iter().chain(["--", title.as_str(), body.as_str()]).collect();
                self.run(program, &arguments).await?;
            }
        }
        Ok(Receipt { id: None, simulated: false, detail: "shown on the desktop".to_owned() })
    }

    /// Runs `program` to its end. The texts are arguments of their own: no shell reads them.
    async fn run(&self, program: &PathBuf, arguments: &[&str]) -> Result<(), SendError> {
        let down = |reason: String| SendError::Down { reason };
        let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env_clear().envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command.stdin(std::process::Stdio::null()).kill_on_drop(true);
        let output = match tokio::time::timeout(self.timeout, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(down(format!("`{name}` could not be started: {error}"))),
            Err(_) => return Err(SendError::Unknown { reason: format!("`{name}` did not end within {} s", self.timeout.as_secs()) }),
        };
        if output.status.success() {
            return Ok(());
        }
        let said = clean_line(&String::from_utf8_lossy(&output.stderr));
        Err(down(format!("`{name}` failed: {}", ellipsis(&said, TOLD_CHARS_MAX))))
    }

    #[cfg(feature = "desktop")]
    async fn over_service(&self, title: &str, body: &str, priority: u8) -> Result<(), SendError> {
        let mut notification = notify_rust::Notification::new();
        notification.appname("wakeful").summary(title).body(&markup_escaped(body));
        #[cfg(all(unix, not(target_os = "macos")))]
        {
            notification.urgency(match priority {
                0..=1 => notify_rust::Urgency::Low,
                2..=4 => notify_rust::Urgency::Normal,
                _ => notify_rust::Urgency::Critical,
            });
            let shown = tokio::time::timeout(self.timeout, notification.show_async()).await;
            return match shown {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(SendError::Down { reason: ellipsis(&clean_line(&error.to_string()), TOLD_CHARS_MAX).into_owned() }),
                Err(_) => Err(SendError::Unknown { reason: "the desktop did not answer".to_owned() }),
            };
        }
        #[cfg(not(all(unix, not(target_os = "macos"))))]
        {
            let _ = priority;
            let shown = tokio::task::spawn_blocking(move || notification.show().map(drop).map_err(|error| error.to_string())).await;
            match shown {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(SendError::Down { reason: ellipsis(&clean_line(&error), TOLD_CHARS_MAX).into_owned() }),
                Err(error) => Err(SendError::Unknown { reason: error.to_string() }),
            }
        }
    }
}

/// Services may read a text as markup: what a page wrote must not become a link or an image.
fn markup_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Channel for Desktop {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Desktop
    }

    fn simulated(&self) -> bool {
        false
    }

    fn send(&self, notice: Notice) -> BoxFuture<'static, Result<Receipt, SendError>> {
        Arc::clone(&self.0).send(notice).boxed()
    }
}

#[cfg(test)]
mod tests;
