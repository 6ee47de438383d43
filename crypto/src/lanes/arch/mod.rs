//! Where `unsafe` is: memory in huge pages, and what the kernels ask of each CPU.

#![allow(unsafe_code)]

mod arena;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512ifma;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod prefetch;

pub(super) use arena::Arena;
#[cfg(target_arch = "x86_64")]
pub(super) use lanes::{Block, LANES_MAX, Lanes, MulAdd52};
pub(super) use prefetch::prefetch;
