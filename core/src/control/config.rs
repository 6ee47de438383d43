//! What may be chosen about the control plane, and what of it holds together.
//!
//! In comes a [`Config`] in which anything may stand; out go [`Settings`], or the first contradiction. What can never happen:
//! a machine that begins with choices that were not checked, for only [`Config::check`] makes the settings that
//! [`Control::new`](crate::control::Control::new) takes.

use crate::contradiction::Contradiction;
use crate::control::dissemination::select::Strategy;
use crate::control::dissemination::spread::SpreadSettings;
use crate::control::membership::settings::MembershipSettings;

/// The choices, by machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Who is in the mesh: seeds, timers and bounds.
    pub membership: MembershipSettings,
    /// How updates spread.
    pub spread: SpreadSettings,
    /// Which neighbour is compared with in a round.
    pub selection: Strategy,
}

impl Config {
    /// Checks the choices against their bounds and each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(self) -> Result<Settings, Contradiction> {
        self.membership.check()?;
        self.spread.check()?;
        Ok(Settings { config: self })
    }
}

/// Choices that hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    config: Config,
}

impl Settings {
    /// What was chosen.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The choices, for the machines.
    pub(in crate::control) fn into_config(self) -> Config {
        self.config
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn the_defaults_do_not_contradict_each_other() {
        let settings = Config::default().check().expect("they hold");
        assert_eq!(*settings.config(), Config::default());
    }

    #[test]
    fn what_any_machine_would_refuse_makes_no_settings() {
        let mut config = Config::default();
        config.membership.probe_timeout = Duration::MAX;
        assert_eq!(config.check().unwrap_err().key, "probe_timeout");
        let mut config = Config::default();
        config.spread.keep = Duration::from_nanos(999);
        assert_eq!(config.check().unwrap_err().key, "keep");
    }
}
