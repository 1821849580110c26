//! Against a plain map: any keys, any cut of the records into threads, saved and read back between.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::document::Body;
use crate::format::Family;
use crate::record::{Block, Layout};
use crate::report::{AnyReport, Dictionaries, Options, testing};
use crate::units;

fn supplied() -> Fields {
    Fields::of(&[
        Field::CLIENT,
        Field::REFERER,
        Field::CLASS,
        Field::STATUS,
        Field::BYTES,
        Field::TIME,
    ])
}

#[derive(Debug, Clone)]
struct Plain {
    client: Option<String>,
    class: Option<&'static str>,
    status: Option<i64>,
    bytes: Option<i64>,
}

fn top(keys: &str, by: &str) -> Top {
    Top::parse(keys, by, supplied()).unwrap()
}

/// What one thread counts.
fn counted(top: &Top, records: &[Plain], key_bytes: usize) -> (Dictionaries, State) {
    let layout = Layout::new(Report::needs(top).all(), Report::needs(top).symbols);
    let mut dictionaries = Dictionaries::new(layout.symbols(), key_bytes);
    let (mut block, mut state) = (Block::new(layout), Report::start(top));
    for records in records.chunks(ROWS) {
        records.iter().for_each(|record| write(record, &mut block));
        for (name, dictionary) in dictionaries.iter_mut() {
            let field = Field::named(name).unwrap();
            if let Some((texts, symbols)) = block.texts_and_symbols(field, b"") {
                dictionary.intern_all(texts, symbols);
            }
        }
        Report::observe(top, &mut state, &block.records(b""));
        block.clear();
    }
    (dictionaries, state)
}

fn write(record: &Plain, block: &mut Block) {
    let slots = [Field::CLIENT, Field::CLASS, Field::STATUS, Field::BYTES];
    let [client, class, status, bytes] = slots.map(|field| block.layout().slot(field));
    let mut row = block.row();
    record.client.iter().for_each(|text| row.made(client, text.as_bytes()));
    record.class.iter().for_each(|word| row.label(class, Label::of(word)));
    record.status.iter().for_each(|number| row.number(status, *number));
    record.bytes.iter().for_each(|number| row.number(bytes, *number));
    row.keep(0, 0);
}

fn finished(top: &Top, counted: (Dictionaries, State), limit: usize) -> Vec<Section> {
    let options = Options { limit, ..Options::default() };
    let closing = Closing {
        dictionaries: &counted.0,
        options: &options,
        records: 0,
        period: None,
        family: Family::Web,
    };
    Report::finish(top, counted.1, &closing)
}

fn rows(sections: &[Section]) -> &[Vec<Cell>] {
    let Body::Table(table) = &sections[0].body else { panic!("the first section is the table") };
    &table.rows
}

fn record(client: &str, status: i64, bytes: i64) -> Plain {
    Plain {
        client: Some(client.to_owned()),
        class: Some("ok"),
        status: Some(status),
        bytes: Some(bytes),
    }
}

fn absent() -> Plain {
    Plain { client: None, class: None, status: None, bytes: None }
}

#[test]
fn the_most_frequent_with_ties_by_key() {
    let records: Vec<Plain> =
        ["b", "c", "a", "c", "b", "d"].map(|client| record(client, 200, 1)).into();
    let top = top("client", "count");
    let all = counted(&top, &records, usize::MAX);
    let sections = finished(&top, all, 3);
    let row = |key: &str, count| vec![Cell::text(key), Cell::Count(count), Cell::share(count, 6)];
    assert_eq!(rows(&sections), [row("b", 2), row("c", 2), row("a", 1)]);
    let Body::Table(table) = &sections[0].body else { unreachable!() };
    assert_eq!(table.total_rows, 4);
    assert_eq!(table.columns[1].label, "requests");
    assert_eq!(sections[1].fact("records"), Some(&Cell::Count(6)));
    assert_eq!(sections[1].fact("distinct"), Some(&Cell::Count(4)));
}

#[test]
fn sums_shares_and_what_is_absent() {
    let records = [record("a", 200, 10), record("a", 404, 30), record("b", 200, 60), absent()];
    let top = top("status,client/24", "bytes");
    let all = counted(&top, &records, usize::MAX);
    let sections = finished(&top, all, 0);
    let row = |status, client: &str, bytes, count| {
        vec![
            Cell::Number(status),
            Cell::text(client),
            Cell::Bytes(bytes),
            Cell::share(bytes, 100),
            Cell::Count(count),
        ]
    };
    let nothing = vec![Cell::Empty, Cell::Empty, Cell::Bytes(0), Cell::Share(0.0), Cell::Count(1)];
    assert_eq!(
        rows(&sections),
        [row(200, "b", 60, 1), row(404, "a", 30, 1), row(200, "a", 10, 1), nothing]
    );
    assert_eq!(sections[1].fact("bytes"), Some(&Cell::Bytes(100)));
}

#[test]
fn views_join_rows() {
    let clients = ["192.0.2.1", "192.0.2.2", "198.51.100.1", "unix:"];
    let records = clients.map(|client| record(client, 503, 1));
    let top = top("client/24,status/100", "count");
    let sections = finished(&top, counted(&top, &records, usize::MAX), 1);
    let first =
        vec![Cell::text("192.0.2.0/24"), Cell::Number(500), Cell::Count(2), Cell::Share(0.5)];
    assert_eq!(rows(&sections), [first]);
    let Body::Table(table) = &sections[0].body else { unreachable!() };
    assert_eq!(table.total_rows, 3);
}

