//! The tick gate.
fn main() {}
