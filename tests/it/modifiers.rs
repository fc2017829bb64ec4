//! `default` and `required` through the whole program: what counts as missing, what does not, and how often Vault is
//! asked. And `toYaml` before readers that are not ours.

use manifuse::modifier;
use manifuse::secret::{Number, Value};
use manifuse::yaml::writer::{self, Reader};
use proptest::prelude::*;

use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};
use crate::support::{core_yaml, kube_yaml};

fn vault(request: &Request) -> Reply {
    match request.target.as_str() {
        "/v1/secret/data/db" => Reply::json(
            200,
            r#"{"data":{"data":{"user":"alice","null":null,"json":"null"}}}"#,
        ),
        "/v1/secret/data/closed" => Reply::json(403, r#"{"errors":["permission denied"]}"#),
        "/v1/secret/data/down" => Reply::json(500, r#"{"errors":["internal error"]}"#),
        _ => Reply::json(404, r#"{"errors":[]}"#),
    }
}

/// What a run prints, its code, and what it asked for.
fn run(manifest: &str, program: fn(&[&str]) -> Program) -> (String, String, Option<i32>, usize) {
    let server = Server::start(vault);
    let run = program(&["generate", "-"])
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "t")
        .env("VAULT_ADDR", server.url())
        .env("VAULT_MAX_RETRIES", "0")
        .stdin(manifest)
        .run();
    let stdout = String::from_utf8(run.stdout).unwrap();
    (stdout, run.stderr, run.code, server.requests().len())
}

fn manifuse(args: &[&str]) -> Program {
    Program::manifuse(args.iter().copied())
}

fn avp(args: &[&str]) -> Program {
    Program::avp(args.iter().copied())
}

#[test]
fn default_is_for_what_is_absent() {
    let manifest = r#"kind: Deployment
key: <path:secret/data/db#nope | default "a \u007c b">
none: <path:secret/data/db#null | default x>
made: <path:secret/data/db#json | jsonParse | default x>
path: <path:secret/data/none#k | default x | base64encode>
again: <path:secret/data/none#k | default 3 | toInt>
there: <path:secret/data/db#user | default x>
"#;
    let expected =
        "kind: Deployment\nkey: a | b\nnone: x\nmade: x\npath: eA==\nagain: 3\nthere: alice\n";
    for program in [manifuse, avp] {
        let (stdout, stderr, code, requests) = run(manifest, program);
        assert_eq!((stderr.as_str(), code), ("", Some(0)));
        assert_eq!(stdout.trim_end_matches("---\n"), expected);
        assert_eq!(requests, 2);
    }
}

#[test]
fn default_hides_no_failure() {
    for (path, code, says) in [
        ("closed", 3, "permission denied"),
        ("down", 3, "internal error"),
    ] {
        let manifest = format!("kind: X\nv: <path:secret/data/{path}#k | default x>\n");
        let (stdout, stderr, exit, _) = run(&manifest, manifuse);
        assert_eq!((stdout.as_str(), exit), ("", Some(code)), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}

#[test]
fn default_wins_over_remove_missing_and_required_does_too() {
    let head = "kind: Secret\nmetadata:\n  annotations:\n    avp.kubernetes.io/path: secret/data/db\n    \
                avp.kubernetes.io/remove-missing: \"true\"\nstringData:\n";
    let manifest = format!("{head}  a: <nope | default x>\n  b: <nope | trim>\n  c: <user>\n");
    let (stdout, stderr, _, _) = run(&manifest, manifuse);
    assert_eq!(stdout, format!("{head}  a: x\n  c: alice\n"), "{stderr}");

    let manifest = format!("{head}  a: <nope | required \"ask the db team\">\n");
    let (stdout, stderr, code, _) = run(&manifest, manifuse);
    assert_eq!((stdout.as_str(), code), ("", Some(1)));
    assert!(
        stderr.contains("placeholder nope: ask the db team"),
        "{stderr}"
    );
}

#[test]
fn an_absent_annotated_secret_may_be_expected() {
    let manifest = |value: &str| {
        format!(
            "kind: X\nmetadata: {{annotations: {{avp.kubernetes.io/path: secret/data/none}}}}\n{value}"
        )
    };
    let (stdout, stderr, code, requests) = run(&manifest("a: <k | default x>\n"), manifuse);
    assert_eq!((stderr.as_str(), code, requests), ("", Some(0), 1));
    assert_eq!(stdout, manifest("a: x\n"));
    for value in ["a: 1\n", "a: <k | default x>\nb: <k>\n"] {
        let (_, stderr, code, _) = run(&manifest(value), manifuse);
        assert_eq!(code, Some(1));
        assert_eq!(
            stderr.matches("Could not find secrets").count(),
            1,
            "{stderr}"
        );
    }
    let (_, stderr, _, _) = run(&manifest("a: <k | required \"why\">\n"), manifuse);
    assert!(
        stderr.contains("placeholder k: why") && !stderr.contains("Could not"),
        "{stderr}"
    );
}

#[test]
fn a_broken_quote_is_told_at_its_placeholder() {
    let manifest = "kind: X\na: 1\nb: x <path:secret/data/db#user | default \"a | b\">\n";
    let (stdout, stderr, code, _) = run(manifest, manifuse);
    assert_eq!((stdout.as_str(), code), ("", Some(1)));
    let message =
        "default: the quote at byte 8 is not closed for placeholder path:secret/data/db#user";
    assert!(
        stderr.contains(message) && stderr.contains(":3:6"),
        "{stderr}"
    );
    assert!(
        stderr.contains(r"inside quotes write | as \u007c"),
        "{stderr}"
    );
}

/// Values whose strings and keys trip readers.
fn values() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        "[-?:,#&*!|>'\"%@`<=a0_~.é\n\t {}\\[\\]\\\\]{0,6}",
        prop::sample::select(&[
            "yes",
            "n",
            "1:30",
            "0o7",
            "2020-01-01",
            "1e3",
            "<<",
            "---",
            "..."
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        texts.clone().prop_map(Value::string),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "-?(0|[1-9][0-9]{0,9})([.][0-9]{1,3}e[0-9])?"
            .prop_map(|literal| Value::Number(Number::from_literal(literal))),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((texts.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

proptest! {
    /// Double-quoted flow style cannot be misread, so it says what block style should be read as.
    #[test]
    fn readers_that_are_not_ours_take_yaml_for_the_value(value in values()) {
        let value = Value::Map(vec![("v".to_owned(), value)]);
        let flow = writer::flow(&value, Reader::Yaml).unwrap();
        let applied = modifier::apply(&["toYaml".to_owned()], Some(value), "").unwrap();
        let block = modifier::stringify(&applied.value);
        let block = block.expose_str().unwrap();
        let kube = |text: &str| kube_yaml::document(text.as_bytes());
        prop_assert_eq!(kube(block).unwrap(), kube(&flow).unwrap(), "{}", block);
        let core = core_yaml::document;
        prop_assert_eq!(core(block).unwrap(), core(&flow).unwrap(), "{}", block);
    }
}
