//! The way of a session that compares which updates two nodes have: opened where an offer shows that much was missed.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::control::Control;
use super::reconcile::message::KIND;
use super::reconcile::session::{End, Output};
use crate::control::id::MemberIndex;
use crate::control::id::UpdateId;
use crate::control::message::membership::MembershipMsg;
use crate::control::message::refusal::Refusal;
use crate::wire::Message;

/// The set that sessions compare: updates that are kept for those who ask.
const UPDATES: u8 = 0;

impl Control {
    /// A member offered what is mostly unknown here: compares all of it.
    pub(super) fn catch_up(&mut self, now: u64, with: MemberIndex) {
        let names = self.dissemination.held(now);
        if self.reconciler.open(now, with, UPDATES, names.into_iter()) {
            self.settle_sessions(now);
        }
    }

    /// A member says something in a session.
    pub(super) fn handle_reconcile(
        &mut self,
        now: u64,
        from: MemberIndex,
        address: SocketAddr,
        body: &[u8],
    ) -> Result<(), Refusal> {
        self.check_proven(now, from, address)?;
        let dissemination = &self.dissemination;
        let names = |set| (set == UPDATES).then(|| dissemination.held(now).into_iter());
        let outcome = self.reconciler.handle(now, from, body, names);
        self.settle_sessions(now);
        outcome.map_err(|_| Refusal::Session)
    }

    /// Lets sessions do what is due.
    pub(super) fn tick_sessions(&mut self, now: u64) {
        if self.reconciler.next_due() <= now {
            self.reconciler.tick(now);
            self.settle_sessions(now);
        }
    }

    fn settle_sessions(&mut self, now: u64) {
        let mut again = Vec::new();
        while let Some(output) = self.reconciler.poll() {
            match output {
                Output::Say { to, body } => {
                    self.send_to(to, &MembershipMsg::Other(Message { kind: KIND, body: &body }));
                }
                Output::Serve { to, names, .. } => {
                    let ids: Vec<UpdateId> = names.into_iter().map(UpdateId).collect();
                    self.dissemination.serve(now, to, &ids, &mut self.actions);
                }
                Output::Ended { with, how: End::Partly, .. } => again.push(with),
                // What is expected was asked for; what ends otherwise has had its control frames.
                Output::Expect { .. } | Output::Ended { .. } => {}
            }
        }
        self.fulfil(now);
        for with in again.into_iter().filter(|with| self.members.get(*with).state().is_live()) {
            let names = self.dissemination.held(now);
            self.reconciler.open(now, with, UPDATES, names.into_iter());
        }
    }
}
