//! What belongs to referers: the sites that send visitors.
//!
//! Section beside those of a breakdown: `referring_sites`. Pages of the hosts that the log itself names lead from one
//! page to the next and are left out of it.

use super::breakdown::{By, Rows};
use crate::document::{Note, Section};
use crate::record::Field;

/// The sections that referers have beside the usual ones.
pub(super) fn sections(rows: &Rows<'_>) -> Vec<Section> {
    let hosts = rows.closing.dictionaries.of(Field::HOST);
    let is_own = |site: &[u8]| hosts.is_some_and(|hosts| hosts.find(site).is_some());
    let lower = |referer: &[u8]| site(referer).map(<[u8]>::to_ascii_lowercase);
    let groups = rows.grouped(lower, |site| site);
    let sites = rows.over(&groups);
    let own: u64 = sites.iter().filter(|row| is_own(row.key)).map(|row| row.counter.count()).sum();
    let foreign = sites.only(|row| !is_own(row.key));
    let title = "Referring sites".to_owned();
    let mut section = foreign.section("referring_sites".to_owned(), title, By::Count);
    if own > 0 {
        section
            .notes
            .push(Note::info(format!("{own} records came from pages of the hosts themselves")));
    }
    vec![section]
}

/// The host of a URL, without user and port.
pub(super) fn site(url: &[u8]) -> Option<&[u8]> {
    let start = memchr::memmem::find(url, b"://")? + 3;
    let rest = &url[start..];
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = &authority[memchr::memrchr(b'@', authority).map_or(0, |at| at + 1)..];
    let end = match host.first() {
        Some(b'[') => memchr::memchr(b']', host).map_or(host.len(), |bracket| bracket + 1),
        _ => memchr::memchr(b':', host).unwrap_or(host.len()),
    };
    (end > 0).then(|| &host[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_urls() {
        assert_eq!(site(b"https://Example.org:8443/a?b"), Some(&b"Example.org"[..]));
        assert_eq!(site(b"http://u:p@example.org"), Some(&b"example.org"[..]));
        assert_eq!(site(b"http://[2001:db8::1]:80/"), Some(&b"[2001:db8::1]"[..]));
        assert_eq!(site(b"android-app://com.example/"), Some(&b"com.example"[..]));
        assert_eq!(site(b"/relative"), None);
        assert_eq!(site(b"http:///"), None);
    }
}
