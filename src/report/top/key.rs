//! What `top` counts by: a field, or a view of one that puts several values into one.
//!
//! ```text
//! client          every value apart
//! client/24       IPv4 by its first 24 bits, IPv6 by its first 64, which is what one customer is given
//! client/48       more than 32 bits are IPv6's: IPv4 apart, IPv6 by its first 48
//! client/16/48    both
//! path/2          the first two segments of a path or of a URL's path
//! name/2          a DNS name by its last two labels
//! referer.host    the host of a URL
//! request_captures.2  the second header that a proxy captured
//! time/hour       minute, hour, day, or any duration that divides a day: time/10m
//! bytes/1MiB      numbers, sizes and durations by steps of that width
//! ```
//!
//! A view of a text is worked out when the counting is over, once for each different text. What the user set for all
//! reports holds here too: paths folded to `:id`, hours and days in the zone.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::document::Cell;
use crate::error::{Error, Result};
use crate::names;
use crate::record::address::{self, Prefix};
use crate::record::number::floor;
use crate::record::time::{DAY, SECOND};
use crate::record::{Field, Fields, Kind, dname};
use crate::report::{Options, paths, referers::site};
use crate::units::{parse_bytes, parse_count, parse_duration};

/// A field and how its values are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The field.
    pub field: Field,
    /// What is made of its values.
    pub view: View,
    /// As the user typed it.
    name: String,
}

/// What is made of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// They stay as they are.
    Whole,
    /// Addresses by so many leading bits.
    Prefix {
        /// Of IPv4 addresses.
        v4: u8,
        /// Of IPv6 addresses.
        v6: u8,
    },
    /// Paths by so many leading segments.
    Segments(usize),
    /// DNS names by so many labels at their end.
    Labels(usize),
    /// URLs by their host.
    Host,
    /// Captured headers by their number, from 1.
    Capture(usize),
    /// Numbers and instants by the beginning of the step of this width that they are in; in the unit of the field.
    Step(i64),
}

/// One value of a key, ready to be compared: absent before numbers before texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value<'a> {
    Absent,
    Number(i64),
    Text(Cow<'a, [u8]>),
}

/// All zones are a multiple of this from Greenwich, so that what was counted by it can be put into days of any zone.
const QUARTER: i64 = 15 * 60 * SECOND;

impl Key {
    /// Every value of a field apart.
    pub fn whole(field: Field) -> Self {
        Self { field, view: View::Whole, name: field.name().to_owned() }
    }

    /// Reads a key over the fields that the logs at hand supply.
    ///
    /// # Errors
    /// A usage error that says what was probably meant.
    pub fn parse(text: &str, supplied: Fields) -> Result<Self> {
        let name = text.trim();
        // A field of the user's own may have such signs in its name.
        if let Some(field) = Field::named(name).filter(|field| supplied.has(*field)) {
            let field = without_case(field, supplied);
            return Ok(Self { field, view: View::Whole, name: name.to_owned() });
        }
        if let Some((field, number)) = capture(name).filter(|(field, _)| supplied.has(*field)) {
            return Ok(Self { field, view: View::Capture(number), name: name.to_owned() });
        }
        let (field, view) = match (name.split_once('/'), name.strip_suffix(".host")) {
            (Some((field, view)), _) => (names::field(field, supplied)?, Some(view)),
            (None, Some(field)) => (names::field(field, supplied)?, None),
            (None, None) => (names::field(name, supplied)?, None),
        };
        if !supplied.has(field) {
            return Err(Error::usage(format!("'{field}' differs in every record")));
        }
        let view = match view {
            Some(view) => step(field, view).ok_or_else(|| wrong_view(field, view))?,
            None if field.kind() == Kind::Text => View::Host,
            None => return Err(wrong_view(field, "host")),
        };
        Ok(Self { field: without_case(field, supplied), view, name: name.to_owned() })
    }

    /// As the user typed it; the name of its column.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The width in which numbers may be counted without losing what the view tells apart; 1 when all of them are
    /// apart.
    pub(super) fn resolution(&self) -> i64 {
        match (self.view, self.field.kind()) {
            (View::Step(width), Kind::Instant) => common_divisor(width, QUARTER),
            (View::Step(width), _) => width,
            _ => 1,
        }
    }

