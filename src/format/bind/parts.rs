//! What lines of BIND are put together from: questions, zones, peers, quoted things.

/// `N/T/C` or `N/C/T`, read from its end: names may hold slashes.
pub(super) fn three(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let last = memchr::memrchr(b'/', text)?;
    let middle = memchr::memrchr(b'/', &text[..last])?;
    Some((&text[..middle], &text[middle + 1..last], &text[last + 1..]))
}

/// `N/T`.
pub(super) fn two(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = memchr::memrchr(b'/', text)?;
    Some((&text[..last], &text[last + 1..]))
}

/// A class as BIND writes it.
pub(super) fn is_class(word: &[u8]) -> bool {
    matches!(word, b"IN" | b"CH" | b"HS" | b"ANY" | b"NONE") || word.starts_with(b"CLASS")
}

/// A zone: `shop.example/IN`, `shop.example/IN/outside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Zone<'a> {
    pub(super) name: &'a [u8],
    pub(super) class: Option<&'a [u8]>,
    pub(super) view: Option<&'a [u8]>,
}

/// Reads a zone with its class, and its view where it has one.
pub(super) fn zone(text: &[u8]) -> Zone<'_> {
    let bare = Zone { name: text, class: None, view: None };
    let Some((name, last)) = two(text) else { return bare };
    if is_class(last) {
        return Zone { name, class: Some(last), view: None };
    }
    match two(name) {
        Some((name, class)) if is_class(class) => {
            Zone { name, class: Some(class), view: Some(last) }
        }
        _ => bare,
    }
}

/// What a pair of quotes holds at the beginning of a text, and what follows it. The end is the first quote that no
/// part of a name can follow.
pub(super) fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"'")?;
    let mut ends = memchr::memchr_iter(b'\'', text);
    let end =
        ends.find(|end| matches!(text.get(end + 1), None | Some(b' ' | b':' | b',' | b'\n')))?;
    Some((&text[..end], &text[end + 1..]))
}

/// The address in `192.0.2.7#53`, at the beginning of a text, and what follows the port.
pub(super) fn peer(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let hash = memchr::memchr(b'#', text)?;
    let address = &text[..hash];
    let is_one = !address.is_empty() && !address.iter().any(u8::is_ascii_whitespace);
    let digits = text[hash + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    is_one.then_some((address, &text[hash + 1 + digits..]))
}

/// What stands before the first occurrence of a part, and after it.
pub(super) fn around<'a>(text: &'a [u8], part: &str) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(text, part.as_bytes())?;
    Some((&text[..at], &text[at + part.len()..]))
}

/// The bytes up to a space or the end, and those after it.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr2(b' ', b'\n', text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[]),
    }
}

/// What stands between the last pair of parentheses at the end of a text.
pub(super) fn in_parentheses(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_end().strip_suffix(b")")?;
    Some(&text[memchr::memrchr(b'(', text)? + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_28_questions_are_read_from_their_ends() {
        let name = &b"0/25.2.0.192.in-addr.arpa"[..];
        assert_eq!(
            three(b"0/25.2.0.192.in-addr.arpa/PTR/IN"),
            Some((name, &b"PTR"[..], &b"IN"[..]))
        );
        assert_eq!(two(b"a.b/AAAA"), Some((&b"a.b"[..], &b"AAAA"[..])));
        assert_eq!(three(b"a/b"), None);
    }

    #[test]
    fn zones() {
        let (name, class) = (&b"shop.example"[..], Some(&b"IN"[..]));
        assert_eq!(zone(b"shop.example/IN"), Zone { name, class, view: None });
        let view = Some(&b"outside"[..]);
        assert_eq!(zone(b"shop.example/IN/outside"), Zone { name, class, view });
        assert_eq!(zone(b"0/25.arpa").name, b"0/25.arpa");
    }

    #[test]
    fn quotes() {
        assert_eq!(quoted(b"'a'b/A/IN' denied"), Some((&b"a'b/A/IN"[..], &b" denied"[..])));
        assert_eq!(quoted(b"'a"), None);
        assert_eq!(peer(b"2001:db8::7#53: x"), Some((&b"2001:db8::7"[..], &b": x"[..])));
        assert_eq!(peer(b"a b#53"), None);
        assert_eq!(in_parentheses(b"x (a) (REFUSED)"), Some(&b"REFUSED"[..]));
    }
}
