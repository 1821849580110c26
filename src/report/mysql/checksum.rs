//! Checksums of shapes of statements: the last 16 hexadecimal digits of an MD5, in upper case.
//!
//! pt-query-digest names the classes of its reports so, by fingerprints of its own making. [`as_pt_makes_it`] makes those, so
//! that a class can be looked up in its reports; where its rules put different statements together or tear equal ones
//! apart, so does this.

use std::sync::LazyLock;

use regex_automata::meta::Regex;

/// The checksum of a fingerprint.
pub(super) fn of(fingerprint: &[u8]) -> Vec<u8> {
    let digest = md5::compute(fingerprint);
    digest[8..].iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect()
}

/// The rules, in the order in which they are applied. Those in front only see statements of their kind.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"(?s-u)/\*[^!].*?\*/", ""),
        (r#"(?-u)(?:--|#)[^'"\r\n]*(?P<end>[\r\n]|\z)"#, "${end}"),
        (r#"(?-u)\\["']"#, ""),
        (r#"(?s-u)".*?""#, "?"),
        (r"(?s-u)'.*?'", "?"),
        (r"(?i-u)\bfalse\b|\btrue\b", "?"),
        (r"(?-u)[0-9+-][0-9a-f.xb+-]*", "?"),
        (r"(?-u)[xb.+-]\?", "?"),
        (r"(?-u)\A\s+", ""),
        (r"(?-u)\n\z", ""),
        (r"(?-u)[ \n\t\r\f]+", " "),
    ];
    compiled(&rules)
});

/// The rules for what is in lower case by then.
static LOWER: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    compiled(&[(r"(?-u)\bnull\b", "?"), (r"(?-u)\b(in|values?)(?:[\s,]*\([\s?,]*\))+", "${1}(?+)")])
});

fn compiled(rules: &[(&'static str, &'static str)]) -> Vec<(Regex, &'static str)> {
    let configuration = regex_automata::util::syntax::Config::new().utf8(false);
    let make = |pattern: &str| {
        let whole = regex_automata::meta::Config::new().utf8_empty(false);
        let builder = Regex::builder().syntax(configuration).configure(whole).build(pattern);
        builder.expect("a rule compiles: a test applies them all")
    };
    rules.iter().map(|(pattern, with)| (make(pattern), *with)).collect()
}

/// The fingerprint that pt-query-digest makes of a statement, to the letter but for repeated `UNION`.
pub(super) fn as_pt_makes_it(statement: &[u8]) -> Vec<u8> {
    if let Some(command) = statement.strip_prefix(b"# administrator command: ") {
        return [&b"administrator command: "[..], command].concat();
    }
    if statement.starts_with(b"SELECT /*!40001 SQL_NO_CACHE */ * FROM `") {
        return b"mysqldump".to_vec();
    }
    if let Some(name) = called(statement) {
        return name;
    }
    let mut text = first_row(statement).to_vec();
    for (regex, with) in &RULES[..2] {
        text = replaced(regex, with, &text);
    }
    if is_use(&text) {
        return [&text[..4], b"?"].concat();
    }
    for (regex, with) in &RULES[2..] {
        text = replaced(regex, with, &text);
    }
    text.make_ascii_lowercase();
    for (regex, with) in LOWER.iter() {
        text = replaced(regex, with, &text);
    }
    without_ascending(with_one_limit(&text))
}

/// The same for a statement of which only the beginning was kept: behind the list in which it was cut, our fingerprint says
/// how it goes on. Our fingerprint alone where it was cut elsewhere.
pub(super) fn of_beginning(beginning: &[u8], fingerprint: &[u8]) -> Vec<u8> {
    const LIST: &[u8] = b"(?+)";
    if first_row(beginning).len() < beginning.len() {
        return as_pt_makes_it(beginning);
    }
    let completed = || {
        let open = memchr::memrchr(b'(', beginning)?;
        let mut made = as_pt_makes_it(&[&beginning[..open], b"(0)"].concat());
        let lists = memchr::memmem::find_iter(&made, LIST).count();
        let last = memchr::memmem::find_iter(fingerprint, LIST).nth(lists.checked_sub(1)?)?;
        made.ends_with(LIST).then(|| made.extend_from_slice(&fingerprint[last + LIST.len()..]))?;
        Some(made)
    };
    completed().unwrap_or_else(|| fingerprint.to_vec())
}

