//! What was asked of BIND, how it ended, and how fast it came.
//!
//! Sections:
//!
//! * `queries`: figures: queries and responses, how many a second and a minute, at most and usually, the share of failures;
//! * `response_codes`: responses by code, with the share of all;
//! * `query_types`, `query_classes`: by type; by class, where another than IN was asked for;
//! * `query_flags`: what the flags say, one row each: recursion desired, TCP, EDNS, DNSSEC OK and so on;
//! * `minutes_of_the_hour`: queries by the minute of the hour at which they came: what cron jobs and short times to live do.

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use super::twice::{Asked, Sample};
use super::what::{Kinds, Lane};
use crate::document::{Cell, Column, Fact, Note, Role, Section, Table};
use crate::record::time::SECOND;
use crate::record::{Field, Records, Symbol, Zone};
use crate::tally::{PerSymbol, Timeline, keep_largest};

const MINUTE: i64 = 60 * SECOND;
/// How many files a warning names.
const SHOWN_FILES: usize = 3;
/// Three days to the second.
const MOST_SLOTS: usize = 1 << 18;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Queries {
    kinds: Kinds,
    zone: Zone,
}

impl Queries {
    /// With hours of a zone.
    pub(in super::super) fn new(zone: Zone) -> Self {
        Self { kinds: Kinds::new(), zone }
    }
}

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    queries: u64,
    responses: u64,
    /// By lane of the other records.
    failed: u64,
    refused: u64,
    denied: u64,
    limited: u64,
    limited_log_only: u64,
    types: PerSymbol<u64>,
    classes: PerSymbol<u64>,
    flags: PerSymbol<u64>,
    codes: PerSymbol<u64>,
    slots: Timeline<u64>,
    minutes: Vec<u64>,
    twice: Sample,
}

impl Report for Queries {
    type State = State;

    fn name(&self) -> String {
        "queries".to_owned()
    }

    fn needs(&self) -> Needs {
        let symbols = [Field::QTYPE, Field::FLAGS, Field::RCODE, Field::QCLASS, Field::CLIENT];
        let symbols = [&symbols[..], &[Field::NAME, Field::SOURCE_FILE]].concat();
        Needs::required(&[Field::KIND])
            .optional(&[Field::TIME, Field::CLIENT_PORT])
            .optional(&symbols)
            .by_symbol(&symbols)
    }

