//! Between the planes: what members say of their tables to the audit, and what it finds to whoever owns the cells.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use octick_crypto::NodeId;

use crate::control::message::kind::MessageKind;
use crate::data::audit::{Answer, AuditMsg, Counts};
use crate::engine::Engine;
use crate::engine::router::Mesh;
use crate::limits::{AUDIT_INBOX_MAX, AUDIT_RUNS_MAX};
use crate::list::List;
use crate::refusal::Refusal;
use crate::stamp::Run;
use crate::state::TableKind;
use crate::wire::control_frame::BODY_MAX;
use crate::wire::{ControlFrame, Message};

impl Mesh {
    /// Keeps a message for [`Engine::compare`].
    pub(super) fn put_aside(&mut self, from: NodeId, message: Box<ControlFrame>) {
        let is_audit = message.messages().all(|message| message.kind == MessageKind::Audit as u8);
        if is_audit && self.inbox.len() < AUDIT_INBOX_MAX {
            self.inbox.push_back((from, message));
        } else {
            self.refusals.count(if is_audit { Refusal::AuditFull } else { Refusal::Kind });
            self.control.give_back(message);
        }
        assert!(self.inbox.len() <= AUDIT_INBOX_MAX, "{} messages wait", self.inbox.len());
    }

    fn say(&mut self, to: NodeId, message: &AuditMsg) {
        let mut body = List::<u8, BODY_MAX>::new();
        message.encode(&mut body);
        self.control.write(to, Message { kind: MessageKind::Audit as u8, body: &body });
    }
}

impl Engine {
    /// What comparing tables has found.
    pub fn audit(&self) -> Option<&Counts> {
        self.mesh.as_ref().map(|mesh| &mesh.audit.counts)
    }

    /// Lets the audit do what is due.
    pub(super) fn tick_audit(&mut self, now: u64) {
        let Some(mesh) = self.mesh.as_mut().filter(|mesh| mesh.control.has_company()) else { return };
        let standing = (mesh.control.is_settled(), mesh.control.partition());
        if core::mem::replace(&mut mesh.standing, standing) != standing {
            mesh.audit.hurry(now);
        }
        if now >= mesh.audit.next_due()
            && let Some(question) = mesh.audit.tick(now, &mut self.state)
            && let Some(partner) = mesh.control.draw_partner()
        {
            mesh.say(partner, &question);
        }
    }

    /// Looks at what members said of their tables.
    pub(super) fn compare(&mut self, now: u64) {
        let Some(mesh) = &mut self.mesh else { return };
        mesh.collect(self.identity.id());
        while let Some((from, control_frame)) = self.mesh.as_mut().and_then(|mesh| mesh.inbox.pop_front()) {
            for message in control_frame.messages() {
                self.compare_with(now, from, message.body);
            }
            if let Some(mesh) = &mut self.mesh {
                mesh.control.give_back(control_frame);
            }
        }
    }

    fn compare_with(&mut self, now: u64, from: NodeId, body: &[u8]) {
        let Some(mesh) = &mut self.mesh else { return };
        let Some(message) = AuditMsg::decode(body) else {
            return mesh.refusals.count(Refusal::AuditMalformed);
        };
        let mut replies = List::new();
        match mesh.audit.handle(now, &self.state, &message, &mut replies) {
            Answer::Nothing => {}
            Answer::Differ(table, runs) => self.ask_owners(table, &runs),
            Answer::Repeat(table, runs) => {
                runs.iter().for_each(|run| self.outbox.refresh_within(table, *run));
            }
        }
        let Some(mesh) = &mut self.mesh else { return };
        replies.iter().for_each(|reply| mesh.say(from, reply));
    }

    /// Has the owners of cells in `runs` send them again, this node itself if it is one.
    fn ask_owners(&mut self, table: TableKind, runs: &[Run]) {
        let mut wanted: BTreeMap<NodeId, List<Run, AUDIT_RUNS_MAX>> = BTreeMap::new();
        for origin in self.directory.origins().filter(|origin| !origin.revoked) {
            let touches = |run: &&Run| {
                let meets =
                    |own: &Run| u64::from(own.first.0) < run.end() && u64::from(run.first.0) < own.end();
                origin.runs.iter().any(meets)
            };
            let runs: List<Run, AUDIT_RUNS_MAX> =
                runs.iter().filter(touches).take(AUDIT_RUNS_MAX).copied().collect();
            if !runs.is_empty() {
                wanted.insert(origin.key.id(), runs);
            }
        }
        runs.iter().for_each(|run| self.outbox.refresh_within(table, *run));
        wanted.remove(&self.identity.id());
        let Some(mesh) = &mut self.mesh else { return };
        for (owner, runs) in wanted {
            assert!((1..=AUDIT_RUNS_MAX).contains(&runs.len()), "{} runs asked for at once", runs.len());
            mesh.say(owner, &AuditMsg::Refresh { table, runs });
        }
    }
}
