//! Lockbox as the fake has it, and IAM before it, which checks a statement's signature by another implementation than
//! the program's: <https://yandex.cloud/en/docs/lockbox/api-ref/Payload/get>,
//! <https://yandex.cloud/en/docs/iam/operations/iam-token/create-for-sa>.

use std::sync::LazyLock;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _};
use rsa::RsaPublicKey;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::pss::{Signature, VerifyingKey};
use rsa::signature::Verifier as _;
use serde_json::{Value as Json, json};
use sha2::Sha256;

use super::{BYTES, Instead, NUMBERED, OLD, Store, UNICODE, VALUE, example, large, suite, values};
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

pub(super) const STORE: Store = Store {
    current: "yandexcloudlockbox:e6qshop#password",
    old: Some("yandexcloudlockbox:e6qshop#password#e6qv1"),
    unicode: "yandexcloudlockbox:e6qshop#unicode",
    large: Some("yandexcloudlockbox:e6qlarge#large"),
    bytes: Some("yandexcloudlockbox:e6qshop#bytes"),
    absent_path: (
        "yandexcloudlockbox:e6qnone#password",
        "could not access secret e6qnone",
    ),
    absent_key: Some("yandexcloudlockbox:e6qshop#none"),
    numbered: |number| format!("yandexcloudlockbox:e6qn{number}#password"),
    batch: 1,
    tls: true,
    settings,
    answer,
    reads: |request| request.target.starts_with("/lockbox/"),
    denied: || refusal(403, 7, "Permission denied"),
    throttled: || refusal(429, 8, "Too many requests").with_header("Retry-After", "0"),
};

suite!(STORE);

const TOKEN: &str = "cnry-token-t5k1";

/// The account's key.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap());

fn settings(program: Program, url: &str) -> Program {
    // As the file of an authorized key has it.
    let key = format!(
        "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <ajekey>\n{}",
        KEY.serialize_pem()
    );
    program
        .env("AVP_YCL_KEY_ID", "ajekey")
        .env("AVP_YCL_SERVICE_ACCOUNT_ID", "ajeaccount")
        .env("AVP_YCL_PRIVATE_KEY", key)
        .env("MANIFUSE_YANDEX_IAM_ENDPOINT", url)
        .env("MANIFUSE_YANDEX_LOCKBOX_ENDPOINT", url)
}

/// A refusal with the code of gRPC.
fn refusal(status: u16, code: u8, message: &str) -> Reply {
    let body = json!({"code": code, "message": message, "details": []});
    Reply::json(status, body.to_string())
}

fn answer(request: &Request) -> Reply {
    if request.line() == "POST /iam/v1/tokens" {
        return token(request).unwrap_or_else(|reason| refusal(401, 16, reason));
    }
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refusal(401, 16, "The token is invalid");
    }
    let path = request.target.strip_prefix("/lockbox/v1/secrets/");
    let path = path.and_then(|path| path.split_once("/payload"));
    match (request.method.as_str(), path) {
        ("GET", Some((secret, query))) => payload(secret, query),
        _ => refusal(404, 5, "Not Found"),
    }
}

/// A token for a statement of the account's, signed by its key, that is good now and for an hour at most.
fn token(request: &Request) -> Result<Reply, &'static str> {
    let sent: Json = serde_json::from_slice(&request.body).map_err(|_| "no JSON")?;
    let jwt = sent["jwt"].as_str().ok_or("no statement")?;
    let (signed, signature) = jwt.rsplit_once('.').ok_or("no signature")?;
    let part = |number| {
        let bytes = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(number)?).ok()?;
        serde_json::from_slice::<Json>(&bytes).ok()
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "no base64")?;
    is_signed(signed, &signature)
        .then_some(())
        .ok_or("a wrong signature")?;
    if part(0) != Some(json!({"alg": "PS256", "kid": "ajekey", "typ": "JWT"})) {
        return Err("another header");
    }
    let claims = part(1).ok_or("no claims")?;
    let (from, to) = (claims["iat"].as_u64(), claims["exp"].as_u64());
    let (from, to) = from.zip(to).ok_or("no times")?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    if from > now || to <= now || to - from > 3600 {
        return Err("not good now");
    }
    if claims["iss"] != "ajeaccount"
        || claims["aud"] != "https://iam.api.cloud.yandex.net/iam/v1/tokens"
    {
        return Err("for another");
    }
    let made = json!({"iamToken": TOKEN, "expiresAt": "2030-01-01T00:00:00.000000000Z"});
    Ok(Reply::json(200, made.to_string()))
}

/// By PSS with a salt as long as the hash, which alone is PS256.
fn is_signed(text: &str, signature: &[u8]) -> bool {
    let public = RsaPublicKey::from_public_key_der(&KEY.subject_public_key_info()).unwrap();
    let signature = Signature::try_from(signature).unwrap();
    let key = VerifyingKey::<Sha256>::new(public);
    key.verify(text.as_bytes(), &signature).is_ok()
}

