//! Helm and Kustomize for applications that need them: run without a shell, in a folder of their own that only we can read,
//! in a process group that ends with the render. No secret reaches them: values are put in afterwards.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout, timeout_at};

use super::parameters::Parameters;
use crate::argocd::archive::{Entry, Tree};
use crate::argocd::variables::Variables;
use crate::diagnostics::{Diagnostic, Fault, io_reason};
use crate::env::Environment;

/// What makes manifests out of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Helm,
    Kustomize,
}

impl Tool {
    /// What messages call it, whatever program it is.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Kustomize => "kustomize",
        }
    }
}

/// A tool and how it is run.
pub(super) struct Renderer<'r> {
    pub(super) tool: Tool,
    /// What is run, as the operator names it.
    pub(super) program: &'r str,
    /// The server's own environment, of which little is passed on.
    pub(super) environment: &'r Environment,
    /// How much it may print.
    pub(super) limit: u64,
    pub(super) deadline: Instant,
}

/// What of our environment a tool sees, and all that begins with `HELM_`: an operator sets these for it.
const PASSED: [&str; 14] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CACHE_HOME",
];
/// How long what a tool leaves behind may keep its output open.
const GRACE: Duration = Duration::from_secs(2);
/// How much of a tool's complaints is told.
const COMPLAINTS: usize = 1500;
/// Linux takes no longer argument than 128 KiB.
const LONGEST_ARGUMENT: usize = 64 << 10;

impl Renderer<'_> {
    /// What the tool prints for an application.
    pub(super) async fn run(
        &self,
        tree: &Tree,
        variables: &Variables,
        parameters: &Parameters,
    ) -> Result<String, Box<Diagnostic>> {
        let place = private_folder().map_err(|error| self.not_written(&error))?;
        let repository = place.path().join("repository");
        write(tree, &repository).map_err(|error| self.not_written(&error))?;
        let folder = repository.join(tree.application());
        let arguments = match self.tool {
            Tool::Kustomize
                if Path::new(self.program)
                    .file_stem()
                    .is_some_and(|name| name == "kubectl") =>
            {
                words(&["kustomize", "."])
            }
            Tool::Kustomize => words(&["build", "."]),
            Tool::Helm => {
                self.fetch_dependencies(tree, &folder, place.path()).await?;
                Self::helm(tree, variables, parameters, place.path())?
            }
        };
        let printed = self.call(&arguments, &folder, place.path()).await?;
        String::from_utf8(printed).map_err(|_| self.error("prints what is not UTF-8"))
    }

    /// The charts that a chart is made of, where they do not lie in the repository.
    async fn fetch_dependencies(
        &self,
        tree: &Tree,
        folder: &Path,
        place: &Path,
    ) -> Result<(), Box<Diagnostic>> {
        let chart = format!("{}/Chart.yaml", tree.application());
        let chart = tree.file(&chart).unwrap_or_default();
        let needs = chart
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"dependencies:"));
        if needs && !folder.join("charts").exists() {
            self.call(&words(&["dependency", "build"]), folder, place)
                .await?;
        }
        Ok(())
    }

    fn helm(
        tree: &Tree,
        variables: &Variables,
        parameters: &Parameters,
        place: &Path,
    ) -> Result<Vec<String>, Box<Diagnostic>> {
        let get = |name| variables.get(name).unwrap_or_default();
        // An application outside Argo CD's namespace is NAMESPACE_NAME, which no release can be called.
        let name = get("ARGOCD_APP_NAME")
            .rsplit('_')
            .next()
            .unwrap_or_default();
        let name = if name.is_empty() {
            "release-name"
        } else {
            name
        };
        let mut arguments = words(&["template", name, ".", "--include-crds"]);
        for (flag, value) in [
            ("--namespace", get("ARGOCD_APP_NAMESPACE")),
            ("--kube-version", get("KUBE_VERSION")),
        ] {
            if !value.is_empty() {
                arguments.extend(words(&[flag, value]));
            }
        }
        for versions in pieces(get("KUBE_API_VERSIONS")) {
            arguments.extend(words(&["--api-versions", &versions]));
        }
        arguments.extend(parameters.helm(tree, place)?);
        Ok(arguments)
    }

    /// Runs it, and gives what it prints.
    async fn call(
        &self,
        arguments: &[String],
        folder: &Path,
        place: &Path,
    ) -> Result<Vec<u8>, Box<Diagnostic>> {
        let passed = |name: &str| PASSED.contains(&name) || name.starts_with("HELM_");
        let child = Command::new(self.program)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("HOME", place)
            .envs(self.environment.iter().filter(|(name, _)| passed(name)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        let child = child.map_err(|error| {
            let told = self.error("could not be run").with_cause(io_reason(&error));
            Box::new(told.with_hint("the sidecar's image must hold it"))
        })?;
        let mut group = Group(Some(child));
        let child = group.0.as_mut().expect("it is there until it is dropped");
        // Time is left to say so.
        let deadline = self.deadline - Duration::from_millis(50);
        let ended = timeout_at(deadline, self.converse(child)).await;
        let (status, printed, complaints) =
            ended.unwrap_or_else(|_| Err(self.error("did not end in time")))?;
        if status.success() {
            return Ok(printed);
        }
        let complaints = String::from_utf8_lossy(&complaints);
        let place = place.to_string_lossy();
        // The same fault must be told by the same text.
        let complaints = complaints.replace(&*place, "").trim().to_owned();
        let message = format!("failed with {}", shown(status));
        Err(Box::new(self.error(&message).with_cause(complaints)))
    }

    async fn converse(
        &self,
        child: &mut Child,
    ) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), Box<Diagnostic>> {
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let streams = async {
            tokio::try_join!(
                async {
                    let printed = read(stdout, self.limit + 1).await;
                    if printed.len() as u64 > self.limit {
                        let limit = self.limit;
                        return Err(self.error(&format!("prints more than {limit} bytes")));
                    }
                    Ok(printed)
                },
                async { Ok(read_beginning(stderr).await) }
            )
        };
        tokio::pin!(streams);
        let failed = |error: io::Error| {
            Box::new(self.error("could not be run").with_cause(io_reason(&error)))
        };
        tokio::select! {
            read = &mut streams => {
                let (printed, complaints) = read?;
                Ok((child.wait().await.map_err(failed)?, printed, complaints))
            }
            status = child.wait() => {
                let status = status.map_err(failed)?;
                let left = "has ended, but something that it started keeps its output open";
                let read = timeout(GRACE, streams).await;
                let (printed, complaints) = read.unwrap_or_else(|_| Err(self.error(left)))?;
                Ok((status, printed, complaints))
            }
        }
    }

    fn not_written(&self, error: &io::Error) -> Box<Diagnostic> {
        let name = self.tool.name();
        let message = format!("the files for {name} could not be written");
        Box::new(Diagnostic::error(Fault::Settings, message).with_cause(io_reason(error)))
    }

    fn error(&self, what: &str) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(
            Fault::Input,
            format!("{} {what}", self.tool.name()),
        ))
    }
}

