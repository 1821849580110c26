//! The web site behind the web logs: who comes, what there is to fetch, what stands behind it. Everything that costs
//! time is done here once: texts are escaped, weights become tables.

use super::agents::{self, Agent};
use super::dice::{Curve, Dice, Weighted};
use super::ink::{Escape, number};

/// Many short texts in one buffer.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// These texts.
    pub(super) fn of(texts: impl Iterator<Item = String>) -> Self {
        let mut all = Self::default();
        texts.for_each(|text| all.add(|out| out.extend_from_slice(text.as_bytes())));
        all
    }

    /// Adds the text that `write` appends.
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// The text of that number.
    #[inline]
    pub(super) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Where a client comes from, and with what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// Its usual agent.
    pub(super) agent: u16,
    /// No person.
    pub(super) robot: bool,
}

/// What kind of thing a path is; settles status, size and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file: script, style, picture.
    Asset,
    /// A big file, fetched in ranges.
    Media,
    /// A page made by an application.
    Page,
    /// An answer to a program.
    Api,
    /// A report from a page's script, answered with nothing.
    Beacon,
    /// Behind a login.
    Private,
    /// An old address that leads elsewhere.
    Moved,
    /// What scanners look for and do not find.
    Missing,
}

/// A path and what its answers are like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) kind: Kind,
    pub(super) method: &'static str,
    /// The section of the site, an index of [`SECTIONS`]; for what an application answers.
    pub(super) section: u8,
    /// The usual size of the body.
    pub(super) bytes: u32,
    /// The usual time to answer, in microseconds.
    pub(super) micros: u32,
    /// What may follow the path: an index of [`QUERIES`].
    pub(super) query: u8,
}

/// A part of the site and the pool that answers it.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) prefix: &'static str,
    pub(super) kind: Kind,
    pub(super) pool: usize,
}

/// The parts of the site that applications answer.
pub(super) static SECTIONS: [Section; 10] = [
    Section { prefix: "/product", kind: Kind::Page, pool: 0 },
    Section { prefix: "/category", kind: Kind::Page, pool: 0 },
    Section { prefix: "/api/v1/products", kind: Kind::Api, pool: 1 },
    Section { prefix: "/search", kind: Kind::Page, pool: 0 },
    Section { prefix: "/api/v1/cart", kind: Kind::Api, pool: 1 },
    Section { prefix: "/blog", kind: Kind::Page, pool: 2 },
    Section { prefix: "/api/v1/users", kind: Kind::Api, pool: 1 },
    Section { prefix: "/account", kind: Kind::Page, pool: 0 },
    Section { prefix: "/api/v2/orders", kind: Kind::Api, pool: 1 },
    Section { prefix: "/help", kind: Kind::Page, pool: 2 },
];

/// Servers that do the same work.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) name: &'static str,
    pub(super) servers: &'static [&'static str],
}

/// The pools behind the site.
pub(super) static POOLS: [Pool; 3] = [
    Pool {
        name: "shop-web-80",
        servers: &["10.20.1.11:8080", "10.20.1.12:8080", "10.20.1.13:8080", "10.20.1.14:8080"],
    },
    Pool {
        name: "shop-api-9000",
        servers: &["10.20.2.11:9000", "10.20.2.12:9000", "10.20.2.13:9000"],
    },
    Pool { name: "blog-php-9000", servers: &["10.20.3.11:9000", "10.20.3.12:9000"] },
];

/// The virtual hosts, the busiest first.
pub(super) static HOSTS: [&str; 5] =
    ["www.shop.example", "shop.example", "api.shop.example", "blog.shop.example", "m.shop.example"];

/// Who logs in.
pub(super) static USERS: [&str; 8] =
    ["alice", "bob", "carol", "dave", "jo smith", "erin@shop.example", "frank", "monitor"];

/// What may follow a path; a number comes behind it.
pub(super) static QUERIES: [&str; 8] = [
    "",
    "?page=",
    "?q=blue+canvas+shoes&page=",
    "?utm_source=newsletter&utm_medium=email&utm_campaign=",
    "?id=",
    "?sort=price&order=asc&offset=",
    "?v=",
    "?ref=%2Fcategory%2Fsale&item=",
];

/// The site, made once.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) clients: Vec<Client>,
    pub(super) addresses: Texts,
    pub(super) client_weights: Weighted,
    pub(super) pages: Vec<Page>,
    pub(super) paths: Texts,
    pub(super) page_weights: Weighted,
    /// The busiest paths of each section.
    pub(super) busiest: Vec<Vec<u32>>,
    pub(super) agents: Texts,
    /// Which of the agents are Chrome or say so.
    pub(super) chrome: Vec<bool>,
    pub(super) referers: Texts,
    pub(super) referer_weights: Weighted,
    /// Requests that are none, escaped.
    pub(super) junk: Texts,
}

