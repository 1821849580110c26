//! What stands between the beginning of a record and its statement: lines that begin with `#`, `use`, `SET timestamp`.
//!
//! [`header`] reads all that servers ever wrote there, [`usual`] what nearly all write, along the line ends that are known
//! already. Which line of a text begins a header is told in [`boundary`](super::boundary).

use memchr::memchr_iter;

use super::boundary::{may_open, past_hole};
use super::lexer;

/// The most lines of a header; plans have a line for each table.
const MOST_LINES: usize = 1000;

/// What a line of a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Says {
    Account,
    /// The stamp; behind it may stand the account.
    Time,
    /// Which database was selected.
    Database,
    /// `SET timestamp`.
    Set,
    /// A line of the statement's plan, or of what the server warned of.
    Plan,
    /// Pairs of keys and values, or nothing that is known.
    #[default]
    Pairs,
}

impl Says {
    #[inline]
    fn of(line: &[u8]) -> Self {
        if line.starts_with(b"# User@Host: ") {
            Self::Account
        } else if line.starts_with(b"# Time: ") {
            Self::Time
        } else if line.starts_with(b"use ") {
            Self::Database
        } else if is_set(line) {
            Self::Set
        } else if line.starts_with(b"# explain:") {
            Self::Plan
        } else {
            Self::Pairs
        }
    }
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Where the statement begins.
    pub(super) body: usize,
    /// Whether `SET timestamp=…;` is there, as MySQL 5.1 and later always write it.
    pub(super) is_stamped: bool,
    pub(super) has_time: bool,
    /// Whether the text ended before anything else came.
    pub(super) is_open: bool,
    /// Where warnings stand, counted from the header's beginning. They quote what a client sent, line ends and all.
    warnings: (usize, usize),
    pub(super) lines: Lines,
}

/// Where the first lines of a header end, counted from its beginning, and what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lines {
    ends: [u16; 16],
    say: [Says; 16],
    len: u8,
}

impl Lines {
    /// Adds a line, if it ends where the places can say.
    #[inline]
    fn push(&mut self, end: usize, says: Says) {
        let number = usize::from(self.len);
        let place = self.ends.get_mut(number).zip(self.say.get_mut(number));
        if let (Some(place), Ok(end)) = (place, end.try_into()) {
            (*place.0, *place.1) = (end, says);
            self.len += 1;
        }
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.len.into()
    }

    /// A line by its number.
    #[inline]
    fn get(&self, number: usize) -> Option<(usize, Says)> {
        let is_known = number < usize::from(self.len);
        is_known.then(|| (self.ends[number] as usize, self.say[number]))
    }
}

impl Header {
    fn at(at: usize) -> Self {
        let lines = Lines::default();
        let warnings = (0, 0);
        Self { body: at, is_stamped: false, has_time: false, is_open: false, warnings, lines }
    }

    /// The lines in the first `body` bytes of the record that begins with it: where each begins and ends.
    #[inline]
    pub(super) fn lines(
        &self,
        record: &[u8],
        body: usize,
    ) -> impl Iterator<Item = (usize, usize, Says)> {
        let (mut number, mut at) = (0, 0);
        std::iter::from_fn(move || {
            let start = at;
            (start < body).then(|| {
                let known = self.lines.get(number);
                let (end, says) = known.unwrap_or_else(|| {
                    let end = lexer::end_of_line(&record[..body], start);
                    let is_warning = (self.warnings.0..self.warnings.1).contains(&start);
                    let says = || Says::of(&record[start..end]);
                    (end, if is_warning { Says::Plan } else { says() })
                });
                let end = end.min(body);
                (number, at) = (number + 1, end + 1);
                (start, end, says)
            })
        })
    }
}

