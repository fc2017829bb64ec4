//! AWS KMS: the whole chain of credentials, addresses, roots, tries, and refusals.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Told, decryption, fails, recorded, works};
use crate::support::certificates::Certificates;
use crate::support::key_server::Replay;
use crate::support::program::Run;
use crate::support::server::{Reply, Request, Server};
use crate::support::sigv4;
use crate::vault::tunnel;

const ID: &str = "AKIACANARY";
const SECRET: &str = "CANARYsecret";
const SESSION: &str = "CANARYsession";

/// KMS as in the recorded case, for those who sign with these keys.
fn kms(request: &Request) -> Reply {
    match sigv4::check(request, |id| (id == ID).then(|| SECRET.to_owned())) {
        Err(reason) => refusal(400, "InvalidSignatureException", &reason),
        Ok(signed) if (&*signed.region, &*signed.service) != ("eu-west-1", "kms") => {
            refusal(400, "InvalidSignatureException", "wrong scope")
        }
        Ok(_) => {
            let exchange = &recorded("aws-kms").exchanges[0];
            let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(sent, exchange["request"]["body"]);
            Reply::json(200, exchange["response"]["body"].to_string())
        }
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = serde_json::json!({"__type": code, "message": message});
    Reply::json(status, body.to_string())
}

/// What STS gives: the keys that KMS knows.
fn keys_of_a_role(action: &str) -> Reply {
    Reply::new(
        200,
        format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>{ID}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{SESSION}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
        ),
    )
}

/// What a container's or an instance's metadata give.
fn keys_of_metadata() -> Reply {
    Reply::json(
        200,
        format!(
            r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}","Token":"{SESSION}","Expiration":"2099-01-01T00:00:00Z","LastUpdated":"2020-01-01T00:00:00Z"}}"#
        ),
    )
}

/// With static keys and this server for everything.
fn with_keys<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Run {
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ACCESS_KEY_ID", ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    variables.extend(more);
    decryption(&recorded("aws-kms").encrypted, &variables).run()
}

/// The same without keys.
fn without_keys(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Run {
    let mut program = decryption(&recorded("aws-kms").encrypted, variables);
    for (path, text) in files {
        program = program.file(path, text);
    }
    program.run()
}

#[test]
fn static_keys_sign_each_request() {
    let server = Server::start(|request| match request.header("x-amz-security-token") {
        Some(SESSION) => kms(request),
        _ => refusal(400, "UnrecognizedClientException", "no session"),
    });
    works(&with_keys(&server.url(), &[("AWS_SESSION_TOKEN", SESSION)]));
    let run = with_keys(&server.url(), &[("AWS_SESSION_TOKEN", "CANARYold")]);
    fails(
        &run,
        "AWS KMS answered Decrypt with 400: UnrecognizedClientException: no session",
        &["CANARYold", SECRET],
    );
    let server = Server::start(kms);
    let run = with_keys(&server.url(), &[("AWS_SECRET_ACCESS_KEY", "CANARYother")]);
    fails(
        &run,
        "InvalidSignatureException: the signature is not that of this request and key",
        &["CANARYother"],
    );
}

#[test]
fn profiles_come_from_files_and_a_named_one_wins() {
    let server = Server::start(kms);
    let url = server.url();
    let profile = format!("aws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n");
    let files = [
        ("config", &*format!("[profile team]\n{profile}")),
        ("credentials", &*format!("[other]\n{profile}")),
    ];
    let base = [
        ("AWS_ENDPOINT_URL_KMS", &*url),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "{dir}/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "{dir}/credentials"),
    ];
    for name in ["team", "other"] {
        works(&without_keys(
            &[&base[..], &[("AWS_PROFILE", name)]].concat(),
            &files,
        ));
    }
    let none = without_keys(&base, &files);
    fails(&none, "no credentials for AWS were found", &[SECRET]);
    let wrong = without_keys(&[&base[..], &[("AWS_PROFILE", "absent")]].concat(), &files);
    fails(&wrong, "no credentials for AWS were found", &[SECRET]);
    // The profile that the file names wins over keys of the environment, as in sops.
    let text = recorded("aws-kms")
        .encrypted
        .replace("aws_profile: \"\"", "aws_profile: team");
    let stranger = [
        ("AWS_ACCESS_KEY_ID", "AKIAOTHER"),
        ("AWS_SECRET_ACCESS_KEY", "other"),
    ];
    let variables = [&base[..], &stranger[..]].concat();
    let program = decryption(&text, &variables).file("config", files[0].1);
    works(&program.run());
}

#[test]
fn a_command_of_a_profile_gives_keys_and_its_output_is_not_shown() {
    let server = Server::start(kms);
    let url = server.url();
    let base = [
        ("AWS_ENDPOINT_URL", &*url),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "{dir}/config"),
    ];
    let printed = format!(r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}"}}"#);
    let config = "[default]\ncredential_process = cat {dir}/printed\n";
    let run = |config: &str, printed: &str| {
        let program = decryption(&recorded("aws-kms").encrypted, &base);
        let folder = program.folder().display().to_string();
        let program = program.file("config", config.replace("{dir}", &folder));
        program.file("printed", printed).run()
    };
    works(&run(config, &printed));
    fails(
        &run(config, "{\"CANARY\": CANARY"),
        "the login to AWS failed",
        &["CANARY"],
    );
    let config = "[default]\ncredential_process = sh -c 'echo CANARY; echo CANARY >&2; exit 3'\n";
    fails(&run(config, ""), "the login to AWS failed", &["CANARY"]);
    // Whoever writes manifests may not name the file that names the command.
    let program = decryption(&recorded("aws-kms").encrypted, &base[..2]);
    let folder = program.folder().display().to_string();
    let program = program.file(
        "config",
        format!("[default]\ncredential_process = touch {folder}/ran\n"),
    );
    let program = program.env("ARGOCD_ENV_AWS_CONFIG_FILE", format!("{folder}/config"));
    program.run();
    assert!(!std::path::Path::new(&folder).join("ran").exists());
}

