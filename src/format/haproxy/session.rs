//! What a session line says, however it is laid out, and how that becomes a row.

use super::figure::{Part, UNSAID};
use super::usual::Usual;
use super::verdict::{End, Verdicts};
use crate::format::Line;
use crate::format::web::request;
use crate::record::{Layout, Row, Slot};

const MILLI: i64 = 1000;

/// What was read of a line. Texts that are not there are `None`, numbers [`UNSAID`]; timers are in milliseconds, below
/// zero for what never came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session<'a> {
    pub(super) client: Option<&'a [u8]>,
    pub(super) client_port: i64,
    /// Microseconds since 1970 UTC.
    pub(super) instant: i64,
    /// As logged, with the tilde of TLS.
    pub(super) frontend: Option<&'a [u8]>,
    pub(super) backend: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    pub(super) t_request: i64,
    pub(super) t_queue: i64,
    pub(super) t_connect: i64,
    pub(super) t_response: i64,
    pub(super) total: i64,
    pub(super) is_http: bool,
    pub(super) status: i64,
    pub(super) bytes: i64,
    /// The line was written before the end.
    pub(super) is_partial: bool,
    /// The line ends within its captures or its request.
    pub(super) is_cut: bool,
    pub(super) request_cookie: Option<&'a [u8]>,
    pub(super) response_cookie: Option<&'a [u8]>,
    /// Two or four characters.
    pub(super) state: Option<&'a [u8]>,
    /// Of the process, the frontend, the backend, the server; and the retries.
    pub(super) connections: [i64; 5],
    pub(super) is_redispatched: bool,
    /// The server's, the backend's.
    pub(super) queues: [i64; 2],
    /// Within the braces.
    pub(super) request_captures: Option<&'a [u8]>,
    pub(super) response_captures: Option<&'a [u8]>,
    pub(super) request: Option<&'a [u8]>,
    /// Path and query, where they do not stand in a request.
    pub(super) target: Option<&'a [u8]>,
}

impl Session<'_> {
    /// Nothing read yet.
    pub(super) const NOTHING: Self = Self {
        client: None,
        client_port: UNSAID,
        instant: UNSAID,
        frontend: None,
        backend: None,
        server: None,
        t_request: UNSAID,
        t_queue: UNSAID,
        t_connect: UNSAID,
        t_response: UNSAID,
        total: UNSAID,
        is_http: false,
        status: UNSAID,
        bytes: UNSAID,
        is_partial: false,
        is_cut: false,
        request_cookie: None,
        response_cookie: None,
        state: None,
        connections: [UNSAID; 5],
        is_redispatched: false,
        queues: [UNSAID; 2],
        request_captures: None,
        response_captures: None,
        request: None,
        target: None,
    };
}

slots! {
    time TIME, class CLASS, kind KIND, client CLIENT, client_port CLIENT_PORT, frontend FRONTEND,
    scheme SCHEME, backend BACKEND, server SERVER, t_request T_REQUEST, t_queue T_QUEUE,
    t_connect T_CONNECT, t_response T_RESPONSE, t_data T_DATA, duration DURATION, status STATUS,
    bytes BYTES, partial PARTIAL, cut CUT, request_cookie REQUEST_COOKIE, response_cookie RESPONSE_COOKIE,
    state STATE, cookie_state COOKIE_STATE, active ACTIVE_CONNECTIONS,
    frontend_connections FRONTEND_CONNECTIONS, backend_connections BACKEND_CONNECTIONS,
    server_connections SERVER_CONNECTIONS, retries RETRIES, redispatched REDISPATCHED,
    server_queue SERVER_QUEUE, backend_queue BACKEND_QUEUE, request_captures REQUEST_CAPTURES,
    response_captures RESPONSE_CAPTURES, request REQUEST, method METHOD, target TARGET, path PATH,
    query QUERY, protocol PROTOCOL,
}

