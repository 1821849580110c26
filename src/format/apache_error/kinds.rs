//! What an error line of Apache is about: by the number of its message, and by its text where it has none (2.2, and
//! modules of others).
//!
//! Numbers and texts are those of Apache's sources (`docs/log-message-tags`).
//!
//! Of a failure behind the proxy two lines tell: one says why, and a second one that a request failed for it, with its
//! client or path. Only the first counts under its reason; the second has a kind of its own.

use super::detail::find;
use super::head::Head;
use crate::format::trouble::{ALERT, DEBUG, EMERG, Kind, NOTICE};
use crate::record::number::integer;

/// What follows from a number or a beginning.
enum Rule {
    /// This kind.
    Is(Kind),
    /// The system's error and the text decide.
    Asks(fn(&Head<'_>) -> Kind),
}

use Rule::{Asks, Is};

/// Sorted by number.
#[rustfmt::skip]
static NUMBERS: &[(u16, Rule)] = &[
    (15, Is(Kind::Config)), (16, Is(Kind::Config)), (20, Is(Kind::Config)),
    (26, Is(Kind::BadRequest)),
    (35, Is(Kind::Forbidden)), (36, Asks(of_access)), (37, Is(Kind::Forbidden)),
    (45, Is(Kind::SlowStop)), (46, Is(Kind::SlowStop)), (47, Is(Kind::SlowStop)),
    (50, Is(Kind::Crash)), (51, Is(Kind::Crash)), (52, Is(Kind::Crash)),
    (72, Is(Kind::Bind)), (73, Is(Kind::Bind)),
    (94, Is(Kind::Lifecycle)), (96, Is(Kind::Lifecycle)),
    (111, Is(Kind::Config)), (112, Is(Kind::Config)), (119, Is(Kind::Config)),
    (124, Is(Kind::RedirectCycle)), (125, Is(Kind::RedirectCycle)),
    (126, Is(Kind::BadRequest)), (127, Is(Kind::BadRequest)),
    (128, Is(Kind::NotFound)), (130, Is(Kind::NotFound)),
    (132, Is(Kind::Forbidden)),
    (135, Is(Kind::BadRequest)),
    (159, Is(Kind::Fork)),
    (161, Is(Kind::WorkersExhausted)),
    (163, Is(Kind::Lifecycle)), (169, Is(Kind::Lifecycle)), (171, Is(Kind::Lifecycle)),
    (173, Is(Kind::Lifecycle)),
    (286, Is(Kind::WorkersExhausted)), (287, Is(Kind::WorkersLow)), (288, Is(Kind::ScoreboardFull)),
    (292, Is(Kind::Lifecycle)), (297, Is(Kind::Lifecycle)), (298, Is(Kind::Lifecycle)),
    (326, Is(Kind::WorkersExhausted)),
    (484, Is(Kind::WorkersExhausted)), (485, Is(Kind::ScoreboardFull)),
    (489, Is(Kind::Lifecycle)), (490, Is(Kind::Lifecycle)), (491, Is(Kind::Lifecycle)),
    (492, Is(Kind::Lifecycle)), (493, Is(Kind::Lifecycle)), (494, Is(Kind::Lifecycle)),
    (524, Is(Kind::BadRequest)),
    (526, Is(Kind::Config)), (529, Is(Kind::Config)),
    (548, Is(Kind::ConfigNoise)),
    (550, Is(Kind::BadRequest)), (551, Is(Kind::BadRequest)), (556, Is(Kind::BadRequest)),
    (557, Is(Kind::ConfigNoise)), (558, Is(Kind::ConfigNoise)),
    (560, Is(Kind::BadRequest)), (561, Is(Kind::BadRequest)), (562, Is(Kind::BadRequest)),
    (563, Is(Kind::BadRequest)), (565, Is(Kind::BadRequest)), (566, Is(Kind::BadRequest)),
    (567, Is(Kind::BadRequest)), (568, Is(Kind::BadRequest)), (569, Is(Kind::BadRequest)),
    (570, Is(Kind::BadRequest)),
    (898, Asks(of_returned)),
    (940, Is(Kind::UpstreamDisabled)), (957, Asks(of_connect)), (959, Is(Kind::UpstreamDisabled)),
    (1067, Is(Kind::FastcgiStderr)), (1068, Is(Kind::FastcgiStderr)),
    (1070, Is(Kind::UpstreamProtocol)), (1071, Is(Kind::FastcgiStderr)),
    (1075, Asks(of_dispatch)), (1079, Asks(of_failed_connection)), (1084, Is(Kind::BodyTransfer)),
    (1095, Is(Kind::BodyTransfer)), (1096, Is(Kind::BodyTransfer)), (1097, Is(Kind::UpstreamFailed)),
    (1102, Asks(of_reading)), (1106, Is(Kind::UpstreamProtocol)), (1110, Asks(of_reading)),
    (1114, Asks(of_failed_connection)),
    (1144, Is(Kind::Config)), (1167, Is(Kind::NoLiveUpstreams)),
    (1215, Is(Kind::Cgi)), (1220, Is(Kind::Cgi)),
    (1232, Is(Kind::Lifecycle)),
    (1264, Asks(of_script)), (1270, Is(Kind::BodyTransfer)),
    (1276, Is(Kind::Forbidden)),
    (1382, Is(Kind::ClientAbort)),
    (1587, Is(Kind::BodyTooLarge)), (1588, Is(Kind::BodyTooLarge)), (1591, Is(Kind::BodyTooLarge)),
    (1617, Is(Kind::AuthFail)), (1618, Is(Kind::AuthFail)), (1629, Is(Kind::AuthFail)),
    (1630, Is(Kind::Forbidden)), (1631, Is(Kind::AuthFail)),
    (1757, Is(Kind::Lifecycle)),
    (1788, Is(Kind::AuthFail)), (1790, Is(Kind::AuthFail)), (1792, Is(Kind::AuthFail)),
    (1794, Is(Kind::AuthFail)), (1797, Is(Kind::Forbidden)),
    (1873, Is(Kind::Config)), (1876, Is(Kind::Lifecycle)), (1882, Is(Kind::Config)), (1883, Is(Kind::Lifecycle)),
    (1887, Is(Kind::Lifecycle)), (1906, Is(Kind::Config)), (1909, Is(Kind::Config)),
    (1914, Is(Kind::Lifecycle)), (1941, Is(Kind::Ocsp)),
    (1964, Is(Kind::TlsConnection)), (1991, Is(Kind::TlsHandshake)), (1992, Is(Kind::TlsConnection)),
    (1996, Is(Kind::TlsHandshake)), (1997, Is(Kind::UpstreamTls)),
    (1998, Is(Kind::TlsConnection)), (2003, Is(Kind::UpstreamTls)), (2006, Is(Kind::TlsHandshake)),
    (2007, Is(Kind::TlsHandshake)), (2008, Is(Kind::TlsHandshake)), (2032, Is(Kind::TlsHandshake)),
    (2033, Is(Kind::TlsHandshake)), (2039, Is(Kind::TlsHandshake)), (2042, Is(Kind::TlsHandshake)),
    (2217, Is(Kind::Ocsp)),
    (2454, Is(Kind::UpstreamSocket)),
    (2561, Is(Kind::Config)), (2562, Is(Kind::Config)), (2568, Is(Kind::Lifecycle)),
    (2572, Is(Kind::Config)), (2604, Is(Kind::Ocsp)),
    (2811, Is(Kind::NotFound)),
    (3090, Is(Kind::Lifecycle)),
    (3490, Is(Kind::ScoreboardFull)),
    (10124, Is(Kind::UpstreamHeaderTooBig)),
    (10159, Is(Kind::WorkersLow)),
    (10244, Is(Kind::BadRequest)), (10410, Is(Kind::BadRequest)), (10411, Is(Kind::BadRequest)),
    (10508, Is(Kind::BadRequest)),
];

/// The longer beginnings first, where one begins another.
#[rustfmt::skip]
static BEGINNINGS: &[(&str, Rule)] = &[
    ("Apache/", Is(Kind::Lifecycle)),
    ("Authorization of user ", Is(Kind::AuthFail)),
    ("Client sent malformed", Is(Kind::BadRequest)),
    ("Digest: ", Asks(of_digest)),
    ("Directory index forbidden", Is(Kind::Forbidden)),
    ("End of script output before headers", Is(Kind::Cgi)),
    ("File does not exist", Is(Kind::NotFound)),
    ("Graceful restart", Is(Kind::Lifecycle)),
    ("Init: ", Is(Kind::Config)),
    ("Invalid URI in request", Is(Kind::BadRequest)),
    ("Invalid method in request", Is(Kind::BadRequest)),
    ("ModSecurity", Is(Kind::Firewall)),
    ("PHP ", Is(Kind::Script)),
    ("Premature end of script headers", Is(Kind::Cgi)),
    ("Request exceeded the limit", Is(Kind::RedirectCycle)),
    ("SIG", Is(Kind::Lifecycle)),
    ("SSL Library Error", Is(Kind::TlsDetail)),
    ("Script timed out before returning headers", Is(Kind::Cgi)),
    ("Symbolic link not allowed", Is(Kind::Forbidden)),
    ("Unable to open logs", Is(Kind::Config)),
    ("access to ", Asks(of_access)),
    ("attempt to invoke directory as script", Is(Kind::Forbidden)),
    ("caught SIG", Is(Kind::Lifecycle)),
    ("child pid ", Is(Kind::Crash)),
    ("child process ", Is(Kind::SlowStop)),
    ("client denied by server configuration", Is(Kind::Forbidden)),
    ("client sent HTTP/1.1 request without hostname", Is(Kind::BadRequest)),
    ("client used wrong authentication scheme", Is(Kind::AuthFail)),
    ("could not make child process", Is(Kind::SlowStop)),
    ("file permissions deny server access", Is(Kind::Forbidden)),
    ("fork: ", Is(Kind::Fork)),
    ("h2_workers: ", Is(Kind::Lifecycle)),
    ("invalid nonce ", Is(Kind::AuthFail)),
    ("invalid qop ", Is(Kind::AuthFail)),
    ("make_sock: ", Is(Kind::Bind)),
    ("malformed header from script", Is(Kind::Cgi)),
    ("mod_wsgi ", Is(Kind::Script)),
    ("no listening sockets", Is(Kind::Bind)),
    ("proxy: ", Asks(of_proxy)),
    ("realm mismatch ", Is(Kind::AuthFail)),
    ("request failed: ", Is(Kind::BadRequest)),
    ("scoreboard is full", Is(Kind::ScoreboardFull)),
    ("script '", Asks(of_program)),
    ("script not found", Is(Kind::NotFound)),
    ("server is within MinSpareThreads", Is(Kind::WorkersLow)),
    ("server reached Max", Is(Kind::WorkersExhausted)),
    ("suEXEC mechanism", Is(Kind::Lifecycle)),
    ("unknown algorithm ", Is(Kind::AuthFail)),
    ("user ", Is(Kind::AuthFail)),
];

/// The kind of a line.
pub(super) fn of(head: &Head<'_>) -> Kind {
    if let Some(DEBUG..) = head.level {
        return Kind::Debug;
    }
    let rule = match head.code {
        Some(code) => by_number(code).or_else(|| by_beginning(head.message)),
        None => by_beginning(head.message),
    };
    match rule {
        Some(Is(kind)) => *kind,
        Some(Asks(decide)) => decide(head),
        None => of_unknown(head),
    }
}

fn by_number(code: &[u8]) -> Option<&'static Rule> {
    let number = u16::try_from(integer(code.get(2..)?)?).ok()?;
    let at = NUMBERS.binary_search_by_key(&number, |(known, _)| *known).ok()?;
    Some(&NUMBERS[at].1)
}

fn by_beginning(message: &[u8]) -> Option<&'static Rule> {
    let first = *message.first()?;
    let rules = BEGINNINGS.iter().filter(|(beginning, _)| beginning.as_bytes()[0] == first);
    rules.into_iter().find(|(text, _)| message.starts_with(text.as_bytes())).map(|(_, rule)| rule)
}

