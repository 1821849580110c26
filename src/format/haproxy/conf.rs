//! The `log-format` strings of HAProxy's own configuration.
//!
//! A configuration is a file, or a folder whose `*.cfg` are read in the order of their names, as `haproxy -f` does. Only
//! what tells how lines look is understood: `log-format`, `error-log-format`, and the headers that a section captures,
//! because `%[capture.req.hdr(0)]` says no more than a number. Which log a frontend writes is not: syslog decides.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::web::conf::{Configuration, Definition, Language, Place};

/// Reads a configuration.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Configuration> {
    let mut found = Configuration::default();
    for file in files(path).map_err(|error| Error::io("read", path, error))? {
        let text = fs::read(&file).map_err(|error| Error::io("read", &file, error))?;
        for section in sections(&String::from_utf8_lossy(&text)) {
            section.define(&file, &mut found.definitions);
        }
    }
    Ok(found)
}

fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
    let is_read = |path: &PathBuf| path.extension().is_some_and(|end| end == "cfg");
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(is_read).collect();
    files.sort();
    Ok(files)
}

/// What a section says about its lines.
#[derive(Debug, Default)]
struct Section {
    name: String,
    /// Line, language and text.
    formats: Vec<(usize, Language, String)>,
    /// The headers that are captured of requests and of responses, by their numbers; empty for other samples.
    requests: Vec<String>,
    responses: Vec<String>,
}

impl Section {
    fn take(&mut self, line: usize, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut format = |language, text: &str| self.formats.push((line, language, text.into()));
        match words[..] {
            ["log-format", text, ..] => format(Language::Haproxy, text),
            ["error-log-format", text, ..] => format(Language::HaproxyErrors, text),
            ["capture", "request", "header", name, ..] => self.requests.push(name.into()),
            ["capture", "response", "header", name, ..] => self.responses.push(name.into()),
            ["declare", "capture", "request", ..] => self.requests.push(String::new()),
            ["declare", "capture", "response", ..] => self.responses.push(String::new()),
            ["http-request", "capture", sample, "len", ..]
            | ["tcp-request", "content", "capture", sample, "len", ..] => {
                self.requests.push(header(sample).unwrap_or_default().into());
            }
            _ => {}
        }
    }

    /// Adds its formats, unless others have the same text.
    fn define(&self, file: &Path, definitions: &mut Vec<Definition>) {
        for (line, language, text) in &self.formats {
            let text = quoted(&named(text, "req", &self.requests));
            let text = named(&text, "res", &self.responses);
            let is_known = |known: &Definition| known.text == text && known.language == *language;
            if !definitions.iter().any(is_known) {
                let (name, language) = (self.name.clone(), *language);
                let place = Place { file: file.to_path_buf(), line: *line };
                definitions.push(Definition { name, text, language, place });
            }
        }
    }
}

/// `req.hdr(Host)` is the header `Host`.
fn header(sample: &str) -> Option<&str> {
    let inner =
        ["req.hdr(", "req.fhdr(", "hdr("].iter().find_map(|fetch| sample.strip_prefix(fetch))?;
    inner.split([')', ',']).next()
}

/// `capture.req.hdr(0)` by the name of the header: `req.hdr(Host)`.
fn named(text: &str, side: &str, headers: &[String]) -> String {
    let mut text = text.to_owned();
    for (at, header) in headers.iter().enumerate().filter(|(_, header)| !header.is_empty()) {
        text = text.replace(&format!("capture.{side}.hdr({at})"), &format!("{side}.hdr({header})"));
    }
    text
}

/// In quotes, as a definition stands on a command line: what a backslash means was settled by the configuration.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\"))
}

const SECTIONS: [&str; 5] = ["global", "defaults", "frontend", "backend", "listen"];

fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    for (number, line) in text.lines().enumerate() {
        let words = words(line);
        let Some(first) = words.first() else { continue };
        if SECTIONS.contains(&first.as_str()) {
            let name = words.get(1).unwrap_or(first).clone();
            sections.push(Section { name, ..Section::default() });
        } else if let Some(section) = sections.last_mut() {
            section.take(number + 1, &words);
        }
    }
    sections
}

/// The words of a line: `\` protects a character, `"…"` does so but for `\`, `'…'` wholly, `#` begins a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '#') => break,
            (None, character) if character.is_whitespace() => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), character) if open == character => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (_, character) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_their_quotes() {
        for (line, expected) in [
            ("  log-format \"%ci \\\"%r\\\"\" # x", vec!["log-format", "%ci \"%r\""]),
            ("log-format %ci\\ [%tr]\\ \\#%s", vec!["log-format", "%ci [%tr] #%s"]),
            ("a '{\"x\":\"\\n\"}' ''", vec!["a", "{\"x\":\"\\n\"}", ""]),
            ("a b'c 'd", vec!["a", "bc d"]),
            ("# only", vec![]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn formats_of_all_sections_and_the_headers_they_capture() {
        let folder = tempfile::tempdir().unwrap();
        let first = "defaults\n log-format \"%ci %ST\"\nfrontend www\n capture request header Host len 9\n\
                     capture response header Server len 9\n http-request capture req.hdr(User-Agent) len 9\n\
                     log-format '%[capture.req.hdr(0)] \\ %[capture.req.hdr(1),json] %[capture.res.hdr(0)]'\n\
                     error-log-format \"%ci %[fc_err]\"\n";
        fs::write(folder.path().join("1.cfg"), first).unwrap();
        fs::write(folder.path().join("2.cfg"), "listen x\n log-format '%ci %ST'\n").unwrap();
        fs::write(folder.path().join("README"), "log-format x\n").unwrap();
        let found = read(folder.path()).unwrap();
        let texts: Vec<_> =
            found.definitions.iter().map(|own| (&own.name[..], &own.text[..])).collect();
        let www = r#""%[req.hdr(Host)] \\ %[req.hdr(User-Agent),json] %[res.hdr(Server)]""#;
        let expected = [("defaults", "\"%ci %ST\""), ("www", www), ("www", "\"%ci %[fc_err]\"")];
        assert_eq!(texts, expected);
        assert_eq!(found.definitions[2].language, Language::HaproxyErrors);
        assert_eq!(found.definitions[1].place.line, 7);
        assert!(read(Path::new("/nowhere/haproxy.cfg")).unwrap_err().is_not_found());
    }
}
