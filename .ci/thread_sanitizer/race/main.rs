//! A race for ThreadSanitizer to find: two threads write to one number, of which only one holds its lock. The second
//! write is before the join, and neither is ordered before the other.

use std::cell::UnsafeCell;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

struct Shared {
    lock: Mutex<()>,
    parked: UnsafeCell<u64>,
}

// SAFETY: there is none; that is the race.
unsafe impl Sync for Shared {}

impl Shared {
    fn write(&self) {
        // SAFETY: as above.
        unsafe { *self.parked.get() += 1 };
    }
}

fn main() {
    let shared = Shared { lock: Mutex::new(()), parked: UnsafeCell::new(0) };
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let guard = shared.lock.lock().unwrap();
            shared.write();
            drop(guard);
            thread::park_timeout(Duration::from_secs(10));
        });
        shared.write();
        thread.thread().unpark();
    });
}
