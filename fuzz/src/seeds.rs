//! The committed corpora, made anew: where the fuzzer begins, and what `cargo test` replays.

use octick_core::crypto::train::TRAIN_MAX;
use octick_core::wire::{Kind, Sealer};

use crate::cursor::Cursor;
use crate::script;
use crate::world::{World, draw_frame, draw_stamp};

/// Name and bytes of each seed of a target.
///
/// # Panics
/// When there is no such target.
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        // Half of the decisions are the next number, by who speaks.
        "admission" => structured(40, 300, |_| ()),
        "build_parse" => structured(24, 200, |_| ()),
        "config" => configs(),
        "control" => {
            let scattered = structured(40, 700, |bytes| {
                // Control frames that begin with their author's word, and some words of long ago.
                bytes[1..].chunks_mut(9).for_each(|step| step[0] |= 0x80);
                bytes[1..]
                    .chunks_mut(67)
                    .for_each(|steps| steps.iter_mut().skip(5).take(1).for_each(|age| *age = 0xFE));
            });
            let stories = [
                ("a-session-of-nothing".into(), proven_and_garbled()),
                ("a-word-of-times-to-come".into(), vec![1, 0x83, 1, 0, 0, 0, 0xFF, 0, 1]),
                ("accused-too-often".into(), accused_too_often()),
                ("convicted".into(), convicted()),
            ];
            scattered.into_iter().chain(stories).collect()
        }
        "dump" => dumps(),
        "frame_parse" => frames(),
        "ingress" => {
            let scattered = structured(20, 600, |bytes| bytes[0] &= 0x0F);
            script::stories().into_iter().chain(scattered).collect()
        }
        // Most steps begin with an announcement, and most of those with a credential that holds.
        "issued" => structured(32, 400, |bytes| {
            bytes[1..].chunks_mut(6).for_each(|step| {
                step[0] |= 0x80;
                step.iter_mut().skip(2).take(1).for_each(|how| *how &= 0x0C);
                step.iter_mut().skip(4).take(1).for_each(|shown| *shown &= 0x4E);
            });
        }),
        "merge_twin" => structured(40, 400, |_| ()),
        "proof" => {
            let liars = [("two-things-under-one-number".into(), two_things())];
            structured(40, 500, |_| ()).into_iter().chain(liars).collect()
        }
        // Most steps open, answer and deliver; the others lie.
        "reconcile" => structured(40, 700, |bytes| {
            bytes[1] = 0x80;
            bytes[2..].chunks_mut(5).for_each(|step| step[0] &= 0xFA);
        }),
        "verify_vs_reference" => structured(32, 300, |bytes| bytes[1] &= 0x3F),
        _ => panic!("no target {target}"),
    }
}

/// A member that asks for the table, shows its address when it is told to, and then says what no session waits for.
fn proven_and_garbled() -> Vec<u8> {
    let asks = [0x83, 1, 0, 0, 0, 10, 0, 1];
    let shows = [7, 1, 0, 0, 0];
    let garbles = [1, 1, 0, 0, 0x0C, 3, 9, 9, 9];
    [&[1][..], &asks, &shows, &garbles].concat()
}

/// Two members; one accuses the node under test again and again, and then the other one with a signature that is none.
fn accused_too_often() -> Vec<u8> {
    let members = [0x83, 1, 0, 0, 0, 10, 0, 1, 0x83, 2, 0, 0, 0, 11, 0, 1];
    let accuses = [3, 1, 0, 0, 1, 0, 1, 0xFF];
    let waits = [0, 0, 0, 0, 0xE8, 3];
    let forges = [3, 1, 0, 2, 1, 0, 1, 0x70];
    let again = [&accuses[..], &waits].concat().repeat(4);
    [&[1][..], &members, &again, &forges].concat()
}

/// The liar signs two frames of one number, and they are held against each other.
fn two_things() -> Vec<u8> {
    let signs = |value| [0, 2, 1, 9, 0, 0, 0, 4, 1, 0, value];
    [&signs(7)[..], &signs(8), &[5, 0, 1, 60, 0, 1]].concat()
}

/// Two members; a forged proof against one, a sound one against the other, who then introduces itself again.
fn convicted() -> Vec<u8> {
    let members = [0x83, 1, 0, 0, 0, 10, 0, 1, 0x83, 2, 0, 0, 0, 11, 0, 1];
    let proofs = [1, 1, 0, 1, 0xFD, 1, 0, 1, 1, 0, 2, 0xFD, 0];
    let again = [0x83, 2, 0, 0, 0, 12, 0, 1];
    [&[1][..], &members, &proofs, &again].concat()
}

/// SplitMix64 (Steele, Lea, Flood, 2014): enough to scatter bytes, the same ones every time.
struct Scatter(u64);

