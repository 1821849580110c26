//! Which server wrote a line of the common formats: Nginx and Apache write them alike and escape differently.
//!
//! A guess for people, with its reason; nothing is parsed differently for it.

use memchr::memchr_iter;

/// A server, and what gave it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clue {
    /// `nginx` or `apache`.
    pub server: &'static str,
    /// What in its lines says so.
    pub why: &'static str,
}

const NGINX: &str = "nginx";
const APACHE: &str = "apache";

/// Says whether a clue is in a line.
type Test = fn(line: &[u8]) -> bool;

/// What only one of the servers writes.
const CLUES: &[(Clue, Test)] = &[
    (Clue { server: APACHE, why: "quotes inside fields are escaped as \\\"" }, |line| {
        places(line, b"\\\"").next().is_some()
    }),
    (Clue { server: NGINX, why: "quotes inside fields are escaped as \\x22" }, |line| {
        places(line, b"\\x").any(|at| line[at + 2..].starts_with(b"22"))
    }),
    (Clue { server: APACHE, why: "hexadecimal escapes are in lower case" }, |line| {
        has_escape_with(line, b'a'..=b'f')
    }),
    (Clue { server: NGINX, why: "hexadecimal escapes are in upper case" }, |line| {
        has_escape_with(line, b'A'..=b'F')
    }),
    (Clue { server: NGINX, why: "it has statuses that only Nginx knows" }, |line| {
        let own = |status: &[u8]| {
            matches!(status, b"000" | b"444" | b"494" | b"495" | b"496" | b"497" | b"499")
        };
        status_and_size(line).is_some_and(|(status, _)| own(status))
    }),
    (Clue { server: APACHE, why: "an answer without a body has '-' bytes" }, |line| {
        status_and_size(line).is_some_and(|(_, size)| size == b"-")
    }),
    (Clue { server: NGINX, why: "an answer without a body has 0 bytes" }, |line| {
        // Apache counts the headers here, where it counts from 0 at all.
        status_and_size(line).is_some_and(|found| matches!(found, (b"304" | b"204", b"0")))
    }),
];

/// The server that wrote these lines and the most frequent of its clues; `None` when nothing tells, or both equally.
pub fn server_of(sample: &[u8]) -> Option<Clue> {
    // JSON has escapes of its own, whoever writes it.
    let lines = sample.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"{"));
    let lines: Vec<&[u8]> = lines.collect();
    let counted =
        CLUES.iter().map(|(clue, is_in)| (lines.iter().filter(|line| is_in(line)).count(), clue));
    let counted: Vec<(usize, &Clue)> = counted.collect();
    let votes = |server| -> usize {
        counted.iter().filter(|(_, clue)| clue.server == server).map(|(count, _)| count).sum()
    };
    let server = match votes(NGINX).cmp(&votes(APACHE)) {
        std::cmp::Ordering::Greater => NGINX,
        std::cmp::Ordering::Less => APACHE,
        std::cmp::Ordering::Equal => return None,
    };
    let own = counted.iter().filter(|(_, clue)| clue.server == server);
    own.max_by_key(|(count, _)| count).map(|(_, clue)| **clue)
}

/// Where a short text stands in a line. Its first byte is in few of them.
fn places<'l>(line: &'l [u8], text: &'l [u8; 2]) -> impl Iterator<Item = usize> + 'l {
    memchr_iter(text[0], line).filter(move |at| line[*at..].starts_with(text))
}

/// True when a `\xhh` has such a digit, and none that speaks against it.
fn has_escape_with(line: &[u8], digits: std::ops::RangeInclusive<u8>) -> bool {
    let escapes = places(line, b"\\x").filter_map(|at| line.get(at + 2..at + 4));
    escapes.into_iter().any(|hex| {
        hex.iter().all(u8::is_ascii_hexdigit) && hex.iter().any(|digit| digits.contains(digit))
    })
}

/// The two columns behind the request: `" 200 5120`.
fn status_and_size(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = places(line, b"\" ").next()? + 2;
    let mut columns = line[start..].split(|byte| *byte == b' ');
    let (status, size) = (columns.next()?, columns.next()?);
    (status.len() == 3 && status.iter().all(u8::is_ascii_digit)).then_some((status, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Option<&'static str> {
        server_of(text.as_bytes()).map(|clue| clue.server)
    }

    #[test]
    fn clues_of_either() {
        assert_eq!(server(r#""GET / HTTP/1.1" 200 5 "-" "a \"b\"""#), Some(APACHE));
        assert_eq!(server(r#""GET / HTTP/1.1" 200 5 "-" "a \x22b\x22""#), Some(NGINX));
        assert_eq!(server(r#""\x16\xfc" 400 5"#), Some(APACHE));
        assert_eq!(server(r#""\x16\xFC" 400 5"#), Some(NGINX));
        assert_eq!(server(r#""GET / HTTP/1.1" 304 -"#), Some(APACHE));
        assert_eq!(server(r#""GET / HTTP/1.1" 499 0"#), Some(NGINX));
        assert_eq!(server("\"GET / HTTP/1.1\" 200 5\n\"GET / HTTP/1.1\" 404 5"), None);
    }
}
