//! Which of the kernel's drops were for want of room, and which the filter's.
//!
//! The kernel keeps one number for both at the socket (`SK_MEMINFO_DROPS`). Beside it stands, for all sockets of the
//! network namespace together, how many datagrams found a full buffer (`RcvbufErrors` and `MemErrors` of
//! `/proc/net/snmp`). So of what a socket dropped between two looks, as much is put down to its buffer as the namespace
//! lost that way, and the rest to the filter: exact unless another socket overflows in the same tenth of a second in
//! which this one is filtering. The sum is exact always.

use std::fs::File;
use std::io::Read;

/// What a socket's kernel side dropped since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drops {
    /// For want of room.
    pub(super) overflow: u64,
    /// By the filter, for their length; and those whose checksum is wrong.
    pub(super) filtered: u64,
    /// Drops of the socket and overflows of the namespace at the last look.
    seen: Seen,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    socket: u32,
    namespace: u64,
}

impl Drops {
    /// Before the first datagram.
    pub(super) fn new() -> Self {
        Self { seen: Seen { socket: 0, namespace: overflows().unwrap_or(0) }, ..Self::default() }
    }

    /// After another look: `socket` drops in all, wrapping.
    pub(super) fn look(self, socket: u32) -> Self {
        if socket == self.seen.socket { self } else { self.counted(socket, overflows()) }
    }

    /// Where the namespace does not say, all is put down to the buffer.
    fn counted(self, socket: u32, namespace: Option<u64>) -> Self {
        let dropped = u64::from(socket.wrapping_sub(self.seen.socket));
        let overflown = namespace.map_or(dropped, |now| now.saturating_sub(self.seen.namespace).min(dropped));
        Self {
            overflow: self.overflow + overflown,
            filtered: self.filtered + dropped - overflown,
            seen: Seen { socket, namespace: namespace.unwrap_or(self.seen.namespace) },
        }
    }
}

/// Datagrams that found a full buffer, in this thread's network namespace, over IPv4 and IPv6.
fn overflows() -> Option<u64> {
    // Longer than either file.
    let mut text = [0; 16_384];
    let v4 = overflows_v4(read("/proc/thread-self/net/snmp", &mut text)?)?;
    // Not there where the machine has no IPv6.
    let v6 = read("/proc/thread-self/net/snmp6", &mut text).map_or(0, overflows_v6);
    Some(v4 + v6)
}

fn read<'t>(path: &str, text: &'t mut [u8]) -> Option<&'t str> {
    let mut file = File::open(path).ok()?;
    let mut len = 0;
    while len < text.len() {
        match file.read(&mut text[len..]).ok()? {
            0 => break,
            more => len += more,
        }
    }
    str::from_utf8(&text[..len]).ok()
}

/// Two lines `Udp:`, the names and then their numbers.
fn overflows_v4(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let of_both = names.split(' ').zip(numbers.split(' '));
    let wanted = of_both.filter(|(name, _)| matches!(*name, "RcvbufErrors" | "MemErrors"));
    wanted.map(|(_, number)| number.parse::<u64>().ok()).sum()
}

/// A line each, the name and its number.
fn overflows_v6(snmp6: &str) -> u64 {
    let pairs = snmp6.lines().filter_map(|line| line.split_once(char::is_whitespace));
    pairs
        .filter(|(name, _)| matches!(*name, "Udp6RcvbufErrors" | "Udp6MemErrors"))
        .filter_map(|(_, number)| number.trim().parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflows_are_found_by_their_names() {
        let snmp = "Ip: Forwarding InReceives\nIp: 1 99\n\
                    Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n\
                    Udp: 100 1 9 50 5 7 2 0 3\nUdpLite: RcvbufErrors MemErrors\nUdpLite: 1000 1000\n";
        assert_eq!(overflows_v4(snmp), Some(8));
        assert_eq!(overflows_v4("Udp: RcvbufErrors\n"), None);
        let snmp6 =
            "Udp6InErrors                    \t40\nUdp6RcvbufErrors                \t4\nUdp6MemErrors \t1\n";
        assert_eq!(overflows_v6(snmp6), 5);
        assert!(overflows().is_some(), "this machine says");
    }

    #[test]
    fn what_did_not_overflow_was_filtered() {
        let seen = Seen { socket: u32::MAX - 9, namespace: 1_000 };
        let before = Drops { overflow: 5, filtered: 6, seen };
        // The socket's number wraps; two of its thirty drops are overflows.
        let after = before.counted(20, Some(1_002));
        assert_eq!((after.overflow, after.filtered), (7, 34));
        // Others overflow as well: no more is taken than was dropped.
        let after = after.counted(23, Some(2_000));
        assert_eq!((after.overflow, after.filtered), (10, 34));
        let blind = after.counted(24, None);
        assert_eq!((blind.overflow, blind.filtered), (11, 34));
    }
}
