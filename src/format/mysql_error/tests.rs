use super::*;
use crate::format::testing::{self, check, check_wanting_less, read, refusal};
use crate::record::{Field, Fields};

#[test]
fn a_crash_report_and_a_dump_are_one_record_each() {
    let text = "240307  9:15:08 [ERROR] mysqld got signal 11 ;\nkey_buffer_size=1\n\nQuery (7f): SELECT 1\n08:15:02 UTC - mysqld got signal 6 ;\nstack\n2024-03-07  9:15:09 12 [Note] InnoDB: \n*** (1) TRANSACTION:\n\nTRANSACTION 72\n";
    let (records, account) = read(&MysqlError, text.as_bytes(), Fields::of(&[Field::KIND]));
    let kinds: Vec<&str> = records.iter().map(|record| &*record[0].1).collect();
    assert_eq!(kinds, ["crash", "crash", "deadlock_dump"]);
    assert_eq!(account.rejected().records, 0);
}

#[test]
fn the_general_log_is_not_taken_for_an_error_log() {
    assert_eq!(
        refusal(&MysqlError, "2024-03-07T08:15:02.418123Z\t   42 Query\tSELECT 1"),
        Some(Reason::Orphan)
    );
    assert_eq!(
        refusal(&MysqlError, "240307  9:15:02\t   42 Query\tSELECT 1"),
        Some(Reason::Orphan)
    );
}

#[test]
fn behind_a_syslog_envelope() {
    check(
        &MysqlError,
        "Mar  7 09:15:02 db1 mysqld[814]: 2024-03-07T08:15:02.418123Z 8 [Note] [MY-010926] [Server] Access denied for user 'a'@'b' (using password: YES)",
        &[
            (Field::LOGHOST, "db1"),
            (Field::PROGRAM, "mysqld"),
            (Field::USER, "a"),
            (Field::THREAD_ID, "8"),
            (Field::TIME, "1709799302418123"),
        ],
    );
    check(
        &MysqlError,
        "Mar  7 09:15:02 db1 mariadbd[814]: [Warning] Too many connections",
        &[
            (Field::KIND, "too_many_connections"),
            (Field::LEVEL, "Warning"),
            (Field::CLASS, "error"),
        ],
    );
    let other = "Mar  7 09:15:02 db1 cron[1]: x";
    assert_eq!(refusal(&MysqlError, other), Some(Reason::OtherProgram));
}

#[test]
fn the_json_sink() {
    check(
        &MysqlError,
        r#"{ "prio" : 3, "err_code" : 10926, "msg" : "Access denied for user 'a\"b'@'h' (using password: NO)", "time" : "2024-03-07T08:15:08.000006Z", "thread": 9, "subsystem" : "Server" }"#,
        &[
            (Field::USER, "a\"b"),
            (Field::HOST, "h"),
            (Field::CODE, "MY-010926"),
            (Field::LEVEL, "Note"),
            (Field::THREAD_ID, "9"),
            (Field::MODULE, "Server"),
        ],
    );
    let broken = r#"{ "prio" : 3, "err_code" : 10926, "msg" : "cut"#;
    assert_eq!(refusal(&MysqlError, broken), Some(Reason::Malformed));
}

#[test]
fn wanting_fewer_fields_changes_nothing() {
    let text = include_bytes!("../../../fixtures/mysql/error.log");
    for field in FIELDS {
        check_wanting_less(&MysqlError, text, Fields::of(&[*field]));
    }
}

#[test]
fn impossible_times_are_refused() {
    assert_eq!(refusal(&MysqlError, "2024-02-30 09:15:05 4711 [Warning] x"), Some(Reason::BadTime));
}

#[test]
fn damage_never_panics_and_wanting_less_changes_nothing() {
    let text = [
        &include_bytes!("../../../fixtures/mysql/error.log")[..],
        include_bytes!("../../../fixtures/mysql/error_mysql80.grammar.log"),
    ];
    testing::check_damaged(&MysqlError, &text.concat());
}

