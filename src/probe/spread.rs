//! How evenly something is spread over servers: shares, and how probable a spread as uneven is by chance.

/// What each server got, and what was due to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// What it got.
    pub count: u64,
    /// Its weight among the others.
    pub weight: u64,
}

/// What a spread comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// The sum of squared differences from what was due, each in parts of what was due.
    pub chi_squared: f64,
    /// How probable such a sum or a larger one is if each request goes by weight alone.
    pub probability: f64,
    /// The largest quotient of a server's share and its due share.
    pub excess: f64,
}

impl Spread {
    /// Measures a spread; `None` where fewer than two servers have weight, or nothing was spread.
    pub(super) fn of(parts: &[Part]) -> Option<Self> {
        let weight: u64 = parts.iter().map(|part| part.weight).sum();
        let count: u64 = parts.iter().map(|part| part.count).sum();
        let weighty = parts.iter().filter(|part| part.weight > 0).count();
        if count == 0 || weighty < 2 {
            return None;
        }
        let due = |part: &Part| count as f64 * part.weight as f64 / weight as f64;
        let with_due =
            || parts.iter().map(|part| (part.count as f64, due(part))).filter(|p| p.1 > 0.0);
        let chi_squared = with_due().map(|(got, due)| (got - due).powi(2) / due).sum();
        let excess = with_due().map(|(got, due)| got / due).fold(0.0, f64::max);
        let freedom = u32::try_from(weighty - 1).unwrap_or(u32::MAX);
        Some(Self { chi_squared, probability: probability(chi_squared, freedom), excess })
    }

    /// Too uneven to be chance, and by more than a trifle.
    pub(super) fn is_uneven(&self) -> bool {
        self.probability < 0.001 && self.excess > 1.5
    }
}

/// The upper tail of the chi-squared distribution: Q(1) = erfc √(x/2) and Q(2) = e^(-x/2), then upwards by
/// Q(k+2) = Q(k) + (x/2)^(k/2) e^(-x/2) / Γ(k/2 + 1).
fn probability(chi_squared: f64, freedom: u32) -> f64 {
    let half = chi_squared / 2.0;
    let odd = freedom % 2 == 1;
    let (mut tail, mut term, mut k) = match odd {
        true => {
            (libm::erfc(half.sqrt()), (half / std::f64::consts::PI).sqrt() * 2.0 * (-half).exp(), 1)
        }
        false => ((-half).exp(), half * (-half).exp(), 2),
    };
    while k < freedom {
        tail += term;
        k += 2;
        term *= half / (f64::from(k) / 2.0);
    }
    tail.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From the printed tables: the value that is exceeded with that probability.
    #[test]
    fn agrees_with_the_tables() {
        let table = [
            (1, 3.841, 0.05),
            (1, 10.828, 0.001),
            (2, 13.816, 0.001),
            (3, 7.815, 0.05),
            (4, 18.467, 0.001),
            (9, 16.919, 0.05),
            (30, 59.703, 0.001),
        ];
        for (freedom, value, wanted) in table {
            let got = probability(value, freedom);
            assert!((got / wanted - 1.0).abs() < 0.01, "{freedom} {value}: {got}");
        }
    }

    fn spread(parts: &[(u64, u64)]) -> Option<Spread> {
        let parts: Vec<_> = parts.iter().map(|&(count, weight)| Part { count, weight }).collect();
        Spread::of(&parts)
    }

    #[test]
    fn tells_even_from_uneven() {
        assert!(!spread(&[(20, 1), (20, 1)]).unwrap().is_uneven());
        assert!(!spread(&[(13, 1), (27, 1)]).unwrap().is_uneven());
        assert!(spread(&[(40, 1), (0, 1)]).unwrap().is_uneven());
        assert!(!spread(&[(300, 3), (100, 1)]).unwrap().is_uneven());
        assert_eq!(spread(&[(5, 1)]), None);
        assert_eq!(spread(&[(0, 1), (0, 1)]), None);
    }

    proptest! {
        #[test]
        fn a_probability(parts in proptest::collection::vec((0_u64..1000, 0_u64..300), 0..40)) {
            if let Some(spread) = spread(&parts) {
                prop_assert!((0.0..=1.0).contains(&spread.probability));
            }
        }
    }
}
