//! Made-up logs are held against plain grammars, and against what their summaries say.

use std::collections::HashMap;

use logmill::generate::{FORMATS, Format, Spec, Summary, find, write};
use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;

/// A small site, so that tables are made in no time.
fn spec(format: &'static Format) -> Spec {
    let mut spec = Spec::new(format);
    (spec.clients, spec.paths) = (3_000, 2_000);
    spec.records = Some(6_000);
    spec.bursts = 2;
    spec
}

fn made(spec: &Spec, threads: usize) -> (Vec<u8>, Summary) {
    let mut log = Vec::new();
    let summary = write(spec, threads, &mut log).expect("a vector takes all");
    (log, summary)
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.strip_suffix(b"\n").expect("a log ends with a newline").split(|&byte| byte == b'\n')
}

fn spec_of(name: &str) -> Spec {
    spec(find(name).expect("a format of that name"))
}

/// Matches whole texts of any bytes.
fn regex(pattern: &str) -> Regex {
    let any_bytes = syntax::Config::new().utf8(false).unicode(false).dot_matches_new_line(true);
    let mut builder = Regex::builder();
    builder.configure(Config::new().utf8_empty(false)).syntax(any_bytes);
    builder.build(&format!(r"\A(?:{pattern})\z")).expect("a pattern that is right")
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    for format in FORMATS {
        // More than one chunk for the slowest worker.
        let spec = Spec { records: Some(30_000), ..spec(format) };
        let alone = made(&spec, 1);
        assert!(alone == made(&spec, 2), "{}", format.name);
        assert!(alone == made(&spec, 3), "{}", format.name);
    }
}

#[test]
fn another_seed_gives_another_log() {
    for format in FORMATS {
        let (one, two) = (spec(format), Spec { seed: 2, ..spec(format) });
        assert!(made(&one, 1).0 != made(&two, 1).0, "{}", format.name);
    }
}

#[test]
fn limits_are_kept() {
    for format in FORMATS {
        let (log, summary) = made(&spec(format), 1);
        assert_eq!((summary.records, summary.bytes), (6_000, log.len() as u64), "{}", format.name);
        let sized = Spec { records: None, size: Some(1_000_000), ..spec(format) };
        let (log, summary) = made(&sized, 2);
        assert_eq!(summary.bytes, log.len() as u64);
        assert!((996_000..=1_000_000).contains(&log.len()), "{}: {}", format.name, log.len());
        let nothing = Spec { size: Some(10), ..spec(format) };
        assert_eq!(made(&nothing, 1).1.records, 0, "{}", format.name);
    }
}

#[test]
fn the_span_is_kept() {
    const DAY: i64 = 86_400_000_000;
    for format in FORMATS {
        let spec = Spec { span: Some(DAY), bursts: 0, ..spec(format) };
        let (_, summary) = made(&spec, 1);
        let (first, last) = (summary.first - spec.start, summary.last - spec.start);
        // Stamps may tell the start of a request, a minute before it was logged.
        assert!((-DAY / 1000..DAY / 20).contains(&first), "{}: {first}", format.name);
        assert!((DAY * 9 / 10..DAY * 11 / 10).contains(&last), "{}: {last}", format.name);
    }
}

/// What stands for a client's address.
const ADDRESS: &str = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]+)";
const CLF: &str = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]";
/// A quoted field as nginx escapes it.
const NGINX: &str = r#""(?:[\x20-\x21\x23-\x5B\x5D-\x7E]|\\x[0-9A-F]{2})*""#;
/// A quoted field as Apache escapes it.
const APACHE: &str = r#""(?:[\x20-\x21\x23-\x5B\x5D-\x7E]|\\["\\bnrtv]|\\x[0-9a-f]{2})*""#;
const SERVER: &str = r"\d+\.\d+\.\d+\.\d+:\d+";
const MONTH: &str = r"[A-Z][a-z]{2}";

fn nginx_combined() -> String {
    format!(r"{ADDRESS} - [\w@. -]+ {CLF} {NGINX} \d{{3}} \d+ {NGINX} {NGINX}")
}

