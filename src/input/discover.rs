//! From what the user named to the files that are meant: paths, directories, patterns, `-`, rotated series.
//!
//! Names are looked up, nothing is opened. What cannot be found is a problem about that one name; the others go on.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::input::handle::Identity;
use crate::input::series;
use crate::input::source::{Source, open_error};

/// Ends of names that say "no log" in a directory of logs. A file that is named itself is taken whatever its name.
const NO_LOGS: [&str; 45] = [
    "7z", "asc", "bak", "bin", "cfg", "cnf", "conf", "crt", "css", "db", "deb", "frm", "gif",
    "gpg", "htm", "html", "ibd", "ico", "ini", "jar", "jpg", "journal", "js", "key", "lock", "md",
    "md5", "pdf", "pem", "php", "pid", "pl", "png", "py", "rpm", "sh", "sha256", "so", "sock",
    "sqlite", "svg", "swp", "tar", "toml", "zip",
];

/// How names are understood.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiscoverOptions {
    /// A path stands for its rotated series too: `access.log` finds `access.log.1`, `access.log-20261121.zst` …
    pub series: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Discovered {
    /// The inputs, each once: in the order named, by name within a directory, a pattern or a series.
    pub sources: Vec<Source>,
    /// Names that led to nothing.
    pub problems: Vec<Error>,
    /// Names that led to a file already found.
    pub repeats: Vec<Repeat>,
}

/// Two names for one file, which is read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The later name.
    pub name: String,
    /// The name under which the file is read.
    pub first: String,
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == self.first {
            return write!(f, "'{}': named more than once, read once", self.name);
        }
        write!(f, "'{}': the same file as '{}', read once", self.name, self.first)
    }
}

/// Finds the files that are meant.
///
/// A name is tried as it stands first, so that a file called `a[1].log` is found; only a name that does not exist is
/// taken as a pattern. A directory stands for the files in it that may be logs, without its folders.
pub fn discover(named: &[OsString], options: &DiscoverOptions) -> Discovered {
    let mut search = Search::default();
    for name in named {
        search.name(Path::new(name), options);
    }
    search.found
}

/// A search under way.
#[derive(Default)]
struct Search {
    found: Discovered,
    /// Which file is known under which name.
    known: HashMap<Option<Identity>, String>,
}

impl Search {
    fn name(&mut self, path: &Path, options: &DiscoverOptions) {
        if path == Path::new("-") {
            return self.add(Source::stdin());
        }
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => self.directory(path),
            Ok(metadata) => {
                self.add(Source::found(path, &metadata));
                if options.series {
                    self.series(path);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.not_found(path, options, error);
            }
            Err(error) => self.found.problems.push(open_error(path, error)),
        }
    }

    /// Adds a source unless it is known. Standard input has no identity and is known by that.
    fn add(&mut self, source: Source) {
        match self.known.get(&source.identity) {
            Some(first) => {
                self.found.repeats.push(Repeat { name: source.name, first: first.clone() });
            }
            None => {
                self.known.insert(source.identity, source.name.clone());
                self.found.sources.push(source);
            }
        }
    }

    /// Adds a file that was found, not named: what is not a regular file, or vanished meanwhile, is passed over.
    fn add_file(&mut self, path: &Path) -> bool {
        let Ok(metadata) = path.metadata() else { return false };
        if metadata.is_file() {
            self.add(Source::found(path, &metadata));
        }
        metadata.is_file()
    }

    fn directory(&mut self, path: &Path) {
        let files = match files_in(path) {
            Ok(files) => files,
            Err(error) => {
                self.found.problems.push(open_error(path, error));
                return;
            }
        };
        let mut any = false;
        for file in files.iter().filter(|file| may_be_log(file)) {
            any |= self.add_file(file);
        }
        if !any {
            self.found.problems.push(no_logs(path));
        }
    }

    /// A name that does not exist: the base of a series, a pattern, or a mistake.
    fn not_found(&mut self, path: &Path, options: &DiscoverOptions, error: io::Error) {
        let mut parts = rotated(path);
        // A link to nowhere has its name too.
        parts.retain(|part| part.as_path() != path);
        if options.series && !parts.is_empty() {
            return self.series(path);
        }
        if let Some(pattern) = path.to_str().filter(|name| name.contains(['*', '?', '['])) {
            return self.pattern(path, pattern);
        }
        let error = open_error(path, error);
        self.found.problems.push(match parts.first() {
            Some(part) => error.advise(format!(
                "'{}' is there; --series reads the rotated files of a name",
                part.display()
            )),
            None => error,
        });
    }

