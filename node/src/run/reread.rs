//! Reads a configuration file again, and looks names of peers up, on a thread of its own: a name server that does not answer
//! holds up neither the node's end nor a status that somebody asks for.
//!
//! In comes the file and what was in force; out comes what it says now, or why it says nothing. The node is not touched.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use octick::{NodeId, Peer};

use super::start;
use crate::config::file::read_file;
use crate::config::{Config, Settings};
use crate::failure::Failure;

/// A file that is being read again.
#[derive(Default)]
pub(super) struct Reload {
    read: Option<Receiver<Result<Reread, Failure>>>,
    /// Whether it is to be read once more when this is done: it may have changed since.
    pub(super) again: bool,
}

/// What the file says now.
pub(super) struct Reread {
    pub(super) config: Config,
    pub(super) settings: Settings,
    /// The peers with their addresses, if they are others than before.
    pub(super) peers: Option<Result<Vec<Peer>, Failure>>,
}

impl Reload {
    /// Begins to read `file`, unless that is being done. `before` is the configuration in force, `own` the node.
    pub(super) fn begin(&mut self, file: &Path, before: &Config, own: NodeId) -> io::Result<()> {
        self.again = self.read.is_some();
        if self.again {
            return Ok(());
        }
        let (file, before) = (file.to_owned(), before.clone());
        let (done, read) = mpsc::channel();
        // A node that ends does not wait for it, and then nobody takes what was read.
        thread::Builder::new()
            .name("octick-reload".into())
            .spawn(move || drop(done.send(Reread::from(&file, &before, own))))?;
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
    fn from(file: &Path, before: &Config, own: NodeId) -> Result<Self, Failure> {
        let (config, settings) = read_file(file)?;
        let peers = (config.peers != before.peers).then(|| start::peers(&settings, own));
        Ok(Self { config, settings, peers })
    }
}
