//! Everything that is wrong with a chain of certificates, each point judged alone.
//!
//! A TLS library stops at the first fault it meets, and which one that is depends on its order of work: an expired
//! certificate for another name without its intermediate is reported as one of the three. Here dates, names, keys and
//! signatures are read by ourselves, and trust is asked of the library for a moment inside the leaf's validity and
//! without a name, so that no fault hides another.

use std::net::IpAddr;
use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};

use super::Settings;
use super::certificate::{Certificate, is_signed_by};
use crate::document::Level;
use crate::probe::class::Class;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// When the end of a certificate draws near, in days; relative to its lifetime where not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Warn below so many days.
    pub warn_days: Option<u32>,
    /// Critical below so many days.
    pub crit_days: Option<u32>,
}

impl Limits {
    /// The two limits in seconds for a certificate of that lifetime. Lifetimes shrink (90, 47, 6 days), so a fixed
    /// number of days would warn for ever: a third and a sixth of the lifetime bound it.
    fn seconds(self, lifetime: i64) -> (i64, i64) {
        let days = |count: u32| i64::from(count) * DAY;
        let warn = self.warn_days.map_or((21 * DAY).min(lifetime / 3), days);
        let crit = self.crit_days.map_or((7 * DAY).min(lifetime / 6), days);
        (warn, crit)
    }
}

/// One thing that is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The class.
    pub class: Class,
    /// How bad it is.
    pub level: Level,
    /// What was wanted.
    pub asked: String,
    /// What is.
    pub came: String,
}

impl Finding {
    fn new(class: Class, asked: impl Into<String>, came: impl Into<String>) -> Self {
        Self { class, level: class.level(), asked: asked.into(), came: came.into() }
    }
}

