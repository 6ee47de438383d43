//! The way of a control frame through the machines of membership, message by message.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState, Token};
use crate::control::membership::membership::{Membership, accusation};
use crate::control::membership::sync;
use crate::control::membership::table::{Applied, Members};
use crate::control::membership::verified::{Ahead, announced};
use crate::control::message::announcement::{Announcement, peek};
use crate::control::message::membership::{BUCKETS, MembershipMsg};
use crate::control::output::{Output, PacketInfo};
use crate::limits::CONTROL_FRAME_MAX;
use crate::refusal::Refusal;
use crate::stamp::Incarnation;
use crate::time::micros;
use crate::wire::Messages;

/// The control frame at hand: whose it is, and what its messages change while it is handled.
#[derive(Debug)]
pub(in crate::control) struct Delivery {
    /// Who wrote it.
    pub(in crate::control) from: MemberIndex,
    /// Where it came from.
    pub(in crate::control) address: SocketAddr,
    /// Whether it brought a token back.
    proven: bool,
    /// Whether its sender introduced itself in it.
    announced: bool,
    ahead: Ahead,
}

/// What is left to do after a message about members, because it is for other machines.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::control) enum Handled {
    /// Nothing.
    Done,
    /// This node has shown its address to the sender, which may have refused what it said before.
    ProofSent,
    /// A member of another region asks who is here: whom it should know depends on the ranks of the dissemination. Whether it asks for
    /// everything.
    RemoteAsks(bool),
}

impl Membership {
    /// A control frame came that was verified: whose it is. `introduced` is the announcement of a stranger that its
    /// frame was verified with.
    pub(in crate::control) fn open(
        &mut self,
        now: u64,
        packet: &PacketInfo,
        messages: Messages<'_>,
        introduced: Option<Arc<Announcement>>,
        out: &mut Effects,
    ) -> Result<Delivery, Refusal> {
        if packet.origin == self.me().id() {
            self.handle_own_key(now, packet, out);
            return Err(Refusal::Own);
        }
        let mut ahead = Ahead::of(introduced);
        let from = self.sender(now, packet, messages.clone(), &mut ahead, out)?;
        let member = self.members.get_mut(from);
        if !member.is_new_control_frame(packet.seq.0) {
            return Err(Refusal::Duplicate);
        }
        member.heard_from(packet.from, now);
        self.read_ahead(now, messages, &mut ahead);
        self.tell_state(from, packet.from, now, out);
        Ok(Delivery { from, address: packet.from, proven: false, announced: false, ahead })
    }

    /// Where the sender stands, after what it says of itself at the beginning.
    fn sender(
        &mut self,
        now: u64,
        packet: &PacketInfo,
        mut messages: Messages<'_>,
        ahead: &mut Ahead,
        out: &mut Effects,
    ) -> Result<MemberIndex, Refusal> {
        if let Some(bytes) = messages.next().and_then(announced)
            && peek(bytes).is_some_and(|(id, ..)| id == packet.origin)
        {
            self.learn(now, bytes, None, ahead, out)?;
        }
        let place = self.members.find(packet.origin).ok_or(Refusal::Stranger)?;
        let (incarnation, version) = self.members.get(place).rank();
        if packet.incarnation < incarnation {
            if packet.version > version && self.address_prover.may_challenge(now) {
                // It speaks, although a later incarnation has spoken before it did: there are two of them, or it has
                // forgotten how often it has lived. Either way it had better know.
                let later = self.members.get(place).announcement().clone();
                out.send_queue.write(packet.from, None, &MembershipMsg::Announce(later.bytes()));
                if self.members.get(place).state().is_live() {
                    self.conflict(place, Some(packet.from), now, out);
                }
            }
            return Err(Refusal::OldIncarnation);
        }
        if packet.incarnation > incarnation {
            self.challenge(packet.from, packet.origin, true, now, out);
            return Err(Refusal::UnknownIncarnation);
        }
        Ok(place)
    }

    /// A control frame signed with this node's own key: another process has it, unless a relay plays tricks.
    fn handle_own_key(&mut self, now: u64, packet: &PacketInfo, out: &mut Effects) {
        if packet.incarnation != self.statement.incarnation && packet.version > self.born() {
            let superseded = packet.incarnation > self.statement.incarnation;
            self.handle_double(now, packet.incarnation, superseded, Some(packet.from), out);
        }
    }