fn says(head: &Head<'_>, words: &str) -> bool {
    find(head.message, words.as_bytes()).is_some()
}

fn is_timeout(errno: Option<i64>) -> bool {
    matches!(errno, Some(70_007 | 110 | 60 | 10_060))
}

fn of_connect(head: &Head<'_>) -> Kind {
    match head.errno {
        errno if is_timeout(errno) => Kind::UpstreamConnectTimeout,
        Some(113 | 101 | 65 | 51 | 10_065 | 10_051) => Kind::UpstreamUnreachable,
        Some(99 | 49) => Kind::LocalPorts,
        Some(24 | 23) => Kind::FdLimit,
        _ => Kind::UpstreamRefused,
    }
}

/// Why is told by the lines in front, one for each address of the server, unless this one tells it.
fn of_failed_connection(head: &Head<'_>) -> Kind {
    if head.errno.is_some() { of_connect(head) } else { Kind::UpstreamFailed }
}

/// The back end's answer could not be read. Apache answers 502 for a timeout too; the error tells.
fn of_reading(head: &Head<'_>) -> Kind {
    match head.errno {
        errno if is_timeout(errno) => Kind::UpstreamTimeout,
        Some(104 | 54 | 10_054) => Kind::UpstreamReset,
        _ => Kind::UpstreamClosed,
    }
}

