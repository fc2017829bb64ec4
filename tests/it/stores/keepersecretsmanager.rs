//! Keeper's server as the fake has it: it opens and checks each message by another implementation of the cryptography than
//! the program's, and seals its answers by that.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::{PublicKey, SecretKey};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{
    CREDENTIAL, Instead, NUMBERED, Outcome, Store, UNICODE, VALUE, example, large, suite, values,
};
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

pub(super) const STORE: Store = Store {
    current: "keepersecretsmanager:c2hvcC4uLi4uLi4uLi4uLg#password",
    // Keeper keeps old revisions, but does not give them to a device.
    old: None,
    unicode: "keepersecretsmanager:c2hvcC4uLi4uLi4uLi4uLg#unicode",
    large: Some("keepersecretsmanager:bGFyZ2UuLi4uLi4uLi4uLg#note"),
    // JSON has texts only.
    bytes: None,
    absent_path: (
        "keepersecretsmanager:bm9uZS4uLi4uLi4uLi4uLg#password",
        "no secrets could be found with the given path: bm9uZS4uLi4uLi4uLi4uLg",
    ),
    absent_key: Some("keepersecretsmanager:c2hvcC4uLi4uLi4uLi4uLg#none"),
    numbered: |number| {
        format!(
            "keepersecretsmanager:{}#password",
            uid(&format!("n{number}"))
        )
    },
    batch: 100,
    tls: true,
    settings,
    answer,
    reads: |_| true,
    denied: || {
        refusal(
            403,
            "access_denied",
            "Unable to validate Keeper application access",
        )
    },
    throttled: || Reply::new(429, "").with_header("Retry-After", "0"),
};

suite!(STORE);

/// The key that opens folders and records.
const APP_KEY: [u8; 32] = *b"cnry-token-0123456789abcdef01234";

/// The server's key, which is none of Keeper's own.
static SERVER: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_slice(&[7; 32]).unwrap());
/// The device's key.
static DEVICE: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate().unwrap());

fn uid(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{name:.<16}"))
}

/// The device's file.
pub(crate) fn config(host: &str) -> Json {
    json!({
        "hostname": host,
        "clientId": CREDENTIAL,
        "privateKey": STANDARD.encode(DEVICE.serialize_der()),
        "appKey": STANDARD.encode(APP_KEY),
        "appOwnerPublicKey": "unused",
        "serverPublicKeyId": "20",
        "serverPublicKey": URL_SAFE_NO_PAD.encode(SERVER.public_key().to_sec1_bytes()),
    })
}

fn settings(program: Program, url: &str) -> Program {
    program
        .file(
            "keeper.json",
            config(url.trim_start_matches("https://")).to_string(),
        )
        .env("AVP_KEEPER_CONFIG_PATH", "keeper.json")
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"path": "https://keepersecurity.com/api/rest/sm/v1/get_secret", "additional_info": "",
        "location": "default exception manager - api validation exception", "error": code, "message": message});
    Reply::json(status, body.to_string())
}

fn answer(request: &Request) -> Reply {
    let outcome = question(request, "20").and_then(|(key, question)| reply(&key, &question));
    outcome.unwrap_or_else(|reason| refusal(400, "bad_request", reason))
}

/// The key of a call and what it asks for, if the device has signed it, and it is sealed for the server.
fn question(request: &Request, key_id: &str) -> Result<(Vec<u8>, Json), &'static str> {
    if request.line() != "POST /api/rest/sm/v1/get_secret" {
        return Err("another path");
    }
    let is_binary = request.header("content-type") == Some("application/octet-stream");
    if !is_binary || request.header("publickeyid") != Some(key_id) {
        return Err("another header");
    }
    let decoded = |name, prefix| {
        let text: &str = request.header(name)?.strip_prefix(prefix)?;
        STANDARD.decode(text).ok()
    };
    let sealed_key = decoded("transmissionkey", "").ok_or("no key")?;
    let signature = decoded("authorization", "Signature ").ok_or("no signature")?;
    let signature = Signature::from_der(&signature).map_err(|_| "no signature in DER")?;
    let device = VerifyingKey::from_sec1_bytes(DEVICE.der_bytes()).unwrap();
    let signed = [sealed_key.as_slice(), &request.body].concat();
    device
        .verify(&signed, &signature)
        .map_err(|_| "a wrong signature")?;
    let key = own_key(&sealed_key).ok_or("not for this server")?;
    let text = unseal(&key, &request.body).ok_or("not sealed by the key")?;
    Ok((key, serde_json::from_slice(&text).map_err(|_| "no JSON")?))
}

