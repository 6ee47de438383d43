//! Where `unsafe` is: memory in huge pages, and the kernels of each CPU.

#![allow(unsafe_code)]

mod arena;

pub(crate) use arena::Arena;
