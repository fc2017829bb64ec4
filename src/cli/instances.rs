//! Backend instances out of the settings: the flat keys make one for each built-in type, `manifuse.yaml` names others.
//!
//! This is where settings and the backends' own tables meet, because neither room may know the other.

use std::sync::Arc;

use crate::backends::pool::Pool;
use crate::backends::registry::{self, ENCRYPTED, SettingsError, Type};
use crate::diagnostics::{Diagnostic, Fault, Place, Warning, nearest};
use crate::env::{Environment, Options, Origin, Setting};
use crate::secret::Text;
use crate::settings::{BackendSetting, NamedBackend, Settings};
use crate::sops::Keyring;

use super::Name;

/// What stands for the default backend where none is set. No instance can have this name.
pub(super) const NO_DEFAULT: &str = "path";

/// The instances of a run.
pub(super) struct Instances {
    /// All of them.
    pub(super) pool: Arc<Pool>,
    /// The names that references may use.
    pub(super) names: Arc<[Arc<str>]>,
    /// What `path:` means.
    pub(super) default: Arc<str>,
    /// What is hardly meant as it is set.
    pub(super) warnings: Vec<Diagnostic>,
}

impl Instances {
    /// The keys for encrypted documents of the stream: those of the default backend if it has such, else of the first
    /// named one that has, else of the built-in type, whose settings may be wrong.
    pub(super) fn keyring(&self, settings: &Settings) -> Result<Arc<Keyring>, SettingsError> {
        let named = settings.backends.iter().map(|backend| &*backend.name);
        let mut own = [&*self.default].into_iter().chain(named);
        if let Some(keyring) = own.find_map(|name| self.pool.get(name)?.as_ref().ok()?.keyring()) {
            return Ok(keyring);
        }
        let built_in = self.pool.get(ENCRYPTED).expect("it is built in");
        let backend = built_in.as_ref().map_err(Clone::clone)?;
        Ok(backend.keyring().expect("it is a store of encrypted files"))
    }
}

