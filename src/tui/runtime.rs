//! The driver: reads keys and events, lets [`update`] decide, carries out effects, draws when something changed.
//!
//! Frames come at most thirty times a second, sixty for keys, the first after a pause at once, and only for a reason; while nothing moves there is no timer and no byte.
//! Keys are accepted before the backend stands: commands wait for it, bounded.

mod background;
mod effects;
mod hangup;
mod kept;
mod stored;
mod timing;

use std::io;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind};
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant as Moment, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::bus::{Delivery, Subscription};
use crate::domain::remote::Line;
use crate::tui::clipboard;
use crate::tui::highlight::Highlighter;
use crate::tui::msg::{Effect, Link, Msg};
use crate::tui::pictures::Pictures;
use crate::tui::state::State;
use crate::tui::terminal::Terminal;
use crate::tui::theme::ColourDepth;
use crate::tui::update::update;
use crate::tui::{Backend, Deps, Error, Exit};

use background::{Heard, Listener};
use effects::{After, Effects};
use hangup::Hangup;
use timing::Timing;

/// The shortest time between two frames that answer keys.
const FRAME: Duration = Duration::from_millis(16);

/// The shortest time between two frames of what happens by itself: twice as many would be no easier to read, and cost
/// twice as much to draw and to send.
const CALM: Duration = Duration::from_millis(33);

/// Events folded between two looks at the keyboard.
const BATCH_MAX: usize = 1_024;

/// Keys folded between two frames.
const KEYS_MAX: usize = 256;

/// How long to look for a key that has been read already: less than what the system can wait for, a millisecond.
const READY: Duration = Duration::from_micros(100);

/// Messages of background work that wait.
const MESSAGES_MAX: usize = 256;

/// Takes the terminal, shows the screen and answers keys until the user leaves.
///
/// # Errors
/// When there is no usable terminal, or the options do not fit.
pub async fn run(deps: Deps) -> Result<Exit, Error> {
    let Deps { clock, backend, mut line, cancel, options, surroundings, preferences } = deps;
    let (messages, inbox) = mpsc::channel(MESSAGES_MAX);
    let loaded = messages.clone();
    // Grammars are ready: what was plain is drawn again.
    let highlighter = Highlighter::lazy(move || drop(loaded.try_send(Msg::Tick)));
    let mut state = State::new(options, surroundings, highlighter, clock.now())?;
    let ready = messages.clone();
    let protocol = state.surroundings.emulator.protocol(state.options.images).filter(|_| state.surroundings.colours != ColourDepth::None);
    if let Some(protocol) = protocol {
        let (wrap, folder) = (state.surroundings.emulator.wrap, state.surroundings.results_dir.clone());
        // A picture is ready: where its name stood it is drawn.
        state.set_pictures(Pictures::lazy(protocol, wrap, folder, move || drop(ready.try_send(Msg::Tick))));
    }
    state.line = line.as_mut().map(|line| line.borrow_and_update().clone());
    let log = state.surroundings.log_path.as_ref().map(|path| path.display().to_string());
    // Before the terminal is taken: a signal in between would leave it taken.
    let signals = Signals::new().map_err(Error::Terminal)?;
    let mut terminal = Terminal::take(&state.options, log).map_err(Error::Terminal)?;
    // Before the size is read: from here on each change of it is told.
    let keys = EventStream::new();
    state.size = Terminal::size().map_err(Error::Terminal)?;
    state.transcript.pictures().set_cell(Terminal::cell_pixels());
    terminal.draw(&state).map_err(Error::Terminal)?;
    state.dirty = false;
    // Behind the first frame, and nothing waits for the answer.
    let asks = state.options.theme == "auto" && state.surroundings.tells_background;
    if asks {
        Terminal::notify(background::QUESTION).map_err(Error::Terminal)?;
    }
    let effects = Effects::new(messages, &state, preferences);
    effects.start();
    let mut driver = Driver {
        state,
        clock,
        terminal,
        keys: Some(select_all([keys])),
        listener: asks.then(Listener::default),
        events: None,
        notes: None,
        backend: Some(backend),
        line,
        inbox,
        effects,
        signals,
        hangup: Hangup::watch(),
        cancel,
        last_frame: Moment::now(),
        pressed: false,
        answered: None,
        timing: Timing::default(),
        exit: None,
    };
    let result = driver.run().await;
    drop(driver.keys.take());
    Terminal::leave();
    result.map_err(Error::Terminal)?;
    let session = driver.state.session.made.then(|| driver.state.session.id.clone());
    Ok(Exit { session, signal: driver.exit.and_then(|end| end.signal) })
}