/// FastCGI: a timeout shows as partial results.
fn of_dispatch(head: &Head<'_>) -> Kind {
    let timeout = is_timeout(head.errno) || head.errno == Some(70_008);
    if timeout { Kind::UpstreamTimeout } else { Kind::UpstreamClosed }
}

fn of_returned(head: &Head<'_>) -> Kind {
    if says(head, "DNS lookup failure") {
        Kind::Resolver
    } else if says(head, "Error reading from remote server") {
        Kind::UpstreamFailed
    } else if says(head, "SSL Handshake with remote server") {
        Kind::UpstreamTls
    } else {
        Kind::UpstreamProtocol
    }
}

fn of_access(head: &Head<'_>) -> Kind {
    match head.errno {
        Some(36 | 63) => Kind::BadRequest,
        Some(2 | 20) => Kind::NotFound,
        _ if says(head, " failed, reason: ") => Kind::AuthFail,
        _ => Kind::Forbidden,
    }
}

/// `script '/srv/www/login.php' not found or unable to stat`, by PHP's module.
fn of_program(head: &Head<'_>) -> Kind {
    if says(head, "' not found or unable to stat") { Kind::NotFound } else { of_unknown(head) }
}

/// What 2.2 says of digests: of its secret at the start, and of clients.
fn of_digest(head: &Head<'_>) -> Kind {
    if head.client.is_some() { Kind::AuthFail } else { of_unknown(head) }
}

