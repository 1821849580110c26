//! The usual line of `option httplog` and `httpslog`, read without branching on the lengths of its figures.
//!
//! Nearly all lines of a log have the same shape: five timers that all came, a status, no plus anywhere. Whatever is not
//! of this shape is left to [`super::line`], which reads the same lines to the same end: a test compares the two.

use super::figure::{Part, joined, last_colon, number};

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
    /// What stands behind them.
    pub(super) tail: Part,
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
    let (captures, request, tail) = behind(text, ends[COLUMNS - 1].wrapping_add(1))?;
    Some(Usual {
        client: Part { start: 0, end: colon },
        client_port: number(text, Part { start: colon + 1, end: ends[0] })?,
        stamp,
        frontend: column(2),
        backend: Part { start: names.start, end: slash },
        server: Part { start: slash + 1, end: names.end },
        timers: joined(text, column(4))?,
        status: number(text, status)?,
        bytes: number(text, column(6))?,
        request_cookie: column(7),
        response_cookie: column(8),
        state,
        connections: joined(text, column(10))?,
        queues: two(text, column(11))?,
        request_captures: captures[0],
        response_captures: captures[1],
        request,
        tail,
    })
}

/// Captures, the request, and what stands behind it, from there to the end of the text.
#[inline(always)]
fn behind(text: &[u8], start: usize) -> Option<([Option<Part>; 2], Part, Part)> {
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
    let [b'"', request @ ..] = text.get(at..)? else { return None };
    let close = match request {
        [inner @ .., b'"'] => inner.len(),
        _ => memchr::memmem::find(request, b"\" ")?,
    };
    // With one more quote there is more than a request, or less.
    if memchr::memchr(b'"', &request[..close]).is_some()
        || memchr::memchr(b'"', request.get(close + 1..)?).is_some()
    {
        return None;
    }
    let end = at + 1 + close;
    Some((captures, Part { start: at + 1, end }, Part { start: end + 1, end: text.len() }))
}

/// Two figures with a slash between them; mostly nobody waits.
#[inline(always)]
fn two(text: &[u8], part: Part) -> Option<[i64; 2]> {
    if part.of(text) == b"0/0" { Some([0, 0]) } else { joined(text, part) }
}
