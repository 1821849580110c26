//! The definitions of log lines in the servers' own configurations: `log_format` and `access_log` of Nginx, `LogFormat`
//! and `CustomLog` of Apache, with all files that a configuration includes.
//!
//! Only what names logs is understood; every other directive is passed over, whatever block it stands in. A part that
//! cannot be read is a problem with its file and line, and the rest is read all the same. Descriptions:
//! <https://nginx.org/en/docs/http/ngx_http_log_module.html> and
//! <https://httpd.apache.org/docs/2.4/mod/mod_log_config.html>.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The most files that one configuration may consist of.
const MOST_FILES: usize = 2_000;

/// What a configuration says about access logs.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The definitions, in the order in which they stand. Of one name the first counts.
    pub definitions: Vec<Definition>,
    /// The logs that are written.
    pub logs: Vec<Log>,
    /// What could not be read.
    pub problems: Vec<Error>,
}

/// A definition of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name; for one that was written beside its log without a name, the log's path.
    pub name: String,
    /// The definition in the server's language, quotes and escapes of the configuration taken off. Nginx's `escape=none`
    /// and `escape=json` stay in front.
    pub text: String,
    /// Whose language that is.
    pub language: Language,
    /// Where it stands.
    pub place: Place,
}

/// The language of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// That of Nginx's `log_format` or of Apache's `LogFormat`: the text tells which.
    Web,
    /// HAProxy's `log-format`.
    Haproxy,
    /// The same in an `error-log-format`.
    HaproxyErrors,
}

/// A log that a server writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The path as configured, which may be relative or hold variables.
    pub path: String,
    /// The name of its definition.
    pub definition: String,
    /// Where it stands.
    pub place: Place,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl Configuration {
    fn problem(&mut self, place: &Place, what: &str) {
        let what = format!("line {}: {what}", place.line);
        self.problems.push(Error::input(what).at(&place.file));
    }
}

/// Reads a configuration of Nginx with all that it includes.
///
/// # Errors
/// When the file itself cannot be read.
pub fn nginx(path: &Path) -> Result<Configuration> {
    Reader::new(path, nginx_statements, Reader::nginx).whole(path)
}

/// Reads a configuration of Apache with all that it includes.
///
/// # Errors
/// When the file itself cannot be read.
pub fn apache(path: &Path) -> Result<Configuration> {
    Reader::new(path, apache_statements, Reader::apache).whole(path)
}

/// A directive with its arguments.
#[derive(Debug, PartialEq)]
struct Statement {
    line: usize,
    words: Vec<String>,
}

/// Goes through the files of one configuration.
struct Reader {
    statements: fn(&str) -> Vec<Statement>,
    take: fn(&mut Self, &[&str], &Place),
    /// What relative paths count from: the folder of the first file, or Apache's `ServerRoot`.
    root: PathBuf,
    /// Apache's `Define`.
    variables: HashMap<String, String>,
    files: usize,
    /// The files that are being read, each included by the one before.
    open: Vec<PathBuf>,
    found: Configuration,
}

impl Reader {
    fn new(
        path: &Path,
        statements: fn(&str) -> Vec<Statement>,
        take: fn(&mut Self, &[&str], &Place),
    ) -> Self {
        let root = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let found = Configuration::default();
        Self { statements, take, root, variables: HashMap::new(), files: 0, open: vec![], found }
    }

    fn whole(mut self, path: &Path) -> Result<Configuration> {
        self.file(path).map_err(|error| Error::io("read", path, error))?;
        Ok(self.found)
    }

    fn file(&mut self, path: &Path) -> std::io::Result<()> {
        let text = fs::read(path)?;
        self.files += 1;
        self.open.push(path.to_path_buf());
        for statement in (self.statements)(&String::from_utf8_lossy(&text)) {
            let place = Place { file: path.to_path_buf(), line: statement.line };
            let words: Vec<String> =
                statement.words.iter().map(|word| self.with_variables(word)).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            (self.take)(self, &words, &place);
        }
        self.open.pop();
        Ok(())
    }

    /// `${NAME}` replaced where a `Define` gave a value; others stay as they are.
    fn with_variables(&self, word: &str) -> String {
        let mut word = word.to_owned();
        for (name, value) in &self.variables {
            word = word.replace(&format!("${{{name}}}"), value);
        }
        word
    }

    fn nginx(&mut self, words: &[&str], place: &Place) {
        match words {
            ["log_format", name, parts @ ..] => {
                let (escape, parts) = match parts {
                    [escape @ ("escape=none" | "escape=json"), parts @ ..] => (*escape, parts),
                    [escape, parts @ ..] if escape.starts_with("escape=") => ("", parts),
                    parts => ("", parts),
                };
                let text = [escape, &parts.concat()].join(" ");
                self.define(name, text.trim_start(), place);
            }
            ["access_log", "off", ..] => {}
            ["access_log", path, more @ ..] => {
                let name = more.first().filter(|word| !word.contains('='));
                self.log(path, name.unwrap_or(&"combined"), place);
            }
            ["include", pattern] => self.include(pattern, true, place),
            _ => {}
        }
    }