/// A tool with all that it has started, which end where it goes out of scope.
struct Group(Option<Child>);

impl Drop for Group {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else {
            return;
        };
        if let Some(pid) = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
        {
            // Where it has ended by itself there is nothing to end.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        // So that it is not left as a dead entry among our children.
        tokio::spawn(async move { child.wait().await });
    }
}

fn shown(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "a signal".to_owned(),
    }
}

/// At most so many bytes. One that cannot be read any more has ended.
async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(limit).read_to_end(&mut bytes).await;
    }
    bytes
}

/// The beginning, where people say what is wrong; the rest is read and forgotten.
async fn read_beginning(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut pipe) = pipe else {
        return Vec::new();
    };
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(size @ 1..) = pipe.read(&mut piece).await {
        let room = COMPLAINTS - bytes.len();
        bytes.extend_from_slice(&piece[..size.min(room)]);
    }
    bytes
}

/// A folder that nobody else can look into.
fn private_folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("manifuse-");
    builder
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A list with commas in pieces that an argument can hold.
fn pieces(list: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for item in list.split(',').filter(|item| !item.is_empty()) {
        match pieces.last_mut() {
            Some(piece) if piece.len() + item.len() < LONGEST_ARGUMENT => {
                piece.push(',');
                piece.push_str(item);
            }
            _ => pieces.push(item.to_owned()),
        }
    }
    pieces
}

/// The tree on disk. Parents come before what they hold, and links are made last, so that nothing is written through one.
fn write(tree: &Tree, place: &Path) -> io::Result<()> {
    fs::create_dir(place)?;
    let mut links = Vec::new();
    for (name, entry) in tree.entries().filter(|(name, _)| !name.is_empty()) {
        match entry {
            Entry::Folder => fs::create_dir(place.join(name))?,
            Entry::File(bytes) => fs::write(place.join(name), bytes.unwrap_or_default())?,
            Entry::Link(target) => links.push((name, target)),
        }
    }
    for (name, target) in links {
        let up = "../".repeat(name.split('/').count() - 1);
        symlink(format!("{up}{target}"), place.join(name))?;
    }
    Ok(())
}
