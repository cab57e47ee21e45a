//! The standard library's locks, as far as the crate needs them.

use std::{
    fmt, mem,
    ops::{Deref, DerefMut},
    sync::{Arc, LockResult, PoisonError},
    time::Duration,
};

use shuttle::sync::{
    self,
    atomic::{AtomicBool, Ordering},
};

use crate::clock::{self, Waiter};

/// As [`std::sync::Mutex`].
pub struct Mutex<T>(sync::Mutex<T>);

/// As [`std::sync::MutexGuard`].
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    guard: sync::MutexGuard<'a, T>,
}

/// As [`std::sync::Condvar`], with timeouts.
#[derive(Default)]
pub struct Condvar {
    waiters: std::sync::Mutex<Vec<Arc<Waiter>>>,
    /// What notifying touches, so that another thread may come before it.
    step: AtomicBool,
}

impl<T> Mutex<T> {
    /// As there.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// As there.
    ///
    /// # Errors
    /// As there.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        match self.0.lock() {
            Ok(guard) => Ok(MutexGuard { mutex: self, guard }),
            Err(error) => Err(PoisonError::new(MutexGuard { mutex: self, guard: error.into_inner() })),
        }
    }
}

impl Condvar {
    /// As there.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As there.
    pub fn notify_all(&self) {
        clock::dawdle();
        self.step.load(Ordering::SeqCst);
        let waiters = mem::take(&mut *self.waiters());
        waiters.iter().for_each(|waiter| waiter.wake());
    }

    /// As there.
    ///
    /// # Errors
    /// As there.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_up_to(guard, None)
    }

    /// As there, without saying whether it was too long.
    ///
    /// # Errors
    /// As there.
    pub fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, time: Duration) -> LockResult<MutexGuard<'a, T>> {
        self.wait_up_to(guard, Some(time))
    }

    /// As there, without saying whether it was too long.
    ///
    /// # Errors
    /// As there.
    pub fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        time: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        let until = clock::now().saturating_add(time);
        while condition(&mut guard) {
            let left = until.saturating_sub(clock::now());
            if left.is_zero() {
                break;
            }
            guard = self.wait_up_to(guard, Some(left))?;
        }
        Ok(guard)
    }

    fn wait_up_to<'a, T>(&self, guard: MutexGuard<'a, T>, time: Option<Duration>) -> LockResult<MutexGuard<'a, T>> {
        let (mutex, waiter) = (guard.mutex, Waiter::new());
        // Others may run before the lock is released, and not again before this thread waits.
        drop(guard);
        self.waiters().push(Arc::clone(&waiter));
        waiter.wait(time);
        self.waiters().retain(|other| !Arc::ptr_eq(other, &waiter));
        mutex.lock()
    }

    fn waiters(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Waiter>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutexGuard").finish_non_exhaustive()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
