//! What a figure was measured on. A figure without it means nothing.

use std::sync::OnceLock;
use std::{fmt, fs};

use core_affinity::CoreId;
use serde::Serialize;

use crate::ticks;

/// Facts of one machine, as far as they bear on the figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// The CPU's name as the kernel prints it; clouds hide the real one.
    pub(crate) cpu: String,
    /// Vendor, family and model: what timing records are kept by.
    pub(crate) model: String,
    /// Cores online.
    pub(crate) cores: usize,
    /// What figures count: ticks, or nanoseconds where there is no counter.
    pub(crate) unit: &'static str,
    /// Ticks a second.
    pub(crate) tick_hz: f64,
    /// Ticks that reading the counter costs.
    pub(crate) timer_floor: u64,
    /// Merge kernels that this CPU can run, best first.
    pub(crate) kernels: Vec<&'static str>,
    /// Release of the operating system's kernel.
    pub(crate) os: String,
    /// The compiler of this binary.
    pub(crate) rustc: &'static str,
    /// The core that measured, where the system let us choose.
    pub(crate) pinned_to: Option<usize>,
}

impl Machine {
    /// Looks at this machine, and pins the calling thread to its last core: the first one takes most interrupts.
    pub(crate) fn detect(kernels: Vec<&'static str>) -> Self {
        let cores = usable();
        let pinned_to = cores.last().copied().filter(|&id| core_affinity::set_for_current(CoreId { id }));
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line =
                cpuinfo.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_string())
        };
        let part = |name| field(name).unwrap_or_else(|| "unknown".into());
        let model = if cfg!(target_arch = "x86_64") {
            [part("vendor_id"), part("cpu family"), part("model")].join("-")
        } else {
            [std::env::consts::ARCH.into(), part("CPU implementer"), part("CPU part")].join("-")
        };
        let os = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: part("model name"),
            model,
            cores: cores.len(),
            unit: ticks::UNIT,
            tick_hz: ticks::hz(),
            timer_floor: ticks::floor(),
            kernels,
            os: os.trim().into(),
            rustc: env!("OCTICK_RUSTC"),
            pinned_to,
        }
    }
}

/// Cores that this process may use, as they were before the first thread was pinned: a pinned one sees its own only.
pub(crate) fn usable() -> &'static [usize] {
    static USABLE: OnceLock<Vec<usize>> = OnceLock::new();
    USABLE.get_or_init(|| {
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect()
    })
}

/// Pins the calling thread to a core other than `core`, if there is one.
pub(crate) fn step_aside(core: Option<usize>) {
    pin(usable().iter().copied().find(|&other| Some(other) != core));
}

/// Pins the calling thread to `core`.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(id) = core {
        core_affinity::set_for_current(CoreId { id });
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, model, cores, unit, timer_floor, os, rustc, .. } = self;
        writeln!(f, "{cpu} ({model}), {cores} cores, Linux {os}, rustc {rustc}")?;
        write!(f, "1 {unit} = {:.3} ns, timer floor {timer_floor} {unit}, ", 1e9 / self.tick_hz)?;
        writeln!(f, "kernels: {}", self.kernels.join(" "))?;
        match self.pinned_to {
            Some(core) => writeln!(f, "pinned to core {core}"),
            None => writeln!(f, "not pinned: the system refused; expect noise"),
        }
    }
}
