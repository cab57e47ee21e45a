//! All that eight kinds of trouble can do in a row: every script of them, and every cycle.
//!
//! A letter says how the broker behaves, or what the application reports, for a stretch of time; the session is live before
//! the first. A script is played once and followed by a broker that is well; a cycle goes round for hours, so that the
//! worst rates which any of them keeps up are seen. `SEARCH_DEPTH=7 SEARCH_CYCLES=6` searches that far.

use ibkr_oauth::session::{CompetePolicy, SessionConfig};

use super::{
    Figures, HOUR,
    broker::Answer,
    heal,
    mood::{Application, Conduct, everywhere, force_compete, ready_then_lost},
    number, on_all_cores,
    stage::Stage,
};

/// How long a letter of a script lasts: longer than an opening takes to settle, a tickle to be due and a request to be
/// given up.
const STRETCH: u64 = 180_000;
/// How long a letter of a cycle lasts: about as long as the next tickle takes, and as an answer that was lost and what
/// follows; and longer than the waits of the first failures.
const STRETCHES: [u64; 3] = [35_000, 61_000, 400_000];
/// How long a cycle goes round.
const ROUNDS: u64 = 3 * HOUR;

const POLICIES: [CompetePolicy; 3] = [CompetePolicy::Yield, CompetePolicy::TakeOnce, CompetePolicy::TakeAlways];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Well,
    /// 401 to everything.
    Unauthorized,
    /// 429 to everything, without a time.
    TooMany,
    /// No answer to anything.
    Silence,
    /// The opening says ready, and no tickle does.
    NeverReady,
    /// The brokerage session is opened by a take only, and lost at once.
    ForceCompete,
    /// Another session of the user, which comes back 20 s after each take.
    Displaced,
    /// Three of the application's requests are refused with 401 every 20 s, the broker being well.
    Application,
}

const LETTERS: [Letter; 8] = [
    Letter::Well,
    Letter::Unauthorized,
    Letter::TooMany,
    Letter::Silence,
    Letter::NeverReady,
    Letter::ForceCompete,
    Letter::Displaced,
    Letter::Application,
];

impl Letter {
    fn begin(self, stage: &mut Stage) {
        stage.broker.has_rival = self == Self::Displaced;
        stage.broker.conduct = match self {
            Self::Well | Self::Application => Conduct::default(),
            Self::Unauthorized => everywhere(&Answer::new(401, "")),
            Self::TooMany => everywhere(&Answer::new(429, "")),
            Self::Silence => everywhere(&Answer::Silence),
            Self::NeverReady => ready_then_lost(),
            Self::ForceCompete => force_compete(),
            Self::Displaced => Conduct { rival_returns: Some(20_000), ..Conduct::default() },
        };
        let is_refused = self == Self::Application;
        if is_refused || stage.application.every > 0 {
            let every = if is_refused { 20_000 } else { 0 };
            let answers = vec![Answer::new(401, "")];
            stage.set_application(Application { every, answers, paths: 3, age: 300, ..Application::default() });
        }
    }
}

/// The letters of a script, or of a cycle, by its number.
fn letters(mut number: u64, count: u32) -> Vec<Letter> {
    let letter = |_| {
        let index = usize::try_from(number % 8).unwrap();
        number /= 8;
        LETTERS[index]
    };
    (0..count).map(letter).collect()
}

/// Whether no rotation of a cycle has a smaller number, so that it is the only one of them that is played.
fn is_first_rotation(number: u64, count: u32) -> bool {
    let top = 8_u64.pow(count - 1);
    let mut rotated = number;
    (1..count).all(|_| {
        rotated = rotated / 8 + rotated % 8 * top;
        rotated >= number
    })
}

fn live(policy: CompetePolicy, seed: u64) -> Stage {
    let mut config = SessionConfig::default();
    config.compete = policy;
    let mut stage = Stage::new(config, seed);
    stage.run_until(10_000);
    assert!(stage.is_live());
    stage
}

fn play_letter(stage: &mut Stage, letter: Letter, stretch: u64) {
    letter.begin(stage);
    let end = stage.now + stretch;
    stage.run_until(end);
}

fn note(mut figures: Figures, what: &str) -> Figures {
    for wrong in &mut figures.wrong {
        *wrong = format!("{what}: {wrong}");
    }
    figures
}

fn play_script(policy: CompetePolicy, script: &[Letter], seed: u64) -> Figures {
    let mut stage = live(policy, seed);
    for letter in script {
        play_letter(&mut stage, *letter, STRETCH);
    }
    heal(&mut stage);
    note(stage.figures(), &format!("{policy:?} {script:?}"))
}

fn play_cycle(policy: CompetePolicy, cycle: &[Letter], stretch: u64, seed: u64) -> Figures {
    let mut stage = live(policy, seed);
    let mut letters = cycle.iter().cycle();
    while let Some(letter) = letters.next().filter(|_| stage.now < ROUNDS) {
        play_letter(&mut stage, *letter, stretch);
    }
    heal(&mut stage);
    note(stage.figures(), &format!("{policy:?} {cycle:?} of {} s", stretch / 1000))
}

#[test]
fn every_script_of_troubles_keeps_the_pace_and_heals() {
    let depth = u32::try_from(number("SEARCH_DEPTH").unwrap_or(2)).unwrap();
    let scripts = 8_u64.pow(depth);
    // Each under every policy, or, to search one letter further in the same time, under one of them.
    let policies = number("SEARCH_POLICIES").unwrap_or(3);
    let figures = on_all_cores(scripts * policies, |number| {
        let policy = if policies == 1 { number % 3 } else { number / scripts };
        play_script(POLICIES[usize::try_from(policy).unwrap()], &letters(number % scripts, depth), number)
    });
    println!("scripts of {depth}: {figures}");
    assert!(figures.wrong.is_empty(), "{}", figures.wrong.join("\n"));
}

#[test]
fn every_cycle_of_troubles_keeps_the_pace_and_heals() {
    let longest = u32::try_from(number("SEARCH_CYCLES").unwrap_or(1)).unwrap();
    for count in 1..=longest {
        let cycles = 8_u64.pow(count);
        for stretch in STRETCHES {
            let figures = on_all_cores(cycles * 3, |number| {
                let (policy, number) = (POLICIES[usize::try_from(number / cycles).unwrap()], number % cycles);
                if !is_first_rotation(number, count) {
                    return Figures::default();
                }
                play_cycle(policy, &letters(number, count), stretch, number)
            });
            println!("cycles of {count}, {} s each: {figures}", stretch / 1000);
            assert!(figures.wrong.is_empty(), "{}", figures.wrong.join("\n"));
        }
    }
}
