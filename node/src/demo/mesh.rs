//! All nodes of a demo: who lives, who answers, what they count.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::child::{Event, Node};
use super::plan::Plan;
use super::protocol::{Answer, Ask, Tell};
use crate::failure::Failure;
use crate::report::{About, Reading, Sample};

/// How long nodes may take to start.
const START: Duration = Duration::from_secs(20);
/// How long nodes may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a node may take that did not answer before: it is stopped, perhaps, and may be continued.
const ANSWER_OF_SILENT: Duration = Duration::from_millis(100);

/// The nodes, and everything that they say.
pub(super) struct Mesh {
    pub(super) members: Vec<Member>,
    events: Receiver<Event>,
    /// Set by Ctrl-C, or a signal to the same effect.
    pub(super) interrupted: bool,
    began: Instant,
    /// From the first node's start until every node knew every other.
    pub(super) met: Duration,
    asked: u64,
    /// What all nodes did since the last [`Mesh::take_second`].
    second: Reading,
}

/// What the parent knows of one node.
pub(super) struct Member {
    pub(super) id: String,
    /// What the mesh's authority calls it.
    pub(super) name: String,
    pub(super) about: About,
    node: Node,
    /// How it ended and after how many seconds, if it did.
    pub(super) end: Option<(String, f64)>,
    /// Whether it owes an answer for longer than it may take.
    silent: bool,
    /// Its last words on standard error.
    said: Option<String>,
    /// What it did since its start.
    pub(super) whole: Reading,
}

impl Member {
    pub(super) fn lives(&self) -> bool {
        self.end.is_none()
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.node.pid()
    }

    /// The first digits of its id.
    pub(super) fn short(&self) -> &str {
        &self.id[..8]
    }

    /// Its last words on standard error, if it wrote any.
    pub(super) fn last_words(&self) -> Option<&str> {
        self.said.as_deref().map(|said| said.strip_prefix("octick: ").unwrap_or(said))
    }

    /// Whether it can be reckoned with: it lives and answers.
    pub(super) fn takes_part(&self) -> bool {
        self.lives() && !self.silent
    }
}

impl Mesh {
    /// Starts every node of `plan`, and waits until all run.
    ///
    /// # Errors
    /// The first node's last words that did not start.
    pub(super) fn start(plan: &Plan, agents: u32, rate: u64) -> Result<Self, Failure> {
        let (to_parent, events) = mpsc::channel();
        listen_for_signals(to_parent.clone())?;
        let member = |(i, id): (usize, &String)| {
            Ok(Member {
                id: id.clone(),
                name: plan.name(i),
                about: About::default(),
                node: Node::start(i, &plan.config(i), agents, rate, plan.ids.len(), &to_parent)?,
                end: None,
                silent: false,
                said: None,
                whole: Reading::default(),
            })
        };
        let members = plan.ids.iter().enumerate().map(member).collect::<Result<Vec<_>, Failure>>()?;
        let mut mesh = Self {
            members,
            events,
            interrupted: false,
            began: Instant::now(),
            met: Duration::ZERO,
            asked: 0,
            second: Reading::default(),
        };
        mesh.ask_within(Ask::About, START);
        mesh.met = mesh.began.elapsed();
        mesh.began = Instant::now();
        match mesh.members.iter().enumerate().find(|(_, member)| member.about == About::default()) {
            None => {
                mesh.ask(Ask::Begin);
                Ok(mesh)
            }
            Some((i, member)) => Err(Failure::new(match member.last_words() {
                Some(why) => format!("node {i} did not start: {why}"),
                None => format!(
                    "node {i} did not start within {} s: try fewer --nodes or --agents",
                    START.as_secs()
                ),
            })),
        }
    }

    /// Seconds since all nodes were started.
    pub(super) fn secs(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Number of nodes that live.
    pub(super) fn alive(&self) -> usize {
        self.members.iter().filter(|member| member.lives()).count()
    }

    /// Listens until `until`, or an interrupt.
    pub(super) fn listen(&mut self, until: Instant) {
        while !self.interrupted {
            let Some(event) = self.next(until) else { return };
            self.take(event);
        }
    }

    /// Asks every living node, and waits until each has answered or ended, but not for ever. Returns what each said.
    pub(super) fn ask(&mut self, ask: Ask) -> Vec<Option<Tell>> {
        self.ask_within(ask, ANSWER)
    }

    /// The same with another bound on the wait.
    pub(super) fn ask_within(&mut self, ask: Ask, patience: Duration) -> Vec<Option<Tell>> {
        self.asked += 1;
        let number = self.asked;
        let mut waiting: Vec<bool> = self.members.iter().map(Member::lives).collect();
        for member in self.members.iter_mut().filter(|member| member.lives()) {
            member.node.ask(number, ask);
        }
        let mut answers = vec![None; self.members.len()];
        let began = Instant::now();
        while waiting.contains(&true) {
            let awaited = self.members.iter().zip(&waiting).any(|(member, waits)| *waits && !member.silent);
            let until = began + if awaited { patience } else { ANSWER_OF_SILENT };
            let Some(event) = self.next(until) else { break };
            match &event {
                Event::Answer(i, answer) if answer.number == number => {
                    waiting[*i] = false;
                    answers[*i] = Some(answer.tell.clone());
                }
                Event::Ended(i) => waiting[*i] = false,
                _ => {}
            }
            self.take(event);
        }
        for (member, waits) in self.members.iter_mut().zip(waiting) {
            member.silent = waits;
        }
        answers
    }

    fn next(&self, until: Instant) -> Option<Event> {
        match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("the thread for signals holds a sender"),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Interrupt => self.interrupted = true,
            Event::Said(i, line) => self.members[i].said = Some(line),
            Event::Ended(i) => {
                let secs = self.secs();
                let member = &mut self.members[i];
                member.end.get_or_insert_with(|| (member.node.bury(), secs));
            }
            Event::Answer(i, Answer { tell, .. }) => match tell {
                Tell::About(about) => self.members[i].about = about,
                Tell::Sample(sample) => self.count(i, &sample),
                Tell::Digest(_) | Tell::Origins(_) | Tell::Done => {}
            },
        }
    }

    fn count(&mut self, i: usize, sample: &Sample) {
        let reading = Reading::from(sample);
        self.members[i].whole.add(&reading);
        self.second.add(&reading);
    }

    /// What all nodes did since the last call.
    pub(super) fn take_second(&mut self) -> Reading {
        std::mem::take(&mut self.second)
    }

    /// Stops every node that lives, and waits for the end of each that answers; the others are killed with the mesh.
    pub(super) fn stop(&mut self) {
        let until = Instant::now() + ANSWER;
        for member in self.members.iter_mut().filter(|member| member.lives()) {
            member.node.ask(0, Ask::Stop);
        }
        while self.members.iter().any(Member::takes_part) {
            let Some(event) = self.next(until) else { return };
            self.take(event);
        }
    }
}

fn listen_for_signals(to_parent: Sender<Event>) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            if to_parent.send(Event::Interrupt).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