/// The header of a record that begins at `at`; `None` when there is no `Query_time`.
pub(super) fn header(text: &[u8], at: usize) -> Option<Header> {
    let at = past_hole(text, at);
    let mut head = Header::at(at);
    let (mut has_query_time, mut has_use) = (false, false);
    // Behind a line of a header, which ends in no semicolon, none can begin; nor is the first line asked.
    let mut may_end = false;
    for _ in 0..MOST_LINES {
        let end = lexer::end_of_line(text, head.body);
        let line = &text[head.body..end];
        if head.body >= text.len() {
            head.is_open = true;
            break;
        }
        if is_warnings(line) && has_query_time {
            match warnings(text, end + 1) {
                Ahead::Behind(behind) => {
                    head.warnings = (head.body - at, behind - at);
                    may_end = false;
                    push_lines(text, at, behind, &mut head);
                    continue;
                }
                Ahead::Open => {
                    head.body = text.len();
                    continue;
                }
                Ahead::None => {}
            }
        }
        let says = Says::of(line);
        if line.starts_with(b"#") {
            if is_command(line) || (may_end && may_open(text, head.body)) {
                break;
            }
            may_end = is_ended(line);
            head.has_time |= says == Says::Time;
            has_query_time = has_query_time || names_query_time(line);
        } else if says == Says::Database && is_ended(line) && !has_use && has_query_time {
            (has_use, may_end) = (true, true);
        } else if says == Says::Set && has_query_time {
            head.is_stamped = true;
        } else if has_query_time && !has_use && is_part_without_mark(line) {
            may_end = true;
        } else {
            break;
        }
        head.lines.push(end - at, says);
        head.body = (end + 1).min(text.len());
        if head.is_stamped {
            break;
        }
    }
    has_query_time.then_some(head)
}

/// The line in front of warnings.
pub(super) fn is_warnings(line: &[u8]) -> bool {
    line.trim_ascii_end() == b"# Warnings"
}

/// Where warnings end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// In front of `SET timestamp` or of the `use` before it.
    Behind(usize),
    /// Behind the end of the text.
    Open,
    /// Nowhere near.
    None,
}

/// As many bytes of warnings are looked through: the server keeps 64 of at most 512 characters.
const MOST_OF_WARNINGS: usize = 32 << 10;

/// Where the warnings that begin at `at` end. A message quotes values as they are: what looks like `SET timestamp` and
/// stands in open quotes is passed, if there is another before the next header.
fn warnings(text: &[u8], at: usize) -> Ahead {
    let text = &text[..text.len().min(at + MOST_OF_WARNINGS)];
    let (mut start, mut before, mut first) = (at, at, None);
    let mut message = at;
    while start < text.len() {
        let end = lexer::end_of_line(text, start);
        let line = &text[start..end];
        let in_quotes =
            |to: usize| !memchr_iter(b'\'', &text[message..to]).count().is_multiple_of(2);
        if is_warning(line) {
            message = start;
        } else if is_set(line) {
            let is_use = text[before..start].starts_with(b"use ") && is_ended(&text[before..start]);
            let set = if is_use { before } else { start };
            if !in_quotes(set) {
                return Ahead::Behind(set);
            }
            first = first.or(Some(set));
        } else if line.starts_with(b"# User@Host: ") && (first.is_some() || !in_quotes(start)) {
            return first.map_or(Ahead::None, Ahead::Behind);
        }
        (before, start) = (start, end + 1);
    }
    match first {
        Some(set) => Ahead::Behind(set),
        None if text.len() < at + MOST_OF_WARNINGS => Ahead::Open,
        None => Ahead::None,
    }
}

/// `# Warning 1292 Truncated incorrect INTEGER value: 'x'`
fn is_warning(line: &[u8]) -> bool {
    let rest = [&b"# Note "[..], b"# Warning ", b"# Error "]
        .iter()
        .find_map(|word| line.strip_prefix(*word));
    rest.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
}

/// Adds lines that say nothing, up to `to`.
fn push_lines(text: &[u8], at: usize, to: usize, head: &mut Header) {
    while head.body < to {
        let end = lexer::end_of_line(text, head.body);
        head.lines.push(end - at, Says::Plan);
        head.body = (end + 1).min(text.len());
    }
}

