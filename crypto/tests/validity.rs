//! One validity rule: the verdict is that of `verify_strict`, whatever else is in the batch.

mod oracle;

use octick_crypto::{Identity, Item, PublicKey, SIGNATURE_LEN, verify_many};
use oracle::{Recipe, Signer, unhex, unhex_array};
use proptest::prelude::*;

fn recipe() -> impl Strategy<Value = Recipe> {
    prop_oneof![
        4 => Just(Recipe::Honest),
        1 => any::<u8>().prop_map(Recipe::LargeScalar),
        1 => any::<u8>().prop_map(Recipe::SmallR),
        1 => any::<u8>().prop_map(Recipe::MixedR),
        1 => any::<u8>().prop_map(Recipe::LooseR),
        1 => any::<u16>().prop_map(Recipe::FlippedBit),
        1 => Just(Recipe::OtherMessage),
        1 => Just(Recipe::OtherKey),
        1 => Just(Recipe::ZeroScalar),
    ]
}

/// Every class of signature, each member of the small ones.
fn menu() -> Vec<Recipe> {
    let mut menu = vec![Recipe::Honest, Recipe::OtherMessage, Recipe::OtherKey, Recipe::ZeroScalar];
    menu.extend((0..14).map(Recipe::LargeScalar));
    menu.extend((0..8).map(Recipe::SmallR));
    menu.extend((0..7).map(Recipe::MixedR));
    menu.extend((0..oracle::loose_encodings().len() as u8).map(Recipe::LooseR));
    menu.extend((0..512).step_by(37).map(Recipe::FlippedBit));
    menu
}

#[test]
fn only_the_honest_signature_holds() {
    let signer = Signer::new([3; 64]);
    for recipe in menu() {
        let signature = recipe.cook(&signer, b"frame", [5; 64]);
        let honest = matches!(recipe, Recipe::Honest);
        assert_eq!(oracle::verdict(&signer.key(), b"frame", &signature), honest, "{recipe:?}");
        assert_eq!(oracle::rule(&signer.public, b"frame", &signature), honest, "{recipe:?}");
    }
}

/// RFC 8032, section 7.1: seed, public key, message, signature.
#[test]
fn the_vectors_of_rfc_8032_hold() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ];
    for (seed, public, message, signature) in vectors {
        let identity = Identity::from_seed(&unhex_array(seed));
        let (message, signature) = (unhex(message), unhex_array::<SIGNATURE_LEN>(signature));
        assert_eq!(identity.public().as_bytes(), &unhex_array::<32>(public));
        assert_eq!(identity.sign(&message), signature);
        assert!(oracle::verdict(identity.public(), &message, &signature));
    }
}

#[test]
fn no_items_are_no_work() {
    verify_many(&[], &mut []);
}

#[test]
#[should_panic(expected = "one verdict an item")]
fn a_verdict_too_few_is_a_bug() {
    let identity = Identity::from_seed(&[1; 32]);
    let signature = identity.sign(b"m");
    verify_many(&[Item { key: identity.public(), message: b"m", signature: &signature }], &mut []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_verdict_is_that_of_verify_strict_and_of_the_rule_in_words(
        seed: [u8; 64],
        nonce: [u8; 64],
        message in prop::collection::vec(any::<u8>(), 0..200),
        recipe in recipe(),
    ) {
        let signer = Signer::new(seed);
        let signature = recipe.cook(&signer, &message, nonce);
        let verdict = oracle::verdict(&signer.key(), &message, &signature);
        prop_assert_eq!(verdict, oracle::dalek(&signer.public, &message, &signature));
        prop_assert_eq!(verdict, oracle::rule(&signer.public, &message, &signature));
    }

    #[test]
    fn arbitrary_bytes_are_judged_as_verify_strict_judges_them(seed: [u8; 64], r: [u8; 32], s: [u8; 32]) {
        let signer = Signer::new(seed);
        let signature = oracle::join(r, s);
        let verdict = oracle::verdict(&signer.key(), b"frame", &signature);
        prop_assert_eq!(verdict, oracle::dalek(&signer.public, b"frame", &signature));
        prop_assert_eq!(verdict, oracle::rule(&signer.public, b"frame", &signature));
    }

    #[test]
    fn the_verdict_does_not_depend_on_the_company(
        orders in prop::collection::vec((0_u8..4, recipe(), any::<[u8; 64]>()), 1..40),
        rotate in any::<prop::sample::Index>(),
    ) {
        let signers: Vec<Signer> = (1..5).map(|i| Signer::new([i; 64])).collect();
        let keys: Vec<PublicKey> = signers.iter().map(Signer::key).collect();
        let cooked: Vec<(usize, [u8; 1], [u8; SIGNATURE_LEN])> = orders
            .iter()
            .enumerate()
            .map(|(i, &(who, recipe, nonce))| {
                let (who, message) = (usize::from(who), [i as u8]);
                (who, message, recipe.cook(&signers[who], &message, nonce))
            })
            .collect();
        let mut items: Vec<Item<'_>> =
            cooked.iter().map(|(who, message, signature)| Item { key: &keys[*who], message, signature }).collect();
        items.rotate_left(rotate.index(orders.len()));
        let alone: Vec<bool> =
            items.iter().map(|item| oracle::verdict(item.key, item.message, item.signature)).collect();
        let mut together = vec![false; items.len()];
        verify_many(&items, &mut together);
        prop_assert_eq!(&together, &alone);
        // A verdict left over from an earlier batch changes nothing.
        let mut stale = vec![true; items.len()];
        verify_many(&items, &mut stale);
        prop_assert_eq!(&stale, &alone);
    }
}
