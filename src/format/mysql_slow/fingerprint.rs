//! A statement without its values, so that equal questions are counted together.
//!
//! One pass over the statement, tokens in, tokens out: comments go, white space and case fold, every literal becomes `?`,
//! lists of literals behind `IN` and `VALUES` become `(?+)` however long they are, further rows of `VALUES` go, `LIMIT ?, ?`
//! is `LIMIT ?`, a called procedure goes without its arguments. Digits in names stay: `log_2023` is another table than
//! `log_2024`. Hints for certain versions (`/*!40001 … */`) stay, since the server runs them.
//!
//! The result is bounded ([`MOST`]); what follows is left out. The time is linear in the statement.

use super::lexer::{self, Begins};
use crate::scan;

/// The longest fingerprint.
pub(super) const MOST: usize = 16 << 10;
/// How deep lists may be nested and still be looked at.
const DEEPEST: usize = 32;

/// The token that was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing yet.
    Start,
    /// A word or a quoted name.
    Word,
    /// A literal.
    Value,
    Open,
    Close,
    Comma,
    Dot,
    Other,
}

impl Last {
    /// Of what is left of a fingerprint when a literal was taken off its end.
    fn of(out: &[u8]) -> Self {
        match out.last() {
            None => Self::Start,
            Some(b'(') => Self::Open,
            Some(b',') => Self::Comma,
            Some(_) => Self::Other,
        }
    }
}

/// What stands before an opening parenthesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leads {
    In,
    Values,
    Else,
}

/// An open list.
#[derive(Debug, Clone, Copy)]
struct List {
    /// Where it begins in the result.
    start: usize,
    leads: Leads,
    only_values: bool,
}

/// Makes fingerprints, in a buffer that is used again.
#[derive(Debug)]
pub(super) struct Fingerprinter {
    out: Vec<u8>,
    lists: Vec<List>,
    /// Parentheses open beyond those in `lists`.
    deeper: usize,
    last: Last,
    /// White space or a comment stands before the next token.
    gap: bool,
    /// Where the last word begins in the result.
    word: usize,
    /// A string, a quoted name or a comment is not closed.
    is_open: bool,
}

/// What a byte is in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Word,
    Digit,
    Quote,
    Backquote,
    Open,
    Close,
    Comma,
    Dot,
    Compare,
    /// `#`, `-`, `/`, which may begin a comment.
    Comment,
    Other,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'@' | 0x80..=0xFF => Class::Word,
            b'0'..=b'9' => Class::Digit,
            b'\'' | b'"' => Class::Quote,
            b'`' => Class::Backquote,
            b'(' => Class::Open,
            b')' => Class::Close,
            b',' => Class::Comma,
            b'.' => Class::Dot,
            b'=' | b'<' | b'>' | b'!' | b':' => Class::Compare,
            b'#' | b'-' | b'/' => Class::Comment,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// The bytes of names: letters, digits, what counts as such, and all that is not ASCII.
const NAME: [(u8, u8); 6] =
    [(b'a', b'z'), (b'@', b'Z'), (b'0', b'9'), (b'_', b'_'), (b'$', b'$'), (0x80, 0xFF)];

#[inline]
fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

#[inline]
fn is_name(byte: u8) -> bool {
    matches!(class(byte), Class::Word | Class::Digit)
}

impl Fingerprinter {
    pub(super) fn new() -> Self {
        Self {
            out: Vec::new(),
            lists: Vec::with_capacity(DEEPEST),
            deeper: 0,
            last: Last::Start,
            gap: false,
            word: 0,
            is_open: false,
        }
    }

    /// The fingerprint of a statement.
    pub(super) fn of(&mut self, statement: &[u8]) -> &[u8] {
        self.make(statement);
        if self.is_open {
            self.make_without_escapes(statement);
        }
        &self.out
    }

    /// Makes it again as under `NO_BACKSLASH_ESCAPES`, if strings are whole then: `'C:\'`.
    #[cold]
    fn make_without_escapes(&mut self, statement: &[u8]) {
        if let Some(plain) = lexer::without_escapes(statement) {
            self.make(&plain);
        }
    }

