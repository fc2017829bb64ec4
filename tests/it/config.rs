//! `manifuse config`: what is set and by whom, without a credential and without a network.

use manifuse::backends::registry::{TYPES, Type};
use manifuse::settings::variables;

use crate::support::program::{Program, Run};

const SETTINGS: &str = "\
defaultBackend: prod
backends:
  prod:
    type: vault
    address: https://me:CANARY@vault.example.com/?CANARY
    auth: {type: approle, roleId: CANARY}
  files: {type: sops, ageKeyFile: keys.txt}
AWS_RETRY_MODE: adaptive
";

/// The names of types, as messages list them.
fn types(which: fn(&&Type) -> bool) -> String {
    let names: Vec<_> = TYPES.iter().filter(which).map(|kind| kind.name).collect();
    names.join(", ")
}

fn show(args: &[&str]) -> Program {
    Program::manifuse(
        [&["config", "show"], args]
            .concat()
            .into_iter()
            .map(ToOwned::to_owned),
    )
}

/// What it prints, with the test's home folder as `~`.
fn printed(program: &Program) -> String {
    let run = program.run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    text(program, run)
}

fn text(program: &Program, run: Run) -> String {
    let home = program.folder().parent().unwrap().join("home");
    let folder = program.folder();
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(!text.contains("CANARY"), "{text}");
    text.replace(home.to_str().unwrap(), "~")
        .replace(folder.to_str().unwrap(), ".")
}

#[test]
fn named_backends_show_what_they_inherit_and_what_won() {
    let program = show(&[])
        .file("manifuse.yaml", SETTINGS)
        .file("keys.txt", "")
        .env("AVP_SECRET_ID", "CANARY")
        .env("VAULT_ADDR", "https://other.example.com");
    let run = program.run();
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (
            Some(0),
            "warning[ignored-setting]: AWS_RETRY_MODE in manifuse.yaml is ignored: it is always the standard mode\n"
        )
    );
    assert_eq!(
        text(&program, run),
        "\
settings file: manifuse.yaml
looked at: /etc/manifuse/manifuse.yaml, ./manifuse.yaml
default backend: prod

backend prod (vault)
  auth.type: approle
    from backends.prod.auth.type in manifuse.yaml
  kvVersion: 2
    from the default
  auth.roleId: set
    from backends.prod.auth.roleId in manifuse.yaml
  auth.secretId: set
    from the environment variable AVP_SECRET_ID
  home: ~
    from the environment variable HOME
  address: https://***@vault.example.com/?***
    from backends.prod.address in manifuse.yaml
    over the environment variable VAULT_ADDR

backend files (sops)
  HOME: ~
    from the environment variable HOME
  ageKeyFile: keys.txt
    from backends.files.ageKeyFile in manifuse.yaml
  vault.address: https://other.example.com
    from the environment variable VAULT_ADDR

without effect
  AWS_RETRY_MODE in manifuse.yaml: ignored: it is always the standard mode
"
    );
}

#[test]
fn a_credential_within_another_setting_is_not_shown_there() {
    let dotenv = "VAULT_TOKEN=CANARY\nVAULT_NAMESPACE=team-$VAULT_TOKEN\n";
    let structured = "backends:\n  a:\n    type: vault\n    auth: {type: token, token: &t CANARY}\n    namespace: *t\n";
    for (name, text, line) in [
        ("c.env", dotenv, "  namespace: set\n"),
        ("c.yaml", structured, "  namespace: set\n"),
    ] {
        let program = show(&["-c", name])
            .file(name, text)
            .env("AVP_TYPE", "vault")
            .env("VAULT_TOKEN", "CANARY")
            .env("AVP_AUTH_TYPE", "token");
        let shown = printed(&program);
        assert!(shown.contains(line), "{name}: {shown}");
    }
}

