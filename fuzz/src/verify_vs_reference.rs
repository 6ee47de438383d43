//! Signatures and keys of any kind in any company: every kernel gives the verdicts of `verify_strict`, and admits what is
//! admitted alone.

use std::cell::RefCell;

use octick_crypto::lanes::{Base, Kernel, Settings};
use octick_crypto::{Identity, Item, PublicKey, SIGNATURE_LEN, Verifier, verify_many};

use crate::cursor::Cursor;
use crate::world::World;

/// Longest batch that one input may give: three times the widest kernel's lanes, and one.
const ITEMS_MAX: usize = 25;

/// Numbers at the edges of what s may be, little-endian: zero, one, L - 1, L, L + 1, 2^252, 2^255 - 20, all ones.
const EDGES: [[u8; 32]; 8] = [
    [0; 32],
    with_low([0; 32], 1),
    with_low(ORDER, 0xEC),
    ORDER,
    with_low(ORDER, 0xEE),
    with_high([0; 32], 0x10),
    with_high(with_low([0xFF; 32], 0xEC), 0x7F),
    [0xFF; 32],
];

/// The order L of the base point.
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

const fn with_low(mut number: [u8; 32], low: u8) -> [u8; 32] {
    number[0] = low;
    number
}

const fn with_high(mut number: [u8; 32], high: u8) -> [u8; 32] {
    number[31] = high;
    number
}

thread_local! {
    static VERIFIERS: RefCell<Vec<Verifier>> = RefCell::new(Kernel::all_available().flat_map(|kernel| [warm(kernel), cold(kernel, Base::Long), cold(kernel, Base::Short)]).collect());
}

/// A verifier that has a table for most of the world's people, but not for all.
fn warm(kernel: Kernel) -> Verifier {
    let mut verifier = Verifier::new(Settings {
        kernel: Some(kernel),
        table_bytes: 2 << 20,
        cross_check: 0,
        table_after: 2,
        base: Base::Long,
    });
    let people = &World::get().people[..4];
    let signatures: Vec<_> = people.iter().map(|person| person.sign(b"hello")).collect();
    let items: Vec<Item<'_>> = people
        .iter()
        .zip(&signatures)
        .map(|(person, signature)| Item { key: person.public(), message: b"hello", signature })
        .collect();
    for _ in 0..2 {
        verifier.verify(&items, &mut [false; 4]);
    }
    while verifier.build_step() {}
    verifier
}

/// A verifier that never has a table of a key.
fn cold(kernel: Kernel, base: Base) -> Verifier {
    Verifier::new(Settings { kernel: Some(kernel), table_bytes: 0, cross_check: 0, table_after: 2, base })
}

/// One signature, made from a few bytes of input.
struct Case {
    who: &'static Identity,
    message: Vec<u8>,
    signature: [u8; SIGNATURE_LEN],
}

impl Case {
    fn draw(input: &mut Cursor<'_>) -> Self {
        let (head, len) = (input.u8(), input.u8());
        let people = &World::get().people;
        let who = &people[usize::from(head) % people.len()];
        let mut message = input.bytes(len.into()).to_vec();
        let mut signature = who.sign(&message);
        match head >> 5 {
            0..=2 => {}
            3 => signature[usize::from(input.u8()) % SIGNATURE_LEN] ^= input.u8(),
            4 => signature[32..].copy_from_slice(&EDGES[usize::from(input.u8()) % EDGES.len()]),
            5 => signature[..32].copy_from_slice(&EDGES[usize::from(input.u8()) % EDGES.len()]),
            6 => message.push(0),
            _ => {
                input.bytes(SIGNATURE_LEN).iter().zip(&mut signature).for_each(|(byte, place)| *place = *byte)
            }
        }
        Self { who, message, signature }
    }
}

/// Judges the signatures that `data` describes, by every kernel.
pub fn run(data: &[u8]) {
    let mut input = Cursor::new(data);
    let mut cases = Vec::new();
    while !input.is_empty() && cases.len() < ITEMS_MAX {
        cases.push(Case::draw(&mut input));
    }
    let items: Vec<Item<'_>> = cases
        .iter()
        .map(|case| Item { key: case.who.public(), message: &case.message, signature: &case.signature })
        .collect();
    let mut expected = vec![false; items.len()];
    verify_many(&items, &mut expected);
    // Both halves of a signature may be points, most of them not of order L; keys of people are.
    let keys: Vec<[u8; 32]> = cases
        .iter()
        .flat_map(|case| {
            let [r, s] = case.signature.as_chunks().0 else { unreachable!("64 bytes are two halves") };
            [*r, *s, *case.who.public().as_bytes()]
        })
        .collect();
    let admitted: Vec<_> = keys.iter().map(PublicKey::admit).collect();
    VERIFIERS.with_borrow_mut(|verifiers| {
        for verifier in verifiers {
            let kernel = verifier.kernel();
            // What stood there before must not shine through.
            let mut verdicts: Vec<bool> = expected.iter().map(|holds| !holds).collect();
            verifier.verify(&items, &mut verdicts);
            assert_eq!(verdicts, expected, "{kernel}");
            assert_eq!(verifier.admit(&keys), admitted, "{kernel}");
            assert_eq!(verifier.failure(), None, "{kernel}");
        }
    });
}