    fn make(&mut self, statement: &[u8]) {
        self.out.clear();
        self.lists.clear();
        (self.deeper, self.last, self.gap, self.word) = (0, Last::Start, false, 0);
        self.is_open = false;
        if let Some(command) = statement.strip_prefix(b"# administrator command: ") {
            self.out.extend_from_slice(b"administrator command: ");
            self.out.extend_from_slice(&command[..command.len().min(MOST)]);
            return;
        }
        let mut at = 0;
        while at < statement.len() && self.out.len() < MOST {
            if statement[at] == b' ' {
                (self.gap, at) = (true, at + 1);
            } else {
                at = self.token(statement, at);
            }
        }
        self.out.truncate(MOST);
        while let [.., b';' | b' '] = self.out[..] {
            self.out.pop();
        }
    }

    /// Where something ends that has an end; that of the text where it has none.
    #[inline]
    fn closed(&mut self, end: Option<usize>, text: &[u8]) -> usize {
        self.is_open |= end.is_none();
        end.unwrap_or(text.len())
    }

    /// Reads a token and says where the next one begins.
    #[inline]
    fn token(&mut self, text: &[u8], at: usize) -> usize {
        match class(text[at]) {
            Class::Space => {
                self.gap = true;
                at + 1
            }
            Class::Word => self.word(text, at),
            Class::Digit => self.number(text, at),
            Class::Quote => self.string(text, at),
            Class::Backquote => self.quoted_name(text, at),
            Class::Open => self.open(text, at),
            Class::Close => self.close(text, at),
            Class::Comma => {
                self.out.push(b',');
                (self.last, self.gap) = (Last::Comma, true);
                at + 1
            }
            Class::Dot => self.dot(text, at),
            Class::Compare => self.compare(text, at),
            Class::Comment => self.comment(text, at),
            Class::Other => {
                self.spoil();
                self.write(text[at], Last::Other);
                at + 1
            }
        }
    }

    /// Writes a token of one byte, behind a blank where something stood between it and the one before.
    #[inline]
    fn write(&mut self, token: u8, last: Last) {
        self.part();
        self.out.push(token);
        self.last = last;
    }

    #[inline]
    fn part(&mut self) {
        if std::mem::take(&mut self.gap) && !matches!(self.last, Last::Start | Last::Open) {
            self.out.push(b' ');
        }
    }

    /// The list that is open now holds more than literals.
    #[inline]
    fn spoil(&mut self) {
        if let Some(list) = self.lists.last_mut() {
            list.only_values = false;
        }
    }

    #[inline]
    fn word(&mut self, text: &[u8], at: usize) -> usize {
        let end = scan::end_of_run(NAME, text, at);
        let len = end - at;
        self.part();
        let start = self.out.len();
        // Words are short: a call that copies them costs more than sixteen bytes, whatever they are.
        match text[at..].first_chunk() {
            Some(sixteen) if len <= 16 => {
                self.out.extend_from_slice(&lower(sixteen));
                self.out.truncate(start + len);
            }
            _ => self.out.extend(text[at..end].iter().map(u8::to_ascii_lowercase)),
        }
        let after_dot = self.last == Last::Dot;
        self.last = Last::Word;
        if matches!(len, 4 | 5) && !after_dot && self.is_literal(start) {
            self.out.truncate(start);
            self.out.push(b'?');
            self.value();
        } else if !(len == 7 && self.out[start..] == *b"default") {
            self.spoil();
        }
        self.word = start;
        end
    }

    /// `null`, `true` and `false` are literals, but `is null` and `not null` are not.
    #[inline]
    fn is_literal(&self, start: usize) -> bool {
        match &self.out[start..] {
            b"true" | b"false" => true,
            b"null" => {
                let before = self.out[..start].trim_ascii_end();
                !(before.ends_with(b"is") || before.ends_with(b"not"))
            }
            _ => false,
        }
    }

    /// The number at the front, unless a name begins with digits.
    fn number(&mut self, text: &[u8], at: usize) -> usize {
        let end = end_of_number(text, at);
        if text.get(end).is_some_and(|byte| class(*byte) == Class::Word)
            || self.last == Last::Dot && !self.gap
        {
            return self.word(text, at);
        }
        self.literal();
        end
    }

    /// Writes a literal.
    fn literal(&mut self) {
        self.drop_sign();
        self.write(b'?', Last::Value);
        self.value();
    }

