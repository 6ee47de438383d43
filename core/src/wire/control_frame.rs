//! A control frame: what the control planes of two nodes say to each other, several messages in one frame.
//!
//! ```text
//! +-----------+------+-------+---------+----------------------+-----------+-- ... --+------------+
//! | recipient | kind | flags | len u16 | body, len bytes      | 0 to 3 x 0| next    | zeros      |
//! +-----------+------+-------+---------+----------------------+-----------+-- ... --+------------+
//! ```
//!
//! It begins with the [mark](super::recipient) of its recipient. Messages begin at multiples of four. A kind of zero ends the control frame, and nothing but zeros follows, up to a multiple
//! of 16. What a message means is for the control plane to say; here only their bounds are checked.

use octick_crypto::NodeId;

use super::recipient::RecipientMark;
use crate::limits::CONTROL_FRAME_MAX;
use crate::reject::Reject;

/// Bytes before a message's body.
pub const HEAD_LEN: usize = 4;
/// Where the first message begins: behind the recipient's mark.
const START: usize = RecipientMark::LEN;
const _: () = assert!(BODY_MAX == CONTROL_FRAME_MAX - 8, "what the limits reckon with");
// Padding and lengths fit: messages begin at multiples of four, frames end at multiples of 16.
const _: () = assert!(
    START == 4 && HEAD_LEN == 4 && CONTROL_FRAME_MAX.is_multiple_of(16) && BODY_MAX <= u16::MAX as usize
);
/// Longest body: that of a message alone in its control frame.
pub const BODY_MAX: usize = CONTROL_FRAME_MAX - START - HEAD_LEN;

/// One message of a control frame, viewed in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its kind; never zero.
    pub kind: u8,
    /// Everything else.
    pub body: &'a [u8],
}

/// The rule that a control frame breaks, and at which of its bytes that shows.
type Fault = (Reject, usize);

/// The messages of a control frame, in order.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Views what [`check`] accepted.
    pub(super) fn view(entries: &'a [u8]) -> Self {
        Self { rest: entries.get(START..).unwrap_or(&[]) }
    }
}

/// Whom a control frame is for, as far as it says.
pub(super) fn recipient(entries: &[u8]) -> RecipientMark {
    entries.first_chunk().map_or(RecipientMark::ANYONE, |mark| RecipientMark::from_bytes(*mark))
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (message, rest) = split(self.rest).ok()??;
        self.rest = rest;
        Some(message)
    }
}

/// Checks that the messages fit, and that all other bytes are zero. Says at which byte they do not.
pub(super) fn check(entries: &[u8]) -> Result<(), Fault> {
    let mut rest = entries.get(START..).unwrap_or(&[]);
    let at = |rest: &[u8]| entries.len() - rest.len();
    while let Some((_, next)) = split(rest).map_err(|(reject, offset)| (reject, at(rest) + offset))? {
        rest = next;
    }
    match rest.iter().position(|byte| *byte != 0) {
        Some(offset) => Err((Reject::Reserved, at(rest) + offset)),
        None if at(rest) <= START => Err((Reject::ControlFrame, START)),
        None => Ok(()),
    }
}

/// The first message and what follows it; nothing at the control frame's end.
fn split(rest: &[u8]) -> Result<Option<(Message<'_>, &[u8])>, Fault> {
    let Some((&[kind, flags, low, high], after)) = rest.split_first_chunk::<HEAD_LEN>() else {
        return Ok(None);
    };
    if kind == 0 {
        return Ok(None);
    }
    if flags != 0 {
        return Err((Reject::Reserved, 1));
    }
    let len = usize::from(u16::from_le_bytes([low, high]));
    // Control frames and heads are multiples of four, so what is left is one, too, and the padding fits whenever the body does.
    let Some(body) = after.get(..len) else { return Err((Reject::ControlFrame, 2)) };
    let (padding, next) = after[len..].split_at(len.next_multiple_of(4) - len);
    match padding.iter().position(|byte| *byte != 0) {
        Some(offset) => Err((Reject::Reserved, HEAD_LEN + len + offset)),
        None => Ok(Some((Message { kind, body }, next))),
    }
}

/// A control frame in the making.
#[derive(Clone)]
pub struct ControlFrame {
    recipient: Option<NodeId>,
    bytes: [u8; CONTROL_FRAME_MAX],
    len: usize,
}

impl Default for ControlFrame {
    fn default() -> Self {
        Self::new()
    }
}

impl ControlFrame {
    /// No messages, for whoever is there.
    pub const fn new() -> Self {
        Self { recipient: None, bytes: [0; CONTROL_FRAME_MAX], len: START }
    }

    /// The same, for a node.
    pub fn to(recipient: NodeId) -> Self {
        let mut control_frame = Self::new();
        control_frame.address(Some(recipient));
        control_frame
    }

    /// Names the recipient, or nobody: for whoever is there.
    pub fn address(&mut self, recipient: Option<NodeId>) {
        assert!(self.len >= START, "the mark stands before all messages");
        self.recipient = recipient;
        self.bytes[..START].copy_from_slice(&RecipientMark::of_any(recipient).to_bytes());
    }

    /// Whom it is for; nobody in particular if it is for whoever is there.
    pub fn recipient(&self) -> Option<NodeId> {
        self.recipient
    }

