//! The lines that tell of no session: servers going up and down, health checks, proxies that start and stop, and the
//! connections that never became a session.
//!
//! ```text
//! Server app/node3 is DOWN, reason: Layer4 timeout, check duration: 2001ms. 1 active and 0 backup servers left. 3 sessions active, 0 requeued, 0 remaining in queue.
//! Health check for server app/node3 succeeded, reason: Layer7 check passed, code: 200, check duration: 3ms, status: 3/3 UP.
//! backend app has no server available!
//! Proxy www stopped (cumulated conns: FE: 12, BE: 0).
//! Connect from 203.0.113.24:35815 to 192.0.2.90:8084 (plain/HTTP)
//! 198.51.100.4:52113 [07/Mar/2024:09:15:04.100] secure/1: SSL handshake failure
//! [WARNING] 066/091508 (4904) : Server app/node3 is UP, reason: Layer4 check passed, check duration: 0ms. …
//! ```
//!
//! The texts are in `server.c`, `check.c`, `backend.c`, `proxy.c`, `session.c` and `connection.c` of HAProxy's sources.

use memchr::{memchr, memmem};

use super::line;
use crate::record::Label;
use crate::record::number::integer;

kind_table! {
    ServerDown "server_down";
    NoServer "no_server";
    Health "health";
    HealthFail "health_fail";
    Lifecycle "lifecycle";
    Capacity "capacity";
    TlsHandshake "tls_handshake";
    ClientConnection "client_conn";
    Connect "connect";
    Other "other";
}

/// What happened, in a word: the values of the field `action`.
pub(crate) mod action {
    /// A server answers its checks.
    pub(crate) const UP: &str = "up";
    /// A server is taken out because its checks fail.
    pub(crate) const DOWN: &str = "down";
    /// A server is taken out on purpose.
    pub(crate) const MAINTENANCE: &str = "maintenance";
    /// A server is back from maintenance.
    pub(crate) const READY: &str = "ready";
    /// A server gets no new sessions.
    pub(crate) const DRAIN: &str = "drain";
    /// A server says itself that it is stopping.
    pub(crate) const STOPPING: &str = "stopping";
    /// A check passed.
    pub(crate) const CHECK_PASSED: &str = "check_passed";
    /// A check failed.
    pub(crate) const CHECK_FAILED: &str = "check_failed";
    /// A backend has lost its last server.
    pub(crate) const NO_SERVER: &str = "no_server";
    /// A proxy starts.
    pub(crate) const STARTED: &str = "started";
    /// A proxy stops.
    pub(crate) const STOPPED: &str = "stopped";
    /// A proxy is paused.
    pub(crate) const PAUSED: &str = "paused";
    /// A proxy goes on.
    pub(crate) const RESUMED: &str = "resumed";
}

/// What such a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) kind: Kind,
    pub(super) class: Label,
    pub(super) action: Option<&'static str>,
    pub(super) client: Option<(&'a [u8], i64)>,
    pub(super) local: Option<(&'a [u8], i64)>,
    pub(super) frontend: Option<&'a [u8]>,
    pub(super) backend: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    pub(super) reason: Option<&'a [u8]>,
    pub(super) code: Option<&'a [u8]>,
}

impl<'a> Event<'a> {
    fn new(kind: Kind, class: Label) -> Self {
        Self {
            kind,
            class,
            action: None,
            client: None,
            local: None,
            frontend: None,
            backend: None,
            server: None,
            reason: None,
            code: None,
        }
    }

    fn doing(self, action: &'static str) -> Self {
        Self { action: Some(action), ..self }
    }

    /// What stands behind `, reason: ` and `, code: `.
    fn with_reason(mut self, text: &'a [u8]) -> Self {
        if let Some(at) = memmem::find(text, b", reason: ") {
            let reason = &text[at + b", reason: ".len()..];
            self.reason = Some(until(reason, |rest| {
                rest.starts_with(b", ") || rest.starts_with(b". ") || rest == b"."
            }));
        }
        if let Some(at) = memmem::find(text, b", code: ") {
            let code = &text[at + b", code: ".len()..];
            self.code = Some(until(code, |rest| !rest[0].is_ascii_digit()));
        }
        self
    }
}

fn until(text: &[u8], ends: impl Fn(&[u8]) -> bool) -> &[u8] {
    &text[..(0..text.len()).find(|at| ends(&text[*at..])).unwrap_or(text.len())]
}

/// Reads the text of an event; `None` when it is none that HAProxy is known to write.
pub(super) fn event(text: &[u8]) -> Option<Event<'_>> {
    match text.first()? {
        b'S' | b'B' => server(text).or_else(|| proxy(text)),
        b'H' | b'A' => check(text),
        b'b' | b'p' => no_server(text),
        b'C' => connect(text)
            .or_else(|| connect_failed(text))
            .or_else(|| bind_failed(text))
            .or_else(|| worker(text)),
        b'P' | b'R' | b'E' | b'D' => {
            proxy(text).or_else(|| observed(text)).or_else(|| worker(text))
        }
        b'N' | b'F' | b'L' => worker(text),
        _ => None,
    }
    .or_else(|| changed(text))
    .or_else(|| worker(text))
}

