//! Members as an aligned table.

use std::fmt;

use crate::admin::view::{Member, Members, Status};

/// Shows the members, a row each, and a line about all of them.
pub(super) struct Table<'a>(pub(super) &'a Members);

const HEAD: [&str; 7] = ["member", "state", "region", "address", "round trip", "slots", "incarnation"];

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 7]> = self.0.members.iter().map(row).collect();
        let widths: [usize; 7] = std::array::from_fn(|i| {
            rows.iter().map(|row| row[i].len()).chain([HEAD[i].len()]).max().unwrap_or(0)
        });
        line(f, &HEAD.map(String::from), &widths)?;
        for row in &rows {
            line(f, row, &widths)?;
        }
        summary(f, self.0)
    }
}

fn row(member: &Member) -> [String; 7] {
    let own = if member.this_node { " *" } else { "" };
    let address = if member.addresses.is_empty() { "-".into() } else { member.addresses.join(" ") };
    [
        format!("{}{own}", member.short),
        member.state.name().into(),
        member.region.to_string(),
        address,
        member.round_trip_micros.map_or_else(|| "-".into(), |micros| format!("{micros} us")),
        member.slots.to_string(),
        member.incarnation.to_string(),
    ]
}

/// Words to the left, numbers to the right.
fn line(f: &mut fmt::Formatter<'_>, cells: &[String; 7], widths: &[usize; 7]) -> fmt::Result {
    let [member, state, region, address, trip, slots, incarnation] = cells;
    let [w0, w1, w2, w3, w4, w5, w6] = *widths;
    write!(f, "{member:w0$}  {state:w1$}  {region:>w2$}  {address:w3$}  {trip:>w4$}  ")?;
    writeln!(f, "{slots:>w5$}  {incarnation:>w6$}")
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
        Status::Healthy => writeln!(f, "; healthy"),
        Status::Recovering => writeln!(f, "; recovering"),
        Status::Partitioned { reachable, required } => {
            writeln!(f, "; PARTITIONED: {reachable} reachable, {required} required for a quorum")
        }
    }
}
