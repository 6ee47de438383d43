//! A mesh whose authority says who belongs: real sockets, credentials, a revocation.

mod patience;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use octick::admission::endorsement::authority_key;
use octick::admission::grant::{ANY_REGION, WRITE_CELLS};
use octick::admission::{Decision, Grant, SignedDecision};
use octick::{
    Admission, Appended, Authority, AuthorityLog, Config, Credential, Handle, Identity, Layout, Membership,
    PeerState, Refusal, RenewError, Run, Slot, Update,
};
use patience::until;

fn identity(n: usize) -> Identity {
    Identity::from_seed(&[n as u8 + 1; 32])
}

fn authority() -> Identity {
    Identity::from_seed(&[200; 32])
}

fn run(n: usize) -> Run {
    Run { first: Slot(64 * n as u32), len: 64 }
}

fn log(mesh: &str) -> AuthorityLog {
    let root = Authority::new(vec![authority().public().clone()], 1).expect("one key");
    AuthorityLog::new(authority_key(mesh), root)
}

fn credential(n: usize, serial: u64, mesh: &str) -> Credential {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as u32;
    let grant = Grant {
        serial,
        member: identity(n).id(),
        from: now - 60,
        until: now + 3_600,
        grace: 60,
        region: ANY_REGION,
        roles: 0,
        rights: WRITE_CELLS,
        name: format!("node-{n}"),
        runs: vec![run(n)],
    };
    Credential::issue(&grant, &authority_key(mesh), &[&authority()]).expect("a sound grant")
}

/// Node `n`; without a credential it takes the mesh for open.
fn config(n: usize, seed: Option<SocketAddr>, admitted: bool) -> Config {
    let mut config = Config::new(identity(n), (Ipv4Addr::LOCALHOST, 0).into());
    config.layout = Layout { slots: 4_096, cells8: true, cells4: false, rows: false };
    config.runs = vec![run(n)];
    let mut membership = Membership::default();
    membership.settings.seeds = seed.into_iter().collect();
    if admitted {
        membership.admission = Admission::issued(log(&config.mesh));
        membership.credential = Some(credential(n, 1 + n as u64, &config.mesh).into());
    }
    config.membership = Some(membership);
    config
}

fn start(config: Config) -> Handle {
    octick::start(config.check().expect("it holds together")).expect("it starts")
}

fn live(node: &Handle) -> usize {
    node.mesh().expect("it looks after a mesh").live().count()
}

fn knows(node: &Handle, of: usize) -> bool {
    let view = node.mesh().expect("it looks after a mesh");
    view.members.iter().any(|member| member.id == identity(of).id() && member.state == PeerState::Alive)
}

fn value(node: &Handle, n: usize) -> u64 {
    node.reader().cell8(run(n).first).map_or(0, |cell| cell.value)
}

#[test]
fn who_has_a_credential_belongs_until_it_is_revoked_and_nobody_else_does() {
    let seed = start(config(0, None, true));
    let address = seed.local_addr();
    let mut nodes = vec![seed];
    nodes.extend((1..4).map(|n| start(config(n, Some(address), true))));
    let stranger = start(config(9, Some(address), false));
    until("the members know each other", || nodes.iter().all(|node| live(node) == 4));
    for (n, node) in nodes.iter().enumerate() {
        node.writer().write(Update::Cell8(run(n).first, 100 + n as u64)).expect("its own cell");
    }
    until("every cell is everywhere", || {
        nodes.iter().all(|node| (0..4).all(|n| value(node, n) == 100 + n as u64))
    });
    stranger.writer().write(Update::Cell8(run(9).first, 7)).expect("its own cell, in its own eyes");
    until("the stranger was refused", || nodes[0].tally().refused(Refusal::NoCredential) > 0);
    assert!(nodes.iter().all(|node| !knows(node, 9) && value(node, 9) == 0));

    // Whom the authority revokes is gone everywhere, and what it writes counts nowhere.
    let mesh = config(0, None, true).mesh;
    let decision = Decision::Revoke { member: identity(3).id(), serial: 4 };
    let forged = SignedDecision::sign(1, &decision, &authority_key(&mesh), &[&identity(2)]);
    assert_eq!(nodes[1].decide(forged), Ok(Appended::Unsigned));
    let signed = SignedDecision::sign(1, &decision, &authority_key(&mesh), &[&authority()]);
    assert_eq!(nodes[1].decide(signed), Ok(Appended::New));
    until("everybody but itself has dropped it", || nodes[..3].iter().all(|node| !knows(node, 3)));
    let before = value(&nodes[0], 3);
    let _ = nodes[3].writer().write(Update::Cell8(run(3).first, 999));
    nodes[0].writer().write(Update::Cell8(run(0).first, 500)).expect("its own cell");
    until("the others go on", || nodes[..3].iter().all(|node| value(node, 0) == 500));
    assert_eq!(value(&nodes[0], 3), before);

    // The authority lets it in again.
    nodes[3].renew(credential(3, 90, &mesh)).expect("its own");
    until("it is back", || nodes[..3].iter().all(|node| knows(node, 3)));
    let others = nodes[3].renew(credential(2, 91, &mesh));
    assert_eq!(others, Err(RenewError::Others(identity(2).id())));
}

#[test]
fn a_credential_that_does_not_fit_the_node_is_refused_before_it_starts() {
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = config(1, None, true);
        change(&mut config);
        config.check().map(drop).unwrap_err().to_string()
    };
    let membership = |config: &mut Config| config.membership.take().expect("it has one");
    let none = refused(&|config| {
        config.membership = Some(Membership { credential: None, ..membership(config) });
    });
    assert!(none.contains("the mesh asks for a credential"), "{none}");
    let others = refused(&|config| {
        let credential = Some(credential(2, 3, &config.mesh).into());
        config.membership = Some(Membership { credential, ..membership(config) });
    });
    assert!(others.contains("is that of"), "{others}");
    let beyond = refused(&|config| config.runs = vec![run(2)]);
    assert!(beyond.contains("slots 128+64 are not among those"), "{beyond}");
}
