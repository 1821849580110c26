//! The sections about shapes of statements.
//!
//! * `query_attributes`: every number of the log over all statements; `query_flags`: every yes or no;
//! * `statements`: the shapes by the time they took, and the rest in one line;
//! * `query_efficiency`: waiting for locks, rows looked at for each row sent, failures;
//! * `query_averages`: means and sums of times and rows, and who sent them;
//! * `query_times`: how many statements took about how long;
//! * `query_figures`, `query_who`: every number and every sender of each shape shown;
//! * `worst_queries`: the slowest statement of each, and where it stands.

use rayon::prelude::*;

use super::super::Closing;
use super::profile::{Shape, State, WHO};
use super::{checksum, shape};
use crate::document::{Cell, Column, Fact, Note, Role, Section, Table};
use crate::record::{Field, Kind, Symbol};
use crate::tally::{Amounts, Quantiles};

/// A shape with its name.
struct Ranked {
    fingerprint: Vec<u8>,
    shape: Box<Shape>,
    micros: u64,
}

/// What all sections read.
struct Answer<'c> {
    closing: &'c Closing<'c>,
    attributes: Vec<String>,
    flags: Vec<String>,
    /// Those that are shown, the one that took most time first.
    shown: Vec<Ranked>,
    /// All others together, and how many they are.
    rest: Option<(Shape, usize)>,
    whole: Shape,
    shapes: usize,
}

pub(super) fn sections(state: State, closing: &Closing<'_>) -> Vec<Section> {
    let State { attributes, flags, shapes } = state;
    let Some(duration) = attributes.iter().position(|name| name == Field::DURATION.name()) else {
        return Vec::new();
    };
    let group_names = closing.options.group_names;
    let ranked = shapes.into_counters().filter_map(|(symbol, shape)| {
        let text = closing.dictionaries.text(Field::FINGERPRINT, symbol);
        let fingerprint = match symbol {
            Symbol::OTHER => b"(other)".to_vec(),
            _ if group_names => shape::without_numbers(text),
            _ => text.to_vec(),
        };
        Some(Ranked { fingerprint, shape: shape?, micros: 0 })
    });
    let mut ranked: Vec<Ranked> = ranked.collect();
    if group_names {
        ranked = joined(ranked);
    }
    if ranked.is_empty() {
        return Vec::new();
    }
    ranked.iter_mut().for_each(|one| one.micros = one.shape.attributes.sum(duration));
    ranked.sort_unstable_by(|a, b| {
        b.micros.cmp(&a.micros).then_with(|| a.fingerprint.cmp(&b.fingerprint))
    });
    let shapes = ranked.len();
    let limit = match closing.options.limit {
        0 => shapes,
        limit => limit.min(shapes),
    };
    let rest = ranked.split_off(limit);
    let rest: Vec<&Shape> = rest.iter().map(|one| &*one.shape).collect();
    let rest = (!rest.is_empty()).then(|| (together(&rest, &attributes, &flags), rest.len()));
    let shown = ranked.iter().map(|one| &*one.shape);
    let all: Vec<&Shape> = shown.chain(rest.as_ref().map(|(rest, _)| rest)).collect();
    let whole = together(&all, &attributes, &flags);
    Answer { closing, attributes, flags, shown: ranked, rest, whole, shapes }.sections()
}

/// What shapes amount to together, without the senders and the worst of each.
fn together(shapes: &[&Shape], attributes: &[String], flags: &[String]) -> Shape {
    let amounts: Vec<&Amounts> = shapes.iter().map(|shape| &shape.attributes).collect();
    let mut together = Shape {
        attributes: Amounts::together(&amounts, attributes.len()),
        flags: vec![(0, 0); flags.len()],
        ..Shape::default()
    };
    shapes.iter().for_each(|shape| together.count(shape));
    together
}

/// Shapes of one name put together.
fn joined(mut ranked: Vec<Ranked>) -> Vec<Ranked> {
    ranked.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    let mut joined: Vec<Ranked> = Vec::with_capacity(ranked.len());
    for one in ranked {
        match joined.last_mut().filter(|last| last.fingerprint == one.fingerprint) {
            Some(last) => last.shape.merge(*one.shape),
            None => joined.push(one),
        }
    }
    joined
}

fn columns(key: &str, main: &str, values: &[&str]) -> Vec<Column> {
    let mut columns = vec![Column::new(key, Role::Key), Column::new(main, Role::Main)];
    columns.extend(values.iter().map(|name| Column::new(*name, Role::Value)));
    columns
}

fn table(
    name: &str,
    title: &str,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    total: usize,
) -> Section {
    Section::table(name, title, Table { columns, rows, total_rows: total as u64 })
}

