//! The flags that all commands share that read logs, as typed; and how they become a [`Request`].

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use crate::error::{Error, Result};
use crate::format::haproxy;
use crate::format::web::conf::{self, Configuration};
use crate::input::Mmap;
use crate::plan::{Question, Request};
use crate::report::Options;
use crate::units;

/// Which logs, and which of their records.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Logs {
    /// Files, folders, patterns, or '-' for standard input; plain, gzip, zstd, bzip2 and xz.
    ///
    /// Of a folder its own files are read, and not those of the folders in it.
    #[arg(value_name = "FILES")]
    pub(super) files: Vec<OsString>,

    /// A base name stands for its rotated series: access.log finds access.log.1, access.log.2.gz and so on.
    #[arg(long, help_heading = "Input")]
    series: bool,

    /// The format of all inputs instead of a guess by their first records ('logmill formats' lists them).
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    format: Option<String>,

    /// The definition of all lines: the text of Nginx's log_format, Apache's LogFormat or HAProxy's log-format.
    #[arg(long, value_name = "DEFINITION", conflicts_with = "format", help_heading = "Input")]
    log_format: Option<String>,

    /// Take the definitions of lines from an Nginx configuration, includes followed; each input gets the one that fits.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "log_format"], help_heading = "Input")]
    nginx_conf: Vec<PathBuf>,

    /// Take the definitions of lines from an Apache configuration, includes followed; each input gets the one that fits.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "log_format"], help_heading = "Input")]
    apache_conf: Vec<PathBuf>,

    /// Take the definitions of lines from a configuration of HAProxy, a file or a folder of *.cfg; a log may hold lines
    /// of all of them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "log_format"], help_heading = "Input")]
    haproxy_conf: Vec<PathBuf>,

    /// The zone of stamps that carry none, of the moments that you type, and of all times, hours and days that are shown:
    /// 'Europe/Berlin', or 'local' for that of this machine.
    #[arg(long, value_name = "ZONE", default_value = "UTC", help_heading = "Input")]
    pub(super) tz: String,

    /// Say which format was chosen for each input, and why.
    #[arg(long, help_heading = "Input")]
    pub(super) explain: bool,

    /// Count only records at or after this moment: '2026-11-23 09:00', '09:15', '2h ago'.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, help_heading = "Filter")]
    since: Option<String>,

    /// Count only records before this moment.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, help_heading = "Filter")]
    until: Option<String>,

    /// Count only this long before now: '1h', '2d'.
    #[arg(
        long,
        value_name = "LENGTH",
        conflicts_with = "since",
        allow_hyphen_values = true,
        help_heading = "Filter"
    )]
    last: Option<String>,

    /// Count only records for which this holds: 'status>=500', 'client in 10.0.0.0/8', 'path~^/api/'. May be given
    /// several times; all must hold.
    #[arg(long = "where", value_name = "EXPR", help_heading = "Filter")]
    filters: Vec<String>,

    /// Threads; by default one a core.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        value_parser = whole::<usize>,
        allow_hyphen_values = true,
        help_heading = "Resources"
    )]
    threads: usize,

    /// The most memory for distinct keys; what comes after it is full counts as '(other)'.
    ///
    /// Each thread has an equal part of it, so that hundreds of threads want more.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", help_heading = "Resources")]
    key_memory: String,

    /// Map plain files into memory: 'auto' reads them, which was faster wherever it was measured.
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Resources")]
    mmap: MmapArg,

    /// Show progress on standard error: a bar on a terminal, with 'always' lines elsewhere.
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Resources")]
    pub(super) progress: When,

    /// Write what was counted to this file as well; 'logmill merge' joins such files.
    #[arg(long, value_name = "STATE", help_heading = "Output")]
    pub(super) save: Option<PathBuf>,

    /// Exit with status 1 when more than this part of the records was not understood: '0.1%'.
    #[arg(long, value_name = "SHARE", help_heading = "Output")]
    pub(super) max_rejected: Option<String>,
}

/// How much of each table is shown.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Rows {
    /// The most rows of a table; 0 shows all.
    #[arg(
        long,
        short = 'n',
        value_name = "N",
        default_value_t = 10,
        value_parser = whole::<usize>,
        allow_hyphen_values = true,
        help_heading = "Output"
    )]
    pub(super) limit: usize,
}

/// A number of things, as typed.
pub(super) fn whole<T: FromStr>(text: &str) -> std::result::Result<T, &'static str> {
    text.parse().map_err(|_| "a whole number is wanted, such as 10")
}

/// When to do something that suits a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal.
    Auto,
    /// Never.
    Never,
    /// Always.
    Always,
}

