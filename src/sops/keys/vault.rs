//! Data keys that the transit engine of a Vault server holds: it encrypts and decrypts them, its own key stays there.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/secret/transit>. The server's address comes out of the encrypted
//! file, so a token goes only where the operator allows it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::folder::Folder;
use super::master::MasterKey;
use super::opener::{Failure, Opener, Share};
use crate::clients::Address;
use crate::clients::http::{Call, Client, Response};
use crate::clients::vault;
use crate::diagnostics::io_reason;
use crate::env::{Environment, Options, SettingsError};
use crate::secret::Text;
use crate::yaml::{decode_base64, encode_base64};

/// Which servers get the token: `all`, `none`, or beginnings of addresses with commas between them.
pub const ALLOWLIST: &str = "SOPS_HC_VAULT_ALLOWLIST";

const TOKEN_FILE: &str = ".vault-token";
/// What Flux calls the token in its Secret of keys.
const FLUX_TOKEN: &str = "sops.vault-token";

/// The transit engines of all servers that files name.
pub(super) struct Transit {
    options: Options,
    environment: Environment,
    folder: Option<Folder>,
    clients: Mutex<HashMap<String, Arc<Client>>>,
}

/// One of the two things that the engine does.
struct Task<'t> {
    /// As its path says it.
    name: &'static str,
    /// The field of the request, and what it holds.
    sent: (&'static str, &'t str),
    /// The field of the answer.
    wanted: &'static str,
}

impl Transit {
    pub(super) fn new(options: &Options, environment: &Environment) -> Self {
        Self {
            options: options.clone(),
            environment: environment.clone(),
            folder: Folder::new(options),
            clients: Mutex::default(),
        }
    }

    async fn ask(
        &self,
        key: &MasterKey,
        task: Task<'_>,
        deadline: Instant,
    ) -> Result<Text, Failure> {
        let [address, engine, name] = [0, 1, 2].map(|field| key.fields[field].as_str());
        self.check_allowed(address)?;
        let client = self.client(address)?;
        let token = self.token()?;
        let namespace = vault::header_text(&self.options, "VAULT_NAMESPACE").map_err(setting)?;
        let engine = vault::clean(engine).ok();
        let Some(engine) = engine.filter(|engine| !engine.is_empty() && !name.is_empty()) else {
            return Err(Failure::new("its engine_path or key_name leads nowhere"));
        };
        let engine = vault::encode(&engine);
        let name = vault::encode_segment(name);
        let path = format!("/v1/{engine}/{}/{name}", task.name);
        let (field, value) = task.sent;
        let body = serde_json::to_string(&BTreeMap::from([(field, value)]));
        let body = Text::from(body.expect("texts are JSON"));
        let mut call = Call::put(path.clone(), body);
        vault::sign(&mut call, Some(&token), namespace.as_deref());
        let sent = client.send(&call, deadline).await;
        let response = sent.map_err(|error| {
            let cause = error.causes().first().cloned().unwrap_or_default();
            let text = vault::strike(&format!("{error}: {cause}"), &[&token]);
            Failure::new(text).with_hint("is the server up, and may it be reached from here?")
        })?;
        let line = format!("PUT {}{path}", client.address());
        if !response.is_success() {
            return Err(refused(&line, &response, &token));
        }
        answer(&response, task.wanted)
            .ok_or_else(|| Failure::new(format!("{line} was answered without {}", task.wanted)))
    }

    /// Without a list the server must be the one that the operator has named.
    fn check_allowed(&self, address: &str) -> Result<(), Failure> {
        let address = with_slash(address);
        let refused = |reason: &str| {
            Failure::new(format!("{reason}, so it gets no token")).with_hint(format!(
                "if the server is yours, allow it: {ALLOWLIST}={address}"
            ))
        };
        // What an application sets in its own favour does not count.
        let set = |key| {
            let is_own = !self.options.is_set_by_application(key);
            self.options.text(key).filter(|_| is_own)
        };
        let Some(list) = set(ALLOWLIST) else {
            return match set("VAULT_ADDR").map(with_slash) {
                Some(own) if own == address => Ok(()),
                _ => Err(refused("the file names the server, not VAULT_ADDR")),
            };
        };
        let mut allowed = list.split(',').map(|entry| entry.trim_matches(' '));
        match list {
            "all" => Ok(()),
            _ if list != "none" && allowed.clone().any(str::is_empty) => {
                Err(Failure::new(format!("an entry of {ALLOWLIST} is empty")))
            }
            _ if list != "none" && allowed.any(|own| address.starts_with(&with_slash(own))) => {
                Ok(())
            }
            _ => Err(refused(&format!("{ALLOWLIST} does not name it"))),
        }
    }

