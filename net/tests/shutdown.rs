//! How long a node takes to end in good order: as long as its goodbye takes, not as long as it may.

mod patience;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use octick::{Config, Handle, Identity, Membership, PeerState};
use patience::{PATIENCE, until};

/// The most that a goodbye may take, which once was what every one took.
const GOODBYE_MAX: Duration = Duration::from_millis(300);

fn start(n: u8, seed: Option<SocketAddr>) -> Handle {
    let mut config = Config::new(Identity::from_seed(&[n + 1; 32]), (Ipv4Addr::LOCALHOST, 0).into());
    let mut membership = Membership::default();
    membership.settings.seeds = seed.into_iter().collect();
    config.membership = Some(membership);
    octick::start(config.check().expect("the configuration holds together")).expect("the node starts")
}

fn live(node: &Handle) -> usize {
    node.mesh().expect("it looks after a mesh").live().count()
}

#[test]
fn a_shutdown_ends_once_its_goodbye_is_told_and_everybody_has_heard_it() {
    let seed = start(0, None);
    let address = seed.local_addr();
    let mut stay: Vec<Handle> = (1..4).map(|n| start(n, Some(address))).collect();
    stay.push(seed);
    let mut took = Vec::new();
    for n in 4..8 {
        let leaver = start(n, Some(address));
        until("everybody knows everybody", || stay.iter().chain([&leaver]).all(|node| live(node) == 5));
        leaver.ready(PATIENCE).expect("it has joined");
        let (id, began) = (leaver.id(), Instant::now());
        assert!(leaver.shutdown(PATIENCE).expect("it ran").unsent.is_nothing());
        took.push(began.elapsed());
        let left = |node: &Handle| {
            let mesh = node.mesh().expect("it looks after a mesh");
            mesh.members.iter().any(|member| member.id == id && member.state == PeerState::Left)
        };
        until("everybody has heard its goodbye", || stay.iter().all(left));
    }
    // A machine with other things to do may make some of them slow, but not all.
    assert!(took.iter().min().expect("some left") < &GOODBYE_MAX, "{took:?}");
}
