//! `octick authority`: says who belongs to a mesh, on a machine that is none of its nodes.
//!
//! In come the authority's keys, a register of what it said so far, and public keys of nodes; out come credentials and decisions, as files
//! that nodes read. What can never happen: a serial or a decision's number that is handed out twice, a file handed out that the register does
//! not know, or a secret on a screen.
//!
//! | file | idea |
//! |---|---|
//! | [`init`], [`issue`], [`revoke`], [`rotate`], [`list`], [`show`] | a command each |
//! | [`mesh`] | `octick init`: an authority and its first nodes, ready to run |
//! | [`invite`], [`serve`] | a node is let in by a token: made, served; it is used by [`enrol`](crate::enrol) |
//! | `enrolment` | what the two sides of that say to each other |
//! | `invited` | a node that is expected |
//! | `register` | whom the authority knows, and what it may say next |
//! | [`folder`] | where a command finds its authority |
//! | `stored` | the register as a file reads |
//! | `store` | the folder: one command at a time, and nothing half written |
//! | `slots` | which slots a member gets |
//! | `signers` | the keys that sign |
//! | [`document`] | credentials and decisions as files |
//! | `words` | slots, times and keys for people |

pub mod document;
pub(crate) mod enrolment;
pub mod folder;
pub mod init;
pub mod invite;
mod invited;
pub mod issue;
pub mod list;
pub mod mesh;
mod register;
pub mod revoke;
pub mod rotate;
pub mod serve;
pub mod show;
mod signers;
mod slots;
pub(crate) mod store;
mod stored;
pub(crate) mod words;

use std::process::ExitCode;

pub use document::{read_credential, read_decisions};

use crate::failure::Failure;

/// Says who belongs to a mesh: credentials, revocations, new keys
#[derive(Debug, clap::Subcommand)]
pub enum AuthorityCommand {
    /// Makes an authority: its keys, its register, and what its nodes have to be configured with
    Init(init::Init),
    /// Issues a credential: admits a node, or renews what a member has
    Issue(issue::Issue),
    /// Revokes a member's credentials: its name and its slots are free again
    Revoke(revoke::Revoke),
    /// Makes a token by which one node gets a credential from `octick authority serve`
    Invite(invite::Invitation),
    /// Lets nodes in that show a token of `octick authority invite`, until it is stopped
    Serve(serve::Serve),
    /// Makes new keys for the authority: those before sign that, and nothing any more
    Rotate(rotate::Rotate),
    /// Shows whom the authority admitted: serial, slots, until when, and whether that holds
    List(list::List),
    /// Says what a credential's or a decisions' file grants, by whom, until when, and whether an authority stands behind it
    Show(show::Show),
}

impl AuthorityCommand {
    /// Does what was asked for.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do about it.
    pub fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Init(init) => init.run(),
            Self::Issue(issue) => issue.run(),
            Self::Revoke(revoke) => revoke.run(),
            Self::Invite(invite) => invite.run(),
            Self::Serve(serve) => serve.run(),
            Self::Rotate(rotate) => rotate.run(),
            Self::List(list) => list.run(),
            Self::Show(show) => show.run(),
        }
    }
}
