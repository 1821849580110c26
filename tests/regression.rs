//! Defects that were found with the program in hand, one by one: each test tells what went wrong.

#[path = "support/place.rs"]
mod place;

use std::fs;
use std::io::Write;
use std::process::Command;

use place::{LINE, Place, Said, lines, packed};

/// A stream cut in its second record: "only 1 of its first 2 records" fitted, which is less than three fifths, and the
/// one that was whole was lost.
#[test]
fn the_whole_record_before_a_cut_in_the_second_counts() {
    let place = Place::with("half.log", format!("{LINE}\n{}", &LINE[..40]));
    let said = place.run("top status half.log --output uniq");
    assert_eq!((said.code, said.out.as_str()), (0, "      1 200\n"), "{}", said.err);
    assert!(said.err.contains("1 of 2 records were not understood"), "{}", said.err);
}

/// All that was said of these was that their lines are in no known format.
#[test]
fn what_is_no_log_is_told_what_it_is() {
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(LINE.bytes().flat_map(|byte| [byte, 0])).collect();
    for (bytes, words) in [
        (lines(3).replace('\n', "\r").into_bytes(), "carriage returns alone"),
        (utf16, "UTF-16"),
        (b"\n".repeat(9), "blank lines"),
        ((0..=255).collect(), "is binary"),
        (packed(""), "unpacks to nothing"),
        (packed(&lines(1))[..8].to_vec(), "unpacks to nothing"),
        (
            {
                let mut packer =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
                packer.write_all(&packed(&lines(9))).unwrap();
                packer.finish().unwrap()
            },
            "packed twice",
        ),
    ] {
        let said = Place::with("odd", bytes).run("report odd");
        assert_eq!(said.code, 3);
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
}

/// A wrong layout or threshold was refused after the whole log had been read.
#[test]
fn how_the_answer_is_to_look_is_checked_before_anything_is_read() {
    let place = Place::new();
    for command in ["report --output pdf", "report --max-rejected x", "merge --output pdf no.state"]
    {
        let said = place.run(&format!("{command} missing.log"));
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(!said.err.contains("missing.log"), "{}", said.err);
    }
}

/// Without a word of why, an exit status of 1 explains itself to nobody.
#[test]
fn the_threshold_that_was_passed_is_named() {
    let place = Place::with("a.log", lines(9) + "junk\n");
    let said = place.run("report a.log --max-rejected 1%");
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("10.000 % were not understood, more than --max-rejected 1% allows"),
        "{}",
        said.out
    );
    assert!(place.run("records a.log --max-rejected 1%").err.contains("--max-rejected 1% allows"));
}

/// "The inputs are empty", it said, of inputs that nobody had named.
#[test]
fn nothing_named_and_nothing_piped_in() {
    let said = Place::new().run("report");
    assert!(
        said.err.starts_with("logmill: no log was named, and standard input is empty\n"),
        "{}",
        said.err
    );
    assert!(said.err.contains("/var/log/nginx/access.log*"));
}

/// `-2h` is a moment, said the message that refused it as a flag.
#[test]
fn a_moment_may_begin_with_a_minus() {
    let place = Place::with("a.log", lines(1));
    assert_eq!(place.run("top status a.log --since -2h").code, 0);
    let said = Command::new(env!("CARGO_BIN_EXE_logmill"))
        .args(["top", "status", "a.log", "--since", "10 minutes ago", "--until", "2 days ago"])
        .current_dir(place.0.path())
        .output()
        .map(Said::from)
        .unwrap();
    assert!(said.err.contains("the period is empty"), "{}", said.err);
}

/// `bursts` said of a filter that left nothing that errors never left their usual rate.
#[test]
fn of_no_records_no_bursts_are_told() {
    let said = Place::with("a.log", lines(20)).run("bursts a.log --where status=299");
    assert!(said.out.contains("no record was counted"), "{}", said.out);
}

/// `bursts` answered a quiet log with the ledger alone.
#[test]
fn no_bursts_are_an_answer() {
    let said = Place::with("a.log", lines(20)).run("bursts a.log");
    assert!(said.out.contains("no bursts: "), "{}", said.out);
    assert!(said.out.contains("Every line accounted for"));
}