/// What was sealed for the server: an ephemeral point, then AES by the hash of what it makes with the server's key.
fn own_key(sealed: &[u8]) -> Option<Vec<u8>> {
    let (point, sealed) = sealed.split_at_checked(65)?;
    let point = PublicKey::from_sec1_bytes(point).ok()?;
    let shared = p256::ecdh::diffie_hellman(SERVER.to_nonzero_scalar(), point.as_affine());
    let key = unseal(&Sha256::digest(shared.raw_secret_bytes()), sealed)?;
    (key.len() == 32).then_some(key)
}

fn unseal(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(12)?;
    let cipher = Aes256Gcm::new_from_slice(key).ok()?;
    cipher.decrypt(Nonce::from_slice(nonce), sealed).ok()
}

fn seal(key: &[u8], text: &[u8]) -> Vec<u8> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let nonce = format!("{:0>12}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let cipher = Aes256Gcm::new_from_slice(key).unwrap();
    let sealed = cipher
        .encrypt(Nonce::from_slice(nonce.as_bytes()), text)
        .unwrap();
    [nonce.as_bytes(), &sealed].concat()
}

/// The records that are asked for, out of those that the application may see.
fn reply(key: &[u8], question: &Json) -> Result<Reply, &'static str> {
    if question["clientId"] != CREDENTIAL || question["clientVersion"] != "mg16.6.4" {
        return Err("another client");
    }
    let wanted = question["requestedRecords"]
        .as_array()
        .ok_or("no records")?;
    let mut answer = json!({"records": [], "folders": [], "expiresOn": 0, "warnings": null});
    for uid in wanted.iter().filter_map(Json::as_str) {
        let name = URL_SAFE_NO_PAD.decode(uid).map_err(|_| "no UID")?;
        let name = String::from_utf8(name).unwrap();
        add(&mut answer, uid, name.trim_end_matches('.'));
    }
    Ok(Reply::new(200, seal(key, answer.to_string().as_bytes())))
}

fn add(answer: &mut Json, uid: &str, name: &str) {
    let records = answer["records"].as_array_mut().unwrap();
    match name {
        "shop" => records.push(shared(uid, &APP_KEY, &shop())),
        "large" => records.push(shared(uid, &APP_KEY, &one("note", &large()))),
        "single" => {
            let data = seal(&APP_KEY, one("password", VALUE).to_string().as_bytes());
            records.push(json!({"recordUid": uid, "data": URL_SAFE_NO_PAD.encode(data)}));
        }
        "differ" => {
            let two = ["a", "b"].map(|value| shared(uid, &APP_KEY, &one("password", value)));
            records.extend(two);
        }
        "sealed" => records.push(shared(uid, &[1; 32], &one("password", VALUE))),
        "folder" | "twice" => {
            if name == "twice" {
                records.push(shared(uid, &APP_KEY, &one("password", VALUE)));
            }
            let key = [9; 32];
            let folder = json!({"folderUid": "f", "folderKey": STANDARD.encode(seal(&APP_KEY, &key)),
                "records": [shared(uid, &key, &one("password", VALUE))]});
            answer["folders"].as_array_mut().unwrap().push(folder);
        }
        name => {
            if let Some(Ok(number)) = name.strip_prefix('n').map(str::parse::<usize>) {
                let value = format!("{NUMBERED}{number}");
                records.push(shared(uid, &APP_KEY, &one("password", &value)));
            }
        }
    }
}

