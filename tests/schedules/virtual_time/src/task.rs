//! Futures on a thread of the schedule.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use crate::lock::{Condvar, Mutex};

/// What wakes a task that has a thread for itself.
#[derive(Default)]
pub struct Bell {
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    /// One that has not rung.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { has_rung: Mutex::new(false), rings: Condvar::new() })
    }

    /// Waits until it rings.
    ///
    /// # Panics
    /// If another thread did.
    pub fn wait(&self) {
        let mut has_rung = self.has_rung.lock().unwrap();
        while !std::mem::take(&mut *has_rung) {
            has_rung = self.rings.wait(has_rung).unwrap();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.has_rung.lock().unwrap() = true;
        self.rings.notify_all();
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}

/// Runs a future to its end: polled first, and then only when it is woken.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let bell = Bell::new();
    let waker = Waker::from(Arc::clone(&bell));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => bell.wait(),
        }
    }
}
