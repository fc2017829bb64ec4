//! The live server as its administrator sees it: what the tests read is written here, once, over a plain socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use manifuse::env::Environment;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use serde_json::{Value, json};

use crate::support::server::{Reply, Request, Server};

/// Tests that share the server read; the one that seals it writes.
static IN_USE: RwLock<()> = RwLock::new(());
static READY: OnceLock<()> = OnceLock::new();
/// What JWTs are signed with.
static JWT_KEY: OnceLock<KeyPair> = OnceLock::new();
static SETTING_UP: Mutex<()> = Mutex::new(());

#[expect(dead_code, reason = "held, not looked at")]
enum Hold {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// The server, with everything in it that the tests read.
pub(super) struct Bao {
    pub(super) address: String,
    pub(super) tls_address: String,
    pub(super) root_token: String,
    pub(super) ca_file: String,
    pub(super) client_certificate: String,
    pub(super) client_key: String,
    jwt_key: &'static KeyPair,
    unseal_key: String,
    environment: Environment,
    _hold: Hold,
}

impl Bao {
    /// Beside other tests.
    pub(super) fn shared() -> Self {
        let hold = IN_USE.read().unwrap_or_else(PoisonError::into_inner);
        Self::connect(Hold::Shared(hold))
    }

    /// While no other test uses it.
    pub(super) fn alone() -> Self {
        let hold = IN_USE.write().unwrap_or_else(PoisonError::into_inner);
        Self::connect(Hold::Alone(hold))
    }

    fn connect(hold: Hold) -> Self {
        let environment = Environment::of_process();
        let variable = |name: &str| {
            let value = environment.get(name);
            value
                .unwrap_or_else(|| panic!("{name} is not set: use tests/live/run"))
                .to_owned()
        };
        let bao = Self {
            address: variable("VAULT_ADDR"),
            tls_address: variable("VAULT_TLS_ADDR"),
            root_token: variable("VAULT_TOKEN"),
            ca_file: variable("LIVE_CA_FILE"),
            client_certificate: variable("LIVE_CLIENT_CERT"),
            client_key: variable("LIVE_CLIENT_KEY"),
            jwt_key: JWT_KEY.get_or_init(|| KeyPair::generate_for(&PKCS_ED25519).unwrap()),
            unseal_key: variable("VAULT_UNSEAL_KEY"),
            environment,
            _hold: hold,
        };
        let _one: MutexGuard<'_, ()> = SETTING_UP.lock().unwrap();
        READY.get_or_init(|| bao.set_up());
        bao
    }

