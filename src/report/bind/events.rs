//! What BIND tells beside queries: failures by reason, refusals, other servers, transfers, notifies, zones, updates,
//! policies, limits, and the server itself.
//!
//! A section for each [`Topic`], a row for each different combination of its fields, with its count, its first and last
//! time, and the bytes and time of transfers. All topics share one bound on memory; what did not fit is counted, and a
//! note says so.

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::{Datum, Field, Label, Records, Symbol};
use crate::tally::{Dictionary, PerSymbol, keep_largest};
use crate::units;

/// For the texts of all rows, in bytes.
const MOST_BYTES: usize = 64 << 20;
/// Stands between the parts of a key. BIND escapes control bytes in names.
const BETWEEN: u8 = 0x1F;

/// What a section is about: which kinds of records, told apart by which fields.
struct Topic {
    name: &'static str,
    title: &'static str,
    kinds: &'static [&'static str],
    fields: &'static [Field],
    /// Sums up sizes and durations as well.
    amounts: bool,
    /// Is about those records alone that have the first field: a denial of a query, say, belongs to no zone.
    led: bool,
}

const fn topic(
    name: &'static str,
    title: &'static str,
    kinds: &'static [&'static str],
    fields: &'static [Field],
) -> Topic {
    Topic { name, title, kinds, fields, amounts: false, led: false }
}

const fn transfers(
    name: &'static str,
    title: &'static str,
    kinds: &'static [&'static str],
    fields: &'static [Field],
) -> Topic {
    Topic { amounts: true, ..topic(name, title, kinds, fields) }
}

const fn led(
    name: &'static str,
    title: &'static str,
    kinds: &'static [&'static str],
    fields: &'static [Field],
) -> Topic {
    Topic { led: true, ..topic(name, title, kinds, fields) }
}

/// All of them, in the order in which they are shown.
static TOPICS: &[Topic] = &[
    topic(
        "server_trouble",
        "The server in trouble",
        &["crash", "config_failed", "network_failed", "limits", "rpz_failed"],
        &[Field::KIND, Field::MESSAGE],
    ),
    topic("quotas", "Quotas reached", &["quota"], &[Field::REASON, Field::NAME]),
    topic(
        "query_failures",
        "Why queries failed",
        &["servfail", "refused", "formerr"],
        &[Field::KIND, Field::REASON],
    ),
    topic(
        "zone_trouble",
        "Zones in trouble",
        &[
            "zone_not_loaded",
            "zone_load_error",
            "zone_expired",
            "zone_refresh",
            "zone_journal",
            "zone_data",
            "zone_serial",
        ],
        &[Field::KIND, Field::ZONE, Field::VIEW, Field::REASON],
    ),
    topic("zone_syntax", "Errors in zone files", &["zone_syntax"], &[Field::ZONE, Field::MESSAGE]),
    topic(
        "transfer_failures",
        "Transfers that failed",
        &["xfer_fail"],
        &[Field::ZONE, Field::UPSTREAM, Field::CLIENT, Field::REASON],
    ),
    topic(
        "transfers_refused",
        "Transfers that were refused",
        &["xfer_refused"],
        &[Field::ZONE, Field::CLIENT, Field::REASON],
    ),
    transfers(
        "transfers_in",
        "Transfers in",
        &["xfer_in"],
        &[Field::ZONE, Field::UPSTREAM, Field::ACTION, Field::REASON],
    ),
    transfers(
        "transfers_out",
        "Transfers out",
        &["xfer_out"],
        &[Field::ZONE, Field::CLIENT, Field::QTYPE, Field::ACTION],
    ),
    topic("notifies", "Notifies", &["notify"], &[Field::ZONE, Field::CLIENT]),
    topic(
        "notifies_refused",
        "Notifies that were refused",
        &["notify_refused"],
        &[Field::ZONE, Field::CLIENT, Field::REASON],
    ),
    topic(
        "notifies_failed",
        "Notifies that others did not take",
        &["notify_failed"],
        &[Field::ZONE, Field::UPSTREAM, Field::REASON],
    ),
    topic("updates", "Updates", &["update"], &[Field::ZONE, Field::CLIENT, Field::ACTION]),
    topic(
        "update_failures",
        "Updates that failed",
        &["update_failed"],
        &[Field::ZONE, Field::CLIENT, Field::REASON],
    ),
    topic("denials", "What was denied, and why", &["denied"], &[Field::ACTION, Field::REASON]),
    led("denied_clients", "Who was denied", &["denied"], &[Field::CLIENT, Field::ACTION]),
    led(
        "denied_zones",
        "Zones that were denied",
        &["denied"],
        &[Field::ZONE, Field::CLIENT, Field::ACTION],
    ),
    topic("approvals", "What keys were approved", &["approved"], &[Field::CLIENT, Field::KEY]),
    topic(
        "rate_limits",
        "Rate limits",
        &["rrl", "rrl_log_only"],
        &[Field::RULE, Field::NAME, Field::REASON, Field::ACTION],
    ),
    led(
        "rate_limited_clients",
        "Clients under rate limits",
        &["rrl", "rrl_log_only"],
        &[Field::CLIENT, Field::ACTION],
    ),
    topic(
        "policies",
        "Response policies",
        &["rpz", "rpz_passthru"],
        &[Field::ACTION, Field::RULE, Field::NAME],
    ),
    led("policy_clients", "Clients that met policies", &["rpz"], &[Field::CLIENT, Field::ACTION]),
    topic(
        "lame_servers",
        "Servers that answer badly",
        &["lame"],
        &[Field::UPSTREAM, Field::REASON],
    ),
    topic(
        "lame_names",
        "Names whose servers answer badly",
        &["lame"],
        &[Field::NAME, Field::REASON],
    ),
    topic(
        "resolver_trouble",
        "Resolving in trouble",
        &["resolver", "serve_stale", "fetch_limit"],
        &[Field::KIND, Field::REASON, Field::UPSTREAM],
    ),
    led(
        "stale_names",
        "Names answered from what had expired",
        &["serve_stale"],
        &[Field::NAME, Field::REASON],
    ),
    topic("dnssec_failures", "DNSSEC failures", &["dnssec"], &[Field::NAME, Field::REASON]),
    topic(
        "send_failures",
        "Answers that could not be sent",
        &["send_failed"],
        &[Field::CLIENT, Field::REASON],
    ),
    topic("hints", "Root hints and GeoIP", &["hints", "geoip"], &[Field::KIND, Field::MESSAGE]),
    topic("zones_loaded", "Zones loaded", &["zone_loaded"], &[Field::ZONE, Field::VIEW]),
    topic(
        "catalog_zones",
        "Catalog zones",
        &["catalog_zone"],
        &[Field::ZONE, Field::ACTION, Field::REASON],
    ),
    topic("zones_removed", "Zones removed", &["zone_removed"], &[Field::ZONE, Field::VIEW]),
    topic("zone_keys", "Keys of zones", &["zone_keys"], &[Field::ZONE, Field::LEVEL]),
    topic("control_commands", "Control commands", &["control"], &[Field::ACTION, Field::LEVEL]),
    topic(
        "server_events",
        "Starts, stops and reloads",
        &["lifecycle", "network"],
        &[Field::MESSAGE],
    ),
    topic(
        "unsorted",
        "What is known of no kind",
        &["other", "zone", "config", "client"],
        &[Field::CATEGORY, Field::LEVEL, Field::MESSAGE],
    ),
];

