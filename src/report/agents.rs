//! What agents are: browsers with their versions, operating systems, bots and other programs by name.
//!
//! Sections beside those of a breakdown: `browsers`, `browser_versions`, `systems`, `bots`, `programs`. Each distinct agent
//! is told once, at the end. The data set is that of Project Woothee; what it does not know and calls itself a bot, crawler
//! or spider counts as a bot under the name that it gives itself, and all else as a program, under its own name too. Agents say
//! what they like: this is what they say.

use rayon::prelude::*;
use woothee::parser::{Parser, WootheeResult};

use super::breakdown::{By, Rows, keyed};
use crate::document::{Note, Section};
use crate::units;

/// The sections that agents have beside the usual ones.
pub(super) fn sections(rows: &Rows<'_>) -> Vec<Section> {
    let parser = Parser::new();
    let agents: Vec<&[u8]> = rows.iter().map(|row| row.key).collect();
    let told: Vec<Told> = agents.into_par_iter().map(|agent| Told::of(&parser, agent)).collect();
    let section = |name: &str, title: &str, key: &str, part: Part| {
        let groups = rows.grouped_by(told.iter().map(part), |name| name.clone().into_bytes());
        let section = rows.over(&groups).section(name.to_owned(), title.to_owned(), By::Count);
        keyed(section, key)
    };
    let mut browsers = section("browsers", "Browsers", "browser", |told| told.browser.as_ref());
    let is_known =
        |told: &Told| told.browser.is_some() || told.bot.is_some() || told.program.is_some();
    let unknown = rows.iter().zip(&told).filter(|(_, told)| !is_known(told));
    let unknown: u64 = unknown.map(|(row, _)| row.counted.count()).sum();
    if unknown > 0 {
        let unknown = units::count(unknown);
        let what = format!("{unknown} records have agents that name no browser, bot or program");
        browsers.notes.push(Note::info(what));
    }
    vec![
        browsers,
        section("browser_versions", "Versions of browsers", "browser", |told| {
            told.version.as_ref()
        }),
        section("systems", "Operating systems", "system", |told| told.system.as_ref()),
        section("bots", "Bots", "bot", |told| told.bot.as_ref()),
        section("programs", "Programs", "program", |told| told.program.as_ref()),
    ]
}

/// One of the things that an agent says.
type Part = fn(&Told) -> Option<&String>;

/// What one agent says of itself.
#[derive(Default)]
struct Told {
    browser: Option<String>,
    version: Option<String>,
    system: Option<String>,
    bot: Option<String>,
    /// What is none of these: a library, a monitor, a script.
    program: Option<String>,
}

impl Told {
    fn of(parser: &Parser, agent: &[u8]) -> Self {
        let Ok(agent) = std::str::from_utf8(agent) else { return Self::default() };
        if let Some(name) = own_bot_name(agent) {
            return Self { bot: Some(name.to_owned()), ..Self::default() };
        }
        match parser.parse(agent) {
            Some(told) if told.category == "crawler" => {
                Self { bot: Some(told.name.to_owned()), ..Self::default() }
            }
            Some(told) if told.category != "misc" && known(told.name).is_some() => Self {
                version: version(&told),
                browser: known(told.name),
                system: known(told.os),
                ..Self::default()
            },
            told => Self {
                program: own_name(agent).map(str::to_owned),
                system: told.and_then(|told| known(told.os)),
                ..Self::default()
            },
        }
    }
}

/// The name that a program gives itself: `Nmap Scripting Engine` of `Mozilla/5.0 (compatible; Nmap Scripting Engine; …)`,
/// `Blackbox Exporter` of `Blackbox Exporter/0.24.0`, `zgrab` of `Mozilla/5.0 (x) zgrab/0.x`.
fn own_name(agent: &str) -> Option<&str> {
    let compatible = agent.split_once("compatible; ").and_then(|(_, rest)| leading_name(rest));
    compatible.or_else(|| leading_name(agent)).or_else(|| product(agent))
}

