//! The plugin server, as repo-server meets it: a client that writes what repo-server writes, over the server's socket.

mod bad_input;
mod lifetime;
mod limits;
mod protocol;
mod renderers;
mod secrets;
mod tenants;

use std::path::PathBuf;

use crate::support::program::{Background, Program};
use crate::support::repo_server::{Answer, Client, Upload};

/// Secrets of two projects as files.
const SETTINGS: &str = "\
defaultBackend: files
backends:
  files: {type: file, root: secrets}
";

/// What must never be told but where it belongs.
const SECRET: &str = "cnry-value";

/// A server that runs.
struct Server {
    background: Background,
    program: Program,
}

impl Server {
    /// With a file of settings, and flags.
    fn start(settings: &str, flags: &[&str]) -> Self {
        Self::of(program(settings, flags))
    }

    fn of(program: Program) -> Self {
        let mut background = program.start_in_background();
        background.wait_for("serving");
        Self {
            background,
            program,
        }
    }

    fn socket(&self) -> PathBuf {
        self.program.folder().join("p.sock")
    }

    fn client(&self) -> Client {
        Client::connect(&self.socket())
    }

    fn render(&self, upload: &Upload) -> Answer {
        self.client().render(upload)
    }
}

/// A server to be started, by the name `p` in its own folder.
fn program(settings: &str, flags: &[&str]) -> Program {
    let named = ["--name", "p", "--socket-folder", "."];
    unnamed(settings, &[&named, flags].concat())
}

fn unnamed(settings: &str, flags: &[&str]) -> Program {
    let first = ["cmp-server", "-c", "manifuse.yaml"];
    Program::manifuse(first.iter().chain(flags).copied())
        .file("manifuse.yaml", settings)
        .file("secrets/a/password", SECRET)
        .file("secrets/b/password", "cnry-of-b")
}

/// A Secret with a value.
fn secret(value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  x: {value}\n")
}

/// An application of one file.
fn app(manifest: &str) -> Upload {
    Upload::new(
        "apps/shop",
        &[("README.md", "r"), ("apps/shop/a.yaml", manifest)],
    )
}

/// The object of [`secret`].
fn object(value: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s"}},"stringData":{{"x":"{value}"}}}}"#
    )
}

/// That a call failed by a text, in which no secret stands.
fn failed(answer: &Answer, text: &str) {
    assert!(
        answer.status.is_some_and(|status| status != 0),
        "{answer:?}"
    );
    assert!(answer.text.contains(text), "{text}: {}", answer.text);
    assert!(!answer.text.contains("cnry"), "{}", answer.text);
    assert!(answer.text.len() <= 4096);
}
