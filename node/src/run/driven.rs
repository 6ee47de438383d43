//! A demo's node: its agents change all the time, and its parent asks for everything else.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use octick::{Handle, NodeId, Slot, StateReader};

use super::agents::Agents;
use super::meter::{self, Meter};
use super::watch::end;
use crate::admin::Admin;
use crate::config::{Run, Settings};
use crate::demo::protocol::{Answer, Ask, Question, Tell};
use crate::failure::Failure;
use crate::report::Sample;

/// How long a mesh may take to find itself.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(2);
/// Between two looks at whether somebody asked the node to leave.
const LEAVE_LOOK: Duration = Duration::from_millis(100);

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
    let node = Arc::new(node);
    let admin = settings.admin.enabled.then(|| Admin::start(settings, node.clone()));
    let admin = admin.transpose()?;
    let questions = questions()?;
    let mut working = None;
    let mut meter = Meter::default();
    loop {
        let Question { number, ask } = match questions.recv_timeout(LEAVE_LOOK) {
            Ok(question) => question?,
            Err(RecvTimeoutError::Timeout) if admin.as_ref().is_some_and(Admin::asked_to_leave) => break,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let tell = match ask {
            Ask::About => Tell::About(meter::about(&node)),
            Ask::Sample => Tell::Sample(Box::new(Sample::from(&meter.read(&node)))),
            Ask::Begin => {
                working = Some(Agents::start(node.writer(), &runs(node.runs()), agents, rate)?);
                Tell::Done
            }
            Ask::Drain => {
                drop(working.take());
                Tell::Done
            }
            Ask::Digest => Tell::Digest(node.digest()?.to_string()),
            Ask::Origins => Tell::Origins(origins(&node, settings)),
            Ask::Stop => break,
        };
        answer(&Answer { number, tell })?;
    }
    drop(working);
    drop(admin);
    end(node, true)?;
    // The last node of a demo whose parent was killed leaves no directory behind.
    if let Some(directory) = settings.admin.socket.parent() {
        drop(std::fs::remove_dir(directory));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the parent asks, read on a thread of its own; the end of standard input ends it.
fn questions() -> Result<Receiver<Result<Question, Failure>>, Failure> {
    let (read, questions) = mpsc::channel();
    std::thread::Builder::new().name("questions".into()).spawn(move || {
        for line in io::stdin().lock().lines() {
            let question = line.map_err(Failure::from).and_then(|line| Ok(serde_json::from_str(&line)?));
            if read.send(question).is_err() {
                return;
            }
        }
    })?;
    Ok(questions)
}

/// Waits until the node knows `members` live members, itself among them: its agents should be heard by all.
fn meet(node: &Handle, members: usize) -> Result<(), Failure> {
    let began = Instant::now();
    while node.mesh().is_ok_and(|mesh| mesh.live().count() < members) {
        if began.elapsed() > PATIENCE {
            let (met, patience) = (node.mesh()?.live().count(), PATIENCE.as_secs());
            return Err(Failure::new(format!("met {met} of {members} nodes within {patience} s")));
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

/// A hash of the cells of each origin, by its id.
fn origins(node: &Handle, settings: &Settings) -> BTreeMap<String, String> {
    let reader = node.reader();
    let hash = |id: NodeId, runs: &[Run]| (id.to_string(), cells_hash(&reader, runs).to_string());
    match node.mesh() {
        Ok(mesh) => mesh.members.iter().map(|member| hash(member.id, &runs(&member.runs))).collect(),
        Err(_) => {
            let own = hash(node.id(), &runs(node.runs()));
            settings.peers.iter().map(|peer| hash(peer.key.id(), &peer.runs)).chain([own]).collect()
        }
    }
}

fn runs(runs: &[octick::Run]) -> Vec<Run> {
    runs.iter().map(|run| Run { first: run.first.0, end: run.first.0 + run.len }).collect()
}

/// A hash of the cells in `runs` as readers see them.
fn cells_hash(reader: &StateReader, runs: &[Run]) -> octick::Hash {
    let slots = runs.iter().map(|run| (run.end - run.first) as usize).sum::<usize>();
    let mut bytes = Vec::with_capacity(16 * slots);
    for slot in runs.iter().flat_map(|run| run.first..run.end) {
        let words = reader.cell8(Slot(slot)).map_or([0; 2], |cell| [cell.version.0, cell.value]);
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    }
    octick::Hash::of(&bytes)
}
