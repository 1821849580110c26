//! Why something happened, without what is different each time.
//!
//! Servers put addresses, hosts, ids and links into their answers. A table of such texts has a row for each; without
//! them it has a row for each reason. `host mx.a.example[192.0.2.7] said: 450 4.2.0 <u@a.example>: Greylisted, see
//! http://a.example/7 (in reply to RCPT TO command)` becomes `450 4.2.0 <>: Greylisted, see URL`.
//!
//! An answer of several lines has its codes in front of each (`421-4.7.28 Our system … 421-4.7.28 unsolicited … 421 4.7.28
//! review …`): here they stand once. What tells one cause from another stays: the list that blocks, the status of a command,
//! a code of the server's own (`[TSS04]`).

use std::borrow::Cow;

use memchr::memmem;

/// The most bytes of a reason that are kept.
const LONGEST: usize = 160;

/// The reason in common words, appended to `into`.
pub(super) fn normalise(text: &[u8], into: &mut Vec<u8>) {
    let text = without_suspension(text, into);
    if text.starts_with(b"unknown user: \"") {
        into.extend_from_slice(b"unknown user: \"\"");
        return;
    }
    let text = unfolded(without_frame(text));
    let start = into.len();
    let mut before: [&[u8]; 2] = [b"", b""];
    for (at, word) in words(&text).enumerate() {
        if into.len() - start > LONGEST {
            into.extend_from_slice("…".as_bytes());
            return;
        }
        if at > 0 {
            into.push(b' ');
        }
        push_word(word, at, before, into);
        before = [before[1], word];
    }
}

/// Takes off that nothing was tried because of an earlier failure, and writes it.
fn without_suspension<'t>(text: &'t [u8], into: &mut Vec<u8>) -> &'t [u8] {
    const SUSPENDED: &[u8] = b"delivery temporarily suspended: ";
    let Some(why) = text.strip_prefix(SUSPENDED) else { return text };
    into.extend_from_slice(SUSPENDED);
    why
}

/// An answer of several lines with its codes in front alone.
fn unfolded(text: &[u8]) -> Cow<'_, [u8]> {
    let [a, b, c, b'-', ..] = text else { return Cow::Borrowed(text) };
    if ![a, b, c].iter().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(text);
    }
    let reply = &text[..3];
    let mut enhanced: &[u8] = b"";
    let mut lines = reply.to_vec();
    let mut begins = false;
    for word in text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
        let inner = word.strip_prefix(reply).and_then(|rest| rest.strip_prefix(b"-"));
        let is_last_line = word == reply;
        let word = inner.unwrap_or(word);
        let is_code = (begins || inner.is_some()) && is_enhanced(word);
        begins = is_last_line;
        if is_last_line || (is_code && word == enhanced) {
            continue;
        }
        if is_code && enhanced.is_empty() {
            enhanced = word;
        }
        lines.push(b' ');
        lines.extend_from_slice(word);
    }
    Cow::Owned(lines)
}

/// `4.7.28`
fn is_enhanced(word: &[u8]) -> bool {
    let dots = word.iter().filter(|byte| **byte == b'.').count();
    dots == 2 && word.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.'))
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

/// Words between spaces, however many; what stands in angle brackets is one word, whatever it holds.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while let [b' ', more @ ..] = rest {
            rest = more;
        }
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

fn push_word(word: &[u8], at: usize, before: [&[u8]; 2], into: &mut Vec<u8>) {
    // Brackets around several words.
    let [opens, closes] = [b'[', b']'].map(|bracket| memchr::memchr(bracket, word).is_some());
    let begins = |byte: &&u8| matches!(byte, b'(' | b'\'' | b'"') || (!closes && **byte == b'[');
    let open = word.iter().take_while(begins).count();
    let (front, rest) = word.split_at(open);
    // `jo@a.example(1000):` has its brackets within.
    let is_within = memchr::memchr(b'(', rest).is_some();
    let ends = |byte: &&u8| {
        matches!(byte, b':' | b',' | b';' | b'.' | b'\'' | b'"')
            || (!is_within && **byte == b')')
            || (!opens && **byte == b']')
    };
    let close = rest.iter().rev().take_while(ends).count();
    let (core, back) = rest.split_at(rest.len() - close);
    let core = without_source(core);
    into.extend_from_slice(front);
    match shape(core, at) {
        _ if is_of_one_user(core, before) => into.extend_from_slice("…".as_bytes()),
        Some(shape) if !tells_causes_apart(core, before) => into.extend_from_slice(shape),
        _ => into.extend_from_slice(core),
    }
    into.extend_from_slice(back);
}

