//! README's pictures: the real program on the offline assistant, its screen buffer turned into SVG.
//!
//! `WAKEFUL_PICTURES=1` writes them to `assets/`; without it the test draws them all the same and looks at what they show.

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use wakeful::app::{App, Start as AppStart};
use wakeful::bus::{Delivery, Subscription};
use wakeful::config::environment::Environment;
use wakeful::config::load::{Sources, load};
use wakeful::config::paths::Paths;
use wakeful::domain::clock::{Clock, SystemClock};
use wakeful::domain::command::{ApprovalMode, Command, Delivery as When, SessionOptions};
use wakeful::domain::event::{EventBody, TurnEvent};
use wakeful::domain::ids::{MessageId, SessionId};
use wakeful::tui::highlight::Highlighter;
use wakeful::tui::msg::{Link, Msg};
use wakeful::tui::state::State;
use wakeful::tui::svg::{SvgOptions, svg};
use wakeful::tui::theme::ColourDepth;
use wakeful::tui::update::update;
use wakeful::tui::{Options, Start, Surroundings, view};

const LIMIT: Duration = Duration::from_secs(30);

/// Name, theme and size of each.
const PICTURES: [(&str, &str, (u16, u16)); 6] = [
    ("wakeful", "dark", (120, 36)),
    ("wakeful-light", "light", (120, 36)),
    ("wakeful-narrow", "dark", (80, 24)),
    ("wakeful-narrow-light", "light", (80, 24)),
    ("wakeful-wide", "dark", (160, 50)),
    ("wakeful-wide-light", "light", (160, 50)),
];

/// What is asked in the picture.
const PROMPTS: &[&str] = &["What time is it in Tokyo, and what is 17% of 2,340?", "Read notes.md"];

/// What the file in the picture holds.
const NOTES: &str = "# Notes\n\nA *short* list:\n\n- fetch the figures\n- write `report.rs`\n\n```rust\nfn main() {\n    let total: u32 = (1..=10).sum();\n    println!(\"total {total}\");\n}\n```\n";

/// A screen and the session on it.
struct Screen {
    state: State,
    session: SessionId,
    feed: Subscription,
}

impl Screen {
    fn new(app: &App, theme: &str, size: (u16, u16)) -> Self {
        let options = Options { theme: theme.to_owned(), ..Options::default() };
        let surroundings =
            Surroundings { version: env!("CARGO_PKG_VERSION").to_owned(), colours: ColourDepth::TrueColour, ..Surroundings::default() };
        let mut state = State::new(options, surroundings, Highlighter::ready(), SystemClock.now()).unwrap();
        update(&mut state, Msg::Resize(size.0, size.1));
        let default_model = "offline/assistant".to_owned();
        let start = Start::New(SessionOptions::default());
        update(
            &mut state,
            Msg::Backend(Link {
                timezone: TimeZone::UTC,
                start,
                default_model,
                providers: Vec::new(),
                context_window_tokens: None,
                feed: None,
            }),
        );
        let session = state.session.id.clone();
        Self { state, session, feed: app.subscribe() }
    }

    /// Folds what happens until a turn of the session has ended.
    async fn until_turn_ended(&mut self) {
        loop {
            let delivery = tokio::time::timeout(LIMIT, self.feed.recv()).await.expect("the turn ends").expect("the feed lives");
            let ended =
                matches!(&delivery, Delivery::Event(event) if matches!(event.body, EventBody::TurnEvent(TurnEvent::Finished { .. })));
            self.state.now = SystemClock.now();
            update(&mut self.state, Msg::Events(vec![delivery]));
            if ended {
                return;
            }
        }
    }

    fn draw(&self) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.state.size.0, self.state.size.1));
        view::draw(&self.state, buffer.area, &mut buffer);
        buffer
    }
}

fn start(root: &Path) -> AppStart {
    let environment = Environment::of([]);
    let paths = Paths::under(root);
    let cwd = root.join("work");
    std::fs::create_dir_all(&cwd).unwrap();
    std::fs::write(cwd.join("notes.md"), NOTES).unwrap();
    let mut loaded = load(&Sources { cwd: cwd.clone(), ..Sources::default() }, &environment, &paths).unwrap();
    loaded.settings.agent.mode = ApprovalMode::Auto;
    AppStart { loaded, paths, environment, cwd, unattended: false, rules: wakeful::mcp::Rules::default(), awake: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pictures_show_the_program_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(start(folder.path())).await.unwrap();
    let mut screens = PICTURES.map(|(name, theme, size)| (name, Screen::new(&app, theme, size)));
    assert!(app.pool().settled(LIMIT).await);
    let session = screens[0].1.session.clone();
    app.commands().send(Command::NewSession { session: session.clone(), options: SessionOptions::default() }).unwrap();
    for (_, screen) in &mut screens {
        // All look at the same session.
        screen.state.session.id = session.clone();
        screen.state.session.made = true;
    }
    for prompt in PROMPTS {
        let submit = Command::Submit {
            session: session.clone(),
            message_id: MessageId::generate(),
            text: (*prompt).to_owned(),
            delivery: When::Queue,
        };
        app.commands().send(submit).unwrap();
        for (_, screen) in &mut screens {
            screen.until_turn_ended().await;
        }
    }
    app.shutdown().await;
    for (name, screen) in &screens {
        let buffer = screen.draw();
        let text: String = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        let wanted: &[&str] = if screen.state.is_wide() { &["fn main()", "read_file", "turn done"] } else { &["fn main()", "report.rs"] };
        for wanted in wanted {
            assert!(text.contains(wanted), "{name} does not show {wanted}");
        }
        let picture = svg(&buffer, &SvgOptions { title: Some("wakeful".to_owned()), light: name.ends_with("-light") });
        assert!(picture.starts_with("<svg") && picture.contains("total"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/{name}.svg"));
        if std::env::var_os("WAKEFUL_PICTURES").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, picture).unwrap();
        }
        assert!(path.exists(), "{} is missing: WAKEFUL_PICTURES=1 writes it", path.display());
    }
}
