//! What a page is judged by: its status, its headers, its content, its age, its size; and who gave the answer.

use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;

use super::{Page, size_range};
use crate::error::{Error, Result};
use crate::probe::class::Class;
use crate::probe::escape::quoted;
use crate::probe::expect::Expectation;
use crate::probe::options::{Options, wants};
use crate::probe::range::Range;
use crate::probe::trace::Trace;

/// The expectations on an answer, decided.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Good statuses, from and to; empty for the usual verdict.
    statuses: Vec<(u16, u16)>,
    body: Vec<Expectation>,
    headers: Vec<(String, Expectation)>,
    /// Places in the JSON body and the values expected there.
    json: Vec<(String, Value)>,
    max_age: Option<Duration>,
    size: Option<Range>,
    /// Asked through a proxy, which may answer for itself.
    through_proxy: bool,
}

impl Verdict {
    pub(super) fn parse(options: &Options) -> Result<Self> {
        let header = |(name, text): (&str, &str)| {
            Ok((name.trim().to_ascii_lowercase(), Expectation::parse(text)?))
        };
        Ok(Self {
            statuses: options
                .list("expect-status")
                .into_iter()
                .map(status)
                .collect::<Result<_>>()?,
            body: options.all("expect-body").map(Expectation::parse).collect::<Result<_>>()?,
            headers: options
                .pairs("expect-header")?
                .into_iter()
                .map(header)
                .collect::<Result<_>>()?,
            json: options.pairs("expect-json")?.into_iter().map(json).collect::<Result<_>>()?,
            max_age: options.duration("max-age")?,
            size: size_range(options)?,
            through_proxy: options.text("proxy").is_some(),
        })
    }

    /// Records every expectation that is not met.
    pub(super) fn judge(&self, trace: &mut Trace<'_>, page: &Page) {
        self.judge_status(trace, page);
        self.judge_headers(trace, page);
        self.judge_body(trace, page);
        self.judge_json(trace, page);
        self.judge_age(trace, page);
        self.judge_size(trace, page);
    }

    fn judge_status(&self, trace: &mut Trace<'_>, page: &Page) {
        let status = page.head.status;
        let came = page.head.line();
        if !self.statuses.is_empty() {
            let good = self.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status));
            if !good {
                trace.fault(Class::Unexpected, format!("status {}", shown(&self.statuses)), came);
            }
            return;
        }
        match status {
            // In the place of the page's own server, which could not mean us.
            407 => return trace.fault(Class::ProxyLogin, "status 2xx or 3xx", came),
            500.. if self.through_proxy && who(page) == "tinyproxy itself" => {
                return trace.fault(Class::ProxyFailed, "status 2xx or 3xx", came);
            }
            500.. => trace.fault(Class::StatusServer, "status 2xx or 3xx", came),
            400.. if asks_for_tls(page) => {
                trace.fault(Class::WrongProtocol, "an answer in plain HTTP", came);
                trace.because("the port speaks TLS, and was asked in clear");
                trace.next("logmill probe http https://{host}:{port}/");
            }
            400.. => trace.fault(Class::StatusClient, "status 2xx or 3xx", came),
            _ => return,
        }
        let who = who(page);
        if status >= 500 && who.ends_with("itself") {
            trace.because(format!("{who} answers: the service behind it does not"));
        }
    }

    fn judge_headers(&self, trace: &mut Trace<'_>, page: &Page) {
        for (name, expectation) in &self.headers {
            let mut values = page.head.all(name).peekable();
            let came = values.peek().map_or("no such header".to_owned(), |value| quoted(value));
            if !values.any(|value| expectation.holds(value)) {
                trace.fault(Class::Unexpected, format!("header {name} with '{expectation}'"), came);
            }
        }
    }

    fn judge_body(&self, trace: &mut Trace<'_>, page: &Page) {
        if let Some(truncated) = &page.body.truncated {
            trace.fault(Class::BodyTruncated, "the whole body", truncated);
        }
        for expectation in self.body.iter().filter(|one| !one.holds(&page.body.bytes)) {
            let cut = if page.body.cut { " (only the begin was looked at)" } else { "" };
            let start = &page.body.bytes[..page.body.bytes.len().min(80)];
            let came = format!("{}{cut}", quoted(start));
            trace.fault(Class::Unexpected, format!("a body with '{expectation}'"), came);
        }
    }

    fn judge_json(&self, trace: &mut Trace<'_>, page: &Page) {
        if self.json.is_empty() {
            return;
        }
        let Ok(read) = serde_json::from_slice::<Value>(&page.body.bytes) else {
            let start = &page.body.bytes[..page.body.bytes.len().min(80)];
            trace.fault(Class::Unexpected, "a body of JSON", quoted(start));
            return;
        };
        for (pointer, wanted) in &self.json {
            let found = read.pointer(pointer);
            if found != Some(wanted) {
                let came =
                    found.map_or("nothing there".to_owned(), |v| quoted(v.to_string().as_bytes()));
                trace.fault(Class::Unexpected, format!("{wanted} at {pointer}"), came);
            }
        }
    }

    fn judge_age(&self, trace: &mut Trace<'_>, page: &Page) {
        let Some(limit) = self.max_age else { return };
        let asked = format!("Last-Modified within {} s", limit.as_secs());
        let modified = page.head.header("last-modified").and_then(|date| http_date(&date));
        let Some(modified) = modified else {
            return trace.fault(Class::Unexpected, asked, "no Last-Modified that can be read");
        };
        let age = trace.run().now.div_euclid(1_000_000).saturating_sub(modified);
        if age > i64::try_from(limit.as_secs()).unwrap_or(i64::MAX) {
            trace.fault(Class::Stale, asked, format!("{age} s old"));
        }
    }

    fn judge_size(&self, trace: &mut Trace<'_>, page: &Page) {
        let size = page.body.bytes.len();
        if let Some(range) = self.size.filter(|range| range.alarms(size as f64)) {
            trace.fault(
                Class::Unexpected,
                format!("a body of {range} bytes"),
                format!("{size} bytes"),
            );
        }
    }
}

