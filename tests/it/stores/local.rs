//! Stores without a server, `env` and `file`: a configured instance may take what it may read from plain variables.

use super::values;
use crate::support::program::Program;

#[test]
fn what_may_be_read_is_said_by_variables() {
    let manifest =
        "kind: X\ndata: {a: <ci:-#APP_USER>, b: <ci:-#TOKEN>, c: <mounted:db#password>}\n";
    let run = Program::manifuse(["generate", "-c", "manifuse.yaml", "-"])
        .file(
            "manifuse.yaml",
            "backends: {ci: {type: env}, mounted: {type: file}}\n",
        )
        .file("secrets/db/password", "p")
        .env("MANIFUSE_ENV_PREFIX", "APP_")
        .env("MANIFUSE_ENV_VARIABLES", "TOKEN")
        .env("MANIFUSE_FILE_ROOT", "secrets")
        .env("APP_USER", "u")
        .env("TOKEN", "t")
        .stdin(manifest)
        .run();
    assert_eq!(values(&run), ["u", "t", "p"]);
}

#[test]
fn there_are_no_versions() {
    let run = Program::manifuse(["generate", "-c", "manifuse.yaml", "-"])
        .file(
            "manifuse.yaml",
            "backends: {ci: {type: env, prefix: APP_}, mounted: {type: file, root: secrets}}\n",
        )
        .file("secrets/db/password", "p")
        .env("APP_USER", "u")
        .stdin("kind: X\ndata: {a: <ci:-#APP_USER#2>, b: <mounted:db#password#2>}\n")
        .run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for words in [
        "the environment has no versions",
        "a folder has no versions",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

/// A setting whose value ends in a line end is told before anything is sent.
#[test]
fn credentials_are_one_line() {
    for (kind, reference, name, others) in [
        (
            "1passwordconnect",
            "vaults/a/items/b#c",
            "OP_CONNECT_TOKEN",
            &[("OP_CONNECT_HOST", "http://127.0.0.1:1")][..],
        ),
        (
            "delineasecretserver",
            "12#password",
            "AVP_DELINEA_PASSWORD",
            &[
                ("AVP_DELINEA_URL", "http://127.0.0.1:1"),
                ("AVP_DELINEA_USER", "u"),
            ],
        ),
        (
            "ibmsecretsmanager",
            "ibmcloud/arbitrary/secrets/groups/g#a",
            "AVP_IBM_API_KEY",
            &[("AVP_IBM_INSTANCE_URL", "http://127.0.0.1:1")],
        ),
    ] {
        let program = Program::manifuse(["generate", "-"])
            .stdin(format!("kind: X\na: <{kind}:{reference}>\n"))
            .env(name, "cnry-credential\n");
        let program = others
            .iter()
            .fold(program, |program, (name, value)| program.env(name, *value));
        let run = program.run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        let words = format!("{name}: it holds a line end or a control character");
        assert!(run.stderr.contains(&words), "{}", run.stderr);
        assert!(!run.stderr.contains("cnry-credential"), "{}", run.stderr);
    }
}
