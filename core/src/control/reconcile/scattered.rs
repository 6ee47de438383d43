//! Two sets that differ here and there: coded symbols, sent until the difference can be taken apart.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::context::{Context, SessionRefusal};
use super::exchange::{Apart, Exchange, Stage};
use super::key::{Key, Name};
use super::message::{ReconcileMsg, SYMBOLS_AT};
use super::riblt::{Coder, Decoder, Undecodable};
use super::symbol::Symbol;
use crate::wire::control_frame::BODY_MAX;

impl<P: Copy + Ord, N: Name> Exchange<P, N> {
    /// Sends as many complete symbols as a round allows.
    pub(super) fn send_symbols(&mut self, ctx: &mut Context<'_, P, N>) -> Result<(), SessionRefusal> {
        let Stage::Coding { coder, end, sent } = &mut self.stage else { return Ok(()) };
        let (size, mut round, mut bodies) = (coder.size(), ctx.settings.round_bytes, Vec::new());
        while *sent < *end && round > 0 {
            let (first, mut bytes) = (*sent, Vec::new());
            while *sent < *end && bytes.len() + Symbol::<N>::LEN_MAX <= BODY_MAX - SYMBOLS_AT {
                coder.symbols()[*sent as usize].write(*sent, size, &mut bytes);
                *sent += 1;
            }
            round = round.saturating_sub(bytes.len());
            bodies.push(
                ReconcileMsg::Symbols { share: self.share, size, first, bytes: &bytes }.encode(self.topic),
            );
        }
        // What did not fit the round is asked for.
        *end = *sent;
        for body in bodies {
            self.send(ctx, body)?;
        }
        self.wait(ctx);
        Ok(())
    }

    pub(super) fn handle_symbols(
        &mut self,
        ctx: &mut Context<'_, P, N>,
        first: u32,
        mut bytes: &[u8],
    ) -> Result<(), SessionRefusal> {
        let (share, size) = self.theirs.expect("they were met");
        if matches!(self.stage, Stage::Waiting { .. }) {
            let key = Key::of("symbols", self.share, share);
            self.stage = Stage::Decoding(Apart {
                coder: Coder::of(key, self.names.iter().copied()),
                decoder: Decoder::new(key, ctx.settings.symbols_max as usize),
                early: BTreeMap::new(),
                their_size: size,
                end: 0,
            });
        }
        let Stage::Decoding(apart) = &mut self.stage else { return Ok(()) };
        if first >= ctx.settings.symbols_max {
            return Err(SessionRefusal::Bound);
        }
        let mut symbols = Vec::new();
        while !bytes.is_empty() {
            let index = first.saturating_add(symbols.len() as u32);
            symbols.push(Symbol::read(index, apart.their_size, &mut bytes).ok_or(SessionRefusal::Garbled)?);
        }
        // Every key is a first below the bound, so what waits is bounded by control frames of the symbols that may come: yet one
        // that sends each control frame shifted by one could make it many times as much.
        let waiting: usize = apart.early.values().map(Vec::len).sum();
        if waiting + symbols.len() > 2 * ctx.settings.symbols_max as usize {
            return Err(SessionRefusal::Greedy);
        }
        if first >= apart.decoder.taken() && !symbols.is_empty() {
            apart.end = apart.end.max(first.saturating_add(symbols.len() as u32));
            apart.early.entry(first).or_insert(symbols);
        }
        self.tries = 0;
        self.due = ctx.now + ctx.settings.patience;
        Ok(())
    }

    /// A slice of coding, and of taking apart what is there on both sides.
    pub(super) fn decode(&mut self, ctx: &mut Context<'_, P, N>) -> Result<(), SessionRefusal> {
        let Stage::Decoding(apart) = &mut self.stage else { return Ok(()) };
        let reach = apart.end.min(ctx.settings.symbols_max);
        // Code for all that is there at once: each pass over the set has its price.
        let coded = apart.coder.symbols().len() as u32;
        let next = apart.decoder.taken();
        let chunk_end = next + apart.early[&next].len() as u32;
        if coded < chunk_end && !apart.coder.extend(reach.max(chunk_end), ctx.settings.names_per_turn) {
            return Ok(());
        }
        while let Some(theirs) = apart.early.remove(&apart.decoder.taken()) {
            let from = apart.decoder.taken() as usize;
            let Some(ours) = apart.coder.symbols().get(from..from + theirs.len()) else {
                apart.early.insert(from as u32, theirs);
                return Ok(());
            };
            match apart.decoder.take(&theirs, ours) {
                Ok(false) => {}
                Ok(true) => {
                    let difference = apart.decoder.difference();
                    (self.pull, self.serve) = (difference.theirs, difference.ours);
                    self.begin_to_settle(ctx);
                    return Ok(());
                }
                Err(Undecodable::TooLong) => return Err(SessionRefusal::TooLong),
                Err(Undecodable::Contradiction) => return Err(SessionRefusal::Contradiction),
            }
        }
        let taken = apart.decoder.taken();
        assert!(taken <= ctx.settings.symbols_max, "{taken} symbols were looked at");
        apart.early.retain(|first, _| *first >= taken);
        // Everything that was sent is in, and it was not enough.
        if taken >= reach && apart.early.is_empty() {
            if taken >= ctx.settings.symbols_max {
                return Err(SessionRefusal::TooLong);
            }
            // Control frames of the same burst may still be on their way: a little patience.
            self.due = ctx.now + ctx.settings.patience / 8;
        }
        Ok(())
    }

    pub(super) fn handle_more(
        &mut self,
        ctx: &mut Context<'_, P, N>,
        first: u32,
        last: u32,
    ) -> Result<(), SessionRefusal> {
        let Stage::Coding { coder, end, sent } = &mut self.stage else { return Err(SessionRefusal::Unknown) };
        if first >= last || last > ctx.settings.symbols_max || first > coder.symbols().len() as u32 {
            return Err(SessionRefusal::Bound);
        }
        (*sent, *end) = (first, last);
        Ok(())
    }
}
