//! Who is in the mesh, and who is gone: SWIM with Lifeguard.
//!
//! | file | idea |
//! |---|---|
//! | [`membership`] | the composition: what it owns, what the files below share |
//! | `delivery` | a control frame is opened: whose it is |
//! | `on_message` | a message, to the machine that it is for |
//! | `on_announcement` | an announcement comes |
//! | `on_probation` | whether a member counts yet |
//! | `on_removal` | members that others miss, and those that an operator had leave |
//! | `on_suspicion` | a suspicion is opened, confirmed, refuted, or comes true |
//! | `on_sync` | what is asked and answered when tables are compared |
//! | `on_timer` | what is due |
//! | `verified` | announcements, verified together |
//! | [`settings`] | what an operator may choose |
//! | [`signer`] | who signs announcements, and judges those of others |
//! | [`table`] | everybody on record; [`member`] is one record, `buckets` what tables are compared by |
//! | `admit` | whether a member may be one, and with which rights |
//! | [`proofs`], `on_proof` | who was convicted of equivocation, and how everybody hears of it |
//! | `on_decision` | what the mesh's authority decides |
//! | [`worth`] | what members are worth keeping where room is short |
//! | [`claims`] | whose slots these are when two claim them |
//! | `probation` | who is here, but not long enough to count |
//! | [`probe`] | whether members answer |
//! | [`suspicion`] | how long a silent member has to say that it is there |
//! | [`accusers`] | what members may still say against others |
//! | [`broadcasts`] | news, piggybacked on control frames |
//! | [`sync`] | comparing tables |
//! | `newcomers` | telling newcomers who came after them |
//! | [`join`] | whom to say hello to who is no live member |
//! | [`address_proof`] | proof that who asks receives what is sent to its address |
//! | [`quorum`] | whether enough of the mesh is reachable |
//! | [`rtt`] | how far peers are |

pub mod accusers;
pub mod address_proof;
mod admit;
pub mod broadcasts;
mod buckets;
pub mod claims;
pub(in crate::control) mod delivery;
pub mod join;
pub mod member;
#[allow(clippy::module_inception, reason = "the composition root bears the name of what it composes")]
pub mod membership;
mod newcomers;
mod on_announcement;
mod on_decision;
mod on_message;
mod on_probation;
mod on_proof;
mod on_removal;
mod on_suspicion;
mod on_sync;
mod on_timer;
mod probation;
pub mod probe;
pub mod proofs;
pub mod quorum;
pub mod rtt;
#[cfg(test)]
pub(in crate::control) mod samples;
pub mod settings;
pub mod signer;
pub mod suspicion;
pub mod sync;
pub mod table;
mod verified;
pub mod worth;