    /// Takes all messages out, and the recipient's name.
    pub fn clear(&mut self) {
        self.bytes[..self.len].fill(0);
        (self.recipient, self.len) = (None, START);
    }

    /// Whether it holds no message.
    pub fn is_empty(&self) -> bool {
        self.len == START
    }

    /// Bytes of messages so far, with their heads and padding.
    pub fn len(&self) -> usize {
        self.len - START
    }

    /// The longest body that still fits.
    pub fn room(&self) -> usize {
        let room = (CONTROL_FRAME_MAX - self.len).saturating_sub(HEAD_LEN);
        debug_assert!(room <= BODY_MAX, "room for {room} bytes");
        room
    }

    /// Adds a message. Returns whether it fitted; if not, the control frame is as it was.
    ///
    /// # Panics
    /// When `kind` is zero, which ends a control frame.
    #[must_use]
    pub fn push(&mut self, kind: u8, body: &[u8]) -> bool {
        assert!(kind != 0, "kind 0 ends a control frame");
        if body.len() > self.room() {
            return false;
        }
        let [low, high] = (body.len() as u16).to_le_bytes();
        self.bytes[self.len..][..HEAD_LEN].copy_from_slice(&[kind, 0, low, high]);
        self.bytes[self.len + HEAD_LEN..][..body.len()].copy_from_slice(body);
        self.len += HEAD_LEN + body.len().next_multiple_of(4);
        assert!(self.len <= CONTROL_FRAME_MAX && self.len.is_multiple_of(HEAD_LEN), "{} bytes", self.len);
        true
    }

    /// Its messages.
    pub fn messages(&self) -> Messages<'_> {
        Messages::view(self.padded())
    }

    /// The messages, and zeros up to a multiple of 16: what a frame carries.
    pub fn padded(&self) -> &[u8] {
        let padded = self.len.next_multiple_of(16);
        debug_assert!(
            self.bytes[self.len..padded].iter().all(|byte| *byte == 0),
            "nothing but zeros follows"
        );
        &self.bytes[..padded]
    }
}

impl core::fmt::Debug for ControlFrame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.messages()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn control_frame(messages: &[(u8, Vec<u8>)]) -> ControlFrame {
        let mut control_frame = ControlFrame::new();
        messages.iter().for_each(|(kind, body)| assert!(control_frame.push(*kind, body)));
        control_frame
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_read(messages in prop::collection::vec((1..=255_u8, prop::collection::vec(any::<u8>(), 0..60)), 1..12)) {
            let control_frame = control_frame(&messages);
            prop_assert_eq!(check(control_frame.padded()), Ok(()));
            let read: Vec<_> = control_frame.messages().map(|m| (m.kind, m.body.to_vec())).collect();
            prop_assert_eq!(read, messages);
        }

        #[test]
        fn any_bytes_are_judged_and_never_read_past_their_end(mut bytes in prop::collection::vec(0..6_u8, 16..200)) {
            bytes.truncate(bytes.len() / 16 * 16);
            let count = Messages::view(&bytes).count();
            prop_assert!(check(&bytes).is_err() || count > 0);
            let _ = recipient(&bytes);
        }
    }

    #[test]
    fn a_control_frame_takes_what_fits_and_no_more() {
        let mut control_frame = control_frame(&[(7, vec![1; 3])]);
        assert!(!control_frame.push(8, &vec![2; BODY_MAX]));
        let room = control_frame.room();
        assert!(!control_frame.push(8, &vec![2; room + 1]) && control_frame.push(8, &vec![2; room]));
        assert_eq!(
            (control_frame.room(), control_frame.padded().len(), control_frame.messages().count()),
            (0, CONTROL_FRAME_MAX, 2)
        );
    }

    #[test]
    fn a_cleared_control_frame_is_a_new_one() {
        let mut control_frame = control_frame(&[(7, vec![1; 3]), (8, vec![2; 40])]);
        control_frame.address(Some(NodeId([9; 16])));
        assert_eq!(recipient(control_frame.padded()), RecipientMark::of(NodeId([9; 16])));
        control_frame.clear();
        assert!(control_frame.is_empty() && control_frame.bytes == ControlFrame::new().bytes);
        assert_eq!(control_frame.recipient(), None);
    }

    #[test]
    fn each_rule_is_refused_at_its_byte() {
        let whole = control_frame(&[(7, vec![1; 5]), (8, vec![2; 4])]).padded().to_vec();
        let broken = |at: usize, byte: u8| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            check(&bytes)
        };
        assert_eq!(check(&whole), Ok(()));
        assert_eq!(broken(0, 77), Ok(()), "any recipient");
        assert_eq!(broken(5, 1), Err((Reject::Reserved, 5)));
        assert_eq!(broken(14, 1), Err((Reject::Reserved, 14)), "padding");
        assert_eq!(broken(18, 200), Err((Reject::ControlFrame, 18)), "a body past the end");
        assert_eq!(broken(4, 0), Err((Reject::Reserved, 6)), "something after the end");
        assert_eq!(broken(29, 3), Err((Reject::Reserved, 29)), "something after the last message");
        assert_eq!(check(&[0; 32]), Err((Reject::ControlFrame, 4)), "no message at all");
    }
}
