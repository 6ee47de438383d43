//! The token that a TCP address of the admin API asks for: whoever may read its file may steer the node.
//!
//! In comes a path, and the file is made if it is not there; out comes a word that is compared in the same time whatever was given. It is never in a
//! log, and its `Debug` does not show it.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use octick_crypto::{Identity, key_file};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::keygen::hex;

/// Bytes of randomness of a token that is made: nobody guesses as many.
const RANDOM_LEN: usize = 16;
/// Characters of a token that somebody chose: fewer would be guessed.
const LEN_MIN: usize = 16;
/// Characters of the longest.
const LEN_MAX: usize = 256;

/// Who knows it may steer the node.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes a word.
    ///
    /// # Errors
    /// It is none that fits a header and that nobody guesses.
    pub fn new(word: &str) -> Result<Self, &'static str> {
        let fits = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        match word.len() {
            LEN_MIN..=LEN_MAX if fits => Ok(Self(Zeroizing::new(word.to_owned()))),
            _ => Err("want 16 to 256 letters, digits, hyphens, dots, underscores or tildes in one line"),
        }
    }

    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, Failure> {
        let random = Identity::generate()?.seed();
        Ok(Self(Zeroizing::new(hex(&random[..RANDOM_LEN]))))
    }

    /// The token in a file that only its owner reads.
    ///
    /// # Errors
    /// One line: why the file is not to be used.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let at = path.display();
        let metadata = fs::metadata(path).map_err(|error| unread(path, &error))?;
        if !metadata.is_file() || metadata.len() > 2 * LEN_MAX as u64 {
            return Err(Failure::new(format!("{at}: no file of a token; name another, or remove it")));
        }
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Failure::new(format!(
                "{at}: mode {mode:04o} lets others read the token; run: chmod 600 {at}"
            )));
        }
        if let Some(owner) = key_file::foreign_owner(&metadata) {
            return Err(Failure::new(format!(
                "{at}: it is user {owner}'s, who knows the token and may change it; remove it, or run: chown $USER {at}"
            )));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| unread(path, &error))?);
        Self::new(text.trim_end()).map_err(|why| Failure::new(format!("{at}: no token: {why}")))
    }

    /// The same, made if it is not there.
    ///
    /// # Errors
    /// As [`Token::read`].
    pub fn read_or_create(path: &Path) -> Result<Self, Failure> {
        let token = Self::generate()?;
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(unread(path, &error)),
            Ok(mut file) => {
                let text = Zeroizing::new(format!("{}\n", *token.0));
                file.write_all(text.as_bytes()).map_err(|error| unread(path, &error))?;
                Ok(token)
            }
        }
    }

    /// Whether that is what was given; how long this takes says nothing about where it differs.
    pub fn is(&self, given: &str) -> bool {
        let (own, given) = (self.0.as_bytes(), given.as_bytes());
        own.len() == given.len() && own.iter().zip(given).fold(0, |sum, (a, b)| sum | a ^ b) == 0
    }

    /// The word itself, for whoever is to know it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn unread(path: &Path, error: &io::Error) -> Failure {
    let at = path.display();
    Failure::new(match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{at}: no such file; the node makes it when it starts with admin.listen")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{at}: this user may not use it; run as the user of the node")
        }
        _ => format!("{at}: {error}"),
    })
}

/// Without the word.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_read_by_its_owner_alone() {
        let path = std::env::temp_dir().join(format!("octick-token-{}", std::process::id()));
        let made = Token::read_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(Token::read_or_create(&path).unwrap(), made, "kept over restarts");
        assert_eq!((made.expose().len(), format!("{made:?}").as_str()), (32, "Token"));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(Token::read(&path).unwrap_err().to_string().contains("mode 0640 lets others read the token"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "too short\n").unwrap();
        assert!(Token::read_or_create(&path).unwrap_err().to_string().contains("no token: want 16 to 256"));
        fs::remove_file(&path).unwrap();
        assert!(Token::read(&path).unwrap_err().to_string().contains("no such file"));
    }

    #[test]
    fn only_the_whole_word_is_it() {
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(token.is("0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!(Token::new("0123456789 abcdef").is_err());
    }
}
