//! The ways to log in, as a table: which settings each needs, which request it makes, and what identifies it in the token
//! cache.

use tokio::sync::Mutex;

#[cfg(feature = "aws")]
use super::aws;
use super::credential::{Credential, Source};
use super::settings::{KEYS, called};
use crate::backends::registry::SettingsError;
use crate::clients::http::Call;
use crate::clients::vault::{self, first_set, header_text};
use crate::diagnostics::nearest;
use crate::env::{Environment, Options};
use crate::secret::Text;

/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

const TYPE: &str = "AVP_AUTH_TYPE";

/// What `AVP_AUTH_TYPE` says where there is nothing to log in with but the token.
const TOKEN: &str = "token";

/// A way to get a token.
pub(super) enum Method {
    /// The token itself is a setting.
    Token(Text),
    /// A login with a credential.
    Login(Login),
}

/// One kind of login: `PUT MOUNT/login` with a few fields.
struct Kind {
    /// What `AVP_AUTH_TYPE` says; the first stands in the token cache.
    names: &'static [&'static str],
    /// The mount when no setting says another one.
    mount: &'static str,
    /// The settings that may say it, the nearest first.
    mounts: &'static [&'static str],
    /// Who logs in.
    identity: Identity,
    /// What proves it: the first source that is set counts.
    sources: &'static [Source],
    /// The field of the request that carries the proof; none where it is not sent.
    field: Option<&'static str>,
    /// What to say when a setting is missing: AVP's text where it has one.
    missing: &'static str,
}

/// The role, role id or user.
struct Identity {
    /// The settings that may say it, the nearest first.
    keys: &'static [&'static str],
    place: Place,
    is_needed: bool,
}