/// How many paths of a section a burst strikes.
const STRUCK: usize = 20;

impl Site {
    /// A site of that size, escaped for one kind of log; the seed settles everything in it.
    pub(super) fn new(escape: Escape, seed: u64, clients: u32, paths: u32, agents: u32) -> Self {
        let mut dice = Dice::new(seed, STREAM);
        let agents = agents::agents(agents);
        let (addresses, clients) = people(&agents, clients.max(1), &mut dice);
        let (paths, pages) = contents(escape, paths.max(1), &mut dice);
        let referers = referers(&paths, &pages);
        Self {
            client_weights: Weighted::zipf(clients.len() as u32, 20.0),
            page_weights: Weighted::zipf(pages.len() as u32, 4.0),
            referer_weights: Weighted::zipf(referers.len() as u32, 1.5),
            busiest: busiest(&pages),
            agents: texts(agents.iter().map(|agent| &agent.text[..]), escape),
            chrome: agents.iter().map(|agent| is_chrome(&agent.text)).collect(),
            junk: texts(JUNK.into_iter(), escape),
            clients,
            addresses,
            pages,
            paths,
            referers,
        }
    }
}

/// The stream of chance that the tables are made from; chunks count up from 0.
pub(super) const STREAM: u64 = 1 << 63;

/// What arrives at a web port and is no request: a TLS greeting, other protocols, nothing.
const JUNK: [&[u8]; 6] = [
    b"",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\xa5\x1f\x22\x9c\x5c",
    b"\x03\x00\x00/*\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr",
    b"SSH-2.0-Go",
    b"\x00\x0e8\x1d\xbb\xea\xf2\x0a\x8b\x09",
    b"MGLNDD_192.0.2.10_80",
];

fn texts<'t>(raw: impl Iterator<Item = &'t [u8]>, escape: Escape) -> Texts {
    let mut texts = Texts::default();
    raw.for_each(|raw| texts.add(|out| escape.write(raw, out)));
    texts
}

fn is_chrome(agent: &[u8]) -> bool {
    agent.windows(7).any(|word| word == b"Chrome/")
}

fn people(agents: &[Agent], count: u32, dice: &mut Dice) -> (Texts, Vec<Client>) {
    let weights: Vec<f64> = agents.iter().map(|agent| agent.weight).collect();
    let weights = Weighted::new(&weights);
    let client = |_| {
        let agent = weights.at(dice.bits());
        Client { agent: agent as u16, robot: agents[agent].robot }
    };
    let clients = (0..count).map(client).collect();
    (addresses(count, dice), clients)
}

/// So many addresses that all differ; one in twelve is of version 6.
pub(super) fn addresses(count: u32, dice: &mut Dice) -> Texts {
    let mut texts = Texts::default();
    let mut next = dice.bits() as u32;
    for _ in 0..count {
        let six = dice.chance(800);
        texts.add(|out| address(six, &mut next, out));
    }
    texts
}

/// Appends an address that was not given before.
fn address(six: bool, next: &mut u32, out: &mut Vec<u8>) {
    let word = loop {
        *next = next.wrapping_add(1);
        let word = scatter(*next);
        if is_public(word) {
            break word;
        }
    };
    if six {
        // A group of zero would want a shorter spelling.
        let (low, high) = ((word & 0xffff).max(1), word >> 16);
        let text = format!("2001:db8:{high:x}:{low:x}::{:x}", (word & 0xff) + 1);
        out.extend_from_slice(text.as_bytes());
    } else {
        dotted(word, out);
    }
}

/// Appends an IPv4 address.
pub(super) fn dotted(word: u32, out: &mut Vec<u8>) {
    for (place, byte) in word.to_be_bytes().into_iter().enumerate() {
        if place > 0 {
            out.push(b'.');
        }
        number(out, byte.into());
    }
}

/// Mixes 32 bits so that no two words meet: the finish of MurmurHash3, which is one to one.
fn scatter(word: u32) -> u32 {
    let word = (word ^ word >> 16).wrapping_mul(0x85eb_ca6b);
    let word = (word ^ word >> 13).wrapping_mul(0xc2b2_ae35);
    word ^ word >> 16
}

/// Leaves out what cannot be a client from the Internet.
fn is_public(word: u32) -> bool {
    !matches!(word >> 24, 0 | 10 | 127 | 224..)
        && word >> 20 != 0xac1
        && word >> 16 != 0xc0a8
        && word >> 16 != 0xa9fe
}