fn replaced(regex: &Regex, with: &str, text: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    let mut captures = regex.create_captures();
    while at <= text.len() {
        let input = regex_automata::Input::new(text).range(at..);
        regex.search_captures(&input, &mut captures);
        let Some(found) = captures.get_match() else { break };
        out.extend_from_slice(&text[at..found.start()]);
        captures.interpolate_bytes_into(text, with.as_bytes(), &mut out);
        at = found.end();
        if found.is_empty() {
            out.extend(text.get(at));
            at += 1;
        }
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    out
}

/// `call name` in lower case.
fn called(statement: &[u8]) -> Option<Vec<u8>> {
    static CALL: LazyLock<Vec<(Regex, &str)>> =
        LazyLock::new(|| compiled(&[(r"(?i-u)\A\s*(call\s+\S+)\(", "")]));
    let mut captures = CALL[0].0.create_captures();
    CALL[0].0.captures(statement, &mut captures);
    let found = captures.get_group(1)?;
    Some(statement[found.start..found.end].to_ascii_lowercase())
}

/// An `INSERT` of several rows up to its first.
fn first_row(statement: &[u8]) -> &[u8] {
    static ROWS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        compiled(&[(
            r"(?is-u)\A((?:INSERT|REPLACE)(?: IGNORE)?\s+INTO.+?VALUES\s*\(.*?\))\s*,\s*\(",
            "",
        )])
    });
    let mut captures = ROWS[0].0.create_captures();
    ROWS[0].0.captures(statement, &mut captures);
    captures.get_group(1).map_or(statement, |found| &statement[..found.end])
}

fn is_use(text: &[u8]) -> bool {
    let name = text.get(4..).unwrap_or_default();
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"use "))
        && !name.is_empty()
        && !name.iter().any(u8::is_ascii_whitespace)
}

/// Only the first `LIMIT` is looked at.
fn with_one_limit(text: &[u8]) -> Vec<u8> {
    static LIMIT: LazyLock<Vec<(Regex, &str)>> =
        LazyLock::new(|| compiled(&[(r"(?-u)\blimit \?(?:, ?\?| offset \?)?", "limit ?")]));
    let Some(found) = LIMIT[0].0.find(text) else { return text.to_vec() };
    [&text[..found.start()], b"limit ?", &text[found.end()..]].concat()
}

/// `ASC` behind `ORDER BY` says nothing.
fn without_ascending(text: Vec<u8>) -> Vec<u8> {
    let Some(at) = memchr::memmem::find(&text, b"order by ") else { return text };
    let (before, mut rest) = text.split_at(at + 9);
    let mut out = before.to_vec();
    while let Some(at) = memchr::memmem::find(rest, b" asc").filter(|at| *at > 0) {
        out.extend_from_slice(rest[..at].trim_ascii_end());
        rest = &rest[at + 4..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_was_cut() {
        for (beginning, fingerprint, expected) in [
            (
                "select * from `t` where x=1 and id in (1,2,3",
                "select * from t where x = ? and id in(?+) order by id limit ?",
                "select * from `t` where x=? and id in(?+) order by id limit ?",
            ),
            (
                "select * from t where a in (1, 2) and id in ('a','b",
                "select * from t where a in(?+) and id in(?+)",
                "select * from t where a in(?+) and id in(?+)",
            ),
            (
                "insert into t (a,b) values (1,'x'), (2",
                "insert into t (a, b) values(?+)",
                "insert into t (a,b) values(?+)",
            ),
            ("select concat('a", "select concat(?, ?)", "select concat(?, ?)"),
            ("select 'a", "select ?", "select ?"),
        ] {
            let made = of_beginning(beginning.as_bytes(), fingerprint.as_bytes());
            assert_eq!(String::from_utf8_lossy(&made), expected);
        }
    }

    /// What pt-query-digest 3.2 made of these.
    #[test]
    fn fingerprints_of_pt_query_digest() {
        for (statement, expected) in [
            (
                "SELECT * FROM t WHERE id IN (1, 2,3) AND x = 'a'",
                "select * from t where id in(?+) and x = ?",
            ),
            ("select note='it''s', users_2009.a", "select note=??, users_?"),
            ("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')", "insert into t (a, b) values(?+)"),
            ("CALL foo(1, 2)", "call foo"),
            ("use shop", "use ?"),
            ("SELECT 1 -- c\n, null /* x */ LIMIT 5, 10", "select ? , ? limit ?"),
            (
                "SELECT a FROM t ORDER BY a ASC, b asc LIMIT 3",
                "select a from t order by a, b limit ?",
            ),
            ("# administrator command: Quit", "administrator command: Quit"),
        ] {
            let made = as_pt_makes_it(statement.as_bytes());
            assert_eq!(String::from_utf8_lossy(&made), expected, "{statement}");
        }
    }

    #[test]
    fn checksums() {
        // The MD5 of nothing is d41d8cd98f00b204e9800998ecf8427e.
        assert_eq!(of(b""), b"E9800998ECF8427E");
    }
}
