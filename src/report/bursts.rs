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

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::keys::{self, Keys};
use super::{Closing, Needs, Renumberings, Report, paths};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::format::Family;
use crate::record::block::ROWS;
use crate::record::{Field, Fields, Label, Records, Symbol, Value};
use crate::tally::kleinberg::{self, Batch, Model};
use crate::tally::{Carriers, Renumbering, Timeline, keep_largest};

/// Three days to the second, in 4 MB.
const MOST_SLOTS: usize = 1 << 18;
/// What carries: up to 1 MB a class, and half as much while keys wait.
const MOST_PAIRS: usize = 1 << 17;
const SECOND: i64 = 1_000_000;
/// Fewer bad records are no burst, however quiet it is around them. The automaton knows no such bound: of the only error among
/// ten records it makes one.
const LEAST_BAD: u64 = 3;

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
/// How many values of how many fields are shown for a burst.
const SHOWN: usize = 5;
/// A value of a single record carried nothing.
const LEAST_CARRIED: u64 = 2;

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

/// The bursts of one class, the strongest first.
struct Found {
    bursts: Vec<Burst>,
    bad: u64,
    all: u64,
    width: i64,
}

#[derive(Debug, Clone, Copy)]
struct Burst {
    onset: i64,
    /// The instant at which its last slot ends.
    end: i64,
    bad: u64,
    all: u64,
    worst: u64,
    weight: f64,
}

impl Found {
    fn of(model: Model, slots: &[(i64, Slot)], width: i64, class: usize) -> Self {
        let seen = batches(model, slots, width, class);
        let stream: Vec<Batch> = seen.iter().map(|(_, batch)| *batch).collect();
        let mut bursts: Vec<Burst> = kleinberg::bursts(&stream, model)
            .into_iter()
            .map(|found| {
                let (first, last) = (seen[found.first].0, seen[found.last].0);
                Burst::of(first, last, found.weight, slots, width, class)
            })
            .filter(|burst| burst.bad >= LEAST_BAD)
            .collect();
        keep_largest(&mut bursts, 0, |a, b| {
            b.weight.total_cmp(&a.weight).then(a.onset.cmp(&b.onset))
        });
        let bad = slots.iter().map(|(_, slot)| slot.bad[class]).sum();
        let all = slots.iter().map(|(_, slot)| slot.all).sum();
        Self { bursts, bad, all, width }
    }

    /// The bursts together.
    fn within(&self) -> (u64, u64, i64) {
        self.bursts.iter().fold((0, 0, 0), |(bad, all, time), burst| {
            (bad + burst.bad, all + burst.all, time + burst.end - burst.onset)
        })
    }
}

impl Burst {
    fn of(
        first: i64,
        last: i64,
        weight: f64,
        slots: &[(i64, Slot)],
        width: i64,
        class: usize,
    ) -> Self {
        let from = slots.partition_point(|(start, _)| *start < first);
        let to = slots.partition_point(|(start, _)| *start <= last);
        let within = || slots[from..to].iter().map(|(_, slot)| slot);
        Self {
            onset: first,
            end: last.saturating_add(width),
            bad: within().map(|slot| slot.bad[class]).sum(),
            all: within().map(|slot| slot.all).sum(),
            worst: within().map(|slot| slot.bad[class]).max().unwrap_or(0),
            weight,
        }
    }
}

/// What the automaton sees. In the model of gaps also the time in which nothing happened, a batch a gap.
fn batches(model: Model, slots: &[(i64, Slot)], width: i64, class: usize) -> Vec<(i64, Batch)> {
    let mut batches = Vec::with_capacity(slots.len());
    let mut expected = None;
    for (start, slot) in slots {
        let gap = start.saturating_sub(expected.unwrap_or(*start));
        if model == Model::Gaps && gap > 0 {
            let exposure = (gap / width) as u64;
            batches.push((start.saturating_sub(gap), Batch { relevant: 0, exposure }));
        }
        expected = Some(start.saturating_add(width));
        let exposure = if model == Model::Gaps { 1 } else { slot.all };
        batches.push((*start, Batch { relevant: slot.bad[class], exposure }));
    }
    batches
}

/// A value that carried a burst.
struct Carrier {
    field: usize,
    symbol: Symbol,
    count: u64,
    /// Of the burst's bad records, whether they say the field or not: what one of a hundred says carried nothing.
    share: f64,
    /// Of the bad records outside.
    outside: f64,
}

/// What the sections are made from.
struct Telling<'a> {
    state: &'a State,
    closing: &'a Closing<'a>,
    class: usize,
    word: &'a str,
    model: Model,
}

