//! Secrets Manager, the Parameter Store and STS on a server that was not made by us.

use serde_json::{Value as Json, json};

use super::{call, variables};
use crate::stores::{program, values};
use crate::support::program::{Program, Run};

fn run(references: &[&str], more: impl Fn(Program) -> Program) -> Run {
    let references: Vec<String> = references.iter().map(ToString::to_string).collect();
    let mut program = program(&references, "60s").env("AWS_REGION", "eu-west-1");
    for (name, value) in variables() {
        program = program.env(name, value);
    }
    more(program).run()
}

fn rendered(references: &[&str], more: impl Fn(Program) -> Program) -> Vec<String> {
    values(&run(references, more))
}

fn same(program: Program) -> Program {
    program
}

fn secret(region: &str, name: &str, value: &Json) -> Json {
    let sent = json!({"Name": name, "SecretString": value.to_string()});
    call(
        "secretsmanager",
        region,
        "secretsmanager.CreateSecret",
        &sent,
    )
}

fn parameter(name: &str, value: &str) -> Json {
    let sent = json!({"Name": name, "Value": value, "Type": "SecureString", "Overwrite": true});
    call("ssm", "eu-west-1", "AmazonSSM.PutParameter", &sent)
}

#[test]
#[ignore = "needs the live AWS of tests/live/run"]
fn secrets_by_name_arn_and_version() {
    let first = secret(
        "eu-west-1",
        "live/db",
        &json!({"password": "before", "port": 5432}),
    );
    let sent = json!({"SecretId": "live/db", "SecretString": "{\"password\": \"now\"}"});
    call(
        "secretsmanager",
        "eu-west-1",
        "secretsmanager.PutSecretValue",
        &sent,
    );
    let far = secret("ap-south-1", "live/far", &json!({"password": "far away"}));
    let blob = json!({"Name": "live/blob", "SecretBinary": "//4AYQ=="});
    call(
        "secretsmanager",
        "eu-west-1",
        "secretsmanager.CreateSecret",
        &blob,
    );
    let id = first["VersionId"].as_str().unwrap();
    let references = [
        "awssecretsmanager:live/db#password".to_owned(),
        "awssecretsmanager:live/db#password#AWSPREVIOUS".to_owned(),
        format!("awssecretsmanager:live/db#password#{id}"),
        format!(
            "awssecretsmanager:{}#password",
            far["ARN"].as_str().unwrap()
        ),
        "awssecretsmanager:live/db#SecretString".to_owned(),
        "awssecretsmanager:live/blob#SecretBinary | toString | base64encode".to_owned(),
    ];
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    let expected = [
        "now",
        "before",
        "before",
        "far away",
        "{\"password\": \"now\"}",
        "//4AYQ==",
    ];
    assert_eq!(rendered(&references, same), expected);
}

#[test]
#[ignore = "needs the live AWS of tests/live/run"]
fn many_secrets_and_those_that_are_not_there() {
    for number in 0..45 {
        secret(
            "eu-west-1",
            &format!("live/n{number}"),
            &json!({"k": format!("value {number}")}),
        );
    }
    let references: Vec<String> = (0..45)
        .map(|n| format!("awssecretsmanager:live/n{n}#k"))
        .collect();
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    let expected: Vec<String> = (0..45).map(|n| format!("value {n}")).collect();
    assert_eq!(rendered(&references, same), expected);
    call(
        "secretsmanager",
        "eu-west-1",
        "secretsmanager.DeleteSecret",
        &json!({"SecretId": "live/n44"}),
    );
    let gone = run(
        &[
            "awssecretsmanager:live/n1#k",
            "awssecretsmanager:live/n44#k",
            "awssecretsmanager:live/none#k",
        ],
        same,
    );
    assert_eq!((gone.code, gone.stdout.len()), (Some(1), 0));
    for words in [
        "restore-secret",
        "Could not find secret live/none",
        "in eu-west-1 (said by AWS_REGION)",
    ] {
        assert!(gone.stderr.contains(words), "{}", gone.stderr);
    }
}

#[test]
#[ignore = "needs the live AWS of tests/live/run"]
fn parameters_by_path_version_and_label() {
    parameter("/live/shop/password", "before");
    let sent = json!({"Name": "/live/shop/password", "Labels": ["blue"], "ParameterVersion": 1});
    call("ssm", "eu-west-1", "AmazonSSM.LabelParameterVersion", &sent);
    parameter("/live/shop/password", "now");
    parameter("live-token", "no path");
    let references = [
        "awsssm:/live/shop#password",
        "awsssm:/live/shop#password#1",
        "awsssm:/live/shop#password#blue",
        "awsssm:-#live-token",
    ];
    assert_eq!(
        rendered(&references, same),
        ["now", "before", "before", "no path"]
    );
    for number in 0..23 {
        parameter(&format!("/live/many/p{number}"), &format!("value {number}"));
    }
    let references: Vec<String> = (0..23).map(|n| format!("awsssm:/live/many#p{n}")).collect();
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    let expected: Vec<String> = (0..23).map(|n| format!("value {n}")).collect();
    assert_eq!(rendered(&references, same), expected);
    let whole = |program: Program| {
        program.stdin("kind: ConfigMap\nmetadata:\n  annotations: {manifuse.io/backend: awsssm, avp.kubernetes.io/path: /live/many}\ndata:\n  v0: <p0>\n  v1: <p22>\n")
    };
    assert_eq!(rendered(&[], whole), ["value 0", "value 22"]);
    let absent = run(&["awsssm:/live/shop#none"], same);
    assert!(
        absent.stderr.contains("/live/shop has no key none"),
        "{}",
        absent.stderr
    );
}

#[test]
#[ignore = "needs the live AWS of tests/live/run"]
fn a_role_and_a_web_identity_read_too() {
    secret("eu-west-1", "live/role", &json!({"k": "by a role"}));
    let role = "arn:aws:iam::123456789012:role/reader";
    let assumed = |program: Program| {
        program
            .env("MANIFUSE_AWS_ROLE", role)
            .env("MANIFUSE_AWS_EXTERNAL_ID", "shop-42")
    };
    let references = ["awssecretsmanager:live/role#k"];
    assert_eq!(rendered(&references, assumed), ["by a role"]);
    let web = |program: Program| {
        program
            .file("token", "a.b.c")
            .env("AWS_ACCESS_KEY_ID", "")
            .env("AWS_SECRET_ACCESS_KEY", "")
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "token")
            .env("AWS_ROLE_ARN", role)
    };
    assert_eq!(rendered(&references, web), ["by a role"]);
}
