//! The laws that every answer obeys, whatever the logs: how an input is cut, packed, shared among threads or joined from
//! states changes nothing. Run over real logs from `fixtures/` and over generated ones.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use logmill::document::{Body, Document, Section};
use logmill::generate::{self, Spec};
use logmill::input::Mmap;
use logmill::plan::{Plan, Question, Request};
use logmill::state;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A full report whose tables are whole, so that nothing hides behind a limit.
fn request(files: &[PathBuf]) -> Request {
    let mut request = Request::new(Question::Report, files);
    request.asked.options.limit = 0;
    request.now = 1_800_000_000_000_000;
    request.threads = 1;
    request
}

fn answer(request: Request) -> Document {
    let plan = Plan::new(request).unwrap();
    assert!(plan.problems().is_empty(), "{:?}", plan.problems());
    plan.run(&|_, _| {}).unwrap().document()
}

/// What must not change: every section but those that name files.
fn counted(document: Document) -> Vec<Section> {
    let named = |section: &Section| {
        matches!(&section.name[..], "files" | "ledger_reasons" | "worst_queries")
    };
    document.sections.into_iter().filter(|section| !named(section)).collect()
}

fn same(expected: &[Section], document: Document, what: &str) {
    let found = counted(document);
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found, "{what}: section '{}'", expected.name);
    }
    assert_eq!(expected.len(), found.len(), "{what}");
}

/// Small logs of each format that there is a report for: real ones, and made ones with bursts.
fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut logs: Vec<PathBuf> = [
        "nginx/combined.log",
        "nginx/vhost.log",
        "nginx/ingress.log",
        "nginx/error.log",
        "apache/combinedio.log",
        "apache/error.log",
        "bind/authority.log",
        "bind/resolver.log",
        "bind/secondary.log",
        "bind/queries_bare.log",
        "postfix/maillog",
        "postfix/traditional.log",
        "postfix/rfc3339.log",
        "postfix/rfc5424.log",
        "postfix/postfix.grammar.log",
        "postfix/policy.log",
        "postfix/policy.grammar.log",
        "mysql/slow_full.log",
        "mysql/slow_plain.log",
        "mysql/slow_log.CSV",
        "mysql/slow_log_outfile.csv",
        "mysql/slow_log.tsv",
        "mysql/error.log",
        "haproxy/haproxy.log",
        "haproxy/naive.log",
        "haproxy/own.log",
        "haproxy/raw.log",
        "haproxy/rfc5424.log",
        "haproxy/clf.log",
        "haproxy/haproxy.grammar.log",
    ]
    .iter()
    .map(|name| fixture(name))
    .filter(|path| path.exists())
    .collect();
    for name in [
        "nginx-combined",
        "nginx-timed",
        "apache-vhost",
        "nginx-error",
        "apache-error",
        "bind",
        "bind-responses",
        "postfix",
        "postfix-iso",
        "mysql-slow",
        "mariadb-slow",
        "mysql-slow-table",
        "mysql-error",
        "haproxy-http",
        "haproxy-https",
        "haproxy-tcp",
    ] {
        let mut spec = Spec::new(generate::find(name).unwrap());
        (spec.records, spec.bursts, spec.clients, spec.paths) = (Some(3_000), 2, 400, 200);
        let path = folder.join(format!("{name}.log"));
        let mut file = fs::File::create(&path).unwrap();
        generate::write(&spec, 2, &mut file).unwrap();
        logs.push(path);
    }
    let written = |name: &str| folder.join(format!("{name}.log"));
    for (name, parts) in SEVERAL {
        let path = folder.join(format!("several-{name}.log"));
        fs::write(&path, mixed(&parts.map(written))).unwrap();
        logs.push(path);
    }
    logs
}

/// Logs into which two programs write.
const SEVERAL: [(&str, [&str; 2]); 3] = [
    ("syslog", ["postfix", "haproxy-http"]),
    ("container", ["nginx-combined", "nginx-error"]),
    ("errors", ["nginx-error", "apache-vhost"]),
];

