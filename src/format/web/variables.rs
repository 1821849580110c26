//! What the variables of web servers mean: Nginx's `$name`, Apache's `%x`, and the keys that people give to the members
//! of JSON and LTSV lines.
//!
//! A name that is not here is no error: it becomes a text field of that name.

use super::capture::{Capture, Stamp};
use crate::error::{Error, Result};
use crate::record::{Field, Kind};

const SECONDS: u32 = 6;
const MILLIS: u32 = 3;
const MICROS: u32 = 0;

/// Nginx's variables, by what they mean.
const NGINX: &[(&str, Capture)] = {
    use Capture as C;
    &[
        ("remote_addr realip_remote_addr proxy_protocol_addr", C::Text(Field::CLIENT)),
        ("remote_port", C::Number(Field::CLIENT_PORT)),
        ("remote_user", C::User),
        ("time_local", C::Time(Stamp::Clf)),
        ("time_iso8601", C::Time(Stamp::Iso)),
        ("msec", C::Time(Stamp::Epoch(SECONDS))),
        ("request", C::Request),
        ("request_method", C::Text(Field::METHOD)),
        ("request_uri", C::Target),
        ("uri document_uri", C::Text(Field::PATH)),
        ("args query_string", C::Text(Field::QUERY)),
        ("server_protocol", C::Text(Field::PROTOCOL)),
        ("scheme", C::Text(Field::SCHEME)),
        ("status", C::Status),
        ("body_bytes_sent", C::Size(Field::BODY_BYTES)),
        ("bytes_sent", C::Size(Field::BYTES)),
        ("request_length bytes_received", C::Size(Field::BYTES_IN)),
        ("http_referer", C::Text(Field::REFERER)),
        ("http_user_agent", C::Text(Field::AGENT)),
        ("http_x_forwarded_for proxy_add_x_forwarded_for", C::Text(Field::FORWARDED)),
        ("host http_host", C::Text(Field::HOST)),
        ("server_name", C::Text(Field::SERVER_NAME)),
        ("server_port", C::Number(Field::PORT)),
        ("request_time session_time", C::Duration(Field::DURATION, SECONDS)),
        ("upstream_response_time upstream_session_time", C::UpstreamTimes),
        ("upstream_connect_time", C::Durations(Field::UPSTREAM_CONNECT)),
        ("upstream_header_time upstream_first_byte_time", C::Durations(Field::UPSTREAM_HEADER)),
        ("upstream_addr", C::Upstreams),
        ("upstream_status", C::UpstreamStatuses),
        ("upstream_response_length upstream_bytes_received", C::Sizes(Field::UPSTREAM_BYTES)),
        ("upstream_cache_status", C::Text(Field::CACHE_STATUS)),
        ("proxy_upstream_name proxy_host", C::Text(Field::BACKEND)),
        ("ssl_protocol", C::Text(Field::TLS_VERSION)),
        ("ssl_cipher", C::Text(Field::TLS_CIPHER)),
        ("request_id req_id", C::Text(Field::REQUEST_ID)),
        ("connection", C::Text(Field::CONNECTION)),
        ("connection_requests", C::Number(Field::KEEPALIVE)),
        ("sent_http_content_type content_type", C::Text(Field::MIME)),
        ("request_filename", C::Text(Field::FILE)),
        ("pid", C::Number(Field::PID)),
    ]
};