/// An amount in the unit of its attribute.
fn amount(name: &str, value: f64) -> Cell {
    match Field::named(name).map(Field::kind) {
        Some(Kind::Duration) => Cell::Duration(value.round() as i64),
        Some(Kind::Bytes) => Cell::Bytes(value.round() as u64),
        _ if value.fract() == 0.0 => Cell::Count(value as u64),
        _ => Cell::Real(value),
    }
}

/// Total, least, most, mean, 95 per cent, deviation, median.
fn figures(name: &str, values: &Quantiles) -> Vec<Cell> {
    let numbers = [
        values.sum() as f64,
        values.min() as f64,
        values.max() as f64,
        values.mean(),
        values.percentile(95_000) as f64,
        values.percentile(99_000) as f64,
        values.deviation(),
        values.percentile(50_000) as f64,
    ];
    numbers.map(|number| amount(name, number)).into()
}

const FIGURES: [&str; 8] = ["total", "min", "max", "mean", "p95", "p99", "deviation", "median"];

fn ratio(part: u64, whole: u64) -> Cell {
    match whole {
        0 => Cell::Empty,
        _ => Cell::Real(part as f64 / whole as f64),
    }
}

fn micros(value: u64) -> Cell {
    Cell::Duration(i64::try_from(value).unwrap_or(i64::MAX))
}

