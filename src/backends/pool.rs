//! The configured backend instances of a process: opened once, shared by all renders. Each instance owns its login and
//! its connections.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::Backend;
use super::registry::SettingsError;
use super::shared::Sharing;

/// An instance, or why it could not be opened.
pub type Opened = Result<Arc<dyn Backend>, SettingsError>;

/// Opens an instance when the first reference asks for it.
pub type Opener = Box<dyn Fn() -> Opened + Send + Sync>;

/// Backend instances by name.
#[derive(Default)]
pub struct Pool {
    instances: BTreeMap<Arc<str>, Instance>,
    sharing: Option<Arc<Sharing>>,
}

struct Instance {
    open: Opener,
    opened: OnceLock<Opened>,
}

impl Pool {
    /// A pool of a process that renders often, whose instances may keep what they have read.
    pub fn sharing(sharing: Arc<Sharing>) -> Self {
        Self {
            sharing: Some(sharing),
            ..Self::default()
        }
    }

    /// Adds an instance that is already open.
    pub fn insert(&mut self, name: &str, backend: Arc<dyn Backend>) {
        self.insert_lazy(name, Box::new(move || Ok(Arc::clone(&backend))));
    }

    /// Adds an instance that is opened at its first use, so that nobody needs settings for what he does not use.
    pub fn insert_lazy(&mut self, name: &str, open: Opener) {
        self.instances.insert(
            name.into(),
            Instance {
                open,
                opened: OnceLock::new(),
            },
        );
    }

    /// The names, sorted.
    pub fn names(&self) -> Arc<[Arc<str>]> {
        self.instances.keys().cloned().collect()
    }

    /// Whether something asked for the instance.
    pub fn is_used(&self, name: &str) -> bool {
        let instance = self.instances.get(name);
        instance.is_some_and(|instance| instance.opened.get().is_some())
    }

    /// The instance of that name; `None` when there is none.
    pub fn get(&self, name: &str) -> Option<&Opened> {
        let instance = self.instances.get(name)?;
        Some(instance.opened.get_or_init(|| {
            let opened = (instance.open)()?;
            Ok(match &self.sharing {
                Some(sharing) => sharing.of(opened),
                None => opened,
            })
        }))
    }
}
