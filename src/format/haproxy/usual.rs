//! The usual line of `option httplog`, read without branching on the lengths of its figures.
//!
//! Nearly all lines of a log have the same shape: five timers that all came, a status, no plus anywhere. Their figures
//! have one digit or five, and a loop over digits guesses wrong at nearly every one; here eight bytes are read at once and what
//! is no digit of the figure is masked out. Whatever is not of this shape is left to [`super::line`], which reads the
//! same lines to the same end: a test compares the two.

use super::figure::Figures;

/// Offsets into the text of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Part {
    pub(super) fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// What such a line says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usual {
    pub(super) client: Part,
    pub(super) client_port: i64,
    /// With its brackets.
    pub(super) stamp: Part,
    pub(super) frontend: Part,
    pub(super) backend: Part,
    pub(super) server: Part,
    /// TR, Tw, Tc, Tr, Ta in milliseconds.
    pub(super) timers: [i64; 5],
    pub(super) status: i64,
    pub(super) bytes: i64,
    pub(super) request_cookie: Part,
    pub(super) response_cookie: Part,
    pub(super) state: Part,
    pub(super) connections: [i64; 5],
    pub(super) queues: [i64; 2],
    pub(super) request_captures: Option<Part>,
    pub(super) response_captures: Option<Part>,
    /// Within the quotes.
    pub(super) request: Part,
}

/// How many columns stand before the captures.
const COLUMNS: usize = 12;
/// `[07/Mar/2024:09:15:02.418]`
const STAMP: usize = 26;

/// Reads a message whose spaces stand at those positions less `base`; `None` when it is of another shape.
#[inline(always)] // Into the one loop over lines.
pub(super) fn read(text: &[u8], spaces: &[u32], base: usize) -> Option<Usual> {
    let spaces = spaces.first_chunk::<COLUMNS>()?;
    let ends = spaces.map(|space| (space as usize).wrapping_sub(base));
    let column =
        |number: usize| Part { start: ends[number - 1].wrapping_add(1), end: ends[number] };
    let (stamp, state) = (column(1), column(9));
    let is_usual = stamp.end.wrapping_sub(stamp.start) == STAMP
        && text.get(stamp.start) == Some(&b'[')
        && text.get(stamp.end.wrapping_sub(1)) == Some(&b']')
        && state.end.wrapping_sub(state.start) == 4;
    if !is_usual {
        return None;
    }
    let colon = last_colon(text, ends[0])?;
    let names = column(3);
    let slash =
        names.start + text.get(names.start..names.end)?.iter().position(|byte| *byte == b'/')?;
    let status = column(5);
    if status.end.wrapping_sub(status.start) != 3 {
        return None;
    }
    let (captures, request) = behind(text, ends[COLUMNS - 1].wrapping_add(1))?;
    Some(Usual {
        client: Part { start: 0, end: colon },
        client_port: number(text, colon + 1, ends[0])?,
        stamp,
        frontend: column(2),
        backend: Part { start: names.start, end: slash },
        server: Part { start: slash + 1, end: names.end },
        timers: five(text, column(4))?,
        status: number(text, status.start, status.end)?,
        bytes: number(text, ends[5].wrapping_add(1), ends[6])?,
        request_cookie: column(7),
        response_cookie: column(8),
        state,
        connections: five(text, column(10))?,
        queues: two(text, column(11))?,
        request_captures: captures[0],
        response_captures: captures[1],
        request,
    })
}

/// Captures and request from there to the end of the text.
#[inline(always)]
fn behind(text: &[u8], start: usize) -> Option<([Option<Part>; 2], Part)> {
    let mut captures = [None; 2];
    let mut at = start;
    for captures in &mut captures {
        if text.get(at) != Some(&b'{') {
            break;
        }
        let end = at + memchr::memchr(b'}', &text[at..])?;
        *captures = Some(Part { start: at + 1, end });
        if text.get(end + 1) != Some(&b' ') {
            return None;
        }
        at = end + 2;
    }
    // With a quote inside there is more than a request, or less.
    let [b'"', request @ .., b'"'] = text.get(at..)? else { return None };
    if memchr::memchr(b'"', request).is_some() {
        return None;
    }
    Some((captures, Part { start: at + 1, end: text.len() - 1 }))
}

