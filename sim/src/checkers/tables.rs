//! Do engines hold the same cells, and do they hold what was written?

use crate::engines::{CELLS, Common, EngineNode};
use crate::world::World;

/// (node, cell) pairs of honest nodes and running, honest origins where the node has not what the origin has.
pub fn differences(world: &World<EngineNode>, common: &Common) -> u64 {
    let honest: Vec<u32> = world.honest().filter(|node| common.is_honest(*node)).collect();
    let mut differing = 0;
    for origin in &honest {
        let truth = world.actors[*origin as usize].cells(*origin);
        for node in &honest {
            let cells = world.actors[*node as usize].cells(*origin);
            // A refresh gives an old value a new version, which may be on its way: values are what has to be equal.
            differing += (0..CELLS).filter(|cell| cells.values[*cell] != truth.values[*cell]).count() as u64;
        }
    }
    differing
}