/// Writes sessions into rows.
#[derive(Debug)]
pub(super) struct Writer {
    slots: Slots,
    verdicts: Verdicts,
    wants_request_parts: bool,
}

impl Writer {
    pub(super) fn new(layout: &Layout) -> Self {
        let slots = Slots::new(layout);
        let parts = [slots.method, slots.target, slots.path, slots.query, slots.protocol];
        let wants_request_parts = parts.iter().any(|slot| slot.is_wanted());
        Self { slots, verdicts: Verdicts::new(), wants_request_parts }
    }

    /// Writes all that was read. What the line does not say stays absent.
    #[inline]
    pub(super) fn write(&self, session: &Session<'_>, line: &Line<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        number(row, slots.time, session.instant);
        self.end(session, line, row);
        self.parties(session, line, row);
        self.timers(session, row);
        let [active, frontend, backend, server, retries] = session.connections;
        number(row, slots.active, active);
        number(row, slots.frontend_connections, frontend);
        number(row, slots.backend_connections, backend);
        number(row, slots.server_connections, server);
        number(row, slots.retries, retries);
        row.number(slots.redispatched, i64::from(session.is_redispatched));
        number(row, slots.server_queue, session.queues[0]);
        number(row, slots.backend_queue, session.queues[1]);
        line.write_some(row, slots.request_cookie, session.request_cookie);
        line.write_some(row, slots.response_cookie, session.response_cookie);
        line.write_some(row, slots.request_captures, session.request_captures);
        line.write_some(row, slots.response_captures, session.response_captures);
        if session.is_cut {
            row.number(slots.cut, 1);
        }
        if let Some(request) = session.request {
            self.request(request, session.is_cut, line, row);
        }
        if let Some(target) = session.target {
            self.target(target, line, row);
        }
    }

