//! The timer for what a client is waited for.
//!
//! It is set with each request, and seldom runs out. So one that is set to a later moment stays as it is in the runtime's
//! list, and is looked at when it runs out: changing that list costs more than all else that a connection does with time.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use tokio::time;

/// A connection's timer, of which only the sleep that was begun last is in use.
#[derive(Default)]
pub(super) struct Patience(Entry);

/// What is in the runtime's list, once something was waited for.
type Entry = Arc<Mutex<Option<Pin<Box<time::Sleep>>>>>;

struct Waiting {
    entry: Entry,
    deadline: time::Instant,
}

impl Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Waiting { entry: Arc::clone(&self.0), deadline: deadline.into() })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into()
    }
}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entry.get_or_insert_with(|| Box::pin(time::sleep_until(self.deadline)));
        loop {
            if entry.deadline() > self.deadline {
                entry.as_mut().reset(self.deadline);
            }
            ready!(entry.as_mut().poll(task));
            if entry.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            entry.as_mut().reset(self.deadline);
        }
    }
}

impl Sleep for Waiting {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_sleep_ends_at_its_time_whatever_was_begun_before_it() {
        let timer = Patience::default();
        for (pause, lasts) in [(0, 10), (3, 10), (5, 1), (0, 120), (0, 20), (200, 5), (2, 0), (0, 3)] {
            time::sleep(SECOND * pause).await;
            let begin = time::Instant::now();
            let mut sleep = timer.sleep(SECOND * lasts);
            // It is polled once and left, as where a request comes.
            let _ = poll_fn(|task| Poll::Ready(sleep.as_mut().poll(task))).await;
            let mut sleep = timer.sleep(SECOND * lasts);
            sleep.as_mut().await;
            let took = begin.elapsed();
            assert!(took >= SECOND * lasts && took < SECOND * lasts + SECOND / 100, "{lasts} s: {took:?}");
        }
    }
}
