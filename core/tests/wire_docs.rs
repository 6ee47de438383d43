//! `docs/wire.md` says what the code does: limits, kinds, reasons, and one frame byte by byte.

mod samples;

use octick_core::Reject;
use octick_core::control::Refusal;
use octick_core::control::message::kind::{Addressing, Family, MessageKind, RESERVED};
use octick_core::counters::Counter;
use octick_core::crypto::train::{DEPTH_MAX, TRAIN_MAX, depth, message, root_of};
use octick_core::crypto::{Identity, Item, MeshKeys, SIGNATURE_LEN, verify_many};
use octick_core::limits::*;
use octick_core::stamp::{Incarnation, Seq, Slot, Version};
use octick_core::wire::header::{MAGIC, WIRE_VERSION};
use octick_core::wire::{Entries, Frame, Kind, Sealer, Stamp};

const DOC: &str = include_str!("../../docs/wire.md");
const MEMBERSHIP: &str = include_str!("../../docs/membership.md");

/// The cells of each row of the table under `heading`, without its head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, section) = DOC.split_once(heading).unwrap_or_else(|| panic!("no section {heading:?}"));
    let rows =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2)
        .map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

#[test]
fn every_limit_stands_in_the_table() {
    let limits = [
        ("FRAME_MAX", FRAME_MAX),
        ("FRAME_MIN", FRAME_MIN),
        ("HEADER_LEN", HEADER_LEN),
        ("ENTRIES_MAX", ENTRIES_MAX),
        ("AUTH_MAX", AUTH_MAX),
        ("BLOCK_LEN", BLOCK_LEN),
        ("BLOCKS_MAX", BLOCKS_MAX),
        ("ROW_LEN", ROW_LEN),
        ("ROWS_MAX", ROWS_MAX),
        ("CONTROL_FRAME_MAX", CONTROL_FRAME_MAX),
        ("CONTROL_FRAME_UNIT", CONTROL_FRAME_UNIT),
        ("TRAIN_MAX", TRAIN_MAX),
        ("DEPTH_MAX", DEPTH_MAX),
        ("SLOTS_MAX", SLOTS_MAX as usize),
        ("RUN_ALIGN", RUN_ALIGN as usize),
        ("RUNS_MAX", RUNS_MAX),
        ("ORIGINS_MAX", ORIGINS_MAX),
        ("WINDOW", WINDOW as usize),
    ];
    let written = table("## Limits");
    assert_eq!(written.len(), limits.len());
    for (row, (name, value)) in written.iter().zip(limits) {
        assert_eq!((row[0].as_str(), row[1].replace(',', "")), (name, value.to_string()));
    }
}

#[test]
fn every_kind_stands_in_the_table() {
    let written = table("## Kinds");
    assert_eq!(written.len(), Kind::ALL.len());
    for (row, kind) in written.iter().zip(Kind::ALL.iter().copied()) {
        let expected = [
            format!("{:#04x}", kind as u8),
            format!("{kind:?}"),
            kind.entry_len().to_string(),
            kind.count_max().to_string(),
            if kind.is_data() { "yes" } else { "no" }.to_owned(),
        ];
        assert_eq!(row[..5], expected);
    }
}

#[test]
fn every_message_stands_in_the_table_with_its_meaning() {
    let written = table("## Messages");
    let row = |kind: &MessageKind| {
        vec![
            format!("{:#04x}", *kind as u8),
            kind.name().to_owned(),
            kind.family().name().to_owned(),
            if kind.addressing() == Addressing::Anyone { "anyone" } else { "named" }.to_owned(),
            kind.meaning().trim().to_owned(),
        ]
    };
    let expected: Vec<Vec<String>> = MessageKind::ALL.iter().map(row).collect();
    let listing: String = expected.iter().map(|row| format!("| `{}` |\n", row.join(" | "))).collect();
    assert_eq!(written, expected, "the table should read:\n{listing}");
    let reserved = table("### Reserved messages");
    let expected = RESERVED.map(|(first, last, what)| match first == last {
        true => vec![format!("{first:#04x}"), what.to_owned()],
        false => vec![format!("{first:#04x} to {last:#04x}"), what.to_owned()],
    });
    assert_eq!(reserved, expected);
}

#[test]
fn messages_about_members_have_the_bytes_that_their_bodies_are_listed_with() {
    let (_, section) = MEMBERSHIP.split_once("## Messages").expect("membership.md lists the bodies");
    let rows = section.lines().filter(|line| line.starts_with("| `0x"));
    let mut listed: Vec<(String, String)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let name = cells[1].split(':').next().expect("a name before the colon");
            (cells[0].replace('`', ""), name.to_owned())
        })
        .collect();
    listed.dedup();
    let about_members = MessageKind::ALL.iter().filter(|kind| kind.family() == Family::Membership);
    let expected: Vec<(String, String)> =
        about_members.map(|kind| (format!("{:#04x}", *kind as u8), kind.name().to_owned())).collect();
    assert_eq!(listed, expected);
}

