//! Where the records of a slow log begin.
//!
//! Statements stand raw in the log: a string may hold a whole header, a comment may be one. So a line that looks like
//! the first of a header begins a record only where code of a statement can end. A reader that comes from the beginning
//! knows that from the statement; a thread that starts in the middle does not. Both must come to the same records.
//!
//! Therefore two rules. A line is a **safe** start when what follows it within [`AHEAD`] bytes makes sense as records
//! beginning there: the header is whole, every later header stands in code, no comment ends that did not begin. Had the
//! line stood inside a string, then the quote that ends the string would open one instead, and the next true header
//! would stand inside it. Pieces are cut at safe starts alone. A reader takes a line for a start if it is safe, *or* if the
//! statement before it has ended. Since each safe start is one for every reader, whatever it has read before, any cut
//! gives the same records; that much holds for all bytes. That the records are those that the server wrote holds
//! unless a forged header stands more than [`AHEAD`] bytes before the end of its string or comment with nothing
//! odd in between, or a log has neither `SET timestamp` nor complete statements.
//!
//! The first rule also helps out of a statement that was cut off within a string: the next safe start ends it.
//!
//! Where a session has set `NO_BACKSLASH_ESCAPES` and a string ends in a backslash, `'C:\'`, what makes no sense with
//! escapes may make sense without. To try that opens no way to forge: who reads from within a string has code and strings
//! the wrong way round, so that an escaped quote of the string stands behind a backslash in code, which makes no sense
//! either way. But what is whole either way is read with escapes, and nothing in the bytes tells that a session of that
//! mode has forged a header so.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem, memrchr, memrchr2};

use super::header::{self, Header, header, is_command, is_set};
use super::lexer::{self, Begins};
use crate::format::trouble;
use crate::input::{Around, Framing};

/// How far before a line its rule looks: the line before, as far as it can be one of a header.
const BACK: usize = 1024;
/// How far from a line on its rule looks.
const AHEAD: usize = 32 << 10;

/// How records follow each other.
pub(super) static AROUND: Around = Around { opens: is_safe, back: BACK, ahead: AHEAD, leaves };

/// The words behind `# ` in the lines that can begin a header.
const FIRST: [&[u8]; 5] = [b"Time: ", b"User@Host: ", b"Thread_id: ", b"Schema: ", b"Query_time: "];

/// What stands in front of a line, blank lines left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing: the text begins.
    Nothing,
    /// A semicolon.
    Semicolon,
    /// A line of a header.
    Header,
    /// Anything else.
    Other,
}

fn before(text: &[u8], at: usize) -> Before {
    let floor = at.saturating_sub(BACK);
    let near = text[floor..at].trim_ascii_end();
    match near.last() {
        None if floor == 0 => return Before::Nothing,
        None => return Before::Other,
        Some(b';') => return Before::Semicolon,
        Some(_) => {}
    }
    // A hole of NUL bytes stands in front of a line as a line end does.
    let line = match memrchr2(b'\n', 0, near) {
        Some(end) => &near[end + 1..],
        None if floor == 0 => near,
        None => return Before::Other,
    };
    if line.starts_with(b"#") { Before::Header } else { Before::Other }
}

/// Whether the line at `at` has the words of a first line of a header.
#[inline]
fn looks_first(text: &[u8], at: usize) -> bool {
    let line = &text[past_hole(text, at)..];
    match line {
        [b'#', b' ', b'T' | b'U' | b'S' | b'Q', ..] => {
            FIRST.iter().any(|words| line[2..].starts_with(words))
        }
        _ => false,
    }
}

/// Past the NUL bytes that a truncation leaves in front of a line.
#[inline]
pub(super) fn past_hole(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|byte| **byte == 0).count()
}

/// Whether a record may begin at the line at `at`, by this line and the one before.
pub(super) fn may_open(text: &[u8], at: usize) -> bool {
    looks_first(text, at) && before(text, at) != Before::Header
}

/// What a walk through a statement meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    /// A line in code that may begin a header.
    Line { at: usize, in_comment: bool },
    /// The lines that a server writes when it opens the file, or those of another log.
    Foreign(usize),
    /// A string, a quoted name or a comment of several lines.
    Enclosed { from: usize, to: usize },
    /// The end of a comment or a string that did not begin.
    Stray,
    /// The end of the text, which may be inside something that is not closed.
    End { is_inside: bool },
}

/// Whether a backslash protects the quote behind it, which a session's `NO_BACKSLASH_ESCAPES` decides and no log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Backslash,
    Nothing,
}

/// Goes through the code of statements. One that `DOUBTS` may read strings without escapes, and takes a quote behind a
/// backslash in code, which is no SQL, for the end of something that did not begin.
struct Walk<'t, const DOUBTS: bool> {
    text: &'t [u8],
    at: usize,
    /// Whether `at` is the start of a line that is not looked at yet.
    is_start: bool,
    /// Whether the line before ended within a comment.
    in_comment: bool,
    was_inside: bool,
    escapes: Escapes,
}

