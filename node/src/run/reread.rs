//! Reads a configuration file, the credential and the decisions again, and looks names of peers up, on a thread of its own: a name server
//! that does not answer holds up neither the node's end nor a status that somebody asks for.
//!
//! In come the files and what was in force; out comes what it says now, or why it says nothing. The node is not touched.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use octick::admission::SignedDecision;
use octick::{Credential, NodeId, Peer};

use super::start;
use crate::config::file::read_file;
use crate::config::{AdmissionSettings, Config, Settings};
use crate::failure::Failure;
use crate::trust;

/// A file that is being read again.
#[derive(Default)]
pub(super) struct Reload {
    read: Option<Receiver<Result<Reread, Failure>>>,
    /// Whether it is to be read once more when this is done: it may have changed since.
    pub(super) again: bool,
}

/// What is in force.
pub(super) struct Before {
    /// The configuration.
    pub(super) config: Config,
    /// Where the credential and the decisions are.
    pub(super) admission: AdmissionSettings,
    pub(super) mesh: String,
    pub(super) own: NodeId,
    /// What the mesh's authority decided.
    pub(super) known: Vec<Arc<SignedDecision>>,
}

/// What the files say now.
pub(super) struct Reread {
    pub(super) config: Config,
    pub(super) settings: Settings,
    /// The peers with their addresses, if they are others than before.
    pub(super) peers: Option<Result<Vec<Peer>, Failure>>,
    /// Decisions that were not known.
    pub(super) decisions: Result<Vec<Arc<SignedDecision>>, Failure>,
    /// The node's credential.
    pub(super) credential: Result<Option<Arc<Credential>>, Failure>,
}

impl Reload {
    /// Begins to read `file`, unless that is being done.
    pub(super) fn begin(&mut self, file: &Path, before: impl FnOnce() -> Before) -> io::Result<()> {
        self.again = self.read.is_some();
        if self.again {
            return Ok(());
        }
        let (file, before) = (file.to_owned(), before());
        let (done, read) = mpsc::channel();
        // A node that ends does not wait for it, and then nobody takes what was read.
        thread::Builder::new()
            .name("octick-reload".into())
            .spawn(move || drop(done.send(Reread::from(&file, &before))))?;
        self.read = Some(read);
        Ok(())
    }

    /// What was read, once it is.
    pub(super) fn take(&mut self) -> Option<Result<Reread, Failure>> {
        let read = match self.read.as_ref()?.try_recv() {
            Ok(read) => read,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(Failure::new("the thread that read it has panicked")),
        };
        self.read = None;
        Some(read)
    }
}

impl Reread {
    fn from(file: &Path, before: &Before) -> Result<Self, Failure> {
        let Before { admission, mesh, own, known, .. } = before;
        let (config, settings) = read_file(file)?;
        let peers = (config.peers != before.config.peers).then(|| start::peers(&settings, *own));
        let (decisions, credential) = match trust::decisions(admission, mesh, known) {
            Ok(Some(log)) => {
                let credential = trust::credential(admission, &log, mesh, *own, trust::now());
                (Ok(log.after(known.len() as u64).to_vec()), credential)
            }
            Ok(None) => (Ok(Vec::new()), Ok(None)),
            Err(why) => (Err(why), Ok(None)),
        };
        Ok(Self { config, settings, peers, decisions, credential })
    }
}
