//! AWS's signature of a request, recomputed: it must be made with the right key, for this request, region and service.
//!
//! Written after <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, not
//! after the SDK.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::server::Request;

/// What a signature says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) key_id: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Checks the signature; `secret_of` knows the secret of a key's id.
pub(crate) fn check(
    request: &Request,
    secret_of: impl Fn(&str) -> Option<String>,
) -> Result<Signed, String> {
    let header = request.header("authorization").ok_or("not signed")?;
    let fields = header
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("another algorithm")?;
    let field = |name: &str| {
        let mut fields = fields.split(", ");
        let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.ok_or(format!("no {name}"))
    };
    let credential = field("Credential")?;
    let [key_id, date, region, service, "aws4_request"] =
        credential.split('/').collect::<Vec<_>>()[..]
    else {
        return Err(format!("the credential is {credential}"));
    };
    let names: Vec<&str> = field("SignedHeaders")?.split(';').collect();
    for needed in ["host", "x-amz-date"] {
        if !names.contains(&needed) {
            return Err(format!("{needed} is not signed"));
        }
    }
    for (name, _) in &request.headers {
        if name.starts_with("x-amz-") && !names.contains(&name.as_str()) {
            return Err(format!("{name} is not signed"));
        }
    }
    let time = request.header("x-amz-date").unwrap_or_default();
    if !time.starts_with(date) {
        return Err("another day".to_owned());
    }
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{date}/{region}/{service}/aws4_request\n{}",
        hex(&Sha256::digest(canonical(request, &names)))
    );
    let secret = secret_of(key_id).ok_or(format!("the key {key_id} is not known"))?;
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes());
    for part in [region, service, "aws4_request", &text] {
        key = hmac(&key, part.as_bytes());
    }
    if hex(&key) != field("Signature")? {
        return Err("the signature is not that of this request and key".to_owned());
    }
    let own = str::to_owned;
    Ok(Signed {
        key_id: own(key_id),
        region: own(region),
        service: own(service),
    })
}

fn canonical(request: &Request, names: &[&str]) -> String {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let mut query: Vec<&str> = query.split('&').collect();
    query.sort_unstable();
    let mut text = format!("{}\n{path}\n{}\n", request.method, query.join("&"));
    for name in names {
        let value = request.header(name).unwrap_or_default();
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(
        text,
        "\n{}\n{}",
        names.join(";"),
        hex(&Sha256::digest(&request.body))
    );
    text
}

/// RFC 2104 with SHA-256.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize();
    outer.to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

mod tests {
    use super::*;

    /// The example of AWS's page on signing, and that a change of any part is noticed.
    #[test]
    fn a_signature_is_bound_to_its_request() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let good = Request {
            method: "GET".to_owned(),
            target: "/?Action=ListUsers&Version=2010-05-08".to_owned(),
            headers: vec![
                header(
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                ),
                header("host", "iam.amazonaws.com"),
                header("x-amz-date", "20150830T123600Z"),
                header(
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
                ),
            ],
            body: Vec::new(),
        };
        let secret = |_: &str| Some("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
        let signed = check(&good, secret).unwrap();
        assert_eq!((&*signed.region, &*signed.service), ("us-east-1", "iam"));
        check(&good, |_| Some("another".to_owned())).unwrap_err();
        let mut other = good.clone();
        other.body = b"x".to_vec();
        check(&other, secret).unwrap_err();
        let mut other = good.clone();
        other.target = "/?Action=DeleteUsers&Version=2010-05-08".to_owned();
        check(&other, secret).unwrap_err();
        let mut other = good;
        other.headers[1].1 = "evil.example".to_owned();
        check(&other, secret).unwrap_err();
    }
}
