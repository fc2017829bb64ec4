//! The references of the whole run as unique requests. Pure.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{RenderContext, Stream};
use crate::backends::{Keys, Request};
use crate::diagnostics::{Diagnostic, Fault, Severity};
use crate::secret::SecretId;

/// What every path must match.
#[derive(Clone, Debug)]
pub struct PathRule {
    pub(super) expression: Regex,
}

/// All requests of a run.
#[derive(Debug)]
pub struct Plan {
    /// Each distinct secret once, sorted.
    pub requests: Vec<Request>,
    /// Secrets that may not be asked for, and why.
    pub refused: BTreeMap<SecretId, Diagnostic>,
    /// Secrets that are asked for although a rule forbids it, and the warning.
    pub reported: BTreeMap<SecretId, Diagnostic>,
}

/// De-duplicates the references of a stream and checks their paths, before any request is made.
pub fn plan(stream: &Stream<'_>, context: &RenderContext) -> Plan {
    let mut wanted: BTreeMap<SecretId, Keys> = BTreeMap::new();
    for work in stream.works.iter().flatten() {
        let annotated = work.annotated.as_deref().map(|(secret, _)| secret);
        let expanded = work.expand.as_deref().map(|expand| &expand.secret);
        for secret in annotated.into_iter().chain(expanded) {
            wanted.insert(secret.clone(), Keys::All);
        }
        for reference in work.places.iter().flat_map(|place| place.text.references()) {
            if let Some(secret) = &reference.secret {
                want(&mut wanted, secret, reference.key.as_deref());
            }
        }
    }
    let mut plan = Plan {
        requests: Vec::new(),
        refused: BTreeMap::new(),
        reported: BTreeMap::new(),
    };
    for (id, keys) in wanted {
        let request = Request { id, keys };
        match refusal(&request, context) {
            Some(reason) if reason.severity == Severity::Error => {
                plan.refused.insert(request.id, reason);
            }
            told => {
                let told = told.map(|warning| (request.id.clone(), warning));
                plan.reported.extend(told);
                plan.requests.push(request);
            }
        }
    }
    plan
}

fn want(wanted: &mut BTreeMap<SecretId, Keys>, secret: &SecretId, key: Option<&str>) {
    // Most references are to what is wanted already.
    if !wanted.contains_key(secret) {
        wanted.insert(secret.clone(), Keys::Some(BTreeSet::new()));
    }
    let Some(keys) = wanted.get_mut(secret) else {
        return;
    };
    match (keys, key) {
        (Keys::Some(keys), Some(key)) if keys.contains(key) => {}
        (Keys::Some(keys), Some(key)) => {
            keys.insert(key.to_owned());
        }
        (keys, None) => *keys = Keys::All,
        (Keys::All, _) => {}
    }
}

/// No store has longer paths; texts that only look like a placeholder do.
const LONGEST_PATH: usize = 2048;

/// Why a secret may not be asked for: its path as written, or as the backend will send it, fails a rule (D56), or its
/// backend cannot be opened. A warning where rules are only reported.
fn refusal(request: &Request, context: &RenderContext) -> Option<Diagnostic> {
    let id = &request.id;
    if id.path.contains(char::is_control) || id.path.len() > LONGEST_PATH {
        let message = "a placeholder whose path runs over a line end, or is far too long";
        let hint = "a < that was not meant as a placeholder may have found its > much later";
        return Some(Diagnostic::error(Fault::Input, message).with_hint(hint));
    }
    let backend = match context.pool.get(&id.backend) {
        None => {
            let message = format!("there is no backend named {}", id.backend);
            return Some(Diagnostic::error(Fault::Settings, message));
        }
        Some(Err(error)) => return Some(Diagnostic::from_error(error)),
        Some(Ok(backend)) => backend,
    };
    let normalized = backend.normalize(&id.path);
    let allowed = |path: &str| {
        context
            .path_rules
            .iter()
            .all(|rule| rule.expression.is_match(path))
    };
    if allowed(&id.path) && allowed(&normalized) {
        let read = backend.reads(request);
        let read = read.iter().map(String::as_str);
        return context.policy.refuse_path(&id.backend, &id.path, read);
    }
    let message = format!(
        "the path {} is disallowed by AVP_PATH_VALIDATION restriction",
        id.path
    );
    let error = Diagnostic::error(Fault::Policy, message);
    Some(if normalized == *id.path {
        error
    } else {
        error.with_cause(format!("it is read as {normalized}"))
    })
}
