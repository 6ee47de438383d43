//! Why a frame was dropped. The list numbers the counters, names the metrics and feeds the documentation.

use crate::listed::listed;

listed! {
    /// Why a frame was dropped. Nothing but a counter has changed when one is returned.
    Reject;

    /// Fewer bytes than the smallest frame has.
    Truncated = "truncated",
    /// More bytes than the largest frame has.
    Oversized = "oversized",
    /// The first byte is not the magic number: not a frame at all.
    Magic = "magic",
    /// A wire version that this node does not speak.
    WireVersion = "wire_version",
    /// Reserved bits are set.
    Reserved = "reserved",
    /// A message kind that this node does not know.
    Kind = "kind",
    /// No entries, or more than a frame holds.
    Count = "count",
    /// The place in the train is outside the train, or the train is longer than allowed.
    Train = "train",
    /// The datagram's length is not what the header says.
    Length = "length",
    /// Blocks or slots are not strictly increasing.
    Order = "order",
    /// A block without a cell in it.
    EmptyBlock = "empty_block",
    /// A control frame whose messages do not fit it, or without any.
    ControlFrame = "control_frame",
    /// The version does not carry its origin's tag, or is older than the entries' ages allow.
    VersionTag = "version_tag",
    /// The origin is not among the known ones.
    UnknownOrigin = "unknown_origin",
    /// The origin was known, and its right to speak was taken back.
    RevokedOrigin = "revoked_origin",
    /// A frame of an earlier incarnation of its origin.
    OldIncarnation = "old_incarnation",
    /// A frame that was accepted before.
    Duplicate = "duplicate",
    /// A frame so old that the window cannot tell whether it was accepted before; left to reconciliation.
    BehindWindow = "behind_window",
    /// The signature does not hold for this origin, train and mesh.
    BadSignature = "bad_signature",
    /// The version lies further ahead of this node's clock than the skew allowed.
    Future = "future",
    /// A slot past the end of the table.
    SlotRange = "slot_range",
    /// A slot that the origin does not speak for, or a frame that spans two of its runs.
    NotOwner = "not_owner",
    /// This node keeps no table for cells of this kind.
    NoTable = "no_table",
    /// A version that the table's 32-bit clock cannot hold.
    Horizon = "horizon",
    /// A query for statistics that came before, or sooner than its origin may ask again.
    StaleQuery = "stale_query",
    /// Its sender has spent its budget of signature checks, on bad ones most likely; not even parsed.
    OverBudget = "over_budget",
    /// Its sender is no peer, and all such senders together have spent their budget; not even parsed.
    StrangersOverBudget = "strangers_over_budget",
    /// A control frame for another node.
    Misaddressed = "misaddressed",
    /// A control frame older than clocks may differ and queues may hold it: a replay, or its sender's clock is behind.
    Expired = "expired",
}

impl core::error::Error for Reject {}