    fn pattern(&mut self, path: &Path, pattern: &str) {
        let paths = match glob::glob(pattern) {
            Ok(paths) => paths,
            Err(error) => {
                let words = format!("is no pattern: {}", error.msg);
                self.found.problems.push(Error::usage(words).at(path));
                return;
            }
        };
        let mut any = false;
        for found in paths {
            match found {
                Ok(file) => any |= self.add_file(&file),
                Err(error) => {
                    let path = error.path().to_path_buf();
                    self.found.problems.push(open_error(&path, error.into()));
                }
            }
        }
        if !any {
            let error = Error::input("no file matches").at(path);
            self.found.problems.push(error.advise("check the folder's name and the pattern"));
        }
    }

    /// Adds the rotated parts of a name. The log itself is among them if it exists, and known by then.
    fn series(&mut self, path: &Path) {
        for part in rotated(path).iter().filter(|part| *part != path) {
            self.add_file(part);
        }
    }
}

/// The files beside `path` that rotation made of it.
fn rotated(path: &Path) -> Vec<PathBuf> {
    let Some(base) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let belongs = |file: &PathBuf| {
        file.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| series::belongs(name, base))
    };
    let parts = files_in(folder).unwrap_or_default().into_iter().filter(belongs);
    // As the user wrote it: without a folder where none was given.
    parts.map(|file| path.with_file_name(file.file_name().unwrap_or_default())).collect()
}

/// What a directory holds, by name.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// False for hidden files and for names that say what else a file is.
fn may_be_log(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else { return false };
    let plain = series::unpacked(&name);
    let end = plain.rsplit_once('.').map_or("", |(_, end)| end);
    !name.starts_with('.')
        && !name.ends_with('~')
        && !NO_LOGS.contains(&end.to_lowercase().as_str())
}

fn no_logs(path: &Path) -> Error {
    let pattern = path.join("*").join("*.log*");
    Error::input("no logs in this directory").at(path).advise(format!(
        "name the files, or a pattern for the folders below: '{}'",
        pattern.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with empty files of these names.
    fn folder(names: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names.split_whitespace() {
            fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    /// What the names (of things in the folder) lead to, as file names, and how many problems and repeats there were.
    fn check(folder: &Path, names: &str, series: bool, expected: &str, others: (usize, usize)) {
        let named: Vec<OsString> = names
            .split_whitespace()
            .map(|name| if name == "-" { "-".into() } else { folder.join(name).into_os_string() })
            .collect();
        let found = discover(&named, &DiscoverOptions { series });
        let name = |source: &Source| source.name.rsplit('/').next().unwrap().to_string();
        let sources: Vec<String> = found.sources.iter().map(name).collect();
        assert_eq!(sources.join(" "), expected);
        assert_eq!((found.problems.len(), found.repeats.len()), others, "{found:?}");
        assert!(found.problems.iter().all(|problem| problem.advice().is_some()));
    }

    #[test]
    fn a_name_stands_for_itself_first() {
        let folder = folder("a.log b.log a[1].log notes.conf");
        let folder = folder.path();
        check(folder, "b.log a.log notes.conf", false, "b.log a.log notes.conf", (0, 0));
        check(folder, "a[1].log", false, "a[1].log", (0, 0));
        check(folder, "*.log", false, "a.log a[1].log b.log", (0, 0));
        check(folder, "? none.log *.zip b.log", false, "b.log", (3, 0));
    }

    #[test]
    fn a_directory_stands_for_the_files_in_it_that_may_be_logs() {
        let folder = folder(
            "access.log error.log.1.gz other.conf .hidden run.pid old.log~ maillog a.html.gz",
        );
        fs::create_dir(folder.path().join("deeper")).unwrap();
        check(folder.path(), ".", false, "access.log error.log.1.gz maillog", (0, 0));
        check(folder.path(), "deeper", false, "", (1, 0));
    }

    #[test]
    fn one_file_is_read_once_whatever_its_names() {
        let folder = folder("a.log");
        let folder = folder.path();
        std::os::unix::fs::symlink(folder.join("a.log"), folder.join("current")).unwrap();
        fs::hard_link(folder.join("a.log"), folder.join("b.log")).unwrap();
        check(folder, "current a.log b.log ./a.log - -", false, "current standard input", (0, 4));
        let named = [folder.join("a.log"), folder.join("current")].map(PathBuf::into_os_string);
        let repeat = discover(&named, &DiscoverOptions::default()).repeats.remove(0).to_string();
        assert!(repeat.ends_with("a.log', read once") && repeat.contains("the same file as"));
    }

    #[test]
    fn a_base_name_stands_for_its_series() {
        let folder = folder(
            "access.log access.log.1 access.log.2.gz access-20261121.log.zst access_ssl.log",
        );
        let series = "access.log access-20261121.log.zst access.log.1 access.log.2.gz";
        check(folder.path(), "access.log", true, series, (0, 0));
        check(folder.path(), "access.log", false, "access.log", (0, 0));
        fs::remove_file(folder.path().join("access.log")).unwrap();
        check(folder.path(), "access.log", true, series.split_once(' ').unwrap().1, (0, 0));
        check(folder.path(), "access.log", false, "", (1, 0));
    }
}
