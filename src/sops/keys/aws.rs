//! AWS KMS: the service unwraps; who may ask it is for AWS's own credentials, or the key folder's, to say.
//!
//! Where it is asked follows from the key's name alone: only AWS's hosts of a region, or an address of the settings.

use std::collections::HashMap;
use std::sync::OnceLock;

use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::{Client, config};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::flux;
use super::folder::Folder;
use super::master::MasterKey;
use super::opener::{Failure, Opener, Share};
use crate::clients::aws::{self, Aws, Bounded, Keys, Login, Role};
use crate::env::{Environment, Options};

/// Keys of AWS KMS.
pub(super) struct AwsKms {
    options: Options,
    environment: Environment,
    folder: Option<Folder>,
    /// Made at the first use: a run without such keys reads no file.
    aws: OnceLock<Result<Aws, Failure>>,
}

impl AwsKms {
    pub(super) fn new(options: &Options, environment: &Environment) -> Self {
        Self {
            options: options.clone(),
            environment: environment.clone(),
            folder: Folder::new(options),
            aws: OnceLock::new(),
        }
    }

    fn aws(&self) -> Result<&Aws, Failure> {
        let open = || {
            let keys = static_keys(self.folder.as_ref())?;
            Ok(Aws::new(&self.options, &self.environment, keys))
        };
        self.aws.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    async fn client(&self, key: &MasterKey, deadline: Instant) -> Result<(&Aws, Client), Failure> {
        let login = login(key)?;
        let aws = self.aws()?;
        let config = aws.config(&login, deadline).await?;
        let config = config::Builder::from(&config).interceptor(Bounded);
        Ok((aws, Client::from_conf(config.build())))
    }

    async fn decrypt(
        &self,
        key: &MasterKey,
        enc: &str,
        deadline: Instant,
    ) -> Result<Share, Failure> {
        let wrapped = BASE64_STANDARD.decode(enc.trim());
        let wrapped = wrapped.map_err(|_| Failure::new("the wrapped key is not base64"))?;
        let (aws, client) = self.client(key, deadline).await?;
        let call = client.decrypt().key_id(key.known_by());
        let call = call.set_encryption_context(Some(context(key)));
        let call = call.ciphertext_blob(Blob::new(wrapped)).send();
        let answer = answered(timeout_at(deadline, call).await, "Decrypt", aws)?;
        let plain = answer.plaintext.ok_or_else(|| empty("Decrypt"))?;
        Ok(Zeroizing::new(plain.into_inner()))
    }

    async fn encrypt(
        &self,
        key: &MasterKey,
        share: &[u8],
        deadline: Instant,
    ) -> Result<String, Failure> {
        let (aws, client) = self.client(key, deadline).await?;
        let call = client.encrypt().key_id(key.known_by());
        let call = call.set_encryption_context(Some(context(key)));
        let call = call.plaintext(Blob::new(share)).send();
        let answer = answered(timeout_at(deadline, call).await, "Encrypt", aws)?;
        let wrapped = answer.ciphertext_blob.ok_or_else(|| empty("Encrypt"))?;
        Ok(BASE64_STANDARD.encode(wrapped))
    }
}

impl Opener for AwsKms {
    fn unwrap<'a>(
        &'a self,
        key: &'a MasterKey,
        enc: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Share, Failure>> {
        Box::pin(self.decrypt(key, enc, deadline))
    }

    fn wrap<'a>(
        &'a self,
        key: &'a MasterKey,
        share: &'a [u8],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(MasterKey, String), Failure>> {
        Box::pin(async move { Ok((key.clone(), self.encrypt(key, share, deadline).await?)) })
    }
}

