//! halog and the engine on the same log, where halog is right; and where it is not, what it says instead.
//!
//! Without halog (Debian's package haproxy) there is nothing to compare, and the tests say so. `docs/parity-haproxy.md`
//! tells mode by mode what answers to it here.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use logmill::document::{Body, Cell, Document};
use logmill::generate::{self, Spec};
use logmill::plan::{Plan, Question, Request};

/// What halog prints in those modes, in words; `None` without halog.
fn halog(log: &Path, modes: &[&str]) -> Option<Vec<Vec<String>>> {
    let input = fs::File::open(log).unwrap();
    let mut command = Command::new("halog");
    command.args(modes).arg("-q").stdin(input).stderr(Stdio::null()).env("TZ", "UTC");
    let Ok(output) = command.output() else {
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "halog is not installed, and CI skips nothing");
        let _ = writeln!(io::stderr(), "halog is not installed: nothing was compared");
        return None;
    };
    assert!(output.status.success(), "halog {modes:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Some(lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect())
}

fn report(log: &Path) -> Document {
    let mut request = Request::new(Question::Report, [log]);
    request.asked.options.limit = 0;
    // Written in the week of the stamps, which have no year.
    request.now = 1_768_176_000_000_000;
    Plan::new(request).unwrap().run(&|_, _| {}).unwrap().document()
}

/// The chosen columns of a table by its first one, as text. Durations are in milliseconds, cut as halog cuts them.
fn rows(document: &Document, section: &str, columns: &[&str]) -> BTreeMap<String, Vec<String>> {
    let section = document.section(section).unwrap_or_else(|| panic!("no section '{section}'"));
    let Body::Table(table) = &section.body else { panic!("'{}' is no table", section.name) };
    let places: Vec<usize> = columns.iter().map(|name| table.column(name).unwrap()).collect();
    let rows = table.rows.iter();
    rows.map(|row| (word(&row[0]), places.iter().map(|at| word(&row[*at])).collect())).collect()
}

fn word(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Cell::Count(count) | Cell::Bytes(count) => count.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Duration(micros) => (micros / 1000).to_string(),
        Cell::Empty => "0".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// The words at those places of each line, by the word at the place of the key.
fn picked(lines: Vec<Vec<String>>, key: usize, places: &[usize]) -> BTreeMap<String, Vec<String>> {
    let lines = lines.into_iter().filter(|line| line.len() > key);
    lines
        .map(|line| (line[key].clone(), places.iter().map(|at| line[*at].clone()).collect()))
        .collect()
}

/// HTTP sessions of some minutes, with bursts, and lines about servers between them.
fn made(folder: &Path) -> PathBuf {
    let path = folder.join("haproxy.log");
    let mut spec = Spec::new(generate::find("haproxy-http").unwrap());
    (spec.records, spec.clients, spec.paths, spec.bursts) = (Some(20_000), 900, 300, 1);
    generate::write(&spec, 1, &mut fs::File::create(&path).unwrap()).unwrap();
    path
}

#[test]
fn the_numbers_are_halogs_where_halog_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(folder.path());
    let Some(servers) = halog(&log, &["-srv"]) else { return };
    let ours = report(&log);
    let statuses = ["1xx", "2xx", "3xx", "4xx", "5xx", "none", "count", "mean_connect"];
    assert_eq!(
        rows(&ours, "servers", &statuses),
        picked(servers, 0, &[1, 2, 3, 4, 5, 6, 7, 10]),
        "-srv"
    );
    for (mode, section) in [("-st", "statuses"), ("-tc", "states"), ("-cc", "cookie_states")] {
        let theirs = picked(halog(&log, &[mode]).unwrap(), 0, &[1]);
        assert_eq!(rows(&ours, section, &["count"]), theirs, "{mode}");
    }
    // Requests, time of those that the server answered, its mean, mean size, size.
    let columns = ["count", "response", "mean_response", "mean_bytes", "bytes"];
    let mut theirs = picked(halog(&log, &["-u"]).unwrap(), 8, &[0, 4, 5, 6, 7]);
    // It counts what is no request as a path, and ends a path at a semicolon.
    theirs.remove("\"<BADREQ>\"");
    let cut = theirs.remove("/cgi-bin/luci/").expect("the generator asks for such a path");
    let mut paths = rows(&ours, "paths", &columns);
    paths.retain(|path, cells| !path.contains(';') || *cells != cut);
    same(&paths, &theirs, "-u");
    let theirs = picked(halog(&log, &["-ic"]).unwrap(), 8, &[0, 6, 7]);
    same(&rows(&ours, "clients", &["count", "mean_bytes", "bytes"]), &theirs, "-ic");
}

