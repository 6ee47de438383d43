//! A control frame is opened: whose it is, what its sender says of itself, and whether it was heard before.

use alloc::sync::Arc;
use core::net::SocketAddr;

use crate::control::effects::Effects;
use crate::control::id::MemberIndex;
use crate::control::membership::membership::Membership;
use crate::control::membership::table::Members;
use crate::control::membership::verified::{Ahead, announced};
use crate::control::message::announcement::{Announcement, peek};
use crate::control::message::membership::{Announced, MembershipMsg};
use crate::control::output::PacketInfo;
use crate::control::send_queue::Recipient;
use crate::refusal::Refusal;
use crate::stamp::Incarnation;
use crate::wire::Messages;

/// The control frame at hand: whose it is, and what its messages change while it is handled.
#[derive(Debug)]
pub(in crate::control) struct Delivery {
    /// Who wrote it.
    pub(in crate::control) from: MemberIndex,
    /// Where it came from.
    pub(in crate::control) address: SocketAddr,
    /// Whether it brought a token back.
    pub(super) proven: bool,
    /// Whether its sender introduced itself in it.
    pub(super) announced: bool,
    pub(super) ahead: Ahead,
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
        if packet.to.is_some_and(|to| to != self.me().id()) {
            return Err(Refusal::Misaddressed);
        }
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
        if packet.to.is_some() {
            // What names nobody may have been said to another, and be passed on.
            member.heard_from(packet.from, now);
        }
        self.read_ahead(now, messages, &mut ahead);
        self.tell_state(from, packet, now, out);
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
        let itself =
            |said: &Announced<'_>| peek(said.announcement).is_some_and(|(id, ..)| id == packet.origin);
        let said = messages.next().and_then(announced).filter(itself);
        let introduces = said.is_some();
        if let Some(said) = said {
            self.learn(now, said, None, ahead, out)?;
        }
        let place = self.members.find(packet.origin).ok_or(Refusal::Stranger)?;
        let (incarnation, version) = self.members.get(place).rank();
        if packet.incarnation < incarnation {
            // It speaks, although a later incarnation has spoken before it did: there are two of them, or it has forgotten
            // how often it was started, its clock as well. Either way it had better know. Whoever repeats an old frame gets
            // about as much as that brought, within the budget of challenges.
            let is_later = packet.version > version;
            if (is_later || introduces) && self.address_prover.may_challenge(now) {
                let later = self.members.get(place).announcement().clone();
                let sender = Recipient::node(packet.origin, packet.from);
                out.send_queue.write(sender, None, &MembershipMsg::Announce(Announced::of(&later)));
                if is_later && self.members.get(place).state().is_live() {
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
        if self.hears_first && packet.incarnation >= self.statement.incarnation {
            self.outlived(packet.incarnation, packet.version, out);
        } else if packet.incarnation != self.statement.incarnation && packet.version > self.born() {
            let superseded = packet.incarnation > self.statement.incarnation;
            self.handle_double(now, packet.incarnation, superseded, Some(packet.from), out);
        }
    }

    /// Another process lives with this node's key. The later of the two goes on; the other is told, so that it can end.
    pub(super) fn handle_double(
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
            let other = Recipient::node(self.me().id(), at);
            out.send_queue.write(other, None, &MembershipMsg::Announce(Announced::of(self.me())));
        }
    }
}
