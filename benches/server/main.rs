//! The plugin server beside the real `argocd-cmp-server` with argocd-vault-plugin (AVP), asked by one client in one run, on
//! the workloads W7 and W8 of `docs/performance.md`; and its own memory over many renders.
//!
//! `cargo bench --bench server -- [WORKLOAD...]`. The variables `CMP_SERVER_BIN` and `AVP_BIN` name the real pair; without
//! them manifuse is measured alone.

#[path = "../../tests/support"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "the tests' server and client are written for tests, and can do more than is needed here"
)]
mod support {
    pub(crate) mod certificates;
    pub(crate) mod repo_server;
    pub(crate) mod server;
}

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::repo_server::{Client, Upload};
use support::server::{Reply, Server as Http};
use wait4::Wait4 as _;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Applications of a workload.
const APPLICATIONS: usize = 250;
/// Renders at once.
const AT_ONCE: usize = 10;
/// Files beside an application's in W8, and their size.
const OTHER_FILES: usize = 2500;
const OTHER_SIZE: usize = 800;
/// How long the store takes for an answer.
const LATENCY: Duration = Duration::from_millis(20);

/// A store with twenty secrets and a login.
fn store() -> Http {
    Http::start(|request| {
        if request.target.ends_with("/login") {
            let body = r#"{"auth":{"client_token":"t","lease_duration":3600}}"#;
            return Reply::json(200, body).after(LATENCY);
        }
        let body = r#"{"data":{"data":{"user":"somebody","password":"p@ss: word"},"metadata":{"version":1}}}"#;
        Reply::json(200, body).after(LATENCY)
    })
}

/// Ten documents, five of them with a reference to one of twenty secrets.
fn application(number: usize, others: usize) -> Upload {
    let mut files = Vec::new();
    for document in 0..10 {
        let name = format!("apps/{number}/{document}.yaml");
        let text = if document % 2 == 0 {
            let secret = (number * 5 + document / 2) % 20;
            format!(
                "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s{document}\nstringData:\n  user: plain\n  password: <path:secret/data/s{secret}#password>\n"
            )
        } else {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{document}\ndata:\n  a: \"1\"\n  b: some text that is not a reference\n"
            )
        };
        files.push((name, text));
    }
    for other in 0..others {
        // Not all alike, or an archive would hold them in nothing.
        let text: String = (0..OTHER_SIZE / 8).fold(String::new(), |mut text, word| {
            let _ = write!(
                text,
                "{:07x} ",
                (other * 7919 + word * 104_729) % 0x0fff_ffff
            );
            text
        });
        files.push((format!("other/{}/{other}.txt", other % 50), text));
    }
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Upload::new(&format!("apps/{number}"), &files)
        .variable("ARGOCD_APP_NAME", format!("app-{number}"))
}

/// A plugin server under measurement.
struct Plugin {
    child: Child,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

/// What a workload cost.
struct Sample {
    wall: Duration,
    median: Duration,
    cpu: Duration,
    memory: u64,
    calls: usize,
}

impl Plugin {
    fn manifuse(store: &Http, flags: &[&str]) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let settings = format!(
            "defaultBackend: v\nbackends:\n  v: {{type: vault, address: '{}', auth: {{type: approle, roleId: r, secretId: s}}}}\n",
            store.url()
        );
        fs::write(folder.path().join("manifuse.yaml"), settings)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_manifuse"));
        command.args([
            "cmp-server",
            "-c",
            "manifuse.yaml",
            "--name",
            "p",
            "--socket-folder",
            ".",
        ]);
        command.args(flags);
        Self::start(command, folder)
    }

