//! Tokens kept between runs: whose they are, when they are not used, and that a fetch heals a refused one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use manifuse::backends::ErrorKind;

use super::{TOKEN, auth, failure, fetch, kv2, open, request, run};
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

/// Each login gives the next token, `t.CANARY-1` and so on; which tokens are good is for the test to say.
fn vault(is_good: impl Fn(&str) -> bool + Send + Sync + 'static) -> Server {
    let logins = Arc::new(AtomicUsize::new(0));
    Server::start(move |request: &Request| {
        if request.method == "PUT" {
            let number = logins.fetch_add(1, Ordering::SeqCst) + 1;
            return Reply::json(200, auth(&format!("t.CANARY-{number}")));
        }
        if is_good(request.header("x-vault-token").unwrap_or_default()) {
            return Reply::json(200, kv2(r#"{"k":"v"}"#));
        }
        Reply::json(403, r#"{"errors":["permission denied"]}"#)
    })
}

struct Login<'a> {
    url: &'a str,
    home: &'a Path,
    more: &'a [(&'a str, &'a str)],
}

impl Login<'_> {
    /// A run of its own, as another process would make it: one read.
    fn run(&self) {
        let mut settings = vec![
            ("VAULT_ADDR", self.url),
            ("HOME", self.home.to_str().unwrap()),
            ("AVP_AUTH_TYPE", "approle"),
            ("AVP_ROLE_ID", "r"),
            ("AVP_SECRET_ID", "s"),
        ];
        settings.extend_from_slice(self.more);
        fetch(open(&settings).unwrap().as_ref(), "kv/data/a").unwrap();
    }
}

/// The kept tokens. Beside each lies an empty file to lock, which stays.
fn files(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.join(".avp")).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_none_or(|extension| extension != "lock"))
        .collect()
}

const LOGIN: &str = "PUT /v1/auth/approle/login";
const LOOKUP: &str = "GET /v1/auth/token/lookup-self";
const READ: &str = "GET /v1/kv/data/a";

#[test]
fn the_second_run_uses_the_token_of_the_first() {
    let home = tempfile::tempdir().unwrap();
    let server = vault(|_| true);
    let url = server.url();
    let login = Login {
        url: &url,
        home: home.path(),
        more: &[],
    };
    login.run();
    login.run();
    assert_eq!(server.lines(), [LOGIN, READ, LOOKUP, READ]);
    let [file] = &files(home.path())[..] else {
        panic!()
    };
    assert_eq!(
        fs::read_to_string(file).unwrap(),
        "{\n \"vault_token\": \"t.CANARY-1\"\n}\n"
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&home.path().join(".avp")), mode(file)),
        (0o700, 0o600)
    );
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("manifuse-") && name.len() == "manifuse-.json".len() + 32,
        "{name}"
    );
}

/// D02: whatever tells two logins apart tells their files apart.
#[test]
fn another_login_never_gets_the_token() {
    let variants: [&[(&str, &str)]; 8] = [
        &[],
        &[("VAULT_NAMESPACE", "team-b")],
        &[("AVP_ROLE_ID", "other")],
        &[("AVP_SECRET_ID", "other")],
        &[("AVP_MOUNT_PATH", "auth/other")],
        &[("AVP_AUTH_TYPE", "github"), ("AVP_GITHUB_TOKEN", "one")],
        &[("AVP_AUTH_TYPE", "github"), ("AVP_GITHUB_TOKEN", "two")],
        &[
            ("AVP_AUTH_TYPE", "userpass"),
            ("AVP_USERNAME", "../r"),
            ("AVP_PASSWORD", "s"),
        ],
    ];
    let home = tempfile::tempdir().unwrap();
    let server = vault(|_| true);
    let elsewhere = vault(|_| true);
    for more in variants {
        Login {
            url: &server.url(),
            home: home.path(),
            more,
        }
        .run();
    }
    Login {
        url: &elsewhere.url(),
        home: home.path(),
        more: &[],
    }
    .run();
    assert!(!server.lines().contains(&LOOKUP.to_owned()));
    assert!(!elsewhere.lines().contains(&LOOKUP.to_owned()));
    assert_eq!(files(home.path()).len(), variants.len() + 1);
}

