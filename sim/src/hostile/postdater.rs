//! Announces itself from the far future, so that no later word of its own, or of whoever finds it gone, outdoes that.

use octick_core::control::Statement;
use octick_core::control::message::announcement::{Announcement, mesh_key};
use octick_core::control::message::membership::{Announced, MembershipMsg};
use octick_core::stamp::Version;

use super::hostile::{Hand, Hostile, control_frame};
use crate::seal::MESH;
use crate::{S, WALL};

/// How far ahead: a lifetime, seconds.
const AHEAD: u64 = 80 * 365 * 86_400;

impl Hostile {
    /// To somebody.
    pub(super) fn postdate(&mut self, hand: &mut Hand<'_>) {
        let to = self.somebody(hand);
        let id = hand.common.cast.ids()[hand.node as usize];
        let me = hand.control.me();
        let version = Version::new(WALL + hand.now + AHEAD * S, id);
        let statement = Statement { version, ..me.statement().clone() };
        let said = Announcement::sign(hand.common.cast.identity(hand.node), &mesh_key(MESH), &statement);
        let credential = me.credential().map_or(&[][..], |credential| credential.bytes());
        let announced = Announced { announcement: said.bytes(), credential };
        let packet = (hand.seal)(control_frame(
            hand.common.cast.ids()[to as usize],
            &[MembershipMsg::Announce(announced)],
        ));
        hand.out.send.push((to, packet));
    }
}
