//! Wakes the senders of numbers whose replies were written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The numbers from which this process sends, each with what wakes its sender. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wakers {
    senders: Arc<Mutex<BTreeMap<String, Arc<Notify>>>>,
    /// Notified when replies of a number without a sender were written, or numbers were reported.
    pub(crate) unowned: Arc<Notify>,
}

impl Wakers {
    /// Returns what wakes the sender of `number` from now on.
    pub(crate) fn add(&self, number: &str) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        self.senders().insert(number.to_owned(), Arc::clone(&wake));
        wake
    }

    pub(crate) fn remove(&self, number: &str) {
        self.senders().remove(number);
    }

    pub(crate) fn wake(&self, numbers: &BTreeSet<String>) {
        let senders = self.senders();
        for number in numbers {
            match senders.get(number) {
                Some(wake) => wake.notify_one(),
                None => self.unowned.notify_one(),
            }
        }
    }

    /// Lets the manager of the numbers read what was reported about them.
    pub(crate) fn renew(&self) {
        self.unowned.notify_one();
    }

    /// Wakes the senders of this process only: others look by themselves.
    pub(crate) fn wake_owned(&self, numbers: &BTreeSet<String>) {
        let senders = self.senders();
        for wake in numbers.iter().filter_map(|number| senders.get(number)) {
            wake.notify_one();
        }
    }

    fn senders(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Notify>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
