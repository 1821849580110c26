//! `logmill probe` as it is typed: outputs and exit statuses.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use crate::support::peers::says;

fn logmill(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logmill")).arg("probe").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn the_exit_status_says_how_it_went() {
    let good = says(b"220 ready\r\n").to_string();
    assert_eq!(logmill(&["tcp", &good]).status.code(), Some(0));
    assert_eq!(logmill(&["tcp", &closed()]).status.code(), Some(1));
    assert_eq!(logmill(&["tcp", &closed(), "--fail-on", "never"]).status.code(), Some(0));
    assert_eq!(logmill(&["tcp", &good, "--warn", "time=10:"]).status.code(), Some(0));
    let strict = ["tcp", &good, "--warn", "time=10:", "--fail-on", "warning"];
    assert_eq!(logmill(&strict).status.code(), Some(1));
    for wrong in [&["tcp", "nowhere"][..], &["tcp", &good, "--warn", "x=1"], &["nothing"], &[]] {
        assert_eq!(logmill(wrong).status.code(), Some(2), "{wrong:?}");
    }
    // A limit of a step that the kind does not take would hold nothing back.
    let wrong = logmill(&["tcp", &good, "--step-timeout", "conect=1s"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(text(&wrong.stderr).contains("steps: resolve, connect, greeting"), "{wrong:?}");
    let wrong = logmill(&["tcp", "mail.example.com"]);
    assert!(text(&wrong.stderr).contains("write mail.example.com:PORT"), "{wrong:?}");
}

/// `--progress always` once said nothing where no terminal was.
#[test]
fn progress_comes_in_lines_where_no_terminal_is() {
    let output = logmill(&["tcp", &closed(), &closed(), "--progress", "always"]);
    assert!(text(&output.stderr).starts_with("0 of 2 checks  0 seconds\n"), "{output:?}");
    assert!(logmill(&["tcp", &closed(), &closed()]).stderr.is_empty());
}

#[test]
fn the_plugins_form() {
    let good = logmill(&["tcp", &says(b"220 ready\r\n").to_string(), "--output", "nagios"]);
    assert_eq!(good.status.code(), Some(0));
    assert!(text(&good.stdout).starts_with("TCP OK - "), "{good:?}");
    assert!(text(&good.stdout).contains(" | time=0."), "{good:?}");
    let bad = logmill(&["tcp", &closed(), "--output", "nagios"]);
    assert_eq!(
        (bad.status.code(), text(&bad.stdout).starts_with("TCP CRITICAL - ")),
        (Some(2), true)
    );
    let wrong = logmill(&["tcp", "nowhere", "--output", "nagios"]);
    assert_eq!(wrong.status.code(), Some(3));
    assert!(text(&wrong.stdout).starts_with("PROBE UNKNOWN - "));
}

#[test]
fn every_layout_names_the_class_and_the_next_command() {
    let target = closed();
    for layout in ["text", "json", "csv", "tsv", "html", "ndjson", "nagios", "prometheus"] {
        let shown = text(&logmill(&["tcp", &target, "--output", layout]).stdout);
        assert!(shown.contains("refused"), "{layout} {shown}");
        assert!(layout == "prometheus" || shown.contains("ss -ltnp"), "{layout} {shown}");
    }
}

#[test]
fn a_suite_that_was_emitted_runs() {
    let (good, bad) = (says(b"220 ready\r\n").to_string(), closed());
    let suite = logmill(&[
        "tcp",
        &good,
        &bad,
        "--expect",
        "220 \"x\" ready",
        "--expect",
        "!~\\x7f|\u{7f}\u{1b}|é'\\d",
        "--timeout",
        "300ms",
        "--emit-suite",
    ]);
    assert_eq!(suite.status.code(), Some(0));
    let mut child = Command::new(env!("CARGO_BIN_EXE_logmill"))
        .args(["probe", "--suite", "-", "--output", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&suite.stdout).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let lines = text(&ran.stdout);
    let classes: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["class"].to_string())
        .collect();
    assert_eq!(classes, ["\"unexpected\"", "\"refused\""]);
}
