//! When errors burst, how strong, and what carried them.
//!
//! Bursts of records of class error, and of class warn, each told by Kleinberg's automaton over slots of a second; see
//! [`crate::tally::kleinberg`] for the method and its source. In logs of requests a burst is one of the share of the
//! bad among all; in error logs, where every record is bad, of their rate.
//!
//! Sections, each only if there is a burst:
//!
//! * `error_bursts`, `warn_bursts`: onset and end, how many, how many in the worst second, the share (or the rate) within
//!   and outside, the strength, and what carried it;
//! * `error_burst_carriers`, `warn_burst_carriers`: for each burst the values of the fields that have more of it than of
//!   the bad records outside.
//!
//! Bad records are counted by slots of a second and value; with many of them the slots are wider, and a note says
//! so. Memory is bounded by [`MOST_SLOTS`] and [`MOST_PAIRS`].

mod telling;

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use self::telling::{Found, Telling};
use super::keys::{self, Keys};
use super::{Closing, Needs, Renumberings, Report};
use crate::document::Section;
use crate::format::Family;
use crate::record::block::ROWS;
use crate::record::{Field, Fields, Label, Records, Symbol, Value};
use crate::tally::kleinberg::Model;
use crate::tally::{Carriers, Renumbering, Timeline};

/// Three days to the second, in 4 MB.
const MOST_SLOTS: usize = 1 << 18;
/// What carries: up to 1 MB a class, and half as much while keys wait.
const MOST_PAIRS: usize = 1 << 17;
const SECOND: i64 = 1_000_000;

/// What may carry a burst, of every family; the most telling first.
const CARRIERS: [Field; 25] = [
    Field::KIND,
    Field::STATUS,
    Field::UPSTREAM,
    Field::BACKEND,
    Field::SERVER,
    Field::FRONTEND,
    Field::STATE,
    Field::HOST,
    Field::PATH,
    Field::CLIENT,
    Field::AGENT,
    Field::RELAY,
    Field::RECIPIENT_DOMAIN,
    Field::SENDER_DOMAIN,
    Field::DSN,
    Field::REASON,
    Field::PROGRAM,
    Field::RCODE,
    Field::CATEGORY,
    Field::DOMAIN,
    Field::FINGERPRINT,
    Field::DATABASE,
    Field::MODULE,
    Field::CODE,
    Field::USER,
];

/// Its sections; each is left out where it would be empty.
pub(super) const SECTIONS: [&str; 4] =
    ["error_bursts", "error_burst_carriers", "warn_bursts", "warn_burst_carriers"];

/// The report.
#[derive(Debug)]
pub(super) struct Bursts {
    model: Model,
    carriers: Vec<Field>,
}

impl Bursts {
    /// For a family whose formats supply those fields.
    pub(super) fn new(family: Family, supplied: Fields) -> Self {
        let model = match family {
            Family::NginxError | Family::ApacheError | Family::MysqlError => Model::Gaps,
            _ => Model::Share,
        };
        let carriers = CARRIERS.into_iter().filter(|field| supplied.has(*field)).collect();
        Self { model, carriers }
    }
}

/// The records of a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    all: u64,
    /// By class: error, warn.
    bad: [u64; 2],
}

impl AddAssign<&Self> for Slot {
    fn add_assign(&mut self, other: &Self) {
        self.all = self.all.saturating_add(other.all);
        for (own, more) in self.bad.iter_mut().zip(other.bad) {
            *own = own.saturating_add(more);
        }
    }
}

/// The classes whose bursts are looked for.
const CLASSES: [(Label, &str); 2] = [(Label::ERROR, "error"), (Label::WARN, "warn")];

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    slots: Timeline<Slot>,
    /// One a field that may carry, by name.
    keys: Vec<(String, Keys)>,
    /// By class: error, warn. A key is the number of the field above and the symbol below.
    carriers: [Carriers; 2],
}

impl Report for Bursts {
    type State = State;

    fn name(&self) -> String {
        "bursts".to_owned()
    }

    fn needs(&self) -> Needs {
        let needs = Needs::required(&[Field::TIME, Field::CLASS]);
        self.carriers.iter().fold(needs, |needs, field| match *field {
            Field::DOMAIN => needs.optional(&[Field::NAME]),
            field => keys::use_too(needs, field),
        })
    }

