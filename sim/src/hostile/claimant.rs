//! Claims what others hold, with the earliest date there is.

use octick_core::control::Statement;
use octick_core::control::message::announcement::{Announcement, Claim, mesh_key};
use octick_core::control::message::membership::{Announced, MembershipMsg};
use octick_core::stamp::Version;

use super::hostile::{Hand, Hostile, control_frame};
use crate::WALL;
use crate::population::{issue, run_of};
use crate::seal::MESH;

impl Hostile {
    /// A new announcement of its own, with the runs of some others, to somebody.
    pub(super) fn claim(&mut self, hand: &mut Hand<'_>) {
        let (first, second) = (self.somebody(hand), self.somebody(hand));
        let to = self.somebody(hand);
        let mut claims: Vec<Claim> =
            [hand.node, first, second].map(|node| Claim { run: run_of(node), since: 0 }).into();
        claims.sort_unstable_by_key(|claim| claim.run.first.0);
        claims.dedup();
        let id = hand.common.cast.ids()[hand.node as usize];
        let me = hand.control.me();
        let serial = match hand.common.stolen {
            // Of two rights the one that was given first holds.
            Some(_) => 1 + u64::from(hand.node),
            None => me.statement().serial,
        };
        let version = Version::new(WALL + hand.now, id);
        let statement = Statement { claims, version, serial, ..me.statement().clone() };
        let said = Announcement::sign(hand.common.cast.identity(hand.node), &mesh_key(MESH), &statement);
        let stolen = hand.common.stolen.as_ref();
        let made = stolen.map(|key| {
            issue(key, id, statement.serial, statement.claims.iter().map(|claim| claim.run).collect())
        });
        let own = me.credential().map_or(&[][..], |credential| credential.bytes());
        let credential = made.as_ref().map_or(own, |made| made.bytes());
        let announced = Announced { announcement: said.bytes(), credential };
        let packet = (hand.seal)(control_frame(
            hand.common.cast.ids()[to as usize],
            &[MembershipMsg::Announce(announced)],
        ));
        hand.out.send.push((to, packet));
    }
}
