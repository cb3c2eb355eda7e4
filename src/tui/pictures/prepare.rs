//! A file into what the terminal draws: decoded within limits, scaled to whole cells, encoded for its protocol.

use std::io::Cursor;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::imageops::{FilterType, crop_imm, overlay, resize};
use image::{ImageFormat, ImageReader, Limits, RgbaImage};

use super::{FILE_BYTES_MAX, PIXELS_MAX, ROWS_MAX, sixel};
use crate::tui::emulator::{Protocol, Wrap};
use crate::tui::saved;

/// Bytes that decoding a picture may take.
const DECODING_BYTES_MAX: u64 = 256 << 20;

/// Bytes of a picture as it goes to the terminal: more would keep the terminal busy for long.
const SENT_BYTES_MAX: usize = 4 << 20;

/// Bytes of base64 in one of kitty's sequences (its protocol's limit).
const KITTY_BYTES_MAX: usize = 4_096;

/// A picture that fits its cells: as many pixels as they have, empty ones transparent.
#[derive(Debug)]
pub(super) struct Pixels {
    image: RgbaImage,
    columns: u16,
    rows: u16,
}

/// A picture as the terminal gets it.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Its number on the screen.
    pub(crate) number: u8,
    /// Told apart by this from others that have had the number.
    pub(crate) serial: u64,
    /// Its columns.
    pub(crate) columns: u16,
    /// Its rows.
    pub(crate) rows: u16,
    /// All of it at once, or row by row.
    parts: Vec<String>,
}

impl Prepared {
    /// Encodes a picture.
    ///
    /// # Errors
    /// When it comes to more than a terminal should be sent, in words.
    pub(super) fn new(pixels: &Pixels, protocol: Protocol, wrap: Wrap, id: (u8, u64), cell: (u16, u16)) -> Result<Self, String> {
        let (number, serial) = id;
        let Pixels { image, columns, rows } = pixels;
        let strip = |row: u16| crop_imm(image, 0, u32::from(row * cell.1), image.width(), u32::from(cell.1)).to_image();
        let parts = match protocol {
            Protocol::Kitty => vec![kitty(&png(image)?, number, *columns, *rows, wrap)],
            Protocol::Iterm2 => {
                (0..*rows).map(|row| png(&strip(row)).map(|png| wrap.sequence(&iterm2(&png, *columns)))).collect::<Result<_, _>>()?
            }
            Protocol::Sixel => {
                let indexed = sixel::Indexed::new(image);
                let encoded = |row: u16| wrap.sequence(&indexed.strip(u32::from(row * cell.1), u32::from(cell.1)));
                (0..*rows).map(encoded).collect()
            }
        };
        let bytes: usize = parts.iter().map(String::len).sum();
        if bytes > SENT_BYTES_MAX {
            return Err("too much for a terminal".to_owned());
        }
        Ok(Self { number, serial, columns: *columns, rows: *rows, parts })
    }

    /// What makes the terminal hold it (kitty).
    pub(crate) fn transmission(&self) -> &str {
        self.parts.first().map_or("", String::as_str)
    }

    /// What draws one row of it at the cursor (iTerm2, sixel).
    pub(crate) fn strip(&self, row: u16) -> Option<&str> {
        self.parts.get(usize::from(row)).map(String::as_str)
    }
}

/// Decodes a file and fits it to cells, never larger than it is.
///
/// # Errors
/// When it is none of ours, no picture or too large, in words.
pub(super) fn prepare(path: &Path, folder: Option<&Path>, columns_max: u16, cell: (u16, u16)) -> Result<Pixels, String> {
    let path = saved::within(path, folder)?;
    let bytes = std::fs::metadata(&path).map_err(|error| error.to_string())?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("larger than {} MB", FILE_BYTES_MAX >> 20));
    }
    let mut reader = ImageReader::open(&path).and_then(ImageReader::with_guessed_format).map_err(|error| error.to_string())?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(PIXELS_MAX);
    limits.max_image_height = Some(PIXELS_MAX);
    limits.max_alloc = Some(DECODING_BYTES_MAX);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| crate::domain::text::clean_line(&error.to_string()))?;
    Ok(fit(&image.to_rgba8(), columns_max, cell))
}

/// Scales a picture down to at most `columns_max` columns and [`ROWS_MAX`] rows, and pads it to whole cells.
pub(super) fn fit(image: &RgbaImage, columns_max: u16, cell: (u16, u16)) -> Pixels {
    let (cell_width, cell_height) = (u32::from(cell.0.max(1)), u32::from(cell.1.max(1)));
    let (width, height) = (image.width().max(1), image.height().max(1));
    let (room_width, room_height) = (u32::from(columns_max) * cell_width, u32::from(ROWS_MAX) * cell_height);
    // In whole numbers: the side that is further over its room decides.
    let (mut fit_width, mut fit_height) = (width, height);
    if u64::from(width) * u64::from(room_height) >= u64::from(height) * u64::from(room_width) {
        if width > room_width {
            (fit_width, fit_height) = (room_width, scaled(height, room_width, width));
        }
    } else if height > room_height {
        (fit_width, fit_height) = (scaled(width, room_height, height), room_height);
    }
    let (columns, rows) = (fit_width.div_ceil(cell_width), fit_height.div_ceil(cell_height));
    let mut out = RgbaImage::new(columns * cell_width, rows * cell_height);
    if (fit_width, fit_height) == (width, height) {
        overlay(&mut out, image, 0, 0);
    } else {
        overlay(&mut out, &resize(image, fit_width, fit_height, FilterType::Triangle), 0, 0);
    }
    Pixels { image: out, columns: u16::try_from(columns).unwrap_or(columns_max), rows: u16::try_from(rows).unwrap_or(ROWS_MAX) }
}

fn scaled(length: u32, to: u32, from: u32) -> u32 {
    u32::try_from(u64::from(length) * u64::from(to) / u64::from(from.max(1))).unwrap_or(u32::MAX).max(1)
}

fn png(image: &RgbaImage) -> Result<Vec<u8>, String> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, ImageFormat::Png).map_err(|error| error.to_string())?;
    Ok(out.into_inner())
}

/// Transmits a PNG and places it on placeholders: quietly, for an answer would be read as keys.
fn kitty(png: &[u8], number: u8, columns: u16, rows: u16, wrap: Wrap) -> String {
    let encoded = STANDARD.encode(png);
    let mut out = String::new();
    let mut rest = encoded.as_str();
    let mut first = true;
    while first || !rest.is_empty() {
        let (part, after) = rest.split_at(rest.len().min(KITTY_BYTES_MAX));
        let more = u8::from(!after.is_empty());
        let keys = if first { format!("a=T,U=1,f=100,t=d,i={number},c={columns},r={rows},q=2,m={more}") } else { format!("m={more},q=2") };
        out.push_str(&wrap.sequence(&format!("\x1b_G{keys};{part}\x1b\\")));
        rest = after;
        first = false;
    }
    out
}

/// A file shown at the cursor, one row high.
fn iterm2(png: &[u8], columns: u16) -> String {
    let size = png.len();
    let keys = format!("inline=1;size={size};width={columns};height=1;preserveAspectRatio=0;doNotMoveCursor=1");
    format!("\x1b]1337;File={keys}:{}\x07", STANDARD.encode(png))
}
