//! Pictures from file to terminal, and their limits.

use std::sync::mpsc::channel;
use std::time::Duration;

use image::{Rgba, RgbaImage};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cells::{Strip, lines, numbers, take_strips};
use super::*;

/// A picture of two colours, the left half red.
fn picture(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, _| if x < width / 2 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 255, 255]) })
}

fn saved(folder: &Path, name: &str, image: &RgbaImage) -> PathBuf {
    let path = folder.join(name);
    image.save(&path).unwrap();
    path
}

/// A store and what it tells once a picture is there.
fn store(protocol: Protocol, folder: &Path) -> (Pictures, Receiver<()>) {
    let (sender, receiver) = channel();
    let tell = move || {
        let _ = sender.send(());
    };
    (Pictures::lazy(protocol, Wrap::None, Some(folder.to_owned()), tell), receiver)
}

/// Asks, waits until it was tried, asks again.
fn found(pictures: &Pictures, told: &Receiver<()>, path: &Path, columns: u16) -> Found {
    assert!(matches!(pictures.find(path, columns), Some(Found::Waiting)));
    told.recv_timeout(Duration::from_mins(1)).unwrap();
    pictures.find(path, columns).unwrap()
}

fn ready(found: Found) -> Arc<Prepared> {
    match found {
        Found::Ready(picture) => picture,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pictures_are_fitted_to_cells_and_never_enlarged() {
    let check = |size: (u32, u32), columns_max: u16, expected: (u16, u16)| {
        let folder = tempfile::tempdir().unwrap();
        let (pictures, told) = store(Protocol::Kitty, folder.path());
        let path = saved(folder.path(), "a.png", &picture(size.0, size.1));
        let picture = ready(found(&pictures, &told, &path, columns_max));
        assert_eq!((picture.columns, picture.rows), expected, "{size:?} in {columns_max}");
    };
    check((16, 16), 60, (2, 1));
    check((17, 17), 60, (3, 2));
    check((4_000, 400), 40, (40, 2));
    check((10, 4_000), 60, (1, ROWS_MAX));
    check((4_000, 3_000), 60, (48, ROWS_MAX));
    check((1, 1), 60, (1, 1));
}

#[test]
fn kitty_gets_a_picture_once_and_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, told) = store(Protocol::Kitty, folder.path());
    let path = saved(folder.path(), "a.png", &picture(80, 32));
    let picture = ready(found(&pictures, &told, &path, 60));
    let sent = picture.transmission();
    assert!(sent.starts_with("\x1b_Ga=T,U=1,f=100,t=d,i=16,c=10,r=2,q=2,m=0;") && sent.ends_with("\x1b\\"), "{sent:?}");
    assert_eq!(pictures.by_number(16).unwrap().serial, picture.serial);
    assert!(pictures.by_number(17).is_none());
    assert_eq!(forgotten(17), "\x1b_Ga=d,d=I,i=16,q=2\x1b\\\x1b_Ga=d,d=I,i=17,q=2\x1b\\");
    assert_eq!(forgotten(0), "");
}

#[test]
fn other_terminals_get_it_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), "a.png", &picture(16, 32));
    let (inline, told) = store(Protocol::Iterm2, folder.path());
    let rows = ready(found(&inline, &told, &path, 60));
    assert!(rows.strip(0).unwrap().starts_with("\x1b]1337;File=inline=1;size="), "{:?}", rows.strip(0));
    assert!(rows.strip(1).unwrap().contains("width=2;height=1") && rows.strip(2).is_none());
    let (sixel, told) = store(Protocol::Sixel, folder.path());
    let rows = ready(found(&sixel, &told, &path, 60));
    // Eight pixels red, eight blue; three bands, the last of four rows.
    let red = 5 * 42;
    let expected =
        format!("\x1bP0;1;0q\"1;1;16;16#5;2;0;0;100#{red};2;100;0;0#5!8?!8~$#{red}!8~-#5!8?!8~$#{red}!8~-#5!8?!8N$#{red}!8N-\x1b\\");
    assert_eq!(rows.strip(0).unwrap(), expected);
    assert_eq!(rows.strip(1).unwrap(), expected);
}

