//! What the fakes of AWS's stores have in common: signed requests of the JSON protocol, and refusals.

use serde_json::{Value as Json, json};

use super::{CANARIES, CREDENTIAL, program};
use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};
use crate::support::sigv4;

/// The id of the key whose secret is [`CREDENTIAL`].
pub(super) const ID: &str = "AKIAEXAMPLE";

/// What goes with the keys of a role.
pub(super) const SESSION: &str = "cnry-token-session";

/// The settings that lead to a fake at this address.
pub(super) fn with_keys(program: Program, url: &str) -> Program {
    at(program, url)
        .env("AWS_ACCESS_KEY_ID", ID)
        .env("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
        .env("AWS_REGION", "eu-west-1")
}

/// The same without credentials and region.
pub(super) fn at(program: Program, url: &str) -> Program {
    program
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_EC2_METADATA_DISABLED", "true")
}

/// A refusal as services with JSON give it.
pub(super) fn refusal(code: &str, message: &str) -> Reply {
    let body = json!({"__type": code, "Message": message});
    Reply::json(400, body.to_string())
}

/// A call as the real services take it.
pub(super) struct Asked {
    /// The operation.
    pub(super) call: String,
    /// The region that it is signed for.
    pub(super) region: String,
    /// What was sent.
    pub(super) sent: Json,
}

/// Checks form and signature of a call; a refusal where either is wrong.
pub(super) fn asked(request: &Request, service: &str, prefix: &str) -> Result<Asked, Reply> {
    let secret = |id: &str| (id == ID).then(|| CREDENTIAL.to_owned());
    let signed = sigv4::check(request, secret)
        .map_err(|reason| refusal("InvalidSignatureException", &reason))?;
    let json = request.header("content-type") == Some("application/x-amz-json-1.1");
    let call = request.header("x-amz-target");
    let call = call.and_then(|target| target.strip_prefix(prefix)?.strip_prefix('.'));
    match call {
        Some(call) if json && request.line() == "POST /" && signed.service == service => {
            Ok(Asked {
                call: call.to_owned(),
                region: signed.region,
                sent: serde_json::from_slice(&request.body).unwrap_or_default(),
            })
        }
        _ => Err(refusal("UnknownOperationException", "no such call")),
    }
}

/// STS, which gives the keys that the stores know. With other keys: `own` is their id and secret.
pub(super) fn keys_of_a_role(action: &str) -> Reply {
    Reply::new(
        200,
        format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>{ID}</AccessKeyId><SecretAccessKey>{CREDENTIAL}</SecretAccessKey><SessionToken>{SESSION}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
        ),
    )
}

/// The calls that a server has seen: the operation, and what was sent.
pub(super) fn calls(server: &Server) -> Vec<(String, Json)> {
    let requests = server.requests();
    let calls = requests.iter().map(|request| {
        let target = request.header("x-amz-target").unwrap_or_default();
        let call = target.rsplit('.').next().unwrap_or_default();
        let sent = serde_json::from_slice(&request.body).unwrap_or_default();
        (call.to_owned(), sent)
    });
    calls.collect()
}

/// Renders references with keys for this server and what is changed besides.
pub(super) fn run(server: &Server, references: &[&str], more: fn(Program) -> Program) -> Run {
    let references: Vec<String> = references.iter().map(ToString::to_string).collect();
    more(with_keys(program(&references, "20s"), &server.url())).run()
}

/// Nothing is changed.
pub(super) fn plain(program: Program) -> Program {
    program
}

/// It failed with this exit code and these words.
pub(super) fn fails(run: &Run, code: i32, words: &[&str]) {
    let told = &run.stderr;
    assert_eq!((run.code, run.stdout.len()), (Some(code), 0), "{told}");
    for words in words {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(
        !CANARIES.iter().any(|canary| told.contains(canary)),
        "{told}"
    );
}
