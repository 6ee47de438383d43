//! Writes the committed corpora: `cargo run -p octick-fuzz --example seed`.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    for (target, _) in octick_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        let seeds = octick_fuzz::seeds::of(target);
        for (name, bytes) in &seeds {
            fs::write(folder.join(name), bytes)?;
        }
        println!("{:4} seeds in {}", seeds.len(), folder.display());
    }
    Ok(())
}
