//! The same questions answered by a plain, slow reading of the same log, and by the engine: equal to the last digit.
//!
//! The plain reading shares nothing with the engine. It walks a line character by character, keeps owned strings in tree
//! maps and sorts at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use logmill::document::{Cell, Document, Table};
use logmill::generate::{self, Spec};
use logmill::plan::{Plan, Question, Request};

struct Line {
    client: String,
    day: String,
    minute: String,
    path: Option<String>,
    status: u64,
    bytes: u64,
    agent: String,
}

/// Splits a combined line at spaces outside of quotes and brackets.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut inside, mut escaped) = (Vec::new(), String::new(), None, false);
    for character in line.chars() {
        match (character, inside) {
            _ if escaped => {
                word.push(character);
                escaped = false;
            }
            ('\\', Some('"')) => {
                word.push(character);
                escaped = true;
            }
            ('"', None) => inside = Some('"'),
            ('[', None) => inside = Some(']'),
            (end, Some(wanted)) if end == wanted => inside = None,
            (' ', None) => words.push(std::mem::take(&mut word)),
            _ => word.push(character),
        }
    }
    words.push(word);
    words
}

fn read(line: &str) -> Line {
    let words = words(line);
    let [client, .., time, request, status, bytes, _, agent] = &words[..] else {
        panic!("not a combined line: {line}")
    };
    let parts: Vec<&str> = request.split(' ').collect();
    let path = (parts.len() == 3).then(|| parts[1].split('?').next().unwrap().to_owned());
    Line {
        client: client.clone(),
        day: time[..11].to_owned(),
        minute: time[..17].to_owned(),
        path,
        status: status.parse().unwrap(),
        bytes: if bytes == "-" { 0 } else { bytes.parse().unwrap() },
        agent: agent.clone(),
    }
}

fn log() -> (tempfile::TempDir, std::path::PathBuf, Vec<Line>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let mut spec = Spec::new(generate::find("nginx-combined").unwrap());
    (spec.records, spec.clients, spec.paths, spec.bursts) = (Some(20_000), 2_000, 500, 1);
    // Three days, so that visitors are counted anew each day.
    spec.span = Some(3 * 86_400_000_000);
    generate::write(&spec, 1, &mut fs::File::create(&path).unwrap()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(read).collect();
    (folder, path, lines)
}

fn document(path: &std::path::Path, question: Question, filters: &[&str]) -> Document {
    let mut request = Request::new(question, [path]);
    request.asked.options.limit = 0;
    request.asked.filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    Plan::new(request).unwrap().run(&|_, _| {}).unwrap().document()
}

fn table<'d>(document: &'d Document, name: &str) -> &'d Table {
    let section = document.section(name).unwrap_or_else(|| panic!("no section '{name}'"));
    section.as_table().unwrap_or_else(|| panic!("'{name}' is no table"))
}

fn column(table: &Table, name: &str) -> usize {
    table.column(name).unwrap_or_else(|| panic!("no '{name}'"))
}

/// Key and count of each row, in the order of the table.
fn rows(table: &Table, key: &str, value: &str) -> Vec<(String, u64)> {
    let (key, value) = (column(table, key), column(table, value));
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Cell::Number(number) => number.to_string(),
        Cell::Count(count) => count.to_string(),
        other => panic!("a key is {other:?}"),
    };
    let number = |cell: &Cell| match cell {
        Cell::Count(count) | Cell::Bytes(count) => *count,
        other => panic!("a count is {other:?}"),
    };
    table.rows.iter().map(|row| (text(&row[key]), number(&row[value]))).collect()
}

/// Counts by key, the largest first, ties by key.
fn counts<'l>(lines: &'l [Line], key: impl Fn(&'l Line) -> Option<String>) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::new();
    lines.iter().filter_map(key).for_each(|key| *counts.entry(key).or_insert(0) += 1);
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.as_bytes().cmp(b.0.as_bytes())));
    counts
}

#[test]
fn the_full_report_counts_right() {
    let (_folder, path, lines) = log();
    let document = document(&path, Question::Report, &[]);
    assert_eq!(
        rows(table(&document, "clients"), "client", "count"),
        counts(&lines, |line| Some(line.client.clone()))
    );
    assert_eq!(
        rows(table(&document, "paths"), "path", "count"),
        counts(&lines, |line| line.path.clone())
    );
    let sum: u64 = lines.iter().map(|line| line.bytes).sum();
    let totals = document.section("totals").unwrap();
    assert_eq!(totals.fact("records"), Some(&Cell::Count(lines.len() as u64)));
    assert_eq!(totals.fact("bytes"), Some(&Cell::Bytes(sum)));
    let statuses: BTreeMap<String, u64> =
        rows(table(&document, "statuses"), "status", "count").into_iter().collect();
    let expected = counts(&lines, |line| Some(line.status.to_string()));
    assert_eq!(statuses, expected.into_iter().collect());
}

#[test]
fn visitors_are_clients_with_an_agent_on_a_day() {
    let (_folder, path, lines) = log();
    let document = document(&path, Question::Report, &[]);
    let visitors: BTreeSet<_> =
        lines.iter().map(|line| (&line.day, &line.client, &line.agent)).collect();
    let found = document.section("visitors").unwrap().fact("visitors").cloned();
    assert_eq!(found, Some(Cell::Count(visitors.len() as u64)));
    let days: BTreeSet<_> = lines.iter().map(|line| &line.day).collect();
    assert_eq!(table(&document, "visitors_by_day").rows.len(), days.len());
}

#[test]
fn top_with_filters_counts_right() {
    let (_folder, path, lines) = log();
    let top = |keys: &str, filters: &[&str]| {
        let question = Question::Top { keys: keys.into(), by: None };
        document(&path, question, filters)
    };
    let found = top("client", &["status>=400", "path~^/api/"]);
    let wanted = |line: &&Line| {
        line.status >= 400 && line.path.as_ref().is_some_and(|path| path.starts_with("/api/"))
    };
    let kept: Vec<&Line> = lines.iter().filter(wanted).collect();
    let mut expected = BTreeMap::new();
    kept.iter().for_each(|line| *expected.entry(line.client.clone()).or_insert(0_u64) += 1);
    let found: BTreeMap<String, u64> =
        rows(table(&found, "top"), "client", "records").into_iter().collect();
    assert_eq!(found, expected);
    let minutes: BTreeSet<&String> = lines.iter().map(|line| &line.minute).collect();
    assert_eq!(table(&top("time/minute", &[]), "top").rows.len(), minutes.len());
}
