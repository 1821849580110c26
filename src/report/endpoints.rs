//! Endpoints: what was done to which path, how often, with what result, how long it took and how much was sent.
//!
//! A breakdown counts by one field, and reading a thing differs from changing it. Only logs with durations have this table;
//! `logmill top method,path` counts endpoints of any log.
//!
//! Section: `endpoints`, by time spent.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::breakdown::{duration, mean};
use super::outcome::{self, Scale};
use super::{Closing, Needs, Renumberings, Report, paths};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::{Field, Fields, Records, Symbol};
use crate::tally::histogram::PERCENTILES;
use crate::tally::{Sparse, keep_largest};
use crate::units;

/// After so many different endpoints, new ones are only counted together. Whoever asks for a path of its own in every
/// request has 100 MiB to fill.
const MOST: usize = 1 << 18;

/// The report.
#[derive(Debug)]
pub(super) struct Endpoints {
    path: Field,
    sizes: Vec<Field>,
}

impl Endpoints {
    /// By that field for the path.
    pub(super) fn new(path: Field, supplied: Fields) -> Self {
        Self { path, sizes: outcome::size_fields(supplied) }
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// By the symbols of method and path.
    endpoints: HashMap<(u32, u32), Endpoint, RandomState>,
    /// Requests whose endpoint came when the table was full.
    others: u64,
}

/// What was counted for one endpoint.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Endpoint {
    /// By the first digit of the status.
    statuses: [u64; 6],
    times: Sparse,
    sizes: Sizes,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Sizes {
    sum: u64,
    least: u64,
    most: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { sum: 0, least: u64::MAX, most: 0 }
    }
}

impl Sizes {
    fn merge(&mut self, other: Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }
}

impl Endpoint {
    fn merge(&mut self, other: Self) {
        self.statuses.iter_mut().zip(other.statuses).for_each(|(own, more)| *own += more);
        self.times.merge(other.times);
        self.sizes.merge(other.sizes);
    }

    fn count(&self) -> u64 {
        self.statuses.iter().sum()
    }
}

impl State {
    fn add(&mut self, key: (u32, u32), endpoint: Endpoint) {
        match self.place(key) {
            Some(own) => own.merge(endpoint),
            None => self.others += endpoint.count(),
        }
    }

    fn place(&mut self, key: (u32, u32)) -> Option<&mut Endpoint> {
        if self.endpoints.len() >= MOST && !self.endpoints.contains_key(&key) {
            return None;
        }
        Some(self.endpoints.entry(key).or_default())
    }
}

impl Report for Endpoints {
    type State = State;

    fn name(&self) -> String {
        "endpoints".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::METHOD, self.path, Field::DURATION])
            .optional(&[Field::STATUS])
            .optional(&self.sizes)
            .by_symbol(&[Field::METHOD, self.path])
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let (Some(methods), Some(paths)) =
            (records.symbols(Field::METHOD), records.symbols(self.path))
        else {
            return;
        };
        let durations = records.column(Field::DURATION).unwrap_or_default();
        let statuses = records.column(Field::STATUS);
        let sizes = outcome::sizes(records);
        for (row, (method, path)) in methods.iter().zip(paths).enumerate() {
            if *path == Symbol::ABSENT {
                continue;
            }
            let Some(endpoint) = state.place((method.0, path.0)) else {
                state.others += 1;
                continue;
            };
            let status = statuses.map_or(0, |statuses| statuses[row].number_or(0)) / 100;
            let lane = usize::try_from(status).ok().filter(|lane| *lane < 6).unwrap_or(0);
            endpoint.statuses[lane] += 1;
            if let Some(micros) = durations.get(row).and_then(|value| value.number()) {
                endpoint.times.add(micros.max(0) as u64);
            }
            let size = sizes[row];
            endpoint.sizes.merge(Sizes { sum: size, least: size, most: size });
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let (methods, paths) = (renumberings.of(Field::METHOD), renumberings.of(self.path));
        into.others += from.others;
        for ((method, path), endpoint) in from.endpoints {
            let key = (methods.of(Symbol(method)).0, paths.of(Symbol(path)).0);
            into.add(key, endpoint);
        }
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        if state.endpoints.is_empty() {
            return Vec::new();
        }
        let others = state.others;
        let mut section = self.table(self.named(state, closing), closing);
        if others > 0 {
            let others = units::count(others);
            section.notes.push(Note::warning(format!(
                "{others} requests had endpoints that did not fit into the table"
            )));
        }
        vec![section]
    }
}

/// An endpoint by name: the method and the path.
type Named = ((Vec<u8>, Vec<u8>), Endpoint);

