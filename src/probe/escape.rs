//! Foreign bytes made harmless: nothing that a peer sent reaches a terminal or a log as it came.

/// At most `limit` bytes as printable ASCII: the rest as `\n`, `\r`, `\t`, `\xNN`; `…` where something was cut.
pub fn escaped(bytes: &[u8], limit: usize) -> String {
    let mut text = String::new();
    for &byte in bytes.iter().take(limit) {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    if bytes.len() > limit {
        text.push('…');
    }
    text
}

/// A line as a peer sent it, for a message: without its line end, escaped, at most 200 bytes.
pub fn quoted(line: &[u8]) -> String {
    let end = line.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1);
    format!("'{}'", escaped(&line[..end], 200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_byte_survives() {
        let all: Vec<u8> = (0..=255).collect();
        assert!(escaped(&all, 1000).bytes().all(|b| (b' '..=b'~').contains(&b)));
        assert_eq!(escaped(b"\x1b[31m|\0", 99), "\\x1b[31m|\\x00");
        assert_eq!(quoted(b"220 ok\r\n"), "'220 ok'");
        assert_eq!(escaped(b"abc", 2), "ab…");
    }
}
