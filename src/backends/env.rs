//! Environment variables as a store, for values that CI hands over. Only as a configured instance, which says which
//! variables it may read: an application must not get at the rest of the environment.
//!
//! In a manifest: `<ci:-#APP_TOKEN>`, or with a common beginning as the path, `<ci:APP_DB_#PASSWORD>`.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::registry::{Own, SettingsError, Type};
use super::{Answer, Backend, Error, FetchContext, Keys, Request, without_version};
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value};

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "env",
    settings: &[
        ("MANIFUSE_ENV_PREFIX", "prefix"),
        ("MANIFUSE_ENV_VARIABLES", "variables"),
    ],
    own: &[
        Own::setting("MANIFUSE_ENV_PREFIX", "how the variables it may read begin"),
        Own::setting("MANIFUSE_ENV_VARIABLES", "the variables it may read"),
    ],
    built_in: false,
    open,
};

/// The path that adds nothing to the names.
const NO_PREFIX: &str = "-";

/// The variables that an instance may read.
struct Variables {
    prefix: Option<String>,
    listed: Vec<String>,
    values: BTreeMap<String, Text>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let listed = options.text("MANIFUSE_ENV_VARIABLES").unwrap_or_default();
    let listed = listed.split(|c: char| c == ',' || c.is_whitespace());
    let mut variables = Variables {
        prefix: options.text("MANIFUSE_ENV_PREFIX").map(ToOwned::to_owned),
        listed: listed
            .filter(|name| !name.is_empty())
            .map(ToOwned::to_owned)
            .collect(),
        values: BTreeMap::new(),
    };
    if variables.prefix.is_none() && variables.listed.is_empty() {
        let error = SettingsError::new("an env backend must say which variables it may read");
        return Err(error.hint("set prefix: APP_, or variables: \"APP_USER APP_PASSWORD\""));
    }
    variables.values = environment
        .iter()
        .filter(|(name, _)| variables.allows(name))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    Ok(Arc::new(variables))
}

impl Variables {
    fn allows(&self, name: &str) -> bool {
        let prefix = self.prefix.as_deref();
        prefix.is_some_and(|prefix| name.starts_with(prefix))
            || self.listed.iter().any(|n| n == name)
    }

