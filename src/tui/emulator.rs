//! Which terminal this is, told by its environment: nothing here asks the terminal, for an answer may never come.
//!
//! A plain function of variables, read once at the start.

#[cfg(test)]
mod tests;

use crate::tui::clipboard::Program;
use crate::tui::options::Images;

/// What stands between the program and the terminal and passes on only what is wrapped for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrap {
    /// Nothing.
    #[default]
    None,
    /// tmux: `ESC P tmux; …` with each `ESC` doubled, where its option `allow-passthrough` is on.
    Tmux,
    /// GNU screen: `ESC P …`, in parts of at most 768 bytes.
    Screen,
}

impl Wrap {
    /// Bytes of a sequence in one part for GNU screen, which holds 768 (`MAXSTR`) with what is around them.
    const SCREEN_BYTES_MAX: usize = 512;

    /// A sequence of the terminal's own, wrapped so that it gets there.
    pub fn sequence(self, sequence: &str) -> String {
        match self {
            Self::None => sequence.to_owned(),
            Self::Tmux => format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")),
            Self::Screen => {
                let mut out = String::new();
                let mut rest = sequence;
                while !rest.is_empty() {
                    let (part, more) = rest.split_at(rest.floor_char_boundary(Self::SCREEN_BYTES_MAX.min(rest.len())));
                    out.push_str("\x1bP");
                    out.push_str(part);
                    out.push_str("\x1b\\");
                    rest = more;
                }
                out
            }
        }
    }

    /// How it is named to the user: ` through tmux`; empty where nothing is between.
    pub fn told(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Tmux => " through tmux",
            Self::Screen => " through screen",
        }
    }
}

/// How a terminal shows pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// kitty's graphics with Unicode placeholders (kitty, Ghostty).
    Kitty,
    /// iTerm2's inline files (iTerm2, `WezTerm`, Konsole, mintty, Rio).
    Iterm2,
    /// DEC's sixel graphics (foot, mlterm, contour, xterm with `-ti vt340`).
    Sixel,
}

/// A terminal as far as its environment tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Emulator {
    /// What stands in between.
    pub wrap: Wrap,
    /// Programs that put text on the user's clipboard, the best first; none over a remote shell, whose clipboard is
    /// another machine's.
    pub clipboards: Vec<Program>,
    /// What it shows pictures by, where it surely can.
    pub pictures: Option<Protocol>,
}

impl Emulator {
    /// What the variables tell; `macos` where the program runs there.
    pub fn read<'a>(variable: impl Fn(&str) -> Option<&'a str>, macos: bool) -> Self {
        let has = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let term = variable("TERM").unwrap_or_default();
        let wrap = match () {
            () if has("TMUX") => Wrap::Tmux,
            () if has("STY") => Wrap::Screen,
            () => Wrap::None,
        };
        let remote = has("SSH_CONNECTION") || has("SSH_TTY") || has("SSH_CLIENT");
        let mut clipboards = Vec::new();
        if !remote {
            let rows = [
                (macos, Program::Pbcopy),
                (has("WSL_DISTRO_NAME") || has("WSL_INTEROP"), Program::Clip),
                (has("WAYLAND_DISPLAY"), Program::WlCopy),
                (has("DISPLAY"), Program::Xclip),
                (has("DISPLAY"), Program::Xsel),
            ];
            clipboards.extend(rows.into_iter().filter(|(usable, _)| *usable).map(|(_, program)| program));
        }
        if wrap == Wrap::Tmux {
            clipboards.push(Program::Tmux);
        }
        // Whoever multiplexes draws the screen itself and knows nothing of pictures on it.
        let multiplexed = wrap != Wrap::None || has("ZELLIJ") || term.starts_with("screen") || term.starts_with("tmux");
        let pictures = if multiplexed { None } else { pictures(term, &variable) };
        Self { wrap, clipboards, pictures }
    }

    /// What pictures are shown by, as the user wants it.
    pub fn protocol(&self, wanted: Images) -> Option<Protocol> {
        match wanted {
            Images::Auto => self.pictures,
            Images::Kitty => Some(Protocol::Kitty),
            Images::Iterm2 => Some(Protocol::Iterm2),
            Images::Sixel => Some(Protocol::Sixel),
            Images::Off => None,
        }
    }
}

fn pictures<'a>(term: &str, variable: &impl Fn(&str) -> Option<&'a str>) -> Option<Protocol> {
    let has = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    if term.contains("kitty") || term.contains("ghostty") || has("KITTY_WINDOW_ID") || program == "ghostty" {
        return Some(Protocol::Kitty);
    }
    let inline = ["iTerm.app", "WezTerm", "mintty", "rio"].contains(&program);
    if inline || variable("LC_TERMINAL") == Some("iTerm2") || has("KONSOLE_VERSION") || has("WEZTERM_PANE") {
        return Some(Protocol::Iterm2);
    }
    let sixel = ["foot", "mlterm", "contour", "yaft", "xterm-sixel"].iter().any(|name| term.starts_with(name));
    sixel.then_some(Protocol::Sixel)
}
