//! Logs that no format here reads unasked: requests that other software writes, with the definition that reads them, and
//! MySQL's logs of all statements, with what to ask of the server instead.
//!
//! Each is told by its first line or a few more. A wrong guess costs a wrong advice and nothing else. The tests read lines of each by the
//! definition that is advised.

/// What a log is, and what to type.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) what: String,
    pub(super) advice: String,
}

/// Whose layout, how its lines look, and its definition.
struct Layout {
    of: &'static str,
    looks: fn(&[u8]) -> bool,
    definition: &'static str,
    /// True where columns are filled up with spaces.
    is_padded: bool,
}

#[rustfmt::skip]
const LAYOUTS: [Layout; 6] = [
    Layout {
        of: "AWS's application load balancer", looks: is_alb, is_padded: false,
        definition: r#"$type $time_iso8601 $elb $remote_addr:$remote_port $upstream_addr $request_processing_time $upstream_response_time $response_processing_time $status $upstream_status $request_length $bytes_sent "$request" "$http_user_agent" $ssl_cipher $ssl_protocol $tail"#,
    },
    Layout {
        of: "AWS's classic load balancer", looks: is_classic_elb, is_padded: false,
        definition: r#"$time_iso8601 $elb $remote_addr:$remote_port $upstream_addr $request_processing_time $upstream_response_time $response_processing_time $status $upstream_status $request_length $bytes_sent "$request" "$http_user_agent" $ssl_cipher $ssl_protocol"#,
    },
    Layout {
        of: "AWS's S3", looks: is_s3, is_padded: false,
        definition: r#"%{owner}n %v %t %a %u %{id}n %{operation}n %{key}n "%r" %>s %{error}n %B %{object_size}n %{ms}T %{turnaround}n "%{Referer}i" "%{User-Agent}i" %{tail}n"#,
    },
    Layout {
        of: "Istio", looks: is_istio, is_padded: false,
        definition: r#"[%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}tZ] "%r" %>s %{flags}n %{details}n %{termination}n "%{failure}n" %I %O %{ms}T %{service_ms}n "%{X-Forwarded-For}i" "%{User-Agent}i" "%{X-Request-Id}i" "%{Host}i" "%{upstream}n" %{cluster}n %{local}n %{downstream}n %a:%{remote}p %{sni}n %{route}n"#,
    },
    Layout {
        of: "Envoy", looks: is_envoy, is_padded: false,
        definition: r#"[%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}tZ] "%r" %>s %{flags}n %I %O %{ms}T %{service_ms}n "%{X-Forwarded-For}i" "%{User-Agent}i" "%{X-Request-Id}i" "%{Host}i" "%{upstream}n""#,
    },
    Layout {
        of: "Squid", looks: is_squid, is_padded: true,
        definition: "%{sec}t.%{msec_frac}t %{ms}T %a %{result}n/%>s %O %m %{target}n %u %{hierarchy}n/%{upstream}n %{mime}n",
    },
];

/// What the log is whose beginning this is, if it is one of these.
pub(super) fn recognise(head: &[u8]) -> Option<Foreign> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    if let Some(definition) = w3c(head) {
        return Some(Foreign {
            what: "is a log in W3C's extended format, as IIS and CloudFront write it".to_owned(),
            advice: format!(
                "say what its columns are: --log-format '{definition}' (lines with '#' count as rejected)"
            ),
        });
    }
    if let Some((host, definition)) = lines(head).take(64).find_map(forwarded) {
        let behind = if host.is_empty() { "" } else { "hosts and " };
        return Some(Foreign {
            what: format!("begins with {behind}lists of X-Forwarded-For"),
            advice: format!("say so: --log-format '{host}{definition}'"),
        });
    }
    if let Some(of) = statements(head) {
        return Some(Foreign {
            what: format!("is {of}, which does not say how long statements took"),
            advice: "let the server write a slow log: SET GLOBAL slow_query_log = ON, GLOBAL long_query_time = 0".to_owned(),
        });
    }
    let line = lines(head).next()?;
    if is_ssl_request(line) {
        return Some(Foreign {
            what: "is Apache's ssl_request_log, whose requests the access log of the same host has too".to_owned(),
            advice: format!(
                "for the versions and ciphers of TLS say its layout, and give it without the access log: --log-format '{SSL_REQUEST}'"
            ),
        });
    }
    let layout = LAYOUTS.iter().find(|layout| (layout.looks)(line))?;
    let definition = layout.definition;
    let advice = match layout.is_padded {
        true => {
            format!("read it so: tr -s ' ' < FILE | logmill report --log-format '{definition}' -")
        }
        false => format!("say its layout: --log-format '{definition}'"),
    };
    Some(Foreign { what: format!("is an access log of {}", layout.of), advice })
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end)
}