    fn start(&self) -> State {
        State {
            queries: 0,
            responses: 0,
            failed: 0,
            refused: 0,
            denied: 0,
            limited: 0,
            limited_log_only: 0,
            types: PerSymbol::default(),
            classes: PerSymbol::default(),
            flags: PerSymbol::default(),
            codes: PerSymbol::default(),
            slots: Timeline::new(MOST_SLOTS),
            minutes: vec![0; 60],
            twice: Sample::default(),
        }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let columns = [Field::QTYPE, Field::QCLASS, Field::FLAGS, Field::RCODE];
        let [Some(types), Some(classes), Some(flags), Some(codes)] =
            columns.map(|field| records.symbols(field))
        else {
            return;
        };
        let Some(kinds) = records.column(Field::KIND) else { return };
        let clients = records.column(Field::CLIENT).unwrap_or_default();
        let times = records.column(Field::TIME).unwrap_or_default();
        let ports = records.column(Field::CLIENT_PORT).unwrap_or_default();
        let files = records.symbols(Field::SOURCE_FILE).unwrap_or_default();
        for (row, kind) in kinds.iter().enumerate() {
            match self.kinds.of(*kind) {
                Lane::Query => {
                    state.queries += 1;
                    *state.types.at(types[row]) += 1;
                    *state.classes.at(classes[row]) += 1;
                    *state.flags.at(flags[row]) += 1;
                    if let Some(time) = times.get(row).and_then(|time| time.number()) {
                        *state.slots.at(time) += 1;
                        let file = files.get(row).copied().unwrap_or(Symbol::ABSENT);
                        let port = ports.get(row).and_then(|port| port.number()).unwrap_or(0);
                        state.twice.see((file, time), port, || Asked {
                            client: records.text(Field::CLIENT, row).unwrap_or_default(),
                            name: records.text(Field::NAME, row).unwrap_or_default(),
                        });
                        let minute = self.zone.wall(time).div_euclid(MINUTE);
                        state.minutes[minute.rem_euclid(60) as usize] += 1;
                    }
                }
                Lane::Failed => state.failed += 1,
                Lane::FailedRefused => state.refused += 1,
                Lane::Denied => state.denied += 1,
                // Without a client it is told that a limit began or ended.
                lane @ (Lane::Limited | Lane::LimitedLogOnly) => {
                    let has_client = clients.get(row).is_some_and(|client| !client.is_absent());
                    let count = match lane {
                        Lane::Limited => &mut state.limited,
                        _ => &mut state.limited_log_only,
                    };
                    *count += u64::from(has_client);
                }
                Lane::Other => {}
                _ => {
                    state.responses += 1;
                    *state.codes.at(codes[row]) += 1;
                }
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        into.queries += from.queries;
        into.responses += from.responses;
        into.failed += from.failed;
        into.refused += from.refused;
        into.denied += from.denied;
        into.limited += from.limited;
        into.limited_log_only += from.limited_log_only;
        let add = |own: &mut u64, more| *own += more;
        into.types.merge(from.types, renumberings.of(Field::QTYPE), add);
        into.classes.merge(from.classes, renumberings.of(Field::QCLASS), add);
        into.flags.merge(from.flags, renumberings.of(Field::FLAGS), add);
        into.codes.merge(from.codes, renumberings.of(Field::RCODE), add);
        into.slots.merge(from.slots);
        let files = renumberings.of(Field::SOURCE_FILE);
        into.twice.merge(from.twice, |file| files.of(file));
        into.minutes.iter_mut().zip(from.minutes).for_each(|(own, more)| *own += more);
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let mut sections = vec![state.facts()];
        sections[0].notes.extend(state.doubled(closing));
        let named = |counts: &PerSymbol<u64>, field: Field| -> Vec<(Vec<u8>, u64)> {
            let met = counts.iter().filter(|(symbol, count)| **count > 0 && symbol.index() > 1);
            met.map(|(symbol, count)| (closing.dictionaries.text(field, symbol).to_vec(), *count))
                .collect()
        };
        let codes = named(&state.codes, Field::RCODE);
        let types = named(&state.types, Field::QTYPE);
        let classes = named(&state.classes, Field::QCLASS);
        let tables = [
            ("response_codes", "Response codes", "rcode", codes),
            ("query_types", "Types", "qtype", types),
        ];
        sections.extend(
            tables
                .into_iter()
                .filter_map(|(name, title, key, rows)| table(name, title, key, rows, closing)),
        );
        if classes.iter().any(|(class, _)| class != b"IN") {
            sections.extend(table("query_classes", "Classes", "qclass", classes, closing));
        }
        sections.extend(flags(&named(&state.flags, Field::FLAGS)));
        sections.extend(state.minutes_section(closing));
        sections
    }
}

impl State {
    fn facts(&self) -> Section {
        let count = |name, count: u64| Fact::new(name, Cell::Count(count));
        let mut facts = vec![count("queries", self.queries)];
        let others = [
            ("responses", self.responses),
            ("failed", self.failed),
            ("refused", self.refused),
            ("denied", self.denied),
            ("rate_limited", self.limited),
            ("rate_limited_log_only", self.limited_log_only),
        ];
        for (name, number) in others.into_iter().filter(|(_, number)| *number > 0) {
            facts.push(count(name, number));
            if name != "responses" {
                let share = match name {
                    "failed" => "failed_share",
                    "refused" => "refused_share",
                    "denied" => "denied_share",
                    "rate_limited" => "rate_limited_share",
                    _ => "rate_limited_log_only_share",
                };
                facts.push(Fact::new(share, Cell::share(number, self.queries)));
            }
        }
        let mut section = Section::facts("queries", "Queries", facts);
        self.rates(&mut section);
        if self.denied > 0 && self.refused > 0 {
            section.notes.push(Note::info(
                "denied is what access lists said, transfers and updates included; where query-errors is logged, a query that was denied is in refused as well",
            ));
        }
        section
    }

    /// A warning where queries stand in several files.
    fn doubled(&self, closing: &Closing<'_>) -> Option<Note> {
        let (share, files) = self.twice.told()?;
        let text = |file: Symbol| closing.dictionaries.text(Field::SOURCE_FILE, file);
        let mut names: Vec<String> = files
            .into_iter()
            .map(|file| String::from_utf8_lossy(text(file)).into_owned())
            .collect();
        names.sort_unstable();
        let more = names.len().saturating_sub(SHOWN_FILES);
        names.truncate(SHOWN_FILES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(Note::warning(format!(
            "of the different queries {:.0} % stand in several files and are counted in each: {}{more}; are these channels of one server? Then read one of them",
            share * 100.0,
            names.join(", "),
        )))
    }

    /// The busiest second and minute, and the usual minute: the median of those in which there were queries.
    fn rates(&self, section: &mut Section) {
        let slots = self.slots.slots();
        let width = self.slots.width();
        let mut minutes: Vec<(i64, u64)> = Vec::new();
        for (start, count) in &slots {
            let minute = start.div_euclid(MINUTE).saturating_mul(MINUTE);
            match minutes.last_mut() {
                Some((last, sum)) if *last == minute => *sum += count,
                _ => minutes.push((minute, *count)),
            }
        }
        let busiest =
            |of: &[(i64, u64)]| of.iter().copied().max_by_key(|(at, count)| (*count, -at));
        let crate::document::Body::Facts(facts) = &mut section.body else { return };
        if let Some((at, count)) = busiest(&slots) {
            let rate = count as f64 / (width as f64 / SECOND as f64);
            facts.push(Fact::new("peak_rate", Cell::Rate(rate)));
            facts.push(Fact::new("peak_at", Cell::Instant(at)));
        }
        if width > MINUTE {
            let text = format!("the time is long: rates are means of {} seconds", width / SECOND);
            return section.notes.push(Note::info(text));
        }
        if let Some((at, count)) = busiest(&minutes) {
            facts.push(Fact::new("busiest_minute", Cell::Instant(at)));
            facts.push(Fact::new("queries_in_it", Cell::Count(count)));
            let mut counts: Vec<u64> = minutes.iter().map(|(_, count)| *count).collect();
            counts.sort_unstable();
            let median = counts[(counts.len() - 1) / 2];
            facts.push(Fact::new("median_minute", Cell::Count(median)));
        }
    }

    /// Over less than two hours they are but the timeline once more.
    fn minutes_section(&self, closing: &Closing<'_>) -> Option<Section> {
        let all: u64 = self.minutes.iter().sum();
        let is_long = |(first, last): (i64, i64)| last.saturating_sub(first) >= 120 * MINUTE;
        let is_worth_it = all > 0 && closing.period.is_some_and(is_long);
        let rows = self.minutes.iter().enumerate().map(|(minute, count)| {
            vec![Cell::text(format!("{minute:02}")), Cell::Count(*count), Cell::share(*count, all)]
        });
        let columns = vec![
            Column::new("minute", Role::Key),
            Column::new("queries", Role::Main),
            Column::new("share", Role::Value),
        ];
        let table = Table { columns, rows: rows.collect(), total_rows: 60 };
        is_worth_it.then(|| Section::table("minutes_of_the_hour", "Minutes of the hour", table))
    }
}

/// Rows by number; `None` when there are none.
fn table(
    name: &str,
    title: &str,
    key: &str,
    mut rows: Vec<(Vec<u8>, u64)>,
    closing: &Closing<'_>,
) -> Option<Section> {
    let (total_rows, all) = (rows.len() as u64, rows.iter().map(|(_, count)| count).sum());
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0))
    });
    let cells = |(key, count): (Vec<u8>, u64)| {
        vec![Cell::Text(key), Cell::Count(count), Cell::share(count, all)]
    };
    let rows: Vec<Vec<Cell>> = rows.into_iter().map(cells).collect();
    let columns = vec![
        Column::new(key, Role::Key),
        Column::new("count", Role::Main),
        Column::new("share", Role::Value),
    ];
    let is_empty = rows.is_empty();
    let section = Section::table(name, title, Table { columns, rows, total_rows });
    (!is_empty).then_some(section)
}

