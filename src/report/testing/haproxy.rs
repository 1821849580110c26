//! Made-up sessions of HAProxy, for the tests of its reports.

use super::{Dice, Made};
use crate::record::Field;

const STATES: [(&str, &str, &str); 8] = [
    ("--", "200", "ok"),
    ("--", "200", "ok"),
    ("--", "404", "warn"),
    ("sH", "504", "error"),
    ("SC", "503", "error"),
    ("CD", "200", "warn"),
    ("sQ", "503", "error"),
    ("LR", "302", "ok"),
];

/// Sessions with all fields that reports read, an event of a server now and then.
pub(crate) fn sessions(count: usize, seed: u64) -> Vec<Made> {
    let mut dice = Dice(seed);
    (0..count)
        .map(|at| if dice.below(40) == 0 { event(at, &mut dice) } else { session(at, &mut dice) })
        .collect()
}

fn time(at: usize, dice: &mut Dice) -> (Field, String) {
    let time = 1_709_802_000_000_000 + at as i64 * 370_000 - dice.below(2_000_000) as i64;
    (Field::TIME, time.to_string())
}

fn session(at: usize, dice: &mut Dice) -> Made {
    let (state, status, class) = STATES[dice.below(STATES.len())];
    let backend = dice.one_of(&["app", "static"]);
    let mut record = vec![
        time(at, dice),
        (Field::CLASS, class.to_owned()),
        (Field::KIND, state.to_owned()),
        (Field::CLIENT, format!("192.0.2.{}", dice.below(30))),
        (Field::FRONTEND, dice.one_of(&["www", "secure"]).to_owned()),
        (Field::BACKEND, backend.to_owned()),
        (Field::SERVER, format!("{backend}{}", dice.below(3))),
        (Field::STATE, state.to_owned()),
        (Field::COOKIE_STATE, dice.one_of(&["--", "VN", "NI", "DI", "II"]).to_owned()),
        (Field::STATUS, status.to_owned()),
        (Field::BYTES, dice.below(90_000).to_string()),
        (Field::T_REQUEST, "0".to_owned()),
        (Field::T_QUEUE, (dice.below(3) * 40_000).to_string()),
        (Field::T_CONNECT, (dice.below(3) * 1_000_000).to_string()),
        (Field::T_RESPONSE, (dice.below(900) * 1_000).to_string()),
        (Field::T_DATA, (dice.below(90) * 1_000).to_string()),
        (Field::DURATION, (dice.below(9_000) * 1_000).to_string()),
        (Field::RETRIES, dice.below(3).to_string()),
        (Field::REDISPATCHED, dice.below(2).to_string()),
        (Field::PARTIAL, (dice.below(20) / 19).to_string()),
        (Field::SERVER_QUEUE, (dice.below(10) / 8).to_string()),
        (Field::BACKEND_QUEUE, (dice.below(10) / 7).to_string()),
        (Field::SERVER_CONNECTIONS, dice.below(50).to_string()),
        (Field::PATH, format!("/{}", dice.below(20))),
    ];
    let lost = dice.below(record.len() * 3);
    if (1..record.len()).contains(&lost) {
        record.remove(lost);
    }
    record
}

fn event(at: usize, dice: &mut Dice) -> Made {
    let action = dice.one_of(&["up", "down", "check_failed", "maintenance", "ready"]);
    vec![
        time(at, dice),
        (Field::CLASS, "warn".to_owned()),
        (Field::ACTION, action.to_owned()),
        (Field::BACKEND, "app".to_owned()),
        (Field::SERVER, format!("app{}", dice.below(3))),
        (Field::REASON, "Layer4 timeout".to_owned()),
    ]
}

/// Sessions from lines such as `app/s1 0/0/1/5/9 200 10 -- +1`: names, timers in milliseconds, status (not in TCP
/// lines, which have three timers), bytes, state, retries.
pub(crate) fn lines(lines: &[&str]) -> Vec<Made> {
    let head = "1.1.1.1:1 [07/Mar/2024:09:15:02.418] www ";
    let text: String = lines
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                [names, timers, status, bytes, state, retries] => {
                    format!("{head}{names} {timers} {status} {bytes} - - {state}-- 1/1/1/1/{retries} 0/0\n")
                }
                [names, timers, bytes, state, retries] => {
                    format!("{head}{names} {timers} {bytes} {state} 1/1/1/1/{retries} 0/0\n")
                }
                _ => panic!("'{line}' is no such line"),
            }
        })
        .collect();
    let format = crate::format::haproxy::Haproxy::built_in();
    let (records, account) = crate::format::testing::read(&format, text.as_bytes(), {
        use crate::format::Format;
        format.fields()
    });
    assert_eq!(account.counted.records as usize, lines.len(), "{account:?}");
    records
}
