//! Stories as data: what the broker answers and the application reports, and what must be seen of it.
//!
//! Each file in `tests/data/stories` is one; its lines are explained in the `README.md` there. To add one takes no code.
//! With `STORY_SEEDS=20` each is played with as many seeds, and `--nocapture` shows its figures.

mod broker;
mod line;
mod player;

use std::{fs, path::PathBuf};

use self::{line::Story, player::Player};

fn stories() -> Vec<(String, Story)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/stories");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ext| ext == "story")).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let story = Story::read(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, story)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn every_story_goes_as_it_is_told() {
    let seeds = std::env::var("STORY_SEEDS").map_or(1, |count| count.parse().unwrap());
    let wanted = std::env::var("STORY").unwrap_or_default();
    let (mut wrong, mut rows) = (Vec::new(), Vec::new());
    for (name, story) in stories().into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let played: Vec<_> = (1..=seeds).map(|seed| Player::play(&story, seed)).collect();
        for (seed, figures) in (1..).zip(&played) {
            wrong.extend(figures.wrong.iter().map(|what| format!("{name}, seed {seed}: {what}")));
        }
        rows.push(player::row(&name, &played));
    }
    println!("{}", player::HEADING);
    for row in &rows {
        println!("{row}");
    }
    assert!(rows.len() > 20 || !wanted.is_empty(), "{} stories", rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