#[test]
fn flat_keys_show_what_won_and_what_lost() {
    let program = show(&["-c", "c.toml"])
        .file("c.toml", "AVP_TYPE = 'vault'\nVAULT_ADDR = 'http://file'\n")
        .env("VAULT_ADDR", "http://plain")
        .env("ARGOCD_ENV_VAULT_ADDR", "http://argocd")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "CANARY");
    assert_eq!(
        printed(&program),
        "\
settings file: c.toml
default backend: vault

for the run
  AVP_TYPE: vault
    from AVP_TYPE in c.toml

backend vault (vault)
  auth.type: token
    from the environment variable AVP_AUTH_TYPE
  kvVersion: 2
    from the default
  home: ~
    from the environment variable HOME
  address: http://argocd
    from the environment variable ARGOCD_ENV_VAULT_ADDR
    over VAULT_ADDR in c.toml
    over the environment variable VAULT_ADDR
  auth.token: set
    from the environment variable VAULT_TOKEN
"
    );
}

#[test]
fn json_says_the_same() {
    let program = show(&["--output", "json"])
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "CANARY");
    let report: serde_json::Value = serde_json::from_str(&printed(&program)).unwrap();
    assert_eq!(report["file"], serde_json::Value::Null);
    assert_eq!(report["defaultBackend"], "vault");
    let settings = report["groups"][1]["settings"].as_array().unwrap();
    let token = settings
        .iter()
        .find(|s| s["variable"] == "VAULT_TOKEN")
        .unwrap();
    let expected = serde_json::json!({
        "setting": "auth.token",
        "variable": "VAULT_TOKEN",
        "value": null,
        "secret": true,
        "origin": "the environment variable VAULT_TOKEN",
        "over": [],
    });
    assert_eq!(*token, expected);
}

const FLAT: &str = "AVP_TYPE: vault\nAVP_AUTH_TYPE: token\nVAULT_TOKEN: CANARY\n";

/// What is wrong, the settings file, a variable, and the exit code.
type Told = (
    &'static str,
    &'static str,
    &'static str,
    (&'static str, &'static str),
    i32,
);

const TOLD: &[Told] = &[
    (
        "a path rule",
        "c.yaml",
        FLAT,
        ("AVP_PATH_VALIDATION", "("),
        2,
    ),
    ("a KV version", "c.yaml", FLAT, ("AVP_KV_VERSION", "3"), 2),
    (
        "a flag's variable",
        "c.yaml",
        FLAT,
        ("MANIFUSE_TIMEOUT", "CANARY"),
        2,
    ),
    ("a root", "c.yaml", FLAT, ("MANIFUSE_ROOT", "/nowhere"), 2),
    ("a type", "c.yaml", FLAT, ("ARGOCD_ENV_AVP_TYPE", "x"), 2),
    (
        "a tenant's variable",
        "c.yaml",
        FLAT,
        ("ARGOCD_ENV_MANIFUSE_ROOT", "/"),
        2,
    ),
    (
        "a warning that fails",
        "c.yaml",
        "",
        ("MANIFUSE_WARN", "all=error"),
        1,
    ),
    (
        "a variable's typo",
        "c.yaml",
        FLAT,
        ("MANIFUSE_TIMEOT", "5s"),
        0,
    ),
    (
        "a tenant's typo",
        "c.yaml",
        FLAT,
        ("ARGOCD_ENV_VAULT_TOKN", "CANARY"),
        0,
    ),
    (
        "a key's typo",
        "c.yaml",
        "VAULT_TOKN: CANARY\n",
        ("A", ""),
        0,
    ),
    ("an INI file", "c.ini", "AVP_TYPE=vault\n", ("A", ""), 0),
];

#[test]
fn what_generate_refuses_or_warns_of_is_told_as_there() {
    for (what, name, file, variable, code) in TOLD {
        let run = |command: &[&str]| {
            Program::manifuse(
                [command, &["-c", name, "app.yaml"]]
                    .concat()
                    .into_iter()
                    .map(ToOwned::to_owned),
            )
            .file(name, format!("{file}UNREAD: x\n"))
            .file("app.yaml", "kind: X\n")
            .env(variable.0, variable.1)
            .run()
        };
        let (shown, generated) = (run(&["config", "show"]), run(&["generate"]));
        assert_eq!(shown.stderr, generated.stderr, "{what}");
        assert_eq!(
            (shown.code, generated.code),
            (Some(*code), Some(*code)),
            "{what}"
        );
        assert_eq!(shown.stdout.is_empty(), *code != 0, "{what}");
        assert!(!shown.stderr.is_empty(), "{what}");
        assert!(!shown.stderr.contains("CANARY"), "{}", shown.stderr);
    }
}

