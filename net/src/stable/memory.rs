//! A store that ends with the process: for tests, and for embedders whose nodes get a new key at every start.

use std::sync::{Arc, Mutex, PoisonError};

use super::store::{StableError, StableState, StableStore};

/// Keeps the state in memory. Clones share it, so that a node that is started again within the process goes on; over processes
/// nothing but the wall clock tells one start from the one before.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Option<StableState>>>);

impl MemoryStore {
    /// One that begins with a state.
    pub fn with(state: StableState) -> Self {
        Self(Arc::new(Mutex::new(Some(state))))
    }
}

impl StableStore for MemoryStore {
    fn load(&mut self) -> Result<Option<StableState>, StableError> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn save(&mut self, state: &StableState) -> Result<(), StableError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*state);
        Ok(())
    }

    fn is_durable(&self) -> bool {
        false
    }
}
