//! The terminal: taken, given back, drawn on. Given back when the program ends, panics, stops or opens an editor.
//!
//! Nothing here asks the terminal a question: an answer may never come, and the wait would be the user's. That is why
//! frames are compared here: ratatui's own `Terminal` asks for the cursor's place whenever it clears the screen.

use std::io::{self, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::ThreadId;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange, EnableMouseCapture,
    KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::tui::linear::{self, Linear, Prompt};
use crate::tui::options::{AlternateScreen, Options};
use crate::tui::state::State;
use crate::tui::view::{self, Link};

/// Whether the terminal is ours now; whoever restores it clears it first, so that it is restored once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether the alternate screen is in use.
static ALTERNATE: AtomicBool = AtomicBool::new(false);

/// Whether the screen is lines that follow one another.
static LINEAR: AtomicBool = AtomicBool::new(false);

/// The thread that took the terminal.
static TAKER: Mutex<Option<ThreadId>> = Mutex::new(None);

static PANIC_HOOK: Once = Once::new();

/// The largest text that is put on the clipboard, in bytes: terminals drop longer sequences.
const COPY_BYTES_MAX: usize = 74_000;

/// Bytes collected before they go to the terminal: a whole frame in few writes.
const BUFFER_BYTES: usize = 64 * 1024;

/// Where frames go.
type Screen = CrosstermBackend<io::BufWriter<Stdout>>;

/// The terminal while it is ours.
pub(crate) struct Terminal {
    backend: Screen,
    /// What is on the screen.
    shown: Buffer,
    /// The frame being drawn.
    next: Buffer,
    /// Where the cursor is; hidden where absent.
    cursor: Option<Position>,
    /// Whether what is on the screen is unknown.
    unknown: bool,
    mouse: bool,
    /// What of it leads somewhere.
    links: Vec<Link>,
    /// What was said, where the screen is lines that follow one another.
    linear: Option<(Linear, Prompt)>,
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
        let linear = options.screen_reader.then(Default::default);
        let mouse = options.mouse && !options.screen_reader;
        let backend = CrosstermBackend::new(io::BufWriter::with_capacity(BUFFER_BYTES, io::stdout()));
        let (shown, next) = (Buffer::default(), Buffer::default());
        let mut terminal = Self { backend, shown, next, cursor: None, unknown: true, mouse, links: Vec::new(), linear };
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
        if self.linear.is_none() {
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
        self.unknown = true;
    }

    /// Columns and rows.
    pub(crate) fn size() -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    /// Draws the state as one synchronized update, the cursor hidden meanwhile. What did not change is not sent; the
    /// screen is only cleared when its size changed or what is on it is unknown.
    pub(crate) fn draw(&mut self, state: &State) -> io::Result<()> {
        if self.linear.is_some() {
            return self.say(state);
        }
        let area = Rect::new(0, 0, state.size.0, state.size.1);
        self.next.resize(area);
        self.next.reset();
        let cursor = view::draw(state, area, &mut self.next);
        let clear = self.unknown || self.shown.area != area;
        if clear {
            self.shown = Buffer::empty(area);
        }
        let links = if state.surroundings.hyperlinks { view::links(&self.next) } else { Vec::new() };
        self.forget_links(&links);
        let changes = self.shown.diff(&self.next);
        if changes.is_empty() && cursor == self.cursor && !clear {
            return Ok(());
        }
        queue!(self.backend, BeginSynchronizedUpdate, Hide)?;
        if clear {
            self.backend.clear_region(ClearType::All)?;
        }
        send(&mut self.backend, &changes, &links)?;
        if let Some(position) = cursor {
            queue!(self.backend, MoveTo(position.x, position.y), Show)?;
        }
        queue!(self.backend, EndSynchronizedUpdate)?;
        Write::flush(&mut self.backend)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        self.cursor = cursor;
        self.unknown = false;
        Ok(())
    }

    /// Writes what is new below what stands; only the last line, which is being typed, is drawn over.
    fn say(&mut self, state: &State) -> io::Result<()> {
        let Some((linear, shown)) = &mut self.linear else { return Ok(()) };
        let lines = linear.lines(state);
        let prompt = linear::prompt(state, state.size.0);
        let again = std::mem::take(&mut self.unknown);
        if lines.is_empty() && prompt == *shown && !again {
            return Ok(());
        }
        let typed = prompt.text.strip_prefix(shown.text.as_str()).filter(|_| {
            // What was typed at the end is added, so that nothing is read out again.
            lines.is_empty()
                && !again
                && usize::from(shown.column) == shown.text.width()
                && usize::from(prompt.column) == prompt.text.width()
        });
        if let Some(typed) = typed {
            write!(self.backend, "{typed}")?;
        } else {
            write!(self.backend, "\r\x1b[K")?;
            for line in &lines {
                write!(self.backend, "{line}\r\n")?;
            }
            write!(self.backend, "{}\r", prompt.text)?;
            if prompt.column > 0 {
                queue!(self.backend, crossterm::cursor::MoveRight(prompt.column))?;
            }
        }
        *shown = prompt;
        Write::flush(&mut self.backend)
    }

    /// Cells whose address is another one now are sent again, although they look the same.
    fn forget_links(&mut self, links: &[Link]) {
        let gone: Vec<&Link> = self.links.iter().filter(|link| !links.contains(link)).collect();
        let new: Vec<&Link> = links.iter().filter(|link| !self.links.contains(link)).collect();
        for link in gone.into_iter().chain(new) {
            for x in link.from..link.upto {
                if let Some(cell) = self.shown.cell_mut((x, link.y)) {
                    cell.set_symbol("\u{fffd}");
                }
            }
        }
        self.links = links.to_vec();
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

    /// Puts a text on the clipboard (OSC 52); `false` where it is too long for that.
    pub(crate) fn copy(text: &str) -> io::Result<bool> {
        if text.len() > COPY_BYTES_MAX {
            return Ok(false);
        }
        execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text)).map(|()| true)
    }
}

/// Sends cells; those that lead somewhere between the sequences that say where.
fn send(backend: &mut Screen, changes: &[(u16, u16, &Cell)], links: &[Link]) -> io::Result<()> {
    if links.is_empty() {
        return backend.draw(changes.iter().copied());
    }
    let of = |change: &(u16, u16, &Cell)| links.iter().position(|link| link.holds(change.0, change.1));
    for run in changes.chunk_by(|one, other| of(one) == of(other)) {
        let link = run.first().and_then(of).and_then(|at| links.get(at));
        if let Some(link) = link {
            write!(backend, "\x1b]8;;{}\x1b\\", link.target)?;
        }
        backend.draw(run.iter().copied())?;
        if link.is_some() {
            write!(backend, "\x1b]8;;\x1b\\")?;
        }
    }
    Ok(())
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
