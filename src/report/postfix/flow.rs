//! What came, what went, what waits and what was refused: the sums with which every mail report begins.
//!
//! Sections: `mail` (the sums), `mail_days` and `mail_hours` (the same by day and by hour of the day, in the zone that
//! the user set).
//!
//! What is counted is not always the same: messages are received, but deliveries (one a recipient and attempt) are
//! sent, deferred and bounced, and commands are refused. The queue tells of messages alone.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::super::traffic::date;
use super::super::{Closing, Needs, Renumberings, Report};
use super::what::{self, Seen, What, Whats};
use crate::document::{Cell, Column, Fact, Note, Role, Section, Table};
use crate::record::time::SECOND;
use crate::record::{Field, Records, Zone};

const HOUR: i64 = 3_600 * SECOND;
/// Eleven years of hours. With more the tables by time are left out: they are stamps gone wild.
const MOST_HOURS: usize = 100_000;

/// What is counted, by name. Those up to `SHOWN` are columns of the tables by time.
const NAMES: [&str; 22] = [
    "received",
    "delivered",
    "deferred",
    "bounced",
    "expired",
    "rejected",
    "auth_failed",
    "forwarded",
    "rejected_4xx",
    "rejected_5xx",
    "content_rejected",
    "reject_warnings",
    "held",
    "discarded",
    "verified",
    "notifications",
    "notifications_failed",
    "relay_troubles",
    "connections",
    "lost_connections",
    "tls_connections",
    "fatal",
];
const SHOWN: usize = 7;

/// The places of [`NAMES`].
mod at {
    pub(super) const RECEIVED: usize = 0;
    pub(super) const DELIVERED: usize = 1;
    pub(super) const DEFERRED: usize = 2;
    pub(super) const BOUNCED: usize = 3;
    pub(super) const EXPIRED: usize = 4;
    pub(super) const REJECTED: usize = 5;
    pub(super) const AUTH_FAILED: usize = 6;
    pub(super) const FORWARDED: usize = 7;
    pub(super) const REJECTED_4XX: usize = 8;
    pub(super) const REJECTED_5XX: usize = 9;
    pub(super) const CONTENT_REJECTED: usize = 10;
    pub(super) const REJECT_WARNINGS: usize = 11;
    pub(super) const HELD: usize = 12;
    pub(super) const DISCARDED: usize = 13;
    pub(super) const VERIFIED: usize = 14;
    pub(super) const NOTIFICATIONS: usize = 15;
    pub(super) const NOTIFICATIONS_FAILED: usize = 16;
    pub(super) const RELAY_TROUBLES: usize = 17;
    pub(super) const CONNECTIONS: usize = 18;
    pub(super) const LOST: usize = 19;
    pub(super) const TLS: usize = 20;
    pub(super) const FATAL: usize = 21;
}

/// The report.
#[derive(Debug)]
pub(in super::super) struct Flow {
    whats: Whats,
    zone: Zone,
}

impl Flow {
    /// With hours and days of a zone.
    pub(in super::super) fn new(zone: Zone) -> Self {
        Self { whats: Whats::new(), zone }
    }
}

/// One count for each of [`NAMES`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sums([u64; NAMES.len()]);

impl AddAssign<&Self> for Sums {
    fn add_assign(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, more)| *own += more);
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    all: Sums,
    /// By number of the hour since 1970 in the zone.
    hours: BTreeMap<i64, Sums>,
    too_many_hours: bool,
}

impl Report for Flow {
    type State = State;

