//! What messages of some kinds say beside the message: a file, a path, a user, the server behind, a rule.

use memchr::{memchr, memrchr};

/// Where a text begins in another, by its first byte. Messages are short: building a searcher for each of a dozen
/// texts took a seventh of the time of parsing.
pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(*wanted.first()?, &text[at..])?;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

/// Where it begins for the last time.
fn rfind(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut end = text.len();
    loop {
        end = memrchr(*wanted.first()?, &text[..end])?;
        if text[end..].starts_with(wanted) {
            return Some(end);
        }
    }
}

/// The text between two marks, the second of which may be missing.
pub(super) fn between<'a>(text: &'a [u8], before: &str, after: &str) -> Option<&'a [u8]> {
    let rest = behind(text, before)?;
    Some(&rest[..find(rest, after.as_bytes()).unwrap_or(rest.len())])
}

fn behind<'a>(text: &'a [u8], before: &str) -> Option<&'a [u8]> {
    Some(&text[find(text, before.as_bytes())? + before.len()..])
}

/// The server behind: `attempt to connect to 192.0.2.20:8080 (*) failed`, `disabling worker for (192.0.2.20)`.
pub(super) fn upstream(message: &[u8]) -> Option<&[u8]> {
    const BEFORE: [&str; 6] = [
        "attempt to connect to ",
        "disabling worker for (",
        "connection to backend: ",
        "from remote server ",
        "request body failed to ",
        "request body failed from ",
    ];
    let name = BEFORE.iter().find_map(|before| behind(message, before))?;
    let name = name.strip_prefix(b"Unix domain socket ").unwrap_or(name);
    let end = name.iter().position(|byte| matches!(byte, b' ' | b')' | b','));
    Some(&name[..end.unwrap_or(name.len())]).filter(|name| *name != b"returned")
}

/// The file: `File does not exist: /srv/www/x`, `… (filesystem path '/srv/x') …`.
pub(super) fn file(message: &[u8]) -> Option<&[u8]> {
    if let Some(path) = between(message, "(filesystem path '", "') ") {
        return Some(path.strip_suffix(b"')").unwrap_or(path));
    }
    if let Some(folder) = between(message, "Cannot serve directory ", ": No matching") {
        return Some(folder);
    }
    if let Some(script) = between(message, "stderr from ", ": script not found") {
        return Some(script);
    }
    if let Some(script) = message.strip_prefix(b"script '") {
        return Some(&script[..rfind(script, b"' not found or unable")?]);
    }
    const BEFORE: [&str; 6] = [
        "File does not exist: ",
        "file permissions deny server access: ",
        "by server configuration: ",
        "unable to stat: ",
        "index forbidden by rule: ",
        "not allowed or link target not accessible: ",
    ];
    BEFORE.iter().find_map(|before| behind(message, before))
}

/// The path in `access to /x denied (…)`.
pub(super) fn denied_path(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"access to ")?;
    let ends = [" denied", " failed"];
    let end = ends.iter().filter_map(|end| find(rest, end.as_bytes())).min();
    Some(&rest[..end?])
}

/// The path in `… returned by /app/report`, and in `… returned by /app/report (GET)`.
pub(super) fn returned_path(message: &[u8]) -> Option<&[u8]> {
    let path = behind(message, " returned by ")?;
    let method =
        memrchr(b' ', path).filter(|at| path[*at..].starts_with(b" (") && path.ends_with(b")"));
    Some(&path[..method.unwrap_or(path.len())])
}

/// The user and the path: `user jo smith: authentication failure for "/private/": Password Mismatch`,
/// `user jo not found: /private/`. The name is as the client sent it, so the server's words are sought from behind.
pub(super) fn user(message: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(rest) = message.strip_prefix(b"Authorization of user ") {
        let reason = rfind(rest, b" failed, reason: ")?;
        let access = rfind(&rest[..reason], b" to access ")?;
        return Some((&rest[..access], &rest[access + b" to access ".len()..reason]));
    }
    let message = message.strip_prefix(b"Digest: ").unwrap_or(message);
    let rest = message.strip_prefix(b"user ")?;
    const QUOTED: [&[u8]; 2] =
        [b": authentication failure for \"", b": authorization failure for \""];
    let quoted = |words: &&'static [u8]| Some((rfind(rest, words)?, words.len()));
    if let Some((at, len)) = QUOTED.iter().filter_map(quoted).max() {
        let path = &rest[at + len..];
        let end = find(path, b"\": ").unwrap_or(path.len());
        return Some((&rest[..at], &path[..end]));
    }
    const UNQUOTED: [&[u8]; 2] = [b": password mismatch: ", b" not found: "];
    let unquoted = |words: &&'static [u8]| Some((rfind(rest, words)?, words.len()));
    let (at, len) = UNQUOTED.iter().filter_map(unquoted).max()?;
    // Digests say the realm too: `user `jo' in realm `shop' not found: /p/`.
    let name = rest[..at].strip_prefix(b"`");
    let name = name.and_then(|name| Some(&name[..rfind(name, b"' in realm `")?]));
    Some((name.unwrap_or(&rest[..at]), &rest[at + len..]))
}

/// What PHP says first: `PHP Fatal error`. Behind `Got error '`, or at the beginning.
pub(super) fn first_words(message: &[u8]) -> Option<&[u8]> {
    let said = message.strip_prefix(b"Got error '").unwrap_or(message);
    let said = if said.starts_with(b"mod_wsgi (") { behind(said, "): ")? } else { said };
    let said = said.strip_prefix(b"PHP message: ").unwrap_or(said);
    let end = said.iter().take(64).position(|byte| matches!(byte, b':' | b'\'' | b'\\'))?;
    Some(said[..end].trim_ascii_end())
}

