//! Why mail was put off, bounced, refused, held; warnings and failures; sessions that broke off; logins; TLS.
//!
//! A section for each [`Topic`], a row for each different combination of its columns, with its count and its first
//! and last time. Reasons stand there in common words ([`super::reason`]); the rows of a topic that log lines can fill
//! without end (clients, users) are bounded by the memory for all topics together.

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use super::reason::{category, normalise};
use super::what::{What, Whats};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::{Field, Label, Records, Symbol};
use crate::tally::{Dictionary, PerSymbol, keep_largest};

/// For the texts of all rows, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// Stands between the parts of a key. Postfix replaces control bytes, so that no text holds it.
const BETWEEN: u8 = 0x1F;

/// What a section is about.
struct Topic {
    name: &'static str,
    title: &'static str,
    columns: &'static [&'static str],
}

macro_rules! topics {
    ($($constant:ident $name:literal $title:literal [$($column:literal),*];)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Number { $($constant,)* }
        mod topic {
            $(pub(super) const $constant: u8 = super::Number::$constant as u8;)*
        }
        const TOPICS: &[Topic] =
            &[$(Topic { name: $name, title: $title, columns: &[$($column),*] },)*];
    };
}

topics! {
    DEFERRALS "deferrals" "Deferrals" ["program", "category", "reason"];
    BOUNCES "bounces" "Bounces" ["relay", "category", "reason"];
    REJECTS "rejects" "Rejects" ["stage", "reply", "reason"];
    REJECTED_CLIENTS "rejected_clients" "Clients that were refused" ["client"];
    LISTS "lists" "Blocked by list" ["rule"];
    POLICIES "policies" "Held, discarded, warned and other rules" ["action", "stage", "reason"];
    FATALS "fatals" "Errors, fatal errors and panics" ["level", "program", "message"];
    WARNINGS "warnings" "Warnings" ["program", "message"];
    CONNECT_FAILURES "connect_failures" "Servers that could not be reached" ["relay", "reason"];
    BROKEN "broken_sessions" "Sessions that broke off" ["action", "stage"];
    BROKEN_CLIENTS "broken_clients" "Clients whose sessions broke off" ["client", "action"];
    LOGIN_CLIENTS "login_clients" "Failed logins by client" ["client", "sasl_method"];
    LOGIN_USERS "login_users" "Failed logins by user" ["sasl_username", "reason"];
    LOGGED_IN "logged_in" "Mail of users who logged in" ["sasl_username", "sasl_method"];
    TLS "tls" "TLS connections" ["direction", "trust", "tls_version", "tls_cipher"];
    TLS_FEATURES "tls_features" "TLS features of deliveries" ["tls"];
    MASTER "master" "Starts, stops and reloads" ["program", "message"];
}

/// The report.
#[derive(Debug)]
pub(in super::super) struct Reasons {
    whats: Whats,
    warning: i64,
}

impl Reasons {
    /// About all topics.
    pub(in super::super) fn new() -> Self {
        Self { whats: Whats::new(), warning: Label::of("warning").number() }
    }
}

/// How often, and when.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    count: u64,
    first: i64,
    last: i64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { count: 0, first: i64::MAX, last: i64::MIN }
    }
}

impl Seen {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// What was counted: keys are the number of the topic and the texts of its columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    keys: Dictionary,
    seen: PerSymbol<Seen>,
}

/// A key in the making, for one record.
struct Key<'s> {
    state: &'s mut State,
    time: Option<i64>,
    room: &'s mut Vec<u8>,
}

