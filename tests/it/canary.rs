//! Runs every failure path of the program with marked secrets, and looks for the marks in all that comes out.
//!
//! The cases are tables, one file for each kind of failure. A case says what fails, with which exit code and which
//! words, so that none of them can stop failing unseen. A new backend adds its cases beside the others.

#[cfg(all(feature = "aws", feature = "azure", feature = "gcp"))]
mod clouds;
mod debug;
mod logins;
mod manifests;
mod modifiers;
mod server;
mod services;
mod settings;
mod sops;
mod stores;
mod stream;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

/// A value in Vault.
const VALUE: &str = "cnry-value-v7q2";
/// A literal beside a placeholder.
const NEIGHBOUR: &str = "cnry-neighbour-n3x8";
/// A text that stands in a Secret as base64.
const DECODED: &str = "cnry-decoded-d9w4";
/// A token, given or got by a login.
const TOKEN: &str = "cnry-token-t5k1";
/// A role id, secret id, password, GitHub token or JWT.
const CREDENTIAL: &str = "cnry-credential-c8r6";
/// The value of a setting.
const SETTING: &str = "cnry-setting-s2g9";
/// A part of a body that is no answer of Vault.
const BODY: &str = "cnry-body-b6y3";
/// A variable of the environment that is no setting.
const VARIABLE: &str = "cnry-variable-e4v7";

/// How age keys begin.
const KEY: &str = "age-secret-key-1";

const ALL: [&str; 9] = [
    VALUE, NEIGHBOUR, DECODED, TOKEN, CREDENTIAL, SETTING, BODY, VARIABLE, KEY,
];

/// Stands for the server's address in settings.
const URL: &str = "@url@";
/// Stands for the server's host and port.
const HOST: &str = "@host@";

/// One run, and how it ends.
struct Case {
    what: &'static str,
    /// The exit code by our own name; by AVP's every failure is 1.
    code: i32,
    /// What standard error says, so that it fails for the reason meant.
    says: &'static str,
    manifest: Vec<u8>,
    files: Vec<(&'static str, Vec<u8>)>,
    env: BTreeMap<&'static str, String>,
    answer: fn(&Request) -> Reply,
}

/// A case with a token for Vault and a good manifest.
fn case(what: &'static str, code: i32, says: &'static str) -> Case {
    let env = [
        ("AVP_TYPE", "vault"),
        ("AVP_AUTH_TYPE", "token"),
        ("VAULT_TOKEN", TOKEN),
        ("VAULT_ADDR", URL),
        ("VAULT_MAX_RETRIES", "0"),
        ("AWS_SECRET_ACCESS_KEY", VARIABLE),
        ("ARGOCD_ENV_UNKNOWN", VARIABLE),
        ("UNRELATED", VARIABLE),
    ];
    Case {
        what,
        code,
        says,
        manifest: Vec::new(),
        files: Vec::new(),
        env: env.map(|(name, value)| (name, value.to_owned())).into(),
        answer: vault,
    }
    .value("<path:secret/data/db#user>")
}

impl Case {
    fn manifest(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.manifest = text.into();
        self
    }

    /// A manifest with this between two literals of one string.
    fn value(self, placeholder: &str) -> Self {
        self.manifest(format!(
            "kind: X\na: {NEIGHBOUR} {placeholder} {NEIGHBOUR} # {NEIGHBOUR}\nb: {NEIGHBOUR}\n"
        ))
    }

    /// A Secret with this text as base64 in its data.
    fn decoded(self, text: &str) -> Self {
        let data = STANDARD.encode(text);
        self.manifest(format!("kind: Secret\ndata:\n  a: {data}\n"))
    }

    fn file(mut self, path: &'static str, text: impl Into<Vec<u8>>) -> Self {
        self.files.push((path, text.into()));
        self
    }

    /// A settings file, named by the variable, because Argo CD's folder is not searched.
    fn settings(self, path: &'static str, text: impl Into<Vec<u8>>) -> Self {
        self.file(path, text).env("MANIFUSE_CONFIG", path)
    }

    fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.insert(name, value.into());
        self
    }

    fn answers(mut self, answer: fn(&Request) -> Reply) -> Self {
        self.answer = answer;
        self
    }

    fn program(&self, mode: &Mode, server: &Server) -> Program {
        let url = server.url();
        let host = url.trim_start_matches("http://");
        let fill = |text: &str| text.replace(URL, &url).replace(HOST, host);
        let mut program = (mode.program)(mode.args).file("k8s/app.yaml", &self.manifest);
        for (path, text) in &self.files {
            let text = std::str::from_utf8(text)
                .map_or_else(|_| text.clone(), |text| fill(text).into_bytes());
            program = program.file(path, text);
        }
        let temporary = program.folder().join("../tmp");
        fs::create_dir(&temporary).unwrap();
        program = program.env("TMPDIR", temporary.to_str().unwrap());
        for (name, value) in self.env.iter().chain(&mode.env()) {
            program = program.env(name, fill(value));
        }
        program
    }

