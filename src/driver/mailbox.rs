//! Where the handles leave word for the driver, and the driver the view for the handles.

use std::{
    collections::BTreeMap,
    mem::discriminant,
    sync::{Arc, PoisonError},
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use super::sync::{Condvar, Mutex, MutexGuard};
use crate::{
    context::Timestamp,
    session::{Input, Session, SessionView, Snapshot},
};

/// How many reports wait for a busy driver at most. Of those that are left out, the session learns by the others: what
/// they wait for is answered by its next tickle in any case.
const REPORTS: usize = 64;

/// The clock of the driver and its handles.
type Clock = Box<dyn FnMut() -> Timestamp + Send>;

pub(super) struct Mailbox {
    content: Mutex<Content>,
    clock: Mutex<Clock>,
    mail: Condvar,
    news: Condvar,
}

/// What the driver has last shown, and who waits for more.
pub(super) struct Content {
    pub(super) view: Arc<SessionView>,
    /// Nobody drives the session any more.
    pub(super) is_closed: bool,
    snapshot: Option<Snapshot>,
    mail: Mail,
    driver: Option<Waker>,
    waiting: Waiting,
}

/// What the handles said: each thing once, however many said it, so that it stays small while the driver is busy.
#[derive(Default)]
struct Mail {
    inputs: Vec<Input>,
    /// Somebody waits until a new moment.
    deadline: bool,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.inputs.is_empty() && !self.deadline
    }

    fn add(&mut self, input: Input) {
        let is_said = |earlier: &Input| match (earlier, &input) {
            (Input::Reported(earlier), Input::Reported(report)) => earlier.covers(report),
            _ => discriminant(earlier) == discriminant(&input),
        };
        let is_full = matches!(input, Input::Reported(_)) && self.inputs.len() >= REPORTS;
        if !is_full && !self.inputs.iter().any(is_said) {
            self.inputs.push(input);
        }
    }
}

/// Who waits for news; each has one place, and leaves it when it goes.
#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    deadlines: BTreeMap<u64, Timestamp>,
    places: u64,
}

impl Mailbox {
    pub(super) fn new(session: &Session, clock: Clock) -> Self {
        let content = Content {
            view: Arc::new(session.view().clone()),
            is_closed: false,
            snapshot: session.snapshot(),
            mail: Mail::default(),
            driver: None,
            waiting: Waiting::default(),
        };
        Self { content: Mutex::new(content), clock: Mutex::new(clock), mail: Condvar::new(), news: Condvar::new() }
    }

    /// A panic elsewhere leaves the content whole: each change of it is one assignment.
    ///
    /// Wakers, and the keys behind a view, are other people's code, which may use the handle: none is cloned, woken or
    /// dropped while this is locked.
    pub(super) fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)()
    }

    fn leave(&self, write: impl FnOnce(&mut Mail)) {
        let mut content = self.lock();
        if content.is_closed {
            return;
        }
        write(&mut content.mail);
        let driver = content.driver.take();
        drop(content);
        self.mail.notify_all();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Leaves word for the session.
    pub(super) fn leave_input(&self, input: Input) {
        self.leave(|mail| mail.add(input));
    }

    pub(super) fn take(&self) -> Vec<Input> {
        std::mem::take(&mut self.lock().mail).inputs
    }

    /// Blocks the driver until there is word, at most for `wait`.
    pub(super) fn wait(&self, wait: Duration) {
        let content = self.lock();
        drop(self.mail.wait_timeout_while(content, wait, |content| content.mail.is_empty()));
    }

    pub(super) fn poll_mail(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let waker = task.waker().clone();
        let mut content = self.lock();
        if !content.mail.is_empty() {
            return Poll::Ready(());
        }
        let before = content.driver.replace(waker);
        drop(content);
        drop(before);
        Poll::Pending
    }

    /// Shows the handles how the session is.
    pub(super) fn publish(&self, session: &Session) {
        let mut content = self.lock();
        let view = session.view();
        if content.view.is_same(view) {
            return;
        }
        let view = std::mem::replace(&mut content.view, Arc::new(view.clone()));
        let snapshot = std::mem::replace(&mut content.snapshot, session.snapshot());
        self.wake_waiting(content);
        drop((view, snapshot));
    }

    /// Wakes who has waited long enough, and returns when the next will have.
    pub(super) fn wake_expired(&self, now: Timestamp) -> Option<Timestamp> {
        let mut content = self.lock();
        let before = content.waiting.deadlines.len();
        content.waiting.deadlines.retain(|_, at| *at > now);
        let next = content.waiting.deadlines.values().min().copied();
        if content.waiting.deadlines.len() < before {
            self.wake_waiting(content);
        }
        next
    }

    pub(super) fn close(&self) {
        let mut content = self.lock();
        content.is_closed = true;
        let ended = Arc::new(content.view.ended());
        let view = std::mem::replace(&mut content.view, ended);
        let left = (view, content.snapshot.take(), std::mem::take(&mut content.mail), content.driver.take());
        self.wake_waiting(content);
        drop(left);
    }

    fn wake_waiting(&self, mut content: MutexGuard<'_, Content>) {
        let wakers = std::mem::take(&mut content.waiting.wakers);
        drop(content);
        self.news.notify_all();
        wakers.into_values().for_each(Waker::wake);
    }

    /// What another process needs, as of now.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let content = self.lock();
        Some(content.snapshot.as_ref()?.as_of_now(content.view.signer()?))
    }
}

