//! The program in a folder of its own: logs are written there, commands run there, and what they said is kept.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder of its own, in which logs stand and commands run.
pub(crate) struct Place(pub(crate) tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let place = Self::new();
        place.write(name, bytes);
        place
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn run(&self, command: &str) -> Said {
        let words = command.split_whitespace();
        let output = Command::new(env!("CARGO_BIN_EXE_logmill"))
            .args(words)
            .current_dir(self.0.path())
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said::from(output)
    }

    /// The same in a shell that has set something before.
    pub(crate) fn run_in(&self, command: &str, setting: &str) -> Said {
        let script = format!("{setting} && exec {} {command}", env!("CARGO_BIN_EXE_logmill"));
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said::from(output)
    }
}

/// What a run said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// A record of an access log.
pub(crate) const LINE: &str =
    r#"10.0.0.7 - - [07/Mar/2024:09:15:02 +0100] "GET /a HTTP/1.1" 200 5 "-" "x""#;

/// So many records, each a line.
pub(crate) fn lines(count: usize) -> String {
    format!("{LINE}\n").repeat(count)
}

/// A text in gzip.
pub(crate) fn packed(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}