/// `mariadbd` under systemd: the journal puts an envelope before every line of a message, and a log with a dump or two was
/// not recognised.
#[test]
fn messages_of_many_lines_behind_envelopes() {
    let lines = [
        "2024-03-07  9:15:02 8 [Note] InnoDB: Transactions deadlock detected, dumping detailed information.",
        "2024-03-07  9:15:02 8 [Note] InnoDB: ",
        "*** (1) TRANSACTION:",
        "TRANSACTION 41, ACTIVE 0 sec starting index read",
        " 0: len 4; hex 80000001; asc     ;;",
        "2024-03-07  9:15:03 0 [Note] /usr/sbin/mariadbd: ready for connections.",
        "Version: '10.11.6-MariaDB'  socket: '/run/mysqld/mysqld.sock'  port: 3306",
    ];
    let fields = Fields::of(&[Field::KIND]);
    for envelope in [
        "Mar  7 09:15:02 db1 mariadbd[814]: ",
        "2024-03-07T08:15:02.418123456Z stderr F ",
        "db-1  | ",
    ] {
        let log: String = lines.iter().map(|line| format!("{envelope}{line}\n")).collect();
        assert!(certain_lines(log.as_bytes(), |line| is_certain(line)) > 0, "{envelope}");
        let (records, account) = read(&MysqlError, log.as_bytes(), fields);
        assert_eq!(records.len(), 3, "{envelope}");
        assert_eq!(account.rejected().records, 0, "{envelope}");
    }
}

/// One deadlock of MariaDB 10.11 with `innodb_print_all_deadlocks` was counted nine times, and in the words of MySQL 5.6 as other.
#[test]
fn a_deadlock_is_one_whatever_is_told_of_it() {
    for (message, kind, class) in [
        (
            "[Note] InnoDB: Transactions deadlock detected, dumping detailed information.",
            "deadlock",
            "warn",
        ),
        (
            "[Note] InnoDB: \n*** (1) TRANSACTION:\n\nTRANSACTION 28, ACTIVE 0 sec",
            "deadlock_dump",
            "ok",
        ),
        (
            "[Note] InnoDB: *** WAITING FOR THIS LOCK TO BE GRANTED:\n\nRECORD LOCKS",
            "deadlock_dump",
            "ok",
        ),
        ("[Note] InnoDB: *** CONFLICTING WITH:\n", "deadlock_dump", "ok"),
        ("[Note] InnoDB: *** WE ROLL BACK TRANSACTION (2)", "deadlock_dump", "ok"),
        ("[ERROR] InnoDB: Transaction was aborted due to Deadlock", "deadlock_victim", "warn"),
    ] {
        let text = format!("2026-11-30 22:02:17 8 {message}");
        check(&MysqlError, &text, &[(Field::KIND, kind), (Field::CLASS, class)]);
    }
    let old = "2014-01-01 12:00:00 7f41ffd6c0 InnoDB: transactions deadlock detected, dumping detailed information.";
    check(&MysqlError, old, &[(Field::KIND, "deadlock")]);
}

/// What `innodb_status_output` and the audit plugin write has heads of its own, and was taken for more of the message before it.
#[test]
fn the_monitor_and_the_audit_plugin_begin_records() {
    let log = "2026-11-30 22:02:20 15 [Note] Slave SQL thread initialized\n\
               \n=====================================\n\
               2026-11-30 22:02:32 0x7f7d41ffd6c0 INNODB MONITOR OUTPUT\n\
               =====================================\n\
               Per second averages calculated from the last 16 seconds\n\
               ------------------------\nLATEST DETECTED DEADLOCK\n------------------------\n\
               2026-11-30 22:02:18 0x7f7d41fa36c0\n*** (1) TRANSACTION:\n\
               END OF INNODB MONITOR OUTPUT\n============================\n\
               261130 22:02:43 server_audit: STOPPED\n\
               2026-11-30 22:02:43 0 [ERROR] Couldn't load plugins from 'nosuchplugin.so'.\n";
    let (records, account) = read(&MysqlError, log.as_bytes(), Fields::of(&[Field::KIND]));
    let kinds: Vec<&str> = records.iter().map(|record| &*record[0].1).collect();
    assert_eq!(account.rejected().records, 0);
    assert_eq!(kinds, ["replication", "monitor", "plugin", "plugin"]);
}
