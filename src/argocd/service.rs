//! The plugin service: takes uploads, asks the [`Plugin`] what they become, and answers within the caller's deadline.
//!
//! An upload is always read to its end before a call fails, and a deadline is met with time left for the answer to
//! arrive; both are what repo-server needs to see the reason (`argocd-cmp.md` 1, 3.3).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::{ClientStreamingService, Grpc, UnaryService};
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstCodec;

use super::messages::{
    AppStreamRequest, CheckPluginConfigurationResponse, Empty, HealthRequest, HealthResponse,
    ManifestResponse, ParameterAnnouncement, ParametersAnnouncementResponse, RepositoryResponse,
    SERVING,
};
use super::upload::{Fault, Receiver, Upload};

/// What applications become. Its futures are dropped where nobody waits any more.
pub trait Plugin: Send + Sync + 'static {
    /// The objects of an application, each compact JSON, before the deadline.
    fn render(
        &self,
        upload: Upload,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Vec<String>, Failure>>;

    /// Whether an application that names no plugin is for this one; asks no store.
    fn discover(&self, upload: Upload) -> BoxFuture<'static, Result<bool, Failure>>;

    /// The parameters that Argo CD offers to people.
    fn parameters(&self) -> Vec<ParameterAnnouncement>;
}

/// Why a call fails. Everybody who may look at the application reads the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A label; no client acts on it.
    pub code: Code,
    /// At most [`LONGEST_TEXT`] bytes, the same for the same fault, without a secret.
    pub text: String,
}

/// What Argo CD shows of an error, and what fits into a header.
pub const LONGEST_TEXT: usize = 4096;

impl Failure {
    /// A failure; a text that is too long is cut.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.len() > LONGEST_TEXT {
            const CUT: &str = "…";
            text.truncate(text.floor_char_boundary(LONGEST_TEXT - CUT.len()));
            text.push_str(CUT);
        }
        Self { code, text }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        Self::new(failure.code, failure.text)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::Order(_) | Fault::Checksum => Code::InvalidArgument,
            Fault::TooLarge(_) => Code::ResourceExhausted,
        };
        Self::new(code, fault.to_string())
    }
}

/// What a server allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a message, both ways.
    pub message: usize,
    /// Bytes of a compressed upload.
    pub upload: usize,
    /// How many uploads are received and worked on at once; others wait.
    pub renders: usize,
    /// How long a call may take, where the client does not say less.
    pub patience: Duration,
}

/// Answers calls.
pub struct Service {
    plugin: Arc<dyn Plugin>,
    limits: Limits,
    discovers: bool,
    permits: Arc<Semaphore>,
}

/// The service's path.
const PLUGIN: &str = "/plugin.ConfigManagementPluginService/";
/// The health check's.
pub const HEALTH: &str = "/grpc.health.v1.Health/Check";

impl Service {
    /// With discovery only where the operator wants it: repo-server then uploads each application once more.
    pub fn new(plugin: Arc<dyn Plugin>, limits: Limits, discovers: bool) -> Self {
        Self {
            plugin,
            limits,
            discovers,
            permits: Arc::new(Semaphore::new(limits.renders)),
        }
    }

    /// Answers one request.
    pub async fn call(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path().to_owned();
        let method = path.strip_prefix(PLUGIN);
        Ok(match method.unwrap_or(&path) {
            "CheckPluginConfiguration" => self.grpc().unary(Unary(self.check()), request).await,
            "MatchRepository" => {
                let call = |stream, deadline| self.clone().discover(stream, deadline);
                self.grpc()
                    .client_streaming(Uploads(self.limits, call), request)
                    .await
            }
            "GenerateManifest" => {
                let call = |stream, deadline| self.clone().render(stream, deadline);
                self.grpc()
                    .client_streaming(Uploads(self.limits, call), request)
                    .await
            }
            "GetParametersAnnouncement" => {
                let call = |stream, deadline| self.clone().announce(stream, deadline);
                self.grpc()
                    .client_streaming(Uploads(self.limits, call), request)
                    .await
            }
            HEALTH => self.grpc().unary(Health, request).await,
            _ => Status::unimplemented("this server has no such method").into_http(),
        })
    }