impl<'t, const DOUBTS: bool> Walk<'t, DOUBTS> {
    fn new(text: &'t [u8], at: usize) -> Self {
        let escapes = Escapes::Backslash;
        Self { text, at, is_start: true, in_comment: false, was_inside: false, escapes }
    }

    fn next(&mut self) -> Met {
        loop {
            if std::mem::take(&mut self.is_start)
                && let Some(met) = self.line()
            {
                return met;
            }
            self.at = lexer::next_stop(self.text, self.at);
            if self.at >= self.text.len() {
                return Met::End { is_inside: self.was_inside };
            }
            if let Some(met) = self.stop() {
                return met;
            }
        }
    }

    /// The start of a line in code.
    #[inline]
    fn line(&mut self) -> Option<Met> {
        let (text, at) = (self.text, self.at);
        // At the end of a text it stays told how the last line ended.
        let first = text.get(at)?;
        let in_comment = std::mem::take(&mut self.in_comment);
        match first {
            b'#' | 0 if may_open(text, at) => {
                // Were it no start after all, it would be a comment.
                self.at = lexer::end_of_line(text, at);
                Some(Met::Line { at, in_comment })
            }
            b'\n' | b'\r' => {
                self.in_comment = in_comment;
                None
            }
            b'#' | b' ' | b'\t' | 0 => None,
            _ if is_foreign(text, at) => Some(Met::Foreign(at)),
            _ => None,
        }
    }

    /// A byte at which something begins or ends.
    #[inline]
    fn stop(&mut self) -> Option<Met> {
        let (text, from) = (self.text, self.at);
        let end = match lexer::begins(text, from) {
            Begins::Quoted if DOUBTS && text[..from].ends_with(b"\\") => return Some(Met::Stray),
            Begins::Quoted if DOUBTS && self.escapes == Escapes::Nothing => {
                lexer::end_of_plain(text, from)
            }
            Begins::Quoted => lexer::end_of_quoted(text, from),
            Begins::Comment => lexer::end_of_comment(text, from),
            Begins::LineComment => {
                self.at = lexer::end_of_line(text, from);
                self.in_comment = true;
                return None;
            }
            Begins::Code => {
                let is_stray = text[from..].starts_with(b"*/");
                self.is_start = text[from] == b'\n';
                self.at += 1 + usize::from(is_stray);
                return is_stray.then_some(Met::Stray);
            }
        };
        self.at = end.unwrap_or(text.len());
        self.was_inside = end.is_none();
        let spans_lines = memchr(b'\n', &text[from..self.at]).is_some();
        spans_lines.then_some(Met::Enclosed { from, to: self.at })
    }
}

/// `/usr/sbin/mysqld, Version: 8.0.40 (…). started with:`, where a statement has ended or none has begun.
pub(super) fn is_banner(text: &[u8], at: usize) -> bool {
    let line = &text[at..lexer::end_of_line(text, at).min(at + 1024)];
    line.trim_ascii_end().ends_with(b"started with:")
        && matches!(before(text, at), Before::Semicolon | Before::Nothing)
        && memmem::find(line, b", Version: ").is_some()
}

/// A line of the error log, which a container may write to the same place, behind a statement that has ended.
fn is_of_error_log(text: &[u8], at: usize) -> bool {
    text[at].is_ascii_digit()
        && trouble::is_stamped(&text[at..])
        && before(text, at) == Before::Semicolon
}

/// Whether a line that is none of a record's begins at `at`.
fn is_foreign(text: &[u8], at: usize) -> bool {
    is_of_error_log(text, at) || is_banner(text, at)
}

/// The lines from `from` to `to` that look like the first of a header.
fn looks_within(text: &[u8], from: usize, to: usize) -> impl Iterator<Item = usize> {
    let lines = memchr_iter(b'\n', &text[from..to]).map(move |end| from + end + 1);
    lines.filter(move |at| matches!(text.get(*at), Some(b'#' | 0)) && may_open(text, *at))
}

/// Whether a record has a statement. The end of the text is one of a piece, behind which another record begins.
fn has_statement(text: &[u8], head: &Header) -> bool {
    let rest = text[head.body..].trim_ascii_start();
    let at = text.len() - rest.len();
    !(rest.is_empty() || looks_first(text, at) || is_banner(text, at))
}

/// Whether a record certainly begins at the line at `at` of `seen`: see above.
fn is_safe(seen: &[u8], at: usize) -> bool {
    may_open(seen, at) && makes_sense(seen, at, &mut |_| {})
}

