//! Recorded cases: reads the bundles of `tests/golden/avp/`, whose format `bundle_avp.py` explains.

use std::collections::BTreeMap;

use super::fake_vault::{Answer, Table};

/// One recorded case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    /// `AREA/NAME`.
    pub(crate) id: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) stdin: Option<Vec<u8>>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) folders: Vec<String>,
    pub(crate) links: Vec<(String, String)>,
    /// How often the same call is made; the last one counts.
    pub(crate) runs: usize,
    pub(crate) vault: Table,
    pub(crate) expect: Expect,
    /// Whether ours does something else on purpose.
    pub(crate) differs: bool,
    /// How many requests argocd-vault-plugin made, all runs together.
    pub(crate) requests: usize,
}

/// What must come of a case.
#[derive(Clone, Debug, Default)]
pub(crate) enum Expect {
    /// These documents, a JSON list.
    Documents(String),
    /// A failure with empty stdout.
    #[default]
    Error,
    /// A failure with empty stdout, or the input as it is.
    Either,
}

/// The cases of an area's bundle.
pub(crate) fn cases(area: &str, bundle: &str) -> Vec<Case> {
    let mut reader = Reader {
        area,
        lines: bundle.lines().peekable(),
        tables: BTreeMap::new(),
        shared: String::new(),
        cases: Vec::new(),
    };
    while let Some(line) = reader.lines.next() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        reader.line(word, rest);
    }
    reader.cases
}

struct Reader<'b> {
    area: &'b str,
    lines: std::iter::Peekable<std::str::Lines<'b>>,
    tables: BTreeMap<String, Table>,
    /// The shared table that is being read.
    shared: String,
    cases: Vec<Case>,
}

/// What `usual` stands for.
const USUAL: [(&str, &str); 4] = [
    ("AVP_TYPE", "vault"),
    ("AVP_AUTH_TYPE", "token"),
    ("VAULT_TOKEN", "root-token"),
    ("VAULT_MAX_RETRIES", "0"),
];

impl Reader<'_> {
    fn line(&mut self, word: &str, rest: &str) {
        match word {
            "" | "#" | "rule" => {}
            "vault" => self.vault(rest),
            "answer" => self.table().push(rest),
            "status" => self.answer().status = rest.parse().unwrap(),
            "token" => self.answer().token = Some(value(rest)),
            "namespace" => self.answer().namespace = Some(value(rest)),
            "header" => {
                let (name, value) = rest.split_once(": ").unwrap();
                self.answer()
                    .headers
                    .push((name.to_owned(), value.to_owned()));
            }
            "request" => self.answer().request = Some(serde_json::from_str(rest).unwrap()),
            "body" => self.answer().body = self.text(),
            "kv2" => {
                let data = String::from_utf8(self.text()).unwrap();
                self.answer().body = wrapped(&data, rest).into_bytes();
            }
            "case" => self.cases.push(Case {
                id: format!("{}/{rest}", self.area),
                runs: 1,
                ..Case::default()
            }),
            _ => self.case_line(word, rest),
        }
    }

    fn case_line(&mut self, word: &str, rest: &str) {
        let text = if matches!(word, "stdin" | "file" | "expect") {
            self.text()
        } else {
            Vec::new()
        };
        let case = self.cases.last_mut().expect("a case is open");
        match word {
            "args" => case.args = serde_json::from_str(rest).unwrap(),
            "usual" => case
                .env
                .extend(USUAL.map(|(name, value)| (name.to_owned(), value.to_owned()))),
            "env" => {
                let (name, text) = rest.split_once('=').unwrap();
                case.env.insert(name.to_owned(), value(text));
            }
            "differs" => case.differs = true,
            "folder" => case.folders.push(rest.to_owned()),
            "link" => {
                let (name, target) = rest.split_once(' ').unwrap();
                case.links.push((name.to_owned(), target.to_owned()));
            }
            "runs" => case.runs = rest.parse().unwrap(),
            "requests" => case.requests = rest.parse().unwrap(),
            "stdin" => case.stdin = Some(text),
            "file" => case.files.push((rest.to_owned(), text)),
            "expect" => {
                case.expect = match rest.split(' ').next().unwrap() {
                    "documents" => Expect::Documents(String::from_utf8(text).unwrap()),
                    "error" => Expect::Error,
                    "either" => Expect::Either,
                    other => panic!("unknown expectation {other:?} in {}", case.id),
                }
            }
            _ => panic!("unknown word {word:?} in {}", case.id),
        }
    }

    /// Before the first case: a shared table begins. Inside a case: the name of one, or its own is about to follow.
    fn vault(&mut self, name: &str) {
        match self.cases.last_mut() {
            Some(case) if !name.is_empty() => case.vault = self.tables[name].clone(),
            Some(_) => {}
            None => name.clone_into(&mut self.shared),
        }
    }

    fn table(&mut self) -> &mut Table {
        match self.cases.last_mut() {
            Some(case) => &mut case.vault,
            None => self.tables.entry(self.shared.clone()).or_default(),
        }
    }

    fn answer(&mut self) -> &mut Answer {
        self.table().last()
    }

    fn text(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(line) = self.lines.next_if(|line| line.starts_with(['|', '%'])) {
            match line.split_at(1) {
                ("|", line) => {
                    text.extend_from_slice(line.as_bytes());
                    text.push(b'\n');
                }
                (_, line) => unescape(line, &mut text),
            }
        }
        text
    }
}

