//! How many cases a property is tried with.

use proptest::test_runner::Config;

/// As many cases as `PROPTEST_CASES` says, or this number. What fails is in the test's output, and in no file.
#[expect(clippy::disallowed_methods, reason = "a person says how many")]
pub(crate) fn cases(by_default: u32) -> Config {
    let config = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { by_default };
    Config { cases, failure_persistence: None, ..config }
}
