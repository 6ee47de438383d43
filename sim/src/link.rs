//! What becomes of a packet between two nodes: late, twice, out of order, or not at all.
//!
//! Loss comes in bursts (Gilbert, 1960; Elliott, 1963): a sender's line is good, or bad and loses everything. One line
//! a sender, not one a pair, for a hundred thousand nodes have ten thousand million pairs; so a burst takes what goes
//! out one after the other, to whomever.

use std::collections::{BTreeMap, BTreeSet};

use octick_core::control::Random;
use serde::Deserialize;

/// How the links are. Times are microseconds, shares lie between 0 and 1.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkConditions {
    /// Share of packets that are lost.
    pub loss: f64,
    /// Packets that a burst of loss takes on average; 1 makes every loss independent.
    pub burst: f64,
    /// Share of packets that arrive twice.
    pub duplicate: f64,
    /// Share of packets that are held back, so that later ones overtake them.
    pub reorder: f64,
    /// How long those are held back at most.
    pub held_back: u64,
    /// Share of a packet's delay by which it may vary, upwards.
    pub jitter: f64,
    /// Longest packet that gets through, bytes.
    pub mtu: usize,
    /// One way within a region.
    pub near: u64,
    /// One way between two regions, at least and at most; every pair has its own.
    pub far: [u64; 2],
}

impl Default for LinkConditions {
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: 1.0,
            duplicate: 0.0,
            reorder: 0.0,
            held_back: 5_000,
            jitter: 0.1,
            mtu: 1_232,
            near: 500,
            far: [25_000, 125_000],
        }
    }
}

/// Nodes, by rule: each whose number leaves `rest` when divided by `every`, or those of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Who {
    /// Everybody.
    All,
    /// One node.
    Node(u32),
    /// A region.
    Region(u16),
    /// Each whose number leaves the second when divided by the first.
    Every(u32, u32),
}

impl Who {
    /// Whether node `node` of region `region` is meant.
    pub fn holds(self, node: u32, region: u16) -> bool {
        match self {
            Self::All => true,
            Self::Node(one) => node == one,
            Self::Region(one) => region == one,
            Self::Every(every, rest) => node % every.max(1) == rest,
        }
    }
}

/// When the copies of a packet arrive, microseconds from now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// The packet; nothing if it is lost.
    pub first: Option<u64>,
    /// A second copy.
    pub second: Option<u64>,
}

/// One end of a link.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Which node.
    pub node: u32,
    /// Where it is.
    pub region: u16,
}

/// All links.
#[derive(Debug)]
pub struct Links {
    conditions: LinkConditions,
    odds: Odds,
    /// A bit a sender: its line is bad.
    bad: Vec<bool>,
    /// Packets from the first to the second do not arrive. Cuts have one direction.
    cuts: Vec<(Who, Who)>,
    changes: u32,
    seed: u64,
    random: Random,
}

/// What a draw of 64 bits must lie below.
#[derive(Clone, Copy, Debug)]
struct Odds {
    turns_bad: u64,
    turns_good: u64,
    twice: u64,
    held_back: u64,
}

impl Odds {
    fn of(conditions: &LinkConditions) -> Self {
        let burst = conditions.burst.max(1.0);
        // In the long run the bad share of packets is the loss: bad / (bad + good) with means of `burst` and its rest.
        let turns_bad = conditions.loss / (burst * (1.0 - conditions.loss).max(1e-9));
        let below = |share: f64| (share.clamp(0.0, 1.0) * u64::MAX as f64) as u64;
        Self {
            turns_bad: below(turns_bad),
            turns_good: below(1.0 / burst),
            twice: below(conditions.duplicate),
            held_back: below(conditions.reorder),
        }
    }
}

impl Links {
    /// Links among `nodes` nodes.
    pub fn new(conditions: LinkConditions, nodes: usize, mut random: Random) -> Self {
        let odds = Odds::of(&conditions);
        Self {
            conditions,
            odds,
            bad: vec![false; nodes],
            cuts: Vec::new(),
            changes: 0,
            seed: random.u64(),
            random,
        }
    }

