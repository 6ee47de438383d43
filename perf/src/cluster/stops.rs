//! Half of the nodes stand still for three seconds, again and again: nobody should be given up for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::children::{Cluster, Failure, Site};
use super::options::Options;
use super::protocol::{Ask, State, Tell};
use super::start::{ANSWER, progress, start};

/// How long they stand still, and how long a round goes on after that.
const STILL: Duration = Duration::from_secs(3);
const AFTER: Duration = Duration::from_secs(4);

pub(super) fn run(options: &Options, rounds: u32) -> Result<(Value, bool), Failure> {
    let nodes = options.nodes;
    let (mut cluster, ..) = start(&Site::loopback(nodes)?, options.plain_swim)?;
    let (mut suspicions, mut deaths, mut at_ends) = (0, 0, Vec::new());
    for round in 0..rounds {
        // The odd ones, then the even ones.
        let half: Vec<usize> = (0..nodes).filter(|number| (number + round as usize) % 2 == 1).collect();
        half.iter().try_for_each(|number| cluster.signal(*number, libc::SIGSTOP))?;
        let mut said = listen(&mut cluster, STILL)?;
        half.iter().try_for_each(|number| cluster.signal(*number, libc::SIGCONT))?;
        let after = listen(&mut cluster, AFTER)?;
        said = (said.0 + after.0, said.1 + after.1);
        let missed = missed(&mut cluster, nodes)?;
        progress(&format!(
            "round {}: suspected {} times, given up {} times, {missed} beliefs at its end that somebody is gone",
            round + 1,
            said.0,
            said.1
        ));
        suspicions += said.0;
        deaths += said.1;
        at_ends.push(missed);
    }
    let worst = at_ends.iter().max().copied().unwrap_or(0);
    let figures = json!({
        "nodes": nodes,
        "rounds": rounds,
        "lifeguard": !options.plain_swim,
        "false_suspicions": suspicions,
        "false_deaths_within_rounds": deaths,
        "false_deaths_at_worst_end_of_round": worst,
    });
    Ok((figures, worst == 0 || options.plain_swim))
}

/// Listens for a while. Returns how often somebody was suspected, and given up.
fn listen(cluster: &mut Cluster, time: Duration) -> Result<(u64, u64), Failure> {
    let (until, mut said) = (Instant::now() + time, (0, 0));
    while let Some((_, tell)) = cluster.next(until)? {
        said.0 += u64::from(matches!(tell, Tell::State(_, State::Suspected, _)));
        said.1 += u64::from(matches!(tell, Tell::State(_, State::Gone, _)));
    }
    Ok(said)
}

/// How many beliefs there are that a node is gone.
fn missed(cluster: &mut Cluster, nodes: usize) -> Result<usize, Failure> {
    let mut missed = 0;
    cluster.ask_all(Ask::View, ANSWER, |_, tell| {
        let Tell::View { live, .. } = tell else { return false };
        missed += nodes - live.len();
        true
    })?;
    Ok(missed)
}
