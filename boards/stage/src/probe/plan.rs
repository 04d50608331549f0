//! What must be written before a job can run: nothing, the model alone, or all. Pure.
//!
//! The runner's build digest and the model image's header are the *marks* of what lies there. They are written last, when
//! everything else was written and read back, so that a mark that is there means that what it marks is whole: also after
//! a flash that was cut off half-way.

use std::ops::Range;

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Runner and model lie there already.
    Nothing,
    /// The runner lies there; the model is another, or none.
    Model,
    /// Runner and model.
    All,
}

/// What was found on the board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The runner's build digest, as it stands in flash.
    pub runner: Vec<u8>,
    /// The model image's header.
    pub model: Vec<u8>,
}

impl Plan {
    /// What must be written where `found` lies, for `wanted` to lie there.
    pub fn of(found: &Found, wanted: &Found) -> Self {
        if found.runner != wanted.runner {
            Self::All
        } else if found.model != wanted.model {
            Self::Model
        } else {
            Self::Nothing
        }
    }

    /// The word for it in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing was flashed: runner and model were there",
            Self::Model => "the model was flashed, the runner was there",
            Self::All => "runner and model were flashed",
        }
    }
}

/// A piece of what is to lie in memory.
pub type Piece = (u64, Vec<u8>);

/// Splits `pieces` in two: what is written first, and the pages that hold one of `marks`, which are written last.
/// `page` is the size of a page at an address: what the chip programs at once, and may program but once after an erase.
pub fn marks_last(pieces: Vec<Piece>, marks: &[Range<u64>], page: impl Fn(u64) -> u64) -> (Vec<Piece>, Vec<Piece>) {
    let mut late: Vec<Range<u64>> = marks
        .iter()
        .filter(|mark| !mark.is_empty())
        .map(|mark| {
            let (first, last) = (page(mark.start).max(1), page(mark.end - 1).max(1));
            mark.start / first * first..((mark.end - 1) / last + 1) * last
        })
        .collect();
    late.sort_by_key(|range| range.start);
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for (start, bytes) in pieces {
        let mut at = start;
        let mut rest = bytes.as_slice();
        for range in &late {
            let before = range.start.clamp(at, at + rest.len() as u64) - at;
            let (early, tail) = rest.split_at(before as usize);
            add(&mut first, at, early);
            at += before;
            let within = range.end.clamp(at, at + tail.len() as u64) - at;
            let within = if range.contains(&at) { within } else { 0 };
            let (marked, tail) = tail.split_at(within as usize);
            add(&mut last, at, marked);
            at += within;
            rest = tail;
        }
        add(&mut first, at, rest);
    }
    (first, last)
}

fn add(pieces: &mut Vec<Piece>, at: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        pieces.push((at, bytes.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(runner: &str, model: &str) -> Found {
        Found { runner: runner.into(), model: model.into() }
    }

    #[test]
    fn only_what_differs_is_written() {
        let wanted = found("runner", "model");
        assert_eq!(Plan::of(&wanted, &wanted), Plan::Nothing);
        assert_eq!(Plan::of(&found("runner", "other"), &wanted), Plan::Model);
        assert_eq!(Plan::of(&found("other", "model"), &wanted), Plan::All);
        assert_eq!(Plan::of(&Found::default(), &wanted), Plan::All);
    }

    #[test]
    fn the_pages_with_the_marks_come_last() {
        let pieces = vec![(0, vec![1; 100]), (200, vec![2; 20])];
        let (first, last) = marks_last(pieces, &[35..45, 200..206], |_| 16);
        assert_eq!(first, [(0, vec![1; 32]), (48, vec![1; 52]), (208, vec![2; 12])]);
        assert_eq!(last, [(32, vec![1; 16]), (200, vec![2; 8])]);
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_moved_and_marked_pages_are_whole(
            lengths in prop::collection::vec((1usize..200, 0u64..100), 1..5),
            marks in prop::collection::vec((0u64..800, 1u64..70), 0..3),
            page in 1u64..65,
        ) {
            let mut at = 0;
            let mut pieces = Vec::new();
            for (length, gap) in lengths {
                pieces.push((at, (0..length).map(|byte| byte as u8).collect::<Vec<u8>>()));
                at += length as u64 + gap;
            }
            let marks: Vec<Range<u64>> = marks.into_iter().map(|(start, length)| start..start + length).collect();
            let (first, last) = marks_last(pieces.clone(), &marks, |_| page);
            let bytes = |pieces: &[Piece]| {
                let each = pieces.iter().flat_map(|(at, bytes)| bytes.iter().enumerate().map(|(offset, byte)| (*at + offset as u64, *byte)));
                let mut all: Vec<(u64, u8)> = each.collect();
                all.sort_unstable();
                all
            };
            let both: Vec<Piece> = first.iter().chain(&last).cloned().collect();
            prop_assert_eq!(bytes(&both), bytes(&pieces));
            let is_late = |at: u64| marks.iter().any(|mark| mark.start / page <= at / page && at / page <= (mark.end - 1) / page);
            prop_assert!(bytes(&first).iter().all(|(at, _)| !is_late(*at)));
            prop_assert!(bytes(&last).iter().all(|(at, _)| is_late(*at)));
        }
    }
}