    fn name(&self) -> String {
        "mail".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::KIND])
            .optional(&what::FIELDS)
            .optional(&[Field::TIME, Field::ACTION])
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(seen) = Seen::of(records) else { return };
        let times = records.column(Field::TIME).unwrap_or_default();
        // Neighbours stand in the same hour, nearly always: then nothing is divided.
        let (mut hour, mut sums) = (None, Sums::default());
        let mut within = 0..0;
        for (row, what) in self.whats.rows(seen) {
            let time = times.get(row).and_then(|time| time.number());
            let is_within = time.is_some_and(|time| within.contains(&time));
            if !is_within && (time.is_some() || hour.is_some()) {
                state.add(hour, &std::mem::take(&mut sums));
                let step = time.map(|time| self.zone.step(time, HOUR));
                hour = step.as_ref().map(|step| step.wall.div_euclid(HOUR));
                within = step.map_or(0..0, |step| step.instants);
            }
            count(&mut sums, what, records, row);
        }
        state.add(hour, &sums);
    }

    fn merge(&self, into: &mut State, from: State, _: &Renumberings) {
        into.all += &from.all;
        from.hours.iter().for_each(|(hour, more)| *into.hours.entry(*hour).or_default() += more);
        into.too_many_hours |= from.too_many_hours;
        into.bound_hours();
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        if closing.records == 0 {
            return Vec::new();
        }
        let mut sections = vec![totals(&state)];
        if !state.hours.is_empty() {
            sections.push(days(&state, closing));
            sections.push(hours(&state));
        }
        sections
    }
}

impl State {
    fn add(&mut self, hour: Option<i64>, sums: &Sums) {
        if *sums == Sums::default() {
            return;
        }
        self.all += sums;
        if let Some(hour) = hour.filter(|_| !self.too_many_hours) {
            *self.hours.entry(hour).or_default() += sums;
            self.bound_hours();
        }
    }

    /// More hours than allowed, in whatever order they come, and none is kept.
    fn bound_hours(&mut self) {
        if self.too_many_hours || self.hours.len() > MOST_HOURS {
            self.too_many_hours = true;
            self.hours.clear();
        }
    }
}

/// Counts one record.
#[inline]
fn count(sums: &mut Sums, what: What, records: &Records<'_>, row: usize) {
    let mut add = |at: usize| sums.0[at] += 1;
    match what {
        What::Received => add(at::RECEIVED),
        What::Sent => {
            add(at::DELIVERED);
            if records.text(Field::ACTION, row) == Some(b"forwarded") {
                add(at::FORWARDED);
            }
        }
        What::Deferred => add(at::DEFERRED),
        What::Bounced => add(at::BOUNCED),
        What::Expired => add(at::EXPIRED),
        What::Verified => add(at::VERIFIED),
        What::Notification => add(at::NOTIFICATIONS),
        What::NotificationFailed => add(at::NOTIFICATIONS_FAILED),
        What::RelayTrouble | What::ConnectFailed => add(at::RELAY_TROUBLES),
        What::Connect => add(at::CONNECTIONS),
        What::AuthFail => add(at::AUTH_FAILED),
        What::Tls => add(at::TLS),
        What::Fatal => add(at::FATAL),
        What::RejectTemporary => [at::REJECTED, at::REJECTED_4XX].into_iter().for_each(add),
        What::RejectPermanent => [at::REJECTED, at::REJECTED_5XX].into_iter().for_each(add),
        What::ContentReject | What::Policy | What::Session => {
            by_action(sums, what, records.text(Field::ACTION, row).unwrap_or_default());
        }
        _ => {}
    }
}

fn by_action(sums: &mut Sums, what: What, action: &[u8]) {
    let mut add = |at: usize| sums.0[at] += 1;
    match (what, action) {
        (What::Session, b"lost connection") => add(at::LOST),
        (What::Session, _) => {}
        (_, b"discard" | b"milter-discard") => add(at::DISCARDED),
        (_, b"hold" | b"milter-hold" | b"milter-quarantine") => add(at::HELD),
        // What a restriction or a check of headers would have done if it were not told to warn only.
        (_, b"reject_warning" | b"warning") => add(at::REJECT_WARNINGS),
        (What::ContentReject, _) => {
            [at::REJECTED, at::CONTENT_REJECTED].into_iter().for_each(add);
        }
        _ => {}
    }
}

fn totals(state: &State) -> Section {
    let sums = &state.all.0;
    let counts = NAMES.iter().zip(sums).map(|(name, count)| Fact::new(name, Cell::Count(*count)));
    let mut facts: Vec<Fact> = counts.collect();
    let offered = sums[at::RECEIVED] + sums[at::REJECTED];
    facts.push(Fact::new("rejected_share", Cell::share(sums[at::REJECTED], offered)));
    facts.push(Fact::new("discarded_share", Cell::share(sums[at::DISCARDED], offered)));
    Section::facts("mail", "Mail", facts)
}

