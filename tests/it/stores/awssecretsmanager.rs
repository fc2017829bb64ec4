//! AWS Secrets Manager as the fake has it:
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::aws::{
    self, ID, SESSION, asked, at, calls, fails, keys_of_a_role, plain, refusal, run, with_keys,
};
use super::{
    BYTES, CREDENTIAL, NUMBERED, OLD, Store, UNICODE, VALUE, large, program, suite, values,
};
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

pub(super) const STORE: Store = Store {
    current: "awssecretsmanager:shop/db#password",
    old: Some("awssecretsmanager:shop/db#password#AWSPREVIOUS"),
    unicode: "awssecretsmanager:shop/db#unicode",
    large: Some("awssecretsmanager:shop/db#large"),
    bytes: Some("awssecretsmanager:blob#SecretBinary"),
    absent_path: (
        "awssecretsmanager:none#password",
        "Could not find secret none",
    ),
    absent_key: Some("awssecretsmanager:shop/db#none"),
    numbered: |number| format!("awssecretsmanager:n{number}#password"),
    batch: 20,
    tls: true,
    settings: |program, url| with_keys(program, url).env("AWS_ENDPOINT_URL_SECRETS_MANAGER", url),
    answer,
    reads: |_| true,
    denied: || refusal("AccessDeniedException", "not authorized"),
    throttled: || refusal("ThrottlingException", "Rate exceeded"),
};

suite!(STORE);

const ID_OF_OLD: &str = "11111111-2222-3333-4444-555555555555";

/// The whole name of a secret.
fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:secretsmanager:{region}:123456789012:secret:{name}-AbCdEf")
}