#[test]
fn a_path_that_does_not_exist_is_an_error_as_in_generate() {
    for path in ["nope", "nope.yaml"] {
        let shown = Program::manifuse(["config", "show", path]).run();
        let generated = Program::manifuse(["generate", path]).run();
        assert_eq!(shown.stderr, generated.stderr);
        assert_eq!(
            shown.stderr,
            format!("error: there is no file or folder {path:?}\n")
        );
        assert_eq!((shown.code, generated.code), (Some(1), Some(1)));
    }
}

#[test]
fn our_own_variables_and_values_are_shown_as_they_are() {
    let program = show(&["-c", "c.env"])
        .file(
            "c.env",
            "AVP_TYPE=vault\nVAULT_NAMESPACE=\"unclosed\nAVP_MOUNT_PATH='a b' \\c\n",
        )
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "CANARY")
        .env("MANIFUSE_TIMEOUT", "5s")
        .env("MANIFUSE_WARN", "odd-setting=off")
        .env("HTTPS_PROXY", "http://x:CANARY@h");
    let shown = printed(&program);
    for line in [
        "  namespace: \"unclosed\n",
        "  auth.mount: 'a b' \\c\n",
        "  MANIFUSE_TIMEOUT: 5s\n    from the environment variable MANIFUSE_TIMEOUT\n",
        "  MANIFUSE_WARN: odd-setting=off\n",
        "  HTTPS_PROXY: set\n",
    ] {
        assert!(shown.contains(line), "{line} {shown}");
    }
}

#[test]
fn wrong_settings_are_all_told() {
    let run = show(&[])
        .file(
            "manifuse.yaml",
            "backends: {a: {type: vualt}, b: {type: vault, adress: x}}\n",
        )
        .env("AVP_PATH_VALIDATION", "(")
        .env("MANIFUSE_TIMEOUT", "soon")
        .env("MANIFUSE_FILE_LIMIT", "much")
        .env("MANIFUSE_ROOT", "nowhere")
        .run();
    assert_eq!(run.code, Some(2));
    assert!(run.stdout.is_empty());
    assert_eq!(run.stderr.matches("error: ").count(), 6, "{}", run.stderr);
}

#[test]
fn variables_are_listed() {
    let text = Program::manifuse(["config", "variables"]).run().stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    let mut lines = text.lines();
    let head = "VARIABLE                                 SAYS                            GOES TO";
    assert_eq!(lines.next(), Some(head));
    let lines: Vec<_> = lines
        .skip_while(|line| !line.starts_with("VAULT_ADDR "))
        .collect();
    assert_eq!(
        lines[..2],
        [
            "VAULT_ADDR                               the address;                    ibmsecretsmanager, sops:",
            "                                         https://127.0.0.1:8200 without  vault.address, vault:",
        ]
    );
    let names = text.lines().filter(|line| !line.starts_with(' ')).count();
    assert_eq!(names, 1 + variables::all().count());
    let json = Program::manifuse(["config", "variables", "--output", "json"])
        .run()
        .stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let aws = json
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["name"] == "AWS_RETRY_MODE")
        .unwrap();
    assert_eq!(
        (&aws["read"], &aws["goesTo"]),
        (
            &false.into(),
            &"ignored: it is always the standard mode".into()
        )
    );
}

