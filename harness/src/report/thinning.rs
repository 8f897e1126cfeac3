//! A long run's time line, cut to what a page can show: everything around what went wrong, all faults, and samples of the rest.

use std::collections::BTreeSet;

use super::timeline::{Chapter, Item, Moment, Timeline, What};

/// A run is kept or left out in pieces of this length, so that what is kept hangs together.
const PIECE: u64 = 10_000_000;
/// What is always kept before and after each of the first findings.
const BEFORE: u64 = 40_000_000;
const AFTER: u64 = 15_000_000;
/// So many findings have their surroundings kept.
const FINDINGS: usize = 5;

impl Timeline {
    /// The same with about `most` items at most. One that has no more stays as it is; else it is said in `about` and in chapters
    /// what was left out.
    #[must_use]
    pub fn thinned(&self, most: usize) -> Self {
        if self.items.len() <= most {
            return self.clone();
        }
        let kept = self.pieces_kept(most);
        let shown = |item: &Item| matches!(item.what, What::Fault { .. }) || touches(item, &kept);
        let items: Vec<Item> = self.items.iter().filter(|item| shown(item)).cloned().collect();
        let mut thinned = Self { items, chapters: self.chapters.clone(), ..self.clone() };
        thinned.chapters.extend(self.gaps(&kept));
        thinned.chapters.sort_by_key(|chapter| chapter.at);
        let words = format!(
            "{} of {} items: all faults, everything around what went wrong, and {} of {} pieces of {} s in between",
            thinned.items.len(),
            self.items.len(),
            kept.len(),
            self.pieces(),
            PIECE / 1_000_000
        );
        thinned.about.push(("shown".to_owned(), words));
        thinned
    }

    fn pieces(&self) -> u64 {
        self.length.0.div_ceil(PIECE).max(1)
    }

    /// Around findings first; then the end, the beginning, and more and more pieces spread over the rest, while they fit.
    fn pieces_kept(&self, most: usize) -> BTreeSet<u64> {
        let mut weights = vec![0_usize; usize::try_from(self.pieces()).unwrap_or(0)];
        for item in &self.items {
            let place = usize::try_from(item.at.0 / PIECE).unwrap_or(usize::MAX);
            if let Some(weight) = weights.get_mut(place) {
                *weight += 1;
            }
        }
        let (mut kept, mut items) = (BTreeSet::new(), 0);
        let last = self.pieces() - 1;
        for wanted in self.around_findings().into_iter().chain([last, 0]).chain(spread(self.pieces())) {
            let weight = usize::try_from(wanted).ok().and_then(|place| weights.get(place)).copied().unwrap_or(0);
            if !kept.contains(&wanted) && items + weight <= most {
                items += weight;
                kept.insert(wanted);
            }
        }
        kept
    }

    fn around_findings(&self) -> Vec<u64> {
        let mut at: Vec<u64> = self.findings.iter().map(|finding| finding.at.0).filter(|at| *at > 0).collect();
        at.sort_unstable();
        at.dedup();
        let around = |at: &u64| {
            let (from, to) = (at.saturating_sub(BEFORE) / PIECE, (at + AFTER) / PIECE);
            // What is nearest counts most.
            let mut pieces: Vec<u64> = (from..=to.min(self.pieces() - 1)).collect();
            pieces.sort_by_key(|piece| piece.abs_diff(at / PIECE));
            pieces
        };
        at.iter().take(FINDINGS).flat_map(around).collect()
    }

    /// A chapter at the beginning of every gap.
    fn gaps(&self, kept: &BTreeSet<u64>) -> Vec<Chapter> {
        let (mut chapters, mut gap) = (Vec::new(), None);
        for piece in 0..=self.pieces() {
            if piece < self.pieces() && !kept.contains(&piece) {
                gap.get_or_insert(piece);
            } else if let Some(from) = gap.take() {
                let seconds = |piece: u64| piece * PIECE / 1_000_000;
                let text = format!("{} s to {} s: only faults are shown", seconds(from), seconds(piece));
                chapters.push(Chapter { at: Moment(from * PIECE), text, failed: false });
            }
        }
        chapters
    }
}

