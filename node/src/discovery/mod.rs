//! Where a node learns of others' addresses: names of seeds, the local network, and what it remembers.
//!
//! ```text
//! names     host:port, srv:NAME > addresses ─┐
//! lan       announcements on a multicast group ─┼─> Handle::join: a greeting, and membership does the rest
//! remember  a file beside the key > addresses ─┘   (at the start; written while the node runs)
//! ```
//!
//! An address is only ever a hint: whoever is there proves who it is by its announcement. All of it runs on threads of its own,
//! which hold the node only while they speak to it: name servers may take their time, and the node ends without them. Seeds that are IP addresses go straight to membership, which greets them by itself.

mod lan;
mod met;
mod names;
pub mod remember;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use octick::Handle;

use crate::config::Settings;
use met::is_met;
use names::Names;
use remember::Remembered;

/// How often what is due is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// Between two looks at whom to remember; the first comes sooner, for nodes that do not live long.
const REMEMBER: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// How long a thread may take to end; one that waits for a name server is left to it.
const PARTING: Duration = Duration::from_secs(1);

/// What a node looks for, and where.
#[derive(Clone, Debug)]
pub struct Search {
    /// Seeds that are names.
    pub names: Vec<String>,
    /// Name servers to ask for SRV records; none asks those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// The interface of the local network to announce on and listen to, and the mesh's name.
    pub lan: Option<(std::net::Ipv4Addr, String)>,
    /// Where members are remembered.
    pub file: Option<PathBuf>,
}

impl Search {
    /// What `settings` ask for; nothing without membership.
    pub fn of(settings: &Settings) -> Option<Self> {
        settings.membership.enabled.then(|| Self {
            names: settings.membership.seeds.iter().filter(|seed| is_name(seed)).cloned().collect(),
            name_servers: settings.discovery.name_servers.clone(),
            lan: settings.discovery.lan.then(|| (settings.discovery.lan_interface, settings.mesh.clone())),
            file: settings.discovery.remember.then(|| remember::file_of(&settings.key_file)),
        })
    }

    /// Whether there is anything to look for, or to keep.
    fn is_idle(&self) -> bool {
        self.names.is_empty() && self.lan.is_none() && self.file.is_none()
    }
}

/// Whether a seed has to be looked up.
pub fn is_name(seed: &str) -> bool {
    seed.parse::<SocketAddr>().is_err()
}

/// The threads that search, until it is dropped.
pub struct Discovery {
    stop: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Discovery {
    /// Begins to search on behalf of `node`.
    ///
    /// # Errors
    /// A thread could not be had, or the local network cannot be listened to.
    pub fn start(node: &Arc<Handle>, search: Search) -> io::Result<Self> {
        let mut discovery = Self { stop: Vec::new(), threads: Vec::new() };
        if search.is_idle() {
            return Ok(discovery);
        }
        if let Some((interface, mesh)) = &search.lan {
            let mut lan = lan::Lan::open(*interface, mesh, node.local_addr())?;
            discovery.hire("octick-lan", node, move |node, stop| {
                while stop.try_recv() == Err(mpsc::TryRecvError::Empty)
                    && let Some(node) = running(node)
                {
                    lan.turn(&node, LOOK);
                }
            })?;
        }
        discovery.hire("octick-discovery", node, move |node, stop| seek(node, search, stop))?;
        Ok(discovery)
    }

    fn hire(
        &mut self,
        name: &str,
        node: &Arc<Handle>,
        work: impl FnOnce(&Weak<Handle>, &mpsc::Receiver<()>) + Send + 'static,
    ) -> io::Result<()> {
        let (stop, stopped) = mpsc::channel();
        let node = Arc::downgrade(node);
        self.threads.push(thread::Builder::new().name(name.into()).spawn(move || work(&node, &stopped))?);
        self.stop.push(stop);
        Ok(())
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.stop.clear();
        let until = Instant::now() + PARTING;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(5));
            }
            if thread.is_finished() {
                // A panic was told on its way.
                drop(thread.join());
            }
        }
    }
}

/// The node, if it has not ended.
fn running(node: &Weak<Handle>) -> Option<Arc<Handle>> {
    node.upgrade().filter(|node| node.is_running())
}

/// Looks up names and writes down members until it is told to stop.
fn seek(node: &Weak<Handle>, search: Search, stop: &mpsc::Receiver<()>) {
    let Some(listen) = running(node).map(|node| node.local_addr()) else { return };
    let mut names = Names::new(search.names, search.name_servers, listen);
    let mut remembered = search.file.map(Remembered::new);
    let mut remember_at = Instant::now() + REMEMBER.0;
    loop {
        // Nothing is held while a name server is asked.
        let found = if names.is_due() { names.resolve() } else { Vec::new() };
        if stop.try_recv() != Err(mpsc::TryRecvError::Empty) {
            break;
        }
        let Some(node) = running(node) else { return };
        greet_unmet(&node, found);
        if let Some(remembered) = remembered.as_mut().filter(|_| Instant::now() >= remember_at) {
            remember_at = Instant::now() + REMEMBER.1;
            if let Ok(mesh) = node.mesh() {
                remembered.write(&mesh);
            }
        }
        names.note_alone(|| node.mesh().is_ok_and(|mesh| mesh.live().count() < 2));
        drop(node);
        if stop.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    // The last word, unless everybody else is gone.
    if let (Some(mut remembered), Some(Ok(mesh))) = (remembered, running(node).map(|node| node.mesh())) {
        remembered.write(&mesh);
    }
}

/// Greets those addresses at which no live member is known.
fn greet_unmet(node: &Handle, addresses: Vec<SocketAddr>) {
    if addresses.is_empty() {
        return;
    }
    let Ok(mesh) = node.mesh() else { return };
    for address in addresses.into_iter().filter(|address| !is_met(node, &mesh, *address)) {
        // A node that has ended greets nobody.
        let _ = node.join(address);
    }
}
