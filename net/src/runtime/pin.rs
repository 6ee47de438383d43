//! Pins a thread to a core, or says why not; a node runs all the same.

use core_affinity::CoreId;

/// Pins the calling thread to `core`.
///
/// # Errors
/// A warning for the log: the core is not there, or the system refuses.
pub(super) fn pin(name: &str, core: usize) -> Result<(), String> {
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