/// The title named the first family alone.
#[test]
fn top_of_several_families_names_all_of_them() {
    let place = Place::with("a.log", lines(2));
    place.write("e.log", "2024/03/07 09:15:02 [error] 7#7: *1 \"/x\" is not found (2: No such file or directory), client: 10.0.0.7, server: s\n");
    let said = place.run("top client a.log e.log");
    assert!(
        said.out.starts_with("Web requests, Nginx errors · 2 files · 3 records\n"),
        "{}",
        said.out
    );
}

/// An empty report of the last hour did not say that the log ends a day before.
#[test]
fn a_filter_that_takes_all_says_what_time_the_logs_cover() {
    let place = Place::with("a.log", lines(2));
    for filter in ["--since 2030-01-01", "--where status=599"] {
        let said = place.run(&format!("report a.log {filter}"));
        assert_eq!(said.code, 0, "{}", said.err);
        let note = "no record passed the filters, which took all 2; the logs reach from 2024-03-07";
        assert!(said.out.contains(note), "{}", said.out);
    }
    assert!(!place.run("report a.log").out.contains("no record passed"));
}

/// Each of these was told as something else: a binary file, no log at all, an unknown command.
#[test]
fn files_in_the_wrong_place_are_told_as_what_they_are() {
    let place = Place::with("a.log", lines(2));
    place.run("report a.log --save a.state");
    for (command, code, told) in [
        ("report a.state", 3, "logmill merge FILE"),
        ("top a.log", 2, "logmill top client 'a.log'"),
        ("a.log", 2, "logmill report 'a.log'"),
    ] {
        let said = place.run(command);
        assert_eq!(said.code, code, "{command}: {}", said.err);
        assert!(said.err.contains(told), "{command}: {}", said.err);
    }
}

/// Blank lines are passed over without a reason to show, and the table of reasons said "none".
#[test]
fn blank_lines_need_no_table_of_reasons() {
    let said = Place::with("a.log", lines(3).replace('\n', "\n\n")).run("report a.log");
    assert!(said.out.contains("skipped") && !said.out.contains("Not counted"), "{}", said.out);
}

/// In winter, a log of July was shown an hour off: with the offset that the zone had on the day of asking.
#[test]
fn summer_is_told_in_summer_time() {
    let july = lines(1).replace("07/Mar/2024:09:15:02 +0100", "07/Jul/2024:09:15:02 +0000");
    let place = Place::with("july.log", &july);
    place.write("january.log", july.replace("Jul", "Jan"));
    let said = place.run("report july.log --tz Europe/Berlin --save july.state");
    assert!(
        said.out.contains("times in Europe/Berlin\n") && said.out.contains("2024-07-07 11:15:02"),
        "{}",
        said.out
    );
    let said = place.run("report january.log --tz Europe/Berlin --save january.state");
    assert!(
        said.out.contains("times in Europe/Berlin\n") && said.out.contains("2024-01-07 10:15:02"),
        "{}",
        said.out
    );
    for states in ["july.state january.state", "january.state july.state"] {
        let said = place.run(&format!("merge {states}"));
        let both = ["2024-01-07 10:15:02", "2024-07-07 11:15:0"];
        assert!(both.iter().all(|time| said.out.contains(time)), "{}{}", said.out, said.err);
    }
}

/// Error logs say of no request how much was sent, and every table said 0 B.
#[test]
fn sizes_that_nobody_logs_have_no_column() {
    let place = Place::with("e.log", "2024/03/07 09:15:02 [error] 7#7: *1 open() \"/w/x\" failed (2: No such file or directory), client: 10.0.0.7, server: s, request: \"GET /x HTTP/1.1\", host: \"h\"\n".repeat(3));
    let said = place.run("report e.log");
    let tables = said.out.split("Every line accounted for").next().unwrap();
    assert!(tables.contains("Paths") && tables.contains("Timeline"), "{tables}");
    let has_sizes = |line: &&str| line.contains("bytes") && !line.contains("bytes in");
    assert_eq!(tables.lines().find(has_sizes), None, "{tables}");
}

/// `$server_name` in an access log had no table.
#[test]
fn server_blocks_of_access_logs_are_counted() {
    let place =
        Place::with("a.log", "shop.example 10.0.0.7 1709799302.418 GET /a 200 0.002\n".repeat(2));
    let definition =
        "$server_name $remote_addr $msec $request_method $request_uri $status $request_time";
    let output = Command::new(env!("CARGO_BIN_EXE_logmill"))
        .args(["report", "a.log", "--log-format", definition])
        .current_dir(place.0.path())
        .output()
        .map(Said::from)
        .unwrap();
    assert!(output.out.contains("Server blocks\n"), "{}", output.out);
    assert!(output.out.contains("Endpoints by time spent\n"), "{}", output.out);
}

