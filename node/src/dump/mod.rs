//! `octick dump`: captured bytes come in, one readable line a frame and an entry goes out.
//!
//! ```text
//! file > pcap: packets > link: UDP payloads > split: frames, or what is damaged > show: text or JSON
//!      > (raw frames) ----------------------^
//! ```
//!
//! Whatever the bytes are, nothing here panics, and nothing is skipped in silence. Signatures are not checked: a
//! capture holds no keys.

pub mod command;
pub mod link;
pub mod pcap;
mod show;
pub mod split;
