//! Questions after the login, each of them only reading, and what their answers say about the server.

use std::collections::BTreeMap;

use super::packet::{Packet, Reply, ServerError, columns, is_end, reply, row};
use crate::probe::class::Class;
use crate::probe::escape::escaped;
use crate::probe::net::{Answer, Deadline, Failure, Wire};

/// The most bytes of one packet of an answer.
const LIMIT: usize = 1024 * 1024;

/// The most rows of an answer; a server has far fewer connections and variables.
const ROWS: usize = 100_000;

/// The most bytes of all rows together: a list of ten thousand connections has three megabytes.
const ANSWER: usize = 8 * 1024 * 1024;

/// The command that holds a statement, and the one that asks whether the server is there.
const QUERY: u8 = 3;
const PING: u8 = 14;

/// The rows of an answer; NULL is `None`.
pub(super) type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// Asks whether the server is there.
pub(super) fn ping(wire: &mut Wire, deadline: Deadline) -> Answer<Result<(), ServerError>> {
    wire.send(&Packet { number: 0, body: vec![PING] }.bytes(), deadline)?;
    match reply(&Packet::read(wire, LIMIT, deadline)?.body)? {
        Reply::Ok => Ok(Ok(())),
        Reply::Error(error) => Ok(Err(error)),
        _ => Err(Failure::new(Class::Malformed, "an answer to a ping that is none")),
    }
}

/// Asks, and reads the whole answer.
pub(super) fn ask(
    wire: &mut Wire,
    statement: &str,
    deadline: Deadline,
) -> Answer<Result<Rows, ServerError>> {
    let body = [&[QUERY], statement.as_bytes()].concat();
    wire.send(&Packet { number: 0, body }.bytes(), deadline)?;
    let mut next = || Packet::read(wire, LIMIT, deadline).map(|packet| packet.body);
    let head = next()?;
    match reply(&head) {
        Ok(Reply::Ok) => return Ok(Ok(Vec::new())),
        Ok(Reply::Error(error)) => return Ok(Err(error)),
        _ => {}
    }
    for _ in 0..columns(&head)? {
        next()?;
    }
    if !is_end(&next()?) {
        return Err(Failure::new(Class::Malformed, "columns without end"));
    }
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while rows.len() < ROWS && bytes < ANSWER {
        match next()? {
            end if is_end(&end) => return Ok(Ok(rows)),
            body if body.first() == Some(&0xff) => return Ok(reply_error(&body)),
            body => {
                bytes += body.len();
                rows.push(row(&body)?);
            }
        }
    }
    Err(Failure::new(Class::TooLarge, format!("{} rows of {bytes} bytes, and more", rows.len())))
}

/// An error in the middle of the rows.
fn reply_error(body: &[u8]) -> Result<Rows, ServerError> {
    super::packet::error(body).map_or(Ok(Vec::new()), Err)
}

/// What the server counts, by name in lower case.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counters(BTreeMap<String, String>);

impl Counters {
    /// Adds the rows of `SHOW STATUS` or `SHOW VARIABLES`: a name and a value each.
    pub(super) fn add(&mut self, rows: Rows) {
        for row in rows {
            if let [Some(name), Some(value)] = &row[..] {
                let name = escaped(name, 64).to_ascii_lowercase();
                self.0.insert(name, escaped(value, 200));
            }
        }
    }

    /// A counter as a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.parse().ok()
    }

    /// A value as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The part of the allowed connections that is in use, in per cent.
    pub(super) fn connections_percent(&self) -> Option<f64> {
        let most = self.number("max_connections").filter(|most| *most > 0)?;
        Some(self.number("threads_connected")? as f64 * 100.0 / most as f64)
    }

    /// How much a counter grew per second since an earlier look, by the server's own clock.
    pub(super) fn rate_since(&self, earlier: &Self, name: &str, seconds: f64) -> Option<f64> {
        let grown = self.number(name)?.checked_sub(earlier.number(name)?)?;
        (seconds > 0.0).then(|| grown as f64 / seconds)
    }
}

/// What the process list comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Processes {
    /// Connections in all, as far as we may see them.
    pub all: u64,
    /// Those that do nothing.
    pub idle: u64,
    /// Those that wait for a lock of a table or of its definition.
    pub waiting: u64,
    /// The seconds of the longest statement, and the statement.
    pub longest: Option<(u64, String)>,
}

