//! Nginx error logs.
//!
//! ```text
//! 2024/03/07 09:15:02 [error] 4711#4711: *90210 connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.9, server: shop.example, request: "GET /cart HTTP/1.1", upstream: "http://192.0.2.20:8080/cart", host: "shop.example"
//! nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)
//! ```
//!
//! A record begins at a line with a stamp and a level (bare, or behind an envelope of syslog or of a container) and
//! goes on to the next one: what FastCGI programs write on stderr comes with its line breaks, and the context stands
//! on the last of the lines. [`kinds`] says what a message is about, [`context`] what stands behind it. Description:
//! <https://nginx.org/en/docs/ngx_core_module.html#error_log>; the texts are in `ngx_log.c` and
//! `ngx_http_log_error_handler` of Nginx's sources.

mod context;
mod detail;
mod kinds;

use self::context::{Context, Contexts, peer};
use self::kinds::{Kinds, Said};
use super::envelope::{self, Peeled, Stamps};
use super::trouble::{self, DEBUG, Kind, Labels, Levels};
use super::web::request;
use super::{Line, Parser};
use crate::input::Framing;
use crate::ledger::Reason;
use crate::record::minute::Minute;
use crate::record::number::integer;
use crate::record::time::{self, Clock};
use crate::record::{Layout, Row};

frame! { NginxError "nginx-error" Errors }

slots! {
    time TIME, class CLASS, kind KIND, level LEVEL, pid PID, tid TID, connection CONNECTION,
    message MESSAGE, errno ERRNO, action ACTION, client CLIENT, server_name SERVER_NAME,
    request REQUEST, method METHOD, target TARGET, path PATH, query QUERY, protocol PROTOCOL,
    upstream UPSTREAM, host HOST, referer REFERER, user USER, zone ZONE, file FILE,
    reason REASON, rule RULE, code CODE, bytes_in BYTES_IN, loghost LOGHOST, program PROGRAM,
}

/// The parser.
#[derive(Debug)]
struct Errors {
    slots: Slots,
    clock: Clock,
    minute: Minute,
    stamps: Stamps,
    contexts: Contexts,
    kinds: Kinds,
    labels: Labels,
    levels: Levels,
    /// Where the quotes of a body are; kept for its room.
    quotes: Vec<usize>,
}

impl Parser for Errors {
    const FRAMING: Framing = Framing::Opens(opens);

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        if is_head(line.bytes) {
            return self.own_line(line, line.bytes, row);
        }
        self.other_line(line, row)
    }
}

/// True where a record begins. Lines of other programs and of log daemons begin records too, so that they do not
/// pass for the rest of the one before; `last message repeated` does belong to it. A hole of NUL bytes has a record
/// behind it.
fn opens(line: &[u8]) -> bool {
    if is_head(line) {
        return true;
    }
    let peeled = match line.first() {
        None => return false,
        Some(0) => return true,
        Some(_) => envelope::peel(line),
    };
    match peeled.is_noise {
        true => envelope::repeats_before(peeled.message).is_none(),
        false => {
            peeled.tag.is_some()
                || is_head(peeled.message)
                || is_console(peeled.message)
                || trouble::is_access_line(peeled.message)
                || trouble::is_stamped(peeled.message)
        }
    }
}

const STAMP: usize = b"2024/03/07 09:15:02".len();

/// True for the beginning of a line of Nginx: the stamp and an opening bracket, or as much of it as a cut left.
#[inline]
fn is_head(text: &[u8]) -> bool {
    const SHAPE: &[u8; STAMP + 2] = b"0000/00/00 00:00:00 [";
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte == shape,
    };
    match text.first_chunk::<{ STAMP + 2 }>() {
        Some(start) => {
            start[4] == b'/'
                && [start[7], start[10], start[13], start[16], start[19], start[20]] == *b"/ :: ["
                && start[0].is_ascii_digit()
        }
        None => text.len() > b"2024/03/07".len() && text.iter().zip(SHAPE).all(fits),
    }
}

/// `nginx: [emerg] …`: what Nginx says before its log is open.
fn is_console(text: &[u8]) -> bool {
    text.starts_with(b"nginx: [")
}

impl Errors {
    fn new(layout: &Layout, clock: Clock) -> Self {
        Self {
            slots: Slots::new(layout),
            clock: clock.clone(),
            minute: Minute::default(),
            stamps: Stamps::new(clock),
            contexts: Contexts::new(),
            kinds: Kinds::new(),
            labels: Labels::new(),
            levels: Levels::new(),
            quotes: Vec::new(),
        }
    }

