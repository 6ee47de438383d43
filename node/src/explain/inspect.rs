//! Whether a node of these settings would start on this machine: everything is tried that a start tries, and undone.
//!
//! In come settings that contradict nothing; out come findings, a line each, in the order in which a start would meet
//! them. An error keeps the node from starting; a warning costs it speed, or will surprise somebody. What was not looked
//! at has no line.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use octick::admission::grant::Validity;
use octick::pool::Pool;
use octick::socket::{Backend, Choice, Filter, Socket, SocketSettings, Why};

use crate::admin::Token;
use crate::authority::words::{signing, slots};
use crate::config::{AdmissionSettings, Backend as WantedBackend, Mode, Rule, Settings};
use crate::output::{counted, wrap};
use crate::run::{library_settings, read_key};
use crate::trust;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// As it should be.
    Fine,
    /// The node starts, and is slower for it, or differs from what was asked for.
    Warning,
    /// The node does not start.
    Error,
}

/// What was looked at, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// How grave it is.
    pub(super) verdict: Verdict,
    /// What was looked at.
    pub(super) about: &'static str,
    /// What was seen; what to do, if anything.
    pub(super) line: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Fine => "ok",
            Verdict::Warning => "warning",
            Verdict::Error => "ERROR",
        };
        // The columns before the line keep their spaces; the line goes on under its beginning.
        let line = wrap(&format!("{:COLUMN$}{}", "", self.line), COLUMN);
        write!(f, "{verdict:<8} {:<8} {}", self.about, &line[COLUMN..])
    }
}

/// Where the line of a finding begins.
const COLUMN: usize = 18;
/// Buffers of the socket that is tried.
const BUFFERS: usize = 16;

/// Looks at the key, the port and the machine.
pub(super) fn inspect(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![key(settings), rule(settings)];
    findings.extend(credential(settings));
    findings.push(start(settings));
    findings.extend(socket(settings));
    findings.extend([admin(settings), cores(settings), huge_pages()]);
    findings
}

fn finding(about: &'static str, seen: Result<String, String>) -> Finding {
    match seen {
        Ok(line) => Finding { verdict: Verdict::Fine, about, line },
        Err(line) => Finding { verdict: Verdict::Error, about, line },
    }
}

fn key(settings: &Settings) -> Finding {
    let path = &settings.key_file;
    let read = read_key(path).map(|identity| {
        let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode() & 0o7777);
        format!("{}: the key of {}, mode {mode:04o}", path.display(), identity.id())
    });
    finding("key", read.map_err(|why| why.to_string()))
}

/// By which rule members are admitted: an open mesh says so loudly.
fn rule(settings: &Settings) -> Finding {
    let AdmissionSettings { rule, root, .. } = &settings.admission;
    let line = match (rule, root) {
        _ if !settings.membership.enabled => {
            "listed: without membership this node knows the peers of its file".into()
        }
        (Rule::Open, root) => {
            let but = if root.is_some() { "; a credential gives slots and a vote" } else { "" };
            let line = format!(
                "OPEN: whoever knows the mesh's name may join{but}: admission.rule = \"issued\" lets in only whom the mesh's authority knows, see docs/admission.md"
            );
            return Finding { verdict: Verdict::Warning, about: "rule", line };
        }
        (Rule::Listed, _) => "listed: this node and the peers of its file".into(),
        (Rule::Issued, None) => unreachable!("the file was checked"),
        (Rule::Issued, Some(root)) => {
            format!("issued: whoever has a credential of the mesh's authority; {}", signing(root))
        }
    };
    finding("rule", Ok(line))
}

