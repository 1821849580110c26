//! The kinds of trouble that the error logs of web servers tell of, under one name each for Nginx and Apache.
//!
//! A parser decides for a kind; what is said of it otherwise (its word, its class) stands in this table alone. Databases
//! have kinds of their own, which are classed in the same way.

use crate::record::Label;

/// How a kind is classed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// As the server's own level says.
    ByLevel,
    /// Normal work, whatever the level.
    Ok,
    /// Refused, or the client's doing, whatever the level.
    Warn,
    /// A failure, whatever the level.
    Error,
}

impl Class {
    /// The class of a record whose level alone would make it `by_level`.
    pub(crate) fn label(self, by_level: impl FnOnce() -> Label) -> Label {
        match self {
            Self::ByLevel => by_level(),
            Self::Ok => Label::OK,
            Self::Warn => Label::WARN,
            Self::Error => Label::ERROR,
        }
    }
}

kind_table! {
    Class:
    UpstreamRefused "upstream_refused" ByLevel;
    UpstreamUnreachable "upstream_unreachable" ByLevel;
    UpstreamSocket "upstream_socket" ByLevel;
    UpstreamTimeout "upstream_timeout" ByLevel;
    UpstreamConnectTimeout "upstream_connect_timeout" ByLevel;
    UpstreamClosed "upstream_closed" ByLevel;
    UpstreamReset "upstream_reset" ByLevel;
    UpstreamHeaderTooBig "upstream_header_too_big" ByLevel;
    UpstreamProtocol "upstream_protocol" ByLevel;
    UpstreamTls "upstream_tls" ByLevel;
    UpstreamDisabled "upstream_disabled" ByLevel;
    UpstreamFailed "upstream_failed" ByLevel;
    NoLiveUpstreams "no_live_upstreams" ByLevel;
    BodyTransfer "client_or_upstream_body" ByLevel;
    LocalPorts "local_ports" ByLevel;
    Buffered "buffered_to_disk" ByLevel;
    FastcgiStderr "fastcgi_stderr" ByLevel;
    Cgi "cgi" ByLevel;
    RawStderr "raw_stderr" Warn;
    Script "script" ByLevel;
    Workers "worker_connections" ByLevel;
    WorkersExhausted "workers_exhausted" ByLevel;
    WorkersLow "workers_low" ByLevel;
    ScoreboardFull "scoreboard_full" ByLevel;
    FdLimit "fd_limit" ByLevel;
    Memory "memory" ByLevel;
    ShmFull "shm_full" ByLevel;
    Disk "disk" ByLevel;
    Fork "fork" ByLevel;
    Crash "crash" Error;
    SlowStop "slow_stop" ByLevel;
    LimitReq "limit_req" Warn;
    LimitConn "limit_conn" Warn;
    LimitReqDelay "limit_req_delay" Warn;
    LimitDryRun "limit_dry_run" Warn;
    BodyTooLarge "body_too_large" Warn;
    BadRequest "bad_request" Warn;
    TlsHandshake "tls_handshake" Warn;
    TlsTransfer "tls_transfer" Warn;
    TlsConnection "tls_connection" Ok;
    TlsDetail "tls_detail" Ok;
    Ocsp "ocsp" ByLevel;
    ClientAbort "client_abort" Warn;
    ClientClosed "client_closed" ByLevel;
    NotFound "not_found" Warn;
    Forbidden "forbidden" Warn;
    AuthFail "auth_fail" Warn;
    AuthRequest "auth_request" ByLevel;
    Firewall "firewall" ByLevel;
    RedirectCycle "redirect_cycle" ByLevel;
    Resolver "resolver" ByLevel;
    Config "config" ByLevel;
    ConfigNoise "config_noise" Ok;
    Bind "bind" ByLevel;
    Lifecycle "lifecycle" ByLevel;
    Debug "debug" Ok;
    Other "other" ByLevel;
}

/// The class of a record of that kind, whose level alone would make it `by_level`.
pub(crate) fn class(kind: Kind, by_level: Label) -> Label {
    CLASSES[kind as usize].label(|| by_level)
}

