//! Real processes in one mesh: how long until all know all, until a death is seen, and what rest costs.
//!
//! Every node is a process of its own with its own sockets and threads, on this machine. Times are the wall clock's, as the
//! nodes that saw something read it. Two cores are shared by all of them, so with many nodes these are figures of the
//! machine as much as of the protocol: `docs/membership.md` has the same in virtual time.

mod children;
mod cut;
mod node;
mod options;
mod protocol;
mod start;
mod stops;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use children::{Cluster, Failure, Site};
pub(crate) use node::{Options as NodeOptions, run as run_node};
pub(crate) use options::Options;
use protocol::{Ask, State, Tell};
use start::{ANSWER, MEET, progress, start};

/// How long a death may take to be seen.
const DEATH: Duration = Duration::from_secs(60);
/// Measures, prints, and says whether every bar was held.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    if options.nodes < 4 {
        return Err(format!("--nodes {}: a cluster has at least 4", options.nodes).into());
    }
    let (figures, held) = match (options.stops, options.cut_secs) {
        (Some(rounds), _) => stops::run(options, rounds)?,
        (_, Some(secs)) => cut::run(options, Duration::from_secs(secs))?,
        _ => measure(options)?,
    };
    if options.json {
        println!("{figures:#}");
    } else if let Value::Object(figures) = &figures {
        figures.iter().for_each(|(name, value)| println!("{name:<36} {value}"));
    }
    Ok(held)
}

fn measure(options: &Options) -> Result<(Value, bool), Failure> {
    let nodes = options.nodes;
    let sites = Site::loopback(nodes + 1)?;
    let (mut cluster, met, mut names) = start(&sites[..nodes], options.plain_swim)?;
    let (bytes, control_frames) = counts(&mut cluster)?;
    progress(&format!(
        "all know all after {:.2} s, {} control_frames and {} kB a node; resting",
        met.since_first,
        control_frames / nodes as u64,
        bytes / 1_000 / nodes as u64
    ));
    let mut false_suspicions = listen(&mut cluster, Duration::from_secs(5))?;
    let before = counts(&mut cluster)?;
    let began = Instant::now();
    false_suspicions += listen(&mut cluster, Duration::from_secs(options.idle_secs))?;
    let after = counts(&mut cluster)?;
    let per_node = nodes as f64 * began.elapsed().as_secs_f64();
    let signatures = 64.0 * (after.1 - before.1) as f64 / per_node;
    let bytes = (after.0 - before.0) as f64 / per_node - signatures;

    progress("another node joins");
    let joined = join(&mut cluster, &sites[nodes], &mut names, &mut false_suspicions)?;
    false_suspicions += listen(&mut cluster, Duration::from_secs(2))?;
    let mut deaths = Vec::new();
    for kill in 0..options.kills.min(nodes / 3) {
        // Never the first, which is everybody's seed.
        let victim = 1 + kill * (nodes - 1) / options.kills;
        progress(&format!("killing node {victim}"));
        deaths.push(death(&mut cluster, victim, &names[victim], &mut false_suspicions)?);
    }
    let worst = |pick: fn(&(f64, f64)) -> f64| deaths.iter().map(pick).fold(0.0, f64::max);
    let (first, all) = (worst(|death| death.0), worst(|death| death.1));
    let figures = json!({
        "nodes": nodes,
        "full_membership_s": met.since_first,
        "full_membership_after_last_start_s": met.since_last,
        "join_knows_all_s": joined.knows_all,
        "join_known_by_all_s": joined.known_by_all,
        "kill_first_s": first,
        "kill_all_s": all,
        "idle_bytes_per_s_per_node": bytes,
        "signature_bytes_per_s_per_node": signatures,
        "false_suspicions": false_suspicions,
    });
    let held = all < 5.0 && bytes <= 220.0;
    Ok((figures, held))
}

/// What became of a node that joined, seconds after it began to start.
struct Joined {
    knows_all: f64,
    known_by_all: f64,
}

/// Starts one node more, and waits until it knows all and all know it.
fn join(
    cluster: &mut Cluster,
    site: &Site,
    names: &mut Vec<String>,
    false_suspicions: &mut u64,
) -> Result<Joined, Failure> {
    let (number, began) = (names.len(), Instant::now());
    let (mut missing, mut up, mut knows_all, mut known_by_all) = (number + 1, 0, 0, 0);
    cluster.add(site)?;
    while missing > 0 {
        let Some((of, tell)) = cluster.next(began + MEET)? else {
            return Err(format!("after {MEET:?} {missing} nodes do not know all {}", number + 1).into());
        };
        match tell {
            Tell::Up(name, at) => {
                names.push(name);
                up = at;
            }
            Tell::Live(live, at) if live > number => {
                missing -= 1;
                if of == number {
                    knows_all = at;
                } else {
                    known_by_all = known_by_all.max(at);
                }
            }
            Tell::State(_, State::Suspected, _) => *false_suspicions += 1,
            _ => {}
        }
    }
    let secs = |until: u64| until.saturating_sub(up) as f64 / 1e9;
    Ok(Joined { knows_all: secs(knows_all), known_by_all: secs(known_by_all) })
}

/// Listens for a while. Returns how often a node that is there was suspected.
fn listen(cluster: &mut Cluster, time: Duration) -> Result<u64, Failure> {
    let (until, mut suspicions) = (Instant::now() + time, 0);
    while let Some((_, tell)) = cluster.next(until)? {
        suspicions += u64::from(matches!(tell, Tell::State(_, State::Suspected, _)));
    }
    Ok(suspicions)
}

/// Bytes and control frames that all nodes sent so far.
fn counts(cluster: &mut Cluster) -> Result<(u64, u64), Failure> {
    let mut sum = (0, 0);
    cluster.ask_all(Ask::Counts, ANSWER, |_, tell| {
        let Tell::Counts { bytes, control_frames } = tell else { return false };
        sum = (sum.0 + bytes, sum.1 + control_frames);
        true
    })?;
    Ok(sum)
}

/// Kills a node. Returns after how many seconds the first and the last of the others took it for gone.
fn death(
    cluster: &mut Cluster,
    victim: usize,
    name: &str,
    false_suspicions: &mut u64,
) -> Result<(f64, f64), Failure> {
    let (killed, began) = (node::wall_ns(), Instant::now());
    cluster.kill(victim)?;
    let mut missing: Vec<usize> = cluster.living().collect();
    let mut seen = Vec::new();
    while !missing.is_empty() {
        let Some((number, tell)) = cluster.next(began + DEATH)? else {
            return Err(format!("after {DEATH:?} {} nodes do not miss node {victim}", missing.len()).into());
        };
        match tell {
            Tell::State(of, State::Gone, at) if of == name => {
                missing.retain(|other| *other != number);
                seen.push(at.saturating_sub(killed) as f64 / 1e9);
            }
            Tell::State(of, State::Suspected, _) if of != name => *false_suspicions += 1,
            _ => {}
        }
    }
    let (first, last) = seen.iter().fold((f64::MAX, 0.0), |(a, b), at| (at.min(a), at.max(b)));
    Ok((first, last))
}
