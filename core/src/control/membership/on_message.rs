//! The way of a control frame through the machines, note by note.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::control::control::{Control, Output, PacketInfo, accusation};
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::sync;
use crate::control::membership::table::{Applied, Members};
use crate::control::message::announcement::peek;
use crate::control::message::membership::{BUCKETS, MembershipMsg};
use crate::control::message::refusal::Refusal;
use crate::limits::CONTROL_FRAME_MAX;
use crate::stamp::Incarnation;
use crate::wire::Messages;

impl Control {
    pub(in crate::control) fn receive(
        &mut self,
        now: u64,
        packet: &PacketInfo,
        messages: Messages<'_>,
    ) -> Result<(), Refusal> {
        let me = self.me().id();
        if packet.origin == me {
            self.handle_own_key(now, packet);
            return Err(Refusal::Own);
        }
        let place = self.sender(now, packet, messages.clone())?;
        let member = self.members.get_mut(place);
        if !member.is_new_control_frame(packet.seq.0) {
            return Err(Refusal::Duplicate);
        }
        member.heard_from(packet.from, now);
        self.read_ahead(now, messages.clone());
        (self.proven_here, self.announced_here, self.met_here) = (false, false, None);
        self.tell_state(place, packet.from, now);
        let mut outcome = Ok(());
        for message in messages {
            let note = MembershipMsg::decode(message).map_err(|_| Refusal::Garbled)?;
            if let Err(refusal) = self.take(now, place, packet.from, note) {
                outcome = Err(refusal);
                if refusal == Refusal::Unsound {
                    // One signature checked in vain a control frame, which its sender has paid for; not six.
                    break;
                }
            }
        }
        outcome
    }

    /// Where the sender stands, after what it says of itself at the beginning.
    fn sender(
        &mut self,
        now: u64,
        packet: &PacketInfo,
        mut messages: Messages<'_>,
    ) -> Result<MemberIndex, Refusal> {
        if let Some(Ok(MembershipMsg::Announce(bytes))) = messages.next().map(MembershipMsg::decode)
            && peek(bytes).is_some_and(|(id, ..)| id == packet.origin)
        {
            self.learn(now, bytes, None)?;
        }
        let place = self.members.find(packet.origin).ok_or(Refusal::Stranger)?;
        let (incarnation, version) = self.members.get(place).rank();
        if packet.incarnation < incarnation {
            if packet.version > version && self.address_prover.may_challenge(now) {
                // It speaks, although a later incarnation has spoken before it did: there are two of them, or it has
                // forgotten how often it has lived. Either way it had better know.
                let later = self.members.get(place).announcement().clone();
                self.send_queue.write(packet.from, None, &MembershipMsg::Announce(later.bytes()));
                if self.members.get(place).state().is_live() {
                    self.conflict(place, Some(packet.from), now);
                }
            }
            return Err(Refusal::OldIncarnation);
        }
        if packet.incarnation > incarnation {
            self.challenge(packet.from, packet.origin, true, now);
            return Err(Refusal::UnknownIncarnation);
        }
        Ok(place)
    }

    /// A control frame signed with this node's own key: another process has it, unless a relay plays tricks.
    fn handle_own_key(&mut self, now: u64, packet: &PacketInfo) {
        if packet.incarnation != self.statement.incarnation && packet.version > self.born() {
            let superseded = packet.incarnation > self.statement.incarnation;
            self.handle_double(now, packet.incarnation, superseded, Some(packet.from));
        }
    }

    /// Another process lives with this node's key. The later of the two goes on; the other is told, so that it can end.
    fn handle_double(
        &mut self,
        now: u64,
        incarnation: Incarnation,
        superseded: bool,
        at: Option<SocketAddr>,
    ) {
        if superseded {
            return self.superseded(incarnation, at, now);
        }
        self.conflict(Members::ME, at, now);
        if incarnation == self.statement.incarnation {
            // They began in one moment, and the draw is this node's: its announcement has to be the later one as well.
            self.refute_now(now);
        }
        if let Some(at) = at.filter(|_| self.address_prover.may_challenge(now)) {
            let me = self.me().clone();
            self.send_queue.write(at, None, &MembershipMsg::Announce(me.bytes()));
        }
    }