    /// Cuts all links from `from` to `to`, and not those back.
    pub fn cut(&mut self, from: Who, to: Who) {
        self.cuts.push((from, to));
        self.changes += 1;
    }

    /// Mends all cuts.
    pub fn heal(&mut self) {
        self.cuts.clear();
        self.changes += 1;
    }

    /// Changes the conditions.
    pub fn set_conditions(&mut self, conditions: LinkConditions) {
        self.odds = Odds::of(&conditions);
        self.conditions = conditions;
    }

    /// What becomes of a packet of `len` bytes.
    pub fn send(&mut self, from: End, to: End, len: usize) -> Fate {
        if len > self.conditions.mtu || self.is_cut(from, to) || self.loses(from.node) {
            return Fate::default();
        }
        let first = Some(self.delay(from, to));
        let second = self.happens(self.odds.twice).then(|| self.delay(from, to));
        Fate { first, second }
    }

    /// The sides that cuts divide nodes into, a number each: on one side are those that reach each other both ways, if only
    /// through others.
    pub fn sides(&self, ends: &[End]) -> Vec<u32> {
        // Nodes of which no cut makes a difference are alike; what two of them cannot do, no two of their kinds can.
        let kind = |end: &End| -> Vec<(bool, bool)> {
            let holds = |who: &Who| who.holds(end.node, end.region);
            self.cuts.iter().map(|(from, to)| (holds(from), holds(to))).collect()
        };
        let mut kinds: BTreeMap<Vec<(bool, bool)>, Vec<usize>> = BTreeMap::new();
        ends.iter().enumerate().for_each(|(i, end)| kinds.entry(kind(end)).or_default().push(i));
        let mut side: Vec<u32> = (0..ends.len() as u32).collect();
        let kinds: Vec<&Vec<usize>> = kinds.values().collect();
        for (a, ones) in kinds.iter().enumerate() {
            for others in &kinds[a..] {
                let (one, other) = (ends[ones[0]], ends[others[0]]);
                if self.is_cut(one, other) || self.is_cut(other, one) {
                    continue;
                }
                let all = || ones.iter().chain(others.iter());
                let joined: BTreeSet<u32> = all().map(|i| side[*i]).collect();
                let first = *joined.first().expect("a kind has nodes");
                side.iter_mut().filter(|side| joined.contains(side)).for_each(|side| *side = first);
            }
        }
        side
    }

    /// How often cuts were made or mended.
    pub fn changes(&self) -> u32 {
        self.changes
    }

    fn is_cut(&self, from: End, to: End) -> bool {
        self.cuts.iter().any(|(a, b)| a.holds(from.node, from.region) && b.holds(to.node, to.region))
    }

    fn loses(&mut self, sender: u32) -> bool {
        if self.odds.turns_bad == 0 {
            return false;
        }
        let bad = self.bad[sender as usize];
        let turns = self.happens(if bad { self.odds.turns_good } else { self.odds.turns_bad });
        self.bad[sender as usize] = bad != turns;
        bad != turns
    }

    fn delay(&mut self, from: End, to: End) -> u64 {
        let way = self.way(from.region, to.region);
        let vary = (way as f64 * self.conditions.jitter) as u64;
        let held = if self.happens(self.odds.held_back) {
            self.random.below(self.conditions.held_back + 1)
        } else {
            0
        };
        way + self.random.below(vary + 1) + held
    }

    /// One way between two regions, the same in both directions.
    fn way(&self, a: u16, b: u16) -> u64 {
        if a == b {
            return self.conditions.near;
        }
        let pair = u64::from(a.min(b)) << 16 | u64::from(a.max(b));
        let [least, most] = self.conditions.far;
        least + Random::new(self.seed ^ pair << 20).below(most.saturating_sub(least) + 1)
    }

