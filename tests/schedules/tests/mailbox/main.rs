//! The mailbox between a driver and its handles, under thousands of schedules: nothing is lost, nobody sleeps for ever or
//! too long, and no lock is held where other people's code runs.
//!
//! What a thread does takes no time, but for the broker's answers and on a slow machine. Whoever wakes late was not woken,
//! and slept until something else woke him: a lost report is found by the hour until the next tickle.

#[path = "../../../support/seeded_entropy.rs"]
mod seeded_entropy;
mod stage;

mod ends;
mod reports;
mod waits;
mod wakers;