/// A record with a key of its own, which the key above it seals.
fn shared(uid: &str, above: &[u8], data: &Json) -> Json {
    let own = [5; 32];
    json!({
        "recordUid": uid,
        "recordKey": STANDARD.encode(seal(above, &own)),
        "data": STANDARD.encode(seal(&own, data.to_string().as_bytes())),
        "revision": 3, "isEditable": false, "files": [],
    })
}

fn one(kind: &str, value: &str) -> Json {
    json!({"title": "t", "type": "login", "fields": [{"type": kind, "value": [value]}], "custom": []})
}

fn shop() -> Json {
    json!({
        "title": "shop", "type": "login", "notes": "n",
        "fields": [
            {"type": "login", "value": ["shop"]},
            {"type": "password", "label": "", "value": [VALUE]},
            {"type": "multiline", "label": "unicode", "value": [UNICODE]},
            {"type": "host", "value": [{"hostName": "db.example.com", "port": "5432"}]},
            {"type": "date", "label": "since", "value": [1_770_000_000_123_u64]},
            {"type": "text", "label": "both", "value": ["standard"]},
            {"type": "text", "label": "several", "value": ["a", "b"]},
            {"type": "text", "label": "empty", "value": []},
            {"type": "text", "label": "odd", "value": "x"},
            {"label": "untyped", "value": ["x"]},
        ],
        "custom": [
            {"type": "text", "label": "both", "value": ["custom"]},
            {"type": "secret", "label": "pin", "value": ["0042"]},
        ],
    })
}

fn render(paths: &[&str]) -> Outcome {
    let reference = |path: &&str| {
        let (name, key) = path.split_once('#').unwrap();
        format!("keepersecretsmanager:{}#{key}", uid(name))
    };
    let references: Vec<String> = paths.iter().map(reference).collect();
    STORE.render(&references, Instead::Never)
}

#[test]
fn fields_go_by_label_or_type_and_standard_ones_win() {
    let outcome = render(&[
        "shop#login",
        "shop#both",
        "shop#pin",
        "shop#since | toString",
        "shop#host | jsonPath {.hostName}",
    ]);
    let texts = [
        "shop",
        "standard",
        "0042",
        "1770000000123",
        "db.example.com",
    ];
    assert_eq!(values(&outcome.run), texts);
    assert_eq!(outcome.requests.len(), 1);
    for key in [
        "several", "empty", "odd", "untyped", "title", "notes", "text",
    ] {
        let reference = format!("keepersecretsmanager:{}#{key}", uid("shop"));
        STORE.fails(&reference, Instead::Never, 1, &["has no key"]);
    }
}

#[test]
fn records_are_shared_alone_and_in_folders() {
    let outcome = render(&[
        "single#password",
        "folder#password",
        "twice#password",
        "shop#password",
    ]);
    assert_eq!(values(&outcome.run), [VALUE; 4]);
    assert_eq!(outcome.requests.len(), 1);
}

#[test]
fn records_that_cannot_be_told_or_opened() {
    let (differ, sealed) = (uid("differ"), uid("sealed"));
    for (path, words) in [
        (
            differ.as_str(),
            "unexpectedly multiple secrets were found with the given path: ",
        ),
        (&sealed, "its keys do not open it"),
        (
            &sealed,
            "is the appKey in the device's file that of the application?",
        ),
        ("db", "could not access secret db: it is no UID of a record"),
        ("c2hvcC4uLi4uLi4uLi4uLg==", "it is no UID of a record"),
    ] {
        let reference = format!("keepersecretsmanager:{path}#password");
        STORE.fails(&reference, Instead::Never, 1, &[words]);
    }
}

