//! A transport whose answers end: the crate reads them to their end, however far that is.

use async_trait::async_trait;
use azure_core::Result;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use futures::StreamExt as _;

use crate::clients::http::LARGEST_ANSWER;

/// A client that reads no more than [`LARGEST_ANSWER`].
#[derive(Debug)]
pub(super) struct Bounded(pub(super) reqwest::Client);

#[async_trait]
impl HttpClient for Bounded {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let (status, headers, body) = self.0.execute_request(request).await?.deconstruct();
        let mut left = LARGEST_ANSWER;
        let body = body.map(move |chunk| {
            let chunk = chunk?;
            let rest = left.checked_sub(chunk.len());
            left = rest.ok_or_else(|| Error::with_message(ErrorKind::Other, "it is too large"))?;
            Ok(chunk)
        });
        Ok(AsyncRawResponse::new(status, headers, Box::pin(body)))
    }
}