/// The report.
#[derive(Debug)]
pub(in super::super) struct Events {
    /// By number of the label of a kind: the topics that its records belong to.
    topics: Vec<Vec<u8>>,
}

impl Events {
    /// About all topics.
    pub(in super::super) fn new() -> Self {
        let mut topics = Vec::new();
        for (number, topic) in TOPICS.iter().enumerate() {
            for kind in topic.kinds {
                let label = Label::of(kind).number() as usize;
                if topics.len() <= label {
                    topics.resize_with(label + 1, Vec::new);
                }
                topics[label].push(number as u8);
            }
        }
        Self { topics }
    }
}

/// How often, when, and how much.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    count: u64,
    first: i64,
    last: i64,
    bytes: u64,
    micros: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { count: 0, first: i64::MAX, last: i64::MIN, bytes: 0, micros: 0 }
    }
}

impl Seen {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.micros = self.micros.saturating_add(other.micros);
    }

    fn of(records: &Records<'_>, row: usize) -> Self {
        let number = |field| records.number(field, row);
        let amount = |field| number(field).map_or(0, |number| number.max(0) as u64);
        let time = number(Field::TIME);
        Self {
            count: 1,
            first: time.unwrap_or(i64::MAX),
            last: time.unwrap_or(i64::MIN),
            bytes: amount(Field::BYTES),
            micros: amount(Field::DURATION),
        }
    }
}

/// What was counted: keys are the number of the topic and the texts of its fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    keys: Dictionary,
    seen: PerSymbol<Seen>,
}

impl Report for Events {
    type State = State;

    fn name(&self) -> String {
        "dns_events".to_owned()
    }

    fn needs(&self) -> Needs {
        let fields = TOPICS.iter().flat_map(|topic| topic.fields.iter().copied());
        let fields: Vec<Field> = fields.collect();
        Needs::required(&[Field::KIND, Field::ZONE])
            .optional(&[Field::TIME, Field::BYTES, Field::DURATION])
            .optional(&fields)
    }

