//! What the benches have in common.

pub mod load;
pub mod table;
