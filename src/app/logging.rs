//! Log files for people who look for causes: under the state folder, rotated daily, secrets masked, never on the screen.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{EnvFilter, FilterFn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged where `RUST_LOG` says nothing. rmcp logs bodies at info, async-openai failed bodies at error.
const FILTER: &str = "info,rmcp=warn,async_openai=off,hyper=warn,reqwest=warn,h2=warn,rustls=warn";

/// Files of each log that are kept: one a day.
const FILES_MAX: usize = 7;

/// Lines that may wait for the disk; more are dropped rather than waited for.
const LINES_MAX: usize = 4_096;

/// Flushes the logs when dropped.
#[derive(Debug)]
pub struct Logging {
    _guards: Vec<WorkerGuard>,
}

/// Opens `agent.log` and `mcp_server.log` in `folder`. `secrets` are masked wherever they would appear.
///
/// # Errors
/// When the files cannot be opened, or logging was set up before.
pub fn start(folder: &Path, filter: Option<&str>, secrets: Vec<String>) -> anyhow::Result<Logging> {
    let secrets: Arc<[String]> = secrets.into_iter().filter(|secret| secret.len() >= SECRET_BYTES_MIN).collect();
    std::fs::create_dir_all(folder)?;
    let (agent, agent_guard) = open(folder, "agent", &secrets)?;
    let (mcp, mcp_guard) = open(folder, "mcp_server", &secrets)?;
    let filter = EnvFilter::try_new(filter.unwrap_or(FILTER)).unwrap_or_else(|_| EnvFilter::new(FILTER));
    let agent = fmt::layer().with_ansi(false).with_writer(agent).with_filter(FilterFn::new(|meta| !is_mcp(meta.target())));
    let mcp = fmt::layer().with_ansi(false).with_writer(mcp).with_filter(FilterFn::new(|meta| is_mcp(meta.target())));
    tracing_subscriber::registry().with(filter).with(agent).with(mcp).try_init()?;
    Ok(Logging { _guards: vec![agent_guard, mcp_guard] })
}

/// Shorter texts are no secrets; masking them would only tear the logs.
const SECRET_BYTES_MIN: usize = 6;

fn open(folder: &Path, name: &str, secrets: &Arc<[String]>) -> anyhow::Result<(Masked, WorkerGuard)> {
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(name)
        .filename_suffix("log")
        .max_log_files(FILES_MAX)
        .build(folder)?;
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES_MAX).lossy(true).finish(files);
    Ok((Masked { writer, secrets: Arc::clone(secrets) }, guard))
}

/// Writes lines with secrets replaced.
#[derive(Clone)]
struct Masked {
    writer: NonBlocking,
    secrets: Arc<[String]>,
}

impl Write for Masked {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.secrets.is_empty() {
            self.writer.write_all(line)?;
        } else {
            self.writer.write_all(mask(&String::from_utf8_lossy(line), &self.secrets).as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<'a> MakeWriter<'a> for Masked {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn is_mcp(target: &str) -> bool {
    target.starts_with("rmcp") || target == "mcp" || target.starts_with("wakeful::mcp")
}

fn mask(line: &str, secrets: &[String]) -> String {
    secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret.as_str(), "•••"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        assert_eq!(mask("key=sk-abcdef end", &["sk-abcdef".into()]), "key=••• end");
    }
}
