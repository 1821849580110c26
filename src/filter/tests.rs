//! What expressions mean, what is said about wrong ones, and the laws: what is printed parses back, and thinning a
//! block equals asking each record.

use proptest::prelude::*;

use super::*;
use crate::record::{Field, Label, Layout, Origin, Slot};

fn supplied() -> Fields {
    Fields::of(&[
        Field::TIME,
        Field::CLASS,
        Field::CLIENT,
        Field::USER,
        Field::PATH,
        Field::STATUS,
        Field::BYTES,
        Field::DURATION,
    ])
}

fn calendar() -> Calendar {
    Calendar { zone: chrono_tz::Europe::Berlin, now: 1_795_424_400_000_000 }
}

fn parse(text: &str) -> Result<Expr> {
    Expr::parse(text, supplied(), &calendar())
}

fn parsed(text: &str) -> Expr {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A record as plain as can be; `None` is absent.
#[derive(Debug, Clone, Default)]
struct Plain {
    time: Option<i64>,
    class: Option<&'static str>,
    client: Option<&'static str>,
    user: Option<&'static str>,
    status: Option<i64>,
    bytes: Option<i64>,
    duration: Option<i64>,
}

impl Plain {
    fn write(&self, block: &mut Block) {
        let slot = |field| block.layout().slot(field);
        let slots = [Field::TIME, Field::STATUS, Field::BYTES, Field::DURATION].map(slot);
        let (class, client, user) = (slot(Field::CLASS), slot(Field::CLIENT), slot(Field::USER));
        let mut row = block.row();
        let numbers = [self.time, self.status, self.bytes, self.duration];
        for (slot, number) in slots.into_iter().zip(numbers) {
            number.into_iter().for_each(|number| row.number(slot, number));
        }
        self.class.into_iter().for_each(|word| row.label(class, Label::of(word)));
        let mut text = |slot: Slot, text: Option<&str>| {
            text.into_iter().for_each(|text| row.made(slot, text.as_bytes()));
        };
        text(client, self.client);
        text(user, self.user);
        row.keep(0, 1);
    }
}

fn block(records: &[Plain]) -> Block {
    let mut block = Block::new(Layout::new(supplied(), Fields::NONE));
    block.set_origin(Origin { input: 0, offset: 0 });
    records.iter().for_each(|record| record.write(&mut block));
    block
}

fn keeps(filter: &str, record: Plain) -> bool {
    let filter = Filter::new(vec![parsed(filter)], None, None).unwrap();
    let mut block = block(&[record]);
    filter.thin(&mut filter.scratch(), &mut block, b"\n", "a.log");
    block.len() == 1
}

#[test]
fn numbers() {
    let with = |status| Plain { status: Some(status), ..Plain::default() };
    for (expr, kept, dropped) in [
        ("status=404", 404, 200),
        ("status!=404", 200, 404),
        ("status=5xx", 599, 600),
        ("status = 40x", 409, 410),
        ("status>=500", 500, 499),
        ("status>5xx", 600, 599),
        ("status<5xx", 499, 500),
        ("status<=4xx", 499, 500),
        ("status in 400-499, 200", 451, 500),
        ("status not in 5xx,404", 200, 404),
        ("status in -5--3", -4, 4),
        ("status<10k", 9_999, 10_000),
    ] {
        assert!(keeps(expr, with(kept)) && !keeps(expr, with(dropped)), "{expr}");
    }
}

#[test]
fn units() {
    let bytes = |bytes| Plain { bytes: Some(bytes), ..Plain::default() };
    assert!(keeps("bytes>10MiB", bytes((10 << 20) + 1)) && !keeps("bytes>10MiB", bytes(10 << 20)));
    assert!(keeps("bytes in 1k-2k", bytes(1500)));
    let duration = |duration| Plain { duration: Some(duration), ..Plain::default() };
    assert!(keeps("duration>1.5s", duration(1_500_001)) && !keeps("duration>1.5s", duration(1)));
    assert!(keeps("duration=100ms-1s", duration(500_000)));
}

#[test]
fn moments() {
    let at = |text: &str| {
        let time = chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
        Plain { time: Some(time), ..Plain::default() }
    };
    assert!(keeps("time=2026-11-23", at("2026-11-22T23:00:00Z")));
    assert!(!keeps("time=2026-11-23", at("2026-11-23T23:00:00Z")));
    assert!(keeps("time>2026-11-23", at("2026-11-23T23:00:00Z")));
    assert!(keeps("time>=2026-11-23 09:15", at("2026-11-23T08:15:00Z")));
    assert!(keeps("time in 2026-11-20..2026-11-21, 2026-11-23", at("2026-11-21T22:59:59Z")));
    assert!(keeps("time<1h ago", at("2026-11-23T07:59:59Z")));
}

#[test]
fn texts_labels_and_networks() {
    let client = |client| Plain { client: Some(client), ..Plain::default() };
    for (expr, kept, dropped) in [
        ("client=192.0.2.7", "192.0.2.7", "192.0.2.70"),
        ("client = 'unix:'", "unix:", ""),
        ("client=''", "", "-"),
        ("client='-'", "-", ""),
        ("client=\"it's\"", "it's", "its"),
        ("client='it''s, here'", "it's, here", "it's"),
        ("client=a, b", "a, b", "a"),
        ("client in 10.0.0.0/8,2001:db8::/32", "10.255.0.1", "11.0.0.1"),
        ("client in 10.0.0.0/8,2001:db8::/32", "2001:db8::7", "2001:db9::7"),
        ("client in 192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8"),
        ("client in 'a,b' , c", "a,b", "a"),
        ("client not in 10.0.0.0/8,unix:", "x", "unix:"),
        ("client~^10\\.", "10.1.1.1", "110.1.1.1"),
        ("client !~ ^10\\.", "110.1.1.1", "10.1.1.1"),
        ("client~'a b'", "xa by", "ab"),
    ] {
        assert!(keeps(expr, client(kept)), "{expr} {kept}");
        assert!(!keeps(expr, client(dropped)), "{expr} {dropped}");
    }
    let class = |class| Plain { class: Some(class), ..Plain::default() };
    assert!(keeps("class=error", class("error")) && !keeps("class=error", class("ok")));
    assert!(keeps("class~^(warn|err)", class("warn")) && !keeps("class!~rr", class("error")));
    assert!(keeps("class not in ok,warn", class("error")));
}

#[test]
fn absent_is_the_opposite_of_nothing_but_of_itself() {
    for expr in
        ["user=alice", "user~.", "user in a,b", "user!=-", "status<500", "status=-5", "time<now"]
    {
        assert!(!keeps(expr, Plain::default()), "{expr}");
    }
    for expr in [
        "user!=alice",
        "user!~.",
        "user not in a",
        "user=-",
        "status=-",
        "status in -,4xx",
        "class=-",
    ] {
        assert!(keeps(expr, Plain::default()), "{expr}");
    }
}

#[test]
fn what_every_record_has() {
    let block = || block(&[Plain::default()]);
    for (expr, kept) in
        [("raw~^x$", 1), ("raw=x", 1), ("raw!=x", 0), ("offset=0", 1), ("offset>0", 0)]
    {
        let filter = Filter::new(vec![parsed(expr)], None, None).unwrap();
        assert_eq!(filter.fields(), Fields::NONE);
        let mut block = block();
        filter.thin(&mut filter.scratch(), &mut block, b"x", "a.log");
        assert_eq!(block.len(), kept, "{expr}");
    }
}

#[test]
fn a_column_that_is_not_there_is_absent() {
    for (expr, kept) in [("user=alice", 0), ("user!=alice", 2), ("status>1", 0), ("status=-", 2)] {
        let filter = Filter::new(vec![parsed(expr)], None, None).unwrap();
        let mut block = Block::new(Layout::new(Fields::NONE, Fields::NONE));
        (0..2).for_each(|_| block.row().keep(0, 0));
        filter.thin(&mut filter.scratch(), &mut block, b"", "a.log");
        assert_eq!(block.len(), kept, "{expr}");
    }
}

#[test]
fn a_period_has_its_beginning_and_not_its_end() {
    let filter = Filter::new(Vec::new(), Some(10), Some(20)).unwrap();
    let times = [None, Some(9), Some(10), Some(19), Some(20)];
    let records = times.map(|time| Plain { time, ..Plain::default() });
    let mut block = block(&records);
    filter.thin(&mut filter.scratch(), &mut block, b"\n", "a.log");
    let records = block.records(b"\n");
    let kept: Vec<_> = (0..records.len()).map(|row| records.number(Field::TIME, row)).collect();
    assert_eq!(kept, [Some(10), Some(19)]);
    assert!(Filter::new(Vec::new(), Some(10), Some(10)).is_err());
    assert_eq!(filter.fields(), Fields::of(&[Field::TIME]));
    assert_eq!(
        filter.to_string(),
        "time>=1970-01-01T00:00:00.000010Z and time<1970-01-01T00:00:00.000020Z"
    );
}

/// One line an error: the text, the message with its place, the advice.
fn refusal(text: &str) -> String {
    let error = parse(text).expect_err(text);
    assert!(error.is_usage());
    format!("{error}; {}", error.advice().unwrap_or("no advice"))
}

#[test]
fn wrong_expressions_get_a_place_and_a_way_out() {
    for (text, said) in [
        ("staus>=500", "there is no field 'staus' (at byte 0); did you mean 'status'?"),
        (" ip=1", "there is no field 'ip' (at byte 1); did you mean 'client'?"),
        ("status==500", "'==' is no operator (at byte 6); did you mean '='?"),
        ("path =~ x", "'=~' is no operator (at byte 5); did you mean '~'?"),
        ("path like x", "'like' is no operator (at byte 5); did you mean '~'?"),
        ("path xyz x", "'xyz' is no operator (at byte 5); one of = != <"),
        ("status", "the operator is missing (at byte 6); one of = != <"),
        ("status>=", "nothing stands after '>=' (at byte 8); write '' for"),
        ("status>=5oo", "'5oo' is not a number (at byte 8); 'status' is a number: write '500'"),
        ("status in 200,,404", "an item of the list is missing (at byte 14); "),
        ("status in 200, x", "'x' is not a number (at byte 15); "),
        ("status in 499-400", "'499-400' ends before it begins (at byte 10)"),
        ("status~^5", "'status' is a number, and '~' is for texts (at byte 7); use =, !="),
        ("path>x", "'path' is text and has no order, so '>' says nothing (at byte 5); use ="),
        ("status>-", "'-' is absent, and nothing is '>' than that (at byte 7); use = or !="),
        ("bytes>10XB", "'10XB' is not a size (at byte 6); a size is a number and a unit"),
        ("duration>1", "'1' is not a duration (at byte 9); a duration is a number and a unit"),
        ("time>soon", "'soon' is not a moment (at byte 5); a moment is '2026-11-23'"),
        ("client in 10.0.0.0/33", "'10.0.0.0/33' is no network (at byte 10); write 10.0.0.0/8"),
        ("client='x", "the text that begins with ' does not end with it (at byte 7); close it"),
        ("path~/a(b", "the pattern is wrong: unclosed group (at byte 7); in a pattern"),
        ("path~'/a(b'", "the pattern is wrong: unclosed group (at byte 8); in a pattern"),
        (">5", "a filter begins with the name of a field (at byte 0); write for example"),
        ("not status=200", "a whole expression is not negated (at byte 0); the operator is"),
        ("!(status=200)", "a whole expression is not negated (at byte 0); the operator is"),
        ("status in (404,500)", "a list stands without parentheses (at byte 10); as in 'status"),
        ("user in ( ann, bob )", "a list stands without parentheses (at byte 8); as in 'status"),
        ("class=eror", "'eror' is no class of records (at byte 6); the classes are: ok, warn, er"),
        ("class in ok,'err'", "'err' is no class of records (at byte 12); the classes are: ok"),
        ("path=/a and status>5", "an expression ends here (at byte 8); give each its own"),
    ] {
        let refusal = refusal(text);
        assert!(refusal.starts_with(said), "{text}: {refusal}");
    }
}

#[test]
fn prints_itself_back() {
    for (text, printed) in [
        ("status >= 500", "status>=500"),
        ("status=5XX", "status=5xx"),
        ("status in 404, 500-599", "status in 404,5xx"),
        ("bytes>10240k", "bytes>10MiB"),
        ("duration>1.5s", "duration>1s500ms"),
        ("path ~ ^/api/", "path~^/api/"),
        ("path~'a b'", "path~'a b'"),
        ("client not   in 10.1.2.3/8,'10.0.0.0/8'", "client not in 10.0.0.0/8,'10.0.0.0/8'"),
        ("user != -", "user!=-"),
        ("user='-'", "user='-'"),
        ("user=''", "user=''"),
        ("path=/a and b", "path='/a and b'"),
        ("path in '(a', 'b)'", "path in '(a',b)"),
        ("time=2026-11-23", "time=2026-11-22T23:00:00Z..2026-11-23T22:59:59Z"),
        ("time>=2026-11-23", "time>=2026-11-22T23:00:00.000000Z"),
        ("time in 2026-11-23T00:00:00Z", "time in 2026-11-23T00:00:00Z"),
    ] {
        assert_eq!(parsed(text).to_string(), printed);
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof!["-?[0-9]{1,4}", "[1-9]xx", "[0-9]{1,3}-[1-9][0-9]{3}", Just("-".to_owned())]
}

/// Expressions as people and machines may write them; most of them are right.
fn expression() -> impl Strategy<Value = String> {
    let value = || {
        prop_oneof![
            "[a-z,/. ]{0,8}",
            "'[^']{0,8}'",
            "\"[^\"]{0,6}\"",
            "[0-9.:/]{1,12}",
            ".{0,8}",
            Just("-".to_owned()),
        ]
    };
    prop_oneof![
        ("(status|status )(=|!=|<|<=|>|>=| in | not in )", number())
            .prop_map(|(head, value)| head + &value),
        ("status( in | not in )", prop::collection::vec(number(), 1..5))
            .prop_map(|(head, values)| head + &values.join(", ")),
        ("(client|path|class)(=|!=|~|!~| in | not in )", value())
            .prop_map(|(head, value)| head + &value),
        ("path( in | not in )", prop::collection::vec(value(), 1..4))
            .prop_map(|(head, values)| head + &values.join(",")),
        "bytes(=|<|>=| in )[0-9]{1,5}(|k|MB|GiB)(|-9TB)",
        "duration(!=|<=|>| in )-?[0-9]{1,3}(us|ms|s|h)(|-9w)",
        "time(=|<|>|<=|>=|!=)20[0-9]{2}-1[0-2]-[0-2][0-9]([T ]0[0-9]:[0-5][0-9](:00(\\.[0-9]{1,6})?)?)?",
        "time in @[0-9]{1,9}(\\.[0-9])?\\.\\.@[1-9][0-9]{9}(\\.[0-9])?",
    ]
}

/// Printed bare, what only looks like a network was one that is mistyped.
#[test]
fn quoted_texts_that_look_like_networks_are_printed_quoted() {
    for text in ["client in './0'", "client in '10.0.0.0/33'", "path not in '10.0.0.0/8',/a"] {
        let printed = parse(text).unwrap().to_string();
        assert_eq!(parse(&printed).unwrap(), parse(text).unwrap(), "{printed}");
    }
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(text in expression()) {
        if let Ok(expr) = parse(&text) {
            let printed = expr.to_string();
            let elsewhere = Calendar { zone: chrono_tz::Asia::Tokyo, now: 0 };
            let again = Expr::parse(&printed, supplied(), &elsewhere);
            prop_assert!(again.is_ok(), "{} as {}: {:?}", text, printed, again);
            prop_assert_eq!(again.unwrap(), expr, "{}", printed);
        }
    }

    #[test]
    fn no_text_panics(text: String, tail in "[ =!<>~in'\",0-9x.-]{0,12}") {
        let _ = parse(&text);
        let _ = parse(&format!("status{tail}"));
        let _ = parse(&format!("client{tail}{text}"));
        let _ = parse(&format!("time{tail}"));
    }
}

/// An expression and what it means for one record, told without columns.
type Meaning = (&'static str, fn(&Plain) -> bool);

const MEANINGS: &[Meaning] = &[
    ("status>=500", |r| r.status.is_some_and(|status| status >= 500)),
    ("status!=200", |r| r.status != Some(200)),
    ("status in 4xx,503,-", |r| r.status.is_none_or(|s| (400..500).contains(&s) || s == 503)),
    ("status not in 4xx,-", |r| r.status.is_some_and(|s| !(400..500).contains(&s))),
    ("bytes>1k", |r| r.bytes.is_some_and(|bytes| bytes > 1024)),
    ("duration<=1ms", |r| r.duration.is_some_and(|duration| duration <= 1000)),
    ("class=error", |r| r.class == Some("error")),
    ("class!~^o", |r| r.class.is_none_or(|class| !class.starts_with('o'))),
    ("client in 10.0.0.0/8", |r| r.client.is_some_and(|client| client.starts_with("10."))),
    ("client not in 10.0.0.0/8,-", |r| r.client.is_some_and(|client| !client.starts_with("10."))),
    ("user!=alice", |r| r.user != Some("alice")),
    ("user~l", |r| r.user.is_some_and(|user| user.contains('l'))),
    ("user in alice,''", |r| matches!(r.user, Some("alice" | ""))),
];

fn any_record() -> impl Strategy<Value = Plain> {
    let number = |pool: &'static [i64]| prop::option::of(prop::sample::select(pool));
    let word = |pool: &'static [&'static str]| prop::option::of(prop::sample::select(pool));
    let numbers = (
        number(&[9, 10, 19, 20]),
        number(&[-1, 200, 399, 400, 499, 500, 503]),
        number(&[0, 1024, 1025]),
        number(&[0, 1000, 1001]),
    );
    let words = (
        word(&["ok", "warn", "error"]),
        word(&["10.0.0.1", "10.9.9.9", "::1", "unix:", ""]),
        word(&["alice", "bob", "carol", ""]),
    );
    (numbers, words).prop_map(|((time, status, bytes, duration), (class, client, user))| Plain {
        time,
        class,
        client,
        user,
        status,
        bytes,
        duration,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn thinning_a_block_is_asking_each_record(
        records in prop::collection::vec(any_record(), 0..=512),
        chosen in prop::sample::subsequence(MEANINGS, 0..4),
        since in prop::option::of(Just(10)),
    ) {
        let exprs = chosen.iter().map(|(text, _)| parsed(text)).collect();
        let filter = Filter::new(exprs, since, None).unwrap();
        let in_period = |r: &Plain| since.is_none_or(|since| r.time.is_some_and(|time| time >= since));
        let holds = |r: &&Plain| in_period(r) && chosen.iter().all(|(_, holds)| holds(r));
        let kept: Vec<Plain> = records.iter().filter(holds).cloned().collect();
        let (mut thinned, expected) = (block(&records), block(&kept));
        let mut scratch = filter.scratch();
        // Twice: what a thread keeps from the first block does no harm to the second.
        filter.thin(&mut scratch, &mut block(&records), b"\n", "a.log");
        filter.thin(&mut scratch, &mut thinned, b"\n", "a.log");
        let (thinned, expected) = (thinned.records(b"\n"), expected.records(b"\n"));
        prop_assert_eq!(thinned.len(), expected.len());
        for row in 0..thinned.len() {
            for field in supplied().iter() {
                prop_assert_eq!(thinned.get(field, row), expected.get(field, row));
            }
        }
    }
}