fn of_script(head: &Head<'_>) -> Kind {
    if says(head, "script not found") { Kind::NotFound } else { Kind::Cgi }
}

/// What 2.2 says of its proxy, without numbers.
fn of_proxy(head: &Head<'_>) -> Kind {
    if says(head, "attempt to connect") {
        of_connect(head)
    } else if says(head, "failed to make connection") {
        of_failed_connection(head)
    } else if says(head, "disabling worker") || says(head, "disabled connection") {
        Kind::UpstreamDisabled
    } else if says(head, "error reading status line") {
        of_reading(head)
    } else if says(head, "request body failed") {
        Kind::BodyTransfer
    } else if says(head, "No protocol handler") {
        Kind::Config
    } else {
        of_returned(head)
    }
}

/// True for the modules that run programs in the server, and log what these write.
fn is_of_scripts(module: Option<&[u8]>) -> bool {
    let Some(module) = module else { return false };
    module.starts_with(b"php") || [&b"wsgi"[..], b"lua", b"perl", b"python"].contains(&module)
}

fn of_unknown(head: &Head<'_>) -> Kind {
    match head.errno {
        Some(98 | 48 | 10_048) => Kind::Bind,
        Some(24 | 23) => Kind::FdLimit,
        Some(28 | 30) => Kind::Disk,
        Some(12) => Kind::Memory,
        _ if says(head, "ModSecurity: ") => Kind::Firewall,
        _ => match head.level {
            Some(EMERG | ALERT) => Kind::Config,
            _ if is_of_scripts(head.module) => Kind::Script,
            Some(NOTICE) if head.client.is_none() => Kind::Lifecycle,
            _ => Kind::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::stamped;
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(NUMBERS.is_sorted_by(|before, after| before.0 < after.0));
        for (at, (beginning, _)) in BEGINNINGS.iter().enumerate() {
            let hidden = BEGINNINGS[..at].iter().find(|(other, _)| beginning.starts_with(other));
            assert!(hidden.is_none(), "{beginning}");
        }
    }

    /// Each has its reason in front.
    #[test]
    fn one_failure_has_its_reason_once() {
        for (reason, second, expected) in [
            (
                "[a:error] (70007)expired: [client ::1] AH01102: error reading status line from remote server x",
                "[a:error] [client ::1] AH00898: Error reading from remote server returned by /x",
                Kind::UpstreamTimeout,
            ),
            (
                "[a:error] (111)Connection refused: AH00957: http: attempt to connect to 127.0.0.1:9 (x) failed",
                "[a:error] [client ::1] AH01114: HTTP: failed to make connection to backend: x",
                Kind::UpstreamRefused,
            ),
            (
                "[a:error] (110)timed out: AH00957: fcgi: attempt to connect to 127.0.0.1:9 (x) failed",
                "[a:error] [client ::1] AH01079: failed to make connection to backend: x",
                Kind::UpstreamConnectTimeout,
            ),
            (
                "[a:error] AH00940: HTTP: disabled connection for (x)",
                "[a:error] [client ::1] AH01114: HTTP: failed to make connection to backend: x",
                Kind::UpstreamDisabled,
            ),
            (
                "[a:error] (32)Broken pipe: [client ::1] AH01084: pass request body failed to 127.0.0.1:9 (x)",
                "[a:error] [client ::1] AH01097: pass request body failed to 127.0.0.1:9 (x) from ::1 ()",
                Kind::BodyTransfer,
            ),
            (
                "[error] (70007)expired: proxy: error reading status line from remote server x",
                "[error] [client ::1] proxy: Error reading from remote server returned by /x",
                Kind::UpstreamTimeout,
            ),
            (
                "[error] (111)Connection refused: proxy: HTTP: attempt to connect to x (*) failed",
                "[error] [client ::1] proxy: HTTP: failed to make connection to backend: x",
                Kind::UpstreamRefused,
            ),
        ] {
            for (line, expected) in [(reason, expected), (second, Kind::UpstreamFailed)] {
                let line = format!("[Thu Mar 07 09:15:02 2024] {line}");
                let head = stamped(line.as_bytes()).expect("it has a stamp");
                assert_eq!(of(&head), expected, "{line}");
            }
        }
    }

    #[test]
    fn kinds_by_number_error_and_text() {
        for (line, expected) in [
            ("[a:error] (111)Connection refused: AH00957: HTTP: attempt", Kind::UpstreamRefused),
            ("[a:error] (70007)expired: AH00957: HTTP: attempt", Kind::UpstreamConnectTimeout),
            ("[a:error] (113)No route: AH01114: HTTP: failed", Kind::UpstreamUnreachable),
            ("[a:error] (70007)expired: AH01102: error reading", Kind::UpstreamTimeout),
            ("[a:error] (20014)Internal: AH01102: error reading", Kind::UpstreamClosed),
            ("[a:error] (104)reset: AH01102: error reading", Kind::UpstreamReset),
            ("[a:error] (70008)Partial: AH01075: Error dispatching", Kind::UpstreamTimeout),
            ("[a:error] (2)No such: AH02454: FCGI: attempt", Kind::UpstreamSocket),
            ("[a:error] (36)File name too long: AH00036: access to /x", Kind::BadRequest),
            ("[a:error] (13)Permission denied: AH00036: access to /x", Kind::Forbidden),
            ("[a:debug] AH00128: File does not exist: /x", Kind::Debug),
            ("[a:emerg] AH09999: what", Kind::Config),
            ("[core:alert] /w/.htaccess: Invalid command 'x', perhaps misspelled", Kind::Config),
            ("[wsgi:error] [client ::1] ValueError: boom", Kind::Script),
            ("[php:notice] [client ::1] what a program notes", Kind::Script),
            (
                "[php:error] [client ::1] script '/w/x.php' not found or unable to stat",
                Kind::NotFound,
            ),
            ("[error] [client ::1] Digest: user jo: password mismatch: /d/", Kind::AuthFail),
            ("[error] [client ::1] Digest: invalid nonce a received", Kind::AuthFail),
            ("[notice] Digest: generating secret for digest authentication ...", Kind::Lifecycle),
            (
                "[auth_basic:error] [client ::1] AH01614: client used wrong authentication scheme: /",
                Kind::AuthFail,
            ),
            (
                "[auth_digest:error] [client ::1] AH01793: invalid qop `x' received: /",
                Kind::AuthFail,
            ),
            (
                "[error] [client ::1] Authorization of user jo to access /x failed, reason: y",
                Kind::AuthFail,
            ),
            // A header that is too large has the number of a full disk.
            (
                "[a:warn] (28)No space left on device: AH10124: header size is over the limit",
                Kind::UpstreamHeaderTooBig,
            ),
            (
                "[a:error] AH00898: Error during SSL Handshake with remote server returned by /x",
                Kind::UpstreamTls,
            ),
            ("[a:error] [client ::1] Script timed out before returning headers: x", Kind::Cgi),
            (
                "[a:error] AH00485: scoreboard is full, not at MaxRequestWorkers",
                Kind::ScoreboardFull,
            ),
            ("[a:error] AH09999: what", Kind::Other),
            ("[a:crit] (28)No space left on device: AH09999: what", Kind::Disk),
            (
                "[error] (111)Connection refused: proxy: HTTP: attempt to connect to x (*) failed",
                Kind::UpstreamRefused,
            ),
            ("[error] proxy: error reading status line from remote server x", Kind::UpstreamClosed),
            ("[error] access to /x failed, reason: user jo not allowed", Kind::AuthFail),
            ("[error] server reached MaxClients setting", Kind::WorkersExhausted),
            ("[notice] mod_x configured", Kind::Lifecycle),
            ("[warn] [client 1.2.3.4] mod_wsgi (pid=7): x", Kind::Script),
        ] {
            let line = format!("[Thu Mar 07 09:15:02 2024] {line}");
            assert_eq!(of(&stamped(line.as_bytes()).unwrap()), expected, "{line}");
        }
    }
}