/// What the authority granted this node, and whether that holds; nothing where nobody grants anything.
fn credential(settings: &Settings) -> Option<Finding> {
    settings.admission.root.as_ref()?;
    let own = read_key(&settings.key_file).ok()?.id();
    let now = trust::now();
    let credential = match trust::read(&settings.admission, &settings.mesh, own, now) {
        Err(why) => return Some(finding("granted", Err(why.to_string()))),
        Ok(trust) => trust.credential,
    };
    let Some(credential) = credential else {
        let at = settings.admission.credential.display();
        let line = format!("nothing: {at} is not there; this node finds slots that nobody has");
        return Some(Finding { verdict: Verdict::Warning, about: "granted", line });
    };
    let grant = credential.grant();
    let (validity, says) = trust::reach(grant, now);
    let verdict = if validity == Validity::Valid { Verdict::Fine } else { Verdict::Warning };
    let line = format!("{}, serial {}: {}; {says}", grant.name, grant.serial, slots(&grant.runs));
    Some(Finding { verdict, about: "granted", line })
}

/// What the library says about kernels, peers and sizes; names of peers are resolved.
fn start(settings: &Settings) -> Finding {
    let checked = library_settings(settings).map(|_| {
        let (merges, verifies) = (octick::Kernel::detect(), octick_crypto::lanes::Kernel::detect());
        let peers = match settings.peers.len() {
            0 => String::new(),
            1 => "; 1 peer is listed, its name resolves".into(),
            peers => format!("; {peers} peers are listed, their names resolve"),
        };
        format!("this CPU merges best by {merges}, verifies best by {verifies}{peers}")
    });
    match checked {
        Ok(line) => finding("start", Ok(line)),
        // Without a key it cannot be told; that has a line of its own.
        Err(_) if read_key(&settings.key_file).is_err() => Finding {
            verdict: Verdict::Warning,
            about: "start",
            line: "kernels and peers were not looked at, for lack of a key".into(),
        },
        Err(why) => finding("start", Err(why.to_string())),
    }
}

/// Opens the very socket that the node would, and closes it again.
fn socket(settings: &Settings) -> Vec<Finding> {
    let pool = match Pool::new(BUFFERS) {
        Ok(pool) => Arc::new(pool),
        Err(error) => return vec![finding("memory", Err(format!("no memory for buffers: {error}")))],
    };
    let asked = SocketSettings {
        backend: match settings.socket.backend {
            WantedBackend::Auto => Choice::Auto,
            WantedBackend::Uring => Choice::Uring,
            WantedBackend::Mmsg => Choice::Mmsg,
        },
        receive_buffer_bytes: settings.socket.rcvbuf_bytes,
        ..SocketSettings::new(settings.listen)
    };
    let opened = Socket::open(&asked, &pool);
    let port = finding(
        "port",
        opened.as_ref().map(|_| format!("UDP {} is free", settings.listen)).map_err(ToString::to_string),
    );
    let Ok(socket) = opened else { return vec![port] };
    let backend = match (socket.backend(), socket.why()) {
        (Backend::Uring, _) => finding("io_uring", Ok("can be used".into())),
        (Backend::Mmsg, Why::Refused(error)) => Finding {
            verdict: Verdict::Warning,
            about: "io_uring",
            line: format!(
                "refused ({}): recvmmsg serves, with more system calls; see kernel.io_uring_disabled and the \
                 container's seccomp filter",
                io::Error::from_raw_os_error(error)
            ),
        },
        (Backend::Mmsg, _) => finding("io_uring", Ok("not asked for: socket.backend = \"mmsg\"".into())),
    };
    let mut findings = vec![port, backend, receive_buffer(settings, socket.receive_buffer_bytes())];
    if let Filter::Refused(error) = socket.filter() {
        findings.push(Finding {
            verdict: Verdict::Warning,
            about: "filter",
            line: format!(
                "refused ({}): datagrams of no frame's length are received before they are dropped",
                io::Error::from_raw_os_error(error)
            ),
        });
    }
    findings
}