/// Which of MySQL's logs of all statements it is.
fn statements(head: &[u8]) -> Option<&'static str> {
    lines(head).take(64).find_map(|line| match line {
        line if is_general(line) => Some("the general query log of MySQL"),
        line if is_audit(line) => Some("what an audit plugin of MySQL writes"),
        _ => None,
    })
}

/// `2024-03-07T08:15:02.418123Z\t    8 Query\tSELECT 1`; old servers leave the stamp out while the second stays the same.
fn is_general(line: &[u8]) -> bool {
    const COMMANDS: [&[u8]; 7] =
        [b"Connect", b"Query", b"Quit", b"Init DB", b"Prepare", b"Execute", b"Statistics"];
    let cells: Vec<&[u8]> = line.split(|byte| *byte == b'\t').take(4).collect();
    let is_command = |cell: &&[u8]| {
        let cell = cell.trim_ascii_start();
        let digits = cell.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let command = cell[digits..].strip_prefix(b" ").filter(|_| digits > 0);
        command.is_some_and(|command| COMMANDS.contains(&command))
    };
    cells.len() > 1 && cells.iter().any(is_command)
}

/// `20240307 08:15:02,db1,root,localhost,12,345,QUERY,shop,'select 1',0`
fn is_audit(line: &[u8]) -> bool {
    const EVENTS: [&[u8]; 5] = [b"CONNECT", b"FAILED_CONNECT", b"DISCONNECT", b"QUERY", b"READ"];
    let mut cells = line.split(|byte| *byte == b',');
    let is_stamp =
        |cell: &[u8]| cell.len() == 17 && (cell[8], cell[11], cell[14]) == (b' ', b':', b':');
    cells.next().is_some_and(is_stamp) && cells.nth(5).is_some_and(|cell| EVENTS.contains(&cell))
}

/// The words of a line.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

/// `2024-03-07T09:15:02…`
fn is_stamp(word: &[u8]) -> bool {
    word.len() >= 19 && (word[4], word[7], word[10], word[13]) == (b'-', b'-', b'T', b':')
}

fn is_alb(line: &[u8]) -> bool {
    let mut words = words(line);
    let is_type =
        |word: &[u8]| matches!(word, b"http" | b"https" | b"h2" | b"grpcs" | b"ws" | b"wss");
    words.next().is_some_and(is_type) && words.next().is_some_and(is_stamp)
}

fn is_classic_elb(line: &[u8]) -> bool {
    let mut words = words(line);
    let is_number = |word: &[u8]| word.iter().all(|byte| b"0123456789.-".contains(byte));
    words.next().is_some_and(is_stamp) && words.nth(3).is_some_and(is_number)
}

fn is_s3(line: &[u8]) -> bool {
    let mut words = words(line);
    let is_owner = |word: &[u8]| word.len() == 64 && word.iter().all(u8::is_ascii_hexdigit);
    words.next().is_some_and(is_owner) && words.nth(1).is_some_and(|word| word.starts_with(b"["))
}

fn is_envoy(line: &[u8]) -> bool {
    let first = words(line).next().and_then(|word| word.strip_prefix(b"["));
    first.is_some_and(|stamp| is_stamp(stamp) && stamp.ends_with(b"Z]"))
}

/// As Envoy's, with the details of the answer behind the flags.
fn is_istio(line: &[u8]) -> bool {
    let behind = line.split(|byte| *byte == b'"').nth(2).unwrap_or_default();
    is_envoy(line) && words(behind).count() == 4
}

