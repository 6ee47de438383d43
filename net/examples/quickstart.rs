//! A node in fifteen lines: write a cell, see it change, read it.

use octick::{Config, Identity, Next, Run, Slot, Update};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new(Identity::generate()?, "127.0.0.1:0".parse()?);
    config.runs = vec![Run { first: Slot(0), len: 64 }];
    let node = octick::start(config.check()?)?;

    let mut changes = node.subscribe();
    node.writer().write(Update::Cell8(Slot(3), 42))?;
    while changes.poll() == Next::Empty {}

    let cell = node.reader().cell8(Slot(3)).ok_or("the cell was written")?;
    println!("slot 3 holds {} since {:?}", cell.value, cell.version);
    node.stop()?;
    Ok(())
}