    /// True when different values may become one after they were counted by [`resolution`](Self::resolution).
    pub(super) fn joins(&self, options: &Options) -> bool {
        match self.view {
            View::Whole => self.folds(options),
            View::Step(width) => width != self.resolution(),
            View::Prefix { .. }
            | View::Segments(_)
            | View::Labels(_)
            | View::Host
            | View::Capture(_) => true,
        }
    }

    /// True when identifiers in its values are to be folded away.
    fn folds(&self, options: &Options) -> bool {
        options.group_paths && [Field::PATH, Field::TARGET].contains(&self.field)
    }

    pub(super) fn of_text<'a>(&self, text: &'a [u8], options: &Options) -> Value<'a> {
        if let View::Capture(number) = self.view {
            let mut captures = text.split(|byte| *byte == b'|');
            let capture = captures.nth(number - 1).filter(|capture| !capture.is_empty());
            return capture.map_or(Value::Absent, |capture| Value::Text(Cow::Borrowed(capture)));
        }
        Value::Text(match self.view {
            View::Whole if self.folds(options) => Cow::Owned(paths::fold(text)),
            View::Prefix { v4, v6 } => prefix(text, v4, v6),
            View::Segments(count) => Cow::Borrowed(segments(text, count)),
            View::Labels(count) => Cow::Borrowed(dname::last_labels(text, count)),
            View::Host => host(text),
            View::Whole | View::Step(_) | View::Capture(_) => Cow::Borrowed(text),
        })
    }

    pub(super) fn of_number(&self, number: i64, options: &Options) -> Value<'static> {
        Value::Number(match (self.view, self.field.kind()) {
            (View::Step(width), Kind::Instant) => options.zone.step_start(number, width),
            (View::Step(width), _) => floor(number, width),
            _ => number,
        })
    }

    /// What is shown for a value.
    pub(super) fn cell(&self, value: &Value<'_>) -> Cell {
        match (value, self.field.kind()) {
            (Value::Absent, _) => Cell::Empty,
            (Value::Text(text), _) => Cell::text(text),
            (Value::Number(number), Kind::Bytes) => Cell::Bytes(number.unsigned_abs()),
            (Value::Number(number), Kind::Duration) => Cell::Duration(*number),
            (Value::Number(number), Kind::Instant) => Cell::Instant(*number),
            (Value::Number(number), _) => Cell::Number(*number),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// What stands after the slash, for the kind of the field.
fn step(field: Field, text: &str) -> Option<View> {
    let width = match field.kind() {
        Kind::Text if is_path(field) => {
            return text.parse().ok().filter(|count| *count > 0).map(View::Segments);
        }
        Kind::Text if is_name(field) => {
            return text.parse().ok().filter(|count| *count > 0).map(View::Labels);
        }
        Kind::Text => return prefix_view(text),
        Kind::Label => return None,
        Kind::Number => i64::try_from(parse_count(text).ok()?).ok()?,
        Kind::Bytes => i64::try_from(parse_bytes(text).ok()?).ok()?,
        Kind::Duration => parse_duration(text).ok()?,
        Kind::Instant => time_step(text)?,
    };
    (width > 0).then_some(View::Step(width))
}

/// The field and the number of `request_captures.2`.
fn capture(name: &str) -> Option<(Field, usize)> {
    let (field, number) = name.rsplit_once('.')?;
    let fields = [Field::REQUEST_CAPTURES, Field::RESPONSE_CAPTURES];
    let field = fields.into_iter().find(|known| known.name() == field)?;
    Some((field, number.parse().ok().filter(|number| *number > 0)?))
}

fn is_path(field: Field) -> bool {
    [Field::PATH, Field::TARGET, Field::REFERER, Field::FILE].contains(&field)
}

fn is_name(field: Field) -> bool {
    [Field::QNAME, Field::NAME, Field::DOMAIN, Field::ZONE].contains(&field)
}

/// DNS names are told apart without case: resolvers ask in mixed case.
fn without_case(field: Field, supplied: Fields) -> Field {
    let is_folded = field == Field::QNAME && supplied.has(Field::NAME);
    if is_folded { Field::NAME } else { field }
}

fn prefix_view(text: &str) -> Option<View> {
    let (v4, v6) = match text.split_once('/') {
        Some((v4, v6)) => (v4.parse().ok()?, v6.parse().ok()?),
        None => match text.parse().ok()? {
            v4 @ 0..=32 => (v4, 64),
            v6 => (32, v6),
        },
    };
    (v4 <= 32 && v6 <= 128).then_some(View::Prefix { v4, v6 })
}

fn time_step(text: &str) -> Option<i64> {
    let width = match text {
        "second" => SECOND,
        "minute" => 60 * SECOND,
        "hour" => 3600 * SECOND,
        "day" => DAY,
        other => parse_duration(other).ok()?,
    };
    (width > 0 && DAY % width == 0).then_some(width)
}

#[cold]
fn wrong_view(field: Field, view: &str) -> Error {
    let advice = match field.kind() {
        Kind::Text if is_path(field) => format!("'{field}/2' takes the first two segments"),
        Kind::Text if is_name(field) => format!("'{field}/2' takes the last two labels"),
        Kind::Text => format!(
            "'{field}/24' takes networks (0 to 32 bits, IPv6 to 128), '{field}.host' the host of a URL"
        ),
        Kind::Label => format!("'{field}' has few values: take it as it is"),
        Kind::Instant => format!(
            "'{field}/minute', '{field}/hour', '{field}/day' or a duration that divides a day: '{field}/10m'"
        ),
        Kind::Number => format!("'{field}/100' takes steps of a hundred"),
        Kind::Bytes => format!("'{field}/10KiB' takes steps of that width"),
        Kind::Duration => format!("'{field}/100ms' takes steps of that width"),
    };
    Error::usage(format!("'{}' cannot be made of '{field}'", view.escape_debug())).advise(advice)
}

/// An address as its network; what is no address stays as it is.
fn prefix(text: &[u8], v4: u8, v6: u8) -> Cow<'_, [u8]> {
    let (address, bits) = match address::parse(text) {
        Some(IpAddr::V4(_)) if v4 == 32 => return Cow::Borrowed(text),
        Some(address @ IpAddr::V4(_)) => (address, v4),
        Some(address @ IpAddr::V6(_)) => (address, v6),
        None => return Cow::Borrowed(text),
    };
    match Prefix::new(address, bits) {
        Some(prefix) => Cow::Owned(prefix.to_string().into_bytes()),
        None => Cow::Borrowed(text),
    }
}

/// What stands before the scheme's slashes and after: `https://`, then the rest.
fn split_scheme(url: &[u8]) -> Option<(usize, &[u8])> {
    let at = memchr::memmem::find(url, b"://")?;
    let is_scheme =
        url[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    (is_scheme && at > 0).then(|| (at + 3, &url[at + 3..]))
}

/// The path up to the slash that ends the segment of that number; never with the query.
fn segments(text: &[u8], count: usize) -> &[u8] {
    let (before, rest) = split_scheme(text).unwrap_or((0, text));
    let path = match memchr::memchr2(b'?', b'#', rest) {
        Some(query) => &rest[..query],
        None => rest,
    };
    let start = usize::from(path.first() == Some(&b'/'));
    // The host of a URL is not one of its segments.
    let wanted = (count - 1).saturating_add(usize::from(before > 0));
    let end = memchr::memchr_iter(b'/', &path[start..]).nth(wanted);
    &text[..before + end.map_or(path.len(), |end| start + end)]
}

/// The host of a URL in lower case, without user and port; what is no URL stays as it is.
fn host(text: &[u8]) -> Cow<'_, [u8]> {
    match site(text) {
        Some(host) if host.iter().any(u8::is_ascii_uppercase) => {
            Cow::Owned(host.to_ascii_lowercase())
        }
        Some(host) => Cow::Borrowed(host),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Key> {
        let fields = [
            Field::CLIENT,
            Field::PATH,
            Field::REFERER,
            Field::TIME,
            Field::STATUS,
            Field::CLASS,
            Field::BYTES,
            Field::REQUEST_CAPTURES,
            Field::QNAME,
            Field::NAME,
        ];
        Key::parse(text, Fields::of(&fields))
    }

    fn check(name: &str, cases: &[(&str, &str)]) {
        let key = key(name).unwrap();
        for (text, expected) in cases {
            let value = Value::Text(Cow::Borrowed(expected.as_bytes()));
            let found = key.of_text(text.as_bytes(), &Options::default());
            assert_eq!(found, value, "{name} of {text}");
        }
    }

    #[test]
    fn addresses() {
        let cases =
            [("192.0.2.7", "192.0.2.0/24"), ("2001:db8::7", "2001:db8::/64"), ("unix:", "unix:")];
        check("client/24", &cases);
        check("client/48", &[("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::/48")]);
        check("client/8/32", &[("10.1.1.1", "10.0.0.0/8"), ("2001:db8::7", "2001:db8::/32")]);
    }

    #[test]
    fn paths() {
        let cases = [
            ("/a/b/c", "/a/b"),
            ("/a", "/a"),
            ("/a/b?x=/c/d", "/a/b"),
            ("*", "*"),
            ("", ""),
            ("/", "/"),
        ];
        check("path/2", &cases);
        check(
            "referer/1",
            &[("https://e.org/a/b", "https://e.org/a"), ("https://e.org", "https://e.org")],
        );
    }

    #[test]
    fn names_by_their_labels_and_without_case() {
        check("name/2", &[("www.example.org", "example.org"), ("org", "org"), (".", ".")]);
        let qname = key("qname").unwrap();
        assert_eq!((qname.field, qname.name()), (Field::NAME, "qname"));
        assert_eq!(key("qname/3").unwrap().field, Field::NAME);
    }

    #[test]
    fn paths_with_identifiers() {
        let options = Options { group_paths: true, ..Options::default() };
        let path = key("path").unwrap();
        assert!(path.joins(&options) && !path.joins(&Options::default()));
        let folded = Value::Text(Cow::Borrowed(b"/users/:id"));
        assert_eq!(path.of_text(b"/users/4711", &options), folded);
    }

    #[test]
    fn hosts() {
        check(
            "referer.host",
            &[
                ("https://Example.ORG:8080/x?y://z", "example.org"),
                ("http://user:pass@e.org", "e.org"),
                ("http://[2001:db8::1]:80/", "[2001:db8::1]"),
                ("e.org/x", "e.org/x"),
                ("://", "://"),
                ("http://", "http://"),
            ],
        );
    }

    #[test]
    fn captured_headers() {
        check("request_captures.1", &[("shop.example|x y", "shop.example"), ("a", "a")]);
        check("request_captures.2", &[("a|b|c", "b"), ("a|b", "b")]);
        let second = key("request_captures.2").unwrap();
        for text in ["a", "a|", ""] {
            assert_eq!(second.of_text(text.as_bytes(), &Options::default()), Value::Absent);
        }
        assert!(second.joins(&Options::default()));
    }

    #[test]
    fn steps() {
        let zone = |tz| Options { zone: crate::record::Zone::new(tz), ..Options::default() };
        let (utc, berlin) = (zone(chrono_tz::UTC), zone(chrono_tz::Europe::Berlin));
        let day = key("time/day").unwrap();
        assert_eq!(day.resolution(), QUARTER);
        assert_eq!(day.of_number(DAY + 1, &utc), Value::Number(DAY));
        // In Berlin's winter the day begins an hour earlier.
        assert_eq!(day.of_number(DAY - 1, &berlin), Value::Number(DAY - 3600 * SECOND));
        assert_eq!(key("time/10m").unwrap().resolution(), 300 * SECOND);
        assert_eq!(key("status/100").unwrap().of_number(-1, &berlin), Value::Number(-100));
        assert_eq!(key("bytes/1MiB").unwrap().resolution(), 1 << 20);
    }

    #[test]
    fn wrong_ones_get_a_way_out() {
        for (text, advice) in [
            ("clinet/24", "did you mean 'client'?"),
            ("client/129", "'client/24' takes networks"),
            ("client/24/129", "'client/24' takes networks"),
            ("path/0", "'path/2' takes"),
            ("time/7m", "'time/minute', "),
            ("time/0s", "'time/minute', "),
            ("status/0", "'status/100' takes"),
            ("status.host", "'status/100' takes"),
            ("class/2", "'class' has few values"),
        ] {
            let error = key(text).unwrap_err();
            assert!(error.advice().unwrap().starts_with(advice), "{text}: {error:?}");
        }
        assert_eq!(key("raw").unwrap_err().to_string(), "'raw' differs in every record");
    }
}