/// Lines of two logs in turn, now more of the one and now of the other.
fn mixed(logs: &[PathBuf; 2]) -> String {
    let texts = logs.each_ref().map(|log| fs::read_to_string(log).unwrap());
    let [mut one, mut other] = texts.each_ref().map(|text| text.split_inclusive('\n').peekable());
    let mut lines = String::new();
    for turn in 0.. {
        lines.extend(one.by_ref().take(turn % 7));
        lines.extend(other.by_ref().take(turn % 5));
        if one.peek().is_none() && other.peek().is_none() {
            break;
        }
    }
    lines
}

/// What several programs wrote into one log is counted as if each had its own.
#[test]
fn programs_in_one_log_count_as_in_logs_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    logs(folder.path());
    let log = |name: &str| folder.path().join(format!("{name}.log"));
    let found = counted(answer(request(&[log("several-syslog")])));
    let apart = counted(answer(request(&[log("postfix"), log("haproxy-http")])));
    assert_eq!(found.len(), apart.len());
    for (found, apart) in found.iter().zip(&apart) {
        assert_eq!(found, apart, "section '{}'", found.path());
    }
    assert!(found.iter().any(|section| section.group == "postfix"));
}

fn packed(path: &Path, folder: &Path) -> Vec<PathBuf> {
    let text = fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let gzip = |text: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    };
    // Two members, cut in the middle of a line: what logrotate and parallel packers leave behind.
    let (left, right) = text.split_at(text.len() / 2);
    let gzipped = folder.join(format!("{name}.gz"));
    fs::write(&gzipped, [gzip(left), gzip(right)].concat()).unwrap();
    let zstd = folder.join(format!("{name}.zst"));
    fs::write(&zstd, zstd::encode_all(&text[..], 1).unwrap()).unwrap();
    vec![gzipped, zstd]
}

#[test]
fn cuts_threads_and_packing_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for log in logs(folder.path()) {
        let expected = counted(answer(request(std::slice::from_ref(&log))));
        for (threads, piece_bytes, mmap) in
            [(1, 1_000, Mmap::Never), (2, 7_777, Mmap::Never), (3, 40_000, Mmap::Always)]
        {
            let mut request = request(std::slice::from_ref(&log));
            (request.threads, request.piece_bytes, request.mmap) = (threads, piece_bytes, mmap);
            same(
                &expected,
                answer(request),
                &format!("{} in pieces of {piece_bytes}", log.display()),
            );
        }
        for packed in packed(&log, folder.path()) {
            let mut request = request(std::slice::from_ref(&packed));
            (request.threads, request.piece_bytes) = (2, 10_000);
            request.now = modified(&packed);
            same(&expected, answer(request), &packed.display().to_string());
        }
    }
}

fn modified(path: &Path) -> i64 {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64
}

/// Cuts a log into parts at record starts: blank-free line ends of formats whose records are lines.
fn parts(log: &Path, folder: &Path, count: usize) -> Vec<PathBuf> {
    let text = fs::read(log).unwrap();
    let mut parts = Vec::new();
    let mut start = 0;
    for part in 1..=count {
        let wanted = text.len() * part / count;
        let end = match part == count {
            true => text.len(),
            false => wanted + memchr::memchr(b'\n', &text[wanted..]).unwrap() + 1,
        };
        let path = folder.join(format!("{}.{part}", log.file_name().unwrap().to_string_lossy()));
        fs::write(&path, &text[start..end]).unwrap();
        parts.push(path);
        start = end;
    }
    parts
}

