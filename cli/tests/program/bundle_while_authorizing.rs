//! What happens to the bundle's file while `authorize` waits for the user, and to the token then.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use crate::terminal::{
    Outcome, Running, run_with_room,
    user::{User, start},
};
use ibkr_oauth::{http::Uri, simulator::test_keys};
use ibkr_oauth_sockets::broker::{BrokerServer, with_context};
use serde_json::{Value, json};

/// A user whose bundle, in a folder of its own, has no access token yet.
struct Waiting {
    server: BrokerServer,
    user: User,
    bundle: PathBuf,
}

impl Waiting {
    fn new() -> Self {
        let (server, user) = start();
        let bundle = json!({
            "consumer_key": test_keys::CONSUMER_KEY,
            "base_url": server.account.base_url(),
            "signature_key": {"file": "../keys/signature.pem"},
            "encryption_key": {"env": "TEST_ENCRYPTION_KEY"},
            "dh_params": {"file": "../keys/dh.pem"},
        });
        fs::create_dir(user.folder.0.join("mine")).unwrap();
        let bundle = user.folder.write("mine/bundle.json", bundle.to_string());
        Self { server, user, bundle }
    }

    /// Runs `authorize`, does something to the file while it waits, and consents.
    fn authorize(&self, meanwhile: impl FnOnce(&Path)) -> Outcome {
        let mut running =
            Running::start(&self.user.folder.0, &["authorize", "--bundle", self.bundle.to_str().unwrap()]);
        let page: Uri = running.line().parse().unwrap();
        meanwhile(&self.bundle);
        let callback = with_context(|cx| self.server.broker().consent(cx, &page)).unwrap();
        running.type_line(&callback);
        let outcome = running.end();
        self.user.assert_no_secret_in(&outcome);
        outcome
    }

    fn assert_has_token(&self, path: &Path) -> Value {
        let bundle: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(bundle["access_token"], self.server.account.access_token.token());
        assert!(bundle["access_token_secret"].is_string());
        bundle
    }

    /// What is in the bundle's folder beside the bundle.
    fn litter(&self) -> Vec<String> {
        let entries = fs::read_dir(self.bundle.parent().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "bundle.json").collect()
    }
}

#[test]
fn edits_survive() {
    let waiting = Waiting::new();
    let outcome = waiting.authorize(|bundle| {
        let mut edited: Value = serde_json::from_slice(&fs::read(bundle).unwrap()).unwrap();
        edited["query_policy"] = json!("omit");
        edited["access_token"] = json!("old");
        edited["access_token_secret"] = json!("b2xk");
        edited["encryption_key"] = json!({"file": "../keys/encryption.pem"});
        fs::write(bundle, edited.to_string()).unwrap();
    });
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let bundle = waiting.assert_has_token(&waiting.bundle);
    assert_eq!(
        (&bundle["query_policy"], &bundle["encryption_key"]["file"]),
        (&json!("omit"), &json!("../keys/encryption.pem"))
    );
    assert_eq!((bundle.as_object().unwrap().len(), waiting.litter()), (8, vec![]));
}

#[test]
fn permissions_and_owner_are_those_that_the_file_has_in_the_end() {
    let waiting = Waiting::new();
    let mut owner = (0, 0);
    let outcome = waiting.authorize(|bundle| {
        fs::set_permissions(bundle, fs::Permissions::from_mode(0o640)).unwrap();
        // Only the superuser may; whoever else runs this sees that the owner stays as it is.
        let _ = chown(bundle, Some(4711), Some(4712));
        let metadata = fs::metadata(bundle).unwrap();
        owner = (metadata.uid(), metadata.gid());
    });
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    waiting.assert_has_token(&waiting.bundle);
    let metadata = fs::metadata(&waiting.bundle).unwrap();
    assert_eq!(((metadata.uid(), metadata.gid()), metadata.mode() & 0o777), (owner, 0o640));
}

#[test]
fn a_link_stays_a_link_wherever_it_leads_by_then() {
    let waiting = Waiting::new();
    let elsewhere = waiting.user.folder.0.join("elsewhere/bundle.json");
    let outcome = waiting.authorize(|bundle| {
        fs::rename(bundle, &elsewhere).unwrap();
        symlink("../elsewhere/bundle.json", bundle).unwrap();
    });
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    waiting.assert_has_token(&elsewhere);
    assert_eq!((waiting.bundle.is_symlink(), waiting.litter()), (true, vec![]));
}

