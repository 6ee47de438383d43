//! What the benches have in common, with each other and with `octick-perf`.

pub mod load;
pub mod table;
