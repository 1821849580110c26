//! How long deliveries took: before the queue manager, in its queue, connecting, sending; as a whole and by destination.
//!
//! Sections: `delays` (the four stages and the whole, as percentiles), `destinations` (by domain of the recipient: what
//! became of deliveries, and the whole delay), `destination_delays` (the four stages of those with the largest sum),
//! `relays` (by who was asked: the same as `destinations`).
//!
//! Only deliveries that were made have delays that tell of the network; a deferral's delay is mostly the age of the
//! message. Hence percentiles are of what was sent, and deferrals count.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use super::queue::domain;
use super::what::{self, Seen, What, Whats};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::{Field, Records, Symbol};
use crate::tally::amounts::UNTOLD;
use crate::tally::{Amounts, PerSymbol, Quantiles, Sparse, keep_largest};

/// The stages and the whole, by field, name and words.
const STAGES: [(Field, &str); 5] = [
    (Field::DELAY_BEFORE, "before the queue manager"),
    (Field::DELAY_QUEUE, "in the queue"),
    (Field::DELAY_CONNECT, "connecting"),
    (Field::DELAY_TRANSMIT, "sending"),
    (Field::DURATION, "the whole"),
];
const WHOLE: usize = STAGES.len() - 1;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Delays {
    whats: Whats,
}

impl Delays {
    /// For all deliveries.
    pub(in super::super) fn new() -> Self {
        Self { whats: Whats::new() }
    }
}

/// What is known of one destination.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    /// Sent, deferred, bounced.
    counts: Counts,
    stages: Amounts,
}

type Counts = [u64; 3];

impl Default for Target {
    fn default() -> Self {
        Self { counts: Counts::default(), stages: Amounts::new(STAGES.len()) }
    }
}

impl Target {
    fn merge(&mut self, other: Self) {
        add(&mut self.counts, other.counts);
        self.stages.merge(other.stages);
    }
}

fn add(own: &mut Counts, more: Counts) {
    own.iter_mut().zip(more).for_each(|(own, more)| *own += more);
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    domains: PerSymbol<Target>,
    /// Of relays only the whole delay is kept.
    relays: PerSymbol<(Counts, Sparse)>,
}

impl Report for Delays {
    type State = State;

    fn name(&self) -> String {
        "delays".to_owned()
    }

    fn needs(&self) -> Needs {
        let symbols = [Field::RECIPIENT_DOMAIN, Field::RELAY];
        Needs::required(&[Field::KIND, Field::DURATION])
            .optional(&what::FIELDS)
            .optional(&STAGES.map(|(field, _)| field))
            .optional(&symbols)
            .by_symbol(&symbols)
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(seen) = Seen::of(records) else { return };
        let stages = STAGES.map(|(field, _)| records.column(field).unwrap_or_default());
        let [domains, relays] = [Field::RECIPIENT_DOMAIN, Field::RELAY]
            .map(|field| records.symbols(field).unwrap_or_default());
        let symbol = |symbols: &[Symbol], row| symbols.get(row).copied().unwrap_or(Symbol::ABSENT);
        for (row, what) in self.whats.rows(seen) {
            let lane = match what {
                What::Sent => 0,
                What::Deferred => 1,
                What::Bounced => 2,
                _ => continue,
            };
            let target = state.domains.at(symbol(domains, row));
            let (counts, whole) = state.relays.at(symbol(relays, row));
            target.counts[lane] += 1;
            counts[lane] += 1;
            if lane > 0 {
                continue;
            }
            let micros = stages.map(|column| {
                let told = column.get(row).and_then(|value| value.number());
                told.map_or(UNTOLD, |micros| micros.max(0) as u64)
            });
            target.stages.add(micros.into_iter());
            if micros[WHOLE] != UNTOLD {
                whole.add(micros[WHOLE]);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let domains = renumberings.of(Field::RECIPIENT_DOMAIN);
        into.domains.merge(from.domains, domains, Target::merge);
        let relays = renumberings.of(Field::RELAY);
        into.relays.merge(from.relays, relays, |own, more| {
            add(&mut own.0, more.0);
            own.1.merge(more.1);
        });
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let State { domains, relays } = state;
        let domains = by_domain(domains, closing);
        let relays = by_relay(relays, closing);
        if domains.is_empty() {
            return Vec::new();
        }
        vec![
            overall(&domains),
            destinations(
                "destinations",
                "Destinations",
                Field::RECIPIENT_DOMAIN,
                closing,
                &domains,
            ),
            stages(&domains, closing),
            destinations("relays", "Relays", Field::RELAY, closing, &relays),
        ]
    }
}

/// Where deliveries went, and what became of them.
trait Place {
    /// Sent, deferred, bounced.
    fn counts(&self) -> Counts;

    /// The whole delay of what was sent.
    fn whole(&self) -> Quantiles;

    fn total(&self) -> u64 {
        self.counts().iter().sum()
    }
}

impl Place for Target {
    fn counts(&self) -> Counts {
        self.counts
    }

    fn whole(&self) -> Quantiles {
        self.stages.quantiles(WHOLE)
    }
}

impl Place for (Counts, Sparse) {
    fn counts(&self) -> Counts {
        self.0
    }

    fn whole(&self) -> Quantiles {
        self.1.quantiles()
    }
}

/// Names in any case are the same domain.
fn by_domain(state: PerSymbol<Target>, closing: &Closing<'_>) -> Vec<(Vec<u8>, Target)> {
    let mut targets = BTreeMap::<Vec<u8>, Target>::new();
    for (symbol, target) in state.into_counters().filter(|(_, target)| target.total() > 0) {
        let name = domain(name(closing, Field::RECIPIENT_DOMAIN, symbol));
        match targets.entry(name) {
            Entry::Occupied(known) => known.into_mut().merge(target),
            Entry::Vacant(new) => {
                new.insert(target);
            }
        }
    }
    targets.into_iter().collect()
}

fn by_relay(
    state: PerSymbol<(Counts, Sparse)>,
    closing: &Closing<'_>,
) -> Vec<(Vec<u8>, (Counts, Sparse))> {
    let met = state.into_counters().filter(|(_, relay)| relay.total() > 0);
    met.map(|(symbol, relay)| (name(closing, Field::RELAY, symbol).to_vec(), relay)).collect()
}

fn name<'a>(closing: &Closing<'a>, field: Field, symbol: Symbol) -> &'a [u8] {
    match symbol {
        Symbol::ABSENT => b"(none)",
        Symbol::OTHER => b"(did not fit into memory)",
        symbol => closing.dictionaries.text(field, symbol),
    }
}