/// The levels of both servers, the gravest first, as their numbers in [`Levels`].
pub(crate) const LEVELS: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2",
    "trace3", "trace4", "trace5", "trace6", "trace7", "trace8",
];
/// The number of `emerg`.
pub(crate) const EMERG: u8 = 0;
/// The number of `alert`.
pub(crate) const ALERT: u8 = 1;
/// The number of `crit`.
pub(crate) const CRIT: u8 = 2;
/// The number of `error`.
pub(crate) const ERROR: u8 = 3;
/// The number of `warn`.
pub(crate) const WARN: u8 = 4;
/// The number of `notice`.
pub(crate) const NOTICE: u8 = 5;
/// The number of `debug`.
pub(crate) const DEBUG: u8 = 7;

/// The number of a level, by its word.
#[inline]
pub(crate) fn level(word: &[u8]) -> Option<u8> {
    Some(match word {
        b"error" => ERROR,
        b"info" => 6,
        b"warn" => WARN,
        b"notice" => NOTICE,
        b"debug" => DEBUG,
        b"crit" => CRIT,
        b"alert" => ALERT,
        b"emerg" => EMERG,
        [b't', b'r', b'a', b'c', b'e', digit @ b'1'..=b'8'] => DEBUG + (digit - b'0'),
        _ => return None,
    })
}

/// The labels of all levels.
#[derive(Debug)]
pub(crate) struct Levels([Label; LEVELS.len()]);

impl Levels {
    pub(crate) fn new() -> Self {
        Self(LEVELS.map(Label::of))
    }

    /// The label of a level.
    pub(crate) fn of(&self, level: u8) -> Label {
        self.0[usize::from(level)]
    }
}

/// The class that a level alone makes.
pub(crate) fn class_of_level(level: u8) -> Label {
    match level {
        EMERG..=ERROR => Label::ERROR,
        WARN => Label::WARN,
        _ => Label::OK,
    }
}

/// True for a line of an access log, as containers send it to the same place as those of the error log: the stamp of a
/// request behind a few words, or the same by key.
#[cold]
pub(super) fn is_access_line(text: &[u8]) -> bool {
    /// Host, client, what identd says, user; and two more, as some put in front.
    const MOST_WORDS: usize = 6;
    let is_stamp = |at: usize| {
        let shape =
            |text: &[u8]| matches!(text, [b'[', _, _, b'/', _, _, _, b'/', _, _, _, _, b':', ..]);
        text.get(at + 1..).is_some_and(shape)
    };
    let mut spaces = memchr::memchr_iter(b' ', &text[..text.len().min(512)]).take(MOST_WORDS);
    match text {
        [b'{', b'"', ..] => memchr::memmem::find(text, b"\"status\"").is_some(),
        [b't', b'i', b'm', b'e', b':', ..] => memchr::memmem::find(text, b"\tstatus:").is_some(),
        _ => spaces.any(is_stamp),
    }
}

/// True for a line that begins with a date and a time as those of many programs do: `2024-03-07 09:15:02`, with a `T`,
/// or with slashes as Nginx has them.
#[cold]
pub(super) fn is_stamped(text: &[u8]) -> bool {
    const SHAPE: &[u8; 19] = b"0000-00-00 _0:00:00";
    text.first_chunk::<19>().is_some_and(|stamp| {
        stamp.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'_' => matches!(byte, b'0'..=b'9' | b' '),
            b'-' => matches!(byte, b'-' | b'/'),
            b' ' => matches!(byte, b' ' | b'T'),
            shape => byte == shape,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_many_programs() {
        for text in ["2024-03-07 09:15:02", "2024-03-07  9:15:02 x", "2024/03/07 09:15:02 [error]"]
        {
            assert!(is_stamped(text.as_bytes()), "{text}");
        }
        for text in ["2024-03-07", "#0 /srv/a.php(3): b()", "[07-Mar-2024 09:15:02] x", ""] {
            assert!(!is_stamped(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn every_level_has_its_number() {
        for (number, word) in LEVELS.iter().enumerate() {
            assert_eq!(level(word.as_bytes()), Some(number as u8), "{word}");
        }
        assert_eq!(level(b"trace9"), None);
        assert_eq!(level(b""), None);
    }

    #[test]
    fn level_is_not_class() {
        assert_eq!(class(Kind::NotFound, Label::ERROR), Label::WARN);
        assert_eq!(class(Kind::Crash, Label::OK), Label::ERROR);
        assert_eq!(class(Kind::UpstreamRefused, Label::ERROR), Label::ERROR);
        assert_eq!(Labels::new().of(Kind::Other).word(), "other");
    }
}
