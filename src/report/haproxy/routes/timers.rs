//! What the timers of sessions say: time by stage, percentiles, densities, and what the manual reads from them.

use std::collections::BTreeMap;

use super::{Grouped, Route, STAGES, TOTAL, largest, or_empty, value};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::Value;
use crate::report::Closing;
use crate::report::breakdown::{duration, mean};
use crate::tally::Millis;
use crate::tally::histogram::{PERCENTILES, Quantiles};
use crate::units;

/// What is read from the timers of a session, as the manual's sections on timers say; and from its line.
pub(super) const READINGS: [(&str, &str); 8] = [
    (
        "no_request",
        "TR -1: the client never sent a whole request; `timeout http-request`, or an aborted or idle connection",
    ),
    (
        "no_queue",
        "Tw -1: the session ended before it got a place: refused, answered by HAProxy itself, or no server was up",
    ),
    (
        "left_queue",
        "Tw and no Tc: it left the queue without a server; `timeout queue`, maxconn of the servers, or the client gave up",
    ),
    (
        "no_connect",
        "Tc -1: the connection to the server could not be made; is it down, is its port filtered?",
    ),
    (
        "no_response",
        "Tr -1: the server took the connection and did not answer; `timeout server`, or the server is overloaded",
    ),
    (
        "lost_packets",
        "Tc near a multiple of 3000 ms: packets to the server were lost and sent again; look at the network, duplex and cables",
    ),
    (
        "retransmit",
        "Tc near 1000 or 7000 ms: the same with the first interval of newer kernels, one second and doubling",
    ),
    (
        "cut_line",
        "the line ends before its request does: `len` of the log line, tune.http.logurilen; paths and captures are not whole",
    ),
];

/// Places in [`READINGS`].
pub(super) mod reading {
    pub(super) const NO_REQUEST: usize = 0;
    pub(super) const NO_QUEUE: usize = 1;
    pub(super) const LEFT_QUEUE: usize = 2;
    pub(super) const NO_CONNECT: usize = 3;
    pub(super) const NO_RESPONSE: usize = 4;
    pub(super) const LOST_PACKETS: usize = 5;
    pub(super) const RETRANSMIT: usize = 6;
    pub(in super::super) const CUT_LINE: usize = 7;
}

const MILLI: i64 = 1_000;
/// How near a multiple is near, in microseconds.
const NEAR: i64 = 150 * MILLI;

/// Counts what the timers of one session say. TCP lines have no times of request and response.
#[inline]
pub(super) fn read<'a>(
    timers: &[Value; STAGES.len()],
    is_http: bool,
    state: impl FnOnce() -> &'a [u8],
    readings: &mut [u64; READINGS.len()],
) {
    let [request, queue, connect, response, _, _] = *timers;
    if let Some(connect) = connect.number() {
        if connect >= 1000 * MILLI - NEAR {
            let is_near = |multiple: i64| (connect - multiple).abs() <= NEAR;
            let of_three = (connect + NEAR) / (3000 * MILLI) * (3000 * MILLI);
            let is_lost = of_three > 0 && is_near(of_three);
            let is_sent_again = is_near(1000 * MILLI) || is_near(7000 * MILLI);
            readings[reading::LOST_PACKETS] += u64::from(is_lost);
            readings[reading::RETRANSMIT] += u64::from(!is_lost && is_sent_again);
        }
        readings[reading::NO_RESPONSE] += u64::from(is_http && response.is_absent());
        return;
    }
    let has_no_request = is_http && request.is_absent();
    if let Some(reading) = unconnected(has_no_request, queue.is_absent(), state()) {
        readings[reading] += 1;
    }
}

/// What it means that no server was connected. The timers alone do not tell: a tarpit's time stands where that of the
/// queue does, so does a wait that ended by `timeout queue`, and a request that came whole and was refused has no TR.
fn unconnected(has_no_request: bool, has_no_queue: bool, state: &[u8]) -> Option<usize> {
    match (state, has_no_queue) {
        ([_, b'T'], _) => None,
        ([_, b'Q'], false) => Some(reading::LEFT_QUEUE),
        (_, false) => Some(reading::NO_CONNECT),
        ([b'P' | b'L', _], true) => Some(reading::NO_QUEUE),
        (_, true) if has_no_request => Some(reading::NO_REQUEST),
        (_, true) => Some(reading::NO_QUEUE),
    }
}

