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
            Some(b'<') => end_of_brackets(rest).unwrap_or(0),
            _ => 0,
        };
        let end = memchr::memchr(b' ', &rest[from..]).map_or(rest.len(), |at| from + at);
        let word = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(word)
    })
}

/// Where the bracket closes. Postfix shows addresses without their quotes, so that they may hold one themselves:
/// `<odd > one@a.example>: Recipient address rejected`.
fn end_of_brackets(text: &[u8]) -> Option<usize> {
    let first = memchr::memchr(b'>', text)?;
    if text.get(first + 1) != Some(&b' ') {
        return Some(first);
    }
    let colon = memmem::find(text, b">: ");
    let is_one = |end: &usize| memchr::memchr(b'<', &text[1..*end]).is_none();
    colon.filter(is_one).or(Some(first))
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

/// What a word is made of, from one look at each byte.
#[derive(Default)]
struct Made {
    digits: usize,
    letters: usize,
    dots: usize,
    /// Bits of [`Made::MARKS`].
    marks: u8,
}

impl Made {
    const MARKS: [u8; 6] = *b"[]@/=:";

    fn of(word: &[u8]) -> Self {
        let mut made = Self::default();
        for byte in word {
            match byte {
                b'0'..=b'9' => made.digits += 1,
                b'a'..=b'z' | b'A'..=b'Z' => made.letters += 1,
                b'.' => made.dots += 1,
                b'[' => made.marks |= 1,
                b']' => made.marks |= 1 << 1,
                b'@' => made.marks |= 1 << 2,
                b'/' => made.marks |= 1 << 3,
                b'=' => made.marks |= 1 << 4,
                b':' => made.marks |= 1 << 5,
                _ => {}
            }
        }
        made
    }

    fn has(&self, mark: u8) -> bool {
        let at = Self::MARKS.iter().position(|known| *known == mark);
        at.is_some_and(|at| self.marks & (1 << at) != 0)
    }
}

/// What stands for a word that is different each time; `None` for a word that stays.
fn shape(word: &[u8], at: usize) -> Option<&'static [u8]> {
    if word.first() == Some(&b'<') && memchr::memchr(b'>', word).is_some() {
        return Some(b"<>");
    }
    let made = Made::of(word);
    if made.digits + made.dots == 0 && made.marks == 0 {
        return None;
    }
    let Made { digits, letters, dots, .. } = made;
    if made.has(b':') && made.has(b'/') && memmem::find(word, b"://").is_some() {
        return Some(b"URL");
    }
    if made.has(b'[') && made.has(b']') {
        return Some(if word.first() == Some(&b'[') { b"[]" } else { b"HOST" });
    }
    if made.has(b'@') {
        return Some(b"ADDRESS");
    }
    // Reply codes and enhanced ones in front say more than the words behind.
    if at < 2 && letters == 0 && word.len() <= 7 {
        return None;
    }
    if dots > 0 && letters > 0 && !made.has(b'/') {
        return Some(if made.has(b'=') { b"NAME=HOST" } else { b"HOST" });
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

/// What a refusal is about, by its stage and its reason: the kinds that postfix-logwatch tells apart.
pub(super) fn refusal(stage: &[u8], reason: &[u8]) -> &'static str {
    const REASONS: [(&str, &[&str]); 24] = [
        ("dnsbl", &["blocked using "]),
        ("greylist", &["reylist"]),
        ("relay", &["Relay access denied", "Relaying denied"]),
        ("unknown_user", &["ser unknown", "nknown user", "No such user"]),
        ("unknown_client", &["cannot find your hostname"]),
        ("unknown_reverse_client", &["cannot find your reverse hostname"]),
        ("unverified_client", &["unverified client"]),
        ("unverified", &["undeliverable address", "unverified address", "verification"]),
        ("helo", &["Helo command rejected", "HELO"]),
        ("unknown_domain", &["Domain not found", "omain not found"]),
        ("sender", &["Sender address rejected", "sender address", "Sender address"]),
        ("recipient", &["Recipient address rejected", "Recipient address"]),
        ("client", &["Client host rejected", "Client host"]),
        ("size", &["Message size exceeds", "message file too big", "size limit"]),
        ("space", &["nsufficient system storage", "Insufficient disk"]),
        ("configuration", &["Server configuration", "erver configuration"]),
        ("lookup", &["emporary lookup failure", "lookup error"]),
        ("pipelining", &["pipelining"]),
        ("limit", &["too many", "limit exceeded", "ports busy", "Too many", "rate"]),
        ("postscreen", &["Service currently unavailable", "Protocol error"]),
        ("tls", &["STARTTLS", "TLS"]),
        ("data", &["Data command rejected"]),
        ("proxy", &["proxy"]),
        ("syntax", &["Syntax", "Bad address", "bad syntax", "nvalid name"]),
    ];
    match stage {
        b"header" => return "header",
        b"body" => return "body",
        b"END-OF-MESSAGE" => return "milter_or_content",
        b"VRFY" => return "vrfy",
        b"ETRN" => return "etrn",
        _ => {}
    }
    let has = |part: &&str| memmem::find(reason, part.as_bytes()).is_some();
    let found = REASONS.iter().find(|(_, parts)| parts.iter().any(has));
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
            ("<\"odd > user\"@a.example>: Relay access denied", "<>: Relay access denied"),
            (
                "Host or domain name not found. Name service error for name=a.example type=MX: Host not found, try again",
                "Host or domain name not found. Name service error for NAME=HOST type=MX: Host not found, try again",
            ),
            (
                "Service unavailable; Client host [192.0.2.7] blocked using zen.example; https://z.example/q/192.0.2.7",
                "Service unavailable; Client host [] blocked using HOST; URL",
            ),
            ("<a@a.example> is odd, <b@b.example>: no", "<> is odd, <>: no"),
            ("unknown user: \"jo\"", "unknown user: \"jo\""),
            ("try again in 300 seconds, id 4F9D195432E", "try again in N seconds, id ID"),
        ] {
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
