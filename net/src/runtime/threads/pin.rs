//! Where and when a thread runs: pinned to a core, or when nobody else wants to.

#![allow(unsafe_code)]

use core_affinity::CoreId;

/// Pins the calling thread to `core`.
///
/// # Errors
/// A warning for the log: the core is not there, or the system refuses.
pub(in crate::runtime) fn pin(name: &str, core: usize) -> Result<(), String> {
    let usable = core_affinity::get_core_ids().unwrap_or_default();
    // The library indexes a fixed set by the number, so a core that is not there must not reach it.
    let wanted = CoreId { id: core };
    if usable.contains(&wanted) && core_affinity::set_for_current(wanted) {
        return Ok(());
    }
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