/// What the letters of the flags mean.
const FLAGS: [(u8, &str); 9] = [
    (b'+', "recursion desired"),
    (b'-', "no recursion desired"),
    (b'T', "over TCP"),
    (b'E', "EDNS"),
    (b'D', "DNSSEC OK"),
    (b'C', "checking disabled"),
    (b'V', "valid server cookie"),
    (b'K', "cookie, none of the server's"),
    (b'S', "signed"),
];

/// One row a flag. Flags are a set: their order changed between versions.
fn flags(sets: &[(Vec<u8>, u64)]) -> Option<Section> {
    let all: u64 = sets.iter().map(|(_, count)| count).sum();
    let of = |letter: u8| -> u64 {
        sets.iter().filter(|(set, _)| set.contains(&letter)).map(|(_, count)| count).sum()
    };
    let rows: Vec<Vec<Cell>> = FLAGS
        .iter()
        .map(|(letter, words)| (*letter, *words, of(*letter)))
        .filter(|(.., count)| *count > 0)
        .map(|(letter, words, count)| {
            let [count, share] = [Cell::Count(count), Cell::share(count, all)];
            vec![Cell::text([letter]), count, share, Cell::text(words)]
        })
        .collect();
    let columns = vec![
        Column::new("flag", Role::Key),
        Column::new("count", Role::Main),
        Column::new("share", Role::Value),
        Column::new("meaning", Role::Remark),
    ];
    let total_rows = rows.len() as u64;
    let table = Table { columns, rows, total_rows };
    (total_rows > 0).then(|| Section::table("query_flags", "Flags", table))
}

/// True when a set of flags says that the query came over TCP.
pub(super) fn is_tcp(flags: &[u8]) -> bool {
    flags.contains(&b'T')
}

/// True when a set of flags says that the client proved its address: a cookie of this server.
pub(super) fn has_proof(flags: &[u8]) -> bool {
    is_tcp(flags) || flags.contains(&b'V')
}

/// The symbols of texts for which `is` holds, found out once for each.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Vec<Option<bool>>);

impl Known {
    #[inline]
    pub(super) fn is(&mut self, symbol: Symbol, is: impl FnOnce() -> bool) -> bool {
        match self.0.get(symbol.index()) {
            Some(Some(known)) => *known,
            _ => self.learn(symbol, is()),
        }
    }

    #[cold]
    fn learn(&mut self, symbol: Symbol, known: bool) -> bool {
        /// Types and flags have few values; what comes later is asked anew.
        const MOST: usize = 1 << 12;
        if symbol.index() < MOST && symbol.index() > 1 {
            self.0.resize(self.0.len().max(symbol.index() + 1), None);
            self.0[symbol.index()] = Some(known);
        }
        known
    }
}
