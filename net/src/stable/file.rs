//! A file that is replaced as a whole, so that a crash at any moment leaves the old state or the new one.
//!
//! Written beside, made durable, renamed, and the directory made durable (the order that ext4, xfs and btrfs keep promises for:
//! Pillai et al., All File Systems Are Not Created Equal, 2014). A lock on a file of its own keeps a second process away; it goes with
//! its process, however that ends. Nothing is allocated after the first save.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use octick_crypto::NodeId;

use super::layout::{LEN, decode, encode};
use super::store::{StableError, StableState, StableStore};

/// How long a lock is tried that is taken: by the process that this one replaces, perhaps, which was killed just now.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries.
const LOCK_GAP: Duration = Duration::from_millis(5);

/// What is done to replace the file, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Write,
    Sync,
    Rename,
    SyncDirectory,
}

impl Step {
    const fn what(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "make durable",
            Self::Rename => "put in its place",
            Self::SyncDirectory => "make durable in its directory",
        }
    }
}

/// Keeps the state in a small file, mode 0600.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    /// Where the next state is written.
    next: PathBuf,
    lock_path: PathBuf,
    of: NodeId,
    lock: Option<File>,
    directory: Option<File>,
}

impl FileStore {
    /// The file at `path`, of the node `of`. Nothing is opened yet. The names of two more files are made from it: `.new`, which is only there
    /// while one is written, and `.lock`, which is empty and stays.
    pub fn new(path: impl Into<PathBuf>, of: NodeId) -> Self {
        let path = path.into();
        let beside = |more: &str| {
            let mut name = path.clone().into_os_string();
            name.push(more);
            PathBuf::from(name)
        };
        Self { next: beside(".new"), lock_path: beside(".lock"), path, of, lock: None, directory: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&mut self) -> Result<(), StableError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let io_error = |doing| {
            let path = self.lock_path.clone();
            move |error| StableError::Io { path, doing, error }
        };
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.lock_path);
        let file = file.map_err(io_error("open"))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(io_error("lock")(error)),
                Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(LOCK_GAP)
                }
                Err(TryLockError::WouldBlock) => return Err(StableError::InUse { path: self.path.clone() }),
            }
        }
        self.lock = Some(file);
        Ok(())
    }

    fn read(&self) -> Result<Option<StableState>, StableError> {
        let path = || self.path.clone();
        let io_error = |error| StableError::Io { path: path(), doing: "read", error };
        // Asked before it is opened: opening a pipe would wait for whoever writes to it.
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(error)),
            Ok(metadata) if !metadata.is_file() => {
                return Err(io_error(io::Error::other("it is no ordinary file")));
            }
            Ok(_) => {}
        }
        let file = File::open(&self.path).map_err(io_error)?;
        let mut bytes = Vec::with_capacity(LEN + 1);
        file.take(LEN as u64 + 1).read_to_end(&mut bytes).map_err(io_error)?;
        let (of, state) = decode(&bytes).map_err(|damage| StableError::Damaged { path: path(), damage })?;
        if of == self.of { Ok(Some(state)) } else { Err(StableError::OtherNode { path: path(), of }) }
    }

    /// Replaces the file; asks before each step, for tests, whether it is still to be done.
    fn replace(
        &mut self,
        bytes: &[u8; LEN],
        mut before: impl FnMut(Step) -> io::Result<()>,
    ) -> Result<(), (Step, io::Error)> {
        let mut step = |step, work: &mut dyn FnMut() -> io::Result<()>| {
            before(step).and_then(|()| work()).map_err(|error| (step, error))
        };
        let mut file = None;
        step(Step::Create, &mut || {
            // What an interrupted start left there, or a link that somebody laid to another file.
            match fs::remove_file(&self.next) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            file = Some(options.write(true).create_new(true).mode(0o600).open(&self.next)?);
            Ok(())
        })?;
        let mut file = file.expect("it was opened");
        step(Step::Write, &mut || file.write_all(bytes))?;
        step(Step::Sync, &mut || file.sync_all())?;
        step(Step::Rename, &mut || fs::rename(&self.next, &self.path))?;
        step(Step::SyncDirectory, &mut || {
            if self.directory.is_none() {
                let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
                self.directory = Some(File::open(parent.unwrap_or(Path::new(".")))?);
            }
            self.directory.as_ref().map_or(Ok(()), File::sync_all)
        })
    }
}

impl StableStore for FileStore {
    fn load(&mut self) -> Result<Option<StableState>, StableError> {
        self.lock()?;
        self.read()
    }

