//! Locks the shared values.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. A value that a panicking thread left is used as it is, because every change is made at
/// once.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
