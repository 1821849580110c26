//! The largest of many.

use std::cmp::Ordering;

/// Keeps the `most` first items by `order`, sorted by it; 0 keeps all. The order must be total (ties broken by the
/// key), so that the answer does not depend on how the items stood before. Selects before it sorts: of a million keys
/// ten are wanted.
pub fn keep_largest<T>(items: &mut Vec<T>, most: usize, order: impl Fn(&T, &T) -> Ordering) {
    if most > 0 && most < items.len() {
        items.select_nth_unstable_by(most - 1, &order);
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
}
