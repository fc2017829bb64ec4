//! Delinea Secret Server: a path is the number of a secret, a key is the name or the slug of one of its fields.
//!
//! API: `documents/restapi` of each server, and <https://docs.delinea.com/online-help/secret-server/start.htm>.
//! In a manifest: `<delineasecretserver:12#password>`. A field that is a file is read by a call of its own, if it is
//! wanted.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use reqwest::Url;
use tokio::time::Instant;

use super::registry::{SettingsError, Type};
use super::{
    Answer, Backend, Error, ErrorKind, FetchContext, Keys, Request, object, own_address, required,
};
use crate::clients::http::Call;
use crate::clients::login::Login;
use crate::clients::rest::{self, Service, bearer};
use crate::clients::tls::Tls;
use crate::clients::vault::encode_segment;
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value, last};

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "delineasecretserver",
    settings: &[
        (DOMAIN, "auth.domain"),
        (PASSWORD, "auth.password"),
        (URL, "address"),
        (USER, "auth.user"),
    ],
    own: &[],
    built_in: true,
    open,
};

const DOMAIN: &str = "AVP_DELINEA_DOMAIN";
const PASSWORD: &str = "AVP_DELINEA_PASSWORD";
const URL: &str = "AVP_DELINEA_URL";
const USER: &str = "AVP_DELINEA_USER";

/// What messages call it.
const NAME: &str = "Secret Server";

/// No token is used longer, however long it lives.
const LONGEST_USE: Duration = Duration::from_mins(10);

/// A server and an account.
struct SecretServer {
    service: Service,
    user: String,
    password: Text,
    domain: Option<String>,
    token: Login<Text, Error>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let address = own_address(options, URL, "https://vault.example.com/SecretServer")?;
    let (Some(address), Some(user), Some(password)) =
        (address, options.line(USER)?, options.line(PASSWORD)?)
    else {
        return Err(missing(options));
    };
    let words = &["/errorCode", "/error", "/message"];
    Ok(Arc::new(SecretServer {
        service: Service::new(NAME, address, words, Tls::default(), environment)?,
        user: user.to_owned(),
        password: password.into(),
        domain: options.text(DOMAIN).map(str::to_owned),
        token: Login::default(),
    }))
}

fn missing(options: &Options) -> SettingsError {
    let error = required(options, [URL, USER, PASSWORD], "Delinea Secret Server");
    if options.is_set_by_application(URL) {
        return error.about(URL).hint(format!(
            "{URL} says where the password goes: an application cannot set it (ARGOCD_ENV_), only the operator"
        ));
    }
    error
}

impl Backend for SecretServer {
    fn normalize(&self, path: &str) -> String {
        path.parse::<u64>()
            .map_or_else(|_| path.to_owned(), |number| number.to_string())
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(request, context.deadline))
    }
}

impl SecretServer {
    async fn read(&self, request: &Request, deadline: Instant) -> Result<Answer, Error> {
        let path = &request.id.path;
        let number: u64 = path.parse().map_err(|_| no_number(path))?;
        let secret = self.get(number, "", deadline).await?;
        let items = items(&secret).ok_or_else(|| {
            let message = format!("what {NAME} answered for the secret {number} is not one");
            Error::new(ErrorKind::Malformed, message)
        })?;
        let values = items.into_iter().map(|item| async move {
            if !item.is_file || !item.is_wanted(&request.keys) {
                return (item.names, Ok(item.value));
            }
            let file = format!("/fields/{}", encode_segment(&item.names[1]));
            // AVP takes it for a string, whatever its bytes are.
            let value = self.get(number, &file, deadline).await;
            (item.names, value.map(Value::String))
        });
        let is_all = request.keys == Keys::All;
        let mut answer = Answer::whole(Map::new(), None);
        for (names, value) in join_all(values).await {
            // A key of a Secret can have the form of a slug, but not that of every name.
            let names = names.into_iter().skip(usize::from(is_all));
            for name in names {
                match &value {
                    Ok(value) => answer.values.push((name, value.clone())),
                    Err(error) if is_all => return Err(error.clone()),
                    Err(error) => answer.failed.push((name, error.clone())),
                }
            }
        }
        Ok(answer)
    }