/// Lines that a container runtime or a shipper wraps in JSON were refused, whatever stood in them.
#[test]
fn lines_wrapped_in_json_are_unwrapped() {
    let wrapped = |line: &str| {
        let text = serde_json::to_string(&format!("{line}\n")).unwrap();
        format!("{{\"log\":{text},\"stream\":\"stdout\",\"time\":\"2024-03-07T08:15:02.4Z\"}}\n")
    };
    let quoted = LINE.replace("\"x\"", "\"a \\x22b\\x22\"");
    let docker: String = [LINE, &quoted, LINE].iter().map(|line| wrapped(line)).collect();
    let place = Place::with("docker.log", &docker);
    place.write("docker.log.gz", packed(&docker));
    for log in ["docker.log", "docker.log.gz"] {
        let said = place.run(&format!("top agent {log} --output uniq"));
        assert_eq!(said.out, "      2 x\n      1 a \\x22b\\x22\n", "{}", said.err);
    }
    let said = place.run("report docker.log.gz --section files --output csv");
    assert!(said.out.contains("docker.log.gz,combined,\"gzip, in JSON\",3,3,0,"), "{}", said.out);
    let long = wrapped(LINE).repeat(5_000);
    let cut = packed(&long);
    place.write("cut.log.gz", &cut[..cut.len() / 2]);
    let said = place.run("top agent cut.log.gz --output uniq");
    assert_eq!(said.code, 3);
    assert!(said.out.ends_with(" x\n"), "{}", said.err);
    let error = "2024/03/07 09:15:02 [error] 7#7: *1 \\\"/x\\\" is not found (2: No such file or directory)";
    place.write("shipped.log", format!("{{\"host\":\"a\",\"message\":\"{error}\"}}\n").repeat(4));
    assert_eq!(place.run("top kind shipped.log --output uniq").out, "      4 not_found\n");
    // A log of its own whose lines have a message is left alone.
    place.write(
        "own.log",
        "{\"status\":200,\"remote_addr\":\"::1\",\"request_uri\":\"/\",\"message\":\"hi\"}\n",
    );
    assert_eq!(place.run("top message own.log --output uniq").out, "      1 hi\n");
}

/// Parts of a line that a container runtime had torn were refused each by itself, or read as lines of their own.
#[test]
fn parts_of_a_line_in_a_container_log_are_one_record() {
    let (front, back) = LINE.split_at(LINE.find("HTTP/").unwrap());
    let stamp = "2024-03-07T08:15:02.418123456Z";
    let torn =
        format!("{stamp} stdout P {front}\n{stamp} stderr F dear diary\n{stamp} stdout F {back}\n");
    let log = format!("{stamp} stdout F {LINE}\n").repeat(9) + &torn.repeat(3);
    let place = Place::with("pod.log", &log);
    place.write("pod.log.gz", packed(&log));
    for log in ["pod.log", "pod.log.gz"] {
        for threads in [1, 2] {
            let said = place.run(&format!("top agent {log} --threads {threads} --output uniq"));
            assert_eq!(said.out, "     12 x\n", "{}", said.err);
        }
    }
    let said = place.run("report pod.log --section files --output csv");
    assert!(said.out.contains("pod.log,combined,in CRI lines,15,12,3,"), "{}", said.out);
}

/// What `journalctl -o json` and `-o export` write was in no known format.
#[test]
fn entries_of_a_journal_are_read_as_lines() {
    let names = [
        ("__CURSOR", "s=1"),
        ("__REALTIME_TIMESTAMP", "1709799302418123"),
        ("_HOSTNAME", "mx"),
        ("SYSLOG_IDENTIFIER", "postfix/smtpd"),
        ("_PID", "77"),
        ("MESSAGE", "connect from mail.example.org[192.0.2.7]"),
    ];
    let fields = |write: &dyn Fn(&(&str, &str)) -> String, between: &str| {
        names.iter().map(write).collect::<Vec<_>>().join(between)
    };
    let json = fields(&|(name, value)| format!("\"{name}\":\"{value}\""), ",");
    let export = fields(&|(name, value)| format!("{name}={value}"), "\n");
    let place = Place::with("mail.json", format!("{{{json}}}\n").repeat(3));
    place.write("mail.export", format!("{export}\n\n").repeat(3));
    for log in ["mail.json", "mail.export"] {
        let said = place.run(&format!("records --fields time,loghost,client {log} --output csv"));
        let record = "2024-03-07T08:15:02.418123Z,mx,192.0.2.7\n";
        assert_eq!(said.out, format!("time,loghost,client\n{}", record.repeat(3)), "{}", said.err);
    }
}

