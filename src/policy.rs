//! What an application may do, by the operator's word alone: which paths of secrets it may read, and in which objects their
//! values may land. Pure: the rules come from `settings`, and `inject` asks here before anything is fetched.

use regex::Regex;

use crate::diagnostics::{Diagnostic, Fault, Warning, few};

/// The rules of `policy` in the operator's settings; without any, everything is allowed.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What becomes of what a rule forbids.
    pub mode: Mode,
    /// The paths that may be read; `None` where the operator has no such rules. An empty list allows nothing.
    pub paths: Option<Vec<PathRule>>,
    /// The objects in which values may land; `None` where the operator does not say.
    pub kinds: Option<Vec<KindRule>>,
}

/// What becomes of what a rule forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It fails the run.
    #[default]
    Enforce,
    /// It is warned of, while rules are introduced.
    Report,
}

/// Paths that may be read.
#[derive(Clone, Debug)]
pub struct PathRule {
    /// The backend instance; `None` means every one.
    pub backend: Option<String>,
    /// The paths.
    pub allow: Glob,
}

/// A pattern of paths: `*` is any text within a step, a step `**` any number of steps; all else is itself.
#[derive(Clone, Debug)]
pub struct Glob {
    /// For messages: with the application's names put in.
    text: String,
    /// `None` matches nothing: a name that the pattern needs is not known.
    expression: Option<Regex>,
}

/// A kind of object, of one API group or of any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindRule {
    /// The group, empty for the core's; `None` where only the kind was written.
    pub group: Option<String>,
    /// The kind.
    pub kind: String,
}

/// Where a value lands, for the rules.
#[derive(Clone, Copy, Debug)]
pub struct Landing<'a> {
    /// The object's `apiVersion`.
    pub api_version: &'a str,
    /// The object's `kind`.
    pub kind: &'a str,
    /// The entry at the top of the object in which it lies.
    pub entry: &'a str,
}

impl Glob {
    /// A pattern in which `${NAME}` stands for what `name` says of it. A name that is unknown, empty or could stand for
    /// more than a part of a step makes a pattern that matches nothing.
    pub fn new(pattern: &str, name: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut text = String::new();
        let mut expression = r"\A(?s)".to_owned();
        let mut complete = true;
        for (index, step) in pattern.split('/').enumerate() {
            let first = index == 0;
            text.push_str(if first { "" } else { "/" });
            if step == "**" {
                text.push_str(step);
                // One step at least: `a/**` is what lies below `a`.
                expression.push_str(if first { ".+" } else { "/.+" });
                continue;
            }
            if step.contains("**") {
                return Err(format!(
                    "** must be a whole step of a path, not a part of {step}"
                ));
            }
            expression.push_str(if first { "" } else { "/" });
            complete &= Self::step(step, &name, &mut text, &mut expression)?;
        }
        expression.push_str(r"\z");
        let expression = Regex::new(&expression).map_err(|_| "it is too long".to_owned())?;
        Ok(Self {
            text,
            expression: complete.then_some(expression),
        })
    }

    /// One step; says whether all names in it are known.
    fn step(
        step: &str,
        name: &impl Fn(&str) -> Option<String>,
        text: &mut String,
        expression: &mut String,
    ) -> Result<bool, String> {
        let mut complete = true;
        let mut rest = step;
        while let Some(at) = rest.find(['*', '$']) {
            text.push_str(&rest[..at]);
            expression.push_str(&regex::escape(&rest[..at]));
            if let Some(behind) = rest[at..].strip_prefix('*') {
                text.push('*');
                expression.push_str("[^/]*");
                rest = behind;
                continue;
            }
            let variable = rest[at..].strip_prefix("${");
            let Some((variable, behind)) = variable.and_then(|rest| rest.split_once('}')) else {
                return Err("a $ begins ${NAME}, a name of the application".to_owned());
            };
            let value = name(variable).filter(|value| is_part_of_a_step(value));
            complete &= value.is_some();
            text.push_str(&value.clone().unwrap_or_else(|| format!("${{{variable}}}")));
            expression.push_str(&regex::escape(&value.unwrap_or_default()));
            rest = behind;
        }
        text.push_str(rest);
        expression.push_str(&regex::escape(rest));
        Ok(complete)
    }

    fn matches(&self, path: &str) -> bool {
        self.expression
            .as_ref()
            .is_some_and(|expression| expression.is_match(path))
    }
}

/// A name that could bring further steps or patterns would reach other paths than the rule's author meant.
fn is_part_of_a_step(value: &str) -> bool {
    !value.is_empty()
        && !matches!(value, "." | "..")
        && !value
            .contains(|c: char| c == '/' || c == '\\' || c == '%' || c == '*' || c.is_control())
}