    /// Runs it and gives what is wrong with that.
    fn problems(&self, mode: &Mode) -> Vec<String> {
        let server = Server::start(self.answer);
        let program = self.program(mode, &server);
        let before = files(&program);
        let run = program.run();
        let mut problems = Vec::new();
        let mut expect = |holds: bool, problem: String| {
            if !holds {
                problems.push(format!("{}, {}: {problem}\n{run:?}", self.what, mode.name));
            }
        };
        expect(
            run.code == Some(mode.code(self.code)),
            format!("the exit code is not {}", mode.code(self.code)),
        );
        expect(
            run.stderr.contains(self.says),
            format!("it does not say {:?}", self.says),
        );
        let shown = marks(run.stderr.as_bytes());
        expect(shown.is_empty(), format!("stderr shows {shown:?}"));
        expect(
            run.code == Some(0) || run.stdout.is_empty(),
            "stdout is not empty".to_owned(),
        );
        for (path, text) in files(&program) {
            let is_new = before.get(&path) != Some(&text);
            expect(
                !is_new || is_token_cache(&path, &text),
                format!("it wrote {}", path.display()),
            );
        }
        problems
    }
}

/// How the program is called.
struct Mode {
    name: &'static str,
    program: fn(&[&str]) -> Program,
    args: &'static [&'static str],
    argocd: bool,
    json: bool,
}

const MODES: [Mode; 4] = [
    Mode {
        name: "as manifuse -v",
        program: manifuse,
        args: &["generate", "k8s", "-v"],
        argocd: false,
        json: false,
    },
    Mode {
        name: "as manifuse with JSON",
        program: manifuse,
        args: &[
            "generate",
            "k8s",
            "--verbose-sensitive-output",
            "--error-format",
            "json",
        ],
        argocd: false,
        json: false,
    },
    Mode {
        name: "as argocd-vault-plugin with JSON",
        program: avp,
        args: &["generate", "k8s", "--verbose-sensitive-output"],
        argocd: false,
        json: true,
    },
    Mode {
        name: "as argocd-vault-plugin under Argo CD",
        program: avp,
        args: &["generate", "k8s", "--verbose-sensitive-output"],
        argocd: true,
        json: false,
    },
];

impl Mode {
    fn env(&self) -> BTreeMap<&'static str, String> {
        let mut env = BTreeMap::new();
        if self.argocd {
            env.insert("ARGOCD_APP_NAME", "shop".to_owned());
        }
        if self.json {
            env.insert("MANIFUSE_ERROR_FORMAT", "json".to_owned());
        }
        env
    }

    fn code(&self, code: i32) -> i32 {
        let is_avp = self.name.starts_with("as argocd");
        if is_avp { code.min(1) } else { code }
    }
}

fn manifuse(args: &[&str]) -> Program {
    Program::manifuse(args.iter().copied())
}

fn avp(args: &[&str]) -> Program {
    Program::avp(args.iter().copied())
}

