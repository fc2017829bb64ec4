//! Password stores as `pass` and `gopass`. There is no server whose fake could pass the suite: a store is a folder made for the
//! test, and what slows or fails is a gpg that is a script. Each meaning of the suite has its test here: values of all
//! kinds, bytes, large and endless ones, absent paths and keys, who may not read, what is not there, the deadline, answers
//! without sense, each secret once. Versions and throttling a folder has not. The real `pass` and `gpg` are met in `live_pass`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{
    BYTES, CANARIES, CREDENTIAL, NUMBERED, UNICODE, VALUE, example, large, program, values,
};
use crate::support::program::{Program, Run};

/// Whose the entries are.
static KEY: LazyLock<Identity> = LazyLock::new(Identity::generate);

fn sealed(text: impl AsRef<[u8]>) -> Vec<u8> {
    age::encrypt(&KEY.to_public(), text.as_ref()).unwrap()
}

/// A program with the key of the entries, and no gpg.
fn with_key(program: Program) -> Program {
    program
        .env("SOPS_AGE_KEY", KEY.to_string().expose_secret())
        .env("SOPS_GPG_EXEC", "/no/gpg")
}

/// A store in the program's folder, with the five secrets that all stores have, and a few more.
pub(super) fn settings(program: Program) -> Program {
    let db = format!("{VALUE}\nuser: shop\nurl: https://a: b\n");
    let program = (0..5).fold(program, |program, number| {
        let path = format!("store/n{number}.age");
        program.file(&path, sealed(format!("{NUMBERED}{number}\n")))
    });
    with_key(program)
        .env("PASSWORD_STORE_DIR", "store")
        .file(
            "store/.age-recipients",
            format!("{} # us\n", KEY.to_public()),
        )
        .file("store/shop/db.age", sealed(db))
        .file("store/shop/unicode.age", sealed(UNICODE))
        .file("store/shop/large.age", sealed(large()))
        .file("store/shop/bytes.age", sealed(BYTES))
}

pub(super) fn numbered(number: usize) -> String {
    format!("pass:n{number}#password")
}

fn render(references: &[&str]) -> Program {
    let references: Vec<String> = references.iter().map(ToString::to_string).collect();
    settings(program(&references, "20s"))
}

/// A run without a result, with this exit code and these words, and without a secret.
fn fails(program: &Program, code: i32, words: &[&str]) {
    let run = program.run();
    let end = (run.code, run.stdout.len());
    assert_eq!(end, (Some(code), 0), "{}", run.stderr);
    for words in words {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    for canary in CANARIES {
        assert!(!run.stderr.contains(canary), "{}", run.stderr);
    }
    assert!(run.stderr.len() < 4096, "{}", run.stderr);
}

/// A gpg that is a script.
fn with_gpg(program: Program, script: &str) -> Program {
    let program = program.file("gpg", format!("#!/bin/sh\n{script}\n"));
    let path = program.folder().join("gpg");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    program.env("SOPS_GPG_EXEC", path.to_str().unwrap())
}

/// A value of one entry with this content.
fn value_of(content: &str, key: &str) -> Run {
    render(&[&format!("pass:entry#{key}")])
        .file("store/entry.age", sealed(content))
        .run()
}

#[test]
fn gives_values_of_all_kinds() {
    for kind in ["pass", "gopass"] {
        let references = [
            "db#password",
            "db#user",
            "db#url",
            "unicode#@all",
            "large#password",
        ];
        let references = references.map(|reference| format!("{kind}:shop/{reference}"));
        let run = render(&references.each_ref().map(String::as_str)).run();
        let wanted = [VALUE, "shop", "https://a: b", UNICODE, &large()];
        assert_eq!(values(&run), wanted, "{kind}");
    }
}

#[test]
fn gives_bytes() {
    for key in ["@all", "password"] {
        let run = render(&[&format!("pass:shop/bytes#{key} | toString | base64encode")]).run();
        assert_eq!(values(&run), [STANDARD.encode(BYTES)], "{key}");
    }
}

/// Thirty entries, each named twice: gpg is called thirty times. This one prints what it is given.
#[test]
fn opens_each_entry_once() {
    let numbers: Vec<usize> = (0..30).chain(0..30).collect();
    let references: Vec<String> = numbers
        .iter()
        .map(|n| format!("pass:m{n}#password"))
        .collect();
    let program = with_gpg(
        settings(program(&references, "60s")),
        "printf x >>calls; cat",
    );
    let program = (0..30).fold(program, |program, n| {
        program.file(&format!("store/m{n}.gpg"), format!("{NUMBERED}{n}\n"))
    });
    let texts: Vec<String> = numbers.iter().map(|n| format!("{NUMBERED}{n}")).collect();
    assert_eq!(values(&program.run()), texts);
    let calls = fs::read(program.folder().join("calls")).unwrap();
    assert_eq!(calls.len(), 30);
}

/// What gpg has made, opened without it. `locked` has a passphrase, so only gpg could.
#[test]
fn opens_what_gpg_has_made() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gnupg");
    let file = |path: &str| fs::read(golden.join(path)).unwrap();
    let program = |references: &[&str]| {
        let program = render(references).file("keys.asc", file("secret.asc"));
        let program = program.env("MANIFUSE_PGP_KEY_FILE", "keys.asc");
        ["lines", "armored", "hidden", "large", "empty", "locked"]
            .iter()
            .fold(program, |program, name| {
                let entry = file(&format!("entries/{name}.gpg"));
                program.file(&format!("store/{name}.gpg"), entry)
            })
    };
    let references = [
        "pass:lines#password",
        "pass:lines#user",
        "pass:armored#password",
        "pass:hidden#password",
        "pass:large#password",
        "pass:empty#@all",
    ];
    let run = program(&references).run();
    assert_eq!(values(&run), [VALUE, "shop", VALUE, VALUE, &large(), ""]);
    let words = [
        "no key at hand opens the entry locked",
        "/no/gpg",
        "keys were looked for in keys.asc",
    ];
    let locked = program(&["pass:locked#password"]).file("store/.gpg-id", "0123 # us\nabcd\n");
    fails(&locked, 3, &words);
    fails(&locked, 3, &["it was encrypted for 0123, abcd"]);
}

