//! The stores without a server: variables and mounted files.

use super::{Case, VALUE, VARIABLE, case, check};

const SETTINGS: &str =
    "backends:\n  ci: {type: env, prefix: APP_}\n  mounted: {type: file, root: secrets}\n";

/// What fails, its exit code, what is said, and the placeholder.
const CASES: &[(&str, i32, &str, &str)] = &[
    (
        "a variable beyond the prefix",
        3,
        "may not read the variable UNRELATED",
        "<ci:-#UNRELATED>",
    ),
    (
        "a credential's variable",
        3,
        "may not read",
        "<ci:AWS_SECRET_#ACCESS_KEY>",
    ),
    (
        "a variable that is not set",
        1,
        "has no key APP_NONE",
        "<ci:-#APP_NONE>",
    ),
    (
        "a variable that is not JSON",
        1,
        "is not JSON",
        "<ci:-#APP_TOKEN | jsonParse>",
    ),
    ("a good variable", 0, "", "<ci:-#APP_TOKEN>"),
    (
        "a file that is not there",
        1,
        "has no key user",
        "<mounted:db#user>",
    ),
    (
        "a folder that is not there",
        1,
        "there is no folder",
        "<mounted:none#user>",
    ),
    (
        "a file beyond the root",
        1,
        "is not the name of a file",
        "<mounted:db#../../outside>",
    ),
    (
        "a folder beyond the root",
        1,
        "leads out of",
        "<mounted:../x#outside>",
    ),
    (
        "a file that is not JSON",
        1,
        "is not JSON",
        "<mounted:db#password | jsonParse>",
    ),
    (
        "a file that is no text",
        1,
        "",
        "<mounted:db#bytes | jsonParse>",
    ),
    ("a good file", 0, "", "<mounted:db#password>"),
];

#[test]
fn variables_and_files() {
    let cases = CASES
        .iter()
        .map(|(what, code, says, placeholder)| stores(case(what, *code, says).value(placeholder)));
    check(&cases.collect::<Vec<_>>());
}

fn stores(case: Case) -> Case {
    let bytes = [b"\xff".as_slice(), VALUE.as_bytes()].concat();
    case.settings("manifuse.yaml", SETTINGS)
        .env("APP_TOKEN", VALUE)
        .file("secrets/db/password", VALUE)
        .file("secrets/db/bytes", bytes)
        .file("outside", VARIABLE)
}
