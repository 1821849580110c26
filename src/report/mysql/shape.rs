//! What a statement does, in a few words: its verb and the tables it names. Read off a fingerprint, best effort.

/// The most tables that are named.
const MOST_TABLES: usize = 4;

/// `SELECT orders customers`, `INSERT orders`, `ADMIN QUIT`, `CALL settle`.
pub(super) fn item(fingerprint: &[u8]) -> Vec<u8> {
    if let Some(command) = fingerprint.strip_prefix(b"administrator command: ") {
        return [&b"ADMIN "[..], command].concat().to_ascii_uppercase();
    }
    // What stands in a comment for some versions is a part of the statement.
    let is_mark = |word: &&[u8]| word.starts_with(b"/*") || *word == b"*/";
    let mut words = words(fingerprint).filter(|word| !is_mark(word)).peekable();
    let Some(first) = words.next() else { return Vec::new() };
    let mut item = first.to_ascii_uppercase();
    let second = words.peek().copied().unwrap_or_default();
    match first {
        b"call" | b"use" => return [&item[..], b" ", second].concat(),
        b"create" | b"drop" | b"alter" => {
            item.push(b' ');
            item.extend(object(words).unwrap_or(second).to_ascii_uppercase());
        }
        b"show" | b"lock" | b"unlock" | b"set" | b"start" | b"load" => {
            item.push(b' ');
            item.extend(second.to_ascii_uppercase());
        }
        _ => {}
    }
    for table in tables(fingerprint) {
        item.push(b' ');
        item.extend_from_slice(table);
    }
    item
}

/// What is made, changed or dropped, behind what is said about it: `or replace`, `definer = root@?`, `temporary`.
fn object<'a>(words: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    const OBJECTS: [&[u8]; 16] = [
        b"table",
        b"view",
        b"index",
        b"procedure",
        b"function",
        b"trigger",
        b"event",
        b"user",
        b"role",
        b"database",
        b"schema",
        b"sequence",
        b"server",
        b"package",
        b"tablespace",
        b"instance",
    ];
    /// `or replace algorithm = merge definer = root@? sql security invoker view`.
    const MOST_BEFORE: usize = 14;
    let mut words = words.take(MOST_BEFORE);
    words.find(|word| OBJECTS.contains(word))
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    text.split(|byte| matches!(byte, b' ' | b'(' | b')' | b',' | b';'))
        .filter(|word| !word.is_empty())
}

/// The names behind `from`, `join`, `into`, `update` and `table`, and those after a comma behind `from`.
fn tables(fingerprint: &[u8]) -> Vec<&[u8]> {
    const BEFORE: [&[u8]; 6] = [b"from", b"join", b"into", b"update", b"table", b"truncate"];
    const NEVER: [&[u8]; 12] = [
        b"select",
        b"low_priority",
        b"ignore",
        b"if",
        b"exists",
        b"not",
        b"outfile",
        b"dual",
        b"lateral",
        b"only",
        b"set",
        b"?",
    ];
    let mut found: Vec<&[u8]> = Vec::new();
    let mut is_next = false;
    for word in words(fingerprint) {
        if BEFORE.contains(&word) {
            is_next = true;
        } else if is_next && !NEVER.contains(&word) {
            if found.len() < MOST_TABLES && !found.contains(&word) {
                found.push(word);
            }
            is_next = false;
        }
    }
    found
}

/// A fingerprint with the numbers in its names folded: `users_2009` and `users_2010` are `users_?`.
pub(super) fn without_numbers(fingerprint: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(fingerprint.len());
    for byte in fingerprint {
        match byte.is_ascii_digit() {
            true if folded.last() == Some(&b'?') => {}
            true => folded.push(b'?'),
            false => folded.push(*byte),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        for (fingerprint, expected) in [
            ("select * from orders where id = ?", "SELECT orders"),
            ("select a from t1 join t2 on a = b left join t1 x on y = z", "SELECT t1 t2"),
            ("insert into shop.orders (a) values(?+)", "INSERT shop.orders"),
            ("update low_priority t set a = ?", "UPDATE t"),
            ("delete from t where a in(select b from u)", "DELETE t u"),
            ("create table if not exists t (a int)", "CREATE TABLE t"),
            ("create or replace user root@? identified by ?", "CREATE USER"),
            ("create definer = root@? procedure p() begin end", "CREATE PROCEDURE"),
            ("create unique index i on t (a)", "CREATE INDEX"),
            ("drop temporary table t", "DROP TABLE t"),
            ("alter ignore table t add a int", "ALTER TABLE t"),
            ("drop prepare s", "DROP PREPARE"),
            ("/*!50000 select */ * from t", "SELECT t"),
            ("call settle", "CALL settle"),
            ("administrator command: Quit", "ADMIN QUIT"),
            ("commit", "COMMIT"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&item(fingerprint.as_bytes())), expected);
        }
    }

    #[test]
    fn numbers_in_names() {
        assert_eq!(
            without_numbers(b"select * from users_2009 where a = ?"),
            b"select * from users_? where a = ?"
        );
    }
}
