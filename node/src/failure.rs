//! What the command line says when a command cannot do its work: one line, and an exit code.
//!
//! | exit code | means |
//! |---|---|
//! | 0 | what was asked for was done, and everything that was checked holds |
//! | 1 | it was not done, or what was checked does not hold; the last line says why |
//! | 2 | the command line itself is wrong; nothing was done |

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// One line that says what happened and what to do about it.
#[derive(Debug)]
pub struct Failure {
    line: String,
    code: u8,
}

impl Failure {
    /// A failure with this line: exit code 1.
    pub fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), code: 1 }
    }

    /// The arguments contradict each other or a bound; nothing was done: exit code 2, as for arguments that clap refuses.
    pub fn usage(line: impl Into<String>) -> Self {
        Self { line: line.into(), code: 2 }
    }

    /// Whether there is nothing to say: whoever reads standard output has gone, it has seen enough.
    pub fn is_silent(&self) -> bool {
        self.line.is_empty()
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let io = (&error as &dyn Error).downcast_ref::<io::Error>();
        let line = match io.map(io::Error::kind) {
            Some(io::ErrorKind::BrokenPipe) => String::new(),
            _ => error.to_string(),
        };
        Self { line, code: 1 }
    }
}
