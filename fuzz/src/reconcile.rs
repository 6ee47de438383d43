//! A node that reconciles with an honest peer over a bad link while another says whatever it likes: nothing panics,
//! sessions and memory keep their bounds, and what was sent keeps to what a session may send.

use octick_core::control::reconcile::message::{ReconcileMsg, Topic};
use octick_core::control::reconcile::session::{Output, Reconciler, SessionRefusal, SessionSettings};
use octick_core::control::{Nonces, Random};
use octick_core::wire::control_frame::BODY_MAX;

use crate::cursor::Cursor;

/// Control frames and ticks that one input may lead to.
const STEPS_MAX: usize = 200;
/// Names in a set, and the honest peer's.
const SETS: [std::ops::Range<u64>; 2] = [0..60, 20..90];
/// The hostile peer.
const LIAR: u8 = 2;

/// Plays what `data` says.
pub fn run(data: &[u8]) {
    play(data);
}

/// [`run`], and how often each reason was counted.
pub fn play(data: &[u8]) -> [u64; SessionRefusal::ALL.len()] {
    let mut input = Cursor::new(data);
    let settings = SessionSettings {
        sessions_max: 3,
        names_per_turn: 32,
        symbols_max: 128,
        round_bytes: 2_000,
        session_bytes: 10_000,
        filter_bytes_max: 64,
        ..SessionSettings::default()
    };
    let mut random = Random::new(input.u8().into());
    let mut nodes =
        [0, 1].map(|_| Reconciler::<u8, u64>::new(settings, Nonces::new(&[1; 32], random.u64(), "fuzz")));
    let mut flying: Vec<(u8, Vec<u8>)> = Vec::new();
    let (mut now, mut heard, mut shares) = (1_000_000_u64, Topic { set: 0, session: 0 }, (0, 0));
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let op = input.u8();
        match op % 8 {
            0 => {
                nodes[0].open(now, 1 + (op >> 7), 0, SETS[0].clone());
            }
            1 => now += u64::from(input.u16()) * 100,
            2..=4 => {
                // A control frame of the honest two arrives, is lost, or comes twice.
                if !flying.is_empty() {
                    let (to, body) = flying.swap_remove(usize::from(op >> 3) % flying.len());
                    if op % 8 == 4 {
                        flying.push((to, body.clone()));
                    }
                    if op % 8 != 3 {
                        let set = SETS[usize::from(to)].clone();
                        let _ = nodes[usize::from(to)].handle(now, 1 - to, &body, |_| Some(set));
                    }
                }
            }
            _ => {
                let body = lie(&mut input, &mut heard, shares);
                let _ = nodes[0].handle(now, LIAR, &body, |set| (set == 0).then_some(SETS[0].clone()));
            }
        }
        for (at, node) in nodes.iter_mut().enumerate() {
            node.tick(now);
            let mut said = 0;
            while let Some(output) = node.poll() {
                let Output::Say { to, body } = output else { continue };
                assert!(body.len() <= BODY_MAX);
                said += body.len();
                let (topic, talk) = ReconcileMsg::decode(&body).expect("what is written can be read");
                if to == LIAR {
                    heard = topic;
                    if let ReconcileMsg::Open { share, size, .. }
                    | ReconcileMsg::Symbols { share, size, .. } = talk
                    {
                        shares = (share, size);
                    }
                } else if flying.len() < 64 {
                    flying.push((to, body));
                }
            }
            assert!(
                said < 4 * (settings.round_bytes + BODY_MAX) + 9 * settings.batch,
                "{said} bytes of node {at} at once"
            );
            assert!(
                node.len() <= settings.sessions_max && node.memory() < 1 << 17,
                "{} bytes",
                node.memory()
            );
        }
    }
    *nodes[0].refused()
}

/// A body by the hostile peer: of its own making, or nearly right.
fn lie(input: &mut Cursor<'_>, heard: &mut Topic, (share, size): (u64, u32)) -> Vec<u8> {
    let (op, bend) = (input.u8(), input.u8());
    if bend & 1 == 1 {
        heard.session = input.u8().into();
    }
    let share = if bend & 2 == 0 { share } else { u64::from(input.u8()) };
    let size = if bend & 4 == 0 { size } else { input.u32() };
    let (a, b) = (u32::from(input.u8()), u32::from(input.u16()));
    let len = usize::from(input.u8());
    let bytes = input.bytes(len);
    let mut sketch = [0; 96];
    sketch[..len.min(96).min(bytes.len())].copy_from_slice(&bytes[..len.min(96).min(bytes.len())]);
    let talk = match op % 11 {
        0 => ReconcileMsg::Open { share, size, sketch: &sketch },
        1 => ReconcileMsg::Symbols { share, size, first: a, bytes },
        2 => ReconcileMsg::More { first: a, end: b },
        3 => ReconcileMsg::Far { share, size },
        4 => ReconcileMsg::Filter { share, size, total: b, at: if a & 1 == 0 { 0 } else { a }, bytes },
        5 => ReconcileMsg::Next { cursor: a },
        6 => ReconcileMsg::List { cursor: a, next: b.wrapping_sub(2), names: bytes },
        7 => ReconcileMsg::Want { names: bytes },
        8 => ReconcileMsg::Done,
        _ => ReconcileMsg::Busy,
    };
    let mut body = talk.encode(*heard);
    if op % 11 == 10 {
        // Nothing that anybody knows.
        body[0] = 10;
    }
    if bend & 0xF0 == 0xF0 {
        body.truncate(len);
    }
    body
}