fn busiest(pages: &[Page]) -> Vec<Vec<u32>> {
    let of = |section: usize| {
        let belongs = |page: &Page| {
            matches!(page.kind, Kind::Page | Kind::Api) && page.section as usize == section
        };
        let ours = (0_u32..).zip(pages).filter(|(_, page)| belongs(page)).map(|(at, _)| at);
        ours.take(STRUCK).collect()
    };
    (0..SECTIONS.len()).map(of).collect()
}

/// What comes at each rank beyond the first few, round and round: so the shares of the kinds do not hang on chance.
const WHEEL: [Kind; 20] = [
    Kind::Asset,
    Kind::Page,
    Kind::Asset,
    Kind::Api,
    Kind::Asset,
    Kind::Page,
    Kind::Asset,
    Kind::Api,
    Kind::Page,
    Kind::Asset,
    Kind::Missing,
    Kind::Page,
    Kind::Asset,
    Kind::Api,
    Kind::Page,
    Kind::Asset,
    Kind::Moved,
    Kind::Page,
    Kind::Private,
    Kind::Media,
];

/// The first ranks by name.
static FRONT: [(&str, Kind); 16] = [
    ("/", Kind::Page),
    ("/static/js/app.3f2a9c1e.js", Kind::Asset),
    ("/static/css/main.8d01bb72.css", Kind::Asset),
    ("/api/v1/events", Kind::Beacon),
    ("/api/v1/cart", Kind::Api),
    ("/static/img/logo.svg", Kind::Asset),
    ("/search", Kind::Page),
    ("/favicon.ico", Kind::Asset),
    ("/api/v1/products", Kind::Api),
    ("/category/sale", Kind::Page),
    ("/robots.txt", Kind::Asset),
    ("/api/v2/orders", Kind::Api),
    ("/account/login", Kind::Page),
    ("/wp-login.php", Kind::Missing),
    ("/static/fonts/inter-var.woff2", Kind::Asset),
    ("/index.php", Kind::Moved),
];

/// The paths in the order of their rank, and what is behind them.
fn contents(escape: Escape, count: u32, dice: &mut Dice) -> (Texts, Vec<Page>) {
    let (small, wide) = (Curve::log_normal(0.5), Curve::log_normal(1.3));
    let (mut paths, mut pages) = (Texts::default(), Vec::with_capacity(count as usize));
    let mut path = Vec::new();
    for rank in 0..count {
        path.clear();
        let (kind, section) = match FRONT.get(rank as usize) {
            Some(&(text, kind)) => {
                path.extend_from_slice(text.as_bytes());
                (kind, section_of(text))
            }
            None => invent(rank, dice, &mut path),
        };
        paths.add(|out| escape.write(&path, out));
        pages.push(page(kind, section, dice, &small, &wide));
    }
    (paths, pages)
}

fn section_of(path: &str) -> u8 {
    SECTIONS.iter().position(|section| path.starts_with(section.prefix)).unwrap_or(0) as u8
}

fn page(kind: Kind, section: u8, dice: &mut Dice, small: &Curve, wide: &Curve) -> Page {
    let (bytes, micros) = match kind {
        Kind::Asset => (wide.scale(16_000, dice.bits()), 400),
        Kind::Media => (small.scale(1_048_576, dice.bits()), 180_000),
        Kind::Page => (small.scale(13_000, dice.bits()), small.scale(70_000, dice.bits())),
        Kind::Api => (wide.scale(900, dice.bits()) + 2, small.scale(25_000, dice.bits())),
        Kind::Beacon => (0, 3_000),
        Kind::Private => (small.scale(4_000, dice.bits()), 30_000),
        Kind::Moved | Kind::Missing => (0, 300),
    };
    let method = match kind {
        Kind::Beacon => "POST",
        Kind::Api if dice.chance(2500) => *dice.pick(&["POST", "POST", "PUT", "DELETE", "PATCH"]),
        _ => "GET",
    };
    let query = match kind {
        Kind::Page | Kind::Api => dice.below(QUERIES.len() as u32) as u8,
        _ => 0,
    };
    Page { kind, method, section, bytes: bytes as u32, micros: micros as u32, query }
}