/// All faults of a chain as sent, the leaf first, at a time in seconds since 1970. Without a name, names are not
/// judged.
pub fn judge(
    chain: &[CertificateDer<'static>],
    name: Option<&str>,
    settings: &Settings,
    now: i64,
) -> Vec<Finding> {
    let read: Option<Vec<_>> = chain.iter().map(Certificate::read).collect();
    let Some(certificates) = read.filter(|read| !read.is_empty()) else {
        let came = "a certificate that cannot be read";
        return vec![Finding::new(Class::Untrusted, "a readable certificate", came)];
    };
    let mut found = Vec::new();
    found.extend(certificates.iter().filter_map(|one| dates(one, settings.limits, now)));
    found.extend(name.and_then(|name| judge_name(&certificates[0], name)));
    found.extend(trust(chain, &certificates, settings.roots()));
    found.extend(order(&certificates));
    found.extend(certificates.iter().filter_map(weak_key));
    found.extend(certificates.iter().filter_map(weak_signature));
    found
}

/// Past its end, near its end, or before its begin.
fn dates(one: &Certificate, limits: Limits, now: i64) -> Option<Finding> {
    let (warn, crit) = limits.seconds(one.lifetime());
    let left = one.not_after.saturating_sub(now);
    let asked = format!("{} valid now", one.subject);
    if now < one.not_before {
        let came = format!("valid from {}", instant(one.not_before));
        return Some(Finding::new(Class::NotYetValid, asked, came));
    }
    if left < 0 {
        let came = format!("ended {}, {} days ago", instant(one.not_after), -left / DAY);
        return Some(Finding::new(Class::Expired, asked, came));
    }
    if left >= warn.max(crit) {
        return None;
    }
    let level = if left < crit { Level::Critical } else { Level::Warning };
    let came = format!("ends {}, in {} days", instant(one.not_after), left / DAY);
    let asked = format!("{} valid for {} days more", one.subject, warn.max(crit) / DAY);
    Some(Finding { level, ..Finding::new(Class::Expiring, asked, came) })
}

fn instant(seconds: i64) -> String {
    let date = chrono::DateTime::from_timestamp(seconds, 0);
    date.map_or_else(|| seconds.to_string(), |date| date.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// Only alternative names count. A wildcard stands for one label.
fn judge_name(leaf: &Certificate, name: &str) -> Option<Finding> {
    if leaf.names.iter().any(|pattern| covers(pattern, name)) {
        return None;
    }
    let asked = format!("a certificate for {name}");
    if leaf.names.is_empty() {
        let came = format!("no alternative names, only {}", leaf.subject);
        return Some(Finding::new(Class::NoSan, asked, came));
    }
    let class = match leaf.names.iter().any(|pattern| nearly_covers(pattern, name)) {
        true => Class::WildcardTooNarrow,
        false => Class::WrongName,
    };
    Some(Finding::new(class, asked, format!("for {}", shown(&leaf.names))))
}

fn shown(names: &[String]) -> String {
    let some = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(5) {
        0 => some,
        more => format!("{some} and {more} more"),
    }
}

/// True when an alternative name stands for the name or address that is asked for.
pub(in crate::probe) fn covers(pattern: &str, name: &str) -> bool {
    let name = name.trim_end_matches('.');
    if let Ok(address) = name.parse::<IpAddr>() {
        return pattern.parse() == Ok(address);
    }
    match (pattern.strip_prefix("*."), name.split_once('.')) {
        (Some(base), Some((_, rest))) => base.eq_ignore_ascii_case(rest),
        (Some(_), None) => false,
        (None, _) => pattern.eq_ignore_ascii_case(name),
    }
}

/// A wildcard of the same domain that is one label too short or too long.
fn nearly_covers(pattern: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let base = pattern.strip_prefix("*.");
    base.is_some_and(|base| name == base || name.ends_with(&format!(".{base}")))
}

/// Asks the library whether the chain holds, and finds out ourselves why not.
fn trust(
    chain: &[CertificateDer<'static>],
    certificates: &[Certificate],
    roots: &RootCertStore,
) -> Option<Finding> {
    let leaf = &certificates[0];
    let asked = "a chain to a trusted root";
    let at = moment_of_validity(certificates);
    let error = match library_verdict(chain, roots, at) {
        Ok(()) => return None,
        Err(error) => error,
    };
    if leaf.is_self_issued() && is_signed_by(&chain[0], &chain[0]) {
        return self_signed(chain, leaf, roots, asked);
    }
    if leaf.is_ca {
        return Some(Finding::new(Class::CaAsLeaf, asked, format!("{} is a CA", leaf.subject)));
    }
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => Some(unknown_issuer(chain, certificates, asked)),
        // The moment lies in the leaf's validity, so this is another certificate; its dates are judged by themselves.
        rustls::Error::InvalidCertificate(
            CertificateError::ExpiredContext { .. } | CertificateError::NotValidYetContext { .. },
        ) => None,
        other => Some(Finding::new(Class::Untrusted, asked, other.to_string())),
    }
}

/// A self-signed certificate that is itself among the roots is trusted as far as it goes.
fn self_signed(
    chain: &[CertificateDer<'static>],
    leaf: &Certificate,
    roots: &RootCertStore,
    asked: &str,
) -> Option<Finding> {
    let anchor = webpki_anchor(&chain[0]);
    let trusted = anchor.is_some_and(|anchor| {
        roots.roots.iter().any(|root| {
            root.subject == anchor.subject
                && root.subject_public_key_info == anchor.subject_public_key_info
        })
    });
    let came = format!("{} signed itself", leaf.subject);
    (!trusted).then(|| Finding::new(Class::SelfSigned, asked, came))
}

fn webpki_anchor(der: &CertificateDer<'static>) -> Option<rustls::pki_types::TrustAnchor<'static>> {
    let mut store = RootCertStore::empty();
    store.add(der.clone()).ok()?;
    store.roots.pop()
}

/// A moment at which as many of the certificates as possible are valid, the leaf always.
fn moment_of_validity(certificates: &[Certificate]) -> i64 {
    let leaf = &certificates[0];
    let latest_begin = certificates.iter().map(|one| one.not_before).max();
    let wanted = latest_begin.unwrap_or(leaf.not_before).saturating_add(1);
    wanted.clamp(leaf.not_before, leaf.not_after.max(leaf.not_before))
}

fn library_verdict(
    chain: &[CertificateDer<'static>],
    roots: &RootCertStore,
    at: i64,
) -> Result<(), rustls::Error> {
    let parsed = ParsedCertificate::try_from(&chain[0])?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.max(0).unsigned_abs()));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, &chain[1..], at, algorithms)
}

/// Follows the chain as sent up to its top and says what is missing there.
fn unknown_issuer(
    chain: &[CertificateDer<'static>],
    certificates: &[Certificate],
    asked: &str,
) -> Finding {
    let top = top_of(chain, certificates);
    let top = &certificates[top];
    let came = format!("{} is issued by {}", top.subject, top.issuer);
    if top.is_self_issued() {
        return Finding::new(Class::UnknownRoot, asked, format!("ends at {}", top.subject));
    }
    // The issuer was sent and did not sign it. (An unknown root that shares its name with a known one is no such case.)
    if certificates.iter().any(|other| top.names_as_issuer(other)) {
        let came = format!("{} is not signed by the {} that was sent", top.subject, top.issuer);
        return Finding::new(Class::Untrusted, asked, came);
    }
    // Roots are rarely sent. A leaf alone, or an issuer that says where its own issuer is found, lacks a link; a whole
    // chain of a private CA does not.
    let class = match top.is_ca && !top.names_issuer_address {
        true => Class::UnknownRoot,
        false => Class::IncompleteChain,
    };
    Finding::new(class, asked, format!("{came}, which was not sent"))
}

/// The certificate at which the way up from the leaf ends, in whatever order they were sent.
fn top_of(chain: &[CertificateDer<'static>], certificates: &[Certificate]) -> usize {
    let mut top = 0;
    for _ in 0..certificates.len() {
        let one = &certificates[top];
        let above = (0..certificates.len()).find(|&other| {
            other != top
                && one.names_as_issuer(&certificates[other])
                && is_signed_by(&chain[top], &chain[other])
        });
        match above.filter(|_| !one.is_self_issued()) {
            Some(above) => top = above,
            None => break,
        }
    }
    top
}

/// Each certificate should be issued by the next one sent. A missing link is another fault; here the issuer is there,
/// but elsewhere.
fn order(certificates: &[Certificate]) -> Option<Finding> {
    let misplaced = certificates.windows(2).find(|pair| {
        let issuer_is_elsewhere = certificates.iter().any(|other| pair[0].names_as_issuer(other));
        !pair[0].names_as_issuer(&pair[1]) && !pair[0].is_self_issued() && issuer_is_elsewhere
    })?;
    let came = format!("{} after {}", misplaced[1].subject, misplaced[0].subject);
    Some(Finding::new(Class::ChainOrder, "each certificate before its issuer's", came))
}

fn weak_key(one: &Certificate) -> Option<Finding> {
    let came = format!("{} has a key of {}", one.subject, one.key);
    one.key.is_weak().then(|| Finding::new(Class::WeakKey, "RSA 2048 or EC 256 at least", came))
}

/// The signature of a root on itself proves nothing and needs no strength.
fn weak_signature(one: &Certificate) -> Option<Finding> {
    let came = format!("{} is signed with {}", one.subject, one.signature);
    let weak = one.has_weak_signature() && !one.is_self_issued();
    weak.then(|| Finding::new(Class::WeakSignature, "a signature with SHA-256 or better", came))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers("*.lab.test", "www.lab.test"));
        assert!(covers("WWW.lab.test", "www.LAB.test."));
        assert!(covers("127.0.0.1", "127.0.0.1"));
        for name in ["lab.test", "a.b.lab.test", "www.lab.example", "x"] {
            assert!(!covers("*.lab.test", name), "{name}");
        }
        assert!(nearly_covers("*.lab.test", "lab.test"));
        assert!(nearly_covers("*.lab.test", "a.b.lab.test"));
        assert!(!nearly_covers("*.lab.test", "collab.test"));
    }

    #[test]
    fn limits_follow_the_lifetime() {
        let limits = Limits::default();
        assert_eq!(limits.seconds(365 * DAY), (21 * DAY, 7 * DAY));
        assert_eq!(limits.seconds(6 * DAY), (2 * DAY, DAY));
        let fixed = Limits { warn_days: Some(30), crit_days: Some(14) };
        assert_eq!(fixed.seconds(6 * DAY), (30 * DAY, 14 * DAY));
    }
}