/// As `ssl.conf` of Red Hat's family has it. To read it unasked would count the requests of a folder twice.
const SSL_REQUEST: &str = r#"%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x "%r" %b"#;

fn is_ssl_request(line: &[u8]) -> bool {
    let mut words = words(line);
    let begins = words.next().is_some_and(|word| word.starts_with(b"[") && word.len() == 21);
    let is_zone = |word: &[u8]| word.ends_with(b"]");
    let is_protocol = |word: &[u8]| word.starts_with(b"TLSv") || word.starts_with(b"SSLv");
    begins && words.next().is_some_and(is_zone) && words.nth(1).is_some_and(is_protocol)
}

fn is_squid(line: &[u8]) -> bool {
    let mut words = words(line);
    let is_time = |word: &[u8]| word.len() == 14 && word[10] == b'.';
    let is_result = |word: &[u8]| {
        let codes: [&[u8]; 3] = [b"TCP_", b"UDP_", b"NONE"];
        word.contains(&b'/') && codes.iter().any(|code| word.starts_with(code))
    };
    words.next().is_some_and(is_time) && words.nth(2).is_some_and(is_result)
}

/// The definition of a line of Apache that begins with a list of addresses, and perhaps goes on with the one that asked.
/// Before it may stand the host, with its port or without.
fn forwarded(line: &[u8]) -> Option<(&'static str, &'static str)> {
    let is_address = |word: &[u8]| {
        std::str::from_utf8(word).is_ok_and(|word| word.parse::<std::net::IpAddr>().is_ok())
    };
    let mut words = words(line).take_while(|word| !word.starts_with(b"[")).peekable();
    let first = *words.peek()?;
    let host = match is_address(first.strip_suffix(b",").unwrap_or(first)) || first == b"-" {
        true => "",
        false if first.contains(&b':') => "%v:%p ",
        false => "%v ",
    };
    words.next_if(|_| !host.is_empty());
    let mut in_list = || {
        let word = words.next()?;
        let item = word.strip_suffix(b",");
        is_address(item.unwrap_or(word)).then_some(item.is_some())
    };
    in_list()?.then_some(())?;
    while in_list()? {}
    let definition = match words.next().is_some_and(is_address) {
        true => r#"%{X-Forwarded-For}i %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#,
        false => r#"%{X-Forwarded-For}i %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#,
    };
    Some((host, definition))
}

/// The definition of a log that says its columns itself, in a line with `#Fields:`.
fn w3c(head: &[u8]) -> Option<String> {
    let names = lines(head).find_map(|line| line.strip_prefix(b"#Fields:"))?;
    let names = String::from_utf8_lossy(names).to_ascii_lowercase();
    let first = lines(head).find(|line| !line.is_empty() && !line.starts_with(b"#"));
    let (split, join) = match first.is_some_and(|line| line.contains(&b'\t')) {
        true => (b'\t', "\\t"),
        false => (b' ', " "),
    };
    let mut values = first.unwrap_or_default().split(|byte| *byte == split);
    let columns = names.split_ascii_whitespace().map(|name| column(name, values.next()));
    Some(columns.collect::<Vec<String>>().join(join))
}

