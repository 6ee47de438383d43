//! The secret half leaves no copy behind and shows itself to nobody.

use std::mem::MaybeUninit;
use std::ptr;

use octick_crypto::Identity;

const SEED: [u8; 32] = *b"a seed that is easily found anew";

/// Whether the memory of `place` holds the seed, whole or in part (any eight bytes in a row).
fn holds_seed(place: &MaybeUninit<Identity>) -> bool {
    let start = place.as_ptr().cast::<u8>();
    let bytes: Vec<u8> = (0..size_of::<Identity>())
        // SAFETY: `start + i` lies inside `place`, which is zeroed memory that an `Identity` was written to; the read
        // is volatile, so that it sees what the wiping stores left.
        .map(|i| unsafe { ptr::read_volatile(start.add(i)) })
        .collect();
    SEED.windows(8).any(|part| bytes.windows(8).any(|window| window == part))
}

#[test]
fn dropping_an_identity_wipes_its_secret() {
    let mut place = Box::new(MaybeUninit::<Identity>::zeroed());
    place.write(Identity::from_seed(&SEED));
    assert!(holds_seed(&place), "a live identity holds its seed, or this test finds nothing");
    // SAFETY: written above, dropped once, and not used as an `Identity` afterwards.
    unsafe { place.assume_init_drop() };
    assert!(!holds_seed(&place), "the seed outlived its identity");
}

#[test]
fn debug_output_shows_the_id_alone() {
    let identity = Identity::from_seed(&SEED);
    assert_eq!(format!("{identity:?}"), format!("Identity({})", identity.id()));
}
