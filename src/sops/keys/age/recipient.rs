//! Whom a data key can be wrapped for: the kinds of age recipients, told apart as SOPS does it.

use age::ssh::ParseRecipientKeyError;
use age::{Recipient, plugin, ssh, x25519};

use super::hybrid::HybridRecipient;
use super::plugin::PluginRecipient;
use crate::sops::error::Error;

const SSH_KINDS: [&str; 2] = ["ssh-ed25519", "ssh-rsa"];
const BROKEN: &str = "a letter is missing or wrong";

/// Whether a text is a recipient. The message shows only what looks like one: people mix up their two keys.
pub(in super::super) fn check(recipient: &str) -> Result<(), Error> {
    parse(recipient).map(drop).map_err(|reason| {
        let is_public = recipient.starts_with("age1") || recipient.starts_with("ssh-");
        let shown: String = if is_public {
            recipient.chars().take(100).collect()
        } else {
            "a text".to_owned()
        };
        Error::Recipe(format!("{shown} is no age recipient: {reason}"))
    })
}

/// Plugins have names, which a second `1` sets off; in what follows it there is none.
pub(super) fn parse(text: &str) -> Result<Box<dyn Recipient>, &'static str> {
    if text.starts_with("ssh-") {
        let recipient: ssh::Recipient = text.parse().map_err(|error| ssh_reason(&error))?;
        return Ok(Box::new(recipient));
    }
    if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        return Err("it is a private key, whose public one age-keygen -y prints");
    }
    if !text.starts_with("age1") {
        return Err("it is written age1… or ssh-…");
    }
    if text.starts_with("age1pq1") {
        return Ok(Box::new(HybridRecipient::parse(text).ok_or(BROKEN)?));
    }
    if text.matches('1').count() > 1 {
        let recipient: plugin::Recipient = text.parse().map_err(|_| BROKEN)?;
        return Ok(Box::new(PluginRecipient(recipient)));
    }
    let recipient: x25519::Recipient = text.parse().map_err(|_| BROKEN)?;
    Ok(Box::new(recipient))
}

fn ssh_reason(error: &ParseRecipientKeyError) -> &'static str {
    match error {
        ParseRecipientKeyError::RsaModulusTooLarge => "RSA keys may have 4096 bits at most",
        ParseRecipientKeyError::RsaModulusTooSmall => "RSA keys must have 2048 bits at least",
        ParseRecipientKeyError::Unsupported(kind) if !SSH_KINDS.contains(&kind.as_str()) => {
            "of SSH keys ssh-ed25519 and ssh-rsa can be used"
        }
        _ => "its SSH key is damaged",
    }
}
