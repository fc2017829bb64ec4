//! The messages of the plugin protocol, as its `plugin.proto` numbers them (`argocd-cmp.md` 2), and the health check's.
//!
//! Written by hand: the protocol has ten small messages and has only gained fields since it exists; a generator would
//! need a compiler of its own to build. None shows what it holds.

use std::collections::BTreeMap;
use std::fmt;

use prost::{Message, Oneof};

/// One piece of what repo-server uploads: metadata first, then the archive in chunks.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct AppStreamRequest {
    /// Which piece it is.
    #[prost(oneof = "Part", tags = "1, 2")]
    pub part: Option<Part>,
}

/// A piece of an upload.
#[derive(Clone, PartialEq, Oneof)]
#[prost(skip_debug)]
pub enum Part {
    /// What is said about the upload.
    #[prost(message, tag = "1")]
    Metadata(Metadata),
    /// The next bytes of the archive.
    #[prost(message, tag = "2")]
    File(File),
}

/// What is said about an upload.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Metadata {
    /// The base name of the application's folder: not the application's name.
    #[prost(string, tag = "1")]
    pub app_name: String,
    /// The application's folder in the archive.
    #[prost(string, tag = "2")]
    pub app_rel_path: String,
    /// SHA-256 of the archive in hexadecimal digits.
    #[prost(string, tag = "3")]
    pub checksum: String,
    /// The archive's bytes; not looked at.
    #[prost(int64, tag = "4")]
    pub size: i64,
    /// The variables of the application, in order.
    #[prost(message, repeated, tag = "5")]
    pub env: Vec<EnvEntry>,
}

/// A variable. Go does not look whether it is UTF-8.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct EnvEntry {
    /// Its name.
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    /// Its value.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// A chunk of the archive.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct File {
    /// The bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub chunk: bytes::Bytes,
}

/// A rendered application.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct ManifestResponse {
    /// One compact JSON object each.
    #[prost(string, repeated, tag = "1")]
    pub manifests: Vec<String>,
    /// Nobody reads it.
    #[prost(string, tag = "2")]
    pub source_type: String,
}

/// Whether a repository is for this plugin.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct RepositoryResponse {
    /// It is.
    #[prost(bool, tag = "1")]
    pub is_supported: bool,
    /// There are rules by which that is decided.
    #[prost(bool, tag = "2")]
    pub is_discovery_enabled: bool,
}

/// What the plugin asks of repo-server.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct CheckPluginConfigurationResponse {
    /// Repositories are to be uploaded to `MatchRepository`.
    #[prost(bool, tag = "1")]
    pub is_discovery_configured: bool,
    /// Credentials of the repository are to be handed over.
    #[prost(bool, tag = "2")]
    pub provide_git_creds: bool,
}

/// The parameters that Argo CD's interface offers.
#[derive(Clone, PartialEq, Message)]
pub struct ParametersAnnouncementResponse {
    /// In the order in which they are shown.
    #[prost(message, repeated, tag = "1")]
    pub parameter_announcements: Vec<ParameterAnnouncement>,
}

/// A parameter.
#[derive(Clone, PartialEq, Message)]
pub struct ParameterAnnouncement {
    /// What an application names it by.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What people see.
    #[prost(string, tag = "2")]
    pub title: String,
    /// What it is for.
    #[prost(string, tag = "3")]
    pub tooltip: String,
    /// Whether it must be given.
    #[prost(bool, tag = "4")]
    pub required: bool,
    /// A hint for the interface; values are strings.
    #[prost(string, tag = "5")]
    pub item_type: String,
    /// `string`, `array` or `map`.
    #[prost(string, tag = "6")]
    pub collection_type: String,
    /// What is shown for a string that is not given.
    #[prost(string, tag = "7")]
    pub string: String,
    /// What is shown for a list that is not given.
    #[prost(string, repeated, tag = "8")]
    pub array: Vec<String>,
    /// What is shown for a map that is not given.
    #[prost(btree_map = "string, string", tag = "9")]
    pub map: BTreeMap<String, String>,
}

/// `google.protobuf.Empty`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Empty {}

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HealthRequest {
    /// Empty for the whole server.
    #[prost(string, tag = "1")]
    pub service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct HealthResponse {
    /// [`SERVING`].
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// The status of a server that works.
pub const SERVING: i32 = 1;

macro_rules! hide {
    ($($name:ident),*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!("[", stringify!($name), "]"))
            }
        })*
    };
}

hide!(
    AppStreamRequest,
    Part,
    Metadata,
    EnvEntry,
    File,
    ManifestResponse
);
