//! `octick info`: who a running node is, and where it stands in its mesh.

use std::fmt;
use std::process::ExitCode;

use crate::admin::view::{Admission, Counts, Info as View, Mesh, Quorum, Run, Status};
use crate::admin::{Locate, client};
use crate::failure::Failure;
use crate::output::{say, wrap};

/// Shows who a running node is, what it runs on, and where it stands in its mesh
#[derive(Debug, clap::Args)]
pub struct Info {
    #[command(flatten)]
    locate: Locate,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Info {
    /// Prints it.
    ///
    /// # Errors
    /// One line: why the node did not answer.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let info: View = client::get(&self.locate.address()?, "/api/v1/info")?;
        if self.json {
            say(serde_json::to_string(&info)?)?
        } else {
            say(Text(&info))?
        }
        Ok(ExitCode::SUCCESS)
    }
}

struct Text<'a>(&'a View);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(info) = self;
        let version = format!("octick {}, process {}, up {} s", info.version, info.pid, info.uptime_secs);
        let tables = info.slots.tables.join(", ");
        let name = info.admission.credential.as_ref().map(|granted| format!("{} ", granted.name));
        let mut lines = vec![
            ("node", name.unwrap_or_default() + &info.id),
            ("mesh", info.mesh.clone()),
            ("admission", info.admission.to_string()),
            ("rights", rights(&info.admission)),
            ("listens on", info.listen.clone()),
            ("slots", format!("{} of {} in {tables}", own(&info.slots.own), info.slots.table)),
            ("merges", format!("with {}", info.kernel)),
            ("verifies", format!("with {}", info.verify)),
            ("sockets", format!("{} ({})", info.backend, info.why)),
            ("version", version),
        ];
        match &info.membership {
            Some(mesh) => lines.extend(membership(mesh)),
            None => lines.push(("membership", "none: this node knows the peers of its file".into())),
        }
        for (i, (name, text)) in lines.into_iter().enumerate() {
            let text = wrap(&format!("{:12}{text}", ""), 12);
            write!(f, "{}{name:<12}{}", if i == 0 { "" } else { "\n" }, &text[12..])?;
        }
        Ok(())
    }
}

/// What the node may do, and until when.
fn rights(admission: &Admission) -> String {
    let granted = admission.credential.as_ref();
    match (&admission.denied, granted) {
        (Some(why), _) => format!("NONE: this node is no member of its mesh: {why}"),
        (None, Some(granted)) => granted.summary(),
        (None, None) if admission.rule == "open" => "no credential: slots that nobody else has".into(),
        (None, None) => "by configuration".into(),
    }
}

/// The runs, and how many slots they are.
fn own(runs: &[Run]) -> String {
    let slots: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
    let shown = runs
        .iter()
        .take(4)
        .map(|run| format!("{}..{}", run.first, u64::from(run.first) + u64::from(run.count)));
    let mut shown: Vec<String> = shown.collect();
    if runs.len() > shown.len() {
        shown.push(format!("{} more runs", runs.len() - shown.len()));
    }
    if runs.is_empty() {
        "speaks for none".into()
    } else {
        format!("speaks for {} ({slots})", shown.join(", "))
    }
}

fn membership(mesh: &Mesh) -> [(&'static str, String); 4] {
    let Mesh { incarnation, region, addresses, partition, counts, quorum, alone } = mesh;
    let at = if addresses.is_empty() { "no address that others know".into() } else { addresses.join(" ") };
    let state = match partition {
        Status::Healthy | Status::Recovering | Status::Joining if *alone => {
            "ALONE: no seed answers; it keeps trying (see membership.seeds)".into()
        }
        Status::Healthy => "healthy: it reaches a quorum".into(),
        Status::Recovering => "recovering: it reaches a quorum again".into(),
        Status::Joining => "joining: it has no quorum before it knows who is there".into(),
        Status::Partitioned { reachable, required } => {
            format!(
                "PARTITIONED: {reachable} members are reachable, {required} are required; writes that need a quorum are refused{}",
                if *alone { ". No seed answers either" } else { "" }
            )
        }
    };
    let Counts { alive, suspected, failed, left } = counts;
    let Quorum { counted, may_fail, required, reachable, missing } = quorum;
    let missing = match &missing[..] {
        [] => String::new(),
        ids => format!("; missing: {}", ids.iter().map(|id| &id[..8]).take(8).collect::<Vec<_>>().join(" ")),
    };
    let bears = match may_fail {
        0 if *counted > 1 => "none may fail (of 4 members, 1 may; of 7, 2)".into(),
        _ => format!("{may_fail} may fail"),
    };
    [
        ("reached at", format!("{at}, region {region}, incarnation {incarnation}")),
        ("members", format!("{alive} alive, {suspected} suspected, {failed} failed, {left} left")),
        ("partition", state),
        (
            "quorum",
            format!(
                "{required} of {counted}: {bears}; {reachable} reachable{missing}. It counts members of this \
                 region that are alive, suspected or failed, however long ago, not those that left or are ephemeral: octick \
                 force-leave ID takes out one that will not come back"
            ),
        ),
    ]
}
