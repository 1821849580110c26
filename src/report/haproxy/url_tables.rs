//! The tables of [`super::urls`]: the same rows in every order that halog knows.
//!
//! Sections, for paths: `paths` by number (halog's `-u`, `-uc`), `paths_error` and `paths_warn` by their number (`-ue`),
//! `paths_latency` by time spent (`-ut`), `paths_mean` by mean time (`-ua`), `paths_response` and `paths_mean_response` by
//! that of the server, where it answered (`-uto`, `-uao`), `paths_bytes` and `paths_mean_bytes` by size (`-ubt`, `-uba`); and `static_files`,
//! `not_found`. For clients the first four (`-ic`), `clients_bytes` and `networks`.

use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use rayon::prelude::*;

use super::super::breakdown::{Fold, duration};
use super::super::{Closing, keys, paths};
use super::urls::{Rare, Spent, State, Urls};
use crate::document::{Body, Cell, Column, Note, Role, Section, Table};
use crate::record::address::{self, Prefix};
use crate::record::{Label, Symbol};
use crate::tally::histogram::PERCENTILES;
use crate::tally::{Dictionary, keep_largest};

/// One value of the field, or values that count as one.
#[derive(Debug, Clone)]
struct Row<'a> {
    key: &'a [u8],
    spent: Spent,
    rare: Rare,
    symbols: &'a [Symbol],
}

impl Row<'_> {
    fn timed(&self) -> u64 {
        self.spent.count() - self.rare.untimed[0].min(self.spent.count())
    }

    fn ok_timed(&self) -> u64 {
        let ok = self.spent.class(Label::OK);
        ok - self.rare.untimed[1].min(ok)
    }

    fn answered(&self) -> u64 {
        self.spent.count() - self.rare.unanswered.min(self.spent.count())
    }
}

/// Values that count as one.
#[derive(Debug, Default)]
struct Group {
    key: Vec<u8>,
    spent: Spent,
    rare: Rare,
    symbols: Vec<Symbol>,
}

/// All values of the field, in no particular order.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    report: &'a Urls,
    state: &'a State,
    closing: &'a Closing<'a>,
    texts: Option<&'a Dictionary>,
    all: Spent,
    /// Of the symbols that have a text, in their order.
    symbols: Vec<Symbol>,
    /// Records without a value, and those whose values did not fit into memory.
    absent: u64,
    others: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn of(report: &'a Urls, state: &'a State, closing: &'a Closing<'a>) -> Self {
        let (all, symbols) = (Spent::default(), Vec::new());
        let texts = closing.dictionaries.of(report.field);
        let mut found = Self { report, state, closing, texts, all, symbols, absent: 0, others: 0 };
        for symbol in state.spent.symbols() {
            let spent = state.spent.get(symbol);
            if spent.count() == 0 {
                continue;
            }
            found.all.merge(&spent);
            match symbol {
                Symbol::ABSENT => found.absent = spent.count(),
                Symbol::OTHER => found.others = spent.count(),
                _ => found.symbols.push(symbol),
            }
        }
        found
    }

    fn row<'r>(&'r self, symbol: &'r Symbol) -> Row<'r> {
        Row {
            key: self.texts.map_or(&[], |texts| texts.text(*symbol)),
            spent: self.state.spent.get(*symbol),
            rare: self.state.rare.get(symbol).copied().unwrap_or_default(),
            symbols: std::slice::from_ref(symbol),
        }
    }

    fn single(&self) -> Vec<Row<'_>> {
        self.symbols.par_iter().map(|symbol| self.row(symbol)).collect()
    }
}

/// The values put together by what `fold` makes of them.
fn folded(single: &[Row<'_>], fold: Fold) -> Vec<Group> {
    let mut groups = HashMap::<Vec<u8>, Group, RandomState>::default();
    for row in single {
        groups.entry(fold(row.key)).or_default().add(row);
    }
    groups.into_iter().map(|(key, group)| Group { key, ..group }).collect()
}

impl Group {
    fn add(&mut self, row: &Row<'_>) {
        self.spent.merge(&row.spent);
        self.rare.merge(&row.rare);
        self.symbols.extend(row.symbols);
    }

    fn row(&self) -> Row<'_> {
        let Self { key, spent, rare, symbols } = self;
        Row { key, spent: *spent, rare: *rare, symbols }
    }
}

fn rows(groups: &[Group]) -> Vec<Row<'_>> {
    groups.iter().map(Group::row).collect()
}

/// By what a table is ordered. What measures nothing is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Count,
    Class(Label),
    NotFound,
    Time,
    Mean,
    OkTime,
    OkMean,
    Response,
    MeanResponse,
    Bytes,
    MeanBytes,
}

