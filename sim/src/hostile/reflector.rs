//! Asks under fresh keys, from a victim's address, so that whoever answers sends to the victim.

use octick_core::control::message::announcement::{Announcement, mesh_key};
use octick_core::control::message::membership::{Announced, MembershipMsg};
use octick_crypto::Identity;

use super::hostile::{Hand, Hostile};
use crate::seal::MESH;

/// Questions in one strike.
const AT_ONCE: usize = 4;

impl Hostile {
    /// One victim; each question to another member, of another kind.
    pub(super) fn reflect(&mut self, hand: &mut Hand<'_>) {
        let victim = self.somebody(hand);
        for i in 0..AT_ONCE {
            let to = self.somebody(hand);
            if to == victim {
                continue;
            }
            let identity = Identity::from_seed(&std::array::from_fn(|_| self.random.u64() as u8));
            let announcement =
                Announcement::sign(&identity, &mesh_key(MESH), &self.statement(&identity, victim, hand));
            let announce = MembershipMsg::Announce(Announced::of(&announcement));
            let asks = match i {
                0 => vec![MembershipMsg::Hello],
                1 => vec![announce, MembershipMsg::Hello],
                2 => vec![announce, MembershipMsg::SyncAsk { cursor: 0, digests: None }],
                // Many questions in one packet.
                _ => vec![MembershipMsg::Hello; 200],
            };
            let packet = self.seal_as(&identity, to, &asks, hand);
            hand.out.forged.push((victim, to, packet));
        }
    }
}