/// What the master says of its workers. A worker that ends otherwise than with 0 or by the master's signal has failed.
fn worker(text: &[u8]) -> Option<Event<'_>> {
    const BEGINNINGS: [&[u8]; 12] = [
        b"haproxy version is ",
        b"path to executable is ",
        b"Initializing new worker",
        b"Reloading HAProxy",
        b"All workers exited",
        b"New worker",
        b"Current worker",
        b"Former worker",
        b"Loading success",
        b"Loading failure",
        b"Reexecuting Master process",
        b"Exiting Master process",
    ];
    BEGINNINGS.iter().find(|beginning| text.starts_with(beginning))?;
    let exit = [&b" exited with code "[..], b"All workers exited. Exiting... ("]
        .iter()
        .find_map(|words| Some(&text[memmem::find(text, words)? + words.len()..]));
    let is_bad = text.starts_with(b"Loading failure")
        || exit.is_some_and(|code| {
            let code = until(code, |rest| !rest[0].is_ascii_digit());
            !matches!(code, b"0" | b"143" | b"130")
        });
    let class = if is_bad { Label::ERROR } else { Label::OK };
    let event = Event::new(Kind::Lifecycle, class);
    Some(Event { code: exit.map(|code| until(code, |rest| !rest[0].is_ascii_digit())), ..event })
}

/// `Detected 10 consecutive errors, last one was: L7 response error. Server app/node3 is …`
fn observed(text: &[u8]) -> Option<Event<'_>> {
    let rest = text.strip_prefix(b"Detected ")?;
    let at = memmem::find(rest, b" last one was: ")?;
    let reason = until(&rest[at + 15..], |rest| rest.starts_with(b". "));
    let event = Event { reason: Some(reason), ..Event::new(Kind::HealthFail, Label::WARN) };
    let server = memmem::find(rest, b"erver ").and_then(|at| server_name(&rest[at + 6..]));
    Some(match server {
        Some((backend, server, _)) => {
            Event { backend: Some(backend), server: Some(server), ..event }
        }
        None => event,
    })
}

/// `app/node3 changed its IP from 192.0.2.7 to 192.0.2.8 by dns/ns1.`
fn changed(text: &[u8]) -> Option<Event<'_>> {
    let (backend, server, rest) = server_name(text)?;
    rest.strip_prefix(b"changed its ")?;
    let event = Event::new(Kind::Lifecycle, Label::OK);
    Some(Event { backend: Some(backend), server: Some(server), ..event })
}

/// `Server app/node3 is DOWN…`, `Backup Server …`.
fn server(text: &[u8]) -> Option<Event<'_>> {
    let text = text.strip_prefix(b"Backup ").unwrap_or(text);
    let (backend, server, rest) = server_name(text.strip_prefix(b"Server ")?)?;
    // `Server app/node3 ('node3.example') is UP/READY (resolves again).`
    let host = rest.strip_prefix(b"('").and_then(|rest| memmem::find(rest, b"') "));
    let rest = host.map_or(rest, |end| &rest[end + 5..]);
    let has = |words: &[u8]| memmem::find(rest, words).is_some();
    let health = Event::new(Kind::Health, Label::OK);
    let lifecycle = Event::new(Kind::Lifecycle, Label::OK);
    let event = match rest {
        // Leaving drain or maintenance says where it goes to as well; a server may leave it only to be down.
        _ if has(b"enters maintenance") || rest.starts_with(b"under maintenance") => {
            lifecycle.doing(action::MAINTENANCE)
        }
        _ if has(b"for maintenance") => {
            Event { class: Label::WARN, ..lifecycle }.doing(action::MAINTENANCE)
        }
        _ if rest.starts_with(b"is DOWN") => {
            Event::new(Kind::ServerDown, Label::ERROR).doing(action::DOWN)
        }
        _ if rest.starts_with(b"is UP/DRAIN (leaving ") => lifecycle.doing(action::DRAIN),
        _ if rest.starts_with(b"is UP") && (has(b"(leaving ") || has(b"(resolves again)")) => {
            lifecycle.doing(action::READY)
        }
        _ if rest.starts_with(b"administratively READY") => lifecycle.doing(action::READY),
        _ if rest.starts_with(b"is UP") => health.doing(action::UP),
        _ if rest.starts_with(b"is stopping") => lifecycle.doing(action::STOPPING),
        _ if has(b" drain") => lifecycle.doing(action::DRAIN),
        _ => lifecycle,
    };
    Some(Event { backend: Some(backend), server: Some(server), ..event }.with_reason(rest))
}