/// Who asks where. The profile is the user's own: with the credentials of a folder it means nothing.
fn login(key: &MasterKey) -> Result<Login, Failure> {
    let set = |field: &str| Some(field.to_owned()).filter(|field| !field.is_empty());
    let region = region(key.known_by());
    let region =
        region.ok_or_else(|| Failure::new("its arn is not that of a key or alias of AWS KMS"))?;
    Ok(Login {
        region: region.to_owned(),
        profile: set(&key.fields[2]),
        role: set(&key.fields[1]).map(|arn| Role {
            arn,
            session: session(),
            external_id: None,
        }),
    })
}

/// The region in a key's ARN, as SOPS reads it. What is no name of a region would lead elsewhere.
fn region(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next();
    let (scheme, partition, service) = (next()?, next()?, next()?);
    let (region, account, resource) = (next()?, next()?, next()?);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let partition = partition.strip_prefix("aws")?;
    let name = ["key/", "alias/"]
        .iter()
        .find_map(|kind| resource.strip_prefix(kind))?;
    let fits = scheme == "arn"
        && service == "kms"
        && partition.chars().all(is_word)
        && aws::is_region(region)
        && !account.is_empty()
        && account.chars().all(|c| c.is_ascii_digit())
        && !name.is_empty();
    fits.then_some(region)
}

/// What SOPS calls its session of a role: `sops@HOST`, of the characters that STS takes.
fn session() -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let is_taken = |c: &char| c.is_ascii_alphanumeric() || "=,.@_-".contains(*c);
    let name: String = "sops@"
        .chars()
        .chain(host.chars().filter(is_taken))
        .collect();
    name.chars().take(64).collect()
}

fn context(key: &MasterKey) -> HashMap<String, String> {
    key.context.iter().cloned().collect()
}

/// The credentials of a key folder as Flux wants them.
fn static_keys(folder: Option<&Folder>) -> Result<Option<Keys>, Failure> {
    let Some(file) = flux::fields(folder, "sops.aws-kms")? else {
        return Ok(None);
    };
    Ok(Some(Keys {
        id: file.required("aws_access_key_id")?,
        secret: file.required("aws_secret_access_key")?,
        session: file.get("aws_session_token"),
    }))
}

type Sent<T, E> = Result<
    Result<T, SdkError<E, aws_sdk_kms::config::http::HttpResponse>>,
    tokio::time::error::Elapsed,
>;

fn answered<T, E>(sent: Sent<T, E>, call: &str, aws: &Aws) -> Result<T, Failure>
where
    E: aws_sdk_kms::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    match sent {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(aws::explain("AWS KMS", call, &error, &aws.secrets()).into()),
        Err(_) => Err(Failure::new(format!(
            "AWS KMS did not answer {call} in time"
        ))),
    }
}

fn empty(call: &str) -> Failure {
    Failure::new(format!("AWS KMS answered {call} without a result"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_that_of_the_arn() {
        for (arn, expected) in [
            (
                "arn:aws:kms:us-west-2:107501996527:key/612d5f0p-p1l3",
                Some("us-west-2"),
            ),
            (
                "arn:aws-us-gov:kms:us-gov-west-1:1:alias/a/b:c",
                Some("us-gov-west-1"),
            ),
            ("arn:aws-cn:kms:cn-north-1:1:key/x", Some("cn-north-1")),
            ("arn:gcp:kms:eu-west-1:1:key/x", None),
            ("arn:aws:s3:eu-west-1:1:key/x", None),
            ("arn:aws:kms::1:key/x", None),
            ("arn:aws:kms:eu-west-1::key/x", None),
            ("arn:aws:kms:eu-west-1:1:key/", None),
            ("arn:aws:kms:eu-west-1:1:grant/x", None),
            ("arn:aws:kms:evil.example/:1:key/x", None),
            ("arn:aws:kms:evil.example#:1:key/x", None),
            ("arn:aws:kms:eu@evil:1:key/x", None),
            ("alias/x", None),
        ] {
            assert_eq!(region(arn), expected, "{arn}");
        }
    }

    #[test]
    fn a_session_is_called_by_the_host_as_in_sops() {
        let name = session();
        assert!(name.starts_with("sops@"));
        assert!(name.len() <= 64);
    }
}
