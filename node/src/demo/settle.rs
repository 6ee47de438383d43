//! The end of a demo: agents rest, nodes find what was lost by comparing their tables, and all must come out equal.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use octick_core::counters::Counter;

use super::mesh::{Member, Mesh};
use super::plan::Pace;
use super::protocol::{Ask, Tell};

/// How long a mesh may take to become quiet and equal, besides the work of hashing its tables.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a node may take to hash its tables, besides that work.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a datagram may stay in a loopback socket that somebody reads.
const TRANSIT: Duration = Duration::from_millis(120);

/// Hashes of all nodes when it was over; nothing of those that have ended or did not answer.
pub(super) struct Settled {
    /// Of all tables.
    pub(super) digests: Vec<Option<String>>,
    /// Of the cells of each origin, by its id; asked only if the tables differ.
    pub(super) origins: Vec<Option<BTreeMap<String, String>>>,
    pub(super) took: Duration,
}

/// Lets a mesh come to rest.
pub(super) fn settle(mesh: &mut Mesh, pace: Pace) -> Settled {
    // Two looks at the counters this far apart that find the same numbers mean that nothing is on its way.
    let apart = 3 * pace.flush + TRANSIT;
    let (patience, answer) = (PATIENCE + 2 * pace.hashing, ANSWER + pace.hashing);
    mesh.interrupted = false;
    let began = Instant::now();
    mesh.ask(Ask::Drain);
    let digests = loop {
        let quiet = wait_until_quiet(mesh, apart, began + patience);
        let digests = digests(mesh, answer);
        let over = mesh.interrupted || began.elapsed() >= patience;
        if (quiet && equal(&mesh.members, &digests)) || over {
            break digests;
        }
    };
    let took = began.elapsed();
    let mut tables = digests.iter().flatten();
    let differ = tables.next().is_some_and(|first| tables.any(|other| other != first));
    let origins = if differ { origins(mesh, answer) } else { vec![None; digests.len()] };
    Settled { digests, origins, took }
}

fn digests(mesh: &mut Mesh, patience: Duration) -> Vec<Option<String>> {
    let digest = |tell| if let Tell::Digest(digest) = tell { Some(digest) } else { None };
    mesh.ask_within(Ask::Digest, patience).into_iter().map(|tell| tell.and_then(digest)).collect()
}

fn origins(mesh: &mut Mesh, patience: Duration) -> Vec<Option<BTreeMap<String, String>>> {
    let origins = |tell| if let Tell::Origins(origins) = tell { Some(origins) } else { None };
    mesh.ask_within(Ask::Origins, patience).into_iter().map(|tell| tell.and_then(origins)).collect()
}

/// Whether every node that takes part gave the same hash. One that is silent will not catch up by waiting; the
/// verdict names it.
fn equal(members: &[Member], digests: &[Option<String>]) -> bool {
    let mut living = members.iter().zip(digests).filter(|(member, _)| member.takes_part());
    let Some((_, Some(first))) = living.next() else { return false };
    living.all(|(_, digest)| digest.as_ref() == Some(first))
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