/// D02 for Kubernetes: two roles on one token file.
#[test]
fn two_kubernetes_roles_do_not_share_a_token() {
    let home = tempfile::tempdir().unwrap();
    let jwt = home.path().join("jwt");
    fs::write(&jwt, "e.y.J").unwrap();
    let server = vault(|_| true);
    for role in ["a", "b", "a"] {
        let more = [
            ("AVP_AUTH_TYPE", "k8s"),
            ("AVP_K8S_ROLE", role),
            ("AVP_K8S_TOKEN_PATH", jwt.to_str().unwrap()),
        ];
        Login {
            url: &server.url(),
            home: home.path(),
            more: &more,
        }
        .run();
    }
    let put = "PUT /v1/auth/kubernetes/login";
    assert_eq!(server.lines(), [put, READ, put, READ, LOOKUP, READ]);
}

#[test]
fn a_token_refused_by_lookup_is_replaced_without_being_sent_along() {
    let home = tempfile::tempdir().unwrap();
    let server = vault(|token| token == "t.CANARY-2" || token == "t.CANARY-3");
    let url = server.url();
    let settings = [
        ("VAULT_ADDR", url.as_str()),
        ("HOME", home.path().to_str().unwrap()),
        ("AVP_AUTH_TYPE", "approle"),
        ("AVP_ROLE_ID", "r"),
        ("AVP_SECRET_ID", "s"),
    ];
    // The first token is never good, and a token of this run is not replaced.
    let error = failure(fetch(open(&settings).unwrap().as_ref(), "kv/data/a"));
    assert_eq!(error.kind, ErrorKind::Denied);
    fetch(open(&settings).unwrap().as_ref(), "kv/data/a").unwrap();
    fetch(open(&settings).unwrap().as_ref(), "kv/data/a").unwrap();
    assert_eq!(
        server.lines(),
        [LOGIN, READ, LOOKUP, LOGIN, READ, LOOKUP, READ]
    );
    assert_eq!(server.requests()[3].header("x-vault-token"), None);
}

#[test]
fn a_token_that_dies_between_lookup_and_read_is_replaced_once_for_all_fetches() {
    let home = tempfile::tempdir().unwrap();
    // The first token passes the lookup, but no read.
    let logins = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |request: &Request| {
        if request.method == "PUT" {
            let number = logins.fetch_add(1, Ordering::SeqCst) + 1;
            return Reply::json(200, auth(&format!("{TOKEN}{number}")));
        }
        let is_old = request.header("x-vault-token") == Some(&format!("{TOKEN}1"));
        if is_old && !request.target.ends_with("lookup-self") {
            return Reply::json(403, r#"{"errors":["permission denied"]}"#);
        }
        Reply::json(200, kv2(r#"{"k":"v"}"#))
    });
    let url = server.url();
    let settings = [
        ("VAULT_ADDR", url.as_str()),
        ("HOME", home.path().to_str().unwrap()),
        ("AVP_AUTH_TYPE", "approle"),
        ("AVP_ROLE_ID", "r"),
        ("AVP_SECRET_ID", "s"),
    ];
    failure(fetch(open(&settings).unwrap().as_ref(), "kv/data/a"));
    let requests: Vec<_> = (0..8).map(|n| request(&format!("kv/data/{n}"))).collect();
    let backend = open(&settings).unwrap();
    let answers = run(backend.as_ref(), &requests, super::PATIENCE);
    assert!(answers.iter().all(Result::is_ok));
    let logins = server.lines().iter().filter(|line| *line == LOGIN).count();
    assert_eq!(logins, 2, "one of each run");
}

#[test]
fn works_without_a_place_for_the_cache_and_with_a_broken_one() {
    let home = tempfile::tempdir().unwrap();
    let server = vault(|_| true);
    let url = server.url();
    for path in ["", "relative", "/proc/none"] {
        Login {
            url: &url,
            home: Path::new(path),
            more: &[],
        }
        .run();
    }
    let off = [("MANIFUSE_TOKEN_CACHE", "off")];
    Login {
        url: &url,
        home: home.path(),
        more: &off,
    }
    .run();
    assert!(files(home.path()).is_empty());
    assert_eq!(server.lines(), [LOGIN, READ].repeat(4));

    Login {
        url: &url,
        home: home.path(),
        more: &[],
    }
    .run();
    let [file] = &files(home.path())[..] else {
        panic!()
    };
    for broken in ["x", "{}", "{\"vault_token\": 1}"] {
        fs::write(file, broken).unwrap();
        Login {
            url: &url,
            home: home.path(),
            more: &[],
        }
        .run();
    }
    fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
    Login {
        url: &url,
        home: home.path(),
        more: &[],
    }
    .run();
    assert_eq!(
        server.lines(),
        [LOGIN, READ].repeat(9),
        "no lookup of a token that may not be ours"
    );
}

/// AVP's own file does not say whose token it holds.
#[test]
fn never_reads_the_files_of_avp() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".avp");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["config.json", "approle_r_config.json"] {
        fs::write(folder.join(name), "{\n \"vault_token\": \"t.theirs\"\n}").unwrap();
    }
    let server = vault(|token| token != "t.theirs");
    Login {
        url: &server.url(),
        home: home.path(),
        more: &[],
    }
    .run();
    assert_eq!(server.lines(), [LOGIN, READ]);
}

