//! One node with neighbours, told things by hand.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::control::Random;
use crate::control::dissemination::spread::{Accepted, Lane, Spread, SpreadAction, SpreadSettings};
use crate::control::id::{FrameRef, MemberIndex, UpdateId};

pub(super) const OUTSIDER: MemberIndex = MemberIndex(99);

/// A node with so many neighbours, from [`MemberIndex`] 1 on, and what it wants done.
pub(super) struct Bench {
    pub(super) spread: Spread,
    pub(super) spread_settings: SpreadSettings,
    pub(super) actions: VecDeque<SpreadAction>,
}

impl Bench {
    pub(super) fn new(neighbours: u32) -> Self {
        let mut spread = Spread::new(Random::new(1));
        (1..=neighbours).for_each(|i| assert!(spread.link(MemberIndex(i))));
        Self { spread, spread_settings: SpreadSettings::default(), actions: VecDeque::new() }
    }

    pub(super) fn accept(&mut self, now: u64, id: u64, from: Option<u32>, lane: Lane) -> Vec<SpreadAction> {
        let from = from.map(MemberIndex);
        let accepted =
            Accepted { id: UpdateId(id), frame_ref: FrameRef(id), origin: MemberIndex(90), from, lane };
        self.spread.accepted(now, &self.spread_settings, &accepted, &mut self.actions);
        core::mem::take(&mut self.actions).into()
    }

    pub(super) fn hear(
        &mut self,
        now: u64,
        from: MemberIndex,
        ids: impl IntoIterator<Item = u64>,
    ) -> Vec<SpreadAction> {
        let ids: Vec<_> = ids.into_iter().map(UpdateId).collect();
        self.spread.handle_ids(now, &self.spread_settings, from, &ids, &mut self.actions);
        core::mem::take(&mut self.actions).into()
    }

    pub(super) fn asked(
        &mut self,
        now: u64,
        from: MemberIndex,
        ids: impl IntoIterator<Item = u64>,
    ) -> Vec<SpreadAction> {
        let ids: Vec<_> = ids.into_iter().map(UpdateId).collect();
        self.spread.handle_pull(now, &self.spread_settings, from, &ids, &mut self.actions);
        core::mem::take(&mut self.actions).into()
    }

    /// Ticks until nothing is due, and returns the last time.
    pub(super) fn wait(&mut self) -> (u64, Vec<SpreadAction>) {
        let mut last = 0;
        while self.spread.next_due() != u64::MAX {
            last = self.spread.next_due();
            self.spread.tick(last, &self.spread_settings, &mut self.actions);
        }
        (last, core::mem::take(&mut self.actions).into())
    }
}

pub(super) fn forwards(actions: &[SpreadAction]) -> Vec<MemberIndex> {
    actions
        .iter()
        .filter_map(|action| if let SpreadAction::Forward { to, .. } = action { Some(*to) } else { None })
        .collect()
}

pub(super) fn pulls(actions: &[SpreadAction]) -> Vec<MemberIndex> {
    actions
        .iter()
        .filter_map(|action| if let SpreadAction::Pull { to, .. } = action { Some(*to) } else { None })
        .collect()
}

pub(super) fn told(actions: &[SpreadAction]) -> Vec<MemberIndex> {
    actions
        .iter()
        .filter_map(|action| if let SpreadAction::Announce { to, .. } = action { Some(*to) } else { None })
        .collect()
}
