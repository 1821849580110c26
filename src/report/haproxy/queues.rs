//! The queues of HAProxy over time: who waited, how many stood before him, when it was worst.
//!
//! Sections: `queues`, by backend; `queues_over_time`, all of them together; `queue_peaks`, the stretches of time in which
//! sessions of a backend waited.
//!
//! A session waited when its time in the queue was above zero or others stood before it. Waits are told by the time
//! at which the session came. A tarpit's time stands where the queue's does, and is none: nobody waited for a server.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::super::breakdown::duration;
use super::super::traffic::Steps;
use super::super::{Closing, Needs, Renumberings, Report};
use super::keyed::{Bounded, Coarse, Key, Merge, part};
use super::routes::name;
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Records, Symbol, Value};
use crate::tally::{Timeline, keep_largest};
use crate::units;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Queues {
    most: usize,
}

impl Queues {
    pub(in super::super) fn new() -> Self {
        Self { most: MOST_BACKENDS }
    }
}

/// Backends that are told apart. One takes 3 KB for each minute in which somebody waited, up to [`MOST_SLOTS`].
const MOST_BACKENDS: usize = 1 << 11;

/// Slots of time for each backend.
const MOST_SLOTS: usize = 1 << 14;
/// Slots without waiting between two of one peak.
const MOST_APART: i64 = 5;

/// The sessions that waited in a slot of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Waiting {
    count: u64,
    micros: u64,
    longest: u64,
    /// The most that stood before a session in the backend's queue, and in its server's.
    in_backend: i64,
    in_server: i64,
}

impl AddAssign<&Self> for Waiting {
    fn add_assign(&mut self, other: &Self) {
        self.count += other.count;
        self.micros = self.micros.saturating_add(other.micros);
        self.longest = self.longest.max(other.longest);
        self.in_backend = self.in_backend.max(other.in_backend);
        self.in_server = self.in_server.max(other.in_server);
    }
}

/// The waiting at one backend.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waits(Timeline<Waiting>);

impl Default for Waits {
    fn default() -> Self {
        Self(Timeline::new(MOST_SLOTS))
    }
}

impl Merge for Waits {
    fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }
}

/// A backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Backend(Symbol);

impl Key for Backend {
    fn mix(&self) -> u32 {
        self.0.0
    }
}

impl Coarse for Backend {
    const LEVELS: u32 = 1;

    fn at_level(self, level: u32) -> Self {
        Self(part(self.0, level, 1))
    }
}

/// What was counted: by backend, or for all together when there are too many.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State(Bounded<Backend, Waits>);

impl Report for Queues {
    type State = State;