/// One that is wrong does not spoil the others, and is not sent.
#[test]
fn a_batch_leaves_out_what_is_no_record() {
    let references = ["db", STORE.current.split([':', '#']).nth(1).unwrap()];
    let references = references.map(|path| format!("keepersecretsmanager:{path}#password"));
    let outcome = STORE.render(&references, Instead::Never);
    assert_eq!((outcome.run.code, outcome.requests.len()), (Some(1), 1));
    assert_eq!(
        outcome.run.stderr.matches("error: ").count(),
        1,
        "{}",
        outcome.run.stderr
    );
}

#[test]
fn the_server_may_want_another_of_its_keys() {
    let wants: fn() -> Reply = || {
        let body = json!({"error": "key", "key_id": 7, "message": "invalid key id"});
        Reply::json(400, body.to_string())
    };
    // One out of the device's file is the only one.
    let words = ["the server wants another key of its own (7), which is not at hand"];
    STORE.fails(STORE.current, Instead::Always(wants), 2, &words);
    for (key_id, ids) in [
        (json!(7), vec!["10", "7"]),
        (json!("12"), vec!["10", "12"]),
        (json!(99), vec!["10"]),
    ] {
        let server = Server::start(move |_| {
            let body = json!({"error": "key", "key_id": key_id});
            Reply::json(400, body.to_string())
        });
        let mut config = config(&server.url());
        config["serverPublicKeyId"] = json!("98");
        config.as_object_mut().unwrap().remove("serverPublicKey");
        let run = super::program(&[STORE.current.to_owned()], "20s")
            .file("keeper.json", config.to_string())
            .env("AVP_KEEPER_CONFIG_PATH", "keeper.json")
            .run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        let sent: Vec<_> = server.requests();
        let sent: Vec<_> = sent
            .iter()
            .filter_map(|one| one.header("publickeyid"))
            .collect();
        assert_eq!(sent, ids);
    }
}

/// Older servers say it by a code, not by a status.
#[test]
fn a_server_that_was_asked_too_often_is_waited_for() {
    let often: fn() -> Reply = || {
        let body = json!({"error": "throttled", "message": "get_secret", "retry_after": 1});
        Reply::json(403, body.to_string())
    };
    let outcome = STORE.render(&[STORE.current.to_owned()], Instead::First(1, often));
    assert_eq!(values(&outcome.run), [VALUE]);
    let words = [
        "throttled: get_secret",
        "the server was asked too often: try again later",
    ];
    STORE.fails(STORE.current, Instead::Always(often), 3, &words);
}

#[test]
fn the_host_of_the_settings_wins_and_any_certificate_may_do() {
    let certificates = crate::support::certificates::Certificates::new(&["127.0.0.1"]);
    let server = Server::start_tls(certificates.server(), answer);
    let host = server.url().replace("https://", "");
    let run = |skip: &str| {
        let program = super::program(&[STORE.current.to_owned()], "20s");
        settings(program, "https://127.0.0.1:1")
            .env("KSM_HOSTNAME", &host)
            .env("KSM_SKIP_VERIFY", skip)
            .run()
    };
    assert_eq!(values(&run("Yes")), [VALUE]);
    let refused = run("off");
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("no secure connection"),
        "{}",
        refused.stderr
    );
    let wrong = run("maybe");
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(
        wrong
            .stderr
            .contains("KSM_SKIP_VERIFY must be true or false")
    );
}

