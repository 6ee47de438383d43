//! Every bound of the protocol, and how they follow from each other.
//!
//! What may grow with the number of nodes, messages or addresses has its bound here, with its derivation; numbers that shape an
//! algorithm and bound no memory, bytes or work of anybody's (gaps between tries, places of a search) stay in its file. The
//! bounds of the edge (sockets, queues, threads) are in `octick::limits`.

use octick_crypto::SIGNATURE_LEN;
use octick_crypto::train::DEPTH_MAX;

/// One bound, for whoever shows them: `octick config show`, the docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The constant's name.
    pub name: &'static str,
    /// How much.
    pub value: u64,
    /// Of what.
    pub unit: &'static str,
    /// What it bounds, and why so much: the constant's documentation.
    pub meaning: &'static str,
}

/// Declares bounds and, under the first name, their list.
#[doc(hidden)]
#[macro_export]
macro_rules! bounds {
    (
        $(#[doc = $about:literal])+ $LIST:ident;
        $($(#[doc = $doc:literal])+ $NAME:ident: $type:ty = $value:expr, $unit:literal;)+
    ) => {
        $($(#[doc = $doc])+ pub const $NAME: $type = $value;)+

        $(#[doc = $about])+
        pub const $LIST: &[$crate::limits::Bound] = &[$($crate::limits::Bound {
            name: stringify!($NAME),
            value: $NAME as u64,
            unit: $unit,
            meaning: concat!($($doc),+).trim_ascii(),
        }),+];
    };
}

bounds! {
    /// All bounds of the protocol, in the order of their declaration.
    BOUNDS;

    /// Longest frame, bytes: the IPv6 minimum MTU (1,280) less the IPv6 (40) and UDP (8) headers, so that no path
    /// fragments it.
    FRAME_MAX: usize = 1_280 - 40 - 8, "bytes";
    /// Fixed header of every frame, bytes.
    HEADER_LEN: usize = 40, "bytes";
    /// Longest authentication part, bytes: a signature and the path of a frame in the longest train.
    AUTH_MAX: usize = SIGNATURE_LEN + DEPTH_MAX * 32, "bytes";
    /// Longest run of entries, bytes: what remains, whatever the length of the train turns out to be.
    ENTRIES_MAX: usize = FRAME_MAX - HEADER_LEN - AUTH_MAX, "bytes";
    /// Shortest frame, bytes: a header, an entry of 16 bytes and a signature.
    FRAME_MIN: usize = HEADER_LEN + 16 + SIGNATURE_LEN, "bytes";

    /// A block on the wire, bytes: eight cells of eight bytes, or sixteen of four, and what says which.
    BLOCK_LEN: usize = 72, "bytes";
    /// Blocks in a full frame.
    BLOCKS_MAX: usize = ENTRIES_MAX / BLOCK_LEN, "blocks";
    /// One sparse update on the wire, bytes: slot, age and value.
    ROW_LEN: usize = 16, "bytes";
    /// Sparse updates in a full frame.
    ROWS_MAX: usize = ENTRIES_MAX / ROW_LEN, "rows";
    /// Recipient and messages of a control frame, bytes: a full frame of units of 16.
    CONTROL_FRAME_MAX: usize = ENTRIES_MAX / CONTROL_FRAME_UNIT * CONTROL_FRAME_UNIT, "bytes";
    /// How much longer ago than clocks may differ a control frame may have been made, before it counts as a replay. It is made when it is
    /// sent, so in between lie the kernel's queues, the network's, and a receiver that was stopped for a moment.
    CONTROL_FRAME_AGE_MAX: u64 = 5_000_000, "microseconds";
    /// What a control frame's length is counted in, bytes.
    CONTROL_FRAME_UNIT: usize = 16, "bytes";

    /// Frames that travel through the stages together: enough to hide a cache miss behind the other frames' work,
    /// and their bytes still fit the first-level cache with the tables' lines.
    BATCH_MAX: usize = 64, "frames";
    /// Batches whose signatures are checked together: eight trains of 64 fill the lanes that one would leave empty.
    WAVE_MAX: usize = 8, "batches";
    /// Signatures of one wave: each frame may be a train of its own.
    WAVE_ROOTS_MAX: usize = WAVE_MAX * BATCH_MAX, "signatures";
    /// Verified roots that are remembered, so that other frames of their trains cost no check: trains of some seconds, 112 bytes each.
    ROOTS_MAX: usize = 1 << 12, "trains";
    /// Trains of whose trees is remembered what lone frames have proven: those of the last milliseconds, 4 KB each.
    PROVEN_TREES_MAX: usize = 64, "trains";
    /// What the control plane found out that waits for somebody to ask.
    EVENTS_MAX: usize = 1_024, "events";
    /// Slots that a table may have. A block's index and its byte offset then fit 32 bits.
    SLOTS_MAX: u32 = 1 << 27, "slots";
    /// Runs of slots begin and end at multiples of this, so that no block belongs to two origins.
    RUN_ALIGN: u32 = 16, "slots";
    /// Origins that a node knows at once.
    ORIGINS_MAX: usize = 1 << 16, "nodes";
    /// Runs of slots that one origin may speak for.
    RUNS_MAX: usize = 64, "runs";
    /// How many sequence numbers back a frame may be told from a duplicate: relays reorder.
    WINDOW: u64 = 384, "frames";

    /// Places among which the addresses of strangers are spread, so that their number costs no memory: 64 KiB of accounts
    /// a thread, and two of a hundred flooding addresses meet.
    STRANGERS: u32 = 1 << 10, "places";
    /// Signature checks a second that a budget may grant: beyond any core by a factor of thirty.
    CHECKS_PER_SEC_MAX: u32 = 10_000_000, "signatures a second";
    /// Senders that are remembered for what they did.
    OFFENDERS_MAX: usize = 16, "senders";

    /// Control frames that wait to be taken; a further one is counted as dropped. A megabyte of frames.
    SEND_QUEUE_MAX: usize = 1_024, "control frames";
    /// Control frames, from the last one back, in which room for a further message is looked for: a search of one cache line each.
    SEND_QUEUE_OPEN_MAX: usize = 16, "control frames";
    /// Control frames that a node takes memory for when it starts, and uses again: one batch of questions has as many answers.
    CONTROL_FRAMES_SPARE: usize = BATCH_MAX, "control frames";
    /// Addresses in an announcement: IPv4 and IPv6, inside and outside.
    ADDRESSES_MAX: usize = 4, "addresses";
    /// Runs of slots in an announcement: an announcement and a challenge share a control frame with room to spare.
    CLAIMS_MAX: usize = 16, "runs";
    /// What every announcement begins with: key, incarnation, boot, version, capabilities, region, flags and counts.
    ANNOUNCEMENT_FIXED: usize = 60, "bytes";
    /// Longest announcement: 19 bytes an address, 16 a run, 8 for a credential's serial, and a signature.
    ANNOUNCEMENT_MAX: usize = ANNOUNCEMENT_FIXED + ADDRESSES_MAX * 19 + CLAIMS_MAX * 16 + 8 + SIGNATURE_LEN, "bytes";
    /// Ids in one message about updates: as many as a batch has frames.
    IDS_MAX: usize = BATCH_MAX, "updates";
    /// Ids in one pull: 32 frames are 39 kB, what an answer of one burst may weigh.
    PULL_MAX: usize = 32, "updates";
    /// Ids in one offer: what a control frame holds beside a short message.
    OFFER_MAX: usize = 96, "updates";
    /// Lists of ids that a node takes memory for when it starts, and uses again: what it says to all neighbours at once, of prunes
    /// as many again.
    ID_LISTS_MAX: usize = 2 * LINKS_MAX, "lists";
    /// Descriptors in one shuffle: CYCLON's five, and room for three.
    SHUFFLE_MAX: usize = 8, "descriptors";

    /// Keys of a mesh's authority: if three of seven sign, two may be stolen and four may be lost.
    AUTHORITY_KEYS_MAX: usize = 7, "keys";
    /// Signatures under a document of the authority: 80 bytes each, and a check for whoever meets the document.
    ENDORSEMENTS_MAX: usize = 3, "signatures";
    /// Runs of slots in a credential: half of what an announcement may have, so that both fit one control frame.
    GRANTS_MAX: usize = CLAIMS_MAX / 2, "runs";
    /// Longest name of a member: a column of a table in a terminal.
    NAME_MAX: usize = 32, "bytes";
    /// What every credential begins with: serial, member, times, region, roles, rights, counts.
    CREDENTIAL_FIXED: usize = 48, "bytes";
    /// Longest credential: a name, 8 bytes a run, 80 a signature.
    CREDENTIAL_MAX: usize = CREDENTIAL_FIXED + NAME_MAX + GRANTS_MAX * 8 + ENDORSEMENTS_MAX * 80, "bytes";
    /// What every decision of the authority begins with.
    DECISION_FIXED: usize = 56, "bytes";
    /// Longest decision: 32 bytes a key, 80 a signature.
    DECISION_MAX: usize = DECISION_FIXED + AUTHORITY_KEYS_MAX * 32 + ENDORSEMENTS_MAX * 80, "bytes";
    /// Decisions of an authority that a node keeps, for good: a megabyte. Only the authority can fill them.
    DECISIONS_MAX: usize = 1 << 12, "decisions";
    /// Decisions a second that a node verifies, whoever brings them.
    DECISIONS_PER_SEC: u32 = 200, "decisions a second";
    /// Decisions in one answer to who asks for them: at most 20 control frames.
    DECISIONS_TOLD_MAX: usize = 32, "decisions";
    /// Generations of an authority's keys.
    GENERATIONS_MAX: usize = 64, "generations";
    /// Issuers that an authority may appoint, those it dismissed included.
    ISSUERS_MAX: usize = 64, "issuers";

    /// How long a member has to be here before it counts. At the default settings and among 100 members, who falls silent is probed
    /// within 1.4 s, suspected 0.7 s later and believed gone 5.6 s after that: nobody is counted that fell silent when it had come.
    PROBATION_SECS: u64 = 10, "seconds";
    /// Members that are asked in half a second whether they are still here, before they count: as many probes as 20 intervals
    /// of one node have.
    PROBATION_CHECKS_MAX: usize = 16, "members";
    /// Changes of what it claims that a member may make at once, and one a second: each may have others decided again.
    CLAIM_CHANGES_AT_ONCE: u64 = 16, "changes";
    /// A full directory, or table of members of other regions, lets go of one of so many places at once: a search of all for
    /// each newcomer would cost more than checking its signature.
    EVICTED_AT_ONCE: usize = 16, "parts";
    /// How long nobody is looked for in a full directory after nobody was found who would make room.
    EVICTION_GAP_MS: u64 = 100, "milliseconds";
    /// Bytes of a proof of equivocation in one message: a proof of two full frames travels in three.
    PROOF_PIECE_MAX: usize = 880, "bytes";
    /// Proofs of which some parts came and others did not: 40 kB.
    PROOFS_UNDER_WAY_MAX: usize = 16, "proofs";
    /// Proofs a second that a node checks, whoever brings them: two signatures each.
    PROOFS_PER_SEC: u32 = 50, "proofs a second";
    /// Members that can be convicted: a proof each, 2.5 MB in all. Each cost its owner a membership.
    CONVICTIONS_MAX: usize = 1_024, "members";
    /// Copies of known frames with another signature that are looked at in a second: somebody may have made them up.
    CONTRADICTIONS_PER_SEC: u32 = 100, "frames a second";

    /// Members that newcomers are told of at once.
    NEWCOMER_NEWS_MAX: usize = 24, "members";
    /// Newcomers that are told at once; further ones hear broadcasts.
    NEWCOMERS_MAX: usize = 256, "members";
    /// Addresses from which an answer to a greeting is expected: no other answer counts.
    JOINS_EXPECTED_MAX: usize = 64, "addresses";
    /// Members of its own region that a member of another is told: they tell it the rest.
    SYNC_REMOTE_MAX: usize = 64, "members";
    /// Names in one list of a comparison.
    SYNC_LIST_MAX: usize = 64, "members";
    /// Conflicts that are named; who has more keys in use twice has read enough.
    CONFLICTS_MAX: usize = 64, "members";
    /// Broadcasts on their way at once; the most often told gives way.
    BROADCASTS_MAX: usize = 1 << 16, "broadcasts";
    /// Accusations of one member that are open or were refuted lately: as many as who dies around it in half a minute at worst. One
    /// comes back each second, and each that proves true.
    ACCUSATIONS_MAX: u64 = 32, "accusations";
    /// Times that a node contradicts one member at once, by an announcement that everybody hears. One comes back in twenty seconds, or in
    /// as many as there are members.
    REFUTATIONS_MAX: u64 = 2, "announcements";
    /// Members on whose last word one accuser is corrected, or to whom its word is passed on, at once; twenty come back each second.
    ANSWERS_TO_ACCUSERS_MAX: u64 = 64, "answers";
    /// Confirmations that are kept of one suspicion: the accuser and as many as settings may ask for.
    CONFIRMERS_MAX: usize = 9, "members";
    /// Members that settings may let a table hold: 128 bytes each, and an announcement of at most 464, a credential of at most 384.
    MEMBERS_MAX: usize = 1 << 20, "members";
    /// Helpers that settings may let a probe ask.
    HELPERS_MAX: usize = 8, "members";
    /// Confirmations that settings may ask for.
    CONFIRMATIONS_MAX: usize = 8, "members";
    /// Members that settings may let one turn of broadcasts go to.
    GOSSIP_FANOUT_MAX: usize = 16, "members";
    /// Probes under way at once, those for others included; a further one is not sent.
    PROBES_MAX: usize = 256, "probes";

    /// Links that a node has at most, those that only others want included.
    OVERLAY_MAX: usize = 24, "links";
    /// Members that are passed over at once, because they did not answer to a wish for a link.
    PASSED_OVER_MAX: usize = 8, "members";
    /// Neighbours at most: bits of a set. The overlay keeps about 16.
    LINKS_MAX: usize = 32, "links";
    /// Announcements of a neighbour that may come to nothing in a row before it is no longer believed. At 5 % loss each way
    /// an honest one gets there once in 10^16.
    BROKEN_MAX: u8 = 16, "announcements";
    /// Updates that settings may let be known at once: 64 bytes each.
    UPDATES_MAX: usize = 1 << 20, "updates";
    /// Origins whose trees are remembered; beyond, an update finds its way as if its origin had never spoken.
    TREES_MAX: usize = 1 << 14, "origins";

    /// Messages of the audit that wait to be looked at; further ones are passed over, and their senders ask again.
    AUDIT_INBOX_MAX: usize = 256, "messages";
    /// Hashes of sections in one message: eight bytes each.
    AUDIT_SECTIONS_MAX: usize = 100, "hashes";
    /// Sections asked for in one message.
    AUDIT_ASKED_MAX: usize = 4, "sections";
    /// Runs in one request to send cells again: as many as one origin has.
    AUDIT_RUNS_MAX: usize = RUNS_MAX, "runs";
    /// Ranges that a node sends again in two seconds: more requests are passed over.
    AUDIT_REFRESHED_MAX: usize = 1_024, "ranges";
    /// Members that one train may concern.
    CONCERNED_MAX: usize = 16, "members";
}

const _: () = {
    assert!(BLOCKS_MAX == 13 && ROWS_MAX == 58);
    // What is signed of any frame is one BLAKE3 chunk, so that frames hash side by side in SIMD lanes.
    assert!(HEADER_LEN + ENTRIES_MAX <= 1_024);
    // A frame's stride in a train keeps its 64-bit fields aligned.
    assert!(FRAME_MAX.is_multiple_of(8) && HEADER_LEN.is_multiple_of(8) && BLOCK_LEN.is_multiple_of(8));
    // Who is announced is a part of who is known, and each announced run is one that a directory can hold.
    assert!(CLAIMS_MAX <= RUNS_MAX && AUDIT_RUNS_MAX == RUNS_MAX && RUNS_MAX <= u8::MAX as usize);
    // Every message fits a control frame, which has four bytes of its recipient's name, and before each message's body four more.
    let body = CONTROL_FRAME_MAX - 8;
    assert!(ANNOUNCEMENT_MAX <= body);
    assert!(DECISION_MAX <= body);
    // Who introduces itself shows both in one control frame, and has room to say hello.
    assert!(ANNOUNCEMENT_MAX + CREDENTIAL_MAX + 64 <= CONTROL_FRAME_MAX);
    assert!(AUDIT_SECTIONS_MAX * 8 <= body);
    assert!(PULL_MAX <= IDS_MAX && IDS_MAX <= OFFER_MAX && OFFER_MAX * 8 <= body);
    // A suspicion keeps its accuser and every confirmation that could make it shorter.
    assert!(CONFIRMERS_MAX == CONFIRMATIONS_MAX + 1);
    // Links are bits of a set of 32, and settings name no more of them than there are.
    assert!(OVERLAY_MAX <= LINKS_MAX && LINKS_MAX <= 32);
    // Queues hold at least one burst of what fills them.
    assert!(SEND_QUEUE_OPEN_MAX <= SEND_QUEUE_MAX && NEWCOMER_NEWS_MAX <= NEWCOMERS_MAX);
    assert!(GOSSIP_FANOUT_MAX + HELPERS_MAX <= SEND_QUEUE_MAX && HELPERS_MAX <= PROBES_MAX);
    // A directory's places fit the window's and the budgets' numbers.
    assert!(ORIGINS_MAX <= 1 << 16 && TREES_MAX <= ORIGINS_MAX && ORIGINS_MAX <= MEMBERS_MAX);
    assert!(BATCH_MAX == u64::BITS as usize && SLOTS_MAX.is_multiple_of(RUN_ALIGN));
};
