//! What stands in front of a message: the stamp, the thread, the level, the code and the part of the server.
//!
//! ```text
//! 240307  9:15:02 [Note] …                                        MySQL to 5.5, MariaDB to 10.1.4
//! 2024-03-07 09:15:02 4711 [Note] …                               MySQL 5.6, MariaDB (hour padded with a blank)
//! 2024-03-07T08:15:02.418123Z 8 [Note] …                          MySQL 5.7
//! 2024-03-07T08:15:02.418123Z 8 [Note] [MY-010914] [Server] …     MySQL 8
//! 240307  9:15:03  InnoDB: …    2024-03-07 09:15:05 7f3a5c0 InnoDB: …    240307  9:15:04 mysqld_safe …
//! ```

use crate::record::number::integer;
use crate::scan;

/// How a stamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `240307  9:15:02`
    Short,
    /// `2024-03-07  9:15:02`, `2024-03-07T08:15:02.418123Z`
    Iso,
}

/// The server's own levels, as their numbers in [`LEVELS`].
pub(super) const LEVELS: [&str; 4] = ["ERROR", "Warning", "Note", "System"];
/// The number of `ERROR`.
pub(super) const ERROR: u8 = 0;
/// The number of `Warning`.
pub(super) const WARNING: u8 = 1;
/// The number of `Note`.
pub(super) const NOTE: u8 = 2;

/// A line read up to its message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) thread: Option<i64>,
    pub(super) level: Option<u8>,
    pub(super) code: Option<&'a [u8]>,
    pub(super) module: Option<&'a [u8]>,
    pub(super) message: &'a [u8],
}

/// The stamp at the front of a line, and what follows the blank behind it.
#[inline]
pub(super) fn stamp(text: &[u8]) -> Option<(Spelling, &[u8], &[u8])> {
    let fifth = *text.get(4)?;
    let (spelling, least) = match fifth {
        b'-' if is_dashed(text) => (Spelling::Iso, 19),
        b'0'..=b'9' if is_short(text) => (Spelling::Short, 15),
        _ => return None,
    };
    let end = scan::find(b' ', text, least, text.len().min(least + 24))?;
    let is_plain = spelling != Spelling::Iso && end != least;
    (!is_plain).then_some((spelling, &text[..end], &text[end + 1..]))
}

/// `2024-03-07T08:15:02`, `2024-03-07  9:15:02`.
#[inline]
fn is_dashed(text: &[u8]) -> bool {
    let Some(start) = text.first_chunk::<19>() else { return false };
    let digits = [0, 1, 2, 3, 5, 6, 8, 9, 12, 14, 15, 17, 18];
    start[7] == b'-'
        && matches!(start[10], b'T' | b' ')
        && matches!(start[11], b'0'..=b'2' | b' ')
        && start[13] == b':'
        && start[16] == b':'
        && digits.iter().all(|at| start[*at].is_ascii_digit())
}

/// `240307  9:15:02`.
#[inline]
fn is_short(text: &[u8]) -> bool {
    let Some(start) = text.first_chunk::<15>() else { return false };
    let digits = [0, 1, 2, 3, 4, 5, 8, 10, 11, 13, 14];
    start[6] == b' '
        && matches!(start[7], b'0'..=b'2' | b' ')
        && start[9] == b':'
        && start[12] == b':'
        && digits.iter().all(|at| start[*at].is_ascii_digit())
}

/// `08:15:02 UTC - mysqld got signal 11 ;`: how a crash report begins since MySQL 5.6, and what it says.
pub(super) fn crash(text: &[u8]) -> Option<&[u8]> {
    let start = text.first_chunk::<15>()?;
    let is_time = start[2] == b':' && start[5] == b':' && start[0].is_ascii_digit();
    let rest = text[8..].strip_prefix(b" UTC - ").filter(|_| is_time)?;
    let name = rest.iter().position(|byte| *byte == b' ')?;
    rest[name..].starts_with(b" got ").then_some(rest)
}

