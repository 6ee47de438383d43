//! Rows of a report: a table for people, JSON for machines, and whether all that ran passed.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::machine::Machine;

/// What a value is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// Less is better.
    AtMost(f64),
    /// More is better.
    AtLeast(f64),
}

/// One figure, or why it was not measured.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Stable; consumers look rows up by it.
    pub(crate) name: String,
    /// What the value counts.
    pub(crate) unit: &'static str,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// What the value is held against; nothing for a figure that is only reported.
    pub(crate) bar: Option<Bar>,
    /// What a reader should know beside the value.
    pub(crate) note: String,
}

/// A value of this very run, or the reason why there is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Measured.
    Value(f64),
    /// Not measured, because.
    Skipped(String),
}

/// A machine and the figures that it gave.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    machine: Machine,
    rows: Vec<Row>,
}

impl Bar {
    /// Whether `value` clears the bar.
    pub(crate) fn allows(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }

    fn number(self) -> f64 {
        match self {
            Self::AtMost(number) | Self::AtLeast(number) => number,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if matches!(self, Self::AtMost(_)) { "<=" } else { ">=" };
        write!(f, "{sign} {}", Figure(self.number()))
    }
}

impl Row {
    /// A figure that is only reported.
    pub(crate) fn value(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { name: name.into(), unit, outcome: Outcome::Value(value), bar: None, note: String::new() }
    }

    /// A figure that this machine cannot give.
    pub(crate) fn skipped(name: impl Into<String>, unit: &'static str, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit,
            outcome: Outcome::Skipped(why.into()),
            bar: None,
            note: String::new(),
        }
    }

    /// Holds the value against a bar.
    pub(crate) fn bar(self, bar: impl Into<Option<Bar>>) -> Self {
        Self { bar: bar.into(), ..self }
    }

    /// Adds what a reader should know beside the value.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Whether the row did not fail; nothing when it did not run.
    pub(crate) fn pass(&self) -> Option<bool> {
        match self.outcome {
            Outcome::Value(value) => Some(self.bar.is_none_or(|bar| bar.allows(value))),
            Outcome::Skipped(_) => None,
        }
    }

    fn json(&self) -> Value {
        let (value, skipped) = match &self.outcome {
            Outcome::Value(value) => (json!(value), Value::Null),
            Outcome::Skipped(why) => (Value::Null, json!(why)),
        };
        let direction = self.bar.map(|bar| match bar {
            Bar::AtMost(_) => "at_most",
            Bar::AtLeast(_) => "at_least",
        });
        json!({
            "name": self.name,
            "unit": self.unit,
            "value": value,
            "bar": self.bar.map(Bar::number),
            "direction": direction,
            "pass": self.pass(),
            "skipped": skipped,
            "note": self.note,
        })
    }
}

impl Report {
    /// An empty report about `machine`.
    pub(crate) fn new(machine: Machine) -> Self {
        Self { machine, rows: Vec::new() }
    }

    /// What it was measured on.
    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Adds a row, in the order of the printout.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Whether no row that ran failed.
    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.pass() != Some(false))
    }

    /// `{"machine": {...}, "rows": [...]}`, as documented in `docs/measuring.md`.
    pub(crate) fn json(&self) -> Value {
        #[derive(Serialize)]
        struct Whole<'a> {
            machine: &'a Machine,
            rows: Vec<Value>,
        }
        json!(Whole { machine: &self.machine, rows: self.rows.iter().map(Row::json).collect() })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        for row in &self.rows {
            write!(f, "{:width$}  ", row.name)?;
            match (&row.outcome, row.bar) {
                (Outcome::Skipped(why), _) => write!(f, "{:>10}  {:24}  skipped: {why}", "-", row.unit)?,
                (Outcome::Value(value), None) => write!(f, "{:>10}  {:24}", Figure(*value), row.unit)?,
                (Outcome::Value(value), Some(bar)) => {
                    let verdict = if bar.allows(*value) { "ok  " } else { "FAIL" };
                    write!(f, "{:>10}  {:24}  {verdict} {bar}", Figure(*value), row.unit)?;
                }
            }
            writeln!(f, "{}{}", if row.note.is_empty() { "" } else { "  " }, row.note)?;
        }
        Ok(())
    }
}

/// A number with about four digits that matter.
struct Figure(f64);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0.abs() {
            0.0 => 0,
            size if size < 10.0 => 3,
            size if size < 1_000.0 => 1,
            _ => 0,
        };
        f.pad(&format!("{:.decimals$}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_row_that_ran_can_fail() {
        let row = || Row::value("a", "ticks", 3.0);
        assert_eq!(row().pass(), Some(true));
        assert_eq!(row().bar(Bar::AtMost(3.0)).pass(), Some(true));
        assert_eq!(row().bar(Bar::AtMost(2.9)).pass(), Some(false));
        assert_eq!(row().bar(Bar::AtLeast(3.1)).pass(), Some(false));
        assert_eq!(Row::skipped("a", "ticks", "no such kernel").bar(Bar::AtMost(0.0)).pass(), None);
    }

    #[test]
    fn json_rows_carry_the_documented_fields() {
        let row = Row::value("merge", "ticks/cell", 2.5).bar(Bar::AtMost(3.0)).json();
        for field in ["name", "unit", "value", "bar", "pass", "skipped"] {
            assert!(row.get(field).is_some(), "{field}");
        }
        assert_eq!((&row["value"], &row["bar"], &row["pass"]), (&json!(2.5), &json!(3.0), &json!(true)));
        assert_eq!((&row["skipped"], &row["direction"]), (&Value::Null, &json!("at_most")));
    }
}
