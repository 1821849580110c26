//! What the lines of Postfix are about: their kinds, and whether a kind is good or bad.

use crate::record::Label;

kind_table! {
    Label:
    Received "received" OK;
    Cleaned "message_id" OK;
    Active "active" OK;
    Removed "removed" OK;
    Sent "sent" OK;
    Deferred "deferred" WARN;
    Bounced "bounced" ERROR;
    Expired "expired" ERROR;
    Notification "notification" OK;
    NotificationFailed "notification_failed" ERROR;
    QueueAdmin "queue_admin" OK;
    RelayTrouble "relay_trouble" WARN;
    ConnectFailed "connect_failed" WARN;
    RejectTemporary "reject_4xx" WARN;
    RejectPermanent "reject_5xx" WARN;
    ContentReject "content_reject" WARN;
    Policy "policy" OK;
    Greylisted "greylisted" OK;
    PolicyPass "policy_pass" OK;
    PolicyRefused "policy_refused" OK;
    Spf "spf" OK;
    Dkim "dkim" OK;
    Dmarc "dmarc" OK;
    PolicyService "policy_service" OK;
    PolicyTrouble "policy_trouble" WARN;
    Connect "connect" OK;
    Disconnect "disconnect" OK;
    Session "session" WARN;
    AuthFail "auth_fail" WARN;
    AuthDetail "auth_detail" WARN;
    Screened "screened" OK;
    Listed "dnsbl" OK;
    Tls "tls" OK;
    TlsOffered "tls_offered" OK;
    TlsTrouble "tls_trouble" WARN;
    TlsDetail "tls_detail" OK;
    Ehlo "ehlo" OK;
    Resolve "resolve" WARN;
    RateLimit "rate_limit" WARN;
    Protocol "protocol" WARN;
    Process "process" ERROR;
    ProcessLimit "process_limit" ERROR;
    Database "database" ERROR;
    Milter "milter" ERROR;
    Space "space" ERROR;
    Communication "communication" ERROR;
    Fatal "fatal" ERROR;
    Warning "warning" WARN;
    Statistics "statistics" OK;
    Lifecycle "lifecycle" OK;
    Other "other" OK;
}

impl Kind {
    /// Good or bad.
    #[inline]
    pub(super) fn class(self) -> Label {
        CLASSES[self as usize]
    }
}

/// What a delivery line says became of the message, as Postfix spells it. The last one stands for words of agents
/// that are not Postfix's own.
pub(super) const STATUSES: [&str; 11] = [
    "sent",
    "deferred",
    "bounced",
    "expired",
    "force-expired",
    "deliverable",
    "undeliverable",
    "undeliverable-but-not-cached",
    "SOFTBOUNCE",
    "filtered",
    "other",
];

/// The number of a status in [`STATUSES`], and its kind as far as the word alone tells.
#[inline]
pub(super) fn status(word: &[u8]) -> (usize, Option<Kind>) {
    match word {
        b"sent" => (0, Some(Kind::Sent)),
        b"deferred" => (1, Some(Kind::Deferred)),
        b"bounced" => (2, Some(Kind::Bounced)),
        b"expired" => (3, Some(Kind::Expired)),
        b"force-expired" => (4, Some(Kind::Expired)),
        b"deliverable" => (5, Some(Kind::Sent)),
        b"undeliverable" => (6, Some(Kind::Deferred)),
        b"undeliverable-but-not-cached" => (7, Some(Kind::Deferred)),
        b"SOFTBOUNCE" => (8, Some(Kind::Deferred)),
        b"filtered" => (9, Some(Kind::Sent)),
        _ => (10, None),
    }
}

/// The kind of a delivery whose word is not known, by its enhanced status code.
pub(super) fn by_dsn(dsn: &[u8]) -> Kind {
    match dsn.first() {
        Some(b'4') => Kind::Deferred,
        Some(b'5') => Kind::Bounced,
        _ => Kind::Sent,
    }
}

/// A word in front of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// `warning: `
    Warning,
    /// `error: `
    Error,
    /// `fatal: `
    Fatal,
    /// `panic: `
    Panic,
}

/// The severity in front of a message, and the message.
#[inline]
pub(super) fn severity(text: &[u8]) -> Option<(Severity, &[u8])> {
    match text.first()? {
        b'w' => Some((Severity::Warning, text.strip_prefix(b"warning: ")?)),
        b'e' => Some((Severity::Error, text.strip_prefix(b"error: ")?)),
        b'f' => Some((Severity::Fatal, text.strip_prefix(b"fatal: ")?)),
        b'p' => Some((Severity::Panic, text.strip_prefix(b"panic: ")?)),
        _ => None,
    }
}

/// The words of the severities, in their order.
pub(super) const SEVERITIES: [&str; 4] = ["warning", "error", "fatal", "panic"];

/// The kind of a warning, by its text.
pub(super) fn of_warning(text: &[u8]) -> Kind {
    let has = |part: &str| memchr::memmem::find(text, part.as_bytes()).is_some();
    let found = WARNINGS.iter().find(|(parts, _)| parts.iter().any(|part| has(part)));
    found.map_or(Kind::Warning, |(_, kind)| *kind)
}

