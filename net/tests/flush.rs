//! No write waits for company longer than the setting: not behind a backlog, not because its node was woken before.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use octick::{Config, Handle, Identity, Layout, Mode, Run, Slot, Update};
use octick_core::limits::FRAME_MIN;

const SLOTS: u32 = 1 << 16;
/// Long beside what this machine's other work may take from a thread.
const FLUSH: Duration = Duration::from_millis(500);
const MODES: [Mode; 2] = [Mode::Solo, Mode::Split { ingress: 1 }];

fn start(mode: Mode) -> Handle {
    let mut config = Config::new(Identity::from_seed(&[1; 32]), "127.0.0.1:0".parse().expect("an address"));
    config.layout = Layout { slots: SLOTS, cells8: true, cells4: true, rows: false };
    config.runs = vec![Run { first: Slot(0), len: SLOTS }];
    config.push.flush = FLUSH;
    config.threads.mode = mode;
    octick::start(config.check().expect("sound")).expect("it starts")
}

fn wait_until(deadline: Instant, mut holds: impl FnMut() -> bool) -> bool {
    while Instant::now() < deadline {
        if holds() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// A train's time runs out while these are on their way.
fn write_and_wait(node: &Handle, value: u64) {
    node.writer().write(Update::Cell8(Slot(0), value)).expect("its own cell");
    let there = || node.reader().cell8(Slot(0)).is_some_and(|cell| cell.value == value);
    assert!(wait_until(Instant::now() + 10 * FLUSH, there));
}

#[test]
fn the_first_write_after_a_quiet_while_does_not_wait() {
    for mode in MODES {
        let node = start(mode);
        let began = Instant::now();
        write_and_wait(&node, 1);
        assert!(began.elapsed() < FLUSH / 2, "{:?}, {mode:?}", began.elapsed());
    }
}

#[test]
fn a_write_waits_no_longer_than_the_setting_though_its_node_is_woken_meanwhile() {
    for mode in MODES {
        let node = start(mode);
        write_and_wait(&node, 1);
        let (second, waker) = (Instant::now(), UdpSocket::bind("127.0.0.1:0").expect("loopback"));
        node.writer().write(Update::Cell8(Slot(0), 2)).expect("its own cell");
        let there = || {
            waker.send_to(&[0; FRAME_MIN], node.local_addr()).expect("loopback takes it");
            std::thread::sleep(Duration::from_millis(7));
            node.reader().cell8(Slot(0)).is_some_and(|cell| cell.value == 2)
        };
        assert!(wait_until(second + 10 * FLUSH, there));
        let waited = second.elapsed();
        assert!(
            (FLUSH / 2..FLUSH * 3 / 2).contains(&waited),
            "it gathers, and then goes: {waited:?}, {mode:?}"
        );
    }
}

#[test]
fn a_backlog_of_many_trains_leaves_together() {
    for mode in MODES {
        let node = start(mode);
        write_and_wait(&node, 1);
        let began = Instant::now();
        // Ten trains of cells of eight bytes, five of cells of four.
        for slot in 0..SLOTS {
            for update in [Update::Cell8(Slot(slot), 7), Update::Cell4(Slot(slot), 7)] {
                while node.writer().write(update).is_err() {
                    std::thread::yield_now();
                }
            }
        }
        let (written, reader, mut next) = (began.elapsed(), node.reader(), 0);
        let there = || {
            let arrived = |slot: &u32| {
                reader.cell8(Slot(*slot)).is_some_and(|cell| cell.value == 7)
                    && reader.cell4(Slot(*slot)).is_some_and(|cell| cell.value == 7)
            };
            next += (next..SLOTS).take_while(arrived).count() as u32;
            next == SLOTS
        };
        assert!(wait_until(began + 10 * FLUSH, there));
        let waited = began.elapsed() - written;
        assert!(waited < FLUSH * 5 / 2, "one flush time and the work itself, not {waited:?}, {mode:?}");
    }
}
