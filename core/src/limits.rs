//! Every bound of the protocol, and how they follow from each other.

use octick_crypto::SIGNATURE_LEN;
use octick_crypto::train::DEPTH_MAX;

/// Longest frame, bytes: the IPv6 minimum MTU (1,280) less the IPv6 (40) and UDP (8) headers, so that no path
/// fragments it.
pub const FRAME_MAX: usize = 1_280 - 40 - 8;
/// Fixed header of every frame, bytes.
pub const HEADER_LEN: usize = 40;
/// Longest authentication part, bytes: a signature and the path of a frame in the longest train.
pub const AUTH_MAX: usize = SIGNATURE_LEN + DEPTH_MAX * 32;
/// Longest run of entries, bytes: what remains, whatever the length of the train turns out to be.
pub const ENTRIES_MAX: usize = FRAME_MAX - HEADER_LEN - AUTH_MAX;
/// Shortest frame, bytes: a header, an entry of 16 bytes and a signature.
pub const FRAME_MIN: usize = HEADER_LEN + 16 + SIGNATURE_LEN;

/// A block on the wire, bytes: eight cells of eight bytes, or sixteen of four, and what says which.
pub const BLOCK_LEN: usize = 72;
/// Blocks in a full frame.
pub const BLOCKS_MAX: usize = ENTRIES_MAX / BLOCK_LEN;
/// One sparse update on the wire, bytes: slot, age and value.
pub const ROW_LEN: usize = 16;
/// Sparse updates in a full frame.
pub const ROWS_MAX: usize = ENTRIES_MAX / ROW_LEN;
/// Messages of a control frame, bytes: a full frame of units of 16.
pub const CONTROL_FRAME_MAX: usize = ENTRIES_MAX / CONTROL_FRAME_UNIT * CONTROL_FRAME_UNIT;
/// What a control frame's length is counted in, bytes.
pub const CONTROL_FRAME_UNIT: usize = 16;

/// Frames that travel through the stages together: enough to hide a cache miss behind the other frames' work,
/// and their bytes still fit the first-level cache with the tables' lines.
pub const BATCH_MAX: usize = 64;
/// Batches whose signatures are checked together: eight trains of 64 fill the lanes that one would leave empty.
pub const WAVE_MAX: usize = 8;
/// What the control plane found out that waits for somebody to ask.
pub const EVENTS_MAX: usize = 1_024;
/// Slots that a table may have. A block's index and its byte offset then fit 32 bits.
pub const SLOTS_MAX: u32 = 1 << 27;
/// Runs of slots begin and end at multiples of this, so that no block belongs to two origins.
pub const RUN_ALIGN: u32 = 16;
/// Origins that a node knows at once.
pub const ORIGINS_MAX: usize = 1 << 16;
/// Runs of slots that one origin may speak for.
pub const RUNS_MAX: usize = 64;
/// How many sequence numbers back a frame may be told from a duplicate: relays reorder.
pub const WINDOW: u64 = 384;

/// Places among which the addresses of strangers are spread, so that their number costs no memory: 64 KiB of accounts
/// a thread, and two of a hundred flooding addresses meet.
pub const STRANGERS: u32 = 1 << 10;
/// Signature checks a second that a budget may grant: beyond any core by a factor of thirty.
pub const CHECKS_PER_SEC_MAX: u32 = 10_000_000;
/// Senders that are remembered for what they did.
pub const OFFENDERS_MAX: usize = 16;

const _: () = {
    assert!(BLOCKS_MAX == 13 && ROWS_MAX == 58);
    // What is signed of any frame is one BLAKE3 chunk, so that frames hash side by side in SIMD lanes.
    assert!(HEADER_LEN + ENTRIES_MAX <= 1_024);
    // A frame's stride in a train keeps its 64-bit fields aligned.
    assert!(FRAME_MAX.is_multiple_of(8) && HEADER_LEN.is_multiple_of(8) && BLOCK_LEN.is_multiple_of(8));
};
