//! What a node counted, as figures: the line a second of `run` and `demo`, in text and in JSON.

mod figures;
mod sample;
mod scale;

pub use figures::{Drops, Figures, Percentiles, TICKS_BUDGET};
pub use sample::{About, Buckets, Numbers, Sample};
pub use scale::{count, nanos};
