//! Tells when somebody wrote to a log file, so that nobody has to look while nothing happens.
//!
//! Every commit of any process goes into the write-ahead log, a file beside the log. Where the system tells of its
//! changes (Linux: inotify(7)) it is asked; elsewhere there is no [`Notice`], and the log is looked at by time.

use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
pub(super) use linux::Notice;

#[cfg(target_os = "linux")]
mod linux {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    use tokio::net::unix::pipe::Receiver;

    use super::{Path, io};

    /// Notices of one log file. The queue is read as a pipe is, which it is in all but name.
    pub(in super::super) struct Notice(Receiver);

    impl Notice {
        /// Notices of the log file `path` from now on.
        ///
        /// # Errors
        /// When the system has no more watches to give, or the write-ahead log is not there.
        pub(in super::super) fn of(path: &Path) -> io::Result<Self> {
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            let queue = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            add_watch(&queue, Path::new(&log), WatchFlags::MODIFY)?;
            Ok(Self(Receiver::from_owned_fd_unchecked(queue)?))
        }

        /// Waits until something was written since the last time. Safe to cancel.
        ///
        /// # Errors
        /// When the system stops telling.
        pub(in super::super) async fn written(&self) -> io::Result<()> {
            self.0.readable().await?;
            let mut told = [0; 1_024];
            loop {
                match self.0.try_read(&mut told) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) enum Notice {}

#[cfg(not(target_os = "linux"))]
impl Notice {
    pub(super) fn of(_path: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) async fn written(&self) -> io::Result<()> {
        match *self {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{EventStore, Options};

    #[tokio::test]
    async fn what_anybody_writes_is_told_and_silence_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        assert!(Notice::of(&path).is_err(), "nothing is there yet");
        let here = SqliteStore::open(&path, &Options::default()).unwrap();
        let there = SqliteStore::open(&path, &Options::default()).unwrap();
        let notice = Notice::of(&path).unwrap();
        assert!(notice.written().now_or_never().is_none());
        for store in [&there, &here] {
            store.rebuild().await.unwrap();
            notice.written().await.unwrap();
            store.head().await.unwrap();
            assert!(notice.written().now_or_never().is_none(), "a look is no news");
        }
    }
}