    fn take(
        &mut self,
        now: u64,
        from: MemberIndex,
        address: SocketAddr,
        note: MembershipMsg<'_>,
    ) -> Result<(), Refusal> {
        match note {
            MembershipMsg::Hello => {
                if self.met_here == Some(from) {
                    self.spread(from, now);
                }
                let me = self.me().clone();
                self.send_queue.write(address, None, &MembershipMsg::Announce(me.bytes()));
                Ok(())
            }
            MembershipMsg::Announce(bytes) => {
                self.announced_here |= peek(bytes).is_some_and(|(id, ..)| id == self.members.get(from).id());
                self.sync.goes_on(from, now);
                self.learn(now, bytes, Some(from))
            }
            MembershipMsg::Accuse(accusation) => self.handle(now, from, accusation),
            MembershipMsg::Probe { nonce, digest } => {
                let ack = MembershipMsg::Ack { nonce, digest: self.members.digest() };
                self.send_queue.write(address, Some(from), &ack);
                self.compare(now, from, digest);
                Ok(())
            }
            MembershipMsg::Ack { nonce, digest } => self.handle_ack(now, from, nonce, digest),
            MembershipMsg::ProbeFor { nonce, target } => {
                let target = self.members.find(target).ok_or(Refusal::Unheard)?;
                self.prober.help(from, nonce, target, now, &self.settings, &mut self.acts);
                Ok(())
            }
            MembershipMsg::Nack { nonce } => {
                self.prober.nacked(nonce, from);
                Ok(())
            }
            MembershipMsg::Challenge { token, seen_at } => {
                self.handle_challenge(now, from, address, token, seen_at)
            }
            MembershipMsg::Response(token) => {
                let member = self.members.get(from);
                if !self.address_prover.recognises(&token, member.id(), address, now) {
                    return Err(Refusal::Unproven);
                }
                self.members.get_mut(from).proven |= self.members.get(from).address() == Some(address);
                self.proven_here = true;
                Ok(())
            }
            MembershipMsg::Refuse => Ok(()),
            MembershipMsg::SyncAsk { cursor, digests } => self.answer(now, from, address, cursor, digests),
            MembershipMsg::SyncList { bucket, entries } => {
                if !self.sync.asked(from) {
                    return Err(Refusal::Unasked);
                }
                self.sync.goes_on(from, now);
                self.members.index_buckets();
                self.hold_against(from, bucket, sync::differences(&self.members, bucket, entries));
                Ok(())
            }
            MembershipMsg::SyncWant { bucket, names } => {
                self.check_proven(now, from, address)?;
                self.members.index_buckets();
                let places: Vec<MemberIndex> = sync::wanted(&self.members, bucket, names).collect();
                self.check_budget(now, from)?;
                self.paid(now, from, 160 * places.len());
                places.into_iter().for_each(|place| self.say_word_of(place, from));
                Ok(())
            }
            MembershipMsg::SyncDone { next, digest } => {
                let same = digest == self.members.digest();
                if !self.sync.asked(from) {
                    // Members of other regions are asked by the scout, one question at a time.
                    let remote = self.members.get(from).region() != self.statement.region;
                    return if remote { Ok(()) } else { Err(Refusal::Unasked) };
                }
                if let Some(cursor) = self.sync.done(from, next, same, now) {
                    self.ask_for_all(from, cursor);
                }
                Ok(())
            }
            MembershipMsg::Other(message) => self.handle_gossip(now, from, address, message),
        }
    }

