//! A node while it runs: its mesh is watched, signals and commands are heard, and in the end it leaves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use octick::{Credential, Events, Handle, MeshEvent, NextEvent, Shutdown};
use tracing::{info, warn};

use super::journal::Journal;
use super::quorum::QuorumNote;
use super::reporter::Reporter;
use super::reread::Reload;
use super::signals::Signal;
use crate::admin::Admin;
use crate::config::{AdmissionSettings, Config, Rule, Settings};
use crate::discovery::{Discovery, Search};
use crate::failure::Failure;
use crate::log::{Format, Level};
use crate::trust::{self, Expiry, Keep};

/// How often a node looks what happened, while nobody asks anything of it.
const LOOK: Duration = Duration::from_millis(100);
/// How long a node may take to say goodbye and to send what was written.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// How long whoever speaks to the node at its end may take to let go of it: requests that wait for its answer.
const LET_GO: Duration = Duration::from_secs(1);

/// What a node is run with, besides its configuration.
pub(super) struct Terms {
    pub(super) config: PathBuf,
    /// The level, if the command line says it.
    pub(super) level: Option<Level>,
    pub(super) format: Format,
    /// Between two lines of figures, if the command line says so.
    pub(super) report: Option<Duration>,
    /// When the node ends by itself.
    pub(super) end: Option<Instant>,
}

/// A node, and what runs beside it.
pub(super) struct Watch<'a> {
    pub(super) node: Arc<Handle>,
    pub(super) terms: &'a Terms,
    /// The configuration in force.
    pub(super) config: Config,
    key_file: PathBuf,
    /// Who may be a member, as it was at the start.
    pub(super) admission: AdmissionSettings,
    /// What this node lives by.
    pub(super) credential: Option<Arc<Credential>>,
    pub(super) keep: Keep,
    expiry: Expiry,
    admin: Option<Admin>,
    pub(super) discovery: Option<Discovery>,
    pub(super) reload: Reload,
    events: Events,
    journal: Journal,
    quorum: QuorumNote,
    pub(super) reporter: Reporter,
}

/// Watches until the node should end, and has it leave.
///
/// # Errors
/// What beside the node could not be started, or what ended it.
pub(super) fn watch(
    node: Handle,
    (config, settings): (Config, &Settings),
    terms: &Terms,
    signals: &Receiver<Signal>,
) -> Result<(), Failure> {
    let node = Arc::new(node);
    let seeded = !settings.membership.seeds.is_empty();
    let admin = settings.admin.enabled.then(|| Admin::start(settings, node.clone()));
    let admin = admin.transpose()?;
    let interval = terms.report.unwrap_or(Duration::from_secs(settings.report.interval_secs.into()));
    let reporter = Reporter::new(&node, admin.as_ref().map_or(&[], Admin::addresses), terms.format, interval);
    for warning in node.warnings() {
        warn!("{warning}");
    }
    if settings.membership.enabled && settings.admission.rule == Rule::Open {
        warn!(
            "this mesh is open: whoever knows its name may join it, and write where nobody else does; see docs/admission.md"
        );
    }
    let discovery = Search::of(settings).map(|search| Discovery::start(&node, search)).transpose();
    let discovery = discovery.map_err(|error| {
        Failure::new(format!(
            "discovery.lan: {error}; name an interface: discovery.lan_interface = \"ADDRESS\""
        ))
    })?;
    let own = node.mesh().ok().and_then(|mesh| mesh.members.into_iter().find(|member| member.this_node));
    let credential = own.and_then(|own| own.credential);
    let (events, journal) = (node.events(), Journal::new(node.id(), seeded));
    let mut watch = Watch {
        node,
        terms,
        config,
        key_file: settings.key_file.clone(),
        admission: settings.admission.clone(),
        credential,
        keep: Keep::new(settings.admission.decisions.clone(), settings.mesh.clone()),
        expiry: Expiry::default(),
        admin,
        discovery,
        reload: Reload::default(),
        events,
        journal,
        quorum: QuorumNote::new(Instant::now()),
        reporter,
    };
    match watch.until_it_ends(signals) {
        End::Asked(why) => {
            info!(why, "node stopping");
            watch.end(true)
        }
        End::Superseded(why) => {
            info!(why = "another process uses its key", "node stopping");
            watch.end(false)?;
            Err(why)
        }
    }
}