/// `app/node3 ` in two, and what follows.
fn server_name(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = memchr(b' ', text)?;
    let slash = memchr(b'/', &text[..space])?;
    Some((&text[..slash], &text[slash + 1..space], &text[space + 1..]))
}

/// `Health check for server app/node3 failed, reason: …`.
fn check(text: &[u8]) -> Option<Event<'_>> {
    let text = text.strip_prefix(b"Health").or_else(|| text.strip_prefix(b"Agent"))?;
    let text = text.strip_prefix(b" check for ")?;
    let text = text.strip_prefix(b"backup ").unwrap_or(text);
    let (backend, server, rest) = server_name(text.strip_prefix(b"server ")?)?;
    let rest = rest.strip_prefix(b"conditionally ").unwrap_or(rest);
    let event = match rest {
        _ if rest.starts_with(b"failed") => {
            Event::new(Kind::HealthFail, Label::WARN).doing(action::CHECK_FAILED)
        }
        _ if rest.starts_with(b"succeeded") => {
            Event::new(Kind::Health, Label::OK).doing(action::CHECK_PASSED)
        }
        _ => return None,
    };
    Some(Event { backend: Some(backend), server: Some(server), ..event }.with_reason(rest))
}

/// `backend app has no server available!`.
fn no_server(text: &[u8]) -> Option<Event<'_>> {
    let text = text.strip_prefix(b"backend ").or_else(|| text.strip_prefix(b"proxy "))?;
    let name = text.strip_suffix(b" has no server available!")?;
    // On the terminal it stands in quotes.
    let quoted = name.strip_prefix(b"'").and_then(|name| name.strip_suffix(b"'"));
    let name = quoted.unwrap_or(name);
    let event = Event::new(Kind::NoServer, Label::ERROR).doing(action::NO_SERVER);
    Some(Event { backend: Some(name), ..event })
}

/// `Proxy www started.`, `Stopping frontend www in 0 ms.`, `Paused frontend www.` and their relatives.
fn proxy(text: &[u8]) -> Option<Event<'_>> {
    let space = memchr(b' ', text)?;
    let (verb, rest) = (&text[..space], &text[space + 1..]);
    let lifecycle = Event::new(Kind::Lifecycle, Label::OK);
    if verb == b"Proxy" {
        let has = |words: &[u8]| memmem::find(rest, words).is_some();
        return Some(match rest {
            _ if has(b" reached ") => Event::new(Kind::Capacity, Label::ERROR),
            _ if has(b" started") => lifecycle.doing(action::STARTED),
            // Backends stop as well, and what was known of their servers with them. A frontend stands for its backend, as in
            // sessions that have none.
            _ if has(b" stopped") => {
                let name = until(rest, |rest| rest[0] == b' ');
                Event { backend: Some(name), ..lifecycle.doing(action::STOPPED) }
            }
            _ => lifecycle,
        });
    }
    let event = match verb {
        b"Stopping" => lifecycle.doing(action::STOPPED),
        b"Paused" | b"Pausing" | b"Disabling" => lifecycle.doing(action::PAUSED),
        b"Resumed" | b"Resuming" | b"Enabling" => lifecycle.doing(action::RESUMED),
        _ => return None,
    };
    let space = memchr(b' ', rest)?;
    let name = until(&rest[space + 1..], |rest| rest[0] == b' ' || rest == b".");
    match &rest[..space] {
        b"frontend" | b"listener" => Some(Event { frontend: Some(name), ..event }),
        b"backend" => Some(Event { backend: Some(name), ..event }),
        b"proxy" | b"listen" | b"Listener" | b"peers" => Some(event),
        _ => None,
    }
}

/// `Connect() failed for backend app: no free ports.`
fn connect_failed(text: &[u8]) -> Option<Event<'_>> {
    let rest = text.strip_prefix(b"Connect() failed for backend ")?;
    let colon = memchr(b':', rest)?;
    let reason = rest[colon + 1..].trim_ascii();
    let event = Event::new(Kind::Capacity, Label::ERROR);
    Some(Event { backend: Some(&rest[..colon]), reason: Some(reason), ..event })
}

