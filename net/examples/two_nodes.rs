//! Two nodes on loopback: what an agent writes on one is read on the other, signed and verified on the way.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use octick::{Config, Counter, Identity, Next, Peer, Run, Slot, Update};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each node must know the other's address before it starts.
    let here: SocketAddr = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let there: SocketAddr = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let (alice, bob) = (Identity::generate()?, Identity::generate()?);
    let alice_runs = vec![Run { first: Slot(0), len: 1_008 }];
    let as_peer =
        Peer { key: alice.public().clone(), addr: Some(here), runs: alice_runs.clone(), revoked: false };

    let mut config = Config::new(alice, here);
    config.runs = alice_runs;
    config.peers = vec![Peer { key: bob.public().clone(), addr: Some(there), runs: vec![], revoked: false }];
    let alice = octick::start(config.check()?)?;
    let mut config = Config::new(bob, there);
    config.peers = vec![as_peer];
    let bob = octick::start(config.check()?)?;

    let mut changes = bob.subscribe();
    let writer = alice.writer();
    let began = Instant::now();
    for slot in 0..1_000 {
        writer.write(Update::Cell8(Slot(slot), u64::from(slot) * 10))?;
    }
    // A change covers up to eight neighbouring cells; what was missed would be told as a gap.
    let mut cells = 0;
    while cells < 1_000 {
        match changes.recv(Duration::from_secs(5))? {
            Next::Change(change) => cells += change.slots().count(),
            Next::Missed(missed) => return Err(format!("missed {} changes", missed.count).into()),
        }
    }
    println!("1,000 cells from {} to {} in {:?}", alice.id().short(), bob.id().short(), began.elapsed());
    assert_eq!(alice.digest()?, bob.digest()?);
    let stats = bob.stop()?;
    println!(
        "{} frames, {} signatures checked, {} cells merged",
        stats.tally.get(Counter::FramesIn),
        stats.tally.get(Counter::Signatures),
        stats.tally.get(Counter::CellsWon),
    );
    Ok(())
}
