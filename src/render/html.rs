//! HTML: one page that needs nothing else, for a browser, a ticket or a printer.
//!
//! The frame is `html/page.html`; style and the script that sorts tables are written into it, charts are SVG, and a policy in
//! the page's head forbids it to load anything. Whatever comes from a log goes through [`text`] and nowhere else: made
//! visible, then escaped. The page follows the reader's light or dark scheme.

mod chart;
mod table;

use std::io::{self, Write};

use super::{Look, Render, curve, escape, figure, sections};
use crate::document::{Body, Cell, Document, Fact, Note, Section, Weight};

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/sort.js");

/// Facts longer than this many columns get a line of their own.
const LONG: usize = 36;

/// The renderer for browsers.
pub(super) struct Html {
    look: Look,
}

impl Html {
    pub(super) fn new(look: &Look) -> Self {
        Self { look: look.clone() }
    }

    /// What stands in a slot of the page.
    fn fill(&self, slot: &str, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        match slot {
            "version" => out.write_all(env!("CARGO_PKG_VERSION").as_bytes()),
            "title" => text(&document.title, out),
            "style" => out.write_all(STYLE.as_bytes()),
            "script" => out.write_all(SCRIPT.as_bytes()),
            "aside" => write!(out, "times in {}", self.look.zone),
            "notes" => notes(&document.notes, out),
            "contents" => self.contents(document, out),
            "sections" => self.sections(document, out),
            _ => Ok(()),
        }
    }

    /// Links to the sections, where there are enough to get lost in.
    fn contents(&self, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        if sections(document, &self.look).count() < 4 {
            return Ok(());
        }
        writeln!(out, "<nav>")?;
        let mut group = "";
        for (index, section) in sections(document, &self.look).enumerate() {
            if section.group != group {
                group = &section.group;
                element("b", "", if group.is_empty() { "·" } else { group }, out)?;
            }
            write!(out, "<a href=\"#{}\">", anchor(section, index))?;
            text(&section.title, out)?;
            writeln!(out, "</a>")?;
        }
        writeln!(out, "</nav>")
    }

    fn sections(&self, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        let mut group = "";
        for (index, section) in sections(document, &self.look).enumerate() {
            if section.group != group {
                group = &section.group;
                element("h2", "group", group, out)?;
            }
            writeln!(out, "<section id=\"{}\">", anchor(section, index))?;
            self.section(section, out)?;
            writeln!(out, "</section>")?;
        }
        Ok(())
    }

    fn section(&self, section: &Section, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "<h2>")?;
        text(&section.title, out)?;
        if let Body::Series(series) = &section.body {
            element("small", "", &curve::span(series, self.look.zone), out)?;
        }
        writeln!(out, "</h2>")?;
        match &section.body {
            body if body.is_empty() => writeln!(out, "<p class=\"more\">none</p>")?,
            Body::Facts(facts) => self.facts(facts, out)?,
            Body::Table(table) => table::write(table, &self.look, out)?,
            Body::Series(series) => chart::write(series, &self.look, out)?,
        }
        notes(&section.notes, out)
    }

    fn facts(&self, facts: &[Fact], out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "<dl>")?;
        for fact in facts {
            let mut value = Vec::new();
            cell(&fact.value, &self.look, &mut value)?;
            let is_long = length(&fact.value) > LONG;
            write!(out, "<div{}>", if is_long { " class=\"long\"" } else { "" })?;
            element("dt", "", &fact.label, out)?;
            write!(out, "<dd>")?;
            out.write_all(&value)?;
            writeln!(out, "</dd></div>")?;
        }
        writeln!(out, "</dl>")
    }
}

impl Render for Html {
    fn render(&self, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        let mut rest = PAGE;
        while let Some((before, after)) = rest.split_once("{{") {
            let (slot, after) = after.split_once("}}").unwrap_or((after, ""));
            out.write_all(before.as_bytes())?;
            self.fill(slot, document, out)?;
            rest = after;
        }
        out.write_all(rest.as_bytes())
    }
}

/// Text that may come from a log.
fn text(text: impl AsRef<[u8]>, out: &mut dyn Write) -> io::Result<()> {
    let visible = escape::visible(text.as_ref());
    let mut rest = visible.as_str();
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        let (before, from) = rest.split_at(at);
        let escaped = match from.as_bytes()[0] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        };
        out.write_all(before.as_bytes())?;
        out.write_all(escaped.as_bytes())?;
        rest = &from[1..];
    }
    out.write_all(rest.as_bytes())
}