/// The percentiles that postfix-logwatch shows, with their names, in thousandths.
const PERCENTILES: [(u32, &str); 7] = [
    (25_000, "p25"),
    (50_000, "p50"),
    (75_000, "p75"),
    (90_000, "p90"),
    (95_000, "p95"),
    (98_000, "p98"),
    (99_000, "p99"),
];

fn value(name: &str) -> Column {
    Column::new(name, Role::Value)
}

fn duration(micros: u64) -> Cell {
    Cell::Duration(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn overall(targets: &[(Vec<u8>, Target)]) -> Section {
    let mut columns = vec![Column::new("stage", Role::Key), Column::new("mean", Role::Main)];
    columns.extend(["count", "min"].map(value));
    columns.extend(PERCENTILES.map(|(_, name)| value(name)));
    columns.push(value("max"));
    let all: Vec<&Amounts> = targets.iter().map(|(_, target)| &target.stages).collect();
    let all = Amounts::together(&all, STAGES.len());
    let rows = STAGES.iter().enumerate().map(|(stage, (_, words))| {
        let quantiles = all.quantiles(stage);
        let mut cells = vec![Cell::text(words), duration(quantiles.mean().round() as u64)];
        cells.extend([Cell::Count(quantiles.count()), duration(quantiles.min())]);
        cells.extend(PERCENTILES.map(|(wanted, _)| duration(quantiles.percentile(wanted))));
        cells.push(duration(quantiles.max()));
        cells
    });
    let rows: Vec<_> = rows.collect();
    let total_rows = rows.len() as u64;
    Section::table("delays", "Delays of what was sent", Table { columns, rows, total_rows })
}

fn largest<'a, T>(
    targets: &'a [(Vec<u8>, T)],
    closing: &Closing<'_>,
    measure: impl Fn(&T) -> u64,
) -> Vec<&'a (Vec<u8>, T)> {
    let mut rows: Vec<_> = targets.iter().filter(|(_, target)| measure(target) > 0).collect();
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        measure(&b.1).cmp(&measure(&a.1)).then_with(|| a.0.cmp(&b.0))
    });
    rows
}