/// What follows a stamp.
#[inline]
pub(super) fn behind_stamp(rest: &[u8]) -> Option<Head<'_>> {
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    if let Some(head) = behind_thread(rest) {
        return Some(head);
    }
    let blank = scan::find(b' ', rest, 0, rest.len().min(20))?;
    let (thread, rest) = (&rest[..blank], &rest[blank + 1..]);
    let digits = thread.strip_prefix(b"0x").unwrap_or(thread);
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit) && !digits.is_empty();
    let number = integer(thread);
    match behind_thread(rest) {
        Some(head) if is_hex => Some(Head { thread: number, ..head }),
        _ => None,
    }
}

/// `[LEVEL] [CODE] [PART] message`, or a message of a part that writes no level.
#[inline]
fn behind_thread(rest: &[u8]) -> Option<Head<'_>> {
    let Some(inner) = rest.strip_prefix(b"[") else {
        return is_part(rest).then_some(Head { message: rest, ..Head::default() });
    };
    let (level, inner) = level(inner)?;
    let mut head = Head { level: Some(level), message: inner, ..Head::default() };
    if let Some(code) = inner.strip_prefix(b"[MY-")
        && let Some(end) = scan::find(b']', code, 0, code.len().min(8))
    {
        head.code = Some(&inner[1..end + 4]);
        head.message = code[end + 1..].strip_prefix(b" ").unwrap_or(&code[end + 1..]);
    }
    if head.code.is_some()
        && let Some(part) = head.message.strip_prefix(b"[")
        && let Some(end) = scan::find(b']', part, 0, part.len().min(32))
    {
        head.module = Some(&part[..end]);
        head.message = part[end + 1..].strip_prefix(b" ").unwrap_or(&part[end + 1..]);
    }
    Some(head)
}

/// A part of the server that writes no level.
#[inline]
fn is_part(text: &[u8]) -> bool {
    // Most lines have a thread here, and are told from these by one byte.
    matches!(text.first(), Some(b'I' | b'm' | b's'))
        && [
            &b"InnoDB: "[..],
            b"INNODB MONITOR OUTPUT",
            b"mysqld_safe ",
            b"mariadbd-safe ",
            b"server_audit: ",
        ]
        .iter()
        .any(|part| text.starts_with(part))
}

/// The level whose word and bracket stand at the front, and what follows.
#[inline]
fn level(text: &[u8]) -> Option<(u8, &[u8])> {
    let (level, end) = match text.first()? {
        b'E' => (ERROR, text.strip_prefix(b"ERROR]")?),
        b'W' => (WARNING, text.strip_prefix(b"Warning]")?),
        b'N' => (NOTE, text.strip_prefix(b"Note]")?),
        b'S' => (3, text.strip_prefix(b"System]")?),
        _ => return None,
    };
    Some((level, end.strip_prefix(b" ").unwrap_or(end)))
}

/// `[Note] message` behind a syslog envelope.
pub(super) fn bare(text: &[u8]) -> Option<Head<'_>> {
    behind_thread(text)
}

/// How the lines begin that follow the first one of a message: of dumps of deadlocks, of crash reports, of starts.
const FOLLOWING: [&[u8]; 44] = [
    b"TRANSACTION ",
    b"mysql tables in use",
    b"LOCK WAIT",
    b"MariaDB thread id",
    b"MySQL thread id",
    b"RECORD LOCKS",
    b"Record lock",
    b"TABLE LOCK",
    b"ROLLING BACK",
    b"Version: '",
    b"recovered pages:",
    b"Sorry, we probably",
    b"Your assistance",
    b"diagnose the problem",
    b"a bug report",
    b"To report this bug",
    b"about how to report",
    b"Please include",
    b"information that should",
    b"information below",
    b"contains instructions",
    b"The information page",
    b"The manual page",
    b"It is possible that",
    b"Hope that",
    b"Most likely, you have hit",
    b"Server version:",
    b"BuildID[",
    b"key_buffer_size",
    b"read_buffer_size",
    b"max_used_connections",
    b"max_threads",
    b"thread_count",
    b"Thread pointer:",
    b"Attempting backtrace",
    b"stack_bottom",
    b"Query (",
    b"Connection ID",
    b"Status: ",
    b"Optimizer switch",
    b"Writing a core file",
    b"Resource Limits",
    b"Kernel version:",
    b"Core pattern:",
];

