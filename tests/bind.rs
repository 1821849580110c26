//! Logs of BIND, from the file to the answer: the numbers of a plain awk, and what a filter and `top` make of names.
#![allow(clippy::print_stderr)] // A test that leaves something out has to say so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use logmill::document::{Body, Cell, Document, Table};
use logmill::generate::{self, Spec};
use logmill::plan::{Plan, Question, Request};

fn document(path: &Path, question: Question, filters: &[&str]) -> Document {
    let mut request = Request::new(question, [path]);
    request.asked.options.limit = 0;
    request.asked.filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    Plan::new(request).unwrap().run(&|_, _| {}).unwrap().document()
}

fn report(path: &Path) -> Document {
    document(path, Question::Report, &[])
}

fn table<'d>(document: &'d Document, name: &str) -> &'d Table {
    match &document.section(name).unwrap_or_else(|| panic!("no section '{name}'")).body {
        Body::Table(table) => table,
        _ => panic!("'{name}' is no table"),
    }
}

/// Counts by key; several rows may have the same one.
fn counts(document: &Document, name: &str, key: &str, count: &str) -> BTreeMap<String, u64> {
    let table = table(document, name);
    let (key, count) = (table.column(key).unwrap(), table.column(count).unwrap());
    let mut counts = BTreeMap::new();
    for row in &table.rows {
        let (Cell::Text(key), Cell::Count(count)) = (&row[key], &row[count]) else {
            panic!("{row:?}")
        };
        *counts.entry(String::from_utf8_lossy(key).into_owned()).or_insert(0) += count;
    }
    counts.retain(|_, count| *count > 0);
    counts
}

fn log(folder: &Path, format: &str) -> PathBuf {
    let path = folder.join("query.log");
    let mut spec = Spec::new(generate::find(format).unwrap());
    (spec.records, spec.clients, spec.paths, spec.bursts) = (Some(20_000), 2_000, 500, 1);
    generate::write(&spec, 1, &mut fs::File::create(&path).unwrap()).unwrap();
    path
}

/// What awk counts, by the first word that it prints.
fn awk(script: &str, path: &Path) -> Option<BTreeMap<String, u64>> {
    let Ok(out) = Command::new("awk").env("LC_ALL", "C").arg(script).arg(path).output() else {
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "there is no awk here, and CI skips nothing");
        eprintln!("skipped: there is no awk here");
        return None;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let rows = text.lines().map(|line| line.rsplit_once(' ').expect("a key and a count"));
    Some(rows.map(|(key, count)| (key.to_owned(), count.parse().unwrap())).collect())
}