/// Makes the instances. Those that the settings ask for are opened, so that wrong settings are told even if nothing is
/// fetched; a built-in type without any is opened if a reference names it. They go into a pool that is empty.
pub(super) fn make(
    settings: &Settings,
    environment: &Environment,
    types: &'static [Type],
    name: Name,
    token_cache: bool,
    pool: Pool,
) -> Result<Instances, Vec<Diagnostic>> {
    let mut maker = Maker {
        environment,
        types,
        token_cache,
        pool,
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    for kind in types.iter().filter(|kind| kind.built_in) {
        maker.add(kind.name, kind, settings.flat.clone());
    }
    for backend in &settings.backends {
        maker.named(backend, &settings.plain);
    }
    let default = maker.default(settings, name);
    let names = maker.pool.names();
    let default = match default {
        Ok(Some(default)) => {
            // A named one was opened above, or has errors already.
            if !is_named(settings, &default) {
                maker.open(&default, None);
            }
            default
        }
        Ok(None) => {
            let error = no_default(settings);
            let open = Box::new(move || Err(error.clone()));
            maker.pool.insert_lazy(NO_DEFAULT, open);
            Arc::from(NO_DEFAULT)
        }
        Err(error) => {
            maker.errors.push(*error);
            Arc::from(NO_DEFAULT)
        }
    };
    if maker.errors.is_empty() {
        return Ok(Instances {
            pool: Arc::new(maker.pool),
            names,
            default,
            warnings: maker.warnings,
        });
    }
    maker.errors.append(&mut maker.warnings);
    Err(maker.errors)
}

fn no_default(settings: &Settings) -> SettingsError {
    let names: Vec<&str> = settings
        .backends
        .iter()
        .map(|backend| &*backend.name)
        .collect();
    let hint = match (&settings.passed_over, names.as_slice()) {
        (Some(file), _) => format!(
            "{file} was passed over, because it lies outside of the working directory; name it by -c"
        ),
        (None, []) => "set AVP_TYPE, or defaultBackend in manifuse.yaml".to_owned(),
        (None, names) => format!("set defaultBackend to one of {}", names.join(", ")),
    };
    SettingsError::new("no default backend is set").hint(hint)
}

/// Backends that the settings name, of types that references name instead: those are other backends, made of variables
/// alone. One for each type.
pub(super) fn passed_over(settings: &Settings, pool: &Pool, default: &str) -> Vec<Diagnostic> {
    let types = registry::TYPES.iter().map(|kind| kind.name);
    let types =
        types.filter(|kind| *kind != default && !is_named(settings, kind) && pool.is_used(kind));
    let told = types.filter_map(|kind| {
        let mut backends = settings.backends.iter();
        let NamedBackend { name, kind: of, .. } = backends.find(|one| one.kind.text == kind)?;
        let message =
            format!("<{kind}:…> is set by variables alone, and has nothing of the backend {name}");
        let error = Diagnostic::error(Fault::Input, message).at(of.place.clone());
        let hint = format!("that one is <{name}:…>, or <path:…> with defaultBackend: {name}");
        Some(error.into_warning(Warning::OddSetting).with_hint(hint))
    });
    told.collect()
}

struct Maker<'a> {
    environment: &'a Environment,
    types: &'static [Type],
    token_cache: bool,
    pool: Pool,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Maker<'_> {
    fn add(&mut self, name: &str, kind: &'static Type, mut options: Options) {
        if !self.token_cache {
            let setting = Setting {
                value: Text::from("off"),
                origin: Origin::Flag("--disable-token-cache"),
            };
            options.set("MANIFUSE_TOKEN_CACHE", setting);
        }
        let environment = self.environment.clone();
        let open = move || (kind.open)(&options, &environment);
        self.pool.insert_lazy(name, Box::new(open));
    }

    /// Opens an instance, to find out whether its settings are right.
    fn open(&mut self, name: &str, of: Option<(&NamedBackend, &Type)>) {
        let told = |error: &SettingsError| Diagnostic {
            place: of.map(|(backend, kind)| place(backend, kind, error.setting)),
            ..Diagnostic::from_error(error)
        };
        match self.pool.get(name) {
            Some(Err(error)) => self.errors.push(told(error)),
            Some(Ok(backend)) => {
                let odd = backend.odd_settings().iter().map(told);
                let odd = odd.map(|odd| Diagnostic {
                    fault: Fault::Input, // As of any warning that is to fail the run.
                    ..odd.into_warning(Warning::OddSetting)
                });
                self.warnings.extend(odd);
            }
            None => {}
        }
    }

    fn named(&mut self, backend: &NamedBackend, plain: &Options) {
        let Some(kind) = self
            .types
            .iter()
            .find(|kind| kind.name == backend.kind.text)
        else {
            let message = format!("there is no backend type {:?}", backend.kind.text);
            let error = Diagnostic::error(Fault::Settings, message).at(backend.kind.place.clone());
            let names: Vec<_> = self.types.iter().map(|kind| kind.name).collect();
            self.errors
                .push(error.with_hint(instead(&backend.kind.text, &names, "type")));
            return;
        };
        let (options, unknown) = options(backend, kind, plain);
        let is_sound = unknown.is_empty();
        self.errors.extend(unknown);
        self.add(&backend.name, kind, options);
        if is_sound {
            self.open(&backend.name, Some((backend, kind)));
        }
    }

    /// The default backend's name. By our own name a run may do without one.
    fn default(
        &self,
        settings: &Settings,
        name: Name,
    ) -> Result<Option<Arc<str>>, Box<Diagnostic>> {
        if let Some(default) = &settings.default_backend {
            let names = self.pool.names();
            if is_named(settings, &default.text) || names.iter().any(|n| **n == *default.text) {
                return Ok(Some(Arc::from(default.text.as_str())));
            }
            let message = format!("there is no backend {:?}", default.text);
            let error = Diagnostic::error(Fault::Settings, message).at(default.place.clone());
            let names: Vec<_> = names.iter().map(|name| &**name).collect();
            let hint = instead(&default.text, &names, "defaultBackend");
            return Err(Box::new(error.with_hint(hint)));
        }
        let avp_type = settings.flat.get("AVP_TYPE");
        let text = avp_type.and_then(|setting| setting.value.expose_str());
        match (text, settings.backends.as_slice()) {
            (Some(text), _) if self.is_built_in(text) => Ok(Some(Arc::from(text))),
            (None, [only]) => Ok(Some(Arc::clone(&only.name))),
            (None, _) if name == Name::Manifuse => Ok(None),
            (text, _) => Err(Box::new(
                self.unsupported(text.unwrap_or_default(), avp_type),
            )),
        }
    }

    fn is_built_in(&self, name: &str) -> bool {
        self.types
            .iter()
            .any(|kind| kind.built_in && kind.name == name)
    }

    fn unsupported(&self, text: &str, setting: Option<&Setting>) -> Diagnostic {
        let message = format!("Must provide a supported Vault Type, received {text}");
        let mut error = Diagnostic::error(Fault::Settings, message);
        if let Some(setting) = setting {
            error = error.with_cause(format!("AVP_TYPE is from {}", setting.origin));
        }
        if self.types.iter().any(|kind| kind.name == text) {
            return error.with_hint(format!(
                "{text} is for named backends only: write it as a type under backends in manifuse.yaml"
            ));
        }
        let names = self.types.iter().filter(|kind| kind.built_in);
        let names: Vec<_> = names.map(|kind| kind.name).collect();
        error.with_hint(instead(text, &names, "AVP_TYPE"))
    }
}