    fn set_up(&self) {
        for number in 0..6 {
            self.write_secret(
                &format!("app/{number}"),
                &format!(r#"{{"user":"u{number}"}}"#),
            );
        }
        self.root("DELETE", "secret/metadata/versions", "");
        self.write_secret("versions", r#"{"user":"first"}"#);
        self.write_secret(
            "versions",
            r#"{"user":"second","big":123456789012,"rate":1.5}"#,
        );
        self.write_secret("gone", r#"{"user":"gone"}"#);
        self.root("DELETE", "secret/data/gone", "");
        self.root("POST", "kv1/app", r#"{"user":"v1"}"#);
        self.root("POST", "transit/keys/live", "{}");
        let policy = json!({"policy": r#"path "secret/data/app/*" { capabilities = ["read"] }"#});
        self.root("PUT", "sys/policies/acl/reader", &policy.to_string());
        let role = r#"{"token_policies":"reader","token_ttl":"10m"}"#;
        self.root("POST", "auth/approle/role/app", role);
        let user = r#"{"password":"pass word","token_policies":"reader"}"#;
        self.root("POST", "auth/userpass/users/reader", user);
        self.set_up_kubernetes();
        self.set_up_jwt();
        let certificate = std::fs::read_to_string(&self.client_certificate).unwrap();
        let role = json!({"certificate": certificate, "token_policies": "reader"});
        self.root("POST", "auth/cert/certs/machine", &role.to_string());
        self.set_up_namespace();
    }

    fn set_up_kubernetes(&self) {
        let variable = |name| {
            self.environment
                .get(name)
                .unwrap_or_else(|| panic!("{name} is not set"))
        };
        let config = json!({
            "kubernetes_host": variable("K8S_URL"),
            "kubernetes_ca_cert": std::fs::read_to_string(&self.ca_file).unwrap(),
            "token_reviewer_jwt": variable("K8S_TOKEN"),
            "disable_local_ca_jwt": true,
        });
        self.root("POST", "auth/kubernetes/config", &config.to_string());
        let role = json!({
            "bound_service_account_names": "reader",
            "bound_service_account_namespaces": "app",
            "token_policies": "reader",
            "audience": "vault",
        });
        self.root("POST", "auth/kubernetes/role/app", &role.to_string());
    }

    fn set_up_jwt(&self) {
        let config = json!({"jwt_validation_pubkeys": [self.jwt_key.public_key_pem()]});
        self.root("POST", "auth/jwt/config", &config.to_string());
        let role = json!({
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": "vault",
            "token_policies": "reader",
        });
        self.root("POST", "auth/jwt/role/ci", &role.to_string());
    }

    /// A token that this server's JWT login takes.
    pub(super) fn jwt(&self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let claims = json!({
            "aud": "vault", "sub": "ci", "iat": now, "nbf": now - 5, "exp": now + 600,
        });
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"JWT"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.jwt_key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A wrapping token for what a POST brings, made as the root.
    pub(super) fn wrapped(&self, path: &str) -> String {
        let headers = [
            ("X-Vault-Token", self.root_token.as_str()),
            ("X-Vault-Wrap-TTL", "60s"),
        ];
        let answer = self.expect_success("POST", path, &headers, "{}");
        answer["wrap_info"]["token"].as_str().unwrap().to_owned()
    }

    fn set_up_namespace(&self) {
        self.root("POST", "sys/namespaces/team-a", "{}");
        let within = |method, path, body| {
            let headers = [
                ("X-Vault-Token", self.root_token.as_str()),
                ("X-Vault-Namespace", "team-a"),
            ];
            self.expect_success(method, path, &headers, body);
        };
        // Refused when it is there already, from an earlier run on the same server.
        let within_once = |path, body| {
            let headers = [
                ("X-Vault-Token", self.root_token.as_str()),
                ("X-Vault-Namespace", "team-a"),
            ];
            let status = self.call("POST", path, &headers, body).0;
            assert!(matches!(status, 200..300 | 400), "{path}: {status}");
        };
        within_once(
            "sys/mounts/kv",
            r#"{"type":"kv","options":{"version":"2"}}"#,
        );
        within_once("sys/auth/userpass", r#"{"type":"userpass"}"#);
        let policy =
            json!({"policy": r#"path "kv/data/*" { capabilities = ["read"] }"#}).to_string();
        within("PUT", "sys/policies/acl/member", &policy);
        within(
            "POST",
            "auth/userpass/users/member",
            r#"{"password":"p","token_policies":"member"}"#,
        );
        // A new mount upgrades itself and refuses calls meanwhile.
        for _ in 0..100 {
            let headers = [
                ("X-Vault-Token", self.root_token.as_str()),
                ("X-Vault-Namespace", "team-a"),
            ];
            let body = r#"{"data":{"user":"of team a"}}"#;
            if self.call("POST", "kv/data/app", &headers, body).0 == 200 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the mount in the namespace never became ready");
    }

    fn write_secret(&self, name: &str, data: &str) {
        self.root(
            "POST",
            &format!("secret/data/{name}"),
            &format!(r#"{{"data":{data}}}"#),
        );
    }

    fn root(&self, method: &str, path: &str, body: &str) -> Value {
        self.call_as(&self.root_token, method, path, body)
    }

    /// One call that must work.
    pub(super) fn call_as(&self, token: &str, method: &str, path: &str, body: &str) -> Value {
        self.expect_success(method, path, &[("X-Vault-Token", token)], body)
    }

    fn expect_success(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Value {
        let (status, answer) = self.call(method, path, headers, body);
        assert!((200..300).contains(&status), "{method} {path}: {status}");
        serde_json::from_slice(&answer).unwrap_or_default()
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, Vec<u8>) {
        exchange(
            &self.address,
            method,
            &format!("/v1/{path}"),
            headers,
            body.as_bytes(),
        )
    }

    /// A token with the policy of readers.
    pub(super) fn reader_token(&self) -> String {
        let answer = self.root("POST", "auth/token/create", r#"{"policies":["reader"]}"#);
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// The role of `AppRole`.
    pub(super) fn role_id(&self) -> String {
        let answer = self.root("GET", "auth/approle/role/app/role-id", "");
        answer["data"]["role_id"].as_str().unwrap().to_owned()
    }

    /// A new secret id for it.
    pub(super) fn secret_id(&self) -> String {
        let answer = self.root("POST", "auth/approle/role/app/secret-id", "{}");
        answer["data"]["secret_id"].as_str().unwrap().to_owned()
    }

    /// A file with a service account's token, which the stand-in for Kubernetes takes without a look at the signature.
    pub(super) fn service_account_token(folder: &Path) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let claims = json!({
            "aud": ["vault"],
            "iat": now,
            "nbf": now - 5,
            "exp": now + 600,
            "sub": "system:serviceaccount:app:reader",
            "kubernetes.io": {
                "namespace": "app",
                "serviceaccount": {"name": "reader", "uid": "00000000-0000-0000-0000-000000000001"},
            },
        });
        let parts = [
            r#"{"alg":"RS256","typ":"JWT"}"#,
            &claims.to_string(),
            "unchecked",
        ];
        let path = folder.join("token");
        std::fs::write(
            &path,
            parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join("."),
        )
        .unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Seals the server; only with [`Bao::alone`].
    pub(super) fn seal(&self) {
        self.root("PUT", "sys/seal", "");
    }

    /// Opens it again.
    pub(super) fn unseal(&self) {
        let key = json!({"key": self.unseal_key}).to_string();
        self.expect_success("PUT", "sys/unseal", &[], &key);
        for _ in 0..100 {
            if self.call("GET", "sys/health", &[], "").0 == 200 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the server stays sealed");
    }
}

/// A server before the real one that hands everything on, so that requests can be counted.
pub(super) fn counted(bao: &Bao) -> Server {
    counted_after(bao, |_, _| {})
}

/// The same, after something was done to the real one.
pub(super) fn counted_after(
    bao: &Bao,
    before: impl Fn(&str, &Request) + Send + Sync + 'static,
) -> Server {
    let address = bao.address.clone();
    Server::start(move |request: &Request| {
        before(&address, request);
        let skipped = ["host", "content-length", "connection"];
        let headers = request
            .headers
            .iter()
            .filter(|(name, _)| !skipped.contains(&name.as_str()));
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let (status, body) = exchange(
            &address,
            &request.method,
            &request.target,
            &headers,
            &request.body,
        );
        Reply::json(status, body)
    })
}

/// One request over HTTP/1.0: the answer ends with the connection.
pub(super) fn exchange(
    address: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, Vec<u8>) {
    let host = address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let headers: String = headers
        .iter()
        .flat_map(|(name, value)| [name, ": ", value, "\r\n"])
        .collect();
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n"
    )
    .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let status = std::str::from_utf8(&answer[9..12])
        .unwrap()
        .parse()
        .unwrap();
    (status, answer.split_off(head + 4))
}