    /// Another process lives with this node's key. The later of the two goes on; the other is told, so that it can end.
    fn handle_double(
        &mut self,
        now: u64,
        incarnation: Incarnation,
        superseded: bool,
        at: Option<SocketAddr>,
        out: &mut Effects,
    ) {
        if superseded {
            return self.superseded(incarnation, at, now, out);
        }
        self.conflict(Members::ME, at, now, out);
        if incarnation == self.statement.incarnation {
            // They began in one moment, and the draw is this node's: its announcement has to be the later one as well.
            self.refute_now(now, out);
        }
        if let Some(at) = at.filter(|_| self.address_prover.may_challenge(now)) {
            out.send_queue.write(at, None, &MembershipMsg::Announce(self.me().bytes()));
        }
    }

    /// A message about members.
    pub(in crate::control) fn handle_message(
        &mut self,
        now: u64,
        delivery: &mut Delivery,
        message: MembershipMsg<'_>,
        out: &mut Effects,
    ) -> Result<Handled, Refusal> {
        let (from, address) = (delivery.from, delivery.address);
        match message {
            MembershipMsg::Hello => {
                out.send_queue.write(address, None, &MembershipMsg::Announce(self.me().bytes()));
            }
            MembershipMsg::Announce(bytes) => {
                delivery.announced |= peek(bytes).is_some_and(|(id, ..)| id == self.members.get(from).id());
                self.sync.goes_on(from, now);
                self.learn(now, bytes, Some(from), &mut delivery.ahead, out)?;
            }
            MembershipMsg::Missing(bytes) => {
                self.handle_missing(now, from, bytes, &mut delivery.ahead, out)?
            }
            MembershipMsg::ForceLeave(bytes) => self.handle_force_leave(now, from, bytes, out)?,
            MembershipMsg::Accuse(accusation) => self.handle_accusation(now, from, accusation, out)?,
            MembershipMsg::Ping { nonce, digest } => {
                let ack = MembershipMsg::Ack { nonce, digest: self.members.digest() };
                out.send_queue.write(address, Some(from), &ack);
                self.compare(now, from, digest, out);
            }
            MembershipMsg::Ack { nonce, digest } => self.handle_ack(now, from, nonce, digest, out)?,
            MembershipMsg::PingReq { nonce, target } => {
                let target = self.members.find(target).ok_or(Refusal::Unheard)?;
                self.prober.help(from, nonce, target, now, &self.settings);
            }
            MembershipMsg::Nack { nonce } => self.prober.nacked(nonce, from),
            MembershipMsg::Challenge { token, seen_at } => {
                return self.handle_challenge(now, delivery, token, seen_at, out);
            }
            MembershipMsg::Response(token) => self.handle_response(now, delivery, &token)?,
            MembershipMsg::SyncAsk { cursor, digests } => {
                return self.answer(now, delivery, cursor, digests, out);
            }
            MembershipMsg::SyncList { bucket, entries } => {
                if !self.sync.asked(from) {
                    return Err(Refusal::Unasked);
                }
                self.sync.goes_on(from, now);
                self.members.index_buckets();
                let found = sync::differences(&self.members, bucket, entries);
                self.hold_against(from, bucket, found, out);
            }
            MembershipMsg::SyncWant { bucket, names } => {
                self.check_proven(now, delivery, out)?;
                self.members.index_buckets();
                let places: Vec<MemberIndex> = sync::wanted(&self.members, bucket, names).collect();
                self.check_budget(now, from)?;
                self.paid(now, from, 160 * places.len());
                places.into_iter().for_each(|place| self.say_word_of(place, from, out));
            }
            MembershipMsg::SyncDone { next, digest } => {
                self.handle_sync_done(now, from, next, digest, out)?
            }
        }
        Ok(Handled::Done)
    }

    /// A token came back: the sender receives what is sent to its address.
    fn handle_response(&mut self, now: u64, delivery: &mut Delivery, token: &Token) -> Result<(), Refusal> {
        let member = self.members.get_mut(delivery.from);
        if !self.address_prover.recognises(token, member.id(), delivery.address, now) {
            return Err(Refusal::Unproven);
        }
        member.proven |= member.address() == Some(delivery.address);
        delivery.proven = true;
        Ok(())
    }

