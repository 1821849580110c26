//! Domain names as DNS servers write them: labels, and the part that someone registered.
//!
//! A name is in the presentation form of master files: labels with dots between them, in which a backslash protects
//! what follows it (`a\.b` is one label) or begins three decimal digits. The root is `.`. Names are compared without
//! case; the functions here take them in lower case.

use crate::escape::is_escaped;

/// The longest name in presentation form: 255 bytes of which each may be an escape of four.
const LONGEST: usize = 1020;

/// The registrable domain of a name: its public suffix and one label more, by the public suffix list, private part
/// included. A name that is a public suffix itself, or the root, is its own domain.
pub fn registrable(name: &[u8]) -> &[u8] {
    let mut room = [0; LONGEST];
    let Some(plain) = without_escapes(name, &mut room) else { return name };
    match psl::domain(plain) {
        Some(domain) => &name[name.len() - domain.as_bytes().len()..],
        None => name,
    }
}

/// True when the last label of a name is one that the public suffix list has.
pub fn is_under_known_suffix(name: &[u8]) -> bool {
    let mut room = [0; LONGEST];
    let plain = without_escapes(last_labels(name, 1), &mut room);
    plain.and_then(psl::suffix).is_some_and(|suffix| suffix.is_known())
}

/// The name with another byte in the place of each dot that is none between labels, so that lengths stay.
fn without_escapes<'a>(name: &'a [u8], room: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
    if memchr::memchr(b'\\', name).is_none() {
        return Some(name);
    }
    let plain = room.get_mut(..name.len())?;
    plain.copy_from_slice(name);
    let mut at = 0;
    while at < plain.len() {
        if plain[at] == b'\\' {
            plain[at..].iter_mut().take(2).for_each(|byte| *byte = b'-');
            at += 1;
        }
        at += 1;
    }
    Some(plain)
}

/// The last labels of a name, as many as there are up to `count`.
pub fn last_labels(name: &[u8], count: usize) -> &[u8] {
    let mut left = count;
    let mut end = name.strip_suffix(b".").unwrap_or(name).len();
    while let Some(dot) = memchr::memrchr(b'.', &name[..end]) {
        end = dot;
        if is_escaped(&name[..dot]) {
            continue;
        }
        left -= usize::from(left > 0);
        if left == 0 {
            return &name[dot + 1..];
        }
    }
    name
}

/// How many labels a name has; the root has none.
pub fn labels(name: &[u8]) -> usize {
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.is_empty() {
        return 0;
    }
    1 + memchr::memchr_iter(b'.', name).filter(|dot| !is_escaped(&name[..*dot])).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(name: &str, domain: &str) {
        let found = registrable(name.as_bytes());
        assert_eq!(found.escape_ascii().to_string(), domain.as_bytes().escape_ascii().to_string());
    }

    #[test]
    fn registrable_domains() {
        check("www.example.com", "example.com");
        check("a.b.example.co.uk", "example.co.uk");
        check("user.github.io", "user.github.io");
        check("deep.shop.example", "shop.example");
        check("80.2.0.192.in-addr.arpa", "192.in-addr.arpa");
        check("com", "com");
        check("co.uk", "co.uk");
        check("localhost", "localhost");
        check(".", ".");
        check("", "");
    }

    #[test]
    fn a_protected_dot_is_part_of_its_label() {
        check("www.a\\.example.com", "a\\.example.com");
        check("www.a\\\\.example.com", "example.com");
        assert_eq!(last_labels(b"x.a\\.b.c", 2), b"a\\.b.c");
        assert_eq!(last_labels(b"x.a\\\\.b.c", 2), b"b.c");
        assert_eq!(labels(b"x.a\\.b.c"), 3);
    }

    #[test]
    fn levels() {
        for (count, expected) in [(1, "com"), (2, "b.com"), (3, "a.b.com"), (9, "a.b.com")] {
            assert_eq!(last_labels(b"a.b.com", count), expected.as_bytes());
        }
        assert_eq!((last_labels(b".", 1), labels(b".")), (&b"."[..], 0));
        assert_eq!((last_labels(b"com", 1), labels(b"com")), (&b"com"[..], 1));
    }

    #[test]
    fn known_suffixes() {
        assert!(is_under_known_suffix(b"www.example.com"));
        assert!(is_under_known_suffix(b"7.2.0.192.in-addr.arpa"));
        assert!(!is_under_known_suffix(b"printer.lan"));
        assert!(!is_under_known_suffix(b"."));
    }

    proptest! {
        #[test]
        fn a_domain_is_the_end_of_its_name(name in "[a-z0-9.\\\\-]{0,60}") {
            let name = name.as_bytes();
            prop_assert!(name.ends_with(registrable(name)));
            prop_assert!(name.ends_with(last_labels(name, 3)));
            prop_assert!(labels(last_labels(name, 3)) <= 3);
            let _ = is_under_known_suffix(name);
        }
    }
}
