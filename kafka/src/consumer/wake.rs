//! Wakes the polling thread when there is something for it to do.

use std::sync::OnceLock;
use std::thread::{self, Thread};

#[derive(Debug, Default)]
pub(super) struct Wake(OnceLock<Thread>);

impl Wake {
    /// From now on the calling thread is the one that is woken from [`thread::park_timeout`].
    pub(super) fn this_thread(&self) {
        // Set twice only by a second run of one loop, which does not exist.
        drop(self.0.set(thread::current()));
    }

    /// Costs next to nothing when the thread does not sleep.
    pub(super) fn up(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}