    fn client(&self, address: &str) -> Result<Arc<Client>, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(address) {
            return Ok(Arc::clone(client));
        }
        let parsed = Address::parse(address).map_err(|error| Failure::new(error.to_string()))?;
        let config = vault::config(&self.options, &self.environment, parsed).map_err(setting)?;
        let client = Arc::new(vault::client(config).map_err(setting)?);
        clients.insert(address.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    /// The token in the folder of keys, else `VAULT_TOKEN`, else the file in which Vault's own client keeps its token.
    fn token(&self) -> Result<Text, Failure> {
        let files = self.folder.as_ref().map(|folder| folder.files(FLUX_TOKEN));
        if let Some(file) = files.unwrap_or_default().into_iter().next() {
            return token_in(&file.place, file.text);
        }
        let set = vault::header_text(&self.options, "VAULT_TOKEN").map_err(setting)?;
        if let Some(token) = set {
            return Ok(Text::from(token.trim()));
        }
        let home = self.options.text("HOME").map(PathBuf::from);
        let Some(file) = home.map(|home| home.join(TOKEN_FILE)) else {
            return Err(no_token("VAULT_TOKEN and HOME are not set"));
        };
        let place = format!("VAULT_TOKEN is not set, and {}", file.display());
        token_in(&place, vault::read_file(&file))
    }
}

fn token_in(place: &str, read: io::Result<Zeroizing<Vec<u8>>>) -> Result<Text, Failure> {
    let bytes = read.map_err(|error| {
        let reason = io_reason(&error);
        no_token(&format!("{place}: {reason}"))
    })?;
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok(token) if !token.is_empty() && !token.contains(char::is_control) => {
            Ok(Text::from(token))
        }
        _ => Err(no_token(&format!("{place} holds no token"))),
    }
}

impl Opener for Transit {
    fn unwrap<'a>(
        &'a self,
        key: &'a MasterKey,
        enc: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Share, Failure>> {
        let task = Task {
            name: "decrypt",
            sent: ("ciphertext", enc),
            wanted: "plaintext",
        };
        let share = |text: Text| {
            let bytes = text.expose_str().and_then(decode_base64);
            let bytes = bytes.ok_or_else(|| Failure::new("the answer is not in base64"))?;
            Ok(Zeroizing::new(bytes))
        };
        let asked = self.ask(key, task, deadline);
        asked.map(move |text| text.and_then(share)).boxed()
    }

    fn wrap<'a>(
        &'a self,
        key: &'a MasterKey,
        share: &'a [u8],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(MasterKey, String), Failure>> {
        async move {
            let plain = Zeroizing::new(encode_base64(share));
            let task = Task {
                name: "encrypt",
                sent: ("plaintext", &plain),
                wanted: "ciphertext",
            };
            let text = self.ask(key, task, deadline).await?;
            let enc = text.expose_str().unwrap_or_default();
            Ok((key.clone(), enc.to_owned()))
        }
        .boxed()
    }
}

fn with_slash(address: &str) -> String {
    format!("{}/", address.trim_end_matches('/'))
}

fn setting(error: SettingsError) -> Failure {
    Failure::Other {
        reason: error.message,
        hint: error.hint,
    }
}

fn no_token(reason: &str) -> Failure {
    Failure::new(format!("there is no token for Vault: {reason}"))
        .with_hint("set VAULT_TOKEN, or log in with vault login")
}

fn refused(line: &str, response: &Response, token: &Text) -> Failure {
    let words = vault::errors(response, &[token]);
    let status = response.status;
    let failure = Failure::new(format!("{line} was answered {status}: {words}"));
    match status {
        403 => failure.with_hint(
            "the token needs a policy with update on that path; VAULT_NAMESPACE may be missing",
        ),
        404 => failure.with_hint("is the transit engine mounted there?"),
        _ => failure,
    }
}

/// A text of the answer's data. What was read beside it is not kept.
fn answer(response: &Response, wanted: &str) -> Option<Text> {
    let mut answer: Value = serde_json::from_slice(response.body.expose()).ok()?;
    match answer.get_mut("data")?.get_mut(wanted)?.take() {
        Value::String(text) => Some(Text::from(text)),
        _ => None,
    }
}
