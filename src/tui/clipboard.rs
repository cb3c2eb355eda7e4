//! Text on the user's clipboard: by a program of the system's where one is usable, else by the terminal itself.
//!
//! Programs run beside the draw loop and have a time limit. The terminal's own way is the sequence OSC 52, wrapped for
//! tmux and GNU screen; it has no answer, so that nobody can tell whether the terminal took it.

#[cfg(test)]
mod tests;

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::tui::emulator::Wrap;

/// The largest text that goes through the terminal, in bytes: 100,000 bytes of base64, beyond which xterm, tmux and
/// others drop the sequence.
pub const TERMINAL_BYTES_MAX: usize = 74_000;

/// The largest text that is given to a program, in bytes.
pub const PROGRAM_BYTES_MAX: usize = 16 << 20;

/// How long a program may take.
const PROGRAM_LIMIT: Duration = Duration::from_secs(3);

/// A program that puts its standard input on the clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// macOS.
    Pbcopy,
    /// Windows, from inside its Linux.
    Clip,
    /// Wayland.
    WlCopy,
    /// X11.
    Xclip,
    /// X11.
    Xsel,
    /// tmux's own buffer, which it hands on to the terminal outside.
    Tmux,
}

impl Program {
    /// The command and its arguments.
    pub fn command(self) -> &'static [&'static str] {
        match self {
            Self::Pbcopy => &["pbcopy"],
            Self::Clip => &["clip.exe"],
            Self::WlCopy => &["wl-copy"],
            Self::Xclip => &["xclip", "-selection", "clipboard"],
            Self::Xsel => &["xsel", "--clipboard", "--input"],
            Self::Tmux => &["tmux", "load-buffer", "-w", "-"],
        }
    }

    /// Its name for the user.
    pub fn name(self) -> &'static str {
        self.command().first().copied().unwrap_or_default()
    }

    /// The text as the program reads it: `clip.exe` takes UTF-16 with its mark, the others UTF-8.
    fn input(self, text: &str) -> Vec<u8> {
        match self {
            Self::Clip => std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
            _ => text.as_bytes().to_vec(),
        }
    }
}

/// The sequence that puts `text` on the terminal's clipboard; `None` where it is too long for that.
pub fn sequence(text: &str, wrap: Wrap) -> Option<String> {
    (text.len() <= TERMINAL_BYTES_MAX).then(|| wrap.sequence(&format!("\x1b]52;c;{}\x07", STANDARD.encode(text))))
}

/// Puts `text` on the clipboard by the first of `programs` that does it; its name. `None` where none does.
pub async fn put(programs: &[Program], text: &str) -> Option<&'static str> {
    if text.len() > PROGRAM_BYTES_MAX {
        return None;
    }
    for program in programs {
        match run(program.command(), &program.input(text)).await {
            Ok(()) => return Some(program.name()),
            Err(error) => tracing::debug!(program = program.name(), %error, "the clipboard was not reached"),
        }
    }
    None
}

async fn run(command: &[&str], input: &[u8]) -> std::io::Result<()> {
    let Some((name, arguments)) = command.split_first() else { return Err(std::io::ErrorKind::InvalidInput.into()) };
    // Those that keep what they were given go on in the background: an open pipe would be waited for.
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let work = async {
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input).await?;
            pipe.shutdown().await?;
        }
        child.wait().await
    };
    let status = tokio::time::timeout(PROGRAM_LIMIT, work).await.map_err(|_| std::io::ErrorKind::TimedOut)??;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("it ended with {status}"))) }
}

/// What was copied, in the words of a note: `copied 12 lines to the clipboard (wl-copy)`.
pub fn told(lines: usize, way: &str) -> String {
    let what = if lines == 1 { "copied".to_owned() } else { format!("copied {lines} lines") };
    format!("{what} to the clipboard ({way})")
}

/// Why a text cannot be copied, and what to do instead.
pub fn too_long(bytes: usize) -> String {
    let (have, room) = (bytes.div_ceil(1_000), TERMINAL_BYTES_MAX / 1_000);
    format!("not copied: {have} kB, and the terminal's clipboard takes {room} kB; copy less, or /export writes a file")
}
