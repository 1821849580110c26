//! From a finished [`Document`] to bytes: one file a look, all listed in [`RENDERS`].
//!
//! Renderers know looks and nothing of logs. Those for people round, align and escape; those for machines are exact. Text
//! from logs is hostile until it has gone through `escape`.
//!
//! ```
//! use logmill::document::Document;
//! use logmill::render::{Look, make};
//!
//! let document = Document { mode: "report", title: "nothing yet".into(), ..Document::default() };
//! let mut out = Vec::new();
//! make("text", &Look::default())?.render(&document, &mut out).unwrap();
//! assert_eq!(out, b"nothing yet\n");
//! # Ok::<(), logmill::Error>(())
//! ```

mod csv;
mod curve;
mod escape;
mod figure;
mod html;
mod json;
mod kind;
mod terminal;
mod uniq;

#[cfg(test)]
mod sample;

use std::io;

use chrono_tz::Tz;

use crate::document::{Body, Document, Section};
use crate::error::{Error, Result};

pub use escape::visible;
pub(crate) use json::line as json_line;
pub use terminal::notes;

/// How a document should look. What a renderer has no use for, it ignores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The columns of the terminal; `None` where there is none, and then nothing is cut, dropped or drawn to fit.
    pub width: Option<usize>,
    /// Whether colour codes may be written.
    pub colour: bool,
    /// Whether the reader's terminal shows more than ASCII.
    pub unicode: bool,
    /// Whether text may leave as the bytes it was, in the formats that can carry them (CSV, TSV, uniq). For pipes and files
    /// only: on a terminal such text can do as it likes.
    pub raw: bool,
    /// The one section wanted, by its name (`clients`, in every group) or its path (`nginx/clients`).
    pub section: Option<String>,
    /// The zone in which instants are shown to people. Machines get UTC.
    pub zone: Tz,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: None, colour: false, unicode: true, raw: false, section: None, zone: Tz::UTC }
    }
}

/// A document to a writer.
pub trait Render {
    /// Writes the document, or the one section that was asked for. The writes are many and small: give it a buffer.
    ///
    /// # Errors
    ///
    /// What the writer returns; and `InvalidInput` where the document has nothing that this renderer can show.
    fn render(&self, document: &Document, out: &mut dyn io::Write) -> io::Result<()>;
}

/// What the table holds: enough for help, completion and construction.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The word after `--output`.
    pub name: &'static str,
    /// Its line in the help.
    pub about: &'static str,
    /// Builds it.
    pub make: fn(&Look) -> Box<dyn Render>,
}

/// Every renderer, the default first.
pub const RENDERS: &[Entry] = &[
    Entry {
        name: "text",
        about: "for people: aligned columns, bars and sparklines that fit the terminal",
        make: |look| Box::new(terminal::Terminal::new(look)),
    },
    Entry {
        name: "json",
        about: "for programs: exact values with their units, a contract with a version",
        make: |look| Box::new(json::Json::new(look)),
    },
    Entry {
        name: "csv",
        about: "for spreadsheets: exact values, a block for each section or --section alone",
        make: |look| Box::new(csv::Csv::comma(look)),
    },
    Entry {
        name: "tsv",
        about: "the same with tabs, for cut and awk; tabs and newlines in text are escaped",
        make: |look| Box::new(csv::Csv::tab(look)),
    },
    Entry {
        name: "html",
        about: "one page with charts and sortable tables, for a browser, offline",
        make: |look| Box::new(html::Html::new(look)),
    },
    Entry {
        name: "uniq",
        about: "the layout of 'uniq -c': the count and the key of one table",
        make: |look| Box::new(uniq::Uniq::new(look)),
    },
];

/// The renderer of that name.
///
/// # Errors
///
/// A usage error that lists the names there are.
pub fn make(name: &str, look: &Look) -> Result<Box<dyn Render>> {
    match RENDERS.iter().find(|entry| entry.name == name) {
        Some(entry) => Ok((entry.make)(look)),
        None => Err(Error::usage(format!("there is no layout '{}'", visible(name.as_bytes())))
            .advise(format!("layouts: {}", listed(RENDERS.iter().map(|entry| entry.name))))),
    }
}