    fn real(store: &Http) -> Outcome<Option<Self>> {
        let (Some(server), Some(avp)) = (variable("CMP_SERVER_BIN"), variable("AVP_BIN")) else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let file = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata: {{name: p}}\nspec:\n  generate: {{command: ['{avp}', generate, .]}}\n"
        );
        fs::write(folder.path().join("plugin.yaml"), file)?;
        let mut command = Command::new(server);
        command
            .args(["--config-dir-path", "."])
            .env("ARGOCD_PLUGINSOCKFILEPATH", folder.path())
            .env(
                "ARGOCD_CMP_WORKDIR",
                variable("CMP_WORKDIR").map_or_else(|| folder.path().to_owned(), PathBuf::from),
            )
            .env("HOME", folder.path())
            .env("AVP_TYPE", "vault")
            .env("AVP_AUTH_TYPE", "approle")
            .env("AVP_ROLE_ID", "r")
            .env("AVP_SECRET_ID", "s")
            .env("VAULT_ADDR", store.url());
        Self::start(command, folder).map(Some)
    }

    fn start(mut command: Command, folder: tempfile::TempDir) -> Outcome<Self> {
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let socket = folder.path().join("p.sock");
        let start = Instant::now();
        while !socket.exists() {
            if start.elapsed() > Duration::from_secs(20) {
                return Err("the server did not start".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Self {
            child,
            socket,
            _folder: folder,
        })
    }

    /// Renders all applications, so many at once, each on a connection of its own, as repo-server does.
    fn render(&self, uploads: &Arc<Vec<Upload>>) -> Outcome<(Duration, Duration)> {
        let next = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (next, uploads, socket) =
                    (Arc::clone(&next), Arc::clone(uploads), self.socket.clone());
                thread::spawn(move || {
                    let mut took = Vec::new();
                    while let Some(upload) = uploads.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let start = Instant::now();
                        render(&socket, upload, 10);
                        took.push(start.elapsed());
                    }
                    took
                })
            })
            .collect();
        let mut took = Vec::new();
        for worker in workers {
            took.extend(worker.join().map_err(|_| "a render failed")?);
        }
        let wall = start.elapsed();
        took.sort();
        Ok((wall, took[took.len() / 2]))
    }

    /// Resident memory, in KiB.
    fn memory(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.ok_or("no memory is told")?.parse()?)
    }

    /// Ends it: processor time of it and of all that it has waited for, and the most memory of one of them in bytes.
    fn end(mut self) -> Outcome<(Duration, u64)> {
        // The real one does not end when it is asked to.
        self.child.kill()?;
        let ended = self.child.wait4()?;
        Ok((ended.rusage.utime + ended.rusage.stime, ended.rusage.maxrss))
    }
}

fn render(socket: &Path, upload: &Upload, objects: usize) {
    let mut client = Client::connect(socket);
    assert_eq!(client.check().status, Some(0));
    assert_eq!(client.check().status, Some(0));
    let answer = client.render(upload);
    assert_eq!(answer.manifests().len(), objects, "{}", answer.text);
}

fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench is told by variables which peers there are"
    )]
    std::env::var(name).ok()
}

fn measured(plugin: Plugin, store: &Http, uploads: &Arc<Vec<Upload>>) -> Outcome<Sample> {
    let before = store.requests().len();
    let (wall, median) = plugin.render(uploads)?;
    let (cpu, memory) = plugin.end()?;
    let calls = store.requests().len() - before;
    Ok(Sample {
        wall,
        median,
        cpu,
        memory,
        calls,
    })
}

const CACHE: &[&str] = &["--secret-cache", "1m"];

