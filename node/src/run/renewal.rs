//! SIGHUP: what the files of the credential and of the decisions say now.
//!
//! In comes what was read and verified on another thread; a credential that is new is lived by at once, and decisions that are new go to the
//! whole mesh. What does not fit is named, and changes nothing.

use std::sync::Arc;

use octick::admission::grant::ANY_REGION;
use octick::admission::{Grant, SignedDecision};
use octick::{Appended, Credential};
use tracing::{error, info, warn};

use super::watch::Watch;
use crate::authority::words::{day, slots};
use crate::failure::Failure;
use crate::log;

impl Watch<'_> {
    /// Passes on the decisions of the file that were not known.
    pub(super) fn decide(&mut self, decisions: Result<Vec<Arc<SignedDecision>>, Failure>) {
        self.keep.reread();
        let decisions = match decisions {
            Ok(decisions) => decisions,
            Err(why) => return error!(target: log::ASKED, %why, "decisions not reloaded: none was taken"),
        };
        for signed in decisions {
            let number = signed.number();
            match self.node.decide((*signed).clone()) {
                // The event that follows says what was decided.
                Ok(Appended::New | Appended::Known) => {}
                Ok(why) => error!(target: log::ASKED, number, ?why, "decision not taken"),
                // A node that has ended says so elsewhere.
                Err(_) => return,
            }
        }
    }

    /// Lives by the credential of the file, if it is another one.
    pub(super) fn renew(&mut self, credential: Result<Option<Arc<Credential>>, Failure>) {
        let credential = match credential {
            Ok(Some(credential)) => credential,
            Ok(None) => return,
            Err(why) => {
                return error!(target: log::ASKED, %why, "credential not reloaded: this node goes on by the one before");
            }
        };
        if self.credential.as_ref().is_some_and(|before| before.bytes() == credential.bytes()) {
            return;
        }
        if let Err(why) = self.try_renew(&credential) {
            return error!(target: log::ASKED, %why, "credential not reloaded: this node goes on by the one before");
        }
        let Grant { name, serial, until, runs, .. } = credential.grant();
        let until = day((*until).into());
        info!(target: log::ASKED, name, serial, until, "credential renewed");
        if !runs.iter().all(|run| self.node.runs().iter().any(|own| own.covers(*run)))
            && self.config.agents.is_empty()
        {
            let granted = slots(runs);
            warn!(target: log::ASKED, granted, "the credential grants more slots: this node takes them at its next start");
        }
        self.credential = Some(credential);
    }

    fn try_renew(&self, credential: &Arc<Credential>) -> Result<(), Failure> {
        let (grant, region) = (credential.grant(), self.config.membership.region);
        if ![ANY_REGION, region].contains(&grant.region) {
            return Err(Failure::new(format!(
                "membership.region = {region}, and the credential is for region {}: that takes a new start",
                grant.region
            )));
        }
        let before = self.credential.as_ref().map_or(0, |before| before.grant().serial);
        if grant.serial < before {
            return Err(Failure::new(format!(
                "serial {} is older than {before}, by which this node lives: is it the file of before?",
                grant.serial
            )));
        }
        Ok(self.node.renew((**credential).clone())?)
    }
}