#[test]
fn states_join_to_what_one_run_counts() {
    let folder = tempfile::tempdir().unwrap();
    let of_lines = |log: &PathBuf| {
        !log.to_string_lossy().contains("nginx-error") && !log.ends_with("nginx/error.log")
    };
    for log in logs(folder.path()).into_iter().filter(of_lines) {
        let parts = parts(&log, folder.path(), 3);
        let expected = counted(answer(request(&parts)));
        let states: Vec<PathBuf> = parts
            .iter()
            .map(|part| {
                let answer = Plan::new(request(std::slice::from_ref(part)))
                    .unwrap()
                    .run(&|_, _| {})
                    .unwrap();
                let path = part.with_extension("state");
                let path = path.with_file_name(format!(
                    "{}.state",
                    part.file_name().unwrap().to_string_lossy()
                ));
                state::save(&answer, &path).unwrap();
                path
            })
            .collect();
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let chosen: Vec<&PathBuf> = order.iter().map(|at| &states[*at]).collect();
            same(
                &expected,
                state::merge(&chosen).unwrap().document(),
                &format!("{} {order:?}", log.display()),
            );
        }
        // In two steps: any grouping.
        let pair = folder.path().join("pair.state");
        state::save(&state::merge(&states[1..]).unwrap(), &pair).unwrap();
        same(&expected, state::merge(&[&pair, &states[0]]).unwrap().document(), "grouped");
    }
}

#[test]
fn every_record_is_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    for log in logs(folder.path()) {
        let size = fs::metadata(&log).unwrap().len();
        let mut request = request(std::slice::from_ref(&log));
        request.asked.filters = vec!["class=ok".into()];
        let answer = Plan::new(request).unwrap().run(&|_, _| {}).unwrap();
        let account = answer.account();
        assert!(account.balances(), "{}: {account:?}", log.display());
        assert_eq!(account.read.bytes, size, "{}", log.display());
    }
}

#[test]
fn states_that_are_none_or_damaged_or_contradict_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = fixture("nginx/combined.log");
    let save = |request: Request, name: &str| {
        let path = folder.path().join(name);
        state::save(&Plan::new(request).unwrap().run(&|_, _| {}).unwrap(), &path).unwrap();
        path
    };
    let good = save(request(std::slice::from_ref(&log)), "good");
    let bytes = fs::read(&good).unwrap();
    let written = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let why = |path: &Path| state::merge(&[&good, path]).unwrap_err().to_string();
    assert!(why(&log).contains("is no state of logmill"));
    assert!(why(&written("empty", b"")).contains("is no state of logmill"));
    for cut in [bytes.len() - 1, bytes.len() / 2, 200] {
        assert!(why(&written("cut", &bytes[..cut])).contains("damaged"), "cut at {cut}");
    }
    let mut flipped = bytes.clone();
    let last = flipped.len() - 40;
    flipped[last] ^= 0x10;
    assert!(why(&written("flipped", &flipped)).contains("damaged"));
    let newer = String::from_utf8_lossy(&bytes[..18]).replace(":1", ":9").into_bytes();
    assert!(why(&written("newer", &[&newer, &bytes[18..]].concat())).contains("newer"));
    let mut other = request(&[log]);
    other.asked.filters = vec!["status=404".into()];
    assert!(why(&save(other, "filtered")).contains("another filter"));
}

#[test]
fn tables_are_whole_and_their_rows_as_wide_as_the_head() {
    let folder = tempfile::tempdir().unwrap();
    for log in logs(folder.path()) {
        for section in answer(request(&[log])).sections {
            if let Body::Table(table) = section.body {
                assert!(
                    table.rows.iter().all(|row| row.len() == table.columns.len()),
                    "{}",
                    section.name
                );
                assert_eq!(table.rows.len() as u64, table.total_rows, "{}", section.name);
            }
        }
    }
}

/// A report and the ledger once had a section `files` each, so that neither could be asked for alone.
#[test]
fn sections_have_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    for log in logs(folder.path()) {
        let document = answer(request(std::slice::from_ref(&log)));
        let mut names: Vec<String> = document.sections.iter().map(Section::path).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "{}: {names:?}", log.display());
    }
}
