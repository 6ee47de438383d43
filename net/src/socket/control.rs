//! Ancillary data: what the kernel says beside a datagram, and what we tell it beside a train.

/// Room for a train's segment length (24 bytes), a time stamp (32) and 24 to spare.
pub(super) const CONTROL_LEN: usize = 80;

/// Message header: length, level, type.
const HEADER: usize = size_of::<libc::cmsghdr>();

/// A `UDP_SEGMENT` message: cut what follows into datagrams of this length.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct SegmentControl {
    header: libc::cmsghdr,
    segment: u16,
    padding: [u8; 6],
}

/// What came beside a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ancillary {
    /// Length of each datagram of a train that arrived as one; the last may be shorter. 0: not a train.
    pub(super) segment: u16,
    /// When the kernel took it off the wire, by `CLOCK_REALTIME`, ns. 0: not stamped.
    pub(super) stamp_ns: u64,
}

impl SegmentControl {
    pub(super) fn new(segment: u16) -> Self {
        // Only the fields' types differ between C libraries, hence the inferred casts.
        let header = libc::cmsghdr {
            cmsg_len: (HEADER + size_of::<u16>()) as _,
            cmsg_level: libc::SOL_UDP,
            cmsg_type: libc::UDP_SEGMENT,
        };
        Self { header, segment, padding: [0; 6] }
    }
}

impl Ancillary {
    /// Reads the messages that are known; others, and a truncated last one, are passed over.
    #[inline]
    pub(super) fn parse(mut control: &[u8]) -> Self {
        const WORD: usize = size_of::<usize>();
        let mut found = Self::default();
        while control.len() >= HEADER {
            let word =
                |at: usize| i32::from_ne_bytes(*control[at..].first_chunk().expect("within the header"));
            let len = usize::from_ne_bytes(*control.first_chunk().expect("within the header"));
            if len < HEADER || len > control.len() {
                break;
            }
            let data = &control[HEADER..len];
            match (word(WORD), word(WORD + 4)) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let segment = data.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
                    found.segment = u16::try_from(segment).unwrap_or(0);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => found.stamp_ns = stamp_ns(data),
                _ => {}
            }
            control = control.get(len.next_multiple_of(WORD)..).unwrap_or(&[]);
        }
        found
    }
}

/// A `timespec` in nanoseconds; 0 if it is none.
#[inline]
fn stamp_ns(data: &[u8]) -> u64 {
    let Some((secs, rest)) = data.split_first_chunk() else { return 0 };
    let Some(nanos) = rest.first_chunk() else { return 0 };
    let (secs, nanos) = (libc::time_t::from_ne_bytes(*secs), libc::c_long::from_ne_bytes(*nanos));
    u64::try_from(secs)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(nanos).unwrap_or(0))
}

const _: () = {
    assert!(size_of::<SegmentControl>() == 24 || size_of::<usize>() != 8);
    assert!(24 + 32 <= CONTROL_LEN);
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (HEADER + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
        bytes
    }

    #[test]
    fn segment_and_stamp_are_found_among_others() {
        let time = [7_i64.to_ne_bytes(), 9_i64.to_ne_bytes()].concat();
        let mut control = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &time);
        control.extend(message(libc::SOL_IP, 77, &[1, 2, 3]));
        control.extend(message(libc::SOL_UDP, libc::UDP_GRO, &1_232_i32.to_ne_bytes()));
        let found = Ancillary::parse(&control);
        assert_eq!(found, Ancillary { segment: 1_232, stamp_ns: 7_000_000_009 });
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(control in prop::collection::vec(any::<u8>(), 0..128)) {
            Ancillary::parse(&control);
        }
    }
}