    /// Writes a line of the usual shape: the same as [`write`](Self::write) makes of it. The message begins at `base` of
    /// the piece; its stamp was read already.
    #[inline(always)] // Into the one loop over lines.
    pub(super) fn write_usual(
        &self,
        usual: &Usual,
        text: &[u8],
        base: usize,
        instant: i64,
        row: &mut Row<'_>,
    ) {
        let slots = &self.slots;
        let span = |row: &mut Row<'_>, slot, part: &Part| {
            row.span(slot, base + part.start, part.end - part.start);
        };
        let named = |row: &mut Row<'_>, slot, part: &Part| {
            if !matches!(part.of(text), b"" | b"-") {
                span(row, slot, part);
            }
        };
        row.number(slots.time, instant);
        let state = usual.state;
        let letters = state.of(text);
        let end = End {
            state: [letters[0], letters[1]],
            status: Some(usual.status),
            is_retried: usual.connections[4] > 0,
        };
        let (class, kind) = self.verdicts.of(end);
        row.label(slots.class, class);
        row.label(slots.kind, kind);
        if usual.status > 0 {
            row.number(slots.status, usual.status);
        }
        row.number(slots.bytes, usual.bytes);
        row.number(slots.partial, 0);
        span(row, slots.state, &Part { end: state.start + 2, ..state });
        span(row, slots.cookie_state, &Part { start: state.start + 2, ..state });
        span(row, slots.client, &usual.client);
        row.number(slots.client_port, usual.client_port);
        let mut frontend = usual.frontend;
        let is_tls = text[frontend.end - 1] == b'~';
        frontend.end -= usize::from(is_tls);
        span(row, slots.frontend, &frontend);
        if slots.scheme.is_wanted() {
            row.made(slots.scheme, scheme(true, is_tls));
        }
        named(row, slots.backend, &usual.backend);
        if usual.server.of(text) != b"<NOSRV>" {
            named(row, slots.server, &usual.server);
        }
        let [t_request, t_queue, t_connect, t_response, total] = usual.timers;
        row.number(slots.t_request, t_request * MILLI);
        row.number(slots.t_queue, t_queue * MILLI);
        row.number(slots.t_connect, t_connect * MILLI);
        row.number(slots.t_response, t_response * MILLI);
        row.number(slots.duration, total * MILLI);
        let before = t_request + t_queue + t_connect + t_response;
        row.number(slots.t_data, (total - before).max(0) * MILLI);
        let [active, at_frontend, at_backend, at_server, retries] = usual.connections;
        row.number(slots.active, active);
        row.number(slots.frontend_connections, at_frontend);
        row.number(slots.backend_connections, at_backend);
        row.number(slots.server_connections, at_server);
        row.number(slots.retries, retries);
        row.number(slots.redispatched, 0);
        row.number(slots.server_queue, usual.queues[0]);
        row.number(slots.backend_queue, usual.queues[1]);
        named(row, slots.request_cookie, &usual.request_cookie);
        named(row, slots.response_cookie, &usual.response_cookie);
        if let Some(captures) = &usual.request_captures {
            span(row, slots.request_captures, captures);
        }
        if let Some(captures) = &usual.response_captures {
            span(row, slots.response_captures, captures);
        }
        span(row, slots.request, &usual.request);
        if self.wants_request_parts {
            self.usual_request(usual.request, text, base, row);
        }
    }

    /// The parts of a request that asks for a path with a method in capital letters and says its protocol; any other
    /// one is taken apart as all requests are.
    #[inline(always)]
    fn usual_request(&self, request: Part, text: &[u8], base: usize, row: &mut Row<'_>) {
        let slots = &self.slots;
        let whole = request.of(text);
        let method = whole.iter().take(16).take_while(|byte| byte.is_ascii_uppercase()).count();
        let tail = whole.last_chunk::<9>();
        let is_usual = method > 0
            && whole.len() >= method + 11
            && whole[method..method + 2] == *b" /"
            && tail.is_some_and(|tail| {
                matches!(tail, [b' ', b'H', b'T', b'T', b'P', b'/', a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit())
            });
        if !is_usual {
            let Some(parts) = request::split(whole) else { return };
            let mut span = |slot, part: &[u8]| {
                let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
                let start = if part.is_empty() { request.start } else { start };
                row.span(slot, base + start, part.len());
            };
            span(slots.method, parts.method);
            span(slots.target, parts.target);
            span(slots.path, parts.path);
            parts.query.into_iter().for_each(|query| span(slots.query, query));
            parts.protocol.into_iter().for_each(|protocol| span(slots.protocol, protocol));
            return;
        }
        let (start, end) = (request.start + method + 1, request.end - 9);
        row.span(slots.method, base + request.start, method);
        row.span(slots.target, base + start, end - start);
        row.span(slots.protocol, base + end + 1, 8);
        match memchr::memchr(b'?', &text[start..end]) {
            Some(question) => {
                row.span(slots.path, base + start, question);
                row.span(slots.query, base + start + question + 1, end - start - question - 1);
            }
            None => row.span(slots.path, base + start, end - start),
        }
    }

    /// Who spoke with whom.
    #[inline]
    fn parties(&self, session: &Session<'_>, line: &Line<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        line.write_some(row, slots.client, session.client);
        number(row, slots.client_port, session.client_port);
        let (frontend, is_tls) = match session.frontend {
            Some([name @ .., b'~']) => (Some(name), true),
            name => (name, false),
        };
        line.write_some(row, slots.frontend, frontend);
        line.write_some(row, slots.backend, session.backend);
        line.write_some(row, slots.server, session.server.filter(|name| *name != b"<NOSRV>"));
        if slots.scheme.is_wanted() && frontend.is_some() {
            row.made(slots.scheme, scheme(session.is_http, is_tls));
        }
    }

    /// How it ended, and how much had gone over.
    #[inline]
    fn end(&self, session: &Session<'_>, line: &Line<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        if session.status > 0 {
            row.number(slots.status, session.status);
        }
        number(row, slots.bytes, session.bytes);
        row.number(slots.partial, i64::from(session.is_partial));
        let state = session.state.unwrap_or(b"--");
        line.write_some(row, slots.state, session.state.map(|state| &state[..2]));
        if state.len() == 4 {
            line.write_some(row, slots.cookie_state, session.state.map(|state| &state[2..]));
        }
        let end = End {
            state: [state[0], state[1]],
            status: (session.status != UNSAID).then_some(session.status),
            is_retried: session.connections[4] > 0 || session.is_redispatched,
        };
        let (class, kind) = self.verdicts.of(end);
        row.label(slots.class, class);
        row.label(slots.kind, kind);
    }

    /// The timers, in microseconds. What took no time to be measured never came; the transfer is what is left of the
    /// whole when everything before it came.
    #[inline]
    fn timers(&self, session: &Session<'_>, row: &mut Row<'_>) {
        let Session { t_request, t_queue, t_connect, t_response, total, .. } = *session;
        let slots = &self.slots;
        timer(row, slots.t_request, t_request);
        timer(row, slots.t_queue, t_queue);
        timer(row, slots.t_connect, t_connect);
        timer(row, slots.t_response, t_response);
        timer(row, slots.duration, total);
        let before = match session.is_http {
            true => [t_request, t_queue, t_connect, t_response],
            false => [0, t_queue, t_connect, 0],
        };
        if !session.is_partial && total >= 0 && before.iter().all(|timer| *timer >= 0) {
            // Each timer is rounded for itself, so that their sum may pass the whole by a millisecond or two.
            timer(row, slots.t_data, (total - before.iter().sum::<i64>()).max(0));
        }
    }

    #[inline]
    fn request(&self, text: &[u8], is_cut: bool, line: &Line<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        line.write_some(row, slots.request, Some(text));
        if !self.wants_request_parts {
            return;
        }
        let text = if is_cut { without_protocol_cut(text) } else { text };
        let Some(request) = request::split(text) else { return };
        line.write_some(row, slots.method, Some(request.method));
        line.write_some(row, slots.target, Some(request.target));
        line.write_some(row, slots.path, Some(request.path));
        line.write_some(row, slots.query, request.query);
        line.write_some(row, slots.protocol, request.protocol);
    }

    #[inline]
    fn target(&self, target: &[u8], line: &Line<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        let (path, query) = request::path_and_query(target);
        line.write_some(row, slots.target, Some(target));
        line.write_some(row, slots.path, Some(path));
        line.write_some(row, slots.query, query);
    }
}

