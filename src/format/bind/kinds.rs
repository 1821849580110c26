//! What the lines of BIND are about: their kinds, and whether a kind is good or bad.

use crate::record::Label;

/// How a kind is classed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// As the severity says; ok without one.
    BySeverity,
    /// Normal work, whatever the severity.
    Ok,
    /// Refused or degraded; only told of while debugging it is normal work.
    Warn,
    /// A failure, whatever the severity.
    Error,
    /// As the severity says; a failure without one.
    ErrorBySeverity,
}

kind_table! {
    Class:
    Query "query" Ok;
    Answered "response" Ok;
    AnsweredNxdomain "response_nxdomain" Ok;
    AnsweredServfail "response_servfail" Error;
    AnsweredRefused "response_refused" Warn;
    AnsweredOtherwise "response_failed" Warn;
    Servfail "servfail" Error;
    Refused "refused" Warn;
    Formerr "formerr" Warn;
    FetchDetail "fetch" BySeverity;
    Denied "denied" Warn;
    Approved "approved" Ok;
    RateLimit "rrl" Warn;
    RateLimitLogOnly "rrl_log_only" Ok;
    Lame "lame" Warn;
    Resolver "resolver" Warn;
    Dnssec "dnssec" Warn;
    ZoneKeys "zone_keys" BySeverity;
    Policy "rpz" Warn;
    PolicyPassed "rpz_passthru" Ok;
    PolicyFailed "rpz_failed" Error;
    PolicyZone "rpz_zone" BySeverity;
    TransferIn "xfer_in" Ok;
    TransferOut "xfer_out" Ok;
    TransferFailed "xfer_fail" Error;
    TransferRefused "xfer_refused" Warn;
    Notify "notify" Ok;
    NotifyRefused "notify_refused" Warn;
    NotifyFailed "notify_failed" Warn;
    ZoneLoaded "zone_loaded" Ok;
    ZoneNotLoaded "zone_not_loaded" Error;
    ZoneLoadError "zone_load_error" Error;
    ZoneExpired "zone_expired" Error;
    ZoneRefresh "zone_refresh" Warn;
    ZoneJournal "zone_journal" BySeverity;
    ZoneData "zone_data" BySeverity;
    ZoneSerial "zone_serial" Warn;
    ZoneRemoved "zone_removed" Ok;
    CatalogZone "catalog_zone" BySeverity;
    ZoneSyntax "zone_syntax" ErrorBySeverity;
    Zone "zone" BySeverity;
    Update "update" Ok;
    UpdateFailed "update_failed" Warn;
    Quota "quota" Error;
    FetchLimit "fetch_limit" BySeverity;
    SendFailed "send_failed" Warn;
    ClientTrouble "client" BySeverity;
    Control "control" BySeverity;
    Lifecycle "lifecycle" BySeverity;
    Config "config" BySeverity;
    ConfigFailed "config_failed" Error;
    Network "network" BySeverity;
    NetworkFailed "network_failed" Error;
    Limits "limits" BySeverity;
    Crash "crash" Error;
    CrashTrace "crash_trace" Ok;
    Telemetry "telemetry" Ok;
    Hints "hints" Warn;
    Stale "serve_stale" Warn;
    GeoIp "geoip" BySeverity;
    Other "other" BySeverity;
}

/// The severities, the gravest first. `debug` stands for all its levels.
pub(super) const SEVERITIES: [&str; 6] =
    ["critical", "error", "warning", "notice", "info", "debug"];

/// How grave the server thinks it is: the place in [`SEVERITIES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// `critical`
    Critical,
    /// `error`
    Error,
    /// `warning`
    Warning,
    /// `notice`
    Notice,
    /// `info`
    Info,
    /// `debug 3`
    Debug,
}

impl Severity {
    /// By its word, without a level of debugging.
    #[inline]
    pub(super) fn named(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"info" => Self::Info,
            b"error" => Self::Error,
            b"warning" => Self::Warning,
            b"notice" => Self::Notice,
            b"critical" => Self::Critical,
            b"debug" => Self::Debug,
            _ => return None,
        })
    }

    fn class(self) -> Label {
        match self {
            Self::Critical | Self::Error => Label::ERROR,
            Self::Warning => Label::WARN,
            Self::Notice | Self::Info | Self::Debug => Label::OK,
        }
    }
}

/// The labels of all severities, looked up once for each parser.
#[derive(Debug)]
pub(super) struct Severities([Label; SEVERITIES.len()]);

