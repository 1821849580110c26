//! What a person sees, letter by letter: help pages, answers and errors.
//!
//! Long pages stand in `tests/snapshots/`, short texts here. After a change that is meant,
//! `LOGMILL_SNAPSHOTS=write cargo test --test snapshots` writes the pages anew; the difference then shows in the commit.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logmill"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("LANG", "C.UTF-8")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Compares what a command prints with the page of that name.
fn check_page(name: &str, args: &[&str]) {
    let found = text(run(args).stdout);
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.txt"));
    if std::env::var_os("LOGMILL_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{name}: {}", difference(&expected, &found));
}

/// The first line in which two texts differ, with its number.
fn difference(expected: &str, found: &str) -> String {
    let (mut a, mut b) = (expected.lines(), found.lines());
    let mut number = 0;
    loop {
        number += 1;
        let (old, new) = (a.next(), b.next());
        if old != new || old.is_none() {
            return format!("line {number}\n  was {old:?}\n  is  {new:?}");
        }
    }
}

/// Compares what a command says on standard error, and its exit status.
fn check_error(args: &[&str], code: i32, expected: &str) {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}");
    assert_eq!(text(output.stderr), expected, "{args:?}");
}

fn check(args: &[&str], expected: &str) {
    let output = run(args);
    assert_eq!(text(output.stdout), expected, "{args:?}: {}", text(output.stderr));
}

#[test]
fn help_pages() {
    check_page("help", &["--help"]);
    for command in ["report", "top", "bursts", "records", "merge", "generate", "formats"] {
        check_page(&format!("help_{command}"), &[command, "--help"]);
    }
    check_page("help_report_short", &["report", "-h"]);
}

#[test]
fn answers() {
    let log = "fixtures/nginx/timed.log";
    check_page("report_web", &["report", log, "-n", "3"]);
    check_page("report_nginx_errors", &["report", "fixtures/nginx/error.log", "-n", "3"]);
    check_page("report_apache_errors", &["report", "fixtures/apache/error.log", "-n", "3"]);
    check_page("bursts", &["bursts", log]);
    check_page("formats", &["formats"]);
    check_page("formats_nginx_error", &["formats", "nginx-error"]);
    check_page("report_csv", &["report", log, "-n", "3", "--output", "csv"]);
}

#[test]
fn top_and_records() {
    let log = "fixtures/nginx/timed.log";
    check(
        &["top", "status", log, "--where", "status>=500", "--output", "uniq"],
        "     11 502\n      3 500\n      3 503\n      1 504\n      1 505\n",
    );
    check(
        &["top", "method,status/100", log, "-n", "3", "--output", "csv"],
        "method,status/100,records,share\nGET,200,63,0.45652173913043476\nGET,400,38,0.2753623188405797\nGET,500,19,0.13768115942028986\n",
    );
    check(
        &[
            "records",
            log,
            "-n",
            "1",
            "--fields",
            "time,client,status,path,duration,upstream_duration",
        ],
        "{\"time\":\"2026-11-23T09:27:13Z\",\"client\":\"203.0.113.9\",\"status\":200,\"path\":\"/\",\"duration\":0,\"upstream_duration\":null}\n",
    );
}

#[test]
fn questions_that_cannot_be_answered() {
    let log = "fixtures/nginx/combined.log";
    check_error(
        &["report", log, "--where", "staus>=500"],
        2,
        "logmill: there is no field 'staus' (at byte 0)\n         did you mean 'status'?\n",
    );
    check_error(
        &["report", log, "--where", "status>=abc"],
        2,
        "logmill: 'abc' is not a number (at byte 8)\n         'status' is a number: write '500', '10k', '400-499' or '5xx'\n",
    );
    check_error(
        &["report", log, "--where", "client in 300.0.0.0/8"],
        2,
        "logmill: '300.0.0.0/8' is no network (at byte 10)\n         write 10.0.0.0/8 or 2001:db8::/32\n",
    );
    check_error(
        &["report", log, "--since", "30/Feb/2026"],
        2,
        "logmill: '30/Feb/2026' is not a moment\n         a moment is '2026-11-23', '2026-11-23 09:15', '2026-11-23T09:15:02Z', '09:15' (today), 'today', 'yesterday', '2h ago', '-2h', '@1795424400' or a stamp as in the log\n",
    );
    check_error(
        &["report", log, "--last", "5"],
        2,
        "logmill: '5' is not a duration\n         a duration is a number and a unit, or several: '850us', '200ms', '1.5s', '1h30m', '2d'\n",
    );
    check_error(
        &["report", log, "--max-rejected", "200%"],
        2,
        "logmill: '200%' is not a share\n         a share is a percentage or a part of one: '0.1%', '0.001'\n",
    );
    check_error(
        &["report", log, "--tz", "Mars/X"],
        2,
        "logmill: there is no time zone 'Mars/X'\n         a zone is named like 'Europe/Berlin', 'UTC' or 'local'\n",
    );
    check_error(
        &["report", log, "--output", "pdf"],
        2,
        "logmill: there is no layout 'pdf'\n         layouts: text, json, csv, tsv, html, uniq\n",
    );
    check_error(
        &["report", log, "--log-format", "combined"],
        2,
        "logmill: 'combined' names no variable\n         that is the name of a format: --format combined\n",
    );
    check_error(
        &["top", "", log],
        2,
        "logmill: nothing to count by\n         name a field, or several with commas: 'client', 'status,path'\n",
    );
}

#[test]
fn inputs_that_cannot_be_read() {
    check_error(
        &["report"],
        2,
        "logmill: no log was named, and standard input is empty\n         name files or folders, or pipe a log in: logmill report /var/log/nginx/access.log*\n",
    );
    check_error(
        &["report", "/nowhere/access.log"],
        3,
        "logmill: '/nowhere/access.log': cannot open: no such file or directory\n         check the name; a directory or a pattern such as 'access.log*' may be given too\n",
    );
    check_error(
        &["report", "/nowhere/*.log"],
        3,
        "logmill: '/nowhere/*.log': no file matches\n         check the folder's name and the pattern\n",
    );
    check_error(
        &["merge", "fixtures/nginx/combined.log"],
        3,
        "logmill: 'fixtures/nginx/combined.log': is no state of logmill\n         states are written with --save\n",
    );
}
