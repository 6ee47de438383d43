//! What a control frame announces: of a stranger before its control frame is verified, and of others together.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::control::Control;
use crate::control::message::announcement::{Announcement, peek};
use crate::control::message::membership::MembershipMsg;
use crate::control::message::refusal::Refusal;
use crate::wire::Messages;

/// An announcement that was read ahead, or the bytes of one that does not hold.
pub(in crate::control) type Ahead = Result<Arc<Announcement>, Box<[u8]>>;

impl Control {
    /// Who a control frame of an unknown origin comes from: its announcement, whose key the frame is to be verified with before
    /// [`Control::handle_control_frame`] gets it. For a known origin, that one's; costs nothing then.
    ///
    /// # Errors
    /// Why nothing more should be done about the frame. A stranger that does not announce itself is asked to, and one
    /// that announces itself while many do is asked to show that it receives what is sent to its address.
    pub fn introduce(
        &mut self,
        now: u64,
        from: SocketAddr,
        origin: NodeId,
        messages: Messages<'_>,
    ) -> Result<Arc<Announcement>, Refusal> {
        self.introduce_stranger(now, from, origin, messages)
            .inspect_err(|refusal| self.refusals.count(*refusal))
    }

    fn introduce_stranger(
        &mut self,
        now: u64,
        from: SocketAddr,
        origin: NodeId,
        mut messages: Messages<'_>,
    ) -> Result<Arc<Announcement>, Refusal> {
        if let Some(place) = self.members.find(origin) {
            return Ok(self.members.get(place).announcement().clone());
        }
        let proven = self.joiner.expects(from, now) || {
            let mut tokens = messages.clone().filter_map(|message| match MembershipMsg::decode(message) {
                Ok(MembershipMsg::Response(token)) => Some(token),
                _ => None,
            });
            tokens.next().is_some_and(|token| self.address_prover.recognises(&token, origin, from, now))
        };
        let first = messages.next().map(MembershipMsg::decode);
        let announces = match first {
            Some(Ok(MembershipMsg::Announce(bytes))) => {
                Some(bytes).filter(|bytes| peek(bytes).is_some_and(|(id, ..)| id == origin))
            }
            _ => None,
        };
        let Some(bytes) = announces else {
            self.challenge(from, origin, true, now);
            return Err(Refusal::Stranger);
        };
        if !self.address_prover.may_introduce(proven, now) {
            if !proven {
                self.challenge(from, origin, true, now);
            }
            return Err(Refusal::Budget);
        }
        let announcement = self.read(bytes)?;
        self.ahead = alloc::vec![Ok(announcement.clone())];
        Ok(announcement)
    }

    /// Asks whoever writes from `to` to show that it receives there. To a `stranger`, of whom there is no word here in the incarnation
    /// that it lives, this node introduces itself, for whoever is asked so introduces itself as well.
    pub(in crate::control) fn challenge(&mut self, to: SocketAddr, id: NodeId, stranger: bool, now: u64) {
        if self.address_prover.may_challenge(now) {
            let token = self.address_prover.token(id, to, now);
            if stranger {
                let me = self.me().clone();
                self.send_queue.write(to, None, &MembershipMsg::Announce(me.bytes()));
            }
            self.send_queue.write(to, None, &MembershipMsg::Challenge { token, seen_at: to });
        }
    }

    /// Verifies together whatever a control frame has to say that is new, for together it costs less.
    pub(in crate::control) fn read_ahead(&mut self, now: u64, messages: Messages<'_>) {
        let announced = messages.filter_map(|message| match MembershipMsg::decode(message) {
            Ok(MembershipMsg::Announce(bytes)) if self.is_news(now, bytes) => Some(bytes),
            _ => None,
        });
        let mut new: Vec<&[u8]> = announced.collect();
        new.retain(|bytes| !self.ahead.iter().any(|ahead| said(ahead) == *bytes));
        if new.len() > 1 {
            let read = self.signer.read_all(&new).into_iter().zip(new);
            self.ahead.extend(read.map(|(read, bytes)| read.map_err(|_| bytes.into())));
        }
    }

    /// Whether an announcement would change anything if it holds.
    fn is_news(&self, now: u64, bytes: &[u8]) -> bool {
        let Some((id, incarnation, version)) = peek(bytes) else { return false };
        let known = self.members.find(id).map(|place| self.members.get(place).rank());
        let fresh = version.micros() + self.settings.forget_after >= self.wall(now);
        fresh && known.is_none_or(|known| (incarnation, version) > known)
    }

    /// Verifies an announcement, or finds that it was just verified.
    pub(in crate::control) fn read(&mut self, bytes: &[u8]) -> Result<Arc<Announcement>, Refusal> {
        if let Some(at) = self.ahead.iter().position(|ahead| said(ahead) == bytes) {
            return self.ahead.swap_remove(at).map_err(|_| Refusal::Unsound);
        }
        self.signer.read(bytes).map_err(|_| Refusal::Unsound)
    }
}

/// The bytes of what was read ahead, whether it holds or not.
fn said(ahead: &Ahead) -> &[u8] {
    ahead.as_ref().map_or_else(|bytes| &bytes[..], |announcement| announcement.bytes())
}