#[test]
fn tells_what_is_absent() {
    for (reference, words) in [
        ("pass:none#password", "the password store has no entry none"),
        (
            "pass:shop/none#password",
            "there is no shop/none.gpg or shop/none.age in ",
        ),
        ("pass:shop/db.age#password", "has no entry shop/db.age"),
        (
            "pass:shop#password",
            "shop is a folder of the password store",
        ),
        ("pass:shop/db#none", "has no key"),
        ("pass:shop/db#@binary", "has no key"),
    ] {
        fails(&render(&[reference]), 1, &[words]);
    }
}

#[test]
fn tells_who_may_not_read() {
    let other = Identity::generate();
    let program = render(&["pass:shop/db#password"]);
    let program = program.env("SOPS_AGE_KEY", other.to_string().expose_secret());
    let recipient = format!("it was encrypted for {}", KEY.to_public());
    let words = [
        "no key at hand opens the entry shop/db",
        &recipient,
        "keys were looked for in SOPS_AGE_KEY (1 identity)",
        "SOPS_AGE_KEY_FILE or ageKeyFile",
    ];
    fails(&program, 3, &words);
    let folder = render(&["pass:shop/folder#password"]).file("store/shop/folder.age/x", "");
    fails(
        &folder,
        3,
        &["could not read shop/folder.age", "is a folder"],
    );
}

#[test]
fn tells_of_a_store_or_a_gpg_that_is_not_there() {
    let program = render(&["pass:shop/db#password"]).env("PASSWORD_STORE_DIR", "none");
    let words = [
        "the password store none cannot be used",
        "set PASSWORD_STORE_DIR",
    ];
    fails(&program, 2, &words);
    let program = render(&["pass:a#password"]).file("store/a.gpg", "x");
    fails(&program, 3, &["there is no program /no/gpg"]);
}

