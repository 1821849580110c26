//! The session lines of `option httplog`, `httpslog` and `tcplog`, read along their spaces.
//!
//! ```text
//! 198.51.100.4:52110 [07/Mar/2024:09:15:02.418] www~ app/node3 3/0/1/44/49 200 8812 - - ---- 41/40/12/3/0 0/0 {shop.example} {} "GET /cart HTTP/1.1"
//! 198.51.100.4:52112 [07/Mar/2024:09:15:04.000] sql~ sql/db1 0/0/5007 212 -- 0/0/0/0/3 0/0
//! ```
//!
//! Up to the queues no value holds a space (but for cookies, see [`super::template`]), so that the spaces number the
//! columns. Behind them stand the captures in braces, whose spaces are as they came, and the request in quotes; a quote
//! inside either is written `#22`, so that the request is the last thing in quotes. Administrators put more behind it.

use memchr::{memchr, memrchr};

use super::figure::{self, Figures, Part};
use super::session::Session;
use crate::ledger::Reason;

/// `[07/Mar/2024:09:15:02.418]` without the brackets, and with whatever else stands in them.
pub(super) type Stamp<'a> = &'a [u8];

/// A line cut into columns by its spaces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    text: &'a [u8],
    /// Where the spaces are, counted from `base`.
    spaces: &'a [u32],
    base: usize,
}

impl<'a> Columns<'a> {
    /// Of a text whose spaces stand at those positions less `base`.
    pub(super) fn new(text: &'a [u8], spaces: &'a [u32], base: usize) -> Self {
        Self { text, spaces, base }
    }

    /// The column of that number, from 0; `None` past the end.
    #[inline(always)] // Twelve times a line.
    fn get(&self, number: usize) -> Option<&'a [u8]> {
        self.part(number).map(|part| part.of(self.text))
    }

    /// Where that column stands.
    #[inline(always)]
    fn part(&self, number: usize) -> Option<Part> {
        let start = match number.checked_sub(1) {
            Some(before) => *self.spaces.get(before)? as usize - self.base + 1,
            None => 0,
        };
        let end = self.spaces.get(number).map_or(self.text.len(), |end| *end as usize - self.base);
        Some(Part { start, end })
    }

    /// What stands behind that column.
    #[inline]
    fn behind(&self, number: usize) -> &'a [u8] {
        match self.spaces.get(number) {
            Some(end) => &self.text[*end as usize - self.base + 1..],
            None => &[],
        }
    }
}

/// True when the text begins as sessions and connection errors do: an address with its port, and a stamp in brackets.
pub(super) fn is_peer_and_stamp(text: &[u8]) -> bool {
    let Some(space) = memchr(b' ', &text[..text.len().min(80)]) else { return false };
    text.get(space + 1) == Some(&b'[') && memchr(b':', &text[..space]).is_some()
}

/// The address and the port of `198.51.100.4:52110`, `2001:db8::7:58353`, `unix:3`.
#[inline]
pub(super) fn peer(text: &[u8]) -> Option<(&[u8], i64)> {
    // A port has at most five digits; the serial numbers of sockets have more.
    let colon = memrchr(b':', text)?;
    let port = figure::single(&text[colon + 1..])?.value;
    (colon > 0).then_some((&text[..colon], port))
}

/// Reads a session line; says what its stamp is and what stands behind its request.
#[inline]
pub(super) fn read<'a>(
    columns: &Columns<'a>,
    session: &mut Session<'a>,
) -> Result<(Stamp<'a>, &'a [u8]), Reason> {
    let cut = Reason::Truncated;
    let bad = Reason::Malformed;
    let (client, port) = peer(columns.get(0).ok_or(cut)?).ok_or(bad)?;
    (session.client, session.client_port) = (Some(client), port);
    let stamp = columns.get(1).ok_or(cut)?;
    let [b'[', stamp @ .., b']'] = stamp else {
        return Err(if columns.get(2).is_none() { cut } else { bad });
    };
    session.frontend = Some(columns.get(2).ok_or(cut)?);
    (session.backend, session.server) =
        backend_and_server(columns.get(3).ok_or(cut)?).ok_or(bad)?;
    let rest = timers_and_more(columns, session)?;
    Ok((stamp, captures_and_request(rest, session)))
}