    fn apache(&mut self, words: &[&str], place: &Place) {
        let [directive, arguments @ ..] = words else { return };
        match (directive.to_ascii_lowercase().as_str(), arguments) {
            ("logformat", [text, name]) => self.define(name, text, place),
            ("customlog" | "globallog", [path, text, ..]) if text.contains('%') => {
                self.define(path, text, place);
                self.log(path, path, place);
            }
            ("customlog" | "globallog", [path, name, ..]) => self.log(path, name, place),
            ("transferlog", [path]) => self.log(path, "common", place),
            ("include", [pattern]) => self.include(pattern, true, place),
            ("includeoptional", [pattern]) => self.include(pattern, false, place),
            ("serverroot", [root]) => self.root = PathBuf::from(root),
            ("define", [name, value]) => {
                self.variables.insert((*name).to_owned(), (*value).to_owned());
            }
            ("customlog" | "globallog" | "logformat", _) => {
                self.found.problem(place, "a log is defined with too few or too many words");
            }
            _ => {}
        }
    }

    fn define(&mut self, name: &str, text: &str, place: &Place) {
        if text.is_empty() {
            self.found.problem(place, &format!("the definition of '{name}' is empty"));
        } else if !self.found.definitions.iter().any(|known| known.name == name) {
            let (name, text, place) = (name.to_owned(), text.to_owned(), place.clone());
            let language = Language::Web;
            self.found.definitions.push(Definition { name, text, language, place });
        }
    }

    fn log(&mut self, path: &str, definition: &str, place: &Place) {
        let (path, definition) = (path.to_owned(), definition.to_owned());
        self.found.logs.push(Log { path, definition, place: place.clone() });
    }

    /// Reads the files that a pattern stands for. A plain name has to exist, unless it is optional.
    fn include(&mut self, pattern: &str, is_needed: bool, place: &Place) {
        let mut path = self.root.join(pattern);
        if path.is_dir() {
            path = path.join("*");
        }
        let is_pattern = path.to_string_lossy().contains(['*', '?', '[']);
        let paths: Vec<PathBuf> = match glob::glob(&path.to_string_lossy()) {
            Ok(found) => found.flatten().filter(|path| path.is_file()).collect(),
            Err(_) => Vec::new(),
        };
        if paths.is_empty() && is_needed && !is_pattern {
            self.found.problem(place, &format!("'{pattern}' is not there"));
        }
        for path in paths {
            if self.files >= MOST_FILES {
                return self.found.problem(place, "includes more files than one configuration has");
            }
            if self.open.contains(&path) {
                let what = format!("'{}' is not read again inside itself", path.display());
                self.found.problem(place, &what);
                continue;
            }
            if let Err(error) = self.file(&path) {
                self.found.problems.push(Error::io("read", &path, error));
            }
        }
    }
}

/// The statements of Nginx: words up to `;` or `{`, which may be quoted and stand on several lines.
fn nginx_statements(text: &str) -> Vec<Statement> {
    let (mut statements, mut words) = (Vec::new(), Vec::new());
    let (mut line, mut begun) = (1, 1);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\n' => line += 1,
            '#' => while rest.next_if(|next| *next != '\n').is_some() {},
            ';' | '{' | '}' => {
                let words = std::mem::take(&mut words);
                statements.push(Statement { line: begun, words });
            }
            character if character.is_whitespace() => {}
            character => {
                if words.is_empty() {
                    begun = line;
                }
                words.push(nginx_word(character, &mut rest, &mut line));
            }
        }
    }
    statements.retain(|statement: &Statement| !statement.words.is_empty());
    statements
}

/// A word that begins with `first`. Inside quotes it goes up to the next of these; outside, braces belong to it behind a
/// dollar sign. A backslash takes the meaning of what follows, and `\t`, `\r` and `\n` are what they are everywhere.
fn nginx_word(
    first: char,
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    line: &mut usize,
) -> String {
    let quote = matches!(first, '"' | '\'').then_some(first);
    let mut word = String::new();
    let mut next = if quote.is_some() { rest.next() } else { Some(first) };
    while let Some(character) = next {
        match character {
            character if Some(character) == quote => return word,
            '\\' => match rest.next() {
                Some('t') => word.push('\t'),
                Some('r') => word.push('\r'),
                Some('n') => word.push('\n'),
                Some(escaped @ ('"' | '\'' | '\\' | ';' | ' ')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => word.push('\\'),
            },
            '\n' => {
                *line += 1;
                word.push('\n');
            }
            character => word.push(character),
        }
        if quote.is_none() {
            let in_braces =
                word.ends_with('$') || word.rfind("${").is_some_and(|at| !word[at..].contains('}'));
            let ends = |next: &char| next.is_whitespace() || ";{}".contains(*next) && !in_braces;
            if rest.peek().is_none_or(ends) {
                return word;
            }
        }
        next = rest.next();
    }
    word
}

/// The statements of Apache: a line each, which goes on behind a backslash at its end.
fn apache_statements(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, first)) = lines.next() {
        let mut whole = first.trim().to_owned();
        while let Some(begun) = whole.strip_suffix('\\') {
            let next = lines.next().map_or("", |(_, next)| next.trim_end());
            whole = format!("{begun}{next}");
        }
        if !whole.starts_with(['#', '<']) && !whole.is_empty() {
            statements.push(Statement { line: number + 1, words: apache_words(&whole) });
        }
    }
    statements
}