/// The place of one who waits for news, until it is dropped.
pub(super) struct Place<'a> {
    mailbox: &'a Mailbox,
    deadline: Option<Timestamp>,
    number: Option<u64>,
}

impl<'a> Place<'a> {
    /// A place that is kept for `timeout` at most.
    pub(super) fn new(mailbox: &'a Mailbox, timeout: Option<Duration>) -> Self {
        Self::until(mailbox, timeout.map(|timeout| mailbox.now().saturating_add(timeout)))
    }

    /// A place that is kept until `deadline`.
    pub(super) fn until(mailbox: &'a Mailbox, deadline: Option<Timestamp>) -> Self {
        Self { mailbox, deadline, number: None }
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= self.mailbox.now())
    }

    /// Takes the place. Returns whether the driver must be asked to wake it in time, and the waker that was here
    /// before.
    fn take(&mut self, content: &mut Content, waker: Option<Waker>) -> (bool, Option<Waker>) {
        let is_new = self.number.is_none();
        let number = *self.number.get_or_insert_with(|| {
            content.waiting.places += 1;
            content.waiting.places
        });
        let before = waker.and_then(|waker| content.waiting.wakers.insert(number, waker));
        if let Some(deadline) = self.deadline.filter(|_| is_new) {
            content.waiting.deadlines.insert(number, deadline);
        }
        (is_new && self.deadline.is_some(), before)
    }

    /// Looks for `found`; the error is for a caller that has waited too long.
    pub(super) fn poll<T>(
        &mut self,
        task: &mut TaskContext<'_>,
        found: &impl Fn(&Content) -> Option<T>,
        too_late: &impl Fn(&Content) -> T,
    ) -> Poll<T> {
        let (is_over, waker) = (self.is_over(), task.waker().clone());
        let mut content = self.mailbox.lock();
        if let Some(found) = found(&content) {
            return Poll::Ready(found);
        }
        if is_over {
            return Poll::Ready(too_late(&content));
        }
        let (wakes_driver, before) = self.take(&mut content, Some(waker));
        drop(content);
        drop(before);
        if wakes_driver {
            self.mailbox.leave(|mail| mail.deadline = true);
        }
        Poll::Pending
    }

    /// As [`poll`](Self::poll), blocking the thread.
    pub(super) fn block<T>(mut self, found: &impl Fn(&Content) -> Option<T>, too_late: &impl Fn(&Content) -> T) -> T {
        loop {
            let now = self.mailbox.now();
            let mut content = self.mailbox.lock();
            if let Some(found) = found(&content) {
                return found;
            }
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return too_late(&content);
            }
            if self.take(&mut content, None).0 {
                // The driver has to know; what it says meanwhile is seen in the next round.
                drop(content);
                self.mailbox.leave(|mail| mail.deadline = true);
                continue;
            }
            let news = &self.mailbox.news;
            // A driver that is busy sending wakes nobody in time.
            match self.deadline {
                Some(deadline) => drop(news.wait_timeout(content, deadline.saturating_duration_since(now))),
                None => drop(news.wait(content)),
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let mut content = self.mailbox.lock();
            let waker = content.waiting.wakers.remove(&number);
            content.waiting.deadlines.remove(&number);
            drop(content);
            drop(waker);
        }
    }
}
