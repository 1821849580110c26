//! The traps of slow logs, one by one.

use super::*;
use crate::format::testing::{self, check, check_wanting_less, read, refusal};

const HEAD: &str = "# Time: 2024-03-07T08:15:02.418123Z\n# User@Host: app[app] @  [192.0.2.7]  Id:    42\n# Query_time: 1.500000  Lock_time: 0.000100 Rows_sent: 1  Rows_examined: 9\nSET timestamp=1709799302;\n";

fn usual() -> MysqlSlow {
    MysqlSlow::usual()
}

fn fitted(text: &str) -> Arc<dyn Format> {
    usual().fitted(text.as_bytes()).expect("it is a slow log")
}

/// The values of a field, record by record.
fn values(text: &str, field: &str) -> Vec<String> {
    let format = fitted(text);
    let field = Field::named(field).expect("the field is known");
    let (records, _) = read(&*format, text.as_bytes(), format.fields());
    let value = |record: &crate::format::testing::Words| {
        let found = record.iter().find(|(known, _)| *known == field);
        found.map_or("-".to_owned(), |(_, value)| value.clone())
    };
    records.iter().map(value).collect()
}

#[test]
fn iso_times_keep_their_zone_and_their_figures() {
    let text = HEAD.replace("08:15:02.418123Z", "09:15:02.418123+01:00") + "SELECT 1;\n";
    check(&usual(), &text, &[(Field::TIME, "1709799302418123"), (Field::DURATION, "1500000")]);
}

#[test]
fn query_time_is_not_lessened_by_lock_time() {
    check(
        &usual(),
        &format!("{HEAD}SELECT 1;\n"),
        &[(Field::DURATION, "1500000"), (Field::LOCK_TIME, "100")],
    );
}

#[test]
fn engine_lines_and_plans_are_no_part_of_the_statement() {
    let lines = "# Pages_accessed: 10  Pages_read: 0\n# Pages_read_time: 0.5000  Engine_time: 0.3656\n#\n# explain: id\tselect_type\n# explain: 1\tSIMPLE\n#\nSET timestamp";
    let text = format!("{}SELECT 1;\n{HEAD}SELECT 2;\n", HEAD.replace("SET timestamp", lines));
    assert_eq!(values(&text, "fingerprint"), ["select ?", "select ?"]);
    assert_eq!(values(&text, "engine_time"), ["365", "-"]);
    assert_eq!(values(&text, "pages_accessed"), ["10", "-"]);
}

#[test]
fn doubled_quotes_are_grouped_with_others_and_names_keep_their_numbers() {
    let text = format!(
        "{HEAD}UPDATE t SET a='it''s';\n{HEAD}UPDATE t SET a='x';\n{HEAD}UPDATE t_2009 SET a='x';\n"
    );
    let one = "update t set a = ?";
    assert_eq!(values(&text, "fingerprint"), [one, one, "update t_2009 set a = ?"]);
}

#[test]
fn the_time_is_carried_on_where_it_is_not_written_and_forgotten_at_a_banner() {
    let head = "# User@Host: a[a] @ localhost []\n# Query_time: 2  Lock_time: 0  Rows_sent: 1  Rows_examined: 9\n";
    let banner = "/usr/sbin/mysqld, Version: 5.0.96 (x). started with:\nTcp port: 3306  Unix socket: /x\nTime   Id Command    Argument\n";
    let text = format!(
        "# Time: 070301  9:15:02\n{head}SELECT 1;\n{head}SELECT 2;\n{banner}{head}SELECT 3;\n"
    );
    assert_eq!(values(&text, "time"), ["1172740502000000", "1172740502000000", "-"]);
}

#[test]
fn a_stamp_without_zone_yields_to_set_timestamp() {
    // The server stood in another zone than the reader takes it to.
    let text = "# Time: 240307 10:15:02\n# User@Host: a[a] @ localhost []\n# Query_time: 0.1  Lock_time: 0.0  Rows_sent: 1  Rows_examined: 9\nSET timestamp=1709799302;\nSELECT 1;\n";
    check(&usual(), text, &[(Field::TIME, "1709799302000000")]);
    // The session had set the clock to another year.
    let other = text.replace("1709799302", "1000000000");
    check(&usual(), &other, &[(Field::TIME, "1709806502000000")]);
}

