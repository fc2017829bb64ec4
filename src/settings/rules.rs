//! `policy:` of `manifuse.yaml`: the operator's rules, which no application can change. The names of the application in
//! patterns are those that Argo CD sets itself.

use super::document::{Entry, Node};
use super::flat;
use super::structured::Parser;
use crate::diagnostics::{Diagnostic, Fault, few};
use crate::env::Environment;
use crate::policy::{Glob, KindRule, Mode, PathRule, Policy};

/// The keys of `policy`.
const KEYS: [&str; 4] = ["mode", "paths", "secretsOnlyIn", "tenantVariables"];

/// What may stand in `${…}`: names that Argo CD checks against the project. The rest of the build environment is for the
/// application's author to choose.
const NAMES: [&str; 3] = [
    "ARGOCD_APP_NAME",
    "ARGOCD_APP_NAMESPACE",
    "ARGOCD_APP_PROJECT_NAME",
];

/// The rules of the file.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) policy: Policy,
    tenant_variables: TenantVariables,
}

/// Which of AVP's keys an application may set.
#[derive(Debug, Default)]
enum TenantVariables {
    /// The operator has not said it.
    #[default]
    Unsaid,
    /// All, as AVP has it.
    All,
    /// These, by their upper-case names.
    Only(Vec<String>),
}

impl Rules {
    /// The refusals of variables that the application sets and may not: errors, or warnings, by the mode. Where nothing
    /// is said, a process that many applications share lets them set nothing, and another one lets its own set all.
    pub(super) fn refuse_variables(
        &self,
        environment: &Environment,
        is_shared: bool,
    ) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        let (allowed, mode) = match &self.tenant_variables {
            TenantVariables::Only(allowed) => (allowed.as_slice(), self.policy.mode),
            TenantVariables::Unsaid if is_shared => (&[][..], Mode::Enforce),
            TenantVariables::Unsaid | TenantVariables::All => return Default::default(),
        };
        let refused = environment.iter().filter_map(|(name, _)| {
            let key = name.strip_prefix(flat::TENANT)?.to_uppercase();
            (flat::is_key(&key) && !allowed.contains(&key)).then(|| self.refuse(name, allowed))
        });
        let refused = refused.collect();
        match mode {
            Mode::Enforce => (refused, Vec::new()),
            Mode::Report => (Vec::new(), refused),
        }
    }

    fn refuse(&self, name: &str, allowed: &[String]) -> Diagnostic {
        if matches!(self.tenant_variables, TenantVariables::Unsaid) {
            let message = format!("the plugin server does not let an application set {name}");
            let hint = "policy.tenantVariables in the operator's manifuse.yaml says what applications may set";
            return Diagnostic::error(Fault::Policy, message).with_hint(hint);
        }
        let message = format!("policy.tenantVariables does not let an application set {name}");
        self.policy
            .refusal(message)
            .with_hint(if allowed.is_empty() {
                "take it out of the application's plugin.env".to_owned()
            } else {
                format!("it may set {}", few(allowed))
            })
    }
}

/// Reads the rules; what is wrong is told by the parser.
pub(super) fn parse(parser: &mut Parser<'_>, entry: &Entry, environment: &Environment) -> Rules {
    let mut rules = Rules::default();
    for entry in parser.map(entry, "policy") {
        match entry.key.as_str() {
            "mode" => rules.policy.mode = mode(parser, entry),
            "paths" => rules.policy.paths = Some(paths(parser, entry, environment)),
            "secretsOnlyIn" => rules.policy.kinds = Some(kinds(parser, entry)),
            "tenantVariables" => rules.tenant_variables = tenant_variables(parser, entry),
            _ => parser.unknown(
                entry.span,
                &format!("policy.{}", entry.shown()),
                &KEYS
                    .map(|key| format!("policy.{key}"))
                    .each_ref()
                    .map(String::as_str),
            ),
        }
    }
    rules
}

fn mode(parser: &mut Parser<'_>, entry: &Entry) -> Mode {
    match parser.text(entry).as_ref().map(|text| text.text.as_str()) {
        Some("enforce") => Mode::Enforce,
        Some("report") => Mode::Report,
        _ => {
            parser.fail(entry.span, "policy.mode must be enforce or report");
            Mode::Enforce
        }
    }
}