impl Endpoints {
    /// The endpoints by name, those of folded paths together.
    fn named(&self, state: State, closing: &Closing<'_>) -> Vec<Named> {
        let mut named: HashMap<(Vec<u8>, Vec<u8>), Endpoint, RandomState> = HashMap::default();
        for ((method, path), endpoint) in state.endpoints {
            let method = closing.dictionaries.text(Field::METHOD, Symbol(method)).to_vec();
            let path = closing.dictionaries.text(self.path, Symbol(path));
            let path = if closing.options.group_paths { paths::fold(path) } else { path.to_vec() };
            named.entry((method, path)).or_default().merge(endpoint);
        }
        named.into_iter().collect()
    }

    fn table(&self, mut rows: Vec<Named>, closing: &Closing<'_>) -> Section {
        let total_rows = rows.len() as u64;
        let sum = |row: &Named| row.1.times.sum();
        let whole = rows.iter().map(sum).fold(0, u64::saturating_add);
        keep_largest(&mut rows, closing.options.limit, |a, b| {
            sum(b).cmp(&sum(a)).then_with(|| a.0.cmp(&b.0))
        });
        let rows = rows.iter().map(|row| self.cells(row, whole)).collect();
        let table = Table { columns: self.columns(), rows, total_rows };
        Section::table("endpoints", "Endpoints by time spent", table)
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns =
            ["method", self.path.name()].map(|name| Column::new(name, Role::Key)).to_vec();
        columns.push(Column::new("time", Role::Main));
        let value = |name: &str| Column::new(name, Role::Value);
        columns.extend(["share", "count", "min", "mean"].map(value));
        columns.extend(PERCENTILES.map(|(_, name)| value(name)));
        columns.extend(["max", "deviation"].map(value));
        columns.extend(outcome::columns(Scale::Status));
        if !self.sizes.is_empty() {
            columns.extend(["bytes", "least_bytes", "mean_bytes", "most_bytes"].map(value));
        }
        columns
    }

    fn cells(&self, ((method, path), endpoint): &Named, whole: u64) -> Vec<Cell> {
        let times = endpoint.times.quantiles();
        let count = endpoint.count();
        let mut cells = vec![Cell::text(method), Cell::text(path), duration(times.sum())];
        cells.extend([Cell::share(times.sum(), whole), Cell::Count(count)]);
        cells.extend([duration(times.min()), mean(&times)]);
        cells.extend(PERCENTILES.map(|(wanted, _)| duration(times.percentile(wanted))));
        cells.extend([duration(times.max()), Cell::Duration(times.deviation().round() as i64)]);
        cells.extend(endpoint.statuses[1..].iter().map(|count| Cell::Count(*count)));
        if !self.sizes.is_empty() {
            let Sizes { sum, least, most } = endpoint.sizes;
            cells.extend([sum, least, sum / count.max(1), most].map(Cell::Bytes));
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_merging, column, requests, sections};
    use super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report() -> Box<dyn AnyReport> {
        Box::new(Endpoints::new(Field::PATH, Field::all_known().collect()))
    }

    fn request(
        method: &str,
        path: &str,
        micros: i64,
        status: i64,
        bytes: i64,
    ) -> Vec<(Field, String)> {
        vec![
            (Field::METHOD, method.to_owned()),
            (Field::PATH, path.to_owned()),
            (Field::DURATION, micros.to_string()),
            (Field::STATUS, status.to_string()),
            (Field::BYTES, bytes.to_string()),
        ]
    }

    #[test]
    fn merging_changes_nothing() {
        let records = requests(3_000, 21);
        check_merging(&*report(), Family::Web, &Options::default(), &records);
        let options = Options { group_paths: true, ..Options::default() };
        check_merging(&*report(), Family::Web, &options, &records);
    }

    #[test]
    fn reading_and_changing_are_different_endpoints() {
        let records = vec![
            request("GET", "/user/1", 10, 200, 5),
            request("GET", "/user/2", 30, 200, 11),
            request("PUT", "/user/1", 100, 500, 2),
        ];
        let options = Options { group_paths: true, ..Options::default() };
        let found = sections(&*report(), Family::Web, &options, &records);
        assert_eq!(column(&found, "endpoints", "method"), ["PUT", "GET"].map(Cell::text));
        assert_eq!(column(&found, "endpoints", "path"), ["/user/:id"; 2].map(Cell::text));
        assert_eq!(column(&found, "endpoints", "time"), [100, 40].map(Cell::Duration));
        assert_eq!(column(&found, "endpoints", "mean"), [100, 20].map(Cell::Duration));
        assert_eq!(column(&found, "endpoints", "5xx"), [1, 0].map(Cell::Count));
        assert_eq!(column(&found, "endpoints", "least_bytes"), [2, 5].map(Cell::Bytes));
        assert_eq!(column(&found, "endpoints", "most_bytes"), [2, 11].map(Cell::Bytes));
    }
}