impl Scatter {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Bytes of which small ones are likelier, as counts and steps like them.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len)
            .map(|_| {
                let word = self.next();
                (word >> 8) as u8 >> (word & 7)
            })
            .collect()
    }
}

/// Inputs for bodies that read structures: short and long ones, then `shape`d.
fn structured(count: usize, longest: usize, shape: impl Fn(&mut Vec<u8>)) -> Vec<(String, Vec<u8>)> {
    let mut scatter = Scatter(longest as u64);
    (0..count)
        .map(|i| {
            let mut bytes = scatter.bytes(8 + (longest - 8) * i / (count - 1));
            shape(&mut bytes);
            (format!("scattered-{i:02}"), bytes)
        })
        .collect()
}

/// A train of `len` frames of one kind, from the world's first node.
fn train(kind: Kind, count: usize, len: usize) -> Vec<Vec<u8>> {
    let world = World::get();
    let kind_byte = Kind::ALL.iter().position(|each| *each == kind).expect("a kind") as u8;
    let mut train = Sealer::new();
    for i in 0..len {
        // Entries one apart, masks and values that differ.
        let mut recipe = vec![kind_byte, count as u8 - 1, i as u8];
        recipe.extend((0..count as u8).flat_map(|n| [1, n, 3 * n]));
        draw_frame(&mut Cursor::new(&recipe), &mut train, false);
    }
    train.seal(&world.people[0], &world.mesh, &draw_stamp(&mut Cursor::new(&[1, 9, 1]), &world.people[0]));
    train.frames().map(<[u8]>::to_vec).collect()
}

/// Whole frames of every kind, and one of each with a rule broken.
fn frames() -> Vec<(String, Vec<u8>)> {
    let mut seeds = vec![("empty".to_owned(), Vec::new())];
    for &kind in Kind::ALL {
        for (count, len) in [(1, 1), (kind.count_max(), 5), (2.min(kind.count_max()), TRAIN_MAX)] {
            let frame = train(kind, count, len).swap_remove(len - 1);
            seeds.push((format!("{}-{count}-of-train-{len}", kind.name()), frame));
        }
        let whole = train(kind, kind.count_max(), 1).swap_remove(0);
        for at in [0, 1, 3, 30, 33, 40, 45] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x11;
            seeds.push((format!("{}-damaged-at-{at}", kind.name()), damaged));
        }
        seeds.push((format!("{}-cut", kind.name()), whole[..whole.len() - 1].to_vec()));
    }
    seeds
}

/// The example, small configurations that hold, and one for every kind of mistake.
fn configs() -> Vec<(String, Vec<u8>)> {
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let small: &[(&str, String)] = &[
        ("empty", String::new()),
        ("example", octick_node::config::example()),
        ("unknown-key", "colour = \"red\"\n".into()),
        ("unknown-section", "[tables]\nslots = 16\n".into()),
        ("wrong-type", "[table]\nslots = \"many\"\n".into()),
        ("not-toml", "mesh = = 1\n".into()),
        ("slots-unaligned", "[table]\nslots = 17\n".into()),
        ("slots-none", "[table]\nslots = 0\n".into()),
        ("slots-huge", "[table]\nslots = 4294967295\n".into()),
        ("slots-negative", "[table]\nslots = -16\n".into()),
        ("no-table", "[table]\ncells8 = false\ncells4 = false\nrows = false\n".into()),
        ("fanout-none", "[push]\nfanout = 0\nrelay = 0\n".into()),
        ("flush-long", "[push]\nflush_micros = 65536\n[limits]\nskew_micros = 65535\n".into()),
        ("ring-short", "[limits]\nchanges_ring = 1\n".into()),
        ("solo-many", "[threads]\nmode = \"solo\"\ningress = 2\n".into()),
        ("split", "[threads]\nmode = \"split\"\ningress = 2\ncores = [0, 1, 2]\n".into()),
        ("split-short", "[threads]\nmode = \"split\"\ningress = 2\ncores = [0, 1]\n".into()),
        ("core-twice", "[threads]\nmode = \"split\"\ncores = [1, 1]\n".into()),
        ("agents", "[[agents]]\nfirst = 0\ncount = 1024\n".into()),
        ("agents-overlap", "[[agents]]\nfirst = 0\ncount = 32\n[[agents]]\nfirst = 16\ncount = 16\n".into()),
        ("agents-past", "[[agents]]\nfirst = 4294967280\ncount = 4294967280\n".into()),
        ("agents-none", "[[agents]]\nfirst = 0\ncount = 0\n".into()),
        (
            "peer",
            format!(
                "[[peers]]\npublic_key = \"{key}\"\naddr = \"[::1]:7700\"\nruns = [{{ first = 0, count = 16 }}]\n"
            ),
        ),
        (
            "peer-twice",
            format!(
                "[[peers]]\npublic_key = \"{key}\"\nruns = []\n[[peers]]\npublic_key = \"{key}\"\nruns = []\n"
            ),
        ),
        ("peer-key-short", "[[peers]]\npublic_key = \"d75a\"\nruns = []\n".into()),
        ("peer-key-identity", format!("[[peers]]\npublic_key = \"01{}\"\nruns = []\n", "0".repeat(62))),
        ("peer-addr", format!("[[peers]]\npublic_key = \"{key}\"\naddr = \"nowhere\"\nruns = []\n")),
        ("crlf", "mesh = \"a\"\r\n[table]\r\nslots = 32\r\n".into()),
        ("inline", "table = { slots = 64, rows = false }\n".into()),
        ("dotted", "table.slots = 64\ntable.slots = 32\n".into()),
    ];
    small.iter().map(|(name, text)| (format!("{name}.toml"), text.clone().into_bytes())).collect()
}

