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

/// The capture of an Nginx variable, named without its dollar sign.
pub(crate) fn nginx(name: &str) -> Result<Capture> {
    use Capture as C;
    Ok(match name {
        "remote_addr" | "realip_remote_addr" | "proxy_protocol_addr" => C::Text(Field::CLIENT),
        "remote_port" => C::Number(Field::CLIENT_PORT),
        "remote_user" => C::Text(Field::USER),
        "time_local" => C::Time(Stamp::Clf),
        "time_iso8601" => C::Time(Stamp::Iso),
        "msec" => C::Time(Stamp::Epoch(SECONDS)),
        "request" => C::Request,
        "request_method" => C::Text(Field::METHOD),
        "request_uri" => C::Target,
        "uri" | "document_uri" => C::Text(Field::PATH),
        "args" | "query_string" => C::Text(Field::QUERY),
        "server_protocol" => C::Text(Field::PROTOCOL),
        "scheme" => C::Text(Field::SCHEME),
        "status" => C::Status,
        "body_bytes_sent" | "bytes_sent" => C::Size(Field::BYTES),
        "request_length" => C::Size(Field::BYTES_IN),
        "http_referer" => C::Text(Field::REFERER),
        "http_user_agent" => C::Text(Field::AGENT),
        "http_x_forwarded_for" | "proxy_add_x_forwarded_for" => C::Text(Field::FORWARDED),
        "host" | "http_host" => C::Text(Field::HOST),
        "server_name" => C::Text(Field::SERVER_NAME),
        "server_port" => C::Number(Field::PORT),
        "request_time" => C::Duration(Field::DURATION, SECONDS),
        "upstream_response_time" => C::Durations(Field::UPSTREAM_DURATION),
        "upstream_connect_time" => C::Durations(Field::UPSTREAM_CONNECT),
        "upstream_header_time" => C::Durations(Field::UPSTREAM_HEADER),
        "upstream_addr" => C::Upstreams,
        "upstream_status" => C::UpstreamStatuses,
        "upstream_response_length" | "upstream_bytes_received" => C::Sizes(Field::UPSTREAM_BYTES),
        "upstream_cache_status" => C::Text(Field::CACHE_STATUS),
        "proxy_upstream_name" | "proxy_host" => C::Text(Field::BACKEND),
        "ssl_protocol" => C::Text(Field::TLS_VERSION),
        "ssl_cipher" => C::Text(Field::TLS_CIPHER),
        "request_id" | "req_id" => C::Text(Field::REQUEST_ID),
        "connection" => C::Text(Field::CONNECTION),
        "connection_requests" => C::Number(Field::KEEPALIVE),
        "sent_http_content_type" | "content_type" => C::Text(Field::MIME),
        "request_filename" => C::Text(Field::FILE),
        "pid" => C::Number(Field::PID),
        other => C::Text(Field::custom(other, Kind::Text)?),
    })
}

/// The capture of an Apache directive: `letter` with what stands in braces before it.
pub(crate) fn apache(argument: &str, letter: &str) -> Result<Capture> {
    use Capture as C;
    Ok(match (letter, argument) {
        ("h" | "a", "") => C::Text(Field::CLIENT),
        ("a", "c") => named("peer")?,
        ("l", _) => C::Text(Field::IDENT),
        ("u", _) => C::Text(Field::USER),
        ("r", _) => C::Request,
        ("s", _) => C::Status,
        ("b" | "B" | "O", _) => C::Size(Field::BYTES),
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
        ("t", format) => C::Time(apache_stamp(format)?),
        ("i", header) => header_in(header)?,
        ("o", header) if header.eq_ignore_ascii_case("content-type") => C::Text(Field::MIME),
        ("o", header) => named(&format!("sent_http_{}", plain(header)))?,
        ("C", cookie) => named(&format!("cookie_{}", plain(cookie)))?,
        ("x" | "c", "SSL_PROTOCOL" | "version") => C::Text(Field::TLS_VERSION),
        ("x" | "c", "SSL_CIPHER" | "cipher") => C::Text(Field::TLS_CIPHER),
        ("e" | "n" | "x" | "c", name) => named(&plain(name))?,
        ("^ti" | "^to", name) => named(&format!("trailer_{}", plain(name)))?,
        _ => return Err(Error::usage(format!("'%{letter}' is no directive of LogFormat"))),
    })
}

