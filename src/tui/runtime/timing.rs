//! How long the screen held up keys, for people who look for causes: `RUST_LOG=wakeful::tui=debug` tells it in the log.

use std::time::Duration;

use tokio::time::Instant as Moment;

use super::FRAME;

/// What was measured since the start. Where the terminal was lent out (an editor, a shell), that counts too.
#[derive(Debug, Default)]
pub(super) struct Timing {
    frames: u64,
    longest_frame: Duration,
    longest_change: Duration,
}

impl Timing {
    /// A frame that began then was drawn and sent.
    pub(super) fn frame(&mut self, began: Moment) {
        self.frames += 1;
        self.longest_frame = self.longest_frame.max(told("a frame", began));
    }

    /// What came in was taken in.
    pub(super) fn change(&mut self, began: Moment) {
        self.longest_change = self.longest_change.max(told("a change", began));
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        let Self { frames, longest_frame, longest_change } = self;
        tracing::debug!(frames, ?longest_frame, ?longest_change, "the screen ends");
    }
}

/// How long it took; what took longer than a frame may is told at once.
fn told(what: &'static str, began: Moment) -> Duration {
    let took = began.elapsed();
    if took > FRAME {
        tracing::debug!(?took, "{what} took long");
    }
    took
}