/// True for a line that follows another one of its message. Behind an envelope each line looks like the first of its own;
/// statements in between are not told.
pub(super) fn follows(text: &[u8]) -> bool {
    let is_field = || {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && text[digits..].starts_with(b": ")
    };
    match text.first() {
        None | Some(b' ' | b'\t' | b'*' | b'=' | b'-' | b'(' | b';') => true,
        Some(b'0'..=b'9') => is_field(),
        _ => {
            FOLLOWING.iter().any(|beginning| text.starts_with(beginning))
                || memchr::memmem::find(text, b")[0x").is_some()
        }
    }
}

/// The number of a level, by its word.
pub(super) fn level_named(word: &str) -> Option<u8> {
    LEVELS.iter().position(|level| level.eq_ignore_ascii_case(word)).map(|at| at as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        for (line, thread, level, code, message) in [
            ("240307  9:15:02 [Note] x", None, Some(2), None, "x"),
            ("240307  9:15:03  InnoDB: Error: y", None, None, None, "InnoDB: Error: y"),
            ("240307 19:15:04 mysqld_safe ended", None, None, None, "mysqld_safe ended"),
            ("2024-03-07 09:15:05 4711 [Warning] x", Some(4711), Some(1), None, "x"),
            ("2024-03-07 09:15:05 7f3a5c0 InnoDB: z", None, None, None, "InnoDB: z"),
            ("2024-03-07  9:15:06 140 [ERROR] x", Some(140), Some(0), None, "x"),
            (
                "2024-03-07T08:15:02.418123Z 0 [System] [MY-010116] [Server] s",
                Some(0),
                Some(3),
                Some("MY-010116"),
                "s",
            ),
            ("2024-03-07T08:15:02.418123+01:00 7 [Note] n", Some(7), Some(2), None, "n"),
            (
                "2024-03-07 09:15:05+00:00 [Note] [Entrypoint]: x",
                None,
                Some(2),
                None,
                "[Entrypoint]: x",
            ),
            ("2024-03-07  9:15:06 0 [Note] ", Some(0), Some(2), None, ""),
        ] {
            let (_, _, rest) = stamp(line.as_bytes()).expect(line);
            let head = behind_stamp(rest).expect(line);
            assert_eq!((head.thread, head.level), (thread, level), "{line}");
            assert_eq!(head.code, code.map(str::as_bytes), "{line}");
            assert_eq!(head.message, message.as_bytes(), "{line}");
        }
    }

    #[test]
    fn general_logs_and_other_lines_have_none() {
        for line in [
            "2024-03-07T08:15:02.418123Z\t   42 Query\tSELECT 1",
            "240307  9:15:02\t   42 Query\tSELECT 1",
            "2024-03-07 09:15:02 some program says [ERROR] things",
            "2024/03/07 09:15:02 [error] 1#1: x",
            "Version: '5.5.62'  socket: ''  port: 3306",
        ] {
            let head = stamp(line.as_bytes()).and_then(|(_, _, rest)| behind_stamp(rest));
            assert_eq!(head, None, "{line}");
        }
    }

    #[test]
    fn crashes() {
        let line = b"08:15:02 UTC - mysqld got signal 11 ;";
        assert_eq!(crash(line), Some(&line[15..]));
        assert_eq!(crash(b"08:15:02 UTC - x"), None);
    }
}