    /// A literal was written: `limit ?, ?` and `limit ? offset ?` are `limit ?`.
    fn value(&mut self) {
        self.last = Last::Value;
        for twice in [&b"limit ?, ?"[..], b"limit ? offset ?"] {
            if self.out.ends_with(twice) {
                self.out.truncate(self.out.len() - twice.len() + b"limit ?".len());
            }
        }
    }

    /// Drops a sign that belongs to the literal and not between two terms.
    fn drop_sign(&mut self) {
        if self.last != Last::Other || self.gap {
            return;
        }
        let [rest @ .., b'-' | b'+'] = &self.out[..] else { return };
        let before = rest.trim_ascii_end();
        if matches!(
            before.last(),
            None | Some(b'(' | b',' | b'=' | b'<' | b'>' | b'!' | b'*' | b'/' | b'%')
        ) {
            let (rest, had_gap) = (rest.len(), rest.ends_with(b" "));
            self.out.truncate(rest - usize::from(had_gap));
            self.gap = had_gap;
            self.last = Last::of(&self.out);
            self.mend_list();
        }
    }

    /// The sign counted as something other than a literal in its list, and is gone.
    fn mend_list(&mut self) {
        if let Some(list) = self.lists.last_mut() {
            let inside = &self.out[list.start.min(self.out.len())..];
            list.only_values = is_plain(inside);
        }
    }

    fn string(&mut self, text: &[u8], at: usize) -> usize {
        let end = self.closed(lexer::end_of_quoted(text, at), text);
        if self.last == Last::Word {
            self.drop_introducer();
        }
        // Strings side by side are one string, and so is one with doubled quotes.
        let continues = self.last == Last::Value && self.out.last() == Some(&b'?');
        match continues {
            true => self.gap = false,
            false => self.literal(),
        }
        end
    }

    /// `_utf8'…'`, `n'…'`, `x'…'`, `b'…'`: the word belongs to the literal.
    fn drop_introducer(&mut self) {
        let word = &self.out[self.word.min(self.out.len())..];
        let is_letter = !self.gap && matches!(word, b"x" | b"b" | b"n");
        if is_letter || word.starts_with(b"_") {
            self.out.truncate(self.word);
            self.gap = self.out.ends_with(b" ");
            if self.gap {
                self.out.pop();
            }
            self.last = Last::of(&self.out);
            self.mend_list();
        }
    }

    /// A name in backquotes is the same name without them, where it needs none.
    fn quoted_name(&mut self, text: &[u8], at: usize) -> usize {
        let mut end = self.closed(lexer::end_of_quoted(text, at), text);
        while text.get(end) == Some(&b'`') {
            end = self.closed(lexer::end_of_quoted(text, end), text);
        }
        let name = text[at + 1..end].strip_suffix(b"`").unwrap_or(&text[at + 1..end]);
        let is_plain = !name.is_empty() && name.iter().all(|byte| is_name(*byte) && *byte != b'@');
        self.spoil();
        self.part();
        self.word = self.out.len();
        self.out.extend_from_slice(if is_plain { name } else { &text[at..end] });
        self.out[self.word..].make_ascii_lowercase();
        // Not a keyword, whatever it spells.
        self.word = self.out.len();
        self.last = Last::Word;
        end
    }

    fn dot(&mut self, text: &[u8], at: usize) -> usize {
        let begins_number = text.get(at + 1).is_some_and(u8::is_ascii_digit);
        if begins_number && self.last != Last::Word {
            self.literal();
            return end_of_number(text, at);
        }
        self.spoil();
        self.write(b'.', Last::Dot);
        at + 1
    }

    fn compare(&mut self, text: &[u8], at: usize) -> usize {
        let len = text[at..].iter().position(|byte| class(*byte) != Class::Compare);
        let end = len.map_or(text.len(), |len| at + len);
        self.spoil();
        self.gap = true;
        let is_arrow = text[at] == b'>' && text[..at].ends_with(b"-");
        if is_arrow && self.out.last() == Some(&b'-') {
            self.take_back_minus();
        }
        self.part();
        self.out.extend_from_slice(if is_arrow { &text[at - 1..end] } else { &text[at..end] });
        (self.last, self.gap) = (Last::Other, true);
        end
    }