/// Of logs in no known format, `records` said that they do not carry the field that was asked for.
#[test]
fn fields_of_logs_that_nobody_understands() {
    let place = Place::with("a.log", "dear diary\n");
    for command in ["records --fields time,client a.log", "top client a.log"] {
        let said = place.run(command);
        assert_eq!(said.code, 3, "{}", said.err);
        assert!(said.err.contains("in a format that logmill knows"), "{}", said.err);
    }
}

/// UTF-16 without its mark was called binary, and quotes around a moment or a number were part of it.
#[test]
fn what_people_type_and_bring_along() {
    let place = Place::with("a.log", format!("{LINE}\n"));
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let wide: Vec<u8> = LINE.encode_utf16().flat_map(order).collect();
        place.write("wide.log", wide);
        let said = place.run("report wide.log");
        assert!(said.err.contains("is UTF-16 text without a mark"), "{}", said.err);
        assert!(said.err.contains("iconv -f UTF-16"), "{}", said.err);
    }
    let said = place.run("top client --where status='200' --where time>='2024-03-07' a.log -o csv");
    assert!(said.out.ends_with(",1,1\n"), "{}{}", said.out, said.err);
    let said = place.run(
        "top client --since 07/Mar/2024 --until 07/Mar/2024:09:16 --tz Europe/Berlin a.log -o csv",
    );
    assert!(said.out.ends_with(",1,1\n"), "{}{}", said.out, said.err);
    let said = place.run("top client --since 2h a.log");
    assert!(said.err.contains("did you mean '2h ago', or --last 2h?"), "{}", said.err);
}

/// `--where source=…` and `top source` said that logs do not carry their own name.
#[test]
fn records_are_told_by_the_log_in_which_they_stand() {
    let place = Place::with("a.log", format!("{LINE}\n").repeat(3));
    place.write("b.log", format!("{LINE}\n").repeat(2) + &LINE.replace("200", "500") + "\n");
    place.write("c.log.gz", packed(&format!("{LINE}\n")));
    let all = "a.log b.log c.log.gz";
    let top = |asked: &str| place.run(&format!("top {asked} {all} --output uniq")).out;
    assert_eq!(top("source"), "      3 a.log\n      3 b.log\n      1 c.log.gz\n");
    assert!(top("status,source").starts_with("      3 200 a.log\n"), "{}", top("status,source"));
    assert_eq!(top("status --where source=b.log"), "      2 200\n      1 500\n");
    assert_eq!(top("status --where source!=b.log"), "      4 200\n");
    assert_eq!(top("source --where source~^[ab]"), "      3 a.log\n      3 b.log\n");
    let said =
        place.run(&format!("records --fields source,status --where source=c.log.gz {all} -o csv"));
    assert_eq!(said.out, "source,status\nc.log.gz,200\n", "{}", said.err);
    let said = place.run(&format!("report --where source=a.log {all} --section ledger -o csv"));
    assert!(said.out.contains("counted,3,"), "{}{}", said.out, said.err);
    for (log, state) in [("a.log", "a.state"), ("b.log", "b.state")] {
        assert_eq!(place.run(&format!("top source {log} --save {state}")).code, 0);
    }
    let merged = place.run("merge a.state b.state --output csv").out;
    assert!(merged.contains("top,a.log,3,0.5\ntop,b.log,3,0.5\n"), "{merged}");
}

/// A name where a definition is wanted, a definition where a name is, a name with a slip in it, a configuration of the other
/// server: each was refused without the word that helps.
#[test]
fn what_was_meant_is_said() {
    let place = Place::with("a.log", format!("{LINE}\n"));
    place.write("nginx.conf", "log_format x '$remote_addr $status';\n");
    place.write("httpd.conf", "LogFormat \"%h %>s\" x\n");
    for (asked, words) in [
        ("--log-format combined", "that is the name of a format: --format combined"),
        ("--format %h", "that is a definition: --log-format '%h'"),
        ("--format combind", "did you mean 'combined'?"),
        ("--nginx-conf httpd.conf", "it is Apache's: --apache-conf 'httpd.conf'"),
        ("--apache-conf nginx.conf", "it is Nginx's: --nginx-conf 'nginx.conf'"),
    ] {
        let said = place.run(&format!("report a.log {asked}"));
        assert_eq!(said.code, 2, "{asked}");
        assert!(said.err.contains(words), "{asked}: {}", said.err);
    }
}