    /// An answer of a comparison ended.
    fn handle_sync_done(
        &mut self,
        now: u64,
        from: MemberIndex,
        next: u8,
        digest: u32,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let same = digest == self.members.digest();
        if !self.sync.asked(from) {
            // Members of other regions are asked by the scout, one question at a time.
            let remote = self.members.get(from).region() != self.statement.region;
            return if remote { Ok(()) } else { Err(Refusal::Unasked) };
        }
        if let Some(cursor) = self.sync.done(from, next, same, now) {
            self.ask_for_all(from, cursor, out);
        }
        Ok(())
    }

    /// An announcement, told by `teller`, or by the member itself.
    pub(super) fn learn(
        &mut self,
        now: u64,
        bytes: &[u8],
        teller: Option<MemberIndex>,
        ahead: &mut Ahead,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let (id, incarnation, version) = peek(bytes).ok_or(Refusal::Unsound)?;
        if id == self.me().id() {
            return self.handle_own_announcement(now, bytes, ahead, out);
        }
        let known = self.members.find(id);
        if let Some(place) = known
            && (incarnation, version) <= self.members.get(place).rank()
        {
            return self.handle_known(now, place, bytes, teller, ahead, out);
        }
        if version.micros() + micros(self.settings.forget_after) < self.wall(now) {
            return Err(Refusal::Stale);
        }
        let announcement = self.read(bytes, ahead)?;
        let is_local = announcement.statement().region == self.statement.region;
        if !is_local && known.is_none() && self.members.remote_len() >= self.settings.remote_max {
            return Err(Refusal::Full);
        }
        let twice = known.map(|place| self.members.get(place).announcement().clone()).filter(|before| {
            // At one address there is one process: it was started again, sooner than incarnations are told apart.
            let (before, now) = (before.statement(), announcement.statement());
            before.incarnation == incarnation && before.boot != now.boot && before.addresses != now.addresses
        });
        let mut applied = self.members.announce(&announcement, now);
        if applied == Applied::Full
            && let Some(place) = self.members.gone_before(u64::MAX)
        {
            self.forget(place, out);
            applied = self.members.announce(&announcement, now);
        }
        let place = match applied {
            Applied::New(place) | Applied::Changed(place, _) => place,
            Applied::Full => return Err(Refusal::Full),
            Applied::Old(_) | Applied::Ahead(_) | Applied::Unknown => return Ok(()),
        };
        if let Some(before) = twice {
            // Both number their frames alike, so they hear nothing of each other unless they are told.
            let at = before.statement().addresses.first().copied();
            self.conflict(place, at, now, out);
            if let Some(at) = at.filter(|_| self.address_prover.may_challenge(now)) {
                // Who writes, first: it may have met nobody yet.
                out.send_queue.write(at, None, &MembershipMsg::Announce(self.me().bytes()));
                out.send_queue.write(at, None, &MembershipMsg::Announce(announcement.bytes()));
            }
        }
        self.suspicions.close(place);
        self.outdo(place);
        self.changed(place, out);
        if self.members.live() == [place] {
            self.sync.unsettle(now);
        }
        // What a newcomer is taught is no news to others; whom it meets itself is.
        if is_local {
            self.newcomers.hear(place, now);
            let taught = teller.is_some_and(|teller| teller != place && self.sync.is_join_peer(teller, now));
            let itself = teller.is_none_or(|teller| teller == place);
            match () {
                () if taught => {}
                () if itself && known.is_none() => self.mention(place, now),
                () => self.spread(place, now),
            }
        }
        self.changed_at = now;
        Ok(())
    }

