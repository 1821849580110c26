//! Reads texts with a format, for the tests of formats: every field of every record as words.

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
