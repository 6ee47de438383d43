//! Is the kernel right on this CPU, in each of its lanes? Asked before it is used.

use alloc::vec;
use alloc::vec::Vec;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;

use super::digits::{SHORT, Windows};
use super::entry::{Entry, Form};
use super::job::{Job, LOT_MAX};
use super::point::Point;
use super::table::Filler;
use crate::SIGNATURE_LEN;

/// RFC 8032, section 7.1, tests 1, 2 and 3, and the one of SHA(abc): public key, message, signature.
const VECTORS: [([u8; 32], &[u8], [u8; SIGNATURE_LEN]); 4] = [
    (
        unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
        &[],
        unhex(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
    ),
    (
        unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
        &[0x72],
        unhex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ),
    (
        unhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
        &[0xaf, 0x82],
        unhex(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ),
    (
        unhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"),
        &unhex::<64>(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        unhex(
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ),
];

/// With tables of such `windows`: whether `check` decides right about valid and invalid signatures in every place of a
/// lot. With long windows, which a kernel has time for, in company of any size as well.
pub(super) fn passes(form: Form, windows: Windows, check: impl Fn(&[Job<'_>], &mut [bool])) -> bool {
    let tables = VECTORS.map(|(key, _, _)| table(&key, form, windows));
    let mut twisted = VECTORS.map(|(_, _, signature)| [signature; 4]);
    for variants in &mut twisted {
        // The sign of R, a low bit of s, and s + L.
        variants[1][31] ^= 0x80;
        variants[2][32] ^= 1;
        add_order(&mut variants[3][32..]);
    }
    // Number n of an endless mix: signer, what is done to the signature, and whose message it comes with.
    let job = |n: usize| {
        let (signer, twist) = (n % 4, if n.is_multiple_of(3) { n / 3 % 4 } else { 0 });
        let other_message = n % 7 == 5;
        let message = VECTORS[(signer + usize::from(other_message)) % 4].1;
        let job = Job {
            table: &tables[signer],
            key: &VECTORS[signer].0,
            message,
            signature: &twisted[signer][twist],
        };
        (job, twist == 0 && !other_message)
    };
    let right = |first: usize, len: usize| {
        let (jobs, valid): (Vec<Job<'_>>, Vec<bool>) = (first..first + len).map(job).unzip();
        let mut verdicts = vec![false; len];
        check(&jobs, &mut verdicts);
        verdicts == valid
    };
    if windows == SHORT {
        return right(0, 24) && right(5, 8);
    }
    (0..21).all(|first| right(first, 11 + first)) && (0..5).all(|first| right(first, 1)) && right(3, LOT_MAX)
}

/// Whether `check` tells points of order L from others, in every place of a lot, by the lowest window of their tables.
pub(super) fn tells_orders(form: Form, check: impl Fn(&[&[Entry]], &mut [bool])) -> bool {
    // Keys, and the same with a part of order 8, 4, 2 and 8.
    let twisted = [1, 2, 4, 3].map(|i| EIGHT_TORSION[i]);
    let point = |key: &[u8; 32]| CompressedEdwardsY(*key).decompress().expect("a published key is a point");
    let tables: Vec<(Vec<Entry>, bool)> = VECTORS
        .iter()
        .zip(twisted)
        .flat_map(|((key, ..), torsion)| [(*key, true), ((point(key) + torsion).compress().0, false)])
        .map(|(key, free)| (table(&key, form, SHORT), free))
        .collect();
    // 0 to 7 in one order, then in another, so that each lane is asked both questions.
    let right = |first: usize, len: usize| {
        let which = |n: usize| &tables[(n + n / 8 + first) % 8];
        let (lot, free): (Vec<&[Entry]>, Vec<bool>) =
            (0..len).map(which).map(|(table, free)| (&table[..], *free)).unzip();
        let mut verdicts = vec![false; len];
        check(&lot, &mut verdicts);
        verdicts == free
    };
    right(0, 8) && right(3, 13)
}

/// The table of the negative of a key; of short windows only the lowest.
fn table(key: &[u8; 32], form: Form, windows: Windows) -> Vec<Entry> {
    let count = if windows == SHORT { 1 } else { windows.count() };
    let mut entries = vec![Entry::EMPTY; count * windows.entries()];
    let mut filler = Filler::new(windows, form, count);
    filler.begin(Point::decode_negated(key).expect("a published key is a point"));
    filler.fill(&mut entries);
    entries
}

/// s + L: the same number modulo L, and not canonical.
fn add_order(s: &mut [u8]) {
    const L: [u8; 32] = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, l) in s.iter_mut().zip(L) {
        carry += u16::from(*byte) + u16::from(l);
        *byte = carry as u8;
        carry >>= 8;
    }
}

const fn unhex<const N: usize>(text: &str) -> [u8; N] {
    const fn digit(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => byte - b'0',
            _ => byte - b'a' + 10,
        }
    }
    assert!(text.len() == 2 * N, "two digits a byte");
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = digit(text.as_bytes()[2 * i]) << 4 | digit(text.as_bytes()[2 * i + 1]);
        i += 1;
    }
    bytes
}
