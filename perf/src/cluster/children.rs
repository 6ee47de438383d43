//! The processes of a cluster: started, asked, stopped, killed, and ended with it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::protocol::{Ask, Tell};

/// Why a cluster cannot be measured.
pub(super) type Failure = Box<dyn std::error::Error>;

/// Where a node runs and receives.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) listen: SocketAddr,
    /// The network namespace; the parent's own where there is none.
    pub(super) namespace: Option<String>,
}

impl Site {
    /// So many free ports of loopback.
    pub(super) fn loopback(count: usize) -> Result<Vec<Self>, Failure> {
        let bind = |_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        // All are held until the last is found.
        let sockets = (0..count).map(bind).collect::<Result<Vec<_>, _>>()?;
        let site = |socket: &UdpSocket| Ok(Self { listen: socket.local_addr()?, namespace: None });
        sockets.iter().map(site).collect()
    }
}

/// A node's process.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lives: bool,
}

/// All of them.
pub(super) struct Cluster {
    processes: Vec<Process>,
    told: Receiver<(usize, Option<Tell>)>,
    tells: Sender<(usize, Option<Tell>)>,
    seed: SocketAddr,
    nodes: usize,
    plain_swim: bool,
}

impl Cluster {
    /// Starts a node at each of `sites`, one right after the other; all others have the first for their seed.
    pub(super) fn start(sites: &[Site], plain_swim: bool) -> Result<Self, Failure> {
        let (tells, told) = mpsc::channel();
        let (nodes, seed) = (sites.len(), sites[0].listen);
        let mut cluster = Self { processes: Vec::new(), told, tells, seed, nodes, plain_swim };
        sites.iter().try_for_each(|site| cluster.add(site))?;
        Ok(cluster)
    }

    /// Starts another node.
    pub(super) fn add(&mut self, site: &Site) -> Result<(), Failure> {
        let number = self.processes.len();
        let seed = (number > 0).then_some(self.seed);
        let process = Process::start(number, self.nodes, site, seed, self.plain_swim, &self.tells)?;
        self.processes.push(process);
        Ok(())
    }

    /// The next that any node says, with its number, unless nothing comes by then.
    ///
    /// # Errors
    /// A node has ended by itself.
    pub(super) fn next(&mut self, until: Instant) -> Result<Option<(usize, Tell)>, Failure> {
        loop {
            let patience = until.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(patience) {
                Ok((number, Some(tell))) => return Ok(Some((number, tell))),
                Ok((number, None)) if self.processes[number].lives => {
                    return Err(format!("node {number} has ended by itself").into());
                }
                Ok(_) => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// Asks node `number`.
    pub(super) fn ask(&mut self, number: usize, ask: Ask) -> Result<(), Failure> {
        if let Some(stdin) = self.processes[number].stdin.as_mut() {
            writeln!(stdin, "{}", serde_json::to_string(&ask)?)?;
        }
        Ok(())
    }

    /// Asks all nodes that live, and gives what they say meanwhile to `heed`, until it has said `true` once for each.
    pub(super) fn ask_all(
        &mut self,
        ask: Ask,
        patience: Duration,
        mut heed: impl FnMut(usize, Tell) -> bool,
    ) -> Result<(), Failure> {
        let asked: Vec<usize> = self.living().collect();
        asked.iter().try_for_each(|number| self.ask(*number, ask))?;
        let (until, mut missing) = (Instant::now() + patience, asked.len());
        while missing > 0 {
            let Some((number, tell)) = self.next(until)? else {
                return Err(format!("{missing} nodes did not answer within {patience:?}").into());
            };
            missing -= usize::from(heed(number, tell));
        }
        Ok(())
    }

    /// Nodes that were not killed.
    pub(super) fn living(&self) -> impl Iterator<Item = usize> + '_ {
        self.processes.iter().enumerate().filter(|(_, process)| process.lives).map(|(number, _)| number)
    }

    /// Kills a node without a warning.
    pub(super) fn kill(&mut self, number: usize) -> Result<(), Failure> {
        let process = &mut self.processes[number];
        process.lives = false;
        process.child.kill()?;
        process.child.wait()?;
        Ok(())
    }

    /// Stops a node for a while, or lets it go on.
    pub(super) fn signal(&self, number: usize, signal: libc::c_int) -> Result<(), Failure> {
        let pid = self.processes[number].child.id() as libc::pid_t;
        // SAFETY: sends a signal to a child of this process that was not waited for, so the id is still its own.
        if unsafe { libc::kill(pid, signal) } == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error().into())
        }
    }
}

impl Process {
    fn start(
        number: usize,
        nodes: usize,
        site: &Site,
        seed: Option<SocketAddr>,
        plain_swim: bool,
        tells: &Sender<(usize, Option<Tell>)>,
    ) -> Result<Self, Failure> {
        let this = std::env::current_exe()?;
        let mut command = match &site.namespace {
            None => Command::new(this),
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(this);
                command
            }
        };
        command.args(["cluster-node", "--number", &number.to_string(), "--nodes", &nodes.to_string()]);
        command.args(["--listen", &site.listen.to_string()]);
        if let Some(seed) = seed {
            command.args(["--seed", &seed.to_string()]);
        }
        if plain_swim {
            command.arg("--plain-swim");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("it is piped"));
        let tells = tells.clone();
        thread::Builder::new().stack_size(256 << 10).spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(tell) = serde_json::from_str(&line) else { continue };
                if tells.send((number, Some(tell))).is_err() {
                    return;
                }
            }
            // The parent may have gone on already.
            drop(tells.send((number, None)));
        })?;
        Ok(Self { child, stdin, lives: true })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Both fail for a process that was killed and waited for, and then there is nothing left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
