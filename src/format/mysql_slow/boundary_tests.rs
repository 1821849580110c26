use proptest::prelude::*;

use super::*;
use crate::input::Start;

const HEAD: &str = "# Time: 2024-03-07T08:15:02.418123Z\n# User@Host: app[app] @  [192.0.2.7]  Id:    42\n# Query_time: 1.5  Lock_time: 0.1 Rows_sent: 1  Rows_examined: 9\nSET timestamp=1709799302;\n";
const HEAD_MARIADB: &str = "# User@Host: app[app] @  [192.0.2.7]\n# Thread_id: 8  Schema: shop  QC_hit: No\n# Query_time: 0.000026  Lock_time: 0.0  Rows_sent: 1  Rows_examined: 0\n# Rows_affected: 0  Bytes_sent: 608\nSET timestamp=1795428975;\n";
const HEAD_OLD: &str = "# Time: 070301  9:15:02\n# User@Host: root[root] @ localhost []\n# Query_time: 12  Lock_time: 0  Rows_sent: 1  Rows_examined: 9\n";
const HEAD_OLD_SAME_SECOND: &str = "# User@Host: root[root] @ localhost []\n# Query_time: 12  Lock_time: 0  Rows_sent: 1  Rows_examined: 9\n";

/// The starts that a reader finds who comes from the beginning.
fn starts_of(text: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (Vec::new(), 0);
    while at < text.len() {
        starts.push(at);
        let end = Record::at(text, at, None, &[]).end;
        assert!(end > at);
        at = end;
    }
    starts
}

/// How many records with a header a text has.
fn records(text: &str) -> usize {
    let text = text.as_bytes();
    let starts = starts_of(text);
    starts.iter().filter(|at| Record::at(text, **at, None, &[]).head.is_some()).count()
}

/// The places at which a thread that starts anywhere may cut.
fn cuts(text: &[u8]) -> Vec<usize> {
    let framing = Framing::Around(&AROUND);
    let (mut cuts, mut at) = (Vec::new(), 1);
    while let Start::At(start) = framing.first_start(text, at, true) {
        cuts.push(start);
        at = start + 1;
    }
    cuts
}

#[test]
fn a_header_forged_in_a_string_is_no_record() {
    for quote in ["'", "\"", "`"] {
        for head in [HEAD, HEAD_MARIADB] {
            let forged =
                format!("{head}SELECT {quote}a;\n{head}SELECT 1;\n{head}SELECT 2;\n{quote};\n");
            let text =
                format!("{head}SELECT 0;\n{forged}{head}SELECT 3;\n{forged}{head}SELECT 'x';\n");
            assert_eq!(records(&text), 5, "{quote}");
            let starts = starts_of(text.as_bytes());
            assert!(cuts(text.as_bytes()).iter().all(|cut| starts.contains(cut)));
            // A thread that starts within a string finds the record behind it.
            assert_eq!(cuts(text.as_bytes()).last(), starts.last());
        }
    }
}

#[test]
fn a_header_forged_in_a_comment_is_no_record() {
    for statement in [
        format!("/* a;\n{HEAD}SELECT 1;\n*/ SELECT 2"),
        // A statement of its own begins with the comment; what several statements hold comes one by one.
        "# Time: 2024-03-07T08:15:02.4Z\n# User@Host: f[f] @  [1.2.3.4]\n# Query_time: 9  Lock_time: 0\nSELECT 1".into(),
        "SELECT 1 -- a;\n# Time: 2024-03-07T08:15:02.4Z\n# User@Host: f[f] @  [1.2.3.4]\n# Query_time: 9  Lock_time: 0\n+ 1".into(),
        "SELECT 1,\n# Time: 2024-03-07T08:15:02.4Z\n# User@Host: f[f] @  [1.2.3.4]\n# Query_time: 9  Lock_time: 0\n1".into(),
        "# Time: 2024-03-07T08:15:02.4Z\n# User@Host: f[f] @  [1.2.3.4]\n# Query_time: 9  Lock_time: 0\nSET timestamp=1".into(),
    ] {
        let text = format!("{HEAD}SELECT 0;\n{HEAD}{statement};\n{HEAD}SELECT 3;\n");
        assert_eq!(records(&text), 3, "{statement}");
    }
}