/// As Keeper's vault gives it for a variable. Of an address only the host counts.
#[test]
fn the_file_may_be_base64() {
    let server = Server::start(answer);
    let address = format!("{}/api/v2/", server.url());
    let text = STANDARD.encode(config(&address).to_string());
    let run = super::program(&[STORE.current.to_owned()], "20s")
        .file("keeper.json", format!("{text}\n"))
        .env("AVP_KEEPER_CONFIG_PATH", "keeper.json")
        .run();
    assert_eq!(values(&run), [VALUE]);
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let with = |name: &str, value: Json| {
        let mut config = config("keepersecurity.com");
        config[name] = value;
        config.to_string()
    };
    let unused = json!({"hostname": "keepersecurity.com", "clientKey": CREDENTIAL});
    for (text, words) in [
        ("{".to_owned(), "it is no JSON object"),
        ("[]".to_owned(), "it is no JSON object"),
        ("{}".to_owned(), "it holds no privateKey"),
        (
            unused.to_string(),
            "it holds a token that has not been used yet",
        ),
        (
            with("privateKey", json!(format!("{CREDENTIAL}!"))),
            "its privateKey is not base64",
        ),
        (
            with("privateKey", json!("AAAA")),
            "its privateKey is none of P-256 in PKCS #8",
        ),
        (
            with("appKey", json!("AAAA")),
            "its appKey is not 32 bytes long",
        ),
        (with("clientId", json!(" ")), "it holds no clientId"),
        (
            with("hostname", json!("a b")),
            "its hostname is none: it names no valid host or port",
        ),
        (
            with("serverPublicKey", json!("AAAA")),
            "no message to Keeper can be made",
        ),
    ] {
        let run = super::program(&[STORE.current.to_owned()], "20s")
            .file("keeper.json", text)
            .env("AVP_KEEPER_CONFIG_PATH", "keeper.json")
            .run();
        assert_eq!(run.code, Some(2), "{words}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        assert!(!run.stderr.contains(CREDENTIAL), "{}", run.stderr);
    }
}

#[test]
fn the_file_is_the_operators() {
    let required = "AVP_KEEPER_CONFIG_PATH is required for Keeper Secrets Manager";
    for (name, path, message, hint) in [
        (
            "AVP_KEEPER_CONFIG_PATH",
            "",
            required,
            "set AVP_KEEPER_CONFIG_PATH",
        ),
        (
            "ARGOCD_ENV_AVP_KEEPER_CONFIG_PATH",
            "keeper.json",
            required,
            "an application cannot set it (ARGOCD_ENV_), only the operator",
        ),
        (
            "AVP_KEEPER_CONFIG_PATH",
            "none.json",
            "the file none.json cannot be used: it cannot be read: no such file or directory",
            "it is the configuration of a device",
        ),
        (
            "KSM_HOSTNAME",
            "a b",
            "KSM_HOSTNAME cannot be used: it names no valid host or port",
            "for example keepersecurity.com",
        ),
    ] {
        let program = super::program(&[STORE.current.to_owned()], "20s");
        let run = settings(program, "https://127.0.0.1:1")
            .env(name, path)
            .run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        for words in [message, hint] {
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        }
    }
}

/// What the fake refuses shows that it looks.
#[test]
fn a_message_of_another_device_or_for_another_server_is_refused() {
    let server = Server::start(answer);
    let other = SecretKey::from_slice(&[8; 32])
        .unwrap()
        .public_key()
        .to_sec1_bytes();
    for (name, value, reason) in [
        (
            "privateKey",
            STANDARD.encode(KeyPair::generate().unwrap().serialize_der()),
            "a wrong signature",
        ),
        ("clientId", "other".to_owned(), "another client"),
        ("serverPublicKeyId", "21".to_owned(), "another header"),
        (
            "serverPublicKey",
            STANDARD.encode(other),
            "not for this server",
        ),
    ] {
        let mut config = config(&server.url());
        config[name] = json!(value);
        let run = super::program(&[STORE.current.to_owned()], "20s")
            .file("keeper.json", config.to_string())
            .env("AVP_KEEPER_CONFIG_PATH", "keeper.json")
            .run();
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        assert!(run.stderr.contains(reason), "{reason}: {}", run.stderr);
    }
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/keepersecretsmanager.md");
    let server = Server::start(answer);
    let program = example(page).env("AVP_TYPE", "keepersecretsmanager");
    let run = settings(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let wanted = format!("  user: shop\n  password: {VALUE}\n");
    assert!(text.contains(&wanted), "{text}");
}
