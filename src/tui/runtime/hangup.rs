//! Notices that the terminal is gone, where no SIGHUP tells: it is not our controlling terminal, or the signal was lost.
//!
//! The source of keys does not: it reads an end of file over and over, and takes a core for it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches standard input.
pub(super) struct Hangup(Option<AsyncFd<OwnedFd>>);

impl Hangup {
    /// Watches standard input, if it can be watched.
    #[expect(deprecated, reason = "its successor is unsafe to call; what is watched here owns its descriptor, as it asks")]
    pub(super) fn watch() -> Self {
        let watched = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .and_then(|input| AsyncFd::try_with_interest(input, Interest::READABLE).map_err(io::Error::from));
        Self(watched.ok())
    }

    /// Waits until the terminal is gone; for ever where it cannot be watched. Reads nothing.
    pub(super) async fn happened(&self) {
        let Some(watched) = &self.0 else { return std::future::pending().await };
        loop {
            match watched.readable().await {
                Ok(mut ready) => {
                    if is_gone(watched.get_ref()) {
                        return;
                    }
                    ready.clear_ready();
                }
                Err(_) => return std::future::pending().await,
            }
        }
    }
}

fn is_gone(input: &OwnedFd) -> bool {
    let mut looked = [PollFd::new(input, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut looked, Some(&at_once)).is_ok() && looked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}
