//! Lines that are JSON objects, with keys that the administrator chose.
//!
//! ```text
//! {"time_iso8601":"2024-03-07T09:15:02+01:00","remote_addr":"203.0.113.9","request":"GET /a HTTP/1.1","status":200}
//! {"ts":1709799302.4,"request":{"remote_ip":"203.0.113.9","method":"GET","uri":"/a"},"status":200}
//! ```
//!
//! No tree is built: [`Walk`] goes over a line once, along its quotes, whose positions are known beforehand, and hands
//! out the values that stand behind keys. Keys inside objects count by their path, an array by its first element.
//!
//! Servers write these lines by pasting values between literal text, so that many are no valid JSON: numbers that are
//! left out (`"x":,`), lists without quotes (`"x":0.1, 0.2`), bytes that are no UTF-8, escapes that JSON does not have
//! (`\x22`). All of these are taken. `null` and empty texts are absent, because Nginx writes an absent variable as an
//! empty text in this mode.

use std::sync::Arc;

use memchr::memchr;

use super::capture::Capture;
use super::either::Half;
use super::keyed::{Keyed, Shape};
use super::keys::{Hand, Id, Learner, ROOT, UNKNOWN};
use super::{enveloped, skeleton, variables};
use crate::error::{Error, Result};
use crate::escape::{is_escaped, unescape};
use crate::format::{Family, Format, Line, Parser, Scan};
use crate::ledger::Reason;
use crate::record::time::Clock;
use crate::record::{Fields, Layout, Row};

/// How deep objects and arrays may lie in each other.
const DEEPEST: u32 = 32;

/// The format.
#[derive(Debug, Clone)]
pub(in crate::format) struct Json(Keyed);

impl Json {
    /// The format with the usual keys, before a log has shown its own.
    pub(in crate::format) fn usual() -> Self {
        Self(Keyed::usual("json", SHAPE))
    }

    /// The format of a definition.
    pub(super) fn defined(name: &str, definition: &str) -> Result<Self> {
        let (text, captures) = skeleton::of(&definition.replace("\\\"", "\""))?;
        let mut learner = Learner::new(spell);
        if walk_text(&text, &mut Learning(&mut learner)).is_err() {
            let what = format!("'{definition}' is no JSON object with a variable behind each key");
            return Err(Error::usage(what));
        }
        let keys = learner
            .into_defined(|key, value| skeleton::capture(key, value, &captures, variables::key));
        Ok(Self(Keyed::defined(name, keys)))
    }
}

const SHAPE: Shape = Shape {
    spell,
    known: variables::key,
    learn: |line, learner| {
        // Lines that are none teach nothing.
        let _ = walk_text(line, &mut Learning(learner));
    },
};

fn spell(name: &[u8]) -> Vec<u8> {
    [b"\"", name, b"\":"].concat()
}

impl Format for Json {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn family(&self) -> Family {
        Family::Web
    }

    fn fields(&self) -> Fields {
        self.0.fields()
    }

    fn fitted(&self, sample: &[u8]) -> Option<Arc<dyn Format>> {
        self.0.fitted(sample, SHAPE, Self)
    }

    fn claims(&self, _sample: &[u8]) -> Option<u64> {
        (!self.0.is_web).then_some(0)
    }

    fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan> {
        let parser = self.own_parser(layout, clock.clone());
        enveloped::scan(parser, self.0.is_enveloped, layout, clock)
    }

    fn half(&self) -> Option<Half> {
        Some(Half::from(self))
    }
}

impl Json {
    /// The parser of lines that stand in no envelope.
    pub(super) fn own_parser(&self, layout: &Layout, clock: Clock) -> JsonParser {
        JsonParser { hand: Hand::new(&self.0.keys, layout, clock), scratch: Vec::new() }
    }

    pub(super) fn is_enveloped(&self) -> bool {
        self.0.is_enveloped
    }
}

pub(super) struct JsonParser {
    hand: Hand,
    scratch: Vec<u8>,
}

impl Parser for JsonParser {
    #[inline]
    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> std::result::Result<(), Reason> {
        if line.bytes.is_empty() {
            return Err(Reason::Blank);
        }
        self.hand.begin(row);
        let Self { hand, scratch } = self;
        let mut writing = Writing { hand, scratch, row, at: line.at };
        Walk::new(line, &mut writing).line().map_err(|reason| super::worse(reason, line))?;
        self.hand.end(row)
    }
}

