//! From settings to a running node: the key is read, names are resolved, the library starts.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use octick::socket::bounds;
use octick::{Config, FileStore, Handle, MemoryStore, NodeId, Peer, Run};
use octick_crypto::Identity;
use octick_crypto::key_file::{self, KeyFileError};

use crate::config::Settings;
use crate::discovery::remember;
use crate::failure::Failure;
use crate::trust;

/// Starts the node that `settings` describe.
///
/// # Errors
/// One line that says what to do about it. Nothing keeps running.
pub fn start(settings: &Settings) -> Result<Handle, Failure> {
    Ok(octick::start(library_settings(settings)?)?)
}

/// The same of a node that lives as long as its key, and is never started again: nothing of it is kept.
///
/// # Errors
/// As [`start`].
pub(super) fn start_once(settings: &Settings) -> Result<Handle, Failure> {
    let stable_store = Box::new(MemoryStore::default());
    Ok(octick::start(Config { stable_store, ..library_config(settings)? }.check()?)?)
}

/// What the library would be started with; the key is read and names of peers are resolved.
///
/// # Errors
/// One line that says what to do about it.
pub fn library_settings(settings: &Settings) -> Result<octick::Settings, Failure> {
    Ok(library_config(settings)?.check()?)
}

/// What the library is asked for, with every name that it needs at once looked up. Seeds that are names are looked up later,
/// by [`crate::discovery`]: a start waits for no name server.
fn library_config(settings: &Settings) -> Result<Config, Failure> {
    let identity = read_key(&settings.key_file)?;
    let peers = peers(settings, identity.id())?;
    let trust = trust::read(&settings.admission, &settings.mesh, identity.id(), trust::now())?;
    let stable_store = Box::new(FileStore::new(&settings.state_file, identity.id()));
    let mut config = Config { peers, stable_store, ..settings.library_config(identity) };
    let Some(membership) = &mut config.membership else { return Ok(config) };
    if let Some(credential) = &trust.credential {
        let granted = &credential.grant().runs;
        within_table(settings, granted)?;
        // What is listed narrows it.
        if config.runs.is_empty() {
            config.runs.clone_from(granted);
        }
    }
    (membership.admission, membership.credential) = (trust.admission, trust.credential);
    if settings.discovery.remember {
        let file = remember::file_of(&settings.key_file);
        membership.settings.remembered = remember::read(&file).unwrap_or_else(|damage| {
            tracing::warn!("{damage}");
            Vec::new()
        });
    }
    Ok(config)
}

/// The slots that a credential grants are in this node's tables.
fn within_table(settings: &Settings, granted: &[Run]) -> Result<(), Failure> {
    let slots = settings.table.slots;
    match granted.iter().find(|run| run.end() > slots.into()) {
        Some(run) => Err(Failure::new(format!(
            "{}: it grants slots {run}, and table.slots = {slots}: set that to the slots of the mesh's authority, see octick authority list",
            settings.admission.credential.display()
        ))),
        None => Ok(()),
    }
}

/// The peers that `settings` list, their names looked up. The node `own` may not be among them.
pub(super) fn peers(settings: &Settings, own: NodeId) -> Result<Vec<Peer>, Failure> {
    if let Some(i) = settings.peers.iter().position(|peer| peer.key.id() == own) {
        let key_file = settings.key_file.display();
        return Err(Failure::new(format!(
            "peers[{i}].public_key is this node's own key, that of {key_file}"
        )));
    }
    let peers = settings.peers.iter().enumerate().map(|(i, peer)| {
        let resolve = |addr: &String| resolve(&format!("peers[{i}].addr"), addr, settings.listen);
        let addr = peer.addr.as_ref().map(resolve).transpose()?;
        Ok(Peer { addr, ..peer.to_library() })
    });
    peers.collect()
}

/// Reads a key file; if there is none, says how to make one.
///
/// # Errors
/// One line that says what to do.
pub fn read_key(path: &Path) -> Result<Identity, Failure> {
    if path.is_dir() {
        let at = path.display();
        return Err(Failure::new(format!(
            "{at}: a directory, not a key; name the file in it, or make one with: octick keygen --out {at}/node.key"
        )));
    }
    key_file::read(path).map_err(|error| {
        let KeyFileError::Io { error: io_error, .. } = &error else { return error.into() };
        let at = path.display();
        match io_error.kind() {
            io::ErrorKind::NotFound => {
                Failure::new(format!("{at}: no key there; make one with: octick keygen --out {at}"))
            }
            io::ErrorKind::PermissionDenied => Failure::new(format!(
                "{at}: this user may not read the key; run as its owner, or: chown $USER {at}"
            )),
            _ => error.into(),
        }
    })
}

/// The first address of a name that a socket bound to `listen` can send to.
fn resolve(key: &str, addr: &str, listen: SocketAddr) -> Result<SocketAddr, Failure> {
    let found = addr.to_socket_addrs().map_err(|error| {
        Failure::new(format!(
            "{key} = \"{addr}\" does not resolve ({error}); correct the name, or give an IP address"
        ))
    })?;
    let found: Vec<SocketAddr> = found.collect();
    let reachable = |to: &&SocketAddr| bounds::reaches(listen, **to);
    found.iter().find(reachable).copied().ok_or_else(|| {
        let Some(&to) = found.first() else {
            return Failure::new(format!("{key} = \"{addr}\" resolves to no address; correct the name"));
        };
        let only = found.iter().map(|addr| addr.ip().to_string()).collect::<Vec<_>>().join(", ");
        Failure::new(format!("{key} = \"{addr}\" is {only} only: {}", bounds::OutOfReach { listen, to }))
    })
}