/// A key without a value forbids everything, as an empty list does: rules are never lost by a slip.
fn paths(parser: &mut Parser<'_>, entry: &Entry, environment: &Environment) -> Vec<PathRule> {
    let mut rules = Vec::new();
    for item in list(parser, entry, "policy.paths") {
        let mut backend = None;
        let mut patterns = None;
        for entry in parser.map(item, "an item of policy.paths") {
            match entry.key.as_str() {
                "backend" => backend = Some(name(parser, entry)),
                "allow" => patterns = Some(entry),
                _ => parser.unknown(entry.span, entry.shown(), &["backend", "allow"]),
            }
        }
        let Some(patterns) = patterns else {
            parser.fail(
                item.span,
                "a rule of policy.paths needs allow, a pattern of paths or a list of them",
            );
            continue;
        };
        for (pattern, entry) in texts(parser, patterns, "allow") {
            match glob(&pattern, environment) {
                Ok(allow) => rules.push(PathRule {
                    backend: backend.clone(),
                    allow,
                }),
                Err(reason) => parser.fail(
                    entry.value_span,
                    format!("a pattern of policy.paths is wrong: {reason}"),
                ),
            }
        }
    }
    rules
}

/// The backend of a rule. Without one a rule is for all, which an empty name must not make of it.
fn name(parser: &mut Parser<'_>, entry: &Entry) -> String {
    match (&entry.value, parser.text(entry)) {
        (Node::Null, _) => parser.fail(entry.span, "backend of policy.paths must name a backend"),
        (_, Some(name)) => return name.text,
        _ => {}
    }
    String::new()
}

fn glob(pattern: &str, environment: &Environment) -> Result<Glob, String> {
    let mut unknown = None;
    let name = |name: &str| environment.get(name).map(ToOwned::to_owned);
    for rest in pattern.split("${").skip(1) {
        let name = rest.split('}').next().unwrap_or_default();
        if !NAMES.contains(&name) {
            unknown = Some(name);
        }
    }
    match unknown {
        Some(name) => Err(format!("${{{name}}} is none of {}", NAMES.join(", "))),
        None => Glob::new(pattern, name),
    }
}

fn kinds(parser: &mut Parser<'_>, entry: &Entry) -> Vec<KindRule> {
    let mut rules = Vec::new();
    for (text, entry) in texts(parser, entry, "policy.secretsOnlyIn") {
        match KindRule::parse(&text) {
            Some(rule) => rules.push(rule),
            None => parser.fail(
                entry.value_span,
                "policy.secretsOnlyIn holds kinds such as Secret, or with their group: example.com/Thing",
            ),
        }
    }
    rules
}

fn tenant_variables(parser: &mut Parser<'_>, entry: &Entry) -> TenantVariables {
    let word = match &entry.value {
        Node::Scalar(text) => text.expose_str(),
        _ => None,
    };
    match (&entry.value, word) {
        (_, Some("allow")) => TenantVariables::All,
        (_, Some("deny")) => TenantVariables::Only(Vec::new()),
        (Node::List(_), _) => {
            let mut names = Vec::new();
            for (name, entry) in texts(parser, entry, "policy.tenantVariables") {
                let upper = name.to_uppercase();
                let plain = upper
                    .strip_prefix(flat::TENANT)
                    .unwrap_or(&upper)
                    .to_owned();
                if !flat::is_key(&plain) {
                    parser.fail(
                        entry.value_span,
                        format!("an application cannot set {plain} anyway"),
                    );
                }
                names.push(plain);
            }
            TenantVariables::Only(names)
        }
        _ => {
            parser.fail(
                entry.span,
                "policy.tenantVariables must be deny, allow, or a list of variables",
            );
            TenantVariables::Only(Vec::new())
        }
    }
}

/// The items of a list.
fn list<'e>(parser: &mut Parser<'_>, entry: &'e Entry, name: &str) -> &'e [Entry] {
    match &entry.value {
        Node::List(items) => items,
        Node::Null => &[],
        Node::Scalar(_) | Node::Map(_) => {
            parser.fail(entry.span, format!("{name} must be a list"));
            &[]
        }
    }
}

/// One text, or the texts of a list, and where they stand.
fn texts<'e>(parser: &mut Parser<'_>, entry: &'e Entry, name: &str) -> Vec<(String, &'e Entry)> {
    let items = match &entry.value {
        Node::Scalar(_) => std::slice::from_ref(entry),
        _ => list(parser, entry, name),
    };
    let mut texts = Vec::new();
    for item in items {
        match &item.value {
            Node::Scalar(text) => {
                texts.extend(text.expose_str().map(|text| (text.to_owned(), item)));
            }
            _ => parser.fail(
                item.span,
                format!("{name} must be a text or a list of texts"),
            ),
        }
    }
    texts
}
