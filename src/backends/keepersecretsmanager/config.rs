//! The settings: the device's file, in which Keeper's own tools keep host, keys and ids.

use crate::backends::registry::SettingsError;
use crate::backends::{object, required};
use crate::clients::Address;
use crate::clients::tls::Tls;
use crate::clients::vault::read_file;
use crate::diagnostics::io_reason;
use crate::env::Options;
use crate::secret::{Map, Text, last};

use super::envelope::{Device, decode};
use super::server_keys;

pub(super) const CONFIG: &str = "AVP_KEEPER_CONFIG_PATH";
pub(super) const HOST: &str = "KSM_HOSTNAME";
pub(super) const SKIP_VERIFY: &str = "KSM_SKIP_VERIFY";

/// Where the server is when nobody says it.
const DEFAULT_HOST: &str = "keepersecurity.com";

/// What a device knows.
pub(super) struct Config {
    pub(super) address: Address,
    pub(super) tls: Tls,
    /// Who the device is.
    pub(super) client_id: Text,
    pub(super) device: Device,
    /// Opens the keys of folders and records.
    pub(super) app_key: Text,
    /// The number of the server's key, and the key itself if it is none of the known ones.
    pub(super) server_key_id: String,
    pub(super) server_key: Option<Text>,
}

impl Config {
    /// Reads and checks the settings and the file.
    pub(super) fn load(options: &Options) -> Result<Self, SettingsError> {
        let file = File::load(options)?;
        let key = |name| {
            let key = decode(&file.need(name)?).filter(|key| !key.expose().is_empty());
            key.ok_or_else(|| file.error(&format!("its {name} is not base64")))
        };
        let device = Device::new(&key("privateKey")?)
            .ok_or_else(|| file.error("its privateKey is none of P-256 in PKCS #8"))?;
        let app_key = key("appKey")?;
        if app_key.expose().len() != 32 {
            return Err(file.error("its appKey is not 32 bytes long"));
        }
        let own = "serverPublicKey";
        let server_key = file.text(own).map(|_| key(own)).transpose()?;
        let id = file.text("serverPublicKeyId");
        let id = id.as_ref().and_then(Text::expose_str).map(str::trim);
        // A number that is not known counts as none, as in Keeper's own clients.
        let id = id.filter(|id| server_key.is_some() || server_keys::find(id).is_some());
        Ok(Self {
            address: address(options, &file)?,
            tls: tls(options)?,
            client_id: file.need("clientId")?,
            device,
            app_key,
            server_key_id: id.unwrap_or(server_keys::DEFAULT).to_owned(),
            server_key,
        })
    }
}

/// The device's file.
struct File {
    path: String,
    fields: Map,
}

impl File {
    fn load(options: &Options) -> Result<Self, SettingsError> {
        let path = options.path(CONFIG);
        let missing = || required(options, [CONFIG], "Keeper Secrets Manager");
        // It is read by the account that runs this.
        if options.is_set_by_application(CONFIG) {
            return Err(missing().about(CONFIG).hint(format!(
                "{CONFIG} names a file to read: an application cannot set it (ARGOCD_ENV_), only the operator"
            )));
        }
        let path = path.ok_or_else(missing)?;
        let mut file = Self {
            path: path.display().to_string(),
            fields: Map::new(),
        };
        let text = read_file(&path)
            .map_err(|error| file.error(&format!("it cannot be read: {}", io_reason(&error))))?;
        let text = Text::from(text.trim_ascii().to_vec());
        // Keeper gives it as JSON or as base64 of that.
        let fields = object(&text).or_else(|| object(&decode(&text)?));
        file.fields = fields.ok_or_else(|| file.error("it is no JSON object"))?;
        Ok(file)
    }

    fn text(&self, name: &str) -> Option<Text> {
        let text = last(&self.fields, name)?.text()?;
        let text = text.expose().trim_ascii();
        (!text.is_empty()).then(|| text.to_vec().into())
    }

    fn need(&self, name: &str) -> Result<Text, SettingsError> {
        let missing = || {
            match self.text("clientKey") {
            Some(_) => self
                .error("it holds a token that has not been used yet")
                .hint("let Keeper's own tool use it, once: ksm init default --plain TOKEN prints the file"),
            None => self.error(&format!("it holds no {name}")),
        }
        };
        self.text(name).ok_or_else(missing)
    }

    fn error(&self, problem: &str) -> SettingsError {
        let path = &self.path;
        SettingsError::new(format!("{CONFIG}: the file {path} cannot be used: {problem}"))
            .about(CONFIG)
            .hint("it is the configuration of a device of the application, as Keeper's vault or ksm makes it")
    }
}

/// A host's name, or an address of which only that counts; the setting wins over the file.
fn address(options: &Options, file: &File) -> Result<Address, SettingsError> {
    let of_file = file.text("hostname");
    let of_file = of_file.as_ref().and_then(Text::expose_str);
    let host = options.text(HOST).or(of_file).unwrap_or(DEFAULT_HOST);
    let host = host.trim();
    let (scheme, host) = host.split_once("://").unwrap_or(("https", host));
    let host = host.split('/').next().unwrap_or_default();
    Address::parse(&format!("{scheme}://{host}")).map_err(|error| match options.text(HOST) {
        Some(_) => SettingsError::new(format!("{HOST} cannot be used: {error}"))
            .about(HOST)
            .hint(format!("for example {DEFAULT_HOST}")),
        None => file.error(&format!("its hostname is none: {error}")),
    })
}

/// In the words that Keeper's own clients take.
fn tls(options: &Options) -> Result<Tls, SettingsError> {
    let text = options.text(SKIP_VERIFY).unwrap_or("false").trim();
    let mut tls = Tls::default();
    tls.skip_verify = match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "t" | "true" | "on" | "1" => true,
        "n" | "no" | "f" | "false" | "off" | "0" => false,
        _ => {
            let error = SettingsError::new(format!("{SKIP_VERIFY} must be true or false"));
            return Err(error.about(SKIP_VERIFY));
        }
    };
    Ok(tls)
}