    fn start(&self) -> State {
        State { keys: Dictionary::new(MOST_BYTES), seen: PerSymbol::default() }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(kinds) = records.column(Field::KIND) else { return };
        let mut room = Vec::new();
        for (row, kind) in kinds.iter().enumerate() {
            let Some(topics) = self.topics.get(kind.number_or(0) as usize) else { continue };
            for number in topics {
                key(*number, records, row, &mut room);
                if !room.is_empty() {
                    let symbol = state.keys.intern(&room);
                    state.seen.at(symbol).merge(Seen::of(records, row));
                }
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, _: &Renumberings) {
        let renumbering = into.keys.absorb(&from.keys);
        into.seen.merge(from.seen, &renumbering, Seen::merge);
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let mut rows: Vec<Vec<(&[u8], Seen)>> = TOPICS.iter().map(|_| Vec::new()).collect();
        let met = state.seen.iter().filter(|(_, seen)| seen.count > 0);
        for (symbol, seen) in met.filter(|(symbol, _)| *symbol != Symbol::OTHER) {
            let [topic, key @ ..] = state.keys.text(symbol) else { continue };
            if let Some(rows) = rows.get_mut(usize::from(*topic)) {
                rows.push((key, *seen));
            }
        }
        let lost = state.seen.get(Symbol::OTHER).map_or(0, |seen| seen.count);
        let topics = TOPICS.iter().zip(rows).filter(|(_, rows)| !rows.is_empty());
        topics.map(|(topic, rows)| section(topic, rows, lost, closing)).collect()
    }
}

/// The key of a record for a topic; nothing when the record has no part in it.
fn key(number: u8, records: &Records<'_>, row: usize, room: &mut Vec<u8>) {
    let topic = &TOPICS[usize::from(number)];
    room.clear();
    room.push(number);
    let mut says = false;
    for field in topic.fields {
        room.push(BETWEEN);
        match records.get(*field, row) {
            Some(Datum::Text(text)) => {
                says |= !text.is_empty();
                room.extend_from_slice(first_line(text));
            }
            Some(Datum::Label(label)) => room.extend_from_slice(label.word().as_bytes()),
            Some(Datum::Number(_)) | None => {}
        }
    }
    let leads = topic.fields.first().is_none_or(|field| records.get(*field, row).is_some());
    if !says || (topic.led && !leads) {
        room.clear();
    }
}

/// Dumps are shown by their first line.
fn first_line(text: &[u8]) -> &[u8] {
    /// Longer messages differ in what is told last, and are one row without it.
    const LONGEST: usize = 200;
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    &text[..end.min(LONGEST)]
}

fn section(
    topic: &Topic,
    mut rows: Vec<(&[u8], Seen)>,
    lost: u64,
    closing: &Closing<'_>,
) -> Section {
    let total_rows = rows.len() as u64;
    let whole = rows.iter().map(|(_, seen)| seen.count).sum();
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0))
    });
    let mut columns: Vec<Column> =
        topic.fields.iter().map(|field| Column::new(field.name(), Role::Key)).collect();
    columns.push(Column::new("count", Role::Main));
    if topic.amounts {
        columns.extend(["bytes", "duration"].map(|name| Column::new(name, Role::Value)));
    }
    columns.extend(["share", "first", "last"].map(|name| Column::new(name, Role::Value)));
    let rows = rows.into_iter().map(|(key, seen)| cells(topic, key, seen, whole)).collect();
    let table = Table { columns, rows, total_rows };
    let mut section = Section::table(topic.name, topic.title, table);
    if lost > 0 {
        let lost = units::count(lost);
        let text = format!("{lost} records of the tables of events did not fit into memory");
        section.notes.push(Note::warning(text));
    }
    section
}

fn cells(topic: &Topic, key: &[u8], seen: Seen, whole: u64) -> Vec<Cell> {
    // The key begins with what stands between parts.
    let mut parts =
        key.get(1..).unwrap_or_default().splitn(topic.fields.len(), |byte| *byte == BETWEEN);
    let text = |part: Option<&[u8]>| match part {
        None | Some(b"") => Cell::Empty,
        Some(part) => Cell::text(part),
    };
    let mut cells: Vec<Cell> = topic.fields.iter().map(|_| text(parts.next())).collect();
    cells.push(Cell::Count(seen.count));
    if topic.amounts {
        let micros = i64::try_from(seen.micros).unwrap_or(i64::MAX);
        cells.extend([Cell::Bytes(seen.bytes), Cell::Duration(micros)]);
    }
    cells.push(Cell::share(seen.count, whole));
    match seen.first <= seen.last {
        true => cells.extend([Cell::Instant(seen.first), Cell::Instant(seen.last)]),
        false => cells.extend([Cell::Empty, Cell::Empty]),
    }
    cells
}