impl Telling<'_> {
    fn sections(&self, found: &Found) -> Vec<Section> {
        let limit = self.closing.options.limit;
        let most = if limit == 0 { found.bursts.len() } else { limit };
        let shown = &found.bursts[..most.min(found.bursts.len())];
        let carriers: Vec<Vec<Carrier>> =
            shown.iter().map(|burst| self.carriers(found, burst)).collect();
        let mut sections = vec![self.table(found, shown, &carriers)];
        if carriers.iter().any(|carriers| !carriers.is_empty()) {
            sections.push(self.carrier_table(&carriers));
        }
        sections
    }

    fn table(&self, found: &Found, shown: &[Burst], carriers: &[Vec<Carrier>]) -> Section {
        let rate = match self.model {
            Model::Share => ["share", "share_outside"],
            Model::Gaps => ["rate", "rate_outside"],
        };
        let mut columns = vec![Column::new("burst", Role::Key)];
        let values = ["onset", "end", "duration", "count", "worst_second", rate[0], rate[1]];
        columns.extend(values.map(|name| Column::new(name, Role::Value)));
        columns.push(Column::new("strength", Role::Main));
        columns.push(Column::new("carried_by", Role::Detail));
        let pairs = shown.iter().zip(carriers).zip(1..);
        let rows = pairs.map(|((burst, carriers), number)| {
            let mut cells = vec![Cell::Number(number)];
            cells.extend(self.cells(found, burst));
            let told = carriers.iter().take(3).map(|carrier| self.told(carrier));
            cells.push(Cell::List(told.collect()));
            cells
        });
        let rows = rows.collect();
        let table = Table { columns, rows, total_rows: found.bursts.len() as u64 };
        let title = format!("Bursts of class {}", self.word);
        let mut section = Section::table(format!("{}_bursts", self.word), title, table);
        section.notes = self.notes(found);
        section
    }

    fn cells(&self, found: &Found, burst: &Burst) -> Vec<Cell> {
        let (bad, all, time) = found.within();
        let width = found.width as f64 / SECOND as f64;
        let rates = match self.model {
            Model::Share => {
                [Cell::share(burst.bad, burst.all), Cell::share(found.bad - bad, found.all - all)]
            }
            Model::Gaps => {
                let period = self.closing.period.map_or(0, |(first, last)| last - first);
                let rate = |count: u64, micros: i64| {
                    Cell::Rate(count as f64 / (micros.max(SECOND) as f64 / SECOND as f64))
                };
                [rate(burst.bad, burst.end - burst.onset), rate(found.bad - bad, period - time)]
            }
        };
        let mut cells = vec![
            Cell::Instant(burst.onset),
            Cell::Instant(burst.end),
            Cell::Duration(burst.end - burst.onset),
            Cell::Count(burst.bad),
            Cell::Rate(burst.worst as f64 / width),
        ];
        cells.extend(rates);
        cells.push(Cell::Real(burst.weight));
        cells
    }

    fn notes(&self, found: &Found) -> Vec<Note> {
        let mut notes = vec![Note::info(
            "told by Kleinberg's two-state automaton; the strength is the logarithm of how much likelier a burst is",
        )];
        if found.width > SECOND {
            let seconds = found.width / SECOND;
            let text = format!("the time is long: onset and end are known to {seconds} seconds");
            notes.push(Note::info(text));
        }
        let width = self.state.carriers[self.class].width();
        if width > found.width {
            let seconds = width / SECOND;
            let text = format!(
                "what carried it is known to {seconds} seconds, and may count its neighbours with it"
            );
            notes.push(Note::info(text));
        }
        notes
    }

    /// The values that have more of the burst than of the rest, by how much more.
    fn carriers(&self, found: &Found, burst: &Burst) -> Vec<Carrier> {
        let counted = &self.state.carriers[self.class];
        let width = counted.width();
        let mut sums: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        let mut fields = vec![(0, 0); self.state.keys.len()];
        for (start, key, count) in counted.iter() {
            let inside = start < burst.end && start.saturating_add(width) > burst.onset;
            let Some(field) = fields.get_mut(parts(key).0) else { continue };
            for sum in [field, sums.entry(key).or_default()] {
                *if inside { &mut sum.0 } else { &mut sum.1 } += count;
            }
        }
        let mut carriers: Vec<Carrier> = self
            .grouped(sums)
            .into_iter()
            .map(|(key, (inside, outside))| {
                let (field, symbol) = parts(key);
                // Slots of what carries may be the wider ones, and then hold neighbours of the burst too.
                let share =
                    |part: u64, whole: u64, said: u64| part as f64 / whole.max(said).max(1) as f64;
                let share_inside = share(inside, burst.bad, fields[field].0);
                let outside = share(outside, found.bad - burst.bad, fields[field].1);
                Carrier { field, symbol, count: inside, share: share_inside, outside }
            })
            .filter(|carrier| carrier.count >= LEAST_CARRIED)
            .filter(|carrier| carrier.share >= 0.05 && carrier.share > 1.2 * carrier.outside)
            .collect();
        self.choose(&mut carriers);
        carriers
    }

    /// With paths that fold to the same put together, where that is wanted: a fault of one route shows in hundreds of
    /// paths, none of which has a share worth telling.
    fn grouped(&self, sums: BTreeMap<u32, (u64, u64)>) -> BTreeMap<u32, (u64, u64)> {
        let Some(path) = self.folded_field() else { return sums };
        let mut firsts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let mut grouped: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (key, (inside, outside)) in sums {
            let (field, symbol) = parts(key);
            let key = match field == path && symbol != Symbol::OTHER {
                true => *firsts.entry(self.value(field, symbol).into_owned()).or_insert(key),
                false => key,
            };
            let sum = grouped.entry(key).or_default();
            *sum = (sum.0 + inside, sum.1 + outside);
        }
        grouped
    }

    /// The number of the field whose values are folded, if any.
    fn folded_field(&self) -> Option<usize> {
        let is_path = |(name, _): &(String, Keys)| name == Field::PATH.name();
        let wanted = self.closing.options.group_paths;
        wanted.then(|| self.state.keys.iter().position(is_path)).flatten()
    }

    /// A few of each field, those first that are told apart best.
    fn choose(&self, carriers: &mut Vec<Carrier>) {
        self.say_once(carriers);
        let excess = |carrier: &Carrier| carrier.share - carrier.outside;
        keep_largest(carriers, 0, |a, b| {
            excess(b)
                .total_cmp(&excess(a))
                .then_with(|| (a.field, self.text(a)).cmp(&(b.field, self.text(b))))
        });
        let mut of_field = vec![0; self.state.keys.len()];
        carriers.retain(|carrier| {
            of_field[carrier.field] += 1;
            of_field[carrier.field] <= SHOWN
        });
    }

    /// The kind of a request is mostly its status: a kind that says no more than a status is left out.
    fn say_once(&self, carriers: &mut Vec<Carrier>) {
        let is = |carrier: &Carrier, field: Field| self.field(carrier) == field.name();
        let statuses = carriers.iter().filter(|carrier| is(carrier, Field::STATUS));
        let said: Vec<(u64, f64)> =
            statuses.map(|carrier| (carrier.count, carrier.outside)).collect();
        carriers.retain(|carrier| {
            let is_status = is(carrier, Field::KIND) && self.text(carrier).starts_with(b"http_");
            !(is_status && said.contains(&(carrier.count, carrier.outside)))
        });
    }

    fn field(&self, carrier: &Carrier) -> &str {
        &self.state.keys[carrier.field].0
    }

    fn text(&self, carrier: &Carrier) -> Cow<'_, [u8]> {
        self.value(carrier.field, carrier.symbol)
    }

    /// What to print for a value of a field, by number.
    fn value(&self, field: usize, symbol: Symbol) -> Cow<'_, [u8]> {
        let (name, keys) = &self.state.keys[field];
        match (symbol, Field::named(name)) {
            (Symbol::OTHER, _) | (_, None) => Cow::Borrowed(b"(others)"),
            (symbol, Some(known)) => {
                let text = keys.text(known, self.closing.dictionaries, symbol);
                match self.folded_field() == Some(field) {
                    true => Cow::Owned(paths::fold(text)),
                    false => Cow::Borrowed(text),
                }
            }
        }
    }

    fn told(&self, carrier: &Carrier) -> Cell {
        let mut text = format!("{} ", self.field(carrier)).into_bytes();
        text.extend_from_slice(&self.text(carrier));
        let shares = (carrier.share * 100.0, carrier.outside * 100.0);
        text.extend(format!(" ({:.0}%, else {:.0}%)", shares.0, shares.1).into_bytes());
        Cell::Text(text)
    }

    fn carrier_table(&self, carriers: &[Vec<Carrier>]) -> Section {
        let mut columns =
            ["burst", "field", "value"].map(|name| Column::new(name, Role::Key)).to_vec();
        columns.push(Column::new("count", Role::Value));
        columns.push(Column::new("share", Role::Main));
        columns.push(Column::new("share_outside", Role::Value));
        let numbered = carriers
            .iter()
            .zip(1..)
            .flat_map(|(carriers, number)| carriers.iter().map(move |carrier| (number, carrier)));
        let rows: Vec<Vec<Cell>> = numbered
            .map(|(number, carrier)| {
                vec![
                    Cell::Number(number),
                    Cell::text(self.field(carrier)),
                    Cell::Text(self.text(carrier).into_owned()),
                    Cell::Count(carrier.count),
                    Cell::Share(carrier.share),
                    Cell::Share(carrier.outside),
                ]
            })
            .collect();
        let total_rows = rows.len() as u64;
        let title = format!("What carried the bursts of class {}", self.word);
        let name = format!("{}_burst_carriers", self.word);
        Section::table(name, title, Table { columns, rows, total_rows })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, check_form, check_merging, column, requests, sections};
    use super::super::{AnyReport, Options};
    use super::*;

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
