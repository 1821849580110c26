//! What tells built-in formats apart whose lines are alike. A definition says what its columns are; without one,
//! `79 264 705` behind a combined line may be sizes and a time in any unit, and `Mar 07 10:15:02.1 web1 nginx[77]: 10.0.0.1`
//! before it a host, a client and an odd user. A wrong guess would be told as a fact. So a line is only claimed for a
//! built-in format when its numbers look like nothing else, and its first words like what they are taken for.

use std::net::{IpAddr, SocketAddr};

use super::{
    CLIENT_VHOST, CLIENT_VHOST_TAIL, COMBINEDIO, MAIN, MAIN_REQUEST_TIME, MAIN_TIMED,
    PROXY_MANAGER, PROXY_MANAGER_OWN, REQUEST_TIME, TIMED, TIMED_PIPE, TIMED_UPSTREAM, VHOST,
    VHOST_COMBINED, VHOST_COMBINED_TAIL, VHOST_COMMON, VHOST_TAIL,
};

/// How the lines of a built-in format look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    front: Front,
    tail: Option<Tail>,
    /// How many quotes a line has, where more would make its last column one that holds others.
    quotes: Option<usize>,
}

/// What a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Front {
    /// The stamp: nobody else's lines are like that.
    Stamp,
    /// The client.
    Client,
    /// The client, and the virtual host.
    ClientAndHost,
    /// The virtual host, and the client.
    Host,
    /// The virtual host with its port, and the client.
    HostAndPort,
}

/// Says whether the columns behind the last quote, with the size of the answer, look like those of a format.
type Tail = fn(columns: &[&[u8]], size: &[u8]) -> bool;

/// How the lines of a definition look.
pub(super) fn look_of(definition: &str) -> Look {
    let front = match definition {
        VHOST_COMBINED | VHOST_COMBINED_TAIL => Front::HostAndPort,
        VHOST | VHOST_TAIL | VHOST_COMMON => Front::Host,
        CLIENT_VHOST | CLIENT_VHOST_TAIL => Front::ClientAndHost,
        PROXY_MANAGER | PROXY_MANAGER_OWN => Front::Stamp,
        _ => Front::Client,
    };
    let quotes = (definition == MAIN).then(|| count(definition.as_bytes()));
    Look { front, tail: tail_of(definition), quotes }
}

fn tail_of(definition: &str) -> Option<Tail> {
    match definition {
        // Nginx writes durations with three decimals, and nobody else's are in seconds and fractions.
        TIMED | TIMED_PIPE | TIMED_UPSTREAM | REQUEST_TIME | MAIN_TIMED | MAIN_REQUEST_TIME => {
            Some(|columns, _| columns.first().is_some_and(|first| is_decimal(first)))
        }
        // What went over the wire holds the answer and its headers.
        COMBINEDIO => Some(|columns, size| match columns {
            [_, out] => number(out) > number(size),
            _ => false,
        }),
        _ => None,
    }
}

/// How many lines of a sample are claimed: all of them where nine in ten look like that, since an answer that was broken
/// off looks like anything. `None` where nothing speaks against any.
pub(super) fn claimed(look: Look, sample: &[u8]) -> Option<u64> {
    let lines = || sample.split(|byte| *byte == b'\n').map(bare).filter(|line| !line.is_empty());
    let requests = || lines().filter(|line| memchr::memmem::find(line, b"] \"").is_some());
    let (all, well) = (requests().count(), requests().filter(|line| begins(look, line)).count());
    if well * 10 < all * 9 {
        return Some(0);
    }
    if look.tail.is_none() && look.quotes.is_none() {
        return None;
    }
    let looks = |line: &&[u8]| {
        look.tail.is_none_or(|tail| ends(tail, line))
            && look.quotes.is_none_or(|quotes| count(line) == quotes && !ends_in_ratio(line))
    };
    let (all, looking) = (lines().count(), lines().filter(looks).count());
    Some(if looking * 10 >= all * 9 { all as u64 } else { 0 })
}

/// True for `"3.14"` at the end, as the guide of Nginx has `"$gzip_ratio"` in the place of a list of addresses.
fn ends_in_ratio(line: &[u8]) -> bool {
    let last = line.rsplit(|byte| *byte == b'"').nth(1).unwrap_or_default();
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    !last.is_empty() && last.iter().all(is_of_number) && !is_address(last)
}

/// How many quotes there are in a text.
fn count(text: &[u8]) -> usize {
    memchr::memchr_iter(b'"', text).count()
}

/// A line without what the beginning of a file may have in front of it: a mark, a hole.
fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    &line[line.iter().take_while(|byte| **byte == 0).count()..]
}

fn begins(look: Look, line: &[u8]) -> bool {
    let has_host = host_behind(line);
    let mut words = words(line);
    let mut next = || words.next().unwrap_or_default();
    let is_well = match look.front {
        Front::Stamp => line.starts_with(b"["),
        Front::Client => is_client(next()) && !has_host,
        Front::ClientAndHost => is_client(next()) && is_host(next()) && has_host,
        Front::Host => {
            let (host, client) = (next(), next());
            // Behind an address stands its identity.
            let is_identity = client == b"-" && is_address(host);
            is_host(host) && is_sure_client(client) && !is_identity
        }
        Front::HostAndPort => {
            let host = next();
            let port = memchr::memrchr(b':', host).map_or(&[][..], |at| &host[at + 1..]);
            is_host(host) && number(port).is_some() && is_client(next())
        }
    };
    // An address behind the client is the client, and what was taken for him is something else.
    is_well && !words.take_while(|word| !word.starts_with(b"[")).any(is_address)
}

/// `192.0.2.7 shop.example - jo [`: an address, a name, and the pair of identity and user that stands behind every client.
fn host_behind(line: &[u8]) -> bool {
    let mut words = words(line);
    let mut next = || words.next().unwrap_or_default();
    let (client, host, ident, user) = (next(), next(), next(), next());
    let is_name = host.contains(&b'.') && is_host(host) && !is_address(host);
    is_address(client) && is_name && ident == b"-" && !user.starts_with(b"[")
}

/// An address, with a port or without, of whichever kind.
fn is_address(word: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(word) else { return false };
    let text = text.split('%').next().unwrap_or_default();
    text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
}

/// Servers also log names of clients, and people replace what would tell who it was.
fn is_client(word: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-*".contains(byte);
    is_address(word) || word.starts_with(b"unix:") || word.iter().all(is_of_name)
}

/// A client where any word might stand: a name has a dot.
fn is_sure_client(word: &[u8]) -> bool {
    let is_name = is_client(word) && (word.contains(&b'.') || word == b"localhost");
    is_address(word) || word == b"-" || word.starts_with(b"unix:") || is_name
}

fn is_host(word: &[u8]) -> bool {
    let is_of_host =
        |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"._-*:[]".contains(byte);
    word.iter().all(is_of_host) && !word.ends_with(b":")
}

fn ends(tail: Tail, line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(quote) = memchr::memrchr(b'"', line) else { return false };
    let columns: Vec<&[u8]> = words(&line[quote + 1..]).collect();
    let behind = memchr::memmem::find(line, b"\" ").map_or(&[][..], |at| &line[at + 2..]);
    let size = words(behind).nth(1).unwrap_or_default();
    tail(&columns, size)
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

fn is_decimal(word: &[u8]) -> bool {
    word.contains(&b'.')
}

fn number(word: &[u8]) -> Option<i64> {
    if word == b"-" { Some(0) } else { crate::record::number::integer(word) }
}