/// Makes sure that the section asked for is there, before anything is written.
///
/// # Errors
///
/// A usage error that says which was probably meant, or lists the sections there are.
pub fn check_section(document: &Document, look: &Look) -> Result<()> {
    let Some(wanted) = &look.section else { return Ok(()) };
    if sections(document, look).next().is_some() {
        return Ok(());
    }
    let error = Error::usage(format!("the answer has no section '{}'", visible(wanted.as_bytes())));
    let paths = |keep: &dyn Fn(&&Section) -> bool| -> Vec<String> {
        document.sections.iter().filter(keep).map(Section::path).collect()
    };
    let near = paths(&|section| is_near(&section.name, wanted));
    Err(error.advise(match &near[..] {
        [] => format!("sections: {}", paths(&|_| true).join(", ")),
        [one] => format!("did you mean '{one}'?"),
        several => format!("did you mean one of: {}?", several.join(", ")),
    }))
}

/// True for a name that holds what was typed, or is spelt much like it.
fn is_near(name: &str, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    (wanted.len() >= 3 && name.contains(&wanted))
        || strsim::normalized_damerau_levenshtein(name, &wanted) >= 0.6
}

fn listed(names: impl Iterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<_> = names.collect();
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// The sections to show, in their order.
fn sections<'d>(document: &'d Document, look: &Look) -> impl Iterator<Item = &'d Section> {
    let wanted = look.section.as_deref();
    document.sections.iter().filter(move |section| {
        wanted.is_none_or(|wanted| section.name == wanted || section.path() == wanted)
    })
}

/// The word for the shape of a section.
fn shape(body: &Body) -> &'static str {
    match body {
        Body::Facts(_) => "facts",
        Body::Table(_) => "table",
        Body::Series(_) => "series",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn looks() -> impl Iterator<Item = Look> {
        let widths = [None, Some(0), Some(1), Some(20), Some(40), Some(80), Some(120), Some(400)];
        widths.into_iter().flat_map(|width| {
            [true, false].map(|unicode| Look { width, unicode, ..Look::default() })
        })
    }

    fn rendered(name: &str, look: &Look, document: &Document) -> Vec<u8> {
        let mut out = Vec::new();
        make(name, look).unwrap().render(document, &mut out).unwrap();
        out
    }

    #[test]
    fn names_are_unique_and_the_wrong_one_gets_advice() {
        for (index, entry) in RENDERS.iter().enumerate() {
            assert!(RENDERS[..index].iter().all(|other| other.name != entry.name));
        }
        let error = make("xml", &Look::default()).err().unwrap();
        assert_eq!(error.to_string(), "there is no layout 'xml'");
        assert!(error.advice().unwrap().starts_with("layouts: text, json"));
    }

    #[test]
    fn a_missing_section_is_said_with_those_there_are() {
        let look = |section: &str| Look { section: Some(section.into()), ..Look::default() };
        let document = sample::document();
        assert!(check_section(&document, &look("clients")).is_ok());
        assert!(check_section(&document, &look("web/clients")).is_ok());
        let error = check_section(&document, &look("client")).unwrap_err();
        assert_eq!(error.to_string(), "the answer has no section 'client'");
        assert!(
            error.advice().unwrap().starts_with("did you mean ")
                && error.advice().unwrap().contains("web/clients")
        );
        let error = check_section(&document, &look("nosuch")).unwrap_err();
        assert!(error.advice().unwrap().starts_with("sections: "));
    }

    #[test]
    fn no_control_byte_leaves_without_colour() {
        for entry in RENDERS {
            for look in looks() {
                let out = rendered(entry.name, &look, &sample::hostile());
                let controls = out.iter().filter(|byte| byte.is_ascii_control());
                let allowed: &[u8] = if entry.name == "tsv" { b"\n\t" } else { b"\n" };
                assert!(controls.clone().all(|byte| allowed.contains(byte)), "{}", entry.name);
                assert!(!String::from_utf8_lossy(&out).contains('\u{202e}'), "{}", entry.name);
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_renderer(text: Vec<u8>, unicode: bool, width in 0_usize..200) {
            let document = sample::with_text(&text);
            let look = Look { width: Some(width), unicode, ..Look::default() };
            for entry in RENDERS {
                let out = rendered(entry.name, &look, &document);
                prop_assert!(!out.contains(&0x1b), "{}", entry.name);
                prop_assert!(std::str::from_utf8(&out).is_ok(), "{}", entry.name);
            }
        }
    }
}
