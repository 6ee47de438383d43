//! The way of a letter through the machines, note by note.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::control::control::{Control, Intention, Postmark, accusation};
use crate::control::membership::sync;
use crate::control::membership::table::{Applied, Members, PeerState, Place};
use crate::control::message::announcement::peek;
use crate::control::message::membership::{BUCKETS, Note};
use crate::control::message::refusal::Refusal;
use crate::limits::LETTER_MAX;
use crate::wire::Messages;

impl Control {
    pub(in crate::control) fn receive(
        &mut self,
        now: u64,
        postmark: &Postmark,
        messages: Messages<'_>,
    ) -> Result<(), Refusal> {
        let me = self.me().id();
        if postmark.origin == me {
            self.meet_own_key(now, postmark);
            return Err(Refusal::Own);
        }
        let place = self.sender(now, postmark, messages.clone())?;
        let member = self.members.get_mut(place);
        if !member.take_letter(postmark.seq.0) {
            return Err(Refusal::Duplicate);
        }
        member.heard_from(postmark.from, now);
        self.read_ahead(now, messages.clone());
        (self.proven_here, self.announced_here, self.met_here) = (false, false, None);
        self.reassure(place, postmark.from, now);
        let mut outcome = Ok(());
        for message in messages {
            let note = Note::decode(message).map_err(|_| Refusal::Garbled)?;
            if let Err(refusal) = self.take(now, place, postmark.from, note) {
                outcome = Err(refusal);
                if refusal == Refusal::Unsound {
                    // One signature checked in vain a letter, which its sender has paid for; not six.
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
        postmark: &Postmark,
        mut messages: Messages<'_>,
    ) -> Result<Place, Refusal> {
        if let Some(Ok(Note::Announce(bytes))) = messages.next().map(Note::decode)
            && peek(bytes).is_some_and(|(id, ..)| id == postmark.origin)
        {
            self.learn(now, bytes, None)?;
        }
        let place = self.members.find(postmark.origin).ok_or(Refusal::Stranger)?;
        let (incarnation, version) = self.members.get(place).rank();
        if postmark.incarnation < incarnation {
            if postmark.version > version && self.challenger.may_challenge(now) {
                // It speaks, although a later life has spoken before it did: there are two of them, or it has
                // forgotten how often it has lived. Either way it had better know.
                let later = self.members.get(place).announcement().clone();
                self.mail.write(postmark.from, None, &Note::Announce(later.bytes()));
                if self.members.get(place).state().is_live() {
                    self.conflict(place, Some(postmark.from), now);
                }
            }
            return Err(Refusal::OldLife);
        }
        if postmark.incarnation > incarnation {
            self.challenge(postmark.from, postmark.origin, true, now);
            return Err(Refusal::UnknownLife);
        }
        Ok(place)
    }

    /// A letter signed with this node's own key: another process has it, unless a relay plays tricks.
    fn meet_own_key(&mut self, now: u64, postmark: &Postmark) {
        if postmark.incarnation != self.statement.incarnation && postmark.version > self.born() {
            self.conflict(Members::ME, Some(postmark.from), now);
        }
    }

    fn take(&mut self, now: u64, from: Place, address: SocketAddr, note: Note<'_>) -> Result<(), Refusal> {
        match note {
            Note::Hello => {
                if self.met_here == Some(from) {
                    self.spread(from, now);
                }
                let me = self.me().clone();
                self.mail.write(address, None, &Note::Announce(me.bytes()));
                Ok(())
            }
            Note::Announce(bytes) => {
                self.announced_here |= peek(bytes).is_some_and(|(id, ..)| id == self.members.get(from).id());
                self.sync.goes_on(from, now);
                self.learn(now, bytes, Some(from))
            }
            Note::Accuse(accusation) => self.heed(now, from, accusation),
            Note::Probe { nonce, digest } => {
                let ack = Note::Ack { nonce, digest: self.members.digest() };
                self.mail.write(address, Some(from), &ack);
                self.compare(now, from, digest);
                Ok(())
            }
            Note::Ack { nonce, digest } => self.take_ack(now, from, nonce, digest),
            Note::ProbeFor { nonce, target } => {
                let target = self.members.find(target).ok_or(Refusal::Unheard)?;
                self.prober.help(from, nonce, target, now, &self.settings, &mut self.acts);
                Ok(())
            }
            Note::Nack { nonce } => {
                self.prober.nacked(nonce, from);
                Ok(())
            }
            Note::Challenge { token, seen_at } => self.take_challenge(now, from, address, token, seen_at),
            Note::Response(token) => {
                let member = self.members.get(from);
                if !self.challenger.recognises(&token, member.id(), address, now) {
                    return Err(Refusal::Unproven);
                }
                self.members.get_mut(from).proven |= self.members.get(from).address() == Some(address);
                self.proven_here = true;
                Ok(())
            }
            Note::Refuse => Ok(()),
            Note::SyncAsk { cursor, digests } => self.answer(now, from, address, cursor, digests),
            Note::SyncList { bucket, entries } => {
                if !self.sync.asked(from) {
                    return Err(Refusal::Unasked);
                }
                self.sync.goes_on(from, now);
                self.members.shelve();
                self.hold_against(from, bucket, sync::differences(&self.members, bucket, entries));
                Ok(())
            }
            Note::SyncWant { bucket, names } => {
                self.check_proven(now, from, address)?;
                self.members.shelve();
                let places: Vec<Place> = sync::wanted(&self.members, bucket, names).collect();
                self.check_budget(now, from)?;
                self.paid(now, from, 160 * places.len());
                places.into_iter().for_each(|place| self.say_word_of(place, from));
                Ok(())
            }
            Note::SyncDone { next, digest } => {
                let same = digest == self.members.digest();
                if !self.sync.asked(from) {
                    // Members of other regions are asked by the scout, one question at a time.
                    let abroad = self.members.get(from).region() != self.statement.region;
                    return if abroad { Ok(()) } else { Err(Refusal::Unasked) };
                }
                if let Some(cursor) = self.sync.done(from, next, same, now) {
                    self.ask_for_all(from, cursor);
                }
                Ok(())
            }
            Note::Other(message) => self.take_gossip(now, from, address, message),
        }
    }

    /// An announcement, told by `teller`, or by the member itself.
    fn learn(&mut self, now: u64, bytes: &[u8], teller: Option<Place>) -> Result<(), Refusal> {
        let (id, incarnation, version) = peek(bytes).ok_or(Refusal::Unsound)?;
        if id == self.me().id() {
            return self.learn_of_self(now, bytes);
        }
        let known = self.members.find(id);
        if let Some(place) = known
            && (incarnation, version) <= self.members.get(place).rank()
        {
            return self.hear_again(now, place, bytes, teller);
        }
        if version.micros() + self.settings.forget_after < self.wall(now) {
            return Err(Refusal::Stale);
        }
        let announcement = self.read(bytes)?;
        let home = announcement.statement().region == self.statement.region;
        if !home && known.is_none() && self.members.abroad_len() >= self.settings.abroad_max {
            return Err(Refusal::Full);
        }
        let twice = known.is_some_and(|place| {
            let before = self.members.get(place).announcement().statement();
            before.incarnation == incarnation && before.boot != announcement.statement().boot
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
        if twice {
            self.conflict(place, None, now);
        }
        self.suspicions.close(place);
        self.changed(now, place);
        if self.members.live() == [place] {
            self.sync.unsettle(now);
        }
        // What a newcomer is taught is no news to others; whom it meets itself is.
        if home {
            self.lessons.hear(place, now);
            let taught = teller.is_some_and(|teller| teller != place && self.sync.is_teaching(teller, now));
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
    fn hear_again(
        &mut self,
        now: u64,
        place: Place,
        bytes: &[u8],
        teller: Option<Place>,
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
                    let note = Note::Accuse(accusation(self.members.get(place), self.me().id()));
                    self.mail_to(teller, &note);
                }
                PeerState::Alive | PeerState::Suspected | PeerState::Left => {}
            }
        }
        Ok(())
    }

    /// An announcement in this node's own name that it did not make: by another process, or by itself in another life.
    fn learn_of_self(&mut self, now: u64, bytes: &[u8]) -> Result<(), Refusal> {
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
            self.conflict(Members::ME, other.statement().addresses.first().copied(), now);
        } else if incarnation >= self.statement.incarnation {
            self.want(Intention::Outlived(incarnation));
        }
        Ok(())
    }

    fn take_ack(&mut self, now: u64, from: Place, nonce: u32, digest: u32) -> Result<(), Refusal> {
        let acked = self.prober.acked(now, nonce, from, &self.settings, &mut self.acts);
        let (target, trip) = acked.ok_or(Refusal::Unasked)?;
        if let Some(trip) = trip {
            let member = self.members.get_mut(target);
            member.proven = true;
            member.rtt.sample(trip);
        }
        if self.members.get(target).state() == PeerState::Suspected {
            let note = Note::Accuse(accusation(self.members.get(target), self.me().id()));
            self.mail_to(target, &note);
            self.acquit(target, now);
        }
        self.compare(now, from, digest);
        Ok(())
    }

    /// A member's digest came: ask it if the tables differ and nothing is on its way.
    fn compare(&mut self, now: u64, from: Place, digest: u32) {
        let same = digest == self.members.digest();
        let home = self.members.get(from).region() == self.statement.region;
        if home && self.sync.compare(from, same, self.changed_at, now, &self.settings) {
            self.ask_for_all(from, 0);
        }
    }

    fn take_challenge(
        &mut self,
        now: u64,
        from: Place,
        address: SocketAddr,
        token: crate::control::message::membership::Token,
        seen_at: SocketAddr,
    ) -> Result<(), Refusal> {
        if !self.challenger.may_challenge(now) {
            return Err(Refusal::Budget);
        }
        if self.statement.addresses.is_empty() {
            self.restate(now, |statement| statement.addresses.push(seen_at));
        }
        if !self.announced_here {
            // It did not introduce itself, so it knows this node, and only wants the proof; if for an answer, the question
            // is lost, and asked again.
            self.mail.write(address, Some(from), &Note::Response(token));
            if self.sync.asked(from) {
                self.ask_for_all(from, 0);
            }
            return Ok(());
        }
        let me = self.me().clone();
        // The announcement comes first: whoever challenges may not know this node.
        self.mail.write(address, None, &Note::Announce(me.bytes()));
        self.mail.write(address, None, &Note::Response(token));
        self.mail.write(address, None, &Note::Hello);
        let home = self.members.get(from).region() == self.statement.region;
        if self.sync.greet(from, home, now) {
            let digests = self.members.digests();
            let digests = (self.members.live().len() > 1).then_some(&digests);
            self.mail.write(address, None, &Note::SyncAsk { cursor: 0, digests });
        }
        Ok(())
    }

    fn answer(
        &mut self,
        now: u64,
        from: Place,
        address: SocketAddr,
        cursor: u8,
        digests: Option<&[[u8; 4]; BUCKETS]>,
    ) -> Result<(), Refusal> {
        self.check_proven(now, from, address)?;
        self.check_budget(now, from)?;
        let home = self.members.get(from).region() == self.statement.region;
        self.members.shelve();
        let delegates = if home { Vec::new() } else { self.dissemination.delegates(&self.members) };
        let (members, mail) = (&self.members, &mut self.mail);
        let say = |note: &Note<'_>| mail.write(address, Some(from), note);
        let bytes = if home {
            self.lessons.asked_by(from, digests.is_none(), now);
            sync::answer(members, cursor, digests, say)
        } else {
            sync::answer_abroad(members, from, digests.is_none(), &delegates, say)
        };
        self.paid(now, from, bytes);
        Ok(())
    }

    /// Whoever asks too much waits, and so do all when too many ask.
    fn check_budget(&mut self, now: u64, from: Place) -> Result<(), Refusal> {
        let may = self.members.get(from).may_be_answered(now) && self.sync.may_answer(now);
        if may { Ok(()) } else { Err(Refusal::Budget) }
    }

    fn paid(&mut self, now: u64, from: Place, bytes: usize) {
        let letters = (bytes / LETTER_MAX) as u64;
        self.members.get_mut(from).answered(letters, now);
        self.sync.answered(letters);
    }

    /// Nothing much is sent to an address that nobody has shown to receive it.
    pub(in crate::control) fn check_proven(
        &mut self,
        now: u64,
        from: Place,
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
    fn hold_against(&mut self, from: Place, bucket: u8, found: sync::Differences) {
        if !found.wanted.is_empty() {
            self.mail_to(from, &Note::SyncWant { bucket, names: &found.wanted });
        }
        let by = self.me().id();
        for place in found.accused {
            let note = Note::Accuse(accusation(self.members.get(place), by));
            if self.members.get(place).state() == PeerState::Failed {
                self.mail_to(from, &note);
            } else {
                self.say_word_of(place, from);
            }
        }
        if self.members.get(from).proven {
            found.offered.into_iter().for_each(|place| self.say_word_of(place, from));
        }
    }

    /// Passes a member's own last word on.
    pub(in crate::control) fn say_word_of(&mut self, place: Place, to: Place) {
        let announcement = self.members.get(place).announcement().clone();
        self.mail_to(to, &Note::Announce(announcement.bytes()));
    }

    pub(in crate::control) fn ask_for_all(&mut self, to: Place, cursor: u8) {
        let digests = self.members.digests();
        let digests = (self.members.live().len() > 1).then_some(&digests);
        self.mail_to(to, &Note::SyncAsk { cursor, digests });
    }
}
