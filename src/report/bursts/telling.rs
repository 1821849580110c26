//! From slots and carriers to sections: which stretches are bursts, how strong, and what carried each.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{SECOND, Slot, State, parts};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::{Field, Symbol};
use crate::report::keys::Keys;
use crate::report::{Closing, paths};
use crate::tally::keep_largest;
use crate::tally::kleinberg::{self, Batch, Model};

/// Fewer bad records are no burst, however quiet it is around them. The automaton knows no such bound: of the only error among
/// ten records it makes one.
const LEAST_BAD: u64 = 3;

/// How many values of how many fields are shown for a burst.
const SHOWN: usize = 5;
/// A value of a single record carried nothing.
const LEAST_CARRIED: u64 = 2;

/// The bursts of one class, the strongest first.
pub(super) struct Found {
    pub(super) bursts: Vec<Burst>,
    bad: u64,
    all: u64,
    width: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    onset: i64,
    /// The instant at which its last slot ends.
    end: i64,
    bad: u64,
    all: u64,
    worst: u64,
    weight: f64,
}

impl Found {
    pub(super) fn of(model: Model, slots: &[(i64, Slot)], width: i64, class: usize) -> Self {
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
pub(super) struct Telling<'a> {
    pub(super) state: &'a State,
    pub(super) closing: &'a Closing<'a>,
    pub(super) class: usize,
    pub(super) word: &'a str,
    pub(super) model: Model,
}

impl Telling<'_> {
    pub(super) fn sections(&self, found: &Found) -> Vec<Section> {
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
                let text = keys.texts(known, self.closing.dictionaries).of(symbol);
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