    fn grpc<
        M: prost::Message + Default + Send + 'static,
        R: prost::Message + Default + Send + 'static,
    >(
        &self,
    ) -> Grpc<ProstCodec<M, R>> {
        let limit = self.limits.message;
        Grpc::new(ProstCodec::default())
            .max_decoding_message_size(limit)
            .max_encoding_message_size(limit)
    }

    /// repo-server asks again before each render.
    fn check(&self) -> CheckPluginConfigurationResponse {
        CheckPluginConfigurationResponse {
            is_discovery_configured: self.discovers,
            provide_git_creds: false,
        }
    }

    async fn render(
        self: Arc<Self>,
        mut stream: Streaming<AppStreamRequest>,
        deadline: Instant,
    ) -> Result<ManifestResponse, Failure> {
        // Before the upload is received: what waits is held back at the sender, and not in our memory.
        let permit = timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(permit) = permit else {
            drain(&mut stream).await?;
            return Err(Failure::new(
                Code::ResourceExhausted,
                "the plugin is busy: too many other applications were rendered all the time",
            ));
        };
        let upload = self.receive(&mut stream, deadline, true).await?;
        let rendered = timeout_at(deadline, self.plugin.render(upload, deadline)).await;
        drop(permit);
        let manifests = rendered.unwrap_or_else(|_| Err(too_slow()))?;
        let response = ManifestResponse {
            manifests,
            source_type: String::new(),
        };
        let length = prost::Message::encoded_len(&response);
        if length > self.limits.message {
            let limit = self.limits.message;
            let text = format!(
                "the rendered manifests have more than {limit} bytes, which Argo CD does not take; ARGOCD_GRPC_MAX_SIZE_MB raises the limit, here and at repo-server"
            );
            return Err(Failure::new(Code::ResourceExhausted, text));
        }
        Ok(response)
    }

    async fn discover(
        self: Arc<Self>,
        mut stream: Streaming<AppStreamRequest>,
        deadline: Instant,
    ) -> Result<RepositoryResponse, Failure> {
        let upload = self.receive(&mut stream, deadline, self.discovers).await?;
        let is_supported = if self.discovers {
            let discovered = timeout_at(deadline, self.plugin.discover(upload)).await;
            discovered.unwrap_or_else(|_| Err(too_slow()))?
        } else {
            false
        };
        Ok(RepositoryResponse {
            is_supported,
            is_discovery_enabled: self.discovers,
        })
    }

    async fn announce(
        self: Arc<Self>,
        mut stream: Streaming<AppStreamRequest>,
        deadline: Instant,
    ) -> Result<ParametersAnnouncementResponse, Failure> {
        self.receive(&mut stream, deadline, false).await?;
        Ok(ParametersAnnouncementResponse {
            parameter_announcements: self.plugin.parameters(),
        })
    }

    /// The whole upload. repo-server sends to the end, whatever is wrong with the beginning.
    async fn receive(
        &self,
        stream: &mut Streaming<AppStreamRequest>,
        deadline: Instant,
        keep: bool,
    ) -> Result<Upload, Failure> {
        let mut receiver = Receiver::new(self.limits.upload, keep);
        let all = timeout_at(deadline, async {
            while let Some(message) = stream
                .message()
                .await
                .map_err(|status| unreadable(&status))?
            {
                receiver.take(message);
            }
            Ok(())
        });
        all.await.unwrap_or_else(|_| Err(never_ending()))?;
        Ok(receiver.finish()?)
    }
}

fn too_slow() -> Failure {
    let text = "the manifests were not ready when Argo CD's time was up";
    Failure::new(Code::DeadlineExceeded, text)
}

fn never_ending() -> Failure {
    let text = "the upload did not end before Argo CD's time was up";
    Failure::new(Code::DeadlineExceeded, text)
}

