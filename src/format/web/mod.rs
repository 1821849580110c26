//! Requests of web servers: Nginx and Apache access logs, and whatever else writes lines of that kind.
//!
//! ```text
//! 203.0.113.9 - alice [07/Mar/2024:09:15:02 +0100] "GET /a?b=1 HTTP/2.0" 200 5120 "-" "curl/8.5"
//! www.example.org:443 203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 304 - "-" "Mozilla/5.0"
//! ```
//!
//! Every one of them is a definition in the server's own language ([`definition`]), compiled into a [`template`]; the
//! built-in formats are definitions with a name. JSON and LTSV lines have keys instead of places and share the
//! [captures](capture). Descriptions: the documentation of `ngx_http_log_module` and of `mod_log_config`.

mod batch;
mod capture;
mod columns;
pub mod conf;
mod definition;
mod either;
mod enveloped;
mod json;
mod keyed;
mod keys;
mod ltsv;
pub(crate) mod request;
mod search;
mod server;
mod skeleton;
mod strftime;
mod template;
#[cfg(test)]
mod traps;
mod variables;

use std::sync::Arc;

use self::batch::Quotes;
use self::capture::{Capture, Reader, Stamp};
pub(super) use self::either::Either;
pub use self::either::Half;
pub(super) use self::json::Json;
pub(super) use self::ltsv::Ltsv;
pub use self::server::{Clue, server_of};
use self::template::{Part, Template};
use super::{Batch, Family, Format, Line, Parser, Scan};
use crate::error::{Error, Result};
use crate::ledger::Reason;
use crate::record::block::Rows;
use crate::record::time::Clock;
use crate::record::{Fields, Layout, Row, Slot};

/// A format whose lines follow a definition.
#[derive(Debug, Clone)]
pub struct Access {
    name: String,
    template: Template,
    /// Of a built-in format: how its lines begin and end, where they can be mistaken.
    look: Option<columns::Look>,
    /// Its lines stand in envelopes.
    is_enveloped: bool,
    /// The server writes nothing where it has nothing to say (Nginx's `escape=none` and `escape=json`).
    takes_empty_for_absent: bool,
}

// The definitions that servers and distributions ship. Where both servers write the same, either language will do.

/// Nginx's default and Apache's combined.
pub(super) const COMBINED: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;
/// Nginx as distributions and containers configure it.
pub(super) const MAIN: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#;
/// Nginx combined with request and upstream response time.
pub(super) const TIMED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_response_time"#;
/// The same with the address and the status of the upstreams.
pub(super) const TIMED_UPSTREAM: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_response_time $upstream_addr $upstream_status"#;
/// Nginx combined with request time.
pub(super) const REQUEST_TIME: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#;
/// The same, and whether the request was pipelined.
pub(super) const TIMED_PIPE: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_response_time $pipe"#;
/// Main with request time.
pub(super) const MAIN_REQUEST_TIME: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" $request_time"#;
/// Main with request and upstream response time.
pub(super) const MAIN_TIMED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" $request_time $upstream_response_time"#;
/// Combined with the times of request and upstream by key, as Nginx's guide to monitoring writes it.
pub(super) const UPSTREAM_TIME: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time""#;
/// Main with hosts, times and upstreams by key, as Nginx's own agent for monitoring wants it.
pub(super) const MAIN_EXT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" "$host" sn="$server_name" rt=$request_time ua="$upstream_addr" us="$upstream_status" ut="$upstream_response_time" ul="$upstream_response_length" cs=$upstream_cache_status"#;
/// The Kubernetes ingress controller for Nginx.
pub(super) const INGRESS: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id"#;
/// Traefik, where it does not write JSON; the fields are called as there.
pub(super) const TRAEFIK: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %{requestcount}n "%{routername}n" "%{upstream}n" %{ms}Tms"#;
/// Nginx Proxy Manager, for the hosts that it hands on.
pub(super) const PROXY_MANAGER: &str = r#"[$time_local] $upstream_cache_status $upstream_status $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] [Sent-to $server] "$http_user_agent" "$http_referer""#;
/// Nginx Proxy Manager, for what it answers itself.
pub(super) const PROXY_MANAGER_OWN: &str = r#"[$time_local] $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] "$http_user_agent" "$http_referer""#;
/// Combined with more behind it. What the columns mean cannot be seen in them; `--log-format` tells.
pub(super) const COMBINED_TAIL: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $tail"#;
/// Apache's common.
pub(super) const COMMON: &str = r#"%h %l %u %t "%r" %>s %b"#;
/// Apache's combined with the bytes on the wire.
pub(super) const COMBINEDIO: &str =
    r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O"#;