fn header_in(header: &str) -> Result<Capture> {
    match header.to_ascii_lowercase().as_str() {
        "referer" => Ok(Capture::Text(Field::REFERER)),
        "user-agent" => Ok(Capture::Text(Field::AGENT)),
        "x-forwarded-for" => Ok(Capture::Text(Field::FORWARDED)),
        "host" => named("http_host"),
        other => named(&format!("http_{}", plain(other))),
    }
}

/// The stamp of `%{format}t`. The brackets of a plain `%t` are text of the definition.
fn apache_stamp(format: &str) -> Result<Stamp> {
    let format = format.strip_prefix("begin:").or(format.strip_prefix("end:")).unwrap_or(format);
    Ok(match format {
        "" => Stamp::Clf,
        "sec" => Stamp::Epoch(SECONDS),
        "msec" => Stamp::Epoch(MILLIS),
        "usec" => Stamp::Epoch(MICROS),
        "msec_frac" | "usec_frac" => {
            return Err(Error::usage(format!("'%{{{format}}}t' is no time without its seconds")));
        }
        "%d/%b/%Y:%H:%M:%S %z" => Stamp::Clf,
        "%Y-%m-%dT%H:%M:%S%z" | "%Y-%m-%d %H:%M:%S" | "%FT%T%z" | "%F %T" => Stamp::Iso,
        other => Stamp::Strftime(other.to_owned()),
    })
}

/// A header, cookie or note name as a field name.
fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn named(name: &str) -> Result<Capture> {
    Ok(Capture::Text(Field::custom(name, Kind::Text)?))
}

/// The capture of a key of a JSON or LTSV line. People choose keys themselves: Nginx's variable names, the labels of
/// ltsv.org, and the usual words are known.
#[allow(dead_code)]
pub(crate) fn key(name: &str) -> Result<Capture> {
    use Capture as C;
    let lower = plain(name.trim_start_matches('@'));
    Ok(match lower.as_str() {
        "client" | "client_ip" | "clientip" | "ip" | "remote_ip" | "remote_host" | "remote"
        | "addr" => C::Text(Field::CLIENT),
        "timestamp" | "time" | "date" | "ts" | "datetime" => C::Time(Stamp::Iso),
        "req" | "request_line" => C::Request,
        "method" | "verb" => C::Text(Field::METHOD),
        "path" | "url" | "target" | "request_path" => C::Target,
        "query" => C::Text(Field::QUERY),
        "protocol" | "proto" => C::Text(Field::PROTOCOL),
        "status_code" | "code" | "response" => C::Status,
        "size" | "bytes" | "body_bytes" | "response_size" | "bytes_out" => C::Size(Field::BYTES),
        "reqsize" | "bytes_in" | "request_size" => C::Size(Field::BYTES_IN),
        "referer" | "referrer" | "http_referrer" => C::Text(Field::REFERER),
        "ua" | "agent" | "user_agent" | "useragent" => C::Text(Field::AGENT),
        "user" | "username" => C::Text(Field::USER),
        "vhost" | "server_host" => C::Text(Field::HOST),
        "forwardedfor" | "x_forwarded_for" | "xff" => C::Text(Field::FORWARDED),
        "reqtime" | "duration" | "request_duration" | "response_time" => {
            C::Duration(Field::DURATION, SECONDS)
        }
        "reqtime_microsec" => C::Duration(Field::DURATION, MICROS),
        "apptime" | "upstream_time" => C::Durations(Field::UPSTREAM_DURATION),
        "cache" => C::Text(Field::CACHE_STATUS),
        "upstream" => C::Upstreams,
        known => nginx(known)?,
    })
}
