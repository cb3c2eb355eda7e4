//! The terminal: taken, given back, drawn on. Given back when the program ends, panics, stops or opens an editor.
//!
//! Nothing here waits for an answer of the terminal: it may never come, and the wait would be the user's. That is why
//! frames are compared here: ratatui's own `Terminal` asks for the cursor's place whenever it clears the screen.

mod canvas;
mod print;
mod spoken;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::ThreadId;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange, EnableMouseCapture,
    KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{execute, queue};
use ratatui::text::Line;

use crate::tui::options::{AlternateScreen, Options};
use crate::tui::pictures;
use crate::tui::state::State;

pub(crate) use canvas::Canvas;
use spoken::Spoken;

/// Whether the terminal is ours now; whoever restores it clears it first, so that it is restored once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether the alternate screen is in use.
static ALTERNATE: AtomicBool = AtomicBool::new(false);

/// Whether the screen is lines that follow one another.
static LINEAR: AtomicBool = AtomicBool::new(false);

/// The thread that took the terminal.
static TAKER: Mutex<Option<ThreadId>> = Mutex::new(None);

static PANIC_HOOK: Once = Once::new();

/// The highest number of a picture that the terminal keeps for us, to be forgotten at the end.
static PICTURES: AtomicU8 = AtomicU8::new(0);

/// Bytes collected before they go to the terminal: a whole frame in few writes.
const BUFFER_BYTES: usize = 64 * 1024;

/// The terminal while it is ours.
pub(crate) struct Terminal {
    canvas: Canvas<io::BufWriter<Stdout>>,
    mouse: bool,
    /// What was said, where the screen is lines that follow one another.
    spoken: Option<Spoken>,
}

impl Terminal {
    /// Takes the terminal.
    pub(crate) fn take(options: &Options, log: Option<String>) -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "standard input and output must be a terminal; `wakeful exec` works without one",
            ));
        }
        *TAKER.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
        install_panic_hook(log);
        ALTERNATE.store(options.alternate_screen != AlternateScreen::Never && !options.screen_reader, Ordering::SeqCst);
        LINEAR.store(options.screen_reader, Ordering::SeqCst);
        let spoken = options.screen_reader.then(Spoken::default);
        let mouse = options.mouse && !options.screen_reader;
        let canvas = Canvas::new(io::BufWriter::with_capacity(BUFFER_BYTES, io::stdout()));
        let mut terminal = Self { canvas, mouse, spoken };
        terminal.enter()?;
        Ok(terminal)
    }

    /// Takes the terminal again after [`Terminal::leave`].
    pub(crate) fn enter(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut out = io::stdout();
        if ALTERNATE.load(Ordering::SeqCst) {
            queue!(out, EnterAlternateScreen)?;
        }
        // The flags are pushed unasked: terminals that do not know them pass over them, and asking would cost a wait.
        let flags = KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES;
        queue!(out, EnableBracketedPaste, EnableFocusChange, PushKeyboardEnhancementFlags(flags))?;
        if self.spoken.is_none() {
            queue!(out, Hide)?;
        }
        if self.mouse {
            queue!(out, EnableMouseCapture)?;
        }
        out.flush()?;
        self.redraw();
        Ok(())
    }

    /// Gives the terminal back.
    pub(crate) fn leave() {
        restore();
    }

    /// Forgets what is on the screen: the next frame draws all of it.
    pub(crate) fn redraw(&mut self) {
        self.canvas.redraw();
        if let Some(spoken) = &mut self.spoken {
            spoken.again();
        }
    }

    /// Columns and rows.
    pub(crate) fn size() -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    /// Columns and rows of pixels of a cell, where the terminal says so (without being asked: the system knows).
    pub(crate) fn cell_pixels() -> Option<(u16, u16)> {
        let size = crossterm::terminal::window_size().ok()?;
        let cell = (size.width.checked_div(size.columns)?, size.height.checked_div(size.rows)?);
        (cell.0 > 0 && cell.1 > 0).then_some(cell)
    }

    /// Draws the state.
    pub(crate) fn draw(&mut self, state: &State) -> io::Result<()> {
        match &mut self.spoken {
            Some(spoken) => spoken.say(state, &mut io::stdout().lock()),
            None => self.canvas.draw(state).map(|_| ()),
        }
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(crate) fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        if on { execute!(io::stdout(), EnableMouseCapture) } else { execute!(io::stdout(), DisableMouseCapture) }
    }

    /// Hands the terminal a sequence that shows nothing on the screen: its own notification, its bell.
    pub(crate) fn notify(sequence: &str) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(sequence.as_bytes())?;
        out.flush()
    }

    /// Prints rows where the terminal scrolls: only after [`Terminal::leave`].
    pub(crate) fn print(rows: &[Line<'_>], last: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(print::printed(rows).as_bytes())?;
        write!(out, "\r\n{last}")?;
        out.flush()
    }

    /// Reads keys one by one while the screen is not taken.
    pub(crate) fn raw(on: bool) -> io::Result<()> {
        if on { enable_raw_mode() } else { disable_raw_mode() }
    }
}

/// The terminal keeps a picture of this number until it is told to forget it.
fn holds_pictures(number: u8) {
    PICTURES.fetch_max(number, Ordering::SeqCst);
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, if it is ours. Errors are passed over: there is nobody left to tell.
fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = out.write_all(pictures::forgotten(PICTURES.swap(0, Ordering::SeqCst)).as_bytes());
    // An update that a panic left open would keep the screen frozen.
    let _ = queue!(out, EndSynchronizedUpdate, DisableMouseCapture, PopKeyboardEnhancementFlags, DisableFocusChange, DisableBracketedPaste);
    if ALTERNATE.load(Ordering::SeqCst) {
        let _ = queue!(out, LeaveAlternateScreen);
    } else if LINEAR.load(Ordering::SeqCst) {
        let _ = queue!(out, crossterm::style::Print("\r\n"));
    } else {
        let _ = queue!(out, MoveTo(0, u16::MAX - 1), crossterm::style::Print("\r\n"));
    }
    let _ = queue!(out, Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// A panic gives the terminal back before it is reported, and says where the log is.
fn install_panic_hook(log: Option<String>) {
    PANIC_HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = TAKEN.load(Ordering::SeqCst);
            let taker = *TAKER.lock().unwrap_or_else(PoisonError::into_inner);
            // A panic of a background task is caught by its owner; only the draw loop's ends the screen.
            if ours && taker != Some(std::thread::current().id()) {
                tracing::error!("a background task broke: {info}");
                return;
            }
            restore();
            before(info);
            if let (true, Some(log)) = (ours, &log) {
                let _ = writeln!(io::stderr(), "wakeful broke; this should not happen. The log is in {log}");
            }
        }));
    });
}
