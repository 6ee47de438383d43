//! `octick dump`: captures and files of frames, whole and damaged.

mod command;

use std::fs;

use command::{directory, failure, run};
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::{Block8, Kind, Sealer, Stamp};
use octick_crypto::{Identity, MeshKeys};
use octick_node::dump::command::{Summary, dump};
use proptest::prelude::*;

const MICROS: u64 = 1_795_217_908_123_456;

/// A train of `count` frames of one block each: 176 bytes each in a train of one, 208 in a train of two.
fn train(count: u32) -> Vec<Vec<u8>> {
    let identity = Identity::from_seed(&[1; 32]);
    let mut train = Sealer::new();
    for i in 0..count {
        train.frame(Kind::Block8, |d| d.block8(&Block8::new(i, 0b11, 5, [u64::from(i); 8])).unwrap());
    }
    let version = Version::new(MICROS, identity.id());
    let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(1), version };
    train.seal(&identity, &MeshKeys::derive("test"), &stamp);
    train.frames().map(<[u8]>::to_vec).collect()
}

fn text(bytes: &[u8]) -> (Vec<String>, Summary) {
    let mut out = Vec::new();
    let summary = dump(bytes, false, &mut out).unwrap();
    (String::from_utf8(out).unwrap().lines().map(str::to_owned).collect(), summary)
}

/// A UDP datagram in an IPv4 packet.
fn ipv4(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((28 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2]);
    packet.extend(udp(payload));
    packet
}

fn ipv6(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((16 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 64]); // hop-by-hop options come first
    packet.extend([0; 15]);
    packet.push(1);
    packet.extend([0; 15]);
    packet.push(1);
    packet.extend([17, 0, 1, 4, 0, 0, 0, 0]);
    packet.extend(udp(payload));
    packet
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(5_000_u16.to_be_bytes());
    datagram.extend(7_700_u16.to_be_bytes());
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// A capture in the byte order and clock that `magic` says.
fn pcap(magic: u32, big_endian: bool, link_type: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let word = |n: u32| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut file = Vec::new();
    for n in [magic, if big_endian { 0x0002_0004 } else { 0x0004_0002 }, 0, 0, 65_535, link_type] {
        file.extend(word(n));
    }
    for packet in packets {
        let len = packet.len() as u32;
        for n in [1_795_217_908, 123_456, len, len] {
            file.extend(word(n));
        }
        file.extend(packet);
    }
    file
}

#[test]
fn raw_frames_are_one_readable_line_each() {
    let dir = directory("dump_raw");
    fs::write(dir.join("frames"), train(2).concat()).unwrap();
    let (code, shown, summary) = run(&dir, &["dump", "frames"]);
    assert_eq!(code, 0);
    assert_eq!(
        shown,
        "@0  block8 208 bytes  83561adb incarnation 1 seq 1  train 1 of 2  2026-11-20T23:38:28.123456Z  1 block\n  \
         block 0 age 5us  0=0 1=0\n\
         @208  block8 208 bytes  83561adb incarnation 1 seq 2  train 2 of 2  2026-11-20T23:38:28.123456Z  1 block\n  \
         block 1 age 5us  8=1 9=1\n"
    );
    assert_eq!(summary, "2 frames, 0 damaged\n");
}

#[test]
fn a_damaged_frame_says_at_which_byte_and_why_and_does_not_hide_the_next() {
    let [first, second] = [train(1)[0].clone(), train(1)[0].clone()];
    for (at, value, name, shows_at) in [
        (0, 0x50, "magic", 0),
        (1, 3, "wire_version", 1),
        (1, 0x12, "reserved", 1),
        (2, 0xEE, "kind", 2),
        (3, 0, "count", 3),
        (30, 9, "train", 30),
        (32, 0xFF, "version_tag", 32),
        (44, 0, "empty_block", 44),
        (45, 1, "reserved", 45),
    ] {
        let mut bytes = [first.clone(), second.clone()].concat();
        bytes[at] = value;
        // A file whose first byte is not the magic is not taken for frames at all; put a good one in front.
        let bytes = [second.clone(), bytes].concat();
        let (lines, summary) = text(&bytes);
        assert_eq!((summary.frames, summary.damaged), (2, 1), "{lines:#?}");
        let damaged = lines.iter().find(|line| line.contains("DAMAGED")).unwrap();
        let file_at = 176 + shows_at;
        let says = format!("@176  DAMAGED at byte {shows_at} of 176 (byte {file_at} of the file), {name}: ");
        assert!(damaged.starts_with(&says), "{damaged} is not {says}");
    }
}

#[test]
fn a_frame_cut_short_is_told() {
    let bytes = train(1)[0].clone();
    for len in 1..bytes.len() {
        let (lines, summary) = text(&bytes[..len]);
        assert_eq!((summary.frames, summary.damaged), (0, 1));
        let says = format!("@0  DAMAGED at byte {len} of {len} (byte {len} of the file), truncated: ");
        assert!(lines[0].starts_with(&says), "{}", lines[0]);
    }
}

#[test]
fn every_link_type_and_byte_order_shows_the_same_frame() {
    let frame = &train(1)[0];
    let before = |front: &[u8], packet: Vec<u8>| [front, &packet].concat();
    let ethernet = [&[0; 12][..], &[8, 0]].concat();
    let vlan = [&[0; 12][..], &[0x81, 0, 0, 5, 8, 0]].concat();
    let sll = [&[0; 14][..], &[8, 0]].concat();
    let sll2 = [&[0x86, 0xDD][..], &[0; 18]].concat();
    for (link_type, packet, from) in [
        (1, before(&ethernet, ipv4(frame)), "127.0.0.1:5000"),
        (1, before(&vlan, ipv4(frame)), "127.0.0.1:5000"),
        (101, ipv4(frame), "127.0.0.1:5000"),
        (101, ipv6(frame), "[::1]:5000"),
        (228, ipv4(frame), "127.0.0.1:5000"),
        (229, ipv6(frame), "[::1]:5000"),
        (113, before(&sll, ipv4(frame)), "127.0.0.1:5000"),
        (276, before(&sll2, ipv6(frame)), "[::1]:5000"),
        (0, before(&[2, 0, 0, 0], ipv4(frame)), "127.0.0.1:5000"),
        (108, before(&[0, 0, 0, 30], ipv6(frame)), "[::1]:5000"),
    ] {
        for (magic, big_endian) in
            [(0xA1B2_C3D4, false), (0xA1B2_C3D4, true), (0xA1B2_3C4D, false), (0xA1B2_3C4D, true)]
        {
            let (lines, summary) = text(&pcap(magic, big_endian, link_type, std::slice::from_ref(&packet)));
            assert_eq!(summary, Summary { frames: 1, ..Summary::default() }, "link type {link_type}");
            assert!(lines[0].starts_with(&format!("#1 {from} > ")), "{}", lines[0]);
            assert!(lines[0].contains("block8 176 bytes"), "{}", lines[0]);
        }
    }
}

#[test]
fn a_train_joined_by_the_kernel_is_taken_apart() {
    let mut frames = train(5);
    frames[2][2] = 0xEE;
    let (lines, summary) = text(&pcap(0xA1B2_C3D4, false, 101, &[ipv4(&frames.concat())]));
    assert_eq!((summary.frames, summary.damaged), (4, 1), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("DAMAGED at byte 2 of 272")), "{lines:#?}");
}

