//! The side of a session that lacks nearly everything: its filter, and the lists that answer it.

use alloc::vec::Vec;

use super::bloom::Bloom;
use super::context::{Context, SessionRefusal};
use super::exchange::{Exchange, Stage};
use super::key::Name;
use super::message::{LIST_ENDS, LIST_GOES_ON, PAGE_LEN, ReconcileMsg, names_max, read_names, write_names};

impl<P: Copy + Ord, N: Name> Exchange<P, N> {
    pub(super) fn handle_far(&mut self, ctx: &mut Context<'_, P, N>) -> Result<(), SessionRefusal> {
        if matches!(self.stage, Stage::Waiting { .. }) {
            self.stage = Stage::Listing { cursor: 0 };
            self.send_filter(ctx);
            self.say(ctx, ReconcileMsg::Next { cursor: 0 });
            self.wait(ctx);
        }
        Ok(())
    }

    pub(super) fn send_filter(&mut self, ctx: &mut Context<'_, P, N>) {
        let most = ctx.settings.filter_bytes_max.min(ctx.settings.round_bytes);
        let bloom = Bloom::of(self.key("filter"), &self.names, most);
        let (share, size, total) = (self.share, self.names.len() as u32, bloom.bytes().len() as u32);
        for (i, bytes) in bloom.bytes().chunks(PAGE_LEN).enumerate() {
            self.say(ctx, ReconcileMsg::Filter { share, size, total, at: (i * PAGE_LEN) as u32, bytes });
        }
        assert!(total as usize <= ctx.settings.filter_bytes_max, "a filter of {total} bytes");
        if total == 0 {
            self.say(ctx, ReconcileMsg::Filter { share, size, total, at: 0, bytes: &[] });
        }
    }

    /// A piece of the peer's filter. What does not come counts as full of names, so nothing is taken for missing that may be
    /// there.
    pub(super) fn handle_filter(
        &mut self,
        ctx: &mut Context<'_, P, N>,
        (size, total): (u32, u32),
        at: u32,
        bytes: &[u8],
    ) -> Result<(), SessionRefusal> {
        let (whole, first) = (total as usize, matches!(self.stage, Stage::Waiting { .. }));
        if whole > ctx.settings.filter_bytes_max
            || !at.is_multiple_of(PAGE_LEN as u32)
            || bytes.len() != whole.saturating_sub(at as usize).min(PAGE_LEN)
        {
            return Err(SessionRefusal::Bound);
        }
        if first {
            let bloom = Bloom::empty(self.key("filter"), 0, 0);
            self.stage = Stage::Filtering { bloom, pages: Vec::new(), asked: false, at: 0 };
        }
        let key = self.key("filter");
        let Stage::Filtering { bloom, pages, asked, at: looked } = &mut self.stage else {
            return Err(SessionRefusal::Unknown);
        };
        if pages.is_empty() && *looked == 0 {
            *bloom = Bloom::empty(key, size, whole);
            bloom.bytes_mut().fill(0xFF);
        }
        if bloom.bytes().len() != whole || *asked {
            return Err(SessionRefusal::Changed);
        }
        if !pages.contains(&at) {
            pages.push(at);
            bloom.bytes_mut()[at as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        // The opener looks things up by itself once all is there; the answerer is asked to.
        if self.opener && pages.len() == whole.div_ceil(PAGE_LEN).max(1) {
            *asked = true;
        }
        self.wait(ctx);
        Ok(())
    }

    pub(super) fn handle_next(
        &mut self,
        ctx: &mut Context<'_, P, N>,
        cursor: u32,
    ) -> Result<(), SessionRefusal> {
        let Stage::Filtering { asked, at, .. } = &mut self.stage else { return Err(SessionRefusal::Unknown) };
        if self.opener || cursor as usize > self.names.len() {
            return Err(SessionRefusal::Bound);
        }
        (*asked, *at) = (true, cursor as usize);
        self.wait(ctx);
        Ok(())
    }

    /// Looks up a slice of the set in the peer's filter.
    pub(super) fn filter(&mut self, ctx: &mut Context<'_, P, N>) -> Result<(), SessionRefusal> {
        let Stage::Filtering { bloom, asked, at, .. } = &mut self.stage else { return Ok(()) };
        let from = *at;
        let most = if self.opener { usize::MAX } else { ctx.settings.round_bytes / N::LEN };
        let (mut end, mut lacking) = (from, Vec::new());
        let slice = self.names[from..].iter().take(ctx.settings.names_per_turn);
        for name in slice {
            if lacking.len() >= most {
                break;
            }
            end += 1;
            if !bloom.may_hold(*name) {
                lacking.push(*name);
            }
        }
        assert!(from <= end && end <= self.names.len(), "{from}..{end} of {} names", self.names.len());
        *at = end;
        if self.opener {
            self.serve.append(&mut lacking);
            if end == self.names.len() {
                self.settled = false;
                self.begin_to_settle(ctx);
            }
            return Ok(());
        }
        *asked = false;
        let next = if end == self.names.len() { LIST_ENDS } else { end as u32 };
        let mut lists = lacking.chunks(names_max::<N>()).peekable();
        let mut bodies = Vec::new();
        let cursor = from as u32;
        while let Some(list) = lists.next() {
            let next = if lists.peek().is_some() { LIST_GOES_ON } else { next };
            bodies.push(ReconcileMsg::List { cursor, next, names: &write_names(list) }.encode(self.topic));
        }
        if bodies.is_empty() {
            bodies.push(ReconcileMsg::List { cursor, next, names: &[] }.encode(self.topic));
        }
        bodies.into_iter().try_for_each(|body| self.send(ctx, body))
    }

    /// Lists may overtake each other, the last of all the others too.
    pub(super) fn handle_list(
        &mut self,
        ctx: &mut Context<'_, P, N>,
        asked: u32,
        next: u32,
        names: &[u8],
    ) -> Result<(), SessionRefusal> {
        let names = read_names::<N>(names).ok_or(SessionRefusal::Garbled)?;
        let listed = matches!(self.stage, Stage::Settling) && !self.settled;
        let reached = if let Stage::Listing { cursor } = self.stage { cursor } else { LIST_ENDS };
        if asked > reached || !(listed || reached != LIST_ENDS) {
            return Err(SessionRefusal::Unknown);
        }
        if next <= asked {
            return Err(SessionRefusal::Bound);
        }
        self.served += names.len();
        if self.served > 2 * ctx.settings.set_max {
            return Err(SessionRefusal::Greedy);
        }
        self.pull.extend(names);
        if listed || asked < reached || next == LIST_GOES_ON {
            return Ok(());
        }
        self.tries = 0;
        if next == LIST_ENDS {
            self.settled = false;
            self.begin_to_settle(ctx);
        } else {
            self.stage = Stage::Listing { cursor: next };
            self.say(ctx, ReconcileMsg::Next { cursor: next });
            self.wait(ctx);
        }
        Ok(())
    }
}
