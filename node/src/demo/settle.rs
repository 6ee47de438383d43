//! The end of a demo: agents rest, nodes find what was lost by comparing their tables, and all must come out equal.

use std::time::{Duration, Instant};

use octick_core::counters::Counter;

use super::mesh::{Member, Mesh};
use super::protocol::{Ask, Digests};

/// How long a mesh may take to become quiet and equal.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a datagram may stay in a loopback socket that somebody reads.
const TRANSIT: Duration = Duration::from_millis(120);

/// Hashes of all nodes when it was over; nothing of those that have ended.
pub(super) struct Settled {
    pub(super) digests: Vec<Option<Digests>>,
    pub(super) took: Duration,
}

/// Lets a mesh whose nodes collect changes for `flush` come to rest.
pub(super) fn settle(mesh: &mut Mesh, flush: Duration) -> Settled {
    // Two looks at the counters this far apart that find the same numbers mean that nothing is on its way.
    let apart = 3 * flush + TRANSIT;
    mesh.interrupted = false;
    let began = Instant::now();
    mesh.ask(Ask::Drain);
    loop {
        let quiet = wait_until_quiet(mesh, apart, began + PATIENCE);
        let digests = mesh.ask(Ask::Digest);
        let over = mesh.interrupted || began.elapsed() >= PATIENCE;
        if (quiet && equal(&mesh.members, &digests)) || over {
            return Settled { digests, took: began.elapsed() };
        }
    }
}

/// Whether every node that takes part gave the same hash. One that is silent will not catch up by waiting; the
/// summary names it.
pub(super) fn equal(members: &[Member], digests: &[Option<Digests>]) -> bool {
    let mut living = members.iter().zip(digests).filter(|(member, _)| member.takes_part());
    let Some((_, Some(first))) = living.next() else { return false };
    living.all(|(_, digests)| digests.as_ref().is_some_and(|digests| digests.tables == first.tables))
}

/// Waits until no node merges or makes a frame of cells any more; control frames about members never end.
fn wait_until_quiet(mesh: &mut Mesh, apart: Duration, until: Instant) -> bool {
    let frames = |mesh: &mut Mesh| {
        mesh.ask(Ask::Sample);
        let of = |member: &Member| {
            member.whole.tally.get(Counter::FramesFresh) + member.whole.tally.get(Counter::FramesMade)
        };
        mesh.members.iter().map(of).sum::<u64>()
    };
    let mut before = frames(mesh);
    while Instant::now() < until && !mesh.interrupted {
        mesh.listen(Instant::now() + apart);
        let now = frames(mesh);
        if now == before {
            return true;
        }
        before = now;
    }
    false
}