/// Why a node ends.
enum End {
    /// Somebody, or something, wants it to.
    Asked(&'static str),
    /// Another process speaks for it: there is nobody to take leave of.
    Superseded(Failure),
}

impl Watch<'_> {
    /// Returns why the node should end.
    fn until_it_ends(&mut self, signals: &Receiver<Signal>) -> End {
        loop {
            match signals.recv_timeout(LOOK) {
                Ok(Signal::End(signal)) => return End::Asked(signal),
                Ok(Signal::Reload) => self.reload(),
                Ok(Signal::Status) => self.reporter.status(&self.node),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    unreachable!("the thread for signals ends with its receiver")
                }
            }
            self.take_reload();
            while let Ok(next) = self.events.try_recv() {
                self.journal.next(&next);
                self.quorum.stir(Instant::now());
                if matches!(next, NextEvent::Event(MeshEvent::Decided(_)) | NextEvent::Missed(_)) {
                    self.keep.stir();
                }
                if let NextEvent::Event(MeshEvent::Superseded { incarnation, at }) = next {
                    return End::Superseded(self.superseded(incarnation.0, at));
                }
            }
            self.journal.state(self.node.stable_failure());
            let now = Instant::now();
            self.reporter.look(&self.node, now);
            self.quorum.look(&self.node, now);
            self.keep.look(&self.node, now);
            if let Some(credential) = &self.credential
                && let Some(says) = self.expiry.look(credential.grant(), trust::now())
            {
                let name = &credential.grant().name;
                warn!(name, "this node's credential: {says}");
            }
            if self.admin.as_ref().is_some_and(Admin::asked_to_leave) {
                return End::Asked("asked to leave");
            }
            if !self.node.is_running() {
                return End::Asked("a thread of the node has ended");
            }
            if self.terms.end.is_some_and(|end| now >= end) {
                return End::Asked("its time is over");
            }
        }
    }

    /// Names both: this process, and the one that uses its key as well.
    fn superseded(&self, theirs: u32, at: Option<SocketAddr>) -> Failure {
        let key_file = self.key_file.display();
        let at = at.map_or_else(|| "an unknown address".into(), |at| at.to_string());
        let (id, own) = (self.node.id(), self.node.local_addr());
        let mesh = self.node.mesh();
        let incarnation = mesh.ok().and_then(|mesh| {
            mesh.members.iter().find(|member| member.this_node).map(|own| own.incarnation.0)
        });
        let incarnation =
            incarnation.map_or_else(|| "an earlier incarnation".into(), |n| format!("incarnation {n}"));
        Failure::new(format!(
            "two processes use {key_file}, the key of {id}: this one, {incarnation} at {own}, is the earlier and has stopped; \
             incarnation {theirs} at {at} goes on. Give each node a key of its own: octick keygen"
        ))
    }

    /// Leaves the mesh, unless somebody else has taken its place, and stops.
    fn end(self, leaves: bool) -> Result<(), Failure> {
        let Self { node, admin, discovery, reporter, .. } = self;
        drop(discovery);
        drop(admin);
        reporter.whole(&end(node, leaves)?);
        Ok(())
    }
}

/// Ends a node in good order, or at once if it does not leave.
///
/// # Errors
/// A thread of it had ended before.
pub(super) fn end(mut node: Arc<Handle>, leaves: bool) -> Result<Shutdown, Failure> {
    let until = Instant::now() + LET_GO;
    let node = loop {
        node = match Arc::try_unwrap(node) {
            Ok(node) => break node,
            Err(_) if Instant::now() > until => {
                return Err(Failure::new(format!(
                    "a request still waits for the node after {} s, and it could not leave its mesh: report it",
                    LET_GO.as_secs()
                )));
            }
            Err(node) => node,
        };
        std::thread::sleep(Duration::from_millis(1));
    };
    if leaves {
        return Ok(node.shutdown(SHUTDOWN)?);
    }
    Ok(Shutdown { stats: node.stop()?, ..Shutdown::default() })
}
