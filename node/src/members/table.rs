//! Members as an aligned table.

use std::fmt;

use crate::admin::view::{Member, Members, Status};

/// Shows the members, a row each, and a line about all of them.
pub(super) struct Table<'a>(pub(super) &'a Members);

const HEAD: [&str; 6] = ["member", "state", "region", "address", "slots", "incarnation"];

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 6]> = self.0.members.iter().map(row).collect();
        let widths: [usize; 6] = std::array::from_fn(|i| {
            rows.iter().map(|row| row[i].len()).chain([HEAD[i].len()]).max().unwrap_or(0)
        });
        line(f, &HEAD.map(String::from), &widths)?;
        for row in &rows {
            line(f, row, &widths)?;
        }
        summary(f, self.0)
    }
}

fn row(member: &Member) -> [String; 6] {
    let own = if member.this_node { " *" } else { "" };
    let address = if member.addresses.is_empty() { "-".into() } else { member.addresses.join(" ") };
    [
        format!("{}{own}", member.short),
        member.state.name().into(),
        member.region.to_string(),
        address,
        member.slots.to_string(),
        member.incarnation.to_string(),
    ]
}

/// Words to the left, numbers to the right.
fn line(f: &mut fmt::Formatter<'_>, cells: &[String; 6], widths: &[usize; 6]) -> fmt::Result {
    let [member, state, region, address, slots, incarnation] = cells;
    let [w0, w1, w2, w3, w4, w5] = *widths;
    writeln!(f, "{member:w0$}  {state:w1$}  {region:>w2$}  {address:w3$}  {slots:>w4$}  {incarnation:>w5$}")
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