/// Whether what follows reads as records that begin at `at` and where `started` is told that further ones do.
fn makes_sense(text: &[u8], at: usize, started: &mut dyn FnMut(usize)) -> bool {
    let is_last = text.len() < at + AHEAD;
    let text = &text[..text.len().min(at + AHEAD)];
    let Some(head) = header(text, at) else { return false };
    if !stands_alone(text, at, &head) {
        return false;
    }
    let mut body = head.body;
    loop {
        let follows = match follows(text, body, is_last, Escapes::Backslash) {
            Follows::Nonsense => follows(text, body, is_last, Escapes::Nothing),
            sense => sense,
        };
        match follows {
            Follows::Record { at, body: next } => {
                started(at);
                body = next;
            }
            Follows::End => return true,
            Follows::Nonsense => return false,
        }
    }
}

/// What stands behind a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// A record at `at`, the statement of which is at `body`.
    Record { at: usize, body: usize },
    /// The end of what is looked at.
    End,
    /// Nothing that could: what was read was no statement, or strings were not read as the server read them.
    Nonsense,
}

/// What stands behind the statement at `body` of a text, the last of the log or a part. Without escapes a statement has
/// to end in a semicolon, as it does in every log.
fn follows(text: &[u8], body: usize, is_last: bool, escapes: Escapes) -> Follows {
    let mut walk = Walk::<true> { escapes, ..Walk::new(text, body) };
    let has_ended = |at: usize, in_comment: bool| {
        escapes == Escapes::Backslash || (!in_comment && before(text, at) == Before::Semicolon)
    };
    loop {
        match walk.next() {
            Met::Line { at, in_comment } if !has_ended(at, in_comment) => return Follows::Nonsense,
            Met::Line { at, .. } => {
                let Some(next) = header(text, at) else { continue };
                if next.is_open {
                    return Follows::End;
                }
                if next.is_stamped || before(text, at) != Before::Other {
                    return Follows::Record { at, body: next.body };
                }
            }
            Met::Foreign(_) => {}
            Met::Enclosed { from, to } => {
                if looks_within(text, from, to).next().is_some() {
                    return Follows::Nonsense;
                }
            }
            Met::Stray => return Follows::Nonsense,
            Met::End { is_inside } => {
                let may_end = !is_last || (!is_inside && has_ended(text.len(), walk.in_comment));
                return if may_end { Follows::End } else { Follows::Nonsense };
            }
        }
    }
}

/// Whether a header is one that a record can be told by, without what stood before it.
fn stands_alone(text: &[u8], at: usize, head: &Header) -> bool {
    match head.is_stamped {
        true => has_statement(text, head),
        false => head.has_time && follows_code(text, at),
    }
}

/// Whether the line before, which is one of no header, ends in a semicolon that no comment holds.
fn follows_code(text: &[u8], at: usize) -> bool {
    let floor = at.saturating_sub(BACK);
    let near = text[floor..at].trim_ascii_end();
    let line = match memrchr(b'\n', near) {
        Some(end) => &near[end + 1..],
        None if floor == 0 => near,
        None => return false,
    };
    let has_comment = memchr(b'#', line).is_some() || memmem::find(line, b"--").is_some();
    line.is_empty() || (line.ends_with(b";") && !is_set(line) && (!has_comment || is_command(line)))
}

/// A record, for a reader that goes from record to record.
#[derive(Debug)]
pub(super) struct Record<'e> {
    /// Where it ends.
    pub(super) end: usize,
    /// Its header, if it has one.
    pub(super) head: Option<Header>,
    /// The header of the record behind it, if that had to be read.
    pub(super) next: Option<Header>,
    /// The ends of the lines behind it.
    pub(super) ends: &'e [u32],
}

impl<'e> Record<'e> {
    /// The record that begins at `start`. `known` is its header, if that was read already, and `ends` the ends of lines from
    /// there on, if they are known.
    pub(super) fn at(text: &[u8], start: usize, known: Option<Header>, ends: &'e [u32]) -> Self {
        let read = || looks_first(text, start).then(|| quick_header(text, start, ends)).flatten();
        match known.or_else(read) {
            Some(head) => end_of_statement(text, head, ends),
            None => {
                let end = end_of_other(text, start);
                Self { end, head: None, next: None, ends: behind(ends, end) }
            }
        }
    }
}

/// Those of the ends of lines that stand behind a place.
#[inline]
fn behind(mut ends: &[u32], at: usize) -> &[u32] {
    while let [end, rest @ ..] = ends
        && (*end as usize) < at
    {
        ends = rest;
    }
    ends
}

/// The header of a record that begins at `at`, read along the ends of lines where that will do.
#[inline]
fn quick_header(text: &[u8], at: usize, ends: &[u32]) -> Option<Header> {
    header::usual(text, at, ends).or_else(|| header(text, at))
}