    /// `doc->'$.a'`, `doc->>'$.a'`: the minus is the front of an operator.
    fn take_back_minus(&mut self) {
        self.out.pop();
        let kept = self.out.trim_ascii_end().len();
        self.out.truncate(kept);
    }

    fn comment(&mut self, text: &[u8], at: usize) -> usize {
        match lexer::begins(text, at) {
            Begins::LineComment => {
                self.gap = true;
                lexer::end_of_line(text, at)
            }
            // `/*!50000 …*/` is a statement for some servers, `/*M!100100 …*/` for MariaDB.
            Begins::Comment if matches!(text[at + 2..], [b'!', ..] | [b'M', b'!', ..]) => {
                let mark = at + if text[at + 2] == b'!' { 3 } else { 4 };
                let digits = text[mark..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                self.spoil();
                self.part();
                self.out.extend_from_slice(&text[at..mark + digits]);
                self.last = Last::Other;
                mark + digits
            }
            Begins::Comment => {
                self.gap = true;
                self.closed(lexer::end_of_comment(text, at), text)
            }
            _ => {
                self.spoil();
                self.write(text[at], Last::Other);
                at + 1
            }
        }
    }

    fn open(&mut self, text: &[u8], at: usize) -> usize {
        let leads = self.leads();
        if leads == Leads::Else && self.is_call() {
            return text.len();
        }
        if leads != Leads::Else {
            self.gap = false;
        }
        self.part();
        if self.lists.len() < DEEPEST {
            self.lists.push(List { start: self.out.len(), leads, only_values: true });
        } else {
            self.deeper += 1;
        }
        self.out.push(b'(');
        self.last = Last::Open;
        at + 1
    }

    fn leads(&self) -> Leads {
        let word = self.out.get(self.word..).unwrap_or_default();
        match (self.last, word) {
            (Last::Word, b"in") => Leads::In,
            (Last::Word, b"values" | b"value") => Leads::Values,
            _ => Leads::Else,
        }
    }

    fn is_call(&self) -> bool {
        self.lists.is_empty() && self.out.starts_with(b"call ")
    }

    fn close(&mut self, text: &[u8], at: usize) -> usize {
        self.gap = false;
        self.last = Last::Close;
        if self.deeper > 0 {
            self.deeper -= 1;
            self.out.push(b')');
            return at + 1;
        }
        self.out.push(b')');
        let Some(list) = self.lists.pop() else { return at + 1 };
        let is_empty = self.out.len() == list.start + 2;
        let is_within = self.lists.last().is_some_and(|outer| outer.leads == Leads::In);
        if list.only_values && !is_empty && (list.leads != Leads::Else || is_within) {
            self.out.truncate(list.start);
            match is_within && list.leads == Leads::Else {
                // A row in a list of rows is one of its values.
                true => {
                    self.out.push(b'?');
                    self.last = Last::Close;
                }
                false => self.out.extend_from_slice(b"(?+)"),
            }
        } else {
            self.spoil();
        }
        match list.leads {
            Leads::Values => self.closed(past_rows(text, at + 1), text),
            _ => at + 1,
        }
    }
}

#[inline]
fn lower(text: &[u8; 16]) -> [u8; 16] {
    text.map(|byte| byte | u8::from(byte.is_ascii_uppercase()) << 5)
}

/// Whether a part of a list is but literals so far.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'(' | b',' | b' ' | b'?'))
}

/// Where a number ends: `12`, `1.5e-3`, `0x1F`, `0b01`.
fn end_of_number(text: &[u8], at: usize) -> usize {
    let digits = |from: usize, is: fn(&u8) -> bool| {
        from + text[from..].iter().take_while(|byte| is(byte)).count()
    };
    match text[at..] {
        [b'0', b'x', next, ..] if next.is_ascii_hexdigit() => {
            return digits(at + 2, u8::is_ascii_hexdigit);
        }
        [b'0', b'b', b'0' | b'1', ..] => return digits(at + 2, |byte| matches!(byte, b'0' | b'1')),
        _ => {}
    }
    let mut end = scan::end_of_run([(b'0', b'9')], text, at);
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1, u8::is_ascii_digit);
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let signed = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        if text.get(signed).is_some_and(u8::is_ascii_digit) {
            end = digits(signed, u8::is_ascii_digit);
        }
    }
    end
}

