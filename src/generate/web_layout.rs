//! How a request to a web site is written down, one function a format.

use chrono::{DateTime, Utc};

use super::ink::{self, Stamps, number, seconds};
use super::site::POOLS;
use super::traffic::{Hit, Request, Upstream};

/// A format's way of writing.
#[derive(Debug)]
pub(super) struct Layout {
    /// How the stamp is spelt.
    pub(super) stamp: fn(&DateTime<Utc>, &mut Vec<u8>),
    /// The stamp tells when the request started (Apache), not when it ended (nginx).
    pub(super) starts: bool,
    /// Appends the line with its newline.
    pub(super) write: fn(&Hit<'_>, i64, &mut Stamps, &mut Vec<u8>),
}

const fn nginx(write: fn(&Hit<'_>, i64, &mut Stamps, &mut Vec<u8>)) -> Layout {
    Layout { stamp: ink::clf, starts: false, write }
}

const fn apache(write: fn(&Hit<'_>, i64, &mut Stamps, &mut Vec<u8>)) -> Layout {
    Layout { stamp: ink::clf, starts: true, write }
}

pub(super) static COMBINED: Layout = nginx(|hit, stamp, stamps, out| {
    combined(hit, stamp, stamps, out);
    out.push(b'\n');
});

pub(super) static MAIN: Layout = nginx(|hit, stamp, stamps, out| {
    combined(hit, stamp, stamps, out);
    out.extend_from_slice(b" \"");
    forwarded(hit, b"-", out);
    out.extend_from_slice(b"\"\n");
});

pub(super) static TIMED: Layout = nginx(|hit, stamp, stamps, out| {
    combined(hit, stamp, stamps, out);
    for write in [request_time, upstream_time, upstream_address, upstream_status] {
        out.push(b' ');
        write(hit, out);
    }
    out.push(b'\n');
});

pub(super) static VHOST: Layout = nginx(|hit, stamp, stamps, out| {
    out.extend_from_slice(hit.host.as_bytes());
    out.extend_from_slice(b":443 ");
    combined(hit, stamp, stamps, out);
    out.push(b'\n');
});

/// The default `log-format-upstream` of ingress-nginx:
/// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/>.
pub(super) static INGRESS: Layout = nginx(|hit, stamp, stamps, out| {
    combined(hit, stamp, stamps, out);
    out.push(b' ');
    // nginx gives a request that it could not read no length.
    let readable = matches!(hit.request, Request::Line { .. });
    number(out, if readable { bytes_in(hit) } else { 0 });
    out.push(b' ');
    request_time(hit, out);
    out.extend_from_slice(b" [");
    let pool = hit.upstream.map_or(0, |upstream| upstream.pool);
    out.extend_from_slice(if readable { POOLS[pool].name.as_bytes() } else { b"" });
    out.extend_from_slice(b"] []");
    for write in [upstream_address, upstream_length, upstream_time, upstream_status] {
        out.push(b' ');
        write(hit, out);
    }
    out.push(b' ');
    ink::hex(out, hit.bits, 16);
    ink::hex(out, hit.bits.rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15), 16);
    out.push(b'\n');
});

/// Keys as the administrator chose them; `escape=json` leaves what is missing empty.
pub(super) static JSON: Layout = Layout {
    stamp: ink::iso,
    starts: false,
    write: |hit, stamp, stamps, out| {
        out.extend_from_slice(b"{\"time_iso8601\":\"");
        stamps.write(out, stamp);
        text_member(out, b"remote_addr", hit.client);
        text_member(out, b"remote_user", hit.user.unwrap_or_default().as_bytes());
        text_member(out, b"host", hit.host.as_bytes());
        json_request(hit.request, out);
        out.extend_from_slice(b"\",\"status\":");
        status(hit.status, out);
        out.extend_from_slice(b",\"body_bytes_sent\":");
        number(out, hit.bytes);
        out.extend_from_slice(b",\"request_time\":");
        request_time(hit, out);
        out.extend_from_slice(b",\"http_referer\":\"");
        out.extend_from_slice(hit.referer.unwrap_or_default());
        text_member(out, b"http_user_agent", hit.agent.unwrap_or_default());
        out.extend_from_slice(b"\",\"http_x_forwarded_for\":\"");
        forwarded(hit, b"", out);
        json_upstream(hit, out);
        out.extend_from_slice(b"\"}\n");
    },
};

/// The labels of <http://ltsv.org/>, as its page shows them for nginx.
pub(super) static LTSV: Layout = nginx(|hit, stamp, stamps, out| {
    out.extend_from_slice(b"time:");
    stamps.write(out, stamp);
    out.extend_from_slice(b"\thost:");
    out.extend_from_slice(hit.client);
    out.extend_from_slice(b"\tforwardedfor:");
    forwarded(hit, b"-", out);
    out.extend_from_slice(b"\treq:");
    request(hit.request, out);
    out.extend_from_slice(b"\tstatus:");
    status(hit.status, out);
    out.extend_from_slice(b"\tsize:");
    number(out, hit.bytes);
    out.extend_from_slice(b"\treferer:");
    out.extend_from_slice(hit.referer.unwrap_or(b"-"));
    out.extend_from_slice(b"\tua:");
    out.extend_from_slice(hit.agent.unwrap_or(b"-"));
    out.extend_from_slice(b"\treqtime:");
    request_time(hit, out);
    out.extend_from_slice(b"\tapptime:");
    upstream_time(hit, out);
    out.extend_from_slice(b"\tvhost:");
    out.extend_from_slice(hit.host.as_bytes());
    out.push(b'\n');
});

pub(super) static APACHE_COMMON: Layout = apache(|hit, stamp, stamps, out| {
    common(hit, stamp, stamps, out);
    body_size(hit, out);
    out.push(b'\n');
});

pub(super) static APACHE_COMBINED: Layout = apache(|hit, stamp, stamps, out| {
    common(hit, stamp, stamps, out);
    body_size(hit, out);
    sender(hit, out);
    out.push(b'\n');
});

pub(super) static APACHE_COMBINEDIO: Layout = apache(|hit, stamp, stamps, out| {
    common(hit, stamp, stamps, out);
    body_size(hit, out);
    sender(hit, out);
    out.push(b' ');
    number(out, bytes_in(hit));
    out.push(b' ');
    number(out, bytes_out(hit));
    out.push(b'\n');
});

/// Debian's `vhost_combined` counts the bytes with their headers.
pub(super) static APACHE_VHOST: Layout = apache(|hit, stamp, stamps, out| {
    out.extend_from_slice(hit.host.as_bytes());
    out.extend_from_slice(b":443 ");
    common(hit, stamp, stamps, out);
    number(out, bytes_out(hit));
    sender(hit, out);
    out.push(b'\n');
});

fn combined(hit: &Hit<'_>, stamp: i64, stamps: &mut Stamps, out: &mut Vec<u8>) {
    common(hit, stamp, stamps, out);
    number(out, hit.bytes);
    sender(hit, out);
}

/// The line up to the blank before the size.
fn common(hit: &Hit<'_>, stamp: i64, stamps: &mut Stamps, out: &mut Vec<u8>) {
    out.extend_from_slice(hit.client);
    out.extend_from_slice(b" - ");
    out.extend_from_slice(hit.user.unwrap_or("-").as_bytes());
    out.extend_from_slice(b" [");
    stamps.write(out, stamp);
    out.extend_from_slice(b"] \"");
    request(hit.request, out);
    out.extend_from_slice(b"\" ");
    status(hit.status, out);
    out.push(b' ');
}

fn request(request: Request<'_>, out: &mut Vec<u8>) {
    match request {
        Request::Line { method, path, query, value, protocol } => {
            out.extend_from_slice(method.as_bytes());
            out.push(b' ');
            target(path, query, value, out);
            out.push(b' ');
            out.extend_from_slice(protocol.as_bytes());
        }
        Request::Junk(bytes) => out.extend_from_slice(bytes),
        Request::Nothing => out.push(b'-'),
    }
}

fn target(path: &[u8], query: &str, value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(path);
    if !query.is_empty() {
        out.extend_from_slice(query.as_bytes());
        number(out, value.into());
    }
}

fn status(status: u16, out: &mut Vec<u8>) {
    ink::thousandths(out, status.into());
}

fn sender(hit: &Hit<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b" \"");
    out.extend_from_slice(hit.referer.unwrap_or(b"-"));
    out.extend_from_slice(b"\" \"");
    out.extend_from_slice(hit.agent.unwrap_or(b"-"));
    out.push(b'"');
}

fn forwarded(hit: &Hit<'_>, missing: &[u8], out: &mut Vec<u8>) {
    match hit.forwarded {
        Some((address, twice)) => {
            out.extend_from_slice(address);
            out.extend_from_slice(if twice { b", 10.1.1.1" } else { b"" });
        }
        None => out.extend_from_slice(missing),
    }
}

/// Apache's `%b`: nothing is a dash.
fn body_size(hit: &Hit<'_>, out: &mut Vec<u8>) {
    match hit.bytes {
        0 => out.push(b'-'),
        bytes => number(out, bytes),
    }
}

/// The request with its headers, and its body where it has one.
fn bytes_in(hit: &Hit<'_>) -> u64 {
    match hit.request {
        Request::Line { method, .. } => {
            let body = if matches!(method, "GET" | "HEAD" | "DELETE") {
                0
            } else {
                hit.bits >> 44 & 0x7ff
            };
            230 + (hit.bits >> 34 & 0x3ff) + body
        }
        Request::Junk(bytes) => bytes.len() as u64 + 2,
        Request::Nothing => 0,
    }
}

/// The answer with its headers.
fn bytes_out(hit: &Hit<'_>) -> u64 {
    match hit.request {
        Request::Nothing => 0,
        _ => hit.bytes + 190 + (hit.bits >> 50 & 0xff),
    }
}

fn request_time(hit: &Hit<'_>, out: &mut Vec<u8>) {
    seconds(out, hit.micros);
}

/// Writes an upstream list: what failed first, then the last try.
fn tries(
    hit: &Hit<'_>,
    out: &mut Vec<u8>,
    failed: impl Fn(&mut Vec<u8>, &str),
    last: impl Fn(&mut Vec<u8>, &Upstream),
) {
    let Some(upstream) = &hit.upstream else {
        out.push(b'-');
        return;
    };
    if let Some(server) = upstream.failed {
        failed(out, server);
        out.extend_from_slice(b", ");
    }
    last(out, upstream);
}

fn upstream_time(hit: &Hit<'_>, out: &mut Vec<u8>) {
    tries(hit, out, |out, _| seconds(out, 1000), |out, last| seconds(out, last.micros));
}

fn upstream_address(hit: &Hit<'_>, out: &mut Vec<u8>) {
    tries(
        hit,
        out,
        |out, server| out.extend_from_slice(server.as_bytes()),
        |out, last| out.extend_from_slice(last.server.as_bytes()),
    );
}

fn upstream_status(hit: &Hit<'_>, out: &mut Vec<u8>) {
    let last = |out: &mut Vec<u8>, last: &Upstream| match last.status {
        Some(code) => status(code, out),
        None => out.push(b'-'),
    };
    tries(hit, out, |out, _| status(502, out), last);
}

fn upstream_length(hit: &Hit<'_>, out: &mut Vec<u8>) {
    // What nginx itself answers with did not come from the upstream.
    let own = matches!(hit.status, 499 | 502 | 504);
    let length = if own { 0 } else { hit.bytes };
    tries(hit, out, |out, _| number(out, 0), |out, _| number(out, length));
}

/// Closes the text before it and opens a member whose text is `value`, escaped.
fn text_member(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    out.extend_from_slice(b"\",\"");
    out.extend_from_slice(key);
    out.extend_from_slice(b"\":\"");
    out.extend_from_slice(value);
}

fn json_request(request: Request<'_>, out: &mut Vec<u8>) {
    match request {
        Request::Line { method, path, query, value, protocol } => {
            text_member(out, b"request_method", method.as_bytes());
            text_member(out, b"request_uri", b"");
            target(path, query, value, out);
            text_member(out, b"server_protocol", protocol.as_bytes());
        }
        // nginx knows neither method nor protocol of a line that it could not read.
        Request::Junk(_) | Request::Nothing => {
            text_member(out, b"request_method", b"");
            text_member(out, b"request_uri", b"");
            text_member(out, b"server_protocol", b"");
        }
    }
}

fn json_upstream(hit: &Hit<'_>, out: &mut Vec<u8>) {
    let keys: [&[u8]; 3] = [b"upstream_addr", b"upstream_status", b"upstream_response_time"];
    let writers = [upstream_address, upstream_status, upstream_time];
    for (key, write) in keys.into_iter().zip(writers) {
        text_member(out, key, b"");
        if hit.upstream.is_some() {
            write(hit, out);
        }
    }
}
