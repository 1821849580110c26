//! Entries of systemd's journal, as `journalctl` writes them with all their fields.
//!
//! ```text
//! {"__REALTIME_TIMESTAMP":"1709799302418123","_HOSTNAME":"web1","SYSLOG_IDENTIFIER":"nginx","_PID":"77","MESSAGE":"…"}
//! ```
//!
//! Each comes out as a line of `journalctl -o short-iso-precise`, in UTC: formats know that as an envelope. Descriptions:
//! `journalctl(1)`, `systemd.journal-fields(7)`, and the journal export formats of systemd.

use memchr::memchr;

use super::json::member;
use super::{LONGEST, Opening, whole_lines};
use crate::escape::unescape;

/// The first field of an entry that was exported.
const FIRST: &[u8] = b"__CURSOR=";

pub(super) fn is_export(head: &[u8]) -> bool {
    head.starts_with(FIRST)
}

/// True for an entry in JSON.
pub(super) fn is_entry(line: &[u8]) -> bool {
    member(line, b"__REALTIME_TIMESTAMP").is_some()
}

/// What of an entry goes into its line.
#[derive(Debug, Default)]
struct Entry {
    micros: Option<i64>,
    host: Vec<u8>,
    /// What the program calls itself, and what the kernel calls it.
    tags: [Vec<u8>; 2],
    pids: [Vec<u8>; 2],
    message: Vec<u8>,
}

impl Entry {
    fn set(&mut self, name: &[u8], value: &[u8]) {
        let field = match name {
            b"__REALTIME_TIMESTAMP" => {
                self.micros = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                return;
            }
            b"_HOSTNAME" => &mut self.host,
            b"SYSLOG_IDENTIFIER" => &mut self.tags[0],
            b"_COMM" => &mut self.tags[1],
            b"SYSLOG_PID" => &mut self.pids[0],
            b"_PID" => &mut self.pids[1],
            b"MESSAGE" => &mut self.message,
            _ => return,
        };
        value.clone_into(field);
    }

    /// The line; `None` when the entry says no time.
    fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        let time = chrono::DateTime::from_timestamp_micros(self.micros?)?;
        out.extend_from_slice(time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00 ").to_string().as_bytes());
        push_word(&self.host, out);
        out.push(b' ');
        push_word(said(&self.tags), out);
        let pid = said(&self.pids);
        if !pid.is_empty() && pid.iter().all(u8::is_ascii_digit) {
            out.extend_from_slice(&[b"[", pid, b"]"].concat());
        }
        out.extend_from_slice(b": ");
        out.extend_from_slice(self.message.strip_suffix(b"\n").unwrap_or(&self.message));
        out.push(b'\n');
        Some(())
    }
}

fn said(texts: &[Vec<u8>; 2]) -> &[u8] {
    texts.iter().find(|text| !text.is_empty()).map_or(b"-", Vec::as_slice)
}

/// A word, whatever the text: what would end it becomes a line below.
fn push_word(text: &[u8], out: &mut Vec<u8>) {
    let text = if text.is_empty() { b"-" } else { text };
    out.extend(text.iter().map(|byte| if byte.is_ascii_graphic() { *byte } else { b'_' }));
}

/// Entries that are JSON objects.
#[derive(Debug)]
pub(super) struct Entries;

impl Opening for Entries {
    fn open(&mut self, text: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let whole = whole_lines(text, last);
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            if of_json(line.trim_ascii_end()).and_then(|entry| entry.write(out)).is_none() {
                out.extend_from_slice(line);
            }
        }
        whole.len()
    }
}

fn of_json(line: &[u8]) -> Option<Entry> {
    let mut entry = Entry { message: message(line)?, ..Entry::default() };
    for name in
        ["__REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM", "SYSLOG_PID", "_PID"]
    {
        let mut text = Vec::new();
        unescape(member(line, name.as_bytes()).unwrap_or_default(), &mut text);
        entry.set(name.as_bytes(), &text);
    }
    Some(entry)
}

/// A message is a text, or a list of its bytes where those are no text.
fn message(line: &[u8]) -> Option<Vec<u8>> {
    if let Some(text) = member(line, b"MESSAGE") {
        let mut message = Vec::new();
        unescape(text, &mut message);
        return Some(message);
    }
    const LIST: &[u8] = b"\"MESSAGE\":[";
    let at = memchr::memmem::find(line, LIST)? + LIST.len();
    let list = &line[at..at + memchr(b']', &line[at..])?];
    let byte = |text: &[u8]| std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok();
    list.split(|byte| *byte == b',').map(byte).collect()
}

/// Entries as they were exported: a field a line, an empty line behind each entry. A value that is no text stands
/// behind its length.
#[derive(Debug)]
pub(super) struct Export;

impl Opening for Export {
    fn open(&mut self, text: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let mut done = 0;
        while done < text.len() {
            let mut entry = Entry::default();
            let Some(len) = read_entry(&text[done..], &mut entry) else { break };
            if len > 1 && entry.write(out).is_none() {
                out.extend_from_slice(&text[done..done + len]);
            }
            done += len;
        }
        if last || text.len() - done > LONGEST {
            // No empty line behind the last entry, or none where one should be.
            let mut entry = Entry::default();
            let rest = [&text[done..], b"\n"].concat();
            let is_entry = last && read_entry(&rest, &mut entry).is_some();
            if done < text.len() && !(is_entry && entry.write(out).is_some()) {
                out.extend_from_slice(&text[done..]);
            }
            done = text.len();
        }
        done
    }
}

/// Reads the fields of one entry, and says how long it is with the empty line behind it; `None` when it is not whole.
fn read_entry(text: &[u8], entry: &mut Entry) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + memchr(b'\n', &text[at..])?;
        let line = &text[at..end];
        if line.is_empty() {
            return Some(end + 1);
        }
        at = end + 1;
        match memchr(b'=', line) {
            Some(equals) => entry.set(&line[..equals], &line[equals + 1..]),
            None => {
                let len = u64::from_le_bytes(*text.get(at..)?.first_chunk()?);
                let value = text.get(at + 8..)?.get(..usize::try_from(len).ok()?)?;
                entry.set(line, value);
                at += 8 + value.len() + 1;
                if at > text.len() {
                    return None;
                }
            }
        }
    }
}
