//! The queue over made-up lives.

use super::super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
use super::super::super::{AnyReport, Options};
use super::*;
use crate::document::{Body, Cell};
use crate::format::Family;

fn made(second: i64, kind: &str, id: &str, more: &[(Field, &str)]) -> Made {
    let mut record = vec![
        (Field::TIME, (1_709_802_000 + second).to_string() + "000000"),
        (Field::KIND, kind.to_owned()),
        (Field::QUEUE_ID, id.to_owned()),
        (Field::LOGHOST, "mx1".to_owned()),
    ];
    record.extend(more.iter().map(|(field, value)| (*field, (*value).to_owned())));
    record
}

const ACTIVE: [(Field, &str); 2] = [(Field::SENDER, "jo@a.example"), (Field::BYTES, "1000")];

fn failed(reason: &'static str) -> [(Field, &'static str); 3] {
    [(Field::RECIPIENT, "u@Slow.example"), (Field::DELIVERY, "deferred"), (Field::REASON, reason)]
}

/// A message that is sent at the second attempt, one that is still there, and one that was never finished.
fn story() -> Vec<Made> {
    let to = [(Field::RECIPIENT, "u@slow.example"), (Field::DELIVERY, "sent")];
    vec![
        made(0, "received", "AAAAAA", &[]),
        made(1, "active", "AAAAAA", &ACTIVE),
        made(2, "deferred", "AAAAAA", &failed("connect to mx[192.0.2.7]:25: Connection refused")),
        made(600, "active", "AAAAAA", &ACTIVE),
        made(601, "sent", "AAAAAA", &to),
        made(601, "removed", "AAAAAA", &[]),
        made(300, "received", "BBBBBB", &[]),
        made(300, "active", "BBBBBB", &ACTIVE),
        made(301, "deferred", "BBBBBB", &failed("host mx[192.0.2.7] said: 450 4.2.0 later")),
        made(400, "received", "CCCCCC", &[]),
        made(7_200, "connect", "", &[]),
    ]
}

fn told(records: &[Made]) -> Vec<Section> {
    let report: Box<dyn AnyReport> = Box::new(Queue::new());
    let found = sections(&*report, Family::Postfix, &Options::default(), records);
    found.iter().for_each(check_form);
    found
}

fn fact(sections: &[Section], name: &str) -> Cell {
    sections[0].fact(name).unwrap_or_else(|| panic!("no {name}")).clone()
}

#[test]
fn a_size_counts_once_however_often_it_is_tried() {
    let found = told(&story());
    assert_eq!(fact(&found, "messages"), Cell::Count(2));
    assert_eq!(fact(&found, "never_queued"), Cell::Count(1));
    assert_eq!(fact(&found, "activations"), Cell::Count(3));
    assert_eq!(fact(&found, "bytes_received"), Cell::Bytes(2_000));
    assert_eq!(fact(&found, "bytes_delivered"), Cell::Bytes(1_000));
    assert_eq!(fact(&found, "time_max"), Cell::Duration(601_000_000));
    assert_eq!(fact(&found, "peak"), Cell::Count(2));
    assert_eq!(fact(&found, "peak_at"), Cell::Instant(1_709_802_300_000_000));
    assert_eq!(column(&found, "senders", "messages"), [Cell::Count(2)]);
    assert_eq!(column(&found, "senders_size", "bytes"), [Cell::Bytes(2_000)]);
    assert_eq!(column(&found, "recipient_domains", "deferrals"), [Cell::Count(2)]);
}

#[test]
fn the_queue_is_told_at_its_fullest_and_at_the_end() {
    let found = told(&story());
    assert_eq!(column(&found, "queue_left", "recipient_domain"), [Cell::text("slow.example")]);
    assert_eq!(column(&found, "queue_left", "oldest"), [Cell::Duration(6_900_000_000)]);
    assert_eq!(column(&found, "queue_left", "160m"), [Cell::Count(1)]);
    assert_eq!(column(&found, "queue_left", "reason"), [Cell::text("450 4.2.0 later")]);
    let domains = column(&found, "queue_peak", "recipient_domain");
    assert_eq!(domains, [Cell::text("(not tried yet)"), Cell::text("slow.example")]);
    let Body::Series(series) = &found[1].body else { panic!("it is no series") };
    let depths: Vec<&Cell> = series.points.iter().map(|point| &point[0]).collect();
    assert_eq!(depths[0], &Cell::Count(1));
    assert_eq!(depths[4], &Cell::Count(2));
    assert_eq!(*depths.last().unwrap(), &Cell::Count(1));
}