#[test]
fn mysql_stamps_the_end_and_mariadb_the_start() {
    let text = format!("{HEAD}SELECT 1;\n");
    assert_eq!(values(&text, "started"), ["1709799300918123"]);
    let text = "# User@Host: a[a] @ localhost []\n# Thread_id: 8  Schema: shop  QC_hit: No\n# Query_time: 2.5  Lock_time: 0.0  Rows_sent: 1  Rows_examined: 0\n# Rows_affected: 0  Bytes_sent: 6\nSET timestamp=1709799302;\nSELECT 1;\n";
    assert_eq!(values(text, "started"), ["1709799302000000"]);
}

#[test]
fn the_database_is_carried_on_and_schema_holds_over_it() {
    let used = HEAD.replace("SET ", "use `odd ``db`;\nSET ");
    let schema =
        HEAD.replace("# Query_time", "# Schema: shop  Last_errno: 0  Killed: 0\n# Query_time");
    let empty = HEAD.replace("# Query_time", "# Schema:   Last_errno: 0  Killed: 0\n# Query_time");
    let text = format!(
        "{HEAD}SELECT 0;\n{used}SELECT 1;\n{HEAD}SELECT 2;\n{schema}SELECT 3;\n{empty}SELECT 4;\n"
    );
    assert_eq!(values(&text, "database"), ["-", "odd `db", "odd `db", "shop", "-"]);
}

#[test]
fn statements_that_look_like_marks_of_the_server() {
    for statement in
        ["USE shop", "use shop", "Set @a = 1", "SET timestamp=5", "# a comment\nSELECT 1"]
    {
        check(&usual(), &format!("{HEAD}{statement};\n"), &[(Field::STATEMENT, statement)]);
    }
}

#[test]
fn the_last_statement_may_lack_its_end() {
    check(&usual(), &format!("{HEAD}SELECT 'no end'"), &[(Field::STATEMENT, "SELECT 'no end'")]);
    check(&usual(), &format!("{HEAD}SELECT 'not closed"), &[(Field::FINGERPRINT, "select ?")]);
    check(&usual(), &format!("{HEAD}SELECT 1;;\n"), &[(Field::STATEMENT, "SELECT 1;")]);
}

#[test]
fn numbers_that_wrapped_around_are_absent() {
    for absurd in ["18446744073709.551", "1.000002.000003", "-1.5"] {
        let text = HEAD.replace("1.500000", absurd) + "SELECT 1;\n";
        check(&usual(), &text, &[(Field::DURATION, "<absent>"), (Field::ROWS_EXAMINED, "9")]);
    }
}

#[test]
fn throttle_entries_have_no_duration() {
    let text = format!("{HEAD}throttle:        123 'index not used' warning(s) suppressed.;\n");
    check(&usual(), &text, &[(Field::KIND, "throttle"), (Field::DURATION, "<absent>")]);
}

#[test]
fn commands_of_administrators() {
    let text = format!("{HEAD}# administrator command: Close stmt;\n");
    let name = "administrator command: Close stmt";
    check(
        &usual(),
        &text.replace("1.500000", "0.1"),
        &[(Field::FINGERPRINT, name), (Field::KIND, "command")],
    );
}

#[test]
fn errors_and_kills() {
    for (extra, kind) in
        [("Errno: 1205 Killed: 0", "query_error"), ("Errno: 0 Killed: 1317", "killed")]
    {
        let text =
            HEAD.replace("Rows_examined: 9", &format!("Rows_examined: 9 Thread_id: 8 {extra}"));
        check(&usual(), &(text + "SELECT 1;\n"), &[(Field::KIND, kind), (Field::CLASS, "error")]);
    }
}

#[test]
fn accounts_with_blanks_and_signs() {
    for (account, user, host, client) in [
        ("app[jo smith] @  [192.0.2.7]", "jo smith", "<absent>", "192.0.2.7"),
        (
            "skip-grants user[x@y] @ h.example [2001:db8::7]  Id: 7",
            "x@y",
            "h.example",
            "2001:db8::7",
        ),
        ("[SQL_SLAVE] @  []", "SQL_SLAVE", "<absent>", "<absent>"),
        ("root[] @ localhost []", "root", "localhost", "<absent>"),
        ("a[x] @ y] @ h [192.0.2.1]", "x] @ y", "h", "192.0.2.1"),
        ("rep[rep] @ [192.0.2.8]  Id:    12", "rep", "<absent>", "192.0.2.8"),
    ] {
        let text = HEAD.replace("app[app] @  [192.0.2.7]  Id:    42", account) + "SELECT 1;\n";
        check(
            &usual(),
            &text,
            &[(Field::USER, user), (Field::HOST, host), (Field::CLIENT, client)],
        );
    }
}

