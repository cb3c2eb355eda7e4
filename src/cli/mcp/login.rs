//! `wakeful mcp login` and `wakeful mcp logout`.

use std::sync::Arc;

use futures::FutureExt;

use crate::app::queries::{mcp_http, mcp_http_with};
use crate::cli::Base;
use crate::cli::mcp::{find, net_of};
use crate::cli::output::{self, Exit, Outcome};
use crate::domain::text::{clean_line, visible};
use crate::mcp::{self, LoggedIn, Opener, ServerOptions};

pub(super) async fn log_in(base: &Base, server: &str) -> Outcome {
    let start = base.start(false)?;
    let options = named(&start, server)?;
    let http = mcp_http_with(
        &start,
        &net_of(&start),
        start.paths.oauth(),
        start.environment.own(),
        telling(mcp::browser(&start.environment.own())),
    );
    let logging_in = mcp::log_in(&options, http, start.environment.own());
    let logged_in = tokio::select! {
        logged_in = logging_in => logged_in,
        _ = tokio::signal::ctrl_c() => {
            output::note(format_args!("wakeful: the login was given up"));
            return Ok(Exit::Interrupted);
        }
    };
    match logged_in.map_err(|error| anyhow::Error::new(error).context(format!("could not log in to `{server}`")))? {
        LoggedIn::Yes => output::line(format_args!("logged in to `{server}`"))?,
        LoggedIn::NotNeeded => output::line(format_args!("`{server}` wants no login"))?,
    }
    Ok(Exit::Done)
}

pub(super) async fn log_out(base: &Base, server: &str) -> Outcome {
    let start = base.start(false)?;
    let options = named(&start, server)?;
    let logged_out = mcp::log_out(&options, &mcp_http(&start, &net_of(&start))).await;
    if logged_out.map_err(|error| anyhow::Error::new(error).context(format!("could not log out of `{server}`")))? {
        output::line(format_args!("logged out of `{server}`"))?;
    } else {
        output::line(format_args!("`{server}` was not logged in to"))?;
    }
    Ok(Exit::Done)
}

fn named(start: &crate::app::Start, server: &str) -> Result<ServerOptions, output::Stop> {
    if start.loaded.settings.mcp_servers.iter().any(|known| known.name == server) {
        return find(start, &[server.to_owned()]);
    }
    let names: Vec<_> = start.loaded.settings.mcp_servers.iter().map(|known| known.name.as_str()).collect();
    let known = if names.is_empty() { "none is configured".to_owned() } else { format!("there are {}", names.join(", ")) };
    Err(output::Stop::Usage(format!("no server `{}`: {}", clean_line(server), clean_line(&known))))
}

/// Shows each address before it is opened, so that it can be opened by hand, elsewhere.
fn telling(open: Opener) -> Opener {
    Arc::new(move |url: String| {
        output::note(format_args!("open this address to log in:\n\n  {}\n", visible(&url)));
        let opening = open(url);
        async move {
            if let Err(problem) = opening.await {
                output::note(format_args!("no browser could be opened here: {}", clean_line(&problem)));
            }
            Ok(())
        }
        .boxed()
    })
}