const NOT_FOUND: &str = "open() \"/w/x\" failed (2: No such file or directory), client: 10.0.0.7, server: s, request: \"GET /x HTTP/1.1\", host: \"h\"";

#[test]
fn trap_39_members_of_a_packed_error_log_follow_each_other() {
    let line = format!("2024/03/07 09:15:02 [error] 7#7: *1 {NOT_FOUND}\n");
    // A record of several lines lies across two members.
    let (front, back) =
        ("2024/03/07 09:15:03 [error] 7#7: *2 FastCGI sent in stderr: \"one\n", "two\"\n");
    let members = [line.as_str(), &(line.clone() + front), &(back.to_owned() + &line)];
    let place = Place::with("e.log.gz", members.map(packed).concat());
    let said = place.run("top kind e.log.gz --output uniq");
    assert_eq!(said.out, "      3 not_found\n      1 fastcgi_stderr\n", "{}", said.err);
}

/// Error logs have no zone: that which is typed holds, the hour that comes twice in autumn is the first one, and beside
/// logs with a zone both stand at the same instant.
#[test]
fn trap_40_error_logs_take_the_zone_that_is_typed() {
    let nginx = |time: &str| format!("{time} [error] 7#7: *1 {NOT_FOUND}\n");
    let place = Place::with("n.log", nginx("2024/03/07 09:15:02") + &nginx("2024/10/27 02:30:00"));
    place.write("a.log", "[Thu Mar 07 09:15:02.418123 2024] [core:error] [pid 8] [client 10.0.0.7:5] AH00037: Symbolic link not allowed: /w/x\n");
    place.write("access.log", format!("{LINE}\n"));
    let times = |log: &str, zone: &str| {
        place.run(&format!("records --fields time --tz {zone} {log} -o tsv")).out
    };
    assert_eq!(times("n.log", "UTC"), "time\n2024-03-07T09:15:02Z\n2024-10-27T02:30:00Z\n");
    let local = "time\n2024-03-07T08:15:02Z\n2024-10-27T00:30:00Z\n";
    assert_eq!(times("n.log", "Europe/Berlin"), local);
    assert_eq!(times("a.log", "Europe/Berlin"), "time\n2024-03-07T08:15:02.418123Z\n");
    assert_eq!(times("access.log", "Europe/Berlin"), "time\n2024-03-07T08:15:02Z\n");
}

/// A rotation that was interrupted leaves a log beside its packed copy; both were counted without a word.
#[test]
fn a_log_beside_its_copy_is_said() {
    let log = format!("{LINE}\n").repeat(1_000);
    let place = Place::with("access.log.1", &log);
    place.write("access.log.1.gz", packed(&log));
    place.write("access.log", log.replace("/a", "/b"));
    let said = place.run("report access.log access.log.1 access.log.1.gz");
    let words = "'access.log.1.gz' begins as 'access.log.1' does: if one is a copy of the other, its records count twice";
    assert!(said.out.contains(words), "{}", said.out);
    let said = place.run("report access.log access.log.1");
    assert!(!said.out.contains("is a copy"), "{}", said.out);
}

/// A filter that left nothing of the first few hundred records made `top` by several fields panic.
#[test]
fn top_by_several_fields_where_few_records_are_wanted() {
    let rare = LINE.replace("\" 200 ", "\" 500 ");
    let place = Place::with("a.log", format!("{}{rare}\n{}", lines(2_000), lines(2_000)));
    for threads in [1, 3] {
        let said = place.run(&format!(
            "top client,status,method a.log --where status>=500 --output csv --threads {threads}"
        ));
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(said.out.lines().nth(1), Some("10.0.0.7,500,GET,1,1"), "{}", said.out);
    }
}

