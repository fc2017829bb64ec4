//! 1Password by its Connect server: a path is `vaults/VAULT/items/ITEM`, each by its id or title, a key is the label of a field.
//!
//! API: <https://developer.1password.com/docs/connect/api-reference/>. In a manifest:
//! `<1passwordconnect:vaults/shop/items/database#password>`. A title is looked up first: a vault's once in a run.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::registry::{SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Request, object, own_address};
use crate::clients::http::{Call, Response};
use crate::clients::rest::{Service, bearer};
use crate::clients::tls::Tls;
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value, last};
use crate::yaml::value::from_json;

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "1passwordconnect",
    settings: &[(HOST, "address"), (TOKEN, "auth.token")],
    own: &[],
    built_in: true,
    open,
};

const HOST: &str = "OP_CONNECT_HOST";
const TOKEN: &str = "OP_CONNECT_TOKEN";

/// What messages call it.
const NAME: &str = "1Password Connect";

/// A server, and a token for some of its vaults.
struct Connect {
    service: Service,
    token: Text,
    /// The ids of vaults by their titles.
    vaults: Mutex<HashMap<String, Result<String, Error>>>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let address = own_address(options, HOST, "https://connect.example.com")?;
    let address = address.ok_or_else(|| no_host(options))?;
    let token = options.line(TOKEN)?.ok_or_else(|| {
        let error = SettingsError::new(format!(
            "There is no token available in the \"{TOKEN}\" variable"
        ));
        error.hint(format!("set {TOKEN}"))
    })?;
    let service = Service::new(NAME, address, &["/message"], Tls::default(), environment);
    Ok(Arc::new(Connect {
        service: service.map_err(|error| SettingsError::new(error.to_string()))?,
        token: token.into(),
        vaults: Mutex::default(),
    }))
}

/// AVP's words.
fn no_host(options: &Options) -> SettingsError {
    let error = SettingsError::new(format!(
        "There is no hostname available in the \"{HOST}\" variable"
    ));
    if options.is_set_by_application(HOST) {
        return error.about(HOST).hint(format!(
            "{HOST} says where the token goes: an application cannot set it (ARGOCD_ENV_), only the operator"
        ));
    }
    error.hint(format!("set {HOST}"))
}

impl Backend for Connect {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(&request.id.path, context.deadline))
    }
}

impl Connect {
    async fn read(&self, path: &str, deadline: Instant) -> Result<Answer, Error> {
        let (vault, item) = names(path).ok_or_else(no_item)?;
        let id = self.vault(vault, deadline).await?;
        let found = if is_id(item) {
            self.item(&id, item, deadline).await
        } else {
            Ok(None)
        };
        let found = match found? {
            Some(found) => found,
            // A title can look like an id.
            None => self.item_by_title(&id, vault, item, deadline).await?,
        };
        let fields = fields(&found.body).ok_or_else(|| malformed("item"))?;
        Ok(Answer::whole(fields, None))
    }

    /// The id of a vault.
    async fn vault(&self, name: &str, deadline: Instant) -> Result<String, Error> {
        if is_id(name) {
            return Ok(name.to_owned());
        }
        // Held while it is looked up, so that all who want it ask once.
        let mut vaults = self.vaults.lock().await;
        if let Some(known) = vaults.get(name) {
            return known.clone();
        }
        let found = self.find("/v1/vaults", name, deadline).await;
        let id = found.and_then(|ids| {
            one(ids).map_err(|count| {
                let message = format!("Found {count} vaults with title \"{name}\"");
                Error::new(ErrorKind::AbsentPath, message)
                    .with_hint("the token may read only some vaults; an id is never ambiguous")
            })
        });
        vaults.insert(name.to_owned(), id.clone());
        id
    }

