//! The command line as a person meets it: what it answers, what it says when it cannot, and its exit status.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn logmill(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logmill"));
    command
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A log of the test's own in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

const LINE: &str =
    r#"203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] "GET /a HTTP/1.1" 200 5 "-" "x""#;

fn log(statuses: &[u16]) -> String {
    statuses.iter().map(|status| LINE.replace(" 200 ", &format!(" {status} ")) + "\n").collect()
}

#[test]
fn the_main_job_needs_no_flag() {
    let output = logmill(&["report", "fixtures/nginx/combined.log"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.starts_with("Web requests · fixtures/nginx/combined.log · 138 records\n"),
        "{text}"
    );
    assert!(text.contains("Every line accounted for"));
    assert!(!text.contains('\u{1b}') && !text.lines().any(|line| line.ends_with(' ')));
}

#[test]
fn top_replaces_the_pipeline() {
    let place = Place::new();
    let log = place.file("a.log", log(&[200, 404, 404, 500]));
    let output = logmill(&["top", "status", "--output", "uniq", &log]);
    assert_eq!(stdout(&output), "      2 404\n      1 200\n      1 500\n");
    let output =
        logmill(&["top", "status,path", "--where", "status>=500", "--output", "csv", &log]);
    assert_eq!(stdout(&output), "status,path,records,share\n500,/a,1,1\n");
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let place = Place::new();
    let good = place.file("good.log", log(&[200]));
    let missing = place.path().join("missing.log").display().to_string();
    let binary = place.file("binary.log", [0_u8, 159, 146, 150, 7, 0, 0, 1].repeat(100));
    let output = logmill(&["report", &good, &missing, &binary]);
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.contains("missing.log'") && text.contains("no such file"), "{text}");
    assert!(text.contains("binary.log'"), "{text}");
    assert!(text.contains("records         1") || text.contains("· 1 records"), "{text}");
}

#[test]
fn nothing_to_read_says_why() {
    let place = Place::new();
    let output = logmill(&["report", "/nowhere/access.log"]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).starts_with("logmill: '/nowhere/access.log': "), "{}", stderr(&output));
    let empty = place.file("empty.log", "");
    let output = logmill(&["report", &empty]);
    assert_eq!(
        (code(&output), stderr(&output).contains("empty")),
        (3, true),
        "{}",
        stderr(&output)
    );
    let folder = place.path().join("none");
    std::fs::create_dir(&folder).unwrap();
    let output = logmill(&["report", &folder.display().to_string()]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let diary = place.file("diary.txt", "dear diary\n".repeat(20));
    let output = logmill(&["report", &diary]);
    assert!(stderr(&output).contains("--log-format"), "{}", stderr(&output));
}

#[test]
fn wrong_questions_are_refused_before_any_work() {
    let log = "fixtures/nginx/combined.log";
    let check = |args: &[&str], words: &[&str]| {
        let output = logmill(args);
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
        words.iter().for_each(|word| {
            assert!(stderr(&output).contains(word), "{args:?}: {}", stderr(&output))
        });
    };
    check(&["report", log, "--where", "statsu>=500"], &["status"]);
    check(&["report", log, "--where", "status>=abc"], &["abc"]);
    check(&["report", log, "--where", "path~[a"], &["backslash"]);
    check(&["report", log, "--since", "30/Feb/2026"], &["30/Feb/2026"]);
    check(&["report", log, "--tz", "Mars"], &["Mars", "Europe/Berlin"]);
    check(&["report", log, "--output", "pdf"], &["pdf"]);
    check(&["report", log, "--format", "combied"], &["combined"]);
    check(&["report", log, "--log-format", "no variables"], &["no variables"]);
    check(&["top", "clientt", log], &["client"]);
    check(&["report", log, "--section", "nosuch"], &["nosuch", "clients"]);
    check(&["report", "--nosuch", log], &["--nosuch"]);
    check(&["report", log, "--max-rejected", "200%"], &["'200%' is not a share"]);
    check(&["report", log, "--output", "uniq"], &["one table", "--section"]);
    check(&["records", log, "--save", "x.state"], &["nothing to --save"]);
    check(&["report", log, "--section", "path"], &["did you mean", "paths_5xx"]);
    check(&["report", log, "--limit", "-1"], &["'-1'", "a whole number is wanted"]);
    check(&["report", log, "--last", "-5m"], &["'-5m' is no time back from now"]);
}

/// `--where status=5xx --section statuses` was a wrong question in every hour without failures.
#[test]
fn a_section_that_a_quiet_log_leaves_out_is_no_wrong_question() {
    let log = "fixtures/nginx/rotated/access.log";
    let quiet = ["report", log, "--where", "status=599", "--section", "statuses", "--output"];
    let bursts = ["report", log, "--section", "error_bursts", "--output"];
    for asked in [&quiet[..], &bursts] {
        for layout in ["text", "json", "csv"] {
            let output = logmill(&[asked, &[layout]].concat());
            assert_eq!(code(&output), 0, "{}", stderr(&output));
            let said = if layout == "csv" { stderr(&output) } else { stdout(&output) };
            assert!(said.contains("nothing was counted for it"), "{said}");
            assert!(layout != "csv" || output.stdout.is_empty());
        }
    }
}

