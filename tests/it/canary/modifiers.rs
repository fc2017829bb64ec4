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
        "trim of a list",
        "trim: wants text, and the value is of type list",
        "list | trim",
    ),
    (
        "trimPrefix of a map",
        "trimPrefix: wants text",
        "map | trimPrefix x",
    ),
    (
        "trimSuffix of bytes",
        "trimSuffix: the value is not UTF-8 text",
        "bytes | base64decode | trimSuffix x",
    ),
    ("upper of a map", "upper: wants text", "map | upper"),
    ("lower of a list", "lower: wants text", "list | lower"),
    (
        "quote of bytes",
        "quote: the value is not UTF-8 text",
        "bytes | base64decode | quote",
    ),
    (
        "replace of nothing",
        "the text to replace is empty",
        "user | replace \"\" x",
    ),
    (
        "replace with one argument",
        "replace: invalid parameters",
        "user | replace x",
    ),
    (
        "toJson of bytes",
        "toJson: the value is not UTF-8 text",
        "bytes | base64decode | toJson",
    ),
    (
        "toYaml of bytes",
        "toYaml: the value is not UTF-8 text",
        "bytes | base64decode | toYaml",
    ),
    (
        "toInt of text",
        "the value is not an integer",
        "user | toInt",
    ),
    (
        "toNumber of text",
        "the value is not a number",
        "broken | toNumber",
    ),
    (
        "toNumber of a huge number",
        "out of range",
        "huge | toNumber",
    ),
    (
        "toBool of text",
        "the value is neither true nor false",
        "user | toBool",
    ),
    (
        "toString of null",
        "toString: wants text, and the value is of type null",
        "literal | jsonParse | toString",
    ),
    (
        "base64urlDecode of text",
        "the value is not base64url",
        "json | base64urlDecode",
    ),
    (
        "base64urlEncode of a map",
        "base64urlEncode: wants text",
        "map | base64urlEncode",
    ),
    (
        "urlEncode of a map",
        "urlEncode: wants text",
        "map | urlEncode",
    ),
    (
        "sha512sum of a list",
        "sha512sum: wants text",
        "list | sha512sum",
    ),
    (
        "indentLines by too much",
        "invalid indentation level",
        "user | indentLines 99999999999",
    ),
    (
        "htpasswd of a long value",
        "longer than the 72 bytes",
        "long | htpasswd u",
    ),
    (
        "htpasswd of bytes with a NUL",
        "holds a NUL",
        "nul | base64decode | htpasswd u",
    ),
    (
        "htpasswd for a user with a colon",
        "the user is empty",
        "user | htpasswd a:b",
    ),
    (
        "bcrypt at a cost beyond reason",
        "the cost is not a number from 4 to 14",
        "user | bcrypt 31",
    ),
    (
        "a result beyond reason",
        "the result is longer than 64 MiB",
        "user | replace a aaaaaaaaaaaaaaaa | replace a aaaaaaaaaaaaaaaa | replace a aaaaaaaaaaaaaaaa \
         | replace a aaaaaaaaaaaaaaaa | replace a aaaaaaaaaaaaaaaa | replace a aaaaaaaaaaaaaaaa | replace a aaaaaaaaaaaaaaaa",
    ),
    (
        "a required key",
        "placeholder path:secret/data/db#null: ask for it",
        "null | required \"ask for it\"",
    ),
    (
        "a quote that is not closed",
        "default: the quote at byte 8 is not closed",
        "user | default \"x",
    ),
    (
        "a bad escape",
        "default: the text in quotes at byte 8",
        "user | default \"\\x\"",
    ),
    (
        "a quote that touches text",
        "a quote that touches other text",
        "user | default \"x\"y",
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
    let denied = case("a default for what may not be read", 3, "permission denied")
        .value("<path:secret/data/closed#user | default x>");
    check(&cases.chain([denied]).collect::<Vec<_>>());
}
