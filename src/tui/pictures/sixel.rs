//! Sixel graphics: a fixed palette with dithering, rows of six pixels, runs counted
//! (<https://vt100.net/docs/vt3xx-gp/chapter14.html>).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use image::RgbaImage;

/// Shades of red, green and blue: 252 colours, of the 256 that terminals have at least.
const SHADES: [i32; 3] = [6, 7, 6];

/// The number of a pixel that is not drawn.
const CLEAR: u8 = u8::MAX;

/// A pixel less opaque than this is not drawn.
const OPAQUE: u8 = 128;

/// A picture in the colours of the palette.
pub(super) struct Indexed {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Indexed {
    /// The nearest colours, errors spread to the pixels after (Floyd and Steinberg).
    pub(super) fn new(image: &RgbaImage) -> Self {
        let (width, height) = (usize::try_from(image.width()).unwrap_or(0), usize::try_from(image.height()).unwrap_or(0));
        let mut pixels = Vec::with_capacity(width * height);
        // Errors of this row and of the next, a pixel of air on both sides.
        let mut here = vec![[0_i32; 3]; width + 2];
        let mut below = vec![[0_i32; 3]; width + 2];
        for row in image.rows() {
            for (x, pixel) in row.enumerate() {
                let [red, green, blue, alpha] = pixel.0;
                if alpha < OPAQUE {
                    pixels.push(CLEAR);
                    continue;
                }
                let mut index = 0;
                for (channel, value) in [red, green, blue].into_iter().enumerate() {
                    let error = here.get(x + 1).map_or(0, |errors| errors[channel]);
                    let wanted = (i32::from(value) + error / 16).clamp(0, 255);
                    let last = SHADES[channel] - 1;
                    let shade = (wanted * last + 127) / 255;
                    let left = wanted - shade * 255 / last;
                    index = index * SHADES[channel] + shade;
                    if let Some(errors) = here.get_mut(x + 2) {
                        errors[channel] += left * 7;
                    }
                    for (errors, part) in below.iter_mut().skip(x).zip([3, 5, 1]) {
                        errors[channel] += left * part;
                    }
                }
                pixels.push(u8::try_from(index).unwrap_or(CLEAR));
            }
            std::mem::swap(&mut here, &mut below);
            below.fill([0; 3]);
        }
        Self { width, height, pixels }
    }

    fn pixel(&self, x: usize, y: usize) -> u8 {
        if y >= self.height { CLEAR } else { self.pixels.get(y * self.width + x).copied().unwrap_or(CLEAR) }
    }

    /// The rows from `top` on as one sequence; what is not drawn stays as it is on the screen.
    pub(super) fn strip(&self, top: u32, rows: u32) -> String {
        let (top, rows) = (usize::try_from(top).unwrap_or(0), usize::try_from(rows).unwrap_or(0));
        let bottom = (top + rows).min(self.height);
        let mut out = format!("\x1bP0;1;0q\"1;1;{};{rows}", self.width);
        let area = self.pixels.get(top * self.width..bottom * self.width).unwrap_or_default();
        let colours: BTreeSet<u8> = area.iter().copied().filter(|index| *index != CLEAR).collect();
        for index in &colours {
            let [red, green, blue] = percents(*index);
            let _ = write!(out, "#{index};2;{red};{green};{blue}");
        }
        for band in (top..bottom).step_by(6) {
            let upto = (band + 6).min(bottom);
            let used: BTreeSet<u8> =
                (band..upto).flat_map(|y| (0..self.width).map(move |x| (x, y))).map(|(x, y)| self.pixel(x, y)).collect();
            for (at, index) in used.iter().filter(|index| **index != CLEAR).enumerate() {
                if at > 0 {
                    out.push('$');
                }
                let _ = write!(out, "#{index}");
                self.row_of(*index, band, upto, &mut out);
            }
            out.push('-');
        }
        out.push_str("\x1b\\");
        out
    }

    /// Six pixels' rows in one colour, runs of the same counted.
    fn row_of(&self, index: u8, band: usize, upto: usize, out: &mut String) {
        let sixel = |x: usize| (band..upto).enumerate().fold(0_u8, |bits, (bit, y)| bits | u8::from(self.pixel(x, y) == index) << bit);
        let mut x = 0;
        while x < self.width {
            let bits = sixel(x);
            let run = (x..self.width).take_while(|at| sixel(*at) == bits).count();
            if bits == 0 && x + run == self.width {
                return;
            }
            let ch = char::from(bits + 0x3f);
            if run > 3 {
                let _ = write!(out, "!{run}{ch}");
            } else {
                out.extend(std::iter::repeat_n(ch, run));
            }
            x += run;
        }
    }
}

/// A colour of the palette in percent.
fn percents(index: u8) -> [i32; 3] {
    let index = i32::from(index);
    let shades = [index / (SHADES[1] * SHADES[2]), index / SHADES[2] % SHADES[1], index % SHADES[2]];
    let mut out = [0; 3];
    for (channel, shade) in shades.into_iter().enumerate() {
        out[channel] = shade * 100 / (SHADES[channel] - 1);
    }
    out
}
