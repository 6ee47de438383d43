//! The octick command.
fn main() {}
