//! The look for people: read at three in the morning over a bad connection.
//!
//! A title, then the sections under their headings, then the notes; the last thing on the screen is what one must know to
//! trust the numbers, and a line below the title points there when it weighs. Sections are indented, so that headings
//! stand out without colour. Tables never wrap: see [`plan`] for what gives way on a narrow terminal. Without a terminal
//! (`width` is `None`) nothing is cut or drawn to fit, so that a pipe sees the same bytes everywhere.

mod facts;
mod grid;
mod line;
mod plan;
mod series;
mod shown;
mod table;

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use chrono_tz::Tz;

use super::{Look, Render, curve, escape, sections};
use crate::document::{Body, Cell, Document, Note, Section, Weight};
use line::Line;

/// How far sections stand in from their headings.
const INDENT: usize = 2;
/// Columns between columns.
const GAP: usize = 2;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();
const GOOD: Style = AnsiColor::Green.on_default();
/// Of curves: no level has this colour.
const CURVE: Style = AnsiColor::Cyan.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The renderer for terminals and for pipes that people read.
pub(super) struct Terminal {
    look: Look,
}

impl Terminal {
    pub(super) fn new(look: &Look) -> Self {
        Self { look: look.clone() }
    }
}

impl Render for Terminal {
    fn render(&self, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        let look = &self.look;
        paragraph(&title(document, look), BOLD, look, out)?;
        zone(document, look, out)?;
        pointer(&document.notes, look, out)?;
        let mut group = "";
        let mut said: Vec<&Note> = Vec::new();
        for section in sections(document, look) {
            writeln!(out)?;
            if section.group != group {
                (group, said) = (&section.group, Vec::new());
                group_heading(group, look, out)?;
            }
            show(section, look, out)?;
            notes(&news(&section.notes, &said), look, out)?;
            said.extend(&section.notes);
        }
        if !document.notes.is_empty() {
            writeln!(out)?;
            heading("Notes", "", look, out)?;
        }
        notes(&document.notes, look, out)
    }
}

/// The notes that are worth the line: what is only good to know is said once a group, under the first of the tables about
/// one thing.
fn news(notes: &[Note], said: &[&Note]) -> Vec<Note> {
    let is_new = |note: &&Note| note.weight > Weight::Info || !said.contains(note);
    notes.iter().filter(is_new).cloned().collect()
}

/// The dots between the parts of a title are ours, not a log's.
fn title<'d>(document: &'d Document, look: &Look) -> Cow<'d, str> {
    match look.unicode {
        true => Cow::Borrowed(&document.title),
        false => Cow::Owned(document.title.replace(" · ", " - ")),
    }
}

/// Writes the notes alone, the heaviest first: for the error stream beside an answer in a form that has no place for them.
///
/// # Errors
///
/// What the writer returns.
pub fn notes(notes: &[Note], look: &Look, out: &mut dyn Write) -> io::Result<()> {
    for weight in [Weight::Problem, Weight::Warning, Weight::Info] {
        for note in notes.iter().filter(|note| note.weight == weight) {
            let (mark, style) = mark(weight, look);
            let mut line = Line::new(look);
            line.skip(INDENT);
            line.put(mark, style);
            line.skip(1);
            line.wrapped(
                &clean(&note.text, look),
                if weight == Weight::Info { PLAIN } else { style },
                out,
            )?;
        }
    }
    Ok(())
}

fn mark(weight: Weight, look: &Look) -> (&'static str, Style) {
    match (weight, look.unicode) {
        (Weight::Info, true) => ("·", DIM),
        (Weight::Info, false) => ("-", DIM),
        (Weight::Warning, _) => ("!", WARN),
        (Weight::Problem, true) => ("✗", BAD),
        (Weight::Problem, false) => ("x", BAD),
    }
}

/// Says in which zone the times are, if there are any.
fn zone(document: &Document, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let is_time = |cell: &Cell| matches!(cell, Cell::Instant(_));
    let has_times = sections(document, look).any(|section| match &section.body {
        Body::Facts(facts) => facts.iter().any(|fact| is_time(&fact.value)),
        Body::Table(table) => table.rows.iter().flatten().any(is_time),
        Body::Series(_) => true,
    });
    // Hours and days of a zone are no instants, and hang on it too.
    match has_times || look.zone != Tz::UTC {
        true => paragraph(&format!("times in {}", look.zone), DIM, look, out),
        false => Ok(()),
    }
}

/// One line below the title that says how many warnings wait at the end.
fn pointer(notes: &[Note], look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let of = |weight| notes.iter().filter(|note| note.weight == weight).count();
    let said = [(of(Weight::Problem), "problem"), (of(Weight::Warning), "warning")];
    let said: Vec<_> = said
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if said.is_empty() {
        return Ok(());
    }
    let style = if of(Weight::Problem) > 0 { BAD } else { WARN };
    paragraph(&format!("{}: see the notes at the end", said.join(", ")), style, look, out)
}

