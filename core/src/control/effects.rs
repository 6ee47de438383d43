//! What the machines leave behind while they handle something: control frames to send, and what the embedder should know.
//!
//! Every function of a machine that has something to say gets this as an argument; [`Control`](super::Control) owns it
//! and gives it to the embedder piece by piece. What can never happen: a machine that calls another one through it.

use alloc::collections::VecDeque;

use crate::control::output::Output;
use crate::control::send_queue::SendQueue;

/// What is to be sent, and told.
#[derive(Debug, Default)]
pub struct Effects {
    /// Control frames in the making.
    pub send_queue: SendQueue,
    /// What the embedder should do or know, oldest first.
    pub outputs: VecDeque<Output>,
}

impl Effects {
    /// Tells the embedder.
    pub fn want(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}