/// How a login request carries the identity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// As the last segment of the path.
    Path,
    Field(&'static str),
    /// As a field that is half of a credential, and so is in no message.
    HiddenField(&'static str),
}

const MOUNT: &[&str] = &["AVP_MOUNT_PATH"];

const USER: Identity = Identity {
    keys: &["AVP_USERNAME"],
    place: Place::Path,
    is_needed: true,
};

const KINDS: &[Kind] = &[
    Kind {
        names: &["approle"],
        mount: "auth/approle",
        mounts: MOUNT,
        identity: Identity {
            keys: &["AVP_ROLE_ID"],
            place: Place::HiddenField("role_id"),
            is_needed: true,
        },
        sources: &[
            Source::Text("AVP_SECRET_ID"),
            Source::WrappedText("AVP_SECRET_ID_WRAPPED"),
            Source::WrappedFile("AVP_SECRET_ID_WRAPPED_PATH"),
        ],
        field: Some("secret_id"),
        missing: "AVP_ROLE_ID and AVP_SECRET_ID for approle authentication cannot be empty",
    },
    #[cfg(feature = "aws")]
    Kind {
        names: &["aws"],
        mount: "auth/aws",
        mounts: MOUNT,
        identity: Identity {
            keys: &["AVP_ROLE"],
            place: Place::Field("role"),
            is_needed: false,
        },
        sources: &[Source::Made(&[aws::SERVER_ID, aws::REGION], aws::open)],
        field: Some("iam_request_headers"),
        missing: "credentials of AWS for aws authentication cannot be empty",
    },
    Kind {
        names: &["cert"],
        mount: "auth/cert",
        mounts: MOUNT,
        identity: Identity {
            keys: &["AVP_ROLE"],
            place: Place::Field("name"),
            is_needed: false,
        },
        sources: &[Source::ClientCertificate],
        field: None,
        missing: "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY for cert authentication cannot be empty",
    },
    Kind {
        names: &["github"],
        mount: "auth/github",
        mounts: MOUNT,
        identity: Identity {
            keys: &[],
            place: Place::Path,
            is_needed: false,
        },
        sources: &[Source::Text("AVP_GITHUB_TOKEN")],
        field: Some("token"),
        missing: "AVP_GITHUB_TOKEN for github authentication cannot be empty",
    },
    Kind {
        names: &["jwt"],
        mount: "auth/jwt",
        mounts: MOUNT,
        identity: Identity {
            keys: &["AVP_ROLE"],
            place: Place::Field("role"),
            is_needed: false,
        },
        sources: &[Source::Text("AVP_JWT"), Source::File("AVP_JWT_PATH", None)],
        field: Some("jwt"),
        missing: "AVP_JWT or AVP_JWT_PATH for jwt authentication cannot be empty",
    },
    Kind {
        names: &["k8s", "kubernetes"],
        mount: "auth/kubernetes",
        mounts: &["AVP_K8S_MOUNT_PATH", "AVP_MOUNT_PATH"],
        identity: Identity {
            keys: &["AVP_K8S_ROLE", "AVP_ROLE"],
            place: Place::Field("role"),
            is_needed: true,
        },
        sources: &[Source::File(
            "AVP_K8S_TOKEN_PATH",
            Some(SERVICE_ACCOUNT_TOKEN),
        )],
        field: Some("jwt"),
        missing: "AVP_K8S_ROLE cannot be empty when using Kubernetes Auth",
    },
    Kind {
        names: &["ldap"],
        mount: "auth/ldap",
        mounts: MOUNT,
        identity: USER,
        sources: &[Source::Text("AVP_PASSWORD")],
        field: Some("password"),
        missing: "AVP_USERNAME and AVP_PASSWORD for ldap authentication cannot be empty",
    },
    Kind {
        names: &["userpass"],
        mount: "auth/userpass",
        mounts: MOUNT,
        identity: USER,
        sources: &[Source::Text("AVP_PASSWORD")],
        field: Some("password"),
        missing: "AVP_USERNAME and AVP_PASSWORD for userpass authentication cannot be empty",
    },
];

/// Chooses the method and checks that its settings are there, with AVP's texts.
pub(super) fn parse(options: &Options, environment: &Environment) -> Result<Method, SettingsError> {
    let name = options.text(TYPE).unwrap_or_default().trim();
    if name == TOKEN {
        let text = "VAULT_TOKEN for token authentication cannot be empty";
        let token = header_text(options, "VAULT_TOKEN")?;
        let token = token.ok_or_else(|| missing(text, &[&["VAULT_TOKEN"]]))?;
        check_own_keys(options, name)?;
        return Ok(Method::Token(token.into()));
    }
    let Some(kind) = KINDS.iter().find(|kind| kind.names.contains(&name)) else {
        return Err(unknown_type(options, name));
    };
    check_own_keys(options, name)?;
    kind.parse(options, environment).map(Method::Login)
}

fn unknown_type(options: &Options, name: &str) -> SettingsError {
    let called = called(options, TYPE);
    let message = match name {
        _ if called == TYPE => {
            format!("Must provide a supported Authentication Type, received {name}")
        }
        "" => format!("{called} is missing"),
        _ => format!("there is no authentication type {name:?}"),
    };
    let mut known: Vec<_> = keys_by_name().map(|(name, _)| name).collect();
    known.sort_unstable();
    let near = nearest(name, known.iter().copied());
    let near = near.map_or(String::new(), |near| format!("did you mean {near}? "));
    let hint = format!("{near}{called} is one of {}", known.join(", "));
    SettingsError::new(message).about(TYPE).hint(hint)
}

impl Method {
    /// The settings that it sends with a line end at their end. A token with one is refused.
    pub(super) fn odd(&self, options: &Options) -> Vec<SettingsError> {
        let Self::Login(login) = self else {
            return Vec::new();
        };
        let identity = first_set(options, login.kind.identity.keys);
        let proof = login.credential.given().map(|_| login.credential.key);
        let odd = identity.into_iter().chain(proof).filter_map(|key| {
            let setting = options.get(key)?;
            let ends = setting.value.expose_str()?.ends_with('\n');
            let origin = &setting.origin;
            let message = format!("{origin} ends in a line end, which is sent with it");
            let error = SettingsError::new(message).about(key);
            ends.then(|| error.hint("store it without"))
        });
        odd.collect()
    }
}

/// The name and the settings of each way to log in.
fn keys_by_name() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let keys = |kind: &Kind| {
        let sources = kind.sources.iter().flat_map(Source::keys).copied();
        let others = kind.identity.keys.iter().chain(kind.mounts).copied();
        sources.chain(others).collect()
    };
    let logins = KINDS.iter().map(move |kind| (kind.names[0], keys(kind)));
    logins.chain([(TOKEN, vec!["VAULT_TOKEN"])])
}

/// What a named backend itself says under `auth` is all for its own way to log in. Plain variables may be for others.
fn check_own_keys(options: &Options, name: &str) -> Result<(), SettingsError> {
    let kind = KINDS.iter().find(|kind| kind.names.contains(&name));
    let own_name = kind.map_or(name, |kind| kind.names[0]);
    for (key, dotted) in KEYS {
        let readers = keys_by_name().filter(|(_, keys)| keys.contains(key));
        let readers: Vec<_> = readers.map(|(reader, _)| reader).collect();
        let is_foreign = !readers.is_empty() && !readers.contains(&own_name);
        if is_foreign && dotted.starts_with("auth.") && options.is_structured(key) {
            let readers = readers.join(" or ");
            let message =
                format!("{dotted} is for {readers} authentication, and auth.type is {name}");
            let error = SettingsError::new(message).about(key);
            return Err(error.hint(format!("leave {dotted} out, or change auth.type")));
        }
    }
    Ok(())
}

