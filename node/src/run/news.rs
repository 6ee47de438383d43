//! What a node found out about its mesh, as lines for people and for programs.

use octick::{MeshEvent, Partition};
use serde_json::{Value, json};

use crate::admin::view::{State, Status};

/// A line for people.
pub(super) fn line(event: &MeshEvent) -> String {
    match event {
        MeshEvent::Member { id, state, address, .. } => {
            let at = address.map_or_else(String::new, |address| format!(" at {address}"));
            format!("member {} is {}{at}", id.short(), State::from(*state).name())
        }
        MeshEvent::Forgotten(id) => format!("member {} is forgotten", id.short()),
        MeshEvent::SlotsLost { run, to } => {
            let (first, end) = (run.first.0, run.first.0 + run.len);
            format!("slots {first}..{end} belong to {}, which claimed them before", to.short())
        }
        MeshEvent::Conflict { id, other } => {
            let at = other.map_or_else(String::new, |other| format!(", one of them at {other}"));
            format!("TWO PROCESSES use the key of {}{at}: give one of them a key of its own", id.short())
        }
        MeshEvent::Outlived(incarnation) => {
            format!("the mesh remembers incarnation {} of this node: start it again", incarnation.0)
        }
        MeshEvent::Partition(Partition::Healthy) => "the mesh is whole".into(),
        MeshEvent::Partition(Partition::Recovering) => "enough members are reachable again".into(),
        MeshEvent::Partition(Partition::Partitioned { reachable, required }) => {
            format!("CUT OFF: {reachable} members are reachable, {required} are required for a quorum")
        }
        MeshEvent::Alone => {
            "no seed answers: this node works alone, and keeps trying; see membership.seeds".into()
        }
        other => format!("{other:?}"),
    }
}

/// An object for programs.
pub(super) fn object(event: &MeshEvent) -> Value {
    match event {
        MeshEvent::Member { id, state, region, address } => json!({
            "event": "member",
            "id": id.to_string(),
            "state": State::from(*state),
            "region": region.0,
            "address": address.map(|address| address.to_string()),
        }),
        MeshEvent::Forgotten(id) => json!({ "event": "forgotten", "id": id.to_string() }),
        MeshEvent::SlotsLost { run, to } => json!({
            "event": "slots_lost",
            "first": run.first.0,
            "count": run.len,
            "to": to.to_string(),
        }),
        MeshEvent::Conflict { id, other } => json!({
            "event": "conflict",
            "id": id.to_string(),
            "other": other.map(|other| other.to_string()),
        }),
        MeshEvent::Outlived(incarnation) => json!({ "event": "outlived", "incarnation": incarnation.0 }),
        MeshEvent::Partition(partition) => {
            json!({ "event": "partition", "partition": Status::from(*partition) })
        }
        MeshEvent::Alone => json!({ "event": "alone" }),
        other => json!({ "event": "other", "text": format!("{other:?}") }),
    }
}