/// `failure:../ssl/record/rec_layer_s3.c:1601:SSL` without where in its sources a library found it.
fn without_source(word: &[u8]) -> &[u8] {
    let is_source = memmem::find(word, b".c:").is_some();
    match memchr::memchr(b':', word).filter(|_| is_source) {
        Some(colon) => &word[..colon],
        None => word,
    }
}

/// True for the mailbox of somebody and for the name behind it: `cannot update mailbox /var/mail/jo for user jo`.
fn is_of_one_user(word: &[u8], before: [&[u8]; 2]) -> bool {
    match before {
        [b"for", b"user"] => true,
        [_, b"mailbox"] | [b"maildir", b"file"] => word.starts_with(b"/"),
        _ => false,
    }
}

/// True for a word that would have a shape, and says what the cause is.
fn tells_causes_apart(word: &[u8], before: [&[u8]; 2]) -> bool {
    const FILES: [&[u8]; 3] = [b".cf", b".db", b".lmdb"];
    match before {
        [b"blocked", b"using" | b"by"] | [b"listed", b"in" | b"by" | b"at" | b"on"] => true,
        [_, b"status" | b"signal"] => true,
        _ if word.starts_with(b"TLSv") || word.starts_with(b"SSLv") => true,
        _ => is_own_code(word) || FILES.iter().any(|ending| word.ends_with(ending)),
    }
}

/// `[TSS04]`: capital letters and a few digits in brackets.
fn is_own_code(word: &[u8]) -> bool {
    let inner = word.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let Some(inner) = inner else { return false };
    let letters = inner.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let digits = &inner[letters..];
    letters > 0 && digits.len() <= 4 && digits.iter().all(u8::is_ascii_digit)
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
    const CATEGORIES: [(&str, &[&str]); 15] = [
        ("suspended", &["delivery temporarily suspended", "delivery temporarily deferred"]),
        ("loop", &["too many hops", "loops back to", "ail forwarding loop", "hopcount"]),
        ("greylist", &["reylist", "come back later"]),
        (
            "rate_limit",
            &[
                "ate limit",
                "unusual rate",
                "mail at a rate",
                "oo many",
                "unexpected volume",
                "erver busy",
                "hrottl",
            ],
        ),
        (
            "full",
            &[
                "ailbox full",
                "ailbox is full",
                "ailbox size limit",
                "uota",
                "out of storage",
                "nsufficient system storage",
                // What `mailbox_size_limit` makes of a mailbox.
                "error writing message: File too large",
            ],
        ),
        ("size", &["exceeds size limit", "essage too large", "essage size exceeds"]),
        ("refused", &["Connection refused"]),
        ("connect_timeout", &["Connection timed out", "timed out while receiving the initial"]),
        ("timeout", &["timed out"]),
        ("lost_connection", &["lost connection"]),
        (
            "dns",
            &["Name service error", "ame or service", "unable to look up host", "Domain not found"],
        ),
        ("tls", &["TLS", "certificate", "SSL_connect"]),
        (
            "unknown_user",
            &[
                "ser unknown",
                "nknown user",
                "nknown recipient",
                "ser doesn't exist",
                "ser does not exist",
                "ailbox does not exist",
                "ddress does not exist",
                "tried to reach does not exist",
                "user doesn't have",
                "ot a valid recipient",
                "o such user",
                "o such recipient",
            ],
        ),
        (
            "spam",
            &["spam", "Spam", "blocked using", "lacklist", "locklist", "block list", "reputation"],
        ),
        ("unreachable", &["No route to host", "Network is unreachable"]),
    ];
    let has = |part: &&str| memmem::find(text, part.as_bytes()).is_some();
    let found = CATEGORIES.iter().find(|(_, parts)| parts.iter().any(has));
    found.map_or_else(|| by_code(text), |(name, _)| name)
}