impl By {
    fn column(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Class(class) => class.word(),
            Self::NotFound => "404",
            Self::Time => "time",
            Self::Mean => "mean",
            Self::OkTime => "ok_time",
            Self::OkMean => "ok_mean",
            Self::Response => "response",
            Self::MeanResponse => "mean_response",
            Self::Bytes => "bytes",
            Self::MeanBytes => "mean_bytes",
        }
    }

    fn of(self, row: &Row<'_>) -> u64 {
        match self {
            Self::Count => row.spent.count(),
            Self::Class(class) => row.spent.class(class),
            Self::NotFound => row.rare.not_found,
            Self::Time => row.spent.time,
            Self::Mean => row.spent.time / row.timed().max(1),
            Self::OkTime => row.spent.ok_time,
            Self::OkMean => row.spent.ok_time / row.ok_timed().max(1),
            Self::Response => row.spent.response,
            Self::MeanResponse => row.spent.response / row.answered().max(1),
            Self::Bytes => row.spent.bytes,
            Self::MeanBytes => row.spent.bytes / row.spent.count().max(1),
        }
    }

    fn is_time(self) -> bool {
        matches!(self, Self::Time | Self::Mean | Self::OkTime | Self::OkMean)
    }

    fn is_response(self) -> bool {
        matches!(self, Self::Response | Self::MeanResponse)
    }

    fn cell(self, row: &Row<'_>) -> Cell {
        let measure = self.of(row);
        match self {
            Self::Count | Self::Class(_) | Self::NotFound => Cell::Count(measure),
            Self::Mean if row.timed() == 0 => Cell::Empty,
            Self::OkMean if row.ok_timed() == 0 => Cell::Empty,
            Self::MeanResponse if row.answered() == 0 => Cell::Empty,
            Self::Time | Self::Mean | Self::OkTime | Self::OkMean => duration(measure),
            Self::Response | Self::MeanResponse => duration(measure),
            Self::Bytes | Self::MeanBytes => Cell::Bytes(measure),
        }
    }

    /// Whether a share of the whole says something.
    fn is_sum(self) -> bool {
        !matches!(self, Self::Mean | Self::OkMean | Self::MeanResponse | Self::MeanBytes)
    }
}

const ERROR: By = By::Class(Label::ERROR);
const WARN: By = By::Class(Label::WARN);
const OK: By = By::Class(Label::OK);

/// The columns of every table, in their order; that by which it is ordered comes first.
const COLUMNS: [By; 12] = [
    By::Count,
    OK,
    WARN,
    ERROR,
    By::Time,
    By::Mean,
    By::OkTime,
    By::OkMean,
    By::Response,
    By::MeanResponse,
    By::Bytes,
    By::MeanBytes,
];

/// The tables of paths beside the first one: what follows the name, the heading, the order.
const TABLES: [(&str, &str, By); 9] = [
    ("", "", By::Count),
    ("_error", " behind error", ERROR),
    ("_warn", " behind warn", WARN),
    ("_latency", " by time spent", By::Time),
    ("_mean", " by mean time", By::Mean),
    ("_response", " by time of the server", By::Response),
    ("_mean_response", " by mean time of the server", By::MeanResponse),
    ("_bytes", " by bytes", By::Bytes),
    ("_mean_bytes", " by mean bytes", By::MeanBytes),
];
/// Those of clients.
const OF_CLIENTS: [By; 5] = [By::Count, ERROR, WARN, By::Time, By::Bytes];

/// All tables that have something to show.
pub(super) fn sections(rows: &Rows<'_>) -> Vec<Section> {
    if rows.symbols.is_empty() {
        return Vec::new();
    }
    let single = rows.single();
    let groups = rows.report.fold.map(|fold| folded(&single, fold));
    let folded = groups.as_deref().map(self::rows);
    let shown = folded.as_deref().unwrap_or(&single);
    let (mut found, more) = rayon::join(|| rows.usual(shown), || rows.more(&single));
    found.extend(more);
    found.retain(|section| !section.body.is_empty());
    found
}

