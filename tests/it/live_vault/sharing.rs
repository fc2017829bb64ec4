//! What several share: processes a token, and callers an agent before the server.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::backend;
use manifuse::backends::ErrorKind;

use super::bao::{Bao, counted, counted_after, exchange};
use crate::support::live;
use crate::support::program::Program;
use crate::vault::{fetch, request, run, text, tunnel};

fn approle(bao: &Bao, home: &Path) -> [(&'static str, String); 4] {
    [
        ("AVP_AUTH_TYPE", "approle".to_owned()),
        ("AVP_ROLE_ID", bao.role_id()),
        ("AVP_SECRET_ID", bao.secret_id()),
        ("HOME", home.to_str().unwrap().to_owned()),
    ]
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn processes_that_start_together_share_one_login() {
    const PROCESSES: usize = 8;
    let bao = Bao::shared();
    let home = tempfile::tempdir().unwrap();
    let proxy = counted(&bao);
    let settings = approle(&bao, home.path());
    let program = || {
        let program = Program::manifuse(["generate", "-"])
            .stdin("kind: X\na: <path:secret/data/app/0#user>\n")
            .env("AVP_TYPE", "vault")
            .env("VAULT_ADDR", proxy.url());
        settings
            .iter()
            .fold(program, |program, (name, value)| program.env(name, value))
    };
    thread::scope(|scope| {
        let runs: Vec<_> = (0..PROCESSES)
            .map(|_| scope.spawn(|| program().run()))
            .collect();
        for run in runs {
            let run = run.join().unwrap();
            assert_eq!(run.stdout, b"kind: X\na: u0\n", "{}", run.stderr);
        }
    });
    let lines = proxy.lines();
    let count = |line: &str| lines.iter().filter(|l| *l == line).count();
    assert_eq!(count("PUT /v1/auth/approle/login"), 1, "{lines:?}");
    assert_eq!(count("GET /v1/secret/data/app/0"), PROCESSES);
}

/// The token passes the look-up and is revoked before the read: the run logs in again and goes on.
#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_token_revoked_in_the_middle_of_a_run_is_replaced_within_it() {
    static REVOKES: AtomicBool = AtomicBool::new(false);
    let bao = Bao::shared();
    let home = tempfile::tempdir().unwrap();
    let settings = approle(&bao, home.path());
    let proxy = counted_after(&bao, |address, request| {
        if request.target.starts_with("/v1/secret/") && REVOKES.swap(false, Ordering::SeqCst) {
            let token = request.header("x-vault-token").unwrap();
            let headers = [("X-Vault-Token", token)];
            let revoke = "/v1/auth/token/revoke-self";
            assert_eq!(exchange(address, "PUT", revoke, &headers, b"").0, 204);
        }
    });
    let read = || {
        let backend = backend(&proxy.url(), &settings);
        text(
            &fetch(backend.as_ref(), "secret/data/app/0").unwrap(),
            "user",
        )
    };
    read();
    REVOKES.store(true, Ordering::SeqCst);
    assert_eq!(read(), "u0");
    let login = "PUT /v1/auth/approle/login";
    let secret = "GET /v1/secret/data/app/0";
    let lookup = "GET /v1/auth/token/lookup-self";
    assert_eq!(
        proxy.lines(),
        [login, secret, lookup, secret, login, secret]
    );
}

/// The server speaks HTTP/2: all reads of a run share the connection of the first.
#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn reads_over_https_share_one_connection() {
    let bao = Bao::shared();
    let target = bao.tls_address.strip_prefix("https://").unwrap();
    let (address, connections) = tunnel::proxy(target, |_| Ok("a connection".to_owned()));
    let settings = [
        ("AVP_AUTH_TYPE", "token".to_owned()),
        ("VAULT_TOKEN", bao.reader_token()),
        ("VAULT_CACERT", bao.ca_file.clone()),
    ];
    let backend = backend(&format!("https://{address}"), &settings);
    let requests: Vec<_> = (0..6)
        .map(|n| request(&format!("secret/data/app/{n}")))
        .collect();
    let answers = run(backend.as_ref(), &requests, Duration::from_secs(30));
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(connections.lock().unwrap().len(), 1);
}

/// The policy that the page shows is enough to read what it names, and nothing else.
#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn the_policy_of_the_page_is_enough() {
    let bao = Bao::shared();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/backends/vault.md");
    let page = std::fs::read_to_string(page).unwrap();
    let policy = page.split("```hcl\n").nth(1).unwrap();
    let policy = policy.split("```").next().unwrap();
    let root = |path: &str, body: serde_json::Value| {
        bao.call_as(&bao.root_token, "POST", path, &body.to_string())
    };
    root(
        "secret/data/shop/db",
        serde_json::json!({"data": {"user": "shop"}}),
    );
    root(
        "sys/policies/acl/page",
        serde_json::json!({"policy": policy}),
    );
    let token = root(
        "auth/token/create",
        serde_json::json!({"policies": ["page"]}),
    );
    let token = token["auth"]["client_token"].as_str().unwrap().to_owned();
    let settings = [
        ("AVP_AUTH_TYPE", "token".to_owned()),
        ("VAULT_TOKEN", token),
    ];
    let backend = backend(&bao.address, &settings);
    let read = |path| fetch(backend.as_ref(), path);
    assert_eq!(text(&read("secret/data/shop/db").unwrap(), "user"), "shop");
    let denied = read("secret/data/app/0").unwrap_err();
    assert_eq!(denied.kind, ErrorKind::Denied);
}

/// The server's own proxy, on a socket and on a port.
struct Agent(Child);

impl Agent {
    fn start(bao: &Bao, folder: &Path, port: u16) -> Self {
        let socket = folder.join("agent.sock");
        let config = format!(
            "vault {{ address = \"{}\" }}\napi_proxy {{}}\n\
             listener \"unix\" {{\n  address = \"{}\"\n  tls_disable = true\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n",
            bao.address,
            socket.display()
        );
        let file = folder.join("proxy.hcl");
        std::fs::write(&file, config).unwrap();
        let program = Path::new(&live::variable("LIVE_HOME")).join("bin/bao");
        let child = Command::new(program)
            .args(["proxy", "-config", file.to_str().unwrap()])
            .env_clear()
            .env("PATH", live::variable("PATH"))
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut agent = Self(child);
        for _ in 0..300 {
            if UnixStream::connect(&socket).is_ok() {
                return agent;
            }
            if agent.0.try_wait().unwrap().is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        agent.0.kill().unwrap();
        let mut words = String::new();
        let mut stderr = agent.0.stderr.take().unwrap();
        stderr.read_to_string(&mut words).unwrap();
        panic!("the agent did not start: {words}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn an_agent_serves_on_a_socket_and_on_a_port() {
    let bao = Bao::shared();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _agent = Agent::start(&bao, folder.path(), port);
    let socket = format!("unix://{}/agent.sock", folder.path().display());
    let mut settings = approle(&bao, folder.path()).to_vec();
    let backend_there = backend(&socket, &settings);
    assert_eq!(
        text(
            &fetch(backend_there.as_ref(), "secret/data/app/0").unwrap(),
            "user"
        ),
        "u0"
    );
    settings.push(("VAULT_AGENT_ADDR", format!("http://127.0.0.1:{port}")));
    let backend_there = backend("http://127.0.0.1:1", &settings);
    fetch(backend_there.as_ref(), "secret/data/app/1").unwrap();
}
