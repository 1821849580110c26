//! Definitions out of the servers' own configurations: which of them a log gets, and what becomes of the others.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A folder with a configuration and logs.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(place)
    }

    /// What `logmill records` says of a log, one field, and what it says beside it.
    fn records(&self, arguments: &[&str]) -> (String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_logmill"))
            .arg("records")
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

const LINE: &str = r#"10.0.0.7 - - [07/Mar/2024:09:15:02 +0100] "GET /a HTTP/1.1" 200 5 "-" "x""#;

/// One definition that nobody can read back took all others with it.
#[test]
fn a_definition_that_cannot_be_read_back_costs_only_itself() {
    let place = Place::new(&[
        (
            "nginx.conf",
            "log_format bad '$status$bytes_sent';\nlog_format own '$remote_addr $msec $status';\n",
        ),
        ("a.log", "10.0.0.7 1709799302.418 200\n"),
    ]);
    let (out, err) =
        place.records(&["--nginx-conf", "nginx.conf", "--explain", "-f", "status", "a.log"]);
    assert_eq!(out, "{\"status\":200}\n");
    assert!(err.contains("a.log': own: 1 of its first 1 records"), "{err}");
    assert!(err.contains("'nginx.conf' line 1: 'bad': ") && err.contains("side by side"), "{err}");
    let only = Place::new(&[
        ("nginx.conf", "log_format bad '$status$bytes_sent';\n"),
        ("a.log", "20010\n"),
    ]);
    let (_, err) = only.records(&["--nginx-conf", "nginx.conf", "a.log"]);
    assert!(err.contains("side by side"), "{err}");
}

/// `%{User-agent}i` alone takes any line of any log, and won over the definition of the log.
#[test]
fn a_definition_that_takes_any_line_wins_over_no_other() {
    let place = Place::new(&[
        ("a.conf", "LogFormat \"%h %t %>s %D\" own\nLogFormat \"%{User-agent}i\" agent\n"),
        ("own.log", "10.0.0.7 [07/Mar/2024:09:15:02 +0100] 200 7\n"),
        ("combined.log", &format!("{LINE}\n")),
        ("agent.log", "curl/8\n"),
        ("error.log", "2024/03/07 09:15:02 [error] 7#7: *1 connect() failed\n"),
    ]);
    let format = |log: &str| {
        let (_, err) = place.records(&["--apache-conf", "a.conf", "--explain", "-n", "0", log]);
        let found = err.split(&format!("'{log}': ")).nth(1).unwrap_or_else(|| panic!("{err}"));
        found.split(':').next().unwrap().to_owned()
    };
    assert_eq!(format("own.log"), "own");
    assert_eq!(format("combined.log"), "combined");
    assert_eq!(format("agent.log"), "agent");
    assert_eq!(format("error.log"), "nginx-error");
}

/// Microseconds and seconds look alike: the configuration says which log is which.
#[test]
fn of_definitions_that_look_alike_the_one_counts_that_writes_the_log() {
    let conf = "LogFormat \"%h %t %>s %T\" seconds\nLogFormat \"%h %t %>s %D\" micros\n\
                CustomLog /var/log/apache2/slow.log seconds\nCustomLog /var/log/apache2/access.log micros\n";
    let line = "10.0.0.7 [07/Mar/2024:09:15:02 +0100] 200 7\n";
    let place = Place::new(&[
        ("a.conf", conf),
        ("slow.log.2", line),
        ("access.log", line),
        ("other.log", line),
    ]);
    let duration = |log| place.records(&["--apache-conf", "a.conf", "-f", "duration", log]).0;
    assert_eq!(duration("slow.log.2"), "{\"duration\":7000000}\n");
    assert_eq!(duration("access.log"), "{\"duration\":7}\n");
    assert_eq!(duration("other.log"), "{\"duration\":7000000}\n", "of equals the first");
}

#[test]
fn apache_modules_and_variables_are_followed() {
    let main = "Define LOGS /srv/logs\nServerRoot .\n<IfModule log_config_module>\n  <IfModule logio_module>\n\
                LogFormat \"%a %t %I %O \\\"%400,501{User-agent}i\\\" %{UNIQUE_ID}e \\\n%X %k\" io\n\
                </IfModule>\n</IfModule>\nIncludeOptional more/*.conf\n";
    let more = "CustomLog ${LOGS}/direct.log \"%h %{ms}T\"\n";
    let place = Place::new(&[
        ("a.conf", main),
        ("more/b.conf", more),
        ("io.log", "::1 [07/Mar/2024:09:15:02 +0100] 79 264 \"-\" awcf0nJf56 X 3\n"),
        ("direct.log", "::1 8\n"),
    ]);
    let (out, err) = place.records(&[
        "--apache-conf",
        "a.conf",
        "-f",
        "bytes_in,bytes,agent,unique_id,connection_state,keepalive",
        "io.log",
    ]);
    let wanted = r#"{"bytes_in":79,"bytes":264,"agent":null,"unique_id":"awcf0nJf56","connection_state":"X","keepalive":3}"#;
    assert_eq!(out.trim(), wanted, "{err}");
    assert_eq!(
        place.records(&["--apache-conf", "a.conf", "-f", "duration", "direct.log"]).0,
        "{\"duration\":8000}\n"
    );
}

/// Frontends of HAProxy write into one log, each in its own layout, and connections that fail in another one.
#[test]
fn a_log_of_all_frontends_of_a_configuration() {
    let head = "Mar  7 09:15:02 lb1 haproxy[77]: ";
    let log = format!(
        "{head}{{\"c\":\"198.51.100.4\",\"s\":404,\"h\":\"shop.example\"}}\n\
         {head}ERR 198.51.100.4:77 [07/Mar/2024:09:15:02.418] www~ Connection reset by peer\n\
         {head}203.0.113.9 503 GET /a?b\n\
         {head}backend app has no server available!\n"
    );
    let conf = "frontend www\n bind :443\n capture request header Host len 40\n\
                log-format '{\"c\":\"%ci\",\"s\":%ST,\"h\":\"%[capture.req.hdr(0),json]\"}'\n\
                error-log-format \"ERR %ci:%cp [%tr] %ft %[fc_err_str]\"\n\
                frontend old\n log-format %ci\\ %ST\\ %HM\\ %HP%HQ\nfrontend no\n log-format \"%b%s\"\n";
    let place = Place::new(&[("haproxy.cfg", conf), ("a.log", &log)]);
    let (out, err) = place.records(&[
        "--haproxy-conf",
        "haproxy.cfg",
        "-f",
        "kind,host,path",
        "-o",
        "csv",
        "a.log",
    ]);
    assert_eq!(
        out,
        "kind,host,path\nhttp_4xx,shop.example,\ntls_handshake,,\nhttp_5xx,,/a\nno_server,,\n"
    );
    assert!(err.contains("'haproxy.cfg' line 9: 'no': ") && err.contains("side by side"), "{err}");
    let (_, err) = place.records(&["a.log"]);
    assert!(err.contains("--haproxy-conf FILE"), "{err}");
}

/// Such a log was told to want a configuration of Nginx or of Apache.
#[test]
fn sessions_in_a_layout_of_their_own_want_the_configuration_of_haproxy() {
    let line = "Mar  7 09:15:02 lb haproxy[77]: -:42448 [07/Mar/2024:09:15:02.418] www~ shop/s1 shop.example 0/0/1/17/18 302 291 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"\n";
    let place = Place::new(&[("haproxy.log", line)]);
    let (_, said) = place.records(&["haproxy.log"]);
    assert!(said.contains("--haproxy-conf FILE") && !said.contains("--nginx-conf"), "{said}");
}