/// Runs each case in each mode.
fn check(cases: &[Case]) {
    let runs = cases
        .iter()
        .flat_map(|case| MODES.iter().map(move |mode| (case, mode)));
    let problems: Vec<_> = runs.flat_map(|(case, mode)| case.problems(mode)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// The secrets of which a text holds the mark: as it is, in another case, as base64 or as hexadecimal digits.
fn marks(text: &[u8]) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(text);
    let lower = text.to_lowercase();
    let shows = |mark: &&str| {
        let hex = mark
            .bytes()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        lower.contains(*mark) || lower.contains(&hex) || base64s(mark).any(|m| text.contains(&m))
    };
    ALL.into_iter().filter(shows).collect()
}

/// What base64 makes of a mark within a longer text: the characters that depend on nothing else, for each offset.
fn base64s(mark: &str) -> impl Iterator<Item = String> {
    (0..3).map(move |offset| {
        let encoded = STANDARD.encode("-".repeat(offset) + mark);
        let complete = (offset + mark.len()) * 8 / 6;
        encoded[(offset * 8).div_ceil(6)..complete].to_owned()
    })
}

/// Every file below the home, temporary and working folders.
fn files(program: &Program) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = program.folder().join("..").canonicalize().unwrap();
    let mut found = BTreeMap::new();
    let mut folders: Vec<_> = ["home", "tmp", "work"].map(|name| root.join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_file() {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The only file that may be written: a token, for us alone.
fn is_token_cache(path: &Path, text: &[u8]) -> bool {
    let name = path.to_str().unwrap();
    // A token, or the empty file that is locked while it is made.
    let is_lock = path
        .extension()
        .is_some_and(|extension| extension == "lock");
    let token = format!("{{\n \"vault_token\": \"{TOKEN}\"\n}}\n");
    let expected = if is_lock { "" } else { &token };
    let mode = path.metadata().unwrap().permissions().mode();
    name.contains("/home/.avp/manifuse-")
        && marks(name.as_bytes()).is_empty()
        && text == expected.as_bytes()
        && mode & 0o777 == 0o600
}

/// A Vault as it should be: some secrets, a denial, a deleted version, logins.
fn vault(request: &Request) -> Reply {
    if request.method == "PUT" {
        return Reply::json(200, format!(r#"{{"auth":{{"client_token":"{TOKEN}"}}}}"#));
    }
    match request.target.as_str() {
        "/v1/secret/data/db" => kv2(&serde_json::json!({
            "user": VALUE,
            "number": 41_234,
            "null": null,
            "list": [VALUE],
            "map": {"inner": VALUE},
            "json": format!(r#"{{"inner":"{VALUE}","list":["{VALUE}"]}}"#),
            "broken": format!(r#"{{"inner":"{VALUE}" "{VALUE}"}}"#),
            "open": format!("\"{VALUE}"),
            "alias": format!("a: *{VALUE}"),
            "tag": format!("a: !{VALUE}!x y"),
            "tab": format!("{VALUE}:\n\t{VALUE}: {VALUE}"),
            "huge": format!(r#"{{"{VALUE}":1e999}}"#),
            "bytes": STANDARD.encode([b"\xff".as_slice(), VALUE.as_bytes()].concat()),
            "literal": "null",
            "long": VALUE.repeat(5),
            "nul": STANDARD.encode([b"\0".as_slice(), VALUE.as_bytes()].concat()),
            "cut": format!("{}!{VALUE}", STANDARD.encode("good")),
        })),
        "/v1/secret/data/odd" => kv2(&serde_json::json!({"a b": VALUE})),
        "/v1/secret/data/flat" => Reply::json(200, format!(r#"{{"data":{{"user":"{VALUE}"}}}}"#)),
        "/v1/secret/data/closed" => Reply::json(403, r#"{"errors":["permission denied"]}"#),
        "/v1/secret/data/deleted" => Reply::json(
            404,
            format!(
                r#"{{"data":{{"data":null,"metadata":{{"custom_metadata":{{"x":"{VALUE}"}}}}}}}}"#
            ),
        ),
        _ => Reply::json(404, r#"{"errors":[]}"#),
    }
}

fn kv2(data: &serde_json::Value) -> Reply {
    let body = serde_json::json!({"data": {"data": data, "metadata": {"version": 1}}});
    Reply::json(200, body.to_string())
}

#[test]
fn marks_are_found_in_every_spelling() {
    let spellings = [
        format!("xx{VALUE}yy"),
        VALUE.to_uppercase(),
        STANDARD.encode(format!("user:{VALUE}:password")),
        STANDARD.encode(format!("user{VALUE}")),
        STANDARD.encode(VALUE),
        "636E72792d76616c75652d7637713 2".replace(' ', ""),
    ];
    for text in spellings {
        assert_eq!(marks(text.as_bytes()), [VALUE], "{text}");
    }
    assert_eq!(marks(b"cnry, value, dmFsdWU="), [""; 0]);
}

/// What is not marked cannot be found: a good run shows the value where it belongs.
#[test]
fn a_good_run_prints_the_value_on_stdout_only() {
    let good = case("a good run", 0, "");
    check(std::slice::from_ref(&good));
    for mode in &MODES {
        let server = Server::start(good.answer);
        let run = good.program(mode, &server).run();
        assert_eq!(marks(&run.stdout), [VALUE, NEIGHBOUR], "{run:?}");
    }
}

/// Looked at from outside, while it waits for the server.
#[test]
fn no_process_has_a_secret_in_its_arguments() {
    let good = case("a good run", 0, "").env("AVP_AUTH_TYPE", "approle");
    let good = good
        .env("AVP_ROLE_ID", CREDENTIAL)
        .env("AVP_SECRET_ID", CREDENTIAL);
    for mode in &MODES {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let server = Server::start({
            let seen = Arc::clone(&seen);
            move |request| {
                seen.lock().unwrap().append(&mut command_lines());
                vault(request)
            }
        });
        let run = good.program(mode, &server).run();
        assert_eq!(run.code, Some(0), "{run:?}");
        let seen = seen.lock().unwrap();
        assert!(
            seen.iter().any(|line| line.contains("generate\0k8s")),
            "{seen:?}"
        );
        for line in seen.iter() {
            assert_eq!(marks(line.as_bytes()), [""; 0], "{line}");
        }
    }
}

/// The command lines of all processes that this one has started, and that those have started.
fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let id: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        let line = fs::read(path.join("cmdline")).ok()?;
        Some((id, parent.trim().parse().ok()?, line))
    });
    let processes: Vec<(u32, u32, Vec<u8>)> = processes.collect();
    let mut family = vec![std::process::id()];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        let children = processes.iter().filter(|(_, of, _)| *of == parent);
        family.extend(children.map(|(id, ..)| *id));
        next += 1;
    }
    let ours = processes
        .into_iter()
        .filter(|(id, ..)| family[1..].contains(id));
    ours.map(|(_, _, line)| String::from_utf8_lossy(&line).into_owned())
        .collect()
}