/// Debian's `vhost_combined`.
pub(super) const VHOST_COMBINED: &str =
    r#"%v:%p %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;
/// Combined behind the virtual host.
pub(super) const VHOST: &str = r#"%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;
/// Debian's with more behind it, as times; see [`COMBINED_TAIL`].
pub(super) const VHOST_COMBINED_TAIL: &str =
    r#"%v:%p %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %{tail}n"#;
/// Combined behind the virtual host, and more behind it.
pub(super) const VHOST_TAIL: &str =
    r#"%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %{tail}n"#;
/// Combined with the virtual host behind the client.
pub(super) const CLIENT_VHOST: &str =
    r#"%h %v %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;
/// The same with more behind it.
pub(super) const CLIENT_VHOST_TAIL: &str =
    r#"%h %v %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %{tail}n"#;
/// Apache's common behind the virtual host.
pub(super) const VHOST_COMMON: &str = r#"%v %h %l %u %t "%r" %>s %b"#;

impl Access {
    /// The format of a definition in the language of Nginx (`log_format`) or of Apache (`LogFormat`).
    ///
    /// # Errors
    /// When the definition cannot be read: says which part and why.
    pub fn new(name: &str, definition: &str) -> Result<Self> {
        let (escape, text) = escape_of(definition);
        let template = Template::searching(&definition::parse(text)?)
            .map_err(|why| Error::usage(format!("'{definition}' cannot be read back: {why}")))?;
        let takes_empty_for_absent = escape.is_some();
        Ok(Self { takes_empty_for_absent, ..Self::of(name, template) })
    }

    fn of(name: &str, template: Template) -> Self {
        Self {
            name: name.to_owned(),
            template,
            look: None,
            is_enveloped: false,
            takes_empty_for_absent: false,
        }
    }

    /// A format of the table.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn built_in(name: &str, definition: &str) -> Result<Self> {
        Self::made(name, definition, &definition::parse(definition)?)
    }

    /// The same with its stamps written in the other ways that Nginx has.
    pub(super) fn with_other_stamps(name: &str, definition: &str) -> Vec<Self> {
        let with = |stamp: Stamp| {
            let mut parts = definition::parse(definition).ok()?;
            for part in &mut parts {
                if *part == Part::Variable(Capture::Time(Stamp::Clf)) {
                    *part = Part::Variable(Capture::Time(stamp.clone()));
                }
            }
            Self::made(name, definition, &parts).ok()
        };
        [Stamp::Iso, Stamp::Epoch(6)].into_iter().filter_map(with).collect()
    }

    fn made(name: &str, definition: &str, parts: &[Part]) -> Result<Self> {
        let template = Template::new(parts)
            .map_err(|why| Error::usage(format!("'{definition}' cannot be read back: {why}")))?;
        Ok(Self { look: Some(columns::look_of(definition)), ..Self::of(name, template) })
    }
}

impl Format for Access {
    fn name(&self) -> &str {
        &self.name
    }

    fn family(&self) -> Family {
        Family::Web
    }

    fn fields(&self) -> Fields {
        let around = if self.is_enveloped { enveloped::fields() } else { Fields::NONE };
        self.template.fields().union(around)
    }

    fn fitted(&self, sample: &[u8]) -> Option<Arc<dyn Format>> {
        let is_enveloped = enveloped::is_enveloped(sample);
        is_enveloped.then(|| Arc::new(Self { is_enveloped, ..self.clone() }) as Arc<dyn Format>)
    }