/// Past the further rows of `VALUES`: `, (…), (…)`. `None` when a string of theirs is not closed.
fn past_rows(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    loop {
        let comma = past_blank(text, end);
        if text.get(comma) != Some(&b',') {
            return Some(end);
        }
        let open = past_blank(text, comma + 1);
        match text.get(open) {
            Some(b'(') => end = past_list(text, open)?,
            // The statement was cut off between two rows.
            None => return Some(text.len()),
            Some(_) => return Some(end),
        }
    }
}

/// Past white space and comments.
fn past_blank(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        at = match (class(text[at]), class(text[at]) == Class::Comment) {
            (Class::Space, _) => at + 1,
            (_, true) => match lexer::begins(text, at) {
                Begins::LineComment => lexer::end_of_line(text, at),
                Begins::Comment => lexer::end_of_comment(text, at).unwrap_or(text.len()),
                _ => return at,
            },
            _ => return at,
        };
    }
    at
}

/// Past the list that opens at `at`. `None` when a string in it is not closed.
fn past_list(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    while at < text.len() {
        at = match class(text[at]) {
            Class::Open => {
                depth += 1;
                at + 1
            }
            Class::Close => {
                depth -= 1;
                at + 1
            }
            Class::Quote | Class::Backquote => lexer::end_of_quoted(text, at)?,
            Class::Comment => match lexer::begins(text, at) {
                Begins::LineComment => lexer::end_of_line(text, at),
                Begins::Comment => lexer::end_of_comment(text, at)?,
                _ => at + 1,
            },
            _ => at + 1,
        };
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statement: &str, expected: &str) {
        let mut maker = Fingerprinter::new();
        assert_eq!(
            String::from_utf8_lossy(maker.of(statement.as_bytes())),
            expected,
            "{statement}"
        );
    }

    #[test]
    fn literals() {
        check("SELECT * FROM t WHERE id = 5", "select * from t where id = ?");
        check(
            "select * from t where id=-5 and x>+1.5e-3",
            "select * from t where id = ? and x > ?",
        );
        check(
            "select 0x1F, x'4142', X'1', b'01', 0b1, n'x', _utf8mb4'x', _binary 'y'",
            "select ?, ?, ?, ?, ?, ?, ?, ?",
        );
        check("select a-1, a - 1, a.b, .5, 1.", "select a-?, a - ?, a.b, ?, ?");
        check(
            "select null, true, FALSE, x is null, y is not NULL",
            "select ?, ?, ?, x is null, y is not null",
        );
        check("select 'a' 'b', 'x'", "select ?, ?");
    }

    #[test]
    fn arrows_into_json_are_one_operator() {
        for arrow in ["d->'$.a'", "d -> '$.a'", "d ->\"$.b\""] {
            check(&format!("select {arrow} from t"), "select d -> ? from t");
        }
        check("select d->>'$.a' = -1 and b>-1", "select d ->> ? = ? and b > ?");
    }

    #[test]
    fn doubled_and_escaped_quotes_are_one_literal() {
        check("select 'it''s'", "select ?");
        check(r"select 'it\'s', 'x'", "select ?, ?");
        check(r#"select "dou""ble", 'back\\', 'y'"#, "select ?, ?, ?");
        check("select 'not closed", "select ?");
        check("insert into t (note) values ('it''s')", "insert into t (note) values(?+)");
        check("insert into t (note) values ('x')", "insert into t (note) values(?+)");
    }

    #[test]
    fn no_backslash_escapes() {
        let insert = "insert into t values(?+)";
        check(r"INSERT INTO t VALUES ('C:\')", insert);
        check(r"INSERT INTO t VALUES ('C:\'),('D:\')", insert);
        check(r"INSERT INTO t VALUES ('C:\', 'it''s \', 'x')", insert);
        check(r"INSERT INTO t VALUES ('C:\', '/* x')", insert);
        check(r#"SELECT "a\", 'b' FROM t"#, "select ?, ? from t");
        check(
            r"insert into t values (1),('C:\') on duplicate key update a = f('y', 'z')",
            "insert into t values(?+) on duplicate key update a = f(?, ?)",
        );
        // A statement that is cut off behind an escaped quote is read as it was written.
        check(r"select 'it\'s cut", "select ?");
        check(r"select 'say \'hi\', he", "select ?");
    }

    #[test]
    fn lists() {
        check("select * from t where id IN (1,2, 3)", "select * from t where id in(?+)");
        check("select * from t where id in ('a')", "select * from t where id in(?+)");
        check(
            "select * from t where (a,b) in ((1,2),(3,4))",
            "select * from t where (a, b) in(?+)",
        );
        check(
            "select * from t where id in (select id from u where x = 1)",
            "select * from t where id in(select id from u where x = ?)",
        );
        check("select * from t where id in (-1, -2)", "select * from t where id in(?+)");
        check("select coalesce(1, 2)", "select coalesce(?, ?)");
        check(
            "select * from t where x not in (1) and y in (now(), 2)",
            "select * from t where x not in(?+) and y in(now(), ?)",
        );
    }

    #[test]
    fn rows_of_values() {
        let one = "insert into t (a, b) values(?+)";
        check("INSERT INTO t (a,b) VALUES (1,'x')", one);
        check("INSERT INTO t (a,b) VALUES (1,'x'), (2,'y;'),(3, 'z)')", one);
        check(
            "insert into t (a, b) values (1, 2), /* c */ (3, 4) on duplicate key update a = 1",
            "insert into t (a, b) values(?+) on duplicate key update a = ?",
        );
        check(
            "insert into t (a, b) values (1, now()), (2, now())",
            "insert into t (a, b) values(?, now())",
        );
        check("insert into t (a, b) values (1, default), (2,", one);
    }

    #[test]
    fn comments_white_space_and_case() {
        check("SELECT  /* c */ a -- x\n , b # y\n\n FROM\tT", "select a, b from t");
        check(
            "select /*M!100100 SQL_NO_CACHE */ a from `Orders`",
            "select /*M!100100 sql_no_cache */ a from orders",
        );
        check(
            "select /*!40001 SQL_NO_CACHE */ * from `Orders`",
            "select /*!40001 sql_no_cache */ * from orders",
        );
        check("select `odd ``name` from `a`.`b`", "select `odd ``name` from a.b");
        check("/* no verb */", "");
        check("select 1;", "select ?");
        check("select 1; select 2;", "select ?; select ?");
        check("select 5 - -3, a--5", "select ? - -?, a--?");
    }

    #[test]
    fn limits_calls_names_and_commands() {
        check("select * from t limit 5", "select * from t limit ?");
        check("select * from t limit 10, 5", "select * from t limit ?");
        check("select * from t limit 5 offset 10", "select * from t limit ?");
        check("CALL settle(1, 'x')", "call settle");
        check("select * from users_2009 where 2fa = 1", "select * from users_2009 where 2fa = ?");
        check("select @a := 1, t.1st", "select @a := ?, t.1st");
        check("# administrator command: Quit", "administrator command: Quit");
    }

    #[test]
    fn bounded_and_total() {
        let mut maker = Fingerprinter::new();
        let long = format!("select {}", "a1, ".repeat(1 << 20));
        assert_eq!(maker.of(long.as_bytes()).len(), MOST);
        let deep = format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(maker.of(deep.as_bytes()).len() <= MOST);
    }

    #[test]
    fn names_of_any_length() {
        for len in 1..40 {
            let name = "Ab_9é$@".chars().cycle().take(len).collect::<String>();
            for behind in ["", " ", "  = t", ";"] {
                let expected = name.to_ascii_lowercase() + behind.trim_end_matches([';', ' ']);
                check(&format!("{name}{behind}"), &expected.replace("  =", " ="));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_a_fingerprint(text: Vec<u8>) {
            let mut maker = Fingerprinter::new();
            proptest::prop_assert!(maker.of(&text).len() <= MOST);
        }

        #[test]
        fn sql_like_bytes_have_a_fingerprint(text in r#"[-'"`\\#/*(),.;=!\n a1xin_?]{0,200}"#) {
            let mut maker = Fingerprinter::new();
            proptest::prop_assert!(maker.of(text.as_bytes()).len() <= MOST);
        }
    }
}