#[test]
fn a_web_identity_is_exchanged_for_keys() {
    let server = Server::start(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if !body.contains("Action=") {
            return kms(request);
        }
        for part in [
            "Action=AssumeRoleWithWebIdentity",
            "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr",
            "RoleSessionName=me",
            "WebIdentityToken=CANARYjwt",
        ] {
            assert!(body.contains(part), "{body}");
        }
        keys_of_a_role("AssumeRoleWithWebIdentity")
    });
    let variables = [
        ("AWS_ENDPOINT_URL_KMS", &*server.url()),
        ("AWS_ENDPOINT_URL_STS", &*server.url()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "{dir}/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ("AWS_ROLE_SESSION_NAME", "me"),
    ];
    works(&without_keys(&variables, &[("token", "CANARYjwt")]));
}

#[test]
fn a_container_gives_keys() {
    let server = Server::start(|request| match request.method.as_str() {
        "GET" if request.header("authorization") != Some("CANARYcontainer") => Reply::new(403, ""),
        "GET" => keys_of_metadata(),
        _ => kms(request),
    });
    let uri = format!("{}/creds", server.url());
    let base = [
        ("AWS_ENDPOINT_URL", &*server.url()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*uri),
    ];
    let token = [("AWS_CONTAINER_AUTHORIZATION_TOKEN", "CANARYcontainer")];
    works(&without_keys(&[&base[..], &token].concat(), &[]));
    let file = [("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "{dir}/token")];
    works(&without_keys(
        &[&base[..], &file].concat(),
        &[("token", "CANARYcontainer")],
    ));
    let wrong = [("AWS_CONTAINER_AUTHORIZATION_TOKEN", "CANARYwrong")];
    let run = without_keys(&[&base[..], &wrong].concat(), &[]);
    fails(&run, "the login to AWS failed", &["CANARY"]);
    let relative = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "no path");
    let run = without_keys(&[base[0], base[1], relative], &[]);
    fails(&run, "the login to AWS failed", &["CANARY"]);
}

#[test]
fn the_metadata_of_an_instance_give_keys() {
    let server = Server::start(|request| match request.line().as_str() {
        "PUT /latest/api/token" => {
            Reply::new(200, "t").with_header("x-aws-ec2-metadata-token-ttl-seconds", "600")
        }
        "GET /latest/meta-data/iam/security-credentials/"
        | "GET /latest/meta-data/iam/security-credentials-extended/" => Reply::new(200, "role"),
        "GET /latest/meta-data/iam/security-credentials/role"
        | "GET /latest/meta-data/iam/security-credentials-extended/role" => keys_of_metadata(),
        _ => kms(request),
    });
    let url = server.url();
    let base = [
        ("AWS_ENDPOINT_URL", &*url),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url),
    ];
    works(&without_keys(&base, &[]));
    let off = [("AWS_EC2_METADATA_DISABLED", "true")];
    let run = without_keys(&[&base[..], &off].concat(), &[]);
    fails(&run, "no credentials for AWS were found", &[SECRET]);
}

