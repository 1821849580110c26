//! `probe http`: does the page answer, in which phase does the time go, and is it the right page?
//!
//! Name, connection, TLS, first byte, head, body: one request over one connection of HTTP/1.1. Without expectations a
//! 2xx or 3xx is good, a 4xx a warning (the server refuses *this request*), a 5xx critical. What answers something
//! else than HTTP, nothing, or half a page has classes of its own.

mod assets;
pub(in crate::probe) mod auth;
pub mod client;
mod redirect;
pub mod url;
mod verdict;

use std::fs;

use self::client::{Body, Head, Request};
use self::redirect::Policy;
use self::url::Url;
use self::verdict::Verdict;
use super::class::Class;
use super::net::{Answer, Deadline, Failure, Peer, Wire};
use super::options::{Knob, Options};
use super::range::Range;
use super::target::{Place, Target};
use super::tls::{self, Settings};
use super::trace::{Halt, Trace};
use super::{Kind, Outcome, Probe, Run};
use crate::document::Cell;
use crate::error::{Error, Result};

/// The table line.
pub(super) static KIND: Kind = Kind {
    name: "http",
    about: "web pages: phases, status, headers, content, redirects, parts of the page",
    target: "http[s]://HOST[:PORT]/PATH",
    steps: &["resolve", "connect", "proxy", "tls", "first_byte", "headers", "body"],
    knobs: &[
        &[
            Knob::one("method", "METHOD", "GET, HEAD, OPTIONS or POST (GET)"),
            Knob::one("body-file", "FILE", "send this file as the body (with POST)"),
            Knob::many("header", "NAME:VALUE", "send this header"),
            Knob::one("host", "NAME", "the Host header, where it is not that of the address"),
            Knob::one("basic-file", "FILE", "log in with the USER:PASSWORD in this file"),
            Knob::one("basic-env", "VARIABLE", "the same from this environment variable"),
            Knob::one("bearer-file", "FILE", "log in with the token in this file"),
            Knob::one("bearer-env", "VARIABLE", "the same from this environment variable"),
            Knob::one("proxy", "HOST:PORT", "ask through this proxy"),
            Knob::one("expect-status", "LIST", "good statuses: 200,301-302"),
            Knob::many("expect-body", "TEXT", "the body must hold this text; ~PATTERN, !~PATTERN"),
            Knob::many("expect-header", "NAME=TEXT", "a header must hold this text; NAME=~PATTERN"),
            Knob::many("expect-json", "/PATH=VALUE", "the JSON body must have this value there"),
            Knob::one("max-age", "TIME", "Last-Modified must not be older"),
            Knob::one("size", "RANGE", "the size of the body in bytes: 1KiB:1MiB"),
            Knob::one(
                "redirect",
                "WHAT",
                "a redirect is ok, followed, a warning, or critical: ok, follow, warn, stop (ok)",
            ),
            Knob::one("body-limit", "BYTES", "look at so much of the body (1048576)"),
            Knob::flag(
                "assets",
                "load the styles, scripts and pictures that the page names, 20 at most",
            ),
        ],
        tls::KNOBS,
    ],
    measures: &[
        ("size", "bytes of the body, unpacked"),
        ("redirects", "how many redirects were followed"),
        ("days", "days until the first certificate of the chain ends"),
    ],
    make: |options| Ok(Box::new(Http::parse(options)?)),
};

/// The most bytes of a body that are looked at, unless told otherwise.
const BODY: usize = 1024 * 1024;

#[derive(Debug)]
struct Http {
    method: String,
    headers: Vec<(String, String)>,
    host: Option<String>,
    body: Option<Vec<u8>>,
    proxy: Option<Target>,
    settings: Settings,
    verdict: Verdict,
    redirect: Policy,
    limit: usize,
    assets: bool,
}

type Dialogue = std::result::Result<(), Halt>;

/// What one request brought.
#[derive(Debug)]
pub(super) struct Page {
    head: Head,
    body: Body,
}