/// Eight bytes of which each is this one.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte that is this one.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ eight(byte);
    let low = (differing & eight(0x7F)) + eight(0x7F);
    !(low | differing | eight(0x7F))
}

/// Where the last colon among the eight bytes before `end` stands.
#[inline(always)]
fn last_colon(text: &[u8], end: usize) -> Option<usize> {
    let before = text.get(end.wrapping_sub(8)..end)?.first_chunk()?;
    let colons = equal(u64::from_le_bytes(*before), b':');
    let colon = (end - 1).checked_sub(colons.leading_zeros() as usize / 8)?;
    (colons != 0 && colon > 0).then_some(colon)
}

/// The figure that stands there, if it has one to eight digits and nothing else.
#[inline(always)] // Twelve times a line.
fn number(text: &[u8], start: usize, end: usize) -> Option<i64> {
    let len = end.wrapping_sub(start);
    if !(1..=8).contains(&len) {
        return None;
    }
    let last = text.get(end.wrapping_sub(8)..end)?.first_chunk()?;
    let digits = (u64::from_le_bytes(*last) ^ eight(b'0')) & (u64::MAX << (64 - 8 * len));
    if (digits.wrapping_add(eight(0x76)) | digits) & eight(0x80) != 0 {
        return None;
    }
    // The first digit is in the lowest byte: neighbours become pairs, pairs fours, fours the whole.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let odd = (pairs & 0xFF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let even = (pairs >> 16 & 0xFF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    Some((odd.wrapping_add(even) >> 32) as i64)
}

/// Five figures with slashes between them in at most sixteen bytes.
#[inline(always)]
fn five(text: &[u8], part: Part) -> Option<[i64; 5]> {
    let len = part.end.wrapping_sub(part.start);
    let sixteen: &[u8; 16] = text.get(part.start..)?.first_chunk()?;
    if len > 16 {
        return None;
    }
    let (low, high) = (sixteen.first_chunk()?, sixteen.last_chunk()?);
    let mask = |word: &[u8; 8]| {
        (equal(u64::from_le_bytes(*word), b'/') >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    let mut slashes = (mask(low) | mask(high) << 8) & ((1 << len) - 1);
    let (mut values, mut start) = ([0; 5], part.start);
    for value in &mut values[..4] {
        let slash = part.start + slashes.trailing_zeros() as usize;
        *value = number(text, start, slash)?;
        start = slash + 1;
        slashes &= slashes.wrapping_sub(1);
    }
    values[4] = number(text, start, part.end)?;
    (slashes == 0).then_some(values)
}

/// Two figures with a slash between them; mostly nobody waits.
#[inline(always)]
fn two(text: &[u8], part: Part) -> Option<[i64; 2]> {
    match part.of(text) {
        b"0/0" => Some([0, 0]),
        text => Figures::parse(text).and_then(|figures| figures.all()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_every_length() {
        let text = b"xxxxxxxx12345678/9";
        for start in 8..16 {
            let plain = std::str::from_utf8(&text[start..16]).unwrap().parse().unwrap();
            assert_eq!(number(text, start, 16), Some(plain));
        }
        assert_eq!(number(text, 16, 16), None);
        assert_eq!(number(text, 7, 16), None);
        for wrong in [&b"12345/78"[..], b"1234 678", b"\xB12345678", b"12:45678", b"1234567-"] {
            assert_eq!(number(wrong, 0, 8), None);
            assert_eq!(number(wrong, 7, 8).is_some(), wrong[7].is_ascii_digit());
        }
    }

    #[test]
    fn five_figures() {
        let five = |text: &str| {
            let text = format!("........{text}{}", " ".repeat(16));
            let end = text.trim_end().len();
            super::five(text.as_bytes(), Part { start: 8, end })
        };
        assert_eq!(five("0/1/22/333/4444"), Some([0, 1, 22, 333, 4444]));
        assert_eq!(five("100/100/100/100/"), None);
        for wrong in ["0/1/2/3", "0/1/2/3/4/5", "-1/1/2/3/4", "0/1//3/4", "1/2/3/4/+5", "", "/////"]
        {
            assert_eq!(five(wrong), None, "{wrong}");
        }
    }
}