#[test]
fn other_packets_are_counted_not_shown() {
    let mut tcp = ipv4(b"hello");
    tcp[9] = 6;
    let mut fragment = ipv4(b"hello");
    fragment[6] = 0x20;
    let packets = [tcp, fragment, ipv4(&train(1)[0]), vec![0x45]];
    let (lines, summary) = text(&pcap(0xA1B2_C3D4, false, 101, &packets));
    assert!(lines[0].starts_with("#3 127.0.0.1:5000 > 127.0.0.2:7700  block8"), "{lines:#?}");
    assert_eq!(
        summary.to_string(),
        "1 frames, 0 damaged, 1 packets not UDP, 1 packets IP fragments, 1 packets with broken headers"
    );
}

#[test]
fn json_carries_what_the_text_does() {
    let dir = directory("dump_json");
    let capture = pcap(0xA1B2_C3D4, false, 101, &[ipv4(&train(1)[0]), ipv4(b"Octick?")]);
    fs::write(dir.join("capture.pcap"), capture).unwrap();
    let (_, shown, _) = run(&dir, &["dump", "--json", "capture.pcap"]);
    let lines: Vec<serde_json::Value> =
        shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["frame"]["entries"][0]["cells"][1]["slot"], 1);
    assert_eq!(lines[0]["packet"]["micros"], MICROS);
    assert_eq!(lines[1]["damage"]["reject"], "truncated");
}

#[test]
fn a_file_that_is_neither_says_so() {
    let dir = directory("dump_neither");
    fs::write(dir.join("text"), "hello").unwrap();
    fs::write(dir.join("empty"), "").unwrap();
    fs::write(dir.join("pcapng"), [0x0A, 0x0D, 0x0D, 0x0A]).unwrap();
    fs::write(dir.join("cut"), [0xD4, 0xC3, 0xB2, 0xA1, 2]).unwrap();
    assert_eq!(
        failure(&dir, &["dump", "text"]),
        "text: neither a pcap capture nor frames: it begins with byte 68, a frame with 4f"
    );
    assert_eq!(failure(&dir, &["dump", "empty"]), "empty: the file is empty");
    assert!(failure(&dir, &["dump", "pcapng"]).contains("editcap -F pcap"));
    assert_eq!(failure(&dir, &["dump", "cut"]), "cut: the capture ends inside what begins at byte 0");
}

/// Shows bytes both ways; they may be refused, but nothing panics, and what is split is all there.
fn survive(bytes: &[u8]) {
    for json in [false, true] {
        let _ = dump(bytes, json, &mut std::io::sink());
    }
    let mut at = 0;
    for piece in octick_node::dump::split::file(bytes) {
        assert_eq!(piece.at, at, "pieces follow each other");
        assert!(piece.len > 0);
        at += piece.len;
    }
    assert_eq!(at, bytes.len());
}

proptest! {
    #[test]
    fn no_bytes_at_all_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..2_000), magic in 0..4_usize) {
        let front = [0xA1B2_C3D4_u32.to_le_bytes(), 0xA1B2_3C4D_u32.to_be_bytes(), *b"O\x01\x08\x01", [0; 4]][magic];
        let len = bytes.len().min(4);
        bytes[..len].copy_from_slice(&front[..len]);
        survive(&bytes);
    }

    #[test]
    fn no_mutation_makes_it_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        link_type in prop::sample::select(vec![0_u32, 1, 101, 108, 113, 228, 229, 276]),
        captured in any::<bool>(),
    ) {
        let frames = train(3).concat();
        let mut bytes = if captured {
            pcap(0xA1B2_C3D4, false, link_type, &[ipv4(&frames), ipv6(&frames), ipv4(b"")])
        } else {
            frames
        };
        for (at, value) in flips {
            *at.get_mut(&mut bytes) = value;
        }
        survive(&bytes[..cut.index(bytes.len())]);
    }
}