/// A value on the rest of a line: a JSON string where it would not be seen whole.
fn value(text: &str) -> String {
    if text.starts_with('"') {
        serde_json::from_str(text).unwrap()
    } else {
        text.to_owned()
    }
}

/// The bytes of a line behind `%`.
pub(crate) fn unescape(line: &str, text: &mut Vec<u8>) {
    let mut rest = line;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.extend_from_slice(plain.as_bytes());
        let length = if escape.starts_with('x') { 3 } else { 1 };
        let (code, tail) = escape.split_at(length);
        text.push(match code {
            "n" => b'\n',
            "r" => b'\r',
            "\\" => b'\\',
            hex => u8::from_str_radix(&hex[1..], 16).unwrap(),
        });
        rest = tail;
    }
    text.extend_from_slice(rest.as_bytes());
}

/// The answer for a secret of a KV version 2 store, as text, so that numbers keep their spelling.
fn wrapped(data: &str, version: &str) -> String {
    format!(
        r#"{{"request_id":"0a1b2c3d","lease_id":"","renewable":false,"lease_duration":0,"data":{{"data":{data},"metadata":{{"created_time":"2024-03-05T07:09:11.013Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":{version}}}}},"wrap_info":null,"warnings":null,"auth":null}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLE: &str = r#"# a bundle

vault shared
answer secret/data/a
kv2 3
|{"n": 1.50}

case 001-first
rule C1
args ["generate", "input"]
usual
env ROLE="a\n"
vault shared
link input/l.yaml ../files/x
file input/m.yaml
|kind: X
%a: \xff\r\n\\
expect documents
|[{"kind": "X"}]
requests 1

case 002-second
args ["generate", "-"]
vault
answer POST auth/login
status 400
token t
header Retry-After: 1
request {"a": 1}
body
%oops
stdin
expect error why
requests 2
"#;

    #[test]
    fn a_bundle_is_read() {
        let [first, second] = cases("area", BUNDLE).try_into().unwrap();
        assert_eq!(first.id, "area/001-first");
        assert_eq!(first.args, ["generate", "input"]);
        assert_eq!(first.env["AVP_AUTH_TYPE"], "token");
        assert_eq!(first.env["ROLE"], "a\n");
        assert_eq!(
            first.files,
            [(
                "input/m.yaml".to_owned(),
                b"kind: X\na: \xff\r\n\\".to_vec()
            )]
        );
        assert_eq!(
            first.links,
            [("input/l.yaml".to_owned(), "../files/x".to_owned())]
        );
        assert!(
            matches!(&first.expect, Expect::Documents(json) if json == "[{\"kind\": \"X\"}]\n")
        );
        let answer = &first.vault.answers("secret/data/a")[0];
        let body = String::from_utf8(answer.body.clone()).unwrap();
        assert!(
            body.contains("\"data\":{\"n\": 1.50}\n,") && body.contains("\"version\":3"),
            "{body}"
        );

        assert!(matches!(second.expect, Expect::Error));
        assert_eq!(
            (second.stdin.as_deref(), second.runs, second.requests),
            (Some(&b""[..]), 1, 2)
        );
        let answer = &second.vault.answers("POST auth/login")[0];
        assert_eq!((answer.status, answer.token.as_deref()), (400, Some("t")));
        assert_eq!(answer.headers, [("Retry-After".to_owned(), "1".to_owned())]);
        assert_eq!(answer.body, b"oops");
        assert!(second.vault.answers("secret/data/a").is_empty());
    }
}
