//! manifuse beside the real argocd-vault-plugin (AVP), on the workloads of `docs/performance.md`: both in turn in one
//! run, so that only ratios need be believed.
//!
//! `cargo bench --bench compare -- [--rounds N] [WORKLOAD...]`. The variable `AVP_BIN` names the real AVP, `SOPS_BIN` and
//! `KSOPS_BIN` the peers of the workloads with encrypted files; without them manifuse is measured alone.

mod encrypted;
mod measure;
mod report;
#[path = "../../tests/support"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "the tests' server is written for tests, and can do more than is needed here"
)]
mod support {
    pub(crate) mod certificates;
    pub(crate) mod server;
    pub(crate) mod sops_keys;
}
mod workloads;

use std::error::Error;
use std::path::PathBuf;

use measure::{MEASURE, Program, Sample};
use report::Row;
use workloads::Workload;

/// What the command line asks for.
struct Wanted {
    rounds: usize,
    workloads: Vec<String>,
}

impl Wanted {
    /// `cargo bench` adds `--bench`, which means nothing here.
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut wanted = Self {
            rounds: 5,
            workloads: Vec::new(),
        };
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--rounds" => wanted.rounds = arguments.next().ok_or("--rounds N")?.parse()?,
                _ => wanted.workloads.push(argument),
            }
        }
        Ok(wanted)
    }

    fn includes(&self, workload: &str) -> bool {
        self.workloads.is_empty() || self.workloads.iter().any(|name| name == workload)
    }
}

#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
#[expect(
    clippy::disallowed_methods,
    reason = "a bench is a program of its own, told by a variable where the peer is"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    if let Some(MEASURE) = std::env::args().nth(1).as_deref() {
        let program = arguments.nth(1).ok_or("a program to measure")?;
        println!("{}", measure::measure(&program, arguments)?);
        return Ok(());
    }
    let wanted = Wanted::parse(arguments)?;
    let mut programs = vec![Program::new("manifuse", env!("CARGO_BIN_EXE_manifuse"))];
    if let Some(avp) = std::env::var_os("AVP_BIN") {
        programs.push(Program::new("AVP", PathBuf::from(avp)));
    }
    let folder = tempfile::tempdir()?;
    println!("{}", report::HEAD);
    for workload in workloads::all() {
        if wanted.includes(workload.name) {
            for row in rows(&workload, &programs, wanted.rounds, folder.path())? {
                println!("{row}");
            }
        }
    }
    let peers = ["SOPS_BIN", "KSOPS_BIN"].map(std::env::var_os);
    if encrypted::NAMES.iter().any(|name| wanted.includes(name)) {
        let cases = encrypted::all(folder.path(), peers.map(|peer| peer.map(PathBuf::from)))?;
        for case in cases.iter().filter(|case| wanted.includes(case.name)) {
            for row in case.rows(wanted.rounds)? {
                println!("{row}");
            }
        }
    }
    if wanted.includes("stream") {
        println!(
            "\n{}",
            workloads::stream(&programs[0], wanted.rounds, folder.path())?
        );
    }
    Ok(())
}

/// One row a program.
fn rows(
    workload: &Workload,
    programs: &[Program],
    rounds: usize,
    folder: &std::path::Path,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let input = workload.write(folder)?;
    let vault = workload.serve();
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); programs.len()];
    for _ in 0..rounds {
        for (program, samples) in programs.iter().zip(&mut samples) {
            samples.push(program.run(workload, &input, &vault)?);
        }
    }
    let all = programs.iter().zip(&samples);
    Ok(all
        .map(|(program, own)| Row::new(workload.name, program.name, own, &samples[0]))
        .collect())
}
