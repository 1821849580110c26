//! Who logs in: from flags, files and the environment, never with a password on the command line.

use std::fs;
use std::path::Path;

use super::login::Credentials;
use crate::error::{Error, Result};
use crate::probe::http::auth::secret;
use crate::probe::options::Options;

impl Credentials {
    /// A user who need not exist.
    pub(super) fn stranger() -> Self {
        Self { user: "logmill".to_owned(), ..Self::default() }
    }
}

/// The user that the options name, if they name one.
pub(super) fn given(options: &Options) -> Result<Option<Credentials>> {
    let mut who = match options.text("defaults-file") {
        Some(path) => from_option_file(path)?,
        None => Credentials::default(),
    };
    if let Some(user) = options.text("user") {
        who.user = sendable("user", user)?;
    }
    if let Some(password) = secret(options, "password")? {
        who.password = password;
    }
    if let Some(database) = options.text("database") {
        who.database = sendable("database", database)?;
    }
    match (who.user.is_empty(), who.password.is_empty()) {
        (false, _) => Ok(Some(who)),
        (true, true) => Ok(None),
        (true, false) => Err(Error::usage("a password wants a user").advise("give --user")),
    }
}

/// A zero would end the name early on the wire.
fn sendable(knob: &str, text: &str) -> Result<String> {
    match text.len() <= 128 && !text.is_empty() && !text.contains('\0') {
        true => Ok(text.to_owned()),
        false => Err(Error::usage(format!("--{knob}: wants a name of at most 128 bytes"))),
    }
}

/// `user` and `password` under `[client]` and its kin.
fn from_option_file(path: &str) -> Result<Credentials> {
    let path = Path::new(path);
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Credentials {
    let mut who = Credentials::default();
    let mut ours = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            ours = matches!(section, "client" | "client-server" | "client-mariadb" | "mysql");
        } else if let Some((key, value)) = line.split_once('=').filter(|_| ours) {
            match key.trim() {
                "user" => who.user = unquoted(value),
                "password" => who.password = unquoted(value),
                _ => {}
            }
        }
    }
    who
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inside = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_files() {
        let who =
            parse("[mysqld]\nuser=mysql\n[client]\n# x\nuser = app\npassword='p=w'\nport=1\n");
        assert_eq!((who.user.as_str(), who.password.as_str()), ("app", "p=w"));
        assert_eq!(parse("user=x\n").user, "");
    }
}
