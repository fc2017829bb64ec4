//! The stores of AWS, and what they share: whose credentials, which region, and one client for each region.
//!
//! Credentials come by the SDK's whole chain (`clients/aws`). A path that is an ARN says its own region.

pub(super) mod parameters;
pub(super) mod secrets;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_config::{Region, SdkConfig};
use futures::{StreamExt, stream};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::registry::SettingsError;
use super::{Error, ErrorKind};
use crate::clients::aws::{Aws, Login, Role, is_region};
use crate::env::{Environment, Options};

/// The region where nothing says another one, as in AVP.
const DEFAULT_REGION: &str = "us-east-2";

/// The settings of both types, after those of one. Those without a dotted name are the SDK's own.
macro_rules! settings {
    ($($own:expr),*) => {
        &[
            $($own,)*
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_CA_BUNDLE", ""),
            ("AWS_CONFIG_FILE", ""),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", ""),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", ""),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ""),
            ("AWS_EC2_METADATA_DISABLED", ""),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", ""),
            ("AWS_ENDPOINT_URL", ""),
            ("AWS_ENDPOINT_URL_STS", "stsEndpoint"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", ""),
            ("AWS_MAX_ATTEMPTS", "maxAttempts"),
            ("AWS_PROFILE", "profile"),
            ("AWS_REGION", "region"),
            ("AWS_ROLE_ARN", ""),
            ("AWS_ROLE_SESSION_NAME", "roleSession"),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_SESSION_TOKEN", ""),
            ("AWS_SHARED_CREDENTIALS_FILE", ""),
            ("AWS_USE_DUALSTACK_ENDPOINT", ""),
            ("AWS_USE_FIPS_ENDPOINT", ""),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
            ("MANIFUSE_AWS_EXTERNAL_ID", "externalId"),
            ("MANIFUSE_AWS_ROLE", "role"),
        ]
    };
}
use settings;

/// Who asks, and one client of a service for each region that is asked.
struct Account<C> {
    aws: Aws,
    profile: Option<String>,
    role: Option<Role>,
    /// What the settings say about the region, and where they say it.
    region: Option<(String, String)>,
    /// Whether the profile may say the region. AVP does not let it.
    follows_profile: bool,
    resolved: OnceCell<(String, String)>,
    make: fn(&SdkConfig) -> C,
    clients: Mutex<HashMap<String, C>>,
}

/// What a batch does not bring is asked for alone: so many at the same time, in their order.
async fn few_at_once<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let futures: Vec<F> = futures.into_iter().collect();
    stream::iter(futures).buffered(4).collect().await
}

/// A client, and the region it asks.
struct Asked<C> {
    client: C,
    region: String,
    /// Where the region was said.
    from: String,
}

impl<C: Clone> Account<C> {
    /// Checks the settings. `make` makes the client of a service.
    fn open(
        options: &Options,
        environment: &Environment,
        make: fn(&SdkConfig) -> C,
    ) -> Result<Self, SettingsError> {
        let text = |key| options.text(key).map(ToOwned::to_owned);
        let own_profile = options.is_structured("AWS_PROFILE");
        let aws = Aws::new(options, environment, None);
        if let Some((name, error)) = aws.fault() {
            return Err(SettingsError::from(error).about(name));
        }
        Ok(Self {
            aws,
            profile: text("AWS_PROFILE").filter(|_| own_profile),
            role: role(options)?,
            region: region(options)?,
            follows_profile: options.is_named(),
            resolved: OnceCell::new(),
            make,
            clients: Mutex::default(),
        })
    }

    /// The client for a region, without one for that of the settings.
    async fn client(&self, region: Option<&str>, deadline: Instant) -> Result<Asked<C>, Error> {
        let (own, from) = self.resolved.get_or_init(|| self.own_region()).await;
        let (region, from) = match region {
            Some(region) => (region.to_owned(), "the ARN".to_owned()),
            None => (own.clone(), from.clone()),
        };
        let clients = || self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let made = clients().get(&region).cloned();
        let client = if let Some(client) = made {
            client
        } else {
            let login = Login {
                region: own.clone(),
                profile: self.profile.clone(),
                role: self.role.clone(),
            };
            let config = self.aws.config(&login, deadline).await?;
            let there = config.into_builder().region(Region::new(region.clone()));
            let client = (self.make)(&there.build());
            clients().entry(region.clone()).or_insert(client).clone()
        };
        Ok(Asked {
            client,
            region,
            from,
        })
    }