/// What an answer in words of its own is about, by its enhanced status code: `550 5.1.1 <> no such box`.
fn by_code(text: &[u8]) -> &'static str {
    match text.get(5..9) {
        Some(b".1.1" | b".1.6") => "unknown_user",
        Some(b".2.2") => "full",
        Some(b".3.4" | b".2.3") => "size",
        _ => "other",
    }
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
                "Service unavailable; Client host [] blocked using zen.example; URL",
            ),
            ("<a@a.example> is odd, <b@b.example>: no", "<> is odd, <>: no"),
            ("unknown user: \"jo\"", "unknown user: \"\""),
            (
                "cannot update mailbox /var/mail/jo for user jo. error writing message: File too large",
                "cannot update mailbox … for user …. error writing message: File too large",
            ),
            (
                "delivery failed to mailbox /srv/jo: error writing message: File too large",
                "delivery failed to mailbox …: error writing message: File too large",
            ),
            ("jo@a.example(1000): message file too big", "ADDRESS: message file too big"),
            (
                "TLS library problem: error:0A000410:SSL routines::sslv3 alert handshake failure:../ssl/record/rec_layer_s3.c:1601:SSL alert number 40:",
                "TLS library problem: ID routines::sslv3 alert handshake failure alert number N:",
            ),
            ("try again in 300 seconds, id 4F9D195432E", "try again in N seconds, id ID"),
        ] {
            assert_eq!(common(text), expected);
        }
        assert!(common(&"long ".repeat(99)).len() < 200);
    }

    /// Texts of large providers, as Postfix writes them: lines joined by spaces.
    #[test]
    fn answers_of_several_lines_have_their_codes_once() {
        for (text, expected) in [
            (
                "host mx.g.example[192.0.2.7] said: 421-4.7.28 [192.0.2.9      15] Our system has detected an unusual rate of 421-4.7.28 unsolicited mail. Please visit 421-4.7.28  https://g.example/?p=Rate to 421 4.7.28 review our Guidelines. 5b1f17b1804b1-47bcd1a2si12.300 - gsmtp (in reply to end of DATA command)",
                "421 4.7.28 [N N] Our system has detected an unusual rate of unsolicited mail. Please visit URL to review our Guidelines. HOST - gsmtp",
            ),
            (
                "550-Mailbox unknown. Either there is 550 no such user",
                "550 Mailbox unknown. Either there is no such user",
            ),
            (
                "550 5.7.1 no [DB3EUR04FT012.out.example 2026-11-30T23:41:14.123Z 08DD0B8C3D1E2F41]",
                "550 5.7.1 no [HOST HOST ID]",
            ),
        ] {
            assert_eq!(common(text), expected);
        }
    }

    #[test]
    fn what_tells_one_cause_from_another_stays() {
        for text in [
            "554 5.7.1 Client host [] blocked using zen.example; URL",
            "Command died with status 75: \"/usr/bin/filter\"",
            "421 4.7.0 [TSS04] temporarily deferred",
            "duplicate master.cf entry",
            "delivery temporarily suspended: 421 4.7.0 busy",
        ] {
            assert_eq!(common(text), text);
        }
        assert_eq!(
            common(
                "delivery temporarily suspended: host a.example[192.0.2.7] refused to talk to me: 421 4.7.0 busy"
            ),
            "delivery temporarily suspended: 421 4.7.0 busy"
        );
        assert_eq!(common("no [A1B2C3D4] or [192.0.2.7]"), "no [] or []");
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
            ("451 4.7.500 Server busy. Please try again later from [192.0.2.7].", "rate_limit"),
            ("421 4.7.28 unusual rate of mail. To protect our users from spam", "rate_limit"),
            ("452 4.2.2 The recipient's inbox is out of storage space", "full"),
            ("550 5.1.1 The email account that you tried to reach does not exist.", "unknown_user"),
            ("554 5.4.0 Error: too many hops", "loop"),
            ("delivery failed to mailbox /a: error writing message: File too large", "full"),
            ("message size 2149 exceeds size limit 1000 of server a.example[192.0.2.7]", "size"),
            ("SSL_connect error to a.example[192.0.2.7]:25: -1", "tls"),
            ("550 5.1.1 <> no such box", "unknown_user"),
            ("552 5.3.4 <> too big", "size"),
            ("so it goes", "other"),
        ] {
            assert_eq!(category(text.as_bytes()), expected, "{text}");
        }
    }
}