fn payload(secret: &str, query: &str) -> Reply {
    let text = |key: &str, value: &str| json!({"key": key, "textValue": value});
    let entries = match (secret, query) {
        ("e6qshop", "") => vec![
            text("password", VALUE),
            text("unicode", UNICODE),
            json!({"key": "bytes", "binaryValue": STANDARD.encode(BYTES)}),
            json!({"key": "empty"}),
        ],
        ("e6qshop", "?versionId=e6qv1") => vec![text("password", OLD)],
        ("e6qshop", "?versionId=e6qgone") => {
            return refusal(400, 9, "Version e6qgone is scheduled for destruction");
        }
        ("e6qshop", "?versionId=x") => return refusal(400, 3, "Illegal argument versionId"),
        ("e6qlarge", "") => vec![text("large", &large())],
        (secret, "") => match secret.strip_prefix("e6qn").map(str::parse::<usize>) {
            Some(Ok(number)) => vec![text("password", &format!("{NUMBERED}{number}"))],
            _ => return refusal(404, 5, &format!("Secret {secret} not found")),
        },
        _ => return refusal(404, 5, "Version not found"),
    };
    Reply::json(
        200,
        json!({"versionId": "e6qv2", "entries": entries}).to_string(),
    )
}

/// What is empty is left out of an answer.
#[test]
fn an_entry_may_be_empty() {
    let reference = "yandexcloudlockbox:e6qshop#empty".to_owned();
    let outcome = STORE.render(&[reference], Instead::Never);
    assert_eq!(values(&outcome.run), [""]);
}

#[test]
fn ids_lead_to_a_payload_and_nowhere_else() {
    for path in ["../tokens", "e6qshop/payload", "e6qshop?x=y", "e6q%2f"] {
        let reference = format!("yandexcloudlockbox:{path}#password");
        let outcome = STORE.render(&[reference], Instead::Never);
        assert_ne!(outcome.run.code, Some(0), "{path}");
        assert!(outcome.requests.is_empty(), "{path}");
    }
    let words = ["e6q/x is not the id of a secret", "yc lockbox secret list"];
    STORE.fails(
        "yandexcloudlockbox:e6q/x#password",
        Instead::Never,
        1,
        &words,
    );
}

#[test]
fn versions_that_are_not_there_are_told() {
    for (version, words) in [
        ("e6qv9", "could not access secret e6qshop in version e6qv9"),
        ("e6qv9", "Lockbox answered 404"),
        ("e6qgone", "Version e6qgone is scheduled for destruction"),
        (
            "e6qgone",
            "a version that is to be destroyed, cannot be read",
        ),
        ("x", "Illegal argument versionId"),
    ] {
        let reference = format!("yandexcloudlockbox:e6qshop#password#{version}");
        STORE.fails(&reference, Instead::Never, 1, &[words]);
    }
}

#[test]
fn a_login_that_fails_is_made_once() {
    let server = Server::start(|request| {
        let sent = String::from_utf8_lossy(&request.body);
        refusal(401, 16, &format!("JWT is expired: {sent}"))
    });
    let references: Vec<String> = (0..5).map(STORE.numbered).collect();
    let run = settings(super::program(&references, "20s"), &server.url()).run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    for words in [
        "the login to Yandex Cloud failed",
        "Yandex Cloud's IAM answered 401",
        "JWT is expired: {\"jwt\":\"[redacted]\"}",
        "check AVP_YCL_KEY_ID, AVP_YCL_SERVICE_ACCOUNT_ID and AVP_YCL_PRIVATE_KEY",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert_eq!(server.lines(), ["POST /iam/v1/tokens"]);
}

/// What the fake refuses shows that it looks.
#[test]
fn a_statement_of_another_key_or_account_is_refused() {
    let other = KeyPair::generate_for(&PKCS_RSA_SHA256)
        .unwrap()
        .serialize_pem();
    for (name, value, reason) in [
        ("AVP_YCL_PRIVATE_KEY", other.as_str(), "a wrong signature"),
        ("AVP_YCL_KEY_ID", "ajeother", "another header"),
        ("AVP_YCL_SERVICE_ACCOUNT_ID", "ajeother", "for another"),
    ] {
        let server = Server::start(answer);
        let program = super::program(&[STORE.current.to_owned()], "20s");
        let run = settings(program, &server.url()).env(name, value).run();
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        assert!(run.stderr.contains(reason), "{reason}: {}", run.stderr);
    }
}

#[test]
fn settings_that_are_missing_or_wrong() {
    let elliptic = KeyPair::generate().unwrap().serialize_pem();
    let parsing = "private key parsing failed: AVP_YCL_PRIVATE_KEY";
    for (name, value, message, hint) in [
        (
            "AVP_YCL_KEY_ID",
            "",
            "AVP_YCL_KEY_ID, AVP_YCL_SERVICE_ACCOUNT_ID and AVP_YCL_PRIVATE_KEY are required for yandex cloud lockbox",
            "set AVP_YCL_KEY_ID",
        ),
        (
            "AVP_YCL_PRIVATE_KEY",
            "cnry",
            parsing,
            "there is no private key in it",
        ),
        (
            "AVP_YCL_PRIVATE_KEY",
            &elliptic,
            parsing,
            "its private key is not RSA",
        ),
        (
            "MANIFUSE_YANDEX_LOCKBOX_ENDPOINT",
            "lockbox",
            "MANIFUSE_YANDEX_LOCKBOX_ENDPOINT cannot be used: it is not a URL",
            "for example https://payload.lockbox.api.cloud.yandex.net",
        ),
    ] {
        let program = super::program(&[STORE.current.to_owned()], "20s");
        let run = settings(program, "https://127.0.0.1:1")
            .env(name, value)
            .run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        for words in [message, hint] {
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        }
    }
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/yandexcloudlockbox.md");
    let server = Server::start(answer);
    let program = example(page).env("AVP_TYPE", "yandexcloudlockbox");
    let run = settings(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let wanted = format!("  password: {VALUE}\n  previous: {OLD}\n");
    assert!(text.contains(&wanted), "{text}");
}