/// Files of frames, and captures of every layout that is understood.
fn dumps() -> Vec<(String, Vec<u8>)> {
    let (blocks, rows) = (train(Kind::Block8, 2, 3), train(Kind::Rows, 3, 1).swap_remove(0));
    let joined = blocks.concat();
    let mut seeds = vec![
        ("empty".to_owned(), Vec::new()),
        ("one-frame".to_owned(), rows.clone()),
        ("train".to_owned(), joined.clone()),
        ("garbage-between".to_owned(), [&rows[..], b"Oh no", &joined].concat()),
        ("damaged-first".to_owned(), [b"OOOO", &rows[..]].concat()),
        ("cut".to_owned(), joined[..joined.len() - 9].to_vec()),
        ("neither".to_owned(), b"hello".to_vec()),
        ("pcapng".to_owned(), [0x0A, 0x0D, 0x0D, 0x0A, 0, 0, 0, 0].to_vec()),
    ];
    let packets: Vec<Vec<u8>> = vec![joined, rows, b"not a frame".to_vec()];
    for (link_type, link_header) in [
        (1_u16, [&[0; 12][..], &[0x08, 0x00]].concat()),
        (1, [&[0; 12][..], &[0x81, 0x00, 0, 1, 0x08, 0x00]].concat()),
        (101, Vec::new()),
        (0, vec![2, 0, 0, 0]),
        (113, [&[0; 14][..], &[0x08, 0x00]].concat()),
        (276, [&[0x08, 0x00][..], &[0; 18]].concat()),
        (9_999, Vec::new()),
    ] {
        let file = capture(link_type, &packets, |payload| [link_header.clone(), ipv4(payload)].concat());
        seeds.push((format!("link-{link_type}-{}.pcap", link_header.len()), file));
    }
    let over_ipv6 = capture(101, &packets, ipv6);
    let mut nanos = over_ipv6.clone();
    nanos[0] = 0x4D;
    nanos[1] = 0x3C;
    seeds.push(("nanos.pcap".to_owned(), nanos));
    seeds.push(("cut-packet.pcap".to_owned(), over_ipv6[..over_ipv6.len() - 3].to_vec()));
    seeds.push(("cut-header.pcap".to_owned(), over_ipv6[..20].to_vec()));
    seeds.push(("ipv6.pcap".to_owned(), over_ipv6));
    let mut fragment = capture(101, &packets, ipv4);
    fragment[24 + 16 + 6] = 0x20;
    seeds.push(("fragment.pcap".to_owned(), fragment));
    seeds
}

/// A classic capture, little-endian, of packets that `wrap` puts headers on.
fn capture(link_type: u16, payloads: &[Vec<u8>], wrap: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut file = vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend(u32::from(link_type).to_le_bytes());
    for (i, payload) in payloads.iter().enumerate() {
        let packet = wrap(payload);
        for field in [1_700_000_000, i as u32, packet.len() as u32, packet.len() as u32] {
            file.extend(field.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    [&7700_u16.to_be_bytes()[..], &7701_u16.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload].concat()
}

fn ipv4(payload: &[u8]) -> Vec<u8> {
    let udp = udp(payload);
    let len = (20 + udp.len()) as u16;
    let rest = [0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
    [&[0x45, 0][..], &len.to_be_bytes(), &rest, &udp].concat()
}

fn ipv6(payload: &[u8]) -> Vec<u8> {
    let udp = udp(payload);
    let mut address = [0; 16];
    address[15] = 1;
    [&[0x60, 0, 0, 0][..], &(udp.len() as u16).to_be_bytes(), &[17, 64], &address, &address, &udp].concat()
}
