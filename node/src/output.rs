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

/// What somebody else wrote, as it may stand in a line: what would move a terminal's cursor is replaced.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A node by its name and the first digits of its id, or by those alone.
pub fn named(name: Option<&str>, short: &str) -> String {
    name.map_or_else(|| short.to_owned(), |name| format!("{name} ({short})"))
}

/// So many of a thing, as in `1 member` and `2 members`.
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// The head of a column, and to which side its cells are aligned.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    right: bool,
}

impl Column {
    /// A column of words.
    pub const fn left(name: &'static str) -> Self {
        Self { name, right: false }
    }

    /// A column of numbers.
    pub const fn right(name: &'static str) -> Self {
        Self { name, right: true }
    }
}

/// An aligned table: the head, then a line a row, without a line end at the end.
pub fn columns<const N: usize>(head: &[Column; N], rows: &[[String; N]]) -> String {
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).chain([head[i].name.len()]).max();
    let widths: [usize; N] = std::array::from_fn(|i| width(i).unwrap_or(0));
    let names = head.map(|column| column.name.to_owned());
    let lines = std::iter::once(&names).chain(rows).map(|row| {
        let cells = row.iter().zip(head).zip(widths).map(|((cell, column), width)| match column.right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
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

    #[test]
    fn nothing_that_others_wrote_moves_the_cursor() {
        assert_eq!(printable("host name\x1b[2J\u{9b}1\nx"), "host name\u{fffd}[2J\u{fffd}1\u{fffd}x");
        assert_eq!(printable("größe.example:7700"), "größe.example:7700");
    }

    #[test]
    fn words_stand_to_the_left_and_numbers_to_the_right() {
        let head = [Column::right("n"), Column::left("word")];
        let rows = [["1".into(), "a".into()], ["100".into(), "longer".into()]];
        assert_eq!(columns(&head, &rows), "  n  word\n  1  a\n100  longer");
        assert_eq!(columns(&head, &[]), "n  word");
    }
}
