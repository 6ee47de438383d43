//! From what a request names to what it means: a member by its name or the first digits of its id, a node by its address.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

use axum::http::StatusCode;
use octick::socket::bounds;
use octick::{Handle, MemberView, MeshView};

use super::refusal::Refusal;
use super::view;

/// Members that an error names at most.
const CANDIDATES: usize = 8;
/// Digits of an id that name a member at least: a slip of the finger names nobody.
const DIGITS_MIN: usize = 4;

/// The one member that `name` means: the name that the mesh's authority gave it, its id, or as many first digits of that as tell it
/// from others. A name counts before digits.
pub(super) fn member<'a>(mesh: &'a MeshView, name: &str) -> Result<&'a MemberView, Refusal> {
    if let Some(member) = mesh.member_named(name) {
        return Ok(member);
    }
    let wanted = name.to_ascii_lowercase();
    if wanted.is_empty() || wanted.len() > 32 || !wanted.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        if octick::admission::grant::is_name(name) {
            return Err(unknown(mesh, name));
        }
        let message = format!("\"{name}\" is no member's name");
        let help = "give a member's name, its id, 32 hex digits, or the first of them; see: octick members";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_name", message, help));
    }
    if wanted.len() < DIGITS_MIN {
        let message = format!("\"{name}\" could be the beginning of many ids");
        let help = format!("give {DIGITS_MIN} digits or more; see: octick members");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_name", message, help));
    }
    let meant: Vec<_> =
        mesh.members.iter().filter(|member| member.id.to_string().starts_with(&wanted)).collect();
    match meant[..] {
        [member] => Ok(member),
        [] => Err(unknown(mesh, name)),
        _ => {
            let message = format!("{name} may be {} members", meant.len());
            let help = "give more digits";
            Err(Refusal::new(StatusCode::CONFLICT, "ambiguous", message, help)
                .with_candidates(named(meant.into_iter())))
        }
    }
}

/// Nobody goes by that name; those with the most digits in common come first.
pub(super) fn unknown(mesh: &MeshView, name: &str) -> Refusal {
    let wanted = name.to_ascii_lowercase();
    let common =
        |id: String| id.bytes().zip(wanted.bytes()).take_while(|(digit, wanted)| digit == wanted).count();
    let mut near: Vec<_> = mesh.members.iter().filter(|member| !member.this_node).collect();
    near.sort_by_key(|member| (std::cmp::Reverse(common(member.id.to_string())), member.id.to_string()));
    let message = format!("no member goes by {name}");
    Refusal::new(StatusCode::NOT_FOUND, "unknown_member", message, "see who there is: octick members")
        .with_candidates(named(near.into_iter()))
}

fn named<'a>(members: impl Iterator<Item = &'a MemberView>) -> Vec<String> {
    let name = |member: &MemberView| {
        let name = member.name().map(|name| format!("{name} ")).unwrap_or_default();
        format!("{name}{} ({})", member.id, view::State::from(member.state).name())
    };
    members.take(CANDIDATES).map(name).collect()
}

/// The first address of a name that this node's socket can send to.
pub(super) fn address(address: &str, listen: SocketAddr) -> Result<SocketAddr, Refusal> {
    let refuse = |why: String| {
        let help = "give the address that a member listens on, host:port";
        Refusal::new(StatusCode::BAD_REQUEST, "bad_address", format!("address \"{address}\": {why}"), help)
    };
    let found: Vec<SocketAddr> =
        address.to_socket_addrs().map_err(|error| refuse(error.to_string()))?.collect();
    let usable = |to: &&SocketAddr| bounds::reaches(listen, **to) && to.port() != 0;
    let to = found.iter().find(usable).copied();
    to.ok_or_else(|| refuse(format!("no address of it can be reached from {listen}")))
}

/// Whether `address` is where `node` itself receives.
pub(super) fn is_own(node: &Handle, mesh: &MeshView, address: SocketAddr) -> bool {
    let listen = node.local_addr();
    let announced = mesh.members.iter().any(|member| member.this_node && member.address == Some(address));
    let any = listen.ip().is_unspecified() && listen.port() == address.port();
    announced || listen == address || (any && is_of_this_machine(address.ip()))
}

/// An address of this machine can be bound to.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}