/// The same, if it is that of a server which writes `SET timestamp`, has no more lines than are [kept](Lines), and no
/// line is odd. `ends` are the ends of the lines from `at` on.
#[inline]
pub(super) fn usual(text: &[u8], at: usize, ends: &[u32]) -> Option<Header> {
    let mut head = Header::at(at);
    let (mut has_query_time, mut has_use) = (false, false);
    for end in ends.iter().take(head.lines.ends.len()) {
        let end = *end as usize;
        let line = text.get(head.body..end)?;
        let says = match line {
            [b'#', b' ', .., last] if *last > b' ' && *last != b';' && !has_use => {
                usual_line(line, &mut has_query_time)?
            }
            [b'u', b's', b'e', b' ', .., b';'] if has_query_time && !has_use => {
                has_use = true;
                Says::Database
            }
            [b'S', .., b';'] if has_query_time && line.starts_with(b"SET timestamp=") => Says::Set,
            _ => return None,
        };
        head.has_time |= says == Says::Time;
        head.lines.push(end - at, says);
        head.body = (end + 1).min(text.len());
        if says == Says::Set {
            head.is_stamped = true;
            return Some(head);
        }
    }
    None
}

/// What a line with a mark says, unless it is one of those that may stand for something else.
#[inline]
fn usual_line(line: &[u8], has_query_time: &mut bool) -> Option<Says> {
    if line.starts_with(b"# Query_time: ") {
        *has_query_time = true;
        return Some(Says::Pairs);
    }
    match Says::of(line) {
        Says::Pairs if is_command(line) || is_warnings(line) => None,
        says => Some(says),
    }
}

/// Whether a line of a header has the query time, which stands behind other attributes in some servers.
fn names_query_time(line: &[u8]) -> bool {
    // Users may have any name.
    let is_account = line.starts_with(b"# User@Host: ");
    let names = |at: usize| line[at..].starts_with(b"Query_time: ");
    !is_account && (line.starts_with(b"# Query_time: ") || memchr_iter(b'Q', line).any(names))
}

/// `# administrator command: Quit;` stands where a statement would.
pub(super) fn is_command(line: &[u8]) -> bool {
    line.starts_with(b"# administrator command: ")
}

fn is_ended(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(b";")
}

/// `SET timestamp=1;`, `SET last_insert_id=3,insert_id=4,timestamp=1;`. Other spellings are statements.
pub(super) fn is_set(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"SET ") else { return false };
    let known = [&b"timestamp="[..], b"last_insert_id=", b"insert_id="];
    known.iter().any(|name| rest.starts_with(name)) && is_ended(line)
}

/// Lines of a header that some builds of Percona Server write without the mark, or blank.
fn is_part_without_mark(line: &[u8]) -> bool {
    line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with(b"Tmp_tables: ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines of headers, usual ones and others.
    const LINES: &str = r"(# Time: 2024-03-07T08:15:02.418123Z|# Time: 1;|# User@Host: a\[a\] @  \[192\.0\.2\.7\]|# Query_time: 1\.5  Lock_time: 0\.1 |# Query_time: 2  Rows_sent: 1\r?|# Schema: a  Query_time: 1|use a;|use a|SET timestamp=17;|SET insert_id=1,timestamp=2;|SELECT 1;|# administrator command: Quit;|#|# explain: x||Tmp_tables: 1)";

    proptest! {
        #[test]
        fn what_is_usual_is_read_alike(lines in prop::collection::vec(LINES, 0..9)) {
            let text = &(lines.join("\n") + "\n").into_bytes()[..];
            let ends: Vec<u32> = memchr_iter(b'\n', text).map(|end| end as u32).collect();
            if let Some(head) = usual(text, 0, &ends) {
                prop_assert_eq!(header(text, 0), Some(head));
            }
        }
    }

    #[test]
    fn the_header_of_every_record_of_today_is_usual() {
        let text = b"# Time: 2024-03-07T08:15:02Z\n# User@Host: a[a] @ h []\n# Query_time: 1.5  Lock_time: 0.1\nuse a;\nSET timestamp=1;\nSELECT 1;\n";
        let ends: Vec<u32> = memchr_iter(b'\n', text).map(|end| end as u32).collect();
        let head = usual(text, 0, &ends).expect("it is usual");
        assert_eq!((head.lines.len(), &text[head.body..]), (5, &b"SELECT 1;\n"[..]));
    }
}