fn table(
    name: &str,
    title: &str,
    key: &str,
    rows: Vec<(String, Sums)>,
    total_rows: u64,
) -> Section {
    let mut columns = vec![Column::new(key, Role::Key)];
    columns.extend(
        NAMES[..SHOWN]
            .iter()
            .enumerate()
            .map(|(at, name)| Column::new(*name, if at == 0 { Role::Main } else { Role::Value })),
    );
    let cells = |(key, sums): (String, Sums)| {
        let counts = sums.0[..SHOWN].iter().map(|count| Cell::Count(*count));
        std::iter::once(Cell::text(key)).chain(counts).collect()
    };
    let rows = rows.into_iter().map(cells).collect();
    Section::table(name, title, Table { columns, rows, total_rows })
}

/// The latest days, as many as rows are wanted and at least a month, in their order.
fn days(state: &State, closing: &Closing<'_>) -> Section {
    let mut days: BTreeMap<i64, Sums> = BTreeMap::new();
    for (hour, sums) in &state.hours {
        *days.entry(hour.div_euclid(24)).or_default() += sums;
    }
    let most = match closing.options.limit {
        0 => days.len(),
        limit => limit.max(31),
    };
    let total = days.len() as u64;
    let latest = days.iter().skip(days.len().saturating_sub(most));
    let rows = latest.map(|(day, sums)| (date(*day), *sums)).collect();
    let mut section = table("mail_days", "Mail by day", "day", rows, total);
    if state.too_many_hours {
        section.notes.push(Note::warning("there are stamps of too many years; days are left out"));
    }
    section
}

fn hours(state: &State) -> Section {
    let mut hours = [Sums::default(); 24];
    for (hour, sums) in &state.hours {
        hours[hour.rem_euclid(24) as usize] += sums;
    }
    let rows = hours.iter().enumerate().map(|(hour, sums)| (format!("{hour:02}"), *sums));
    table("mail_hours", "Mail by hour of the day", "hour", rows.collect(), 24)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn record(time: i64, kind: &str, action: &str) -> Made {
        vec![
            (Field::TIME, (time * SECOND).to_string()),
            (Field::KIND, kind.to_owned()),
            (Field::ACTION, action.to_owned()),
        ]
    }

    fn report(zone: &str) -> Box<dyn AnyReport> {
        Box::new(Flow::new(Zone::new(zone.parse().unwrap())))
    }

    #[test]
    fn each_thing_counts_as_what_it_is() {
        let records = [
            record(0, "received", ""),
            record(0, "reject_5xx", "reject"),
            record(0, "content_reject", "milter-reject"),
            record(0, "content_reject", "discard"),
            record(0, "policy", "hold"),
            record(0, "policy", "reject_warning"),
            record(0, "policy", "warning"),
            record(86_400, "session", "lost connection"),
            record(86_400, "sent", "forwarded"),
        ];
        let found =
            sections(&*report("Europe/Berlin"), Family::Postfix, &Options::default(), &records);
        found.iter().for_each(check_form);
        for (name, count) in [
            ("received", 1),
            ("delivered", 1),
            ("forwarded", 1),
            ("rejected", 2),
            ("content_rejected", 1),
            ("discarded", 1),
            ("held", 1),
            ("reject_warnings", 2),
            ("lost_connections", 1),
        ] {
            assert_eq!(found[0].fact(name), Some(&Cell::Count(count)), "{name}");
        }
        let days = [Cell::text("1970-01-01"), Cell::text("1970-01-02")];
        assert_eq!(column(&found, "mail_days", "day"), days);
        assert_eq!(column(&found, "mail_hours", "rejected")[1], Cell::Count(2));
    }

    #[test]
    fn merging_changes_nothing() {
        let mut dice = Dice(3);
        let kinds = ["received", "sent", "deferred", "reject_4xx", "policy", "session", "tls"];
        let records: Vec<Made> = (0..2_000)
            .map(|at| {
                record(at * 500, kinds[dice.below(kinds.len())], ["hold", "x"][dice.below(2)])
            })
            .collect();
        check_merging(&*report("Europe/Berlin"), Family::Postfix, &Options::default(), &records);
    }
}