fn answer(request: &Request) -> Reply {
    let asked = match asked(request, "secretsmanager", "secretsmanager") {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    match asked.call.as_str() {
        "GetSecretValue" => match held(&asked) {
            Some(secret) => Reply::json(200, secret.to_string()),
            None => refusal(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ),
        },
        "BatchGetSecretValue" => several(&asked),
        _ => refusal("UnknownOperationException", "no such call"),
    }
}

fn several(asked: &aws::Asked) -> Reply {
    let ids = asked.sent["SecretIdList"].as_array().unwrap();
    if ids.len() > 20 || asked.sent.as_object().unwrap().len() > 1 {
        return refusal("InvalidParameterException", "too many secrets");
    }
    let mut answer = json!({"SecretValues": [], "Errors": []});
    for id in ids {
        let one = aws::Asked {
            call: String::new(),
            region: asked.region.clone(),
            sent: json!({"SecretId": id}),
        };
        let (list, entry) = match held(&one) {
            Some(secret) => ("SecretValues", secret),
            None => (
                "Errors",
                json!({"SecretId": id, "ErrorCode": "ResourceNotFoundException"}),
            ),
        };
        answer[list].as_array_mut().unwrap().push(entry);
    }
    Reply::json(200, answer.to_string())
}

/// The secret that is asked for, by its name or ARN, in its version.
fn held(asked: &aws::Asked) -> Option<Json> {
    let id = asked.sent["SecretId"].as_str()?;
    let name = id.rsplit(':').next()?;
    let name = name.strip_suffix("-AbCdEf").unwrap_or(name);
    if id != name && !arn(&asked.region, name).starts_with(id) {
        return None;
    }
    let version = (&asked.sent["VersionStage"], &asked.sent["VersionId"]);
    let value = match (name, version) {
        ("shop/db", (Json::Null, Json::Null)) => {
            json!({"password": VALUE, "unicode": UNICODE, "large": large(), "port": 5432})
        }
        ("shop/db", (stage, Json::Null)) => match stage.as_str()? {
            "AWSCURRENT" => json!({"password": VALUE}),
            "AWSPREVIOUS" => json!({"password": OLD}),
            stage @ ("AWSPENDING" | "blue") => json!({"password": format!("in {stage}")}),
            _ => return None,
        },
        ("shop/db", (Json::Null, id)) if id == ID_OF_OLD => json!({"password": OLD}),
        (_, (Json::Null, Json::Null)) => match name {
            "shop/license" => return Some(entry(asked, name, "SecretString", "one text")),
            "list" => return Some(entry(asked, name, "SecretString", "[1]")),
            "null" => return Some(entry(asked, name, "SecretString", "null")),
            "blob" => {
                let bytes = STANDARD.encode(BYTES);
                return Some(entry(asked, name, "SecretBinary", &bytes));
            }
            "where" => json!({"region": asked.region}),
            _ => {
                let number: usize = name.strip_prefix('n')?.parse().ok()?;
                json!({"password": format!("{NUMBERED}{number}")})
            }
        },
        _ => return None,
    };
    Some(entry(asked, name, "SecretString", &value.to_string()))
}

fn entry(asked: &aws::Asked, name: &str, field: &str, value: &str) -> Json {
    json!({"ARN": arn(&asked.region, name), "Name": name, "VersionId": ID_OF_OLD, field: value})
}

#[test]
fn a_version_is_a_stage_of_awss_or_an_id_and_other_stages_are_called_so() {
    let server = Server::start(answer);
    let references = [
        "AWSCURRENT",
        "AWSPREVIOUS",
        "AWSPENDING",
        "stage:blue",
        ID_OF_OLD,
    ]
    .map(|version| format!("awssecretsmanager:shop/db#password#{version}"));
    let references = references.each_ref().map(String::as_str);
    let rendered = values(&run(&server, &references, plain));
    assert_eq!(rendered, [VALUE, OLD, "in AWSPENDING", "in blue", OLD]);
    let absent = run(&server, &["awssecretsmanager:shop/db#password#blue"], plain);
    fails(
        &absent,
        1,
        &["Could not find secret shop/db in version blue"],
    );
}

#[test]
fn an_arn_says_its_region_with_or_without_its_random_letters() {
    let server = Server::start(answer);
    let full = arn("ap-south-1", "where");
    let partial = full.strip_suffix("-AbCdEf").unwrap();
    let references = [full.as_str(), partial, "where"];
    let references = references.map(|path| format!("awssecretsmanager:{path}#region"));
    let references = references.each_ref().map(String::as_str);
    let rendered = values(&run(&server, &references, plain));
    assert_eq!(rendered, ["ap-south-1", "ap-south-1", "eu-west-1"]);
    // One call for both of a region, one for the other.
    let called: Vec<_> = calls(&server).into_iter().map(|(call, _)| call).collect();
    assert_eq!(called.len(), 2, "{called:?}");
    for path in [
        "arn:aws:ssm:eu-west-1:1:parameter/x",
        "arn:aws:secretsmanager:evil.example/#x:1:secret:x",
    ] {
        let reference = format!("awssecretsmanager:{}#k", path.replace('#', ""));
        let run = run(&server, &[&reference], plain);
        fails(&run, 1, &["is no ARN of secretsmanager"]);
    }
}

#[test]
fn a_text_without_keys_is_read_as_a_whole_only_by_its_own_key() {
    let server = Server::start(answer);
    let whole = ["shop/license", "list", "shop/db", "null"]
        .map(|name| format!("awssecretsmanager:{name}#SecretString"));
    let whole = whole.each_ref().map(String::as_str);
    let rendered = values(&run(&server, &whole, plain));
    assert_eq!(
        (&*rendered[0], &*rendered[1], &*rendered[3]),
        ("one text", "[1]", "null")
    );
    assert!(rendered[2].starts_with("{\"password\":"), "{}", rendered[2]);
    for (reference, says) in [
        (
            "shop/license#password",
            "the secret shop/license is not JSON, so it has no keys",
        ),
        (
            "list#password",
            "the secret list is no JSON object, so it has no keys",
        ),
        ("null#password", "null has no key password"),
        ("blob#password", "blob has no key password"),
    ] {
        let run = run(&server, &[&format!("awssecretsmanager:{reference}")], plain);
        fails(&run, 1, &[says]);
        let is_text = says.ends_with("no keys");
        assert_eq!(
            run.stderr.contains("#SecretString>"),
            is_text,
            "{}",
            run.stderr
        );
    }
}

#[test]
fn avps_rights_lack_the_batch_call_and_suffice() {
    let server =
        Server::start(
            |request| match asked(request, "secretsmanager", "secretsmanager") {
                Ok(asked) if asked.call == "BatchGetSecretValue" => {
                    refusal("AccessDeniedException", "no")
                }
                _ => answer(request),
            },
        );
    let references = [
        "awssecretsmanager:n1#password",
        "awssecretsmanager:n2#password",
    ];
    let rendered = values(&run(&server, &references, plain));
    assert_eq!(rendered, [format!("{NUMBERED}1"), format!("{NUMBERED}2")]);
    assert_eq!(server.requests().len(), 3);
}

/// What a batch does not bring is asked for alone, and the rest is not asked for again.
#[test]
fn of_a_batch_only_what_is_wrong_fails() {
    let server = Server::start(answer);
    let references = ["n1", "none", "n2"].map(|name| format!("awssecretsmanager:{name}#password"));
    let references = references.each_ref().map(String::as_str);
    let run = run(&server, &references, plain);
    fails(&run, 1, &["Could not find secret none"]);
    assert!(!run.stderr.contains("n1#"), "{}", run.stderr);
    assert_eq!(server.requests().len(), 2);
}

/// A large batch comes in parts. What is not in the first is asked for alone.
#[test]
fn a_batch_may_come_short() {
    let server =
        Server::start(
            |request| match asked(request, "secretsmanager", "secretsmanager") {
                Ok(mut asked) if asked.call == "BatchGetSecretValue" => {
                    asked.sent["SecretId"] = asked.sent["SecretIdList"][1].clone();
                    let answer = json!({"SecretValues": [held(&asked)], "NextToken": "more"});
                    Reply::json(200, answer.to_string())
                }
                _ => answer(request),
            },
        );
    let references = ["n1", "n2", "n3"].map(|name| format!("awssecretsmanager:{name}#password"));
    let references = references.each_ref().map(String::as_str);
    let rendered = values(&run(&server, &references, plain));
    assert_eq!(
        rendered,
        [1, 2, 3].map(|number| format!("{NUMBERED}{number}"))
    );
    assert_eq!(server.requests().len(), 3);
}

/// Refused with this code, a run ends with this exit code and these words.
fn refused(code: &'static str, exit: i32, words: &[&str]) {
    let server = Server::start(move |_| {
        let body = json!({"__type": code, "Message": format!("told {CREDENTIAL}")});
        let status = if code == "InternalServiceError" {
            500
        } else {
            400
        };
        Reply::json(status, body.to_string())
    });
    let run = run(
        &server,
        &["awssecretsmanager:shop/db#password"],
        |program| program.env("AWS_MAX_ATTEMPTS", "1"),
    );
    fails(&run, exit, words);
    assert_eq!(server.requests().len(), 1, "{code}");
}

#[test]
fn a_secret_that_is_refused_says_what_to_try() {
    let place = "in eu-west-1 (said by AWS_REGION); a secret of another region";
    refused(
        "ResourceNotFoundException",
        1,
        &["Could not find secret shop/db", place],
    );
    for (code, exit, words) in [
        ("InvalidRequestException", 1, "restore-secret"),
        ("DecryptionFailure", 3, "allow kms:Decrypt"),
        ("AccessDeniedException", 3, "a secret of another account"),
        ("InvalidParameterException", 1, "or its whole ARN"),
    ] {
        refused(code, exit, &[&format!("{code}: told"), words]);
    }
}

#[test]
fn a_caller_who_is_refused_hears_what_to_try() {
    for (code, words) in [
        ("ExpiredTokenException", "the credentials have expired"),
        ("UnrecognizedClientException", "does not know these"),
        (
            "InvalidSignatureException",
            "or this machine's clock is off",
        ),
        ("ThrottlingException", "raise AWS_MAX_ATTEMPTS"),
        ("LimitExceededException", "AWS allows no more calls"),
        ("InternalServiceError", "with 500"),
        ("NeverHeardOf", "with 400"),
    ] {
        refused(code, 3, &[&format!("{code}: told"), words]);
    }
}

#[test]
fn without_credentials_nothing_is_asked() {
    let server = Server::start(answer);
    let references = ["awssecretsmanager:shop/db#password".to_owned()];
    let run = at(program(&references, "20s"), &server.url()).run();
    fails(
        &run,
        2,
        &["no credentials for AWS were found", "aws sso login"],
    );
    assert!(server.requests().is_empty());
}

/// The SDK panics at some of these, and takes others for something else.
#[test]
fn variables_that_the_sdk_cannot_use_are_told() {
    let keys = |program: Program| {
        program
            .env("AWS_ACCESS_KEY_ID", ID)
            .env("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
    };
    let reference = ["awssecretsmanager:shop/db#password".to_owned()];
    let line_end = "holds a line end or a control character";
    for (name, value, words) in [
        ("AWS_MAX_ATTEMPTS", "many", "is no number of tries"),
        ("AWS_MAX_ATTEMPTS", "0", "is no number of tries"),
        (
            "AWS_USE_FIPS_ENDPOINT",
            "maybe",
            "is neither true nor false",
        ),
        ("AWS_ACCESS_KEY_ID", "AKIA\n", line_end),
        ("AWS_SECRET_ACCESS_KEY", "cnry-credential\n", line_end),
        ("AWS_SESSION_TOKEN", "cnry\ntoken", line_end),
    ] {
        let program = keys(program(&reference, "20s")).env(name, value);
        fails(&program.run(), 2, &[&format!("error: {name} {words}\n")]);
    }
    // What a profile says wrongly about tries has no effect.
    let server = Server::start(answer);
    let run = keys(at(program(&reference, "20s"), &server.url()))
        .file(
            "config",
            "[default]\nmax_attempts = many\nretry_mode = foo\n",
        )
        .env("AWS_CONFIG_FILE", "config")
        .run();
    assert_eq!(values(&run), [VALUE]);
}

#[test]
fn an_sso_session_that_has_ended_says_how_to_begin_anew() {
    let server = Server::start(answer);
    let references = ["awssecretsmanager:shop/db#password".to_owned()];
    let profile = "[profile people]\nsso_session = us\nsso_account_id = 123456789012\nsso_role_name = reader\n[sso-session us]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n";
    let run = at(program(&references, "20s"), &server.url())
        .file("config", profile)
        .env("AWS_CONFIG_FILE", "config")
        .env("AWS_PROFILE", "people")
        .run();
    fails(&run, 2, &["the login to AWS failed", "run: aws sso login"]);
    assert!(server.requests().is_empty());
}

/// The fake's clock is an hour ahead: what is signed by ours is refused there, and signed again by the fake's.
#[test]
fn a_clock_that_is_off_by_an_hour_is_made_good() {
    let server = Server::start(|request| {
        let there = SystemTime::now() + Duration::from_hours(1);
        let seconds = there
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let hour = seconds / 3600 % 24;
        let signed = request.header("x-amz-date").unwrap_or_default();
        let date = date(seconds);
        if signed.get(9..11) != Some(&format!("{hour:02}")) {
            return refusal("InvalidSignatureException", "Signature expired")
                .with_header("Date", &date);
        }
        answer(request).with_header("Date", &date)
    });
    let rendered = run(&server, &["awssecretsmanager:shop/db#password"], plain);
    assert_eq!(values(&rendered), [VALUE]);
    assert_eq!(server.requests().len(), 2);
}

/// Seconds since 1970 as the header `Date` has them.
fn date(seconds: u64) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", &format!("-d@{seconds}"), "+%a, %d %b %Y %H:%M:%S GMT"])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// AVP's rule: the variable, or us-east-2; not what a profile or another variable says.
#[test]
fn the_region_is_avps_unless_a_named_backend_follows_its_profile() {
    let server = Server::start(answer);
    let reference = |name: &str| [format!("{name}:where#region")];
    let keys = |program: Program| {
        at(program, &server.url())
            .file("config", format!("[profile team]\nregion = eu-north-1\naws_access_key_id = {ID}\naws_secret_access_key = {CREDENTIAL}\n"))
            .file("manifuse.yaml", "backends: {team: {type: awssecretsmanager, profile: team}, home: {type: awssecretsmanager, profile: team, region: sa-east-1}, other: {type: awssecretsmanager}}\n")
            .env("AWS_CONFIG_FILE", "config")
    };
    let flat = keys(program(&reference("awssecretsmanager"), "20s"))
        .env("AWS_ACCESS_KEY_ID", ID)
        .env("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
        .env("AWS_PROFILE", "team")
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        // The backends of that type have other names.
        .env("MANIFUSE_WARN", "odd-setting=off")
        .run();
    assert_eq!(values(&flat), ["us-east-2"]);
    // The keys of the environment are wrong: a profile that a backend names wins over them.
    let named = |name: &str| {
        keys(program(&reference(name), "20s"))
            .env("AWS_ACCESS_KEY_ID", "AKIAOTHER")
            .env("AWS_SECRET_ACCESS_KEY", "other")
    };
    assert_eq!(values(&named("team").run()), ["eu-north-1"]);
    assert_eq!(values(&named("home").run()), ["sa-east-1"]);
    let by_variable = keys(program(&reference("other"), "20s")).env("AWS_PROFILE", "team");
    assert_eq!(values(&by_variable.run()), ["eu-north-1"]);
}

#[test]
fn a_text_that_is_no_region_leads_nowhere() {
    let server = Server::start(answer);
    let run = run(
        &server,
        &["awssecretsmanager:shop/db#password"],
        |program| program.env("ARGOCD_ENV_AWS_REGION", "evil.example/cnry-#"),
    );
    fails(
        &run,
        2,
        &["AWS_REGION (the environment variable ARGOCD_ENV_AWS_REGION) is no name of a region"],
    );
    assert!(server.requests().is_empty());
}

/// STS, and the stores for those with the keys of the role.
fn behind_a_role(request: &Request) -> Reply {
    let form = String::from_utf8_lossy(&request.body).into_owned();
    if !form.contains("Action=AssumeRole") {
        return match request.header("x-amz-security-token") {
            Some(SESSION) => answer(request),
            _ => refusal("UnrecognizedClientException", "no session"),
        };
    }
    let wanted = [
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader",
        "ExternalId=shop-42",
        "RoleSessionName=argocd",
    ];
    if wanted.iter().all(|wanted| form.contains(wanted)) {
        return keys_of_a_role("AssumeRole");
    }
    let error = "<Type>Sender</Type><Code>AccessDenied</Code><Message>not yours</Message>";
    Reply::new(
        403,
        format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>"),
    )
}

/// Reads by a backend `prod` with these settings and keys that may only assume the role.
fn with_role(server: &Server, references: &[&str], settings: &str) -> Program {
    let settings = format!("backends: {{prod: {{type: awssecretsmanager{settings}}}}}\n");
    let references: Vec<String> = references.iter().map(ToString::to_string).collect();
    at(program(&references, "20s"), &server.url())
        .file("manifuse.yaml", settings)
        .env("AWS_ACCESS_KEY_ID", "AKIAOWN")
        .env("AWS_SECRET_ACCESS_KEY", "own")
}

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

/// One login for all regions, with what the role's owner wants to hear.
#[test]
fn a_role_is_assumed_once() {
    let server = Server::start(behind_a_role);
    let references = [
        &*format!("prod:{}#region", arn("ap-south-1", "where")),
        "prod:where#region",
    ];
    let settings =
        format!(", region: eu-west-3, role: '{ROLE}', externalId: shop-42, roleSession: argocd");
    let run = with_role(&server, &references, &settings).run();
    assert_eq!(values(&run), ["ap-south-1", "eu-west-3"]);
    assert_eq!(server.requests().len(), 3);
    let by_variables = with_role(&server, &references[1..], "")
        .env("AWS_REGION", "eu-west-3")
        .env("AWS_ROLE_SESSION_NAME", "argocd")
        .env("MANIFUSE_AWS_ROLE", ROLE)
        .env("MANIFUSE_AWS_EXTERNAL_ID", "shop-42");
    assert_eq!(values(&by_variables.run()), ["eu-west-3"]);
}

#[test]
fn each_backend_has_its_own_addresses_and_tries() {
    let (stores, sts) = (Server::start(answer), Server::start(behind_a_role));
    let broken = Server::start(|_| refusal("ThrottlingException", "later"));
    let settings = format!(
        "backends:
  prod: {{type: awssecretsmanager, endpoint: '{}', stsEndpoint: '{}', role: '{ROLE}', externalId: shop-42, roleSession: argocd}}
  test: {{type: awssecretsmanager, endpoint: '{}', maxAttempts: 2}}
",
        stores.url(),
        sts.url(),
        broken.url(),
    );
    let run = |reference: &str| {
        program(&[reference.to_owned()], "20s")
            .file("manifuse.yaml", &settings)
            .env("AWS_ACCESS_KEY_ID", "AKIAOWN")
            .env("AWS_SECRET_ACCESS_KEY", "own")
            .run()
    };
    assert_eq!(values(&run("prod:where#region")), ["us-east-2"]);
    assert_eq!((stores.requests().len(), sts.requests().len()), (1, 1));
    fails(&run("test:where#region"), 3, &["AWS allows no more calls"]);
    assert_eq!(broken.requests().len(), 2);
}

#[test]
fn a_role_that_does_not_trust_us_is_told() {
    let server = Server::start(behind_a_role);
    let settings = format!(", role: '{ROLE}', externalId: other");
    let run = with_role(&server, &["prod:where#region"], &settings).run();
    let words = [
        "the login to AWS failed",
        "AccessDenied: not yours",
        "the role must trust",
    ];
    fails(&run, 3, &words);
}

#[test]
fn an_external_id_alone_is_an_error() {
    let run = run(
        &Server::start(answer),
        &["awssecretsmanager:shop/db#password"],
        |program| program.env("MANIFUSE_AWS_EXTERNAL_ID", "x"),
    );
    fails(&run, 2, &["MANIFUSE_AWS_EXTERNAL_ID is set without a role"]);
}

/// Whoever writes manifests does not say which file is sent.
#[test]
fn an_application_names_no_file_of_a_token() {
    let server = Server::start(behind_a_role);
    let references = ["awssecretsmanager:where#region".to_owned()];
    let by = |prefix: &str| {
        at(program(&references, "20s"), &server.url())
            .file("token", "e.y.J")
            .env(&format!("{prefix}AWS_WEB_IDENTITY_TOKEN_FILE"), "token")
            .env(&format!("{prefix}AWS_ROLE_ARN"), ROLE)
            .run()
    };
    let words = ["no credentials for AWS were found"];
    fails(&by("ARGOCD_ENV_"), 2, &words);
    assert!(server.requests().is_empty());
    fails(&by(""), 3, &["the login to AWS failed"]);
    assert_eq!(server.requests().len(), 1);
}

/// Whoever writes manifests does not say who gets signed requests.
#[test]
fn an_application_sets_no_address() {
    let (server, stranger) = (Server::start(answer), Server::start(answer));
    let references = ["awssecretsmanager:shop/db#password".to_owned()];
    let run = with_keys(program(&references, "20s"), "http://127.0.0.1:1")
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url())
        .env("ARGOCD_ENV_AWS_ENDPOINT_URL", stranger.url())
        .env(
            "ARGOCD_ENV_AWS_ENDPOINT_URL_SECRETS_MANAGER",
            stranger.url(),
        )
        .run();
    assert_eq!(values(&run), [VALUE]);
    assert!(stranger.requests().is_empty());
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/awssecretsmanager.md");
    let server = Server::start(answer);
    let program = super::example(page).env("AVP_TYPE", "awssecretsmanager");
    let run = with_keys(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let wanted = format!(
        "  password: {VALUE}\n  previous: {OLD}\n  elsewhere: {VALUE}\n  license: one text\n"
    );
    assert!(text.ends_with(&wanted), "{text}");
}