#[test]
fn unknown_attributes_become_fields() {
    let text =
        HEAD.replace("SET ", "# New_key: 7  Other_wait: 0.25  Why: because\nSET ") + "SELECT 1;\n";
    assert_eq!(values(&text, "new_key"), ["7"]);
    assert_eq!(values(&text, "other_wait"), ["250000"]);
    assert_eq!(values(&text, "why"), ["because"]);
}

#[test]
fn what_is_no_slow_log_is_refused() {
    assert_eq!(
        refusal(&usual(), "2024-03-07T08:15:02.418123Z\t   42 Query\tSELECT 1"),
        Some(Reason::Orphan)
    );
    let banner =
        "/usr/sbin/mysqld, Version: 8.0.40 (x). started with:\nTcp port: 3306\nTime   Id\n";
    assert_eq!(refusal(&usual(), banner), Some(Reason::Banner));
    assert_eq!(refusal(&usual(), "# Time: 240307  9:15:02\n"), Some(Reason::Truncated));
}

#[test]
fn wanting_fewer_fields_changes_nothing() {
    let text = include_bytes!("../../../fixtures/mysql/slow_full.log");
    let format = usual().fitted(text).expect("it is a slow log");
    for field in format.fields().iter() {
        check_wanting_less(&*format, text, Fields::of(&[field]));
    }
}

#[test]
fn windows_line_ends() {
    let text = format!("{HEAD}SELECT 1;\n{HEAD}SELECT 2;\n").replace('\n', "\r\n");
    assert_eq!(values(&text, "statement"), ["SELECT 1", "SELECT 2"]);
    assert_eq!(values(&text, "user"), ["app", "app"]);
}

#[test]
fn damage_never_panics_and_wanting_less_changes_nothing() {
    let text = [
        &include_bytes!("../../../fixtures/mysql/slow_plain.log")[..],
        include_bytes!("../../../fixtures/mysql/slow_percona.grammar.log"),
    ];
    testing::check_damaged(&usual(), &text.concat());
}

/// MariaDB with `log_slow_verbosity = warnings` quotes values as a client sent them, line ends and all, up to 80
/// characters of each.
#[test]
fn what_warnings_quote_is_no_header() {
    const ROOM: &str = "# User@Host: app[app] @  [192.0.2.7]\n# Thread_id: 7  Schema: s  QC_hit: No\n# Query_time: 0.000016  Lock_time: 0.000000  Rows_sent: 1  Rows_examined: 0\n# Warnings\n";
    let mut text = String::new();
    for said in [
        "value: 'x  Query_time: 99.000000  Lock_time: 9.000000'",
        "value: 'x\n# Query_time: 99.000000  Lock_time: 9.000000  Rows_sent: 7'",
        "value: 'x\n# Time: 260101  0:00:00\n# User@Host: e[e] @ y [192.0.2.66]\n# Query_time: 99.0...'",
        "value: 'x\nSET timestamp=5;\nDROP TABLE t;'",
        "value: 'a\n\nb' for column `s`.`c`.`a` at row 1\n# Warning 1265 Data truncated for column 'b' at row 1",
        "table 's.t' doesn't exist\n# Note 1051 that is 'it'",
        "table 's.t' doesn't exist",
    ] {
        text += &format!(
            "{ROOM}# Warning 1292 {said}\nuse `s`;\nSET timestamp=1796101323;\nSELECT '{said}';\n"
        );
    }
    assert_eq!(values(&text, "duration"), ["16"; 7]);
    assert_eq!(values(&text, "user"), ["app"; 7]);
    assert_eq!(values(&text, "started"), ["1796101323000000"; 7]);
    assert_eq!(values(&text, "database"), ["s"; 7]);
    assert!(values(&text, "statement").iter().all(|statement| statement.starts_with("SELECT '")));
    assert!(!fitted(&text).fields().iter().any(|field| field.name() == "value"));
}

/// A log that ends within warnings, or goes on with another record there.
#[test]
fn warnings_that_are_cut_take_no_other_record_along() {
    let head = &HEAD[..HEAD.find("SET").unwrap()];
    let text = format!(
        "{head}# Warnings\n# Warning 1292 no 'end'\n{HEAD}SELECT 1;\n{head}# Warnings\n# Note 1 x"
    );
    assert_eq!(values(&text, "statement").iter().filter(|text| *text == "SELECT 1").count(), 1);
}

#[test]
fn an_event_has_no_client() {
    let text = HEAD.replace("app[app] @  [192.0.2.7]", "root[root] @ % [%]") + "SELECT 1;\n";
    let expected = [(Field::USER, "root"), (Field::HOST, "%"), (Field::CLIENT, "<absent>")];
    check(&usual(), &text, &expected);
}
