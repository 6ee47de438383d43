//! Numbers as people read them: three digits and a unit.

use std::fmt;

/// A count or a rate: `934`, `52.1k`, `4.91M`.
pub fn count(value: f64) -> impl fmt::Display {
    Scaled { value, steps: &[(1e9, "G"), (1e6, "M"), (1e3, "k")], unit: "" }
}

/// A time: `85ns`, `21.0us`, `1.20ms`, `3.00s`.
pub fn nanos(value: f64) -> impl fmt::Display {
    Scaled { value, steps: &[(1e9, "s"), (1e6, "ms"), (1e3, "us")], unit: "ns" }
}

struct Scaled {
    value: f64,
    /// From the largest down.
    steps: &'static [(f64, &'static str)],
    unit: &'static str,
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Half of the last digit shown carries a value over the edge of its step: 999.6 is 1.00k, not 1000.
        match self.steps.iter().find(|(step, _)| self.value >= step * 0.9995) {
            None => write!(f, "{:.0}{}", self.value, self.unit),
            Some((step, unit)) => {
                let value = self.value / step;
                let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
                write!(f, "{value:.digits$}{unit}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_say_it() {
        for (value, text) in [
            (0.0, "0"),
            (934.4, "934"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (52_149.0, "52.1k"),
            (4_909_999.0, "4.91M"),
            (99_960.0, "100k"),
            (2e12, "2000G"),
        ] {
            assert_eq!(count(value).to_string(), text);
        }
        assert_eq!(nanos(85.0).to_string(), "85ns");
        assert_eq!(nanos(21_000.0).to_string(), "21.0us");
        assert_eq!(nanos(3e9).to_string(), "3.00s");
    }
}