    fn claims(&self, sample: &[u8]) -> Option<u64> {
        let inner = self.is_enveloped.then(|| enveloped::inner_lines(sample));
        columns::claimed(self.look?, inner.as_deref().unwrap_or(sample))
    }

    fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan> {
        let parser = self.own_parser(layout, clock.clone());
        enveloped::scan(parser, self.is_enveloped, layout, clock)
    }

    fn half(&self) -> Option<Half> {
        Some(Half::from(self))
    }
}

impl Access {
    /// The parser of lines that stand in no envelope.
    fn own_parser(&self, layout: &Layout, clock: Clock) -> AccessParser {
        let template = self.template.bind(layout);
        let reader = Reader::new(layout, clock).with_empty_as_absent(self.takes_empty_for_absent);
        AccessParser { template, reader, quotes: Quotes::default() }
    }
}

struct AccessParser {
    template: Template<Slot>,
    reader: Reader,
    quotes: Quotes,
}

impl Parser for AccessParser {
    const IN_BATCHES: bool = true;

    fn parse_all(&mut self, batch: &Batch<'_>, rows: &mut Rows<'_>) -> u64 {
        self.template.read_all(batch, &mut self.quotes, &mut self.reader, rows)
    }

    #[inline]
    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> std::result::Result<(), Reason> {
        if line.bytes.is_empty() {
            return Err(Reason::Blank);
        }
        self.template.read(line, &mut self.reader, row).map_err(|reason| worse(reason, line))
    }
}

/// A line with NUL bytes is a hole or no text at all, whatever else is wrong with it.
#[cold]
fn worse(reason: Reason, line: Line<'_>) -> Reason {
    if memchr::memchr(0, line.bytes).is_some() { Reason::Binary } else { reason }
}

/// The format of a definition, whatever kind of lines it defines.
///
/// # Errors
/// When the definition cannot be read: says which part and why.
pub fn from_definition(name: &str, definition: &str) -> Result<Arc<dyn Format>> {
    let (escape, text) = escape_of(definition.trim());
    // What is not escaped may hold anything, and is no JSON then: the texts between the variables tell more.
    if text.starts_with('{') && escape != Some(Escape::None) {
        return Ok(Arc::new(Json::defined(name, text)?));
    }
    if Ltsv::is_defined_by(text) {
        return Ok(Arc::new(Ltsv::defined(name, text, escape.is_some())?));
    }
    Ok(Arc::new(Access::new(name, definition.trim())?))
}

/// How Nginx escapes values, where that is not its default. In both cases it writes nothing for an absent value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Json,
}