impl Key<'_> {
    /// Counts the record for a topic, under these texts.
    fn add(&mut self, topic: u8, parts: &[&[u8]]) {
        self.begin(topic);
        for part in parts {
            self.room.push(BETWEEN);
            self.room.extend_from_slice(part);
        }
        self.end();
    }

    /// The same, with a reason in common words behind the texts.
    fn add_reason(&mut self, topic: u8, parts: &[&[u8]], reason: &[u8]) {
        self.begin(topic);
        for part in parts {
            self.room.push(BETWEEN);
            self.room.extend_from_slice(part);
        }
        self.room.push(BETWEEN);
        normalise(reason, self.room);
        self.end();
    }

    fn begin(&mut self, topic: u8) {
        self.room.clear();
        self.room.push(topic);
    }

    fn end(&mut self) {
        let symbol = self.state.keys.intern(self.room);
        let time = self.time;
        let (first, last) = (time.unwrap_or(i64::MAX), time.unwrap_or(i64::MIN));
        self.state.seen.at(symbol).merge(Seen { count: 1, first, last });
    }
}

impl Report for Reasons {
    type State = State;

    fn name(&self) -> String {
        "mail_reasons".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::KIND]).optional(&[
            Field::TIME,
            Field::LEVEL,
            Field::PROGRAM,
            Field::RELAY,
            Field::REASON,
            Field::STAGE,
            Field::REPLY,
            Field::ACTION,
            Field::CLIENT,
            Field::RULE,
            Field::MESSAGE,
            Field::SASL_METHOD,
            Field::SASL_USER,
            Field::TLS_TRUST,
            Field::TLS_VERSION,
            Field::TLS_CIPHER,
            Field::TLS_FEATURES,
        ])
    }

    fn start(&self) -> State {
        State { keys: Dictionary::new(MOST_BYTES), seen: PerSymbol::default() }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(kinds) = records.column(Field::KIND) else { return };
        let levels = records.column(Field::LEVEL).unwrap_or_default();
        let mut room = Vec::new();
        for (row, kind) in kinds.iter().enumerate() {
            let what = self.whats.of(*kind);
            let level = levels.get(row).and_then(|level| level.number());
            let time = records.number(Field::TIME, row);
            let mut key = Key { state: &mut *state, time, room: &mut room };
            let text = |field| records.text(field, row).unwrap_or_default();
            if level == Some(self.warning) && what != What::AuthFail {
                key.add_reason(topic::WARNINGS, &[text(Field::PROGRAM)], text(Field::MESSAGE));
            }
            count(&mut key, what, &text, level);
        }
    }

    fn merge(&self, into: &mut State, from: State, _: &Renumberings) {
        let renumbering = into.keys.absorb(&from.keys);
        into.seen.merge(from.seen, &renumbering, Seen::merge);
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let mut rows: Vec<Vec<(&[u8], Seen)>> = TOPICS.iter().map(|_| Vec::new()).collect();
        let met = state.seen.iter().filter(|(_, seen)| seen.count > 0);
        for (symbol, seen) in met.filter(|(symbol, _)| *symbol != Symbol::OTHER) {
            let [topic, key @ ..] = state.keys.text(symbol) else { continue };
            rows[usize::from(*topic)].push((key, *seen));
        }
        let lost = state.seen.get(Symbol::OTHER).map_or(0, |seen| seen.count);
        let topics = TOPICS.iter().zip(rows).filter(|(_, rows)| !rows.is_empty());
        topics.map(|(topic, rows)| section(topic, rows, lost, closing)).collect()
    }
}