/// The name of the zone that this machine is set to, which `TZ` overrules as it does everywhere.
fn local_zone() -> Result<String> {
    let set = std::env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_owned());
    match set.filter(|zone| !zone.is_empty() && !zone.starts_with('/')) {
        Some(zone) => Ok(zone),
        None => iana_time_zone::get_timezone().map_err(|error| {
            Error::usage(format!("the zone of this machine is not known: {error}"))
                .advise("name it: --tz Europe/Berlin")
        }),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MmapArg {
    Auto,
    Never,
    Always,
}

impl Logs {
    /// The request that these flags make of a question.
    pub(super) fn request(&self, question: Question, options: Options) -> Result<Request> {
        let mut request = Request::new(question, self.inputs()?);
        request.series = self.series;
        request.format.clone_from(&self.format);
        request.log_format.clone_from(&self.log_format);
        for found in self.configurations()? {
            request.definitions.extend(found.definitions);
            request.logs.extend(found.logs);
        }
        request.asked.filters.clone_from(&self.filters);
        request.since.clone_from(&self.since);
        request.until.clone_from(&self.until);
        request.last.clone_from(&self.last);
        request.zone = self.zone()?;
        request.asked.options = options;
        request.threads = self.threads;
        request.key_bytes =
            usize::try_from(units::parse_bytes(&self.key_memory)?).unwrap_or(usize::MAX);
        request.mmap = match self.mmap {
            MmapArg::Auto => Mmap::Auto,
            MmapArg::Never => Mmap::Never,
            MmapArg::Always => Mmap::Always,
        };
        Ok(request)
    }

    /// The zone of stamps without one.
    pub(super) fn zone(&self) -> Result<chrono_tz::Tz> {
        let name = match self.tz.as_str() {
            "local" => local_zone()?,
            name => name.to_owned(),
        };
        name.parse().map_err(|_| {
            Error::usage(format!("there is no time zone '{name}'"))
                .advise("a zone is named like 'Europe/Berlin', 'UTC' or 'local'")
        })
    }

    fn inputs(&self) -> Result<Vec<OsString>> {
        if !self.files.is_empty() {
            return Ok(self.files.clone());
        }
        if std::io::stdin().is_terminal() {
            return Err(no_log_named("and standard input is a terminal"));
        }
        Ok(vec!["-".into()])
    }

    /// What the configurations that were named say; with --explain, where each definition stands.
    fn configurations(&self) -> Result<Vec<Configuration>> {
        let nginx = self.nginx_conf.iter().map(|path| conf::nginx(path));
        let apache = self.apache_conf.iter().map(|path| conf::apache(path));
        let haproxy = self.haproxy_conf.iter().map(|path| haproxy::conf::read(path));
        let found = nginx.chain(apache).chain(haproxy).collect::<Result<Vec<Configuration>>>()?;
        if !found.is_empty() && found.iter().all(|found| found.definitions.is_empty()) {
            return Err(
                Error::usage("the configuration defines no log format").advise(self.other_server())
            );
        }
        if self.explain {
            explain(&found);
        }
        Ok(found)
    }
}

impl Logs {
    /// What to do about configurations that define nothing: mostly they are another server's.
    #[cold]
    fn other_server(&self) -> String {
        let defines =
            |found: Result<Configuration>| found.is_ok_and(|found| !found.definitions.is_empty());
        let of_apache = self.nginx_conf.iter().find(|path| defines(conf::apache(path)));
        let of_nginx = self.apache_conf.iter().find(|path| defines(conf::nginx(path)));
        match (of_apache, of_nginx) {
            (Some(path), _) => format!("it is Apache's: --apache-conf '{}'", path.display()),
            (_, Some(path)) => format!("it is Nginx's: --nginx-conf '{}'", path.display()),
            _ => {
                "leave the flag out: the servers' own formats are recognised without it".to_owned()
            }
        }
    }
}

pub(super) fn no_log_named(why: &str) -> Error {
    Error::usage(format!("no log was named, {why}")).advise(
        "name files or folders, or pipe a log in: logmill report /var/log/nginx/access.log*",
    )
}

/// Says on standard error which definitions were found, and what could not be followed.
fn explain(found: &[Configuration]) {
    let mut stderr = std::io::stderr().lock();
    for configuration in found {
        for definition in &configuration.definitions {
            let at = &definition.place;
            let (file, line) = (at.file.display(), at.line);
            let _ = writeln!(stderr, "logmill: '{file}' line {line} defines {}", definition.name);
        }
        for problem in &configuration.problems {
            let _ = writeln!(stderr, "logmill: {problem}");
        }
    }
}
