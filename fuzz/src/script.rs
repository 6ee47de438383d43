//! Inputs for [`ingress`](crate::ingress) written by hand: one story for each verdict.

use octick_core::wire::Kind;

/// What happens to a node, as [`ingress::run`](crate::ingress::run) reads it.
struct Script {
    bytes: Vec<u8>,
}

/// A frame as its origin makes it: few entries, one step apart.
#[derive(Clone, Copy)]
struct Said {
    who: u8,
    life: u8,
    seq: u8,
    time: Time,
    kind: Kind,
    first: u8,
    value: u8,
}

#[derive(Clone, Copy)]
enum Time {
    /// This many microseconds after the world's now.
    After(u8),
    /// Microseconds since 1970.
    At(u64),
}

const PLAIN: Said =
    Said { who: 1, life: 1, seq: 1, time: Time::After(0), kind: Kind::Rows, first: 64, value: 5 };

impl Script {
    /// A node with every table; bits of `flags` take tables away, 8 hands batches over as threads do, and 16 lets no
    /// sender send more than one bad frame.
    fn new(flags: u8) -> Self {
        Self { bytes: vec![flags] }
    }

    fn signed(self, said: Said) -> Self {
        self.say(0, said)
    }

    fn signed_elsewhere(self, said: Said) -> Self {
        self.say(4, said)
    }

    fn say(mut self, op: u8, said: Said) -> Self {
        let kind = Kind::ALL.iter().position(|kind| *kind == said.kind).expect("a kind") as u8;
        self.bytes.extend([op, said.who, said.life, said.seq]);
        match said.time {
            Time::After(micros) => self.bytes.push(micros),
            Time::At(micros) => {
                self.bytes.push(0xFF);
                self.bytes.extend(micros.to_le_bytes());
            }
        }
        // Two entries; a step of 1, no age.
        self.bytes.extend([kind, 1, said.first, 1, 0, said.value, 1, 0, said.value]);
        self
    }

    /// The datagram before, once more, with the byte at `at` changed.
    fn mangled(mut self, at: u16, with: u8) -> Self {
        self.bytes.extend([5, 0]);
        self.bytes.extend(at.to_le_bytes());
        self.bytes.push(with);
        self
    }

    fn repeated(self) -> Self {
        self.mangled(0, 0)
    }

    /// The beginning of the last datagram and the end of the one before.
    fn spliced(mut self, at: u16) -> Self {
        self.bytes.extend([6, 0, 1]);
        self.bytes.extend(at.to_le_bytes());
        self
    }

