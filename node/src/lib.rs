//! What the `octick` command is made of, one module a command.

#![deny(unsafe_code)]

pub mod admin;
pub mod authority;
pub mod config;
pub mod counters;
pub mod decide;
pub mod demo;
pub mod discovery;
pub mod dump;
pub mod enrol;
pub mod explain;
pub mod failure;
pub mod get;
pub mod info;
pub mod keygen;
pub mod load;
pub mod log;
pub mod members;
pub mod output;
pub mod report;
pub mod run;
pub mod steer;
pub mod trust;
pub mod version;