    fn start(&self) -> State {
        let keys = self.carriers.iter().map(|field| (field.name().to_owned(), keys_of(*field)));
        State {
            slots: Timeline::new(MOST_SLOTS),
            keys: keys.collect(),
            carriers: [Carriers::new(MOST_PAIRS), Carriers::new(MOST_PAIRS)],
        }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let (Some(times), Some(classes)) =
            (records.column(Field::TIME), records.column(Field::CLASS))
        else {
            return;
        };
        let mut bad = Bad { rows: [(0, 0); ROWS], len: 0 };
        for (row, (time, class)) in times.iter().zip(classes).enumerate() {
            let Some(time) = time.number() else { continue };
            let slot = state.slots.at(time);
            slot.all += 1;
            let class = class.number_or(0);
            if let Some(class) = CLASSES.iter().position(|(label, _)| label.number() == class) {
                slot.bad[class] += 1;
                bad.push(row, class);
            }
        }
        if bad.len > 0 {
            self.see_carriers(state, records, times, bad.rows());
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        into.slots.merge(from.slots);
        let renumberings = self.absorb(&mut into.keys, &from.keys, renumberings);
        for (own, more) in into.carriers.iter_mut().zip(from.carriers) {
            own.merge(more, |key| {
                let (field, symbol) = parts(key);
                match renumberings.get(field) {
                    Some((field, symbols)) => self::key(*field, symbols.of(symbol)),
                    None => key,
                }
            });
        }
    }

    fn finish(&self, mut state: State, closing: &Closing<'_>) -> Vec<Section> {
        state.carriers.iter_mut().for_each(Carriers::settle);
        let slots = state.slots.slots();
        let mut sections = Vec::new();
        for (class, (_, word)) in CLASSES.iter().enumerate() {
            let found = Found::of(self.model, &slots, state.slots.width(), class);
            if !found.bursts.is_empty() {
                let telling = Telling { state: &state, closing, class, word, model: self.model };
                sections.extend(telling.sections(&found));
            }
        }
        sections
    }
}

/// The domains of names are wanted of bad records alone.
fn keys_of(field: Field) -> Keys {
    if field == Field::DOMAIN { Keys::domains() } else { Keys::of(field) }
}

/// The rows of a block that are bad, with their class.
struct Bad {
    rows: [(u16, u8); ROWS],
    len: usize,
}

impl Bad {
    fn push(&mut self, row: usize, class: usize) {
        self.rows[self.len] = (row as u16, class as u8);
        self.len += 1;
    }

    fn rows(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        self.rows[..self.len].iter().map(|(row, class)| (usize::from(*row), usize::from(*class)))
    }
}

/// How many bits of a carrier's key are those of the symbol. With that many texts the memory for keys is long full.
const SYMBOL_BITS: u32 = 27;
const _: () = assert!(CARRIERS.len() <= 1 << (32 - SYMBOL_BITS));

fn key(field: usize, symbol: Symbol) -> u32 {
    let symbol = if symbol.0 >> SYMBOL_BITS == 0 { symbol } else { Symbol::OTHER };
    (field as u32) << SYMBOL_BITS | symbol.0
}

fn parts(key: u32) -> (usize, Symbol) {
    ((key >> SYMBOL_BITS) as usize, Symbol(key & ((1 << SYMBOL_BITS) - 1)))
}

impl Bursts {
    fn see_carriers(
        &self,
        state: &mut State,
        records: &Records<'_>,
        times: &[Value],
        bad: impl Iterator<Item = (usize, usize)> + Clone,
    ) {
        for (number, (field, (_, keys))) in self.carriers.iter().zip(&mut state.keys).enumerate() {
            let Some(mut symbols) = keys.reader(*field, records) else { continue };
            for (row, class) in bad.clone() {
                let symbol = symbols.at(row);
                if symbol != Symbol::ABSENT {
                    state.carriers[class].add(times[row].number_or(0), key(number, symbol));
                }
            }
        }
    }

