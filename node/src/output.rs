//! Lines for people, on standard output: complete at once, and never wider than a terminal.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use crate::failure::Failure;

/// Columns of the narrowest terminal that output for people is laid out for.
pub const COLUMNS: usize = 80;

/// Prints a line, at once.
///
/// # Errors
/// Standard output takes no more; silently so where its reader has gone.
pub fn say(line: impl fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Prose in lines of at most [`COLUMNS`] characters, but for words that are longer; the second line and those after it
/// begin with `indent` spaces. A `text` that begins with spaces keeps them.
pub fn wrap(text: &str, indent: usize) -> String {
    let lead = text.len() - text.trim_start_matches(' ').len();
    let mut wrapped = " ".repeat(lead);
    let mut column = lead;
    for (i, word) in text.split_whitespace().enumerate() {
        let len = word.chars().count();
        if i > 0 && column + 1 + len > COLUMNS {
            write!(wrapped, "\n{:indent$}", "").expect("a string takes everything");
            column = indent;
        } else if i > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += len;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_keeps_to_the_terminal() {
        let text = "  node 3 said ".to_owned() + &"a word and another ".repeat(20);
        let wrapped = wrap(&text, 4);
        assert!(wrapped.starts_with("  node 3 said a word"), "{wrapped}");
        assert!(wrapped.lines().all(|line| line.len() <= COLUMNS), "{wrapped}");
        assert!(
            wrapped.lines().skip(1).all(|line| line.starts_with("    ") && !line.trim().is_empty()),
            "{wrapped}"
        );
        assert_eq!(
            wrapped.split_whitespace().collect::<Vec<_>>(),
            text.split_whitespace().collect::<Vec<_>>()
        );
        assert_eq!(wrap("", 4), "");
        assert_eq!(wrap(&"x".repeat(100), 4), "x".repeat(100), "a word is never cut");
    }
}