#[test]
fn what_is_no_picture_or_none_of_ours_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    std::fs::create_dir(&results).unwrap();
    let outside = saved(folder.path(), "b.png", &picture(8, 8));
    let text = results.join("text.png");
    std::fs::write(&text, "no picture").unwrap();
    let large = results.join("large.png");
    std::fs::File::create(&large).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
    let (pictures, told) = store(Protocol::Kitty, &results);
    let check = |path: &Path, said: &str| match found(&pictures, &told, path, 20) {
        Found::Failed(reason) => assert!(reason.contains(said), "{}: {reason}", path.display()),
        other => panic!("{}: {other:?}", path.display()),
    };
    check(&outside, "left alone");
    check(&results.join("gone.png"), "not there");
    check(&text, "Format error");
    check(&large, "larger than");
    assert!(Pictures::off().find(&text, 20).is_none());
}

/// A PNG that says it is a hundred thousand pixels wide: what it says is looked at before what it would take.
#[test]
fn a_bomb_is_not_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), "a.png", &picture(8, 8));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    let (pictures, told) = store(Protocol::Kitty, folder.path());
    assert!(matches!(found(&pictures, &told, &path, 20), Found::Failed(_)));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn only_so_many_are_kept_and_numbers_are_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, told) = store(Protocol::Kitty, folder.path());
    let paths: Vec<PathBuf> =
        (0..=KEPT_MAX).map(|at| saved(folder.path(), &format!("{at}.png"), &picture(8 + u32::try_from(at).unwrap(), 8))).collect();
    let mut seen = std::collections::BTreeSet::new();
    for path in &paths {
        seen.insert(ready(found(&pictures, &told, path, 20)).number);
    }
    assert_eq!(seen.len(), KEPT_MAX + 1);
    // The first one went.
    assert!(matches!(pictures.find(&paths[0], 20), Some(Found::Waiting)));
    assert!(matches!(pictures.find(&paths[KEPT_MAX], 20), Some(Found::Ready(_))));
}

#[test]
fn another_cell_is_another_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, told) = store(Protocol::Kitty, folder.path());
    let path = saved(folder.path(), "a.png", &picture(80, 32));
    let before = (ready(found(&pictures, &told, &path, 60)).columns, pictures.generation());
    pictures.set_cell(Some((20, 40)));
    assert_eq!(pictures.generation(), before.1, "within a frame nothing changes");
    pictures.begin_frame();
    assert!(pictures.generation() > before.1);
    assert_eq!((before.0, ready(found(&pictures, &told, &path, 60)).columns), (10, 4));
    pictures.begin_frame();
    let generation = pictures.generation();
    pictures.set_cell(Some((20, 40)));
    pictures.begin_frame();
    assert_eq!(pictures.generation(), generation);
}

fn drawn(number: u8, columns: u16, rows: u16) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, 12, 4));
    for (y, line) in (0..).zip(lines(number, columns, rows, 2)) {
        buf.set_line(0, y, &line, 12);
    }
    buf
}

#[test]
fn cells_tell_which_picture_and_where() {
    let mut buf = drawn(20, 3, 2);
    assert_eq!(buf[(2, 0)].symbol(), "\u{10eeee}\u{305}\u{305}");
    assert_eq!(buf[(4, 1)].symbol(), "\u{10eeee}\u{30d}\u{30e}");
    assert_eq!(numbers(&buf).into_iter().collect::<Vec<_>>(), [20]);
    let strip = |y: u16| Strip { x: 2, y, columns: 3, number: 20, row: y };
    assert_eq!(take_strips(&mut buf), [strip(0), strip(1)]);
    assert_eq!(buf[(2, 0)].symbol(), " ");
    assert!(numbers(&buf).is_empty());
}
