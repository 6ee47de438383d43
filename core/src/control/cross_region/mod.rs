//! Keeping in touch with other regions: samples of the whole mesh, and how sure one may be that a leader is gone.
//!
//! | file | idea |
//! |---|---|
//! | [`scout`] | the machine: whom of other regions to speak to, and when |
//! | [`cyclon`] | samples of the mesh, refreshed by exchange |
//! | [`phi`] | phi-accrual failure detection on heartbeats between leaders |

pub mod cyclon;
pub mod phi;
pub mod scout;