/// The settings of a named backend: its own, and plain variables for what it does not set. And the keys that its type
/// does not have.
pub(super) fn options(
    backend: &NamedBackend,
    kind: &Type,
    plain: &Options,
) -> (Options, Vec<Diagnostic>) {
    let mut options = Options::of_named();
    for (key, _) in kind.settings {
        if let Some(setting) = plain.get(key) {
            options.set(*key, setting.clone());
        }
    }
    let mut errors = Vec::new();
    for setting in &backend.settings {
        let mut known = kind.settings.iter();
        match known.find(|(_, dotted)| *dotted == setting.key) {
            Some((key, _)) => options.set(*key, setting.setting.clone()),
            None => errors.push(unknown(setting, kind)),
        }
    }
    (options, errors)
}

pub(super) fn is_named(settings: &Settings, name: &str) -> bool {
    settings
        .backends
        .iter()
        .any(|backend| *backend.name == *name)
}

fn unknown(setting: &BackendSetting, kind: &Type) -> Diagnostic {
    let names = kind.settings.iter().map(|(_, dotted)| *dotted);
    let (BackendSetting { key, place, .. }, kind) = (setting, kind.name);
    let error = |message| Diagnostic::error(Fault::Settings, message).at(place.clone());
    let is_below = |name: &str| {
        name.strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    if names.clone().any(is_below) {
        return error(format!("{key} of a backend of type {kind} must be a map"));
    }
    let error = error(format!("a backend of type {kind} has no setting {key}"));
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    error.with_hint(instead(key, &names, "a setting"))
}

/// Where a setting stands in a named backend; where it does not, the map it belongs to, or the backend's type.
fn place(backend: &NamedBackend, kind: &Type, setting: Option<&str>) -> Place {
    let known = kind.settings.iter().find(|(key, _)| Some(*key) == setting);
    let dotted = known.map_or("", |(_, dotted)| *dotted);
    let map = dotted.rfind('.').map(|end| &dotted[..=end]);
    let mut own = backend.settings.iter();
    let found = own.clone().find(|own| own.key == dotted);
    let found = found.or_else(|| own.find(|own| map.is_some_and(|map| own.key.starts_with(map))));
    found.map_or(&backend.kind.place, |own| &own.place).clone()
}

/// What to write instead of a name that there is not.
fn instead(text: &str, names: &[&str], setting: &str) -> String {
    let near = nearest(text, names.iter().copied());
    let known = format!("{setting} is one of {}", names.join(", "));
    match near {
        Some(near) => format!("did you mean {near}?"),
        None => known,
    }
}
