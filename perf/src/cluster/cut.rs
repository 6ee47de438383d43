//! Two halves in two network namespaces, and the link between them taken down for a while.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::children::{Cluster, Failure, Site};
use super::options::Options;
use super::protocol::{Ask, Tell};
use super::start::{ANSWER, progress, start};

/// How long both sides write, before and after.
const WRITING: Duration = Duration::from_secs(2);
/// How long healing may take before this gives up.
const HEALING: Duration = Duration::from_secs(120);
/// Same tables and members so many seconds after the link is back.
const BAR: f64 = 5.0;

/// Two namespaces and the link between them; gone when dropped.
struct Link {
    names: [String; 2],
}

impl Link {
    fn new() -> Result<Self, Failure> {
        // SAFETY: asks who runs this process, and has no other effect.
        if unsafe { libc::geteuid() } != 0 {
            return Err("--cut-secs makes network namespaces, which takes root: run it with sudo".into());
        }
        let side = |which| format!("octick-{which}-{}", std::process::id());
        let link = Self { names: [side("a"), side("b")] };
        for name in &link.names {
            ip(&["netns", "add", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        let [a, b] = &link.names;
        ip(&["link", "add", "cut0", "netns", a, "type", "veth", "peer", "name", "cut0", "netns", b])?;
        for (name, address) in link.names.iter().zip(["10.77.0.1/24", "10.77.0.2/24"]) {
            ip(&["-n", name, "address", "add", address, "dev", "cut0"])?;
        }
        link.set(true)?;
        Ok(link)
    }

    fn set(&self, up: bool) -> Result<(), Failure> {
        ip(&["-n", &self.names[0], "link", "set", "cut0", if up { "up" } else { "down" }])?;
        ip(&["-n", &self.names[1], "link", "set", "cut0", if up { "up" } else { "down" }])
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for name in &self.names {
            if let Err(error) = ip(&["netns", "delete", name]) {
                eprintln!("{error}; remove it with: ip netns delete {name}");
            }
        }
    }
}

fn ip(args: &[&str]) -> Result<(), Failure> {
    let output = Command::new("ip").args(args).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", args.join(" "), said.trim()).into())
}

pub(super) fn run(options: &Options, cut: Duration) -> Result<(Value, bool), Failure> {
    let (link, nodes) = (Link::new()?, options.nodes);
    let site = |number: usize| {
        let side = usize::from(number >= nodes / 2);
        let listen = format!("10.77.0.{}:{}", side + 1, 7_700 + number).parse()?;
        Ok(Site { listen, namespace: Some(link.names[side].clone()) })
    };
    let sites = (0..nodes).map(site).collect::<Result<Vec<_>, Failure>>()?;
    let (mut cluster, ..) = start(&sites, options.plain_swim)?;
    let write = |cluster: &mut Cluster, on| {
        let all: Vec<usize> = cluster.living().collect();
        all.into_iter().try_for_each(|number| cluster.ask(number, Ask::Write(on)))
    };
    write(&mut cluster, true)?;
    listen(&mut cluster, WRITING)?;
    progress(&format!("cutting the link for {cut:?}; both sides write"));
    link.set(false)?;
    let began = Instant::now();
    while began.elapsed() < cut {
        listen(&mut cluster, (cut - began.elapsed()).min(Duration::from_secs(10)))?;
        progress(&format!("cut for {} s", began.elapsed().as_secs()));
    }
    let (live, _) = views(&mut cluster)?;
    let known_in_cut = live.iter().max().copied().unwrap_or(0);
    // What was written on one side only must come to the other, though nobody writes it again.
    write(&mut cluster, false)?;
    listen(&mut cluster, WRITING)?;
    progress("the link is up again");
    link.set(true)?;
    let healed = Instant::now();
    let (mut members_s, mut tables_s) = (None, None);
    while healed.elapsed() < HEALING && (members_s.is_none() || tables_s.is_none()) {
        let (live, digests) = views(&mut cluster)?;
        let at = healed.elapsed().as_secs_f64();
        if live.iter().all(|live| *live == nodes) {
            members_s.get_or_insert(at);
        }
        if digests.windows(2).all(|pair| pair[0] == pair[1]) {
            tables_s.get_or_insert(at);
        }
        listen(&mut cluster, Duration::from_millis(50))?;
    }
    let figures = json!({
        "nodes": nodes,
        "cut_s": cut.as_secs(),
        "members_known_at_the_end_of_the_cut": known_in_cut,
        "members_same_after_s": members_s,
        "tables_same_after_s": tables_s,
    });
    let soon = |secs: Option<f64>| secs.is_some_and(|secs| secs <= BAR);
    Ok((figures, soon(members_s) && soon(tables_s)))
}

fn listen(cluster: &mut Cluster, time: Duration) -> Result<(), Failure> {
    let until = Instant::now() + time;
    while cluster.next(until)?.is_some() {}
    Ok(())
}

/// How many members each node believes live, and the hash of its tables.
fn views(cluster: &mut Cluster) -> Result<(Vec<usize>, Vec<String>), Failure> {
    let (mut all, mut digests) = (Vec::new(), Vec::new());
    cluster.ask_all(Ask::View, ANSWER, |_, tell| {
        let Tell::View { live, digest } = tell else { return false };
        all.push(live.len());
        digests.push(digest);
        true
    })?;
    Ok((all, digests))
}