    /// An announcement that is known, or older than what is.
    fn handle_known(
        &mut self,
        now: u64,
        place: MemberIndex,
        bytes: &[u8],
        teller: Option<MemberIndex>,
        ahead: &mut Ahead,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let Some((_, incarnation, version)) = peek(bytes) else { return Ok(()) };
        let member = self.members.get(place);
        let (known, state) = (member.rank(), member.state());
        let equivocates = (incarnation, version) == known && member.announcement().bytes() != bytes;
        if equivocates || (incarnation < known.0 && version > known.1) {
            // Only a word that the member signed is held against it.
            let other = self.read(bytes, ahead)?;
            let address = other.statement().addresses.first().copied();
            self.conflict(place, address, now, out);
            return Ok(());
        }
        if let Some(teller) = teller
            && (incarnation, version) == known
        {
            match state {
                PeerState::Failed => {
                    let note = MembershipMsg::Accuse(accusation(self.members.get(place), self.me().id()));
                    self.send_to(teller, &note, out);
                }
                PeerState::Left if self.force_leaves.contains_key(&place) => {
                    self.say_word_of(place, teller, out)
                }
                PeerState::Alive | PeerState::Suspected | PeerState::Left => {}
            }
        }
        Ok(())
    }

    /// An announcement in this node's own name that it did not make: by another process, or by itself in another incarnation.
    fn handle_own_announcement(
        &mut self,
        now: u64,
        bytes: &[u8],
        ahead: &mut Ahead,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let known = self.members.get(Members::ME).rank();
        let Some((_, incarnation, version)) = peek(bytes) else { return Err(Refusal::Unsound) };
        if bytes == self.me().bytes() || (incarnation, version) < known && version < self.born() {
            return Ok(());
        }
        let other = self.read(bytes, ahead)?;
        if other.statement().boot == self.statement.boot {
            return Ok(());
        }
        if version > self.born() {
            let other = other.statement();
            let superseded = (incarnation, other.boot) > (self.statement.incarnation, self.statement.boot);
            self.handle_double(now, incarnation, superseded, other.addresses.first().copied(), out);
        } else if incarnation >= self.statement.incarnation {
            out.want(Output::Outlived(incarnation));
        }
        Ok(())
    }

    fn handle_ack(
        &mut self,
        now: u64,
        from: MemberIndex,
        nonce: u32,
        digest: u32,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let acked = self.prober.acked(now, nonce, from, &self.settings);
        let (target, trip) = acked.ok_or(Refusal::Unasked)?;
        if let Some(trip) = trip {
            let member = self.members.get_mut(target);
            member.proven = true;
            member.rtt.sample(trip);
        }
        if self.members.get(target).state() == PeerState::Suspected {
            let note = MembershipMsg::Accuse(accusation(self.members.get(target), self.me().id()));
            self.send_to(target, &note, out);
            self.clear_suspicion(target, now, out);
        }
        self.compare(now, from, digest, out);
        Ok(())
    }

    /// A member's digest came: ask it if the tables differ and nothing is on its way.
    fn compare(&mut self, now: u64, from: MemberIndex, digest: u32, out: &mut Effects) {
        let same = digest == self.members.digest();
        let is_local = self.members.get(from).region() == self.statement.region;
        if is_local && self.sync.compare(from, same, self.changed_at, now, &self.settings) {
            self.ask_for_all(from, 0, out);
        }
    }

    fn handle_challenge(
        &mut self,
        now: u64,
        delivery: &Delivery,
        token: Token,
        seen_at: SocketAddr,
        out: &mut Effects,
    ) -> Result<Handled, Refusal> {
        let (from, address) = (delivery.from, delivery.address);
        if !self.address_prover.may_challenge(now) {
            return Err(Refusal::Budget);
        }
        if self.statement.addresses.is_empty() {
            self.restate(now, |statement| statement.addresses.push(seen_at), out);
        }
        if !delivery.announced {
            // It did not introduce itself, so it knows this node, and only wants the proof; if for an answer, the question
            // is lost, and asked again.
            out.send_queue.write(address, Some(from), &MembershipMsg::Response(token));
            if self.sync.asked(from) {
                self.ask_for_all(from, 0, out);
            }
            return Ok(Handled::ProofSent);
        }
        let me = self.me().clone();
        // The announcement comes first: whoever challenges may not know this node.
        out.send_queue.write(address, None, &MembershipMsg::Announce(me.bytes()));
        out.send_queue.write(address, None, &MembershipMsg::Response(token));
        out.send_queue.write(address, None, &MembershipMsg::Hello);
        let is_local = self.members.get(from).region() == self.statement.region;
        if self.sync.greet(from, is_local, now) {
            let digests = self.members.digests();
            let digests = (self.members.live().len() > 1).then_some(&digests);
            out.send_queue.write(address, None, &MembershipMsg::SyncAsk { cursor: 0, digests });
        }
        Ok(Handled::Done)
    }