/// Appends a path that no other rank has.
fn invent(rank: u32, dice: &mut Dice, path: &mut Vec<u8>) -> (Kind, u8) {
    let kind = WHEEL[rank as usize % WHEEL.len()];
    let section = section_for(kind, dice);
    let (adjective, noun) = (dice.pick(&ADJECTIVES), dice.pick(&NOUNS));
    let prefix = SECTIONS[section as usize].prefix;
    let text = match kind {
        Kind::Asset => asset(rank, adjective, noun, dice),
        Kind::Media => format!("/media/{noun}-{rank}.mp4"),
        Kind::Page => format!("{prefix}/{adjective}-{noun}-{rank}"),
        Kind::Api | Kind::Beacon => format!("{prefix}/{rank}"),
        Kind::Private => format!("/admin/{noun}s/{rank}"),
        Kind::Moved => format!("/shop/{noun}.php/{rank}"),
        Kind::Missing => format!("{}{rank}", dice.pick(&SCANNED)),
    };
    path.extend_from_slice(text.as_bytes());
    if dice.chance(20) {
        path.extend_from_slice(b"/caf\xc3\xa9\"menu\"");
    }
    (kind, section)
}

fn asset(rank: u32, adjective: &str, noun: &str, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!("/static/js/chunk-{rank}.{:08x}.js", dice.bits() as u32),
        1 => format!("/images/products/{adjective}-{noun}-{rank}-640x480.webp"),
        2 => format!("/static/css/{noun}-{rank}.css"),
        _ => format!("/images/thumbs/{}/{rank}.jpg", rank % 256),
    }
}

/// One of the sections that hold such a kind; the first where none does.
fn section_for(kind: Kind, dice: &mut Dice) -> u8 {
    let fitting = (0_u8..).zip(&SECTIONS).filter(|(_, section)| section.kind == kind);
    let fitting: Vec<u8> = fitting.map(|(at, _)| at).collect();
    if fitting.is_empty() { 0 } else { *dice.pick(&fitting) }
}

/// Where people come from: the site's own pages, mostly, and search engines.
fn referers(paths: &Texts, pages: &[Page]) -> Texts {
    let mut texts = Texts::default();
    for outside in OUTSIDE {
        texts.add(|out| out.extend_from_slice(outside.as_bytes()));
    }
    let ours = pages.iter().enumerate().filter(|(_, page)| page.kind == Kind::Page).take(2000);
    for (at, _) in ours {
        texts.add(|out| {
            let host = HOSTS[at % 3 % 2];
            out.extend_from_slice(b"https://");
            out.extend_from_slice(host.as_bytes());
            out.extend_from_slice(paths.get(at));
        });
    }
    texts
}

const OUTSIDE: [&str; 12] = [
    "https://www.shop.example/",
    "https://www.google.com/",
    "https://www.shop.example/category/sale",
    "https://www.bing.com/",
    "https://m.facebook.com/",
    "https://duckduckgo.com/",
    "https://l.instagram.com/",
    "https://t.co/Qx7bR2kVpA",
    "https://www.google.de/",
    "android-app://com.google.android.googlequicksearchbox/",
    "https://news.example.org/2026/best-canvas-shoes?utm_source=rss",
    "http://www.shop.example/",
];

const SCANNED: [&str; 8] = [
    "/wp-content/plugins/wp-file-manager/lib/php/connector.minimal.php/",
    "/.env.",
    "/phpmyadmin",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php/",
    "/.git/objects/",
    "/cgi-bin/luci/;stok=/locale/",
    "/old/images/banner-",
    "/actuator/health/",
];

pub(super) const ADJECTIVES: [&str; 16] = [
    "blue",
    "red",
    "slim",
    "classic",
    "organic",
    "waterproof",
    "light",
    "vintage",
    "striped",
    "black",
    "kids",
    "wool",
    "canvas",
    "summer",
    "winter",
    "soft",
];

pub(super) const NOUNS: [&str; 24] = [
    "shoe", "jacket", "lamp", "chair", "shirt", "backpack", "mug", "scarf", "bottle", "table",
    "tent", "watch", "rug", "pillow", "hat", "glove", "boot", "sofa", "basket", "clock", "mirror",
    "bench", "kite", "rope",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn small() -> Site {
        Site::new(Escape::Nginx, 3, 20_000, 5_000, 700)
    }

    fn distinct(texts: &Texts) -> usize {
        (0..texts.len()).map(|at| texts.get(at)).collect::<HashSet<_>>().len()
    }

    #[test]
    fn clients_and_paths_are_as_many_as_asked_for() {
        let site = small();
        assert_eq!(distinct(&site.addresses), 20_000);
        assert_eq!(distinct(&site.paths), 5_000);
    }

    #[test]
    fn each_section_has_busy_paths() {
        assert!(small().busiest.iter().all(|paths| paths.len() == STRUCK));
    }

    #[test]
    fn the_smallest_site_stands() {
        let site = Site::new(Escape::Apache, 3, 0, 0, 0);
        assert_eq!((site.clients.len(), site.pages.len(), site.agents.len()), (1, 1, 1));
    }
}
