//! Opens an address for a person: with the program that `BROWSER` names, or the system's own; or follows it without one.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::LOCATION;
use tokio::process::Command;
use tokio::time::timeout;
use url::Url;

use crate::domain::text::{clean_line, visible};
use crate::net;

/// How long a program may take to say that it could not open the address.
const REFUSAL_WAIT: Duration = Duration::from_secs(3);

/// Redirects that are followed where there is no browser.
const HOPS_MAX: usize = 10;

/// How long each of them may take.
const HOP_LIMIT: Duration = Duration::from_secs(20);

/// Opens an address, or says why not.
pub type Opener = Arc<dyn Fn(String) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Opens addresses with the browser: the first program of `BROWSER` (a list with `:` between; `%s` stands for the address,
/// which comes last where it is missing), else `xdg-open`, `open` or what Windows has. No shell is involved.
pub fn browser(environment: &BTreeMap<String, String>) -> Opener {
    let commands = commands(environment);
    Arc::new(move |url: String| {
        let commands = commands.clone();
        async move {
            let url = safe(&url)?;
            let mut problem = "no browser is known here: `BROWSER` can name one".to_owned();
            for command in &commands {
                match start(command, url.as_str()).await {
                    Ok(()) => return Ok(()),
                    Err(error) => problem = error,
                }
            }
            Err(problem)
        }
        .boxed()
    })
}

/// Follows the address and its redirects with `client`, as a browser without a person would: for tests of servers.
pub fn headless(client: net::Client) -> Opener {
    Arc::new(move |url: String| {
        let client = client.clone();
        async move {
            let mut url = safe(&url)?;
            for _ in 0..HOPS_MAX {
                let inner = client.inner(url.as_str()).await.map_err(|error| error.to_string())?;
                let sent = timeout(HOP_LIMIT, inner.get(url.as_str()).send()).await.map_err(|_| "no answer in time".to_owned())?;
                let response = sent.map_err(|error| clean_line(&error.without_url().to_string()))?;
                let next = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| url.join(to).ok());
                match next {
                    Some(next) if response.status().is_redirection() => url = safe(next.as_str())?,
                    _ if response.status().is_success() => return Ok(()),
                    _ => return Err(format!("HTTP {}", response.status())),
                }
            }
            Err("it leads on and on".to_owned())
        }
        .boxed()
    })
}

/// The address, if a browser may be started with it: nothing but `http` and `https`.
fn safe(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|_| "this is no address".to_owned())?;
    match parsed.scheme() {
        "http" | "https" if parsed.has_host() => Ok(parsed),
        other => Err(format!("an address that begins with `{}:` is not opened", visible(other))),
    }
}

/// The command lines to try, `%s` for the address.
fn commands(environment: &BTreeMap<String, String>) -> Vec<Vec<String>> {
    let value = |name: &str| environment.get(name).map(String::as_str).filter(|value| !value.trim().is_empty());
    if let Some(list) = value("BROWSER") {
        let between = if cfg!(windows) { ';' } else { ':' };
        return list.split(between).filter_map(shlex::split).filter(|words| !words.is_empty()).collect();
    }
    let words = |line: &[&str]| line.iter().map(ToString::to_string).collect();
    if cfg!(target_os = "macos") {
        return vec![words(&["open"])];
    }
    if cfg!(windows) {
        return vec![words(&["rundll32", "url.dll,FileProtocolHandler"])];
    }
    // Without a screen it would start a browser for the terminal, in the middle of ours.
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].iter().any(|name| value(name).is_some());
    if has_screen { vec![words(&["xdg-open"]), words(&["wslview"])] } else { Vec::new() }
}

fn with_address(command: &[String], url: &str) -> Vec<String> {
    let mut words: Vec<String> = command.iter().map(|word| word.replace("%s", url)).collect();
    if !command.iter().any(|word| word.contains("%s")) {
        words.push(url.to_owned());
    }
    words
}

async fn start(command: &[String], url: &str) -> Result<(), String> {
    let words = with_address(command, url);
    let Some((program, args)) = words.split_first() else { return Err("`BROWSER` is empty".to_owned()) };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl+C in our terminal is not meant for the browser.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| format!("`{}`: {error}", visible(program)))?;
    match timeout(REFUSAL_WAIT, child.wait()).await {
        Ok(Ok(status)) if !status.success() => Err(format!("`{}` failed ({status})", visible(program))),
        Ok(Err(error)) => Err(format!("`{}`: {error}", visible(program))),
        Ok(Ok(_)) => Ok(()),
        Err(_) => {
            // It goes on by itself; somebody must take its status when it ends.
            tokio::spawn(async move { child.wait().await });
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_variable_names_programs_and_no_shell_sees_the_address() {
        let lines = commands(&environment(&[("BROWSER", "firefox --new-window %s:'my browser' --x")]));
        let url = "https://h/?a=1&b=$(id)";
        let lines: Vec<_> = lines.iter().map(|line| with_address(line, url)).collect();
        assert_eq!(lines, [vec!["firefox", "--new-window", url], vec!["my browser", "--x", url]]);
        if cfg!(target_os = "linux") {
            assert!(commands(&environment(&[])).is_empty(), "no screen, no browser");
            assert_eq!(commands(&environment(&[("DISPLAY", ":0")]))[0], ["xdg-open"]);
        }
    }

    #[tokio::test]
    async fn only_web_addresses_are_opened() {
        let open = browser(&environment(&[("BROWSER", "true")]));
        for url in ["file:///etc/passwd", "javascript:alert(1)", "nonsense", "mailto:a@b", "--help"] {
            assert!(open(url.to_owned()).await.is_err(), "{url}");
        }
        open("https://example.com/".to_owned()).await.unwrap();
        let failing = browser(&environment(&[("BROWSER", "false:wakeful-no-such-program")]));
        assert!(failing("https://example.com/".to_owned()).await.unwrap_err().contains("wakeful-no-such-program"));
    }
}
