//! What nodes say to each other about updates, links and samples: bodies of messages that travel in control frames.
//!
//! | name | body, little endian |
//! |---|---|
//! | ids | ids of updates the sender has, u64 each, 1 to 64 |
//! | pull | ids of updates the sender wants, u64 each, 1 to 32 |
//! | offer | ids of the updates the sender took in last, u64 each, 0 to 96: send what is missing, ask likewise |
//! | shuffle | flags u8 (1: an answer), three zeros, descriptors of 44 bytes, 1 to 8 |
//! | link | 1 connect, 2 accept, 3 disconnect; three zeros |
//! | heartbeat | number u64 |
//! | prune | 1 to 64 ids |
//!
//! Their bytes stand in [`kind`](super::kind).

use alloc::vec::Vec;

use crate::control::id::UpdateId;
use crate::control::message::descriptor::Descriptor;
use crate::control::message::id_lists::IdLists;
use crate::control::message::kind::MessageKind;
use crate::control::message::malformed::Malformed;
pub use crate::limits::{IDS_MAX, OFFER_MAX, PULL_MAX, SHUFFLE_MAX};
use crate::list::List;
use crate::wire::control_frame::BODY_MAX;

const _: () = {
    assert!(OFFER_MAX * UpdateId::LEN <= crate::wire::control_frame::BODY_MAX);
    assert!(4 + SHUFFLE_MAX * Descriptor::LEN <= crate::wire::control_frame::BODY_MAX);
};

/// What is done to a link of the overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LinkOp {
    /// The sender wants the link.
    Connect = 1,
    /// The sender has it.
    Accept = 2,
    /// The sender does not have it, or not any longer.
    Disconnect = 3,
}

/// A message of the dissemination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gossip {
    /// The sender has these.
    Ids(Vec<UpdateId>),
    /// The sender wants these.
    Pull(Vec<UpdateId>),
    /// The sender took these in last.
    Offer(Vec<UpdateId>),
    /// The sender knows these members, and wants to know others.
    Shuffle {
        /// Whether it answers one.
        answer: bool,
        /// Whom it knows.
        descriptors: Vec<Descriptor>,
    },
    /// About the link between both.
    Link(LinkOp),
    /// A leader's heartbeat, numbered.
    Heartbeat(u64),
    /// The sender had these before they came from the receiver.
    Prune(Vec<UpdateId>),
}

// Each list that a message may hold fits a control frame.
const _: () = assert!(OFFER_MAX * UpdateId::LEN <= BODY_MAX && IDS_MAX <= OFFER_MAX && PULL_MAX <= OFFER_MAX);
const _: () = assert!(4 + SHUFFLE_MAX * Descriptor::LEN <= BODY_MAX);

impl Gossip {
    /// Its kind.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Ids(_) => MessageKind::Ids,
            Self::Pull(_) => MessageKind::Pull,
            Self::Offer(_) => MessageKind::Offer,
            Self::Shuffle { .. } => MessageKind::Shuffle,
            Self::Link(_) => MessageKind::Link,
            Self::Heartbeat(_) => MessageKind::Heartbeat,
            Self::Prune(_) => MessageKind::Prune,
        }
    }

    /// Gives its list back, once it was handled or said.
    pub fn give_back(self, lists: &mut IdLists) {
        if let Self::Ids(ids) | Self::Pull(ids) | Self::Offer(ids) | Self::Prune(ids) = self {
            lists.give_back(ids);
        }
    }

    /// Whether it is read as it was written.
    pub fn can_be_read(&self, lists: &mut IdLists) -> bool {
        let mut body = List::<u8, BODY_MAX>::new();
        self.encode(&mut body);
        let Ok(read) = Self::decode(self.kind(), &body, lists) else { return false };
        let is_same = read == *self;
        read.give_back(lists);
        is_same
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut impl Extend<u8>) {
        match self {
            Self::Ids(ids) | Self::Pull(ids) | Self::Offer(ids) | Self::Prune(ids) => {
                ids.iter().for_each(|id| out.extend(id.0.to_le_bytes()));
            }
            Self::Shuffle { answer, descriptors } => {
                out.extend([u8::from(*answer), 0, 0, 0]);
                descriptors.iter().for_each(|descriptor| descriptor.encode(out));
            }
            Self::Link(op) => out.extend([*op as u8, 0, 0, 0]),
            Self::Heartbeat(number) => out.extend(number.to_le_bytes()),
        }
    }

    /// Reads the body of a message of `kind`, ids into one of `lists`.
    ///
    /// # Errors
    /// What is wrong with it. Nothing is allocated before the number of entries is known to be allowed.
    pub fn decode(kind: MessageKind, body: &[u8], lists: &mut IdLists) -> Result<Self, Malformed> {
        match kind {
            MessageKind::Ids => ids(body, 1, IDS_MAX, lists).map(Self::Ids),
            MessageKind::Pull => ids(body, 1, PULL_MAX, lists).map(Self::Pull),
            MessageKind::Offer => ids(body, 0, OFFER_MAX, lists).map(Self::Offer),
            MessageKind::Prune => ids(body, 1, IDS_MAX, lists).map(Self::Prune),
            MessageKind::Shuffle => shuffle(body),
            MessageKind::Link => link(body).map(Self::Link),
            MessageKind::Heartbeat => match <[u8; 8]>::try_from(body) {
                Ok(bytes) => Ok(Self::Heartbeat(u64::from_le_bytes(bytes))),
                Err(_) => Err(Malformed::Length),
            },
            _ => Err(Malformed::Kind),
        }
    }
}

