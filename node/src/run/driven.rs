//! A demo's node: its agents change all the time, and its parent asks for everything else.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use octick::{Handle, NodeId, Slot, StateReader};

use super::agents::Agents;
use super::meter::{self, Meter};
use super::watch::say_goodbye;
use crate::config::{Run, Settings};
use crate::demo::protocol::{Answer, Ask, Digests, Question, Tell};
use crate::failure::Failure;
use crate::report::Sample;

/// How long a mesh may take to find itself.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(2);

/// Answers questions until it is asked to stop, or its parent is gone.
pub(super) fn run(
    node: Handle,
    settings: &Settings,
    agents: usize,
    rate: u64,
    members: usize,
) -> Result<ExitCode, Failure> {
    for warning in node.warnings() {
        tracing::warn!("{warning}");
    }
    meet(&node, members)?;
    let mut working = None;
    let mut meter = Meter::default();
    for line in io::stdin().lock().lines() {
        let Question { number, ask } = serde_json::from_str(&line?)?;
        let tell = match ask {
            Ask::About => Tell::About(meter::about(&node)),
            Ask::Sample => Tell::Sample(Box::new(Sample::from(&meter.read(&node)))),
            Ask::Begin => {
                working = Some(Agents::start(node.writer(), &settings.agents, agents, rate)?);
                Tell::Done
            }
            Ask::Drain => {
                drop(working.take());
                Tell::Done
            }
            Ask::Digest => Tell::Digest(digests(&node, settings)?),
            Ask::Stop => break,
        };
        answer(&Answer { number, tell })?;
    }
    drop(working);
    say_goodbye(&node);
    node.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until the node knows `members` live members, itself among them: its agents should be heard by all.
fn meet(node: &Handle, members: usize) -> Result<(), Failure> {
    let began = Instant::now();
    while node.mesh().is_ok_and(|mesh| mesh.live().count() < members) {
        if began.elapsed() > PATIENCE {
            let met = node.mesh()?.live().count();
            return Err(Failure::new(format!("met {met} of {members} nodes within {PATIENCE:?}")));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn answer(answer: &Answer) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(answer)?)?;
    Ok(out.flush()?)
}

fn digests(node: &Handle, settings: &Settings) -> Result<Digests, Failure> {
    let reader = node.reader();
    let hash = |id: NodeId, runs: &[Run]| (id.to_string(), cells_hash(&reader, runs).to_string());
    let origins: BTreeMap<String, String> = match node.mesh() {
        Ok(mesh) => mesh.members.iter().map(|member| hash(member.id, &runs(&member.runs))).collect(),
        Err(_) => {
            let own = hash(node.id(), &settings.agents);
            settings.peers.iter().map(|peer| hash(peer.key.id(), &peer.runs)).chain([own]).collect()
        }
    };
    Ok(Digests { tables: node.digest()?.to_string(), origins })
}

fn runs(runs: &[octick::Run]) -> Vec<Run> {
    runs.iter().map(|run| Run { first: run.first.0, end: run.first.0 + run.len }).collect()
}

/// A hash of the cells in `runs` as readers see them.
fn cells_hash(reader: &StateReader, runs: &[Run]) -> octick::Hash {
    let cells = runs.iter().flat_map(|run| run.first..run.end).map(|slot| reader.cell8(Slot(slot)));
    let words = cells.flat_map(|cell| cell.map_or([0; 2], |cell| [cell.version.0, cell.value]));
    octick::Hash::of(&words.flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
}