fn show(section: &Section, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let aside = match &section.body {
        Body::Series(series) => curve::span(series, look.zone),
        Body::Facts(_) | Body::Table(_) => String::new(),
    };
    heading(&section.title, &aside, look, out)?;
    match &section.body {
        body if body.is_empty() => remark("none", look, out),
        Body::Facts(facts) => facts::show(facts, look, out),
        Body::Table(table) => table::show(table, look, out),
        Body::Series(series) => series::show(series, look, out),
    }
}

/// A line inside a section that is none of its values.
fn remark(text: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let mut line = Line::new(look);
    line.skip(INDENT);
    line.wrapped(text, DIM, out)
}

fn heading(title: &str, aside: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let title = clean(title, look);
    let room = look.width.unwrap_or(usize::MAX);
    if escape::width(&title) + GAP + escape::width(aside) > room {
        paragraph(&title, BOLD, look, out)?;
        return remark(aside, look, out);
    }
    let mut line = Line::new(look);
    line.put(&title, BOLD);
    line.skip(GAP);
    line.put(aside, DIM);
    line.end(out)
}

/// A rule with a name in it, where the sections of another group begin.
fn group_heading(group: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let dash = if look.unicode { "─" } else { "-" };
    let name = match group {
        "" => String::new(),
        group => format!(" {} ", clean(group, look)),
    };
    let room = look.width.unwrap_or(60).min(60);
    let name = escape::cut(&name, room.saturating_sub(2), ellipsis(look));
    let rest = room.saturating_sub(2 + escape::width(&name));
    let mut line = Line::new(look);
    line.put(&dash.repeat(2), DIM);
    line.put(&name, BOLD);
    line.put(&dash.repeat(rest), DIM);
    line.end(out)?;
    writeln!(out)
}

fn paragraph(text: &str, style: Style, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    Line::new(look).wrapped(&clean(text, look), style, out)
}

/// Any text, made fit for this terminal.
fn clean(text: impl AsRef<[u8]>, look: &Look) -> String {
    match look.unicode {
        true => escape::visible(text.as_ref()),
        false => escape::visible_ascii(text.as_ref()),
    }
}

fn ellipsis(look: &Look) -> &'static str {
    if look.unicode { "…" } else { "..." }
}