#[test]
fn hard_links_are_reported_before_the_consent_or_when_they_appear() {
    for is_early in [true, false] {
        let waiting = Waiting::new();
        let other = waiting.user.folder.0.join("elsewhere/other.json");
        let before = fs::read(&waiting.bundle).unwrap();
        let link = |bundle: &Path| fs::hard_link(bundle, &other).unwrap();
        if is_early {
            link(&waiting.bundle);
        }
        let outcome = waiting.authorize(|bundle| {
            if !is_early {
                link(bundle);
            }
        });
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        let (warning, page) = (outcome.stderr.find("a hard link"), outcome.stderr.find("Open this page"));
        assert_eq!((warning.is_some(), warning < page), (true, is_early), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.matches("a hard link").count(), 1);
        waiting.assert_has_token(&waiting.bundle);
        assert_eq!(fs::read(&other).unwrap(), before);
    }
}

/// What is done to the file while the program waits.
type Meanwhile<'a> = &'a dyn Fn(&Path);

/// Of a pipe there is nothing to read.
fn content(path: &Path) -> Option<Vec<u8>> {
    path.is_file().then(|| fs::read(path).unwrap())
}

#[test]
fn where_there_is_no_such_bundle_any_more_the_token_is_kept_beside_it() {
    let foreign = |bundle: &Path| {
        let text = fs::read_to_string(bundle).unwrap();
        fs::write(bundle, text.replace(test_keys::CONSUMER_KEY, "MYCONSKEY")).unwrap();
    };
    let cases: [(&str, &str, Meanwhile<'_>); 6] = [
        ("half written", "EOF", &|bundle| fs::write(bundle, "{\"consumer_key\":").unwrap()),
        ("empty", "EOF", &|bundle| fs::write(bundle, "").unwrap()),
        ("gone", "No such file", &|bundle| fs::remove_file(bundle).unwrap()),
        ("another consumer's", "consumer key", &foreign),
        ("a folder", "a folder", &|bundle| {
            fs::remove_file(bundle).unwrap();
            fs::create_dir(bundle).unwrap();
        }),
        ("a pipe", "a pipe", &|bundle| {
            fs::remove_file(bundle).unwrap();
            assert!(Command::new("mkfifo").arg(bundle).status().unwrap().success());
        }),
    ];
    for (case, why, meanwhile) in cases {
        let waiting = Waiting::new();
        // A name that is taken is left alone.
        waiting.user.folder.write("mine/access_token.json", "mine");
        let mut after = None;
        let outcome = waiting.authorize(|bundle| {
            meanwhile(bundle);
            after = content(bundle);
        });
        let kept = waiting.bundle.with_file_name("access_token-2.json");
        assert!(outcome.status == 2 && outcome.stderr.contains(why), "{case}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(kept.to_str().unwrap()), "{case}: {}", outcome.stderr);
        assert_eq!(waiting.assert_has_token(&kept).as_object().unwrap().len(), 2);
        assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o777, 0o600);
        assert_eq!(content(&waiting.bundle), after, "{case}");
        assert_eq!(fs::read(kept.with_file_name("access_token.json")).unwrap(), b"mine");
        assert_eq!(waiting.litter().len(), 2, "{:?}", waiting.litter());
    }
}

#[test]
fn where_the_folder_is_gone_the_token_is_kept_in_the_working_directory() {
    let waiting = Waiting::new();
    let outcome = waiting.authorize(|bundle| {
        fs::rename(bundle.parent().unwrap(), waiting.user.folder.0.join("moved")).unwrap();
    });
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    let kept = waiting.user.folder.0.join("access_token.json");
    assert!(outcome.stderr.contains(kept.to_str().unwrap()), "{}", outcome.stderr);
    waiting.assert_has_token(&kept);
}

#[test]
fn nobody_is_asked_for_consent_where_the_token_could_not_be_kept() {
    let waiting = Waiting::new();
    let before = fs::read(&waiting.bundle).unwrap();
    let bundle = waiting.bundle.to_str().unwrap();
    for blocks in [0, 1, 16] {
        let outcome = run_with_room(&waiting.user.folder.0, blocks, &["authorize", "--bundle", bundle]);
        outcome.assert_failure(2, "", "could not be written", "the disk has room");
    }
    let pipe = waiting.user.folder.0.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let arguments = ["authorize", "--bundle", pipe.to_str().unwrap()];
    crate::terminal::run_in(&waiting.user.folder.0, &arguments).assert_failure(2, "", "it is a pipe", "regular file");
    assert!(waiting.server.server.received().is_empty());
    assert_eq!((fs::read(&waiting.bundle).unwrap(), waiting.litter()), (before, vec![]));
}

#[test]
fn an_authorization_that_is_cancelled_leaves_nothing_behind() {
    let waiting = Waiting::new();
    let arguments = ["authorize", "--bundle", waiting.bundle.to_str().unwrap()];
    let mut running = Running::start(&waiting.user.folder.0, &arguments);
    running.line();
    running.signal("KILL");
    drop(running);
    assert_eq!(waiting.litter(), Vec::<String>::new());
}