/// A value that is neither an object nor an array.
#[derive(Debug, Clone, Copy)]
struct Scalar {
    /// Where it stands in the line, without its quotes.
    start: usize,
    end: usize,
    is_quoted: bool,
    /// True when it may hold escapes.
    is_escaped: bool,
}

/// Who is told what a walk comes by.
trait Visit {
    /// The key that is expected and stands at the beginning of this text, with the length of what belongs to it.
    fn foreseen(&self, _text: &[u8]) -> Option<(Id, usize)> {
        None
    }
    /// The key of that name below another one.
    fn named(&mut self, parent: Id, name: &[u8]) -> Id;
    /// What follows stands inside this key.
    fn enter(&mut self, _key: Id) {}
    /// What follows stands behind this key.
    fn leave(&mut self, _key: Id) {}
    /// The value of a key.
    fn value(&mut self, key: Id, line: &[u8], value: Scalar) -> std::result::Result<(), Reason>;
}

/// Writes values into a row.
struct Writing<'a, 'b> {
    hand: &'a mut Hand,
    scratch: &'a mut Vec<u8>,
    row: &'a mut Row<'b>,
    /// Where the line begins in the piece.
    at: usize,
}

impl Visit for Writing<'_, '_> {
    #[inline]
    fn foreseen(&self, text: &[u8]) -> Option<(Id, usize)> {
        self.hand.foreseen(text)
    }

    fn named(&mut self, parent: Id, name: &[u8]) -> Id {
        self.hand.named(parent, name)
    }

    #[inline]
    fn enter(&mut self, key: Id) {
        self.hand.enter(key);
    }

    #[inline]
    fn leave(&mut self, key: Id) {
        self.hand.leave(key);
    }

    #[inline]
    fn value(&mut self, key: Id, line: &[u8], value: Scalar) -> std::result::Result<(), Reason> {
        let Some(capture) = self.hand.meet(key) else { return Ok(()) };
        let text = &line[value.start..value.end];
        if is_absent(text, value.is_quoted) {
            return Ok(());
        }
        let is_changed = match value.is_quoted {
            true => value.is_escaped && memchr(b'\\', text).is_some(),
            false if capture.is_whole() && text.ends_with(b".0") => true,
            false => !matches!(capture, Capture::Text(_)) && has_exponent(text),
        };
        if is_changed {
            return self.changed(key, text, value.is_quoted);
        }
        self.hand.read(key, text, self.at + value.start, self.row)
    }
}

impl Writing<'_, '_> {
    /// Reads a value that is not what it looks like.
    #[cold]
    fn changed(
        &mut self,
        key: Id,
        text: &[u8],
        is_quoted: bool,
    ) -> std::result::Result<(), Reason> {
        self.scratch.clear();
        if is_quoted {
            unescape(text, self.scratch);
        } else {
            self.scratch.extend(plain_number(text));
        }
        let at = self.row.store(self.scratch);
        self.hand.read(key, self.scratch, at, self.row)
    }
}

#[inline]
fn is_absent(text: &[u8], is_quoted: bool) -> bool {
    text.is_empty() || !is_quoted && text == b"null"
}

/// Collects keys and values.
struct Learning<'a>(&'a mut Learner);

impl Visit for Learning<'_> {
    fn named(&mut self, parent: Id, name: &[u8]) -> Id {
        self.0.learn(parent, name)
    }

    fn value(&mut self, key: Id, line: &[u8], value: Scalar) -> std::result::Result<(), Reason> {
        let text = &line[value.start..value.end];
        let mut plain = Vec::new();
        match value.is_quoted {
            true => unescape(text, &mut plain),
            false if has_exponent(text) => plain = plain_number(text),
            false => plain.extend(text),
        }
        if !is_absent(text, value.is_quoted) {
            self.0.note(key, &plain);
        }
        Ok(())
    }
}

/// Walks over a text whose quotes nobody has found yet.
fn walk_text(text: &[u8], visit: &mut impl Visit) -> std::result::Result<(), Reason> {
    let text = text.trim_ascii();
    let marks: Vec<u32> = memchr::memchr_iter(b'"', text).map(|at| at as u32).collect();
    Walk::new(Line { bytes: text, at: 0, marks: &marks }, visit).line()
}