/// The kernel counts its own book-keeping in, and so grants twice what it was asked for, up to its bound.
fn receive_buffer(settings: &Settings, granted: usize) -> Finding {
    let asked = settings.socket.rcvbuf_bytes;
    let granted = granted / 2;
    let most = read_word("/proc/sys/net/core/rmem_max").unwrap_or_else(|| "?".into());
    let (verdict, remedy) = match granted < asked {
        true => (Verdict::Warning, format!("; raise it: sysctl net.core.rmem_max={asked}")),
        false => (Verdict::Fine, String::new()),
    };
    let line = format!(
        "{granted} of {asked} bytes of socket.rcvbuf_bytes are granted; net.core.rmem_max is {most}{remedy}"
    );
    Finding { verdict, about: "receive", line }
}

fn admin(settings: &Settings) -> Finding {
    let admin = &settings.admin;
    if !admin.enabled {
        return finding("admin", Ok("there is no admin API: admin.enabled = false".into()));
    }
    let at = admin.socket.display();
    let directory = admin.socket.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(std::path::Path::new("."));
    if !directory.is_dir() {
        return finding("admin", Err(format!("{at}: {} is no directory", directory.display())));
    }
    if let Some(listen) = admin.listen
        && let Err(error) = std::net::TcpListener::bind(listen)
    {
        return finding("admin", Err(format!("admin.listen = \"{listen}\": {error}")));
    }
    if admin.listen.is_some()
        && admin.token_file.exists()
        && let Err(why) = Token::read(&admin.token_file)
    {
        return finding("admin", Err(why.to_string()));
    }
    let token = admin.token_file.display();
    let tcp = admin.listen.map_or_else(String::new, |listen| {
        format!(" and TCP {listen}, which is free and asks for the token in {token}")
    });
    finding("admin", Ok(format!("Unix socket {at}{tcp}")))
}

fn cores(settings: &Settings) -> Finding {
    let usable = status("/proc/self/status", "Cpus_allowed_list:").unwrap_or_else(|| "?".into());
    let wanted = &settings.threads.cores;
    let missing: Vec<String> =
        wanted.iter().filter(|core| !lists(&usable, **core)).map(ToString::to_string).collect();
    let threads = if settings.threads.mode == Mode::Solo { 1 } else { 1 + settings.threads.ingress };
    if !missing.is_empty() {
        let missing = missing.join(", ");
        let line = format!(
            "this process may use cores {usable}, not {missing} of threads.cores: those threads run unpinned"
        );
        return Finding { verdict: Verdict::Warning, about: "cores", line };
    }
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    if threads > count {
        let line = format!(
            "{threads} threads of the node share {count} cores ({usable}): want fewer threads.ingress"
        );
        return Finding { verdict: Verdict::Warning, about: "cores", line };
    }
    finding(
        "cores",
        Ok(format!(
            "this process may use cores {usable}; the node has {}, {} pinned",
            counted(threads, "thread"),
            wanted.len()
        )),
    )
}

fn huge_pages() -> Finding {
    let mode = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let lockable = status("/proc/self/limits", "Max locked memory").unwrap_or_else(|| "?".into());
    let lockable = lockable.split_whitespace().next().unwrap_or("?").to_owned();
    let given = mode.contains("[always]") || mode.contains("[madvise]");
    let line = format!("transparent huge pages: {}; lockable memory: {lockable} bytes", mode.trim());
    if given {
        return finding("memory", Ok(line));
    }
    let line = format!(
        "{line}; tables in small pages are two to three times slower: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
    );
    Finding { verdict: Verdict::Warning, about: "memory", line }
}

/// Whether a list as in `0-3,8` has `core`.
fn lists(list: &str, core: usize) -> bool {
    list.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let bound = |text: &str| text.trim().parse::<usize>();
        bound(first).is_ok_and(|first| bound(last).is_ok_and(|last| (first..=last).contains(&core)))
    })
}

fn read_word(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// What stands behind `name` in a file of lines.
fn status(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_cores_is_read_as_the_kernel_means_it() {
        for (list, core, there) in
            [("0-3,8", 3, true), ("0-3,8", 4, false), ("0-3,8", 8, true), ("1", 0, false), ("?", 0, false)]
        {
            assert_eq!(lists(list, core), there, "{list} {core}");
        }
    }
}