    /// How the fields of another state are numbered here, and their symbols.
    fn absorb(
        &self,
        own: &mut Vec<(String, Keys)>,
        others: &[(String, Keys)],
        renumberings: &Renumberings,
    ) -> Vec<(usize, Renumbering)> {
        let absorb = |(name, others): &(String, Keys)| {
            let field = Field::named(name)?;
            let at = own.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                own.push((name.clone(), keys_of(field)));
                own.len() - 1
            });
            Some((at, own[at].1.absorb(others, field, renumberings)))
        };
        others.iter().map_while(absorb).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, check_form, check_merging, column, requests, sections};
    use super::super::{AnyReport, Options};
    use super::*;
    use crate::document::Cell;

    fn report(family: Family) -> Box<dyn AnyReport> {
        let supplied = [Field::KIND, Field::STATUS, Field::UPSTREAM, Field::PATH, Field::CLIENT];
        Box::new(Bursts::new(family, Fields::of(&supplied)))
    }

    const START: i64 = 1_709_802_000;

    /// A day with a request a second, and an outage of one upstream for two minutes.
    fn outage() -> Vec<Made> {
        let record = |second: i64| {
            let upstream = second % 3;
            let failing = (40_000..40_120).contains(&second) && upstream == 1;
            let stray = second % 5_000 == 17;
            let class = if failing || stray { "error" } else { "ok" };
            vec![
                (Field::TIME, ((START + second) * SECOND).to_string()),
                (Field::CLASS, class.to_owned()),
                (
                    Field::STATUS,
                    if failing {
                        "502"
                    } else if stray {
                        "500"
                    } else {
                        "200"
                    }
                    .to_owned(),
                ),
                (Field::UPSTREAM, format!("10.0.0.{upstream}:80")),
                (Field::PATH, format!("/{}", second % 50)),
            ]
        };
        (0..86_400).map(record).collect()
    }

    #[test]
    fn an_outage_to_the_second_and_its_carrier() {
        let found = sections(&*report(Family::Web), Family::Web, &Options::default(), &outage());
        found.iter().for_each(check_form);
        let names: Vec<&str> = found.iter().map(|section| section.name.as_str()).collect();
        assert_eq!(names, ["error_bursts", "error_burst_carriers"]);
        assert!(names.iter().all(|name| SECTIONS.contains(name)));
        let at = |second: i64| [Cell::Instant((START + second) * SECOND)];
        assert_eq!(column(&found, "error_bursts", "onset"), at(40_000));
        assert_eq!(column(&found, "error_bursts", "end"), at(40_118));
        assert_eq!(column(&found, "error_bursts", "count"), [Cell::Count(41)]); // One stray among them.
        let values = column(&found, "error_burst_carriers", "value");
        assert_eq!(values[..2], [Cell::text("502"), Cell::text("10.0.0.1:80")]);
    }

    /// A flood of another kind three seconds later, too small a share of its second to be a burst, carried nothing.
    #[test]
    fn neighbours_of_a_burst_carry_nothing_of_it() {
        let record = |second: i64, status: &str, path: &str| {
            vec![
                (Field::TIME, ((START + second) * SECOND).to_string()),
                (Field::CLASS, if status == "200" { "ok" } else { "error" }.to_owned()),
                (Field::STATUS, status.to_owned()),
                (Field::PATH, path.to_owned()),
            ]
        };
        let usual = (0..4_000).map(|at| record(at / 4 * 10, "200", "/"));
        let burst = (0..12).map(|_| record(20_001, "502", "/shop"));
        let flood = (0..4_000).map(|at| match at % 40 {
            0 => record(20_004, "500", "/flood"),
            _ => record(20_004, "200", "/"),
        });
        let records: Vec<Made> = usual.chain(burst).chain(flood).collect();
        let found = sections(&*report(Family::Web), Family::Web, &Options::default(), &records);
        assert_eq!(column(&found, "error_bursts", "count"), [Cell::Count(12)]);
        assert_eq!(column(&found, "error_burst_carriers", "count"), [12, 12].map(Cell::Count));
    }

    /// Seen in a log of errors: a reason that one of 18 records gave stood first, with "100%".
    #[test]
    fn what_one_record_says_carries_no_burst() {
        let record = |number: i64| {
            let mut record = vec![
                (Field::TIME, ((START + number.max(0) * 600) * SECOND).to_string()),
                (Field::CLASS, "error".to_owned()),
                (Field::KIND, "upstream_refused".to_owned()),
            ];
            let says = (-4..0).contains(&number);
            record.extend(says.then(|| (Field::UPSTREAM, "10.0.0.1:80".to_owned())));
            record.extend((number == -9).then(|| (Field::PATH, "/one".to_owned())));
            record
        };
        let records: Vec<Made> = (-20..9).map(record).collect();
        let family = Family::NginxError;
        let found = sections(&*report(family), family, &Options::default(), &records);
        assert_eq!(column(&found, "error_bursts", "count"), [Cell::Count(21)]);
        let carriers = column(&found, "error_burst_carriers", "value");
        assert_eq!(carriers, [Cell::text("10.0.0.1:80")]);
        let shares = column(&found, "error_burst_carriers", "share");
        assert_eq!(shares, [Cell::share(4, 21)]);
    }

    #[test]
    fn one_error_or_two_are_no_burst() {
        let record = |second: i64, class: &str| {
            let time = ((START + second) * SECOND).to_string();
            vec![(Field::TIME, time), (Field::CLASS, class.to_owned())]
        };
        let records: Vec<Made> =
            (0..12).map(|at| record(60 * at, if at == 7 { "error" } else { "ok" })).collect();
        let found = sections(
            &*report(Family::MysqlError),
            Family::MysqlError,
            &Options::default(),
            &records,
        );
        assert!(found.is_empty());
    }

    /// An outage of one route, each of whose paths has an id of its own; seen beside kinds that repeat the status.
    #[test]
    fn grouped_paths_carry_a_burst_together() {
        let record = |number: i64| {
            let failing = (2_000..2_040).contains(&number);
            let path = if failing { format!("/orders/{number}") } else { "/".to_owned() };
            vec![
                (Field::TIME, ((START + number) * SECOND).to_string()),
                (Field::CLASS, if failing { "error" } else { "ok" }.to_owned()),
                (Field::KIND, if failing { "http_502" } else { "http_2xx" }.to_owned()),
                (Field::STATUS, if failing { "502" } else { "200" }.to_owned()),
                (Field::PATH, path),
            ]
        };
        let records: Vec<Made> = (0..4_000).map(record).collect();
        let values = |group_paths| {
            let options = Options { group_paths, ..Options::default() };
            let found = sections(&*report(Family::Web), Family::Web, &options, &records);
            column(&found, "error_burst_carriers", "value")
        };
        assert_eq!(values(false), [Cell::text("502")]);
        assert_eq!(values(true), [Cell::text("502"), Cell::text("/orders/:id")]);
    }

    #[test]
    fn merging_changes_nothing() {
        let outage = &outage()[35_000..45_000];
        check_merging(&*report(Family::Web), Family::Web, &Options::default(), outage);
        let records = requests(3_000, 6);
        check_merging(
            &*report(Family::NginxError),
            Family::NginxError,
            &Options::default(),
            &records,
        );
    }

    #[test]
    fn nothing_to_tell() {
        let quiet: Vec<Made> = outage()
            .into_iter()
            .filter(|record| !record.contains(&(Field::STATUS, "502".to_owned())))
            .collect();
        for records in [&quiet[..], &quiet[17..18], &[]] {
            for family in [Family::Web, Family::ApacheError] {
                let found = sections(&*report(family), family, &Options::default(), records);
                assert_eq!(found, [], "{} records", records.len());
            }
        }
    }

    #[test]
    fn error_logs_burst_by_rate() {
        let record = |second: i64| {
            vec![
                (Field::TIME, ((START + second) * SECOND).to_string()),
                (Field::CLASS, "error".to_owned()),
                (
                    Field::KIND,
                    if second < 50_000 { "upstream_refused" } else { "other" }.to_owned(),
                ),
            ]
        };
        let records: Vec<Made> = (0..30)
            .map(|n| record(10_000 + n))
            .chain((0..9).map(|n| record(n * 9_000 + 900)))
            .collect();
        let family = Family::NginxError;
        let found = sections(&*report(family), family, &Options::default(), &records);
        let onset = column(&found, "error_bursts", "onset");
        assert_eq!(onset, [Cell::Instant((START + 9_900) * SECOND)]);
        assert_eq!(column(&found, "error_bursts", "count"), [Cell::Count(31)]);
    }
}
