//! A wait as a future.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use crate::clock;

/// Ready at its moment. From [`sleep`](crate::sleep).
#[derive(Debug)]
pub struct Sleep {
    at: Duration,
    alarm: Option<u64>,
}

impl Sleep {
    pub(crate) fn until(at: Duration) -> Self {
        Self { at, alarm: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        if clock::now() >= self.at {
            return Poll::Ready(());
        }
        self.alarm = Some(clock::set(self.alarm, self.at, task.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm {
            clock::unset(alarm);
        }
    }
}