    fn cut(mut self, len: u16) -> Self {
        self.bytes.extend([7, 0]);
        self.bytes.extend(len.to_le_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.push(8);
        self.bytes.extend((bytes.len() as u16).to_le_bytes());
        self.bytes.extend(bytes);
        self
    }

    /// What follows comes in another batch.
    fn then(mut self) -> Self {
        self.bytes.push(9);
        self
    }
}

/// Name and input of every story.
pub fn stories() -> Vec<(String, Vec<u8>)> {
    let all = [Kind::Block8, Kind::Block16, Kind::Rows, Kind::StatsQuery, Kind::StatsReply, Kind::Control];
    let every_kind = all
        .into_iter()
        .zip([8, 4, 64, 0, 0, 0])
        .enumerate()
        .fold(Script::new(0), |script, (i, (kind, first))| {
            script.signed(Said { kind, first, seq: i as u8, ..PLAIN })
        });
    let ping = Said { kind: Kind::StatsQuery, first: 0, ..PLAIN };
    let stories = [
        ("every-kind", every_kind),
        ("twice-in-a-batch", Script::new(0).signed(PLAIN).repeated()),
        ("twice-in-two-batches", Script::new(0).signed(PLAIN).then().repeated()),
        ("handed-over", Script::new(8).signed(PLAIN).repeated().then().repeated().signed(ping)),
        ("forged-before-genuine", Script::new(0).signed_elsewhere(PLAIN).then().signed(PLAIN)),
        ("forged-after-genuine", Script::new(0).signed(PLAIN).then().mangled(60, 1).mangled(100, 1)),
        (
            "stale",
            Script::new(0).signed(Said { time: Time::After(9), ..PLAIN }).signed(Said { seq: 2, ..PLAIN }),
        ),
        (
            "faulty",
            Script::new(0).signed(PLAIN).signed(Said { seq: 2, value: 9, ..PLAIN }).signed(Said {
                seq: 3,
                value: 2,
                ..PLAIN
            }),
        ),
        (
            "new-life",
            Script::new(0)
                .signed(Said { seq: 40, ..PLAIN })
                .then()
                .signed(Said { life: 2, value: 6, time: Time::After(1), ..PLAIN })
                .then()
                .signed(Said { seq: 41, ..PLAIN }),
        ),
        // 0xFE is the number 1,400.
        ("behind-the-window", Script::new(0).signed(Said { seq: 0xFE, ..PLAIN }).then().signed(PLAIN)),
        ("behind-within-a-batch", Script::new(0).signed(Said { seq: 0xFE, ..PLAIN }).signed(PLAIN)),
        ("from-the-future", Script::new(0).signed(Said { time: Time::At(1 << 51), ..PLAIN })),
        (
            "before-the-horizon",
            Script::new(0).signed(Said { kind: Kind::Block16, first: 4, time: Time::At(1 << 40), ..PLAIN }),
        ),
        ("a-stranger", Script::new(0).signed(Said { who: 5, ..PLAIN })),
        ("a-revoked-one", Script::new(0).signed(Said { who: 3, ..PLAIN })),
        ("without-slots", Script::new(0).signed(Said { who: 4, ..PLAIN })),
        ("past-the-table", Script::new(0).signed(Said { kind: Kind::Block8, first: 64, ..PLAIN })),
        ("across-two-owners", Script::new(0).signed(Said { first: 127, ..PLAIN })),
        ("no-rows", Script::new(4).signed(PLAIN)),
        (
            "no-blocks",
            Script::new(3).signed(Said { kind: Kind::Block8, first: 8, ..PLAIN }).signed(Said {
                kind: Kind::Block16,
                first: 4,
                ..PLAIN
            }),
        ),
        ("asked-twice", Script::new(0).signed(ping).repeated().then().repeated()),
        (
            "header-broken",
            [(0, 1), (1, 2), (1, 0x10), (2, 0x80), (3, 0xFF), (30, 1), (31, 0x80), (32, 2)]
                .into_iter()
                .fold(Script::new(0).signed(PLAIN), |script, (at, with)| {
                    script.mangled(at, with).mangled(at, with)
                }),
        ),
        (
            "control-frame-overflows",
            Script::new(0).signed(Said { kind: Kind::Control, ..PLAIN }).mangled(47, 0x80),
        ),
        ("control-for-this-node", Script::new(0).signed(Said { kind: Kind::Control, first: 1, ..PLAIN })),
        ("control-for-another", Script::new(0).signed(Said { kind: Kind::Control, first: 2, ..PLAIN })),
        (
            "control-of-long-ago",
            Script::new(0).signed(Said { kind: Kind::Control, first: 1, time: Time::At(1 << 50), ..PLAIN }),
        ),
        (
            "over-budget",
            // A peer and a stranger forge, another stranger does not, and all three come again.
            (0..6).fold(Script::new(16), |script, i| match i {
                0 | 1 => script.signed_elsewhere(PLAIN),
                2 => script.signed(PLAIN),
                3 => script.then().signed(Said { seq: 2, ..PLAIN }),
                _ => script.signed(Said { seq: i, ..PLAIN }),
            }),
        ),
        ("spliced", Script::new(0).signed(PLAIN).signed(Said { seq: 2, value: 9, ..PLAIN }).spliced(72)),
        ("cut", Script::new(0).signed(PLAIN).cut(135).cut(0)),
        ("raw", Script::new(0).raw(&[0x4F; 120]).raw(&[0; 1_233])),
    ];
    stories.into_iter().map(|(name, script)| (name.to_owned(), script.bytes)).collect()
}
