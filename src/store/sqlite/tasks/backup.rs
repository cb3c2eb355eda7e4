//! A copy of everything in a new file, made while others read and write.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::store::Error;
use crate::store::sqlite::open;
use crate::store::sqlite::place::{Failure, Place};

/// Copies what `source` sees now to the new file `to`.
pub(super) fn to_file(source: &Connection, to: &Path) -> Result<(), Failure> {
    let target = Place { path: to.to_owned(), busy_timeout: std::time::Duration::ZERO };
    open::make_new(to)?;
    let copied = copy(source, to);
    if copied.is_err() {
        // Half a copy looks like one.
        let _it_is_the_first_error_that_counts = fs::remove_file(to);
    }
    copied.map_err(|error| Failure::Other(target.explain("back up to", error.into())))
}

fn copy(source: &Connection, to: &Path) -> rusqlite::Result<()> {
    let mut target = Connection::open(to)?;
    // All pages in one step: this sees one moment, however much is written meanwhile.
    Backup::new(source, &mut target)?.step(-1)?;
    target.close().map_err(|(_, error)| error)
}

/// Like [`to_file`], from a connection of its own: neither the writer nor the readers wait for it.
pub(super) fn of_file(place: &Place, to: &Path) -> Result<(), Error> {
    let source = open::reader(place)?;
    to_file(&source, to).map_err(|failure| place.explain("back up", failure))
}

/// The same on a thread of its own.
pub(super) async fn in_background(place: std::sync::Arc<Place>, to: PathBuf) -> Result<(), Error> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let path = place.path.clone();
    let run = move || {
        let _nobody_waits = answer.send(of_file(&place, &to));
    };
    let spawned = std::thread::Builder::new().name("log-backup".to_owned()).spawn(run);
    spawned.map_err(|error| Error::Failed { doing: "start a thread for", path, source: std::sync::Arc::new(error) })?;
    answered.await.map_err(|_| Error::Closed)?
}
