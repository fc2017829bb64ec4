//! A proof of who one is, for a service that may ask AWS: a signed `sts:GetCallerIdentity`, which it calls in our place.
//! Nothing else can be done with it, and not for longer than fifteen minutes.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use tokio::time::{Instant, timeout_at};

use super::error::no_login;
use super::{Aws, Login};
use crate::clients::cloud::{Error, ErrorKind};
use crate::secret::Text;

/// What is sent to STS.
pub const PROOF_BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// The headers of the call, each with its only value, and what no message may hold of them.
pub struct Proof {
    /// The headers by their names.
    pub headers: BTreeMap<String, [String; 1]>,
    /// The session's token, if the credentials are temporary.
    pub session: Option<Text>,
}

/// Where the call goes: the address for the whole world, or that of a region.
pub fn sts_url(region: &str) -> String {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    match region {
        "us-east-1" => "https://sts.amazonaws.com/".to_owned(),
        region => format!("https://sts.{region}.amazonaws.com{china}/"),
    }
}

impl Aws {
    /// Signs the call with the default credentials, for STS of a region. A header binds it to one receiver, if that is
    /// wanted.
    pub async fn prove(
        &self,
        region: &str,
        receiver: Option<(&str, &str)>,
        deadline: Instant,
    ) -> Result<Proof, Error> {
        let login = Login {
            region: region.to_owned(),
            ..Login::default()
        };
        let config = self.config(&login, deadline).await?;
        let missing = || Error::new(ErrorKind::Settings, "no credentials for AWS were found");
        let provider = config.credentials_provider().ok_or_else(missing)?;
        let credentials = timeout_at(deadline, provider.provide_credentials()).await;
        let credentials = credentials
            .map_err(|_| Error::new(ErrorKind::Unreachable, "AWS gave no credentials in time"))?;
        let credentials = credentials.map_err(|error| no_login(&error, &self.secrets()))?;
        let session = credentials.session_token().map(Text::from);
        let headers = signed(credentials, region, receiver, SystemTime::now());
        let headers = headers
            .ok_or_else(|| Error::new(ErrorKind::Settings, "the call of STS cannot be signed"))?;
        Ok(Proof { headers, session })
    }
}

/// The headers of the call; nothing where one of them cannot be a header.
fn signed(
    credentials: Credentials,
    region: &str,
    receiver: Option<(&str, &str)>,
    time: SystemTime,
) -> Option<BTreeMap<String, [String; 1]>> {
    let url = sts_url(region);
    let host = url.trim_start_matches("https://").trim_end_matches('/');
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    let own = [("Content-Type", kind), ("Host", host)];
    let own = own.into_iter().chain(receiver);
    let identity = credentials.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .ok()?;
    let body = SignableBody::Bytes(PROOF_BODY.as_bytes());
    let request = SignableRequest::new("POST", &url, own.clone(), body).ok()?;
    let (instructions, _) = sign(request, &parameters.into()).ok()?.into_parts();
    let headers = instructions.headers().chain(own);
    let pair = |(name, value): (&str, &str)| (name.to_owned(), [value.to_owned()]);
    Some(headers.map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sts_has_an_address_in_each_region_and_one_for_all() {
        for (region, url) in [
            ("us-east-1", "https://sts.amazonaws.com/"),
            ("eu-west-1", "https://sts.eu-west-1.amazonaws.com/"),
            ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
        ] {
            assert_eq!(sts_url(region), url);
        }
    }
}
