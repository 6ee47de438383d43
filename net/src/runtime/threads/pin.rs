//! Where and when a thread runs: pinned to a core, or when nobody else wants to.

#![allow(unsafe_code)]

use core_affinity::CoreId;

/// Pins the calling thread to `core`.
///
/// # Errors
/// A warning for the log: the core is not there, or the system refuses.
pub(in crate::runtime) fn pin(name: &str, core: usize) -> Result<(), String> {
    // The library indexes a set of that size by the number. Which cores there are is for the kernel to say: the list that
    // a thread can ask for is what its parent was pinned to.
    if core < libc::CPU_SETSIZE as usize && core_affinity::set_for_current(CoreId { id: core }) {
        return Ok(());
    }
    let usable = core_affinity::get_core_ids().unwrap_or_default();
    let usable: Vec<String> = usable.iter().map(|core| core.id.to_string()).collect();
    Err(format!(
        "thread {name} is not pinned to core {core}: this process may use cores {}; it runs unpinned",
        usable.join(", ")
    ))
}

/// Lets all other threads go first, where the system knows of such a thing.
pub(in crate::runtime) fn step_back() {
    // SAFETY: all-zero bytes are a valid `sched_param`, of which Linux knows the priority only: none.
    let none: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: reads `none`, which outlives the call; concerns the calling thread only. Refused, it takes its turn like
    // any other.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const none) };
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn here() -> Vec<usize> {
        core_affinity::get_core_ids().expect("Linux says").into_iter().map(|core| core.id).collect()
    }

    #[test]
    fn a_thread_may_leave_the_core_that_its_parent_is_pinned_to() {
        let cores = here();
        let pinned = move || {
            let (first, last) = (cores[0], cores[cores.len() - 1]);
            pin("parent", first).expect("it is ours");
            let child = thread::spawn(move || pin("child", last).map(|()| here()));
            assert_eq!(child.join().expect("it ran"), Ok(vec![last]));
        };
        thread::spawn(pinned).join().expect("it ran");
    }

    #[test]
    fn a_core_that_is_not_there_is_a_warning() {
        for core in [1_023, 1_024, usize::MAX] {
            let warning =
                thread::spawn(move || pin("a", core)).join().expect("it ran").expect_err("no such core");
            assert!(warning.contains(&format!("core {core}:")), "{warning}");
        }
    }
}
