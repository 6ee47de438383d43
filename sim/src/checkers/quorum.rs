//! Do two sides of a cut believe that they have a quorum, at any moment?
//!
//! The world is looked at four times a second. On one side are nodes that reach each other both ways, if only through others
//! ([`Links::sides`](crate::link::Links::sides)); whoever left, crashed or is evil believes nothing. A cut shows itself to nodes
//! by what no longer comes, so they are given [`NOTICE`] from each change of the cuts; a process that was stopped is given as
//! long after it goes on, and one that starts is given nothing: it must not have a quorum before it knows of whom.

use crate::link::End;
use crate::members::MemberNode;
use crate::role::Role;
use crate::world::World;
use crate::{MS, S};

/// How often to look, microseconds.
pub const LOOK: u64 = 250 * MS;
/// How long it may take a node to notice that a third of the mesh is gone, microseconds. Suspicions last up to four probe
/// intervals of 0.7 s for each factor of ten in members, and a node that is answered by few asks up to nine times slower. Of
/// twelve and thirty members in halves the last one was seen to notice within 5 s.
pub const NOTICE: u64 = 20 * S;
/// Faults that are told.
const FAULTS_MAX: usize = 3;

/// Looks, and remembers what it saw.
#[derive(Debug, Default)]
pub struct OneQuorum {
    /// How the cuts stand, and since when.
    sides: Vec<u32>,
    changes: u32,
    since: u64,
    next: u64,
    /// The longest that two sides had a quorum after a cut, microseconds: as long as it took the last node to notice.
    pub noticed_after: u64,
    /// What was seen that must not be.
    pub faults: Vec<String>,
}

impl OneQuorum {
    /// Looks at the world, if it is time.
    pub fn look(&mut self, world: &World<MemberNode>) {
        let now = world.now();
        if self.changes != world.links.changes() {
            let ends = world.hosts.iter().zip(0..).map(|(host, node)| End { node, region: host.region });
            self.sides = world.links.sides(&ends.collect::<Vec<_>>());
            (self.changes, self.since, self.next) = (world.links.changes(), now, now);
        }
        let is_cut = self.sides.iter().any(|side| *side != self.sides[0]);
        if !is_cut || now < self.next {
            return;
        }
        self.next = now + LOOK;
        let believes = |node: &u32| {
            world.hosts[*node as usize].role == Role::Honest
                && world.has_run_for(*node, NOTICE)
                && world.actors[*node as usize].has_quorum()
        };
        let mut believers = (0..self.sides.len() as u32).filter(believes);
        let side = |node: u32| self.sides[node as usize];
        let two =
            believers.next().and_then(|one| Some((one, believers.find(|other| side(*other) != side(one))?)));
        let Some((one, other)) = two else { return };
        if now < self.since + NOTICE {
            self.noticed_after = self.noticed_after.max(now - self.since);
        } else if self.faults.len() < FAULTS_MAX {
            let [one, other] = [one, other].map(|node| {
                let quorum = world.actors[node as usize].control.quorum();
                format!("node {node} ({} of {})", quorum.reachable, quorum.members)
            });
            self.faults
                .push(format!("{one} and {other} had a quorum on two sides of a cut at {} ms", now / MS));
        }
    }
}
