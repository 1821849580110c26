//! The largest of many.

use std::cmp::Ordering;

/// Keeps the `most` first items by `order`, sorted by it; 0 keeps all. The order must be total (ties broken by the
/// key), so that the answer does not depend on how the items stood before.
///
/// Of a million keys ten are wanted: each is compared with the last of the best so far, and mostly a look at its number
/// tells that it is none of them. To select among all at once would compare the keys of those that came once, which
/// are most, and was a fifth of a full report of DNS queries.
pub fn keep_largest<T>(items: &mut Vec<T>, most: usize, order: impl Fn(&T, &T) -> Ordering) {
    if most > 0 && most < items.len() {
        let last_of = |items: &mut [T]| {
            items.select_nth_unstable_by(most - 1, &order);
        };
        last_of(&mut items[..most]);
        let mut kept = most;
        for at in most..items.len() {
            if order(&items[at], &items[most - 1]).is_lt() {
                items.swap(kept, at);
                kept += 1;
            }
            if kept == 2 * most {
                last_of(&mut items[..kept]);
                kept = most;
            }
        }
        last_of(&mut items[..kept]);
        items.truncate(most);
    }
    items.sort_unstable_by(order);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_in_order() {
        let mut items: Vec<u32> = (0..100).map(|n| n * 37 % 100).collect();
        keep_largest(&mut items, 3, |a, b| b.cmp(a));
        assert_eq!(items, [99, 98, 97]);
        keep_largest(&mut items, 0, Ord::cmp);
        assert_eq!(items, [97, 98, 99]);
        keep_largest(&mut items, 9, |a, b| b.cmp(a));
        assert_eq!(items, [99, 98, 97]);
    }

    /// In every order in which they may come: the last ones may all be better than those before.
    #[test]
    fn the_largest_whatever_came_first() {
        for step in 1..100 {
            let mut items: Vec<u32> = (0..101).map(|n| n * step % 101).collect();
            keep_largest(&mut items, 7, |a, b| b.cmp(a));
            assert_eq!(items, [100, 99, 98, 97, 96, 95, 94]);
        }
    }
}
