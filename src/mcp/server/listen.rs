//! Hands what changed to those who want to know: to a session of the legacy era, and to a `subscriptions/listen` of the
//! newer one.

use std::sync::{Arc, PoisonError};

use rmcp::ErrorData;
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, RoleServer, ServiceError, SubscriptionContext, SubscriptionSendError, SubscriptionSink};
use tokio_util::sync::CancellationToken;

use crate::mcp::server::Offers;
use crate::mcp::server::changes::{Change, Listener, News};
use crate::mcp::server::context::Session;

/// Tells a client of the legacy era, until its connection or the server ends.
pub(super) async fn tell_session(
    peer: Peer<RoleServer>,
    session: Arc<Session>,
    offers: Offers,
    mut listener: Listener,
    stop: CancellationToken,
) {
    loop {
        let news = tokio::select! {
            news = listener.next() => news,
            () = stop.cancelled() => return,
        };
        let subscribed = session.subscribed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let changes: Vec<Change> = match news {
            News::Over => return,
            News::Some(changes) => changes.into_iter().collect(),
            News::All => everything().chain(subscribed.iter().cloned().map(Change::Updated)).collect(),
        };
        for change in changes {
            let told = match change {
                Change::Tools if offers.tools => peer.notify_tool_list_changed().await,
                Change::Prompts if offers.prompts => peer.notify_prompt_list_changed().await,
                Change::Resources if offers.resources => peer.notify_resource_list_changed().await,
                Change::Updated(uri) if subscribed.contains(&uri) => {
                    peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await
                }
                _ => Ok(()),
            };
            if matches!(told, Err(ServiceError::TransportClosed)) {
                return;
            }
        }
    }
}

fn everything() -> impl Iterator<Item = Change> {
    [Change::Tools, Change::Prompts, Change::Resources].into_iter()
}

/// Tells a client that listens, until it stops listening or the server ends.
pub(super) async fn tell_listener(context: SubscriptionContext, mut listener: Listener, stop: CancellationToken) -> Result<(), ErrorData> {
    let sink = context.sink().clone();
    loop {
        let news = tokio::select! {
            news = listener.next() => news,
            () = context.cancelled() => return Ok(()),
            () = stop.cancelled() => return Ok(()),
        };
        let changes: Vec<Change> = match news {
            News::Over => return Ok(()),
            News::Some(changes) => changes.into_iter().collect(),
            News::All => {
                let wanted = context.accepted().resource_subscriptions.clone().unwrap_or_default();
                everything().chain(wanted.into_iter().map(Change::Updated)).collect()
            }
        };
        for change in changes {
            match tell(&sink, change).await {
                // What nobody asked for is not told.
                Ok(()) | Err(SubscriptionSendError::NotificationNotAccepted(_)) => {}
                Err(_) => return Ok(()),
            }
        }
    }
}

async fn tell(sink: &SubscriptionSink, change: Change) -> Result<(), SubscriptionSendError> {
    match change {
        Change::Tools => sink.notify_tool_list_changed().await,
        Change::Prompts => sink.notify_prompt_list_changed().await,
        Change::Resources => sink.notify_resource_list_changed().await,
        Change::Updated(uri) => sink.notify_resource_updated(uri).await,
    }
}