    fn answer(
        &mut self,
        now: u64,
        delivery: &Delivery,
        cursor: u8,
        digests: Option<&[[u8; 4]; BUCKETS]>,
        out: &mut Effects,
    ) -> Result<Handled, Refusal> {
        let (from, address) = (delivery.from, delivery.address);
        self.check_proven(now, delivery, out)?;
        self.check_budget(now, from)?;
        self.members.index_buckets();
        if self.members.get(from).region() != self.statement.region {
            return Ok(Handled::RemoteAsks(digests.is_none()));
        }
        self.newcomers.asked_by(from, digests.is_none(), now);
        let say = |message: &MembershipMsg<'_>| out.send_queue.write(address, Some(from), message);
        let bytes = sync::answer(&self.members, cursor, digests, say);
        self.paid(now, from, bytes);
        Ok(Handled::Done)
    }

    /// Answers a member of another region, to whom `delegates` of this one are named.
    pub(in crate::control) fn answer_remote(
        &mut self,
        now: u64,
        delivery: &Delivery,
        everything: bool,
        delegates: &[MemberIndex],
        out: &mut Effects,
    ) {
        let (from, address) = (delivery.from, delivery.address);
        let say = |message: &MembershipMsg<'_>| out.send_queue.write(address, Some(from), message);
        let bytes = sync::answer_remote(&self.members, from, everything, delegates, say);
        self.paid(now, from, bytes);
    }

    /// Whoever asks too much waits, and so do all when too many ask.
    fn check_budget(&mut self, now: u64, from: MemberIndex) -> Result<(), Refusal> {
        let may = self.members.get(from).may_be_answered(now) && self.sync.may_answer(now);
        if may { Ok(()) } else { Err(Refusal::Budget) }
    }

    fn paid(&mut self, now: u64, from: MemberIndex, bytes: usize) {
        let control_frames = (bytes / CONTROL_FRAME_MAX) as u64;
        self.members.get_mut(from).answered(control_frames, now);
        self.sync.answered(control_frames);
    }

    /// Nothing much is sent to an address that nobody has shown to receive it.
    pub(in crate::control) fn check_proven(
        &mut self,
        now: u64,
        delivery: &Delivery,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let member = self.members.get(delivery.from);
        if delivery.proven || (member.proven && member.address() == Some(delivery.address)) {
            return Ok(());
        }
        let (id, knows) = (member.id(), member.has_written() && member.state().is_live());
        self.challenge(delivery.address, id, !knows, now, out);
        Err(Refusal::Unproven)
    }

    /// A neighbour shows that it receives what is sent to its address before it asks for anything.
    pub(in crate::control) fn get_proof_of(&self, now: u64, place: MemberIndex, out: &mut Effects) {
        let member = self.members.get(place);
        if let Some(address) = member.address().filter(|_| !member.proven) {
            let token = self.address_prover.token(member.id(), address, now);
            self.send_to(place, &MembershipMsg::Challenge { token, seen_at: address }, out);
        }
    }

    /// What a comparison found is said to the member that was asked.
    fn hold_against(&self, from: MemberIndex, bucket: u8, found: sync::Differences, out: &mut Effects) {
        if !found.wanted.is_empty() {
            self.send_to(from, &MembershipMsg::SyncWant { bucket, names: &found.wanted }, out);
        }
        let by = self.me().id();
        for place in found.accused {
            let note = MembershipMsg::Accuse(accusation(self.members.get(place), by));
            if self.members.get(place).state() == PeerState::Failed {
                self.send_to(from, &note, out);
            } else {
                self.say_word_of(place, from, out);
            }
        }
        if self.members.get(from).proven {
            found.offered.into_iter().for_each(|place| self.say_word_of(place, from, out));
        }
    }

    /// Asks a member what this node does not know, from a bucket on.
    pub(in crate::control) fn ask_for_all(&self, to: MemberIndex, cursor: u8, out: &mut Effects) {
        let digests = self.members.digests();
        let digests = (self.members.live().len() > 1).then_some(&digests);
        self.send_to(to, &MembershipMsg::SyncAsk { cursor, digests }, out);
    }
}
