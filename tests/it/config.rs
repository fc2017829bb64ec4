//! `manifuse config`: what is set and by whom, without a credential and without a network.

use crate::support::program::Program;

const SETTINGS: &str = "\
defaultBackend: prod
backends:
  prod:
    type: vault
    address: https://me:CANARY@vault.example.com/?CANARY
    auth: {type: approle, roleId: CANARY}
  files: {type: sops, ageKeyFile: keys.txt}
AWS_REGION: eu-west-1
";

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
    assert_eq!(
        printed(&program),
        "\
settings file: manifuse.yaml
looked at: /etc/manifuse/manifuse.yaml, ./manifuse.yaml
default backend: prod

backend prod (vault)
  auth.type: approle
    from backends.prod.auth.type in manifuse.yaml
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

without effect
  AWS_REGION in manifuse.yaml: not read by this version
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

for all backends
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

#[test]
fn wrong_settings_are_all_told() {
    let run = show(&[])
        .file(
            "manifuse.yaml",
            "backends: {a: {type: vualt}, b: {type: vault, adress: x}}\n",
        )
        .run();
    assert_eq!(run.code, Some(2));
    assert!(run.stdout.is_empty());
    assert_eq!(run.stderr.matches("error: ").count(), 2, "{}", run.stderr);
}

#[test]
fn variables_are_listed() {
    let text = Program::manifuse(["config", "variables"]).run().stdout;
    let text = String::from_utf8(text).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VAULT_ADDR "))
        .unwrap();
    assert!(
        line.contains("vault: address") && line.ends_with("ARGOCD_ENV_, file, plain"),
        "{line}"
    );
    let json = Program::manifuse(["config", "variables", "--output", "json"])
        .run()
        .stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let aws = json
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["name"] == "AWS_REGION")
        .unwrap();
    assert_eq!(
        (&aws["read"], &aws["goesTo"]),
        (&false.into(), &"not read by this version".into())
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