/// Each of some hundred files of a container runtime was open from beginning to end, and with few descriptors so was
/// each plain and each packed one: what came when they were used up was not read.
#[test]
fn more_files_than_descriptors() {
    let place = Place::new();
    let line = LINE.replace('"', "\\\"");
    for number in 0..30 {
        let docker = format!(
            "{{\"log\":\"{line}\\n\",\"stream\":\"stdout\",\"time\":\"2024-03-07T08:15:02.1Z\"}}\n"
        );
        place.write(&format!("docker-{number}.log"), docker);
        place.write(
            &format!("cri-{number}.log"),
            format!("2024-03-07T08:15:02.1Z stdout F {LINE}\n"),
        );
        place.write(&format!("plain-{number}.log"), lines(1));
        place.write(&format!("packed-{number}.gz"), packed(&lines(1)));
    }
    for flags in ["--mmap auto", "--mmap always"] {
        let said = place.run_in(&format!("report . --threads 4 {flags}"), "ulimit -n 64");
        assert_eq!(said.code, 0, "{}", said.out);
        assert!(said.out.contains("120 files · 120 records"), "{}", said.out);
    }
}

/// With more clients than fit into memory the visitors were too few, and nothing said so.
#[test]
fn visitors_that_did_not_fit_into_memory() {
    let line = |number: usize| {
        let (high, low) = (number / 250, number % 250);
        format!("{}\n", LINE.replace("10.0.0.7", &format!("10.0.{high}.{low}")))
    };
    let place = Place::with("a.log", (0..20_000).map(line).collect::<String>());
    for (flags, is_limited) in [("", false), ("--key-memory 1MiB", true)] {
        let said = place.run(&format!("report a.log --section visitors {flags}"));
        assert_eq!(said.out.contains("more visitors"), is_limited, "{}", said.out);
        assert_eq!(said.out.contains("20,000\n"), !is_limited, "{}", said.out);
    }
}

/// The file of the slowest statement was empty, because no log carries its own name.
#[test]
fn the_slowest_statement_is_in_a_file() {
    let entry = |second: u32, time: u32, body: &str| {
        format!(
            "# Time: 2026-03-07T08:15:0{second}.000000Z\n# User@Host: a[a] @ h []  Id:     8\n# Query_time: {time}.000000  Lock_time: 0.000000 Rows_sent: 0  Rows_examined: 5\nSET timestamp=177287130{second};\n{body};\n"
        )
    };
    let place = Place::new();
    let one = place.write("one.log", entry(1, 2, "select 1"));
    let lead = entry(2, 1, "select 2");
    place.write("two.log", format!("{lead}{}", entry(3, 9, "select 3")));
    for logs in ["one.log two.log", "two.log one.log"] {
        let said = place.run(&format!("report {logs} --section worst_queries --output csv"));
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains(&format!(",{},two.log,select 3", lead.len())), "{said:?}");
    }
    fs::remove_file(one).unwrap();
}

/// The answer to a definition that no line was written by had exit status 0, as an empty log has.
#[test]
fn a_definition_that_takes_no_line_reads_nothing() {
    let place = Place::with("a.log", lines(20));
    let said = place.run("report a.log --format nginx-error");
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    for note in ["none of its records is in the format 'nginx-error'", "--format combined reads"] {
        assert!(said.out.contains(note), "{}", said.out);
    }
}

/// Who sits at the server had to look up what its zone is called.
#[test]
fn the_zone_of_the_machine() {
    let place = Place::with("a.log", lines(1));
    let told = place.run_in("report a.log --section clients --tz local", "export TZ=Asia/Kolkata");
    assert!(told.out.contains("times in Asia/Kolkata\n"), "{}{}", told.out, told.err);
    let wrong = place.run_in("report a.log --tz local", "export TZ=Mars/Olympus");
    assert!(wrong.code == 2 && wrong.err.contains("no time zone 'Mars/Olympus'"), "{}", wrong.err);
}

/// A server that has met nothing slow yet: its log holds the lines with which it was opened, and that is no fault.
#[test]
fn a_log_that_was_only_opened_is_one_without_records() {
    const BANNER: &str = "mariadbd, Version: 10.11.14-MariaDB-log (Debian 12). started with:\nTcp port: 3306  Unix socket: /run/mysqld/mysqld.sock\nTime\t\t    Id Command\tArgument\n";
    let place = Place::with("slow.log", BANNER);
    let said = place.run("report slow.log");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("MySQL slow queries"), "{}", said.out);
    let remark = "Mar  7 09:15:02 mx1 newsyslog[7]: logfile turned over\n";
    assert_eq!(Place::with("mail.log", remark).run("report mail.log").code, 3);
}