/// Counts one record for its topics.
fn count<'a>(key: &mut Key<'_>, what: What, text: &impl Fn(Field) -> &'a [u8], level: Option<i64>) {
    match what {
        What::Received if !text(Field::SASL_USER).is_empty() => {
            key.add(topic::LOGGED_IN, &[text(Field::SASL_USER), text(Field::SASL_METHOD)]);
        }
        What::Sent | What::Deferred | What::Bounced => delivery(key, what, text),
        What::RejectTemporary | What::RejectPermanent | What::ContentReject => refusal(key, text),
        What::Policy => {
            let parts = [text(Field::ACTION), text(Field::STAGE)];
            key.add_reason(topic::POLICIES, &parts, text(Field::REASON));
        }
        What::ConnectFailed => {
            key.add(topic::CONNECT_FAILURES, &[text(Field::RELAY), text(Field::REASON)]);
        }
        What::Session => {
            key.add(topic::BROKEN, &[text(Field::ACTION), text(Field::STAGE)]);
            key.add(topic::BROKEN_CLIENTS, &[text(Field::CLIENT), text(Field::ACTION)]);
        }
        What::AuthFail => {
            key.add(topic::LOGIN_CLIENTS, &[text(Field::CLIENT), text(Field::SASL_METHOD)]);
            key.add(topic::LOGIN_USERS, &[text(Field::SASL_USER), text(Field::REASON)]);
        }
        What::Tls => {
            let direction = if text(Field::CLIENT).is_empty() { "out" } else { "in" };
            let [trust, version, cipher] =
                [Field::TLS_TRUST, Field::TLS_VERSION, Field::TLS_CIPHER].map(text);
            key.add(topic::TLS, &[direction.as_bytes(), trust, version, cipher]);
        }
        What::Fatal => {
            let level = level.map_or("", |level| Label::from_number(level).word());
            let parts = [level.as_bytes(), text(Field::PROGRAM)];
            key.add_reason(topic::FATALS, &parts, text(Field::MESSAGE));
        }
        What::Lifecycle => key.add(topic::MASTER, &[text(Field::PROGRAM), text(Field::MESSAGE)]),
        _ => {}
    }
}

fn delivery<'a>(key: &mut Key<'_>, what: What, text: &impl Fn(Field) -> &'a [u8]) {
    let features = text(Field::TLS_FEATURES);
    if !features.is_empty() {
        key.add(topic::TLS_FEATURES, &[features]);
    }
    let reason = text(Field::REASON);
    let category = || category(reason).as_bytes();
    match what {
        What::Deferred => {
            key.add_reason(topic::DEFERRALS, &[text(Field::PROGRAM), category()], reason);
        }
        What::Bounced => {
            key.add_reason(topic::BOUNCES, &[text(Field::RELAY), category()], reason);
        }
        _ => {}
    }
}

fn refusal<'a>(key: &mut Key<'_>, text: &impl Fn(Field) -> &'a [u8]) {
    // The lists say what they have against the client in a text of their own: the list alone is the reason.
    let reason = text(Field::REASON);
    key.add_reason(topic::REJECTS, &[text(Field::STAGE), text(Field::REPLY)], reason);
    key.add(topic::REJECTED_CLIENTS, &[text(Field::CLIENT)]);
    if !text(Field::RULE).is_empty() {
        key.add(topic::LISTS, &[text(Field::RULE)]);
    }
}

fn section(
    topic: &Topic,
    mut rows: Vec<(&[u8], Seen)>,
    lost: u64,
    closing: &Closing<'_>,
) -> Section {
    let total_rows = rows.len() as u64;
    let whole = rows.iter().map(|(_, seen)| seen.count).sum();
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0))
    });
    let mut columns: Vec<Column> =
        topic.columns.iter().map(|name| Column::new(*name, Role::Key)).collect();
    columns.push(Column::new("count", Role::Main));
    columns.extend(["share", "first", "last"].map(|name| Column::new(name, Role::Value)));
    let rows = rows.into_iter().map(|(key, seen)| cells(topic, key, seen, whole)).collect();
    let table = Table { columns, rows, total_rows };
    let mut section = Section::table(topic.name, topic.title, table);
    if lost > 0 {
        let text = format!("{lost} records of the mail tables did not fit into memory");
        section.notes.push(Note::warning(text));
    }
    section
}