/// The words in front of the first version, comment or list, if they can be a name.
fn leading_name(text: &str) -> Option<&str> {
    /// More are a sentence.
    const MOST_BYTES: usize = 40;
    let words = text.split(['/', '(', ')', ';', '+']).next()?;
    let is_version = |at: &usize| words[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    let end = words.match_indices(' ').map(|(at, _)| at).find(is_version);
    let name = words[..end.unwrap_or(words.len())].trim();
    let is_name = !name.is_empty() && name.len() <= MOST_BYTES && name.split(' ').all(is_token);
    (is_name && !SAYS_NOTHING.contains(&name)).then_some(name)
}

/// The name of the first product (RFC 9110, section 10.1.5) that an agent lists outside of comments.
fn product(agent: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let outside_comments = move |c: char| {
        depth = if c == '(' { depth + 1 } else { depth };
        let is_outside = depth == 0 && c != ' ';
        depth = if c == ')' { depth.saturating_sub(1) } else { depth };
        !is_outside
    };
    let products = agent.split(outside_comments).filter_map(|product| product.split('/').next());
    let mut named = products.filter(|name| !name.is_empty() && !SAYS_NOTHING.contains(name));
    named.next().filter(|name| is_token(name))
}

/// Products that nearly all agents list.
const SAYS_NOTHING: [&str; 4] = ["Mozilla", "AppleWebKit", "Gecko", "like Gecko"];

/// What holds other bytes than a token may is an attack more often than a name.
fn is_token(word: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    word.bytes().all(is_of_token)
}

fn known(word: &str) -> Option<String> {
    (word != "UNKNOWN").then(|| word.to_owned())
}

/// The browser with the leading number of its version.
fn version(told: &WootheeResult<'_>) -> Option<String> {
    let name = known(told.name)?;
    match told.version.split('.').next().filter(|major| !major.is_empty() && *major != "UNKNOWN") {
        Some(major) => Some(format!("{name} {major}")),
        None => Some(name),
    }
}

/// The word with which an agent calls itself a bot: `bingbot` in `(compatible; bingbot/2.0; +http://…)`. Of a bare `bot`, as
/// addresses of pages about bots have it, the name is that of the program.
fn own_bot_name(agent: &str) -> Option<&str> {
    const KINDS: [&str; 4] = ["bot", "crawler", "spider", "slurp"];
    let words =
        agent.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_' && c != '.');
    let mut named = words.filter(|word| {
        let lower = word.to_ascii_lowercase();
        let is_host = word.contains('.');
        !is_host && KINDS.iter().any(|kind| lower.contains(kind))
    });
    let word = named.next()?;
    let is_bare = KINDS.iter().any(|kind| word.eq_ignore_ascii_case(kind));
    Some(if is_bare { own_name(agent).unwrap_or(word) } else { word })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(agent: &str) -> (Option<String>, Option<String>, Option<String>) {
        let Told { version, system, bot, .. } = Told::of(&Parser::new(), agent.as_bytes());
        (version, system, bot)
    }

    #[test]
    fn browsers_and_systems() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
        assert_eq!(told(chrome), (Some("Chrome 142".into()), Some("Windows 10".into()), None));
        let edge = format!("{chrome} Edg/142.0.0.0");
        assert_eq!(told(&edge).0.as_deref(), Some("Edge 142"));
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
        assert_eq!(told(firefox), (Some("Firefox 128".into()), Some("Linux".into()), None));
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1";
        assert_eq!(told(phone), (Some("Safari 18".into()), Some("iPhone".into()), None));
    }

    #[test]
    fn programs_by_the_name_that_they_give_themselves() {
        let of = |agent: &str| Told::of(&Parser::new(), agent.as_bytes()).program;
        for (agent, name) in [
            ("okhttp/4.12.0", Some("okhttp")),
            ("python-requests/2.31.0", Some("python-requests")),
            ("curl/8.5.0", Some("curl")),
            ("Go-http-client/1.1", Some("Go-http-client")),
            ("kube-probe/1.27", Some("kube-probe")),
            ("Apache-HttpClient/4.5.13 (Java/11.0.2)", Some("Apache-HttpClient")),
            ("Mozilla/5.0 (x (y) z) zgrab/0.x", Some("zgrab")),
            ("node-fetch", Some("node-fetch")),
            ("Blackbox Exporter/0.24.0", Some("Blackbox Exporter")),
            (
                "Let's Encrypt validation server (+https://a.example)",
                Some("Let's Encrypt validation server"),
            ),
            (
                "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://x)",
                Some("Nmap Scripting Engine"),
            ),
            ("Go 1.1 package http", Some("Go")),
            ("Somebody who tells at length what he is, and where to complain", Some("Somebody")),
            ("Mozilla/5.0 (x) AppleWebKit/605.1.15 (KHTML, like Gecko)", None),
            ("(nobody) said/1", Some("said")),
            ("Mozilla/5.0", None),
            ("${jndi:ldap://e.example/a}", None),
            ("() { :; }; echo", None),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", None),
            ("Mozilla/5.0 (compatible; bingbot/2.0; +http://x)", None),
            ("", None),
        ] {
            assert_eq!(of(agent).as_deref(), name, "{agent}");
        }
    }

    #[test]
    fn bots_by_the_name_that_they_give_themselves() {
        let of = |agent: &str| told(agent).2;
        assert_eq!(
            of("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
                .as_deref(),
            Some("Googlebot")
        );
        assert_eq!(of("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)").as_deref(), Some("GPTBot"));
        let user = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ChatGPT-User/1.0; +https://openai.com/bot)";
        assert_eq!(of(user).as_deref(), Some("ChatGPT-User"));
        let agent = "meta-externalagent/1.1 (+https://a.example/webmasters/crawler)";
        assert_eq!(of(agent).as_deref(), Some("meta-externalagent"));
        assert_eq!(of("curl/8.5"), None);
        assert_eq!(of(""), None);
    }
}
