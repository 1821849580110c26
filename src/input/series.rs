//! Rotated logs: which names belong to one base name.
//!
//! ```text
//! access.log  access.log.1  access.log.2.gz  access.log-20261121.zst  access.log.2026-11-21
//! access.1.log  access-20261121.log.gz  access_2026-11-21.log
//! ```
//!
//! See logrotate(8): `dateext`, `dateformat`, `extension`, `compressext`. Which file comes first is told by their
//! content, not by these names.

/// What packers append.
const PACKED: [&str; 6] = [".gz", ".zst", ".bz2", ".xz", ".zstd", ".gzip"];

/// True when `name` is a rotated part of the log that is named `base`, or that log itself. Names without folders.
pub(crate) fn belongs(name: &str, base: &str) -> bool {
    let (name, base) = (unpacked(name), unpacked(base));
    if let Some(mark) = name.strip_prefix(base) {
        return is_mark(mark);
    }
    let Some((stem, extension)) = base.rsplit_once('.') else { return false };
    name.strip_suffix(extension)
        .and_then(|rest| rest.strip_suffix('.'))
        .and_then(|rest| rest.strip_prefix(stem))
        .is_some_and(is_mark)
}

/// The name without what a packer appended.
pub(crate) fn unpacked(name: &str) -> &str {
    PACKED.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// True for what rotation puts into a name: a number or a date behind a separator, or nothing.
fn is_mark(mark: &str) -> bool {
    match mark.as_bytes() {
        [] => true,
        _ if mark == ".old" => true,
        [b'.' | b'-' | b'_', rest @ ..] => {
            let belongs = |&byte: &u8| byte.is_ascii_digit() || b".-_:T".contains(&byte);
            rest.first().is_some_and(u8::is_ascii_digit) && rest.iter().all(belongs)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_rotation_makes_of_a_name() {
        let parts = "access.log access.log.1 access.log.2.gz access.log-20261121.zst access.log.old \
            access.log-20261121-1795222861.xz access.log.2026-11-21 access.1.log access-20261121.log.gz \
            access_2026-11-21.log.bz2 access.log.gz access.log-20261121T103000";
        for name in parts.split_whitespace() {
            assert!(belongs(name, "access.log"), "{name}");
        }
        let others = "error.log access.log.bak access_ssl.log access.log.1.swp my-access.log access.logs \
            access-api.log access.log.x1 access.log.";
        for name in others.split_whitespace() {
            assert!(!belongs(name, "access.log"), "{name}");
        }
        assert!(belongs("maillog-20261121", "maillog"));
        assert!(!belongs("maillog2", "maillog"));
    }
}
