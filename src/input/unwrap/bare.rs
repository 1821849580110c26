//! Lines without what a container runtime or compose put in front of each.
//!
//! ```text
//! 2024-03-07T08:15:02.418123456Z stderr F # Query_time: 2.5  Lock_time: 0.0 …
//! db-1  | # Query_time: 2.5  Lock_time: 0.0 …
//! ```
//!
//! Formats know these envelopes where a record is a line. Of records of several lines each line has one, and nothing tells
//! that it is not the first of its own. Lines of other containers are handed on as they are.

use memchr::memchr_iter;

use super::cri::Part;
use super::{Opening, whole_lines};

/// The name of a container is at most so long, and at most so much white space follows it.
const LONGEST: usize = 64;

/// What compose puts in front of a line: `name-1  | `, with the number that tells it from a bar in a text.
fn name_and_bar(line: &[u8]) -> Option<(&[u8], usize)> {
    let is_of_name =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let name = line.iter().take(LONGEST).take_while(is_of_name).count();
    let (name, rest) = line.split_at(name);
    let spaces = rest.iter().take(LONGEST).take_while(|byte| **byte == b' ').count();
    let has_number = name.last().is_some_and(u8::is_ascii_digit) && name[0].is_ascii_lowercase();
    let is_bar = spaces > 0 && rest.get(spaces) == Some(&b'|');
    // A line that is empty inside has lost its last space.
    let end = name.len() + spaces + 1 + usize::from(rest.get(spaces + 1) == Some(&b' '));
    (has_number && is_bar).then_some((name, end))
}

/// True where compose wrote down all lines, of one container only.
pub(super) fn is_of_one_container(lines: &[&[u8]]) -> bool {
    let mut names = lines.iter().map(|line| name_and_bar(line).map(|(name, _)| name));
    let Some(Some(first)) = names.next() else { return false };
    names.all(|name| name == Some(first))
}

/// Takes the envelopes off.
#[derive(Debug, Default)]
pub(super) struct Baring {
    /// The container whose lines are meant, once compose has named one.
    name: Vec<u8>,
}

impl Opening for Baring {
    fn open(&mut self, text: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let whole = whole_lines(text, last);
        let mut start = 0;
        for end in memchr_iter(b'\n', whole).map(|end| end + 1).chain([whole.len()]) {
            let line = &whole[start..end];
            out.extend_from_slice(&line[self.front(line).min(line.len())..]);
            start = end;
        }
        whole.len()
    }
}

impl Baring {
    /// How much stands in front of the line.
    fn front(&mut self, line: &[u8]) -> usize {
        if let Some(part) = Part::of(line.trim_ascii_end()) {
            // Of a line that is empty inside nothing is left but its end.
            return part.text().min(line.trim_ascii_end().len());
        }
        let Some((name, end)) = name_and_bar(line) else { return 0 };
        if self.name.is_empty() {
            self.name.extend_from_slice(name);
        }
        if self.name == name { end } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bared(text: &str) -> String {
        let mut out = Vec::new();
        assert_eq!(Baring::default().open(text.as_bytes(), true, &mut out), text.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_without_their_envelopes() {
        let stamp = "2024-03-07T08:15:02.418123456Z";
        let text = format!("{stamp} stderr F # a\n{stamp} stdout F\n{stamp} stderr F  b \nplain\n");
        assert_eq!(bared(&text), "# a\n\n b \nplain\n");
        let text = "db-1  | # a\ndb-1  |\nweb-1 | x\ndb-1  | b | c\ndb-1  | end";
        assert_eq!(bared(text), "# a\n\nweb-1 | x\nb | c\nend");
        assert_eq!(bared(""), "");
    }

    #[test]
    fn one_container_is_meant() {
        assert!(is_of_one_container(&[b"db-1  | a", b"db-1  | b"]));
        assert!(!is_of_one_container(&[b"db-1  | a", b"db-2  | b"]));
        assert!(!is_of_one_container(&[b"a | b", b"a | c"]));
        assert!(!is_of_one_container(&[]));
    }
}
