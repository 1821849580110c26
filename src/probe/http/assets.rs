//! The parts that a page names: its styles, scripts and pictures of the same origin, loaded one by one.
//!
//! The page is not parsed as a browser does. Tags are found by their names and the one attribute each; what a script
//! would add is not seen.

use super::url::Url;
use super::{Http, Page};
use crate::document::{Cell, Column, Level, Role, Section, Table};
use crate::probe::class::Class;
use crate::probe::trace::Trace;

/// The most parts that are loaded.
const MOST: usize = 20;

/// The tags that name parts, and the attribute that does.
const TAGS: [(&str, &str); 4] =
    [("<link", "href"), ("<script", "src"), ("<img", "src"), ("<source", "src")];

/// Loads the parts of a page and records those that do not answer 200.
pub(super) fn check(http: &Http, trace: &mut Trace<'_>, url: &Url, page: &Page) {
    let html = String::from_utf8_lossy(&page.body.bytes);
    let named: Vec<Url> = references(&html).iter().filter_map(|text| url.join(text)).collect();
    mixed_content(trace, url, &named);
    let mut own: Vec<&Url> = Vec::new();
    for part in named.iter().filter(|part| part.same_origin(url)) {
        if !own.contains(&part) {
            own.push(part);
        }
    }
    own.truncate(MOST);
    let rows: Vec<_> = own.iter().map(|part| load(http, trace, part)).collect();
    let broken = rows.iter().filter(|row| row[1] != Cell::Level(Level::Ok)).count();
    trace.fact("assets", Cell::Count(rows.len() as u64));
    show(trace, rows);
    if broken > 0 {
        let came = format!("{broken} of {} do not load", own.len());
        trace.fault(Class::AssetBroken, "all parts of the page", came);
    }
}

fn mixed_content(trace: &mut Trace<'_>, url: &Url, named: &[Url]) {
    let plain: Vec<_> = named.iter().filter(|part| url.secure && !part.secure).collect();
    if let Some(first) = plain.first() {
        let came = format!("{} by http, first {first}", plain.len());
        trace.fault(Class::MixedContent, "parts by https only", came);
    }
}

fn load(http: &Http, trace: &Trace<'_>, part: &Url) -> Vec<Cell> {
    let address = Cell::text(part.to_string());
    match http.fetch(trace.run(), part, trace.deadline()) {
        Ok(page) => {
            let good = (200..400).contains(&page.head.status);
            let level = if good { Level::Ok } else { Level::Warning };
            let kind = page.head.header("content-type").map_or(Cell::Empty, Cell::text);
            let bytes = Cell::Bytes(page.body.bytes.len() as u64);
            vec![address, Cell::Level(level), Cell::text(page.head.line()), kind, bytes]
        }
        Err(failure) => {
            let level = Cell::Level(Level::Critical);
            vec![address, level, Cell::text(failure.class.name()), Cell::Empty, Cell::Empty]
        }
    }
}

fn show(trace: &mut Trace<'_>, rows: Vec<Vec<Cell>>) {
    let columns = [
        ("address", Role::Key),
        ("level", Role::Value),
        ("answer", Role::Value),
        ("type", Role::Value),
        ("size", Role::Value),
    ];
    let columns = columns.into_iter().map(|(name, role)| Column::new(name, role)).collect();
    let table = Table { columns, total_rows: rows.len() as u64, rows };
    trace.section(Section::table("assets", "Parts of the page", table));
}

/// The references of all tags that name parts, in the order of the page.
fn references(html: &str) -> Vec<String> {
    let lower = html.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, _) in lower.match_indices('<') {
        let Some((tag, attribute)) = TAGS.iter().find(|(tag, _)| lower[at..].starts_with(tag))
        else {
            continue;
        };
        let end = lower[at..].find('>').map_or(lower.len(), |end| at + end);
        let inside = at + tag.len()..end;
        if *tag == "<link" && !loads(&lower[inside.clone()]) {
            continue;
        }
        // Lower case in ASCII keeps every place.
        found.extend(value(&lower[inside.clone()], &html[inside], attribute));
    }
    found
}

/// A link that a browser loads: styles and icons, not the next page.
fn loads(inside: &str) -> bool {
    ["stylesheet", "icon", "preload", "modulepreload"].iter().any(|word| inside.contains(word))
}

/// The value of an attribute, quoted or not.
fn value(lower: &str, typed: &str, attribute: &str) -> Option<String> {
    let before = |at: usize| lower[..at].ends_with(|c: char| c.is_ascii_whitespace() || c == '"');
    let behind = |at: usize| lower[at + attribute.len()..].trim_start().strip_prefix('=');
    let (at, _) =
        lower.match_indices(attribute).find(|(at, _)| before(*at) && behind(*at).is_some())?;
    let rest = typed[at + attribute.len()..].trim_start().strip_prefix('=')?.trim_start();
    let value = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
        _ => rest.split([' ', '\t', '\n', '\r']).next()?,
    };
    Some(value.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_what_a_browser_loads() {
        let html = "<LINK rel=stylesheet href='/a.css'><link rel=next href=/p2>\
            <script data-src=x SRC = \"b.js?x&amp;y\"></script><img alt=é src=c.png ><script>1<2</script>";
        assert_eq!(references(html), ["/a.css", "b.js?x&y", "c.png"]);
    }

    proptest! {
        #[test]
        fn any_page(html in "(<(link|img|script) |src=|href|[<>\"'= é]|.){0,40}") {
            let _ = references(&html);
        }
    }
}
