//! Fuzz bodies: each takes any bytes and panics if a promise is broken.
//!
//! A body is a plain function, so that three drivers share it: cargo-fuzz (the wrappers in `fuzz_targets/`), plain
//! `cargo test`, which replays the committed corpora, and whoever wants to step through a finding in a debugger.
//! `docs/HACKING.md` has the commands.
//!
//! | target | what comes in | what is promised |
//! |---|---|---|
//! | [`admission`] | decisions and credentials of several keys, honest and bent | whom a mesh trusts is the dull model's |
//! | [`frame_parse`] | a datagram | no panic; a frame offers only what it says, damage lies inside the datagram |
//! | [`build_parse`] | entries of any kind | a sealed train parses back to what was put in, and proves itself |
//! | [`ingress`] | honest, forged, mangled and repeated datagrams | every verdict, count and table is the dull model's |
//! | [`merge_twin`] | frames for the three tables | every kernel equals a `BTreeMap` |
//! | [`config`] | a configuration file | refused with a reason, or settings that contradict nothing |
//! | [`control`] | control frames of honest, lying and garbling members | no panic, bounds hold, nobody is believed who did not sign |
//! | [`issued`] | the same where credentials decide who belongs: grants, revocations, time | nobody lives or writes but by a credential that holds |
//! | [`proof`] | frames of honest members and of a liar, held against each other, bent and cut | who said two things is convicted, and nobody else |
//! | [`dump`] | a capture, or frames | no panic, and every byte is accounted for |
//! | [`reconcile`] | control frames of an honest and a lying peer about sets | no panic, sessions, memory and bytes keep their bounds |
//! | [`verify_vs_reference`] | signatures, honest and bent | every kernel gives the verdicts of `verify_strict` |
//!
//! [`cursor`] turns bytes into numbers, [`twin`] is the dull twin of the tables, [`world`] a small mesh, [`traffic`] what passes between it and a node, [`seeds`]
//! makes the corpora, and [`script`] those of them that tell a story.

#![forbid(unsafe_code)]

pub mod admission;
pub mod build_parse;
pub mod config;
pub mod control;
pub mod cursor;
pub mod dump;
pub mod frame_parse;
pub mod ingress;
pub mod issued;
pub mod merge_twin;
pub mod proof;
pub mod reconcile;
pub mod script;
pub mod seeds;
pub mod traffic;
pub mod twin;
pub mod verify_vs_reference;
pub mod world;

/// What a driver calls with each input.
pub type Body = fn(&[u8]);

/// Every target by its name: of its wrapper, its corpus and its module.
pub const TARGETS: [(&str, Body); 12] = [
    ("admission", admission::run),
    ("build_parse", build_parse::run),
    ("config", config::run),
    ("control", control::run),
    ("dump", dump::run),
    ("frame_parse", frame_parse::run),
    ("ingress", ingress::run),
    ("issued", issued::run),
    ("merge_twin", merge_twin::run),
    ("proof", proof::run),
    ("reconcile", reconcile::run),
    ("verify_vs_reference", verify_vs_reference::run),
];
