//! A node in fifteen lines: write a cell, wait for its change, read it.

use std::time::Duration;

use octick::{Config, Identity, Run, Slot, Update};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new(Identity::generate()?, "127.0.0.1:0".parse()?);
    config.runs = vec![Run { first: Slot(0), len: 64 }];
    let node = octick::start(config.check()?)?;

    let mut changes = node.subscribe();
    node.writer().write(Update::Cell8(Slot(3), 42))?;
    changes.recv(Duration::from_secs(5))?;

    let cell = node.reader().cell8(Slot(3)).ok_or("the cell was written")?;
    println!("slot 3 holds {} since {:?}", cell.value, cell.version);
    node.shutdown(Duration::from_secs(5))?;
    Ok(())
}
