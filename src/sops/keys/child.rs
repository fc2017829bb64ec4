//! Runs a program on a text and takes what it prints, which may be a key: bounded in size and time, in memory only. One that has
//! been given a process group is ended with all that it has started.

use std::io::{self, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

/// How much of a program's complaints is kept. The rest is read and forgotten, so that it need not wait.
const MAX_COMPLAINTS: usize = 16 << 10;
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// What a program has said.
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Zeroizing<Vec<u8>>,
    /// The first of its complaints. They can hold anything: messages show at most a line that is known to be harmless.
    pub(super) stderr: Zeroizing<Vec<u8>>,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("could not be run")]
    NotRun(#[from] io::Error),
    #[error("did not end in time")]
    TimedOut,
    #[error("printed too much")]
    TooMuch,
}

/// Runs a program until it ends or the deadline comes.
pub(super) fn run(
    command: &mut Command,
    input: &[u8],
    max_output: usize,
    deadline: Instant,
) -> Result<Output, Broken> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = converse(&mut child, input, max_output, deadline);
    if output.is_err() {
        // All of these fail only where there is nothing to end.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let _ = child.kill();
        let _ = child.wait();
    }
    output
}

fn converse(
    child: &mut Child,
    input: &[u8],
    max_output: usize,
    deadline: Instant,
) -> Result<Output, Broken> {
    let stdout = collect(child.stdout.take(), max_output.saturating_add(1), false);
    let stderr = collect(child.stderr.take(), MAX_COMPLAINTS, true);
    if let Some(mut stdin) = child.stdin.take() {
        let input = Zeroizing::new(input.to_vec());
        // One that does not read to the end has its reasons: its status tells.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let stdout = receive(&stdout, deadline)?;
    if stdout.len() > max_output {
        return Err(Broken::TooMuch);
    }
    Ok(Output {
        stderr: receive(&stderr, deadline)?,
        status: wait(child, deadline)?,
        stdout,
    })
}

type Bytes = Zeroizing<Vec<u8>>;

/// Reads a pipe in a thread, which nobody has to wait for: something far off could keep the pipe open.
fn collect<P: Read + Send + 'static>(
    pipe: Option<P>,
    limit: usize,
    to_the_end: bool,
) -> Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = pipe.map_or(Ok(()), |mut pipe| {
            let mut piece = Zeroizing::new([0; 4096]);
            loop {
                let size = match pipe.read(&mut *piece) {
                    Ok(0) => return Ok(()),
                    Ok(size) => size.min(limit - bytes.len()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                append(&mut bytes, &piece[..size]);
                if bytes.len() == limit && !to_the_end {
                    return Ok(());
                }
            }
        });
        let _ = sender.send(read.map(|()| bytes));
    });
    receiver
}

/// Appends without leaving a copy behind where the vector grows.
fn append(bytes: &mut Bytes, piece: &[u8]) {
    if bytes.capacity() - bytes.len() < piece.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * (bytes.len() + piece.len())));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(piece);
}

fn receive(pipe: &Receiver<io::Result<Bytes>>, deadline: Instant) -> Result<Bytes, Broken> {
    let left = deadline.saturating_duration_since(Instant::now());
    match pipe.recv_timeout(left) {
        Ok(bytes) => Ok(bytes?),
        Err(RecvTimeoutError::Timeout) => Err(Broken::TimedOut),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("nobody reads it").into()),
    }
}

fn wait(child: &mut Child, deadline: Instant) -> Result<ExitStatus, Broken> {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            return Err(Broken::TimedOut);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;

    use super::*;

    fn shell(script: &str, seconds: u64) -> Result<Output, Broken> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).process_group(0);
        let deadline = Instant::now() + Duration::from_secs(seconds);
        run(&mut command, b"given", 1000, deadline)
    }

    #[test]
    fn takes_what_a_program_prints() {
        let output = shell("cat; echo no >&2; exit 3", 60).unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(*output.stdout, b"given");
        assert_eq!(*output.stderr, b"no\n");
    }

    #[test]
    fn a_program_may_leave_its_input_unread_and_complain_at_length() {
        let output = shell("exec <&-; head -c 1000000 /dev/zero >&2", 60).unwrap();
        assert!(output.status.success() && output.stdout.is_empty());
        assert_eq!(output.stderr.len(), MAX_COMPLAINTS);
    }

    #[test]
    fn what_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let alive = folder.path().join("alive");
        for script in ["sleep 100 & sleep 100", "exec >&- 2>&-; sleep 100 & wait"] {
            let started = Instant::now();
            let script = format!("(sleep 3; : > {}) & {script}", alive.display());
            assert!(matches!(shell(&script, 1), Err(Broken::TimedOut)));
            assert!(started.elapsed() < Duration::from_secs(3));
        }
        thread::sleep(Duration::from_secs(4));
        assert!(!alive.exists());
    }

    #[test]
    fn endless_output_is_cut_off() {
        for script in ["cat /dev/zero", "head -c 1001 /dev/zero"] {
            assert!(matches!(shell(script, 60), Err(Broken::TooMuch)));
        }
        let output = shell("head -c 1000 /dev/zero", 60).unwrap();
        assert_eq!(output.stdout.len(), 1000);
    }

    #[test]
    fn a_missing_program_is_no_panic() {
        let deadline = Instant::now() + Duration::from_mins(1);
        let broken = run(&mut Command::new("/no/such"), b"", 10, deadline);
        assert!(
            matches!(broken, Err(Broken::NotRun(error)) if error.kind() == io::ErrorKind::NotFound)
        );
    }
}
