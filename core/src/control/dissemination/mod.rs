//! How an update reaches everybody.
//!
//! | file | idea |
//! |---|---|
//! | [`dissemination`] | the machine: the others, composed |
//! | [`spread`] | eager push, lazy announcement, pull |
//! | [`overlay`] | who a node's neighbours are |
//! | [`rank`] | who stands next to whom, and who speaks for a region |
//! | `action` | what goes in, and what comes out |
//! | `survey` | who is in other regions |
//! | [`regions`] | how an update crosses regions |
//! | [`rounds`] | when to compare what came last, and with whom |
//! | [`rate`] | how often to gossip |
//! | [`select`] | whom to choose by distance |

pub(in crate::control) mod action;
#[allow(clippy::module_inception, reason = "the machine bears the name of its folder")]
pub mod dissemination;
pub mod overlay;
pub mod rank;
pub mod rate;
pub mod regions;
pub mod rounds;
pub mod select;
pub mod spread;
mod survey;