/// Parts of warnings, and what they tell of. The first that is found decides: texts that a client chose stand behind
/// those that Postfix puts in front of them.
const WARNINGS: &[(&[&str], Kind)] = &[
    (&[": SASL ", "SASL authentication"], Kind::AuthFail),
    (&["non-SMTP command", "Illegal address syntax", "bare <LF>", "bare newline"], Kind::Protocol),
    (&["SASL: Connect to "], Kind::Communication),
    (&["xsasl_"], Kind::AuthFail),
    (
        &[
            "with my own hostname",
            "mailer loop: ",
            "in EHLO reply from",
            "non-SMTP response from",
            "non-ESMTP response from",
        ],
        Kind::RelayTrouble,
    ),
    (&["dropping this connection"], Kind::Session),
    (
        &[
            "does not resolve to address",
            "address not listed for hostname",
            "numeric hostname",
            "valid_hostname: ",
            "domain name in resource data of",
            "has a valid address record",
            "has a valid A record",
            "nable to look up MX host",
            "nable to look up NS host",
            "verification failed",
            "hostname nor servname",
            "dnsblog_query: ",
            "dnsblog reply timeout",
            "RBL lookup error",
        ],
        Kind::Resolve,
    ),
    (&["limit exceeded: ", "Refusing STARTTLS request from "], Kind::RateLimit),
    (&["has reached its process limit"], Kind::ProcessLimit),
    (&["bad command startup", " exit status ", "killed by signal"], Kind::Process),
    (
        &[
            "TLS library problem",
            "certificate",
            "private key",
            "cannot load",
            "TLS ",
            "biopair_interop",
        ],
        Kind::TlsTrouble,
    ),
    (&["Milter", "milter"], Kind::Milter),
    (
        &[
            "queue file write error",
            "write queue file: ",
            "Error writing message file",
            "File too large",
            "No space left",
            "not enough free space",
            "queue file size limit",
            "mail_queue_enter",
        ],
        Kind::Space,
    ),
    (
        &[
            "is older than source file",
            "table lookup problem",
            "map lookup problem",
            "pcre map ",
            "regexp map ",
            "mysql server ",
            "mysql query ",
            "pgsql server ",
            "pgsql query ",
            "dict_",
            "lookup error",
            "unavailable. ",
            "open database",
        ],
        Kind::Database,
    ),
    (
        &[
            "unable to look up public/",
            "unable to look up private/",
            "problem talking to ",
            "connect to ",
            "timeout on ",
            "read timeout for ",
            "premature end-of-input",
            "unexpected end-of-input",
            "malformed response",
            "while reading input attribute",
            "master_wakeup_timer_event",
            " failure -- see a previous ",
        ],
        Kind::Communication,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_number() {
        for (number, word) in STATUSES.iter().enumerate() {
            assert_eq!(status(word.as_bytes()).0, number, "{word}");
        }
    }

    #[test]
    fn warnings() {
        for (text, kind) in [
            ("unknown[192.0.2.7]: SASL LOGIN authentication failed: x", Kind::AuthFail),
            ("service \"smtp\" (25) has reached its process limit \"100\": x", Kind::ProcessLimit),
            ("process /usr/lib/postfix/sbin/smtpd pid 7 exit status 1", Kind::Process),
            ("database /etc/aliases.db is older than source file /etc/aliases", Kind::Database),
            ("hash:/etc/x is unavailable. open database /etc/x.db: No such file", Kind::Database),
            ("connect to Milter service inet:127.0.0.1:8891: Connection refused", Kind::Milter),
            ("mail_queue_enter: create file maildrop/1: No space left on device", Kind::Space),
            ("TLS library problem: error:0A00010B:SSL routines", Kind::TlsTrouble),
            ("hostname a.example does not resolve to address 192.0.2.7", Kind::Resolve),
            (
                "Connection rate limit exceeded: 5 from unknown[192.0.2.7] for service x",
                Kind::RateLimit,
            ),
            ("Refusing STARTTLS request from unknown[192.0.2.7] for service smtp", Kind::RateLimit),
            (
                "dnsblog_query: lookup error for DNS query 7.2.0.192.zen.example: Host not found",
                Kind::Resolve,
            ),
            ("7.2.0.192.zen.example: RBL lookup error: Host not found, try again", Kind::Resolve),
            ("dnsblog reply timeout 10s for zen.example", Kind::Resolve),
            ("Unable to look up MX host for x.example: Host not found", Kind::Resolve),
            ("no MX host for x.example has a valid address record", Kind::Resolve),
            ("problem talking to server private/policyd-spf: timed out", Kind::Communication),
            ("connect to transport private/filter: Connection refused", Kind::Communication),
            ("connect to 127.0.0.1:12525: Connection refused", Kind::Communication),
            ("SASL: Connect to private/auth failed: No such file", Kind::Communication),
            ("connect to mysql server db.example: Access denied for user 'x'", Kind::Database),
            ("virtual_alias_maps map lookup problem for a@x.example", Kind::Database),
            ("maildrop/C9E66ADF: Error writing message file", Kind::Space),
            ("host mx.example[192.0.2.7]:25 greeted me with my own hostname x", Kind::RelayTrouble),
            ("getpeername: Transport endpoint -- dropping this connection", Kind::Session),
            ("xsasl_cyrus_server_get_mechanism_list: no mechanism", Kind::AuthFail),
            ("something new", Kind::Warning),
        ] {
            assert_eq!(of_warning(text.as_bytes()), kind, "{text}");
        }
    }
}