#[test]
fn a_role_is_assumed_as_sops_does_it() {
    let case = recorded("aws-kms-role");
    let replay = Replay::new(case.exchanges.clone());
    let answers = replay.clone();
    let server = Server::start(move |request| answers.answer(request));
    let url = server.url();
    let variables = [
        ("AWS_ENDPOINT_URL", &*url),
        ("AWS_ACCESS_KEY_ID", "AKIATESTONLY"),
        ("AWS_SECRET_ACCESS_KEY", "test-only"),
    ];
    works(&decryption(&case.encrypted, &variables).run());
    assert_eq!(replay.strange(), Vec::<String>::new());
    assert_eq!(server.requests().len(), 2);
    let denied = Server::start(|_| {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>";
        Reply::new(403, body)
    });
    let url = denied.url();
    let run = decryption(
        &case.encrypted,
        &[&[("AWS_ENDPOINT_URL", &*url)], &variables[1..]].concat(),
    )
    .run();
    fails(
        &run,
        "the login to AWS failed: AccessDenied: not yours",
        &["test-only"],
    );
}

#[test]
fn the_bundle_of_roots_is_trusted() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let server = Server::start_tls(certificates.server(), kms);
    let url = server.url();
    let run = |bundle: Option<&str>| {
        let mut variables = vec![
            ("AWS_ENDPOINT_URL", &*url),
            ("AWS_ACCESS_KEY_ID", ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ];
        variables.extend(bundle.map(|bundle| ("AWS_CA_BUNDLE", bundle)));
        let files = [("ca.pem", &*certificates.ca_pem), ("odd.pem", "CANARY")];
        without_keys(&variables, &files)
    };
    works(&run(Some("{dir}/ca.pem")));
    fails(
        &run(None),
        "no connection to AWS KMS for Decrypt",
        &[SECRET],
    );
    fails(
        &run(Some("{dir}/odd.pem")),
        "there is no certificate in it",
        &["CANARY"],
    );
    fails(
        &run(Some("{dir}/absent.pem")),
        "no such file or directory",
        &[],
    );
}

/// Which host is asked for, told by a proxy. The region is the key's alone.
#[test]
fn addresses_follow_the_key_and_the_settings() {
    let certificates = Certificates::new(&["*.eu-west-1.amazonaws.com", "kms.eu-west-1.api.aws"]);
    let server = Server::start_tls(certificates.server(), kms);
    let (proxy, wishes) = tunnel::proxy(&server.url().replace("https://", ""), tunnel::connect);
    let proxy = format!("http://{proxy}");
    for (variables, host) in [
        (
            &[("AWS_REGION", "us-east-1")][..],
            "kms.eu-west-1.amazonaws.com",
        ),
        (
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            "kms-fips.eu-west-1.amazonaws.com",
        ),
        (
            &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            "kms.eu-west-1.api.aws",
        ),
        (
            &[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ],
            "kms.eu-west-1.amazonaws.com",
        ),
    ] {
        let base = [
            ("HTTPS_PROXY", &*proxy),
            ("AWS_CA_BUNDLE", "{dir}/ca.pem"),
            ("AWS_ACCESS_KEY_ID", ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ];
        let run = without_keys(
            &[&base[..], variables].concat(),
            &[("ca.pem", &certificates.ca_pem)],
        );
        works(&run);
        let wish = wishes.lock().unwrap().pop().unwrap();
        assert_eq!(wish, format!("CONNECT {host}:443 HTTP/1.1"));
    }
}

#[test]
fn tries_are_repeated_and_counted() {
    for (status, code) in [
        (400, "ThrottlingException"),
        (500, "KMSInternalException"),
        (503, "X"),
    ] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
            0 => refusal(status, code, "later"),
            _ => kms(request),
        });
        works(&with_keys(&server.url(), &[]));
        assert_eq!(server.requests().len(), 2, "{code}");
        let server = Server::start(move |_| refusal(status, code, "never"));
        let run = with_keys(&server.url(), &[("AWS_MAX_ATTEMPTS", "1")]);
        fails(
            &run,
            &format!("AWS KMS answered Decrypt with {status}: {code}: never"),
            &[SECRET],
        );
        assert_eq!(server.requests().len(), 1, "{code}");
    }
}

#[test]
fn refusals_and_nonsense_are_told_without_secrets() {
    let answers: [Told; 6] = [
        (
            |_| {
                refusal(
                    400,
                    "AccessDeniedException",
                    "not authorized to perform: kms:Decrypt",
                )
            },
            "400: AccessDeniedException: not authorized to perform: kms:Decrypt",
        ),
        (
            |_| {
                refusal(
                    400,
                    "ExpiredTokenException",
                    "the token CANARYsession is expired",
                )
            },
            "ExpiredTokenException: the token [redacted] is expired",
        ),
        (
            |_| {
                refusal(
                    403,
                    "SignatureDoesNotMatch",
                    "it does not match\nThe canonical string was CANARYsession",
                )
            },
            "SignatureDoesNotMatch: it does not match",
        ),
        (
            |_| Reply::json(200, "{\"Plaintext\": CANARY"),
            "AWS KMS answered Decrypt with 200 and something unreadable",
        ),
        (
            |_| Reply::json(200, "{}"),
            "AWS KMS answered Decrypt without a result",
        ),
        (|_| Reply::Close, "no connection to AWS KMS for Decrypt"),
    ];
    for (answer, says) in answers {
        let server = Server::start(answer);
        let more = [("AWS_SESSION_TOKEN", SESSION), ("AWS_MAX_ATTEMPTS", "1")];
        fails(&with_keys(&server.url(), &more), says, &["CANARY"]);
    }
}

