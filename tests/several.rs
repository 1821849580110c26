//! Logs into which several programs write, and logs that go on in another format.

#[path = "support/place.rs"]
mod place;

use place::{LINE, Place, lines, packed};

/// A log whose lines were defined anew while it was written was refused from there on.
#[test]
fn a_log_that_goes_on_in_another_format() {
    let timed = format!("{LINE} 0.002\n");
    let json = "{\"time_iso8601\":\"2024-03-07T09:15:02+01:00\",\"remote_addr\":\"::1\",\"request_uri\":\"/j\",\"status\":200,\"http_user_agent\":\"y\"}\n";
    let place = Place::with("a.log", format!("{LINE}\n").repeat(4_000) + &timed.repeat(1_000));
    place.write("b.log", json.repeat(300) + "dear diary\n" + &format!("{LINE}\n").repeat(200));
    let said = place.run("top duration a.log --output uniq");
    assert!(
        said.out.contains("   1000 ") && said.out.contains("   4000 "),
        "{}{}",
        said.out,
        said.err
    );
    let said = place.run("report a.log --section files --output csv");
    assert!(
        said.out.contains("a.log,\"combined, request_time\",plain,5000,5000,0,"),
        "{}",
        said.out
    );
    for threads in [1, 2] {
        let said = place.run(&format!("top agent b.log --threads {threads} --output uniq"));
        assert_eq!(said.out, "    300 y\n    200 x\n", "{}", said.err);
    }
    // The few odd lines of every log are no format.
    place.write("c.log", format!("{LINE}\n").repeat(400) + &timed.repeat(9));
    let said = place.run("report c.log --section files --output csv");
    assert!(said.out.contains("c.log,combined,plain,409,400,9,"), "{}", said.out);
    // Whoever names a format gets that.
    let said = place.run("report a.log --format combined --section files --output csv");
    assert!(said.out.contains("a.log,combined,plain,5000,4000,1000,"), "{}", said.out);
}

/// A container's log holds what the server said on both pipes; of half and half it was said that only half is in the
/// nearest format.
#[test]
fn a_log_of_two_families_is_read_in_both() {
    let stamp = "2024-03-07T08:15:02.418123456Z";
    let error = "2024/03/07 09:15:02 [error] 7#7: *1 open() \"/x\" failed (2: No such file or directory), client: 10.0.0.7, server: s, request: \"GET /x HTTP/1.1\", host: \"h\"";
    let pair = format!("{stamp} stdout F {LINE}\n{stamp} stderr F {error}\n");
    let place = Place::with("pod.log", pair.repeat(20));
    let said = place.run("report pod.log --section ledger --output tsv");
    assert!(said.out.contains("counted\t40\t"), "{}{}", said.out, said.err);
    // Counts are of one format, and of half and half it cannot be said which.
    let said = place.run("top client pod.log");
    let words =
        "holds several formats: of its first 40 records 'nginx-error' (20) and 'combined' (20)";
    assert!(said.err.contains(words), "{}", said.err);
    assert!(said.err.contains("--format nginx-error and --format combined"), "{}", said.err);
    assert_eq!(
        place.run("top client pod.log --format nginx-error --output uniq").out,
        "     20 10.0.0.7\n"
    );
}

/// In a log that a server shares with others, what those said was told as lines of the server that are not understood.
#[test]
fn what_other_programs_say_in_a_shared_log_is_not_rejected() {
    let own = format!("Mar  7 09:15:02 web1 nginx: {LINE}\n");
    let others = "Mar  7 09:15:02 web1 sshd[1]: Accepted publickey for root\nMar  7 09:15:04 web1 CRON[2]: (root) CMD (x)\nMar  7 09:15:04 web1 sudo: u : COMMAND=/bin/sh -c \"x\"\n";
    let cut = format!("Mar  7 09:15:02 web1 nginx: {}\n", &LINE[..40]);
    let place = Place::with("sys.log", own.repeat(3) + others + &cut);
    let said = place.run("report sys.log --section ledger -o csv");
    for row in ["counted,3,", "rejected,1,", "skipped,3,"] {
        assert!(said.out.contains(row), "{row}: {}{}", said.out, said.err);
    }
}