#[test]
fn waits_no_longer_than_the_deadline() {
    let program = program(&["pass:a#password".to_owned()], "2s");
    let program = with_gpg(settings(program).file("store/a.gpg", "x"), "sleep 100");
    let started = Instant::now();
    fails(&program, 3, &["no key at hand opens the entry a"]);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn tells_of_files_without_sense() {
    let whole = sealed(VALUE);
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for file in [
        &b""[..],
        b"no age file",
        &whole[..whole.len() - 1],
        &changed,
    ] {
        let program = render(&["pass:a#password"]).file("store/a.age", file);
        fails(
            &program,
            3,
            &["no key at hand opens the entry a", "damaged"],
        );
    }
    let script = format!("echo {CREDENTIAL} >&2; exit 2");
    for file in [
        &b""[..],
        b"\x85\x01\x0c\x03",
        b"-----BEGIN PGP MESSAGE-----\n\n!\n",
    ] {
        let program = render(&["pass:a#password"]).file("store/a.gpg", file);
        fails(
            &with_gpg(program, &script),
            3,
            &["opens the entry a", "it does not say why"],
        );
    }
    for content in [
        format!("GOPASS-SECRET-1.0\n{VALUE}\n\n"),
        format!("x\ncontent-transfer-encoding: Base64\n{VALUE}!"),
    ] {
        let program = render(&["pass:a#@binary"]).file("store/a.age", sealed(content));
        fails(&program, 1, &["the entry a cannot be read: "]);
    }
}

#[test]
fn takes_no_endless_answer() {
    let program = render(&["pass:a#password"]).file("store/a.gpg", "x");
    fails(
        &with_gpg(program, "cat /dev/zero"),
        3,
        &["printed too much"],
    );
    let program = render(&["pass:a#password"]).file("store/a.age", vec![0; (24 << 20) + 1]);
    fails(
        &program,
        1,
        &["the file a.age is larger than 25165824 bytes"],
    );
}

#[test]
fn a_version_is_not_passed_over() {
    let words = ["a password store has no versions", "leave the version out"];
    fails(&render(&["pass:shop/db#password#2"]), 1, &words);
}

#[test]
fn paths_do_not_leave_the_store() {
    let program = |path: &str| {
        let program =
            render(&[&format!("pass:{path}#password")]).file("outside.age", sealed(VALUE));
        let store = program.folder().join("store");
        symlink("../outside.age", store.join("link.age")).unwrap();
        symlink("..", store.join("up")).unwrap();
        symlink("shop", store.join("alias")).unwrap();
        program
    };
    let outside = program("x").folder().join("outside");
    for path in [
        "../outside",
        "shop/../../outside",
        outside.to_str().unwrap(),
    ] {
        fails(&program(path), 1, &["leads out of the password store"]);
    }
    for path in ["link", "up/outside"] {
        fails(&program(path), 3, &["leads out of the password store"]);
    }
    for path in ["alias/db", "./shop//db"] {
        assert_eq!(values(&program(path).run()), [VALUE], "{path}");
    }
}

/// The forms that gopass knows, by its documentation.
#[test]
fn entries_have_the_forms_of_gopass() {
    const LINES: &str = "p: w\nuser:  a \nno colon\nuser: b\nempty: \npassword: other\n key : v\nat:once\n-----BEGIN X-----\n";
    const YAML: &str = "pw\nnotes: are text\n---\npin: 0123\nenabled: yes\nuser: b\nuser2: {name: c, ids: [1, 2]}\n";
    const ONLY_YAML: &str = "---\npassword: inside\n";
    const MIME: &str = "GOPASS-SECRET-1.0\nPassword: pw\nUser-Name: c\n\nthe body\nend";
    const FILE: &str = "\ncontent-disposition: attachment; filename=\"f\"\ncontent-transfer-encoding: Base64\n\naGVs\nbG8=\n";
    const NO_YAML: &str = "pw\nuser: a\n---\n- list\n";
    for (content, key, wanted) in [
        (LINES, "password", "p: w"),
        (LINES, "user | toJson", "\" a \""),
        (LINES, "empty", ""),
        (LINES, "key", "v"),
        (LINES, "@body", "no colon\nat:once\n-----BEGIN X-----\n"),
        (LINES, "@all", LINES),
        (YAML, "password", "pw"),
        (YAML, "pin", "0123"),
        (YAML, "enabled", "yes"),
        (YAML, "user2.ids[1] | toString", "2"),
        (YAML, "@body", "notes: are text\n"),
        (ONLY_YAML, "password", "inside"),
        (MIME, "password", "pw"),
        (MIME, "user-name", "c"),
        (MIME, "@body", "the body\nend"),
        (FILE, "@binary", "hello"),
        (FILE, "password", ""),
        (NO_YAML, "user", "a"),
        ("pw\n---\n", "password", "pw"),
        ("no line end", "password", "no line end"),
        ("", "password", ""),
    ] {
        assert_eq!(
            values(&value_of(content, key)),
            [wanted],
            "{content}: {key}"
        );
    }
}

/// The keys with `@` are for whoever names them.
#[test]
fn all_keys_of_an_entry_are_its_own() {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    manifuse.io/expand: shop/db\n";
    let program = Program::manifuse(["generate", "-"]).stdin(manifest);
    let run = settings(program).env("AVP_TYPE", "pass").run();
    assert_eq!(values(&run), [VALUE, "shop", "https://a: b"]);
}

#[test]
fn a_store_lies_at_home_or_where_a_setting_says() {
    let at_home = || {
        let program = with_key(program(&["pass:a#password".to_owned()], "20s"))
            .file("home/.password-store/a.age", sealed(VALUE))
            .file("other/a.age", sealed("other"));
        let home = program.folder().join("home");
        program.env("HOME", home.to_str().unwrap())
    };
    assert_eq!(values(&at_home().run()), [VALUE]);
    let other = at_home().env("PASSWORD_STORE_DIR", "other").run();
    assert_eq!(values(&other), ["other"]);
    let settings = "backends:\n  team: {type: pass, store: ../other}\n";
    let named = program(&["team:a#password".to_owned()], "20s")
        .file("set/manifuse.yaml", settings)
        .file("other/a.age", sealed("other"))
        .env("MANIFUSE_CONFIG", "set/manifuse.yaml");
    assert_eq!(values(&with_key(named).run()), ["other"]);
    let by_application = at_home()
        .env("ARGOCD_ENV_PASSWORD_STORE_DIR", "other")
        .run();
    let text = String::from_utf8(by_application.stdout).unwrap();
    assert!(text.contains(&format!("  v0: {VALUE}\n")), "{text}");
}

#[test]
fn gopass_mounts_are_found() {
    let config = "[core]\n\tautosync = false\n[mounts]\n\tpath = ~/main\n[mounts \"shop\"]\n\tpath = ~/shop\n\
        [mounts \"shop/team\"]\n\tpath = \"~/team\"\n";
    let references = [
        "gopass:a#password",
        "gopass:shop/a#password",
        "gopass:shop/team/a#password",
        "gopass:shopping#password",
    ];
    let program = || {
        let program = program(&references.map(ToOwned::to_owned), "20s");
        with_key(program)
            .file("user/main/a.age", sealed("main"))
            .file("user/main/shopping.age", sealed("shopping"))
            .file("user/shop/a.age", sealed("shop"))
            .file("user/shop/team/a.age", sealed("hidden"))
            .file("user/team/a.age", sealed("team"))
    };
    let wanted = ["main", "shop", "team", "shopping"];
    let by_home = program().file("user/.config/gopass/config", config);
    let user = by_home.folder().join("user");
    let by_home = by_home.env("GOPASS_HOMEDIR", user.to_str().unwrap());
    assert_eq!(values(&by_home.run()), wanted);
    let by_name = program()
        .file("mounts", config)
        .env("GOPASS_CONFIG", "mounts");
    let user = by_name.folder().join("user");
    let by_name = by_name.env("HOME", user.to_str().unwrap());
    assert_eq!(values(&by_name.run()), wanted);
    let own = "data/gopass/stores/root";
    let program = with_key(super::program(&["gopass:a#password".to_owned()], "20s"))
        .file(&format!("{own}/a.age"), sealed(VALUE))
        .env("XDG_DATA_HOME", "data");
    assert_eq!(values(&program.run()), [VALUE]);
    let none = program.file("broken", "[mount]\npath = secrets\n");
    let none = none.env("GOPASS_CONFIG", "broken");
    fails(
        &none,
        2,
        &["gopass's configuration broken mounts no store", "[mounts]"],
    );
    let missing = none.env("GOPASS_CONFIG", "none");
    fails(
        &missing,
        2,
        &[
            "gopass's configuration none cannot be read",
            "set GOPASS_CONFIG",
        ],
    );
}

/// gopass has them in an age file itself, with the recipient behind each.
#[test]
fn identities_of_gopass_are_behind_a_passphrase() {
    let mut passphrase = age::scrypt::Recipient::new(SecretString::from(CREDENTIAL));
    passphrase.set_work_factor(2);
    let line = format!("{}|{}\n", KEY.to_string().expose_secret(), KEY.to_public());
    let mut file = Vec::new();
    let recipients = [&passphrase as &dyn age::Recipient];
    let encryptor = age::Encryptor::with_recipients(recipients.into_iter()).unwrap();
    let mut writer = encryptor.wrap_output(&mut file).unwrap();
    writer.write_all(line.as_bytes()).unwrap();
    writer.finish().unwrap();
    let program = || {
        super::program(&["gopass:a#password".to_owned()], "20s")
            .file("store/a.age", sealed(VALUE))
            .file("config/gopass/age/identities", &file)
            .env("PASSWORD_STORE_DIR", "store")
            .env("XDG_CONFIG_HOME", "config")
    };
    let right = program().env("GOPASS_AGE_PASSWORD", CREDENTIAL);
    assert_eq!(values(&right.run()), [VALUE]);
    let wrong = program().env("GOPASS_AGE_PASSWORD", "cnry-value");
    let words = "identities (protected by a passphrase: it was wrong)";
    fails(&wrong, 3, &[words]);
}

#[test]
fn the_examples_of_the_pages_render() {
    for (kind, page) in [
        ("pass", include_str!("../../../docs/backends/pass.md")),
        ("gopass", include_str!("../../../docs/backends/gopass.md")),
    ] {
        let run = settings(example(page).env("AVP_TYPE", kind)).run();
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{kind}");
        let text = String::from_utf8(run.stdout).unwrap();
        let wanted = format!("  password: {VALUE}\n  user: shop\n");
        assert!(text.contains(&wanted), "{text}");
    }
}
