//! Every kind of message that a control frame may carry: its byte, its name, the machine that it is for, and what it is for.
//!
//! The one table of the vocabulary; `docs/wire.md` shows it, and a test holds both together. (Frames have kinds of their own,
//! [`wire::Kind`](crate::wire::Kind): the byte of a frame's header, not of a message in it.) What can never happen: two meanings of one byte,
//! in use or reserved; the compiler refuses it.

/// The machine that a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// [`membership`](crate::control::membership): who is in the mesh, who is gone.
    Membership,
    /// [`dissemination`](crate::control::dissemination): how an update reaches everybody.
    Dissemination,
    /// [`cross_region`](crate::control::cross_region): keeping in touch with other regions.
    CrossRegion,
    /// [`reconcile`](crate::control::reconcile): what one of two nodes has and the other lacks.
    Reconcile,
    /// [`data::audit`](crate::data::audit): whether two tables are the same.
    Audit,
}

impl Family {
    /// Its name in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Membership => "membership",
            Self::Dissemination => "dissemination",
            Self::CrossRegion => "cross-region",
            Self::Reconcile => "reconcile",
            Self::Audit => "audit",
        }
    }
}

/// Whom a message may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Addressing {
    /// The recipient that its control frame names, and nobody else.
    Named,
    /// Whoever is at the address, too: what is said before one knows who is there. It proves nothing but itself.
    Anyone,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $byte:literal, $metric:literal, $family:ident, $to:ident;)+) => {
        /// What a message of a control frame is. A byte that is none of these is counted and passed over.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum MessageKind {
            $($(#[doc = $doc])+ $name = $byte,)+
        }

        impl MessageKind {
            /// Every kind, by its byte.
            pub const ALL: [Self; [$($byte),+].len()] = [$(Self::$name),+];

            /// The kind that a byte means.
            pub const fn of(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// Its name in the documentation and in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $metric,)+ }
            }

            /// The machine that it is for.
            pub const fn family(self) -> Family {
                match self { $(Self::$name => Family::$family,)+ }
            }

            /// Whom it may be for.
            pub const fn addressing(self) -> Addressing {
                match self { $(Self::$name => Addressing::$to,)+ }
            }

            /// What it is for.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

kinds! {
    /// Asks whoever is there to introduce itself.
    Hello = 0x01, "hello", Membership, Anyone;
    /// Compares tables of members: ask, list, want or done, by the first byte of the body.
    Sync = 0x03, "sync", Membership, Anyone;
    /// Exchanges samples of the mesh (CYCLON).
    Shuffle = 0x04, "shuffle", CrossRegion, Named;
    /// Asks whether the receiver is there (SWIM).
    Ping = 0x05, "ping", Membership, Named;
    /// Answers a ping, one's own or a helper's.
    Ack = 0x06, "ack", Membership, Named;
    /// Compares sets of updates; the first byte of the body says which step.
    Reconcile = 0x0C, "reconcile", Reconcile, Named;
    /// Compares digests of tables of cells; the first byte of the body says which step.
    Audit = 0x0E, "audit", Audit, Named;
    /// Says that the leader of a region is there.
    Heartbeat = 0x40, "heartbeat", CrossRegion, Named;
    /// Asks for proof that the receiver receives what is sent to its address.
    Challenge = 0x60, "challenge", Membership, Named;
    /// Brings that proof back.
    Response = 0x61, "response", Membership, Named;
    /// A member's announcement, signed by itself, and its credential if the receiver may lack it.
    Announce = 0x70, "announce", Membership, Anyone;
    /// Asks for the decisions of the mesh's authority behind a number.
    DecisionsAsk = 0x72, "decisions-ask", Membership, Named;
    /// A decision of the mesh's authority: a revocation, new keys, an issuer.
    Decision = 0x73, "decision", Membership, Named;
    /// The announcement of a member that failed, and that the sender misses.
    Missing = 0x74, "missing", Membership, Named;
    /// A member's signed word that another one is gone for good.
    ForceLeave = 0x75, "force-leave", Membership, Named;
    /// Asks the receiver to ping another member (SWIM).
    PingReq = 0xF5, "ping-req", Membership, Named;
    /// Says that the helper is there and heard nothing from the target (Lifeguard).
    Nack = 0xF6, "nack", Membership, Named;
    /// Says that a member is suspected, or failed.
    Accuse = 0xF7, "accuse", Membership, Named;
    /// Names updates that the sender has.
    Ids = 0xF8, "ids", Dissemination, Named;
    /// Names updates that the sender wants.
    Pull = 0xF9, "pull", Dissemination, Named;
    /// Names the updates that the sender took in last.
    Offer = 0xFA, "offer", Dissemination, Named;
    /// Names updates that the sender had before they came from the receiver (Plumtree).
    Prune = 0xFB, "prune", Dissemination, Named;
    /// Makes or breaks a link of the overlay.
    Link = 0xFC, "link", Dissemination, Named;
    /// A part of a proof of equivocation: two frames of one identity that say different things.
    Proof = 0xFD, "proof", Membership, Named;
}

/// Bytes that are spoken for and mean nothing yet, first and last: what comes next takes them from here.
pub const RESERVED: [(u8, u8, &str); 20] = [
    (0x02, 0x02, "post"),
    (0x07, 0x07, "core"),
    (0x0D, 0x0D, "record"),
    (0x0F, 0x0F, "chunk of a record"),
    (0x10, 0x17, "tasks"),
    (0x20, 0x22, "agents"),
    (0x30, 0x31, "task sync"),
    (0x41, 0x42, "leader election"),
    (0x50, 0x52, "census and agent sync"),
    (0x62, 0x62, "authentication refused"),
    (0x71, 0x71, "credential issued"),
    (0x80, 0x85, "proposals and votes"),
    (0x90, 0x95, "stored records"),
    (0xA0, 0xA2, "discovery of records"),
    (0xB0, 0xB1, "node registry"),
    (0xC0, 0xC4, "market: offerings and tributes"),
    (0xC5, 0xC7, "market: capabilities"),
    (0xC8, 0xCA, "market: bounties"),
    (0xCB, 0xCC, "market: sync"),
    (0xFE, 0xFE, "epoch share"),
];

/// The byte that stays free, for whatever needs a second one.
pub const FREE: u8 = 0xFF;

const _: () = {
    let mut taken = [false; 256];
    // Zero ends a control frame.
    taken[0] = true;
    taken[FREE as usize] = true;
    let mut i = 0;
    while i < MessageKind::ALL.len() {
        let byte = MessageKind::ALL[i] as usize;
        assert!(!taken[byte], "a byte with two meanings");
        taken[byte] = true;
        i += 1;
    }
    let mut i = 0;
    while i < RESERVED.len() {
        let (first, last, _) = RESERVED[i];
        let mut byte = first as usize;
        while byte <= last as usize {
            assert!(!taken[byte], "a byte with two meanings");
            taken[byte] = true;
            byte += 1;
        }
        i += 1;
    }
};