    /// A line that begins with Nginx's own stamp.
    fn own_line(&mut self, line: Line<'_>, text: &[u8], row: &mut Row<'_>) -> Result<(), Reason> {
        let head = head(text)?;
        row.number(self.slots.time, self.instant(&text[..STAMP]).ok_or(Reason::BadTime)?);
        row.number(self.slots.pid, head.pid);
        line.write(row, self.slots.tid, head.tid);
        if let Some(connection) = head.connection {
            line.write(row, self.slots.connection, connection);
        }
        self.body(line, head.body, head.level, row);
        Ok(())
    }

    fn instant(&mut self, stamp: &[u8]) -> Option<i64> {
        let clock = &mut self.clock;
        let read = || Some(clock.instant(time::slashed(stamp)?));
        self.minute.instant(&stamp[..17], &stamp[17..], b"", read)
    }

    /// A line that begins in another way: with an envelope, on the console, or not as one of Nginx.
    #[cold]
    fn other_line(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let text = line.bytes;
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err(Reason::Blank);
        }
        if text[0] == 0 {
            return Err(Reason::Binary);
        }
        let peeled = envelope::peel(text);
        if peeled.is_noise {
            return Err(Reason::Banner);
        }
        self.envelope(line, &peeled, row);
        let (message, repeat) = with_repetition(&peeled);
        if repeat > 1 {
            row.repeat(repeat);
        }
        if is_head(message) {
            return self.own_line(line, message, row);
        }
        let is_nginx = peeled.tag == Some(b"nginx");
        let console = message.strip_prefix(b"nginx: ").or(is_nginx.then_some(message));
        match console.and_then(level_in_brackets) {
            Some((level, body)) => {
                self.body(line, body, level, row);
                Ok(())
            }
            None if peeled.tag.is_some() && !is_nginx => Err(Reason::OtherProgram),
            None if peeled.tag.is_some()
                || is_console(message)
                || trouble::is_access_line(message) =>
            {
                Err(Reason::Malformed)
            }
            None => Err(Reason::Orphan),
        }
    }

    /// What an envelope says. Its time is overwritten by that of Nginx, if the line has one.
    fn envelope(&mut self, line: Line<'_>, peeled: &Peeled<'_>, row: &mut Row<'_>) {
        if let Some(instant) = peeled.stamp.and_then(|stamp| self.stamps.instant(stamp)) {
            row.number(self.slots.time, instant);
        }
        for (slot, part) in [(self.slots.loghost, peeled.host), (self.slots.program, peeled.tag)] {
            if let Some(part) = part {
                line.write(row, slot, part);
            }
        }
    }

    /// Message and context.
    fn body(&mut self, line: Line<'_>, body: &[u8], level: u8, row: &mut Row<'_>) {
        let body = without_line_ends(body);
        let start = line.place(body);
        self.quotes.clear();
        let quotes = line.marks.iter().map(|mark| (*mark as usize).wrapping_sub(start));
        self.quotes.extend(quotes.filter(|quote| *quote < body.len()));
        let (message, context) = match level {
            DEBUG => (body, None),
            _ => self.contexts.split(body, &self.quotes),
        };
        let quotes = self.quotes.partition_point(|quote| *quote < message.len());
        let plain = self.quotes[..quotes].last().map_or(0, |quote| quote + 1);
        let said = Said { message, plain: &message[plain..], level };
        let kind = self.kinds.of(&said);
        let slots = &self.slots;
        row.label(slots.level, self.levels.of(level));
        row.label(slots.kind, self.labels.of(kind));
        row.label(slots.class, trouble::class(kind, trouble::class_of_level(level)));
        line.write(row, slots.message, message);
        if slots.errno.is_wanted()
            && let Some(errno) = kinds::errno(&said)
        {
            row.number(slots.errno, errno);
        }
        if slots.action.is_wanted()
            && let Some(action) = detail::action(said.plain)
        {
            line.write(row, slots.action, action);
        }
        self.details(&line, kind, &said, &self.quotes[..quotes], row);
        if let Some(context) = context {
            self.context(&line, &context, row);
        }
    }

    /// What only messages of some kinds say.
    fn details(
        &self,
        line: &Line<'_>,
        kind: Kind,
        said: &Said<'_>,
        quotes: &[usize],
        row: &mut Row<'_>,
    ) {
        let message = said.message;
        let slots = &self.slots;
        let found = match kind {
            Kind::LimitReq | Kind::LimitConn | Kind::LimitReqDelay | Kind::LimitDryRun => {
                [(slots.zone, detail::last_quoted(message, quotes)), (slots.zone, None)]
            }
            Kind::AuthFail => [(slots.user, detail::user(message)), (slots.user, None)],
            Kind::NotFound | Kind::Forbidden | Kind::Disk | Kind::FdLimit => {
                [(slots.file, detail::between_quotes(message, quotes)), (slots.file, None)]
            }
            Kind::TlsHandshake | Kind::UpstreamTls | Kind::TlsTransfer => [
                (slots.reason, detail::tls_reason(message)),
                (slots.code, detail::tls_alert(message)),
            ],
            Kind::FastcgiStderr => {
                [(slots.reason, detail::first_words(message, quotes)), (slots.reason, None)]
            }
            Kind::Firewall => [
                (slots.rule, detail::pair(message, b"[id \"")),
                (slots.reason, detail::pair(message, b"[msg \"")),
            ],
            Kind::BodyTooLarge => {
                if let Some(size) = detail::size(message) {
                    row.number(slots.bytes_in, size);
                }
                return;
            }
            _ => return,
        };
        for (slot, part) in found {
            if let Some(part) = part {
                line.write(row, slot, part);
            }
        }
    }

    fn context(&self, line: &Line<'_>, context: &Context<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        line.write(row, slots.client, context.client);
        for (slot, value) in [
            (slots.server_name, context.server),
            (slots.host, context.host),
            (slots.referer, context.referrer),
            (slots.user, context.login),
            (slots.upstream, context.upstream.map(peer)),
        ] {
            if let Some(value) = value {
                line.write(row, slot, value);
            }
        }
        if let Some(request) = context.request {
            self.request(line, request, row);
        }
    }

    fn request(&self, line: &Line<'_>, text: &[u8], row: &mut Row<'_>) {
        let slots = &self.slots;
        line.write(row, slots.request, text);
        let Some(request) = request::split(text) else { return };
        line.write(row, slots.method, request.method);
        line.write(row, slots.target, request.target);
        line.write(row, slots.path, request.path);
        for (slot, value) in [(slots.query, request.query), (slots.protocol, request.protocol)] {
            if let Some(value) = value {
                line.write(row, slot, value);
            }
        }
    }
}