impl KindRule {
    /// `Kind`, or `group/Kind`; `/Kind` is the core's.
    pub fn parse(text: &str) -> Option<Self> {
        let (group, kind) = match text.rsplit_once('/') {
            Some((group, kind)) => (Some(group.to_owned()), kind),
            None => (None, text),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric();
        (kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.chars().all(is_name)).then(
            || Self {
                group,
                kind: kind.to_owned(),
            },
        )
    }

    /// A Secret is the core's, and in it only what Argo CD masks: a value in its labels is shown to everybody.
    fn allows(&self, landing: Landing<'_>) -> bool {
        let group = landing
            .api_version
            .rsplit_once('/')
            .map_or("", |(group, _)| group);
        let secret = self.kind == "Secret" && self.group.as_deref().is_none_or(str::is_empty);
        self.kind == landing.kind
            && if secret {
                landing.api_version == "v1" && matches!(landing.entry, "data" | "stringData")
            } else {
                self.group.as_deref().is_none_or(|rule| rule == group)
            }
    }
}

impl Policy {
    /// Why a path may not be read: as the reference has it, and as the store will be asked for it.
    pub fn refuse_path<'a>(
        &self,
        backend: &str,
        written: &'a str,
        mut read: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<Diagnostic> {
        let rules = self.paths.as_ref()?;
        let rules: Vec<&Glob> = rules
            .iter()
            .filter(|rule| rule.backend.as_deref().is_none_or(|name| name == backend))
            .map(|rule| &rule.allow)
            .collect();
        let mut all = std::iter::once(written).chain(read.clone());
        if let Some(trick) = all.find_map(trick) {
            let message = format!(
                "the path {written} of {backend} holds {trick}, which policy.paths never allows"
            );
            return Some(self.refusal(message).with_hint("write the plain path"));
        }
        let refused = read.find(|path| !rules.iter().any(|rule| rule.matches(path)))?;
        let message =
            format!("policy.paths does not let this application read {refused} of {backend}");
        let texts: Vec<String> = rules.iter().map(|rule| rule.text.clone()).collect();
        Some(self.refusal(message).with_hint(if texts.is_empty() {
            format!("no rule names {backend}")
        } else {
            format!("it may read {}", few(&texts))
        }))
    }

    /// Why a value may not land there.
    pub fn refuse_landing(&self, landing: Landing<'_>) -> Option<Diagnostic> {
        let kinds = self.kinds.as_ref()?;
        if kinds.iter().any(|kind| kind.allows(landing)) {
            return None;
        }
        let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        let place = match landing.entry {
            "" => landing.kind.to_owned(),
            entry => format!("{entry} of a {}", landing.kind),
        };
        let message = format!("policy.secretsOnlyIn lets no value land in {place}");
        Some(
            self.refusal(message)
                .with_hint(format!("values may land in {}", few(&names))),
        )
    }

    /// A refusal as the mode has it.
    pub fn refusal(&self, message: String) -> Diagnostic {
        match self.mode {
            Mode::Enforce => Diagnostic::error(Fault::Policy, message),
            Mode::Report => Diagnostic::warning(Warning::Policy, message),
        }
    }
}

impl std::fmt::Display for KindRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.group {
            _ if self.kind == "Secret" => f.write_str("data and stringData of Secret"),
            None => f.write_str(&self.kind),
            Some(group) => write!(f, "{group}/{}", self.kind),
        }
    }
}