    fn save(&mut self, state: &StableState) -> Result<(), StableError> {
        let bytes = encode(self.of, state);
        self.replace(&bytes, |_| Ok(())).map_err(|(step, error)| {
            let path = if step == Step::Rename { &self.path } else { &self.next };
            StableError::Io { path: path.clone(), doing: step.what(), error }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::{AtomicU32, Ordering};

    use octick_core::stamp::Incarnation;
    use octick_core::time::Wall;

    use super::*;
    use crate::stable::Damage;

    const ID: NodeId = NodeId([5; 16]);
    const STEPS: [Step; 5] = [Step::Create, Step::Write, Step::Sync, Step::Rename, Step::SyncDirectory];

    /// A directory of its own, which goes with the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("octick-stable-{}-{n}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn store(&self) -> FileStore {
            FileStore::new(self.0.join("node.state"), ID)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn state(n: u32) -> StableState {
        StableState { incarnation: Incarnation(n), reserved: Wall(1_000_000 * u64::from(n)) }
    }

    #[test]
    fn what_was_saved_is_loaded_and_nothing_is_a_first_start() {
        let directory = Directory::new();
        let mut store = directory.store();
        assert_eq!(store.load().unwrap(), None);
        for n in 1..4 {
            store.save(&state(n)).unwrap();
            assert_eq!(store.load().unwrap(), Some(state(n)));
        }
        drop(store);
        assert_eq!(directory.store().load().unwrap(), Some(state(3)));
        let mode = fs::metadata(directory.0.join("node.state")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!directory.0.join("node.state.new").exists());
    }

    #[test]
    fn a_crash_at_any_step_leaves_the_old_state_or_the_new_one() {
        let directory = Directory::new();
        for (i, crash) in STEPS.into_iter().enumerate() {
            let mut store = directory.store();
            let before = 10 * i as u32 + 1;
            store.load().unwrap();
            store.save(&state(before)).unwrap();
            let (bytes, mut done) = (encode(ID, &state(before + 1)), Vec::new());
            let failed = store.replace(&bytes, |step| {
                done.push(step);
                if step == crash { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
            });
            assert_eq!(failed.unwrap_err().0, crash);
            assert_eq!(done, STEPS[..=i], "in this order: durable before it has the name");
            drop(store);
            let mut again = directory.store();
            let found = again.load().unwrap().unwrap();
            assert_eq!(found, state(before + u32::from(crash == Step::SyncDirectory)), "{crash:?}");
            again.save(&state(before + 2)).unwrap();
            assert_eq!(again.load().unwrap(), Some(state(before + 2)), "and the next save is whole");
        }
        // A write that was cut short is beside, under a name that nobody reads.
        let bytes = encode(ID, &state(99));
        for len in 0..LEN {
            let mut store = directory.store();
            let before = store.load().unwrap();
            fs::write(&store.next, &bytes[..len]).unwrap();
            assert_eq!(store.load().unwrap(), before);
        }
    }

    #[test]
    fn two_processes_do_not_share_a_file() {
        let directory = Directory::new();
        let mut first = directory.store();
        first.load().unwrap();
        let began = Instant::now();
        let error = directory.store().load().unwrap_err();
        assert!(began.elapsed() >= LOCK_PATIENCE, "whoever is just ending is waited for");
        assert!(matches!(error, StableError::InUse { .. }), "{error:?}");
        let says = error.to_string();
        assert!(
            says.contains("node.state: another process uses it") && says.contains("stop that one"),
            "{says}"
        );
        drop(first);
        assert_eq!(directory.store().load().unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_named_with_what_to_do_and_left_as_it_is() {
        let directory = Directory::new();
        let mut store = directory.store();
        store.load().unwrap();
        store.save(&state(7)).unwrap();
        let whole = fs::read(store.path()).unwrap();
        for at in 0..=LEN {
            let mut bytes = whole.clone();
            match bytes.get_mut(at) {
                Some(byte) => *byte ^= 0x10,
                None => bytes.clear(),
            }
            fs::write(store.path(), &bytes).unwrap();
            let error = store.load().unwrap_err();
            let StableError::Damaged { damage, .. } = &error else { panic!("{error:?}") };
            assert_eq!(matches!(damage, Damage::Length { .. }), at == LEN);
            let says = error.to_string();
            assert!(says.contains("node.state: damaged, it") && says.contains("mv "), "{says}");
            assert_eq!(fs::read(store.path()).unwrap(), bytes, "it is not touched");
        }
    }

    #[test]
    fn a_file_of_another_node_is_not_taken() {
        let directory = Directory::new();
        let mut store = directory.store();
        store.load().unwrap();
        store.save(&state(7)).unwrap();
        drop(store);
        let error = FileStore::new(directory.0.join("node.state"), NodeId([6; 16])).load().unwrap_err();
        assert!(matches!(error, StableError::OtherNode { of: ID, .. }), "{error:?}");
        assert!(error.to_string().contains(&ID.to_string()), "{error}");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named_with_the_step() {
        let mut store = FileStore::new("/nowhere/at/all/node.state", ID);
        let error = store.load().unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all/node.state.lock: could not open"), "{error}");
        let error = store.save(&state(1)).unwrap_err();
        assert!(error.to_string().contains("node.state.new: could not create"), "{error}");
        assert!(error.to_string().contains("state_file"), "{error}");
    }
}