#[test]
fn bounces_are_followed() {
    let notice = [(Field::ACTION, "sender non-delivery"), (Field::NEW_QUEUE_ID, "DDDDDD")];
    let records = vec![
        made(0, "active", "AAAAAA", &ACTIVE),
        made(1, "bounced", "AAAAAA", &failed("x")),
        made(1, "notification", "AAAAAA", &notice),
        made(1, "active", "DDDDDD", &[(Field::SENDER, ""), (Field::BYTES, "9")]),
        made(2, "removed", "AAAAAA", &[]),
        made(3, "bounced", "DDDDDD", &failed("y")),
        made(3, "removed", "DDDDDD", &[]),
    ];
    let found = told(&records);
    assert_eq!(fact(&found, "notifications"), Cell::Count(1));
    assert_eq!(column(&found, "notifications", "bounced"), [Cell::Count(1)]);
    assert_eq!(column(&found, "senders", "sender"), [Cell::text("<>"), Cell::text("jo@a.example")]);
}

fn random(count: usize) -> Vec<Made> {
    let mut dice = Dice(5);
    let kinds = ["received", "active", "deferred", "sent", "bounced", "removed", "queue_admin"];
    let record = |at: usize| {
        let id = format!("{:06X}", dice.below(80));
        let kind = kinds[dice.below(kinds.len())];
        let to = format!("u{}@d{}.example", dice.below(9), dice.below(4));
        let action = ["placed on hold", "released from hold"][dice.below(2)];
        let reason = format!("{} is {}", ["full", "slow"][dice.below(2)], dice.below(2));
        let more = [
            (Field::SENDER, "jo@a.example"),
            (Field::RECIPIENT, &to[..]),
            (Field::ACTION, action),
            (Field::REASON, &reason[..]),
            (Field::BYTES, "77"),
        ];
        made(at as i64 * 40, kind, &id, &more)
    };
    (0..count).map(record).collect()
}

#[test]
fn merging_changes_nothing() {
    let records = random(1_500);
    let options = Options { limit: 0, ..Options::default() };
    for most in [MOST_EVENTS, 400] {
        let report: Box<dyn AnyReport> = Box::new(Queue { most, ..Queue::new() });
        check_merging(&*report, Family::Postfix, &options, &records);
    }
}

#[test]
fn what_was_let_go_is_said() {
    let report: Box<dyn AnyReport> = Box::new(Queue { most: 100, ..Queue::new() });
    let found = sections(&*report, Family::Postfix, &Options::default(), &random(600));
    assert!(
        found
            .iter()
            .all(|section| section.notes.iter().any(|note| note.text.contains("one message in")))
    );
}

/// What a log of today says about a message of the day before yesterday: nothing but that it was tried again.
#[test]
fn an_age_is_told_by_the_delay_where_the_log_does_not_have_the_beginning() {
    let late = |second, delay: &'static str| {
        let mut record = made(second, "deferred", "AAAAAA", &failed("450 4.2.0 later"));
        record.push((Field::DURATION, delay.to_owned()));
        record
    };
    let found = told(&[
        made(0, "connect", "", &[]),
        made(60, "active", "AAAAAA", &ACTIVE),
        late(61, "172861000000"),
        made(600, "active", "AAAAAA", &ACTIVE),
        late(601, "173401000000"),
    ]);
    assert_eq!(fact(&found, "from_before"), Cell::Count(1));
    assert_eq!(column(&found, "queue_left", "oldest"), [Cell::Duration(173_401_000_000)]);
    assert_eq!(column(&found, "queue_left", "older"), [Cell::Count(1)]);
    let arrived = Cell::Instant((1_709_802_000 - 172_800) * 1_000_000);
    assert_eq!(column(&found, "queue_longest", "arrived"), [arrived]);
    assert_eq!(column(&found, "queue_longest", "time"), [Cell::Duration(173_401_000_000)]);
    let Body::Series(series) = &found[1].body else { panic!("it is no series") };
    assert!(series.points.iter().all(|point| point[0] == Cell::Count(1)), "{series:?}");
    assert!(series.points.iter().all(|point| point[3] == Cell::Count(0)), "{series:?}");
}

/// What `postsuper -r` sends round again is as old as it was.
#[test]
fn a_requeued_message_keeps_its_age() {
    let pid = (Field::PID, "7");
    let mut late = made(300, "deferred", "BBBBBB", &failed("450 4.2.0 later"));
    late.push((Field::DURATION, "300000000".to_owned()));
    let found = told(&[
        made(0, "received", "AAAAAA", &[pid]),
        made(1, "active", "AAAAAA", &ACTIVE),
        made(200, "queue_admin", "AAAAAA", &[(Field::ACTION, "requeued")]),
        made(260, "received", "BBBBBB", &[(Field::ORIGINAL_QUEUE_ID, "AAAAAA"), pid]),
        made(260, "active", "BBBBBB", &ACTIVE),
        late,
    ]);
    assert_eq!(fact(&found, "resubmitted"), Cell::Count(1));
    assert_eq!(fact(&found, "peak"), Cell::Count(1));
    assert_eq!(column(&found, "queue_left", "oldest"), [Cell::Duration(300_000_000)]);
}

