//! One run of a program: its time, its processor time, its memory, and what it asked the server.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

use crate::support::server::Server;
use crate::workloads::Workload;

/// A program under measurement.
pub(crate) struct Program {
    /// What the table calls it.
    pub(crate) name: &'static str,
    file: PathBuf,
}

/// What one run took. Of runs repeated for a longer time the mean.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// From start to end.
    pub(crate) wall: Duration,
    /// In user and kernel mode, of all threads.
    pub(crate) processor: Duration,
    /// The most bytes that were resident.
    pub(crate) memory: u64,
    /// How often the server was asked.
    pub(crate) requests: usize,
}

impl Program {
    pub(crate) fn new(name: &'static str, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        Self { name, file }
    }

    /// Runs a workload as often as it says.
    pub(crate) fn run(
        &self,
        workload: &Workload,
        input: &Path,
        vault: &Server,
    ) -> Result<Sample, Box<dyn Error>> {
        let before = vault.requests().len();
        let mut total = Sample {
            wall: Duration::ZERO,
            processor: Duration::ZERO,
            memory: 0,
            requests: 0,
        };
        let url = vault.url();
        let login = [
            ("AVP_TYPE", "vault"),
            ("AVP_AUTH_TYPE", "token"),
            ("VAULT_TOKEN", "root"),
            ("VAULT_ADDR", &url),
        ];
        for _ in 0..workload.repeats {
            let one = self.once(&workload.arguments(input), &login)?;
            total.wall += one.wall;
            total.processor += one.processor;
            total.memory = total.memory.max(one.memory);
        }
        let repeats = workload.repeats;
        Ok(Sample {
            wall: total.wall / repeats,
            processor: total.processor / repeats,
            requests: (vault.requests().len() - before) / usize::try_from(repeats)?,
            ..total
        })
    }

    /// Runs the program once with these variables and no others. A failure of the program is one of the bench.
    ///
    /// Another process of this bench starts it: the most memory of a program counts what its parent held at the start,
    /// and a fresh process holds next to nothing.
    pub(crate) fn once(
        &self,
        arguments: &[String],
        variables: &[(&str, &str)],
    ) -> Result<Sample, Box<dyn Error>> {
        let told = Command::new(std::env::current_exe()?)
            .arg(MEASURE)
            .arg(&self.file)
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .stderr(Stdio::inherit())
            .output()?;
        let told = String::from_utf8(told.stdout)?;
        let mut numbers = told.split_whitespace().map(str::parse::<u64>);
        let (Some(wall), Some(processor), Some(memory)) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(format!("{} {arguments:?} failed", self.name).into());
        };
        Ok(Sample {
            wall: Duration::from_nanos(wall?),
            processor: Duration::from_nanos(processor?),
            memory: memory?,
            requests: 0,
        })
    }
}

/// The argument that asks this bench to run the program behind it and to tell what it took.
pub(crate) const MEASURE: &str = "--measure";

/// Runs a program; its nanoseconds from start to end and on processors, and its bytes of memory, as one line.
pub(crate) fn measure(
    program: &str,
    arguments: impl Iterator<Item = String>,
) -> Result<String, Box<dyn Error>> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let used = command.spawn()?.wait4()?;
    let wall = start.elapsed();
    if !used.status.success() {
        return Err(format!("{program}: {}", used.status).into());
    }
    let processor = used.rusage.utime + used.rusage.stime;
    Ok(format!(
        "{} {} {}",
        wall.as_nanos(),
        processor.as_nanos(),
        used.rusage.maxrss
    ))
}