    fn name(&self) -> String {
        "queues".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::TIME, Field::BACKEND, Field::BACKEND_QUEUE, Field::SERVER_QUEUE])
            .optional(&[Field::T_QUEUE, Field::STATE])
            .by_symbol(&[Field::BACKEND])
    }

    fn start(&self) -> State {
        State(Bounded::new(self.most))
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let never = [Value::ABSENT; ROWS];
        let column = |field| records.column(field).unwrap_or(&never[..records.len()]);
        let [waits, in_backend, in_server, times] =
            [Field::T_QUEUE, Field::BACKEND_QUEUE, Field::SERVER_QUEUE, Field::TIME].map(column);
        let states = column(Field::STATE);
        let Some(backends) = records.symbols(Field::BACKEND) else { return };
        for row in 0..records.len() {
            let wait = waits[row].number_or(0).max(0) as u64;
            let [in_backend, in_server] =
                [in_backend[row], in_server[row]].map(|queue| queue.number_or(0));
            if wait == 0 && in_backend <= 0 && in_server <= 0 {
                continue;
            }
            if is_tarpitted(records.bytes(states[row])) {
                continue;
            }
            if let Some(time) = times[row].number() {
                let waiting =
                    Waiting { count: 1, micros: wait, longest: wait, in_backend, in_server };
                *state.0.at(Backend(backends[row])).0.at(time) += &waiting;
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let backends = renumberings.of(Field::BACKEND);
        into.0.merge(from.0, |Backend(backend)| Backend(backends.of(backend)));
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let are_given_up = state.0.level() > 0;
        let mut backends: Vec<(Vec<u8>, Timeline<Waiting>)> = state
            .0
            .into_rows()
            .into_iter()
            .map(|(Backend(backend), Waits(timeline))| {
                (name(closing, Field::BACKEND, backend), timeline)
            })
            .collect();
        backends.sort_by(|a, b| a.0.cmp(&b.0));
        if backends.is_empty() {
            return Vec::new();
        }
        let mut sections = vec![by_backend(&backends, closing)];
        if are_given_up {
            sections[0].notes.push(Note::warning(format!(
                "sessions waited at more than {} backends, which are not told apart here and stand as (others)",
                units::count(self.most as u64)
            )));
        }
        sections.extend(over_time(&backends, closing));
        sections.push(peaks(&backends, closing));
        sections
    }
}

/// True for the state of a session that a tarpit held.
fn is_tarpitted(state: Option<&[u8]>) -> bool {
    matches!(state, Some([_, b'T']))
}

/// All queues together, step by step.
fn over_time(backends: &[(Vec<u8>, Timeline<Waiting>)], closing: &Closing<'_>) -> Option<Section> {
    let mut all = Timeline::new(MOST_SLOTS);
    backends.iter().for_each(|(_, timeline)| all.merge(timeline.clone()));
    let steps = Steps::of(&all, &closing.options.zone)?;
    let mut columns = vec![Column::new("waited", Role::Main)];
    let values = ["mean_wait", "longest_wait", "most_in_backend", "most_in_server"];
    columns.extend(values.map(|name| Column::new(name, Role::Value)));
    let series = steps.series(columns, |waiting| {
        vec![
            Cell::Count(waiting.count),
            duration(waiting.micros / waiting.count.max(1)),
            duration(waiting.longest),
            Cell::Number(waiting.in_backend),
            Cell::Number(waiting.in_server),
        ]
    });
    Some(Section::series("queues_over_time", "Queues over time", series))
}

/// A stretch of time in which sessions waited.
struct Peak {
    backend: Vec<u8>,
    first: i64,
    end: i64,
    worst: i64,
    waiting: Waiting,
}

/// Slots put together that stand at most `apart` from each other; the worst is the one with the deepest queue.
fn stretches(backend: &[u8], timeline: &Timeline<Waiting>, apart: i64) -> Vec<Peak> {
    let mut found: Vec<Peak> = Vec::new();
    for (start, waiting) in timeline.slots() {
        let end = start.saturating_add(timeline.width());
        match found.last_mut().filter(|peak| start.saturating_sub(peak.end) <= apart) {
            Some(peak) => {
                if depth(&waiting) > depth(&peak.waiting) {
                    peak.worst = start;
                }
                peak.end = end;
                peak.waiting += &waiting;
            }
            None => found.push(Peak {
                backend: backend.to_vec(),
                first: start,
                end,
                worst: start,
                waiting,
            }),
        }
    }
    found
}

fn depth(waiting: &Waiting) -> (i64, u64) {
    (waiting.in_backend.max(waiting.in_server), waiting.longest)
}

fn by_backend(backends: &[(Vec<u8>, Timeline<Waiting>)], closing: &Closing<'_>) -> Section {
    let mut rows: Vec<Peak> = backends
        .iter()
        .flat_map(|(backend, timeline)| stretches(backend, timeline, i64::MAX))
        .collect();
    let total_rows = rows.len() as u64;
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        b.waiting.count.cmp(&a.waiting.count).then_with(|| a.backend.cmp(&b.backend))
    });
    table("queues", "Queues by backend", &rows, total_rows)
}

fn peaks(backends: &[(Vec<u8>, Timeline<Waiting>)], closing: &Closing<'_>) -> Section {
    let mut rows: Vec<Peak> = backends
        .iter()
        .flat_map(|(backend, timeline)| stretches(backend, timeline, MOST_APART * timeline.width()))
        .collect();
    let total_rows = rows.len() as u64;
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        let order = depth(&b.waiting).cmp(&depth(&a.waiting));
        order.then_with(|| (&a.backend, a.first).cmp(&(&b.backend, b.first)))
    });
    table("queue_peaks", "Peaks of queues", &rows, total_rows)
}