/// The signals that end a run.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.hangup.recv() => SignalKind::hangup().as_raw_value(),
        }
    }
}

/// How the run ends.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    /// The signal that ended it.
    signal: Option<i32>,
}

struct Driver {
    state: State,
    clock: std::sync::Arc<dyn crate::domain::clock::Clock>,
    terminal: Terminal,
    keys: Option<Keys>,
    /// Finds the terminal's answer among the keys, until it has come.
    listener: Option<Listener>,
    events: Option<Subscription>,
    /// Sequences for the terminal itself.
    notes: Option<BoxStream<'static, String>>,
    backend: Option<oneshot::Receiver<Result<Backend, String>>>,
    /// How the connection to the program stands, where it runs elsewhere.
    line: Option<watch::Receiver<Line>>,
    inbox: mpsc::Receiver<Msg>,
    effects: Effects,
    signals: Signals,
    hangup: Hangup,
    cancel: CancellationToken,
    last_frame: Moment,
    /// A key waits for its answer: the next frame does not, unless one was answered so just before (a burst of keys
    /// must not be a burst of frames).
    pressed: bool,
    /// When a key was last answered.
    answered: Option<Moment>,
    timing: Timing,
    /// Set once the run is over.
    exit: Option<End>,
}

impl Driver {
    async fn run(&mut self) -> io::Result<()> {
        while self.exit.is_none() {
            let now = Moment::now();
            let frame_at = self.last_frame + if self.pressed { FRAME } else { CALM };
            let answer = self.pressed && self.answered.is_none_or(|at| now >= at + FRAME);
            if self.state.dirty && (answer || now >= frame_at) {
                self.draw()?;
            }
            let wake = self.wake(now, frame_at);
            let first = tokio::select! {
                biased;
                () = self.cancel.cancelled() => { self.exit = Some(End::default()); break }
                number = self.signals.next() => { self.exit = Some(End { signal: Some(number) }); break }
                () = self.hangup.happened() => { self.exit = Some(End { signal: Some(SignalKind::hangup().as_raw_value()) }); break }
                event = next_key(&mut self.keys) => Wake::Key(event),
                backend = next_backend(&mut self.backend) => Wake::Backend(backend),
                Some(msg) = self.inbox.recv() => Wake::Msg(msg),
                // Before events: those of another log come only after the word of it.
                line = next_line(&mut self.line) => Wake::Msg(Msg::Line(line)),
                delivery = next_event(&mut self.events) => Wake::Event(delivery),
                note = next_note(&mut self.notes) => Wake::Note(note),
                () = sleep(wake) => Wake::Time,
            };
            let began = Moment::now();
            self.take(first).await?;
            self.timing.change(began);
        }
        Ok(())
    }

    /// When to wake without a reason from outside: for the next frame, or where the state changes by itself.
    fn wake(&self, now: Moment, frame_at: Moment) -> Option<Moment> {
        let frame = self.state.dirty.then_some(frame_at);
        let change = self.state.next_wake().map(|at| now + at.since(self.clock.now()));
        [frame, change].into_iter().flatten().min()
    }

    fn draw(&mut self) -> io::Result<()> {
        let began = Moment::now();
        self.terminal.draw(&self.state)?;
        self.state.dirty = false;
        self.last_frame = Moment::now();
        self.timing.frame(began);
        if std::mem::take(&mut self.pressed) {
            self.answered = Some(self.last_frame);
        }
        Ok(())
    }