fn ids(body: &[u8], min: usize, max: usize, lists: &mut IdLists) -> Result<Vec<UpdateId>, Malformed> {
    let (ids, rest) = body.as_chunks::<{ UpdateId::LEN }>();
    if !rest.is_empty() {
        return Err(Malformed::Length);
    }
    if !(min..=max).contains(&ids.len()) {
        return Err(Malformed::Count);
    }
    Ok(lists.fill(ids.iter().map(|id| UpdateId(u64::from_le_bytes(*id)))))
}

fn shuffle(body: &[u8]) -> Result<Gossip, Malformed> {
    let (&[flags, zeros @ ..], rest) = body.split_first_chunk::<4>().ok_or(Malformed::Length)?;
    let (descriptors, tail) = rest.as_chunks::<{ Descriptor::LEN }>();
    if !tail.is_empty() {
        return Err(Malformed::Length);
    }
    if !(1..=SHUFFLE_MAX).contains(&descriptors.len()) {
        return Err(Malformed::Count);
    }
    if flags > 1 || zeros != [0; 3] {
        return Err(Malformed::Value);
    }
    let descriptors = descriptors.iter().map(Descriptor::decode).collect::<Result<_, _>>()?;
    Ok(Gossip::Shuffle { answer: flags == 1, descriptors })
}

fn link(body: &[u8]) -> Result<LinkOp, Malformed> {
    match <[u8; 4]>::try_from(body).map_err(|_| Malformed::Length)? {
        [1, 0, 0, 0] => Ok(LinkOp::Connect),
        [2, 0, 0, 0] => Ok(LinkOp::Accept),
        [3, 0, 0, 0] => Ok(LinkOp::Disconnect),
        _ => Err(Malformed::Value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::{Incarnation, Seq, Version};
    use octick_crypto::NodeId;
    use proptest::prelude::*;

    fn decode(gossip: &Gossip) -> Result<Gossip, Malformed> {
        let mut body = Vec::new();
        gossip.encode(&mut body);
        Gossip::decode(gossip.kind(), &body, &mut IdLists::default())
    }

    fn descriptor(port: u16) -> Descriptor {
        let address = if port.is_multiple_of(2) { "10.0.0.1" } else { "[fe80::1]" };
        let address = std::format!("{address}:{port}").parse().unwrap();
        let id = NodeId([port as u8; 16]);
        Descriptor { id, version: Version::new(1 << 50, id), address }
    }

    #[test]
    fn every_message_is_read_as_it_was_written() {
        let ids = |count: u64| (0..count).map(UpdateId).collect::<Vec<_>>();
        for gossip in [
            Gossip::Ids(ids(64)),
            Gossip::Pull(ids(32)),
            Gossip::Offer(ids(0)),
            Gossip::Offer(ids(96)),
            Gossip::Shuffle { answer: true, descriptors: (1..=8).map(descriptor).collect() },
            Gossip::Link(LinkOp::Connect),
            Gossip::Link(LinkOp::Accept),
            Gossip::Link(LinkOp::Disconnect),
            Gossip::Heartbeat(u64::MAX),
            Gossip::Prune(ids(3)),
        ] {
            assert_eq!(decode(&gossip), Ok(gossip.clone()));
        }
    }

    #[test]
    fn a_shuffle_of_ten_thousand_and_a_pull_of_everything_are_refused_unread() {
        let descriptors = core::iter::repeat_n(descriptor(1), 10_000).collect();
        let flood = Gossip::Shuffle { answer: false, descriptors };
        assert_eq!(decode(&flood), Err(Malformed::Count));
        let everything: Vec<_> = (0..10_000).map(UpdateId).collect();
        assert_eq!(decode(&Gossip::Pull(everything.clone())), Err(Malformed::Count));
        assert_eq!(decode(&Gossip::Ids(everything.clone())), Err(Malformed::Count));
        assert_eq!(decode(&Gossip::Offer(everything)), Err(Malformed::Count));
        assert_eq!(decode(&Gossip::Ids(Vec::new())), Err(Malformed::Count));
    }

    #[test]
    fn what_is_reserved_in_a_shuffle_is_zero() {
        let mut body = Vec::new();
        Gossip::Shuffle { answer: true, descriptors: [descriptor(1)].into() }.encode(&mut body);
        for (at, value) in [(0, 2), (1, 1), (2, 1), (3, 1)] {
            let mut bent = body.clone();
            bent[at] = value;
            let read = Gossip::decode(MessageKind::Shuffle, &bent, &mut IdLists::default());
            assert_eq!(read, Err(Malformed::Value), "byte {at}");
        }
    }

    #[test]
    fn ids_differ_by_origin_life_number_and_mesh() {
        let id = |mesh, origin, incarnation, seq| {
            UpdateId::of(&[mesh; 32], NodeId([origin; 16]), Incarnation(incarnation), Seq(seq))
        };
        let all = [id(1, 1, 1, 1), id(2, 1, 1, 1), id(1, 2, 1, 1), id(1, 1, 2, 1), id(1, 1, 1, 2)];
        assert!(all.iter().enumerate().all(|(i, id)| !all[..i].contains(id)));
    }

    proptest! {
        #[test]
        fn any_body_is_read_back_or_named_malformed(
            kind in 0..MessageKind::ALL.len(),
            body in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..400),
        ) {
            if let Ok(gossip) = Gossip::decode(MessageKind::ALL[kind], &body, &mut IdLists::default()) {
                let mut again = Vec::new();
                gossip.encode(&mut again);
                prop_assert_eq!(again, body);
            }
        }
    }
}
