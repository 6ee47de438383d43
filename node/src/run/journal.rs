//! What happens in the mesh, as events of the log.
//!
//! The library tells of every change of a member; an operator wants to know who came, who is in doubt and who is gone.
//! So the state that was logged last is kept, a few words a member on record, and what changes nothing of it is for
//! `debug`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use octick::admission::Decision;
use octick::{Credential, MeshEvent, NextEvent, NodeId, Partition, PeerState, Region, Rights};
use tracing::field::display;
use tracing::{debug, error, info, warn};

/// What was told last of a member.
struct Known {
    state: PeerState,
    /// With its name.
    credential: Option<Arc<Credential>>,
}

/// Turns events into lines.
pub(super) struct Journal {
    own: NodeId,
    /// Whether the node was told where to begin: the first node of a mesh is not alone, it is early.
    seeded: bool,
    members: HashMap<NodeId, Known>,
    partitioned: bool,
    /// Whether it was said that the state is not saved.
    unsaved: bool,
}

impl Journal {
    pub(super) fn new(own: NodeId, seeded: bool) -> Self {
        Self { own, seeded, members: HashMap::new(), partitioned: false, unsaved: false }
    }

    /// Logs that the node's state cannot be saved, once, and that it can again.
    pub(super) fn state(&mut self, failure: Option<String>) {
        match failure {
            Some(why) if !self.unsaved => {
                error!(why, "state not saved: writes will be refused within seconds")
            }
            None if self.unsaved => info!("state saved again"),
            same => return drop(same),
        }
        self.unsaved = !self.unsaved;
    }

    /// Logs what is worth it, and what was missed.
    pub(super) fn next(&mut self, next: &NextEvent) {
        match next {
            NextEvent::Event(event) => self.event(event),
            NextEvent::Missed(count) => {
                warn!(count, "more happened in the mesh than could be logged; see: octick members")
            }
        }
    }

    fn event(&mut self, event: &MeshEvent) {
        match event {
            MeshEvent::Member { id, state, region, address, credential } => {
                let known = Known { state: *state, credential: credential.clone() };
                let before = self.members.insert(*id, known).map(|before| before.state);
                self.member(*id, before, *state, *region, *address);
            }
            MeshEvent::Forgotten(id) => {
                debug!(id = %id, name = self.name(*id), "member forgotten");
                self.members.remove(id);
            }
            MeshEvent::SlotsLost { run, to } => warn!(
                first = run.first.0,
                count = run.len,
                to = %to,
                name = self.name(*to),
                "slots belong to another member, whose claim is older: give this node others in [[agents]]"
            ),
            MeshEvent::Conflict { id, other } => error!(
                id = %id,
                name = self.name(*id),
                other = other.map(display),
                "two processes use one key, and the earlier one ends: give each a key of its own"
            ),
            MeshEvent::Superseded { incarnation, at } => error!(
                incarnation = incarnation.0,
                at = at.map(display),
                "another process uses this node's key, and is the later of the two"
            ),
            MeshEvent::Outlived(incarnation) => warn!(
                incarnation = incarnation.0,
                "the mesh remembers a later incarnation of this node, which goes on above it: was its state restored from a copy?"
            ),
            MeshEvent::Partition(partition) => self.partition(*partition),
            MeshEvent::Alone if self.seeded => {
                warn!("no seed answers: this node works alone and keeps trying; see membership.seeds");
            }
            MeshEvent::Alone => {}
            MeshEvent::Convicted(proof) => error!(
                id = %proof.origin(),
                incarnation = proof.place().0.0,
                seq = proof.place().1.0,
                "a member signed two different frames under one number: it is refused and its cells are cleared, until it has a new credential"
            ),
            MeshEvent::Decided(signed) => {
                let name = match signed.decision() {
                    Decision::Revoke { member, .. } => self.name(*member),
                    Decision::Rotate { .. } | Decision::Appoint { .. } | Decision::Dismiss { .. } => None,
                };
                info!(number = signed.number(), name, decision = %signed.decision(), "the mesh's authority decided");
            }
            MeshEvent::AuthorityContradicts(number) => error!(
                number,
                "two decisions of the mesh's authority bear one number: its keys are used twice, and nodes may differ in whom they trust"
            ),
            MeshEvent::Rights(Rights::Full) => info!("this node's credential holds"),
            // That it ends is warned of before, and all the while.
            MeshEvent::Rights(Rights::Grace) => {
                debug!("this node's credential is over and holds a little longer")
            }
            MeshEvent::Rights(Rights::ReadOnly) => {
                error!("this node's credential is over: it reads, and may not write");
            }
            MeshEvent::Rights(Rights::Denied(why)) => {
                error!(why = %why, "this node is no member of its mesh");
            }
            MeshEvent::NotLearnt { id, why } => {
                warn!(id = %id, name = self.name(*id), why = %why, "member not taken as it is");
            }
        }
    }

    /// What the mesh's authority calls a member.
    fn name(&self, id: NodeId) -> Option<&str> {
        let credential = self.members.get(&id)?.credential.as_ref()?;
        Some(&credential.grant().name)
    }

    /// That this node itself is there goes without saying.
    fn member(
        &self,
        id: NodeId,
        before: Option<PeerState>,
        state: PeerState,
        region: Region,
        address: Option<SocketAddr>,
    ) {
        if id == self.own {
            return;
        }
        let name = self.name(id);
        let (region, address) = (region.0, address.map(display));
        match (before, state) {
            (before, after) if before == Some(after) => {
                debug!(id = %id, name, region, address, "member changed")
            }
            (None | Some(PeerState::Left), PeerState::Alive) => {
                info!(id = %id, name, region, address, "member joined");
            }
            (Some(PeerState::Suspected), PeerState::Alive) => {
                info!(id = %id, name, region, address, "member answers again");
            }
            (_, PeerState::Alive) => info!(id = %id, name, region, address, "member is back"),
            (_, PeerState::Suspected) => info!(id = %id, name, region, address, "member suspected"),
            (_, PeerState::Failed) => warn!(id = %id, name, region, address, "member failed"),
            (_, PeerState::Left) => info!(id = %id, name, region, address, "member left"),
        }
    }

    fn partition(&mut self, partition: Partition) {
        match partition {
            Partition::Healthy if self.partitioned => info!("the mesh is whole again"),
            Partition::Healthy => debug!("the mesh is whole"),
            Partition::Joining => debug!("no quorum before this node has joined"),
            Partition::Recovering => info!("enough members for a quorum are reachable again"),
            Partition::Partitioned { reachable, required } => {
                warn!(
                    reachable,
                    required,
                    "partitioned: fewer members are reachable than a quorum takes; those that failed count until they come back or \
                     are made to leave: octick members, octick force-leave"
                );
            }
        }
        self.partitioned = matches!(partition, Partition::Partitioned { .. } | Partition::Recovering);
    }
}