/// `GET /a HTT` without the beginning of a protocol: the cut may come within the word.
#[cold]
fn without_protocol_cut(text: &[u8]) -> &[u8] {
    const PROTOCOL: &[u8] = b"HTTP/1.1";
    let Some(last) = memchr::memrchr(b' ', text) else { return text };
    let word = &text[last + 1..];
    let is_beginning = word.len() < PROTOCOL.len()
        && word
            .iter()
            .zip(PROTOCOL)
            .all(|(byte, known)| byte == known || byte.is_ascii_digit() && known.is_ascii_digit());
    match memchr::memchr(b' ', text) {
        Some(first) if first < last && is_beginning => &text[..last],
        _ => text,
    }
}

fn scheme(is_http: bool, is_tls: bool) -> &'static [u8] {
    match (is_http, is_tls) {
        (true, true) => b"https",
        (true, false) => b"http",
        (false, true) => b"tls",
        (false, false) => b"tcp",
    }
}

#[inline(always)] // As above.
fn number(row: &mut Row<'_>, slot: Slot, number: i64) {
    if number != UNSAID {
        row.number(slot, number);
    }
}

#[inline(always)] // As above.
fn timer(row: &mut Row<'_>, slot: Slot, millis: i64) {
    if millis >= 0 {
        row.number(slot, millis * MILLI);
    }
}
