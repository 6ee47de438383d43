//! Finding what one of two nodes has and the other lacks, at a price that follows the difference and not the sets.
//!
//! In come sets of names, control frames and time; out come control frames, names to ask for and names to send. What can never
//! happen: a peer that makes a node hold, send or compute more than its [`SessionSettings`](session::SessionSettings) allow; a
//! panic over what a peer sent; a wrong name taken for a difference, but with a chance of 2^-32 a symbol.
//!
//! | module | idea |
//! |---|---|
//! | [`key`] | names, and their keyed hashes: no two sessions hash alike |
//! | [`walk`] | which coded symbols a name goes into |
//! | [`symbol`] | a coded symbol, and its few bytes on the wire |
//! | [`riblt`] | rateless coding of a set, and the peeling of a difference |
//! | [`sketch`] | how much two sets differ, about, in 96 bytes |
//! | [`bloom`] | what one side has, for the other to know what it lacks |
//! | [`message`] | what the two sides say to each other |
//! | [`context`] | what sessions share: settings, outputs, why something is refused |
//! | [`session`] | all sessions of a node; `exchange` is one of them, `scattered` the part of it where names differ here and there, `behind` where one side lacks nearly everything |

mod behind;
pub mod bloom;
pub mod context;
mod exchange;
pub mod key;
pub mod message;
pub mod riblt;
mod scattered;
pub mod session;
pub mod sketch;
pub mod symbol;
pub mod walk;
