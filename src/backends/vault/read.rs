//! What a read of a secret means: KV version 1 and 2, raw paths, and the ways a secret can be absent
//! (`avp-compat.md` 11.1, whose leading phrases are kept).

use super::reply::Asked;
use crate::backends::{Answer, Error, ErrorKind};
use crate::clients::http::Response;
use crate::secret::{Map, Value, last};

/// What was asked for.
pub(super) struct Read<'a> {
    /// The path as the manifest has it.
    pub(super) path: &'a str,
    /// The version; empty is the latest.
    pub(super) version: &'a str,
    /// `1`, `2`, or something else, which is an error once the read has worked.
    pub(super) kv_version: &'a str,
}

impl Read<'_> {
    /// The version to ask the server for.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        if self.kv_version == "2" && !self.version.is_empty() {
            return vec![("version", self.version.to_owned())];
        }
        Vec::new()
    }

    /// The answer of the server as values.
    pub(super) fn answer(&self, asked: &Asked<'_>, response: &Response) -> Result<Answer, Error> {
        if !response.is_success() && response.status != 404 {
            return Err(asked.refusal(response));
        }
        if response.body.expose().trim_ascii().is_empty() {
            return Err(self.absent());
        }
        let object = asked.object(response)?;
        let data = last(&object, "data").filter(|data| **data != Value::Null);
        if response.status == 404 && data.is_none() && !has_warnings(&object) {
            return Err(self.absent());
        }
        let data = match data {
            None => &Map::new(),
            Some(Value::Map(data)) => data,
            Some(_) => return Err(self.malformed("data")),
        };
        match self.kv_version {
            "1" => Ok(Answer::whole(data.clone(), None)),
            "2" => self.second(data),
            _ => Err(unsupported()),
        }
    }

    /// The secret inside a KV version 2 answer.
    fn second(&self, data: &Map) -> Result<Answer, Error> {
        match last(data, "data") {
            Some(Value::Map(values)) => Ok(Answer::whole(values.clone(), version(data))),
            Some(Value::Null) => Err(self.deleted()),
            Some(_) => Err(self.malformed("data.data")),
            None if data.is_empty() => Err(self.empty()),
            None => Err(Error::new(
                ErrorKind::Malformed,
                "Could not get data from Vault, check that kv-v2 is the correct engine",
            )
            .with_hint(
                "for kv-v1 and other engines set the annotation avp.kubernetes.io/kv-version: \"1\"",
            )),
        }
    }

    fn absent(&self) -> Error {
        let Self { path, version, .. } = self;
        let mut message = format!("Could not find secrets at path {path}");
        if !version.is_empty() && self.kv_version != "1" {
            message = format!("{message} with version {version}");
        }
        let hint = if self.kv_version == "2" && !path.contains("/data/") {
            "for kv-v2 the path needs /data/ behind the mount: MOUNT/data/NAME"
        } else {
            "check the mount, the path and the namespace"
        };
        Error::new(ErrorKind::AbsentPath, message).with_hint(hint)
    }

    fn deleted(&self) -> Error {
        let Self { path, version, .. } = self;
        let message = format!(
            "The secret version {version} for Vault path {path} is nil - is this version of the secret deleted?"
        );
        Error::new(ErrorKind::AbsentPath, message)
            .with_hint("undelete it in Vault, or name a version that exists")
    }

    /// A wrong path, not an absent secret: `default` must not hide it.
    fn empty(&self) -> Error {
        let message = format!(
            "The Vault path: {} is empty - did you forget to include /data/ in the Vault path for kv-v2?",
            self.path
        );
        Error::new(ErrorKind::Reference, message).with_hint(
            "kv-v2 wants MOUNT/data/NAME; for kv-v1 set avp.kubernetes.io/kv-version: \"1\"",
        )
    }

    fn malformed(&self, field: &str) -> Error {
        let message = format!("the answer for Vault path {} is malformed", self.path);
        Error::new(ErrorKind::Malformed, message)
            .with_cause(format_args!("{field} is not an object"))
    }
}

fn has_warnings(object: &Map) -> bool {
    matches!(last(object, "warnings"), Some(Value::List(warnings)) if !warnings.is_empty())
}

/// The version that was read, out of the metadata of KV version 2.
fn version(data: &Map) -> Option<String> {
    let Some(Value::Map(metadata)) = last(data, "metadata") else {
        return None;
    };
    match last(metadata, "version") {
        Some(Value::Number(number)) => Some(number.expose().to_owned()),
        _ => None,
    }
}

fn unsupported() -> Error {
    Error::new(ErrorKind::Reference, "Unsupported kvVersion specified")
        .with_hint("AVP_KV_VERSION and avp.kubernetes.io/kv-version are \"1\" or \"2\"")
}