fn element(name: &str, class: &str, content: &str, out: &mut dyn Write) -> io::Result<()> {
    match class {
        "" => write!(out, "<{name}>")?,
        class => write!(out, "<{name} class=\"{class}\">")?,
    }
    text(content, out)?;
    write!(out, "</{name}>")
}

/// The heaviest first, as on a terminal; on a page they stand at the top.
fn notes(notes: &[Note], out: &mut dyn Write) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(out, "<ul class=\"notes\">")?;
    for weight in [Weight::Problem, Weight::Warning, Weight::Info] {
        for note in notes.iter().filter(|note| note.weight == weight) {
            write!(out, "<li class=\"{}\">", weight.name())?;
            if weight > Weight::Info {
                write!(out, "<b>{}</b> ", weight.name())?;
            }
            text(&note.text, out)?;
            writeln!(out, "</li>")?;
        }
    }
    writeln!(out, "</ul>")
}

/// What stands in a cell.
fn cell(cell: &Cell, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    match cell {
        Cell::Text(bytes) if bytes.is_empty() => element("span", "u", "\"\"", out),
        Cell::Text(bytes) => text(bytes, out),
        Cell::Level(level) => element("span", level.name(), level.name(), out),
        Cell::List(cells) => list(cells, look, out),
        value => match figure::of(value, look.zone) {
            Some(figure) => number(&figure, out),
            None => element("span", "u", "–", out),
        },
    }
}

fn list(cells: &[Cell], look: &Look, out: &mut dyn Write) -> io::Result<()> {
    for (index, item) in cells.iter().enumerate() {
        write!(out, "{}", if index > 0 { ", " } else { "" })?;
        cell(item, look, out)?;
    }
    Ok(())
}

fn number(figure: &figure::Figure, out: &mut dyn Write) -> io::Result<()> {
    text(&figure.number, out)?;
    match figure.unit {
        "" => Ok(()),
        unit => write!(out, "&nbsp;<span class=\"u\">{unit}</span>"),
    }
}

/// How much text a value is, roughly.
fn length(cell: &Cell) -> usize {
    match cell {
        Cell::Text(bytes) => bytes.len(),
        Cell::List(cells) => cells.iter().map(|cell| length(cell) + 2).sum(),
        _ => 8,
    }
}

/// The address of a section within the page: its path, or its place where the path has more than plain letters.
fn anchor(section: &Section, index: usize) -> String {
    let path = section.path();
    let is_plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
    if is_plain { path } else { format!("section-{index}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use proptest::prelude::*;

    fn rendered(document: &Document) -> String {
        let mut out = Vec::new();
        Html::new(&Look::default()).render(document, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(page: &str, part: &str) {
        assert!(page.contains(part), "no {part} in {page}");
    }

    #[test]
    fn is_whole_and_needs_nothing_else() {
        let page = rendered(&sample::document());
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        for word in ["{{", "}}", "http:", "https:", "src=", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn shows_each_shape_of_section() {
        let page = rendered(&sample::document());
        check(
            &page,
            "<div><dt>bytes sent</dt><dd>1.21&nbsp;<span class=\"u\">GiB</span></dd></div>",
        );
        check(&page, "<section id=\"web/clients\">\n<h2>Clients</h2>");
        check(&page, "<th scope=\"col\" class=\"n\"><button>requests</button></th><th></th>");
        check(&page, "<td class=\"n\" data-v=\"8001\">8,001</td><td class=\"bar\">");
        check(&page, "<rect width=\"66.5\" height=\"10\"/>");
        check(&page, "<td><span class=\"critical\">critical</span></td>");
        check(&page, "<p class=\"more\">… and 1,234 more</p>");
        check(&page, "<span>peak 1,033 at 04:00</span>");
        check(&page, "<li class=\"warning\"><b>warning</b> 12 of 48,213 lines");
    }

    #[test]
    fn hostile_text_stays_text() {
        let page = rendered(&sample::hostile());
        assert_eq!(page.matches("<script").count(), 1);
        check(&page, "&quot;&lt;script&gt;alert(1)&lt;/script&gt;");
    }

    proptest! {
        #[test]
        fn text_makes_no_markup(text in "[<>&\"'=/a-z!-]{1,8}") {
            let (page, plain) = (rendered(&sample::with_text(text.as_bytes())), rendered(&sample::with_text(b"x")));
            for mark in ['<', '>', '"', '\''] {
                prop_assert_eq!(page.matches(mark).count(), plain.matches(mark).count());
            }
        }
    }
}