    /// An announcement, told by `teller`, or by the member itself.
    fn learn(&mut self, now: u64, bytes: &[u8], teller: Option<MemberIndex>) -> Result<(), Refusal> {
        let (id, incarnation, version) = peek(bytes).ok_or(Refusal::Unsound)?;
        if id == self.me().id() {
            return self.handle_own_announcement(now, bytes);
        }
        let known = self.members.find(id);
        if let Some(place) = known
            && (incarnation, version) <= self.members.get(place).rank()
        {
            return self.handle_known(now, place, bytes, teller);
        }
        if version.micros() + self.settings.forget_after < self.wall(now) {
            return Err(Refusal::Stale);
        }
        let announcement = self.read(bytes)?;
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
            self.forget(now, place);
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
            self.conflict(place, at, now);
            if let Some(at) = at.filter(|_| self.address_prover.may_challenge(now)) {
                let me = self.me().clone();
                // Who writes, first: it may have met nobody yet.
                self.send_queue.write(at, None, &MembershipMsg::Announce(me.bytes()));
                self.send_queue.write(at, None, &MembershipMsg::Announce(announcement.bytes()));
            }
        }
        self.suspicions.close(place);
        self.changed(now, place);
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
                () if itself && known.is_none() => self.meet(place, now),
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
    ) -> Result<(), Refusal> {
        let Some((_, incarnation, version)) = peek(bytes) else { return Ok(()) };
        let member = self.members.get(place);
        let (known, state) = (member.rank(), member.state());
        let equivocates = (incarnation, version) == known && member.announcement().bytes() != bytes;
        if equivocates || (incarnation < known.0 && version > known.1) {
            // Only a word that the member signed is held against it.
            let other = self.read(bytes)?;
            let address = other.statement().addresses.first().copied();
            self.conflict(place, address, now);
            return Ok(());
        }
        if let Some(teller) = teller
            && (incarnation, version) == known
        {
            match state {
                PeerState::Failed => {
                    let note = MembershipMsg::Accuse(accusation(self.members.get(place), self.me().id()));
                    self.send_to(teller, &note);
                }
                PeerState::Alive | PeerState::Suspected | PeerState::Left => {}
            }
        }
        Ok(())
    }

    /// An announcement in this node's own name that it did not make: by another process, or by itself in another incarnation.
    fn handle_own_announcement(&mut self, now: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let known = self.members.get(Members::ME).rank();
        let Some((_, incarnation, version)) = peek(bytes) else { return Err(Refusal::Unsound) };
        if bytes == self.me().bytes() || (incarnation, version) < known && version < self.born() {
            return Ok(());
        }
        let other = self.read(bytes)?;
        if other.statement().boot == self.statement.boot {
            return Ok(());
        }
        if version > self.born() {
            let other = other.statement();
            let superseded = (incarnation, other.boot) > (self.statement.incarnation, self.statement.boot);
            self.handle_double(now, incarnation, superseded, other.addresses.first().copied());
        } else if incarnation >= self.statement.incarnation {
            self.want(Output::Outlived(incarnation));
        }
        Ok(())
    }

    fn handle_ack(&mut self, now: u64, from: MemberIndex, nonce: u32, digest: u32) -> Result<(), Refusal> {
        let acked = self.prober.acked(now, nonce, from, &self.settings, &mut self.acts);
        let (target, trip) = acked.ok_or(Refusal::Unasked)?;
        if let Some(trip) = trip {
            let member = self.members.get_mut(target);
            member.proven = true;
            member.rtt.sample(trip);
        }
        if self.members.get(target).state() == PeerState::Suspected {
            let note = MembershipMsg::Accuse(accusation(self.members.get(target), self.me().id()));
            self.send_to(target, &note);
            self.clear_suspicion(target, now);
        }
        self.compare(now, from, digest);
        Ok(())
    }

    /// A member's digest came: ask it if the tables differ and nothing is on its way.
    fn compare(&mut self, now: u64, from: MemberIndex, digest: u32) {
        let same = digest == self.members.digest();
        let is_local = self.members.get(from).region() == self.statement.region;
        if is_local && self.sync.compare(from, same, self.changed_at, now, &self.settings) {
            self.ask_for_all(from, 0);
        }
    }

    fn handle_challenge(
        &mut self,
        now: u64,
        from: MemberIndex,
        address: SocketAddr,
        token: crate::control::id::Token,
        seen_at: SocketAddr,
    ) -> Result<(), Refusal> {
        if !self.address_prover.may_challenge(now) {
            return Err(Refusal::Budget);
        }
        if self.statement.addresses.is_empty() {
            self.restate(now, |statement| statement.addresses.push(seen_at));
        }
        if !self.announced_here {
            // It did not introduce itself, so it knows this node, and only wants the proof; if for an answer, the question
            // is lost, and asked again.
            self.send_queue.write(address, Some(from), &MembershipMsg::Response(token));
            if self.sync.asked(from) {
                self.ask_for_all(from, 0);
            }
            self.dissemination.offer_again(now, from, &mut self.actions);
            self.fulfil(now);
            return Ok(());
        }
        let me = self.me().clone();
        // The announcement comes first: whoever challenges may not know this node.
        self.send_queue.write(address, None, &MembershipMsg::Announce(me.bytes()));
        self.send_queue.write(address, None, &MembershipMsg::Response(token));
        self.send_queue.write(address, None, &MembershipMsg::Hello);
        let is_local = self.members.get(from).region() == self.statement.region;
        if self.sync.greet(from, is_local, now) {
            let digests = self.members.digests();
            let digests = (self.members.live().len() > 1).then_some(&digests);
            self.send_queue.write(address, None, &MembershipMsg::SyncAsk { cursor: 0, digests });
        }
        Ok(())
    }

    fn answer(
        &mut self,
        now: u64,
        from: MemberIndex,
        address: SocketAddr,
        cursor: u8,
        digests: Option<&[[u8; 4]; BUCKETS]>,
    ) -> Result<(), Refusal> {
        self.check_proven(now, from, address)?;
        self.check_budget(now, from)?;
        let is_local = self.members.get(from).region() == self.statement.region;
        self.members.index_buckets();
        let delegates = if is_local { Vec::new() } else { self.dissemination.delegates(&self.members) };
        let (members, send_queue) = (&self.members, &mut self.send_queue);
        let say = |note: &MembershipMsg<'_>| send_queue.write(address, Some(from), note);
        let bytes = if is_local {
            self.newcomers.asked_by(from, digests.is_none(), now);
            sync::answer(members, cursor, digests, say)
        } else {
            sync::answer_remote(members, from, digests.is_none(), &delegates, say)
        };
        self.paid(now, from, bytes);
        Ok(())
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
        from: MemberIndex,
        address: SocketAddr,
    ) -> Result<(), Refusal> {
        let member = self.members.get(from);
        if self.proven_here || (member.proven && member.address() == Some(address)) {
            return Ok(());
        }
        let id = member.id();
        let knows = member.has_written() && member.state().is_live();
        self.challenge(address, id, !knows, now);
        Err(Refusal::Unproven)
    }

    /// What a comparison found is said to the member that was asked.
    fn hold_against(&mut self, from: MemberIndex, bucket: u8, found: sync::Differences) {
        if !found.wanted.is_empty() {
            self.send_to(from, &MembershipMsg::SyncWant { bucket, names: &found.wanted });
        }
        let by = self.me().id();
        for place in found.accused {
            let note = MembershipMsg::Accuse(accusation(self.members.get(place), by));
            if self.members.get(place).state() == PeerState::Failed {
                self.send_to(from, &note);
            } else {
                self.say_word_of(place, from);
            }
        }
        if self.members.get(from).proven {
            found.offered.into_iter().for_each(|place| self.say_word_of(place, from));
        }
    }

    /// Passes a member's own last word on.
    pub(in crate::control) fn say_word_of(&mut self, place: MemberIndex, to: MemberIndex) {
        let announcement = self.members.get(place).announcement().clone();
        self.send_to(to, &MembershipMsg::Announce(announcement.bytes()));
    }

    pub(in crate::control) fn ask_for_all(&mut self, to: MemberIndex, cursor: u8) {
        let digests = self.members.digests();
        let digests = (self.members.live().len() > 1).then_some(&digests);
        self.send_to(to, &MembershipMsg::SyncAsk { cursor, digests });
    }
}
