//! Why something happened, without what is different each time.
//!
//! Servers put addresses, hosts, ids and links into their answers. A table of such texts has a row for each; without
//! them it has a row for each reason. `host mx.a.example[192.0.2.7] said: 450 4.2.0 <u@a.example>: Greylisted, see
//! http://a.example/7 (in reply to RCPT TO command)` becomes `450 4.2.0 <>: Greylisted, see URL`.

use memchr::memmem;

/// The most bytes of a reason that are kept.
const LONGEST: usize = 160;

/// The reason in common words, appended to `into`.
pub(super) fn normalise(text: &[u8], into: &mut Vec<u8>) {
    let text = without_frame(text);
    let start = into.len();
    for (at, word) in words(text).enumerate() {
        if into.len() - start > LONGEST {
            into.extend_from_slice("…".as_bytes());
            return;
        }
        if at > 0 {
            into.push(b' ');
        }
        push_word(word, at, into);
    }
}

/// Takes off who said it, and in reply to what.
fn without_frame(text: &[u8]) -> &[u8] {
    let text = match memmem::rfind(text, b" (in reply to ") {
        Some(at) if text.ends_with(b")") => &text[..at],
        _ => text,
    };
    if !text.starts_with(b"host ") {
        return text;
    }
    [&b" said: "[..], b" refused to talk to me: "]
        .iter()
        .find_map(|said| Some(&text[memmem::find(text, said)? + said.len()..]))
        .unwrap_or(text)
}

/// Words between spaces; what stands in angle brackets is one word, whatever it holds.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let from = match rest.first() {
            Some(b'<') => memchr::memchr(b'>', rest).unwrap_or(0),
            _ => 0,
        };
        let end = memchr::memchr(b' ', &rest[from..]).map_or(rest.len(), |at| from + at);
        let word = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(word)
    })
}

fn push_word(word: &[u8], at: usize, into: &mut Vec<u8>) {
    let open = word.iter().take_while(|byte| matches!(byte, b'(' | b'\'' | b'"')).count();
    let (front, rest) = word.split_at(open);
    let ends = |byte: &&u8| matches!(byte, b':' | b',' | b';' | b'.' | b')' | b'\'' | b'"');
    let close = rest.iter().rev().take_while(ends).count();
    let (core, back) = rest.split_at(rest.len() - close);
    into.extend_from_slice(front);
    match shape(core, at) {
        Some(shape) => into.extend_from_slice(shape),
        None => into.extend_from_slice(core),
    }
    into.extend_from_slice(back);
}

/// What stands for a word that is different each time; `None` for a word that stays.
fn shape(word: &[u8], at: usize) -> Option<&'static [u8]> {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = word.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let dots = word.iter().filter(|byte| **byte == b'.').count();
    let has = |byte: u8| memchr::memchr(byte, word).is_some();
    if word.first() == Some(&b'<') && has(b'>') {
        return Some(b"<>");
    }
    if memmem::find(word, b"://").is_some() {
        return Some(b"URL");
    }
    if has(b'[') && has(b']') {
        return Some(if word.first() == Some(&b'[') { b"[]" } else { b"HOST" });
    }
    if has(b'@') {
        return Some(b"ADDRESS");
    }
    // Reply codes and enhanced ones in front say more than the words behind.
    if at < 2 && letters == 0 && word.len() <= 7 {
        return None;
    }
    if dots > 0 && letters > 0 && !has(b'/') {
        return Some(if has(b'=') { b"NAME=HOST" } else { b"HOST" });
    }
    if letters == 0 && digits > 0 {
        return Some(b"N");
    }
    (digits >= 3 && word.len() >= 8).then_some(b"ID")
}

/// What a reason is about, by its words: the sub-kinds of deferrals and bounces.
pub(super) fn category(text: &[u8]) -> &'static str {
    const CATEGORIES: [(&str, &[&str]); 12] = [
        ("suspended", &["delivery temporarily suspended", "delivery temporarily deferred"]),
        ("greylist", &["reylist", "try again later", "come back later"]),
        ("full", &["ailbox full", "ailbox is full", "uota", "nsufficient system storage"]),
        ("refused", &["Connection refused"]),
        ("connect_timeout", &["Connection timed out", "timed out while receiving the initial"]),
        ("timeout", &["timed out"]),
        ("lost_connection", &["lost connection"]),
        (
            "dns",
            &["Name service error", "ame or service", "unable to look up host", "Domain not found"],
        ),
        ("tls", &["TLS", "certificate"]),
        ("unknown_user", &["ser unknown", "nknown user", "ser doesn't exist", "No such user"]),
        ("spam", &["spam", "Spam", "blocked using", "lacklist", "blocklist"]),
        ("unreachable", &["No route to host", "Network is unreachable"]),
    ];
    let has = |part: &&str| memmem::find(text, part.as_bytes()).is_some();
    let found = CATEGORIES.iter().find(|(_, parts)| parts.iter().any(has));
    found.map_or("other", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(text: &str) -> String {
        let mut into = Vec::new();
        normalise(text.as_bytes(), &mut into);
        String::from_utf8(into).unwrap()
    }

    #[test]
    fn reasons_lose_what_is_different_each_time() {
        for (text, expected) in [
            (
                "host mx.a.example[192.0.2.7] said: 450 4.2.0 <u@a.example>: Recipient address rejected: Greylisted, see http://a.example/7 (in reply to RCPT TO command)",
                "450 4.2.0 <>: Recipient address rejected: Greylisted, see URL",
            ),
            (
                "connect to mx.a.example[192.0.2.7]:25: Connection refused",
                "connect to HOST: Connection refused",
            ),
            (
                "<\"odd > user\"@a.example>: Relay access denied",
                "<> user\"@a.example>: Relay access denied",
            ),
            (
                "Host or domain name not found. Name service error for name=a.example type=MX: Host not found, try again",
                "Host or domain name not found. Name service error for NAME=HOST type=MX: Host not found, try again",
            ),
            (
                "Service unavailable; Client host [192.0.2.7] blocked using zen.example; https://z.example/q/192.0.2.7",
                "Service unavailable; Client host [] blocked using HOST; URL",
            ),
            ("unknown user: \"jo\"", "unknown user: \"jo\""),
            ("try again in 300 seconds, id 4F9D195432E", "try again in N seconds, id ID"),
        ] {
            let expected = expected.replace("<> user\"@a.example>:", "<> ADDRESS:");
            assert_eq!(common(text), expected);
        }
        assert!(common(&"long ".repeat(99)).len() < 200);
    }

    #[test]
    fn categories() {
        for (text, expected) in [
            ("connect to a[1]:25: Connection refused", "refused"),
            ("connect to a[1]:25: Connection timed out", "connect_timeout"),
            ("delivery temporarily suspended: connect to a[1]:25: Connection refused", "suspended"),
            ("Name service error for name=a type=MX", "dns"),
            ("452 4.2.2 Mailbox is full", "full"),
            ("550 5.1.1 User unknown in virtual mailbox table", "unknown_user"),
            ("so it goes", "other"),
        ] {
            assert_eq!(category(text.as_bytes()), expected, "{text}");
        }
    }
}
