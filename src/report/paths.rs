//! What belongs to paths: static files, what was not found, and identifiers folded away.
//!
//! Sections beside those of a breakdown: `static_files`, `file_types`, `downloads`, `not_found`.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::breakdown::{By, Rows, keyed};
use crate::document::Section;

/// The sections that paths have beside the usual ones.
pub(super) fn sections(rows: &Rows<'_>) -> Vec<Section> {
    let files = rows.only(|row| is_static(row.key));
    let types = rows.grouped(ending, Ending::name);
    let downloads = rows.only(|row| is_download(row.key));
    let not_found = ("not_found".to_owned(), "Not found (404)".to_owned());
    vec![
        files.section("static_files".to_owned(), "Static files".to_owned(), By::Count),
        keyed(
            rows.over(&types).section(
                "file_types".to_owned(),
                "Types of files".to_owned(),
                By::Count,
            ),
            "ending",
        ),
        downloads.section("downloads".to_owned(), "Downloads".to_owned(), By::Count),
        rows.section(not_found.0, not_found.1, By::NotFound),
    ]
}

/// The endings of files that a server hands out as they are: those that web log analyzers have agreed on for years,
/// and the newer types of pictures, fonts and archives. In lower case.
const STATIC: &str = "7z apk avi avif bin bmp bz2 css csv deb dmg doc docx eot epub exe flac flv gif gz ico iso jar \
    jpeg jpg js m4a m4v map mjs mov mp3 mp4 mpeg mpg msi odt ogg otf pdf png ppt pptx rar rpm rtf svg swf tar tgz tif \
    tiff ttf txt wasm wav webm webmanifest webp woff woff2 xls xlsx xz zip zst";
static STATIC_ENDINGS: LazyLock<HashSet<Ending>> = LazyLock::new(|| endings(STATIC));
/// Those of them that are taken home rather than looked at.
const DOWNLOADS: &str = "7z apk bin bz2 csv deb dmg doc docx epub exe gz iso jar mp3 mp4 msi odt pdf ppt pptx rar rpm tar tgz \
    wav xls xlsx xz zip zst";
static DOWNLOAD_ENDINGS: LazyLock<HashSet<Ending>> = LazyLock::new(|| endings(DOWNLOADS));

fn endings(words: &str) -> HashSet<Ending> {
    words.split(' ').map(|word| Ending::of(word.as_bytes())).collect()
}

const LONGEST: usize = 12;

/// The type of a file in lower case, at most [`LONGEST`] bytes, with zeros behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ending([u8; LONGEST]);

impl Ending {
    fn of(word: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        bytes.iter_mut().zip(word).for_each(|(own, byte)| *own = byte.to_ascii_lowercase());
        Self(bytes)
    }

    fn name(self) -> Vec<u8> {
        self.0.iter().copied().take_while(|byte| *byte != 0).collect()
    }
}

/// True for the path of a static file, told by its ending.
pub(super) fn is_static(path: &[u8]) -> bool {
    ending(path).is_some_and(|ending| STATIC_ENDINGS.contains(&ending))
}

fn is_download(path: &[u8]) -> bool {
    ending(path).is_some_and(|ending| DOWNLOAD_ENDINGS.contains(&ending))
}

/// What stands behind the last dot of the last segment, where that looks like the type of a file.
fn ending(path: &[u8]) -> Option<Ending> {
    let path = without_query(path);
    let tail = &path[path.len().saturating_sub(LONGEST)..];
    let ending = &tail[memchr::memrchr(b'.', tail)? + 1..];
    let is_type = !ending.is_empty()
        && ending.iter().all(u8::is_ascii_alphanumeric)
        && !ending.iter().all(u8::is_ascii_digit);
    is_type.then(|| Ending::of(ending))
}

fn without_query(path: &[u8]) -> &[u8] {
    &path[..memchr::memchr(b'?', path).unwrap_or(path.len())]
}