    /// An item by its id, if there is one.
    async fn item(
        &self,
        vault: &str,
        id: &str,
        deadline: Instant,
    ) -> Result<Option<Response>, Error> {
        let call = self.call(format!("/v1/vaults/{vault}/items/{id}"));
        let response = self.service.send(&call, deadline).await?;
        match response.status {
            404 => Ok(None),
            _ if response.is_success() => Ok(Some(response)),
            _ => Err(self.refusal(&response)),
        }
    }

    async fn item_by_title(
        &self,
        id: &str,
        vault: &str,
        title: &str,
        deadline: Instant,
    ) -> Result<Response, Error> {
        let path = format!("/v1/vaults/{id}/items");
        let found = self.find(&path, title, deadline).await?;
        let item = one(found).map_err(|count| {
            let message =
                format!("Found {count} item(s) in vault \"{vault}\" with title \"{title}\"");
            Error::new(ErrorKind::AbsentPath, message)
                .with_hint("give the item's id where a title is not the only one of its vault")
        })?;
        let found = self.item(id, &item, deadline).await?;
        found.ok_or_else(|| malformed("item"))
    }

    /// The ids of what has a title.
    async fn find(&self, path: &str, title: &str, deadline: Instant) -> Result<Vec<String>, Error> {
        let quoted = title.replace('\\', "\\\\").replace('"', "\\\"");
        let mut call = self.call(path.to_owned());
        call.query
            .push(("filter", format!("title eq \"{quoted}\"")));
        let response = self.service.send(&call, deadline).await?;
        if !response.is_success() {
            return Err(self.refusal(&response));
        }
        ids(&response.body).ok_or_else(|| malformed("list"))
    }

    fn call(&self, path: String) -> Call {
        let mut call = Call::get(path);
        call.headers.push(bearer(&self.token));
        call
    }

    fn refusal(&self, response: &Response) -> Error {
        let token = std::slice::from_ref(&self.token);
        let error = Error::from(self.service.refusal(response, token));
        match error.kind {
            ErrorKind::Denied => error.with_hint(format!(
                "check {TOKEN}: it must be a token of this Connect server, with access to the vault"
            )),
            _ => error,
        }
    }
}

/// The vault and the item of a path.
fn names(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.splitn(4, '/');
    let (_, vault, _, item) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (!vault.is_empty() && !item.is_empty()).then_some((vault, item))
}

/// AVP's words.
fn no_item() -> Error {
    let message = "Please provide either the item name or its ID.";
    Error::new(ErrorKind::Reference, message)
        .with_hint("a path is vaults/VAULT/items/ITEM, both by title or id")
}

fn malformed(what: &str) -> Error {
    Error::new(
        ErrorKind::Malformed,
        format!("what {NAME} answered is not the {what} that was asked for"),
    )
}

/// Whether a name is taken for an id, as in AVP.
fn is_id(name: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() == 26 && name.chars().all(is_taken)
}

/// The only one; else how many there are.
fn one(mut ids: Vec<String>) -> Result<String, usize> {
    match ids.len() {
        1 => Ok(ids.remove(0)),
        count => Err(count),
    }
}

/// The ids in a list of vaults or items. They become parts of paths.
fn ids(body: &Text) -> Option<Vec<String>> {
    let Ok(Value::List(all)) = from_json(body.expose_str()?) else {
        return None;
    };
    let id = |one: &Value| Some(one.get("id")?.text()?.expose_str()?.to_owned());
    all.iter()
        .map(|one| id(one).filter(|id| is_id(id)))
        .collect()
}

/// The fields of an item by their labels; of two equal labels the last counts.
fn fields(body: &Text) -> Option<Map> {
    let item = object(body)?;
    let fields = match last(&item, "fields") {
        Some(Value::List(fields)) => fields.as_slice(),
        Some(_) => return None,
        None => &[],
    };
    let field = |field: &Value| {
        let label = field.get("label")?.text()?.expose_str()?.to_owned();
        let value = field.get("value").cloned();
        Some((label, value.unwrap_or_else(|| Value::string(""))))
    };
    Some(fields.iter().filter_map(field).collect())
}