/// From the timers to the queues: five timers are a request's, three a connection's. Says what stands behind.
#[inline]
fn timers_and_more<'a>(
    columns: &Columns<'a>,
    session: &mut Session<'a>,
) -> Result<&'a [u8], Reason> {
    let (cut, bad) = (Reason::Truncated, Reason::Malformed);
    let part = columns.part(4).ok_or(cut)?;
    if let Some(timers) = figure::joined(columns.text, part) {
        return tcp(columns, timers, session);
    }
    let Some(timers) = Figures::parse(part.of(columns.text)) else {
        return Err(if columns.get(5).is_none() { cut } else { bad });
    };
    let rest = match (timers.all::<5>(), timers.all::<3>()) {
        (Some(timers), _) => http(columns, timers, session),
        (_, Some(timers)) => tcp(columns, timers, session),
        _ => Err(bad),
    }?;
    session.is_partial |= timers.last_is_plus();
    Ok(rest)
}

/// `app/node3`; names that are not there are empty, or a dash in both places.
#[inline]
#[allow(clippy::type_complexity)] // Two names, said in the line above.
fn backend_and_server(text: &[u8]) -> Option<(Option<&[u8]>, Option<&[u8]>)> {
    let slash = memchr(b'/', text)?;
    let (backend, server) = (&text[..slash], &text[slash + 1..]);
    Some((named(backend), named(server)))
}

/// A name, unless there is none.
#[inline]
pub(super) fn named(text: &[u8]) -> Option<&[u8]> {
    (!matches!(text, b"" | b"-")).then_some(text)
}

#[inline]
fn http<'a>(
    columns: &Columns<'a>,
    timers: [i64; 5],
    session: &mut Session<'a>,
) -> Result<&'a [u8], Reason> {
    session.is_http = true;
    [session.t_request, session.t_queue, session.t_connect, session.t_response, session.total] =
        timers;
    let (cut, bad) = (Reason::Truncated, Reason::Malformed);
    session.status = status(columns.get(5).ok_or(cut)?).ok_or(bad)?;
    bytes(columns, 6, session)?;
    session.request_cookie = named(columns.get(7).ok_or(cut)?);
    session.response_cookie = named(columns.get(8).ok_or(cut)?);
    let state = columns.get(9).ok_or(cut)?;
    if state.len() != 4 {
        return Err(bad);
    }
    session.state = Some(state);
    loads(columns, 10, session)
}

#[inline]
fn tcp<'a>(
    columns: &Columns<'a>,
    timers: [i64; 3],
    session: &mut Session<'a>,
) -> Result<&'a [u8], Reason> {
    [session.t_queue, session.t_connect, session.total] = timers;
    let (cut, bad) = (Reason::Truncated, Reason::Malformed);
    bytes(columns, 5, session)?;
    let state = columns.get(6).ok_or(cut)?;
    if state.len() != 2 {
        return Err(bad);
    }
    session.state = Some(state);
    loads(columns, 7, session)
}

/// A status, or below 1 when nothing was sent.
#[inline]
fn status(text: &[u8]) -> Option<i64> {
    figure::single(text).map(|figure| figure.value).filter(|status| (-1..1000).contains(status))
}

#[inline]
fn bytes(columns: &Columns<'_>, number: usize, session: &mut Session<'_>) -> Result<(), Reason> {
    let part = columns.part(number).ok_or(Reason::Truncated)?;
    (session.bytes, session.is_partial) = match figure::number(columns.text, part) {
        Some(bytes) => (bytes, false),
        None => {
            let figure = figure::single(part.of(columns.text)).filter(|figure| figure.value >= 0);
            figure.map(|figure| (figure.value, figure.is_plus)).ok_or(Reason::Malformed)?
        }
    };
    Ok(())
}