/// The login would only wait for the same server again.
#[test]
fn a_broken_server_is_told_at_the_lookup() {
    let home = tempfile::tempdir().unwrap();
    let is_broken = Arc::new(AtomicUsize::new(0));
    let server = Server::start({
        let is_broken = is_broken.clone();
        move |request: &Request| match request.method.as_str() {
            _ if is_broken.load(Ordering::SeqCst) == 1 => {
                Reply::json(503, r#"{"errors":["Vault is sealed"]}"#)
            }
            "PUT" => Reply::json(200, auth(TOKEN)),
            _ => Reply::json(200, kv2(r#"{"k":"v"}"#)),
        }
    });
    let url = server.url();
    let settings = [
        ("VAULT_ADDR", url.as_str()),
        ("HOME", home.path().to_str().unwrap()),
        ("AVP_AUTH_TYPE", "approle"),
        ("AVP_ROLE_ID", "r"),
        ("AVP_SECRET_ID", "s"),
        ("VAULT_MAX_RETRIES", "0"),
    ];
    fetch(open(&settings).unwrap().as_ref(), "kv/data/a").unwrap();
    is_broken.store(1, Ordering::SeqCst);
    let error = failure(fetch(open(&settings).unwrap().as_ref(), "kv/data/a"));
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(error.causes, ["Vault is sealed"]);
    assert_eq!(server.lines(), [LOGIN, READ, LOOKUP]);
}

/// A run must not end in the middle because its token does.
#[test]
fn a_token_near_its_end_is_not_used() {
    for (lookup, is_used) in [
        (
            r#"{"data":{"ttl":3600,"num_uses":0,"expire_time":"x"}}"#,
            true,
        ),
        (r#"{"data":{"ttl":0,"expire_time":null}}"#, true),
        (r#"{"data":{"ttl":9,"expire_time":"x"}}"#, false),
        (r#"{"data":{"ttl":0,"expire_time":"x"}}"#, false),
        (
            r#"{"data":{"ttl":3600,"num_uses":3,"expire_time":"x"}}"#,
            false,
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let server = Server::start(move |request: &Request| match request.method.as_str() {
            "PUT" => Reply::json(200, auth(TOKEN)),
            _ if request.target.ends_with("lookup-self") => Reply::json(200, lookup),
            _ => Reply::json(200, kv2(r#"{"k":"v"}"#)),
        });
        let login = Login {
            url: &server.url(),
            home: home.path(),
            more: &[],
        };
        login.run();
        login.run();
        let expected: &[_] = if is_used {
            &[LOGIN, READ, LOOKUP, READ]
        } else {
            &[LOGIN, READ, LOOKUP, LOGIN, READ]
        };
        assert_eq!(server.lines(), expected, "{lookup}");
    }
}

#[test]
fn a_token_of_counted_uses_is_not_kept() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(|request: &Request| match request.method.as_str() {
        "PUT" => Reply::json(
            200,
            format!(r#"{{"auth":{{"client_token":"{TOKEN}","num_uses":5}}}}"#),
        ),
        _ => Reply::json(200, kv2(r#"{"k":"v"}"#)),
    });
    let url = server.url();
    Login {
        url: &url,
        home: home.path(),
        more: &[],
    }
    .run();
    assert!(files(home.path()).is_empty());
}

/// Twenty processes with one home, all at once: one logs in, none fails, no file is torn.
#[test]
fn processes_share_one_login() {
    const PROCESSES: usize = 20;
    let server = Server::start(|request: &Request| match request.method.as_str() {
        "PUT" => Reply::json(200, auth(TOKEN)).after(Duration::from_millis(100)),
        _ if request.header("x-vault-token") == Some(TOKEN) => {
            Reply::json(200, kv2(r#"{"k":"v"}"#))
        }
        _ => Reply::json(403, r#"{"errors":["permission denied"]}"#),
    });
    let home = tempfile::tempdir().unwrap();
    let program = || {
        Program::manifuse(["generate", "-"])
            .env("HOME", home.path().to_str().unwrap())
            .env("AVP_TYPE", "vault")
            .env("VAULT_ADDR", server.url())
            .env("AVP_AUTH_TYPE", "approle")
            .env("AVP_ROLE_ID", "r")
            .env("AVP_SECRET_ID", "s")
            .stdin("kind: X\na: <path:kv/data/a#k>\n")
    };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let watched = scope.spawn(|| watch(home.path(), &stop));
        let runs: Vec<_> = (0..PROCESSES)
            .map(|_| scope.spawn(|| program().run()))
            .collect();
        for run in runs {
            let run = run.join().unwrap();
            assert_eq!(run.code, Some(0), "{}", run.stderr);
            assert_eq!(run.stdout, b"kind: X\na: v\n");
        }
        stop.store(true, Ordering::SeqCst);
        watched.join().unwrap();
    });
    let count = |line: &str| server.lines().iter().filter(|l| *l == line).count();
    assert_eq!((count(LOGIN), count(READ)), (1, PROCESSES));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.path().join(".avp")), 0o700);
    let [file] = &files(home.path())[..] else {
        panic!("drafts stay behind")
    };
    assert_eq!(mode(file), 0o600);
}

/// Reads the file over and over: it is not there, or whole.
fn watch(home: &Path, stop: &AtomicBool) {
    let whole = format!("{{\n \"vault_token\": \"{TOKEN}\"\n}}\n");
    while !stop.load(Ordering::SeqCst) {
        for file in files(home) {
            if file
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                assert_eq!(fs::read_to_string(file).unwrap(), whole);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A lock that somebody holds is waited for, but not for ever, and a file that cannot be locked is no hindrance.
#[test]
fn a_lock_is_no_hindrance() {
    let home = tempfile::tempdir().unwrap();
    let server = vault(|_| true);
    let url = server.url();
    let login = Login {
        url: &url,
        home: home.path(),
        more: &[],
    };
    login.run();
    let [file] = &files(home.path())[..] else {
        panic!()
    };
    let lock = file.with_extension("lock");
    let mode = fs::metadata(&lock).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    fs::remove_file(file).unwrap();
    let held = fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| login.run());
        thread::sleep(Duration::from_millis(200));
        assert_eq!(server.lines(), [LOGIN, READ], "it waits");
        held.unlock().unwrap();
        waiting.join().unwrap();
    });
    assert_eq!(server.lines(), [LOGIN, READ].repeat(2));

    fs::remove_file(file).unwrap();
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    login.run();
    assert_eq!(server.lines(), [LOGIN, READ].repeat(3));
}
