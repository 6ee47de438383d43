//! What a member update costs, among 100 members and among 100,000.
//!
//! Budget: 300 ns an update without its signature, and at 100,000 members at most twice what it is at 100, which is what
//! memory allows: two cache lines of the record, one of the index. Members come in an order that no prefetcher guesses.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use octick_core::control::id::{Rank, Region};
use octick_core::control::membership::table::Applied;
use octick_core::control::message::announcement::{Announcement, Statement, mesh_key};
use octick_core::control::{Members, PeerState, Random};
use octick_core::crypto::{Identity, NodeId};
use octick_core::stamp::{Incarnation, Version};

/// Updates that one measured pass makes.
const PASS: usize = 65_536;

fn announcement(i: usize) -> Arc<Announcement> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&i.to_le_bytes());
    let identity = Identity::from_seed(&seed);
    let statement = Statement {
        incarnation: Incarnation(1),
        boot: 1,
        version: Version::new(1_700_000_000_000_000, identity.id()),
        capabilities: 0,
        region: Region(0),
        leaves: false,
        addresses: vec!["127.0.0.1:7700".parse().expect("an address")],
        claims: Vec::new(),
        serial: 0,
    };
    Arc::new(Announcement::sign(&identity, &mesh_key("bench"), &statement))
}

fn table(announcements: &[Arc<Announcement>]) -> Members {
    let mut members = Members::new(announcements[0].clone(), announcements.len(), Random::new(1));
    for announcement in announcements {
        members.announce(announcement, 0);
    }
    members
}

fn membership(criterion: &mut Criterion) {
    let all: Vec<_> = (0..100_000).map(announcement).collect();
    let mut group = criterion.benchmark_group("membership");
    group.throughput(Throughput::Elements(PASS as u64));
    for count in [100, 1_000, 10_000, 100_000] {
        let mut members = table(&all[..count]);
        let mut random = Random::new(7);
        // Not this node itself, which nobody else accuses.
        let picked: Vec<&Arc<Announcement>> = (0..PASS).map(|_| &all[1 + random.index(count - 1)]).collect();
        let ids: Vec<NodeId> = picked.iter().map(|announcement| announcement.id()).collect();
        let reports: Vec<(NodeId, Rank)> = picked.iter().map(|said| (said.id(), said.rank())).collect();
        let mut now = 0;
        group.bench_function(BenchmarkId::new("update", count), |bencher| {
            bencher.iter(|| {
                now += 1;
                for &(id, rank) in &reports {
                    // Suspected if alive; alive if suspected: either way the record changes.
                    match members.report(id, rank, PeerState::Suspected, now) {
                        Applied::Old(place) => {
                            black_box(members.clear_suspicion(place, now));
                        }
                        applied => {
                            black_box(applied);
                        }
                    }
                }
            });
        });
        group.bench_function(BenchmarkId::new("old_news", count), |bencher| {
            bencher.iter(|| {
                for id in &ids {
                    black_box(members.find(*id).map(|place| members.get(place).rank()));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, membership);
criterion_main!(benches);