pub(super) fn stages(
    name: &str,
    title: &str,
    key: &str,
    groups: &Grouped,
    closing: &Closing<'_>,
) -> Section {
    let mut columns = vec![Column::new(key, Role::Key), Column::new("stage", Role::Key)];
    columns.extend([
        value("count"),
        Column::new("time", Role::Main),
        value("share"),
        value("mean"),
    ]);
    columns.extend(PERCENTILES.map(|(_, name)| value(name)));
    columns.extend([value("max"), Column::new("meaning", Role::Detail)]);
    let chosen = largest(groups, closing, |route| route.stages[TOTAL].sum());
    let rows = chosen.iter().flat_map(|(name, route)| stage_rows(name, route)).collect();
    let stages = groups.iter().flat_map(|(_, route)| &route.stages);
    let total_rows = stages.filter(|times| !times.is_empty()).count() as u64;
    let table = Table { columns, rows, total_rows };
    let mut section = Section::table(name, title, table);
    let partial: u64 = groups.iter().map(|(_, route)| route.partial).sum();
    if partial > 0 {
        let partial = units::count(partial);
        section.notes.push(Note::info(format!(
            "{partial} sessions were logged before their end (option logasap): their transfer and total are not in here"
        )));
    }
    section
}

fn stage_rows(name: &[u8], route: &Route) -> Vec<Vec<Cell>> {
    let whole = route.stages[..TOTAL].iter().map(Millis::sum).fold(0, u64::saturating_add);
    let rows = STAGES.iter().zip(&route.stages).filter(|(_, times)| !times.is_empty());
    rows.map(|((_, stage, meaning), times)| {
        let times = times.quantiles();
        let mut cells = vec![Cell::text(name), Cell::text(stage), Cell::Count(times.count())];
        let share = match *stage {
            "total" => Cell::Empty,
            _ => Cell::share(times.sum(), whole),
        };
        cells.extend([duration(times.sum()), share, mean(&times)]);
        cells.extend(PERCENTILES.map(|(wanted, _)| duration(times.percentile(wanted))));
        cells.extend([duration(times.max()), Cell::text(meaning)]);
        cells
    })
    .collect()
}

/// The percentages of the table, in thousandths: closer together where it gets interesting.
const STEPS: [u32; 24] = [
    100, 500, 1_000, 5_000, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 75_000, 80_000,
    85_000, 90_000, 95_000, 97_000, 98_000, 99_000, 99_500, 99_900, 99_990, 99_999, 100_000,
];

pub(super) fn percentiles(whole: &Route) -> Section {
    let mut columns = vec![Column::new("percent", Role::Key), value("count")];
    columns.extend(STAGES.map(|(_, stage, _)| value(stage)));
    columns[1].role = Role::Main;
    let times: Vec<Quantiles> = whole.stages.iter().map(Millis::quantiles).collect();
    let count = times[TOTAL].count();
    let rows: Vec<Vec<Cell>> = STEPS
        .iter()
        .map(|step| {
            let rank = (u128::from(count) * u128::from(*step)).div_ceil(100_000) as u64;
            let mut cells = vec![Cell::Real(f64::from(*step) / 1000.0), Cell::Count(rank)];
            cells.extend(
                times.iter().map(|times| or_empty(times, duration(times.percentile(*step)))),
            );
            cells
        })
        .collect();
    let total_rows = rows.len() as u64;
    let mut section = Section::table(
        "timer_percentiles",
        "Timers by percentile",
        Table { columns, rows, total_rows },
    );
    section.notes.push(Note::info(
        "each timer for itself, over the sessions in which it came; by nearest rank",
    ));
    section
}

/// How often each timer had about which value: in steps of a sixteenth of a power of two of milliseconds.
pub(super) fn density(whole: &Route) -> Section {
    let columns = vec![
        Column::new("timer", Role::Key),
        Column::new("from", Role::Key),
        Column::new("count", Role::Main),
        value("per_millisecond"),
    ];
    let mut rows = Vec::new();
    for ((_, stage, _), times) in STAGES.iter().zip(&whole.stages) {
        let mut steps = BTreeMap::<u64, u64>::new();
        for (value, count) in times.quantiles().buckets() {
            *steps.entry(coarse(value / MILLI as u64)).or_default() += count;
        }
        rows.extend(steps.into_iter().map(|(millis, count)| {
            let density = count as f64 / width(millis) as f64;
            vec![
                Cell::text(stage),
                duration(millis.saturating_mul(MILLI as u64)),
                Cell::Count(count),
                Cell::Real(density),
            ]
        }));
    }
    let total_rows = rows.len() as u64;
    Section::table("timer_density", "Density of timers", Table { columns, rows, total_rows })
}