/// Keys that people choose for the members of JSON and LTSV lines, beside Nginx's names: the labels of ltsv.org and the
/// usual words. They go before Nginx's, since a key is not always the variable of that name.
const KEYS: &[(&str, Capture)] = {
    use Capture as C;
    &[
        (
            "client client_ip clientip ip remote_ip remoteip remote_host remote addr clienthost",
            C::Text(Field::CLIENT),
        ),
        (
            "timestamp time date ts datetime time_local time_iso8601 msec start_time startutc edgestarttimestamp",
            C::Time(Stamp::Any),
        ),
        ("req request_line requestline", C::Request),
        ("method verb requestmethod clientrequestmethod", C::Text(Field::METHOD)),
        ("path url uri target request_path requestpath requesturl clientrequesturi", C::Target),
        ("query request_query", C::Text(Field::QUERY)),
        (
            "protocol proto request_proto requestprotocol clientrequestprotocol",
            C::Text(Field::PROTOCOL),
        ),
        ("status_code code response response_code downstreamstatus edgeresponsestatus", C::Status),
        (
            "size bytes body_bytes response_size responsesize bytes_out downstreamcontentsize edgeresponsebytes",
            C::Size(Field::BYTES),
        ),
        (
            "reqsize bytes_in bytes_read bytes_received request_size requestsize requestcontentsize",
            C::Size(Field::BYTES_IN),
        ),
        (
            "referer referrer http_referrer request_referer clientrequestreferer",
            C::Text(Field::REFERER),
        ),
        (
            "ua agent user_agent useragent request_user_agent clientrequestuseragent",
            C::Text(Field::AGENT),
        ),
        ("user username clientusername", C::User),
        ("vhost server_host authority requesthost clientrequesthost", C::Text(Field::HOST)),
        ("forwardedfor x_forwarded_for xff request_x_forwarded_for", C::Text(Field::FORWARDED)),
        ("reqtime duration request_duration response_time", C::Duration(Field::DURATION, SECONDS)),
        ("request_time_ms duration_ms", C::Duration(Field::DURATION, MILLIS)),
        ("reqtime_microsec duration_us", C::Duration(Field::DURATION, MICROS)),
        ("apptime upstream_time", C::UpstreamTimes),
        ("cache cachecachestatus", C::Text(Field::CACHE_STATUS)),
        ("upstream upstream_host serviceaddr backendaddr", C::Upstreams),
        ("originstatus", C::UpstreamStatuses),
        ("clientport", C::Number(Field::CLIENT_PORT)),
        ("requestscheme", C::Text(Field::SCHEME)),
        // Envoy's, in its own unit.
        ("upstream_service_time", C::Duration(Field::UPSTREAM_DURATION, MILLIS)),
    ]
};

/// What a table has under a name.
fn look_up(table: &[(&str, Capture)], name: &str) -> Option<Capture> {
    let is_in = |names: &str| {
        names.as_bytes().split(|byte| *byte == b' ').any(|known| known == name.as_bytes())
    };
    let found = table.iter().find(|(names, _)| is_in(names));
    found.map(|(_, capture)| capture.clone())
}

/// The capture of an Nginx variable, named without its dollar sign.
pub(crate) fn nginx(name: &str) -> Result<Capture> {
    look_up(NGINX, name).map_or_else(|| custom(name), Ok)
}

/// What a variable is called where another one of its definition has its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spare {
    name: String,
    kind: Kind,
}

impl Spare {
    pub(crate) fn capture(self) -> Result<Capture> {
        let field = Field::custom(&self.name, self.kind)?;
        Ok(match field.kind() {
            Kind::Number => Capture::Number(field),
            Kind::Bytes => Capture::Sizes(field),
            _ => Capture::Text(field),
        })
    }
}

/// An Nginx variable is called what it is. What the request line says anyhow needs no second name.
pub(crate) fn nginx_spare(name: &str) -> Result<Option<Spare>> {
    use Capture as C;
    let said = [Field::METHOD, Field::PROTOCOL, Field::QUERY];
    let kind = match nginx(name)? {
        C::Text(field) if said.contains(&field) || field.name() == name => return Ok(None),
        C::Text(_) => Kind::Text,
        C::Number(_) => Kind::Number,
        C::Sizes(_) => Kind::Bytes,
        _ => return Ok(None),
    };
    Ok(Some(Spare { name: name.to_owned(), kind }))
}

/// The second name of an Apache directive, if it needs one.
pub(crate) fn apache_spare(argument: &str, letter: &str) -> Option<Spare> {
    let name = match (letter, argument) {
        ("a", "") => "client_address",
        ("h", "") => "client_name",
        ("v" | "V", _) => "server_name",
        ("U", _) => "url_path",
        ("p", argument) if argument != "remote" => "local_port",
        _ => return None,
    };
    let kind = if letter == "p" { Kind::Number } else { Kind::Text };
    Some(Spare { name: name.to_owned(), kind })
}