impl Severities {
    pub(super) fn new() -> Self {
        Self(SEVERITIES.map(Label::of))
    }

    /// The label of a severity.
    #[inline]
    pub(super) fn of(&self, severity: Severity) -> Label {
        self.0[severity as usize]
    }
}

impl Kind {
    /// Good or bad.
    #[inline]
    pub(super) fn class(self, severity: Option<Severity>) -> Label {
        match CLASSES[self as usize] {
            Class::Ok => Label::OK,
            Class::Error => Label::ERROR,
            Class::ErrorBySeverity => severity.map_or(Label::ERROR, Severity::class),
            Class::Warn if severity == Some(Severity::Debug) => Label::OK,
            Class::Warn => Label::WARN,
            Class::BySeverity => severity.map_or(Label::OK, Severity::class),
        }
    }
}

impl Kind {
    /// True where the severity alone would say whether it is good or bad, and the words must where there is none.
    pub(super) fn is_told_by_words(self) -> bool {
        matches!(CLASSES[self as usize], Class::BySeverity) && self != Self::Lifecycle
    }
}

/// True for a message that tells of a failure. Syslog has no severity in its lines, and there the words are all.
pub(super) fn sounds_failed(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 11] = [
        b" failed",
        b": failure",
        b"could not ",
        b"couldn't ",
        b"unable to ",
        b": permission denied",
        b"file not found",
        b"address in use",
        b"out of memory",
        b"too many open file",
        b"no space left",
    ];
    WORDS.iter().any(|word| memchr::memmem::find(text, word).is_some())
}

/// The kind of an answer, by its response code.
#[inline]
pub(super) fn of_answer(rcode: &[u8]) -> Kind {
    match rcode {
        b"NOERROR" => Kind::Answered,
        b"NXDOMAIN" => Kind::AnsweredNxdomain,
        b"SERVFAIL" => Kind::AnsweredServfail,
        b"REFUSED" => Kind::AnsweredRefused,
        _ => Kind::AnsweredOtherwise,
    }
}

/// The kind of a query that failed, by the reason that the server gives. What is no response code made a SERVFAIL.
pub(super) fn of_failure(reason: &[u8]) -> Kind {
    match reason {
        b"REFUSED" => Kind::Refused,
        b"FORMERR" | b"NOTIMP" | b"BADVERS" | b"BADCOOKIE" => Kind::Formerr,
        _ => Kind::Servfail,
    }
}

/// The categories of all versions.
pub(super) const CATEGORIES: [&[u8]; 37] = [
    b"queries",
    b"responses",
    b"query-errors",
    b"security",
    b"lame-servers",
    b"resolver",
    b"dnssec",
    b"rpz",
    b"rpz-passthru",
    b"rate-limit",
    b"xfer-in",
    b"xfer-out",
    b"notify",
    b"zoneload",
    b"general",
    b"update",
    b"update-security",
    b"client",
    b"cname",
    b"config",
    b"database",
    b"default",
    b"delegation-only",
    b"dispatch",
    b"dnstap",
    b"edns-disabled",
    b"network",
    b"nsid",
    b"serve-stale",
    b"spill",
    b"sslkeylog",
    b"trust-anchor-telemetry",
    b"unmatched",
    b"packet",
    b"proxy",
    b"queryerrors",
    b"drop",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_have_their_numbers() {
        let severities = Severities::new();
        for word in SEVERITIES {
            let severity = Severity::named(word.as_bytes()).unwrap();
            assert_eq!(severities.of(severity).word(), word);
        }
        assert_eq!(Severity::named(b"debug 3"), None);
    }

    #[test]
    fn severity_is_not_class() {
        assert_eq!(Kind::Denied.class(Some(Severity::Info)), Label::WARN);
        assert_eq!(Kind::Denied.class(Some(Severity::Error)), Label::WARN);
        assert_eq!(Kind::Dnssec.class(Some(Severity::Debug)), Label::OK);
        assert_eq!(Kind::ZoneExpired.class(None), Label::ERROR);
        assert_eq!(Kind::Zone.class(Some(Severity::Critical)), Label::ERROR);
        assert_eq!(Kind::Other.class(None), Label::OK);
    }

    #[test]
    fn reasons_of_failures() {
        for reason in [&b"SERVFAIL"[..], b"timed out", b"failure", b"zone not loaded"] {
            assert_eq!(of_failure(reason), Kind::Servfail);
        }
        assert_eq!(of_failure(b"REFUSED"), Kind::Refused);
    }
}
