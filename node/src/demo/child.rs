//! One node of a demo: a process, its answers, and its end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use super::protocol::{Answer, Ask, Question};
use crate::failure::Failure;

/// What reaches the parent, from all nodes in one queue.
#[derive(Debug)]
pub(super) enum Event {
    /// Node `.0` answered.
    Answer(usize, Answer),
    /// Node `.0` wrote a line that is no answer, on either output.
    Said(usize, String),
    /// Node `.0` closed its output: it has ended.
    Ended(usize),
    /// The user wants the demo to end.
    Interrupt,
}

/// A running node.
pub(super) struct Node {
    process: Child,
    /// Closed, it tells the node to stop.
    questions: Option<ChildStdin>,
}

impl Node {
    /// Starts this very binary as node `i`, in a process group of its own: a Ctrl-C is the parent's to handle.
    pub(super) fn start(
        i: usize,
        config: &Path,
        agents: u32,
        rate: u64,
        members: usize,
        events: &Sender<Event>,
    ) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["run", "--driven", &agents.to_string(), "--rate", &rate.to_string()])
            .args(["--members", &members.to_string(), "--config"])
            .arg(config)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (answers, errors) = (process.stdout.take(), process.stderr.take());
        let questions = process.stdin.take();
        let (out, err) = (answers.expect("it is piped"), errors.expect("it is piped"));
        let (to_parent, of_errors) = (events.clone(), events.clone());
        thread::Builder::new().name(format!("node {i} says")).spawn(move || {
            // The parent listens as long as any node runs; a failure to send means that nobody cares any more.
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                drop(of_errors.send(Event::Said(i, line)));
            }
        })?;
        thread::Builder::new().name(format!("node {i} answers")).spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line)
                    .map_or_else(|_| Event::Said(i, line), |a| Event::Answer(i, a));
                drop(to_parent.send(event));
            }
            drop(to_parent.send(Event::Ended(i)));
        })?;
        Ok(Self { process, questions })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks; a node that has ended hears nothing, which its end will tell.
    pub(super) fn ask(&mut self, number: u64, ask: Ask) {
        let question = serde_json::to_string(&Question { number, ask }).expect("a question is plain data");
        if let Some(questions) = &mut self.questions {
            drop(writeln!(questions, "{question}"));
        }
    }

    /// Waits for a process that has closed its output, and says how it ended.
    pub(super) fn bury(&mut self) -> String {
        drop(self.questions.take());
        self.process.wait().map_or_else(|error| error.to_string(), how_it_ended)
    }
}

impl Drop for Node {
    /// Only a demo that fails drops running nodes; they get no time to finish.
    fn drop(&mut self) {
        drop(self.questions.take());
        // Both fail for a process that was buried, and then there is nothing left to do.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "stopped".into(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (_, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".into(),
    }
}
