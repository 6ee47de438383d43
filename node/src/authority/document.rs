//! Credentials and decisions as files: what people read as comments, then the bytes as hex digits.
//!
//! ```text
//! # octick: credential
//! # worker-1 (6c31...) of mesh "farm", serial 7
//! 070000000000000000b2c5...
//! ```
//!
//! The first line says which kind of file it is. Bytes stand in lines of up to 64 digits; lines that follow each other are one document, and a
//! comment or an empty line ends it. A file of decisions holds as many as the mesh has. Only the bytes count: comments are for people, and
//! nothing in them is believed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use octick_core::admission::{Credential, Grant, SignedDecision};
use octick_core::limits::{CREDENTIAL_MAX, DECISION_MAX, DECISIONS_MAX};

use super::words::{moment, slots, unhex};
use crate::failure::Failure;
use crate::keygen::hex;

const CREDENTIAL: &str = "# octick: credential";
const DECISIONS: &str = "# octick: decisions";
/// Hex digits of a line.
const DIGITS: usize = 64;
/// The longest file that is read, bytes: as many of the longest decisions as there may be, in digits, and as much again for line ends and
/// comments.
const BYTES_MAX: u64 = 4 * (DECISION_MAX * DECISIONS_MAX) as u64;

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// A credential that nothing was verified of, but that it can be read.
    Credential(Vec<u8>),
    /// Decisions that nothing was verified of, but that they can be read.
    Decisions(Vec<Vec<u8>>),
}

/// The bytes of a credential's file. They can be read as a credential; nothing else of them is verified.
///
/// # Errors
/// One line: the file, the line, and what is wrong there.
pub fn read_credential(path: &Path) -> Result<Vec<u8>, Failure> {
    match read(path)? {
        Document::Credential(bytes) => Ok(bytes),
        Document::Decisions(_) => Err(wrong(path, 1, "holds decisions; want a credential")),
    }
}

/// The bytes of each decision of a file, in the file's order. They can be read as decisions; nothing else of them is verified.
///
/// # Errors
/// One line: the file, the line, and what is wrong there.
pub fn read_decisions(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    match read(path)? {
        Document::Decisions(each) => Ok(each),
        Document::Credential(_) => Err(wrong(path, 1, "holds a credential; want decisions")),
    }
}

/// Reads either kind.
pub(super) fn read(path: &Path) -> Result<Document, Failure> {
    let at = path.display();
    let io = |error: io::Error| {
        Failure::new(match error.kind() {
            io::ErrorKind::NotFound => {
                format!(
                    "{at}: no such file; name a credential or a file of decisions, as octick authority writes them"
                )
            }
            io::ErrorKind::IsADirectory => format!("{at}: a directory; name the file in it"),
            _ => format!("{at}: {error}"),
        })
    };
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Failure::new(format!(
            "{at}: longer than {BYTES_MAX} bytes, which is no file of an authority"
        )));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::new(format!("{at}: holds bytes that are no text; want a file of an authority"))
    })?;
    parse(&text).map_err(|(line, why)| wrong(path, line, &why))
}

fn wrong(path: &Path, line: usize, why: &str) -> Failure {
    Failure::new(format!("{}:{line}: {why}", path.display()))
}

/// A line, and what is wrong there.
type Wrong = (usize, String);

/// What a text holds, or the line that is wrong and why.
fn parse(text: &str) -> Result<Document, Wrong> {
    let title = text.lines().next().unwrap_or_default().trim_end();
    if title != CREDENTIAL && title != DECISIONS {
        return Err((1, format!("want {CREDENTIAL:?} or {DECISIONS:?} as the first line")));
    }
    let longest = if title == CREDENTIAL { CREDENTIAL_MAX } else { DECISION_MAX };
    let pieces = pieces(text, longest)?;
    if title == CREDENTIAL {
        let [(line, bytes)] = &pieces[..] else {
            let line = pieces.get(1).map_or(1, |(line, _)| *line);
            return Err((line, format!("{} credentials; want one", pieces.len())));
        };
        Credential::read_unproven(bytes).map_err(|why| (*line, format!("no credential: {why}")))?;
        return Ok(Document::Credential(bytes.clone()));
    }
    if let Some((line, _)) = pieces.get(DECISIONS_MAX) {
        return Err((*line, format!("more than {DECISIONS_MAX} decisions, which is all that a mesh has")));
    }
    for (line, bytes) in &pieces {
        SignedDecision::read(bytes).map_err(|why| (*line, format!("no decision: {why}")))?;
    }
    Ok(Document::Decisions(pieces.into_iter().map(|(_, bytes)| bytes).collect()))
}

/// The bytes of each piece, at most `longest`, and the line on which it begins.
fn pieces(text: &str, longest: usize) -> Result<Vec<(usize, Vec<u8>)>, Wrong> {
    let mut pieces: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut goes_on = false;
    for (i, line) in text.lines().enumerate() {
        let (number, line) = (i + 1, line.trim_end());
        if line.is_empty() || line.starts_with('#') {
            goes_on = false;
            continue;
        }
        let bytes = unhex(line).filter(|_| line.len() <= DIGITS);
        let bytes = bytes.ok_or_else(|| (number, format!("want up to {DIGITS} hex digits, two a byte")))?;
        if !goes_on {
            pieces.push((number, Vec::new()));
        }
        goes_on = true;
        let (_, piece) = pieces.last_mut().expect("one was begun");
        piece.extend_from_slice(&bytes);
        if piece.len() > longest {
            return Err((number, format!("more than {longest} bytes without a break")));
        }
    }
    Ok(pieces)
}