/// Apache's status before an internal redirect.
pub(crate) fn status_before() -> Result<Capture> {
    Ok(Capture::Number(Field::custom("status_before", Kind::Number)?))
}

/// What a name means that nobody here knows: a field of that name.
pub(crate) fn custom(name: &str) -> Result<Capture> {
    use Capture as C;
    let Some(known) = Field::named(name) else {
        return Ok(C::Text(Field::custom(name, Kind::Text)?));
    };
    Ok(match known.kind() {
        // These are ours to fill.
        Kind::Label => C::Text(Field::custom(&format!("{name}_logged"), Kind::Text)?),
        _ if [Field::SOURCE_FILE, Field::OFFSET, Field::RAW].contains(&known) => {
            C::Text(Field::custom(&format!("{name}_logged"), Kind::Text)?)
        }
        Kind::Text => C::Text(known),
        Kind::Number => C::Number(known),
        Kind::Bytes => C::Size(known),
        Kind::Duration => C::Duration(known, SECONDS),
        Kind::Instant => C::Time(Stamp::Any),
    })
}

/// The capture of an Apache directive: `letter` with what stands in braces before it.
pub(crate) fn apache(argument: &str, letter: &str) -> Result<Capture> {
    use Capture as C;
    Ok(match (letter, argument) {
        ("h" | "a", "") => C::Text(Field::CLIENT),
        ("a" | "h", "c") => custom("peer")?,
        ("A", _) => C::Text(Field::LOCAL_ADDRESS),
        ("l", _) => C::Text(Field::IDENT),
        ("u", _) => C::User,
        ("r", _) => C::Request,
        ("s", _) => C::Status,
        ("b" | "B", _) => C::Size(Field::BODY_BYTES),
        ("O", _) => C::Size(Field::BYTES),
        ("I", _) => C::Size(Field::BYTES_IN),
        ("S", _) => C::Size(Field::custom("bytes_both", Kind::Bytes)?),
        ("D", _) | ("T", "us") => C::Duration(Field::DURATION, MICROS),
        ("T", "ms") => C::Duration(Field::DURATION, MILLIS),
        ("T", _) => C::Duration(Field::DURATION, SECONDS),
        ("^FB", _) => C::Duration(Field::TIME_TO_FIRST_BYTE, MICROS),
        ("X", _) => C::ConnectionState,
        ("f", _) => C::Text(Field::FILE),
        ("U", _) => C::Text(Field::PATH),
        ("q", _) => C::Question,
        ("m", _) => C::Text(Field::METHOD),
        ("H", _) => C::Text(Field::PROTOCOL),
        ("v" | "V", _) => C::Text(Field::HOST),
        ("p", "remote") => C::Number(Field::CLIENT_PORT),
        ("p", _) => C::Number(Field::PORT),
        ("P", "tid" | "hextid") => C::Text(Field::TID),
        ("P", _) => C::Number(Field::PID),
        ("k", _) => C::Number(Field::KEEPALIVE),
        ("R", _) => C::Text(Field::HANDLER),
        ("L", "c") => C::Text(Field::CONNECTION),
        ("L", _) => C::Text(Field::REQUEST_ID),
        ("t", format) => C::Time(apache_stamp(format)),
        ("i", header) => header_in(header)?,
        ("o", header) if header.eq_ignore_ascii_case("content-type") => C::Text(Field::MIME),
        ("o", header) => custom(&format!("sent_http_{}", plain(header)))?,
        ("C", cookie) => custom(&format!("cookie_{}", plain(cookie)))?,
        ("x" | "c", "SSL_PROTOCOL" | "version") => C::Text(Field::TLS_VERSION),
        ("x" | "c", "SSL_CIPHER" | "cipher") => C::Text(Field::TLS_CIPHER),
        ("e" | "n" | "x" | "c", name) => custom(&plain(name))?,
        ("^ti" | "^to", name) => custom(&format!("trailer_{}", plain(name)))?,
        _ => return Err(Error::usage(format!("'%{letter}' is no directive of LogFormat"))),
    })
}

