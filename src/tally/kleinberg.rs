//! Bursts by Kleinberg's two-state automaton.
//!
//! J. Kleinberg, "Bursty and Hierarchical Structure in Streams" (KDD 2002; Data Mining and Knowledge Discovery 7, 2003).
//! A hidden automaton is either quiet or bursting. Each state has a cost for what is seen, the negative logarithm of
//! its likelihood; entering the bursting state costs extra, leaving it is free. The sequence of states of the least
//! cost is found by dynamic programming (Viterbi), and each stretch of the bursting state is a burst. Its weight is
//! what it saves over the quiet state: by so much (as a natural logarithm) is the burst the likelier explanation.
//!
//! Two of the paper's models are here. In the batched one (its section 4) `relevant` of `total` records in a slot are
//! binomial with the share `p` of the whole stream when quiet, and with a multiple of it in a burst. In the one of gaps
//! (its section 3) records come at a rate per time, which is a multiple in a burst; summed over a slot that needs only
//! the number of records and the length of the slot.

/// How many times as likely a relevant record is in a burst. The paper uses 2 and is fond of hierarchies; with 3 a
/// mere doubling, which the hours of a day bring about by themselves, is none.
const SCALING: f64 = 3.0;
/// Entering a burst costs this times the logarithm of the number of slots. At 1 a stream of constant rate has about one
/// false burst in ten, since each slot is a chance to begin one; at 1.5 next to none. In exchange some 15 errors in a
/// quiet day are needed where ten might do.
const GAMMA: f64 = 1.5;

/// What was seen in a slot of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Records of the kind that may burst.
    pub relevant: u64,
    /// All records in the model of shares; the length of the slot, in any unit, in the model of gaps.
    pub exposure: u64,
}

/// What the exposure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// All records: bursts are of a share.
    Share,
    /// Time: bursts are of a rate.
    Gaps,
}

/// A stretch of batches in the bursting state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// The first batch.
    pub first: usize,
    /// The last batch.
    pub last: usize,
    /// The logarithm of how much likelier a burst is than the usual state.
    pub weight: f64,
}

/// What a batch says for the bursting state over the quiet one.
struct Gains {
    for_relevant: f64,
    for_other: f64,
    model: Model,
}

impl Gains {
    /// `None` when no burst is possible: nothing relevant, or nothing else.
    fn of(batches: &[Batch], model: Model) -> Option<Self> {
        let relevant: f64 = batches.iter().map(|batch| batch.relevant as f64).sum();
        let exposure: f64 = batches.iter().map(|batch| batch.exposure as f64).sum();
        if relevant == 0.0 || exposure == 0.0 {
            return None;
        }
        let quiet = relevant / exposure;
        let (for_relevant, for_other) = match model {
            Model::Gaps => (SCALING.ln(), -(SCALING - 1.0) * quiet),
            Model::Share if quiet >= 1.0 => return None,
            Model::Share => {
                // The share triples while it is small; when it is large, that of the others is divided by three.
                let burst = (SCALING * quiet).min(1.0 - (1.0 - quiet) / SCALING);
                ((burst / quiet).ln(), ((1.0 - burst) / (1.0 - quiet)).ln())
            }
        };
        Some(Self { for_relevant, for_other, model })
    }

    fn of_batch(&self, batch: Batch) -> f64 {
        let others = match self.model {
            Model::Share => batch.exposure.saturating_sub(batch.relevant),
            Model::Gaps => batch.exposure,
        };
        batch.relevant as f64 * self.for_relevant + others as f64 * self.for_other
    }
}

/// The bursts of a stream, in order of time.
pub fn bursts(batches: &[Batch], model: Model) -> Vec<Burst> {
    let Some(gains) = Gains::of(batches, model) else { return Vec::new() };
    let gains: Vec<f64> = batches.iter().map(|batch| gains.of_batch(*batch)).collect();
    let seen = batches.iter().filter(|batch| batch.relevant > 0 || model == Model::Share).count();
    stretches(&states(&gains, GAMMA * (seen as f64).ln()), &gains)
}