#[test]
fn every_reason_stands_in_the_table_with_its_meaning() {
    let written = table("## Rejects");
    let expected: Vec<Vec<String>> = Reject::ALL
        .iter()
        .map(|reject| vec![(*reject as u8).to_string(), reject.metric().to_owned(), reject.to_string()])
        .collect();
    let listing: String = Reject::ALL
        .iter()
        .map(|reject| format!("| {} | `{}` | {reject} |\n", *reject as u8, reject.metric()))
        .collect();
    assert_eq!(written, expected, "the table should read:\n{listing}");
}

#[test]
fn every_refusal_stands_in_the_table_with_its_meaning() {
    let row = |refusal: &Refusal| {
        vec![(*refusal as u8).to_string(), refusal.metric().to_owned(), refusal.to_string()]
    };
    let expected: Vec<Vec<String>> = Refusal::ALL.iter().map(row).collect();
    let listing: String = Refusal::ALL
        .iter()
        .map(|refusal| format!("| {} | `{}` | {refusal} |\n", *refusal as u8, refusal.metric()))
        .collect();
    assert_eq!(table("## Refusals"), expected, "the table should read:\n{listing}");
    // One name means one thing wherever names of counters meet.
    let names = Refusal::ALL.iter().map(|refusal| refusal.metric());
    assert!(names.clone().all(|name| Reject::ALL.iter().all(|reject| reject.metric() != name)));
    assert!(names.clone().all(|name| Counter::ALL.iter().all(|counter| counter.metric() != name)));
}

#[test]
fn the_magic_and_the_wire_version_are_the_written_ones() {
    assert!(DOC.contains(&format!("`{MAGIC:#04x}`")) && DOC.contains(&format!("version `{WIRE_VERSION}`")));
}

/// The frame of the worked example, made as the text says.
fn example() -> Vec<u8> {
    let (identity, keys) = (Identity::from_seed(&[1; 32]), MeshKeys::derive("example"));
    let mut train = Sealer::new();
    train.frame(Kind::Rows, |draft| {
        draft.rows(&[(16, 0, 0xCAFE), (21, 250, 7)]);
    });
    let version = Version::new(1_700_000_000_000_000, identity.id());
    train.seal(&identity, &keys, &Stamp { incarnation: Incarnation(3), first_seq: Seq(42), version });
    train.frames().next().unwrap().to_vec()
}

/// The hex bytes of the dump under "Worked example", in order.
fn written_example() -> Vec<u8> {
    let (_, section) = DOC.split_once("## Worked example").expect("the example has a section");
    let dump = section.split("```").nth(1).expect("the dump is fenced");
    let mut bytes = Vec::new();
    for line in dump.lines().filter(|line| line.starts_with("0x")) {
        let (at, rest) = line[2..].split_once(' ').expect("an offset, then bytes");
        assert_eq!(usize::from_str_radix(at, 16).unwrap(), bytes.len(), "{line}");
        let hex = rest.split('|').next().unwrap();
        bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    bytes
}

#[test]
fn the_worked_example_is_the_frame_that_the_code_makes() {
    let listing: String = example()
        .chunks(8)
        .enumerate()
        .map(|(i, line)| {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{:#04x}  {}\n", 8 * i, hex.join(" "))
        })
        .collect();
    assert_eq!(written_example(), example(), "the bytes should read:\n{listing}");
}

#[test]
fn the_worked_example_parses_to_what_the_text_says() {
    let (identity, keys) = (Identity::from_seed(&[1; 32]), MeshKeys::derive("example"));
    let bytes = written_example();
    let frame = Frame::parse(&bytes).unwrap();
    let header = frame.header();
    assert_eq!((header.incarnation(), header.seq()), (Incarnation(3), Seq(42)));
    assert_eq!((header.train_index(), header.train_len()), (0, 1));
    let Entries::Rows(rows) = frame.entries() else { panic!("{:?}", frame.entries()) };
    let row = |i: usize| {
        (Slot(rows.slots[i].get()), header.version().aged(rows.ages[i].get()).micros(), rows.values[i].get())
    };
    assert_eq!(row(0), (Slot(16), 1_700_000_000_000_000, 0xCAFE));
    assert_eq!(row(1), (Slot(21), 1_699_999_999_999_750, 7));

    let root = root_of(&keys, keys.leaf(frame.signed_part()), 0, 1, frame.path());
    let mut verdict = [false];
    let item = Item { key: identity.public(), message: &message(1, &root), signature: frame.signature() };
    verify_many(&[item], &mut verdict);
    assert!(verdict[0]);
}

#[test]
fn the_written_lengths_add_up() {
    assert_eq!(HEADER_LEN + ENTRIES_MAX + AUTH_MAX, FRAME_MAX);
    assert_eq!(AUTH_MAX, SIGNATURE_LEN + 32 * depth(TRAIN_MAX));
}
