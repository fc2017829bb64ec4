//! A server that replays what a recorded key service was asked and what it answered, and checks what the service itself
//! would: method, path, body, tokens, signatures.

use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

use super::server::{Reply, Request};
use super::sigv4;

/// The exchanges of a recorded case, and what came that was not among them.
#[derive(Clone)]
pub(crate) struct Replay {
    exchanges: Arc<Vec<Json>>,
    strange: Arc<Mutex<Vec<String>>>,
}

impl Replay {
    pub(crate) fn new(exchanges: Vec<Json>) -> Self {
        Self {
            exchanges: Arc::new(exchanges),
            strange: Arc::default(),
        }
    }

    /// The recorded answer of the first exchange that fits, else a refusal.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let mut reasons = Vec::new();
        for exchange in self.exchanges.iter() {
            match differs(exchange, request) {
                None => return reply(&exchange["response"]),
                Some(reason) => reasons.push(reason),
            }
        }
        let strange = format!("{}: {}", request.line(), reasons.join("; "));
        self.strange.lock().unwrap().push(strange);
        Reply::json(400, r#"{"error":{"code":"not recorded"}}"#)
    }

    /// What did not fit, and why not.
    pub(crate) fn strange(&self) -> Vec<String> {
        self.strange.lock().unwrap().clone()
    }
}

fn reply(response: &Json) -> Reply {
    let status = response["status"].as_u64().unwrap();
    let body = match &response["body"] {
        Json::String(text) => text.clone(),
        body => body.to_string(),
    };
    let headers = response["headers"].as_object().unwrap();
    let bare = Reply::new(u16::try_from(status).unwrap(), body);
    headers.iter().fold(bare, |reply, (name, value)| {
        reply.with_header(name, value.as_str().unwrap())
    })
}

/// What of a request is not as it was recorded.
fn differs(exchange: &Json, request: &Request) -> Option<String> {
    let (service, recorded) = (&exchange["service"], &exchange["request"]);
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    if recorded["method"] != *request.method || recorded["path"] != *path {
        return Some("another request".to_owned());
    }
    if service == "azure-identity" && recorded["query"] != *query {
        return Some(format!("the query is {query}"));
    }
    let headers = recorded["headers"].as_object().unwrap();
    let authorized = headers.contains_key("authorization");
    if authorized != request.header("authorization").is_some() {
        return Some("with a token, or without one".to_owned());
    }
    for (name, value) in headers {
        let (value, sent) = (value.as_str().unwrap(), request.header(name));
        let fits = match name.as_str() {
            "authorization" if value.starts_with("AWS4-") => match signed_otherwise(value, request)
            {
                None => true,
                reason => return reason,
            },
            "content-type" => sent.is_some_and(|sent| sent.starts_with(value)),
            _ => sent == Some(value),
        };
        if !fits {
            return Some(format!("{name} is not as recorded"));
        }
    }
    let fits = match &recorded["body"] {
        Json::Null => true,
        Json::String(form) => fields(form) == fields(&String::from_utf8_lossy(&request.body)),
        body => {
            let mut body = body.clone();
            if service == "gcp" {
                // It stands in the path.
                body.as_object_mut().unwrap().remove("name");
            }
            serde_json::from_slice(&request.body).is_ok_and(|sent: Json| sent == body)
        }
    };
    (!fits).then(|| "the body is not as recorded".to_owned())
}

/// Test keys of AWS have one secret; those that a role gave need their session.
fn signed_otherwise(recorded: &str, request: &Request) -> Option<String> {
    let signed = match sigv4::check(request, |_| Some("test-only".to_owned())) {
        Ok(signed) => signed,
        Err(reason) => return Some(reason),
    };
    let sigv4::Signed {
        key_id,
        region,
        service,
    } = signed;
    if !recorded.contains(&format!("Credential={key_id}/<date>/{region}/{service}/")) {
        return Some(format!("signed for {key_id} in {region}"));
    }
    let session = request.header("x-amz-security-token");
    (key_id.starts_with("ASIA") && session != Some("test-only")).then(|| "no session".to_owned())
}

/// The fields of a form, sorted. What a session is called depends on the machine.
fn fields(form: &str) -> Vec<String> {
    let field = |field: &str| match field.split_once("sops%40") {
        Some((name, _)) => name.to_owned(),
        None => field.to_owned(),
    };
    let mut fields: Vec<String> = form.split('&').map(field).collect();
    fields.sort_unstable();
    fields
}
