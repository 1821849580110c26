//! What can be said of a stamp by the `strftime` text that Apache writes it with: how long it is, and whether it is whole.

use super::capture::Stamp;

/// The conversions with the length of what they write, where that is always the same. Servers run in the C locale.
const LENGTHS: &[(&str, usize)] = &[
    ("nt%uw", 1),
    ("CydegmHIklMpPSUVW", 2),
    ("abhj", 3),
    ("GY", 4),
    ("Rz", 5),
    ("DTX", 8),
    ("F", 10),
    ("r", 11),
];

/// The parts of a text: conversions with what stands between `%` and their letter, and characters that stand for
/// themselves.
fn parts(format: &str) -> impl Iterator<Item = (&str, char)> {
    let mut rest = format;
    std::iter::from_fn(move || {
        let Some(conversion) = rest.strip_prefix('%') else {
            let character = rest.chars().next()?;
            rest = &rest[character.len_utf8()..];
            return Some(("", character));
        };
        let letter = conversion.find(|c: char| !"0123456789:_-".contains(c)).unwrap_or(0);
        let character = conversion[letter..].chars().next()?;
        let whole = &rest[..1 + letter];
        rest = &conversion[letter + character.len_utf8()..];
        Some((whole, character))
    })
}

/// How long a stamp is, if it always is.
pub(super) fn width(format: &str) -> Option<usize> {
    let width = |(before, letter): (&str, char)| match (before, letter) {
        ("", character) => Some(character.len_utf8()),
        ("%3", 'f') => Some(3),
        ("%6", 'f') => Some(6),
        ("%", letter) => {
            LENGTHS.iter().find(|(letters, _)| letters.contains(letter)).map(|(_, length)| *length)
        }
        _ => None,
    };
    parts(format).map(width).sum()
}

/// True for a time without a date, a fraction, a zone: what says no instant by itself.
pub(super) fn is_piece(format: &str) -> bool {
    let says_day = |letter| "cDFxs+dejuV".contains(letter);
    !parts(format).any(|(before, letter)| !before.is_empty() && says_day(letter))
}

/// How many places of a second a stamp has.
pub(super) fn places(format: &str) -> u32 {
    match (format.contains("%6f"), format.contains("%3f")) {
        (true, _) => 6,
        (_, true) => 3,
        _ => 0,
    }
}

/// The quickest way to read a stamp.
pub(super) fn stamp(format: &str) -> Stamp {
    let plain = format.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d");
    if plain == "%d/%b/%Y:%H:%M:%S %z" {
        return Stamp::Clf;
    }
    let rest = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"];
    let rest = rest.iter().find_map(|beginning| plain.strip_prefix(beginning));
    match (rest, width(format)) {
        (Some("" | "%z" | ".%3f" | ".%6f" | ".%3f%z" | ".%6f%z"), Some(width)) => {
            Stamp::FixedIso(width)
        }
        _ => Stamp::Strftime(format.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(width("%d/%b/%Y %T.%6f %z"), Some("30/Nov/2026 20:42:58.169665 +0000".len()));
        assert_eq!(width("%s"), None);
        assert_eq!(width("%A"), None);
        assert_eq!(width("%%é%-d"), None);
        assert_eq!(width("%"), Some(0));
    }

    #[test]
    fn pieces() {
        for piece in ["%T", "%z", "%3f", "", ":"] {
            assert!(is_piece(piece), "{piece}");
        }
        for whole in ["%F", "%d/%b/%Y", "%s", "%c"] {
            assert!(!is_piece(whole), "{whole}");
        }
    }
}
