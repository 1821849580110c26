//! Configurations, judged by the programs that read them: `nginx -t` and its kin. They only look; that they may not
//! look at everything (keys, for a plain user) is not a fault of the configuration.

use super::command::{Done, NotDone, find, run};
use crate::document::Cell;
use crate::error::{Error, Result};
use crate::probe::class::Class;
use crate::probe::escape::escaped;
use crate::probe::net::Deadline;
use crate::probe::trace::{Halt, Trace};

/// A program that checks the configuration of its service.
#[derive(Debug)]
struct Tool {
    /// The word of the target.
    name: &'static str,
    /// The program; where it goes by several names, the first that is installed.
    programs: &'static [&'static str],
    /// Its arguments.
    arguments: &'static [&'static str],
    /// What goes before the file, if one is given.
    before_file: &'static [&'static str],
    /// The file to check where none is given and the program has none of its own.
    file: Option<&'static str>,
    /// Another program and its arguments, for the words that the checker keeps to itself.
    explains: Option<(&'static str, &'static [&'static str])>,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "nginx",
        programs: &["nginx"],
        arguments: &["-t"],
        before_file: &["-c"],
        file: None,
        explains: None,
    },
    Tool {
        name: "apache",
        programs: &["apachectl", "apache2ctl", "httpd"],
        arguments: &["-t"],
        before_file: &["-f"],
        file: None,
        explains: None,
    },
    Tool {
        name: "haproxy",
        programs: &["haproxy"],
        arguments: &["-c"],
        before_file: &["-f"],
        file: Some("/etc/haproxy/haproxy.cfg"),
        explains: None,
    },
    Tool {
        name: "named",
        programs: &["named-checkconf"],
        arguments: &["-z"],
        before_file: &[],
        file: None,
        explains: None,
    },
    // Makes missing folders of the queue when root asks; it has no mode without.
    Tool {
        name: "postfix",
        programs: &["postfix"],
        arguments: &["check"],
        before_file: &["-c"],
        file: None,
        // Without a terminal it speaks to the mail log alone.
        explains: Some(("postconf", &["-n"])),
    },
    Tool {
        name: "php-fpm",
        programs: &[
            "php-fpm",
            "php-fpm8.4",
            "php-fpm8.3",
            "php-fpm8.2",
            "php-fpm8.1",
            "php-fpm7.4",
        ],
        arguments: &["-t"],
        before_file: &["-y"],
        file: None,
        explains: None,
    },
];

/// What to check: a tool and perhaps a file, or a zone and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    program: &'static [&'static str],
    arguments: Vec<String>,
    explains: Option<(&'static str, Vec<String>)>,
}

/// `nginx`, `haproxy=FILE`, `zone=NAME=FILE`.
pub(super) fn parse(text: &str) -> Result<Check> {
    let (name, file) = text.split_once('=').map_or((text, None), |(name, file)| (name, Some(file)));
    if name == "zone" {
        return zone(file.unwrap_or_default());
    }
    let tool = TOOLS.iter().find(|tool| tool.name == name).ok_or_else(|| {
        let known: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        Error::usage(format!("there is no checker for '{name}'"))
            .advise(format!("checkers: {}, zone=NAME=FILE", known.join(", ")))
    })?;
    Ok(tool.check(file))
}

fn zone(text: &str) -> Result<Check> {
    let (name, file) = text
        .split_once('=')
        .filter(|(name, file)| !name.is_empty() && !file.is_empty())
        .ok_or_else(|| {
            Error::usage(format!("'zone={text}' names no zone and file"))
                .advise("write config:zone=example.org=/path/to/db.example.org")
        })?;
    let arguments = ["--", name, file].map(str::to_owned).to_vec();
    Ok(Check { program: &["named-checkzone"], arguments, explains: None })
}

impl Tool {
    fn check(&self, file: Option<&str>) -> Check {
        let file = file.or(self.file);
        Check {
            program: self.programs,
            arguments: self.words(self.arguments, file),
            explains: self.explains.map(|(program, own)| (program, self.words(own, file))),
        }
    }

    /// A mode stands behind the file that an option names (`-c FILE -t`), and before one that stands alone (`-z FILE`).
    fn words(&self, own: &[&str], file: Option<&str>) -> Vec<String> {
        let before = file.map(|_| self.before_file).unwrap_or_default();
        let with_file = before.iter().copied().chain(file);
        let own = own.iter().copied();
        match self.before_file.is_empty() {
            true => own.chain(with_file).map(str::to_owned).collect(),
            false => with_file.chain(own).map(str::to_owned).collect(),
        }
    }
}

/// The names of the tools that are installed, for a look at the whole machine.
pub(super) fn installed() -> impl Iterator<Item = (&'static str, Check)> {
    let there = |tool: &&Tool| tool.programs.iter().any(|name| find(name).is_some());
    let readable = |tool: &&Tool| tool.file.is_none_or(|file| std::path::Path::new(file).exists());
    let check = |tool: &'static Tool| (tool.name, tool.check(None));
    TOOLS.iter().filter(there).filter(readable).map(check)
}

