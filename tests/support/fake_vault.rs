//! A fake Vault: answers from a table, counts what it was asked.
//!
//! Anything that is not in the table is a 404 without errors, as a real Vault answers for a secret that is not there.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::server::{Reply, Request, Server};

/// Answers by request: a path below `/v1/` with its query for GET, `POST path` for POST and PUT (clients differ).
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    answers: Vec<(String, Answer)>,
}

/// One answer, and what a request must carry to get it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The token that must be sent, else 403; an empty one must not be sent at all.
    pub(crate) token: Option<String>,
    /// The namespace that must be sent, else 404.
    pub(crate) namespace: Option<String>,
    /// The JSON body that must be sent, else 400.
    pub(crate) request: Option<serde_json::Value>,
}

impl Table {
    /// Adds an answer; of several for one request each is given once, and the last one stays.
    pub(crate) fn push(&mut self, request: &str) {
        let answer = Answer {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            token: None,
            namespace: None,
            request: None,
        };
        self.answers.push((request.to_owned(), answer));
    }

    /// The answer that was added last.
    pub(crate) fn last(&mut self) -> &mut Answer {
        &mut self.answers.last_mut().expect("an answer was added").1
    }

    /// Every answer.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().map(|(_, answer)| answer)
    }

    /// The answers for a request, in order.
    pub(crate) fn answers(&self, request: &str) -> Vec<&Answer> {
        self.answers
            .iter()
            .filter(|(name, _)| name == request)
            .map(|(_, answer)| answer)
            .collect()
    }
}

/// Serves a table on loopback until it is dropped; the server counts the requests.
pub(crate) fn start(table: Table) -> Server {
    let asked: Mutex<BTreeMap<String, usize>> = Mutex::default();
    Server::start(move |request| {
        let name = name(request);
        let earlier = {
            let mut asked = asked.lock().unwrap();
            let count = asked.entry(name.clone()).or_default();
            *count += 1;
            *count - 1
        };
        let answers = table.answers(&name);
        let answer = answers.get(earlier.min(answers.len().saturating_sub(1)));
        reply(answer.copied(), request)
    })
}

fn name(request: &Request) -> String {
    let path = request
        .target
        .strip_prefix("/v1/")
        .unwrap_or(&request.target);
    match request.method.as_str() {
        "GET" => path.to_owned(),
        "PUT" => format!("POST {path}"),
        method => format!("{method} {path}"),
    }
}

fn reply(answer: Option<&Answer>, request: &Request) -> Reply {
    let header = |name| request.header(name).unwrap_or_default();
    let Some(answer) = answer else {
        return Reply::json(404, "{\"errors\":[]}\n");
    };
    if answer
        .namespace
        .as_ref()
        .is_some_and(|wanted| header("x-vault-namespace") != wanted)
    {
        return Reply::json(404, "{\"errors\":[]}\n");
    }
    if answer
        .token
        .as_ref()
        .is_some_and(|wanted| header("x-vault-token") != wanted)
    {
        return Reply::json(403, "{\"errors\":[\"permission denied\"]}\n");
    }
    if answer
        .request
        .as_ref()
        .is_some_and(|wanted| serde_json::from_slice(&request.body).ok().as_ref() != Some(wanted))
    {
        return Reply::json(400, "{\"errors\":[\"invalid login request\"]}\n");
    }
    let reply = Reply::json(answer.status, answer.body.clone());
    answer
        .headers
        .iter()
        .fold(reply, |reply, (name, value)| reply.with_header(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str, headers: &[(&str, &str)], body: &str) -> Request {
        let (method, target) = line.split_once(' ').unwrap();
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn status(answer: &Answer, request: &Request) -> u16 {
        match reply(Some(answer), request) {
            Reply::Answer { status, .. } => status,
            other => panic!("no answer: {other:?}"),
        }
    }

    #[test]
    fn requests_have_names() {
        assert_eq!(
            name(&request("GET /v1/secret/data/a?version=2", &[], "")),
            "secret/data/a?version=2"
        );
        assert_eq!(name(&request("PUT /v1/auth/x", &[], "")), "POST auth/x");
        assert_eq!(name(&request("LIST /v1/a", &[], "")), "LIST a");
    }

    #[test]
    fn an_answer_wants_its_token_namespace_and_body() {
        let mut table = Table::default();
        table.push("POST login");
        let answer = table.last();
        answer.token = Some("t".to_owned());
        answer.namespace = Some("team".to_owned());
        answer.request = Some(serde_json::json!({"role": "r"}));
        let (token, namespace) = (("x-vault-token", "t"), ("x-vault-namespace", "team"));
        let line = "POST /v1/login";
        assert_eq!(
            status(
                answer,
                &request(line, &[token, namespace], r#"{ "role": "r" }"#)
            ),
            200
        );
        assert_eq!(
            status(answer, &request(line, &[token], r#"{"role":"r"}"#)),
            404
        );
        assert_eq!(
            status(answer, &request(line, &[namespace], r#"{"role":"r"}"#)),
            403
        );
        assert_eq!(
            status(answer, &request(line, &[token, namespace], "{}")),
            400
        );
        assert_eq!(status(answer, &request(line, &[token, namespace], "")), 400);
    }

    #[test]
    fn the_last_of_several_answers_stays() {
        let mut table = Table::default();
        for status in [500, 200] {
            table.push("a");
            table.last().status = status;
        }
        let server = start(table);
        let get = |path: &str| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(async {
                    reqwest::get(format!("{}{path}", server.url()))
                        .await
                        .unwrap()
                        .status()
                        .as_u16()
                })
        };
        assert_eq!(
            [get("/v1/a"), get("/v1/a"), get("/v1/a"), get("/v1/b")],
            [500, 200, 200, 404]
        );
        assert_eq!(server.lines().len(), 4);
    }
}
