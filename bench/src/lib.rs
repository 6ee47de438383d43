//! What the benches have in common: [`load`], frames of cells in endless supply.

pub mod load;
pub mod pages;
