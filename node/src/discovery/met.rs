//! Who need not be greeted.

use std::net::SocketAddr;

use octick::{Handle, MeshView};

/// Whether this node or a live member is known to be there.
pub(super) fn is_met(node: &Handle, mesh: &MeshView, address: SocketAddr) -> bool {
    node.local_addr() == address || mesh.live().any(|member| member.address == Some(address))
}