fn cells(topic: &Topic, key: &[u8], seen: Seen, whole: u64) -> Vec<Cell> {
    // The key begins with what stands between parts.
    let mut parts =
        key.get(1..).unwrap_or_default().splitn(topic.columns.len(), |byte| *byte == BETWEEN);
    let text = |part: Option<&[u8]>| match part {
        None | Some(b"") => Cell::Empty,
        Some(part) => Cell::text(part),
    };
    let mut cells: Vec<Cell> = topic.columns.iter().map(|_| text(parts.next())).collect();
    cells.extend([Cell::Count(seen.count), Cell::share(seen.count, whole)]);
    match seen.first <= seen.last {
        true => cells.extend([Cell::Instant(seen.first), Cell::Instant(seen.last)]),
        false => cells.extend([Cell::Empty, Cell::Empty]),
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn record(fields: &[(Field, &str)]) -> Made {
        fields.iter().map(|(field, value)| (*field, (*value).to_owned())).collect()
    }

    fn told(records: &[Made]) -> Vec<Section> {
        let report: Box<dyn AnyReport> = Box::new(Reasons::new());
        let found = sections(&*report, Family::Postfix, &Options::default(), records);
        found.iter().for_each(check_form);
        found
    }

    #[test]
    fn the_same_reason_is_one_row() {
        let deferred = |host: &str, reason: &str| {
            let reason = reason.replace("HOST", host);
            record(&[(Field::KIND, "deferred"), (Field::PROGRAM, "smtp"), (Field::REASON, &reason)])
        };
        let found = told(&[
            deferred("mx.a[192.0.2.7]", "connect to HOST:25: Connection refused"),
            deferred("mx.b[192.0.2.8]", "connect to HOST:25: Connection refused"),
            deferred(
                "mx.b[192.0.2.8]",
                "host HOST said: 450 4.2.0 <u@b>: Greylisted, id 4F9D195432E (in reply to RCPT TO command)",
            ),
        ]);
        assert_eq!(column(&found, "deferrals", "count"), [Cell::Count(2), Cell::Count(1)]);
        let categories = [Cell::text("refused"), Cell::text("greylist")];
        assert_eq!(column(&found, "deferrals", "category"), categories);
        let reasons = column(&found, "deferrals", "reason");
        assert_eq!(reasons[1], Cell::text("450 4.2.0 <>: Greylisted, id ID"));
    }

    #[test]
    fn logins_and_what_they_sent() {
        let found = told(&[
            record(&[
                (Field::KIND, "received"),
                (Field::SASL_USER, "jo"),
                (Field::SASL_METHOD, "PLAIN"),
            ]),
            record(&[(Field::KIND, "received")]),
            record(&[
                (Field::KIND, "auth_fail"),
                (Field::LEVEL, "warning"),
                (Field::CLIENT, "192.0.2.7"),
            ]),
        ]);
        assert_eq!(column(&found, "logged_in", "count"), [Cell::Count(1)]);
        assert_eq!(column(&found, "login_clients", "client"), [Cell::text("192.0.2.7")]);
        assert!(found.iter().all(|section| section.name != "warnings"));
    }

    #[test]
    fn merging_changes_nothing() {
        let mut dice = Dice(8);
        let kinds =
            ["deferred", "bounced", "reject_5xx", "policy", "session", "auth_fail", "tls", "fatal"];
        let records: Vec<Made> = (0..1_500)
            .map(|at| {
                let kind = kinds[dice.below(kinds.len())];
                let reason = format!("{} words", ["some", "more"][dice.below(2)]);
                let client = format!("192.0.2.{}", dice.below(40));
                let time = (at * 1_000).to_string();
                record(&[
                    (Field::TIME, &time),
                    (Field::KIND, kind),
                    (Field::REASON, &reason),
                    (Field::CLIENT, &client),
                    (Field::LEVEL, ["warning", "fatal"][dice.below(2)]),
                ])
            })
            .collect();
        let report: Box<dyn AnyReport> = Box::new(Reasons::new());
        check_merging(&*report, Family::Postfix, &Options::default(), &records);
    }
}