/// A column in the language of Apache.
fn column(name: &str, value: Option<&[u8]>) -> String {
    let known = match name {
        "date" => "%{%Y-%m-%d}t",
        "time" => "%{%H:%M:%S}t",
        "c-ip" => "%a",
        "c-port" => "%{remote}p",
        "cs-method" => "%m",
        "cs-uri-stem" => "%U",
        "cs-uri-query" => "%q",
        "cs-version" | "cs-protocol-version" => "%H",
        "cs-username" => "%u",
        "cs-host" | "x-host-header" => "%v",
        "cs(referer)" => "%{Referer}i",
        "cs(user-agent)" => "%{User-Agent}i",
        "x-forwarded-for" => "%{X-Forwarded-For}i",
        "cs-bytes" => "%I",
        "sc-bytes" => "%O",
        "sc-status" => "%>s",
        "s-ip" => "%A",
        "s-port" => "%p",
        "x-edge-result-type" => "%{cache_status}n",
        // CloudFront counts seconds, IIS milliseconds.
        "time-taken" if value.is_some_and(|value| value.contains(&b'.')) => "%{s}T",
        "time-taken" => "%{ms}T",
        _ => {
            let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
            let name: String = name.chars().map(plain).collect();
            return format!("%{{{}}}n", name.trim_end_matches('_'));
        }
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::detect;
    use crate::format::from_definition;
    use crate::record::time::Clock;

    /// Reads the lines by the definition that is advised: all must be taken but those with `#`.
    fn check(what: &str, text: &str) {
        let found =
            recognise(text.as_bytes()).unwrap_or_else(|| panic!("{what} is not recognised"));
        assert!(found.what.contains(what), "{}", found.what);
        let (_, definition) = found.advice.split_once("--log-format '").unwrap();
        let (definition, _) = definition.split_once('\'').unwrap();
        let squeezed = text.split_inclusive('\n').filter(|line| !line.starts_with('#'));
        let squeezed: String = squeezed.map(|line| line.replace("    ", " ")).collect();
        let format = from_definition("x", definition).unwrap();
        let clock = Clock::new(chrono_tz::UTC, 0);
        let fit = detect::fit(&*format, squeezed.as_bytes(), true, &clock);
        let fields = format.fields();
        assert!(fit.accepted > 0 && fit.accepted == fit.records, "{what}: {definition}");
        use crate::record::Field;
        for field in [Field::TIME, Field::STATUS, Field::METHOD] {
            assert!(fields.has(field), "{what}: {}", field.name());
        }
    }

    /// Lines as the vendors' documents show them.
    #[test]
    fn advised_definitions_read_what_they_are_advised_for() {
        check(
            "application load balancer",
            "https 2024-03-07T09:15:02.186641Z app/my-lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 \"GET https://www.example.com:443/ HTTP/1.1\" \"curl/7.46.0\" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x \"Root=1-5\" \"www.example.com\" \"arn:aws:acm:x\" 1 2024-03-07T09:15:02.000000Z \"authenticate,forward\" \"-\" \"-\" \"10.0.0.1:80\" \"200\" \"-\" \"-\"\n\
             h2 2024-03-07T09:15:03.186641Z app/my-lb/50dc6c495c0c9188 192.168.131.39:2817 - -1 -1 -1 502 - 0 57 \"GET https://www.example.com:443/ HTTP/2.0\" \"-\" - - - \"-\" \"-\" \"-\" 1 2024-03-07T09:15:02.000000Z \"-\" \"-\" \"-\" \"-\" \"-\" \"-\" \"-\" TID_1\n",
        );
        check(
            "classic load balancer",
            "2024-03-07T09:15:02.123456Z my-lb 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 \"GET http://www.example.com:80/ HTTP/1.1\" \"curl/7.38.0\" - -\n",
        );
        check(
            "S3",
            "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be BUCKET [07/Mar/2024:09:15:02 +0000] 192.0.2.3 79a59df900 3E57 REST.GET.VERSIONING - \"GET /BUCKET?versioning HTTP/1.1\" 200 - 113 - 7 - \"-\" \"S3Console/0.4\" - s9lz= SigV4 ECDHE AuthHeader b.s3.amazonaws.com TLSV1.2 - -\n",
        );
        check(
            "Istio",
            "[2024-03-07T09:15:02.310Z] \"GET /status/418 HTTP/1.1\" 418 - via_upstream - \"-\" 0 135 3 1 \"-\" \"curl/7.73.0\" \"8496\" \"httpbin:8000\" \"127.0.0.1:80\" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin default\n",
        );
        check(
            "Envoy",
            "[2024-03-07T09:15:02.310Z] \"POST /api/v1/locations HTTP/2\" 204 - 154 0 226 100 \"10.0.35.28\" \"nsq2http\" \"cc21\" \"locations\" \"tcp://10.0.2.1:80\"\n",
        );
        check(
            "Squid",
            "1709802902.310    226 203.0.113.9 TCP_MISS/200 1045 GET http://e.example/ - HIER_DIRECT/192.0.2.1 text/html\n",
        );
    }

    #[test]
    fn what_tls_has_of_each_request_is_no_second_access_log() {
        let text = "[07/Mar/2024:09:15:02 +0100] 2001:db8::7 TLSv1.3 TLS_AES_256_GCM_SHA384 \"GET /a HTTP/1.1\" 1375\n\
             [07/Mar/2024:09:15:03 +0100] 203.0.113.9 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 \"GET /b HTTP/1.1\" -\n";
        let found = recognise(text.as_bytes()).unwrap();
        assert!(found.what.contains("ssl_request_log"), "{}", found.what);
        assert!(found.advice.contains(SSL_REQUEST), "{}", found.advice);
        let format = from_definition("x", SSL_REQUEST).unwrap();
        let fit = detect::fit(&*format, text.as_bytes(), true, &Clock::new(chrono_tz::UTC, 0));
        assert_eq!((fit.accepted, fit.records), (2, 2));
        let other = "[07/Mar/2024:09:15:02 +0100] 203.0.113.9 - jo \"GET / HTTP/1.1\" 200 5\n";
        assert!(recognise(other.as_bytes()).is_none());
    }

    #[test]
    fn logs_of_all_statements_are_no_slow_logs() {
        let told = |text: &str| recognise(text.as_bytes()).map(|found| found.what);
        for text in [
            "/usr/sbin/mysqld, Version: 8.0.40 (x). started with:\nTcp port: 3306  Unix socket: /x\nTime                 Id Command    Argument\n2024-03-07T08:15:02.418123Z\t    8 Connect\troot@localhost on  using Socket\n",
            "191015  9:46:45\t    13 Query\tSHOW STATUS\n",
            "\t\t   13 Quit\t\n",
        ] {
            let expected =
                "is the general query log of MySQL, which does not say how long statements took";
            assert_eq!(told(text).as_deref(), Some(expected), "{text}");
        }
        let audit = told("20240307 08:15:02,db1,root,localhost,12,345,QUERY,shop,'select 1',0\n");
        assert!(audit.is_some_and(|what| what.contains("audit plugin")));
        for text in ["13 Query\n", "a\t13 Queries\tx\n", "20240307 08:15:02,a,b\n"] {
            assert_eq!(told(text), None, "{text}");
        }
    }

    #[test]
    fn lists_of_forwarders_in_front() {
        let behind = "- - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\"\n";
        let single = format!("203.0.113.9 {behind}");
        check("X-Forwarded-For", &format!("{single}203.0.113.9, 10.0.0.1 {behind}"));
        let single = format!("203.0.113.9 10.9.9.9 {behind}");
        check("X-Forwarded-For", &format!("{single}::1, 10.0.0.1, 10.0.0.2 10.9.9.9 {behind}"));
        assert!(recognise(single.as_bytes()).is_none());
        for host in ["shop.example", "shop.example:443"] {
            check("hosts and lists", &format!("{host} 203.0.113.9, 10.0.0.1 {behind}"));
            check("hosts and lists", &format!("{host} ::1, 10.0.0.1 10.9.9.9 {behind}"));
        }
    }

    #[test]
    fn logs_that_say_their_columns_are_read_by_them() {
        check(
            "W3C",
            "#Software: Microsoft Internet Information Services 10.0\r\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken\r\n2024-03-07 09:15:02 10.0.0.1 GET /a - 443 - 203.0.113.9 Mozilla/5.0+(X11) - 200 0 0 15\r\n",
        );
        check(
            "W3C",
            "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken\n2024-03-07\t09:15:02\tFRA2-C1\t1045619\t203.0.113.9\tGET\td1.cloudfront.net\t/i.html\t200\t-\tMozilla/5.0%20(X11)\t-\t-\tHit\tSOX4==\texample.com\thttps\t23\t0.001\n",
        );
    }

    #[test]
    fn other_lines_are_nobodys() {
        for text in
            ["", "hello world\n", "[2024-03-07T09:15:02] x\n", "2024-03-07T09:15:02Z INFO a b c\n"]
        {
            assert!(recognise(text.as_bytes()).is_none(), "{text}");
        }
    }
}