    async fn take(&mut self, wake: Wake) -> io::Result<()> {
        match wake {
            Wake::Key(Some(Ok(event))) => {
                self.pressed = true;
                let mut events = vec![event];
                while events.len() < KEYS_MAX {
                    let Some(event) = ready_key() else { break };
                    events.push(event);
                }
                self.keys(events).await
            }
            // The terminal is gone: there is nobody left to draw for.
            Wake::Key(Some(Err(_)) | None) => {
                self.exit = Some(End { signal: Some(SignalKind::hangup().as_raw_value()) });
                Ok(())
            }
            Wake::Event(Some(delivery)) => {
                let batch = self.batch(delivery);
                self.update(Msg::Events(batch)).await
            }
            Wake::Note(Some(note)) => Terminal::notify(&note),
            Wake::Note(None) => {
                self.notes = None;
                Ok(())
            }
            Wake::Event(None) => {
                self.events = None;
                self.update(Msg::EventsEnded).await
            }
            Wake::Backend(Ok(backend)) => self.link(backend).await,
            Wake::Backend(Err(reason)) => {
                // First: once the program is known to be down, nothing is put back.
                for msg in self.effects.give_up(&reason) {
                    self.update(msg).await?;
                }
                self.update(Msg::BackendFailed(reason)).await
            }
            Wake::Msg(msg) => self.update(msg).await,
            Wake::Time => {
                // The next frame may be all that was waited for.
                let due = self.state.next_wake().is_some_and(|at| at <= self.clock.now()) || !self.state.dirty;
                if due { self.update(Msg::Tick).await } else { Ok(()) }
            }
        }
    }

    /// What is there already comes along: one fold, one frame.
    fn batch(&mut self, first: Delivery) -> Vec<Delivery> {
        let mut batch = vec![first];
        if let Some(events) = &mut self.events {
            while batch.len() < BATCH_MAX {
                let Some(delivery) = events.try_recv() else { break };
                batch.push(delivery);
            }
        }
        batch
    }

    /// What came from the terminal at once; keys that follow one another stay together.
    async fn keys(&mut self, events: Vec<TerminalEvent>) -> io::Result<()> {
        let mut pressed = Vec::new();
        for event in events {
            if let TerminalEvent::Key(key) = event {
                match self.listener.as_mut().map_or_else(|| Heard::Typed(vec![key]), |listener| listener.hear(key)) {
                    Heard::Held => {}
                    Heard::Typed(keys) => pressed.extend(keys),
                    Heard::Answer(light) => {
                        self.listener = None;
                        self.update(Msg::Keys(std::mem::take(&mut pressed))).await?;
                        self.update(Msg::Background(light)).await?;
                    }
                }
                continue;
            }
            self.update(Msg::Keys(std::mem::take(&mut pressed))).await?;
            self.event(event).await?;
        }
        self.update(Msg::Keys(pressed)).await
    }

    async fn event(&mut self, event: TerminalEvent) -> io::Result<()> {
        let msg = match event {
            TerminalEvent::Key(key) => Msg::Key(key),
            TerminalEvent::Paste(text) => Msg::Paste(text),
            TerminalEvent::Mouse(event) => Msg::Mouse(event),
            TerminalEvent::Resize(columns, rows) => {
                self.state.transcript.pictures().set_cell(Terminal::cell_pixels());
                Msg::Resize(columns, rows)
            }
            TerminalEvent::FocusGained => Msg::Focus(true),
            TerminalEvent::FocusLost => Msg::Focus(false),
        };
        self.update(msg).await
    }

    async fn link(&mut self, backend: Backend) -> io::Result<()> {
        let Backend { events, commands, queries, notes, timezone, start, default_model, providers, context_window_tokens, feed } = backend;
        self.events = Some(events);
        self.notes = Some(notes);
        // Opening a session must reach the program before anything that was typed meanwhile.
        let refused = self.effects.link(commands, queries);
        self.update(Msg::Backend(Link { timezone, start, default_model, providers, context_window_tokens, feed })).await?;
        for msg in refused {
            self.update(msg).await?;
        }
        Ok(())
    }

    /// Folds a message and carries out what follows from it.
    async fn update(&mut self, msg: Msg) -> io::Result<()> {
        let mut waiting = vec![msg];
        while let Some(msg) = waiting.pop() {
            self.state.now = self.clock.now();
            for effect in update(&mut self.state, msg) {
                match self.effects.carry_out(effect) {
                    After::Nothing => {}
                    After::Msg(msg) => waiting.push(*msg),
                    After::Terminal(effect) => self.terminal_effect(effect).await?,
                }
            }
        }
        Ok(())
    }

