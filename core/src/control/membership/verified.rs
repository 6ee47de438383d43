//! What a control frame announces: of a stranger before its control frame is verified, and of others together.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::effects::Effects;
use crate::control::membership::membership::Membership;
use crate::control::message::announcement::{Announcement, peek};
use crate::control::message::kind::MessageKind;
use crate::control::message::membership::MembershipMsg;
use crate::refusal::Refusal;
use crate::time::micros;
use crate::wire::{Message, Messages};

/// What the control frame at hand announces, as far as it was verified together, and before the rest of it: each is
/// taken out when the control frame comes to it. Of an announcement that does not hold, the bytes.
#[derive(Debug, Default)]
pub(super) struct Ahead(Vec<Result<Arc<Announcement>, Box<[u8]>>>);

impl Ahead {
    /// Of a stranger whose announcement was verified before its control frame.
    pub(super) fn of(introduced: Option<Arc<Announcement>>) -> Self {
        Self(introduced.into_iter().map(Ok).collect())
    }

    fn position(&self, bytes: &[u8]) -> Option<usize> {
        let said = |ahead: &Result<Arc<Announcement>, Box<[u8]>>| match ahead {
            Ok(announcement) => announcement.bytes() == bytes,
            Err(unsound) => **unsound == *bytes,
        };
        self.0.iter().position(said)
    }
}

impl Membership {
    /// Who a control frame of an unknown origin comes from: its announcement, whose key the frame is to be verified
    /// with. For a known origin, that one's; costs nothing then.
    pub(in crate::control) fn introduce(
        &mut self,
        now: u64,
        from: SocketAddr,
        origin: NodeId,
        mut messages: Messages<'_>,
        out: &mut Effects,
    ) -> Result<Arc<Announcement>, Refusal> {
        if let Some(place) = self.members.find(origin) {
            return Ok(self.members.get(place).announcement().clone());
        }
        let proven = self.joiner.expects(from, now) || {
            let token = messages.clone().find(|message| message.kind == MessageKind::Response as u8);
            let token = token.and_then(|message| message.body.try_into().ok());
            token.is_some_and(|token| self.address_prover.recognises(token, origin, from, now))
        };
        let first = messages.next().and_then(announced);
        let announces = first.filter(|bytes| peek(bytes).is_some_and(|(id, ..)| id == origin));
        let own = first.filter(|bytes| peek(bytes).is_some_and(|(id, ..)| id == self.me().id()));
        if let Some(bytes) = own {
            // What this node has signed needs no other witness: it may not remember that it did.
            if self.address_prover.may_introduce(proven, now) {
                self.handle_own_announcement(now, bytes, &mut Ahead::of(None), out)?;
            }
            return Err(Refusal::Stranger);
        }
        let Some(bytes) = announces else {
            self.challenge(from, origin, true, now, out);
            return Err(Refusal::Stranger);
        };
        if !self.address_prover.may_introduce(proven, now) {
            if !proven {
                self.challenge(from, origin, true, now, out);
            }
            return Err(Refusal::Budget);
        }
        self.signer.read(bytes).map_err(|_| Refusal::Unsound)
    }

    /// Asks whoever writes from `to` to show that it receives there. To a `stranger`, of whom there is no word here in the incarnation
    /// that it lives, this node introduces itself, for whoever is asked so introduces itself as well.
    pub(super) fn challenge(
        &mut self,
        to: SocketAddr,
        id: NodeId,
        stranger: bool,
        now: u64,
        out: &mut Effects,
    ) {
        if self.address_prover.may_challenge(now) {
            let token = self.address_prover.token(id, to, now);
            if stranger {
                let me = self.me().clone();
                out.send_queue.write(to, None, &MembershipMsg::Announce(me.bytes()));
            }
            out.send_queue.write(to, None, &MembershipMsg::Challenge { token, seen_at: to });
        }
    }

    /// Verifies together whatever a control frame has to say that is new, for together it costs less.
    pub(super) fn read_ahead(&mut self, now: u64, messages: Messages<'_>, ahead: &mut Ahead) {
        let announced = messages.filter_map(announced).filter(|bytes| self.is_news(now, bytes));
        let mut new: Vec<&[u8]> = announced.collect();
        new.retain(|bytes| ahead.position(bytes).is_none());
        if new.len() > 1 {
            let read = self.signer.read_all(&new);
            assert!(read.len() == new.len(), "an answer for each that was said");
            let read = read.into_iter().zip(new);
            ahead.0.extend(read.map(|(read, bytes)| read.map_err(|_| bytes.into())));
        }
    }

    /// Whether an announcement would change anything if it holds.
    fn is_news(&self, now: u64, bytes: &[u8]) -> bool {
        let Some((id, incarnation, version)) = peek(bytes) else { return false };
        let known = self.members.find(id).map(|place| self.members.get(place).rank());
        let fresh = version.wall().later(micros(self.settings.forget_after)) >= self.wall(now);
        fresh && known.is_none_or(|known| (incarnation, version) > known)
    }

    /// Verifies an announcement, or finds that it was just verified.
    pub(super) fn read(&mut self, bytes: &[u8], ahead: &mut Ahead) -> Result<Arc<Announcement>, Refusal> {
        match ahead.position(bytes) {
            Some(at) => ahead.0.swap_remove(at).map_err(|_| Refusal::Unsound),
            None => self.signer.read(bytes).map_err(|_| Refusal::Unsound),
        }
    }
}

/// The bytes of an announcement, if that is what a message is: looked at before the message is read, for it says whose word all of it is.
pub(super) fn announced(message: Message<'_>) -> Option<&[u8]> {
    (message.kind == MessageKind::Announce as u8).then_some(message.body)
}