fn table(name: &str, title: &str, peaks: &[Peak], total_rows: u64) -> Section {
    let mut columns = vec![Column::new("backend", Role::Key), Column::new("waited", Role::Main)];
    let values = [
        "most_in_backend",
        "most_in_server",
        "worst",
        "first",
        "lasting",
        "mean_wait",
        "longest_wait",
    ];
    columns.extend(values.map(|name| Column::new(name, Role::Value)));
    let rows = peaks
        .iter()
        .map(|peak| {
            let Waiting { count, micros, longest, in_backend, in_server } = peak.waiting;
            vec![
                Cell::text(&peak.backend),
                Cell::Count(count),
                Cell::Number(in_backend),
                Cell::Number(in_server),
                Cell::Instant(peak.worst),
                Cell::Instant(peak.first),
                Cell::Duration(peak.end.saturating_sub(peak.first)),
                duration(micros / count.max(1)),
                duration(longest),
            ]
        })
        .collect();
    Section::table(name, title, Table { columns, rows, total_rows })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check_form, check_merging, column, haproxy, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;
    use crate::record::time::SECOND;

    fn report() -> Box<dyn AnyReport> {
        Box::new(Queues::new())
    }

    #[test]
    fn merging_changes_nothing() {
        let records = haproxy::sessions(3_000, 14);
        check_merging(&*report(), Family::Haproxy, &Options::default(), &records);
        sections(&*report(), Family::Haproxy, &Options::default(), &records)
            .iter()
            .for_each(check_form);
    }

    #[test]
    fn too_many_backends_are_not_told_apart_in_any_order() {
        let records = haproxy::sessions(3_000, 14);
        let report: Box<dyn AnyReport> = Box::new(Queues { most: 1 });
        check_merging(&*report, Family::Haproxy, &Options::default(), &records);
        let found = sections(&*report, Family::Haproxy, &Options::default(), &records);
        let backends = column(&found, "queues", "backend");
        assert!(backends.contains(&Cell::text("(others)")), "{backends:?}");
        assert!(found[0].notes[0].text.contains("more than 1 backends"));
    }

    /// HAProxy writes the time of a tarpit as Tw.
    #[test]
    fn a_tarpit_is_no_queue() {
        let records = haproxy::lines(&[
            "www/<NOSRV> -1/303/-1/-1/302 500 208 PT 0",
            "busy/<NOSRV> 0/501/-1/-1/501 503 217 sQ 0",
        ]);
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        assert_eq!(column(&found, "queues", "backend"), [Cell::text("busy")]);
    }

    #[test]
    fn peaks_are_stretches_of_waiting() {
        let record = |second: i64, wait: i64, queue: i64| {
            vec![
                (Field::TIME, (second * SECOND).to_string()),
                (Field::BACKEND, "app".to_owned()),
                (Field::T_QUEUE, wait.to_string()),
                (Field::BACKEND_QUEUE, queue.to_string()),
                (Field::SERVER_QUEUE, "0".to_owned()),
            ]
        };
        let records = [record(0, 10, 1), record(3, 30, 7), record(4, 0, 0), record(90, 20, 2)];
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        assert_eq!(column(&found, "queues", "waited"), [Cell::Count(3)]);
        assert_eq!(column(&found, "queues", "mean_wait"), [Cell::Duration(20)]);
        assert_eq!(column(&found, "queue_peaks", "waited"), [2, 1].map(Cell::Count));
        let crate::document::Body::Series(series) = &found[1].body else { panic!("no series") };
        assert_eq!((series.start, series.step, series.points.len()), (0, SECOND, 91));
        assert_eq!(series.points[3][..2], [Cell::Count(1), Cell::Duration(30)]);
        assert_eq!(
            column(&found, "queue_peaks", "worst"),
            [3, 90].map(|second| Cell::Instant(second * SECOND))
        );
        assert_eq!(
            column(&found, "queue_peaks", "lasting"),
            [4, 1].map(|seconds| Cell::Duration(seconds * SECOND))
        );
    }
}
