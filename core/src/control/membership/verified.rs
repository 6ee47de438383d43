//! What a control frame announces: of a stranger before its control frame is verified, and of others together.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::admission::Credential;
use crate::control::effects::Effects;
use crate::control::membership::membership::Membership;
use crate::control::message::announcement::{Announcement, peek};
use crate::control::message::kind::MessageKind;
use crate::control::message::membership::{Announced, MembershipMsg};
use crate::control::send_queue::Recipient;
use crate::limits::CREDENTIAL_MAX;
use crate::refusal::Refusal;
use crate::wire::{Message, Messages};

/// What the control frame at hand announces, as far as it was verified together, and before the rest of it: each is
/// taken out when the control frame comes to it. Of an announcement that does not hold, the bytes.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    announcements: Vec<Result<Arc<Announcement>, Box<[u8]>>>,
    credentials: Vec<Arc<Credential>>,
}

impl Ahead {
    /// Of a stranger whose announcement was verified before its control frame.
    pub(super) fn of(introduced: Option<Arc<Announcement>>) -> Self {
        Self { announcements: introduced.into_iter().map(Ok).collect(), credentials: Vec::new() }
    }

    fn position(&self, bytes: &[u8]) -> Option<usize> {
        let said = |ahead: &Result<Arc<Announcement>, Box<[u8]>>| match ahead {
            Ok(announcement) => announcement.bytes() == bytes,
            Err(unsound) => **unsound == *bytes,
        };
        self.announcements.iter().position(said)
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
        let known = self.members.find(origin);
        if let Some(place) = known.filter(|place| !self.members.get(*place).is_denied()) {
            return Ok(self.members.get(place).announcement().clone());
        }
        let proven = self.joiner.expects(from, now) || {
            let token = messages.clone().find(|message| message.kind == MessageKind::Response as u8);
            let token = token.and_then(|message| message.body.try_into().ok());
            token.is_some_and(|token| self.address_prover.recognises(token, origin, from, now))
        };
        let first = messages.next().and_then(announced);
        let of =
            |id: NodeId| move |said: &Announced<'_>| peek(said.announcement).is_some_and(|(of, ..)| of == id);
        if let Some(own) = first.filter(of(self.me().id())) {
            // What this node has signed needs no other witness: it may not remember that it did.
            if self.address_prover.may_introduce(proven, now) {
                self.handle_own_announcement(now, own, &mut Ahead::of(None), out)?;
            }
            return Err(Refusal::Stranger);
        }
        let Some(announced) = first.filter(of(origin)) else {
            if known.is_some() {
                return Err(Refusal::Revoked);
            }
            self.challenge(from, origin, true, now, out);
            return Err(Refusal::Stranger);
        };
        self.may_speak(announced)?;
        let (_, _, version) = peek(announced.announcement).ok_or(Refusal::Unsound)?;
        self.check_date(version, now)?;
        if !self.address_prover.may_introduce(proven, now) {
            if !proven {
                self.challenge(from, origin, true, now, out);
            }
            return Err(Refusal::Budget);
        }
        self.read(announced, &mut Ahead::default())
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
            let recipient = Recipient::node(id, to);
            if stranger {
                let me = self.me().clone();
                out.send_queue.write(recipient, None, &MembershipMsg::Announce(Announced::of(&me)));
            }
            out.send_queue.write(recipient, None, &MembershipMsg::Challenge { token, seen_at: to });
        }
    }

    /// Verifies together whatever a control frame has to say that is new, for together it costs less.
    pub(super) fn read_ahead(&mut self, now: u64, messages: Messages<'_>, ahead: &mut Ahead) {
        let announced = messages.filter_map(announced);
        let is_news =
            |said: &Announced<'_>| self.is_news(now, said.announcement) && self.may_speak(*said).is_ok();
        let mut new: Vec<Announced<'_>> = announced.filter(is_news).collect();
        new.retain(|said| ahead.position(said.announcement).is_none());
        if new.len() < 2 {
            return;
        }
        let said: Vec<&[u8]> = new.iter().map(|said| said.announcement).collect();
        let read = self.signer.read_all(&said);
        assert!(read.len() == said.len(), "an answer for each that was said");
        ahead
            .announcements
            .extend(read.into_iter().zip(said).map(|(read, bytes)| read.map_err(|_| bytes.into())));
        let shown = new.iter().map(|said| said.credential).filter(|shown| !shown.is_empty());
        let shown: Vec<&[u8]> = shown.filter(|shown| !self.is_known_credential(shown)).collect();
        if let Some(log) = self.admission.log() {
            ahead.credentials.extend(self.signer.read_credentials(&shown, log).into_iter().flatten());
        }
    }

    /// Whether an announcement would change anything if it holds.
    fn is_news(&self, now: u64, bytes: &[u8]) -> bool {
        let Some((id, incarnation, version)) = peek(bytes) else { return false };
        let known = self.members.find(id).map(|place| self.members.get(place).rank());
        self.check_date(version, now).is_ok() && known.is_none_or(|known| (incarnation, version) > known)
    }

    /// Verifies an announcement, or finds that it was just verified; with the credential that it names, if that is shown or known.
    pub(super) fn read(
        &mut self,
        announced: Announced<'_>,
        ahead: &mut Ahead,
    ) -> Result<Arc<Announcement>, Refusal> {
        self.may_speak(announced)?;
        let announcement = match ahead.position(announced.announcement) {
            Some(at) => ahead.announcements.swap_remove(at).map_err(|_| Refusal::Unsound),
            None => self.signer.read(announced.announcement).map_err(|_| Refusal::Unsound),
        }?;
        let serial = announcement.statement().serial;
        let Some(log) = self.admission.log().filter(|_| serial > 0 && announcement.credential().is_none())
        else {
            return Ok(announcement);
        };
        let known = self.members.find(announcement.id()).and_then(|place| {
            self.members.get(place).announcement().credential().filter(|known| known.grant().serial == serial)
        });
        let shown = announced.credential;
        let credential = match known.or(ahead.credentials.iter().find(|read| read.bytes() == shown)) {
            Some(credential) => credential.clone(),
            None if shown.is_empty() => return Ok(announcement),
            None => {
                let read = self.signer.read_credentials(&[shown], log).remove(0);
                read.map_err(|_| Refusal::CredentialUnsound)?
            }
        };
        let grant = credential.grant();
        if grant.serial != serial || grant.member != announcement.id() {
            return Err(Refusal::CredentialUnsound);
        }
        assert!(credential.bytes().len() <= CREDENTIAL_MAX, "as it was read");
        Ok(Arc::new(Arc::unwrap_or_clone(announcement).with_credential(credential)))
    }
}

/// An announcement, if that is what a message is: looked at before the message is read, for it says whose word all of it is.
pub(super) fn announced(message: Message<'_>) -> Option<Announced<'_>> {
    let announces = message.kind == MessageKind::Announce as u8;
    announces.then(|| Announced::decode(message.body).ok()).flatten()
}