/// `Cannot bind to source address before connect() for backend app.`, `… for backend app. Aborting.`: no port of `source`
/// is free, or the address is none of this machine. The sessions end with `SC`, as if the server had refused them.
fn bind_failed(text: &[u8]) -> Option<Event<'_>> {
    let rest = text.strip_prefix(b"Cannot bind to ")?;
    let at = memmem::find(rest, b" before connect() for backend ")?;
    let name = &rest[at + b" before connect() for backend ".len()..];
    let backend = until(name, |rest| rest == b"." || rest.starts_with(b". "));
    let reason = &text[..b"Cannot bind to ".len() + at];
    let event = Event::new(Kind::Capacity, Label::ERROR);
    Some(Event { backend: Some(backend), reason: Some(reason), ..event })
}

/// `Connect from 203.0.113.24:35815 to 192.0.2.90:8084 (plain/HTTP)`.
fn connect(text: &[u8]) -> Option<Event<'_>> {
    let mut words = text.strip_prefix(b"Connect from ")?.split(|byte| *byte == b' ');
    let client = line::peer(words.next()?)?;
    words.next().filter(|word| *word == b"to")?;
    let local = line::peer(words.next()?);
    let name = words.next()?.strip_prefix(b"(")?;
    let slash = memchr(b'/', name)?;
    let event = Event::new(Kind::Connect, Label::OK);
    Some(Event { client: Some(client), local, frontend: Some(&name[..slash]), ..event })
}

/// A connection that failed: its event, the stamp, the text that says why.
pub(super) struct Failure<'a> {
    pub(super) event: Event<'a>,
    pub(super) stamp: line::Stamp<'a>,
    pub(super) text: &'a [u8],
}

/// `198.51.100.4:52113 [07/Mar/2024:09:15:04.100] secure/1: SSL handshake failure`.
pub(super) fn failure(text: &[u8]) -> Option<Failure<'_>> {
    let client_end = memchr(b' ', text)?;
    let client = line::peer(&text[..client_end])?;
    let rest = text[client_end + 1..].strip_prefix(b"[")?;
    let stamp_end = memmem::find(rest, b"] ")?;
    let (stamp, rest) = (&rest[..stamp_end], &rest[stamp_end + 2..]);
    let slash = memchr(b'/', rest)?;
    let colon = slash + memmem::find(&rest[slash..], b": ")?;
    // In a session line a space stands before the next slash.
    if memchr(b' ', &rest[..colon]).is_some() {
        return None;
    }
    let why = &rest[colon + 2..];
    let has = |words: &[u8]| memmem::find(why, words).is_some();
    let (kind, class) = match why {
        _ if has(b"maxconn") || has(b"Too many") || has(b"Out of memory") => {
            (Kind::Capacity, Label::ERROR)
        }
        _ if has(b"SSL") || has(b"TLS") => (Kind::TlsHandshake, Label::WARN),
        _ => (Kind::ClientConnection, Label::WARN),
    };
    let event =
        Event { client: Some(client), frontend: Some(&rest[..slash]), ..Event::new(kind, class) };
    Some(Failure { event: Event { reason: Some(why), ..event }, stamp, text: why })
}

/// What HAProxy said about itself that is none of the known texts.
pub(super) fn other(level: Option<u8>) -> Event<'static> {
    let class = match level {
        Some(0..=3) => Label::ERROR,
        Some(4) => Label::WARN,
        _ => Label::OK,
    };
    Event::new(Kind::Other, class)
}

/// A line of the start: its level as syslog numbers it, the process, and the message.
pub(super) struct Startup<'a> {
    pub(super) level: u8,
    pub(super) pid: i64,
    pub(super) message: &'a [u8],
}

/// `[WARNING] 066/091508 (4904) : …`, newer `[NOTICE]   (4904) : …`. The day of the year does not say which year, and is
/// left aside.
pub(super) fn startup(text: &[u8]) -> Option<Startup<'_>> {
    let inner = text.strip_prefix(b"[")?;
    let end = memchr(b']', &inner[..inner.len().min(10)])?;
    let level = match &inner[..end] {
        b"EMERG" => 0,
        b"ALERT" => 1,
        b"WARNING" => 4,
        b"NOTICE" => 5,
        b"INFO" => 6,
        b"DIAG" | b"DEBUG" => 7,
        _ => return None,
    };
    let open = memchr(b'(', inner)?;
    let close = memmem::find(inner, b") : ")?;
    let pid = integer(inner.get(open + 1..close)?)?;
    Some(Startup { level, pid, message: &inner[close + 4..] })
}
