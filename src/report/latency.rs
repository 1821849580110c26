//! How long it took, and where the time went.
//!
//! Sections:
//!
//! * `latency`: percentiles of the request time, of the time that servers behind took, of the difference (which passes
//!   at this server and on the way to the client) and of the time of cache hits; of the time to connect to them, to their
//!   header, and to the first byte of the answer. All by nearest rank.
//!
//! Percentiles by path, host, upstream and so on stand with the breakdowns of these, and so do the tries that it took
//! and what the servers behind answered.

use serde::{Deserialize, Serialize};

use super::breakdown::{duration, mean};
use super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::{Field, Fields, Records, Value};
use crate::tally::Histogram;
use crate::tally::histogram::PERCENTILES;
use crate::units;

/// The report.
#[derive(Debug)]
pub(super) struct Latency {
    /// The durations that the format supplies.
    supplied: Fields,
}

/// The durations that are shown as they stand in the log, beside the request and the upstream time.
const PLAIN: [(Field, &str); 3] = [
    (Field::UPSTREAM_CONNECT, "upstream_connect"),
    (Field::UPSTREAM_HEADER, "upstream_header"),
    (Field::TIME_TO_FIRST_BYTE, "first_byte"),
];

impl Latency {
    /// Of those durations that are among the fields.
    pub(super) fn new(supplied: Fields) -> Self {
        let all = [Field::DURATION, Field::UPSTREAM_DURATION];
        let all = all.into_iter().chain(PLAIN.map(|(field, _)| field));
        Self { supplied: all.filter(|field| supplied.has(*field)).collect() }
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    request: Histogram,
    upstream: Histogram,
    client_side: Histogram,
    cache_hits: Histogram,
    /// In the order of [`PLAIN`].
    plain: [Histogram; PLAIN.len()],
    /// Requests whose servers behind took longer than the request as a whole: clocks, or tries side by side.
    contradictions: u64,
}

impl Report for Latency {
    type State = State;

    fn name(&self) -> String {
        "latency".to_owned()
    }