/// `200`, or `301-302`.
fn status(text: &str) -> Result<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let read = |text: &str| text.parse().ok().filter(|code| (100..=599).contains(code));
    match (read(from), read(to)) {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        _ => Err(wants("expect-status", text, "statuses such as 200,301-302")),
    }
}

fn shown(statuses: &[(u16, u16)]) -> String {
    let one = |(from, to): &(u16, u16)| match from == to {
        true => from.to_string(),
        false => format!("{from}-{to}"),
    };
    statuses.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A JSON pointer and the value there: JSON if it can be read as such, else text.
fn json((pointer, value): (&str, &str)) -> Result<(String, Value)> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(Error::usage(format!("--expect-json '{pointer}': a path begins with /"))
            .advise("write /status=ok or /items/0/id=7"));
    }
    let read = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((pointer.to_owned(), read))
}

/// The date form of HTTP, in seconds since 1970.
pub(super) fn http_date(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.timestamp())
}

/// The page that nginx and Apache give to plain HTTP on a TLS port.
fn asks_for_tls(page: &Page) -> bool {
    let body = &page.body.bytes;
    let holds = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
    page.head.status == 400
        && (holds("plain HTTP request was sent to HTTPS port")
            || holds("speaking plain HTTP to an SSL-enabled server port"))
}

/// What stands in the pages that HAProxy has built in, from 400 to 504.
const HAPROXY: [&str; 8] = [
    "Your browser sent an invalid request.",
    "You need a valid user and password to access this content.",
    "Request forbidden by administrative rules.",
    "Your browser didn't send a complete request in time.",
    "An internal server error occurred.",
    "The server returned an invalid or incomplete response.",
    "No server is available to handle this request.",
    "The server didn't respond in time.",
];

/// Who gave the answer: the proxy itself, told by the built-in page that goes with its errors, or what is behind it.
pub(super) fn who(page: &Page) -> &'static str {
    let body = &page.body.bytes[..page.body.bytes.len().min(2000)];
    let holds = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
    if page.head.status < 400 {
        return "the page";
    }
    if holds("<hr><center>nginx") {
        return "nginx itself";
    }
    let doctypes = ["-//IETF//DTD HTML 2.0//EN", "-//W3C//DTD HTML 4.01//EN"];
    let apache = page.head.header("server").is_some_and(|server| server.contains("Apache"));
    if holds("<address>Apache") || apache && doctypes.into_iter().any(holds) {
        return "Apache itself";
    }
    if HAPROXY.into_iter().any(holds) {
        return "HAProxy itself";
    }
    if holds("<p>Generated by <a href=\"https://tinyproxy.github.io/\">") || holds("tinyproxy") {
        return "tinyproxy itself";
    }
    "the application, or a page of its own"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_dates() {
        assert_eq!(status("301-302").unwrap(), (301, 302));
        assert!(status("99").is_err() && status("302-301").is_err() && status("ok").is_err());
        assert_eq!(http_date("Mon, 15 Jun 2026 00:00:00 GMT"), Some(1_781_481_600));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn json_values_are_json_or_text() {
        assert_eq!(json(("/a", "7")).unwrap().1, Value::from(7));
        assert_eq!(json(("/a", "up")).unwrap().1, Value::from("up"));
        assert!(json(("a", "7")).is_err());
    }
}
