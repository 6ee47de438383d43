//! Runs a piece of work in a child process under the eye of its parent: every instruction, or every system call.
//!
//! Counts need no hardware counters and have no variance: the child is a copy of this process, and the parent lets it
//! go one instruction at a time between two marks. A step costs some microseconds.

use std::io;

/// What single-stepping saw.
#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    /// Instructions executed.
    instructions: u64,
    /// Those among them that lock a cache line, if they were looked at.
    locked: u64,
}

/// Executes `work` in a child, instruction by instruction: how many there were.
///
/// # Errors
/// When the system forbids tracing, or this machine has no breakpoint that we know.
pub(crate) fn instructions(work: impl FnOnce()) -> io::Result<u64> {
    Ok(imp::Child::spawn(work)?.single_step(false)?.instructions)
}

/// Executes `work` in a child, and looks at each instruction: how many of them lock.
///
/// # Errors
/// As [`instructions`].
pub(crate) fn locked_instructions(work: impl FnOnce()) -> io::Result<u64> {
    Ok(imp::Child::spawn(work)?.single_step(true)?.locked)
}

/// Executes `work` in a child, and counts its system calls.
///
/// # Errors
/// As [`instructions`].
pub(crate) fn system_calls(work: impl FnOnce()) -> io::Result<u64> {
    imp::Child::spawn(work)?.count_calls()
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod imp {
    use super::{Steps, io};

    pub(super) enum Child {}

    impl Child {
        pub(super) fn spawn(_: impl FnOnce()) -> io::Result<Self> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "single-stepping is written for Linux on x86-64"))
        }

        pub(super) fn single_step(self, _: bool) -> io::Result<Steps> {
            match self {}
        }

        pub(super) fn count_calls(self) -> io::Result<u64> {
            match self {}
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod imp {
    use std::arch::asm;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::ptr;

    use super::{Steps, io};

    /// The signal of the instruction that ends the work, told apart from that of a step.
    const END: i32 = libc::SIGILL;
    const LOCK: u8 = 0xF0;
    /// What the child exits with when it may not be traced.
    const REFUSED: i32 = 99;

    /// A stopped child, at the breakpoint before its work. Killed when dropped.
    pub(super) struct Child {
        pid: libc::pid_t,
    }

    impl Child {
        /// Forks a child that stops at the breakpoint before `work`.
        pub(super) fn spawn(work: impl FnOnce()) -> io::Result<Self> {
            // SAFETY: `work` takes no lock that a thread which is not copied could hold (the gate has one thread), and
            // the child leaves by `_exit`, without unwinding into the copy of the parent's stack.
            let pid = unsafe { libc::fork() };
            match pid {
                -1 => return Err(io::Error::last_os_error()),
                0 => run_child(work),
                _ => {}
            }
            let child = Self { pid };
            match child.wait()? {
                Stop::Signal(libc::SIGTRAP) => {}
                Stop::Exit(REFUSED) => {
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, "ptrace is denied here"));
                }
                other => return Err(other.unexpected()),
            }
            child.request(libc::PTRACE_SETOPTIONS, libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL)?;
            Ok(child)
        }

        /// Steps to the end of the work. Looking at each instruction makes a step half as slow again.
        pub(super) fn single_step(self, look: bool) -> io::Result<Steps> {
            let mut steps = Steps::default();
            loop {
                let locked = look && {
                    let code = self.next_instruction()?;
                    // SAFETY: the child is a copy of this process and has mapped nothing executable since, so the
                    // instruction that it is about to execute stands at the same address here.
                    unsafe { is_locked(code) }
                };
                self.request(libc::PTRACE_SINGLESTEP, 0)?;
                match self.wait()? {
                    Stop::Signal(libc::SIGTRAP) => {}
                    Stop::Signal(END) => return Ok(steps),
                    other => return Err(other.unexpected()),
                }
                steps.instructions += 1;
                steps.locked += u64::from(locked);
            }
        }

        pub(super) fn count_calls(self) -> io::Result<u64> {
            let mut stops = 0;
            loop {
                self.request(libc::PTRACE_SYSCALL, 0)?;
                match self.wait()? {
                    // One stop on the way into the kernel, and one on the way out.
                    Stop::Signal(signal) if signal == libc::SIGTRAP | 0x80 => stops += 1,
                    Stop::Signal(END) => return Ok(stops / 2),
                    other => return Err(other.unexpected()),
                }
            }
        }

        /// The address that the child goes on at.
        fn next_instruction(&self) -> io::Result<*const u8> {
            let offset =
                std::mem::offset_of!(libc::user, regs) + std::mem::offset_of!(libc::user_regs_struct, rip);
            // SAFETY: the child is ours and stopped; libc's wrapper returns the word at that offset of its registers.
            // An instruction's address is never -1, so an error cannot be mistaken for one.
            match unsafe { libc::ptrace(libc::PTRACE_PEEKUSER, self.pid, offset, 0) } {
                -1 => Err(io::Error::last_os_error()),
                address => Ok(ptr::with_exposed_provenance(address as usize)),
            }
        }

        fn request(&self, request: libc::c_uint, data: libc::c_int) -> io::Result<()> {
            // SAFETY: the child is ours and stopped; these requests take a number, not a pointer.
            let status = unsafe { libc::ptrace(request, self.pid, 0, libc::c_long::from(data)) };
            if status == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
        }

        fn wait(&self) -> io::Result<Stop> {
            let mut status = 0;
            // SAFETY: `status` is a live integer for the kernel to fill.
            if unsafe { libc::waitpid(self.pid, &mut status, 0) } == -1 {
                return Err(io::Error::last_os_error());
            }
            Ok(if libc::WIFSTOPPED(status) {
                Stop::Signal(libc::WSTOPSIG(status))
            } else {
                Stop::Exit(libc::WEXITSTATUS(status))
            })
        }
    }

    impl Drop for Child {
        fn drop(&mut self) {
            // SAFETY: the pid is of our own child, which nobody else waits for; killing one that is gone does
            // nothing.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, ptr::null_mut(), 0);
            }
        }
    }

    /// Why a child stands still.
    enum Stop {
        Signal(i32),
        Exit(i32),
    }

    impl Stop {
        fn unexpected(self) -> io::Error {
            io::Error::other(match self {
                Self::Signal(signal) => format!("the traced child got signal {signal}"),
                Self::Exit(code) => format!("the traced child ended with {code}"),
            })
        }
    }

    fn run_child(work: impl FnOnce()) -> ! {
        // SAFETY: asks to be traced by the parent; no pointers.
        if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } == -1 {
            // SAFETY: ends this child at once.
            unsafe { libc::_exit(REFUSED) }
        }
        let run = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: a breakpoint stops this traced process and changes no register.
            unsafe { asm!("int3") };
            work();
            // SAFETY: an undefined instruction stops this traced process for good.
            unsafe { asm!("ud2") };
        }));
        // SAFETY: ends this child without running the parent's exit handlers.
        unsafe { libc::_exit(i32::from(run.is_err())) }
    }

    /// Whether an instruction locks its cache line: by a prefix, or because it exchanges with memory.
    ///
    /// # Safety
    /// `code` points to a whole instruction.
    unsafe fn is_locked(mut code: *const u8) -> bool {
        loop {
            // SAFETY: within the instruction: only prefixes are stepped over, and none is last.
            match unsafe { *code } {
                LOCK => return true,
                // Operand size, repetition, segments and REX.
                0x66 | 0xF2 | 0xF3 | 0x2E | 0x36 | 0x3E | 0x26 | 0x64 | 0x65 | 0x40..=0x4F => {}
                // An exchange is followed by the byte that tells registers (11) from memory.
                // SAFETY: within the instruction, as said.
                0x86 | 0x87 => return unsafe { *code.add(1) } >> 6 != 0b11,
                _ => return false,
            }
            // SAFETY: as above.
            code = unsafe { code.add(1) };
        }
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn counts_are_exact_and_repeat() {
        let work = |n: u64| move || (0..n).for_each(|i| assert_eq!(black_box(i), i));
        let (Ok(ten), Ok(again), Ok(twenty)) =
            (instructions(work(10)), instructions(work(10)), instructions(work(20)))
        else {
            return eprintln!("skipped: tracing is denied here");
        };
        assert_eq!(ten, again);
        assert!(twenty >= ten + 10);
    }

    #[test]
    fn locked_instructions_are_told_apart() {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let locked = || {
            for _ in 0..7 {
                COUNT.fetch_add(1, Ordering::Relaxed);
            }
        };
        match locked_instructions(locked) {
            Ok(locked) => assert_eq!(locked, 7),
            Err(_) => eprintln!("skipped: tracing is denied here"),
        }
    }

    #[test]
    fn system_calls_are_counted() {
        let three = || {
            for _ in 0..3 {
                // SAFETY: asks for the parent's number; no pointers.
                black_box(unsafe { libc::getppid() });
            }
        };
        match (system_calls(three), system_calls(|| ())) {
            (Ok(three), Ok(none)) => assert_eq!((three, none), (3, 0)),
            _ => eprintln!("skipped: tracing is denied here"),
        }
    }
}
