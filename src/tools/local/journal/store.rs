//! The files of the journal: objects by their hash, entries by their id, each written beside its place and renamed.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ENTRIES_MAX, Entry, Hash, Options};
use crate::domain::clock::Instant;

const MIB: u64 = 1_024 * 1_024;

/// The largest entry that is read, in bytes.
const ENTRY_BYTES_MAX: u64 = 64 * 1_024;

/// Makes a folder that only its owner may look into.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn objects(folder: &Path) -> PathBuf {
    folder.join("objects")
}

fn entries_folder(folder: &Path) -> PathBuf {
    folder.join("entries")
}

/// Writes a file that is there whole or not at all, readable by its owner only.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    make_folder(folder)?;
    let beside = folder.join(format!(".{name}.new"));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, folder.join(name))?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

pub(super) fn put_object(folder: &Path, hash: &Hash, bytes: &[u8]) -> io::Result<()> {
    let Some(name) = hash.file_name() else { return Err(io::Error::other("no hash")) };
    let target = objects(folder).join(name);
    // Its name is its content: what is there with the right length is whole, for it was renamed into place.
    if fs::metadata(&target).is_ok_and(|known| known.len() == bytes.len() as u64) {
        return Ok(());
    }
    put(&objects(folder), name, bytes)
}

pub(super) fn put_entry(folder: &Path, entry: &Entry) -> io::Result<()> {
    put(&entries_folder(folder), &format!("{}.json", entry.id), &serde_json::to_vec(entry)?)
}

pub(super) fn object(folder: &Path, hash: &Hash) -> Option<Vec<u8>> {
    let bytes = fs::read(objects(folder).join(hash.file_name()?)).ok()?;
    (Hash::of(&bytes) == *hash).then_some(bytes)
}

pub(super) fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let files = match fs::read_dir(entries_folder(folder)) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let read = |path: PathBuf| {
        let id = path.file_stem()?.to_str()?.to_owned();
        if path.extension()? != "json" || path.metadata().ok()?.len() > ENTRY_BYTES_MAX {
            return None;
        }
        serde_json::from_slice::<Entry>(&fs::read(&path).ok()?).ok().filter(|entry| entry.id == id)
    };
    let mut entries: Vec<Entry> = files.flatten().filter_map(|file| read(file.path())).collect();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(entries)
}

/// How many changes pass between two looks at age and bytes, where they are small.
const PRUNE_EVERY: usize = 16;

/// An old content of so many bytes is a reason to look.
const LARGE: usize = 1_024 * 1_024;

/// Forgets the oldest entries until age, number and bytes are within bounds, then the contents that none names. `more`
/// bytes are about to come.
pub(super) fn prune(folder: &Path, options: &Options, now: Instant, more: usize) -> io::Result<()> {
    let count = fs::read_dir(entries_folder(folder)).map_or(0, Iterator::count);
    if more < LARGE && count < ENTRIES_MAX && !count.is_multiple_of(PRUNE_EVERY) {
        return Ok(());
    }
    let mut entries = entries(folder)?;
    let age_max = Duration::from_hours(options.keep_days.saturating_mul(24));
    let old = entries.iter().take_while(|entry| now.since(entry.at) > age_max).count();
    let many = (entries.len() + 1).saturating_sub(ENTRIES_MAX);
    let room = options.keep_mib_max.saturating_mul(MIB).saturating_sub(more as u64);
    let over = old.max(many).max(entries.len() - fitting(folder, &entries, room));
    let gone: Vec<Entry> = entries.drain(..over).collect();
    for entry in &gone {
        remove(&entries_folder(folder).join(format!("{}.json", entry.id)))?;
    }
    let named: HashSet<&Hash> = entries.iter().filter_map(|entry| entry.old.as_ref()).collect();
    for hash in gone.iter().filter_map(|entry| entry.old.as_ref()).filter(|hash| !named.contains(hash)) {
        if let Some(name) = hash.file_name() {
            remove(&objects(folder).join(name))?;
        }
    }
    Ok(())
}

/// How many of the newest entries fit into `room` bytes; a content that several name counts once.
fn fitting(folder: &Path, entries: &[Entry], room: u64) -> usize {
    let (mut seen, mut bytes) = (HashSet::new(), 0_u64);
    for (count, entry) in entries.iter().rev().enumerate() {
        let name = entry.old.as_ref().and_then(Hash::file_name).filter(|name| seen.insert(*name));
        let size = name.and_then(|name| fs::metadata(objects(folder).join(name)).ok()).map_or(0, |metadata| metadata.len());
        bytes = bytes.saturating_add(size);
        if bytes > room {
            return count;
        }
    }
    entries.len()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