#[test]
fn what_is_no_wrapped_key_is_never_sent() {
    let server = Server::start(|_| Reply::Close);
    let text = recorded("aws-kms").encrypted.replace("enc: Zm", "enc: -Z");
    let run = decryption(&text, &[("AWS_ENDPOINT_URL", &server.url())]).run();
    fails(&run, "the wrapped key is not base64", &[]);
    let text = recorded("aws-kms")
        .encrypted
        .replace(":eu-west-1:", ":evil.example/#:");
    let run = decryption(
        &text,
        &[("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET)],
    )
    .run();
    fails(
        &run,
        "its arn is not that of a key or alias of AWS KMS",
        &[SECRET],
    );
    assert!(server.requests().is_empty());
}

/// Flux's Secret of keys: its keys win over all others, and a profile means nothing beside them.
#[test]
fn a_folder_of_keys_holds_keys() {
    let server = Server::start(kms);
    let keys = format!("aws_access_key_id: {ID}\naws_secret_access_key: {SECRET}\n");
    let text = recorded("aws-kms")
        .encrypted
        .replace("aws_profile: \"\"", "aws_profile: absent");
    let run = |file: &str| {
        let variables = [
            ("AWS_ENDPOINT_URL", &*server.url()),
            ("MANIFUSE_SOPS_KEYS", "{dir}/keys"),
        ];
        decryption(&text, &variables)
            .file("keys/sops.aws-kms", file)
            .run()
    };
    works(&run(&keys));
    fails(
        &run(&keys.replace("_access_key:", "_key:")),
        "sops.aws-kms says no aws_secret_access_key",
        &[SECRET],
    );
    fails(
        &run("CANARY"),
        "sops.aws-kms is no map in YAML or JSON",
        &["CANARY"],
    );
}

/// A server that is slow is not waited for longer than a run may take.
#[test]
fn silence_ends_with_the_time_limit() {
    let silent = Mutex::new(());
    let server = Server::start(move |_| {
        drop(silent.lock());
        Reply::Silence
    });
    let manifest = recorded("aws-kms").encrypted;
    let program = crate::support::program::Program::manifuse(["generate", "--timeout", "1s", "-"]);
    let program = program.stdin(format!("kind: X\n{manifest}"));
    let program = program.env("AWS_ENDPOINT_URL", server.url());
    let program = program
        .env("AWS_ACCESS_KEY_ID", ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    let start = std::time::Instant::now();
    let run = program.run();
    fails(&run, "AWS KMS did not answer Decrypt in time", &[SECRET]);
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// A key wraps with its context, and unwraps with the same.
#[test]
fn a_data_key_is_wrapped_and_unwrapped() {
    let wrapped: Mutex<Option<(serde_json::Value, serde_json::Value)>> = Mutex::default();
    let server = Server::start(move |request| {
        let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(sent["KeyId"], "arn:aws:kms:eu-west-1:1:alias/shop");
        let mut wrapped = wrapped.lock().unwrap();
        if request.header("x-amz-target") == Some("TrentService.Encrypt") {
            *wrapped = Some((sent["EncryptionContext"].clone(), sent["Plaintext"].clone()));
            return Reply::json(200, r#"{"CiphertextBlob":"d3JhcHBlZA=="}"#);
        }
        let (context, key) = wrapped.clone().unwrap();
        assert_eq!(sent["CiphertextBlob"], "d3JhcHBlZA==");
        assert_eq!(sent["EncryptionContext"], context);
        assert_eq!(context, serde_json::json!({"app": "shop"}));
        Reply::json(200, serde_json::json!({"Plaintext": key}).to_string())
    });
    let variables = [
        ("AWS_ENDPOINT_URL", &*server.url()),
        ("AWS_ACCESS_KEY_ID", ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let rule = "kms: [{arn: 'arn:aws:kms:eu-west-1:1:alias/shop', context: {app: shop}}]";
    let text = super::goes_round(rule, &variables);
    assert!(text.contains("enc: d3JhcHBlZA=="), "{text}");
}
