//! Whole runs, from the file to the document: opened, recognised, read, parsed, counted and finished.
//!
//! Two questions (`top client`, the full report), one thread and two, plain and gzip, on a web log and on an error log.
//! The throughput is that of plain bytes and of records, for gzip too. The files are written just before and lie in the
//! page cache: disks are not measured. Every run's records are checked.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use logmill::document::Document;
use logmill::generate::Summary;
use logmill::plan::{Plan, Question, Request};
use support::{amount, log};

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let folder = tempfile::tempdir().expect("the system has room for temporary files");
    for name in ["nginx-combined", "nginx-timed", "nginx-error"] {
        let (text, summary) = log(name, amount(64 << 20, 128 << 10));
        let plain = folder.path().join(format!("{name}.log"));
        fs::write(&plain, &text).expect("the log fits the disk");
        let packed = pack(&text, &plain);
        for (packing, path) in [("plain", &plain), ("gzip", &packed)] {
            let log = Log { name: format!("{name}/{packing}"), path, summary: &summary };
            runs(&mut criterion, &log);
        }
    }
    criterion.final_summary();
}

/// A file that is measured.
struct Log<'a> {
    name: String,
    path: &'a Path,
    summary: &'a Summary,
}

fn runs(criterion: &mut Criterion, log: &Log<'_>) {
    let top = Question::Top { keys: "client".to_owned(), by: None };
    let mut group = criterion.benchmark_group(format!("whole/{}", log.name));
    let (elements, bytes) = (log.summary.records, log.summary.bytes);
    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    group.sampling_mode(SamplingMode::Flat);
    for (what, question) in [("top client", top), ("report", Question::Report)] {
        for threads in [1, 2] {
            let id = BenchmarkId::new(what, format!("{threads} threads"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| run(log, &question, threads));
            });
        }
    }
    group.finish();
}

fn run(log: &Log<'_>, question: &Question, threads: usize) -> Document {
    let mut request = Request::new(question.clone(), [log.path]);
    request.threads = threads;
    let plan = Plan::new(request).expect("the question fits the log");
    let answer = plan.run(&|_, _| {}).expect("threads start");
    let account = answer.account();
    assert_eq!(account.counted.records, log.summary.records, "{}", log.name);
    assert!(answer.is_whole() && account.balances(), "{}", log.name);
    answer.document()
}

fn pack(text: &[u8], plain: &Path) -> PathBuf {
    let path = plain.with_extension("log.gz");
    let file = fs::File::create(&path).expect("the folder is ours");
    let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    packer.write_all(text).and_then(|()| packer.finish()).expect("the log fits the disk");
    path
}