#[test]
fn a_settings_file_that_cannot_be_read_says_why() {
    let fails = |name: &str, says: &str| {
        let program = show(&["-c", name]);
        std::fs::create_dir(program.folder().join("folder.yaml")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            program.folder().join("pipe.yaml"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let run = program.run();
        assert_eq!(
            (run.code, run.stderr),
            (Some(2), format!("error: {says}\n"))
        );
    };
    fails("folder.yaml", "read folder.yaml: is a directory");
    fails("pipe.yaml", "read pipe.yaml: is not a regular file");
    fails(
        "nope.yaml",
        "open nope.yaml: no such file or directory\n  = help: -c or MANIFUSE_CONFIG names it, from the working directory",
    );
}

#[test]
fn a_path_without_a_command_means_generate() {
    let run = Program::manifuse(["k8s"])
        .file("k8s/a.yaml", "kind: X\n")
        .run();
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("tip: did you mean `manifuse generate k8s`?"),
        "{}",
        run.stderr
    );
}

#[test]
fn no_default_backend_says_what_to_choose() {
    let generate = || Program::manifuse(["generate", "-"]).stdin("kind: X\nv: <path:a#b>\n");
    let run = generate()
        .file(
            "manifuse.yaml",
            "backends: {a: {type: sops}, b: {type: sops}}\n",
        )
        .run();
    assert!(
        run.stderr
            .contains("help: set defaultBackend to one of a, b"),
        "{}",
        run.stderr
    );
    let outside = tempfile::tempdir().unwrap();
    let outside_path = outside.path().canonicalize().unwrap();
    std::fs::write(outside_path.join("a.yaml"), "kind: X\nv: <path:a#b>\n").unwrap();
    std::fs::write(outside_path.join("manifuse.yaml"), "AVP_TYPE: sops\n").unwrap();
    let run = Program::manifuse(["generate", outside_path.to_str().unwrap()]).run();
    let file = outside_path.join("manifuse.yaml");
    let help = format!(
        "help: {} was passed over, because it lies outside of the working directory; name it by -c",
        file.display()
    );
    assert!(run.stderr.contains(&help), "{}", run.stderr);
}

#[test]
fn a_named_backends_error_points_at_the_setting_it_is_about() {
    let logins = "approle, aws, cert, github, jwt, k8s, ldap, token, userpass";
    let types = types(|_| true);
    for (backend, message, column, help) in [
        (
            "type: vault, auth: {type: tokn}",
            "there is no authentication type \"tokn\"",
            27,
            format!("did you mean token? auth.type is one of {logins}"),
        ),
        (
            "type: vault, auth: {role: r}",
            "auth.type is missing",
            27,
            format!("auth.type is one of {logins}"),
        ),
        (
            "type: vault, auth: text",
            "auth of a backend of type vault must be a map",
            20,
            String::new(),
        ),
        (
            "type: vault, auth: {type: token, token: t}, maxRetries: x",
            "error encountered setting up default configuration: could not parse VAULT_MAX_RETRIES \
             (backends.a.maxRetries in c.yaml)",
            51,
            "give a number".to_owned(),
        ),
        (
            "type: keepass",
            "there is no backend type \"keepass\"",
            13,
            format!("type is one of {types}"),
        ),
    ] {
        let settings = format!("backends:\n  a: {{{backend}}}\n");
        let run = Program::manifuse(["generate", "-", "-c", "c.yaml"])
            .file("c.yaml", settings)
            .stdin("kind: X\n")
            .run();
        let help = match help.as_str() {
            "" => String::new(),
            help => format!("  = help: {help}\n"),
        };
        let expected = format!("error: {message}\n --> c.yaml:2:{column}\n{help}");
        assert_eq!((run.code, run.stderr), (Some(2), expected), "{backend}");
    }
}

#[test]
fn a_type_that_a_plain_variable_gives_a_named_backend_is_named_by_it() {
    let run = Program::manifuse(["generate", "-", "-c", "c.yaml"])
        .file("c.yaml", "backends:\n  a: {type: vault}\n")
        .env("AVP_AUTH_TYPE", "tokn")
        .stdin("kind: X\n")
        .run();
    let expected = "error: Must provide a supported Authentication Type, received tokn\n";
    assert!(
        run.stderr.starts_with(expected),
        "a plain variable is named"
    );
}

#[test]
fn a_type_that_is_not_for_the_default_backend_says_why() {
    let one_of = format!("AVP_TYPE is one of {}", types(|kind| kind.built_in));
    for (kind, hint) in [
        (
            "env",
            "env is for named backends only: write it as a type under backends in manifuse.yaml",
        ),
        (
            "file",
            "file is for named backends only: write it as a type under backends in manifuse.yaml",
        ),
        ("keepass", &*one_of),
    ] {
        let run = Program::manifuse(["generate", "-"])
            .env("AVP_TYPE", kind)
            .stdin("kind: X\n")
            .run();
        let expected = format!(
            "error: Must provide a supported Vault Type, received {kind}\n  \
               = cause: AVP_TYPE is from the environment variable AVP_TYPE\n  = help: {hint}\n"
        );
        assert_eq!((run.code, run.stderr), (Some(2), expected));
    }
}
