//! Reads texts with a format, for the tests of formats: every field of every record as words.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{Format, Room};
use crate::ledger::{Account, Reason};
use crate::record::time::Clock;
use crate::record::{Block, Datum, Field, Fields, Layout, Origin};

/// A record: the fields that it has, in the order of their numbers.
pub(crate) type Words = Vec<(Field, String)>;

/// Reads a text for these fields. Stamps without zone are UTC; those without a year belong to 2024. The account must
/// balance.
pub(crate) fn read(format: &dyn Format, text: &[u8], fields: Fields) -> (Vec<Words>, Account) {
    const END_OF_2024: i64 = 1_735_603_200_000_000;
    let layout = Layout::new(fields, Fields::NONE);
    let mut parser = format.parser(&layout, Clock::new(chrono_tz::UTC, END_OF_2024));
    let (mut records, mut account) = (Vec::new(), Account::default());
    let mut sink = |block: &mut Block, account: &mut Account| {
        account.counted.records += block.accounted();
        account.counted.bytes += block.bytes();
        let seen = block.records(text);
        for row in 0..seen.len() {
            let values = fields.iter().filter_map(|field| Some((field, seen.get(field, row)?)));
            records.push(values.map(|(field, datum)| (field, word(datum))).collect());
        }
    };
    parser.scan(text, Origin::default(), &mut Room::new(layout), &mut account, &mut sink);
    assert!(account.balances(), "{account:?}");
    (records, account)
}

fn word(datum: Datum<'_>) -> String {
    match datum {
        Datum::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Datum::Label(label) => label.word().to_owned(),
        Datum::Number(number) => number.to_string(),
    }
}

/// Reads one record and checks these fields; `<absent>` is for those that it must not have.
pub(crate) fn check(format: &dyn Format, text: &str, expected: &[(Field, &str)]) {
    let (records, account) = read(format, text.as_bytes(), format.fields());
    assert_eq!(records.len(), 1, "{text}: {account:?}");
    for (field, value) in expected {
        let found = records[0].iter().find(|(known, _)| known == field);
        assert_eq!(found.map_or("<absent>", |(_, value)| value), *value, "{field} of {text}");
    }
}

/// Why a text is not a record.
pub(crate) fn refusal(format: &dyn Format, text: &str) -> Option<Reason> {
    let (_, account) = read(format, text.as_bytes(), format.fields());
    account.reasons().next().map(|(reason, _)| reason)
}

/// Checks that wanting only `fields` changes neither what is accepted nor what these fields hold.
pub(crate) fn check_wanting_less(format: &dyn Format, text: &[u8], fields: Fields) {
    let (all, account) = read(format, text, format.fields());
    let (some, other) = read(format, text, fields);
    assert_eq!(account, other);
    assert_eq!(all.len(), some.len());
    for (all, some) in all.iter().zip(&some) {
        let expected: Vec<_> = all.iter().filter(|(field, _)| fields.has(*field)).collect();
        assert_eq!(expected, some.iter().collect::<Vec<_>>());
    }
}

/// The law that every format keeps whatever its log went through: bytes of a sample are replaced, and its end is cut off,
/// and no parser panics, every account balances, and wanting only some of the fields changes nothing in those.
pub(crate) fn check_damaged(format: &dyn Format, sample: &[u8]) {
    /// What delimits the parts of lines, and what no line should hold.
    const TELLING: &[u8] = b" /\"'`\\,;{}[]():-+=\n\r\t#~<>@0x\0\xff";
    let fields: Vec<Field> = format.fields().iter().collect();
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(TELLING)];
    let changes = proptest::collection::vec((0..sample.len(), byte), 0..24);
    let wanted = proptest::collection::vec(proptest::sample::select(fields), 0..4);
    let left = prop_oneof![Just(sample.len()), 0..=sample.len()];
    let check = |(changes, wanted, left): (Vec<(usize, u8)>, Vec<Field>, usize)| {
        let mut text = sample.to_vec();
        changes.into_iter().for_each(|(at, byte)| text[at] = byte);
        text.truncate(left);
        let fitted = format.fitted(&text);
        check_wanting_less(fitted.as_deref().unwrap_or(format), &text, Fields::of(&wanted));
        Ok(())
    };
    let mut runner = TestRunner::new(ProptestConfig { cases: 128, ..ProptestConfig::default() });
    if let Err(why) = runner.run(&(changes, wanted, left), check) {
        panic!("{}: {why}", format.name());
    }
}
