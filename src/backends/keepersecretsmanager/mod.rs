//! Keeper Secrets Manager: a path is the UID of a record, a key is the label or type of one of its fields.
//!
//! Protocol: <https://docs.keeper.io/en/keeperpam/secrets-manager/about/security-encryption-model>, and Keeper's own clients
//! (<https://github.com/Keeper-Security/secrets-manager>). In a manifest:
//! `<keepersecretsmanager:IumjhNRt0YVGtVtBgMW9QA#password>`. One call brings many records (`envelope` wraps it, `record` reads
//! the answer).

mod config;
mod envelope;
mod record;
mod server_keys;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep_until};

use self::config::Config;
use self::envelope::{Message, decode};
use self::record::Record;
use super::registry::{SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Request};
use crate::clients::http::{Call, Response};
use crate::clients::rest::{self, Service};
use crate::env::{Environment, Options};
use crate::secret::Text;

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "keepersecretsmanager",
    settings: &[
        (config::CONFIG, "config"),
        (config::HOST, "hostname"),
        (config::SKIP_VERIFY, "skipVerify"),
    ],
    own: &[],
    built_in: true,
    open,
};

/// What messages call it.
const NAME: &str = "Keeper";

/// What the server knows this client's dialect by: that of Keeper's client which AVP is made with.
const DIALECT: &str = "mg16.6.4";

/// Records by one call.
const BATCH: usize = 100;

/// A server that is asked too often forgets it after ten seconds.
const CALM: Duration = Duration::from_secs(11);

/// A device of an application.
struct Keeper {
    config: Config,
    service: Service,
    /// The number of the server's key, which it may change.
    server_key_id: Mutex<String>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let config = Config::load(options)?;
    let (address, tls) = (config.address.clone(), config.tls.clone());
    let words = &["/error", "/message", "/additional_info"];
    Ok(Arc::new(Keeper {
        service: Service::new(NAME, address, words, tls, environment)?,
        server_key_id: Mutex::new(config.server_key_id.clone()),
        config,
    }))
}

impl Backend for Keeper {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async {
            let uids = BTreeSet::from([&*request.id.path]);
            let records = self.records(&uids, context.deadline).await;
            answer(&request.id.path, &records)
        })
    }

    fn batches<'r>(&self, requests: &'r [Request]) -> Vec<Vec<&'r Request>> {
        let requests: Vec<_> = requests.iter().collect();
        requests.chunks(BATCH).map(<[_]>::to_vec).collect()
    }

    fn fetch_batch<'a>(
        &'a self,
        batch: &'a [&'a Request],
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Vec<Result<Answer, Error>>> {
        Box::pin(async {
            let paths = batch.iter().map(|request| &*request.id.path);
            let records = self
                .records(&paths.clone().collect(), context.deadline)
                .await;
            paths.map(|path| answer(path, &records)).collect()
        })
    }
}

/// What a record holds, out of all that were asked for. AVP's words.
fn answer(uid: &str, records: &Result<Vec<Record>, Error>) -> Result<Answer, Error> {
    if !is_uid(uid) {
        let message = format!("could not access secret {uid}: it is no UID of a record");
        return Err(Error::new(ErrorKind::Reference, message).with_hint(
            "a path is the UID of a record, which Keeper's vault shows beside its title",
        ));
    }
    let records = records.as_ref().map_err(|error| {
        let error = error.clone();
        error.below(format!("could not access secret {uid}"))
    })?;
    let mut found = records.iter().filter(|record| record.uid == uid);
    let Some(first) = found.next() else {
        let message = format!("no secrets could be found with the given path: {uid}");
        return Err(Error::new(ErrorKind::AbsentPath, message)
            .with_hint("share the record, or the folder that it lies in, with the application"));
    };
    // One record comes several times if it is shared by several ways.
    if found.any(|other| other.fields != first.fields) {
        let message =
            format!("unexpectedly multiple secrets were found with the given path: {uid}");
        return Err(Error::new(ErrorKind::Malformed, message));
    }
    let fields = first.fields.clone().ok_or_else(|| {
        let message = format!("could not access secret {uid}: its keys do not open it");
        Error::new(ErrorKind::Malformed, message)
            .with_hint("is the appKey in the device's file that of the application?")
    })?;
    Ok(Answer::whole(fields, None))
}

/// Whether a text may be one: 16 bytes in base64.
fn is_uid(text: &str) -> bool {
    decode(&text.into()).is_some_and(|uid| uid.expose().len() == 16)
        && !text.contains(['+', '/', '='])
}