/// A message that is no message, or larger than any may be. What it holds is not told.
fn unreadable(status: &Status) -> Failure {
    let text = match status.code() {
        Code::OutOfRange => "a message of the upload is larger than the plugin takes",
        _ => "a message of the upload cannot be read",
    };
    Failure::new(status.code(), text)
}

/// How long what is sent in vain is read, when the time for the answer is nearly up.
const DRAIN: Duration = Duration::from_millis(80);

async fn drain(stream: &mut Streaming<AppStreamRequest>) -> Result<(), Failure> {
    let all = async {
        while stream
            .message()
            .await
            .map_err(|status| unreadable(&status))?
            .is_some()
        {}
        Ok(())
    };
    timeout_at(Instant::now() + DRAIN, all)
        .await
        .unwrap_or(Ok(()))
}

/// A unary call whose answer is known.
struct Unary(CheckPluginConfigurationResponse);

impl UnaryService<Empty> for Unary {
    type Response = CheckPluginConfigurationResponse;
    type Future = std::future::Ready<Result<tonic::Response<Self::Response>, Status>>;

    fn call(&mut self, _: tonic::Request<Empty>) -> Self::Future {
        std::future::ready(Ok(tonic::Response::new(self.0)))
    }
}

/// Whether the server works. It does where it answers: stores that are away are no reason to restart it.
struct Health;

impl UnaryService<HealthRequest> for Health {
    type Response = HealthResponse;
    type Future = std::future::Ready<Result<tonic::Response<Self::Response>, Status>>;

    fn call(&mut self, request: tonic::Request<HealthRequest>) -> Self::Future {
        std::future::ready(if request.get_ref().service.is_empty() {
            Ok(tonic::Response::new(HealthResponse { status: SERVING }))
        } else {
            Err(Status::not_found("there is no such service"))
        })
    }
}

/// A call with an upload.
struct Uploads<C>(Limits, C);

impl<C, F, R> ClientStreamingService<AppStreamRequest> for Uploads<C>
where
    C: Fn(Streaming<AppStreamRequest>, Instant) -> F,
    F: Future<Output = Result<R, Failure>> + Send + 'static,
{
    type Response = R;
    type Future = BoxFuture<'static, Result<tonic::Response<R>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<AppStreamRequest>>) -> Self::Future {
        let deadline = Instant::now() + patience(request.metadata(), self.0.patience);
        let call = (self.1)(request.into_inner(), deadline);
        Box::pin(async move { Ok(tonic::Response::new(call.await?)) })
    }
}

/// How long a call may take: what the client waits for, without the time that the answer takes, or our own limit.
fn patience(metadata: &MetadataMap, own: Duration) -> Duration {
    const MARGIN: Duration = Duration::from_millis(250);
    let asked = metadata
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok());
    match asked.and_then(timeout) {
        Some(asked) => asked.saturating_sub(MARGIN.min(asked / 5)).min(own),
        None => own,
    }
}

/// A `grpc-timeout`: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.is_empty() || number.len() > 8 {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_left_for_the_answer() {
        let own = Duration::from_secs(90);
        let of = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            patience(&metadata, own)
        };
        assert_eq!(of("60000000u"), Duration::from_millis(59_750));
        assert_eq!(of("60000m"), Duration::from_millis(59_750));
        assert_eq!(of("1S"), Duration::from_millis(800));
        assert_eq!(of("500000n"), Duration::from_micros(400));
        for text in [
            "2M",
            "1H",
            "99999999H",
            "",
            "5",
            "S",
            "123456789S",
            "1x",
            "-1S",
        ] {
            assert_eq!(of(text), own, "{text}");
        }
        assert_eq!(patience(&MetadataMap::new(), own), own);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let text = "é".repeat(LONGEST_TEXT);
        let failure = Failure::new(Code::Internal, text);
        assert!(failure.text.len() <= LONGEST_TEXT && failure.text.ends_with("é…"));
    }
}