/// What stands in front of the message.
struct Head<'a> {
    level: u8,
    pid: i64,
    tid: &'a [u8],
    connection: Option<&'a [u8]>,
    body: &'a [u8],
}

/// Reads `2024/03/07 09:15:02 [error] 4711#4711: *90210 `.
#[inline]
fn head(text: &[u8]) -> Result<Head<'_>, Reason> {
    let rest = text.get(STAMP + 1..).ok_or(Reason::Truncated)?;
    let wrong = |rest: &[u8]| if rest.len() < 16 { Reason::Truncated } else { Reason::Malformed };
    let (level, rest) = level_in_brackets(rest).ok_or(wrong(rest))?;
    let (pid, rest) = digits(rest);
    let (tid, rest) = digits(rest.strip_prefix(b"#").ok_or(wrong(rest))?);
    let pid = integer(pid).ok_or(wrong(rest))?;
    let rest = rest.strip_prefix(b": ").ok_or(wrong(rest))?;
    let (connection, body) = match rest.strip_prefix(b"*").map(digits) {
        Some((serial, [b' ', body @ ..])) if !serial.is_empty() => (Some(serial), body),
        _ => (None, rest),
    };
    Ok(Head { level, pid, tid, connection, body })
}

/// `[error] ` and what follows.
#[inline]
fn level_in_brackets(text: &[u8]) -> Option<(u8, &[u8])> {
    let inner = text.strip_prefix(b"[")?;
    let end = inner.iter().take(8).position(|byte| *byte == b']')?;
    let level = trouble::level(&inner[..end]).filter(|level| *level <= DEBUG)?;
    Some((level, inner[end + 1..].strip_prefix(b" ")?))
}

#[inline]
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

fn without_line_ends(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r'] = text {
        text = rest;
    }
    text
}

/// The message of an envelope without the line behind it that says how often it was repeated, and how many records
/// it stands for.
fn with_repetition<'a>(peeled: &Peeled<'a>) -> (&'a [u8], u32) {
    let message = without_line_ends(peeled.message);
    let Some(end) = memchr::memrchr(b'\n', message) else { return (message, peeled.repeat) };
    match envelope::repeats_before(envelope::peel(&message[end + 1..]).message) {
        Some(times) => (&message[..end], times.saturating_add(1).min(envelope::MOST_REPEATS)),
        None => (message, peeled.repeat),
    }
}

#[cfg(test)]
mod tests;
