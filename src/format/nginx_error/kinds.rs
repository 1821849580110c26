//! What an error line of Nginx is about: a table of how its messages begin.
//!
//! The texts are those of Nginx's sources since 1.0; a message that is not here is judged by the system's error in it,
//! by its level, or is `other`.

use memchr::memmem;

use super::super::trouble::{ALERT, CRIT, DEBUG, EMERG, Kind};
use crate::record::number::integer;

/// A message without its context.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// The whole of it.
    pub(super) message: &'a [u8],
    /// What stands behind its last quote: the server's own words, whatever is quoted before.
    pub(super) plain: &'a [u8],
    /// The number of its level.
    pub(super) level: u8,
}

/// What follows from a beginning.
enum Rule {
    /// This kind.
    Is(Kind),
    /// The rest of the message decides.
    Asks(fn(&Said<'_>) -> Kind),
}

use Rule::{Asks, Is};

/// Sorted by the first byte; among equal first bytes, the longer beginnings first.
#[rustfmt::skip]
static BEGINNINGS: &[(&str, Rule)] = &[
    ("\"", Asks(of_quoted)),
    ("FastCGI sent in stderr", Is(Kind::FastcgiStderr)),
    ("ModSecurity", Is(Kind::Firewall)),
    ("OCSP", Is(Kind::Ocsp)),
    ("OS: ", Is(Kind::Lifecycle)),
    ("SSL_do_handshake() failed", Asks(of_handshake)),
    ("SSL_CTX_", Is(Kind::Config)),
    ("SSL_", Is(Kind::TlsTransfer)),
    ("[lua]", Is(Kind::Script)),
    ("a client request body is buffered", Is(Kind::Buffered)),
    ("accept", Asks(of_errno)),
    ("access forbidden", Is(Kind::Forbidden)),
    ("an upstream response is buffered", Is(Kind::Buffered)),
    ("aborting", Is(Kind::Crash)),
    ("auth request unexpected status", Is(Kind::AuthRequest)),
    ("bind() ", Is(Kind::Bind)),
    ("broken header: ", Is(Kind::BadRequest)),
    ("built by", Is(Kind::Lifecycle)),
    ("cache loader process", Is(Kind::Lifecycle)),
    ("cache manager process", Is(Kind::Lifecycle)),
    ("cache file", Is(Kind::Disk)),
    ("client intended to send too large", Is(Kind::BodyTooLarge)),
    ("client sent ", Is(Kind::BadRequest)),
    ("client prematurely closed", Is(Kind::ClientAbort)),
    ("client timed out", Is(Kind::ClientAbort)),
    ("client canceled", Is(Kind::ClientAbort)),
    ("client login failed", Is(Kind::AuthFail)),
    ("client SSL certificate verify error", Is(Kind::TlsHandshake)),
    ("client ", Is(Kind::ClientClosed)),
    ("conflicting server name", Is(Kind::Config)),
    ("connect() ", Asks(of_connect)),
    ("could not allocate", Is(Kind::ShmFull)),
    ("could not build", Is(Kind::Config)),
    ("delaying request, dry run", Is(Kind::LimitDryRun)),
    ("delaying request", Is(Kind::LimitReqDelay)),
    ("directory index of", Is(Kind::Forbidden)),
    ("epoll_wait() reported", Is(Kind::ClientAbort)),
    ("exit", Is(Kind::Lifecycle)),
    ("fork() failed", Is(Kind::Fork)),
    ("getrlimit(", Is(Kind::Lifecycle)),
    ("gracefully shutting down", Is(Kind::Lifecycle)),
    ("host not found in", Is(Kind::Config)),
    ("http2 flood detected", Is(Kind::BadRequest)),
    ("kevent() reported", Is(Kind::ClientAbort)),
    ("limiting connections, dry run", Is(Kind::LimitDryRun)),
    ("limiting connections", Is(Kind::LimitConn)),
    ("limiting requests, dry run", Is(Kind::LimitDryRun)),
    ("limiting request", Is(Kind::LimitReq)),
    ("lua ", Is(Kind::Script)),
    ("malloc(", Is(Kind::Memory)),
    ("mkdir() ", Is(Kind::Disk)),
    ("mmap(", Is(Kind::Memory)),
    ("nginx/", Is(Kind::Lifecycle)),
    ("ngx_slab_alloc() failed", Is(Kind::ShmFull)),
    ("no live upstreams", Is(Kind::NoLiveUpstreams)),
    ("no resolver defined", Is(Kind::Resolver)),
    ("no user/password was provided", Is(Kind::AuthFail)),
    ("open socket ", Is(Kind::Lifecycle)),
    ("open", Asks(of_file)),
    ("peer closed connection in SSL handshake", Asks(of_handshake)),
    ("posix_memalign(", Is(Kind::Memory)),
    ("pread() ", Is(Kind::Disk)),
    ("pwrite", Is(Kind::Disk)),
    ("readv() failed", Asks(of_receive)),
    ("recv", Asks(of_receive)),
    ("reconfiguring", Is(Kind::Lifecycle)),
    ("rename() ", Is(Kind::Disk)),
    ("reopening logs", Is(Kind::Lifecycle)),
    ("rewrite or internal redirection cycle", Is(Kind::RedirectCycle)),
    ("send", Asks(of_send)),
    ("shutting down", Is(Kind::Lifecycle)),
    ("signal ", Is(Kind::Lifecycle)),
    ("start ", Is(Kind::Lifecycle)),
    ("stat() ", Asks(of_file)),
    ("still could not bind", Is(Kind::Bind)),
    ("unlink() ", Is(Kind::Disk)),
    ("upstream timed out", Asks(of_timeout)),
    ("upstream prematurely closed", Is(Kind::UpstreamClosed)),
    ("upstream sent too big header", Is(Kind::UpstreamHeaderTooBig)),
    ("upstream server temporarily disabled", Is(Kind::UpstreamDisabled)),
    ("upstream SSL", Is(Kind::UpstreamTls)),
    ("upstream ", Is(Kind::UpstreamProtocol)),
    ("user \"", Is(Kind::AuthFail)),
    ("using ", Is(Kind::Lifecycle)),
    ("worker process ", Asks(of_worker)),
    ("worker_connections exceed", Is(Kind::FdLimit)),
    ("write() ", Is(Kind::Disk)),
    ("writev() failed", Asks(of_send)),
];

/// Where the beginnings with each first byte stand in the table.
#[derive(Debug)]
pub(super) struct Kinds([(u8, u8); 128]);

impl Kinds {
    pub(super) fn new() -> Self {
        let mut places = [(0, 0); 128];
        for (at, (beginning, _)) in BEGINNINGS.iter().enumerate() {
            let (start, end) = &mut places[usize::from(beginning.as_bytes()[0])];
            if *end == 0 {
                *start = at as u8;
            }
            *end = at as u8 + 1;
        }
        Self(places)
    }

    /// The kind of a message.
    pub(super) fn of(&self, said: &Said<'_>) -> Kind {
        if said.level == DEBUG {
            return Kind::Debug;
        }
        let Some(first) = said.message.first() else { return Kind::Other };
        let (start, end) = self.0.get(usize::from(*first)).copied().unwrap_or_default();
        let rule = BEGINNINGS[usize::from(start)..usize::from(end)]
            .iter()
            .find(|(beginning, _)| said.message.starts_with(beginning.as_bytes()));
        match rule {
            Some((_, Is(kind))) => *kind,
            Some((_, Asks(decide))) => decide(said),
            None => of_unknown(said),
        }
    }
}

/// The number of the system's error: `(111: Connection refused)`.
pub(super) fn errno(said: &Said<'_>) -> Option<i64> {
    let mut rest = said.plain;
    while let Some(open) = memchr::memchr(b'(', rest) {
        rest = &rest[open + 1..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if (1..=9).contains(&digits) && rest.get(digits) == Some(&b':') {
            return integer(&rest[..digits]);
        }
    }
    None
}

fn says(said: &Said<'_>, words: &str) -> bool {
    memmem::find(said.plain, words.as_bytes()).is_some()
}

fn is_with_upstream(said: &Said<'_>) -> bool {
    said.plain.ends_with(b"upstream")
}

fn of_connect(said: &Said<'_>) -> Kind {
    if said.message.starts_with(b"connect() to unix:") {
        return Kind::UpstreamSocket;
    }
    match errno(said) {
        Some(111 | 61) => Kind::UpstreamRefused,
        Some(110 | 60) => Kind::UpstreamConnectTimeout,
        Some(99 | 49) => Kind::LocalPorts,
        Some(24 | 23) => Kind::FdLimit,
        _ => Kind::UpstreamUnreachable,
    }
}

fn of_timeout(said: &Said<'_>) -> Kind {
    match said.plain.ends_with(b"while connecting to upstream") {
        true => Kind::UpstreamConnectTimeout,
        false => Kind::UpstreamTimeout,
    }
}

fn of_handshake(said: &Said<'_>) -> Kind {
    if is_with_upstream(said) { Kind::UpstreamTls } else { Kind::TlsHandshake }
}

fn of_receive(said: &Said<'_>) -> Kind {
    match (is_with_upstream(said), errno(said)) {
        (true, Some(110 | 60)) => Kind::UpstreamTimeout,
        (true, Some(111 | 61)) => Kind::UpstreamRefused,
        (true, _) => Kind::UpstreamReset,
        (false, _) => Kind::ClientAbort,
    }
}

fn of_send(said: &Said<'_>) -> Kind {
    match errno(said) {
        _ if is_with_upstream(said) => Kind::UpstreamReset,
        Some(28) => Kind::Disk,
        _ if says(said, "resolv") => Kind::Resolver,
        _ => Kind::ClientAbort,
    }
}

/// `open() "P" failed (2: …)` and its like. At start-up, which has grave levels, it is the configuration.
fn of_file(said: &Said<'_>) -> Kind {
    match errno(said) {
        Some(24 | 23) => Kind::FdLimit,
        Some(28 | 5 | 30) => Kind::Disk,
        _ if said.level <= ALERT => Kind::Config,
        // What a request asks for fails at level error; at crit, a file of the server's own for bodies and answers.
        Some(2 | 13) if said.level == CRIT => Kind::Disk,
        Some(2 | 20) => Kind::NotFound,
        Some(13 | 40 | 1) => Kind::Forbidden,
        Some(36 | 63) => Kind::BadRequest,
        _ => Kind::Other,
    }
}

/// `"P" is not found (2: …)`, `"P" is forbidden (13: …)`.
fn of_quoted(said: &Said<'_>) -> Kind {
    if said.plain.starts_with(b" is not found") {
        Kind::NotFound
    } else if said.plain.starts_with(b" is forbidden") {
        Kind::Forbidden
    } else if says(said, " directive") || said.level == EMERG {
        Kind::Config
    } else if said.message.starts_with(b"\"ssl_stapling\"") {
        Kind::Ocsp
    } else {
        of_unknown(said)
    }
}

fn of_worker(said: &Said<'_>) -> Kind {
    let crashed = says(said, "on signal ") || says(said, "fatal code") || says(said, "respawned");
    if crashed { Kind::Crash } else { Kind::Lifecycle }
}

fn of_errno(said: &Said<'_>) -> Kind {
    match errno(said) {
        Some(24 | 23) => Kind::FdLimit,
        Some(28 | 30) => Kind::Disk,
        Some(12) => Kind::Memory,
        Some(98 | 48) => Kind::Bind,
        _ if said.level == EMERG => Kind::Config,
        _ => Kind::Other,
    }
}

fn of_unknown(said: &Said<'_>) -> Kind {
    let digits = said.message.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if said.message[digits..].starts_with(b" worker_connections are not enough") {
        Kind::Workers
    } else if says(said, " could not be resolved") {
        Kind::Resolver
    } else if memmem::find(said.message, b"ModSecurity: ").is_some() {
        Kind::Firewall
    } else {
        of_errno(said)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::trouble::level;
    use super::*;

    fn kind(level_word: &str, message: &str) -> Kind {
        let plain = &message[message.rfind('"').map_or(0, |at| at + 1)..];
        let level = level(level_word.as_bytes()).unwrap();
        Kinds::new().of(&Said { message: message.as_bytes(), plain: plain.as_bytes(), level })
    }

    #[test]
    fn the_table_is_sorted() {
        for pair in BEGINNINGS.windows(2) {
            let (before, after) = (pair[0].0, pair[1].0);
            assert!(before.as_bytes()[0] <= after.as_bytes()[0], "{after}");
        }
        for (at, (beginning, _)) in BEGINNINGS.iter().enumerate() {
            let hidden = BEGINNINGS[..at].iter().find(|(other, _)| beginning.starts_with(other));
            assert!(hidden.is_none(), "{beginning}");
        }
    }

    #[test]
    fn one_message_of_each_kind() {
        for (level, message, expected) in [
            (
                "error",
                "connect() failed (111: Connection refused) while connecting to upstream",
                Kind::UpstreamRefused,
            ),
            (
                "error",
                "connect() failed (113: No route to host) while connecting to upstream",
                Kind::UpstreamUnreachable,
            ),
            (
                "error",
                "connect() failed (110: Connection timed out) while connecting to upstream",
                Kind::UpstreamConnectTimeout,
            ),
            (
                "crit",
                "connect() to 192.0.2.1:80 failed (99: Cannot assign requested address) while connecting to upstream",
                Kind::LocalPorts,
            ),
            (
                "crit",
                "connect() to unix:/run/a.sock failed (2: No such file or directory) while connecting to upstream",
                Kind::UpstreamSocket,
            ),
            (
                "error",
                "upstream timed out (110: Connection timed out) while connecting to upstream",
                Kind::UpstreamConnectTimeout,
            ),
            (
                "error",
                "upstream timed out (110: Connection timed out) while reading response header from upstream",
                Kind::UpstreamTimeout,
            ),
            (
                "error",
                "upstream prematurely closed connection while reading upstream",
                Kind::UpstreamClosed,
            ),
            (
                "error",
                "recv() failed (104: Connection reset by peer) while reading response header from upstream",
                Kind::UpstreamReset,
            ),
            (
                "info",
                "recv() failed (104: Connection reset by peer) while waiting for request",
                Kind::ClientAbort,
            ),
            (
                "info",
                "writev() failed (104: Connection reset by peer) while sending response to client",
                Kind::ClientAbort,
            ),
            (
                "error",
                "writev() failed (32: Broken pipe) while sending request to upstream",
                Kind::UpstreamReset,
            ),
            (
                "error",
                "upstream sent invalid chunked response while reading upstream",
                Kind::UpstreamProtocol,
            ),
            (
                "warn",
                "upstream sent duplicate header line: \"A: b\", previous value: \"A: b\" while reading response header from upstream",
                Kind::UpstreamProtocol,
            ),
            (
                "error",
                "SSL_do_handshake() failed (SSL: error:1408F10B:x) while SSL handshaking to upstream",
                Kind::UpstreamTls,
            ),
            (
                "crit",
                "SSL_do_handshake() failed (SSL: error:1408F10B:x) while SSL handshaking",
                Kind::TlsHandshake,
            ),
            (
                "emerg",
                "SSL_CTX_use_PrivateKey(\"/a\") failed (SSL: error:05800074:x)",
                Kind::Config,
            ),
            (
                "warn",
                "a client request body is buffered to a temporary file /var/x",
                Kind::Buffered,
            ),
            ("alert", "512 worker_connections are not enough", Kind::Workers),
            (
                "alert",
                "socket() failed (24: Too many open files) while connecting to upstream",
                Kind::FdLimit,
            ),
            ("crit", "open() \"/a\" failed (24: Too many open files)", Kind::FdLimit),
            ("error", "open() \"/a\" failed (2: No such file or directory)", Kind::NotFound),
            ("error", "open() \"/a\" failed (13: Permission denied)", Kind::Forbidden),
            ("emerg", "open() \"/run/nginx.pid\" failed (13: Permission denied)", Kind::Config),
            (
                "error",
                "\"/a/index.html\" is not found (2: No such file or directory)",
                Kind::NotFound,
            ),
            ("error", "\"/a/index.html\" is forbidden (13: Permission denied)", Kind::Forbidden),
            ("warn", "\"ssl_stapling\" ignored, issuer certificate not found", Kind::Ocsp),
            (
                "warn",
                "the \"user\" directive makes sense only if the master process runs",
                Kind::Other,
            ),
            ("emerg", "unknown directive \"x\" in /etc/nginx/nginx.conf:3", Kind::Config),
            ("error", "app.invalid could not be resolved (3: Host not found)", Kind::Resolver),
            ("alert", "worker process 9 exited on signal 11 (core dumped)", Kind::Crash),
            (
                "alert",
                "worker process 9 exited with fatal code 2 and cannot be respawned",
                Kind::Crash,
            ),
            ("notice", "worker process 9 exited with code 0", Kind::Lifecycle),
            ("crit", "pwritev() \"/var/cache/a\" failed (28: No space left on device)", Kind::Disk),
            ("info", "client 203.0.113.9 closed keepalive connection", Kind::ClientClosed),
            ("error", "auth request unexpected status: 502", Kind::AuthRequest),
            ("crit", "cache file \"/a\" has too long header", Kind::Disk),
            ("error", "something new (28: No space left on device)", Kind::Disk),
            ("debug", "connect() failed (111: x)", Kind::Debug),
            ("error", "", Kind::Other),
        ] {
            assert_eq!(kind(level, message), expected, "{message}");
        }
    }
}
