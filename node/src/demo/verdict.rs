//! Whether all tables of a demo are equal, and how that is known: equal is only what was compared.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::output::wrap;

/// What is known of one node's tables when the demo ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// It ended before the demo did.
    Ended,
    /// It lives, and did not say.
    Silent,
    /// The hash of all its tables.
    Digest(&'a str),
}

/// What comparing the tables came to. Nodes are named by their numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// Whether every surviving node's tables were compared, two at least, and all are the same.
    pub(super) equal: bool,
    nodes: usize,
    /// Nodes that ended before the demo did.
    pub(super) ended: Vec<usize>,
    /// Surviving nodes whose tables are not known.
    silent: Vec<usize>,
    /// Surviving nodes whose tables were compared.
    compared: Vec<usize>,
    /// Those among them whose tables differ from those of most.
    differing: Vec<usize>,
    /// How long it took from when the agents rested until all this was known.
    settled_secs: f64,
}

impl Verdict {
    pub(super) fn new(words: &[Word<'_>], took: Duration) -> Self {
        let which = |wanted: fn(&Word<'_>) -> bool| {
            words.iter().enumerate().filter(|(_, word)| wanted(word)).map(|(i, _)| i).collect::<Vec<_>>()
        };
        let digests = words.iter().filter_map(|word| match word {
            Word::Digest(digest) => Some(*digest),
            Word::Ended | Word::Silent => None,
        });
        let common = most_common(digests);
        let differs = |&i: &usize| matches!(words[i], Word::Digest(digest) if Some(digest) != common);
        let compared = which(|word| matches!(word, Word::Digest(_)));
        let silent = which(|word| *word == Word::Silent);
        let differing: Vec<usize> = compared.iter().copied().filter(differs).collect();
        Self {
            equal: differing.is_empty() && silent.is_empty() && compared.len() >= 2,
            nodes: words.len(),
            ended: which(|word| *word == Word::Ended),
            silent,
            compared,
            differing,
            settled_secs: took.as_secs_f64(),
        }
    }
}

/// The value that most have; the least of these, if several are as common.
pub(super) fn most_common<'a>(values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut counts = BTreeMap::<&str, usize>::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(value, _)| value)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, ref compared, ref silent, ref differing, settled_secs, .. } = *self;
        let survivors = compared.len() + silent.len();
        let when = format!("{settled_secs:.1} s after the agents rested");
        let counts = format!("{nodes} nodes, {survivors} alive at the end, {} compared", compared.len());
        let verdict = match (survivors, compared.len()) {
            (0, _) => "NOTHING COMPARED: no node is alive".into(),
            (1, 1) => format!("NOTHING COMPARED: only node {} is alive", numbers(compared)),
            (_, 0) => format!("NOTHING COMPARED: no node answered, {when}"),
            (_, 1) => format!("NOTHING COMPARED: only node {} answered, {when}", numbers(compared)),
            _ if !differing.is_empty() => format!("TABLES DIFFER, {when}: {}", named(differing)),
            (_, n) if !silent.is_empty() => {
                format!("NOT ALL COMPARED: the tables of {n} nodes are equal, {when}")
            }
            (_, n) => format!("all {n} tables are equal, {when}"),
        };
        write!(f, "{}", wrap(&format!("{verdict} ({counts})"), 2))?;
        if !silent.is_empty() {
            let help = "stopped, or still at work: try fewer --nodes or --agents, or a lower --rate";
            write!(f, "\n{}", wrap(&format!("no answer from {}: {help}", named(silent)), 2))?;
        }
        Ok(())
    }
}

/// `node 3`, or `nodes 3, 5`.
pub(super) fn named(nodes: &[usize]) -> String {
    format!("node{} {}", if nodes.len() == 1 { "" } else { "s" }, numbers(nodes))
}

fn numbers(nodes: &[usize]) -> String {
    nodes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Word::{Digest, Ended, Silent};

    fn verdict(words: &[Word<'_>]) -> (bool, String) {
        let verdict = Verdict::new(words, Duration::from_millis(300));
        (verdict.equal, verdict.to_string())
    }

    #[test]
    fn only_what_was_compared_is_called_equal() {
        for (words, says) in [
            (&[Silent, Silent, Silent][..], "NOTHING COMPARED: no node answered"),
            (&[Ended, Ended], "NOTHING COMPARED: no node is alive"),
            (&[Ended, Digest("a")], "NOTHING COMPARED: only node 1 is alive"),
            (&[Silent, Digest("a")], "NOTHING COMPARED: only node 1 answered"),
            (&[Digest("a"), Silent, Digest("a")], "NOT ALL COMPARED: the tables of 2 nodes are equal"),
            (
                &[Digest("a"), Digest("b"), Digest("a")],
                "TABLES DIFFER, 0.3 s after the agents rested: node 1 ",
            ),
            (&[Digest("a"), Digest("b"), Silent], "TABLES DIFFER, 0.3 s after the agents rested: node 1 "),
        ] {
            let (equal, text) = verdict(words);
            assert!(!equal && text.starts_with(says), "{words:?}: {text}");
            assert!(!text.contains("all 3 tables") && !text.contains("all 0"), "{text}");
        }
    }

    #[test]
    fn all_who_survived_and_answered_alike_are_equal() {
        let (equal, text) = verdict(&[Digest("a"), Digest("a"), Ended]);
        assert!(equal);
        assert_eq!(
            text,
            "all 2 tables are equal, 0.3 s after the agents rested (3 nodes, 2 alive at the\n  end, 2 compared)"
        );
    }

    #[test]
    fn whoever_did_not_answer_is_named() {
        let (_, text) = verdict(&[Digest("a"), Silent, Digest("a"), Silent]);
        assert!(text.contains("\nno answer from nodes 1, 3: stopped, or still at work: try fewer"), "{text}");
    }
}