    async fn own_region(&self) -> (String, String) {
        if let Some(region) = &self.region {
            return region.clone();
        }
        if self.follows_profile
            && let Some(region) = self.aws.own_region(self.profile.as_deref()).await
        {
            return (region, "the profile".to_owned());
        }
        (DEFAULT_REGION.to_owned(), "the default".to_owned())
    }
}

impl<C> Asked<C> {
    /// Where something was looked for, for a hint.
    fn place(&self) -> String {
        let Self { region, from, .. } = self;
        format!("it was looked for in {region} (said by {from})")
    }
}

fn region(options: &Options) -> Result<Option<(String, String)>, SettingsError> {
    let key = "AWS_REGION";
    let Some(region) = options.text(key) else {
        return Ok(None);
    };
    let from = options.described(key);
    if is_region(region) {
        return Ok(Some((region.to_owned(), from)));
    }
    let error = SettingsError::new(format!("{from} is no name of a region"));
    Err(error.about(key).hint("for example eu-west-1"))
}

fn role(options: &Options) -> Result<Option<Role>, SettingsError> {
    let text = |key| options.text(key).map(ToOwned::to_owned);
    let external_id = text("MANIFUSE_AWS_EXTERNAL_ID");
    let Some(arn) = text("MANIFUSE_AWS_ROLE") else {
        let alone = external_id.map(|_| {
            let key = "MANIFUSE_AWS_EXTERNAL_ID";
            let message = format!("{} is set without a role", options.described(key));
            let error = SettingsError::new(message).about(key);
            error.hint("set MANIFUSE_AWS_ROLE (role) to the ARN of the role to assume")
        });
        return alone.map_or(Ok(None), Err);
    };
    let session = text("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "manifuse".to_owned());
    Ok(Some(Role {
        arn,
        session,
        external_id,
    }))
}

/// The region in a path that is an ARN of this service; none in a name.
fn region_of<'p>(path: &'p str, service: &str) -> Result<Option<&'p str>, Error> {
    let Some(rest) = path.strip_prefix("arn:") else {
        return Ok(None);
    };
    let parts: Vec<&str> = rest.splitn(5, ':').collect();
    match parts[..] {
        [partition, of, region, account, _]
            if partition.starts_with("aws")
                && of == service
                && is_region(region)
                && !account.is_empty() =>
        {
            Ok(Some(region))
        }
        _ => {
            let message = format!("the path {path} is no ARN of {service}");
            let error = Error::new(ErrorKind::Reference, message);
            Err(error.with_hint(format!(
                "such ARNs begin with arn:aws:{service}:REGION:ACCOUNT:"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_that_of_a_whole_arn_and_of_nothing_else() {
        let of = |path| region_of(path, "secretsmanager").map_err(|error| error.message);
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf";
        assert_eq!(of(arn), Ok(Some("eu-west-1")));
        let govern = "arn:aws-us-gov:secretsmanager:us-gov-west-1:1:secret:x";
        assert_eq!(of(govern), Ok(Some("us-gov-west-1")));
        for name in ["shop/db", "a:b:c:d", "arn"] {
            assert_eq!(of(name), Ok(None), "{name}");
        }
        for path in [
            "arn:aws:secretsmanager:eu-west-1",
            "arn:aws:ssm:eu-west-1:1:parameter/x",
            "arn:aws:secretsmanager:evil.example/#:1:secret:x",
            "arn:aws:secretsmanager::1:secret:x",
            "arn:gcp:secretsmanager:eu-west-1:1:secret:x",
            "arn:aws:secretsmanager:eu-west-1::secret:x",
        ] {
            assert!(of(path).is_err(), "{path}");
        }
    }
}
