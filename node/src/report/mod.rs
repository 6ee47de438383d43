//! What a node counted, as figures: the line a second of `run` and `demo`, in text and in JSON.

mod figures;
mod reading;
mod sample;
mod scale;

pub use figures::{Figures, Named, Percentiles, Price, TICKS_BUDGET};
pub use reading::{Reading, Sockets};
pub use sample::{About, Sample};
pub use scale::{count, nanos};