/// What makes a path mean another one to some server on the way. A leading `/` is how some stores write paths.
fn trick(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let inner = lower.strip_prefix('/').unwrap_or(&lower);
    if inner.split('/').any(|step| matches!(step, "." | "..")) {
        Some("a step . or ..")
    } else if inner.split('/').any(str::is_empty) {
        Some("an empty step")
    } else if ["%2f", "%2e", "%5c", "%25"]
        .iter()
        .any(|code| inner.contains(code))
    {
        Some("an encoded . / \\ or %")
    } else if inner.contains('\\') {
        Some("a backslash")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Option<String> {
        match name {
            "ARGOCD_APP_PROJECT_NAME" => Some("shop".to_owned()),
            "DOTS" => Some("..".to_owned()),
            "STAR" => Some("*".to_owned()),
            "STEPS" => Some("a/b".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn glob(pattern: &str) -> Glob {
        Glob::new(pattern, name).unwrap()
    }

    #[test]
    fn patterns_match_by_steps() {
        for (pattern, yes, no) in [
            ("a/*", vec!["a/b", "a/"], vec!["a", "a/b/c", "b/a"]),
            (
                "a/**",
                vec!["a/b", "a/b/c"],
                vec!["a", "a/", "ab/c", "x/a/b"],
            ),
            ("**", vec!["a", "/a/b"], vec![""]),
            ("a/**/z", vec!["a/b/z", "a/b/c/z"], vec!["a/z", "a/b"]),
            ("a.b+c", vec!["a.b+c"], vec!["axb+c", "a.bbc"]),
            (
                "secret/${ARGOCD_APP_PROJECT_NAME}-*/x",
                vec!["secret/shop-eu/x"],
                vec![
                    "secret/shop/x",
                    "secret/shopping-eu/x",
                    "secret/shop-eu/x\n",
                ],
            ),
        ] {
            for path in yes {
                assert!(glob(pattern).matches(path), "{pattern} {path}");
            }
            for path in no {
                assert!(!glob(pattern).matches(path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn a_name_that_is_no_part_of_a_step_matches_nothing() {
        for variable in ["DOTS", "STAR", "STEPS", "EMPTY", "UNKNOWN"] {
            let glob = glob(&format!("a/${{{variable}}}/**"));
            for path in ["a/../b", "a/*/b", "a/a/b/c", "a//b", "a/x/b"] {
                assert!(!glob.matches(path), "{variable} {path}");
            }
        }
    }

    #[test]
    fn patterns_that_are_none_are_told() {
        for pattern in ["a/b**", "a/$X", "a/${X", "***"] {
            assert!(Glob::new(pattern, name).is_err(), "{pattern}");
        }
    }

    fn policy(backend: Option<&str>, pattern: &str) -> Policy {
        Policy {
            paths: Some(vec![PathRule {
                backend: backend.map(ToOwned::to_owned),
                allow: glob(pattern),
            }]),
            ..Policy::default()
        }
    }

    fn refused(policy: &Policy, backend: &str, path: &str) -> bool {
        policy
            .refuse_path(backend, path, [path].into_iter())
            .is_some()
    }

    #[test]
    fn tricks_are_refused_whatever_the_rules_say() {
        let all = policy(None, "**");
        for path in [
            "a/../b",
            "..",
            "a/./b",
            "a//b",
            "a/",
            "//a",
            "a%2fb",
            "a/%2E%2e/b",
            "a%252fb",
            "a\\b",
            "a%5Cb",
        ] {
            assert!(refused(&all, "prod", path), "{path}");
        }
        for path in ["a", "/a/b", "a/b.c", "a..b/c", "100%/x"] {
            assert!(!refused(&all, "prod", path), "{path}");
        }
    }

    #[test]
    fn a_rule_is_for_its_backend() {
        let policy = policy(Some("prod"), "a/*");
        assert!(!refused(&policy, "prod", "a/b"));
        assert!(refused(&policy, "test", "a/b"));
        assert!(refused(&policy, "prod", "b/a"));
        // What the store is asked for counts.
        assert!(
            policy
                .refuse_path("prod", "a/b", ["b/a"].into_iter())
                .is_some()
        );
    }

    #[test]
    fn values_land_only_where_kinds_say() {
        let kinds = |kinds: &[&str]| Policy {
            kinds: Some(
                kinds
                    .iter()
                    .map(|kind| KindRule::parse(kind).unwrap())
                    .collect(),
            ),
            ..Policy::default()
        };
        let lands = |policy: &Policy, api_version, kind, entry| {
            let landing = Landing {
                api_version,
                kind,
                entry,
            };
            policy.refuse_landing(landing).is_none()
        };
        let secret = kinds(&["Secret"]);
        assert!(lands(&secret, "v1", "Secret", "data"));
        assert!(lands(&secret, "v1", "Secret", "stringData"));
        assert!(!lands(&secret, "v1", "Secret", "metadata"));
        assert!(!lands(&secret, "v2", "Secret", "data"));
        assert!(!lands(&secret, "x.org/v1", "Secret", "data"));
        assert!(!lands(&secret, "v1", "ConfigMap", "data"));
        let others = kinds(&["ConfigMap", "x.org/Thing", "y.org/Secret"]);
        assert!(lands(&others, "v1", "ConfigMap", "metadata"));
        assert!(lands(&others, "x.org/v2", "Thing", "spec"));
        assert!(!lands(&others, "z.org/v2", "Thing", "spec"));
        assert!(lands(&others, "y.org/v1", "Secret", "spec"));
        assert!(!lands(&others, "v1", "Secret", "data"));
        assert_eq!(KindRule::parse("secret"), None);
        assert_eq!(KindRule::parse(""), None);
    }
}
