//! The Parameter Store as the fake has it:
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>.

use serde_json::{Value as Json, json};

use super::aws::{Asked, asked, calls, fails, plain, refusal, run, with_keys};
use super::{CREDENTIAL, NUMBERED, OLD, Store, UNICODE, VALUE, program, suite, values};
use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};

pub(super) const STORE: Store = Store {
    current: "awsssm:/shop/db#password",
    old: Some("awsssm:/shop/db#password#1"),
    unicode: "awsssm:/shop/db#unicode",
    // The largest parameter holds 8 KiB.
    large: None,
    // It holds texts only.
    bytes: None,
    absent_path: ("awsssm:/none#password", "/none has no key password"),
    absent_key: Some("awsssm:/shop/db#none"),
    numbered: |number| format!("awsssm:/numbers/n{number}#password"),
    batch: 10,
    tls: true,
    settings: |program, url| with_keys(program, url).env("AWS_ENDPOINT_URL_SSM", url),
    answer,
    reads: |_| true,
    denied: || refusal("AccessDeniedException", "not authorized"),
    throttled: || refusal("ThrottlingException", "Rate exceeded"),
};

suite!(STORE);

fn answer(request: &Request) -> Reply {
    let asked = match asked(request, "ssm", "AmazonSSM") {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let decrypted = asked.sent["WithDecryption"] == true;
    match asked.call.as_str() {
        "GetParameters" => several(&asked, decrypted),
        "GetParameter" => match held(&asked, asked.sent["Name"].as_str().unwrap(), decrypted) {
            Some(parameter) => Reply::json(200, json!({"Parameter": parameter}).to_string()),
            None => refusal("ParameterNotFound", ""),
        },
        "GetParametersByPath" => below(&asked, decrypted),
        _ => refusal("UnknownOperationException", "no such call"),
    }
}

fn several(asked: &Asked, decrypted: bool) -> Reply {
    let names = asked.sent["Names"].as_array().unwrap();
    if names.len() > 10 {
        return refusal("ValidationException", "too many names");
    }
    let mut answer = json!({"Parameters": [], "InvalidParameters": []});
    for name in names {
        let (list, entry) = match held(asked, name.as_str().unwrap(), decrypted) {
            Some(parameter) => ("Parameters", parameter),
            None => ("InvalidParameters", name.clone()),
        };
        // The real one answers in an order of its own.
        answer[list].as_array_mut().unwrap().insert(0, entry);
    }
    Reply::json(200, answer.to_string())
}

/// Ten a page at most; here one.
fn below(asked: &Asked, decrypted: bool) -> Reply {
    let path = asked.sent["Path"].as_str().unwrap();
    let label = &asked.sent["ParameterFilters"][0];
    let found = match path {
        _ if asked.sent["Recursive"] != true => vec![],
        "/shop" if label.is_null() => {
            vec!["/shop/db/password", "/shop/db/unicode", "/shop/db/user"]
        }
        "/shop" if *label == json!({"Key": "Label", "Option": "Equals", "Values": ["blue"]}) => {
            vec!["/shop/db/password:blue"]
        }
        "/" => vec!["/shop/db/password"],
        _ => vec![],
    };
    let page: usize = asked.sent["NextToken"]
        .as_str()
        .map_or(0, |token| token.parse().unwrap());
    let mut answer = json!({"Parameters": []});
    if let Some(name) = found.get(page) {
        answer["Parameters"] = json!([held(asked, name, decrypted)]);
    }
    if page + 1 < found.len() {
        answer["NextToken"] = json!((page + 1).to_string());
    }
    Reply::json(200, answer.to_string())
}

/// A parameter by its name or ARN, with a version or a label.
fn held(asked: &Asked, asked_for: &str, decrypted: bool) -> Option<Json> {
    let region = &asked.region;
    let arn = format!("arn:aws:ssm:{region}:123456789012:parameter");
    let path = asked_for.strip_prefix(&arn).unwrap_or(asked_for);
    let (name, selector) = match path.split_once(':') {
        Some((name, selector)) => (name, Some(selector)),
        None => (path, None),
    };
    let (value, version) = match (name, selector) {
        ("/shop/db/password", None | Some("2")) => (VALUE.to_owned(), 2),
        ("/shop/db/password", Some("1" | "blue")) => (OLD.to_owned(), 1),
        ("/shop/db/unicode", None) => (UNICODE.to_owned(), 1),
        ("/shop/db/user", None) => ("ada".to_owned(), 1),
        ("/where", None) => (region.clone(), 1),
        ("token", None) => ("without a path".to_owned(), 1),
        ("/shared/license", None) => ("one text".to_owned(), 1),
        (name, None) => {
            let number = name.strip_prefix("/numbers/n")?.strip_suffix("/password")?;
            (format!("{NUMBERED}{}", number.parse::<usize>().ok()?), 1)
        }
        _ => return None,
    };
    let value = if decrypted {
        value
    } else {
        "sealed".to_owned()
    };
    let parameter = json!({"Name": name, "Type": "SecureString", "Value": value, "Version": version, "ARN": format!("{arn}{name}")});
    Some(parameter)
}

fn called(server: &Server) -> Vec<String> {
    calls(server).into_iter().map(|(call, _)| call).collect()
}

/// Ten by a call, of one secret or of several.
#[test]
fn keys_of_all_paths_share_calls() {
    let server = Server::start(answer);
    let arn = "awsssm:arn:aws:ssm:eu-west-1:123456789012:parameter/shop/db#user";
    let references = [
        "awsssm:/shop/db#password",
        "awsssm:/shop/db/#unicode",
        "awsssm:/shop/db#password#blue",
        "awsssm:/shop/db#password#1",
        "awsssm:/shop#db/user",
        "awsssm:-#token",
        "awsssm:/#where",
    ];
    let rendered = values(&run(&server, &references, plain));
    assert_eq!(
        rendered,
        [
            VALUE,
            UNICODE,
            OLD,
            OLD,
            "ada",
            "without a path",
            "eu-west-1"
        ]
    );
    // One name in two versions would not be told apart: a call for each version.
    assert_eq!(called(&server), ["GetParameters"; 3]);
    let elsewhere = "awsssm:arn:aws:ssm:ap-south-1:123456789012:parameter#where";
    let rendered = values(&run(&server, &[arn, elsewhere], plain));
    assert_eq!(rendered, ["ada", "ap-south-1"]);
    assert_eq!(called(&server).len(), 5);
}

fn annotated(path: &str, version: &str, data: &str) -> String {
    format!(
        "kind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    manifuse.io/backend: awsssm\n    avp.kubernetes.io/path: {path}\n    avp.kubernetes.io/secret-version: \"{version}\"\ndata:\n{data}"
    )
}

fn rendered(server: &Server, manifest: String) -> Run {
    let program = Program::manifuse(["generate", "-"]).stdin(manifest);
    with_keys(program, &server.url()).run()
}

#[test]
fn a_whole_path_is_read_with_all_below_it() {
    let server = Server::start(answer);
    let data = "  v0: <db/password>\n  v1: <db/user>\n";
    let run = rendered(&server, annotated("/shop", "", data));
    assert_eq!(values(&run), [VALUE, "ada"]);
    assert_eq!(called(&server), ["GetParametersByPath"; 3]);
    let run = rendered(&server, annotated("/shop", "blue", "  v0: <db/password>\n"));
    assert_eq!(values(&run), [OLD]);
    for (path, version, says) in [
        ("/none", "", "there are no parameters below /none"),
        (
            "shop",
            "",
            "the path shop stands for no part of the hierarchy",
        ),
        ("/shop", "3", "version 3 is that of one parameter"),
    ] {
        let run = rendered(&server, annotated(path, version, "  v0: <password>\n"));
        fails(&run, 1, &[says]);
    }
}

/// One that may not be read, or whose KMS key may not be used, makes the real service refuse all ten.
#[test]
fn of_a_batch_only_what_is_wrong_fails() {
    let server = Server::start(|request| {
        let sent = String::from_utf8_lossy(&request.body);
        if sent.contains("/shop/db/unicode") {
            return refusal("AccessDeniedException", &format!("no {CREDENTIAL}"));
        }
        answer(request)
    });
    let references = [
        "awsssm:/shop/db#password",
        "awsssm:/shop/db#unicode",
        "awsssm:/shop/db#user",
    ];
    let both = run(&server, &references, plain);
    fails(
        &both,
        3,
        &[
            "the key unicode may not be read",
            "allow ssm:GetParameter for it",
            "AccessDeniedException: no [redacted]",
        ],
    );
    assert!(
        !both.stderr.contains("v0") && !both.stderr.contains("v2"),
        "{}",
        both.stderr
    );
    assert_eq!(
        called(&server),
        [
            "GetParameters",
            "GetParameter",
            "GetParameter",
            "GetParameter"
        ]
    );
    let one = run(&server, &references[1..2], plain);
    fails(&one, 3, &["allow ssm:GetParameter for it, and kms:Decrypt"]);
}

#[test]
fn what_is_nowhere_says_where_it_was_looked_for() {
    let server = Server::start(answer);
    let run = run(&server, &["awsssm:/none#password#7"], plain);
    let words = [
        "/none has no key password in version 7",
        "in eu-west-1 (said by AWS_REGION)",
    ];
    fails(&run, 1, &words);
}

#[test]
fn each_refusal_says_what_to_try() {
    let cases: [(&str, i32, &str); 4] = [
        ("InvalidKeyId", 3, "its KMS key is disabled or gone"),
        ("ValidationException", 1, "a name is made of the path"),
        ("ExpiredTokenException", 3, "the credentials have expired"),
        ("ThrottlingException", 3, "AWS allows no more calls for now"),
    ];
    for (code, exit, words) in cases {
        let server = Server::start(move |_| refusal(code, &format!("told {CREDENTIAL}")));
        let run = run(&server, &["awsssm:/shop/db#password"], |program| {
            program.env("AWS_MAX_ATTEMPTS", "1")
        });
        fails(&run, exit, &[words]);
    }
}

#[test]
fn an_application_sets_no_address() {
    let (server, stranger) = (Server::start(answer), Server::start(answer));
    let references = ["awsssm:/shop/db#password".to_owned()];
    let run = with_keys(program(&references, "20s"), "http://127.0.0.1:1")
        .env("AWS_ENDPOINT_URL_SSM", server.url())
        .env("ARGOCD_ENV_AWS_ENDPOINT_URL_SSM", stranger.url())
        .run();
    assert_eq!(values(&run), [VALUE]);
    assert!(stranger.requests().is_empty());
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/awsssm.md");
    let server = Server::start(answer);
    let run = with_keys(super::example(page), &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let wanted = format!(
        "  password: {VALUE}\n  before: {OLD}\n  labelled: {OLD}\n  deeper: ada\n  token: without a path\n  shared: one text\n"
    );
    assert!(text.ends_with(&wanted), "{text}");
}

#[test]
fn a_parameter_without_a_value_makes_no_sense() {
    let server = Server::start(|_| {
        let parameter = json!({"Name": "/shop/db/password", "Version": 1});
        Reply::json(200, json!({"Parameters": [parameter]}).to_string())
    });
    let run = run(&server, &["awsssm:/shop/db#password"], plain);
    fails(
        &run,
        1,
        &["AWS Systems Manager gave a parameter without a value"],
    );
}