fn apache_common(size: &str) -> String {
    format!(r"{ADDRESS} - [\w@. -]+ {CLF} {APACHE} \d{{3}} {size}")
}

/// A list of one or two upstream values.
fn tries(one: &str) -> String {
    format!("(?:-|{one}(?:, {one})?)")
}

fn syslog(program: &str) -> String {
    format!(r"{MONTH} [ \d]\d \d\d:\d\d:\d\d {program}")
}

fn haproxy(session: &str) -> String {
    let server = r"(?:Health check for server|Server) \w+/\w+ .+\.";
    let handshake = r"www/1: (?:SSL handshake failure|Connection closed during SSL handshake)";
    let stamp = format!(r"{ADDRESS}:\d+ \[\d\d/{MONTH}/\d{{4}}:\d\d:\d\d:\d\d\.\d{{3}}\]");
    syslog(&format!(r"lb1 haproxy\[\d+\]: (?:{stamp} (?:{handshake}|{session})|{server})"))
}

/// The sessions of HAProxy's HTTP formats up to the closing quote of the request.
fn haproxy_http(frontend: &str) -> String {
    format!(
        r#"{frontend} \w+/(?:\w+|<NOSRV>) (?:-1|\d+)(?:/(?:-1|\d+)){{3}}/\d+ (?:\d{{3}}|-1) \d+ - - [-A-Za-z]{{4}} \d+/\d+/\d+/\d+/\+?\d+ \d+/\d+ (?:\{{[^}}]*\}} )?"[\x20-\x21\x23-\x7E]+""#
    )
}

fn postfix(stamp: &str) -> String {
    let id = "[0-9A-F]{6,15}";
    let bodies = [
        r"connect from \S+\[\S+\]".to_owned(),
        r"disconnect from \S+\[\S+\](?: \w+=\d+(?:/\d+)?)+".to_owned(),
        r"(?:lost connection|timeout) after \w+(?: \(0 bytes\))? from \S+\[\S+\]".to_owned(),
        r"SSL_accept error from \S+\[\S+\]: -1".to_owned(),
        r"Anonymous TLS connection established from .+".to_owned(),
        r"connect to \S+\[\S+\]:25: Connection refused".to_owned(),
        r"warning: .+".to_owned(),
        r"NOQUEUE: reject: RCPT from \S+\[\S+\]: [45]\d\d [45]\.\d\.\d+ .+; from=<\S*> to=<\S+> proto=ESMTP helo=<\S+>".to_owned(),
        format!(r"{id}: (?:client=\S+\[\S+\](?:, sasl_method=\w+, sasl_username=\S+)?|uid=0 from=<root>|message-id=<\S+>|removed)"),
        format!(r"{id}: from=<\S*>, size=\d+, nrcpt=\d+ \(queue active\)"),
        format!(r"{id}: sender non-delivery notification: {id}"),
        format!(r"{id}: to=<\S+>, relay=\S+, delay=[\d.]+, delays=[\d.]+(?:/[\d.]+){{3}}, dsn=\d\.\d\.\d, status=(?:sent|deferred|bounced) \(.+\)"),
    ];
    format!(r"{stamp} mx1 postfix/[\w/]+\[\d+\]: (?:{})", bodies.join("|"))
}

