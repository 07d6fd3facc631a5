//! Wakes the polling thread when there is work for it.

use std::sync::OnceLock;
use std::thread::{self, Thread};

#[derive(Debug, Default)]
pub(super) struct Wake(OnceLock<Thread>);

impl Wake {
    /// Makes the calling thread the one that [`Self::up`] wakes from [`thread::park_timeout`].
    pub(super) fn this_thread(&self) {
        // Only a second run of one loop would set it twice, and there is none.
        drop(self.0.set(thread::current()));
    }

    /// Wakes the polling thread; costs next to nothing while the thread does not sleep.
    pub(super) fn up(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}
