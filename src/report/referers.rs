//! What belongs to referers: the sites that send visitors.
//!
//! Sections beside those of a breakdown: `referring_sites` and `search_phrases`. Pages of the hosts that the log itself
//! names lead from one page to the next and are left out of the sites. Most search engines keep the phrase to themselves
//! by now; what some still tell is the value of a parameter of the referring page.

use super::breakdown::{By, Rows, keyed};
use crate::document::{Note, Section};
use crate::record::Field;
use crate::units;

/// The sections that referers have beside the usual ones.
pub(super) fn sections(rows: &Rows<'_>) -> Vec<Section> {
    let hosts = rows.closing.dictionaries.of(Field::HOST);
    let is_own = |site: &[u8]| hosts.is_some_and(|hosts| hosts.find(site).is_some());
    let lower = |referer: &[u8]| site(referer).map(<[u8]>::to_ascii_lowercase);
    let groups = rows.grouped(lower, |site| site);
    let sites = rows.over(&groups);
    let own: u64 = sites.iter().filter(|row| is_own(row.key)).map(|row| row.counted.count()).sum();
    let foreign = sites.only(|row| !is_own(row.key));
    let title = "Referring sites".to_owned();
    let mut section =
        keyed(foreign.section("referring_sites".to_owned(), title, By::Count), "site");
    if own > 0 {
        let own = units::count(own);
        let text = format!("{own} records came from pages of the hosts themselves");
        section.notes.push(Note::info(text));
    }
    let phrases = rows.grouped(phrase, |phrase| phrase);
    let title = "Search phrases".to_owned();
    let phrases = rows.over(&phrases).section("search_phrases".to_owned(), title, By::Count);
    vec![section, keyed(phrases, "phrase")]
}

/// Search engines by a part of their host that is theirs, with the parameters that hold the phrase.
const ENGINES: &[(&str, &str)] = &[
    ("google", "q as_q query"),
    ("bing", "q"),
    ("duckduckgo", "q"),
    ("yahoo", "p q"),
    ("yandex", "text"),
    ("baidu", "wd word"),
    ("ecosia", "q"),
    ("qwant", "q"),
    ("startpage", "query q"),
    ("naver", "query"),
    ("seznam", "q"),
    ("ask", "q"),
    ("aol", "q"),
    ("sogou", "query"),
];

/// What was searched for, if the page is one of a search engine that says so.
fn phrase(url: &[u8]) -> Option<Vec<u8>> {
    let host = site(url)?.to_ascii_lowercase();
    let labels = || host.split(|byte| *byte == b'.');
    let (_, names) =
        ENGINES.iter().find(|(engine, _)| labels().any(|label| label == engine.as_bytes()))?;
    let query = &url[memchr::memchr(b'?', url)? + 1..];
    let query = query.split(|byte| *byte == b'#').next().unwrap_or_default();
    names.split(' ').find_map(|name| {
        let mut pairs = query.split(|byte| *byte == b'&');
        let value =
            pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        let phrase = decoded(value).trim_ascii().to_ascii_lowercase();
        (!phrase.is_empty()).then_some(phrase)
    })
}

/// A value of a query with its plus signs and percent signs resolved; what is no escape stays as it is.
fn decoded(value: &[u8]) -> Vec<u8> {
    let digit = |at: usize| char::from(*value.get(at)?).to_digit(16);
    let (mut text, mut at) = (Vec::with_capacity(value.len()), 0);
    while let Some(byte) = value.get(at) {
        let escape = if *byte == b'%' { digit(at + 1).zip(digit(at + 2)) } else { None };
        text.push(match (byte, escape) {
            (_, Some((high, low))) => (high * 16 + low) as u8,
            (b'+', _) => b' ',
            (byte, _) => *byte,
        });
        at += if escape.is_some() { 3 } else { 1 };
    }
    text
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
    fn phrases_of_search_engines() {
        let of = |url: &str| phrase(url.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        let shoes = Some("red shoes".to_owned());
        assert_eq!(of("https://www.google.de/search?hl=de&q=Red+Shoes"), shoes);
        assert_eq!(of("https://search.yahoo.com/search?p=red%20shoes#top"), shoes);
        assert_eq!(of("https://www.bing.com/search?q=caf%C3%A9%2"), Some("café%2".to_owned()));
        for none in [
            "https://www.google.com/",
            "https://www.google.com/search?q=",
            "https://shop.example/?q=a",
            "-",
            "https://notgoogle.example/?q=a",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }

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
