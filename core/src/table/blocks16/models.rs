//! The epoch of a table moves under a reader, in every interleaving: one row of one cell.

use alloc::sync::Arc;

use loom::thread;

use super::*;
use crate::sync::model;

const UNITS: u64 = Blocks16::EPOCH_STEP + 5;

#[test]
fn a_cell_is_read_under_the_epoch_that_its_clock_counts_from() {
    model(|| {
        let shared =
            Arc::new(Shared::<1> { plane: Plane::new(1, Region::heap(0)), epoch: AtomicU64::new(0) });
        let row = &shared.plane.rows()[0];
        row.versions[0].store((UNITS << 1) as u32, Ordering::Relaxed);
        row.values[0].store(7, Ordering::Relaxed);
        let theirs = shared.clone();
        let writer = thread::spawn(move || theirs.rebase(0, Blocks16::EPOCH_STEP, &mut [0]));
        let cell = shared.cell(Slot(0)).expect("it was written");
        assert_eq!((units(cell.version), cell.value), (UNITS, 7));
        writer.join().unwrap();
    });
}
