//! What passes between a control plane under test and those that it talks to: bytes each way, and what it asked of whom.
//!
//! What is promised of it: what the node says can be read, and whoever never showed its address got little.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use octick_core::control::message::control_msg::ControlMsg;
use octick_core::control::message::id_lists::IdLists;
use octick_core::control::message::membership::MembershipMsg;
use octick_core::limits::CONTROL_FRAME_MAX;
use octick_core::wire::ControlFrame;

/// Bytes of a frame around a control frame.
const FRAME: usize = 104;
/// Greetings, probes and news that a node sends of its own accord.
const OWN_ACCORD: usize = 64 * 1_024;

/// Where person `who` of the [world](crate::world) is reached.
pub fn address(who: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, who as u8 + 1), 7_700))
}

/// All that came and went.
#[derive(Default)]
pub struct Traffic {
    received: BTreeMap<SocketAddr, usize>,
    sent: BTreeMap<SocketAddr, usize>,
    probes: Vec<(SocketAddr, u32)>,
    tokens: Vec<(SocketAddr, [u8; 16])>,
}

impl Traffic {
    /// A control frame came from an address.
    pub fn came(&mut self, from: SocketAddr, control_frame: &ControlFrame) {
        *self.received.entry(from).or_default() += FRAME + control_frame.padded().len();
    }

    /// The node sends one.
    ///
    /// # Panics
    /// When it says nothing, too much, or what cannot be read.
    pub fn went(&mut self, to: SocketAddr, control_frame: &ControlFrame) {
        assert!(!control_frame.is_empty() && control_frame.padded().len() <= CONTROL_FRAME_MAX);
        *self.sent.entry(to).or_default() += FRAME + control_frame.padded().len();
        for message in control_frame.messages() {
            match ControlMsg::decode(message, &mut IdLists::default()).expect("what is written can be read") {
                ControlMsg::Membership(MembershipMsg::Ping { nonce, .. }) => self.probes.push((to, nonce)),
                ControlMsg::Membership(MembershipMsg::Challenge { token, .. }) => {
                    self.tokens.push((to, token))
                }
                _ => {}
            }
        }
    }

    /// The nonce of the last probe of whoever is at an address.
    pub fn nonce(&self, of: SocketAddr) -> Option<u32> {
        self.probes.iter().rev().find(|(to, _)| *to == of).map(|(_, nonce)| *nonce)
    }

    /// The token of the last challenge to whoever is at an address.
    pub fn token(&self, of: SocketAddr) -> Option<[u8; 16]> {
        self.tokens.iter().rev().find(|(to, _)| *to == of).map(|(_, token)| *token)
    }

    /// Holds that whoever never proved its address got little: what it asked for thrice, and what a node says of its own accord.
    ///
    /// # Panics
    /// When somebody got more.
    pub fn check(&self) {
        for (to, sent) in &self.sent {
            let answered = self.probes.iter().any(|(address, _)| address == to);
            let received = self.received.get(to).copied().unwrap_or(0);
            assert!(answered || *sent <= 3 * received + OWN_ACCORD, "{sent} bytes to {to} for {received}");
        }
    }
}