    fn prefix(request: &Request) -> &str {
        match &*request.id.path {
            NO_PREFIX => "",
            path => path,
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let prefix = Self::prefix(request);
        let keys = match &request.keys {
            Keys::All => return Answer::whole(self.below(prefix), None),
            Keys::Some(keys) => keys,
        };
        let mut answer = Answer::whole(Map::new(), None);
        for key in keys {
            let name = format!("{prefix}{key}");
            if !self.allows(&name) {
                let reason = format!("this backend may not read the variable {name}");
                answer.denied.push((key.clone(), reason));
            } else if let Some(value) = self.values.get(&name) {
                answer
                    .values
                    .push((key.clone(), Value::String(value.clone())));
            }
        }
        answer
    }

    /// All variables with this beginning, by the rest of their names.
    fn below(&self, prefix: &str) -> Map {
        let named = self.values.iter().filter_map(|(name, value)| {
            let key = name.strip_prefix(prefix).filter(|key| !key.is_empty())?;
            Some((key.to_owned(), Value::String(value.clone())))
        });
        named.collect()
    }
}

impl Backend for Variables {
    fn reads(&self, request: &Request) -> Vec<String> {
        let prefix = Self::prefix(request);
        match &request.keys {
            Keys::All => vec![format!("{prefix}*/*")],
            Keys::Some(keys) => keys.iter().map(|key| format!("{prefix}{key}")).collect(),
        }
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        _: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        let answer = without_version(request, "the environment").map(|()| self.answer(request));
        Box::pin(std::future::ready(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::Outcome;
    use crate::env::{Origin, Setting};
    use crate::secret::SecretId;

    fn opened(settings: &[(&str, &str)]) -> Result<Arc<dyn Backend>, SettingsError> {
        let mut options = Options::default();
        for (key, value) in settings {
            let setting = Setting {
                value: (*value).into(),
                origin: Origin::Default,
            };
            options.set(*key, setting);
        }
        let environment = [
            ("APP_DB_USER", "alice"),
            ("APP_DB_PASSWORD", ""),
            ("APP_", "edge"),
            ("TOKEN", "t"),
            ("AWS_SECRET_ACCESS_KEY", "CANARY"),
        ];
        open(&options, &environment.into_iter().collect())
    }

    fn fetch(backend: &dyn Backend, path: &str, keys: Keys) -> Answer {
        let request = Request {
            id: SecretId {
                backend: "ci".into(),
                path: path.into(),
                version: None,
                kv_version: None,
            },
            keys,
        };
        let context = FetchContext {
            files: Arc::new(
                crate::files::FolderFiles::open(".".as_ref(), ".".as_ref(), 0).unwrap(),
            ),
            deadline: tokio::time::Instant::now(),
        };
        futures::executor::block_on(backend.fetch(&request, &context)).unwrap()
    }

    fn some(keys: &[&str]) -> Keys {
        Keys::Some(keys.iter().map(ToString::to_string).collect())
    }

    fn text<'a>(answer: &'a Answer, key: &str) -> Option<&'a str> {
        match answer.outcome(key) {
            Outcome::Present(Value::String(text)) => text.expose_str(),
            _ => None,
        }
    }

    #[test]
    fn reads_what_the_prefix_or_the_list_allows() {
        let settings = [
            ("MANIFUSE_ENV_PREFIX", "APP_"),
            ("MANIFUSE_ENV_VARIABLES", "TOKEN, NONE"),
        ];
        let backend = opened(&settings).unwrap();
        let keys = some(&["APP_DB_USER", "APP_DB_PASSWORD", "TOKEN", "NONE"]);
        let answer = fetch(backend.as_ref(), "-", keys);
        assert_eq!(text(&answer, "APP_DB_USER"), Some("alice"));
        assert_eq!(text(&answer, "APP_DB_PASSWORD"), Some(""));
        assert_eq!(text(&answer, "TOKEN"), Some("t"));
        assert_eq!(answer.outcome("NONE"), Outcome::Absent);
    }

    #[test]
    fn denies_the_rest_whether_it_exists_or_not() {
        let backend = opened(&[("MANIFUSE_ENV_PREFIX", "APP_")]).unwrap();
        for name in ["AWS_SECRET_ACCESS_KEY", "NO_SUCH_VARIABLE"] {
            let answer = fetch(backend.as_ref(), "-", some(&[name]));
            let expected = format!("this backend may not read the variable {name}");
            assert_eq!(answer.outcome(name), Outcome::Denied(&expected));
        }
        let answer = fetch(backend.as_ref(), "AWS_SECRET_", some(&["ACCESS_KEY"]));
        assert!(matches!(answer.outcome("ACCESS_KEY"), Outcome::Denied(_)));
    }

    #[test]
    fn the_path_is_a_common_beginning() {
        let backend = opened(&[("MANIFUSE_ENV_PREFIX", "APP_")]).unwrap();
        let answer = fetch(backend.as_ref(), "APP_DB_", Keys::All);
        let keys: Vec<&str> = answer.values.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["PASSWORD", "USER"]);
        let answer = fetch(backend.as_ref(), "APP_DB_", some(&["USER"]));
        assert_eq!(text(&answer, "USER"), Some("alice"));
        let answer = fetch(backend.as_ref(), "-", Keys::All);
        assert_eq!(answer.values.len(), 3);
    }

    #[test]
    fn must_say_what_it_may_read() {
        for settings in [
            &[][..],
            &[("MANIFUSE_ENV_PREFIX", "")],
            &[("MANIFUSE_ENV_VARIABLES", " , ")],
        ] {
            let error = opened(settings).err().unwrap();
            assert_eq!(
                error.to_string(),
                "an env backend must say which variables it may read"
            );
        }
    }
}