/// The way over one line.
struct Walk<'a, V> {
    bytes: &'a [u8],
    quotes: &'a [u32],
    /// Where the line begins in the text that the quotes are counted from.
    base: usize,
    /// How many quotes lie behind.
    passed: usize,
    at: usize,
    has_escapes: bool,
    visit: &'a mut V,
}

type Step<T = ()> = std::result::Result<T, Reason>;

impl<'a, V: Visit> Walk<'a, V> {
    #[inline]
    fn new(line: Line<'a>, visit: &'a mut V) -> Self {
        let has_escapes = memchr(b'\\', line.bytes).is_some();
        let (bytes, quotes, base) = (line.bytes, line.marks, line.at);
        Self { bytes, quotes, base, passed: 0, at: 0, has_escapes, visit }
    }

    /// The whole line: an object and nothing behind it.
    #[inline]
    fn line(mut self) -> Step {
        if self.next() != Some(b'{') {
            return Err(Reason::Malformed);
        }
        self.at += 1;
        self.visit.enter(ROOT);
        self.object(ROOT, 0)?;
        match self.next() {
            None => Ok(()),
            Some(_) => Err(Reason::Malformed),
        }
    }

    /// The byte that comes next, white space aside.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    /// The members of an object, behind its opening brace.
    fn object(&mut self, parent: Id, depth: u32) -> Step {
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.key(parent)?;
            self.value(key, depth, b'}')?;
            self.visit.leave(key);
            if self.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    /// True at the end of an object or an array, false at a comma.
    #[inline]
    fn goes_on(&mut self, end: u8) -> Step<bool> {
        let byte = self.next().ok_or(Reason::Truncated)?;
        self.at += 1;
        match byte {
            b',' => Ok(false),
            byte if byte == end => Ok(true),
            _ => Err(Reason::Malformed),
        }
    }

    /// A key with its colon.
    #[inline]
    fn key(&mut self, parent: Id) -> Step<Id> {
        let first = self.next().ok_or(Reason::Truncated)?;
        if let Some((key, len)) = self.visit.foreseen(&self.bytes[self.at..]) {
            self.at += len;
            self.passed += 2;
            return Ok(key);
        }
        if first != b'"' {
            return Err(Reason::Malformed);
        }
        let (start, end) = self.string()?;
        let key = self.visit.named(parent, &self.bytes[start..end]);
        match self.next() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(Reason::Malformed),
            None => return Err(Reason::Truncated),
        }
        Ok(key)
    }

    /// What stands between two quotes; the first of them comes next.
    #[inline]
    fn string(&mut self) -> Step<(usize, usize)> {
        let start = self.at + 1;
        loop {
            self.passed += 1;
            let quote = *self.quotes.get(self.passed).ok_or(Reason::Truncated)?;
            let end = quote as usize - self.base;
            if !self.has_escapes || !is_escaped(&self.bytes[start..end]) {
                self.passed += 1;
                self.at = end + 1;
                return Ok((start, end));
            }
        }
    }

    #[inline]
    fn value(&mut self, key: Id, depth: u32, end: u8) -> Step {
        match self.next().ok_or(Reason::Truncated)? {
            b'"' => {
                let (start, end) = self.string()?;
                let is_escaped = self.has_escapes;
                let value = Scalar { start, end, is_quoted: true, is_escaped };
                self.visit.value(key, self.bytes, value)
            }
            b'{' | b'[' if depth == DEEPEST => Err(Reason::Malformed),
            b'{' => {
                self.at += 1;
                self.visit.enter(key);
                self.object(key, depth + 1)
            }
            b'[' => {
                self.at += 1;
                self.array(key, depth + 1)
            }
            _ => {
                let value = self.bare(end)?;
                self.visit.value(key, self.bytes, value)
            }
        }
    }

    /// The elements of an array, behind its opening bracket. What stands inside objects in it has no name.
    fn array(&mut self, key: Id, depth: u32) -> Step {
        if self.next() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let is_object = self.next() == Some(b'{');
            self.value(if is_object { UNKNOWN } else { key }, depth, b']')?;
            if self.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    /// A value without quotes, which may be nothing at all, or a list: in an object it goes on until the next key.
    #[inline]
    fn bare(&mut self, closing: u8) -> Step<Scalar> {
        let start = self.at;
        loop {
            match self.bytes.get(self.at) {
                None => return Err(Reason::Truncated),
                Some(byte) if *byte == closing => break,
                Some(b',') if closing == b']' || self.is_before_key() => break,
                Some(b'"') => return Err(Reason::Malformed),
                Some(_) => self.at += 1,
            }
        }
        let end = start + self.bytes[start..self.at].trim_ascii_end().len();
        Ok(Scalar { start, end, is_quoted: false, is_escaped: false })
    }

    /// True when the comma here is followed by a key.
    #[inline]
    fn is_before_key(&self) -> bool {
        let behind = &self.bytes[self.at + 1..];
        behind.iter().find(|byte| **byte != b' ').is_none_or(|byte| *byte == b'"')
    }
}

/// True for numbers such as `5.07e-05`.
#[inline]
fn has_exponent(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'-' | b'0'..=b'9'))
        && text.iter().any(|byte| matches!(byte, b'e' | b'E'))
}

