//! The traps of the table of slow statements.

use super::*;
use crate::format::testing::{self, check, check_wanting_less, read, refusal};

const ROW: &str = r#""2024-03-07 08:15:02.418123","app[app] @  [192.0.2.7]","00:00:01.500000","00:00:00.000100",1,9,"shop",0,0,1,"SELECT 1",42"#;

const QUOTED: MysqlSlowTable = MysqlSlowTable { has_tabs: false };

fn with(statement: &str) -> String {
    ROW.replace("SELECT 1", statement)
}

#[test]
fn mysql_stamps_the_end_and_mariadb_the_start() {
    let started = started().unwrap();
    let usual = [(Field::TIME, "1709799302418123"), (Field::THREAD_ID, "42")];
    check(&QUOTED, ROW, &usual);
    check(&QUOTED, ROW, &[(started, "1709799300918123")]);
    let mariadb = format!("{ROW},7\n");
    check(&QUOTED, &mariadb, &[(started, "1709799302418123"), (Field::ROWS_AFFECTED, "7")]);
}

#[test]
fn rows_of_5_1_have_no_thread_and_whole_seconds() {
    let old = r#""2009-03-07 08:15:02","root[root] @ localhost []","00:01:02","00:00:00",1,9,"",0,0,1,"SELECT 1""#;
    let expected = [
        (Field::DURATION, "62000000"),
        (Field::THREAD_ID, "<absent>"),
        (Field::DATABASE, "<absent>"),
        (Field::CLIENT, "<absent>"),
    ];
    check(&QUOTED, old, &expected);
}

#[test]
fn escapes_of_the_engine_and_of_exports_are_taken_off() {
    for (written, meant) in [
        (r"a\nb", "a\nb"),
        ("a\\\nb", "a\nb"),
        ("a\nb", "a\nb"),
        (r#"\"a\" \\"#, "\"a\" \\"),
        (r#"""a"" "#, "\"a\""),
    ] {
        check(&QUOTED, &with(written), &[(Field::STATEMENT, meant)]);
    }
}

#[test]
fn a_row_within_a_statement_is_no_record() {
    for quote in ["\\\"", "\"\""] {
        let forged = ROW.replace("app", "forged").replace('"', quote);
        let text = format!("{}\n{ROW}\n", with(&format!("SELECT '\n{forged}\n'")));
        let (records, _) = read(&QUOTED, text.as_bytes(), QUOTED.fields());
        assert_eq!(records.len(), 2, "{text}");
        assert!(records.iter().all(|record| record.contains(&(Field::USER, "app".into()))));
    }
}

/// The line would be a row of a log with tabs.
#[test]
fn tabs_within_a_statement_open_no_row_of_a_log_with_quotes() {
    let forged = "2024-03-07 08:15:02\tevil[evil] @ x []\t00:00:01\t00:00:00\t1\t1\tx\t0\t0\t1\tx";
    let text = format!("{}\n", with(&format!("SELECT '\n{forged}\n'")));
    let fitted = QUOTED.fitted(text.as_bytes()).expect("it is a table");
    check(&*fitted, &text, &[(Field::USER, "app"), (Field::THREAD_ID, "42")]);
    let fitted = QUOTED.fitted(forged.as_bytes()).expect("it is a table");
    check(&*fitted, forged, &[(Field::USER, "evil"), (Field::DURATION, "1000000")]);
}

#[test]
fn a_text_that_is_not_closed_ends_at_the_next_row() {
    let text = format!("{}\n{ROW}\n", &ROW[..ROW.len() - 6]);
    let (records, account) = read(&QUOTED, text.as_bytes(), QUOTED.fields());
    assert_eq!(records.len(), 1);
    assert_eq!(account.reasons().next().unwrap().0, Reason::Truncated);
}

#[test]
fn throttle_entries_have_no_duration_and_commands_their_names() {
    let throttle = with("throttle:        123 'index not used' warning(s) suppressed.");
    let expected = [(Field::KIND, "throttle"), (Field::DURATION, "<absent>")];
    check(&QUOTED, &throttle, &expected);
    let command = with("Close stmt").replace("01.500000", "00.100000");
    let name = "administrator command: Close stmt";
    let expected = [(Field::KIND, "command"), (Field::FINGERPRINT, name)];
    check(&QUOTED, &command, &expected);
}

#[test]
fn a_head_is_a_banner_and_other_tables_are_refused() {
    let head = "start_time\tuser_host\tquery_time\n";
    assert_eq!(refusal(&QUOTED, head), Some(Reason::Banner));
    assert_eq!(refusal(&QUOTED, "\"start_time\",\"user_host\"\n"), Some(Reason::Banner));
    let general = r#""2024-03-07 08:15:02.418123","a[a] @ localhost []",5,1,"Query","SELECT 1""#;
    assert_eq!(refusal(&QUOTED, general), Some(Reason::Truncated));
    let odd = ROW.replace("00:00:01.500000", "1.5");
    assert_eq!(refusal(&QUOTED, &odd), Some(Reason::Malformed));
    assert_eq!(refusal(&QUOTED, "rest of a statement"), Some(Reason::Orphan));
    assert_eq!(refusal(&QUOTED, &ROW.replace("03-07", "13-07")), Some(Reason::BadTime));
}

#[test]
fn wanting_fewer_fields_changes_nothing() {
    let text = include_bytes!("../../../../fixtures/mysql/slow_log_outfile.csv");
    for field in QUOTED.fields().iter() {
        check_wanting_less(&QUOTED, text, Fields::of(&[field]));
    }
}

#[test]
fn damage_never_panics_and_wanting_less_changes_nothing() {
    let quoted = &include_bytes!("../../../../fixtures/mysql/slow_log_outfile.csv")[..];
    testing::check_damaged(&QUOTED, quoted);
    let tabs = include_bytes!("../../../../fixtures/mysql/slow_log.tsv");
    testing::check_damaged(&MysqlSlowTable { has_tabs: true }, &[&tabs[..], quoted].concat());
}

#[test]
fn a_stamp_is_one_by_all_its_bytes() {
    assert_eq!(end_of_stamp(b"2026-11-30 17:30:59.181736\""), Some(26));
    assert_eq!(end_of_stamp(b"2026-11-30 17:30:59\t"), Some(19));
    let stamp = b"2026-11-30 17:30:59";
    for at in 0..stamp.len() {
        for byte in [b'/', b';', b'x', 0, 0xB5] {
            let mut other = *stamp;
            other[at] = byte;
            assert_eq!(end_of_stamp(&other), None, "{}", other.escape_ascii());
        }
    }
}

#[test]
fn durations_with_many_hours_or_few() {
    for (text, micros) in [
        ("00:00:00.365116", Some(365_116)),
        ("00:01:02", Some(62_000_000)),
        ("838:59:59", Some(3_020_399_000_000)),
        ("840:00:00", None),
        ("00:60:00", None),
        ("00:00", None),
        ("00-00-00", None),
        ("1:2:3", None),
        ("", None),
    ] {
        assert_eq!(duration_of(text.as_bytes()), micros, "{text}");
    }
}