/// Takes `escape=none` or `escape=json` off the front of a definition.
fn escape_of(definition: &str) -> (Option<Escape>, &str) {
    let after = |word: &str| definition.strip_prefix(word).map(str::trim_start);
    match (after("escape=none "), after("escape=json ")) {
        (Some(text), _) => (Some(Escape::None), text),
        (_, Some(text)) => (Some(Escape::Json), text),
        _ => (None, after("escape=default ").unwrap_or(definition)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Room, testing};
    use crate::ledger::Account;
    use crate::record::{Block, Field, Origin, Records};

    /// Parses a text by a definition and hands the records to a check.
    fn with(definition: &str, text: &str, check: impl Fn(Records<'_>)) -> Account {
        let format = Access::new("test", definition).unwrap();
        let layout = Layout::new(format.fields(), Fields::NONE);
        let mut parser = format.parser(&layout, Clock::new(chrono_tz::UTC, 0));
        let mut account = Account::default();
        let mut sink = |block: &mut Block, account: &mut Account| {
            account.counted.records += block.len() as u64;
            account.counted.bytes += block.bytes();
            check(block.records(text.as_bytes()));
        };
        let mut room = Room::new(layout);
        parser.scan(text.as_bytes(), Origin::default(), &mut room, &mut account, &mut sink);
        assert!(account.balances(), "{account:?}");
        account
    }

    /// A field of a line in words, or why the line is no record.
    pub(super) fn read_one(
        format: &dyn Format,
        line: &str,
        field: &str,
    ) -> std::result::Result<Option<String>, Reason> {
        let (records, account) = testing::read(format, line.as_bytes(), format.fields());
        let known = |(known, value): (Field, String)| (known.name() == field).then_some(value);
        match account.reasons().next() {
            Some((reason, _)) => Err(reason),
            None => Ok(records.into_iter().flatten().find_map(known)),
        }
    }

    #[test]
    fn built_in_definitions_compile() {
        crate::format::FORMATS.iter().for_each(|entry| drop(entry.make()));
    }

    #[test]
    fn reads_a_combined_line() {
        let line = r#"203.0.113.9 - alice [07/Mar/2024:09:15:02 +0100] "GET /a?b=1 HTTP/2.0" 200 5120 "-" "curl/8.5""#;
        with(COMBINED, line, |records| {
            assert_eq!(records.text(Field::CLIENT, 0), Some(&b"203.0.113.9"[..]));
            assert_eq!(records.text(Field::USER, 0), Some(&b"alice"[..]));
            assert_eq!(records.number(Field::TIME, 0), Some(1_709_799_302_000_000));
            assert_eq!(records.text(Field::METHOD, 0), Some(&b"GET"[..]));
            assert_eq!(records.text(Field::PATH, 0), Some(&b"/a"[..]));
            assert_eq!(records.text(Field::QUERY, 0), Some(&b"b=1"[..]));
            assert_eq!(records.text(Field::PROTOCOL, 0), Some(&b"HTTP/2.0"[..]));
            assert_eq!(records.number(Field::STATUS, 0), Some(200));
            assert_eq!(records.number(Field::BYTES, 0), Some(5120));
            assert_eq!(records.text(Field::REFERER, 0), None);
            assert_eq!(records.text(Field::AGENT, 0), Some(&b"curl/8.5"[..]));
        });
    }

    fn field(line: &str, field: Field) -> Option<Vec<u8>> {
        let found = std::cell::RefCell::new(None);
        let account = with(COMBINED, line, |records| {
            *found.borrow_mut() = records.text(field, 0).map(<[u8]>::to_vec);
        });
        assert_eq!(account.counted.records, 1, "{line}");
        found.into_inner()
    }

    fn is(line: &str, wanted: Field, text: &str) {
        assert_eq!(field(line, wanted).as_deref(), Some(text.as_bytes()), "{line}");
    }

    #[test]
    fn quotes_inside_fields() {
        let line = |agent: &str| {
            format!(r#"::1 - - [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 200 5 "-" "{agent}""#)
        };
        is(&line(r#"a \"b\" c"#), Field::AGENT, r#"a \"b\" c"#);
        is(&line(r"ends in a backslash \\"), Field::AGENT, r"ends in a backslash \\");
        is(&line(r"a \x22b\x22"), Field::AGENT, r"a \x22b\x22");
        is(&line(r#"not "escaped" at all"#), Field::AGENT, r#"not "escaped" at all"#);
        is(&line(r#"] \" 200 5 \"x\" \"y"#), Field::AGENT, r#"] \" 200 5 \"x\" \"y"#);
        is(
            &line(r#"1.1.1.1 - - [01/Jan/2000:00:00:00 +0000] \"GET /fake HTTP/1.1\" 500 0"#),
            Field::PATH,
            "/",
        );
    }

    #[test]
    fn users_with_spaces_brackets_and_without_name() {
        let line = |user: &str| {
            format!(r#"::1 - {user} [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 200 5 "-" "x""#)
        };
        is(&line("jo smith"), Field::USER, "jo smith");
        is(&line("jo [07/x"), Field::USER, "jo [07/x");
        is(&line(r#""""#), Field::USER, "");
        assert_eq!(field(&line("-"), Field::USER), None);
    }

    #[test]
    fn requests_that_are_none() {
        let line = |request: &str| {
            format!(r#"::1 - - [07/Mar/2024:09:15:02 +0100] "{request}" 400 0 "-" "-""#)
        };
        let junk = r"\x16\x03\x01\x02\x00\x01 \x00";
        is(&line(junk), Field::REQUEST, junk);
        assert_eq!(field(&line(junk), Field::PATH), None);
        assert_eq!(field(&line("-"), Field::REQUEST), None);
        is(&line(""), Field::REQUEST, "");
        is(&line("GET /old"), Field::PATH, "/old");
        is(&line("CONNECT a:443 HTTP/1.1"), Field::TARGET, "a:443");
        is(&line("GET http://h/p?q HTTP/1.1"), Field::PATH, "/p");
        is(&line("GET /a b c HTTP/1.1"), Field::PATH, "/a b c");
        is(&line("OPTIONS * HTTP/1.1"), Field::PATH, "*");
    }

    #[test]
    fn refuses_what_is_not_in_the_format() {
        let text = "junk\n\n::1 - - [30/Feb/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\"\n\
                    ::1 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"cut of\n\
                    ::1 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 20x 5 \"-\" \"x\"\n\0\0\n";
        let account = with(COMBINED, text, |_| {});
        let amount = |reason| account.refused(reason).map_or(0, |refused| refused.amount.records);
        assert_eq!(amount(Reason::Malformed), 2);
        assert_eq!(amount(Reason::Blank), 1);
        assert_eq!(amount(Reason::BadTime), 1);
        assert_eq!(amount(Reason::Truncated), 1);
        assert_eq!(amount(Reason::Binary), 1);
    }

    /// The dash of a request that was none was told as part of the host: `http://shop.example-`.
    #[test]
    fn a_host_before_no_target() {
        let format = Access::new("t", "$scheme://$host$request_uri $status").unwrap();
        let read = |line: &str, field| read_one(&format, line, field).unwrap();
        assert_eq!(read("http://shop.example- 400", "host").as_deref(), Some("shop.example"));
        assert_eq!(read("http://shop.example- 400", "target"), None);
        assert_eq!(read("http://shop-/a- 400", "host").as_deref(), Some("shop-"));
        assert_eq!(read("http://-- 400", "host"), None);
    }

    #[test]
    fn a_port_before_the_target() {
        let format = Access::new("t", "$host:$server_port$request_uri $status").unwrap();
        let read = |line: &str, field| read_one(&format, line, field);
        assert_eq!(read("a.b:8080/x?y 200", "port"), Ok(Some("8080".to_owned())));
        assert_eq!(read("a.b:8080/x?y 200", "query"), Ok(Some("y".to_owned())));
        assert_eq!(read("a.b:80- 400", "target"), Ok(None));
        assert_eq!(read("a.b:80- 400", "port"), Ok(Some("80".to_owned())));
        assert_eq!(read("a.b:-/x 200", "path"), Ok(Some("/x".to_owned())));
        assert_eq!(read("a.b:*/x 200", "path"), Err(Reason::Malformed));
        let format = Access::new("t", "$status|$is_args$args|$request_time").unwrap();
        let read = |line: &str| read_one(&format, line, "query").unwrap();
        assert_eq!(read("200|?a=b|0.1").as_deref(), Some("a=b"));
        assert_eq!(read("200|-|0.1"), None);
    }

    #[test]
    fn lists_of_tries_and_their_class() {
        let definition =
            "$status $upstream_addr $upstream_response_time $upstream_status $request_time";
        let text = "200 10.0.0.1:80, unix:/run/app.sock : [::1]:80 0.002, - : 0.450 502, 504 : 200 0.460\n\
                    009 10.0.0.1:80 - 009 1.5\n200 - - - 0.001\n";
        with(definition, text, |records| {
            assert_eq!(records.text(Field::UPSTREAM, 0), Some(&b"[::1]:80"[..]));
            assert_eq!(records.number(Field::UPSTREAM_TRIES, 0), Some(3));
            assert_eq!(records.number(Field::UPSTREAM_DURATION, 0), Some(452_000));
            assert_eq!(records.number(Field::DURATION, 0), Some(460_000));
            let kind =
                |row| records.number(Field::KIND, row).map(crate::record::Label::from_number);
            assert_eq!(kind(0).unwrap().word(), "retried_upstream");
            assert_eq!(kind(1).unwrap().word(), "upstream_protocol");
            assert_eq!(records.number(Field::UPSTREAM_DURATION, 1), None);
            assert_eq!(records.text(Field::UPSTREAM, 2), None);
        });
    }

    /// An agent that holds the separator shifted all columns before it, and the record was refused.
    #[test]
    fn an_agent_without_quotes_may_hold_the_separator() {
        let definition = "$remote_addr | $request | $status | $http_user_agent | $request_time";
        with(definition, "::1 | GET /a HTTP/1.1 | 200 | we\"ird | x | 0.002", |records| {
            assert_eq!(records.text(Field::AGENT, 0), Some(&b"we\"ird | x"[..]));
            assert_eq!(records.number(Field::DURATION, 0), Some(2_000));
            assert_eq!(records.text(Field::PATH, 0), Some(&b"/a"[..]));
        });
    }

    #[test]
    fn a_host_ends_where_the_target_begins() {
        with(
            "$scheme://$host$request_uri $status",
            "https://h.example:8443/a?b=/c 200",
            |records| {
                assert_eq!(records.text(Field::SCHEME, 0), Some(&b"https"[..]));
                assert_eq!(records.text(Field::HOST, 0), Some(&b"h.example:8443"[..]));
                assert_eq!(records.text(Field::PATH, 0), Some(&b"/a"[..]));
                assert_eq!(records.text(Field::QUERY, 0), Some(&b"b=/c"[..]));
            },
        );
    }

    #[test]
    fn a_list_is_joined_by_commas_and_colons() {
        let account = with("t=$upstream_response_time", "t=0.1 0.2\nt=0.1, 0.2 : -\n", |_| {});
        assert_eq!(account.counted.records, 1);
    }

    /// The address of the client stood behind the envelope, and what was told as client was `stdout`.
    #[test]
    fn lines_in_envelopes() {
        let line =
            r#"203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] "GET /a HTTP/1.1" 200 5 "-" "x""#;
        for (around, host) in [
            ("2024-03-07T08:15:02.418123456Z stdout F ", "<absent>"),
            ("Mar  7 09:15:02 web1 nginx: ", "web1"),
            ("<190>Mar  7 09:15:02 web1 nginx[77]: ", "web1"),
            ("web-1  | ", "web-1"),
        ] {
            let line = format!("{around}{line}\n");
            let format = Access::new("combined", COMBINED).unwrap();
            let format = format.fitted(line.as_bytes()).expect("an envelope");
            let wanted = [
                (Field::CLIENT, "203.0.113.9"),
                (Field::TIME, "1709799302000000"),
                (Field::AGENT, "x"),
                (Field::LOGHOST, host),
            ];
            testing::check(&*format, &line, &wanted);
            let json = format!("{around}{{\"remote_addr\":\"::1\",\"status\":200,\"took\":7}}\n");
            let format = Json::usual().fitted(json.as_bytes()).unwrap();
            let (records, _) = testing::read(&*format, json.as_bytes(), format.fields());
            assert!(records[0].contains(&(Field::CLIENT, "::1".to_owned())), "{records:?}");
            assert_eq!(
                records[0].iter().any(|(field, _)| *field == Field::TIME),
                around.starts_with(['2', 'M', '<'])
            );
        }
        assert!(Access::new("combined", COMBINED).unwrap().fitted(line.as_bytes()).is_none());
    }

    #[test]
    fn line_ends_and_holes() {
        let text = "\u{feff}1\r\n\0\0\x002\n3";
        let account = with("$connection_requests", text, |records| {
            let numbers: Vec<_> = (0..3).map(|row| records.number(Field::KEEPALIVE, row)).collect();
            assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
        });
        assert_eq!(account.hole_bytes, 6);
    }
}
