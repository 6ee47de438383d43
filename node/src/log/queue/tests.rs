use super::*;
use std::sync::mpsc::{self, Receiver, Sender};

const PATIENCE: Duration = Duration::from_secs(20);

/// A file that does what the test says: each write takes the next instruction, and waits for it.
struct Scripted {
    does: Receiver<Does>,
    wrote: Sender<String>,
}

enum Does {
    Take,
    /// Takes so many bytes only.
    Tear(usize),
    Fail,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = match self.does.recv() {
            Ok(Does::Take) | Err(_) => bytes.len(),
            Ok(Does::Tear(n)) => n,
            Ok(Does::Fail) => return Err(io::ErrorKind::StorageFull.into()),
        };
        // The test may have seen enough.
        let _ = self.wrote.send(String::from_utf8(bytes[..n].to_vec()).unwrap());
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scripted() -> (Arc<Queue>, Sender<Does>, Receiver<String>) {
    let (script, does) = mpsc::channel();
    let (wrote, written) = mpsc::channel();
    let queue = Queue::start(Scripted { does, wrote }, |n, why| format!("lost {n}: {why}\n")).unwrap();
    (queue, script, written)
}

fn next(written: &Receiver<String>) -> String {
    written.recv_timeout(PATIENCE).expect("it writes")
}

#[test]
fn lines_are_written_in_order_and_the_end_waits_for_them() {
    let (queue, script, written) = scripted();
    drop(script);
    (0..100).for_each(|i| queue.push(format!("{i}\n").as_bytes()));
    queue.finish(PATIENCE);
    assert_eq!(
        written.try_iter().collect::<String>(),
        (0..100).map(|i| format!("{i}\n")).collect::<String>()
    );
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn a_stuck_output_costs_lines_and_nothing_else() {
    let (queue, script, written) = scripted();
    let line = [&b"x".repeat(1_023)[..], b"\n"].concat();
    let fits = BYTES_MAX / line.len();
    // Nobody reads: the thread is stuck with the first line, in vain or not yet.
    (0..3 * fits).for_each(|_| queue.push(&line));
    let dropped = queue.dropped();
    assert!((2 * fits - 1..=2 * fits).contains(&(dropped as usize)), "{dropped}");
    queue.finish(Duration::from_millis(10));
    assert!(!queue.lock().ended, "it was not waited for");
    drop(script);
    let text: String = std::iter::from_fn(|| written.recv_timeout(PATIENCE).ok()).collect();
    assert_eq!(text.matches("xx\n").count() as u64, 3 * fits as u64 - dropped);
    assert_eq!(text.matches(&format!("lost {dropped}: the output was slower than the log\n")).count(), 1);
}

#[test]
fn what_was_lost_is_told_before_the_next_line_and_even_if_none_comes() {
    let (queue, script, written) = scripted();
    queue.push(b"one\n");
    queue.push(b"two\n");
    script.send(Does::Fail).unwrap();
    // The count, which fails as well, takes the second line with it.
    script.send(Does::Fail).unwrap();
    let began = Instant::now();
    while queue.dropped() < 2 {
        assert!(began.elapsed() < PATIENCE);
        thread::yield_now();
    }
    script.send(Does::Take).unwrap();
    assert_eq!(next(&written), "lost 2: no storage space\n");
    script.send(Does::Take).unwrap();
    queue.push(b"three\n");
    assert_eq!(next(&written), "three\n");
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn a_torn_line_is_ended_before_the_next() {
    let (queue, script, written) = scripted();
    queue.push(b"a torn one\n");
    [Does::Tear(6), Does::Fail, Does::Take, Does::Take, Does::Take]
        .into_iter()
        .for_each(|does| script.send(does).unwrap());
    assert_eq!(next(&written), "a torn");
    assert_eq!((next(&written), next(&written)), ("\n".into(), "lost 1: no storage space\n".into()));
    queue.push(b"whole\n");
    assert_eq!(next(&written), "whole\n");
}