/// The file of a credential.
pub(crate) fn credential(credential: &Credential, mesh: &str) -> String {
    let Grant { serial, member, name, from, until, grace, runs, .. } = credential.grant();
    let days = grace / super::words::DAY as u32;
    format!(
        "{CREDENTIAL}\n\
         # {name} ({member}) of mesh {mesh:?}, serial {serial}: {}\n\
         # from {} until {}, then {days} days of grace\n\
         # It is public: it is worth something only beside the key of its member.\n\
         {}",
        slots(runs),
        moment((*from).into()),
        moment((*until).into()),
        lines(credential.bytes()),
    )
}

/// The file of decisions, each with what people say about it.
pub(crate) fn decisions<'a>(each: impl Iterator<Item = (&'a SignedDecision, &'a str)>, mesh: &str) -> String {
    let title = format!(
        "{DECISIONS}\n# of the authority of mesh {mesh:?}: all of them, in their order. They are public.\n"
    );
    each.fold(title, |text, (signed, note)| {
        let note = if note.is_empty() { String::new() } else { format!(" ({note:?})") };
        let (number, said) = (signed.number(), signed.decision());
        format!("{text}\n# {number}: {said}{note}\n{}", lines(signed.bytes()))
    })
}

fn lines(bytes: &[u8]) -> String {
    bytes.chunks(DIGITS / 2).map(|chunk| hex(chunk) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use octick_core::admission::Decision;
    use octick_core::admission::endorsement::authority_key;
    use octick_core::admission::grant::{ANY_REGION, WRITE_CELLS};
    use octick_core::stamp::{Run, Slot};
    use octick_crypto::Identity;

    use super::*;

    fn issued() -> Credential {
        let grant = Grant {
            serial: 5,
            member: Identity::from_seed(&[1; 32]).id(),
            from: 1_000,
            until: 2_000,
            grace: 86_400,
            region: ANY_REGION,
            roles: 0,
            rights: WRITE_CELLS,
            name: "worker-1".into(),
            runs: vec![Run { first: Slot(0), len: 16 }],
        };
        Credential::issue(&grant, &authority_key("t"), &[&Identity::from_seed(&[9; 32])]).unwrap()
    }

    fn signed(number: u64) -> SignedDecision {
        let decision = Decision::Revoke { member: Identity::from_seed(&[1; 32]).id(), serial: number };
        SignedDecision::sign(number, &decision, &authority_key("t"), &[&Identity::from_seed(&[9; 32])])
    }

    #[test]
    fn what_was_written_is_read() {
        let text = credential(&issued(), "t");
        assert_eq!(parse(&text), Ok(Document::Credential(issued().bytes().into())));
        assert!(text.lines().all(|line| line.len() <= 110 && line.is_ascii()), "{text}");
        let all = [signed(1), signed(2), signed(3)];
        let text = decisions(all.iter().zip(["", "lost\n00", "stolen"]), "t");
        let bytes = all.iter().map(|signed| signed.bytes().to_vec()).collect();
        assert_eq!(parse(&text), Ok(Document::Decisions(bytes)), "whatever a note says");
        assert_eq!(parse(&decisions([].into_iter(), "t")), Ok(Document::Decisions(vec![])));
    }

    #[test]
    fn line_ends_of_other_systems_and_missing_comments_change_nothing() {
        let text = credential(&issued(), "t").replace('\n', "\r\n");
        assert_eq!(parse(&text), Ok(Document::Credential(issued().bytes().into())));
        let bare = format!("{CREDENTIAL}\n{}", lines(issued().bytes()));
        assert_eq!(parse(&bare), Ok(Document::Credential(issued().bytes().into())));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let whole = credential(&issued(), "t");
        let without = |line: usize| {
            let kept = whole.lines().enumerate().filter(|(i, _)| i + 1 != line);
            kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
        };
        let two = whole.clone() + "\n" + &lines(issued().bytes());
        let lone = decisions([(&signed(1), "")].into_iter(), "t");
        let want = "want \"# octick: credential\" or \"# octick: decisions\" as the first line";
        let digits = "want up to 64 hex digits, two a byte";
        let cut = "no credential: it is shorter or longer than it says";
        for (text, line, why) in [
            (String::new(), 1, want),
            (without(1), 1, want),
            (without(9), 5, cut),
            (CREDENTIAL.into(), 1, "0 credentials; want one"),
            (two, 11, "2 credentials; want one"),
            (whole.replace("\n05", "\n0x"), 5, digits),
            (whole.replace("\n05", "\n005"), 5, digits),
            (whole.clone() + &"00\n".repeat(CREDENTIAL_MAX), 250, "more than 384 bytes without a break"),
            (lone.replace("\n01", "\n00"), 5, "no decision: a field has a value that means nothing"),
        ] {
            assert_eq!(parse(&text), Err((line, why.to_owned())), "{text}");
        }
    }
}