#[test]
fn a_full_table_is_said() {
    let records: Vec<Plain> = (0..2000).map(|n| record(&format!("client {n}"), n, 1)).collect();
    for keys in ["client", "client,status"] {
        let top = top(keys, "count");
        let sections = finished(&top, counted(&top, &records, 1 << 14), 0);
        let shown = rows(&sections).len() as u64;
        assert!(shown > 0 && shown < 2000);
        let text = &sections[0].notes[0].text;
        assert!(
            text.starts_with(&format!("{} records had keys", units::count(2000 - shown))),
            "{text}"
        );
        assert_eq!(sections[1].fact("records"), Some(&Cell::Count(2000)));
    }
}

#[test]
fn wrong_ones_are_refused() {
    for (keys, by, said) in [
        ("", "count", "nothing to count by"),
        ("client, client", "count", "'client' is there twice"),
        ("clinet", "count", "there is no field 'clinet'"),
        ("client", "class", "'class' is label and cannot be summed"),
        ("client", "size", "there is no field 'size'"),
    ] {
        assert_eq!(Top::parse(keys, by, supplied()).unwrap_err().to_string(), said);
    }
    assert_eq!(Report::name(&top("client, status", "bytes")), "top client,status by bytes");
}

#[test]
fn holds_the_law_of_merging() {
    let supplied = Field::all_known().collect();
    let options = Options { limit: 20, group_paths: true, ..Options::default() };
    let records = testing::requests(3_000, 7);
    for (keys, by) in [
        ("client", "count"),
        ("path", "bytes"),
        ("status", "count"),
        ("time/minute,client/16", "count"),
        ("path/1,status/100,referer.host", "duration"),
    ] {
        let top = Top::parse(keys, by, supplied).unwrap();
        testing::check_merging(&top, Family::Web, &options, &records);
        let sections = testing::sections(&top, Family::Web, &options, &records);
        sections.iter().for_each(testing::check_form);
    }
}

const KEYS: &[&str] =
    &["client", "status", "class", "client,status", "class,client", "status,class,client,bytes"];

/// By key as it is shown: count and sum of bytes.
fn expected(keys: &str, records: &[Plain]) -> BTreeMap<String, (u64, i64)> {
    let mut expected: BTreeMap<String, (u64, i64)> = BTreeMap::new();
    for record in records {
        let value = |key: &str| match key {
            "client" => record.client.as_ref().map(Cell::text),
            "class" => record.class.map(Cell::text),
            "status" => record.status.map(Cell::Number),
            _ => record.bytes.map(|bytes| Cell::Bytes(bytes as u64)),
        };
        let cells: Vec<Cell> =
            keys.split(',').map(|key| value(key).unwrap_or(Cell::Empty)).collect();
        let entry = expected.entry(format!("{cells:?}")).or_default();
        entry.0 += 1;
        entry.1 += record.bytes.unwrap_or(0);
    }
    expected
}

fn found(width: usize, rows: &[Vec<Cell>]) -> BTreeMap<String, (u64, i64)> {
    let pairs = rows.iter().map(|row| {
        let (Cell::Bytes(sum), Cell::Count(count)) = (&row[width], &row[width + 2]) else {
            panic!("sum, share, count")
        };
        (format!("{:?}", &row[..width]), (*count, *sum as i64))
    });
    pairs.collect()
}

fn any_record() -> impl Strategy<Value = Plain> {
    let client = prop::option::of("[ab]{0,3}");
    let class = prop::option::of(prop::sample::select(&["ok", "warn", "error"][..]));
    let status = prop::option::of(prop::sample::select(&[0_i64, 200, 404, 5000, -1][..]));
    let bytes = prop::option::of(0_i64..3);
    (client, class, status, bytes).prop_map(|(client, class, status, bytes)| Plain {
        client,
        class,
        status,
        bytes,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn counts_as_a_plain_map_does(
        records in prop::collection::vec(any_record(), 0..700),
        cut in 0_usize..700,
        keys in prop::sample::select(KEYS),
    ) {
        let top = top(keys, "bytes");
        let (left, right) = records.split_at(cut.min(records.len()));
        let expected = expected(keys, &records);
        for (first, second) in [(left, right), (right, left)] {
            let (mut dictionaries, state) = counted(&top, first, usize::MAX);
            let (others, other) = counted(&top, second, usize::MAX);
            let mut state: crate::report::AnyState = Box::new(state);
            // The second part as if it came from a file.
            let other: crate::report::AnyState = Box::new(other);
            let other = top.load(&top.save(&other).unwrap()).unwrap();
            let renumberings = dictionaries.absorb(&others).unwrap();
            AnyReport::merge(&top, &mut state, other, &renumberings);
            let state = *state.downcast::<State>().unwrap();
            let sections = finished(&top, (dictionaries, state), 0);
            prop_assert_eq!(found(top.keys().len(), rows(&sections)), expected.clone());
            let sums: Vec<&Cell> = rows(&sections).iter().map(|row| &row[top.keys().len()]).collect();
            let sorted = sums.is_sorted_by(|a, b| match (a, b) {
                (Cell::Bytes(a), Cell::Bytes(b)) => a >= b,
                _ => false,
            });
            prop_assert!(sorted);
        }
    }
}