impl Http {
    fn parse(options: &Options) -> Result<Self> {
        let mut headers = own_headers(options)?;
        headers.extend(auth::header(options)?.map(|value| ("Authorization".to_owned(), value)));
        let proxy = options.text("proxy").map(|word| Target::net(word, Some(3128))).transpose()?;
        let mut settings = Settings::parse(options)?;
        settings.alpn = vec![b"http/1.1".to_vec()];
        Ok(Self {
            method: method(options)?,
            headers,
            host: options.text("host").map(line_safe).transpose()?,
            body: options.text("body-file").map(read_file).transpose()?,
            proxy,
            settings,
            verdict: Verdict::parse(options)?,
            redirect: options.value("redirect", "ok, follow, warn or stop")?.unwrap_or(Policy::Ok),
            limit: options.value("body-limit", "a number of bytes")?.unwrap_or(BODY),
            assets: options.flag("assets"),
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, url: &Url, peer: &Peer) -> Dialogue {
        trace.plan(match (self.proxy.is_some(), url.secure) {
            (true, true) => KIND.steps,
            (true, false) | (false, false) => {
                &["resolve", "connect", "first_byte", "headers", "body"]
            }
            (false, true) => &["resolve", "connect", "tls", "first_byte", "headers", "body"],
        });
        let mut wire = trace.connect(peer)?;
        self.open(trace, &mut wire, url)?;
        let page = self.ask(trace, wire, url)?;
        self.facts(trace, &page);
        let (page, url) = match self.redirect {
            Policy::Follow => redirect::follow(self, trace, url, page)?,
            policy => {
                redirect::judge(trace, policy, &page.head);
                (page, url.clone())
            }
        };
        self.verdict.judge(trace, &page);
        if self.assets && page.head.status == 200 {
            assets::check(self, trace, &url, &page);
        }
        Ok(())
    }

    /// The proxy's tunnel and TLS, where there are any.
    fn open(&self, trace: &mut Trace<'_>, wire: &mut Wire, url: &Url) -> Dialogue {
        if self.proxy.is_some() && url.secure {
            let place = format!("{}:{}", url.host, url.port);
            trace.step("proxy", format!("CONNECT {place}"), |deadline| {
                tunnel(wire, &place, deadline)
            })?;
        }
        if url.secure {
            trace.upgrade(wire, Some(&url.host), &self.settings)?;
        }
        Ok(())
    }

    /// Sends the request and reads the answer, phase by phase.
    fn ask(
        &self,
        trace: &mut Trace<'_>,
        mut wire: Wire,
        url: &Url,
    ) -> std::result::Result<Page, Halt> {
        let request = self.request(url);
        let asked = format!("{} {}", request.method, url);
        trace.step("first_byte", &asked, |deadline| {
            wire.send(&request.bytes(), deadline)?;
            wire.more(deadline)
        })?;
        trace.evidence(wire.unread());
        let head = trace.step("headers", "the head of the answer", |deadline| {
            client::head(&mut wire, deadline)
        })?;
        trace.came(head.line());
        let body = trace.step("body", "the body", |deadline| {
            client::body(&mut wire, &head, &request.method, self.limit, deadline)
        })?;
        trace.came(format!("{} bytes", body.bytes.len()));
        wire.leave(b"");
        trace.summary(format!("{}, {} bytes", head.line(), body.bytes.len()));
        Ok(Page { head, body })
    }

    fn request(&self, url: &Url) -> Request {
        let mut request = Request::get(url);
        request.method.clone_from(&self.method);
        request.headers.clone_from(&self.headers);
        request.body.clone_from(&self.body);
        if let Some(host) = &self.host {
            request.host.clone_from(host);
        }
        if self.proxy.is_some() && !url.secure {
            request.target = url.to_string();
        }
        request
    }

    /// What the answer tells about who gave it.
    fn facts(&self, trace: &mut Trace<'_>, page: &Page) {
        let head = &page.head;
        trace.fact("status", Cell::Number(i64::from(head.status)));
        for (fact, header) in [
            ("server", "server"),
            ("content_type", "content-type"),
            ("location", "location"),
            ("via", "via"),
            ("cache", "x-cache"),
        ] {
            if let Some(value) = head.all(header).next() {
                trace.fact(fact, Cell::text(&value[..value.len().min(300)]));
            }
        }
        trace.fact("answered_by", Cell::text(verdict::who(page)));
        let date = head.header("date").and_then(|date| verdict::http_date(&date));
        if let Some(seconds) = date {
            let ours = trace.run().now.div_euclid(1_000_000);
            trace.fact(
                "clock_difference",
                Cell::Duration((seconds - ours).saturating_mul(1_000_000)),
            );
        }
        trace.measure("size", page.body.bytes.len() as f64, "B");
    }

    /// Fetches a page beside the one that is probed: a redirect's target, a part of the page. Not timed by steps.
    fn fetch(&self, run: &Run<'_>, url: &Url, deadline: Deadline) -> Answer<Page> {
        let place = match self.proxy.as_ref().map(|proxy| &proxy.place) {
            Some(Place::Net { host, port }) => (host.as_str(), *port),
            _ => (url.host.as_str(), url.port),
        };
        let found = super::net::resolve(place.0, place.1, run.common, deadline)?;
        let mut wire = super::net::connect(&Peer::Tcp(found[0]), run.common.source, deadline)?;
        if url.secure {
            if self.proxy.is_some() {
                tunnel(&mut wire, &format!("{}:{}", url.host, url.port), deadline)?;
            }
            self.shake_hands(&mut wire, url, run.now, deadline)?;
        }
        let mut request = self.request(url);
        request.host = url.authority();
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        request.method = if self.method == "HEAD" { "HEAD" } else { "GET" }.to_owned();
        request.body = None;
        wire.send(&request.bytes(), deadline)?;
        let head = client::head(&mut wire, deadline)?;
        let body = client::body(&mut wire, &head, &request.method, self.limit, deadline)?;
        wire.leave(b"");
        Ok(Page { head, body })
    }

    /// TLS beside the probe: the first thing that is wrong with the chain is the failure.
    fn shake_hands(&self, wire: &mut Wire, url: &Url, now: i64, deadline: Deadline) -> Answer<()> {
        let name = self.settings.name_for(Some(&url.host));
        let session = tls::upgrade(wire, name, &self.settings, deadline)?;
        let faults = tls::judge(&session.chain, name, &self.settings, now.div_euclid(1_000_000));
        let worst = faults.into_iter().find(|f| f.level == crate::document::Level::Critical);
        match worst.filter(|_| !self.settings.is_insecure()) {
            None => Ok(()),
            Some(fault) => Err(Failure::new(fault.class, fault.came)),
        }
    }
}

/// Asks a proxy for a way through.
fn tunnel(wire: &mut Wire, place: &str, deadline: Deadline) -> Answer<()> {
    let agent = concat!("logmill/", env!("CARGO_PKG_VERSION"));
    let request =
        format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: {agent}\r\n\r\n");
    wire.send(request.as_bytes(), deadline)?;
    let head = client::head(wire, deadline)?;
    match head.status {
        200..=299 => Ok(()),
        407 => Err(Failure::new(Class::ProxyLogin, head.line())),
        400..=499 => Err(Failure::new(Class::ProxyRefused, head.line())),
        _ => Err(Failure::new(Class::ProxyFailed, head.line())),
    }
}

fn method(options: &Options) -> Result<String> {
    const KNOWN: [&str; 4] = ["GET", "HEAD", "OPTIONS", "POST"];
    let method = options.text("method").unwrap_or("GET").to_ascii_uppercase();
    match KNOWN.contains(&method.as_str()) {
        true => Ok(method),
        false => Err(Error::usage(format!("--method '{method}' might change something"))
            .advise("a probe sends GET, HEAD, OPTIONS or POST")),
    }
}

fn own_headers(options: &Options) -> Result<Vec<(String, String)>> {
    let split = |text: &str| {
        let safe = line_safe(text)?;
        let (name, value) = safe
            .split_once(':')
            .ok_or_else(|| Error::usage(format!("--header '{safe}': wants NAME:VALUE")))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    options.all("header").map(split).collect()
}

/// Text that stays on its line of the request.
fn line_safe(text: &str) -> Result<String> {
    match text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        false => Ok(text.to_owned()),
        true => Err(Error::usage("a header must not hold control characters")),
    }
}

fn read_file(path: &str) -> Result<Vec<u8>> {
    let path = std::path::Path::new(path);
    fs::read(path).map_err(|error| Error::io("read", path, error))
}

/// A range given by `--size`.
fn size_range(options: &Options) -> Result<Option<Range>> {
    options.text("size").map(Range::parse).transpose()
}

impl Probe for Http {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        Ok(vec![Url::parse(word)?.target()])
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        // The target was made from an address, which reads back.
        let Ok(url) = Url::parse(&target.rest) else { return Vec::new() };
        let place = match &self.proxy {
            None => target.clone(),
            Some(proxy) => Target { label: target.label.clone(), ..proxy.clone() },
        };
        run.each_address(&place, |trace, peer| self.dialogue(trace, &url, peer))
    }
}
