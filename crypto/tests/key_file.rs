//! The key file: never overwritten, never shared, never half believed.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use octick_crypto::Identity;
use octick_crypto::key_file::{self, KeyFileError};

/// An empty folder for one test, gone when the test passes.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, content: &[u8], mode: u32) -> PathBuf {
        let path = self.0.join("node.key");
        let _ = fs::remove_file(&path);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        file.write_all(content).unwrap();
        // Not at opening, where the process's mask would take bits away.
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

const DIGITS: &[u8; 64] = b"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

fn counted() -> Identity {
    Identity::from_seed(&core::array::from_fn(|i| i as u8))
}

#[test]
fn a_written_key_reads_back_and_belongs_to_its_owner_alone() {
    let folder = Folder::new("a_written_key_reads_back");
    let (path, identity) = (folder.0.join("node.key"), Identity::generate().unwrap());
    key_file::create(&path, &identity).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&path).unwrap().len(), 65);
    let read = key_file::read(&path).unwrap();
    assert_eq!((read.seed(), read.id()), (identity.seed(), identity.id()));
}

#[test]
fn an_existing_file_is_not_overwritten() {
    let folder = Folder::new("an_existing_file_is_not_overwritten");
    let path = folder.file(b"precious", 0o600);
    let error = key_file::create(&path, &counted()).unwrap_err();
    assert!(matches!(error, KeyFileError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_dangling_link_is_not_followed_to_create_a_key() {
    let folder = Folder::new("a_dangling_link_is_not_followed");
    let (path, target) = (folder.0.join("node.key"), folder.0.join("elsewhere"));
    std::os::unix::fs::symlink(&target, &path).unwrap();
    assert!(matches!(key_file::create(&path, &counted()), Err(KeyFileError::Exists { .. })));
    assert!(!target.exists());
}

#[test]
fn a_file_that_others_can_reach_is_refused_with_its_mode() {
    let folder = Folder::new("a_file_that_others_can_reach");
    for others in [0o001, 0o002, 0o004, 0o010, 0o020, 0o040, 0o044, 0o077] {
        let path = folder.file(DIGITS, 0o600 | others);
        match key_file::read(&path).unwrap_err() {
            KeyFileError::Open { mode, .. } => assert_eq!(mode, 0o600 | others),
            error => panic!("{others:03o}: {error}"),
        }
        let line = key_file::read(&path).unwrap_err().to_string();
        assert!(line.contains("chmod 600") && line.contains("node.key"), "{line}");
    }
    assert!(key_file::read(&folder.file(DIGITS, 0o400)).is_ok(), "read-only is fine");
}

#[test]
fn hex_of_either_case_with_or_without_a_line_end_is_the_same_key() {
    let folder = Folder::new("hex_of_either_case");
    let with_line_end = [DIGITS.as_slice(), b"\n"].concat();
    for content in [DIGITS.to_vec(), with_line_end, DIGITS.to_ascii_lowercase(), DIGITS.to_ascii_uppercase()]
    {
        let identity = key_file::read(&folder.file(&content, 0o600)).unwrap();
        assert_eq!(identity.seed(), counted().seed());
    }
}

#[test]
fn every_other_content_is_malformed() {
    let folder = Folder::new("every_other_content");
    let digits = DIGITS.as_slice();
    let mut contents: Vec<Vec<u8>> = (0..64).map(|len| digits[..len].to_vec()).collect();
    contents.extend((0..64).map(|len| [&digits[..len], b"\n"].concat()));
    for tail in ["0", "00", "\n\n", "\r\n", " ", "0\n", "\0"] {
        contents.push([digits, tail.as_bytes()].concat());
    }
    for head in [" ", "\n", "\u{feff}", "0x"] {
        contents.push([head.as_bytes(), digits].concat());
    }
    for wrong in [b'g', b'+', b'-', b' ', b'_', 0x80, 0] {
        let mut content = digits.to_vec();
        content[17] = wrong;
        contents.push(content);
    }
    contents.push(vec![b'a'; 1 << 20]);
    for content in contents {
        let error = key_file::read(&folder.file(&content, 0o600)).unwrap_err();
        let shown = String::from_utf8_lossy(&content[..content.len().min(70)]).into_owned();
        match error {
            KeyFileError::Malformed { len, .. } => assert_eq!(len, content.len().min(66), "{shown:?}"),
            error => panic!("{shown:?}: {error}"),
        }
    }
}

#[test]
fn an_error_names_the_file_and_never_its_content() {
    let folder = Folder::new("an_error_names_the_file");
    let path = folder.file(&DIGITS[..62], 0o600);
    let error = key_file::read(&path).unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(text.contains("node.key") && !text.contains("0001020304"), "{text}");
    }
}

#[test]
fn a_missing_file_is_an_error_to_read_and_a_new_key_to_read_or_create() {
    let folder = Folder::new("a_missing_file");
    let path = folder.0.join("node.key");
    assert!(matches!(key_file::read(&path), Err(KeyFileError::Io { .. })));
    let created = key_file::read_or_create(&path).unwrap();
    let again = key_file::read_or_create(&path).unwrap();
    assert_eq!(created.id(), again.id());
    assert!(matches!(
        key_file::create(&folder.0.join("no/such/folder"), &created),
        Err(KeyFileError::Io { .. })
    ));
}

#[test]
fn read_or_create_does_not_replace_a_file_that_it_cannot_use() {
    let folder = Folder::new("read_or_create_does_not_replace");
    let path = folder.file(b"damaged", 0o600);
    assert!(matches!(key_file::read_or_create(&path), Err(KeyFileError::Malformed { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"damaged");
}

#[test]
fn what_is_no_file_is_called_that_and_not_opened() {
    let folder = Folder::new("what_is_no_file");
    let identity = counted();
    for outcome in [
        key_file::read(&folder.0).map(drop),
        key_file::read_or_create(&folder.0).map(drop),
        key_file::create(&folder.0, &identity),
        // A device; whoever opened a pipe would wait for its other end.
        key_file::read(Path::new("/dev/null")).map(drop),
    ] {
        let error = outcome.expect_err("no file to keep a key in");
        assert!(matches!(error, KeyFileError::NotAFile { .. }), "{error:?}");
        assert!(error.to_string().contains("name a file"), "{error}");
    }
}

#[test]
fn a_key_that_another_user_owns_is_refused() {
    let folder = Folder::new("key_file_foreign");
    let path = folder.file(&[b'5'; 64], 0o600);
    assert!(key_file::read(&path).is_ok());
    let nobody = 65_534;
    if let Err(why) = std::os::unix::fs::chown(&path, Some(nobody), None) {
        return println!("only root can give a file away, so this was not looked at: {why}");
    }
    let why = key_file::read(&path).unwrap_err();
    assert!(matches!(why, KeyFileError::Foreign { owner, .. } if owner == nobody), "{why}");
    assert!(why.to_string().contains("it is user 65534's, who may read and change the key"), "{why}");
}