/// Demands the same rows and shows the first that is not.
fn same(ours: &BTreeMap<String, Vec<String>>, theirs: &BTreeMap<String, Vec<String>>, mode: &str) {
    let differing = ours.iter().find(|(key, cells)| theirs.get(*key) != Some(cells));
    if let Some((key, cells)) = differing {
        panic!("{mode}: {key}: {cells:?} against {:?}", theirs.get(key));
    }
    let missing = theirs.keys().find(|key| !ours.contains_key(*key));
    assert_eq!(missing, None, "{mode}");
}

/// The orders of halog's URL tables are those of sections of their own.
#[test]
fn the_orders_are_halogs() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(folder.path());
    for (mode, place, section, column) in [
        ("-uc", 0, "paths", "count"),
        ("-uto", 4, "paths_response", "response"),
        ("-uao", 5, "paths_mean_response", "mean_response"),
        ("-ubt", 7, "paths_bytes", "bytes"),
        ("-uba", 6, "paths_mean_bytes", "mean_bytes"),
    ] {
        let Some(theirs) = halog(&log, &[mode]) else { return };
        let theirs: Vec<u64> = theirs
            .iter()
            .filter(|line| line[8] != "\"<BADREQ>\"")
            .map(|line| line[place].parse().unwrap())
            .filter(|measure| *measure > 0)
            .collect();
        let ours = report(&log);
        let Body::Table(table) = &ours.section(section).unwrap().body else { panic!("{section}") };
        let at = table.column(column).unwrap();
        let ours: Vec<u64> = table.rows.iter().map(|row| word(&row[at]).parse().unwrap()).collect();
        // Whole milliseconds order more finely than the figures that are printed of them.
        assert_eq!(
            ours.iter().filter(|measure| **measure > 0).copied().collect::<Vec<_>>(),
            theirs,
            "{mode}"
        );
    }
}

/// The five timers of a session line.
fn timers(line: &str) -> Option<[i64; 5]> {
    line.split(' ').find_map(|word| {
        let parts: Option<Vec<i64>> = word.split('/').map(|part| part.parse().ok()).collect();
        parts?.try_into().ok()
    })
}

/// The sessions of a log in two files: those whose timers all came, and those that lack one, which are errors to halog.
fn parted(log: &Path) -> [PathBuf; 2] {
    let text = fs::read_to_string(log).unwrap();
    let sessions = text.lines().filter_map(|line| Some((timers(line)?, line)));
    let (bad, good): (Vec<_>, Vec<_>) = sessions.partition(|(timers, _)| timers.contains(&-1));
    [("good", good), ("bad", bad)].map(|(name, sessions)| {
        let path = log.with_file_name(name);
        let text = sessions.iter().map(|(_, line)| format!("{line}\n")).collect::<String>();
        fs::write(&path, text).unwrap();
        path
    })
}

/// The timers that halog knows, by the names that they have here.
const TIMERS: [&str; 4] = ["request", "connect", "response", "data"];

/// halog rounds ranks down and we round them up; both are held against a sorted list.
#[test]
fn percentiles_of_timers_are_halogs_but_for_the_rounding_of_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let [good, _] = parted(&made(folder.path()));
    let Some(theirs) = halog(&good, &["-pct"]) else { return };
    let all: Vec<[i64; 5]> =
        fs::read_to_string(&good).unwrap().lines().filter_map(timers).collect();
    let sorted = |of: fn(&[i64; 5]) -> i64| {
        let mut values: Vec<i64> = all.iter().map(of).collect();
        values.sort_unstable();
        values
    };
    let sorted = [
        sorted(|all| all[0]),
        sorted(|all| all[2]),
        sorted(|all| all[3]),
        sorted(|[request, queue, connect, response, total]| {
            total - request - queue - connect - response
        }),
    ];
    let ours = report(&good);
    let Body::Table(table) = &ours.section("timer_percentiles").unwrap().body else { panic!() };
    let mut compared = 0;
    for row in &table.rows {
        let Cell::Real(percent) = row[0] else { panic!("{row:?}") };
        let exact = percent / 100.0 * all.len() as f64;
        let cells = TIMERS.map(|name| word(&row[table.column(name).unwrap()]));
        let at = |rank: usize| [0, 1, 2, 3].map(|timer| sorted[timer][rank.max(1) - 1].to_string());
        assert_eq!(cells, at((exact - 1e-6).ceil() as usize), "{percent} %");
        let Some(line) = theirs.iter().find(|line| line[0].parse() == Ok(percent)) else {
            continue;
        };
        assert_eq!(line[2..], at((exact + 1e-6).floor() as usize), "{percent} % of halog");
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
}