/// The words of a line. Inside quotes, a backslash before the quote or before itself goes away; the escapes of the
/// definition itself stay.
fn apache_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let quote = matches!(first, '"' | '\'').then_some(first);
        let (mut word, mut end) = (String::new(), rest.len());
        let mut characters = rest.char_indices().skip(usize::from(quote.is_some())).peekable();
        while let Some((at, character)) = characters.next() {
            let is_end = match quote {
                Some(quote) => character == quote,
                None => character.is_whitespace(),
            };
            if is_end {
                end = at + character.len_utf8();
                break;
            }
            let escaped = |(_, next): &(usize, char)| Some(*next) == quote || *next == '\\';
            match characters.next_if(|next| character == '\\' && escaped(next)) {
                Some((_, next)) => word.push(next),
                None => word.push(character),
            }
        }
        words.push(word);
        rest = rest[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn texts(found: &Configuration) -> Vec<(&str, &str)> {
        found.definitions.iter().map(|own| (own.name.as_str(), own.text.as_str())).collect()
    }

    #[test]
    fn nginx_definitions_in_several_files_and_lines() {
        let main = "# log_format no 'x';\nhttp {\n  include conf.d/*.conf;\n  include mime.types;\n\
                    \tlog_format main '$remote_addr - [$time_local] '\n    '\"$request\" ${status}' ;\n\
                    access_log logs/a.log main buffer=32k;\n access_log off;\n\
                    server { access_log logs/b.log; } }\n";
        let more = "log_format js escape=json \"{\\\"a\\\":\\\"$uri\\\"}\"; log_format t $msec\\t${status}x;\ninclude conf.d/*.conf;";
        let folder = folder(&[("nginx.conf", main), ("conf.d/a.conf", more)]);
        let found = nginx(&folder.path().join("nginx.conf")).unwrap();
        let main = r#"$remote_addr - [$time_local] "$request" ${status}"#;
        let wanted =
            [("js", r#"escape=json {"a":"$uri"}"#), ("t", "$msec\t${status}x"), ("main", main)];
        assert_eq!(texts(&found), wanted);
        assert_eq!(found.definitions[2].place.line, 5);
        let logs: Vec<_> =
            found.logs.iter().map(|log| (&log.path[..], &log.definition[..])).collect();
        assert_eq!(logs, [("logs/a.log", "main"), ("logs/b.log", "combined")]);
        let problems: Vec<String> = found.problems.iter().map(Error::to_string).collect();
        assert!(
            problems[0].ends_with("a.conf' is not read again inside itself"),
            "{}",
            problems[0]
        );
        assert!(problems.last().unwrap().ends_with("line 4: 'mime.types' is not there"));
    }

    #[test]
    fn apache_definitions() {
        let main = "ServerName x\nDefine LOGS /var/log/x\n<IfModule log_config_module>\n\
                    LogFormat \"%h \\\"%r\\\" %>s \\\n    %b\" short\n# LogFormat \"%h\" no\n\
                    CustomLog ${LOGS}/a.log short env=!quiet\nCustomLog \"|/bin/x y\" '%h %\"r'\n\
                    </IfModule>\nIncludeOptional none/*.conf\nInclude sites\nLogFormat\n";
        let folder = folder(&[("apache2.conf", main), ("sites/a", "customlog b.log combined\n")]);
        let found = apache(&folder.path().join("apache2.conf")).unwrap();
        let wanted = [("short", "%h \"%r\" %>s     %b"), ("|/bin/x y", "%h %\"r")];
        assert_eq!(texts(&found), wanted);
        let logs: Vec<_> =
            found.logs.iter().map(|log| (&log.path[..], &log.definition[..])).collect();
        let wanted =
            [("/var/log/x/a.log", "short"), ("|/bin/x y", "|/bin/x y"), ("b.log", "combined")];
        assert_eq!(logs, wanted);
        assert_eq!(found.problems.len(), 1);
        assert!(found.problems[0].to_string().contains("line 12: "), "{}", found.problems[0]);
    }

    #[test]
    fn an_absent_configuration_is_an_error() {
        assert!(nginx(Path::new("/nowhere/nginx.conf")).unwrap_err().is_not_found());
    }
}