/// Section, key, count, and what awk counts for it. Its fields stand as the generator writes them.
const QUESTIONS: [(&str, &str, &str, &str); 5] = [
    ("names", "name", "queries", r#"$3 == "queries:" {n[tolower($10)]++}"#),
    ("query_types", "qtype", "count", r#"$3 == "queries:" {n[$12]++}"#),
    ("clients", "client", "count", r##"$3 == "queries:" {split($7, a, "#"); n[a[1]]++}"##),
    (
        "names_servfail",
        "name",
        "servfail",
        r#"/query failed \(/ {gsub(/^\(|\):$/, "", $8); n[tolower($8)]++}"#,
    ),
    (
        "lame_servers",
        "upstream",
        "count",
        r##"$3 == "lame-servers:" {split($NF, a, "#"); n[a[1]]++}"##,
    ),
];

#[test]
fn the_numbers_of_a_plain_awk() {
    let folder = tempfile::tempdir().unwrap();
    let path = log(folder.path(), "bind");
    let (all, queries) = (report(&path), document(&path, Question::Report, &["kind=query"]));
    for (section, key, count, script) in QUESTIONS {
        let script = format!("{script} END {{for (k in n) print k, n[k]}}");
        let Some(expected) = awk(&script, &path) else { return };
        let document = if section == "clients" { &queries } else { &all };
        let counted = counts(document, section, key, count);
        assert!(!expected.is_empty(), "{section}");
        let differ: Vec<_> =
            expected.iter().filter(|(key, n)| counted.get(*key) != Some(n)).collect();
        assert!(differ.is_empty(), "{section}: awk has {:?}", &differ[..differ.len().min(3)]);
        assert_eq!(counted.len(), expected.len(), "{section}");
    }
}

/// The same for a log with the response to each query.
const ANSWERS: [(&str, &str, &str, &str); 4] = [
    ("response_codes", "rcode", "count", r#"$3 == "responses:" {n[$13]++}"#),
    (
        "names_nxdomain",
        "name",
        "nxdomain",
        r#"$3 == "responses:" && $13 == "NXDOMAIN" {n[tolower($10)]++}"#,
    ),
    ("names", "name", "queries", r#"$3 == "queries:" {n[tolower($10)]++}"#),
    ("query_types", "qtype", "count", r#"$3 == "queries:" {n[$12]++}"#),
];

#[test]
fn responses_are_counted_as_a_plain_awk_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = log(folder.path(), "bind-responses");
    let all = report(&path);
    for (section, key, count, script) in ANSWERS {
        let script = format!("{script} END {{for (k in n) print k, n[k]}}");
        let Some(expected) = awk(&script, &path) else { return };
        assert!(expected.len() > 2, "{section}: {expected:?}");
        assert_eq!(counts(&all, section, key, count), expected, "{section}");
    }
    let fact = |name: &str| match all.section("queries").unwrap().fact(name) {
        Some(Cell::Count(count)) => *count,
        other => panic!("{name} is {other:?}"),
    };
    // The log may end between a query and its response.
    assert!(fact("queries") - fact("responses") <= 1);
    assert!(all.notes.is_empty(), "{:?}", all.notes);
}

/// Names are the same in any case, and `top`, filters and the report agree.
#[test]
fn top_and_filters_tell_names_apart_without_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let line = |name: &str| {
        format!("client 192.0.2.7#51004 ({name}): query: {name} IN A +E(0) (192.0.2.53)\n")
    };
    let names =
        ["www.Example.CO.uk", "WWW.example.co.uk", "ftp.example.co.uk", "other.example.com"];
    fs::write(&path, names.map(line).concat()).unwrap();
    let top = |by: &str, filters: &[&str]| {
        let question = Question::Top { keys: by.to_owned(), by: None };
        let document = document(&path, question, filters);
        let name = document.sections[0].name.clone();
        let table = table(&document, &name);
        let rows = table.rows.iter().map(|row| match (&row[0], &row[1]) {
            (Cell::Text(key), Cell::Count(count)) => {
                (String::from_utf8_lossy(key).into_owned(), *count)
            }
            other => panic!("{other:?}"),
        });
        rows.collect::<Vec<_>>()
    };
    let row = |key: &str, count| (key.to_owned(), count);
    assert_eq!(top("qname", &[])[0], row("www.example.co.uk", 2));
    assert_eq!(top("domain", &[]), [row("example.co.uk", 3), row("example.com", 1)]);
    assert_eq!(top("name/2", &[]), [row("co.uk", 3), row("example.com", 1)]);
    assert_eq!(top("qname", &["qname=www.example.co.UK"]), [row("www.example.co.uk", 2)]);
    assert_eq!(top("qname", &["domain=Example.com"]), [row("other.example.com", 1)]);
    assert_eq!(top("qname", &["qname~^WWW"]), [row("www.example.co.uk", 1)]);
}

/// Field map 5.8: rotated files of BIND are `.0`, `.1` and so on, the smallest number the newest.
#[test]
fn trap_a_series_is_ordered_by_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let line = |minute: u32| {
        format!(
            "07-Mar-2024 09:{minute:02}:00.000 queries: info: client @0x7f01 192.0.2.7#1 (a.b): query: a.b IN A + (192.0.2.53)\n"
        )
    };
    for (name, minute) in [("query.log", 30), ("query.log.0", 20), ("query.log.1", 10)] {
        fs::write(folder.path().join(name), line(minute)).unwrap();
    }
    let mut request = Request::new(Question::Report, [&path]);
    request.series = true;
    let document = Plan::new(request).unwrap().run(&|_, _| {}).unwrap().document();
    let totals = document.section("totals").unwrap();
    assert_eq!(totals.fact("records"), Some(&Cell::Count(3)));
    assert_eq!(totals.fact("span"), Some(&Cell::Duration(1_200_000_000)));
}