impl Answer<'_> {
    fn sections(&self) -> Vec<Section> {
        let sections: [fn(&Self) -> Section; 10] = [
            Self::summary,
            Self::queries,
            Self::efficiency,
            Self::worst,
            Self::times,
            Self::averages,
            Self::who,
            Self::all_attributes,
            Self::all_flags,
            Self::figures,
        ];
        sections.into_par_iter().map(|section| section(self)).collect()
    }

    fn quantiles(&self, shape: &Shape, name: &str) -> Quantiles {
        let at = self.attributes.iter().position(|known| known == name);
        at.map(|at| shape.attributes.quantiles(at)).unwrap_or_default()
    }

    fn sum(&self, shape: &Shape, name: &str) -> u64 {
        let at = self.attributes.iter().position(|known| known == name);
        at.map_or(0, |at| shape.attributes.sum(at))
    }

    /// The rank and the name of a shape.
    fn label(&self, rank: usize) -> Vec<u8> {
        let item = shape::item(&self.shown[rank].fingerprint);
        [format!("{} ", rank + 1).as_bytes(), &item].concat()
    }

    fn id(&self, one: &Ranked) -> Vec<u8> {
        let worst = one.shape.worst.as_ref();
        match worst.filter(|worst| self.closing.options.pt_checksums && !worst.text.is_empty()) {
            Some(worst) if worst.is_whole => checksum::of(&checksum::as_pt_makes_it(&worst.text)),
            Some(worst) => checksum::of(&checksum::of_beginning(&worst.text, &one.fingerprint)),
            None => checksum::of(&one.fingerprint),
        }
    }

    fn summary(&self) -> Section {
        let seconds = self.seconds();
        let time = self.sum(&self.whole, "duration");
        let rate =
            |amount: f64| seconds.map_or(Cell::Empty, |seconds| Cell::Real(amount / seconds));
        let mut section = Section::facts(
            "query_summary",
            "Slow queries",
            vec![
                Fact::new("queries", Cell::Count(self.whole.count)),
                Fact::new("shapes", Cell::Count(self.shapes as u64)),
                Fact::new("query_time", micros(time)),
                Fact::new(
                    "queries_per_second",
                    match seconds {
                        Some(seconds) => Cell::Rate(self.whole.count as f64 / seconds),
                        None => Cell::Empty,
                    },
                ),
                Fact::new("concurrency", rate(time as f64 / 1e6)),
                Fact::new("lock_share", Cell::share(self.sum(&self.whole, "lock_time"), time)),
            ],
        );
        let percentiles = "percentiles are by nearest rank, to three significant digits";
        section.notes.push(Note::info(percentiles));
        section
    }

    fn seconds(&self) -> Option<f64> {
        let (first, last) = self.closing.period?;
        Some((last - first) as f64 / 1e6).filter(|seconds| *seconds > 0.0)
    }

    fn queries(&self) -> Section {
        let values = ["share", "calls", "mean", "p95", "max", "v_m", "id"];
        let mut columns = columns("query", "time", &values);
        columns.push(Column::new("fingerprint", Role::Remark));
        let total = self.sum(&self.whole, "duration");
        let row = |label: Vec<u8>, shape: &Shape, id: Vec<u8>, fingerprint: &[u8]| {
            let times = self.quantiles(shape, "duration");
            let seconds = times.mean() / 1e6;
            let variance = (times.deviation() / 1e6).powi(2);
            vec![
                Cell::Text(label),
                micros(times.sum()),
                Cell::share(times.sum(), total),
                Cell::Count(shape.count),
                Cell::Duration(times.mean().round() as i64),
                micros(times.percentile(95_000)),
                micros(times.max()),
                if seconds > 0.0 { Cell::Real(variance / seconds) } else { Cell::Empty },
                Cell::text_if_any(id),
                Cell::text_if_any(fingerprint),
            ]
        };
        let shown = self.shown.iter().enumerate();
        let mut rows: Vec<Vec<Cell>> = shown
            .map(|(rank, one)| row(self.label(rank), &one.shape, self.id(one), &one.fingerprint))
            .collect();
        if let Some((rest, count)) = &self.rest {
            let label = format!("the rest: {count} shapes").into_bytes();
            rows.push(row(label, rest, Vec::new(), b""));
        }
        // The last row stands for those that are not shown.
        let total_rows = rows.len();
        let mut section = table("statements", "Statements by time", columns, rows, total_rows);
        if self.closing.options.pt_checksums {
            section.notes.push(Note::info(
                "ids are those of pt-query-digest, of the worst statement of each shape",
            ));
        }
        section
    }

    fn efficiency(&self) -> Section {
        let values = [
            "time",
            "lock_share",
            "examined_per_sent",
            "rows_examined",
            "rows_sent",
            "warnings",
            "errors",
            "first",
            "last",
        ];
        let rows = self.shown.iter().enumerate().map(|(rank, one)| {
            let shape = &one.shape;
            let [locked, sent, examined] =
                ["lock_time", "rows_sent", "rows_examined"].map(|name| self.sum(shape, name));
            let (first, last) = shape.period.unzip();
            let instant = |time: Option<i64>| time.map_or(Cell::Empty, Cell::Instant);
            vec![
                Cell::Text(self.label(rank)),
                micros(locked),
                micros(one.micros),
                Cell::share(locked.min(one.micros), one.micros),
                ratio(examined, sent),
                Cell::Count(examined),
                Cell::Count(sent),
                Cell::Count(shape.warnings),
                Cell::Count(shape.errors),
                instant(first),
                instant(last),
            ]
        });
        let columns = columns("query", "lock_time", &values);
        table("query_efficiency", "Locks and rows by query", columns, rows.collect(), self.shapes)
    }

    /// The columns of mysqldumpslow.
    fn averages(&self) -> Section {
        const PAIRS: [(&str, &str); 5] = [
            ("duration", "time"),
            ("lock_time", "lock"),
            ("rows_sent", "sent"),
            ("rows_examined", "examined"),
            ("rows_affected", "affected"),
        ];
        let mut columns = columns("query", "count", &[]);
        for (_, name) in PAIRS {
            columns.push(Column::new(format!("{name}_mean"), Role::Value));
            columns.push(Column::new(format!("{name}_total"), Role::Value));
        }
        columns.extend(["users", "hosts"].map(|name| Column::new(name, Role::Value)));
        let rows = self.shown.iter().enumerate().map(|(rank, one)| {
            let mut row = vec![Cell::Text(self.label(rank)), Cell::Count(one.shape.count)];
            for (name, _) in PAIRS {
                let values = self.quantiles(&one.shape, name);
                row.extend([amount(name, values.mean()), amount(name, values.sum() as f64)]);
            }
            row.extend([1, 2].map(|place| Cell::Count(one.shape.who[place].iter().count() as u64)));
            row
        });
        table("query_averages", "Means and sums by query", columns, rows.collect(), self.shapes)
    }

    fn times(&self) -> Section {
        const BOUNDS: [(&str, u64); 8] = [
            ("1us", 0),
            ("10us", 10),
            ("100us", 100),
            ("1ms", 1_000),
            ("10ms", 10_000),
            ("100ms", 100_000),
            ("1s", 1_000_000),
            ("10s", 10_000_000),
        ];
        let row = |label: Vec<u8>, shape: &Shape| {
            let mut counts = [0; BOUNDS.len()];
            for (value, count) in self.quantiles(shape, "duration").buckets() {
                counts[BOUNDS.partition_point(|(_, least)| *least <= value) - 1] += count;
            }
            let count = Cell::Count(counts.iter().sum());
            let counts = counts.map(Cell::Count);
            [Cell::Text(label), count].into_iter().chain(counts).collect::<Vec<_>>()
        };
        let mut rows = vec![row(b"all".to_vec(), &self.whole)];
        let shown = self.shown.iter().enumerate();
        rows.extend(shown.map(|(rank, one)| row(self.label(rank), &one.shape)));
        let columns = columns("query", "calls", &BOUNDS.map(|(name, _)| name));
        table("query_times", "How long queries took, from", columns, rows, self.shapes + 1)
    }

    fn who(&self) -> Section {
        let mut rows = Vec::new();
        for (rank, one) in self.shown.iter().enumerate() {
            for (field, counts) in WHO.iter().zip(&one.shape.who) {
                let text = |symbol| match symbol {
                    Symbol::OTHER => b"(other)".to_vec(),
                    symbol => self.closing.dictionaries.text(*field, symbol).to_vec(),
                };
                let mut named: Vec<(u64, Vec<u8>)> =
                    counts.iter().map(|(symbol, count)| (count, text(symbol))).collect();
                named.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
                if named.is_empty() {
                    continue;
                }
                let different = named.len() as u64;
                let cells = named.into_iter().take(5).map(|(count, name)| {
                    Cell::Text([&name[..], format!(" ({count})").as_bytes()].concat())
                });
                rows.push(vec![
                    Cell::Text(self.label(rank)),
                    Cell::Count(different),
                    Cell::text(field.name()),
                    Cell::List(cells.collect()),
                ]);
            }
        }
        let mut columns = columns("query", "different", &["of"]);
        columns.push(Column::new("most", Role::Detail));
        let total = rows.len();
        table("query_who", "Databases, users and hosts by query", columns, rows, total)
    }

    fn all_attributes(&self) -> Section {
        let mut rows = Vec::new();
        for (at, name) in self.attributes.iter().enumerate() {
            let values = self.whole.attributes.quantiles(at);
            if values.count() > 0 {
                let mut row = vec![Cell::text(name), Cell::Count(values.count())];
                row.extend(figures(name, &values));
                rows.push(row);
            }
        }
        let total = rows.len();
        table(
            "query_attributes",
            "Figures over all queries",
            columns("attribute", "count", &FIGURES),
            rows,
            total,
        )
    }

    fn all_flags(&self) -> Section {
        let row = |label: Vec<u8>, shape: &Shape| {
            let shares = shape.flags.iter().map(|(yes, all)| Cell::share(*yes, *all));
            [Cell::Text(label), Cell::Count(shape.count)]
                .into_iter()
                .chain(shares)
                .collect::<Vec<_>>()
        };
        let mut rows = Vec::new();
        if !self.flags.is_empty() {
            rows.push(row(b"all".to_vec(), &self.whole));
            let shown = self.shown.iter().enumerate();
            rows.extend(shown.map(|(rank, one)| row(self.label(rank), &one.shape)));
        }
        let names: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let total = if rows.is_empty() { 0 } else { self.shapes + 1 };
        table(
            "query_flags",
            "Plans: how many said yes",
            columns("query", "calls", &names),
            rows,
            total,
        )
    }

    fn figures(&self) -> Section {
        let mut rows = Vec::new();
        for (rank, one) in self.shown.iter().enumerate() {
            for (at, name) in self.attributes.iter().enumerate() {
                let values = one.shape.attributes.quantiles(at);
                if values.count() == 0 || (values.sum() == 0 && at > 1) {
                    continue;
                }
                let share = Cell::share(values.sum(), self.whole.attributes.sum(at));
                let mut row = vec![Cell::Text(self.label(rank)), share, Cell::text(name)];
                row.extend(figures(name, &values));
                rows.push(row);
            }
        }
        let total = rows.len();
        let values: Vec<&str> = ["attribute"].into_iter().chain(FIGURES).collect();
        table("query_figures", "Figures by query", columns("query", "share", &values), rows, total)
    }

    fn worst(&self) -> Section {
        let mut columns = columns("query", "time", &["at", "offset", "file"]);
        columns.push(Column::new("statement", Role::Remark));
        let mut rows = Vec::new();
        let mut cut = false;
        for (rank, one) in self.shown.iter().enumerate() {
            if let Some(worst) = &one.shape.worst {
                cut |= !worst.is_whole;
                rows.push(vec![
                    Cell::Text(self.label(rank)),
                    micros(worst.micros),
                    Cell::Instant(worst.time),
                    Cell::Count(worst.offset),
                    Cell::text(self.closing.dictionaries.text(Field::SOURCE_FILE, worst.source)),
                    Cell::text(&worst.text),
                ]);
            }
        }
        let mut section = table("worst_queries", "The slowest of each", columns, rows, self.shapes);
        if cut {
            section.notes.push(Note::info(
                "statements are cut at 2048 bytes; the offset leads to the whole: tail -c +N FILE, where N is one more",
            ));
        }
        section
    }
}
