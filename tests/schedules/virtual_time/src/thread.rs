//! Threads of a schedule.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    clock::{self, Waiter},
    lock::{Condvar, Mutex},
};

struct End<T> {
    result: Mutex<Option<T>>,
    ended: Condvar,
}

/// A thread of the schedule.
pub struct JoinHandle<T> {
    end: Arc<End<T>>,
    thread: shuttle::thread::JoinHandle<()>,
}

/// Starts a thread.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let end = Arc::new(End { result: Mutex::new(None), ended: Condvar::new() });
    let own = Arc::clone(&end);
    clock::enter();
    let thread = shuttle::thread::spawn(move || {
        let result = work();
        *own.result.lock().unwrap() = Some(result);
        own.ended.notify_all();
        clock::leave();
    });
    JoinHandle { end, thread }
}

/// Keeps this thread busy with something else for a time.
pub fn pause(time: Duration) {
    Waiter::new().wait(Some(time));
}

impl<T> JoinHandle<T> {
    /// Waits for its end.
    ///
    /// # Panics
    /// If the thread did.
    pub fn join(self) -> T {
        let mut result = self.end.result.lock().unwrap();
        let result = loop {
            match result.take() {
                Some(result) => break result,
                None => result = self.end.ended.wait(result).unwrap(),
            }
        };
        self.thread.join().unwrap();
        result
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}