impl Rows<'_> {
    fn usual(&self, rows: &[Row<'_>]) -> Vec<Section> {
        let (name, title) = (self.report.section, self.report.title);
        let wanted = |by: &By| self.report.are_paths || OF_CLIENTS.contains(by);
        let tables: Vec<_> = TABLES.into_iter().filter(|(.., by)| wanted(by)).collect();
        let section = |(behind, heading, by): (&str, &str, By)| {
            self.section(format!("{name}{behind}"), format!("{title}{heading}"), by, rows)
        };
        tables.into_par_iter().map(section).collect()
    }

    /// What paths have, or what clients have.
    fn more(&self, rows: &[Row<'_>]) -> Vec<Section> {
        if self.report.are_paths {
            let files = rows.iter().filter(|row| paths::is_static(row.key));
            let files = self.section(
                "static_files".to_owned(),
                "Static files".to_owned(),
                By::Count,
                files,
            );
            let not_found =
                self.section("not_found".to_owned(), "Not found".to_owned(), By::NotFound, rows);
            return vec![files, not_found];
        }
        let (groups, total_rows) = self.networks(rows);
        let title = "Client networks".to_owned();
        let mut section =
            self.section("networks".to_owned(), title, By::Count, &self::rows(&groups));
        if let Body::Table(table) = &mut section.body {
            table.total_rows = total_rows;
        }
        vec![section]
    }

    /// The networks that are shown, and how many there are. There are nearly as many as clients: only those that are
    /// shown are named and summed up.
    fn networks<'r>(&self, rows: &'r [Row<'_>]) -> (Vec<Group>, u64) {
        let of = |row: &'r Row<'_>| Some((network(row.key)?, row));
        let members: Vec<(Prefix, &Row<'_>)> = rows.iter().filter_map(of).collect();
        let mut counts = HashMap::<Prefix, u64, RandomState>::default();
        for (network, row) in &members {
            *counts.entry(*network).or_default() += row.spent.count();
        }
        let total = counts.len() as u64;
        let mut sizes: Vec<u64> = counts.values().copied().collect();
        let limit = self.closing.options.limit;
        let least = match limit {
            0 => 0,
            limit if limit >= sizes.len() => 0,
            // Ties are broken by name, so that all that are as large as the last one shown are named.
            limit => *sizes.select_nth_unstable_by_key(limit - 1, |size| Reverse(*size)).1,
        };
        counts.retain(|_, count| *count >= least);
        let mut groups = HashMap::<Prefix, Group, RandomState>::default();
        for (network, row) in members.iter().filter(|(network, _)| counts.contains_key(network)) {
            groups.entry(*network).or_default().add(row);
        }
        let named = |(network, group): (Prefix, Group)| Group {
            key: network.to_string().into_bytes(),
            ..group
        };
        (groups.into_iter().map(named).collect(), total)
    }

    fn section<'r>(
        &self,
        name: String,
        title: String,
        by: By,
        rows: impl IntoIterator<Item = &'r Row<'r>>,
    ) -> Section {
        let measured = rows.into_iter().map(|row| (by.of(row), row));
        let mut chosen: Vec<(u64, &Row<'_>)> =
            measured.filter(|(measure, _)| *measure > 0).collect();
        let total_rows = chosen.len() as u64;
        keep_largest(&mut chosen, self.closing.options.limit, |a, b| {
            b.0.cmp(&a.0).then_with(|| a.1.key.cmp(b.1.key))
        });
        let rows = chosen.into_iter().map(|(_, row)| self.cells(by, row)).collect();
        let table = Table { columns: self.columns(by), rows, total_rows };
        self.noted(Section::table(&name, &title, table))
    }

    fn columns(&self, by: By) -> Vec<Column> {
        let mut columns = vec![Column::new(self.report.field.name(), Role::Key)];
        columns.push(Column::new(by.column(), Role::Main));
        columns.extend(by.is_sum().then(|| value("share")));
        columns.extend(self.others(by).map(|column| value(column.column())));
        if self.has_percentiles() {
            columns.extend(PERCENTILES.map(|(_, name)| value(name)));
        }
        columns.extend(self.state.has_times.then(|| value("max")));
        columns
    }

    fn has_percentiles(&self) -> bool {
        self.report.are_paths && self.state.has_times
    }

    /// The columns beside the one by which a table is ordered, where the log has them.
    fn others(&self, by: By) -> impl Iterator<Item = By> {
        let (has_times, has_responses) = (self.state.has_times, self.state.has_responses);
        let is_there = move |column: &By| {
            (!column.is_time() || has_times) && (!column.is_response() || has_responses)
        };
        COLUMNS.into_iter().filter(move |column| *column != by).filter(is_there)
    }

    fn cells(&self, by: By, row: &Row<'_>) -> Vec<Cell> {
        let mut cells = vec![Cell::text(row.key), by.cell(row)];
        if by.is_sum() {
            cells.push(Cell::share(by.of(row), self.whole(by)));
        }
        cells.extend(self.others(by).map(|column| column.cell(row)));
        let spent = row.spent;
        if self.has_percentiles() {
            let times = self.state.times.quantiles(row.symbols, spent.time, spent.longest);
            let known = |wanted| match times.count() {
                0 => Cell::Empty,
                _ => duration(times.percentile(wanted)),
            };
            cells.extend(PERCENTILES.map(|(wanted, _)| known(wanted)));
        }
        let longest = if row.timed() == 0 { Cell::Empty } else { duration(spent.longest) };
        cells.extend(self.state.has_times.then_some(longest));
        cells
    }

    fn whole(&self, by: By) -> u64 {
        match by {
            By::NotFound => self.state.rare.values().map(|rare| rare.not_found).sum(),
            by => by.of(&Row { key: b"", spent: self.all, rare: Rare::default(), symbols: &[] }),
        }
    }

    fn noted(&self, mut section: Section) -> Section {
        keys::note_left_out(&mut section, self.report.field, self.absent, self.others);
        if self.state.times.is_coarse() {
            let text =
                "there are very many different times: percentiles have fewer than three digits";
            section.notes.push(Note::info(text));
        }
        section
    }
}

fn value(name: &str) -> Column {
    Column::new(name, Role::Value)
}

/// The network of an address; names have none.
fn network(client: &[u8]) -> Option<Prefix> {
    let address = address::parse(client)?;
    Prefix::new(address, if address.is_ipv4() { 24 } else { 64 })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check_form, check_merging, column, haproxy, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;
    use crate::record::Field;

    fn report(are_paths: bool, fold: bool) -> Box<dyn AnyReport> {
        let (name, section, title) = match are_paths {
            true => ("urls", "paths", "Paths"),
            false => ("sources", "clients", "Clients"),
        };
        let field = if are_paths { Field::PATH } else { Field::CLIENT };
        let fold = fold.then_some(paths::fold as super::super::super::breakdown::Fold);
        Box::new(Urls { name, section, title, field, are_paths, fold })
    }

    #[test]
    fn merging_changes_nothing() {
        let records = haproxy::sessions(3_000, 17);
        for (are_paths, fold) in [(true, false), (true, true), (false, false)] {
            let report = report(are_paths, fold);
            check_merging(&*report, Family::Haproxy, &Options::default(), &records);
            super::super::super::testing::sections(
                &*report,
                Family::Haproxy,
                &Options::default(),
                &records,
            )
            .iter()
            .for_each(check_form);
        }
    }

    /// halog calls a request good whose timers all came, so that its `oktot` and `okavg` hold the time of a 503 that the
    /// server gave.
    #[test]
    fn times_of_what_was_ok_are_told_apart() {
        let made = |path: &str, class: &str, micros: u64, response: Option<u64>, bytes: u64| {
            let mut made = vec![
                (Field::PATH, path.to_owned()),
                (Field::CLASS, class.to_owned()),
                (Field::DURATION, micros.to_string()),
                (Field::BYTES, bytes.to_string()),
            ];
            if let Some(response) = response {
                made.push((Field::T_RESPONSE, response.to_string()));
            }
            made
        };
        let records = [
            made("/a", "ok", 10_000, Some(5_000), 100),
            made("/a", "ok", 30_000, Some(25_000), 300),
            made("/a", "error", 9_000_000, None, 20),
            made("/b", "ok", 50_000, Some(30_000), 1_000),
        ];
        let found = sections(&*report(true, false), Family::Haproxy, &Options::default(), &records);
        let paths = |names: &[&str]| names.iter().map(Cell::text).collect::<Vec<_>>();
        assert_eq!(column(&found, "paths", "path"), paths(&["/a", "/b"]));
        assert_eq!(column(&found, "paths_latency", "time")[0], Cell::Duration(9_040_000));
        assert_eq!(column(&found, "paths", "ok_mean"), [20_000, 50_000].map(Cell::Duration));
        assert_eq!(column(&found, "paths", "ok_time"), [40_000, 50_000].map(Cell::Duration));
        assert_eq!(column(&found, "paths_mean", "path"), paths(&["/a", "/b"]));
        assert_eq!(column(&found, "paths_mean_response", "path"), paths(&["/b", "/a"]));
        assert_eq!(
            column(&found, "paths_mean_response", "mean_response"),
            [30_000, 15_000].map(Cell::Duration)
        );
        assert_eq!(column(&found, "paths_mean_bytes", "path"), paths(&["/b", "/a"]));
        assert_eq!(column(&found, "paths_error", "path"), paths(&["/a"]));
        assert_eq!(column(&found, "paths", "p50")[0], Cell::Duration(30_000));
    }
}