/// A number with all but its four highest bits cleared.
fn coarse(number: u64) -> u64 {
    number & !(width(number) - 1)
}

/// How many numbers have the same four highest bits.
fn width(number: u64) -> u64 {
    1 << (64 - number.leading_zeros()).saturating_sub(4)
}

pub(super) fn readings(groups: &Grouped) -> Section {
    let mut columns = vec![Column::new("reading", Role::Key), Column::new("count", Role::Main)];
    columns.extend(["share", "mostly_at", "there"].map(value));
    columns.push(Column::new("meaning", Role::Remark));
    let all = groups.iter().map(|(_, route)| route.count).sum();
    let found = READINGS.iter().enumerate().filter_map(|(at, (reading, meaning))| {
        let count: u64 = groups.iter().map(|(_, route)| route.readings[at]).sum();
        let of = |route: &Route| route.readings[at];
        // The first of equals: the groups are in the order of their names.
        let worst = groups.iter().rev().max_by_key(|(_, route)| of(route))?;
        (count > 0).then(|| {
            vec![
                Cell::text(reading),
                Cell::Count(count),
                Cell::share(count, all),
                Cell::text(&worst.0),
                Cell::Count(of(&worst.1)),
                Cell::text(meaning),
            ]
        })
    });
    let rows: Vec<Vec<Cell>> = found.collect();
    let total_rows = rows.len() as u64;
    Section::table("timer_readings", "What the timers say", Table { columns, rows, total_rows })
}

#[cfg(test)]
mod tests {
    use super::super::tests::finished;
    use super::*;
    use crate::report::testing::column;

    /// halog reads a time with a plus as 0 and prints a negative time of transfer.
    #[test]
    fn what_was_logged_too_soon_is_in_no_percentile() {
        let found = finished(&["app/s1 0/0/1/5/+33 200 +9000 -- 0"]);
        let stages = column(&found, "stages", "stage");
        assert_eq!(stages, ["request", "queue", "connect", "response"].map(Cell::text));
    }

    #[test]
    fn readings_of_the_manual() {
        let found = finished(&[
            "app/s1 0/0/3005/5/3015 200 1 -- 0",
            "app/s1 0/0/6100/5/6200 200 1 -- 0",
            "app/s1 0/0/1003/5/1015 200 1 -- 0",
            "app/s1 0/0/1500/5/1515 200 1 -- 0",
            "app/s1 0/0/-1/-1/3000 503 1 SC 3",
            "app/s1 0/0/1/-1/3000 504 1 sH 0",
            "app/<NOSRV> 0/-1/-1/-1/0 403 1 PR 0",
            "app/<NOSRV> -1/-1/-1/-1/9 400 1 CR 0",
        ]);
        let names =
            ["no_request", "no_queue", "no_connect", "no_response", "lost_packets", "retransmit"];
        assert_eq!(column(&found, "timer_readings", "reading"), names.map(Cell::text));
        assert_eq!(column(&found, "timer_readings", "count"), [1, 1, 1, 1, 2, 1].map(Cell::Count));
        assert_eq!(column(&found, "timer_readings", "mostly_at")[4], Cell::text("app/s1"));
    }

    /// What a real HAProxy 2.6 writes for a tarpit, a wait that ended by `timeout queue`, `http-request reject`, and a
    /// session of TCP that left the queue: none of them tried to connect, and all but the last had a whole request.
    #[test]
    fn only_what_tried_to_connect_could_not_connect() {
        let found = finished(&[
            "www/<NOSRV> -1/303/-1/-1/302 500 208 PT 0",
            "busy/<NOSRV> 0/501/-1/-1/501 503 217 sQ 0",
            "www/<NOSRV> -1/-1/-1/-1/0 -1 0 PR 0",
            "sql/<NOSRV> 501/-1/500 0 sQ 0",
            "hole/h1 0/0/-1/-1/601 503 217 sC 0",
        ]);
        let names = ["no_queue", "left_queue", "no_connect"];
        assert_eq!(column(&found, "timer_readings", "reading"), names.map(Cell::text));
        assert_eq!(column(&found, "timer_readings", "count"), [1, 2, 1].map(Cell::Count));
    }

    #[test]
    fn densities_keep_four_bits() {
        assert_eq!(
            [0, 1, 15, 16, 17, 31, 32, 35, 1023].map(coarse),
            [0, 1, 15, 16, 16, 30, 32, 32, 960]
        );
    }
}
