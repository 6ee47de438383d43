//! Members as an aligned table.

use std::fmt;

use crate::admin::view::{Member, Members, Quorum, Status};
use crate::output::{Column, columns, named, wrap};

/// Shows the members, a row each, and a line about all of them.
pub(super) struct Table<'a>(pub(super) &'a Members);

const HEAD: [Column; 7] = [
    Column::left("member"),
    Column::left("state"),
    Column::right("region"),
    Column::left("address"),
    Column::right("round trip"),
    Column::right("slots"),
    Column::right("incarnation"),
];

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 7]> = self.0.members.iter().map(row).collect();
        writeln!(f, "{}", columns(&HEAD, &rows))?;
        summary(f, self.0)
    }
}

fn row(member: &Member) -> [String; 7] {
    let own = if member.this_node { " *" } else { "" };
    let address = if member.addresses.is_empty() { "-".into() } else { member.addresses.join(" ") };
    [
        named(member.name.as_deref(), &member.short) + own,
        member.state.name().into(),
        member.region.to_string(),
        address,
        member.round_trip_micros.map_or_else(|| "-".into(), |micros| format!("{micros} us")),
        member.slots.to_string(),
        member.incarnation.to_string(),
    ]
}

fn summary(f: &mut fmt::Formatter<'_>, members: &Members) -> fmt::Result {
    let counts = members.counts;
    write!(f, "{} alive", counts.alive)?;
    for (n, name) in [(counts.suspected, "suspected"), (counts.failed, "failed"), (counts.left, "left")] {
        if n > 0 {
            write!(f, ", {n} {name}")?;
        }
    }
    match members.partition {
        Status::Healthy => writeln!(f, "; healthy")?,
        Status::Recovering => writeln!(f, "; recovering")?,
        Status::Joining => writeln!(f, "; joining: no quorum before this node knows who is there")?,
        Status::Partitioned { reachable, required } => {
            writeln!(f, "; PARTITIONED: {reachable} reachable, {required} required for a quorum")?
        }
    }
    quorum(f, members)?;
    writeln!(f, "{}", wrap(&format!("admission: {}", members.admission), 2))?;
    match (&members.admission.denied, &members.admission.credential) {
        (Some(why), _) => {
            writeln!(f, "{}", wrap(&format!("NO MEMBER: others do not take this node for one: {why}"), 2))
        }
        (None, Some(granted)) if members.admission.rights != "full" => {
            writeln!(f, "{}", wrap(&format!("this node's credential: {}", granted.says), 2))
        }
        (None, _) => Ok(()),
    }
}

/// What the quorum counts, and who is missing: three names at most.
fn quorum(f: &mut fmt::Formatter<'_>, members: &Members) -> fmt::Result {
    let Quorum { counted, may_fail, required, reachable, missing } = &members.quorum;
    let bears = match may_fail {
        0 if *counted > 1 => "none may fail; of 4, 1 may".into(),
        _ => format!("{may_fail} may fail"),
    };
    writeln!(f, "quorum: {required} of {counted} that count ({bears}); {reachable} reachable")?;
    if missing.is_empty() {
        return Ok(());
    }
    let name = |id: &String| {
        let name =
            members.members.iter().find(|member| member.id == *id).and_then(|member| member.name.as_deref());
        name.unwrap_or(&id[..id.len().min(8)]).to_owned()
    };
    let names: Vec<String> = missing.iter().take(3).map(name).collect();
    let more = if missing.len() > 3 { " and others" } else { "" };
    let names = names.join(" ");
    let line = format!(
        "missing: {names}{more}; they count until they are back, or: octick force-leave ID or --state failed"
    );
    writeln!(f, "{}", wrap(&line, 2))
}