#[test]
fn a_statement_that_is_cut_off_in_a_string_does_not_swallow_the_rest() {
    let text = format!(
        "{HEAD}SELECT 'cut;\n{HEAD}SELECT 1;\n{HEAD}SELECT 'x', 'it''s';\n{HEAD}SELECT 2;\n"
    );
    assert_eq!(records(&text), 4);
}

/// Statements of a session with `NO_BACKSLASH_ESCAPES`.
const PLAIN: [&str; 7] = [
    r"INSERT INTO t VALUES ('C:\')",
    r"INSERT INTO t VALUES ('C:\', 'D:\')",
    r"INSERT INTO t VALUES ('C:\', 'it''s', 'x')",
    r#"INSERT INTO t VALUES ("C:\", 'D:\')"#,
    "INSERT INTO t VALUES ('C:\\',\n'x')",
    "INSERT INTO t VALUES ('a\nb\\'),\n('\\')",
    r"INSERT INTO t VALUES ('\\', '/* x\')",
];

#[test]
fn strings_end_in_a_backslash_where_it_escapes_nothing() {
    for head in [HEAD, HEAD_MARIADB] {
        for statement in PLAIN {
            let plain = format!("{head}{statement};\n");
            let usual = format!("{head}SELECT 'it''s', \"x\";\n{head}SELECT 1;\n");
            let other = format!("{head}SELECT 'it\\'s';\n");
            for (text, expected) in [
                (plain.repeat(10), 10),
                (format!("{usual}{plain}").repeat(9), 27),
                (format!("{usual}{plain}{plain}{other}{usual}").repeat(20), 140),
                (format!("{plain}{other}").repeat(4), 8),
            ] {
                assert_eq!(records(&text), expected, "{statement}");
                let starts = starts_of(text.as_bytes());
                assert_eq!(cuts(text.as_bytes()), starts[1..], "{statement}");
            }
        }
    }
}