/// The grammar of one line of each format.
fn grammar(name: &str) -> String {
    let seconds = r"\d+\.\d{3}";
    let combined = nginx_combined();
    match name {
        "nginx-combined" => combined,
        "nginx-main" => format!(r#"{combined} "(?:-|{ADDRESS}(?:, {ADDRESS})?)""#),
        "nginx-timed" => format!(
            r"{combined} {seconds} {} {} {}",
            tries(seconds),
            tries(SERVER),
            tries(r"(?:\d{3}|-)")
        ),
        "nginx-vhost" => format!(r"[\w.]+:\d+ {combined}"),
        "nginx-ingress" => format!(
            r"{combined} \d+ {seconds} \[[\w-]*\] \[\] {} {} {} {} [0-9a-f]{{32}}",
            tries(SERVER),
            tries(r"\d+"),
            tries(seconds),
            tries(r"(?:\d{3}|-)")
        ),
        "nginx-json" => format!(
            r#"\{{"time_iso8601":"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00","remote_addr":"{ADDRESS}",.+,"status":\d{{3}},"body_bytes_sent":\d+,"request_time":{seconds},.+\}}"#
        ),
        "nginx-ltsv" => {
            r"time:[^\t]+\thost:[^\t]+\tforwardedfor:[^\t]+\treq:[^\t]*\tstatus:\d{3}\tsize:\d+\treferer:[^\t]*\tua:[^\t]*\treqtime:[^\t]+\tapptime:[^\t]+\tvhost:[^\t]+".to_owned()
        }
        "apache-common" => apache_common(r"(?:-|[1-9]\d*)"),
        "apache-combined" => format!("{} {APACHE} {APACHE}", apache_common(r"(?:-|[1-9]\d*)")),
        "apache-combinedio" => {
            format!(r"{} {APACHE} {APACHE} \d+ \d+", apache_common(r"(?:-|[1-9]\d*)"))
        }
        "apache-vhost" => format!(r"[\w.]+:443 {} {APACHE} {APACHE}", apache_common(r"\d+")),
        // The lines after the first are those of a PHP error.
        "nginx-error" => {
            r"(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(?:alert|error|warn|info)\] \d+#\d+: .+|Stack trace:|#\d .+|  thrown in .+)".to_owned()
        }
        "apache-error" => format!(
            r"\[\w{{3}} {MONTH} \d\d \d\d:\d\d:\d\d\.\d{{6}} \d{{4}}\] \[\w+:(?:error|info|notice)\] \[pid \d+:tid \d+\] (?:\(\d+\)[\w ]+: )?(?:\[client {ADDRESS}:\d+\] )?(?:AH\d{{5}}: )?[ -~]+"
        ),
        "apache-error-2.2" => format!(
            r"\[\w{{3}} {MONTH} \d\d \d\d:\d\d:\d\d \d{{4}}\] \[error\] (?:\[client {ADDRESS}\] )?(?:\(\d+\)[\w ]+: )?[ -~]+"
        ),
        "haproxy-http" => haproxy(&haproxy_http("www")),
        "haproxy-https" => haproxy(&format!(
            r"{} 0/0{{16}}/0/0/[01] [\w.]+/TLSv1\.3/TLS_AES_256_GCM_SHA384",
            haproxy_http("www~")
        )),
        "haproxy-tcp" => haproxy(
            r"sql \w+/\w+ (?:-1|\d+)/(?:-1|\d+)/\d+ \d+ [-A-Za-z]{2} \d+/\d+/\d+/\d+/\+?\d+ \d+/\d+",
        ),
        "postfix" => postfix(&format!(r"{MONTH} [ \d]\d \d\d:\d\d:\d\d")),
        "postfix-iso" => postfix(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"),
        "bind" | "bind-responses" => {
            let stamp = format!(r"\d\d-{MONTH}-\d{{4}} \d\d:\d\d:\d\d\.\d{{3}}");
            let client = format!(r"client @0x[0-9a-f]{{12}} {ADDRESS}#\d+ \(\S+\): ");
            let query = format!(r"queries: info: {client}query: \S+ IN \w+ [+-][SETDCVK()0]* \({ADDRESS}\)");
            let response = match name {
                "bind" => "no responses".to_owned(),
                _ => format!(r"responses: info: {client}response: \S+ IN \w+ [A-Z]+ \d \d \d [+-][SETDCVK()0]* \({ADDRESS}\)"),
            };
            let failed = format!(r"query-errors: info: {client}(?:query failed \([\w ]+\) for \S+/IN/\w+ at query\.c:\d+|rate limit .+)");
            let denied = format!(r"security: (?:info|error): {client}.+ denied.*");
            let others = r"(?:lame-servers|resolver|dnssec|notify): info: .+";
            format!("{stamp} (?:{query}|{response}|{failed}|{denied}|{others})")
        }
        "mysql-error" => {
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \d+ \[(?:System|ERROR|Warning|Note)\] \[MY-\d{6}\] \[(?:Server|InnoDB|Repl)\] .+".to_owned()
        }
        "mysql-slow-table" => {
            let span = r"\d\d:\d\d:\d\d\.\d{6}";
            let text = r#""(?:[^"\\]|\\.)*""#;
            format!(r#""\d{{4}}-\d\d-\d\d {span}","\w+\[\w+\] @ (?:\S+|) \[[\w.:]*\]","{span}","{span}",\d+,\d+,"\w+",0,0,1,{text},\d+,[01]"#)
        }
        // Records of several lines have a test of their own.
        "mysql-slow" | "mariadb-slow" => ".*".to_owned(),
        other => panic!("no grammar for {other}"),
    }
}

#[test]
fn every_line_keeps_to_its_grammar() {
    for format in FORMATS {
        let pattern = regex(&grammar(format.name));
        let (log, _) = made(&spec(format), 1);
        for line in lines(&log) {
            let text = String::from_utf8_lossy(line);
            assert!(pattern.is_match(line), "{}: {text}", format.name);
        }
    }
}

#[test]
fn json_lines_are_objects_with_balanced_quotes() {
    let (log, _) = made(&spec_of("nginx-json"), 1);
    let member = r#""\w+":(?:"(?:[^"\\\x00-\x1F]|\\.)*"|[\d.]+)"#;
    let object = regex(&format!(r"\{{{member}(?:,{member}){{15}}\}}"));
    for line in lines(&log) {
        assert!(object.is_match(line), "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn slow_query_records_have_their_header_and_end_with_a_semicolon() {
    let decimal = r"\d+\.\d{6}";
    let account = r"# User@Host: \w+\[\w+\] @ (?:\S+|) \[[\w.:]*\]";
    let mysql = format!(
        r"{account}  Id: +\d+\n# Query_time: {decimal}  Lock_time: {decimal} Rows_sent: \d+  Rows_examined: \d+\n(?:use \w+;\n)?SET timestamp=\d+;\n.+;\n(?:# Time: [0-9TZ:.-]+\n)?"
    );
    let mariadb = format!(
        r"{account}\n# Thread_id: \d+  Schema: \w+  QC_hit: No\n# Query_time: {decimal}  Lock_time: {decimal}  Rows_sent: \d+  Rows_examined: \d+\n# Rows_affected: \d+  Bytes_sent: \d+\n# Full_scan: \w+ .+\n# Filesort: \w+ .+\n(?:use \w+;\n)?SET timestamp=\d+;\n.+;\n(?:# Time: \d{{6}} [ \d]\d:\d\d:\d\d\n)?"
    );
    for (name, pattern) in [("mysql-slow", mysql), ("mariadb-slow", mariadb)] {
        let pattern = regex(&pattern);
        let (log, summary) = made(&spec_of(name), 1);
        let text = String::from_utf8(log).unwrap();
        let mut records = text.split_inclusive('\n').collect::<Vec<_>>();
        let heads: Vec<usize> =
            (0..records.len()).filter(|&at| records[at].starts_with("# User@Host: ")).collect();
        assert_eq!(heads.len() as u64, summary.records);
        records.push("");
        for (nth, &head) in heads.iter().enumerate() {
            let end = heads.get(nth + 1).copied().unwrap_or(records.len());
            let record = records[head..end].concat();
            assert!(pattern.is_match(record.as_bytes()), "{name}: {record}");
        }
    }
}

#[test]
fn lines_are_in_the_order_of_time() {
    for (name, from, length) in
        [("nginx-json", 17, 19), ("postfix-iso", 0, 26), ("mysql-error", 0, 26)]
    {
        let (log, _) = made(&Spec { records: Some(40_000), ..spec_of(name) }, 1);
        let stamps: Vec<&[u8]> = lines(&log).map(|line| &line[from..from + length]).collect();
        assert!(stamps.is_sorted(), "{name}");
    }
}

#[test]
fn messages_live_whole_lives() {
    let (log, _) = made(&Spec { bursts: 0, ..spec_of("postfix") }, 1);
    let text = String::from_utf8(log).unwrap();
    let mut lives: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in text.lines() {
        let (_, body) = line.split_once("]: ").expect("a process and a text");
        if let Some((id, step)) = body.split_once(": ").filter(|(id, _)| id.len() == 11) {
            lives.entry(id).or_default().push(step);
        }
    }
    let whole = lives.values().filter(|steps| {
        let last = steps.last() == Some(&"removed");
        last && steps.iter().any(|step| step.starts_with("message-id="))
    });
    // The rest were put off or cut by the end of the log.
    assert!(whole.count() * 100 > lives.len() * 90);
}

/// The instant of a `[05/Jan/2026:00:00:00 +0000]` in seconds after the start of that day.
fn second_of_day(line: &[u8]) -> i64 {
    let open = line.iter().position(|&byte| byte == b'[').expect("a stamp");
    let number = |from: usize| -> i64 {
        let digits = &line[open + from..open + from + 2];
        std::str::from_utf8(digits).unwrap().parse().unwrap()
    };
    number(13) * 3600 + number(16) * 60 + number(19)
}

#[test]
fn bursts_are_where_the_summary_says() {
    let spec = Spec { records: Some(200_000), ..spec_of("nginx-timed") };
    let (log, summary) = made(&spec, 2);
    assert_eq!(summary.bursts.len(), 2);
    for burst in &summary.bursts {
        let (start, end) = (burst.start - spec.start, burst.end - spec.start);
        let inside =
            |line: &&[u8]| (start / 1_000_000..=end / 1_000_000).contains(&second_of_day(line));
        let (within, outside): (Vec<&[u8]>, Vec<&[u8]>) = lines(&log).partition(inside);
        let code = if burst.kind == "upstream_refused" { "502" } else { "504" };
        let tail = format!(" {} {code}", burst.subject);
        let count =
            |lines: &[&[u8]]| lines.iter().filter(|line| line.ends_with(tail.as_bytes())).count();
        assert!(count(&within).abs_diff(burst.records as usize) < 20, "{burst:?}");
        assert!(count(&within) * 5 > within.len(), "{burst:?}");
        assert!(count(&outside) * 1000 < outside.len(), "{burst:?}");
    }
}

#[test]
fn every_format_tells_of_its_bursts() {
    for format in FORMATS {
        let (_, summary) = made(&Spec { records: Some(60_000), ..spec(format) }, 2);
        for burst in summary.bursts {
            assert!(burst.start < burst.end && !burst.subject.is_empty());
            assert!(burst.records > 100, "{}: {burst:?}", format.name);
        }
    }
}

#[test]
fn few_take_most_of_the_traffic() {
    let spec = Spec { records: Some(200_000), bursts: 0, ..spec_of("nginx-combined") };
    let (log, _) = made(&spec, 2);
    let mut counts: HashMap<&[u8], u32> = HashMap::new();
    for line in lines(&log) {
        let client = line.split(|&byte| byte == b' ').next().expect("a first field");
        *counts.entry(client).or_default() += 1;
    }
    let mut counts: Vec<u32> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    // Weights fall as 1 / (rank + 20).
    let ratio = f64::from(counts[10]) / f64::from(counts[400]);
    assert!((10.0..18.0).contains(&ratio), "{ratio}");
    assert!(counts.len() > 2_900);
}

#[test]
fn a_combined_line_has_a_usual_length_and_outcome() {
    let spec = Spec { records: Some(50_000), bursts: 0, ..spec_of("nginx-combined") };
    let (log, summary) = made(&spec, 2);
    let mean = summary.bytes / summary.records;
    assert!((200..=245).contains(&mean), "{mean}");
    let mut shares: HashMap<&[u8], u32> = HashMap::new();
    for line in lines(&log) {
        let request = line.windows(3).position(|part| part == b"] \"").expect("a request") + 3;
        let end = line[request..].iter().position(|&byte| byte == b'"').expect("its end");
        *shares.entry(&line[request + end + 2..][..3]).or_default() += 1;
    }
    let share = |code: &[u8]| shares.get(code).copied().unwrap_or(0) * 1000 / 50_000;
    assert!((700..900).contains(&share(b"200")), "{shares:?}");
    for code in [
        b"204", b"206", b"301", b"302", b"304", b"400", b"401", b"403", b"404", b"408", b"429",
        b"499", b"500",
    ] {
        assert!(shares.contains_key(&code[..]), "{shares:?}");
    }
}
