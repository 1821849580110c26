//! How requests ended: by class of status and by status.
//!
//! Sections: `status_classes`, with the requests that clients gave up on (499) apart from the other 4xx, since they
//! tell of slow servers and not of wrong requests; `statuses`. Those from 400 on have the first and the last time at
//! which they were given; for the others, which are given all the time, that would cost more than it tells.

use serde::{Deserialize, Serialize};

use super::outcome;
use super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Fields, Records, Value};

/// The report.
#[derive(Debug)]
pub(super) struct Status {
    sizes: Vec<Field>,
}

impl Status {
    /// Where the format supplies those fields.
    pub(super) fn new(supplied: Fields) -> Self {
        Self { sizes: outcome::size_fields(supplied) }
    }
}

/// From here on it is kept when a status was given.
const FIRST_REFUSAL: usize = 400;
/// Statuses from here on are counted as one.
const BOUND: usize = 1000;

/// What was counted: one a status, and at the end one for the records that have none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State(Vec<Seen>);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    count: u64,
    bytes: u64,
    first: i64,
    last: i64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { count: 0, bytes: 0, first: i64::MAX, last: i64::MIN }
    }
}

impl Seen {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.bytes += other.bytes;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    fn instants(&self) -> [Cell; 2] {
        match self.first <= self.last {
            true => [Cell::Instant(self.first), Cell::Instant(self.last)],
            false => [Cell::Empty, Cell::Empty],
        }
    }
}

impl Report for Status {
    type State = State;

    fn name(&self) -> String {
        "status".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::STATUS]).optional(&[Field::TIME]).optional(&self.sizes)
    }

    fn start(&self) -> State {
        State(vec![Seen::default(); BOUND + 1])
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(statuses) = records.column(Field::STATUS) else { return };
        let Ok(seen) = <&mut [Seen; BOUND + 1]>::try_from(&mut state.0[..]) else { return };
        let sizes = outcome::sizes(records);
        let never = [Value::ABSENT; ROWS];
        let times = records.column(Field::TIME).unwrap_or(&never);
        for ((status, time), size) in statuses.iter().zip(times).zip(&sizes) {
            let status = (status.number_or(-1) as u64).min(BOUND as u64) as usize;
            let seen = &mut seen[status];
            seen.count += 1;
            seen.bytes = seen.bytes.wrapping_add(*size);
            if status >= FIRST_REFUSAL {
                seen.first = seen.first.min(time.number_or(i64::MAX));
                seen.last = seen.last.max(time.number_or(i64::MIN));
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, _: &Renumberings) {
        into.0.iter_mut().zip(&from.0).for_each(|(own, more)| own.merge(more));
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        if closing.records == 0 {
            return Vec::new();
        }
        let sections = [classes(&state, closing), statuses(&state, closing)];
        sections.into_iter().collect()
    }
}

/// Stable word and words for people.
const CLASSES: [(&str, &str); 7] = [
    ("1xx", "interim"),
    ("2xx", "success"),
    ("3xx", "redirection or not modified"),
    ("4xx", "refused: the request was wrong"),
    ("499", "given up by the client before the answer; other tables count it as 4xx"),
    ("5xx", "failed: the server was wrong"),
    ("none", "no answer, or no status in the log"),
];

fn class(status: usize) -> usize {
    match status {
        499 => 4,
        100..=499 => status / 100 - 1,
        500..=599 => 5,
        _ => 6,
    }
}

fn classes(state: &State, closing: &Closing<'_>) -> Section {
    let mut sums = [Seen::default(); CLASSES.len()];
    for (status, seen) in state.0.iter().enumerate() {
        sums[class(status)].merge(seen);
    }
    let columns = columns("class");
    let shown = CLASSES.iter().zip(&sums).filter(|(_, seen)| seen.count > 0);
    let rows: Vec<Vec<Cell>> =
        shown.map(|((name, about), seen)| cells(Cell::text(name), about, seen, closing)).collect();
    let total_rows = rows.len() as u64;
    Section::table("status_classes", "Status classes", Table { columns, rows, total_rows })
}

/// All of them, whatever the limit: they are few, and the rare ones are those that matter.
fn statuses(state: &State, closing: &Closing<'_>) -> Section {
    let seen = state.0.iter().enumerate().take(BOUND).filter(|(_, seen)| seen.count > 0);
    let mut seen: Vec<(usize, &Seen)> = seen.collect();
    seen.sort_by_key(|(status, seen)| (std::cmp::Reverse(seen.count), *status));
    let rows = seen
        .iter()
        .map(|(status, seen)| cells(Cell::Number(*status as i64), meaning(*status), seen, closing));
    let rows: Vec<Vec<Cell>> = rows.collect();
    let total_rows = rows.len() as u64;
    let columns = columns("status");
    Section::table("statuses", "Statuses", Table { columns, rows, total_rows })
}

fn columns(key: &str) -> Vec<Column> {
    let mut columns = vec![Column::new(key, Role::Key), Column::new("count", Role::Main)];
    columns.extend(["share", "bytes", "first", "last"].map(|name| Column::new(name, Role::Value)));
    columns.push(Column::new("meaning", Role::Remark));
    columns
}

fn cells(key: Cell, meaning: &str, seen: &Seen, closing: &Closing<'_>) -> Vec<Cell> {
    let share = Cell::share(seen.count, closing.records);
    let [first, last] = seen.instants();
    let meaning = Cell::text_if_any(meaning);
    vec![key, Cell::Count(seen.count), share, Cell::Bytes(seen.bytes), first, last, meaning]
}

/// What a status says: the names of RFC 9110 and its kin, and Nginx's own.
fn meaning(status: usize) -> &'static str {
    match status {
        0 => "nothing sent",
        9 => "HTTP/0.9 answer",
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        444 => "closed without an answer (nginx)",
        451 => "Unavailable For Legal Reasons",
        494 => "request header too large (nginx)",
        495 => "client certificate error (nginx)",
        496 => "no client certificate (nginx)",
        497 => "plain HTTP on a TLS port (nginx)",
        498 => "cancelled, invalid host (nginx)",
        499 => "client closed the request (nginx)",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_merging, column, requests, sections};
    use super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report() -> Box<dyn AnyReport> {
        Box::new(Status::new(Field::all_known().collect()))
    }

    #[test]
    fn merging_changes_nothing() {
        check_merging(&*report(), Family::Web, &Options::default(), &requests(2_000, 4));
    }

    #[test]
    fn by_class_and_by_status() {
        let statuses = ["200", "200", "404", "499", "503", "000", "-1", "1000"];
        let records: Vec<_> =
            statuses.iter().map(|status| vec![(Field::STATUS, (*status).to_owned())]).collect();
        let found = sections(&*report(), Family::Web, &Options::default(), &records);
        let names = ["2xx", "4xx", "499", "5xx", "none"].map(Cell::text);
        assert_eq!(column(&found, "status_classes", "class"), names);
        assert_eq!(column(&found, "status_classes", "count"), [2, 1, 1, 1, 3].map(Cell::Count));
        assert_eq!(column(&found, "statuses", "status"), [200, 0, 404, 499, 503].map(Cell::Number));
    }
}
