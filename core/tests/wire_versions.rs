//! The version word: one integer whose order is the order (time, origin).

use octick_core::crypto::NodeId;
use octick_core::stamp::{HybridClock, Version};
use octick_core::time::Wall;
use octick_core::wire::Rows;
use proptest::prelude::*;

#[test]
fn the_oldest_entry_of_the_earliest_frame_still_counts_as_written() {
    let greatest_ages = [u32::from(u16::MAX), u32::from(u16::MAX) * 1_024, Rows::AGE_MAX];
    for age in greatest_ages {
        assert!(Version::MIN_WIRE.aged(age) > Version::NEVER, "age {age}");
    }
}

#[test]
fn a_version_shows_its_time_and_its_tag() {
    let origin = NodeId([0xFF; 16]);
    assert_eq!(format!("{:?}", Version::new(12, origin)), "12us/ffe");
    assert_eq!(Version::new(12, origin).micros(), 12);
}

proptest! {
    #[test]
    fn order_is_time_then_origin(a in 0_u64..1 << 52, b in 0_u64..1 << 52, x: [u8; 16], y: [u8; 16]) {
        let (x, y) = (NodeId(x), NodeId(y));
        let ordered = Version::new(a, x).cmp(&Version::new(b, y));
        prop_assert_eq!(ordered, (a, Version::tag(x)).cmp(&(b, Version::tag(y))));
    }

    #[test]
    fn the_lock_bit_is_never_on_the_wire(micros in Version::MIN_WIRE.micros()..1 << 52, origin: [u8; 16]) {
        let version = Version::new(micros, NodeId(origin));
        prop_assert_eq!(version.0 & 1, 0);
        prop_assert!(version.is_of(NodeId(origin)));
        prop_assert!(!Version(version.0 | 1).is_of(NodeId(origin)));
    }

    #[test]
    fn age_takes_time_away_and_leaves_the_tag(
        micros in Version::MIN_WIRE.micros()..1 << 52,
        age in 0..=Rows::AGE_MAX,
        origin: [u8; 16],
    ) {
        let origin = NodeId(origin);
        prop_assert_eq!(Version::new(micros, origin).aged(age), Version::new(micros - u64::from(age), origin));
    }

    #[test]
    fn a_clock_only_rises_whatever_the_wall_says(
        walls in prop::collection::vec((0_u64..1 << 40, any::<Option<u32>>()), 1..50),
    ) {
        let origin = NodeId([3; 16]);
        let mut clock = HybridClock::new(origin);
        let mut last = Version::NEVER;
        for (now, seen) in walls {
            if let Some(seen) = seen {
                let seen = Version::new(seen.into(), NodeId([9; 16]));
                clock.observe(seen);
                last = last.max(Version::new(seen.micros(), origin));
            }
            let issued = clock.tick(Wall(now));
            prop_assert!(issued.micros() >= now && issued.micros() > last.micros());
            prop_assert_eq!(issued.0 & 0xFFF, Version::tag(origin));
            last = issued;
        }
    }
}
