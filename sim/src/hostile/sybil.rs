//! One node, a dozen keys: each greets, announces itself, and answers what it is asked, so that it looks like a member.

use octick_core::control::message::announcement::{Announcement, mesh_key};
use octick_core::control::message::kind::MessageKind;
use octick_core::control::message::membership::{Announced, MembershipMsg};

use super::hostile::{Hand, Hostile};
use super::keys::KEYS;
use crate::WALL;
use crate::seal::{MESH, Packet, address};

impl Hostile {
    /// One of the keys greets somebody.
    pub(super) fn join_as_sybil(&mut self, hand: &mut Hand<'_>) {
        let to = self.somebody(hand);
        let which = self.random.index(KEYS);
        let identity = self.sybils[which].identity.clone();
        self.sybils[which].greeted.insert(to, hand.now);
        let announcement =
            Announcement::sign(&identity, &mesh_key(MESH), &self.statement(&identity, hand.node, hand));
        let says = [MembershipMsg::Announce(Announced::of(&announcement)), MembershipMsg::Hello];
        let packet = self.seal_as(&identity, to, &says, hand);
        hand.out.send.push((to, packet));
    }

    /// Proves its address and answers pings, as the key that greeted `from` last.
    pub(super) fn answer_as_sybil(&mut self, from: u32, packet: &Packet, hand: &mut Hand<'_>) {
        let last = self.sybils.iter().filter_map(|sybil| Some((*sybil.greeted.get(&from)?, sybil)));
        let Some((_, sybil)) = last.max_by_key(|(at, _)| *at) else { return };
        let identity = sybil.identity.clone();
        let Some(arrived) = packet.open(address(from), identity.id(), WALL + hand.now) else { return };
        let announcement =
            Announcement::sign(&identity, &mesh_key(MESH), &self.statement(&identity, hand.node, hand));
        for message in arrived.messages {
            let Some(kind) = MessageKind::of(message.kind) else { continue };
            let answer = match MembershipMsg::decode(kind, message.body) {
                Ok(MembershipMsg::Challenge { token, .. }) => MembershipMsg::Response(token),
                Ok(MembershipMsg::Ping { nonce, digest }) => MembershipMsg::Ack { nonce, digest },
                _ => continue,
            };
            let says = [answer, MembershipMsg::Announce(Announced::of(&announcement))];
            let packet = self.seal_as(&identity, from, &says, hand);
            hand.out.send.push((from, packet));
        }
    }
}
