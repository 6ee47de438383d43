//! The control plane: who is in the mesh, who is gone, and what the nodes tell each other about it.
//!
//! Machines without sockets or clocks, one a file: letters, time and dice go in, [`Intention`]s come out. It knows
//! nothing of the data plane, nor that of it.
//!
//! | module | idea |
//! |---|---|
//! | [`control`] | the composition root; `receive` is the way of a letter through it, `introduce` that of what it announces, `accuse` that of accusations, `relay` that of an update, `foreign` of what concerns other regions, `catch_up` of sessions, `turn` what is due |
//! | [`intention`] | what goes into it, and what comes out |
//! | [`settings`] | what an operator may choose |
//! | [`random`] | the dice |
//! | [`announce`] | what a member says of itself, signed |
//! | [`notary`] | who signs that, and judges what others said |
//! | [`message`] | what control planes say to each other about members |
//! | [`mail`] | letters in the making |
//! | [`members`] | who is in the mesh; [`member`] is one record |
//! | `index` | finding a record by its key |
//! | [`claims`] | whose slots these are when two claim them |
//! | [`swim`] | whether members answer |
//! | [`suspect`] | how long a silent member has to say that it is there |
//! | [`rumours`] | news on its way, in the room that letters have left |
//! | [`sync`] | comparing tables |
//! | `lessons` | telling newcomers who came after them |
//! | [`contact`] | whom to say hello to who is no live member |
//! | [`challenge`] | proof that who asks receives what is sent to its address |
//! | [`partition`] | whether enough of the mesh is reachable |
//! | [`rank`] | who stands next to whom, and who speaks for a region |
//! | [`rtt`], [`select`] | how far peers are, and whom to choose |
//! | [`regions`] | how an update crosses regions |
//! | [`dissemination`] | the next seven, composed |
//! | [`spread`] | how an update reaches everybody: eager push, lazy announcement, pull |
//! | [`gossip`] | what nodes say to each other about updates, links and samples |
//! | [`overlay`] | who a node's neighbours are |
//! | [`sampling`] | samples of the mesh, refreshed by exchange |
//! | [`scout`] | keeping in touch with other regions, by the next two |
//! | [`phi`] | how sure one may be that a leader is gone |
//! | [`rate`] | how often to gossip |
//! | [`reconcile`] | what one of two nodes has and the other lacks |
//! | [`refusal`] | why a letter was not heeded |

mod accuse;
pub mod announce;
mod catch_up;
pub mod challenge;
pub mod claims;
pub mod contact;
#[allow(clippy::module_inception, reason = "the composition root bears the name of what it composes")]
pub mod control;
pub mod dissemination;
mod foreign;
pub mod gossip;
mod index;
pub mod intention;
mod introduce;
mod lessons;
pub mod mail;
pub mod member;
pub mod members;
pub mod message;
pub mod notary;
pub mod overlay;
pub mod partition;
pub mod phi;
pub mod random;
pub mod rank;
pub mod rate;
mod receive;
pub mod reconcile;
pub mod refusal;
pub mod regions;
mod relay;
pub mod rtt;
pub mod rumours;
pub mod sampling;
pub mod scout;
pub mod select;
pub mod settings;
pub mod spread;
pub mod suspect;
pub mod swim;
pub mod sync;
mod turn;

pub use announce::{Announcement, Claim, Region, Statement};
pub use control::{Birth, Control, Intention, Postmark};
pub use members::{Member, Members, PeerState};
pub use notary::{Notary, Signed};
pub use partition::Partition;
pub use random::Random;
pub use refusal::{Refusal, Refusals};
pub use relay::Update;
pub use settings::Settings;