#[test]
fn the_exit_status_can_depend_on_the_ledger() {
    let place = Place::new();
    let log = place.file("a.log", log(&[200; 9]) + "junk\n");
    let output = logmill(&["report", "--max-rejected", "1%", &log]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("1 of 10 records were not understood"), "{}", stdout(&output));
    assert_eq!(code(&logmill(&["report", "--max-rejected", "10%", &log])), 0);
}

#[test]
fn a_stream_that_breaks_off_is_said_and_what_came_before_counts() {
    let place = Place::new();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packer.write_all(log(&[200; 100]).as_bytes()).unwrap();
    let whole = packer.finish().unwrap();
    let cut = place.file("cut.log.gz", &whole[..whole.len() / 2]);
    let output = logmill(&["report", &cut]);
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("ends early"), "{}", stdout(&output));
    let garbage = place.file("garbage.log.gz", [&whole[..], b"garbage"].concat());
    let output = logmill(&["report", &garbage]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
}

#[test]
fn hostile_bytes_never_reach_the_terminal() {
    let place = Place::new();
    let evil = LINE.replace("/a ", "/\u{1b}]0;owned\u{7}\u{202e} ") + "\n";
    let log = place.file("evil.log", evil.as_bytes());
    for args in [&["report", &log][..], &["top", "path", &log], &["records", &log]] {
        let bytes = logmill(args).stdout;
        assert!(!bytes.contains(&0x1b) && !bytes.contains(&7), "{args:?}");
    }
}

#[test]
fn line_ends_of_every_kind() {
    let place = Place::new();
    let count = |bytes: &[u8]| {
        let log = place.file("ends.log", bytes);
        let output = logmill(&["report", "--output", "json", &log]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["sections"]
            .as_array()
            .unwrap()
            .iter()
            .find(|section| section["name"] == "ledger")
            .unwrap()["rows"][1]["records"]
            .as_u64()
    };
    assert_eq!(count(log(&[200, 404]).trim_end().as_bytes()), Some(2));
    assert_eq!(count(log(&[200, 404]).replace('\n', "\r\n").as_bytes()), Some(2));
    let holed = [&[0_u8; 4096][..], log(&[200, 404]).as_bytes()].concat();
    assert_eq!(count(&holed), Some(2));
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let mut child = command(&["generate", "nginx-combined", "--records", "200000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn standard_input_is_a_log_too() {
    let mut child = command(&["top", "status", "--output", "uniq", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(log(&[200, 200]).as_bytes()).unwrap();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), "      2 200\n");
}

#[test]
fn states_are_saved_and_merged() {
    let place = Place::new();
    let states: Vec<PathBuf> = ["combined", "main"]
        .iter()
        .map(|name| {
            let state = place.path().join(name);
            let log = format!("fixtures/nginx/{name}.log");
            let output = logmill(&["report", "--save", &state.display().to_string(), &log]);
            assert_eq!(code(&output), 0, "{}", stderr(&output));
            state
        })
        .collect();
    let names: Vec<String> = states.iter().map(|state| state.display().to_string()).collect();
    let merged = logmill(&["merge", &names[1], &names[0]]);
    let whole = logmill(&["report", "fixtures/nginx/combined.log", "fixtures/nginx/main.log"]);
    assert_eq!(stdout(&merged), stdout(&whole));
}

/// A state of a run that could not open a log once merged as if all had been read, with status 0.
#[test]
fn a_log_that_could_not_be_read_is_said_after_a_merge_too() {
    let place = Place::new();
    let good = place.file("good.log", log(&[200]));
    let (half, whole) = (place.path().join("half.state"), place.path().join("whole.state"));
    let (half, whole) = (half.display().to_string(), whole.display().to_string());
    let missing = place.path().join("missing.log").display().to_string();
    assert_eq!(code(&logmill(&["report", "--save", &half, &good, &missing])), 3);
    let merged = logmill(&["merge", "--save", &whole, &half]);
    for output in [merged, logmill(&["merge", &whole])] {
        assert_eq!(code(&output), 3);
        assert!(stdout(&output).contains("missing.log': cannot open"), "{}", stdout(&output));
    }
}

#[test]
fn records_come_in_the_order_of_the_log() {
    let output = logmill(&[
        "records",
        "--fields",
        "offset,status",
        "--output",
        "csv",
        "fixtures/nginx/combined.log",
    ]);
    let text = stdout(&output);
    let offsets: Vec<u64> =
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(offsets.len(), 138);
    assert!(offsets.is_sorted());
    let few = logmill(&["records", "-n", "3", "fixtures/nginx/combined.log"]);
    assert_eq!(stdout(&few).lines().count(), 3);
}

#[test]
fn help_fits_a_terminal() {
    for args in [
        &["--help"][..],
        &["report", "-h"],
        &["top", "-h"],
        &["generate", "-h"],
        &["records", "-h"],
    ] {
        let output = logmill(args);
        assert_eq!(code(&output), 0);
        let text = stdout(&output);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{args:?}\n{text}");
    }
}
