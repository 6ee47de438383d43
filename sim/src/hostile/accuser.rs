//! Says of members that run that they are suspected or failed, and that others noticed.

use octick_core::control::PeerState;
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::message::membership::{Accusation, MembershipMsg};

use super::hostile::{Hand, Hostile, control_frame};
use crate::seal::MESH;

/// Accusations in one strike.
const AT_ONCE: usize = 4;

impl Hostile {
    /// One victim, in several names, told to several members.
    pub(super) fn accuse(&mut self, hand: &mut Hand<'_>) {
        let victim = self.somebody(hand);
        let ids = hand.common.cast.ids();
        let members = hand.control.members();
        let Some(place) = members.find(ids[victim as usize]) else { return };
        let rank = members.get(place).rank();
        for i in 0..AT_ONCE {
            let (to, by) = (self.somebody(hand), self.somebody(hand));
            let state = if self.random.permille(500) { PeerState::Suspected } else { PeerState::Failed };
            let said = |by: u32, signature| Accusation {
                id: ids[victim as usize],
                rank,
                state,
                by: ids[by as usize],
                signature,
            };
            // In its own name, which it signs; in another's, which it cannot; and in nobody's but the frame's.
            let said = match i {
                0 => said(hand.node, None).sign(hand.common.cast.identity(hand.node), &mesh_key(MESH)),
                1 => said(by, Some([i as u8; 64])),
                _ => said(by, None),
            };
            let packet = (hand.seal)(control_frame(ids[to as usize], &[MembershipMsg::Accuse(said)]));
            hand.out.send.push((to, packet));
        }
    }
}
