//! Credentials from a file or the environment, never from the command line, where every user of the machine sees them.

use std::path::Path;
use std::{env, fs};

use crate::error::{Error, Result};
use crate::probe::options::Options;

/// The value of `Authorization`, if credentials are given.
pub(in crate::probe) fn header(options: &Options) -> Result<Option<String>> {
    let mut found = Vec::new();
    for (knob, scheme) in [("basic", "Basic"), ("bearer", "Bearer")] {
        let Some(secret) = secret(options, knob)? else { continue };
        let secret = if scheme == "Basic" { base64(secret.as_bytes()) } else { secret };
        found.push(format!("{scheme} {secret}"));
    }
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(Error::usage("one way to log in is enough: --basic-… or --bearer-…")),
    }
}

/// What `--KNOB-file` or `--KNOB-env` holds, if one of them is given.
pub(in crate::probe) fn secret(options: &Options, knob: &str) -> Result<Option<String>> {
    match (options.text(&format!("{knob}-file")), options.text(&format!("{knob}-env"))) {
        (None, None) => Ok(None),
        (Some(path), None) => from_file(path).map(Some),
        (None, Some(name)) => from_environment(name).map(Some),
        (Some(_), Some(_)) => {
            Err(Error::usage(format!("--{knob}-file and --{knob}-env exclude each other")))
        }
    }
}

fn from_file(path: &str) -> Result<String> {
    let path = Path::new(path);
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    one_line(&text).ok_or_else(|| Error::input("the credentials are not one line").at(path))
}

fn from_environment(name: &str) -> Result<String> {
    let text = env::var(name).ok().and_then(|text| one_line(&text));
    text.ok_or_else(|| Error::usage(format!("the environment has no credentials in '{name}'")))
}

fn one_line(text: &str) -> Option<String> {
    let text = text.trim_end_matches(['\r', '\n']);
    let plain = !text.is_empty() && text.chars().all(|c| !c.is_control());
    plain.then(|| text.to_owned())
}

/// RFC 4648, with padding.
pub(in crate::probe) fn base64(bytes: &[u8]) -> String {
    const SET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = char::from(SET[(bits >> (18 - 6 * place)) as usize % 64]);
            text.push(if place > three.len() { '=' } else { letter });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        let wanted = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, text) in wanted.into_iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..length]), text);
        }
    }

    #[test]
    fn credentials_are_one_line() {
        assert_eq!(one_line("me:secret\n").as_deref(), Some("me:secret"));
        assert_eq!(one_line("a\r\nX-Evil: 1"), None);
        assert_eq!(one_line(""), None);
    }
}