impl Kind {
    fn parse(
        &'static self,
        options: &Options,
        environment: &Environment,
    ) -> Result<Login, SettingsError> {
        let text = |keys| first_set(options, keys).and_then(|key| options.text(key));
        let identity = text(self.identity.keys);
        let credential = Credential::parse(self.sources, options, environment)?;
        let sources = self.sources.iter().flat_map(Source::keys).copied();
        let sources: Vec<_> = sources.collect();
        let lacks_identity = self.identity.is_needed && identity.is_none();
        let needed = [
            lacks_identity.then_some(self.identity.keys),
            credential.is_none().then_some(&sources[..]),
        ];
        let needed: Vec<_> = needed.into_iter().flatten().collect();
        let Some(credential) = credential.filter(|_| needed.is_empty()) else {
            return Err(missing(self.missing, &needed));
        };
        if self.identity.place == Place::Path && matches!(identity, Some("." | "..")) {
            // It would change the path of the login request.
            let error = SettingsError::new("AVP_USERNAME is no user name");
            return Err(error.about("AVP_USERNAME"));
        }
        Ok(Login {
            kind: self,
            mount: mount(text(self.mounts).unwrap_or(self.mount))?,
            identity: identity.unwrap_or_default().into(),
            credential,
            unwrapped: Mutex::default(),
        })
    }
}

fn mount(text: &str) -> Result<String, SettingsError> {
    match vault::clean(text) {
        Ok(mount) if !mount.is_empty() => Ok(mount),
        _ => Err(SettingsError::new(
            "AVP_MOUNT_PATH or AVP_K8S_MOUNT_PATH is no path of a login method",
        )),
    }
}

/// Of each of these groups one setting is needed.
fn missing(message: &str, groups: &[&[&str]]) -> SettingsError {
    let either = |keys: &&[&str]| {
        let names: Vec<_> = keys.iter().map(|key| with_dotted(key)).collect();
        names.join(" or ")
    };
    let needed: Vec<_> = groups.iter().map(either).collect();
    let needed = needed.join(", and ");
    SettingsError::new(message).hint(format!(
        "set {needed}, or choose another way to log in by AVP_AUTH_TYPE (auth.type)"
    ))
}

/// A setting by both of its names.
fn with_dotted(key: &str) -> String {
    let known = KEYS.iter().find(|(known, _)| *known == key);
    known.map_or_else(|| key.to_owned(), |(_, dotted)| format!("{key} ({dotted})"))
}

/// A login that has all its settings.
pub(super) struct Login {
    kind: &'static Kind,
    /// The mount below `/v1/`, cleaned.
    pub(super) mount: String,
    /// The role, role id or user name: who logs in.
    pub(super) identity: Text,
    pub(super) credential: Credential,
    /// The last wrapping token and what it held. It opens once, and a later login needs the content again.
    pub(super) unwrapped: Mutex<Option<(Text, Text)>>,
}

impl Login {
    /// What the method is called in the token cache.
    pub(super) fn name(&self) -> &'static str {
        self.kind.names[0]
    }

    /// What must not come back in the server's words: the credential, and a role id, which is half of one.
    pub(super) fn secrets<'a>(&'a self, credential: &'a Text) -> Vec<&'a Text> {
        let mut secrets = vec![credential];
        if matches!(self.kind.identity.place, Place::HiddenField(_)) {
            secrets.push(&self.identity);
        }
        secrets
    }

    /// The same, as far as they are settings.
    pub(super) fn given_secrets(&self) -> Vec<&Text> {
        let given = self.credential.given();
        given.map_or_else(Vec::new, |text| self.secrets(text))
    }

    /// The login request. It carries no token: an old one has no business there.
    pub(super) fn call(&self, credential: &Text) -> Call {
        let mut target = format!("/v1/{}/login", vault::encode(&self.mount));
        let mut fields = Vec::new();
        let identity = expose(&self.identity);
        match self.kind.identity.place {
            _ if identity.is_empty() => {}
            Place::Path => {
                target.push('/');
                target.push_str(&vault::encode_segment(identity));
            }
            Place::Field(name) | Place::HiddenField(name) => fields.push((name, identity)),
        }
        let credential = self.kind.field.map(|field| (field, expose(credential)));
        fields.extend(credential);
        let others = self.credential.fields();
        fields.extend(others.iter().map(|(name, text)| (*name, text.as_str())));
        Call::put(target, json(&fields))
    }
}

fn expose(text: &Text) -> &str {
    text.expose_str()
        .expect("settings, token files and answers are checked to be UTF-8")
}

/// An object of strings. Written into a buffer that never has to grow, so that no copy of a credential stays behind.
pub(super) fn json(fields: &[(&str, &str)]) -> Text {
    let longest = |(key, value): &(&str, &str)| key.len() + 6 * value.len() + 8;
    let mut text = Vec::with_capacity(2 + fields.iter().map(longest).sum::<usize>());
    let object: std::collections::BTreeMap<_, _> = fields.iter().copied().collect();
    serde_json::to_writer(&mut text, &object).expect("strings always serialise");
    text.into()
}