    /// What there is at a path below a secret.
    async fn get(&self, number: u64, below: &str, deadline: Instant) -> Result<Text, Error> {
        let token = self.token.get(self.log_in(deadline)).await?;
        let mut call = Call::get(format!("/api/v1/secrets/{number}{below}"));
        call.headers.push(bearer(&token));
        let answer = self.service.ask(&call, &[token], deadline).await;
        Ok(answer.map_err(|error| refused(number, error.into()))?.body)
    }

    /// A token, and how long it is used.
    async fn log_in(&self, deadline: Instant) -> Result<(Text, Duration), Error> {
        let password = encoded(self.password.expose_str().unwrap_or_default());
        let mut call = rest::post("/oauth2/token", self.form(&password));
        let form = "application/x-www-form-urlencoded";
        call.headers.push(("Content-Type", form.into()));
        let secrets = [password.into(), self.password.clone()];
        let answer = self.service.ask(&call, &secrets, deadline).await;
        let answer = answer.map_err(|error| no_login(error.into()))?;
        let grant = object(&answer.body).unwrap_or_default();
        let Some(Value::String(token)) = last(&grant, "access_token") else {
            let message = format!("{NAME} answered the login without a token");
            let error = Error::new(ErrorKind::Malformed, message);
            return Err(error.with_hint(format!("is {URL} that of {NAME} itself?")));
        };
        let seconds = match last(&grant, "expires_in") {
            Some(Value::Number(seconds)) => seconds.expose().parse().ok(),
            _ => None,
        };
        let life = seconds.map_or(LONGEST_USE, |seconds| Duration::from_secs(seconds) / 2);
        Ok((token.clone(), life.min(LONGEST_USE)))
    }

    /// What the login sends, with the password in this form.
    fn form(&self, password: &str) -> Text {
        let user = encoded(&self.user);
        let form = format!("username={user}&password={password}&grant_type=password");
        match &self.domain {
            Some(domain) => format!("{form}&domain={}", encoded(domain)).into(),
            None => form.into(),
        }
    }
}

/// A text as a value of a form.
fn encoded(text: &str) -> String {
    let form = Url::parse_with_params("form://", [(text, "")]).expect("a constant URL");
    let form = form.query().unwrap_or_default();
    form.trim_end_matches('=').to_owned()
}

/// A field of a secret.
struct Item {
    /// Its name and its slug: it is known by both.
    names: [String; 2],
    value: Value,
    /// Whether its value is a file, which is read by another call.
    is_file: bool,
}

impl Item {
    fn parse(item: &Value) -> Option<Self> {
        let text = |key| Some(item.get(key)?.text()?.expose_str()?.to_owned());
        let attachment = match item.get("fileAttachmentId") {
            Some(Value::Number(id)) => id.expose(),
            _ => "0",
        };
        Some(Self {
            names: [text("fieldName")?, text("slug")?],
            value: item.get("itemValue").cloned().unwrap_or(Value::Null),
            is_file: item.get("isFile") == Some(&Value::Bool(true)) && attachment != "0",
        })
    }

    fn is_wanted(&self, keys: &Keys) -> bool {
        match keys {
            Keys::All => true,
            Keys::Some(keys) => self.names.iter().any(|name| keys.contains(name)),
        }
    }
}

/// The fields of a secret, if it is one.
fn items(body: &Text) -> Option<Vec<Item>> {
    let secret = object(body)?;
    let Value::List(items) = last(&secret, "items")? else {
        return None;
    };
    items.iter().map(Item::parse).collect()
}

/// AVP's words.
fn no_number(path: &str) -> Error {
    Error::new(ErrorKind::Reference, format!("could not read path {path}"))
        .with_hint("a path is the number of a secret, which its address in Secret Server ends with")
}

fn no_login(error: Error) -> Error {
    error.of_login(NAME, format!(
        "check {USER}, {PASSWORD} and {DOMAIN}; the user needs no second factor, and web services must be switched on"
    ))
}

/// With AVP's leading phrase.
fn refused(number: u64, error: Error) -> Error {
    let kind = error.kind;
    let mut error = error.below(format!("could not access secret {number}"));
    let hint = match kind {
        ErrorKind::AbsentPath => "is there a secret of that number, and is it active?",
        ErrorKind::Denied => {
            "the user needs View on the secret; one that wants a check-out, a comment or an approval is not given; and of one that does not exist the server may say the same"
        }
        _ => return error,
    };
    error.hint.get_or_insert_with(|| hint.to_owned());
    error
}
