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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    fn address(n: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], n))
    }

    const WORD: Message<'static> = Message { kind: 0xF7, body: &[7; 40] };

    #[test]
    fn what_goes_to_one_node_shares_a_control_frame_while_there_is_room() {
        let mut queue = SendQueue::default();
        let (a, b) = (NodeId([1; 16]), NodeId([2; 16]));
        for to in
            [Recipient::node(a, address(1)), Recipient::node(b, address(1)), Recipient::whoever(address(1))]
        {
            queue.write(to, None, &WORD);
            queue.write(to, Some(MemberIndex(3)), &WORD);
        }
        for recipient in [Some(a), Some(b), None] {
            let sent = queue.take().unwrap();
            assert_eq!((sent.to, sent.control_frame.recipient()), (address(1), recipient));
            assert_eq!((sent.control_frame.messages().count(), sent.member), (2, Some(MemberIndex(3))));
        }
        let mut written = 0;
        while queue.control_frames.len() < 2 {
            queue.write(Recipient::node(a, address(1)), None, &WORD);
            written += 1;
        }
        let (full, rest) = (queue.take().unwrap(), queue.take().unwrap());
        let counts = [full, rest].map(|sent| sent.control_frame.messages().count());
        assert_eq!(counts, [written - 1, 1], "a word that finds no room begins another");
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted_and_who_is_forgotten_is_filled_no_more() {
        let mut queue = SendQueue::default();
        for n in 0..SEND_QUEUE_MAX as u16 + 3 {
            queue.blank(Recipient::node(NodeId([1; 16]), address(n)), MemberIndex(u32::from(n) % 2));
        }
        assert_eq!((queue.control_frames.len(), queue.dropped()), (SEND_QUEUE_MAX, 3));
        queue.write(Recipient::whoever(address(u16::MAX)), None, &WORD);
        assert_eq!(queue.dropped(), 4);
        queue.forget(MemberIndex(1));
        let members: Vec<_> = core::iter::from_fn(|| queue.take()).map(|sent| sent.member).collect();
        assert!(members.iter().step_by(2).all(|member| *member == Some(MemberIndex(0))));
        assert!(members.iter().skip(1).step_by(2).all(Option::is_none));
    }

    #[test]
    fn control_frames_that_were_reserved_are_used_again_and_no_more_are_kept() {
        let mut queue = SendQueue::default();
        queue.reserve();
        let mut frame = queue.control_frame();
        let place: *const ControlFrame = &*frame;
        assert!(frame.push(0xF7, &[1; 9]));
        queue.give_back(frame);
        let again = queue.control_frame();
        assert!(core::ptr::eq(&*again, place) && again.is_empty());
        (0..3 * CONTROL_FRAMES_SPARE).for_each(|_| queue.give_back(Box::default()));
        assert_eq!(queue.spare.len(), queue.spare.capacity());
        let mut unreserved = SendQueue::default();
        unreserved.give_back(Box::default());
        assert_eq!(unreserved.spare.len(), 0);
    }
}