/// A system log into which HAProxy, Postfix and named write was read as HAProxy's, and nothing said that the others could be read.
#[test]
fn a_system_log_of_several_programs_names_them_all() {
    let lines = [
        "haproxy[1]: 192.0.2.7:4711 [07/Mar/2024:09:15:02.418] www app/s1 0/0/0/1/1 200 116 - - ---- 1/1/1/1/0 0/0 \"GET / HTTP/1.1\"",
        "postfix/smtpd[2]: connect from unknown[192.0.2.7]",
        "named[3]: client @0x7f01 192.0.2.7#51004 (a.example): query: a.example IN A +E(0)K (192.0.2.53)",
        "CRON[4]: (root) CMD (true)",
    ];
    let own = lines.map(|line| format!("Mar  7 09:15:02 host {line}\n"));
    let place = Place::with("syslog", own.concat().repeat(20) + &own[0].repeat(3));
    let said = place.run("records syslog");
    let words = "'syslog' holds lines of 'postfix' and 'bind' too, which are not among these of 'haproxy': --format postfix or --format bind reads them";
    assert!(said.err.contains(words), "{}", said.err);
    for (format, records) in [("haproxy", 23), ("postfix", 20), ("bind", 20)] {
        let said = place.run(&format!("top kind syslog --format {format} --output csv"));
        let counted: u64 = said
            .out
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').nth(1)?.parse::<u64>().ok())
            .sum();
        assert_eq!(counted, records, "{format}: {}", said.out);
        assert!(
            !place.run(&format!("report syslog --format {format}")).out.contains("holds lines of")
        );
    }
    // A report has a part for each.
    let said = place.run("report syslog");
    assert!(said.out.starts_with("HAProxy, Postfix, BIND · syslog · 63 records"), "{}", said.out);
    let skipped = "line of another program       20";
    assert!(said.out.contains(skipped) && said.out.contains("rejected        0"), "{}", said.out);
    // A few odd lines are no log.
    place.write("few", own[1].repeat(40) + &own[0].repeat(9) + &own[3].repeat(30));
    assert!(!place.run("report few").out.contains("holds lines of"));
}

/// Two hundred error lines behind 600 KB of access lines in gzip were refused, and only "the ledger says why".
#[test]
fn what_comes_late_in_a_packed_log_is_named() {
    let error = "2024/03/07 09:15:02 [error] 7#7: *1 open() \"/w/x\" failed (2: No such file or directory), client: 10.0.0.7, server: s, request: \"GET /x HTTP/1.1\", host: \"h\"\n";
    // Behind what is looked at in advance.
    let place = Place::with("a.log.gz", packed(&(lines(8_000) + &error.repeat(200))));
    let said = place.run("report a.log.gz");
    let note = "of the 200 records that are not in 'combined' the first look like 'nginx-error': --format nginx-error reads such";
    assert!(said.code == 0 && said.out.contains(note), "{}", said.out);
    assert!(!place.run("report a.log.gz --format nginx-error").out.contains("not in 'combined'"));
}

/// What a container writes to both of its pipes is one log: its error lines were refused.
#[test]
fn access_and_error_lines_of_one_log() {
    let error = "2024/03/07 09:15:02 [error] 7#7: *1 open() \"/w/x\" failed (2: No such file or directory), client: 10.0.0.7, server: s, request: \"GET /x HTTP/1.1\", host: \"h\"\n";
    let (access, odd) = (lines(1), "#1 {main}\n");
    for (name, text) in [
        ("many", (access.repeat(3) + error).repeat(20)),
        ("few", (access.clone() + &error.repeat(3)).repeat(20)),
        ("half", (access.clone() + error).repeat(20)),
    ] {
        let place = Place::with(name, packed(&(text + odd)));
        let said = place.run(&format!("report {name}"));
        assert!(said.out.starts_with("Web requests, Nginx errors · "), "{name}: {}", said.out);
        assert!(
            said.out.contains("Clients") && said.out.contains("Levels"),
            "{name}: {}",
            said.out
        );
        assert!(said.out.contains("#1 {main}") || name == "few", "{name}: {}", said.out);
    }
}

