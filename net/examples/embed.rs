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
                    // All eight cells are of one moment: the round that is being written, up to some slot, and the
                    // one before it, from there on.
                    let falls = block.values.windows(2).all(|pair| pair[0] >= pair[1]);
                    assert!(falls && block.values[0] - block.values[7] <= 1, "{block:?}");
                    blocks += 1;
                }
            }
            blocks
        });
        let began = Instant::now();
        let (mut round, mut full) = (0_u64, 0_u64);
        while began.elapsed() < Duration::from_millis(500) {
            round += 1;
            for slot in 56..64 {
                // A full queue is a word to the writer, not a wait; here it tries again, so that rounds stay whole.
                while let Err(WriteError::Full(_)) = writer.write(Update::Cell8(Slot(slot), round)) {
                    full += 1;
                }
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
