//! The screens in the README are those that the program prints.

const README: &str = include_str!("../README.md");

#[test]
fn every_screen_stands_in_the_readme() {
    for (name, screen) in [
        ("doctor", include_str!("../docs/screens/doctor.txt")),
        ("examine", include_str!("../docs/screens/examine.txt")),
        ("keygen", include_str!("../docs/screens/keygen.txt")),
    ] {
        let block = format!("<!-- docs/screens/{name}.txt -->\n```text\n{screen}```\n");
        assert!(README.contains(&block), "the README ought to have:\n{block}");
    }
}

#[test]
fn the_two_commands_come_before_all_others_and_stand_alone() {
    let commands: Vec<&str> = README.lines().filter(|line| line.starts_with("cargo ")).collect();
    let expected = ["cargo run --example sign_in --features simulator", "cargo test --all-features"];
    assert_eq!(commands[..2], expected);
    for command in expected {
        assert!(README.contains(&format!("```sh\n{command}\n```\n")), "{command}");
    }
}
