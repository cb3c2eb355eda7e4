//! Pictures that tools gave back, shown among the text where the terminal can.
//!
//! Drawing asks for a picture by its file and gets what is there; what is not yet is decoded on a thread of its own,
//! and the screen is drawn again when it is ready (as with the grammars of code). On the screen a picture is a block of
//! cells that hold placeholders ([`cells`]): the layout, scrolling and everything that lies over the chat treat it as
//! text. kitty draws such cells itself; for iTerm2 and sixel each row of cells is a strip of its own, drawn over blanks,
//! so that a picture can be seen in part, moves with the text and goes when its row goes.
//!
//! Limits: files of [`FILE_BYTES_MAX`], pictures of [`PIXELS_MAX`] a side, [`COLUMNS_MAX`] by [`ROWS_MAX`] cells on the
//! screen, [`KEPT_MAX`] pictures kept. Only files of the folder of results are read.

pub(crate) mod cells;
mod prepare;
mod sixel;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(crate) use prepare::Prepared;

use crate::tui::emulator::{Protocol, Wrap};

/// The largest file that is looked at, in bytes.
pub const FILE_BYTES_MAX: u64 = 20 << 20;

/// The most pixels of a picture's side.
pub const PIXELS_MAX: u32 = 8_192;

/// The most columns that a picture takes.
pub const COLUMNS_MAX: u16 = 60;

/// The most rows that a picture takes.
pub const ROWS_MAX: u16 = 18;

/// Pictures that are kept ready; those not asked for for longest go first.
pub const KEPT_MAX: usize = 32;

/// Pictures that wait to be decoded; more are asked for again by a later frame.
const WAITING_MAX: usize = 16;

/// The first number of a picture: below are the terminal's own sixteen colours, which themes repaint.
const NUMBER_FIRST: u8 = 16;

/// A cell of which nothing is known, in pixels: the usual shape.
const CELL: (u16, u16) = (8, 16);

/// What there is of a picture.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// It is not there yet.
    Waiting,
    /// Here it is.
    Ready(Arc<Prepared>),
    /// It cannot be shown: why.
    Failed(Arc<str>),
}

/// Which picture, for how many columns, made of what cells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wanted {
    path: PathBuf,
    columns_max: u16,
    cell: (u16, u16),
}

#[derive(Debug)]
struct Entry {
    found: Found,
    /// When it was last asked for, in steps.
    used: u64,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Wanted, Entry>,
    steps: u64,
    cell: Option<(u16, u16)>,
    next_number: u8,
    next_serial: u64,
}

struct Shared {
    protocol: Protocol,
    wrap: Wrap,
    folder: Option<PathBuf>,
    known: Mutex<Known>,
    generation: AtomicU64,
    /// The generation of this frame.
    seen: AtomicU64,
    jobs: OnceLock<SyncSender<Wanted>>,
    ready: Box<dyn Fn() + Send + Sync>,
}

/// All pictures of a screen. Cheap to clone; all clones share what is ready.
#[derive(Clone, Default)]
pub struct Pictures(Option<Arc<Shared>>);

impl std::fmt::Debug for Pictures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pictures").field("protocol", &self.0.as_ref().map(|shared| shared.protocol)).finish_non_exhaustive()
    }
}

impl Pictures {
    /// None: files are named.
    pub fn off() -> Self {
        Self(None)
    }

    /// Pictures of files in `folder`, decoded when they are first asked for; `ready` is called after each.
    pub fn lazy(protocol: Protocol, wrap: Wrap, folder: Option<PathBuf>, ready: impl Fn() + Send + Sync + 'static) -> Self {
        let shared = Shared {
            protocol,
            wrap,
            folder,
            known: Mutex::default(),
            generation: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            jobs: OnceLock::new(),
            ready: Box::new(ready),
        };
        Self(Some(Arc::new(shared)))
    }

    /// Whether pictures are shown at all.
    pub fn are_shown(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the terminal draws the placeholders itself.
    pub(crate) fn are_cells(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.protocol == Protocol::Kitty)
    }