/// The room inside a section.
fn room(look: &Look) -> Option<usize> {
    look.width.map(|width| width.saturating_sub(INDENT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use proptest::prelude::*;

    fn rendered(document: &Document, look: &Look) -> String {
        let mut out = Vec::new();
        Terminal::new(look).render(document, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn at(width: usize) -> String {
        rendered(&sample::document(), &Look { width: Some(width), ..Look::default() })
    }

    #[test]
    fn what_is_good_to_know_is_said_once_a_group() {
        let mut document = sample::document();
        let notes = [Note::info("say no path"), Note::warning("did not fit")];
        document.sections.truncate(4);
        for (section, group) in document.sections.iter_mut().zip(["a", "a", "a", "b"]) {
            (section.group, section.notes) = (group.to_owned(), notes.to_vec());
        }
        let text = rendered(&document, &Look::default());
        assert_eq!(text.matches("say no path").count(), 2, "{text}");
        assert_eq!(text.matches("did not fit").count(), 4, "{text}");
    }

    #[test]
    fn fits_eighty_columns() {
        let expected = r"
nginx · access.log and 3 more · 2026-11-22 to 2026-11-23
times in UTC
1 warning: see the notes at the end

Summary
  requests      48,213
  first         2026-11-23 00:00:00
  bytes sent    1.21 GiB
  exit code     -9
  mean tries    1.25
  throughput    14.7 KiB/s
  request rate  0.558 /s
  slowest       2 m 05 s
  rejected      <0.1 %
  verdict       warning
  addresses     192.0.2.1, 2001:db8::1
  user          –

── web ─────────────────────────────────────────────────────

Clients
  client                requests   share     bytes      p99  last seen
  203.0.113.7             12,034  25.0 %   114 MiB   850 µs  2026-11-23 09:20:01
  2001:db8:85a3::8a2e…     8,001  16.6 %  8.79 KiB  12.3 ms  2026-11-23 09:20:01
  198.51.100.23                7  <0.1 %       0 B   1.20 s  2026-11-23 09:20:01
  no room for: level
  … and 1,234 more
  · addresses behind a proxy are the proxy's

Errors by kind
  count               kind              example
    311  ███████████  upstream_refused  connect() failed (111: Connection refus…
      4  ▏            caf\xe9\x1b[31m   –

────────────────────────────────────────────────────────────

Requests over time  2026-11-23 00:00 to 08:00 by 5m
            00:00           04:00      07:45     peak  at        last
  requests        ▂▃▃▃▃▃▃▃▃▃█▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃    1,033  04:00      129
  errors                    █                  90.0 %  04:00      0 %
  p99       ████████████████████████████████  12.9 ms  07:55  12.9 ms

Notes
  ! 12 of 48,213 lines were rejected; the first is line 118 of 'access.log.1'
  · 'access.log' was taken for the combined format of Nginx; --format says
    otherwise
";
        assert_eq!(at(80), expected[1..]);
    }

    #[test]
    fn fits_forty_columns() {
        let expected = r"
nginx · access.log and 3 more ·
2026-11-22 to 2026-11-23
times in UTC
1 warning: see the notes at the end

Summary
  requests      48,213
  first         2026-11-23 00:00:00
  bytes sent    1.21 GiB
  exit code     -9
  mean tries    1.25
  throughput    14.7 KiB/s
  request rate  0.558 /s
  slowest       2 m 05 s
  rejected      <0.1 %
  verdict       warning
  addresses     192.0.2.1, 2001:db8::1
  user          –

── web ─────────────────────────────────

Clients
  client                requests   share
  203.0.113.7             12,034  25.0 %
  2001:db8:85a3::8a2e…     8,001  16.6 %
  198.51.100.23                7  <0.1 %
  no room for: bytes, p99, last seen,
  level
  … and 1,234 more
  · addresses behind a proxy are the
    proxy's

Errors by kind
  count                 kind
    311  █████████████  upstream_refused
      4  ▏              caf\xe9\x1b[31m
  no room for: example

────────────────────────────────────────

Requests over time
  2026-11-23 00:00 to 08:00 by 5m
            00:00      07:30     peak
  requests     ▃▄▄▄▄█▄▄▄▄▄▅▄    1,033
  errors            █          90.0 %
  p99       ████████████████  12.9 ms
  no room for: at, last

Notes
  ! 12 of 48,213 lines were rejected;
    the first is line 118 of
    'access.log.1'
  · 'access.log' was taken for the
    combined format of Nginx; --format
    says otherwise
";
        assert_eq!(at(40), expected[1..]);
    }

    #[test]
    fn draws_bars_where_there_is_room() {
        let wide = at(120);
        assert!(wide.contains("12,034  ████████████████████  25.0 %   114 MiB   850 µs"), "{wide}");
        assert!(wide.contains("8,001  █████████████▎        16.6 %"), "{wide}");
        assert!(wide.contains("198.51.100.23                        7  ▏      "), "{wide}");
        assert!(!wide.contains("no room"), "{wide}");
    }

    #[test]
    fn cuts_and_draws_nothing_in_a_pipe() {
        let piped = rendered(&sample::document(), &Look::default());
        assert!(piped.contains("request: \"GET /api/cart HTTP/1.1\"\n"), "{piped}");
        assert!(piped.contains("203.0.113.7                     12,034  25.0 %"), "{piped}");
    }

    #[test]
    fn says_where_there_is_nothing() {
        let facts = Section::facts("facts", "Facts", vec![]);
        let table = Section::table("table", "Table", Default::default());
        let series = Section::series("series", "Series", sample::series(0));
        let document = Document { sections: vec![facts, table, series], ..Document::default() };
        let text = rendered(&document, &Look::default());
        assert_eq!(text.lines().filter(|line| *line == "  none").count(), 3, "{text}");
    }

    #[test]
    fn knows_plain_ascii() {
        let look = Look { width: Some(80), unicode: false, ..Look::default() };
        let text = rendered(&sample::document(), &look);
        assert!(text.is_ascii(), "{text}");
        assert!(text.starts_with("nginx - access.log and 3 more - 2026"), "{text}");
        assert!(text.contains("    311  ###########  upstream_refused"), "{text}");
        assert!(text.contains("850 us"), "{text}");
    }

    #[test]
    fn colours_what_weighs() {
        let text = rendered(&sample::document(), &Look { colour: true, ..Look::default() });
        assert!(text.contains("\u{1b}[1mClients\u{1b}[0m\n"), "{text}");
        assert!(text.contains("1.21 \u{1b}[2mGiB\u{1b}[0m\n"), "{text}");
        assert!(text.contains("\u{1b}[33mwarning\u{1b}[0m\n"), "{text}");
    }

    #[test]
    fn shows_one_section_and_times_in_the_zone_asked_for() {
        let look = Look {
            section: Some("clients".into()),
            zone: chrono_tz::Tz::Europe__Helsinki,
            ..Look::default()
        };
        let text = rendered(&sample::document(), &look);
        assert!(text.contains("times in Europe/Helsinki") && text.contains("11:20:01"), "{text}");
        assert!(!text.contains("Summary"), "{text}");
    }

    proptest! {
        #[test]
        fn lines_fit_and_end_in_ink(text: Vec<u8>, width in 60_usize..160, unicode: bool) {
            let look = Look { width: Some(width), unicode, ..Look::default() };
            for document in [sample::with_text(&text), sample::document()] {
                for line in rendered(&document, &look).lines() {
                    prop_assert!(!line.ends_with(' '), "{line:?}");
                }
            }
            for line in rendered(&sample::document(), &look).lines() {
                prop_assert!(escape::width(line) <= width, "{line:?}");
            }
        }
    }
}