/// The path with every segment that looks like an identifier replaced by `:id`: a number, a UUID, a hexadecimal
/// string of at least eight digits, a long token of letters and digits. A query keeps its names and loses such values.
pub(super) fn fold(path: &[u8]) -> Vec<u8> {
    let (path, query) = match memchr::memchr(b'?', path) {
        Some(mark) => (&path[..mark], Some(&path[mark + 1..])),
        None => (path, None),
    };
    let mut folded = Vec::with_capacity(path.len());
    for (at, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if at > 0 {
            folded.push(b'/');
        }
        fold_segment(segment, &mut folded);
    }
    if let Some(query) = query {
        folded.push(b'?');
        fold_query(query, &mut folded);
    }
    folded
}

fn fold_query(query: &[u8], folded: &mut Vec<u8>) {
    for (at, pair) in query.split(|byte| *byte == b'&').enumerate() {
        if at > 0 {
            folded.push(b'&');
        }
        match memchr::memchr(b'=', pair) {
            Some(equals) => {
                folded.extend_from_slice(&pair[..=equals]);
                fold_segment(&pair[equals + 1..], folded);
            }
            None => fold_segment(pair, folded),
        }
    }
}

fn fold_segment(segment: &[u8], folded: &mut Vec<u8>) {
    // `4711.json` and `report-2024.pdf` differ: only a whole stem is an identifier.
    let dot = memchr::memrchr(b'.', segment).filter(|dot| segment.len() - dot <= 6);
    let (stem, ending) = segment.split_at(dot.unwrap_or(segment.len()));
    match is_identifier(stem) {
        true => folded.extend_from_slice(b":id"),
        false => folded.extend_from_slice(stem),
    }
    folded.extend_from_slice(ending);
}

const SHORTEST_HEX: usize = 8;
const SHORTEST_TOKEN: usize = 20;

fn is_identifier(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return false;
    }
    let hex = || text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let token = || text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_~=".contains(byte));
    let mixed =
        || text.iter().any(u8::is_ascii_lowercase) != text.iter().any(u8::is_ascii_uppercase);
    digits == text.len()
        || (text.len() >= SHORTEST_HEX && hex())
        || (text.len() >= SHORTEST_TOKEN && token() && (digits * 8 >= text.len() || !mixed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_their_endings() {
        for path in ["/a.css", "/b/logo.PNG?v=3", "/app.webmanifest", "/x.tar.gz"] {
            assert!(is_static(path.as_bytes()), "{path}");
        }
        for path in ["/", "/a.php", "/css", "/v1.2/users", "", "/.", "/a.css/", "?x=a.css"] {
            assert!(!is_static(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn types_and_downloads() {
        let of = |path: &'static str| ending(path.as_bytes());
        assert_eq!(of("/a/index.PHP?x=a.b").map(Ending::name), Some(b"php".to_vec()));
        assert_eq!([of("/v1.2/users"), of("/v1.2"), of("/"), of("/a."), of("/.x/")], [None; 5]);
        assert!(is_download(b"/d/report.pdf?dl=1") && is_download(b"/x.tar.GZ"));
        assert!(!is_download(b"/a.css") && !is_download(b"/pdf"));
    }

    #[test]
    fn identifiers_are_folded() {
        for (path, expected) in [
            ("/api/dog/1111", "/api/dog/:id"),
            ("/o/4711.json", "/o/:id.json"),
            ("/u/9f1c2d3e-4b5a-6978-8796-a5b4c3d2e1f0/edit", "/u/:id/edit"),
            ("/c/deadbeef01", "/c/:id"),
            ("/s/eyJhbGciOiJIUzI1NiJ9abc123DEF456", "/s/:id"),
            ("/v1/users", "/v1/users"),
            ("/report-2024.pdf", "/report-2024.pdf"),
            ("/decade/facade", "/decade/facade"),
            ("/a-very-long-title-of-a-post-in-2024", "/a-very-long-title-of-a-post-in-2024"),
            ("/p?id=77&sort=asc", "/p?id=:id&sort=asc"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(fold(path.as_bytes())).unwrap(), expected);
        }
    }
}