/// Lines that belong to no record: up to the next that begins one.
fn end_of_other(text: &[u8], start: usize) -> usize {
    let mut at = lexer::end_of_line(text, start) + 1;
    while at < text.len() {
        if may_open(text, at) && header(text, at).is_some() {
            return at;
        }
        at = lexer::end_of_line(text, at) + 1;
    }
    text.len()
}

fn end_of_statement<'e>(text: &[u8], head: Header, ends: &'e [u32]) -> Record<'e> {
    let mut walk = Walk::<false>::new(text, head.body);
    let ends = ends.get(head.lines.len()..).unwrap_or_default();
    let ending = |end, next| Record { end, head: Some(head), next, ends: behind(ends, end) };
    loop {
        match walk.next() {
            Met::Line { at, in_comment } => {
                let next = starts(text, &head, at, in_comment, behind(ends, at));
                if next.is_some() {
                    return ending(at, next);
                }
            }
            Met::Stray => {}
            Met::Foreign(at) => return ending(at, None),
            Met::Enclosed { from, to } => {
                if let Some(start) = safe_within(text, from, to) {
                    return ending(start, None);
                }
            }
            Met::End { .. } => return ending(text.len(), None),
        }
    }
}

/// The header of the record that begins at a line in code that may begin one, after a record with that header, if one does.
///
/// Servers that write `SET timestamp` do so in each record, and no single statement holds one behind a comment that
/// looks like a header. A comment can be the first thing of a statement, though, and then nothing stands before it.
fn starts(text: &[u8], head: &Header, at: usize, in_comment: bool, ends: &[u32]) -> Option<Header> {
    let next = quick_header(text, at, ends)?;
    let is_empty = text[head.body..at].trim_ascii().is_empty();
    let holds = match (head.is_stamped, next.is_stamped) {
        (true, true) => !is_empty || has_statement(text, &next),
        (true, false) => !is_empty && !in_comment && before(text, at) == Before::Semicolon,
        (false, is_stamped) => is_stamped || before(text, at) != Before::Other,
    };
    (holds || is_safe(text, at)).then_some(next)
}

/// The first safe start in a string or a comment. What a run of records took for starts before it stopped making sense
/// is refuted with it, so that no byte is read for each of many headers.
fn safe_within(text: &[u8], from: usize, to: usize) -> Option<usize> {
    let mut refuted = 0;
    for at in looks_within(text, from, to) {
        if at <= refuted {
            continue;
        }
        let mut last = at;
        if makes_sense(text, at, &mut |start| last = start) {
            return Some(at);
        }
        refuted = last;
    }
    None
}

/// The database that records leave selected for those after them: that of their last `use` line. Empty after a banner,
/// because a server that opens the file names the database again.
fn leaves(records: &[u8]) -> Option<Vec<u8>> {
    let mut end = records.len();
    while let Some(at) = last_mark(&records[..end]) {
        let framing = Framing::Around(&AROUND);
        let mut start = framing.last_start(records, at + 1, true).unwrap_or(0);
        loop {
            let Record { end: next, head, .. } = Record::at(records, start, None, &[]);
            if next > at || next >= records.len() {
                match head {
                    Some(head) => {
                        if let Some(name) = selected(&records[start..head.body]) {
                            return Some(name);
                        }
                    }
                    None if is_banner(records, start) => return Some(Vec::new()),
                    None => {}
                }
                break;
            }
            start = next;
        }
        end = start;
    }
    None
}

/// The last place that may be a `use` line or a banner.
fn last_mark(records: &[u8]) -> Option<usize> {
    const STRIDE: usize = 16 << 10;
    let mut end = records.len();
    while end > 0 {
        let start = end.saturating_sub(STRIDE);
        let near = &records[start..(end + 16).min(records.len())];
        let used = memmem::find_iter(near, b"\nuse ").last().map(|at| start + at + 1);
        let begun = memmem::find_iter(near, b"\nTcp port: ").last().map(|at| start + at);
        if let Some(mark) = used.max(begun) {
            return Some(mark);
        }
        end = start;
    }
    None
}

/// The database of the `use` line of a header.
fn selected(head: &[u8]) -> Option<Vec<u8>> {
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(b"use ").map(|text| name(text).into_owned()))
}

/// A name as the server prints it behind `use`: `shop;` or `` `odd ``db`; ``.
pub(super) fn name(text: &[u8]) -> Cow<'_, [u8]> {
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(b";").unwrap_or(text).trim_ascii();
    match text {
        [b'`', inner @ .., b'`'] => {
            let mut name = Vec::with_capacity(inner.len());
            let mut bytes = inner.iter().peekable();
            while let Some(byte) = bytes.next() {
                name.push(*byte);
                if *byte == b'`' {
                    bytes.next_if(|next| **next == b'`');
                }
            }
            name.into()
        }
        plain => plain.into(),
    }
}

#[cfg(test)]
#[path = "boundary_tests.rs"]
mod tests;
