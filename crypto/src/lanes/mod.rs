//! Fast verification for keys that are known: tables of their multiples, and signatures side by side in SIMD lanes.
//!
//! **No secret may enter here.** Everything branches on, and indexes memory by, what it computes with: keys, messages
//! and signatures that anybody may see. Signing stays in [`identity`](crate::identity), on dalek's constant-time path.
//!
//! In come signatures with admitted keys; out comes the verdict of `verify_strict` on each, see
//! [`verify`](mod@crate::verify). What makes that true: an admitted key has order L exactly, so sB - kA may be computed
//! with s and k taken modulo L, and of the points that R may encode only the computed one has its bytes.
//!
//! | file | idea |
//! |---|---|
//! | `settings` | what may be chosen, and what became of it |
//! | `verifier` | the way in: who has a table, which kernel, and whether it can be trusted |
//! | `cache` | the busiest signers' tables, in bounded memory |
//! | `kernel` | which instructions, chosen once |
//! | `table`, `entry`, `digits` | every multiple that a sum may need, and which ones it takes |
//! | `portable`, `field`, `point` | one signature at a time: the specification |
//! | `comb`, `sha512` | the same side by side in SIMD lanes |
//! | `adder`, `decide` | what adds in lanes; the verdict on what was added up |
//! | `ladder`, `short` | side by side for keys that have no table |
//! | `order` | whether keys may be admitted, side by side |
//! | `fma`, `ifma` | their field arithmetic, by floating-point and by 52-bit multiply-add |
//! | `arch` | what they ask of each CPU; the only unsafe code |
//! | `self_test` | known signatures, for every lane, before a kernel is used |

#[cfg(target_arch = "x86_64")]
mod adder;
mod arch;
mod cache;
#[cfg(target_arch = "x86_64")]
mod comb;
#[cfg(target_arch = "x86_64")]
mod decide;
mod digits;
mod entry;
mod field;
#[cfg(target_arch = "x86_64")]
mod fma;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod job;
mod kernel;
#[cfg(target_arch = "x86_64")]
mod ladder;
#[cfg(target_arch = "x86_64")]
mod order;
mod point;
mod portable;
mod self_test;
mod settings;
#[cfg(target_arch = "x86_64")]
mod sha512;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no kernel there has lanes"))]
mod short;
mod table;
#[cfg(test)]
mod twin;
mod verifier;

pub use kernel::{Kernel, UnknownKernel};
pub(crate) use point::Minus;
pub use settings::{Base, Failure, Settings};
pub use table::KEY_TABLE_BYTES;
pub use verifier::Verifier;