/// A number with an exponent as one without, to nine places, and a whole one without a fraction; anything else as it is.
fn plain_number(text: &[u8]) -> Vec<u8> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    match number.filter(|number| number.abs() < 1e18) {
        Some(number) if number.fract() == 0.0 => format!("{number:.0}").into_bytes(),
        Some(number) => format!("{number:.9}").into_bytes(),
        None => text.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_one;
    use super::*;
    use crate::format::web::from_definition;

    /// The text of a field of a line, in a format that was made from the line.
    fn field(line: &str, field: &str) -> Option<String> {
        read_one(&*Json::usual().fitted(line.as_bytes()).unwrap(), line, field).unwrap()
    }

    fn is(line: &str, name: &str, text: &str) {
        assert_eq!(field(line, name).as_deref(), Some(text), "{name} of {line}");
    }

    const LINE: &str = r#"{"time":"2024-03-07T09:15:02+01:00","ip":"::1","request":"GET /a?b HTTP/1.1","status":200"#;

    #[test]
    fn reads_the_usual_keys() {
        let line = &format!(r#"{LINE},"bytes":"17","request_time":1.5}}"#);
        is(line, "time", "1709799302000000");
        is(line, "client", "::1");
        is(line, "path", "/a");
        is(line, "query", "b");
        is(line, "status", "200");
        is(line, "class", "ok");
        is(line, "bytes", "17");
        is(line, "duration", "1500000");
    }

    /// Traefik counts nanoseconds; Cloudflare and Google's load balancers have names of their own.
    #[test]
    fn keys_of_other_makers() {
        let line = r#"{"ClientHost":"::1","DownstreamStatus":502,"Duration":25000000,"OriginDuration":24000999,"OriginStatus":500,"RequestPath":"/a?x","ServiceAddr":"10.0.0.1:80"}"#;
        is(line, "upstream_status", "500");
        is(line, "duration", "25000");
        is(line, "upstream_duration", "24000");
        is(line, "upstream", "10.0.0.1:80");
        let line = r#"{"ClientHost":"::1","ClientPort":"4242","DownstreamStatus":200,"Duration":1,"RequestLine":"GET /a?x HTTP/1.1","BackendAddr":"10.0.0.1:80","request_User-Agent":"curl","request_Referer":"https://a.example/","request_X-Forwarded-For":"192.0.2.7, ::1"}"#;
        for (name, text) in [
            ("client_port", "4242"),
            ("query", "x"),
            ("upstream", "10.0.0.1:80"),
            ("agent", "curl"),
            ("referer", "https://a.example/"),
            ("forwarded", "192.0.2.7, ::1"),
        ] {
            is(line, name, text);
        }
        let line = r#"{"ClientIP":"::1","ClientRequestMethod":"GET","ClientRequestURI":"/a?x=1","EdgeStartTimestamp":"2024-03-07T09:15:02Z","EdgeResponseStatus":200,"CacheCacheStatus":"hit"}"#;
        is(line, "path", "/a");
        is(line, "status", "200");
        is(line, "cache_status", "hit");
        let line = r#"{"httpRequest":{"remoteIp":"::1","requestMethod":"GET","requestUrl":"https://a.example/p?x=1","status":502,"responseSize":"240"},"timestamp":"2024-03-07T09:15:02.1Z"}"#;
        is(line, "client", "::1");
        is(line, "path", "/p");
        is(line, "bytes", "240");
    }

    /// People who write JSON by hand write Nginx's variables as they write their own names.
    #[test]
    fn variables_in_other_spellings() {
        let line = r#"{"timeIso8601":"2024-03-07T09:15:02Z","remoteAddr":"::1","requestMethod":"GET","requestUri":"/a?x=1","status":502,"bodyBytesSent":"17","requestTime":"0.250","upstreamAddr":"10.0.0.1:80, 10.0.0.2:80","upstreamStatus":"502, 200","upstreamResponseTime":"0.1, 0.2","proxyUpstreamName":"shop-80","requestID":"a7"}"#;
        for (name, text) in [
            ("time", "1709802902000000"),
            ("client", "::1"),
            ("query", "x=1"),
            ("bytes", "17"),
            ("duration", "250000"),
            ("upstream", "10.0.0.2:80"),
            ("upstream_status", "502, 200"),
            ("upstream_duration", "300000"),
            ("backend", "shop-80"),
            ("request_id", "a7"),
        ] {
            is(line, name, text);
        }
        // As the guide of the ingress controller has it.
        let line = r#"{"time":"2024-03-07T09:15:02Z","remote_addr":"::1","status":200,"path":"/a","request_proto":"HTTP/1.1","request_query":"x=1"}"#;
        is(line, "protocol", "HTTP/1.1");
        is(line, "query", "x=1");
        // Seconds or milliseconds: nobody knows.
        let line = &format!(r#"{LINE},"requestTime":35}}"#);
        assert_eq!(field(line, "duration"), None);
        is(line, "requesttime", "35");
    }

    /// The query was lost where it has a key of its own.
    #[test]
    fn paths_beside_queries() {
        let line =
            |path: &str| format!(r#"{{"ip":"::1","status":200,"path":"{path}","query":"x=1"}}"#);
        is(&line("/a"), "path", "/a");
        is(&line("/a"), "query", "x=1");
        is(&line("/a?y=2"), "path", "/a");
        is(&line("/a?y=2"), "query", "y=2");
        let line = &format!(r#"{LINE},"path":"/a","query":"c"}}"#);
        is(line, "query", "b");
        is(line, "target", "/a?b");
    }

    #[test]
    fn own_keys_become_fields_and_ours_stay_ours() {
        let line = &format!(r#"{LINE},"x-tenant":"a","@trace.id":7,"level":"info","port":"n/a"}}"#);
        is(line, "x_tenant", "a");
        is(line, "trace_id", "7");
        is(line, "level_logged", "info");
        assert_eq!(field(line, "port"), None);
    }

    #[test]
    fn nested_objects_count_by_path_or_by_last_name() {
        let line = r#"{"ts":1709799302.25,"request":{"remote_ip":"::1","method":"GET","uri":"/a?b","headers":{"User-Agent":["curl","x"],"X":[{"a":1}]}},"duration":5.0e-05,"status":200,"geo":{"city":"Ulm"}}"#;
        is(line, "time", "1709799302250000");
        is(line, "client", "::1");
        is(line, "method", "GET");
        is(line, "query", "b");
        is(line, "agent", "curl");
        is(line, "duration", "50");
        is(line, "geo_city", "Ulm");
    }

    #[test]
    fn what_is_no_valid_json_is_taken() {
        let line =
            &format!(r#"{LINE},"upstream_response_time":0.1, 0.2 : 0.3,"upstream_status":}}"#);
        is(line, "upstream_duration", "600000");
        assert_eq!(field(line, "upstream_status"), None);
        let line = &format!("{LINE},\"agent\":\"a\\x22b\\xC3\\xa9 \\q \\ud83d\\ude00 \\ud83d\"}}");
        is(line, "agent", "a\"b\u{e9} \\q \u{1f600} \u{fffd}");
    }

    #[test]
    fn escapes_in_a_request_line() {
        let line = r#"{"client":"::1","status":400,"request":"GET \/a\"b?c\\ HTTP\/1.1"}"#;
        is(line, "path", "/a\"b");
        is(line, "query", "c\\");
        is(line, "protocol", "HTTP/1.1");
    }

    /// Lua's numbers, as shippers write them again: no status, no size and no class was told.
    #[test]
    fn whole_numbers_with_a_fraction() {
        let line = r#"{"remote_addr":"::1","status":404.0,"bytes_sent":12.0,"request_time":1.0}"#;
        is(line, "status", "404");
        is(line, "bytes", "12");
        is(line, "duration", "1000000");
        is(line, "class", "warn");
    }

    #[test]
    fn absent_and_twice() {
        let line = &format!(r#"{LINE},"referer":null,"user":"","agent":"x","agent":"y"}}"#);
        assert_eq!(field(line, "referer"), None);
        assert_eq!(field(line, "user"), None);
        is(line, "agent", "x");
    }

    #[test]
    fn stamps_by_their_look() {
        for stamp in [
            "1709799302",
            "1709799302000",
            "1709799302000000",
            "1709799302000000000",
            "1.709799302e9",
            "\"1709799302.000\"",
            "\"07/Mar/2024:09:15:02 +0100\"",
            "\"[07/Mar/2024:09:15:02 +0100]\"",
            "\"2024-03-07 08:15:02\"",
        ] {
            let line = format!(r#"{{"t":0,"ts":{stamp},"client":"::1","status":200}}"#);
            is(&line, "time", "1709799302000000");
        }
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let line = format!("{LINE}}}");
        let format = Json::usual().fitted(line.as_bytes()).unwrap();
        let other = r#"{ "status" : 404 , "more":{"status":1}, "ip" : "::2" }"#;
        assert_eq!(read_one(&*format, other, "status"), Ok(Some("404".into())));
        assert_eq!(read_one(&*format, other, "client"), Ok(Some("::2".into())));
    }

    #[test]
    fn lines_that_are_none() {
        let line = format!("{LINE}}}");
        let format = Json::usual().fitted(line.as_bytes()).unwrap();
        let refused = |text: &str| read_one(&*format, text, "status").unwrap_err();
        assert_eq!(refused(&line[..line.len() - 9]), Reason::Truncated);
        assert_eq!(refused(r#"["not","an","object"]"#), Reason::Malformed);
        assert_eq!(refused(r#"{"message":"started"}"#), Reason::Malformed);
        assert_eq!(refused(&format!("{line}x")), Reason::Malformed);
        assert_eq!(refused(&line.replace("200", "2x0")), Reason::Malformed);
        assert_eq!(refused(&format!(r#"{{"a":{}"#, "[".repeat(100))), Reason::Malformed);
    }

    #[test]
    fn definitions() {
        let text = r#"{"t":$msec,"who":"$remote_addr","l":"$request_method $uri","n":{"took":${request_time}},"s":$status}"#;
        let format = from_definition("own", text).unwrap();
        let line = r#"{"t":1709799302.5,"who":"::1","l":"GET /","n":{"took":0.25},"s":200}"#;
        let read = |field| read_one(&*format, line, field).unwrap();
        assert_eq!(read("time").as_deref(), Some("1709799302500000"));
        assert_eq!(read("client").as_deref(), Some("::1"));
        assert_eq!(read("duration").as_deref(), Some("250000"));
        let apache = from_definition(
            "own",
            r#"{ \"time\": \"%t\", \"s\": %>s, \"ua\": \"%{User-Agent}i\" }"#,
        );
        let line = r#"{ "time": "[07/Mar/2024:09:15:02 +0100]", "s": 200, "ua": "a\x22" }"#;
        let apache = apache.unwrap();
        assert_eq!(read_one(&*apache, line, "time"), Ok(Some("1709799302000000".into())));
        assert_eq!(read_one(&*apache, line, "agent"), Ok(Some("a\"".into())));
        assert!(from_definition("own", "{$status").is_err());
    }

    /// Envoy's milliseconds were told as seconds, and so was any whole number.
    #[test]
    fn durations_whose_unit_nobody_says() {
        let read = |line: &str, field| {
            let format = Json::usual().fitted(line.as_bytes()).unwrap();
            read_one(&*format, line, field).unwrap()
        };
        let line = r#"{"method":"GET","path":"/a","response_code":503,"response_flags":"UF","duration":12,"upstream_service_time":"11","start_time":"2024-03-07T09:15:02.418Z"}"#;
        assert_eq!(read(line, "duration").as_deref(), Some("12000"));
        assert_eq!(read(line, "upstream_duration").as_deref(), Some("11000"));
        assert_eq!(read(line, "status").as_deref(), Some("503"));
        assert_eq!(read(line, "time").as_deref(), Some("1709802902418000"));
        let line = r#"{"method":"GET","path":"/a","status":200,"duration":12}"#;
        assert_eq!(read(line, "duration"), None);
        assert_eq!(read(line, "duration_logged").as_deref(), Some("12"));
        let line = r#"{"method":"GET","path":"/a","status":200,"duration":0.012}"#;
        assert_eq!(read(line, "duration").as_deref(), Some("12000"));
    }
}