    /// Whether pictures are drawn over blanks, row by row.
    pub(crate) fn are_strips(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.protocol != Protocol::Kitty)
    }

    /// Grows when something that was drawn before would look different now. It stands still within a frame, so that
    /// what is ready in the middle of one does not change heights that were counted already.
    pub fn generation(&self) -> u64 {
        self.0.as_ref().map_or(0, |shared| shared.seen.load(Ordering::Relaxed))
    }

    /// Begins a frame: what became ready is seen from here on.
    pub(crate) fn begin_frame(&self) {
        if let Some(shared) = &self.0 {
            shared.seen.store(shared.generation.load(Ordering::Acquire), Ordering::Relaxed);
        }
    }

    /// The pixels of a cell, as far as they are known.
    pub fn set_cell(&self, cell: Option<(u16, u16)>) {
        let Some(shared) = &self.0 else { return };
        let mut known = shared.known();
        if known.cell != cell {
            known.cell = cell;
            shared.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// The picture in a file, at most `columns_max` wide; asked for where it is not there yet. `None` where no pictures
    /// are shown.
    pub(crate) fn find(&self, path: &Path, columns_max: u16) -> Option<Found> {
        let shared = self.0.as_ref()?;
        let mut known = shared.known();
        let cell = known.cell.unwrap_or(CELL);
        let wanted = Wanted { path: path.to_owned(), columns_max: columns_max.clamp(1, COLUMNS_MAX), cell };
        known.steps += 1;
        let step = known.steps;
        if let Some(entry) = known.entries.get_mut(&wanted) {
            entry.used = step;
            return Some(entry.found.clone());
        }
        if shared.ask(&wanted) {
            known.make_room();
            known.entries.insert(wanted, Entry { found: Found::Waiting, used: step });
        }
        Some(Found::Waiting)
    }

    /// The picture that has a number now.
    pub(crate) fn by_number(&self, number: u8) -> Option<Arc<Prepared>> {
        let known = self.0.as_ref()?.known();
        known.entries.values().find_map(|entry| match &entry.found {
            Found::Ready(picture) if picture.number == number => Some(Arc::clone(picture)),
            _ => None,
        })
    }
}

impl Known {
    /// Forgets the picture that was not asked for for longest, where there are too many.
    fn make_room(&mut self) {
        while self.entries.len() >= KEPT_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(wanted, _)| wanted.clone());
            let Some(oldest) = oldest else { return };
            self.entries.remove(&oldest);
        }
    }

    /// A number that no other picture has, and the count of all pictures before.
    fn number(&mut self) -> (u8, u64) {
        self.next_serial += 1;
        let taken =
            |number: u8| self.entries.values().any(|entry| matches!(&entry.found, Found::Ready(picture) if picture.number == number));
        let mut number = self.next_number.max(NUMBER_FIRST);
        while taken(number) {
            number = number.checked_add(1).unwrap_or(NUMBER_FIRST);
        }
        self.next_number = number.checked_add(1).unwrap_or(NUMBER_FIRST);
        (number, self.next_serial)
    }
}

impl Shared {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a picture to the thread that decodes, which begins with the first; whether it was taken.
    fn ask(self: &Arc<Self>, wanted: &Wanted) -> bool {
        let jobs = self.jobs.get_or_init(|| {
            let (sender, receiver) = sync_channel(WAITING_MAX);
            let shared = Arc::downgrade(self);
            // Without a thread the channel is closed, and pictures stay names.
            drop(std::thread::Builder::new().name("pictures".to_owned()).spawn(move || work(&shared, &receiver)));
            sender
        });
        !matches!(jobs.try_send(wanted.clone()), Err(TrySendError::Full(_)))
    }

    /// Makes a picture ready and tells.
    fn prepare(&self, wanted: &Wanted) {
        let (number, serial) = self.known().number();
        let made = prepare::prepare(&wanted.path, self.folder.as_deref(), wanted.columns_max, wanted.cell)
            .and_then(|pixels| Prepared::new(&pixels, self.protocol, self.wrap, (number, serial), wanted.cell));
        let found = match made {
            Ok(picture) => Found::Ready(Arc::new(picture)),
            Err(reason) => Found::Failed(reason.into()),
        };
        // Where it was forgotten meanwhile nobody looks at it.
        if let Some(entry) = self.known().entries.get_mut(wanted) {
            entry.found = found;
        }
        self.generation.fetch_add(1, Ordering::Release);
        (self.ready)();
    }
}

/// Decodes one picture after the other, for as long as anybody shows pictures.
fn work(shared: &std::sync::Weak<Shared>, jobs: &Receiver<Wanted>) {
    while let Ok(wanted) = jobs.recv() {
        let Some(shared) = shared.upgrade() else { return };
        shared.prepare(&wanted);
    }
}

/// What makes a terminal forget the pictures up to `highest`; empty where it holds none.
pub(crate) fn forgotten(highest: u8) -> String {
    (NUMBER_FIRST..=highest).fold(String::new(), |out, number| format!("{out}\x1b_Ga=d,d=I,i={number},q=2\x1b\\"))
}