impl Processes {
    /// Counts the rows of `SHOW PROCESSLIST`: id, user, host, database, command, time, state, statement.
    pub(super) fn count(rows: &Rows) -> Self {
        let mut found = Self::default();
        for row in rows {
            let text = |place: usize| row.get(place).and_then(Option::as_deref).unwrap_or_default();
            found.all += 1;
            let (command, state) = (text(4), text(6));
            found.idle += u64::from(command == b"Sleep");
            found.waiting += u64::from(is_lock_wait(state));
            let seconds = std::str::from_utf8(text(5)).ok().and_then(|text| text.parse().ok());
            let works = matches!(command, b"Query" | b"Execute") && !text(7).is_empty();
            if let Some(seconds) = seconds.filter(|_| works)
                && found.longest.as_ref().is_none_or(|(longest, _)| seconds > *longest)
            {
                found.longest = Some((seconds, escaped(text(7), 200)));
            }
        }
        found
    }
}

/// `Waiting for table metadata lock`, `Locked`. Waits for rows have no state of their own.
fn is_lock_wait(state: &[u8]) -> bool {
    let text = state.to_ascii_lowercase();
    text == b"locked" || text.starts_with(b"waiting for") && text.ends_with(b"lock")
}

/// Why a statement is not one that a probe may send; `None` if it may.
pub(super) fn why_not_read_only(statement: &str) -> Option<&'static str> {
    let upper = statement.trim().to_ascii_uppercase();
    let words: Vec<_> = upper.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let first = words.first().copied().unwrap_or_default();
    let banned = [
        "INTO",
        "UPDATE",
        "SHARE",
        "LOCK",
        "SLEEP",
        "GET_LOCK",
        "BENCHMARK",
        "LOAD_FILE",
        "NEXTVAL",
    ];
    match () {
        () if !matches!(first, "SELECT" | "SHOW") => Some("only SELECT and SHOW are asked"),
        () if statement.contains(';') => Some("one statement, without ';'"),
        () if words.iter().any(|word| banned.contains(word)) => {
            Some("nothing that writes, locks or waits is asked")
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Rows {
        let value = |text: &&str| Some(text.as_bytes().to_vec());
        rows.iter().map(|row| row.iter().map(value).collect()).collect()
    }

    #[test]
    fn counters_by_name() {
        let mut counters = Counters::default();
        counters.add(rows(&[&["Threads_connected", "9"], &["max_connections", "10"], &["x"]]));
        assert_eq!(counters.connections_percent(), Some(90.0));
        let mut later = counters.clone();
        later.add(rows(&[&["threads_connected", "19"]]));
        assert_eq!(later.rate_since(&counters, "threads_connected", 2.0), Some(5.0));
        assert_eq!(counters.rate_since(&later, "threads_connected", 2.0), None);
    }

    #[test]
    fn counts_processes() {
        let list = rows(&[
            &["1", "a", "h", "d", "Sleep", "900", "", ""],
            &["2", "a", "h", "d", "Query", "7", "Waiting for table metadata lock", "ALTER x"],
            &["3", "a", "h", "d", "Query", "9", "Sending data", "SELECT 1"],
            &["4", "a", "h", "d", "Query", "nonsense", "Locked", ""],
        ]);
        let found = Processes::count(&list);
        assert_eq!((found.all, found.idle, found.waiting), (4, 1, 2));
        assert_eq!(found.longest, Some((9, "SELECT 1".to_owned())));
        assert_eq!(Processes::count(&rows(&[&[]])).all, 1);
    }

    #[test]
    fn only_reading_statements() {
        for good in ["SELECT 1", " select count(*) from updates", "SHOW GLOBAL STATUS"] {
            assert_eq!(why_not_read_only(good), None, "{good}");
        }
        for bad in [
            "DELETE FROM t",
            "SELECT 1; DROP TABLE t",
            "select 1 into outfile 'x'",
            "SELECT * FROM t FOR UPDATE",
            "",
        ] {
            assert!(why_not_read_only(bad).is_some(), "{bad}");
        }
    }
}