impl Keeper {
    /// The records of these UIDs that the application may see.
    async fn records(
        &self,
        uids: &BTreeSet<&str>,
        deadline: Instant,
    ) -> Result<Vec<Record>, Error> {
        let uids: Vec<_> = uids.iter().filter(|uid| is_uid(uid)).collect();
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let question = json!({
            "clientVersion": DIALECT,
            "clientId": self.config.client_id.expose_str().unwrap_or_default(),
            "requestedRecords": uids,
        });
        let answer = self.ask(&question.to_string().into(), deadline).await?;
        let nonsense = || {
            Error::new(
                ErrorKind::Malformed,
                format!("what {NAME} answered makes no sense"),
            )
        };
        record::all(&answer, &self.config.app_key).ok_or_else(nonsense)
    }

    /// Asks until there is an answer that is worth no further try, and opens it.
    async fn ask(&self, question: &Text, deadline: Instant) -> Result<Text, Error> {
        let mut has_changed = false;
        loop {
            let id = self.server_key_id().clone();
            let message = self.message(&id, question)?;
            let response = self.service.send(&call(&id, &message), deadline).await?;
            if response.is_success() {
                let answer = envelope::open(&message.key, response.body.expose());
                let sealed = format!("what {NAME} answered is not sealed by the key of the call");
                return answer.ok_or_else(|| Error::new(ErrorKind::Malformed, sealed));
            }
            let refusal = Refusal::parse(&response);
            match (&refusal, refusal.over_at()) {
                (Refusal::Key(wanted), _) if !has_changed && self.can_use(wanted) => {
                    has_changed = true;
                    self.server_key_id().clone_from(wanted);
                }
                (Refusal::TooOften(_), Some(end)) if end < deadline => sleep_until(end).await,
                _ => return Err(self.refused(&response, &refusal)),
            }
        }
    }

    fn server_key_id(&self) -> std::sync::MutexGuard<'_, String> {
        let id = self.server_key_id.lock();
        id.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server's key of a number is at hand. One out of the device's file is the only one.
    fn can_use(&self, id: &str) -> bool {
        self.config.server_key.is_none() && server_keys::find(id).is_some()
    }

    fn message(&self, id: &str, question: &Text) -> Result<Message, Error> {
        let known = || decode(&server_keys::find(id)?.into()).map(Cow::Owned);
        let own = self.config.server_key.as_ref().map(Cow::Borrowed);
        let message = own.or_else(known).and_then(|key| {
            let device = &self.config.device;
            device.message(key.expose(), question)
        });
        let unusable = || {
            let error = Error::new(
                ErrorKind::Settings,
                format!("no message to {NAME} can be made"),
            );
            error.with_hint("is the serverPublicKey in the device's file a key of P-256?")
        };
        message.ok_or_else(unusable)
    }

    fn refused(&self, response: &Response, refusal: &Refusal) -> Error {
        let mut error = Error::from(self.service.refusal(response, &[]));
        let hint = match refusal {
            Refusal::Key(id) => {
                error.kind = ErrorKind::Settings;
                format!("the server wants another key of its own ({id}), which is not at hand: make a new device, or a newer version may know it")
            }
            Refusal::TooOften(_) => {
                error.kind = ErrorKind::Unreachable;
                "the server was asked too often: try again later".to_owned()
            }
            Refusal::Other if error.kind == ErrorKind::Denied => {
                "is the device still one of the application's, from this address, and is its file the newest?".to_owned()
            }
            Refusal::Other => return error,
        };
        error.with_hint(hint)
    }
}

fn call(id: &str, message: &Message) -> Call {
    let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    let mut call = rest::post("/api/rest/sm/v1/get_secret", message.body.clone().into());
    let signature = format!("Signature {}", encode(&message.signature));
    call.headers = vec![
        ("Content-Type", "application/octet-stream".into()),
        ("PublicKeyId", id.into()),
        ("TransmissionKey", encode(&message.sealed_key).into()),
        ("Authorization", signature.into()),
    ];
    call
}

/// Why the server refuses, as far as there is more to do than to tell.
enum Refusal {
    /// It wants the message for another key of its own.
    Key(String),
    /// It was asked too often, and wants so much time.
    TooOften(Duration),
    Other,
}

impl Refusal {
    fn parse(response: &Response) -> Self {
        let body: Json = serde_json::from_slice(response.body.expose()).unwrap_or_default();
        let code = body["result_code"].as_str().or(body["error"].as_str());
        match (code, &body["key_id"]) {
            (Some("key"), Json::Number(id)) => Self::Key(id.to_string()),
            (Some("key"), Json::String(id)) if id.parse::<u16>().is_ok() => Self::Key(id.clone()),
            (Some("throttled"), _) => {
                let wait = body["retry_after"].as_u64().filter(|seconds| *seconds > 0);
                Self::TooOften(wait.map_or(CALM, Duration::from_secs))
            }
            _ => Self::Other,
        }
    }

    /// When it may be asked again.
    fn over_at(&self) -> Option<Instant> {
        match self {
            Self::TooOften(wait) => Instant::now().checked_add(*wait),
            _ => None,
        }
    }
}
