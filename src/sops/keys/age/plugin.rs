//! Recipients and identities of plugins: a program `age-plugin-NAME` does the work, and may ask on the terminal.

use std::collections::HashSet;
use std::slice;

use age::plugin::{IdentityPluginV1, RecipientPluginV1};
use age::secrecy::SecretString;
use age::{Callbacks, DecryptError, EncryptError};
use age_core::format::{FileKey, Stanza};

use super::terminal;

/// For whom a plugin wraps.
pub(super) struct PluginRecipient(pub(super) age::plugin::Recipient);

/// What a plugin unwraps by. Its program is looked for when it is needed.
pub(super) struct PluginIdentity(pub(super) age::plugin::Identity);

impl age::Recipient for PluginRecipient {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let recipients = slice::from_ref(&self.0);
        RecipientPluginV1::new(self.0.plugin(), recipients, &[], OnTerminal)
            .map_err(EncryptError::PluginResolve)?
            .wrap_file_key(file_key)
    }
}

impl age::Identity for PluginIdentity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let identities = slice::from_ref(&self.0);
        match IdentityPluginV1::new(self.0.plugin(), identities, OnTerminal) {
            Ok(plugin) => age::Identity::unwrap_stanzas(&plugin, stanzas),
            Err(error) => Some(Err(DecryptError::PluginResolve(error))),
        }
    }
}

/// What plugins ask and say. Without a terminal they get no answer.
#[derive(Clone)]
struct OnTerminal;

impl Callbacks for OnTerminal {
    fn display_message(&self, message: &str) {
        terminal::tell(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let no = no.unwrap_or("no");
        let question = format!("{message} (y: {yes}, n: {no}) ");
        let answer = terminal::line(&question).ok()?;
        Some(answer.starts_with(['y', 'Y']))
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        let answer = terminal::line(&format!("{description}: ")).ok()?;
        Some(answer.to_string())
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        terminal::passphrase(description).ok()
    }
}
