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
