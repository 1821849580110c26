//! What logs of MySQL are told to say, from the file to the answer.

use std::path::{Path, PathBuf};

use logmill::document::{Cell, Document, Section};
use logmill::plan::{Plan, Question, Request};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mysql").join(name)
}

fn report(file: &Path) -> Document {
    document(file, Question::Report)
}

fn document(file: &Path, question: Question) -> Document {
    let mut request = Request::new(question, &[file.to_owned()]);
    request.asked.options.limit = 0;
    request.now = 1_800_000_000_000_000;
    Plan::new(request).unwrap().run(&|_, _| {}).unwrap().document()
}

/// Sections that show no file, no place in one and no line as it stands.
fn counted(file: &str) -> Vec<Section> {
    let named = |section: &Section| {
        matches!(
            &section.name[..],
            "files" | "ledger" | "ledger_reasons" | "worst_queries" | "kinds"
        )
    };
    report(&fixture(file)).sections.into_iter().filter(|section| !named(section)).collect()
}

#[test]
fn a_table_of_slow_statements_says_the_same_in_all_its_forms() {
    let engine = counted("slow_log.CSV");
    for section in ["totals", "statements", "query_attributes", "query_who", "timeline"] {
        assert!(engine.iter().any(|known| known.name == section), "{section}");
    }
    let exported = counted("slow_log_outfile.csv");
    for (own, other) in engine.iter().zip(&exported) {
        assert_eq!(own, other, "{}", own.name);
    }
    // The client replaced what is no letter of its own alphabet.
    let printed = counted("slow_log.tsv");
    let names = |sections: &[Section]| -> Vec<String> {
        sections.iter().map(|section| section.name.clone()).collect()
    };
    assert_eq!(names(&engine), names(&printed));
}

/// A log whose server began to sample long after the part that formats are told by.
#[test]
fn sampling_that_begins_late_is_noted() {
    let record = |more: &str| {
        format!(
            "# Time: 2024-03-07T08:15:02.418123Z\n# User@Host: app[app] @  [192.0.2.7]  Id: 42\n# Query_time: 1.5  Lock_time: 0.1  Rows_sent: 1  Rows_examined: 9\n{more}SET timestamp=1709799302;\nSELECT '{}';\n",
            "x".repeat(300)
        )
    };
    let sampled = record("# Log_slow_rate_type: query  Log_slow_rate_limit: 20\n");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("slow.log");
    std::fs::write(&log, record("").repeat(2_000) + &sampled.repeat(50)).unwrap();
    let found = report(&log);
    let section = found.sections.iter().find(|section| section.name == "sampling").unwrap();
    assert!(section.notes[0].text.contains("one of 20 (records: 50, statements: about 1,000)"));
    assert_eq!(section.fact("estimated_statements").unwrap(), &Cell::Count(3_000));
    let top = Question::Top { keys: "fingerprint".to_owned(), by: None };
    for question in [top, Question::Bursts] {
        assert!(document(&log, question).section("sampling").is_some());
    }
}