fn header_in(header: &str) -> Result<Capture> {
    match header.to_ascii_lowercase().as_str() {
        "referer" => Ok(Capture::Text(Field::REFERER)),
        "user-agent" => Ok(Capture::Text(Field::AGENT)),
        "x-forwarded-for" => Ok(Capture::Text(Field::FORWARDED)),
        "host" => custom("http_host"),
        other => custom(&format!("http_{}", plain(other))),
    }
}

/// The stamp of `%{format}t`. The brackets of a plain `%t` are text of the definition.
fn apache_stamp(format: &str) -> Stamp {
    let format = format.strip_prefix("begin:").or(format.strip_prefix("end:")).unwrap_or(format);
    match format {
        "" => Stamp::Clf,
        "sec" => Stamp::Epoch(SECONDS),
        "msec" => Stamp::Epoch(MILLIS),
        "usec" => Stamp::Epoch(MICROS),
        "msec_frac" => Stamp::Strftime("%3f".to_owned()),
        "usec_frac" => Stamp::Strftime("%6f".to_owned()),
        other => Stamp::Strftime(other.to_owned()),
    }
}

/// A header, cookie or note name as a field name.
fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// The capture of a key of a JSON or LTSV line, if its name says what it is.
pub(crate) fn key(name: &str) -> Option<Capture> {
    let name = plain(name.trim_start_matches('@'));
    look_up(KEYS, &name).or_else(|| look_up(NGINX, &name))
}

/// The capture of a key that is one of these names in another spelling: `upstreamAddr`, `bodyBytesSent`. What such a key
/// counts durations in is Nginx's unit where they have fractions, and may be anything otherwise.
pub(crate) fn run_together(name: &str, values: &[Vec<u8>]) -> Option<Capture> {
    let name = name.to_ascii_lowercase();
    let known = keys().find(|known| {
        known.contains('_') && known.bytes().filter(|byte| *byte != b'_').eq(name.bytes())
    });
    let have_fractions = || values.iter().any(|value| value.contains(&b'.'));
    known.and_then(key).filter(|capture| {
        use Capture as C;
        !matches!(capture, C::Duration(..) | C::Durations(_) | C::UpstreamTimes) || have_fractions()
    })
}

/// Whose unit it is in which a log counts durations whose keys do not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nobody's that is known.
    Unknown,
    /// Milliseconds.
    Envoys,
    /// Nanoseconds.
    Traefiks,
}

/// The capture of a duration whose key does not say its unit, by the log's other keys and by its look. Whole numbers may be
/// anything: they get a field of their own.
pub(crate) fn of_no_unit(name: &str, unit: Unit, values: &[Vec<u8>]) -> Option<Result<Capture>> {
    let name = plain(name);
    match (unit, name.as_str()) {
        (Unit::Traefiks, "duration") => return Some(Ok(Capture::Nanos(Field::DURATION))),
        (Unit::Traefiks, "originduration") => {
            return Some(Ok(Capture::Nanos(Field::UPSTREAM_DURATION)));
        }
        _ => {}
    }
    if !["duration", "request_duration", "response_time"].contains(&name.as_str()) {
        return None;
    }
    if unit == Unit::Envoys {
        return Some(Ok(Capture::Duration(Field::DURATION, MILLIS)));
    }
    let is_whole = |value: &Vec<u8>| value.iter().all(u8::is_ascii_digit);
    let are_whole = !values.is_empty() && values.iter().all(is_whole);
    let own = || Field::custom(&format!("{name}_logged"), Kind::Number).map(Capture::Number);
    are_whole.then(own)
}

/// The capture of an LTSV label: as [`key`], except that ltsv.org calls the client `host`.
pub(crate) fn label(name: &str) -> Option<Capture> {
    if name == "host" { Some(Capture::Text(Field::CLIENT)) } else { key(name) }
}

/// All keys that [`key`] knows.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().chain(NGINX).flat_map(|(names, _)| names.split(' '))
}
