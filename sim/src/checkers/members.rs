//! Do members know each other, as far as they run?

use crate::members::MemberNode;
use crate::world::World;

/// Pairs of running, honest nodes of one region, (who does not know whom), and beliefs in such as do not run.
pub fn disagreements(world: &World<MemberNode>) -> u64 {
    let honest: Vec<u32> = world.honest().collect();
    honest.iter().map(|node| wrong_beliefs(world, *node)).sum()
}

/// Share of the running, honest members of its region that a node knows.
pub fn coverage(world: &World<MemberNode>, node: u32) -> f64 {
    let there = there(world, node);
    let expected = (0..world.hosts.len() as u32).filter(|other| there(*other)).count();
    let known = world.actors[node as usize].live_members().filter(|other| there(*other)).count();
    if expected == 0 { 1.0 } else { known as f64 / expected as f64 }
}

fn wrong_beliefs(world: &World<MemberNode>, node: u32) -> u64 {
    let there = there(world, node);
    let expected = (0..world.hosts.len() as u32).filter(|other| there(*other)).count();
    let (mut known, mut wrong) = (0, 0);
    for other in world.actors[node as usize].live_members() {
        known += usize::from(there(other));
        wrong += u64::from(world.hosts[other as usize].down);
    }
    (expected - known) as u64 + wrong
}

/// Whether another node is one that `node` should know.
fn there(world: &World<MemberNode>, node: u32) -> impl Fn(u32) -> bool + '_ {
    let region = world.hosts[node as usize].region;
    move |other| {
        let host = &world.hosts[other as usize];
        other != node && !host.down && host.region == region && host.role == crate::role::Role::Honest
    }
}
