//! What gives way when a table is wider than its terminal.
//!
//! In this order, until it fits:
//!
//! 1. the bar beside the main column is not drawn;
//! 2. values with nothing in them are left out, while keys, remarks and details are longer than [`EASY_KEY`];
//! 3. keys, remarks and details are cut, the longest first, down to [`KEY`] and [`WORDS`] columns;
//! 4. details are left out, then values but the first [`MAIN_VALUES`], then remarks, then these values, each from the
//!    right;
//! 5. keys are cut further.
//!
//! Numbers are never cut and rows never wrapped. The bar comes before the full length of keys past [`EASY_KEY`]: paths are
//! told apart by less than that, and a bar is what a tired reader sees first.

use super::GAP;
use crate::document::Role;

/// What a key keeps before other columns are left out.
const KEY: usize = 16;
/// What a remark or a detail keeps, or else is left out.
const WORDS: usize = 20;
/// Values that say more than a remark.
const MAIN_VALUES: usize = 2;
/// What a key, a remark or a detail keeps before it makes room for the bar.
const EASY_KEY: usize = 40;
/// The least and the most of a bar.
const BAR: std::ops::RangeInclusive<usize> = 8..=20;

/// A column as it would like to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) width: usize,
    pub(super) role: Role,
    /// There is nothing in the column.
    pub(super) is_idle: bool,
}

/// What each column gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// `None` where the column is left out.
    pub(super) widths: Vec<Option<usize>>,
    /// The width of the bar behind the main column; 0 for none.
    pub(super) bar: usize,
}

/// Lays the columns out in `room`, or as they would like to be where there is no limit.
pub(super) fn plan(wishes: &[Wish], has_bar: bool, room: Option<usize>) -> Plan {
    let wished = wishes.iter().map(|wish| Some(wish.width)).collect();
    let Some(room) = room else { return Plan { widths: wished, bar: 0 } };
    let mut widths = wished;
    leave_out(wishes, &mut widths, (room, easy), idle_value);
    leave_out(wishes, &mut widths, (room, least), lesser);
    let spare = room.saturating_sub(total(&at_most(wishes, &widths, easy)) + GAP);
    let bar = if has_bar && spare >= *BAR.start() { spare.min(*BAR.end()) } else { 0 };
    let room = if bar > 0 { room - bar - GAP } else { room };
    shrink(wishes, &mut widths, room, least);
    shrink(wishes, &mut widths, room, |_| 1);
    Plan { widths, bar }
}

/// The widths if every column took no more than `limit` allows it.
fn at_most(
    wishes: &[Wish],
    widths: &[Option<usize>],
    limit: fn(Role) -> usize,
) -> Vec<Option<usize>> {
    let limited = |(wish, width): (&Wish, &Option<usize>)| width.map(|w| w.min(limit(wish.role)));
    wishes.iter().zip(widths).map(limited).collect()
}

fn least(role: Role) -> usize {
    match role {
        Role::Key => KEY,
        Role::Remark | Role::Detail => WORDS,
        Role::Main | Role::Value => usize::MAX,
    }
}

fn easy(role: Role) -> usize {
    if is_text(role) { EASY_KEY } else { usize::MAX }
}

fn is_text(role: Role) -> bool {
    matches!(role, Role::Key | Role::Remark | Role::Detail)
}

/// All columns that are there, with the gaps between them.
fn total(widths: &[Option<usize>]) -> usize {
    let there = widths.iter().flatten();
    there.clone().fold(0, |sum: usize, width| sum.saturating_add(*width))
        + GAP * there.count().saturating_sub(1)
}

/// Leaves columns out, until the others fit into the room when none takes more than the limit allows it.
fn leave_out(
    wishes: &[Wish],
    widths: &mut [Option<usize>],
    (room, limit): (usize, fn(Role) -> usize),
    next: fn(&[Wish], &[Option<usize>]) -> Option<usize>,
) {
    while total(&at_most(wishes, widths, limit)) > room {
        let Some(next) = next(wishes, widths) else { return };
        widths[next] = None;
    }
}

fn idle_value(wishes: &[Wish], widths: &[Option<usize>]) -> Option<usize> {
    last(wishes, widths, |wish| wish.is_idle && wish.role == Role::Value)
}

/// The column that says least.
fn lesser(wishes: &[Wish], widths: &[Option<usize>]) -> Option<usize> {
    let of = |role| move |wish: &Wish| wish.role == role;
    let there = wishes.iter().zip(widths).filter(|(_, width)| width.is_some());
    let values = there.filter(|(wish, _)| wish.role == Role::Value).count();
    let lesser_value = (values > MAIN_VALUES).then_some(Role::Value);
    let roles = [Some(Role::Detail), lesser_value, Some(Role::Remark), Some(Role::Value)];
    roles.into_iter().flatten().find_map(|role| last(wishes, widths, of(role)))
}

/// The last of the columns that are there and of that kind.
fn last(wishes: &[Wish], widths: &[Option<usize>], is: impl Fn(&Wish) -> bool) -> Option<usize> {
    (0..wishes.len()).rfind(|&at| widths[at].is_some() && is(&wishes[at]))
}

