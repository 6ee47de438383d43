//! `octick get`: what stands in slots, as a running node reads it.

use std::process::ExitCode;

use crate::admin::view::{Cell, Cells, Range, State};
use crate::admin::{Address, Locate, client};
use crate::failure::Failure;
use crate::output::{Column, columns, named, say};
use crate::report::nanos;

/// Shows the cells of a slot or of a range of slots: value, version, owner and whether it lives
#[derive(Debug, clap::Args)]
pub struct Get {
    /// A slot, as in 7, or a range, as in 0..16 (without 16) or 0-15 (with 15)
    #[arg(value_name = "SLOT|RANGE")]
    range: Range,
    #[command(flatten)]
    locate: Locate,
    /// Print JSON, one cell a line
    #[arg(long)]
    json: bool,
}

const HEAD: [Column; 7] = [
    Column::right("slot"),
    Column::left("table"),
    Column::right("value"),
    Column::right("version"),
    Column::right("age"),
    Column::left("owner"),
    Column::left("state"),
];

impl Get {
    /// Prints the cells; those never written too, for they have owners.
    ///
    /// # Errors
    /// One line: why the node did not answer, or that its tables lack a slot.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let admin = self.locate.address()?;
        // A range that is not there is refused before anything is shown of it.
        cells(&admin, Range { first: self.range.end - 1, ..self.range })?;
        for piece in self.range.pieces() {
            let cells = cells(&admin, piece)?;
            if self.json {
                cells.iter().try_for_each(|cell| say(serde_json::to_string(cell)?))?;
            } else {
                say(columns(&HEAD, &cells.iter().map(row).collect::<Vec<_>>()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn cells(admin: &Address, range: Range) -> Result<Vec<Cell>, Failure> {
    Ok(client::get::<Cells>(admin, &format!("/api/v1/cells/{range}"))?.cells)
}

fn row(cell: &Cell) -> [String; 7] {
    let number = |n: Option<u64>| n.map_or_else(|| "-".into(), |n| n.to_string());
    let age = cell.age_micros.map_or_else(|| "-".into(), age);
    let (owner, state) = match &cell.owner {
        None => ("nobody".into(), "-"),
        Some(owner) => (
            named(owner.name.as_deref(), &owner.short) + if owner.this_node { " *" } else { "" },
            owner.state.map_or(if owner.this_node { "alive" } else { "not watched" }, State::name),
        ),
    };
    [
        cell.slot.to_string(),
        cell.table.clone(),
        number(cell.value),
        number(cell.version),
        age,
        owner,
        state.into(),
    ]
}

/// Clocks differ: a cell may be from the future.
fn age(micros: i64) -> String {
    let text = nanos(micros.unsigned_abs() as f64 * 1e3);
    if micros < 0 { format!("-{text}") } else { text.to_string() }
}
