//! Many short inputs hashed side by side in SIMD lanes.
//!
//! BLAKE3 gets its speed from hashing the chunks of one long input in parallel; a frame is one chunk, so alone it
//! gets none. The library's own many-input kernel takes whole blocks of equal number: sixteen frames at a time in
//! AVX-512, eight in AVX2. It is not part of the library's promise, so its version is pinned, this file alone
//! reaches it, and a test holds it to the public hash.

use blake3::IncrementCounter;
use blake3::platform::{MAX_SIMD_DEGREE, Platform, le_bytes_from_words_32, words_from_le_bytes_32};

use crate::Hash;

/// A BLAKE3 block, bytes.
pub(crate) const BLOCK: usize = 64;
/// A BLAKE3 chunk, bytes: the longest input that this file takes.
pub(crate) const CHUNK: usize = 16 * BLOCK;
/// Inputs hashed at a time.
pub(crate) const LANES: usize = MAX_SIMD_DEGREE;

/// Flags of the BLAKE3 specification, section 2.2.
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const KEYED_HASH: u8 = 1 << 4;

/// The keyed hash of each of up to [`LANES`] inputs of `blocks` blocks (1 to 16); each lies at the front of its
/// buffer.
///
/// # Panics
/// When there are more inputs than lanes or hashes, or an input is empty or longer than a chunk.
pub(crate) fn keyed(key: &[u8; 32], inputs: &[[u8; CHUNK]], blocks: usize, hashes: &mut [Hash]) {
    macro_rules! by_blocks {
        ($($n:literal)+) => {
            match blocks {
                $($n => many(key, inputs, front::<{ $n * BLOCK }>, hashes),)+
                _ => panic!("an input has 1 to 16 blocks, not {blocks}"),
            }
        };
    }
    by_blocks!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

/// [`keyed`] for inputs of one block.
pub(crate) fn keyed_blocks(key: &[u8; 32], inputs: &[[u8; BLOCK]], hashes: &mut [Hash]) {
    many(key, inputs, |input| input, hashes);
}

/// The keyed hash of one input of at most a chunk: `blocks`, and the `last` one. The library's own way to it keeps a state
/// that can be added to, which costs as much as half a block.
pub(crate) fn keyed_one(key: &[u8; 32], blocks: &[[u8; BLOCK]], last: &[u8; BLOCK]) -> Hash {
    assert!(blocks.len() < CHUNK / BLOCK, "no input is longer than a chunk");
    let platform = Platform::detect();
    let mut chain = words_from_le_bytes_32(key);
    let mut start = CHUNK_START;
    for block in blocks {
        platform.compress_in_place(&mut chain, block, BLOCK as u8, 0, KEYED_HASH | start);
        start = 0;
    }
    platform.compress_in_place(&mut chain, last, BLOCK as u8, 0, KEYED_HASH | start | CHUNK_END | ROOT);
    Hash(le_bytes_from_words_32(&chain))
}

fn front<const N: usize>(chunk: &[u8; CHUNK]) -> &[u8; N] {
    chunk.first_chunk().expect("no input is longer than a chunk")
}

fn many<T, const N: usize>(
    key: &[u8; 32],
    inputs: &[T],
    bytes: impl Fn(&T) -> &[u8; N],
    hashes: &mut [Hash],
) {
    assert!(inputs.len() <= LANES && inputs.len() == hashes.len(), "one hash an input, one input a lane");
    let Some(first) = inputs.first() else { return };
    let views: [&[u8; N]; LANES] = core::array::from_fn(|i| bytes(inputs.get(i).unwrap_or(first)));
    let mut out = [0; LANES * 32];
    let out = &mut out[..inputs.len() * 32];
    Platform::detect().hash_many(
        &views[..inputs.len()],
        &words_from_le_bytes_32(key),
        0,
        IncrementCounter::No,
        KEYED_HASH,
        CHUNK_START,
        CHUNK_END | ROOT,
        out,
    );
    for (hash, bytes) in hashes.iter_mut().zip(out.chunks_exact(32)) {
        hash.0.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_lane_of_every_length_equals_the_public_hash() {
        let key: [u8; 32] = core::array::from_fn(|i| i as u8);
        let inputs: Vec<[u8; CHUNK]> =
            (0..LANES).map(|lane| core::array::from_fn(|i| (i * 31 + lane * 17) as u8)).collect();
        for blocks in 1..=CHUNK / BLOCK {
            for lanes in 1..=LANES {
                let mut hashes = [Hash([0; 32]); LANES];
                keyed(&key, &inputs[..lanes], blocks, &mut hashes[..lanes]);
                let (whole, _) = inputs[lanes - 1].as_chunks();
                let alone = keyed_one(&key, &whole[..blocks - 1], &whole[blocks - 1]);
                assert_eq!(alone, hashes[lanes - 1], "alone, {blocks} blocks");
                for (lane, input) in inputs[..lanes].iter().enumerate() {
                    let want = blake3::keyed_hash(&key, &input[..blocks * BLOCK]);
                    assert_eq!(&hashes[lane].0, want.as_bytes(), "lane {lane} of {lanes}, {blocks} blocks");
                }
            }
        }
    }
}