/// How many sessions had a timer in which step, by the step's beginning. halog adds one to each density.
#[test]
fn densities_of_timers_are_halogs() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(folder.path());
    let Some(theirs) = halog(&log, &["-gt"]) else { return };
    let theirs = |timer: &str| -> BTreeMap<u64, f64> {
        let lines = theirs.iter().filter(|line| line[0] == timer);
        lines
            .map(|line| (line[1].parse().unwrap(), line[2].parse::<f64>().unwrap() - 1.0))
            .collect()
    };
    let [good, bad] = parted(&log).map(|path| report(&path));
    let ours = |document: &Document, timer: &str| -> BTreeMap<u64, f64> {
        let Body::Table(table) = &document.section("timer_density").unwrap().body else { panic!() };
        let rows = table.rows.iter().filter(|row| row[0] == Cell::text(timer));
        rows.map(|row| match (&row[1], &row[3]) {
            (Cell::Duration(from), Cell::Real(density)) => (*from as u64 / 1000, *density),
            other => panic!("{other:?}"),
        })
        .collect()
    };
    let [request, connect, response, data] = TIMERS;
    for (number, document, timer) in [
        // Of sessions that lack a timer, how long they took.
        ("0", &bad, "total"),
        ("1", &good, request),
        ("2", &good, connect),
        ("3", &good, response),
        ("4", &good, data),
    ] {
        let (ours, theirs) = (ours(document, timer), theirs(number));
        assert!(!theirs.is_empty(), "{timer}");
        assert_eq!(Vec::from_iter(ours.keys()), Vec::from_iter(theirs.keys()), "{timer}");
        let differs = |(from, density): &(&u64, &f64)| (*density - theirs[from]).abs() > 1e-5;
        assert_eq!(ours.iter().find(differs), None, "{timer}");
    }
}

fn written(folder: &Path, lines: &[&str]) -> PathBuf {
    let path = folder.join("lines.log");
    let head = "Mar  7 09:15:02 lb1 haproxy[77]: ";
    fs::write(&path, lines.iter().map(|line| format!("{head}{line}\n")).collect::<String>())
        .unwrap();
    path
}

/// Each with what halog makes of it and what is right. A halog that is mended fails here, and then the page on parity
/// has to say so.
#[test]
fn where_halog_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let stamp = "[07/Mar/2024:09:15:02.418]";
    // A TCP line has three timers: its bytes are read as a status.
    let tcp = format!("192.0.2.1:1 {stamp} sql sql/db1 0/1/212 5000 -- 1/1/1/1/0 0/0");
    let log = written(folder.path(), &[&tcp]);
    let Some(theirs) = halog(&log, &["-st"]) else { return };
    assert_ne!(picked(theirs, 0, &[1]), BTreeMap::new());
    let ours = report(&log);
    assert!(ours.section("statuses").is_none_or(|section| section.body.is_empty()));
    assert_eq!(rows(&ours, "servers", &["none", "count"])["sql/db1"], ["1", "1"]);
    // An error line becomes a server of the name of its first word.
    let error = format!("192.0.2.1:1 {stamp} www/1: SSL handshake failure");
    let log = written(folder.path(), &[&error]);
    assert!(picked(halog(&log, &["-srv"]).unwrap(), 0, &[7]).contains_key("SSL"));
    assert!(report(&log).section("servers").is_none());
    // A time that goes on is read as none at all, so that the transfer took less than nothing.
    let partial = format!(
        "192.0.2.1:1 {stamp} www app/s1 0/0/0/7/+33 200 +9000 - - ---- 1/1/1/1/0 0/0 \"GET / HTTP/1.1\""
    );
    let log = written(folder.path(), &[&partial]);
    let sizes = picked(halog(&log, &["-u"]).unwrap(), 8, &[7]);
    assert_eq!(sizes["/"], ["0"]);
    assert_eq!(rows(&report(&log), "paths", &["bytes"])["/"], ["9000"]);
    // What is entirely good to halog: a 503 of the server.
    let failed = format!(
        "192.0.2.1:1 {stamp} www app/s1 0/0/1/5/9 503 212 - - SC-- 1/1/1/1/0 0/0 \"GET / HTTP/1.1\""
    );
    let log = written(folder.path(), &[&failed]);
    assert_eq!(picked(halog(&log, &["-srv"]).unwrap(), 0, &[9])["app/s1"], ["100.0"]);
    assert_eq!(rows(&report(&log), "servers", &["errors", "count"])["app/s1"], ["1", "1"]);
}