    fn needs(&self) -> Needs {
        // One duration is enough; a log without any has nothing to say here.
        let first = self.supplied.iter().next().unwrap_or(Field::DURATION);
        let all: Vec<Field> = self.supplied.iter().collect();
        Needs::required(&[first]).optional(&all).optional(&[Field::CACHE_STATUS])
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let requests = records.column(Field::DURATION).unwrap_or_default();
        for value in requests {
            if let Some(micros) = micros(*value) {
                state.request.add(micros);
            }
        }
        let upstreams = records.column(Field::UPSTREAM_DURATION).unwrap_or_default();
        for (row, upstream) in upstreams.iter().enumerate() {
            if let Some(upstream) = micros(*upstream) {
                let request = requests.get(row).and_then(|request| micros(*request));
                state.see_upstream(upstream, request);
            }
        }
        for ((field, _), times) in PLAIN.iter().zip(&mut state.plain) {
            let durations = records.column(*field).unwrap_or_default();
            durations
                .iter()
                .filter_map(|value| micros(*value))
                .for_each(|micros| times.add(micros));
        }
        let caches = records.column(Field::CACHE_STATUS).unwrap_or_default();
        for (cache, request) in caches.iter().zip(requests) {
            if let (Some(b"HIT"), Some(micros)) = (records.bytes(*cache), micros(*request)) {
                state.cache_hits.add(micros);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, _: &Renumberings) {
        into.request.merge(&from.request);
        into.upstream.merge(&from.upstream);
        into.client_side.merge(&from.client_side);
        into.cache_hits.merge(&from.cache_hits);
        into.contradictions += from.contradictions;
        into.plain.iter_mut().zip(&from.plain).for_each(|(into, from)| into.merge(from));
    }

    fn finish(&self, state: State, _: &Closing<'_>) -> Vec<Section> {
        let parts = [
            ("request", &state.request),
            ("upstream", &state.upstream),
            ("client_side", &state.client_side),
            ("cache_hits", &state.cache_hits),
        ];
        let plain = PLAIN.iter().map(|(_, name)| *name).zip(&state.plain);
        let parts = parts.into_iter().chain(plain);
        let rows: Vec<Vec<Cell>> = parts.filter_map(|(name, times)| row(name, times)).collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let mut columns = vec![Column::new("part", Role::Key), Column::new("count", Role::Value)];
        columns.extend(["time", "min", "mean"].map(|name| Column::new(name, Role::Value)));
        columns.extend(PERCENTILES.map(|(_, name)| Column::new(name, Role::Value)));
        columns.extend(["max", "deviation"].map(|name| Column::new(name, Role::Value)));
        columns[7].role = Role::Main;
        let total_rows = rows.len() as u64;
        let mut section = Section::table("latency", "Latency", Table { columns, rows, total_rows });
        section.notes.push(Note::info("percentiles by nearest rank, to three significant digits"));
        if state.contradictions > 0 {
            section.notes.push(Note::info(format!(
                "in {} requests the servers behind took longer than the request; they count as none at the client's side",
                units::count(state.contradictions)
            )));
        }
        vec![section]
    }
}

fn micros(value: Value) -> Option<u64> {
    value.number().map(|micros| micros.max(0) as u64)
}

impl State {
    fn see_upstream(&mut self, upstream: u64, request: Option<u64>) {
        self.upstream.add(upstream);
        if let Some(request) = request {
            // Both are rounded to the millisecond, so that a difference of one is none.
            self.contradictions += u64::from(upstream > request.saturating_add(1_000));
            self.client_side.add(request.saturating_sub(upstream));
        }
    }
}

fn row(name: &str, times: &Histogram) -> Option<Vec<Cell>> {
    let times = times.quantiles();
    if times.count() == 0 {
        return None;
    }
    let mut cells = vec![Cell::text(name), Cell::Count(times.count()), duration(times.sum())];
    cells.extend([duration(times.min()), mean(&times)]);
    cells.extend(PERCENTILES.map(|(wanted, _)| duration(times.percentile(wanted))));
    cells.extend([duration(times.max()), Cell::Duration(times.deviation().round() as i64)]);
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_form, check_merging, column, requests, sections};
    use super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report() -> Box<dyn AnyReport> {
        Box::new(Latency::new(Field::all_known().collect()))
    }

    #[test]
    fn merging_changes_nothing() {
        check_merging(&*report(), Family::Web, &Options::default(), &requests(3_000, 14));
    }

    /// A log with the upstream's time and not the request's had no latency at all.
    #[test]
    fn one_duration_is_enough() {
        let report = Latency::new(Fields::of(&[Field::STATUS, Field::UPSTREAM_HEADER]));
        let records = [vec![(Field::UPSTREAM_HEADER, "7".to_owned())]];
        let found = sections(&report, Family::Web, &Options::default(), &records);
        assert_eq!(column(&found, "latency", "part"), [Cell::text("upstream_header")]);
        assert_eq!(column(&found, "latency", "max"), [Cell::Duration(7)]);
    }

    #[test]
    fn tells_the_client_side_from_the_upstream() {
        let record = |request: u64, upstream: u64, cache: &str| {
            vec![
                (Field::DURATION, (request * 1_000).to_string()),
                (Field::UPSTREAM_DURATION, (upstream * 1_000).to_string()),
                (Field::CACHE_STATUS, cache.to_owned()),
            ]
        };
        let records = [record(100, 40, "MISS"), record(300, 300, "MISS"), record(2, 9, "HIT")];
        let found = sections(&*report(), Family::Web, &Options::default(), &records);
        check_form(&found[0]);
        let parts = ["request", "upstream", "client_side", "cache_hits"].map(Cell::text);
        assert_eq!(column(&found, "latency", "part"), parts);
        let most = [300, 300, 60, 2].map(|millis| Cell::Duration(millis * 1_000));
        assert_eq!(column(&found, "latency", "max"), most);
        let p50 = [100, 40, 0, 2].map(|millis| Cell::Duration(millis * 1_000));
        let near = |(found, wanted): (Cell, &Cell)| match (found, wanted) {
            (Cell::Duration(found), Cell::Duration(wanted)) => {
                (found - wanted).abs() <= found / 1_000
            }
            _ => false,
        };
        assert!(column(&found, "latency", "p50").into_iter().zip(&p50).all(near));
        assert_eq!(found[0].notes.len(), 2);
    }
}