    fn happens(&mut self, odds: u64) -> bool {
        odds > 0 && self.random.u64() <= odds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(node: u32, region: u16) -> End {
        End { node, region }
    }

    fn lost(conditions: LinkConditions) -> (f64, f64) {
        let mut links = Links::new(conditions, 1, Random::new(1));
        let fates: Vec<bool> =
            (0..200_000).map(|_| links.send(end(0, 0), end(0, 0), 100).first.is_none()).collect();
        let lost = fates.iter().filter(|lost| **lost).count() as f64;
        let bursts = fates.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        (lost / fates.len() as f64, lost / bursts)
    }

    #[test]
    fn loss_has_the_share_and_the_bursts_that_were_asked_for() {
        for (loss, burst) in [(0.05, 1.0), (0.05, 4.0), (0.2, 10.0)] {
            let (share, mean) = lost(LinkConditions { loss, burst, ..LinkConditions::default() });
            assert!((share / loss - 1.0).abs() < 0.1, "{share} for {loss}");
            // Bursts that follow at once count as one.
            assert!((mean / burst - 1.0).abs() < 0.3, "{mean} for {burst}");
        }
    }

    #[test]
    fn a_cut_has_one_direction_until_it_heals() {
        let mut links = Links::new(LinkConditions::default(), 4, Random::new(1));
        links.cut(Who::Region(1), Who::Every(2, 0));
        assert!(links.send(end(1, 1), end(2, 0), 1).first.is_none());
        assert!(links.send(end(1, 1), end(3, 0), 1).first.is_some());
        assert!(links.send(end(2, 0), end(1, 1), 1).first.is_some());
        links.heal();
        assert!(links.send(end(1, 1), end(2, 0), 1).first.is_some());
    }

    #[test]
    fn sides_are_those_that_reach_each_other_both_ways() {
        let ends: Vec<End> = (0..6).map(|node| end(node, node as u16 / 3)).collect();
        let sides = |cuts: &[(Who, Who)]| {
            let mut links = Links::new(LinkConditions::default(), 6, Random::new(1));
            cuts.iter().for_each(|(from, to)| links.cut(*from, *to));
            links.sides(&ends)
        };
        assert_eq!(sides(&[]), [0; 6]);
        let (even, odd) = (Who::Every(2, 0), Who::Every(2, 1));
        assert_eq!(sides(&[(even, odd), (odd, even)]), [0, 1, 0, 1, 0, 1]);
        assert_eq!(sides(&[(even, odd)]), [0, 1, 0, 1, 0, 1], "one way is none");
        // Two regions that only node 4 hears both of, and that both hear.
        let (here, there) = (Who::Region(0), Who::Node(3));
        assert_eq!(sides(&[(here, there)]), [0; 6], "others carry it");
        // Who is heard by nobody is alone, and so is each of several.
        assert_eq!(sides(&[(odd, Who::All)]), [0, 1, 0, 3, 0, 5]);
    }

    #[test]
    fn near_is_near_far_is_far_and_too_long_is_too_long() {
        let conditions =
            LinkConditions { jitter: 0.0, duplicate: 0.5, reorder: 0.5, ..LinkConditions::default() };
        let mut links = Links::new(conditions, 4, Random::new(1));
        let (mut twice, mut late) = (0, 0);
        for _ in 0..1_000 {
            let fate = links.send(end(0, 3), end(1, 3), 1_232);
            twice += usize::from(fate.second.is_some());
            late += usize::from(fate.first != Some(500));
        }
        assert!((400..600).contains(&twice) && (400..600).contains(&late), "{twice} {late}");
        links.set_conditions(LinkConditions { jitter: 0.0, ..LinkConditions::default() });
        let far = |links: &mut Links, a, b| links.send(end(0, a), end(1, b), 1).first.unwrap();
        assert!((25_000..=125_000).contains(&far(&mut links, 1, 2)));
        assert_eq!(far(&mut links, 1, 2), far(&mut links, 2, 1));
        assert_ne!(far(&mut links, 1, 2), far(&mut links, 1, 3));
        assert_eq!(links.send(end(0, 0), end(1, 0), 1_233), Fate::default());
    }
}
