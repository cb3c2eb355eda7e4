//! Connections for questions and claims, made when they are needed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::store::Error;
use crate::store::postgres::link::{Dial, Failure, Link};

/// Connections that are open at the same time.
const LINKS_MAX: usize = 4;

/// How long one question may take.
const ASK_LIMIT: Duration = Duration::from_mins(1);

/// The connections.
pub(super) struct Pool {
    dial: Arc<Dial>,
    idle: Mutex<Vec<Link>>,
    permits: Semaphore,
}

impl Pool {
    pub(super) fn new(dial: Arc<Dial>) -> Self {
        Self { dial, idle: Mutex::default(), permits: Semaphore::new(LINKS_MAX) }
    }

    /// Does `work` on a connection; once more on another where that one turns out to be gone.
    pub(super) async fn run<T>(
        &self,
        doing: &'static str,
        work: impl for<'l> Fn(&'l Link) -> BoxFuture<'l, Result<T, Failure>> + Send,
    ) -> Result<T, Error> {
        let _permit = self.permits.acquire().await.map_err(|_| Error::Closed)?;
        let deadline = Instant::now() + self.dial.patience;
        let mut again = true;
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let link = match kept.filter(|link| !link.is_closed()) {
                Some(link) => link,
                None => self.dial.open_by(deadline).await?,
            };
            let failure = match tokio::time::timeout(ASK_LIMIT, work(&link)).await.unwrap_or(Err(Failure::Late(ASK_LIMIT))) {
                Ok(answer) => {
                    if !self.permits.is_closed() {
                        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
                    }
                    return Ok(answer);
                }
                // A connection that saw a failure may be within a transaction: it is not used again.
                Err(failure) => failure,
            };
            if !(std::mem::take(&mut again) && failure.is_lost() && !matches!(failure, Failure::Late(_))) {
                return Err(self.dial.explain(doing, failure));
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    /// Ends what is idle; what is asked later is refused.
    pub(super) fn shutdown(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
