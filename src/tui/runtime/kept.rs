//! Files around the screen: the user's own commands, what is remembered, the settings. Read and written off the loop.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::tui::kept::Kept;
use crate::tui::msg::Msg;
use crate::tui::own::Folder;
use crate::tui::settings::{Preferences, Value};
use crate::tui::state::State;

/// The largest file of what is remembered that is read, in bytes.
const KEPT_BYTES_MAX: u64 = 256 * 1024;

/// Files around the screen.
pub(super) struct Files {
    messages: mpsc::Sender<Msg>,
    commands_dir: Option<PathBuf>,
    folder: Arc<Mutex<Folder>>,
    kept_path: Option<PathBuf>,
    /// What is to be remembered, in order, written by one task.
    kept: Option<mpsc::UnboundedSender<String>>,
    preferences: Option<Arc<dyn Preferences>>,
    reports_dir: PathBuf,
}

impl Files {
    pub(super) fn new(messages: mpsc::Sender<Msg>, state: &State, preferences: Option<Arc<dyn Preferences>>) -> Self {
        Self {
            messages,
            commands_dir: state.surroundings.commands_dir.clone(),
            folder: Arc::default(),
            kept_path: state.surroundings.kept_path.clone(),
            kept: None,
            preferences,
            reports_dir: state.surroundings.reports_dir.clone().unwrap_or_else(|| state.surroundings.cwd.clone()),
        }
    }

    /// Reads what the first screen can do without.
    pub(super) fn start(&self) {
        self.read_own();
        let (messages, path) = (self.messages.clone(), self.kept_path.clone());
        drop(spawn_blocking(move || {
            // Without the file, or with a broken one, what is new is remembered all the same.
            let kept = path.and_then(|path| read_bounded(&path)).and_then(|text| Kept::parse(&text)).unwrap_or_default();
            let _ = messages.blocking_send(Msg::Kept(Box::new(kept)));
        }));
    }

    /// Reads the user's own commands, where they changed.
    pub(super) fn read_own(&self) {
        let Some(path) = self.commands_dir.clone() else { return };
        let (messages, folder) = (self.messages.clone(), Arc::clone(&self.folder));
        drop(spawn_blocking(move || {
            let commands = folder.lock().unwrap_or_else(PoisonError::into_inner).read(&path);
            if let Some(commands) = commands {
                let _ = messages.blocking_send(Msg::Own(commands));
            }
        }));
    }

    /// One task writes, so that the latest stays. Of what waits only the last is written.
    pub(super) fn keep(&mut self, text: String) {
        let Some(path) = self.kept_path.clone() else { return };
        let sender = self.kept.get_or_insert_with(|| {
            let (sender, mut receiver) = mpsc::unbounded_channel::<String>();
            drop(spawn_blocking(move || {
                while let Some(mut text) = receiver.blocking_recv() {
                    while let Ok(later) = receiver.try_recv() {
                        text = later;
                    }
                    if let Err(error) = write(&path, &text) {
                        tracing::warn!("could not keep the screen's layout in {}: {error}", path.display());
                        return;
                    }
                }
            }));
            sender
        });
        let _ = sender.send(text);
    }

    /// Writes a report about a fault, with the settings of the table (no secret is among them) below it.
    pub(super) fn report(&self, text: String) {
        let (messages, preferences, folder) = (self.messages.clone(), self.preferences.clone(), self.reports_dir.clone());
        drop(spawn_blocking(move || {
            let settings = preferences.map(|preferences| preferences.read(&crate::tui::update::setting_keys()));
            let text = format!("{text}{}", crate::tui::report::settings(settings));
            let path = folder.join(format!("wakeful-report-{}.md", crate::domain::ids::EventId::generate()));
            let msg = match write(&path, &text) {
                Ok(()) => Msg::Note(true, format!("written to {}; look it over before you send it", path.display())),
                Err(error) => Msg::Note(false, format!("could not write {}: {error}", path.display())),
            };
            let _ = messages.blocking_send(msg);
        }));
    }

    /// Reads the settings.
    pub(super) fn read_settings(&self) {
        let (messages, preferences) = (self.messages.clone(), self.preferences.clone());
        drop(spawn_blocking(move || {
            let result = match preferences {
                Some(preferences) => preferences.read(&crate::tui::update::setting_keys()),
                None => Err("there is no config file here".to_owned()),
            };
            let _ = messages.blocking_send(Msg::Settings(result));
        }));
    }

    /// Writes a setting.
    pub(super) fn save_setting(&self, key: String, value: Option<Value>) {
        let (messages, preferences) = (self.messages.clone(), self.preferences.clone());
        drop(spawn_blocking(move || {
            let result = match preferences {
                Some(preferences) => preferences.save(&key, value.as_ref()),
                None => Err("there is no config file here".to_owned()),
            };
            let _ = messages.blocking_send(Msg::SettingSaved(key, value, result));
        }));
    }
}

fn read_bounded(path: &Path) -> Option<String> {
    let about = std::fs::metadata(path).ok()?;
    (about.is_file() && about.len() <= KEPT_BYTES_MAX).then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// Whole or not at all, for its owner's eyes only.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(format!("new.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    drop(file);
    std::fs::rename(&beside, path)
}