/// `NOQUEUE: hold: RCPT from …` stands before the line that gives the message its id, and no queue manager ever sees it.
#[test]
fn what_a_rule_of_smtpd_put_on_hold_is_in_the_queue() {
    let pid = |pid: &'static str| (Field::PID, pid);
    let hold = |second, to: &'static str, process| {
        let more = [(Field::ACTION, "hold"), (Field::RECIPIENT, to), pid(process)];
        let mut record = made(second, "policy", "", &more);
        record.retain(|(field, _)| *field != Field::QUEUE_ID);
        record
    };
    let found = told(&[
        made(0, "received", "AAAAAA", &[pid("7")]),
        made(0, "active", "AAAAAA", &ACTIVE),
        hold(0, "boss@slow.example", "7"),
        made(0, "received", "BBBBBB", &[pid("7")]),
        // Of another process, and not finished.
        made(0, "received", "CCCCCC", &[pid("8")]),
        hold(5, "u@fast.example", "8"),
        made(6, "received", "DDDDDD", &[pid("8")]),
        made(90, "queue_admin", "DDDDDD", &[(Field::ACTION, "released from hold")]),
        made(91, "active", "DDDDDD", &ACTIVE),
        made(91, "removed", "DDDDDD", &[]),
        made(91, "removed", "AAAAAA", &[]),
        made(400, "connect", "", &[]),
    ]);
    assert_eq!(fact(&found, "held"), Cell::Count(2));
    assert_eq!(
        (fact(&found, "left"), fact(&found, "never_queued")),
        (Cell::Count(1), Cell::Count(1))
    );
    assert_eq!(column(&found, "queue_left", "recipient_domain"), [Cell::text("slow.example")]);
    assert_eq!(column(&found, "queue_left", "held"), [Cell::Count(1)]);
    assert_eq!(column(&found, "queue_left", "oldest"), [Cell::Duration(400_000_000)]);
}

/// `postsuper -r ALL` writes how many it sent round again, and no ids: the line of pickup has the old one.
#[test]
fn what_was_requeued_without_its_name_has_left() {
    let again = [(Field::ORIGINAL_QUEUE_ID, "AAAAAA"), (Field::PROGRAM, "pickup")];
    let filtered = [(Field::ORIGINAL_QUEUE_ID, "CCCCCC"), (Field::PROGRAM, "smtpd")];
    let found = told(&[
        made(0, "active", "AAAAAA", &ACTIVE),
        made(2, "deferred", "AAAAAA", &failed("450 4.2.0 later")),
        made(60, "received", "BBBBBB", &again),
        made(60, "active", "BBBBBB", &ACTIVE),
        made(61, "removed", "BBBBBB", &[]),
        // What a filter gives back while the first one waits for its answer is another matter.
        made(62, "active", "CCCCCC", &ACTIVE),
        made(63, "received", "DDDDDD", &filtered),
        made(63, "active", "DDDDDD", &ACTIVE),
    ]);
    assert_eq!(fact(&found, "left"), Cell::Count(2));
    assert_eq!(fact(&found, "peak"), Cell::Count(2));
    assert_eq!(column(&found, "queue_left", "recipient_domain"), [Cell::text("(not tried yet)")]);
}

/// `postsuper -d ALL` names nobody, and nothing else tells who has gone.
#[test]
fn what_was_deleted_without_its_name_is_said() {
    let by_hand = |kind, id, message: &'static str| {
        made(9, kind, id, &[(Field::PROGRAM, "postsuper"), (Field::MESSAGE, message)])
    };
    let named = [
        made(0, "active", "AAAAAA", &ACTIVE),
        made(0, "active", "BBBBBB", &ACTIVE),
        by_hand("removed", "AAAAAA", "removed"),
        by_hand("queue_admin", "", "Deleted: 1 message"),
    ];
    assert!(told(&named).iter().all(|section| section.notes.is_empty()));
    let mut records = named.to_vec();
    records.push(by_hand("queue_admin", "", "Deleted: 12 messages"));
    let found = told(&records);
    let left = found.iter().find(|section| section.name == "queue_left").unwrap();
    assert!(left.notes[0].text.contains("had 12 messages deleted without naming them"));
}

/// One that a rule put on hold has no reason, but what is younger has one.
#[test]
fn the_reason_of_a_destination_is_that_of_the_oldest_that_has_one() {
    let hold = [(Field::ACTION, "hold"), (Field::RECIPIENT, "u@slow.example")];
    let found = told(&[
        made(0, "received", "AAAAAA", &[]),
        made(0, "policy", "AAAAAA", &hold),
        made(60, "active", "BBBBBB", &ACTIVE),
        made(61, "deferred", "BBBBBB", &failed("450 4.2.0 later")),
    ]);
    assert_eq!(column(&found, "queue_left", "recipients"), [Cell::Count(2)]);
    assert_eq!(column(&found, "queue_left", "oldest"), [Cell::Duration(61_000_000)]);
    assert_eq!(column(&found, "queue_left", "reason"), [Cell::text("450 4.2.0 later")]);
}
