//! Control frames in the making: what several machines have to say to one address shares a control frame, and so a signature.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::id::MemberIndex;
use crate::control::message::control_msg::Encode;
pub use crate::limits::SEND_QUEUE_MAX;
use crate::limits::{CONTROL_FRAMES_SPARE, SEND_QUEUE_OPEN_MAX};
use crate::wire::ControlFrame;

/// Control frames on their way out.
#[derive(Debug, Default)]
pub struct SendQueue {
    control_frames: VecDeque<Addressed>,
    /// Empty ones: as many as were reserved, less those in use.
    #[allow(clippy::vec_box, reason = "what lies here is moved as it is to who fills it")]
    spare: Vec<Box<ControlFrame>>,
    dropped: u64,
}

/// Whom something is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Where that is.
    pub address: SocketAddr,
    /// Who that is: nobody else takes it. Nobody in particular if it is for whoever is there.
    pub id: Option<NodeId>,
}

impl Recipient {
    /// A node, at an address.
    pub fn node(id: NodeId, address: SocketAddr) -> Self {
        Self { address, id: Some(id) }
    }

    /// Whoever is at an address. Few kinds of messages [may](crate::control::message::kind::Addressing) be for it.
    pub fn whoever(address: SocketAddr) -> Self {
        Self { address, id: None }
    }
}

/// A control frame and where it goes.
#[derive(Debug)]
pub struct Addressed {
    /// Where to.
    pub to: SocketAddr,
    /// Which member that is, if it is one; what room is left may then be filled with news.
    pub member: Option<MemberIndex>,
    /// What it says.
    pub control_frame: Box<ControlFrame>,
}

impl SendQueue {
    /// Adds a message to what goes to somebody.
    pub fn write(&mut self, to: Recipient, member: Option<MemberIndex>, message: &impl Encode) {
        let same = |sent: &&mut Addressed| sent.to == to.address && sent.control_frame.recipient() == to.id;
        let open = self.control_frames.iter_mut().rev().take(SEND_QUEUE_OPEN_MAX).find(same);
        if let Some(sent) = open {
            sent.member = member.or(sent.member);
            if message.encode_into(&mut sent.control_frame) {
                return;
            }
        }
        if let Some(mut control_frame) = self.open(to, member) {
            let fits = message.encode_into(&mut control_frame.control_frame);
            debug_assert!(fits, "a message fits an empty control frame");
            self.control_frames.push_back(control_frame);
        }
        assert!(
            self.control_frames.len() <= SEND_QUEUE_MAX,
            "{} control frames wait",
            self.control_frames.len()
        );
    }

    /// Begins a control frame that news may fill, and that is not sent if there is none.
    pub fn blank(&mut self, to: Recipient, member: MemberIndex) {
        if let Some(control_frame) = self.open(to, Some(member)) {
            self.control_frames.push_back(control_frame);
        }
    }

    /// The next control frame to be sent.
    pub fn take(&mut self) -> Option<Addressed> {
        self.control_frames.pop_front()
    }

    /// Control frames that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets that control frames go to the member at a place.
    pub fn forget(&mut self, place: MemberIndex) {
        self.control_frames
            .iter_mut()
            .filter(|sent| sent.member == Some(place))
            .for_each(|sent| sent.member = None);
    }

    /// Takes the memory for [`CONTROL_FRAMES_SPARE`] control frames.
    pub fn reserve(&mut self) {
        self.spare.resize_with(CONTROL_FRAMES_SPARE, Box::default);
    }

    /// An empty control frame.
    pub fn control_frame(&mut self) -> Box<ControlFrame> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a control frame that was sent, for the next one; beyond what was reserved it is let go.
    pub fn give_back(&mut self, mut control_frame: Box<ControlFrame>) {
        if self.spare.len() < self.spare.capacity() {
            control_frame.clear();
            self.spare.push(control_frame);
        }
    }

    fn open(&mut self, to: Recipient, member: Option<MemberIndex>) -> Option<Addressed> {
        if self.control_frames.len() == SEND_QUEUE_MAX {
            self.dropped += 1;
            return None;
        }
        let mut control_frame = self.control_frame();
        assert!(
            control_frame.is_empty() && control_frame.recipient().is_none(),
            "a frame that was used before"
        );
        control_frame.address(to.id);
        Some(Addressed { to: to.address, member, control_frame })
    }
}
