//! The authority's folder: one command at a time, and every file the old one or the new one, whatever interrupts.
//!
//! A file is written beside its name, forced to the disk, and renamed; then the folder is forced to the disk. So what a command handed out is
//! in the register, even if the power fails a moment later.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::register::Register;
use super::stored;
use crate::failure::Failure;

const REGISTER: &str = "authority.toml";
const DECISIONS: &str = "decisions.txt";
/// Mode of the register: the keys' own.
const SECRET: u32 = 0o600;
/// Mode of what is handed out.
const PUBLIC: u32 = 0o644;

/// The folder, which no other command changes while this lives.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    /// Locked; the system unlocks it when the process ends, however it does.
    _lock: File,
}

impl Store {
    /// Makes the folder of a new authority, if it is not there.
    ///
    /// # Errors
    /// It cannot be had, or an authority has it already.
    pub(super) fn create(dir: &Path) -> Result<Self, Failure> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| failed(dir, &error))?;
        let store = Self::lock(dir)?;
        let register = store.register_path();
        if fs::exists(&register).map_err(|error| failed(&register, &error))? {
            let at = register.display();
            return Err(Failure::new(format!("{at}: an authority is there already; name another --dir")));
        }
        Ok(store)
    }

    /// The folder of an authority that is there, to change it. Waits until no other command does.
    ///
    /// # Errors
    /// There is none, or its register does not hold together.
    pub(super) fn open(dir: &Path) -> Result<(Self, Register), Failure> {
        // The complete message about a missing register comes first.
        read(dir)?;
        let store = Self::lock(dir)?;
        let register = read(dir)?;
        Ok((store, register))
    }

    fn lock(dir: &Path) -> Result<Self, Failure> {
        let lock = File::open(dir).map_err(|error| failed(dir, &error))?;
        lock.lock().map_err(|error| failed(dir, &error))?;
        Ok(Self { dir: dir.into(), _lock: lock })
    }

    /// A file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where the register is.
    pub(super) fn register_path(&self) -> PathBuf {
        register_path(&self.dir)
    }

    /// Where decisions are written unless told otherwise.
    pub(super) fn decisions_path(&self) -> PathBuf {
        self.path(DECISIONS)
    }

    /// Puts the register on the disk: from here on it counts.
    ///
    /// # Errors
    /// It cannot be written; the one before is as it was.
    pub(super) fn save(&self, register: &Register) -> Result<(), Failure> {
        let path = self.register_path();
        // Key files that were made a moment ago are on the disk before the register that counts on them.
        sync(&self.dir).and_then(|()| replace(&path, SECRET, &stored::write(register))).map_err(|error| {
            Failure::new(format!("{}: {error}; nothing was recorded, and nothing counts", path.display()))
        })
    }
}

/// The register in a folder, to look at it.
///
/// # Errors
/// There is none, or it does not hold together.
pub(super) fn read(dir: &Path) -> Result<Register, Failure> {
    let path = register_path(dir);
    let at = path.display();
    let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(format!(
            "{at}: no authority there; name its folder with --dir, or make one: octick authority init"
        )),
        _ => failed(&path, &error),
    })?;
    stored::read(&text).map_err(|why| Failure::new(format!("{at}: {why}")))
}

/// Whether an authority is in the folder.
pub(super) fn is_there(dir: &Path) -> bool {
    register_path(dir).exists()
}

/// Writes a file for others to read, as a whole.
///
/// # Errors
/// What the system says.
pub(crate) fn hand_out(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() && !path.is_file() {
        return Err(io::Error::other("there is something that is no ordinary file"));
    }
    replace(path, PUBLIC, text)
}

fn register_path(dir: &Path) -> PathBuf {
    dir.join(REGISTER)
}

fn replace(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // What an interrupted command left there was never counted.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