/// The best sequence of states: true where bursting. Where both are as good it is quiet.
fn states(gains: &[f64], entering: f64) -> Vec<bool> {
    // The best score that ends quiet, and that ends bursting; the automaton starts quiet. For each batch it is noted
    // from which state the best way leads to either.
    let (mut quiet, mut bursting) = (0.0_f64, f64::NEG_INFINITY);
    let mut came_from: Vec<(bool, bool)> = Vec::with_capacity(gains.len());
    for gain in gains {
        let (leaves, enters) = (bursting > quiet, quiet - entering >= bursting);
        came_from.push((leaves, !enters));
        let before = quiet;
        quiet = quiet.max(bursting);
        bursting = bursting.max(before - entering) + gain;
    }
    let mut state = bursting > quiet;
    let mut states = vec![false; gains.len()];
    for (at, (to_quiet, to_bursting)) in came_from.into_iter().enumerate().rev() {
        states[at] = state;
        state = if state { to_bursting } else { to_quiet };
    }
    states
}

fn stretches(states: &[bool], gains: &[f64]) -> Vec<Burst> {
    let mut bursts: Vec<Burst> = Vec::new();
    let mut before = false;
    for (at, (bursting, gain)) in states.iter().zip(gains).enumerate() {
        match (bursting, bursts.last_mut()) {
            (true, Some(burst)) if before => {
                burst.last = at;
                burst.weight += gain;
            }
            (true, _) => bursts.push(Burst { first: at, last: at, weight: *gain }),
            (false, _) => {}
        }
        before = *bursting;
    }
    bursts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batches(of: &[(u64, u64)]) -> Vec<Batch> {
        of.iter()
            .map(|(relevant, exposure)| Batch { relevant: *relevant, exposure: *exposure })
            .collect()
    }

    /// The score of a sequence of states by the definition of the automaton.
    fn score(states: &[bool], gains: &[f64], entering: f64) -> f64 {
        let mut before = false;
        let mut score = 0.0;
        for (state, gain) in states.iter().zip(gains) {
            score -= if *state && !before { entering } else { 0.0 };
            score += if *state { *gain } else { 0.0 };
            before = *state;
        }
        score
    }

    proptest! {
        #[test]
        fn no_other_sequence_is_better(
            gains in prop::collection::vec(-5.0..5.0_f64, 1..11),
            entering in 0.0..8.0_f64,
        ) {
            let found = score(&states(&gains, entering), &gains, entering);
            for bits in 0..1_u32 << gains.len() {
                let other: Vec<bool> = (0..gains.len()).map(|at| bits >> at & 1 == 1).collect();
                prop_assert!(score(&other, &gains, entering) <= found + 1e-9);
            }
        }
    }

    #[test]
    fn a_burst_begins_and_ends_where_it_does() {
        let mut stream = vec![(0, 100); 200];
        stream[20] = (1, 100);
        stream[100..110].fill((60, 100));
        let found = bursts(&batches(&stream), Model::Share);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first, found[0].last), (100, 109));
        // By hand: 601 of 20,000 are relevant, p0 = 0.03005 and p1 = 0.09015.
        let gain = 600.0 * 3.0_f64.ln() + 400.0 * (0.90985_f64 / 0.96995).ln();
        assert!((found[0].weight - gain).abs() < 1e-9, "{}", found[0].weight);
    }

    #[test]
    fn no_burst_where_there_is_none() {
        for stream in [
            vec![],
            vec![(0, 10); 50],
            vec![(10, 10); 50],
            vec![(1, 20); 1000],
            vec![(0, 0), (1, 1), (0, 3)],
            [vec![(0, 5); 1000], vec![(1, 5)], vec![(0, 5); 1000]].concat(),
        ] {
            assert_eq!(bursts(&batches(&stream), Model::Share), []);
        }
        assert_eq!(bursts(&batches(&[(2, 1); 1000]), Model::Gaps), []);
    }

    #[test]
    fn gaps_tell_bursts_where_everything_is_relevant() {
        let mut stream = [(1, 30), (0, 600)].repeat(50);
        stream.splice(40..40, [(40, 1), (35, 1)]);
        let found = bursts(&batches(&stream), Model::Gaps);
        assert_eq!(found.len(), 1);
        // One in the next 30 is still far above the usual one in 256.
        assert_eq!((found[0].first, found[0].last), (40, 42));
    }
}
