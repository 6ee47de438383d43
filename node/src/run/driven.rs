//! A demo's node: its agents change all the time, and its parent asks for everything else.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use octick::{Handle, Slot, StateReader};

use super::agents::Agents;
use super::meter::{self, Meter};
use crate::config::{Run, Settings};
use crate::demo::protocol::{Answer, Ask, Digests, Question, Tell};
use crate::failure::Failure;
use crate::report::Sample;

/// Answers questions until it is asked to stop, or its parent is gone.
pub(super) fn run(node: Handle, settings: &Settings, agents: usize, rate: u64) -> Result<ExitCode, Failure> {
    let mut agents = Some(Agents::start(node.writer(), &settings.agents, agents, rate)?);
    let mut meter = Meter::default();
    for line in io::stdin().lock().lines() {
        let Question { number, ask } = serde_json::from_str(&line?)?;
        let tell = match ask {
            Ask::About => Tell::About(meter::about(&node)),
            Ask::Sample => Tell::Sample(Box::new(Sample::from(&meter.read(&node)))),
            Ask::Drain => {
                drop(agents.take());
                Tell::Done
            }
            Ask::Refresh => {
                node.refresh()?;
                Tell::Done
            }
            Ask::Digest => Tell::Digest(digests(&node, settings)?),
            Ask::Stop => break,
        };
        answer(&Answer { number, tell })?;
    }
    drop(agents);
    node.stop()?;
    Ok(ExitCode::SUCCESS)
}

fn answer(answer: &Answer) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(answer)?)?;
    Ok(out.flush()?)
}

fn digests(node: &Handle, settings: &Settings) -> Result<Digests, Failure> {
    let reader = node.reader();
    let own = (node.id(), &settings.agents);
    let others = settings.peers.iter().map(|peer| (peer.key.id(), &peer.runs));
    let origins: BTreeMap<String, String> = std::iter::once(own)
        .chain(others)
        .map(|(id, runs)| (id.to_string(), cells_hash(&reader, runs).to_string()))
        .collect();
    Ok(Digests { tables: node.digest()?.to_string(), origins })
}

/// A hash of the cells in `runs` as readers see them.
fn cells_hash(reader: &StateReader, runs: &[Run]) -> octick::Hash {
    let cells = runs.iter().flat_map(|run| run.first..run.end).map(|slot| reader.cell8(Slot(slot)));
    let words = cells.flat_map(|cell| cell.map_or([0; 2], |cell| [cell.version.0, cell.value]));
    octick::Hash::of(&words.flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
}