/// Runs the checker as the step `config`.
pub(super) fn check(trace: &mut Trace<'_>, what: &Check) -> std::result::Result<(), Halt> {
    let program = what.program.iter().find(|name| find(name).is_some());
    let program = program.copied().unwrap_or(what.program[0]);
    let arguments: Vec<_> = what.arguments.iter().map(String::as_str).collect();
    let command = format!("{program} {}", arguments.join(" "));
    let done = trace.step("config", command.as_str(), |deadline| {
        Ok(run(program, &arguments, deadline).map(|done| explained(done, what, deadline)))
    })?;
    match done {
        Ok(done) => judge(trace, &command, &done),
        Err(NotDone::Missing) => {
            Err(trace.halt(Class::NotInstalled, command, format!("there is no {program}")))
        }
        Err(NotDone::TooSlow) => {
            Err(trace.halt(Class::CheckerFailed, command, "it did not end in time"))
        }
        Err(NotDone::NotStarted(why)) => Err(trace.halt(Class::CheckerFailed, command, why)),
    }
}

/// What the checker said; where it failed without a word, what the other program says.
fn explained(mut done: Done, what: &Check, deadline: Deadline) -> Done {
    let Some((program, arguments)) = &what.explains else { return done };
    if done.code != Some(0) && done.output.is_empty() {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        done.output =
            run(program, &arguments, deadline).map(|other| other.output).unwrap_or_default();
    }
    done
}

fn judge(trace: &mut Trace<'_>, command: &str, done: &Done) -> std::result::Result<(), Halt> {
    let lines: Vec<_> =
        done.output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    trace.evidence(&done.output);
    trace.fact("lines", Cell::List(lines.iter().take(20).map(Cell::text).collect()));
    let asked = format!("{command} to be content");
    if done.code != Some(0) {
        let class =
            if is_not_permitted(&done.output) { Class::NotPermitted } else { Class::ConfigInvalid };
        let came = telling(&lines);
        trace.fault(class, asked, came);
        trace.next(command);
        return Err(Halt);
    }
    trace.summary(format!(
        "{command}: {}",
        lines.last().map_or("content".into(), |line| escaped(line, 200))
    ));
    let warnings = lines.iter().filter(|line| holds(line, &["warn"])).count();
    if warnings > 0 {
        let first = lines.iter().find(|line| holds(line, &["warn"])).copied().unwrap_or_default();
        trace.fault(
            Class::ConfigWarning,
            asked,
            format!("{warnings} warnings: {}", escaped(first, 300)),
        );
        trace.next(command);
    }
    Ok(())
}

/// The line that says what is wrong; the last one where none says so.
fn telling(lines: &[&[u8]]) -> String {
    const WORDS: [&str; 9] = [
        "emerg",
        "alert",
        "fatal",
        "error",
        "invalid",
        "missing",
        "not allowed",
        "unknown",
        "near '",
    ];
    // Apache's own program ends with advice of its own.
    let own: Vec<_> =
        lines.iter().filter(|line| !line.starts_with(b"The Apache error log")).collect();
    let place =
        own.iter().position(|line| holds(line, &WORDS)).unwrap_or(own.len().saturating_sub(1));
    let Some(line) = own.get(place) else { return "it says nothing".to_owned() };
    // Apache names the place in one line and the mistake in the next.
    match own.get(place + 1).filter(|_| line.ends_with(b":")) {
        Some(next) => format!("{} {}", escaped(line, 200), escaped(next, 200)),
        None => escaped(line, 300),
    }
}

fn is_not_permitted(output: &[u8]) -> bool {
    holds(
        output,
        &["permission denied", "not permitted", "reserved for the superuser", "must be root"],
    )
}

fn holds(line: &[u8], words: &[&str]) -> bool {
    let text = String::from_utf8_lossy(line).to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        parse(text).unwrap().arguments.join(" ")
    }

    #[test]
    fn commands() {
        assert_eq!(words("nginx"), "-t");
        assert_eq!(words("nginx=/tmp/n.conf"), "-c /tmp/n.conf -t");
        assert_eq!(words("haproxy"), "-f /etc/haproxy/haproxy.cfg -c");
        assert_eq!(words("named=/tmp/named.conf"), "-z /tmp/named.conf");
        assert_eq!(words("postfix=/tmp/etc"), "-c /tmp/etc check");
        assert_eq!(words("zone=a.test=/tmp/db"), "-- a.test /tmp/db");
        assert!(parse("zone=a.test").is_err() && parse("iis").is_err());
    }

    #[test]
    fn the_telling_line() {
        let lines: [&[u8]; 2] = [b"reading", b"nginx: [emerg] unknown directive"];
        assert_eq!(telling(&lines), "nginx: [emerg] unknown directive");
        assert_eq!(telling(&[b"strange"]), "strange");
        let two: [&[u8]; 2] = [b"Syntax error on line 2:", b"Invalid command"];
        assert_eq!(telling(&two), "Syntax error on line 2: Invalid command");
        assert_eq!(telling(&[]), "it says nothing");
        assert!(is_not_permitted(b"open() \"/run/nginx.pid\" failed (13: Permission denied)"));
    }
}
