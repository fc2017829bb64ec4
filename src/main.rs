//! The thin binary: hands its arguments, environment and streams to the library and returns the exit code.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use manifuse::cli::{self, Environment, Process};

/// Several times faster than the system's on texts with many small strings, and the same in a static binary, whose C
/// library has a slow one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forbid_core_dumps();
    std::panic::set_hook(Box::new(tell_bug));
    let mut stderr = io::stderr();
    let terminal = stderr.is_terminal();
    ExitCode::from(cli::run(Process {
        arguments: std::env::args_os().collect(),
        environment: Environment::of_process(),
        // Where there is none any more, relative paths fail by themselves.
        folder: std::env::current_dir().unwrap_or_default(),
        stdin: &mut io::stdin().lock(),
        stdout: &mut io::stdout().lock(),
        stderr: &mut stderr,
        terminal,
    }))
}

/// A core file would hold secrets. Where it cannot be forbidden the run goes on.
fn forbid_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
    }
}

fn tell_bug(panic: &PanicHookInfo<'_>) {
    let _ = io::stderr().write_all(bug(panic).as_bytes());
}

/// Where a panic happened, and not what it says: the text could hold what the program was working on.
fn bug(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(String::new, |at| {
        format!(" at {}:{}:{}", at.file(), at.line(), at.column())
    });
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "error: this is a bug in manifuse {version}{place}\n  = help: please report it, without your manifests\n"
    )
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::str::FromStr as _;
    use std::sync::{Arc, Mutex};

    use super::bug;

    #[test]
    fn a_panic_tells_its_place_and_not_its_words() {
        let told = Arc::new(Mutex::new(String::new()));
        let usual = take_hook();
        set_hook({
            let told = Arc::clone(&told);
            Box::new(move |panic| told.lock().unwrap().push_str(&bug(panic)))
        });
        let secret = String::from("cnry-value");
        let panicked = [
            catch_unwind(|| panic!("cnry-value")),
            catch_unwind(|| panic!("{secret}")),
            catch_unwind(|| i32::from_str(&secret).map(drop).expect(&secret)),
        ];
        set_hook(usual);
        assert!(panicked.iter().all(Result::is_err));
        let told = told.lock().unwrap();
        assert_eq!(
            told.matches("error: this is a bug in manifuse").count(),
            3,
            "{told}"
        );
        assert_eq!(told.matches("main.rs:").count(), 3, "{told}");
        assert!(!told.contains("cnry"), "{told}");
    }
}
