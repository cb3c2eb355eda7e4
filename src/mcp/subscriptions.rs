//! Being told of changes: one `subscriptions/listen` where the server is of 2026-07-28, `resources/subscribe` before it.
//!
//! The wishes belong to the server, not to the connection: they are made anew on each new one.

#![expect(deprecated, reason = "`resources/subscribe` is for servers with a handshake")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    ClientRequest, ServerNotification, SubscribeRequest, SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequest,
    UnsubscribeRequestParams,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::mcp::link::Link;

/// The most resources of one server that are subscribed.
pub(super) const URIS_MAX: usize = 100;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The wait before an ended stream is opened again; doubles each time.
const AGAIN_FIRST: Duration = Duration::from_millis(500);
const AGAIN_MAX: Duration = Duration::from_mins(1);

/// Listens until the connection is lost.
pub(super) async fn listen(link: Arc<Link>, wanted: watch::Receiver<BTreeSet<String>>) {
    let down = Arc::clone(&link);
    tokio::select! {
        _ = down.down.wait() => {}
        () = async {
            if link.is_modern { listen_modern(&link, wanted).await } else { listen_legacy(&link, wanted).await }
        } => {}
    }
}

/// What a server can tell of and what of it is wanted.
fn filter(link: &Link, uris: &BTreeSet<String>) -> Option<SubscriptionFilter> {
    let capabilities = link.capability_values();
    let can = |list: &str, what: &str| capabilities.pointer(&format!("/{list}/{what}")).and_then(serde_json::Value::as_bool) == Some(true);
    let told = |is: bool| is.then_some(true);
    let mut filter = SubscriptionFilter::default();
    filter.tools_list_changed = told(can("tools", "listChanged"));
    filter.prompts_list_changed = told(can("prompts", "listChanged"));
    filter.resources_list_changed = told(can("resources", "listChanged"));
    filter.resource_subscriptions = (!uris.is_empty()).then(|| uris.iter().cloned().collect());
    (filter != SubscriptionFilter::default()).then_some(filter)
}

async fn listen_modern(link: &Arc<Link>, mut wanted: watch::Receiver<BTreeSet<String>>) {
    let mut wait = AGAIN_FIRST;
    loop {
        let uris = wanted.borrow_and_update().clone();
        let Some(filter) = filter(link, &uris) else {
            if wanted.changed().await.is_err() {
                return;
            }
            continue;
        };
        if let Ok(Ok(mut subscription)) = timeout(ANSWER_LIMIT, link.peer.listen(filter)).await {
            loop {
                let next = tokio::select! {
                    next = subscription.next() => next,
                    changed = wanted.changed() => {
                        let _ = timeout(ANSWER_LIMIT, subscription.cancel()).await;
                        if changed.is_err() {
                            return;
                        }
                        wait = Duration::ZERO;
                        break;
                    }
                };
                let Ok(Some(notification)) = next else { break };
                wait = AGAIN_FIRST;
                heard(link, &notification);
            }
        }
        if wait > Duration::ZERO {
            sleep(wait).await;
            // What changed meanwhile went unheard.
            link.shared.tools_changed.notify_one();
        }
        wait = (wait * 2).clamp(AGAIN_FIRST, AGAIN_MAX);
    }
}

fn heard(link: &Link, notification: &ServerNotification) {
    match notification {
        ServerNotification::ToolListChangedNotification(_) => link.shared.tools_changed.notify_one(),
        ServerNotification::PromptListChangedNotification(_) => link.shared.list_changed("prompts"),
        ServerNotification::ResourceListChangedNotification(_) => link.shared.list_changed("resources"),
        ServerNotification::ResourceUpdatedNotification(updated) => link.shared.resource_updated(&updated.params.uri),
        _ => {}
    }
}

async fn listen_legacy(link: &Arc<Link>, mut wanted: watch::Receiver<BTreeSet<String>>) {
    let mut have = BTreeSet::new();
    loop {
        let want = wanted.borrow_and_update().clone();
        for uri in want.difference(&have) {
            let request = SubscribeRequest::new(SubscribeRequestParams::new(uri.clone()));
            let _ = link.ask(ClientRequest::SubscribeRequest(request), "subscription", ANSWER_LIMIT).await;
        }
        for uri in have.difference(&want) {
            let request = UnsubscribeRequest::new(UnsubscribeRequestParams::new(uri.clone()));
            let _ = link.ask(ClientRequest::UnsubscribeRequest(request), "end of a subscription", ANSWER_LIMIT).await;
        }
        have = want;
        if wanted.changed().await.is_err() {
            return;
        }
    }
}