/// It began in a piece that is kept, or lasted into one.
fn touches(item: &Item, kept: &BTreeSet<u64>) -> bool {
    let (from, to) = (item.at.0 / PIECE, item.end.unwrap_or(item.at).0 / PIECE);
    kept.contains(&from) || kept.range(from..=to.max(from)).next().is_some()
}

/// All pieces, in an order in which every beginning is spread evenly: first the middle, then the quarters, and so on.
fn spread(pieces: u64) -> Vec<u64> {
    let (mut order, mut parts) = (Vec::new(), 2);
    let mut seen = BTreeSet::new();
    while seen.len() < usize::try_from(pieces).unwrap_or(usize::MAX) && parts < pieces.saturating_mul(4).max(4) {
        for part in (1..parts).step_by(2) {
            let piece = part * pieces / parts;
            if seen.insert(piece) {
                order.push(piece);
            }
        }
        parts *= 2;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::timeline::{FORMAT, Finding, Lane, Outcome};
    use super::*;

    fn step(at: u64) -> Item {
        let what = What::Step { what: "step".to_owned() };
        Item { at: Moment(at), end: None, lane: Lane::Array, node: None, volume: None, what }
    }

    /// An hour with ten items a second, and a fault every minute.
    fn long_run() -> Timeline {
        let mut items: Vec<Item> = (0..36_000).map(|tenth| step(tenth * 100_000)).collect();
        let fault = |minute: u64| Item {
            end: Some(Moment(minute * 60_000_000 + 5_000_000)),
            what: What::Fault { what: "fault".to_owned(), open: false },
            ..step(minute * 60_000_000)
        };
        items.extend((0..60).map(fault));
        items.sort_by_key(|item| item.at);
        let (title, code) = ("long".to_owned(), "S1".to_owned());
        let finding = Finding {
            at: Moment(1_234_500_000),
            code,
            rule: String::new(),
            explanation: String::new(),
            before: Vec::new(),
        };
        Timeline {
            format: FORMAT,
            title,
            outcome: Outcome::Failed,
            about: Vec::new(),
            length: Moment(3_600_000_000),
            nodes: Vec::new(),
            volumes: Vec::new(),
            chapters: Vec::new(),
            items,
            findings: vec![finding],
        }
    }

    #[test]
    fn a_long_run_keeps_its_faults_and_what_went_wrong_and_says_what_it_left_out() {
        let (whole, thinned) = (long_run(), long_run().thinned(3_000));
        assert!(thinned.items.len() <= 3_060, "{}", thinned.items.len());
        let faults =
            |timeline: &Timeline| timeline.items.iter().filter(|item| matches!(item.what, What::Fault { .. })).count();
        assert_eq!(faults(&thinned), faults(&whole));
        let around = |timeline: &Timeline| {
            let near = |item: &&Item| (1_200_000_000..1_249_000_000).contains(&item.at.0);
            timeline.items.iter().filter(near).count()
        };
        assert_eq!(around(&thinned), around(&whole));
        assert!(thinned.items.first().is_some_and(|item| item.at.0 == 0));
        assert!(thinned.items.last().is_some_and(|item| item.at.0 > 3_590_000_000));
        assert!(thinned.about.iter().any(|(name, words)| name == "shown" && words.contains("of 36060 items")));
        assert!(thinned.chapters.iter().any(|chapter| chapter.text.contains("only faults are shown")));
    }

    #[test]
    fn a_short_run_stays_as_it_is() {
        let whole = long_run();
        assert_eq!(whole.thinned(40_000), whole);
    }

    #[test]
    fn every_piece_comes_once_and_the_first_ones_are_far_from_each_other() {
        let order = spread(10);
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), order.len());
        assert_eq!(order[0], 5);
        assert!(order.len() >= 9);
    }
}