fn destinations<T: Place>(
    section: &str,
    title: &str,
    field: Field,
    closing: &Closing<'_>,
    places: &[(Vec<u8>, T)],
) -> Section {
    let mut columns = vec![Column::new(field.name(), Role::Key)];
    columns.push(Column::new("deliveries", Role::Main));
    columns.extend(
        ["sent", "deferred", "bounced", "mean", "p50", "p90", "p95", "p99", "max"].map(value),
    );
    let rows = largest(places, closing, T::total).into_iter().map(|(key, place)| {
        let mut cells = vec![Cell::text(key), Cell::Count(place.total())];
        cells.extend(place.counts().map(Cell::Count));
        cells.extend(short(&place.whole()));
        cells
    });
    let (rows, total_rows) = (rows.collect(), places.len() as u64);
    Section::table(section, title, Table { columns, rows, total_rows })
}

/// Mean, four percentiles and the largest; nothing where nothing was sent.
fn short(quantiles: &Quantiles) -> [Cell; 6] {
    if quantiles.count() == 0 {
        return std::array::from_fn(|_| Cell::Empty);
    }
    let percentile = |wanted| duration(quantiles.percentile(wanted));
    [
        duration(quantiles.mean().round() as u64),
        percentile(50_000),
        percentile(90_000),
        percentile(95_000),
        percentile(99_000),
        duration(quantiles.max()),
    ]
}

/// The four stages by destination, ordered by the time that went into all deliveries there.
fn stages(targets: &[(Vec<u8>, Target)], closing: &Closing<'_>) -> Section {
    let time = |target: &Target| target.stages.sum(WHOLE);
    let mut columns = vec![Column::new(Field::RECIPIENT_DOMAIN.name(), Role::Key)];
    columns.push(Column::new("time", Role::Main));
    for (field, _) in &STAGES[..WHOLE] {
        columns
            .extend(["p50", "p95", "max"].map(|name| value(&format!("{}_{name}", field.name()))));
    }
    let rows = largest(targets, closing, time).into_iter().map(|(key, target)| {
        let mut cells = vec![Cell::text(key), duration(time(target))];
        for stage in 0..WHOLE {
            let quantiles = target.stages.quantiles(stage);
            cells.extend([50_000, 95_000].map(|wanted| duration(quantiles.percentile(wanted))));
            cells.push(duration(quantiles.max()));
        }
        cells
    });
    let rows = rows.collect();
    let total_rows = targets.iter().filter(|(_, target)| time(target) > 0).count() as u64;
    let title = "Delays by destination and stage";
    Section::table("destination_delays", title, Table { columns, rows, total_rows })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn delivery(kind: &str, domain: &str, delay: usize) -> Made {
        let mut record = vec![
            (Field::KIND, kind.to_owned()),
            (Field::RECIPIENT_DOMAIN, domain.to_owned()),
            (Field::RELAY, format!("mx.{}[192.0.2.7]:25", domain.to_lowercase())),
            (Field::DURATION, (delay * 4).to_string()),
        ];
        let stages = STAGES[..WHOLE].iter().map(|(field, _)| (*field, delay.to_string()));
        record.extend(stages);
        record
    }

    #[test]
    fn deferrals_count_and_have_no_delay() {
        let records = [
            delivery("sent", "a.example", 10),
            delivery("sent", "A.example", 30),
            delivery("deferred", "a.example", 9_000),
            delivery("bounced", "b.example", 1),
            delivery("removed", "c.example", 1),
        ];
        let report = Delays::new();
        let found = sections(&report, Family::Postfix, &Options::default(), &records);
        found.iter().for_each(check_form);
        let domains = [Cell::text("a.example"), Cell::text("b.example")];
        assert_eq!(column(&found, "destinations", "recipient_domain"), domains);
        assert_eq!(column(&found, "destinations", "max"), [Cell::Duration(120), Cell::Empty]);
        assert_eq!(column(&found, "delays", "mean")[..2], [Cell::Duration(20), Cell::Duration(20)]);
        assert_eq!(column(&found, "destination_delays", "delay_queue_max"), [Cell::Duration(30)]);
    }

    #[test]
    fn merging_changes_nothing() {
        let mut dice = Dice(3);
        let kinds = ["sent", "deferred", "bounced", "active"];
        let records: Vec<Made> = (0..1_000)
            .map(|_| {
                let domain = format!("d{}.example", dice.below(20));
                delivery(kinds[dice.below(4)], &domain, dice.below(1_000_000))
            })
            .collect();
        let report: Box<dyn AnyReport> = Box::new(Delays::new());
        check_merging(&*report, Family::Postfix, &Options::default(), &records);
    }
}