#[test]
fn a_header_forged_behind_an_escaped_quote_is_no_record() {
    for head in [HEAD, HEAD_MARIADB] {
        for statement in [
            format!(r"INSERT INTO t VALUES ('C:\');\n{head}SELECT 1;\n')"),
            format!(r"INSERT INTO t VALUES ('C:\');\n{head}SELECT \'1')"),
            format!(r"INSERT INTO t VALUES ('C:\');\n{head}SELECT 1', 'x\');\n{head}SELECT 2')"),
            format!(r"INSERT INTO t VALUES ('C:\');\n{head}SELECT 1', 'x\'')"),
            format!(r#"INSERT INTO t VALUES ('C:\');\n{head}SELECT "', '"\'')"#),
            format!(r#"INSERT INTO t VALUES ('C:\');\n{head}SELECT "', '\'"')"#),
            // As under `NO_BACKSLASH_ESCAPES`.
            format!("INSERT INTO t VALUES ('C:'');\n{head}SELECT 1', 'x\\')"),
        ] {
            let statement = statement.replace(r"\n", "\n");
            let text = format!("{head}SELECT 0;\n{head}{statement};\n{head}SELECT 'x';\n");
            assert_eq!(records(&text), 3, "{statement}");
            let starts = starts_of(text.as_bytes());
            assert!(cuts(text.as_bytes()).iter().all(|cut| starts.contains(cut)));
        }
    }
}

#[test]
fn statements_keep_their_comments_blank_lines_and_semicolons() {
    let statement = "SELECT 1; -- one;\n\n# two;\nuse x;\nSET timestamp=1;\n/* three;\n# Time: */;";
    assert_eq!(records(&format!("{HEAD}{statement}\n{HEAD}SELECT 2;\n")), 2);
}

#[test]
fn old_headers_without_set_timestamp() {
    let text = format!(
        "{HEAD_OLD}SELECT 1;\n{HEAD_OLD_SAME_SECOND}SELECT 'a;\nb';\n{HEAD_OLD_SAME_SECOND}# administrator command: Quit;\n{HEAD_OLD}SELECT 2;\n{HEAD_OLD}SELECT 3;\n"
    );
    assert_eq!(records(&text), 5);
    // A piece must know its second, so that it begins with one.
    let is_told = |cut: &usize| text[*cut..].starts_with("# Time: ");
    assert!(cuts(text.as_bytes()).iter().all(is_told) && !cuts(text.as_bytes()).is_empty());
}

#[test]
fn a_record_may_have_no_statement() {
    assert_eq!(records(&format!("{HEAD}{HEAD}SELECT 1;\n{HEAD}")), 3);
}

#[test]
fn a_hole_before_a_header_belongs_to_the_record_behind_it() {
    let text = format!("{HEAD}SELECT 1;\n\0\0\0\0{HEAD}SELECT 2;\n");
    assert_eq!(records(&text), 2);
}

#[test]
fn the_database_is_handed_on() {
    let banner = "/usr/sbin/mysqld, Version: 8.0.40 (x). started with:\nTcp port: 3306  Unix socket: /x\nTime   Id Command    Argument\n";
    let used = |name: &str| HEAD.replace("SET ", &format!("use {name};\nSET "));
    let plain = format!("{HEAD}SELECT 1;\n");
    assert_eq!(leaves(plain.as_bytes()), None);
    let one = format!("{}SELECT 1;\n{plain}", used("shop"));
    assert_eq!(leaves(one.as_bytes()).as_deref(), Some(&b"shop"[..]));
    let two = format!("{one}{}SELECT '\nuse forged;\n';\n{plain}", used("`odd ``db`"));
    assert_eq!(leaves(two.as_bytes()).as_deref(), Some(&b"odd `db"[..]));
    assert_eq!(leaves(format!("{two}{banner}{plain}").as_bytes()).as_deref(), Some(&b""[..]));
    assert_eq!(leaves(format!("{plain}use shop;\n").as_bytes()), None);
}

/// Forged headers without end cost no more than a few readings of the text.
#[test]
fn hostile_strings_cost_linear_time() {
    for forged in [
        HEAD_OLD.to_owned(),
        format!("{HEAD}SELECT 1;\n"),
        format!("{HEAD}x\n"),
        "# Thread_id: 1\n\n".into(),
    ] {
        let text = format!(
            "{HEAD}SELECT '{}';\n{HEAD}SELECT 2;\n",
            forged.repeat((1 << 20) / forged.len())
        );
        let began = std::time::Instant::now();
        starts_of(text.as_bytes());
        assert!(began.elapsed().as_secs() < 20, "{forged}");
    }
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(HEAD.to_owned()),
        3 => Just(HEAD_MARIADB.to_owned()),
        1 => Just(HEAD_OLD.to_owned()),
        1 => Just(HEAD_OLD_SAME_SECOND.to_owned()),
        4 => Just(";\n".to_owned()),
        2 => Just("SELECT 1;\n".to_owned()),
        1 => Just("use shop;\n".to_owned()),
        2 => prop::sample::select(&PLAIN[..]).prop_map(|statement| format!("{statement};\n")),
        1 => Just("-- x;\n".to_owned()),
        1 => Just("SET timestamp=1;\n".to_owned()),
        1 => Just("# administrator command: Quit;\n".to_owned()),
        1 => Just("d, Version: 8 (x). started with:\nTcp port: 3306\nTime Id\n".to_owned()),
        1 => Just("\0\0".to_owned()),
        4 => r#"['"`\\#/*; \na-]{1,8}"#,
    ]
}

proptest! {
    /// Each place at which a thread may cut is a start for every reader, so that no cut changes the records.
    #[test]
    fn any_cut_gives_the_same_records(parts in prop::collection::vec(fragment(), 1..24)) {
        let text = parts.concat().into_bytes();
        let starts = starts_of(&text);
        for cut in cuts(&text) {
            prop_assert!(starts.contains(&cut), "{} is no start", cut);
            let behind: Vec<usize> = starts_of(&text[cut..]).iter().map(|at| at + cut).collect();
            let expected: Vec<usize> = starts.iter().copied().filter(|at| *at >= cut).collect();
            prop_assert_eq!(behind, expected);
            let before: Vec<usize> = starts.iter().copied().filter(|at| *at < cut).collect();
            prop_assert_eq!(starts_of(&text[..cut]), before);
        }
        leaves(&text);
    }
}