/// Takes from the widest text that is above its floor, until all fit or nothing is left to take.
fn shrink(wishes: &[Wish], widths: &mut [Option<usize>], room: usize, floor: fn(Role) -> usize) {
    loop {
        let over = total(widths).saturating_sub(room);
        let is_above = |(width, i): &(usize, usize)| {
            is_text(wishes[*i].role) && *width > floor(wishes[*i].role)
        };
        let there = (0..wishes.len()).filter_map(|i| Some((widths[i]?, i)));
        let mut sizes: Vec<_> = there.filter(is_above).collect();
        sizes.sort_unstable();
        let Some((widest, index)) = sizes.pop().filter(|_| over > 0) else { return };
        // Down to the next widest at once, so that a megabyte of text costs no more steps than a line of it.
        let next = sizes.last().map_or(0, |(next, _)| *next).max(floor(wishes[index].role));
        widths[index] = Some(widest - over.min((widest - next).max(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROLES: [Role; 5] = [Role::Key, Role::Main, Role::Value, Role::Remark, Role::Detail];

    fn wishes(columns: &[(usize, Role)]) -> Vec<Wish> {
        columns.iter().map(|&(width, role)| Wish { width, role, is_idle: false }).collect()
    }

    fn widths(columns: &[(usize, Role)], room: usize) -> (Vec<Option<usize>>, usize) {
        let plan = plan(&wishes(columns), true, Some(room));
        (plan.widths, plan.bar)
    }

    #[test]
    fn gives_way_in_the_order_it_says() {
        use Role::{Detail, Key, Main, Value};
        let table = [(60, Key), (8, Main), (6, Value), (6, Value), (30, Detail)];
        let kept = |widths: [usize; 5]| widths.map(Some).to_vec();
        assert_eq!(widths(&table, 200), (kept([60, 8, 6, 6, 30]), 20));
        assert_eq!(widths(&table, 120), (kept([40, 8, 6, 6, 30]), 20));
        assert_eq!(widths(&table, 80), (kept([26, 8, 6, 6, 26]), 0));
        assert_eq!(widths(&table, 64), (kept([16, 8, 6, 6, 20]), 0));
        assert_eq!(widths(&table, 63), (vec![Some(37), Some(8), Some(6), Some(6), None], 0));
        assert_eq!(widths(&table, 36), (vec![Some(18), Some(8), Some(6), None, None], 0));
        assert_eq!(widths(&table, 20), (vec![Some(10), Some(8), None, None, None], 0));
    }

    #[test]
    fn a_remark_is_worth_more_than_the_last_values() {
        use Role::{Detail, Key, Main, Remark, Value};
        let values = [(6, Value), (9, Value), (19, Value), (19, Value)];
        let table = [&[(6, Key), (9, Main)][..], &values, &[(35, Remark), (40, Detail)]].concat();
        let kept = |widths: [usize; 8]| widths.map(|width| (width > 0).then_some(width)).to_vec();
        assert_eq!(widths(&table, 80).0, kept([6, 9, 6, 9, 19, 0, 21, 0]));
        assert_eq!(widths(&table, 60).0, kept([6, 9, 6, 9, 0, 0, 22, 0]));
        assert_eq!(widths(&table, 57).0, kept([6, 9, 6, 9, 0, 0, 0, 0]));
        assert_eq!(widths(&table, 30).0, kept([6, 9, 6, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn columns_with_nothing_in_them_go_first() {
        use Role::{Detail, Key, Main, Value};
        let mut table =
            wishes(&[(9, Key), (9, Main), (5, Value), (5, Value), (5, Value), (30, Detail)]);
        table[3].is_idle = true;
        let kept = |room| plan(&table, false, Some(room)).widths;
        assert_eq!(kept(80), [9, 9, 5, 5, 5, 30].map(Some));
        assert_eq!(kept(60), [Some(9), Some(9), Some(5), None, Some(5), Some(24)]);
        assert_eq!(kept(50), [Some(9), Some(9), Some(5), None, Some(5), None]);
    }

    #[test]
    fn without_a_terminal_nothing_gives_way() {
        let plan = plan(&wishes(&[(1_000_000, Role::Key), (8, Role::Main)]), true, None);
        assert_eq!(plan, Plan { widths: vec![Some(1_000_000), Some(8)], bar: 0 });
    }

    proptest! {
        #[test]
        fn fits_or_has_given_all(columns in prop::collection::vec((1_usize..90, 0_usize..5), 0..9), room in 0_usize..200) {
            let columns: Vec<_> = columns.into_iter().map(|(width, role)| (width, ROLES[role])).collect();
            let plan = plan(&wishes(&columns), true, Some(room));
            let bar = if plan.bar > 0 { plan.bar + GAP } else { 0 };
            let given_all = columns.iter().zip(&plan.widths).all(|((_, role), width)| match role {
                Role::Key => *width == Some(1),
                Role::Main => width.is_some(),
                Role::Value | Role::Remark | Role::Detail => width.is_none(),
            });
            prop_assert!(total(&plan.widths) + bar <= room || given_all);
        }
    }
}
