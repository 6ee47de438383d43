//! A hostile node: what it knows, when it acts, and what its doings are made of.

use std::collections::VecDeque;

use octick_core::control::message::membership::MembershipMsg;
use octick_core::control::{Control, Random, Statement};
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::ControlFrame;
use octick_crypto::{Identity, NodeId};

use super::keys::{self, Sybil};
use crate::population::Common;
use crate::role::Role;
use crate::seal::Packet;
use crate::world::Out;
use crate::{MS, WALL};

/// Between two strikes, microseconds: fifty a second, several packets each.
const GAP: u64 = 20 * MS;
/// Packets that it remembers.
const HEARD_MAX: usize = 512;

/// What a hostile node knows and has begun.
pub struct Hostile {
    role: Role,
    until: u64,
    due: u64,
    pub(super) heard: VecDeque<Heard>,
    pub(super) sybils: Vec<Sybil>,
    seq: u64,
    pub(super) random: Random,
}

/// A packet that somebody sent to the hostile node.
#[derive(Clone)]
pub(super) struct Heard {
    pub(super) at: u64,
    pub(super) from: u32,
    pub(super) packet: Packet,
}

/// What a strike may use.
pub struct Hand<'a> {
    /// The time, microseconds.
    pub now: u64,
    /// Its number.
    pub node: u32,
    /// What all nodes of the run share.
    pub common: &'a Common,
    /// Its own control plane, which tells it what a member knows.
    pub control: &'a Control,
    /// Signs as the member that it is.
    pub seal: &'a mut dyn FnMut(Box<ControlFrame>) -> Packet,
    /// What it sends.
    pub out: &'a mut Out<Packet>,
}

impl Hostile {
    /// A node of this role, which ends its doings at `until`; nothing for roles that only change what the node itself says.
    pub fn new(role: Role, until: u64, mut random: Random) -> Option<Box<Self>> {
        let is_active = matches!(
            role,
            Role::Sybil | Role::Accuser | Role::Replayer | Role::Reflector | Role::Claimant | Role::Postdater
        );
        let sybils = if role == Role::Sybil { keys::of(&mut random) } else { Vec::new() };
        let begun = Self { role, until, due: 2_000 * MS, heard: VecDeque::new(), sybils, seq: 0, random };
        is_active.then(|| Box::new(begun))
    }

    /// When [`Hostile::strike`] has something to do; `u64::MAX` for never again.
    pub fn next_due(&self) -> u64 {
        self.due
    }

    /// A packet came from `from`.
    pub fn hear(&mut self, from: u32, packet: &Packet, hand: &mut Hand<'_>) {
        if hand.now >= self.until {
            return;
        }
        match self.role {
            Role::Replayer => {
                self.heard.truncate(HEARD_MAX - 1);
                self.heard.push_front(Heard { at: hand.now, from, packet: packet.clone() });
            }
            Role::Sybil => self.answer_as_sybil(from, packet, hand),
            _ => {}
        }
    }

    /// Does what is due.
    pub fn strike(&mut self, hand: &mut Hand<'_>) {
        if hand.now < self.due {
            return;
        }
        self.due = hand.now + GAP;
        if self.due >= self.until {
            self.due = u64::MAX;
        }
        match self.role {
            Role::Sybil => self.join_as_sybil(hand),
            Role::Accuser => self.accuse(hand),
            Role::Replayer => self.replay(hand),
            Role::Reflector => self.reflect(hand),
            Role::Claimant => self.claim(hand),
            Role::Postdater => self.postdate(hand),
            Role::Honest | Role::Silent | Role::Garbage | Role::Equivocator => {}
        }
    }

    /// Some node, not itself.
    pub(super) fn somebody(&mut self, hand: &Hand<'_>) -> u32 {
        let others = hand.common.regions.len() - 1;
        let drawn = self.random.index(others) as u32;
        drawn + u32::from(drawn >= hand.node)
    }

    /// What a key that nobody knows says of itself, at the address of `node`.
    pub(super) fn statement(&self, identity: &Identity, node: u32, hand: &Hand<'_>) -> Statement {
        Statement {
            incarnation: Incarnation(1),
            boot: 1,
            version: Version::new(WALL + hand.now, identity.id()),
            claims: Vec::new(),
            serial: 0,
            addresses: vec![crate::seal::address(node)],
            ..hand.control.me().statement().clone()
        }
    }

    /// A control frame for node `to` that `identity` signs.
    pub(super) fn seal_as(
        &mut self,
        identity: &Identity,
        to: u32,
        says: &[MembershipMsg<'_>],
        hand: &Hand<'_>,
    ) -> Packet {
        self.seq += 1;
        let version = Version::new(WALL + hand.now, identity.id());
        let says = control_frame(hand.common.cast.ids()[to as usize], says);
        hand.common.cast.seal_as(identity, Incarnation(1), Seq(self.seq), version, &says)
    }
}

/// The messages, in one control frame for `to`.
pub(super) fn control_frame(to: NodeId, says: &[MembershipMsg<'_>]) -> Box<ControlFrame> {
    let mut control_frame = Box::new(ControlFrame::to(to));
    for message in says {
        assert!(message.write(&mut control_frame), "a few messages fit a control frame");
    }
    control_frame
}