#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
fn compare(name: &str, others: usize) -> Outcome<()> {
    let uploads: Arc<Vec<_>> = Arc::new(
        (0..APPLICATIONS)
            .map(|number| application(number, others))
            .collect(),
    );
    println!(
        "{name}: {APPLICATIONS} applications, {AT_ONCE} at once, an upload of {} KiB",
        uploads[0].archive.len() >> 10
    );
    println!(
        "{:24} {:>9} {:>9} {:>9} {:>8} {:>6}",
        "", "wall", "median", "CPU", "MiB", "calls"
    );
    let store = store();
    let show = |who: &str, sample: &Sample| {
        let Sample {
            wall,
            median,
            cpu,
            memory,
            calls,
        } = sample;
        println!(
            "{who:24} {wall:>9.2?} {median:>9.2?} {cpu:>9.2?} {:>8} {calls:>6}",
            memory >> 20
        );
    };
    let cached = measured(Plugin::manifuse(&store, CACHE)?, &store, &uploads)?;
    show("manifuse, with cache", &cached);
    let plain = measured(Plugin::manifuse(&store, &[])?, &store, &uploads)?;
    show("manifuse, without", &plain);
    if let Some(real) = Plugin::real(&store)? {
        let real = measured(real, &store, &uploads)?;
        show("argocd-cmp-server, AVP", &real);
        for (who, own) in [("with cache", &cached), ("without", &plain)] {
            let wall = real.wall.as_secs_f64() / own.wall.as_secs_f64();
            let cpu = real.cpu.as_secs_f64() / own.cpu.as_secs_f64();
            println!("times less, {who:12} wall {wall:.1}, CPU {cpu:.1}");
        }
    }
    Ok(())
}

/// One render after the other: what it takes when nothing else is to be done.
#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
fn warm() -> Outcome<()> {
    let store = store();
    for (name, flags) in [("with cache", CACHE), ("without", &[])] {
        let plugin = Plugin::manifuse(&store, flags)?;
        let upload = application(0, 0);
        let mut took: Vec<_> = (0..200)
            .map(|_| {
                let start = Instant::now();
                render(&plugin.socket, &upload, 10);
                start.elapsed()
            })
            .collect();
        took.sort();
        println!(
            "warm render, {name}: median {:.2?}, of a store of {LATENCY:?}",
            took[100]
        );
        plugin.end()?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
fn memory() -> Outcome<()> {
    let store = store();
    let plugin = Plugin::manifuse(&store, CACHE)?;
    let uploads: Arc<Vec<_>> = Arc::new(
        (0..1000)
            .map(|number| application(number % 250, 20))
            .collect(),
    );
    for thousand in 0..=10 {
        println!("after {thousand:>2},000 renders: {} KiB", plugin.memory()?);
        if thousand < 10 {
            plugin.render(&uploads)?;
        }
    }
    plugin.end()?;
    Ok(())
}

/// 32 at once, with 50 MB of manifests each.
#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
fn large() -> Outcome<()> {
    let store = store();
    let plugin = Plugin::manifuse(&store, &[])?;
    let line = "some text of which there is a lot ".repeat(30);
    let lines: String = (0..500).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "  k{number}: {line}");
        text
    });
    let document = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  a: <path:secret/data/s#password>\n{lines}"
    );
    let documents: Vec<_> = (0..98).map(|_| document.as_str()).collect();
    let upload = Arc::new(Upload::new("a", &[("a/x.yaml", &documents.join("---\n"))]));
    let start = Instant::now();
    let workers: Vec<_> = (0..32)
        .map(|_| {
            let (socket, upload) = (plugin.socket.clone(), Arc::clone(&upload));
            thread::spawn(move || render(&socket, &upload, 98))
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a render failed")?;
    }
    let wall = start.elapsed();
    let (cpu, memory) = plugin.end()?;
    println!(
        "32 at once of {} MiB each: {wall:.1?}, CPU {cpu:.1?}, {} MiB",
        (documents.len() * document.len()) >> 20,
        memory >> 20
    );
    Ok(())
}

fn main() -> Outcome<()> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|own| own == name);
    if is_wanted("w7") {
        compare("W7", 0)?;
    }
    if is_wanted("w8") {
        compare("W8", OTHER_FILES)?;
    }
    if is_wanted("warm") {
        warm()?;
    }
    if is_wanted("memory") {
        memory()?;
    }
    if is_wanted("large") {
        large()?;
    }
    Ok(())
}
