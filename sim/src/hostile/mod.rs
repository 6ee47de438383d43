//! Members that lie, and what each of them does beside running the very code of a node.
//!
//! | role | what it does | what must hold |
//! |---|---|---|
//! | sybil | joins under a dozen keys without a credential | nobody puts them on record; no quorum changes |
//! | accuser | accuses honest members, in its own and in made-up names | nobody who runs is declared dead; bytes stay bounded |
//! | replayer | sends what others said again: later, and to others | the dead are noticed in time; nobody comes back |
//! | reflector | greets under fresh keys in a victim's name | the victim gets no more bytes than that cost |
//! | claimant | claims the slots of others, dated before everybody | nobody loses slots |
//! | postdater | dates its announcements a lifetime ahead | nobody believes them |
//!
//! In come the packets that a hostile node hears and time; out go packets of its own. It is a member with a credential, knows what a
//! member knows, and reads every packet that comes to it; it has nobody else's key. What can never happen: that it acts before it
//! has begun or after `until`, when nodes are to agree again.

mod accuser;
mod claimant;
#[expect(clippy::module_inception, reason = "the machine of the folder of its name")]
mod hostile;
mod keys;
mod postdater;
mod reflector;
mod replayer;
mod sybil;

pub use hostile::{Hand, Hostile};
