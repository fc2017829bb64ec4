//! The workloads: what is rendered, what the store answers, and how often a run is repeated for one figure.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::ClockId;

use crate::measure::{Program, Sample};
use crate::report::Spread;
use crate::support::server::{Reply, Server};

/// Something to render.
pub(crate) struct Workload {
    /// What the table and the command line call it.
    pub(crate) name: &'static str,
    input: Input,
    /// How long the store takes for an answer.
    latency: Duration,
    /// How many runs make one sample: short ones are repeated, so that the clock can tell them apart.
    pub(crate) repeats: u32,
}

/// What is on the disk.
enum Input {
    /// Nothing: the help text is asked for.
    Help,
    /// Documents in one file.
    File(fn() -> Vec<String>),
    /// Documents in files of ten.
    Folder(fn() -> Vec<String>),
}

/// All workloads, in the order of the table.
pub(crate) fn all() -> [Workload; 7] {
    let quick = |name, input, repeats| Workload {
        name,
        input,
        latency: Duration::ZERO,
        repeats,
    };
    let slow = |name, input| Workload {
        name,
        input,
        latency: Duration::from_millis(20),
        repeats: 1,
    };
    [
        quick("W1", Input::File(|| secrets(1, 1, |_, _| (0, 0))), 20),
        slow(
            "W2",
            Input::File(|| secrets(200, 1, |document, _| (document, 0))),
        ),
        slow(
            "W3",
            Input::File(|| secrets(100, 10, |document, key| (key, document % 10))),
        ),
        quick("W4", Input::File(|| plain(20_000)), 3),
        quick("W4-files", Input::Folder(|| plain(20_000)), 3),
        quick(
            "W5",
            Input::File(|| secrets(1_000, 5, |document, key| ((document * 5 + key) % 50, key))),
            3,
        ),
        quick("help", Input::Help, 20),
    ]
}

impl Workload {
    /// Writes the input into the folder, and says where it is.
    pub(crate) fn write(&self, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let path = folder.join(self.name);
        match &self.input {
            Input::Help => {}
            Input::File(documents) => {
                let path = path.with_extension("yaml");
                std::fs::write(&path, documents().concat())?;
                return Ok(path);
            }
            Input::Folder(documents) => {
                std::fs::create_dir(&path)?;
                for (number, documents) in documents().chunks(10).enumerate() {
                    std::fs::write(path.join(format!("{number:04}.yaml")), documents.concat())?;
                }
            }
        }
        Ok(path)
    }

    /// The command line.
    pub(crate) fn arguments(&self, input: &Path) -> Vec<String> {
        match self.input {
            Input::Help => vec!["--help".to_owned()],
            _ => vec!["generate".to_owned(), input.display().to_string()],
        }
    }

    /// A Vault whose secrets all have the keys `k0` to `k9`.
    pub(crate) fn serve(&self) -> Server {
        let values: Vec<String> = (0..10)
            .map(|key| format!("\"k{key}\":\"value {key}\""))
            .collect();
        let body = format!(
            "{{\"data\":{{\"data\":{{{}}},\"metadata\":{{}}}}}}",
            values.join(",")
        );
        let latency = self.latency;
        Server::start(move |_| {
            let reply = Reply::json(200, body.clone());
            if latency.is_zero() {
                reply
            } else {
                reply.after(latency)
            }
        })
    }
}

/// Secrets with one placeholder a key; `place` gives the number of the store's secret and of its key.
fn secrets(
    documents: usize,
    keys: usize,
    place: impl Fn(usize, usize) -> (usize, usize),
) -> Vec<String> {
    let document = |number| {
        let mut text = format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: s{number}\nstringData:\n"
        );
        for key in 0..keys {
            let (secret, field) = place(number, key);
            let _ = writeln!(text, "  key{key}: <path:secret/data/s{secret}#k{field}>");
        }
        text
    };
    (0..documents).map(document).collect()
}

/// Documents of about 480 bytes that hold nothing for us.
fn plain(documents: usize) -> Vec<String> {
    let document = |number| format!("{}  host: plain.example.com\n", config_map(number));
    (0..documents).map(document).collect()
}

fn config_map(number: usize) -> String {
    format!(
        "---
apiVersion: v1
kind: ConfigMap
metadata:
  name: conf-{number}
  namespace: shop
  labels:
    app.kubernetes.io/name: web
    app.kubernetes.io/part-of: shop
data:
  key-a: some text value number {number}
  key-b: \"quoted text\"
  url: http://service.{number}.example.com:8080/path
  lines: |
    first line of {number}
    second line
  replicas: \"3\"
  mode: production-with-a-long-value-to-fill-the-line
"
    )
}

/// 100 MB with a placeholder in each document, on one core: how fast the whole program is beside the parser crate
/// alone, which only reads the same text into events. By processor time, so that other programs on the core do not count.
pub(crate) fn stream(
    program: &Program,
    rounds: usize,
    folder: &Path,
) -> Result<String, Box<dyn Error>> {
    let document = |number| {
        format!(
            "{}  host: db.<path:secret/data/s0#k0>.example.com\n",
            config_map(number)
        )
    };
    let text: String = (0..200_000).map(document).collect();
    let path = folder.join("stream.yaml");
    std::fs::write(&path, &text)?;
    let workload = Workload {
        name: "stream",
        input: Input::File(Vec::new),
        latency: Duration::ZERO,
        repeats: 1,
    };
    let vault = workload.serve();
    let own_core = rustix::thread::sched_getaffinity(None)?;
    let mut one_core = rustix::thread::CpuSet::new();
    let first = (0..rustix::thread::CpuSet::MAX_CPU).find(|core| own_core.is_set(*core));
    one_core.set(first.ok_or("no core")?);
    let mut samples: Vec<Sample> = Vec::new();
    let mut events = Vec::new();
    rustix::thread::sched_setaffinity(None, &one_core)?;
    for _ in 0..rounds {
        samples.push(program.run(&workload, &path, &vault)?);
        events.push(parse(&text)?);
    }
    rustix::thread::sched_setaffinity(None, &own_core)?;
    events.sort();
    let megabytes = f64::from(u32::try_from(text.len())?) / 1e6;
    let speed = |time: Duration| megabytes / time.as_secs_f64();
    let ours = speed(Spread::of(&samples, |sample| sample.processor).median);
    let parser = speed(events[events.len() / 2]);
    let memory = samples.iter().map(|sample| sample.memory).max();
    let memory = u32::try_from(memory.unwrap_or(0) >> 10)?;
    Ok(format!(
        "stream: {} MB with a placeholder in each of 200000 documents, one core: {ours:.1} MB/s, the parser crate alone \
         {parser:.1} MB/s, ratio {:.2}; memory {:.2} times the input",
        text.len() / 1_000_000,
        ours / parser,
        f64::from(memory) * 1024.0 / 1e6 / megabytes,
    ))
}

/// How much of the processor's time the parser crate takes for all events of a text.
fn parse(text: &str) -> Result<Duration, Box<dyn Error>> {
    let now = || Duration::try_from(rustix::time::clock_gettime(ClockId::ThreadCPUTime));
    let start = now()?;
    let mut count = 0_usize;
    for event in granit_parser::Parser::new_from_str(text) {
        event?;
        count += 1;
    }
    assert!(count > 0);
    now()?
        .checked_sub(start)
        .ok_or_else(|| "the clock went backwards".into())
}