/// Connections with retries, and queues: the columns from that number on. Says what stands behind them.
#[inline]
fn loads<'a>(
    columns: &Columns<'a>,
    first: usize,
    session: &mut Session<'a>,
) -> Result<&'a [u8], Reason> {
    let (cut, bad) = (Reason::Truncated, Reason::Malformed);
    let (connections, queues) =
        (columns.part(first).ok_or(cut)?, columns.part(first + 1).ok_or(cut)?);
    (session.connections, session.is_redispatched) = match figure::joined(columns.text, connections)
    {
        Some(connections) => (connections, false),
        None => {
            let figures = Figures::parse(connections.of(columns.text)).ok_or(bad)?;
            (figures.all().ok_or(bad)?, figures.last_is_plus())
        }
    };
    let plain = figure::joined(columns.text, queues);
    session.queues = plain.or_else(|| Figures::parse(queues.of(columns.text))?.all()).ok_or(bad)?;
    Ok(columns.behind(first + 1))
}

/// What stands behind the queues. Says what is left of it.
#[inline]
fn captures_and_request<'a>(rest: &'a [u8], session: &mut Session<'a>) -> &'a [u8] {
    let mut rest = rest;
    for captures in [&mut session.request_captures, &mut session.response_captures] {
        let [b'{', inner @ ..] = rest else { break };
        // Braces inside are encoded. Without a closing one the line was cut.
        let end = memchr(b'}', inner);
        session.is_cut |= end.is_none();
        let end = end.unwrap_or(inner.len());
        *captures = Some(&inner[..end]);
        rest = inner.get(end + 1..).unwrap_or_default();
        rest = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    let Some((request, tail, is_cut)) = quoted_at_end(rest) else { return rest };
    session.request = Some(request);
    session.is_cut |= is_cut;
    tail
}

/// The last thing in quotes, what stands behind it, and whether it was cut: a lone quote opens a request that was.
#[inline]
fn quoted_at_end(text: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let last = memrchr(b'"', text)?;
    let (before, after) = (&text[..last], &text[last + 1..]);
    let closes = after.is_empty() || after[0] == b' ';
    let opening = if closes { memrchr(b'"', before) } else { None };
    match opening {
        Some(opening) => Some((&text[opening + 1..last], after, false)),
        None => Some((after, &[], true)),
    }
}

/// What an HTTPS line has behind its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tls<'a> {
    /// The error of the handshake in hexadecimal; `None` when there was none.
    pub(super) error: Option<&'a [u8]>,
    pub(super) sni: Option<&'a [u8]>,
    pub(super) version: Option<&'a [u8]>,
    pub(super) cipher: Option<&'a [u8]>,
}

/// Reads ` 0/0000000000000000/0/0/0 shop.example/TLSv1.3/TLS_AES_256_GCM_SHA384`; `None` when it is another tail.
pub(super) fn tls(tail: &[u8]) -> Option<Tls<'_>> {
    let tail = tail.strip_prefix(b" ")?;
    let space = memchr(b' ', tail)?;
    let mut codes = tail[..space].split(|byte| *byte == b'/');
    let [_, error, _, _, _] = [(); 5].map(|()| codes.next());
    let error = error.filter(|code| code.iter().all(u8::is_ascii_hexdigit))?;
    if codes.next().is_some() || tail[..space].iter().filter(|byte| **byte == b'/').count() != 4 {
        return None;
    }
    let names = &tail[space + 1..];
    let names = &names[..memchr(b' ', names).unwrap_or(names.len())];
    let cipher = memrchr(b'/', names)?;
    let version = memrchr(b'/', &names[..cipher])?;
    Some(Tls {
        error: error.iter().any(|digit| *digit != b'0').then_some(error),
        sni: named(&names[..version]),
        version: named(&names[version + 1..cipher]),
        cipher: named(&names[cipher + 1..]),
    })
}
