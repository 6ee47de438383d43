//! In a latency-sensitive program: a pinned, spinning node, a reader on another thread that takes whole blocks
//! without a lock, and a writer that never waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use octick::{Config, Identity, Layout, Run, Slot, Update, Wait, WriteError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new(Identity::generate()?, "127.0.0.1:0".parse()?);
    config.layout = Layout { slots: 1 << 20, cells8: true, cells4: false, rows: false };
    config.runs = vec![Run { first: Slot(0), len: 4_096 }];
    config.threads.cores = vec![0];
    config.threads.wait = Wait::Yield;
    config.push.flush = Duration::from_micros(100);
    let node = octick::start(config.check()?)?;
    node.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
    println!("kernel {}, socket {:?} ({:?})", node.about().kernel, node.about().backend, node.about().why);

    let (writer, reader, done) = (node.writer(), node.reader(), AtomicBool::new(false));
    let blocks = std::thread::scope(|scope| {
        let read = scope.spawn(|| {
            let mut blocks = 0_u64;
            while !done.load(Ordering::Relaxed) {
                if let Some(block) = reader.block8(7) {
                    // All eight cells are of one round: they were written together.
                    assert!(block.values.iter().all(|value| *value == block.values[0]), "{block:?}");
                    blocks += 1;
                }
            }
            blocks
        });
        let began = Instant::now();
        let (mut round, mut full) = (0_u64, 0_u64);
        while began.elapsed() < Duration::from_millis(500) {
            round += 1;
            let block: [Update; 8] = std::array::from_fn(|lane| Update::Cell8(Slot(56 + lane as u32), round));
            // A full queue is a word to the writer, not a wait: this round is let go.
            match writer.write_all(&block) {
                Err(WriteError::Full) => full += 1,
                taken => taken.expect("they are its own cells"),
            }
        }
        done.store(true, Ordering::Relaxed);
        println!("{round} rounds written, {full} times told that the queue is full");
        read.join()
    });
    let blocks = blocks.map_err(|_| "the reader met a torn block")?;
    println!("{blocks} blocks read");
    node.stop()?;
    Ok(())
}
