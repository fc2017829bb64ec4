//! The table of modifiers: names, arguments, one line of help. A new one is a function and a line here.

use super::arguments::Arguments::{self, Many, None, One, Quoted};
use super::{
    Call, Cause, base64, convert, digest, indent, jsonpath, missing, parse, password, text, url,
    yaml,
};
use crate::secret::Value;

/// One modifier.
pub struct Modifier {
    /// As manifests write it.
    pub name: &'static str,
    /// What follows the name.
    pub arguments: Arguments,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The function.
    pub(super) run: fn(&mut Call<'_>) -> Result<Value, Cause>,
    /// Whether it has something to say of a missing value, which all others never see.
    pub(super) catches_missing: bool,
}

impl Modifier {
    const fn new(
        name: &'static str,
        arguments: Arguments,
        summary: &'static str,
        run: fn(&mut Call<'_>) -> Result<Value, Cause>,
    ) -> Self {
        Self {
            name,
            arguments,
            summary,
            run,
            catches_missing: false,
        }
    }

    const fn catching_missing(mut self) -> Self {
        self.catches_missing = true;
        self
    }

    /// How it is written.
    pub fn usage(&self) -> String {
        match self.arguments {
            None => self.name.to_owned(),
            One(form) | Many(form) | Quoted(form) => format!("{} {form}", self.name),
        }
    }
}

/// All modifiers, sorted by name.
#[rustfmt::skip]
pub const MODIFIERS: &[Modifier] = &[
    Modifier::new("base64decode", None, "the bytes that a base64 text stands for", base64::decode),
    Modifier::new("base64encode", None, "the string as base64, padded, on one line", base64::encode),
    Modifier::new("base64urlDecode", None, "the bytes that a base64url text stands for", base64::url_decode),
    Modifier::new("base64urlEncode", None, "the text as base64url, without padding", base64::url_encode),
    Modifier::new("bcrypt", Quoted("[COST]"), "the bcrypt hash of the text, the same in every render", password::bcrypt),
    Modifier::new("default", Quoted(r#""TEXT""#), "TEXT where the secret, its key or the value is missing", missing::default)
        .catching_missing(),
    Modifier::new("htpasswd", Quoted(r#""USER" [COST]"#), "an htpasswd line with the bcrypt hash of the text", password::htpasswd),
    Modifier::new("indent", One("N"), "every line but the first moved to column N; inner indentation and blank lines are lost", indent::indent),
    Modifier::new("indentLines", Quoted("N"), "N spaces in front of every line but the first and blank ones", indent::indent_lines),
    Modifier::new("jsonParse", None, "the value that a JSON text holds", parse::json),
    Modifier::new("jsonPath", Many("TEMPLATE"), "text made from a JSON text or value by a kubectl JSONPath template", jsonpath::modifier),
    Modifier::new("lower", None, "the text in lower case", text::lower),
    Modifier::new("quote", None, "the text in double quotes, as JSON and YAML read them", text::quote),
    Modifier::new("replace", Quoted(r#""OLD" "NEW""#), "the text with each OLD replaced by NEW", text::replace),
    Modifier::new("required", Quoted(r#""MESSAGE""#), "the value; MESSAGE is the error where it is missing", missing::required)
        .catching_missing(),
    Modifier::new("sha256sum", None, "the SHA-256 digest of the string, as lower-case hexadecimal digits", digest::sha256sum),
    Modifier::new("sha512sum", None, "the SHA-512 digest of the text, as lower-case hexadecimal digits", digest::sha512sum),
    Modifier::new("toBool", None, "the truth value that the text names", convert::to_bool),
    Modifier::new("toInt", None, "the integer that the text spells", convert::to_int),
    Modifier::new("toJson", None, "the value as compact JSON", convert::to_json),
    Modifier::new("toNumber", None, "the number that the text spells", convert::to_number),
    Modifier::new("toString", None, "the value as text", convert::to_string),
    Modifier::new("toYaml", None, "the value as YAML in block style", yaml::to_yaml),
    Modifier::new("trim", None, "the text without white space at both ends", text::trim),
    Modifier::new("trimPrefix", Quoted(r#""TEXT""#), "the text without TEXT at its start", text::trim_prefix),
    Modifier::new("trimSuffix", Quoted(r#""TEXT""#), "the text without TEXT at its end", text::trim_suffix),
    Modifier::new("upper", None, "the text in upper case", text::upper),
    Modifier::new("urlEncode", None, "the text percent-encoded, as a part of a URL", url::encode),
    Modifier::new("yamlParse", None, "the value that a YAML text holds, read as Kubernetes reads it", parse::yaml),
];
