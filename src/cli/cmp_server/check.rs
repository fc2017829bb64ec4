//! Asks a running server whether it works: for probes, which Kubernetes cannot point at a socket itself.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::argocd::service::HEALTH;
use crate::diagnostics::{Diagnostic, Fault};

/// Below the second that a probe usually has.
const PATIENCE: Duration = Duration::from_millis(900);

/// Whether the server at a socket answers that it works.
pub(super) async fn check(socket: &Path) -> Result<(), Box<Diagnostic>> {
    let error = |message: &str| {
        let message = format!("the server at {} {message}", socket.display());
        Box::new(Diagnostic::error(Fault::Backend, message))
    };
    match timeout(PATIENCE, ask(socket)).await {
        Ok(Some(true)) => Ok(()),
        Ok(Some(false)) => Err(error("does not work")),
        Ok(None) => Err(error("does not answer")),
        Err(_) => Err(error("does not answer in time")),
    }
}

/// A unary call with an empty message; `None` where there is no answer.
async fn ask(socket: &Path) -> Option<bool> {
    const EMPTY_MESSAGE: &[u8] = &[0; 5];
    let stream = UnixStream::connect(socket).await.ok()?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .ok()?;
    tokio::spawn(connection);
    let request = Request::post(format!("http://localhost{HEALTH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(EMPTY_MESSAGE)))
        .ok()?;
    let response = sender.send_request(request).await.ok()?;
    let answer = response.into_body().collect().await.ok()?;
    let status = answer.trailers()?.get("grpc-status")?.clone();
    // The message is the number 1 in its first field.
    Some(status == "0" && answer.to_bytes().ends_with(&[0, 0, 0, 0, 2, 8, 1]))
}