    /// Effects that need the terminal.
    async fn terminal_effect(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Quit => self.exit = Some(End::default()),
            Effect::Redraw => {
                self.terminal.redraw();
                self.state.dirty = true;
            }
            Effect::Mouse(on) => self.terminal.mouse(on)?,
            Effect::CopyByTerminal(text) => {
                // Whoever wanted it has looked at its length.
                if let Some(sequence) = clipboard::sequence(&text, self.state.surroundings.emulator.wrap) {
                    Terminal::notify(&sequence)?;
                }
            }
            Effect::Dump(rows) => self.dump(&rows).await?,
            Effect::Suspend => self.suspend()?,
            Effect::Edit { text, keep } => self.edit(text, keep).await?,
            _ => {}
        }
        Ok(())
    }

    /// Gives the terminal back, stops, and takes it again when the shell says so.
    fn suspend(&mut self) -> io::Result<()> {
        drop(self.keys.take());
        Terminal::leave();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP)?;
        self.back()
    }

    async fn edit(&mut self, text: String, keep: bool) -> io::Result<()> {
        let editor = self.state.surroundings.editor.clone();
        drop(self.keys.take());
        Terminal::leave();
        let result = effects::edit(editor, text).await;
        self.back()?;
        match result {
            Ok(text) if keep => self.effects.send_back(Msg::Edited(Ok(text))),
            Ok(_) => {}
            Err(reason) => self.effects.send_back(Msg::Edited(Err(reason))),
        }
        Ok(())
    }

    /// Prints rows where the terminal scrolls and comes back with the next key.
    async fn dump(&mut self, rows: &[ratatui::text::Line<'static>]) -> io::Result<()> {
        drop(self.keys.take());
        Terminal::leave();
        Terminal::print(rows, "-- press a key to go back to wakeful --")?;
        Terminal::raw(true)?;
        let mut keys = EventStream::new();
        loop {
            tokio::select! {
                () = self.cancel.cancelled() => { self.exit = Some(End::default()); break }
                number = self.signals.next() => { self.exit = Some(End { signal: Some(number) }); break }
                () = self.hangup.happened() => { self.exit = Some(End { signal: Some(SignalKind::hangup().as_raw_value()) }); break }
                event = keys.next() => match event {
                    Some(Ok(TerminalEvent::Key(key))) if key.kind != KeyEventKind::Release => break,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => { self.exit = Some(End { signal: Some(SignalKind::hangup().as_raw_value()) }); break }
                },
            }
        }
        drop(keys);
        Terminal::raw(false)?;
        if self.exit.is_none() { self.back() } else { Ok(()) }
    }

    fn back(&mut self) -> io::Result<()> {
        self.terminal.enter()?;
        self.keys = Some(select_all([EventStream::new()]));
        self.state.size = Terminal::size()?;
        self.state.transcript.pictures().set_cell(Terminal::cell_pixels());
        self.state.dirty = true;
        Ok(())
    }
}

/// Why the loop woke.
enum Wake {
    Key(Option<io::Result<TerminalEvent>>),
    Backend(Result<Backend, String>),
    Msg(Msg),
    Event(Option<Delivery>),
    Note(Option<String>),
    Time,
}

/// How the connection stands from now on.
async fn next_line(line: &mut Option<watch::Receiver<Line>>) -> Line {
    if let Some(line) = line
        && line.changed().await.is_ok()
    {
        return line.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// The terminal's events, asked for only once there are some: the stream itself contends for a lock with its own thread
/// each time that it is asked in vain.
type Keys = SelectAll<EventStream>;

async fn next_key(keys: &mut Option<Keys>) -> Option<io::Result<TerminalEvent>> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// The next key, if it has been read already. The stream cannot be asked: what the terminal's crate has read it gives out
/// one by one, with its thread woken for each, for a poll without any time does not look there
/// (<https://github.com/crossterm-rs/crossterm/issues/839>), and each key would be a frame.
fn ready_key() -> Option<TerminalEvent> {
    // An error comes again, from the stream.
    match crossterm::event::poll(READY) {
        Ok(true) => crossterm::event::read().ok(),
        Ok(false) | Err(_) => None,
    }
}

async fn next_event(events: &mut Option<Subscription>) -> Option<Delivery> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_note(notes: &mut Option<BoxStream<'static, String>>) -> Option<String> {
    match notes {
        Some(notes) => notes.next().await,
        None => std::future::pending().await,
    }
}

async fn next_backend(backend: &mut Option<oneshot::Receiver<Result<Backend, String>>>) -> Result<Backend, String> {
    let Some(receiver) = backend else { return std::future::pending().await };
    let result = receiver.await.unwrap_or_else(|_| Err("the program ended before it stood".to_owned()));
    *backend = None;
    result
}

async fn sleep(until: Option<Moment>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