/// The log of a whole project of containers was in no format, and lines of the database passed for the rest of an error of Nginx.
#[test]
fn a_log_of_four_services() {
    let services = [
        ("web-1", LINE),
        (
            "web-1",
            "2024/03/07 09:15:02 [crit] 7#7: *1 SSL_do_handshake() failed while SSL handshaking, client: 10.0.0.7, server: s",
        ),
        (
            "db-1",
            "2024-03-07  9:15:02 153 [Warning] Aborted connection 153 to db: 'shop' user: 'app' host: '10.0.0.8' (Got an error reading communication packets)",
        ),
        (
            "lb-1",
            "192.0.2.7:4711 [07/Mar/2024:09:15:02.418] www app/s1 0/0/0/1/1 200 116 - - ---- 1/1/1/1/0 0/0 \"GET / HTTP/1.1\"",
        ),
    ];
    let lines = services.map(|(name, line)| format!("{name:<6} | {line}\n"));
    let place = Place::with("compose.log", lines.concat().repeat(30));
    let said = place.run("report compose.log");
    let title = "Web requests, Nginx errors, HAProxy, MySQL errors · compose.log · 120 records";
    assert!(said.out.starts_with(title), "{}{}", said.out, said.err);
    assert!(said.out.contains("rejected        0"), "{}", said.out);
    let said = place.run("report compose.log --explain");
    assert!(said.err.contains("; lines of mysql-error stand between them"), "{}", said.err);
}

/// What stands behind the last whole line of a stream that broke off is nobody's.
#[test]
fn a_torn_log_of_two_programs() {
    let error = "2024/03/07 09:15:02 [error] 7#7: *1 open() \"/w/x\" failed (2: No such file or directory), client: 10.0.0.7, server: s, request: \"GET /x HTTP/1.1\", host: \"h\"\n";
    let whole = packed(
        &(0..400).map(|at| lines(1).replace("/a", &format!("/{at}")) + error).collect::<String>(),
    );
    for part in [3, 5, 7] {
        let place = Place::with("a.log.gz", &whole[..whole.len() * part / 8]);
        let said = place.run("report a.log.gz --section ledger --output tsv");
        assert_eq!(said.code, 3, "{}{}", said.out, said.err);
        assert!(said.out.contains("counted\t"), "{}{}", said.out, said.err);
    }
}

/// The slow log that a container writes to the place of its error log passed for the rest of the last error.
#[test]
fn slow_statements_are_no_rest_of_an_error() {
    let error = "2026-11-23 10:16:51 0 [Note] mariadbd: ready for connections.\n";
    let slow = "# User@Host: app[app] @ [203.0.113.9]\n# Query_time: 1.000000  Lock_time: 0.000000  Rows_sent: 1  Rows_examined: 1\nSET timestamp=1795429012;\nSELECT 1;\n";
    let place = Place::with(
        "mysqld.log",
        error.repeat(99) + "# Time: 261123 10:16:52\n" + &slow.repeat(20),
    );
    let said = place.run("report mysqld.log");
    assert!(said.out.contains("MySQL errors · mysqld.log · 99 records"), "{}", said.out);
    assert!(said.out.contains("look like 'mysql-slow': --format mysql-slow reads"), "{}", said.out);
    // Nor are errors the rest of a statement.
    place.write("slow.log", (slow.to_owned() + slow + error).repeat(20));
    let said = place.run("report slow.log --section statements --output csv");
    assert_eq!(said.out.lines().count(), 2, "{}", said.out);
    let said = place.run("report slow.log");
    assert!(
        said.out.contains("look like 'mysql-error': --format mysql-error reads"),
        "{}",
        said.out
    );
}

/// A slow log that a container writes to its standard error has an envelope before every line of a record: it was in no
/// known format.
#[test]
fn slow_logs_of_containers() {
    let log = "# Time: 2024-03-07T09:15:02.418123Z\n# User@Host: app[app] @ web1 [10.0.0.5]  Id: 12\n\
               # Query_time: 2.5  Lock_time: 0.1  Rows_sent: 1  Rows_examined: 9\nSET timestamp=1709802902;\n\
               SELECT a\n\nFROM t;\n";
    let behind = |envelope: &str| {
        let lines = log.lines().map(|line| format!("{envelope}{line}").trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    let place = Place::with("cri.log", behind("2024-03-07T09:15:09.123456789Z stderr F "));
    place.write("compose.log", behind("db-1  | "));
    for file in ["cri.log", "compose.log"] {
        let said = place.run(&format!("records -f duration,statement -o tsv {file}"));
        assert_eq!(
            said.out, "duration\tstatement\n2500000\tSELECT a\\n\\nFROM t\n",
            "{}",
            said.err
        );
    }
}