/// OpenSSL's words and the number of the alert: `SSL Library Error: error:0A000418:SSL routines::tlsv1 alert unknown
/// ca (SSL alert number 48)`.
pub(super) fn tls(message: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let reason = behind(message, "error:")?.splitn(4, |byte| *byte == b':').nth(3)?;
    match find(reason, b" (SSL alert number ") {
        Some(at) => Some((&reason[..at], between(reason, " (SSL alert number ", ")"))),
        None => Some((reason, None)),
    }
}

/// The value of a pair that ModSecurity appends: `[id "942100"]`.
pub(super) fn pair<'a>(message: &'a [u8], before: &str) -> Option<&'a [u8]> {
    between(message, before, "\"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams() {
        for (message, expected) in [
            ("HTTP: attempt to connect to 192.0.2.20:8080 (192.0.2.20) failed", "192.0.2.20:8080"),
            (
                "ap_proxy_connect_backend disabling worker for (127.0.0.1:9099) for 0s",
                "127.0.0.1:9099",
            ),
            ("HTTP: failed to make connection to backend: 127.0.0.1", "127.0.0.1"),
            ("error reading status line from remote server 127.0.0.1:9001", "127.0.0.1:9001"),
            (
                "FCGI: attempt to connect to Unix domain socket /run/a.sock (*) failed",
                "/run/a.sock",
            ),
        ] {
            assert_eq!(upstream(message.as_bytes()), Some(expected.as_bytes()));
        }
        assert_eq!(upstream(b"Error reading from remote server returned by /x"), None);
    }

    #[test]
    fn finds_as_a_searcher_does() {
        for (text, wanted) in [("aabab", "ab"), ("", "a"), ("aaa", "aab"), ("xab", "ab")] {
            assert_eq!(find(text.as_bytes(), wanted.as_bytes()), text.find(wanted));
            assert_eq!(rfind(text.as_bytes(), wanted.as_bytes()), text.rfind(wanted));
        }
    }

    #[test]
    fn files_and_paths() {
        let access = b"access to /x denied (filesystem path '/srv/x') because search permissions";
        assert_eq!((denied_path(access), file(access)), (Some(&b"/x"[..]), Some(&b"/srv/x"[..])));
        let folder = b"Cannot serve directory /w/f/: No matching DirectoryIndex (index.html) found";
        assert_eq!(file(folder), Some(&b"/w/f/"[..]));
        let script = b"stderr from /srv/cgi/none.cgi: script not found or unable to stat";
        assert_eq!(file(script), Some(&b"/srv/cgi/none.cgi"[..]));
        let denied = b"file permissions deny server access: /w/np.txt";
        assert_eq!(file(denied), Some(&b"/w/np.txt"[..]));
        assert_eq!(returned_path(b"bad header returned by /a b (GET)"), Some(&b"/a b"[..]));
        assert_eq!(returned_path(b"DNS lookup failure for: a returned by /n"), Some(&b"/n"[..]));
    }

    #[test]
    fn users() {
        assert_eq!(
            user(b"Digest: user jo: password mismatch: /d/"),
            Some((&b"jo"[..], &b"/d/"[..]))
        );
        assert_eq!(
            user(b"user `jo' in realm `the shop' not found: /d/"),
            Some((&b"jo"[..], &b"/d/"[..]))
        );
        assert_eq!(
            user(b"Authorization of user jo to access /x failed, reason: no"),
            Some((&b"jo"[..], &b"/x"[..]))
        );
        assert_eq!(file(b"script '/w/x.php' not found or unable to stat"), Some(&b"/w/x.php"[..]));
        let wrong = b"user jo smith: authentication failure for \"/p/\": Password Mismatch";
        assert_eq!(user(wrong), Some((&b"jo smith"[..], &b"/p/"[..])));
        let refused = b"user jo doe: authorization failure for \"/p/\": ";
        assert_eq!(user(refused), Some((&b"jo doe"[..], &b"/p/"[..])));
        let forged = b"user x not found: /y not found: /p/";
        assert_eq!(user(forged), Some((&b"x not found: /y"[..], &b"/p/"[..])));
        assert_eq!(user(b"user  not found: /p/"), Some((&b""[..], &b"/p/"[..])));
    }

    #[test]
    fn words_of_programs() {
        let denied = b"Got error 'Access to the script '/srv/x.txt' has been denied'";
        assert_eq!(first_words(denied), Some(&b"Access to the script"[..]));
        let warning = b"Got error 'PHP message: PHP Warning:  x; PHP message: PHP Notice:  y'";
        assert_eq!(first_words(warning), Some(&b"PHP Warning"[..]));
    }

    #[test]
    fn tls_words() {
        let alert = b"SSL Library Error: error:0A000418:SSL routines::tlsv1 alert unknown ca (SSL alert number 48)";
        assert_eq!(tls(alert), Some((&b"tlsv1 alert unknown ca"[..], Some(&b"48"[..]))));
        let plain = b"SSL Library Error: error:0A000102:SSL routines::unsupported protocol";
        assert_eq!(tls(plain), Some((&b"unsupported protocol"[..], None)));
        assert_eq!(tls(b"SSL Library Error: error:"), None);
    }
}
