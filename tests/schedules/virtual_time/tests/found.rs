//! What must be found is, and what is right passes.

use std::{sync::Arc, time::Duration};

use virtual_time::{Condvar, Machine, Mutex, block_on, explore, now, pause, sleep, spawn};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Flag {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Flag {
    fn set(&self) {
        *self.is_set.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn set_after_notifying(&self) {
        self.changed.notify_all();
        *self.is_set.lock().unwrap() = true;
    }

    fn wait(&self) {
        let mut is_set = self.is_set.lock().unwrap();
        while !*is_set {
            is_set = self.changed.wait(is_set).unwrap();
        }
    }

    fn wait_without_looking_again(&self) {
        if !*self.is_set.lock().unwrap() {
            drop(self.changed.wait(self.is_set.lock().unwrap()));
        }
    }

    fn wait_up_to(&self, time: Duration) -> bool {
        *self.changed.wait_timeout_while(self.is_set.lock().unwrap(), time, |is_set| !*is_set).unwrap()
    }
}

fn explore_flag(set: fn(&Flag), wait: fn(&Flag)) {
    explore(move |_| {
        let flag = Arc::new(Flag::default());
        let waits = Arc::clone(&flag);
        let waiter = spawn(move || wait(&waits));
        set(&flag);
        waiter.join();
    });
}

#[test]
fn a_flag_that_is_set_is_seen() {
    explore_flag(Flag::set, Flag::wait);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_notice_before_the_change_is_found() {
    explore_flag(Flag::set_after_notifying, Flag::wait);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_change_between_look_and_wait_is_found() {
    explore_flag(Flag::set, Flag::wait_without_looking_again);
}

#[test]
#[should_panic(expected = "late")]
fn a_timeout_does_not_hide_them() {
    explore_flag(Flag::set_after_notifying, |flag| {
        assert!(flag.wait_up_to(SECOND) && now() < SECOND, "late");
    });
}

#[test]
fn waits_end_in_the_order_of_their_moments() {
    explore(|machine| {
        let flag = Arc::new(Flag::default());
        let waits = Arc::clone(&flag);
        let threads = [
            spawn(move || assert!(!waits.wait_up_to(SECOND))),
            spawn(|| block_on(sleep(2 * SECOND))),
            spawn(|| pause(3 * SECOND)),
        ];
        for (seconds, thread) in (1..).zip(threads) {
            thread.join();
            assert!(now() >= seconds * SECOND);
            assert!(machine == Machine::Slow || now() == seconds * SECOND, "{:?}", now());
        }
    });
}
