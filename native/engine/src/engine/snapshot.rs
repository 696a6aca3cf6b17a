//! A value that is read for every packet and changed seldom. A reader keeps its own reference and looks only at a
//! version number, so reading costs one load and changing never waits for readers.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex};

pub struct Snapshot<T> {
    version: AtomicU64,
    value: Mutex<Arc<T>>,
}

/// One thread's view; it is as new as the last call of `get`.
pub struct Reader<T> {
    version: u64,
    value: Arc<T>,
}

impl<T> Snapshot<T> {
    pub fn new(value: T) -> Self {
        Self { version: AtomicU64::new(1), value: Mutex::new(Arc::new(value)) }
    }

    pub fn publish(&self, value: T) {
        let mut slot = self.value.lock().expect("no panic holds this lock");
        *slot = Arc::new(value);
        self.version.fetch_add(1, Release);
    }

    pub fn reader(&self) -> Reader<T> {
        let slot = self.value.lock().expect("no panic holds this lock");
        Reader { version: self.version.load(Acquire), value: slot.clone() }
    }
}

impl<T> Reader<T> {
    pub fn get(&mut self, snapshot: &Snapshot<T>) -> &T {
        if snapshot.version.load(Acquire) != self.version {
            *self = snapshot.reader();
        }
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_what_was_published_at_its_next_look() {
        let snapshot = Snapshot::new(1);
        let mut reader = snapshot.reader();
        assert_eq!(*reader.get(&snapshot), 1);
        snapshot.publish(2);
        assert_eq!(*reader.get(&snapshot), 2);
    }
}
