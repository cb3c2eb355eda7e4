//! A coordinator that is nothing else: the routes of interaction reports on an address of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::Request;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::domain::clock::Clock;
use crate::net::accept::{self, Limits};
use crate::net::door::{self, Door};
use crate::server::api::RecordIntake;
use crate::server::http::{self, interactions};
use crate::server::{BindError, Options, entry, raise_handles, tls};

/// The coordinator: it listens, and is about to be served.
pub struct ReportServer {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    options: Options,
    router: Router,
}

impl ReportServer {
    /// Begins to listen at `options.listen`. `has_keys`: reporters have keys, so that an address which others can reach needs
    /// no token beside them.
    ///
    /// # Errors
    /// When the address takes a token or keys and there are none, TLS cannot be spoken, or the address cannot be had.
    pub async fn bind(options: Options, has_keys: bool, records: Arc<dyn RecordIntake>, clock: Arc<dyn Clock>) -> Result<Self, BindError> {
        let address = options.listen;
        match door::safe(address, options.token.as_ref()) {
            Ok(()) => {}
            Err(door::Unsafe::NoToken) if has_keys => {}
            Err(door::Unsafe::NoToken) => return Err(BindError::NoKeys { address }),
            Err(door::Unsafe::WeakToken) => return Err(BindError::WeakToken),
        }
        raise_handles();
        let tls = tls::acceptor(options.tls_cert.as_deref(), options.tls_key.as_deref())?;
        let refused = |source| BindError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let router = http::reports_router(interactions::Reports::new(records, clock, options.clone()));
        Ok(Self { listener, address, tls, options, router })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that reporters of this machine use.
    pub fn url(&self) -> String {
        super::url_of(self.address, self.tls.is_some())
    }

    /// Serves until `stop`; what is being answered has some seconds left.
    pub async fn run(self, stop: CancellationToken) {
        let Self { listener, address, tls, options, router } = self;
        let is_loopback = address.ip().is_loopback();
        let door = Arc::new(Door::new(address, options.token.clone(), &options.hosts, &options.origins));
        let limits = Limits { connections_max: options.connections_max, read_time_max: Duration::from_secs(options.read_seconds.max(1)) };
        accept::serve(listener, tls, limits, TaskTracker::new(), stop, move |request, _from| {
            let (door, router) = (Arc::clone(&door), router.clone());
            async move { answer(&door, is_loopback, router, request).await }
        })
        .await;
    }
}

async fn answer(door: &Door, is_loopback: bool, router: Router, request: Request<Incoming>) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(refusal) = door.check_caller(&parts) {
        return entry::refused(refusal);
    }
    let mut shown = interactions::shown(door, &parts);
    // Others reach it: nothing is open, even should all keys be gone.
    shown.is_open &= is_loopback;
    parts.extensions.insert(shown);
    let Ok(reply) = router.oneshot(Request::from_parts(parts, Body::new(body))).await;
    reply
}
