//! Data flows one way: a module names only modules of lower rows, or to its left in its own row, and no file names one
//! that leads back to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::modules::{Crate, Module};

/// From the outside in.
const ROWS: [&[&str]; 8] = [
    &["simulator"],
    &["local", "transport", "driver", "adapter", "client"],
    &["bundle", "diagnose"],
    &["pacing", "session", "call", "stream"],
    &["response", "exchange", "brokerage", "flow"],
    &["timestamp_floor", "consumer", "signer"],
    &["oauth1", "key", "dh"],
    &["secret", "context", "debug", "encoding", "error", "trace"],
];

/// The row, counted from below, and the place in it.
fn place(module: &str) -> Option<(usize, usize)> {
    let rows = ROWS.iter().rev().enumerate();
    rows.into_iter().find_map(|(row, modules)| Some((row, modules.iter().position(|known| *known == module)?)))
}

/// Whether a module may name another.
fn may_name(module: &str, other: &str) -> bool {
    module == other || place(other) < place(module)
}

/// The first part of a module's path; the crate's root has none.
fn top(module: &Module) -> Option<&str> {
    module.first().map(String::as_str)
}

/// Each arrow that leads up, as `from -> to`.
fn upward(sources: &Crate) -> Vec<String> {
    let mut found = Vec::new();
    for (from, to) in sources.arrows() {
        let (Some(below), Some(above)) = (top(&from), top(&to)) else { continue };
        if !may_name(below, above) {
            found.push(format!("{} -> {}", from.join("::"), to.join("::")));
        }
    }
    found
}

/// Every arrow that is part of a circle.
fn circles(arrows: &BTreeSet<(Module, Module)>) -> Vec<String> {
    let mut reached: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for (from, to) in arrows {
        reached.entry(from).or_default().insert(to);
    }
    let leads = |start: &Module, goal: &Module| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(module) = next.pop() {
            if module == goal {
                return true;
            }
            if seen.insert(module) {
                next.extend(reached.get(module).into_iter().flatten());
            }
        }
        false
    };
    let on_a_circle = arrows.iter().filter(|(from, to)| leads(to, from));
    on_a_circle.map(|(from, to)| format!("{} -> {}", from.join("::"), to.join("::"))).collect()
}

/// What a crate's root exports is no arrow of its own.
fn between_modules(sources: &Crate) -> BTreeSet<(Module, Module)> {
    sources.arrows().into_iter().filter(|(from, to)| !from.is_empty() && !to.is_empty()).collect()
}

fn library() -> Crate {
    Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/lib.rs"))
}

fn program() -> Crate {
    Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cli/src/main.rs"))
}

#[test]
fn every_module_stands_in_a_row() {
    let sources = library();
    let modules: BTreeSet<&str> = sources.modules().filter_map(top).collect();
    assert!(modules.len() > 15, "{modules:?}");
    let homeless: Vec<_> = modules.iter().filter(|module| place(module).is_none()).collect();
    assert!(homeless.is_empty(), "these modules are in no row: {homeless:?}");
}

#[test]
fn a_module_names_only_what_is_lower() {
    let found = upward(&library());
    assert!(found.is_empty(), "these arrows lead up:\n{}", found.join("\n"));
}

fn assert_no_circle(sources: &Crate) {
    let arrows = between_modules(sources);
    assert!(arrows.len() > 40, "only {} arrows", arrows.len());
    let found = circles(&arrows);
    assert!(found.is_empty(), "these arrows form circles:\n{}", found.join("\n"));
}

#[test]
fn no_file_of_the_library_leads_back_to_itself() {
    assert_no_circle(&library());
}

#[test]
fn no_file_of_the_program_leads_back_to_itself() {
    assert_no_circle(&program());
}

#[test]
fn an_arrow_that_leads_up_is_found() {
    let library = library();
    for line in [
        "use crate::session::Session;",
        "fn f() { crate::session::f(); }",
        "fn f(x: &crate::session::Session) {}",
        "impl From<crate::session::Session> for u8 {}",
        "use crate::{context::Context, session};",
        "fn f() { println!(\"{:?}\", crate::session::f()); }",
        "use crate::session::{Session as S};",
        "mod inner { fn f() { super::super::session::f(); } }",
    ] {
        let mut sources = library.clone();
        sources.add_file(&["secret".to_owned()], line);
        let found = upward(&sources);
        assert!(found.iter().any(|arrow| arrow.starts_with("secret -> session")), "{line}: {found:?}");
    }
    let mut sources = library.clone();
    sources.add_file(&["secret".to_owned()], "use crate::Signer;");
    assert!(upward(&sources).contains(&"secret -> signer".to_owned()), "what the root exports again");
    let mut sources = library;
    sources
        .add_file(&["session".to_owned()], "use crate::secret::Secret; #[cfg(test)] mod tests { use crate::driver; }");
    assert_eq!(upward(&sources), Vec::<String>::new());
}

#[test]
fn a_circle_is_found() {
    let arrow = |from: &str, to: &str| (vec![from.to_owned()], vec![to.to_owned()]);
    let arrows = BTreeSet::from([arrow("a", "b"), arrow("b", "c"), arrow("c", "b"), arrow("c", "d")]);
    assert_eq!(circles(&arrows), ["b -> c", "c -> b"]);
}
