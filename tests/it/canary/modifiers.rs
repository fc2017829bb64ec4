//! Modifiers that do not fit the value they are given.

use super::{case, check};

/// What fails, what is said, and the rest of the placeholder behind its path.
const CASES: &[(&str, &str, &str)] = &[
    (
        "jsonParse of broken JSON",
        "jsonParse: the value is not JSON",
        "broken | jsonParse",
    ),
    (
        "jsonParse of an open string",
        "jsonParse: the value is not JSON",
        "open | jsonParse",
    ),
    (
        "jsonParse of text",
        "jsonParse: the value is not JSON",
        "user | jsonParse",
    ),
    (
        "jsonParse of a list",
        "jsonParse: invalid datatype",
        "list | jsonParse",
    ),
    (
        "jsonParse of a huge number",
        "out of range",
        "huge | jsonParse",
    ),
    (
        "jsonParse of bytes",
        "is not UTF-8",
        "bytes | base64decode | jsonParse",
    ),
    (
        "jsonPath on broken JSON",
        "jsonPath",
        "broken | jsonPath {.inner}",
    ),
    ("jsonPath on text", "jsonPath", "user | jsonPath {.inner}"),
    (
        "jsonPath to nothing",
        "nokey is not found",
        "json | jsonPath {.nokey}",
    ),
    (
        "jsonPath beyond a list",
        "out of bounds",
        "json | jsonPath {.list[7]}",
    ),
    (
        "jsonPath into a string",
        "is not array or slice",
        "json | jsonPath {.inner[0]}",
    ),
    (
        "jsonPath filter on a string",
        "cannot be filtered",
        "json | jsonPath {.inner[?(@.x==1)]}",
    ),
    (
        "jsonPath comparing a map",
        "jsonPath",
        "json | jsonPath {.list[?(@.x==1)]}",
    ),
    (
        "jsonPath that is not closed",
        "unclosed action",
        "json | jsonPath {.inner",
    ),
    (
        "jsonPath without a template",
        "invalid parameters",
        "json | jsonPath",
    ),
    (
        "yamlParse of broken YAML",
        "error converting YAML to JSON",
        "broken | yamlParse",
    ),
    (
        "yamlParse of an open quote",
        "error converting YAML to JSON",
        "open | yamlParse",
    ),
    (
        "yamlParse of an unknown anchor",
        "error converting YAML to JSON",
        "alias | yamlParse",
    ),
    (
        "yamlParse of an unknown tag",
        "error converting YAML to JSON",
        "tag | yamlParse",
    ),
    (
        "yamlParse of a tab",
        "error converting YAML to JSON",
        "tab | yamlParse",
    ),
    (
        "yamlParse of a number",
        "yamlParse: invalid datatype",
        "number | yamlParse",
    ),
    (
        "yamlParse of bytes",
        "is not UTF-8",
        "bytes | base64decode | yamlParse",
    ),
    (
        "base64decode of a number",
        "base64decode: invalid datatype",
        "number | base64decode",
    ),
    (
        "base64decode of a map",
        "base64decode: invalid datatype",
        "map | base64decode",
    ),
    (
        "base64decode to bytes",
        "is not UTF-8 text",
        "bytes | base64decode",
    ),
    (
        "base64encode of a list",
        "base64encode: invalid datatype",
        "list | base64encode",
    ),
    (
        "base64encode with an argument",
        "invalid parameters",
        "user | base64encode 1",
    ),
    (
        "sha256sum of a map",
        "sha256sum: invalid datatype",
        "map | sha256sum",
    ),
    (
        "indent of a map",
        "indent: invalid datatype",
        "map | indent 2",
    ),
    (
        "indent by a word",
        "invalid indentation level",
        "user | indent two",
    ),
    (
        "indent by too much",
        "invalid indentation level",
        "user | indent 99999999999",
    ),
    (
        "an unknown modifier",
        "invalid modifier: shout",
        "user | shout",
    ),
    (
        "an empty modifier",
        "the statement behind a bar is empty",
        "user | ",
    ),
];

#[test]
fn modifiers_that_fail() {
    let cases = CASES.iter().map(|(what, says, placeholder)| {
        case(what, 1, says).value(&format!("<path:secret/data/db#{placeholder}>"))
    });
    check(&cases.collect::<Vec<_>>());
}
