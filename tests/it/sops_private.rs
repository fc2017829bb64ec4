//! Decrypted text that other programs are given, or that is written where no file is: nothing of it stays behind.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use crate::support::program::{Program, Run};
use crate::support::sops_files::{encrypted, sops};

const PLAIN: &str = "user: app\npassword: s3cr3t\n";

fn program(args: &[&str]) -> Program {
    sops(args).file("a.yaml", encrypted("a.yaml", PLAIN))
}

/// `exec-file`, whose folder is gone when it has ended.
fn exec_file(flags: &[&str], command: &str) -> Run {
    let program = program(&[&["exec-file"], flags, &["a.yaml", command]].concat());
    let memory = program.folder().join("memory");
    fs::create_dir(&memory).expect("a new folder");
    let program = program.env("XDG_RUNTIME_DIR", memory.to_str().expect("UTF-8"));
    let run = program.run();
    let left: Vec<_> = fs::read_dir(&memory).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    run
}

#[test]
fn a_command_reads_a_private_file() {
    let run = exec_file(&[], "stat -c '%F %a' {}; cat {}");
    assert_eq!(run.stdout, format!("fifo 600\n{PLAIN}").as_bytes());
    let run = exec_file(
        &["--no-fifo", "--filename", "b.yaml"],
        "cd memory/.sops*; stat -c '%F %a' . *; cat {}; exit 7",
    );
    let expected = format!("directory 700\nregular file 600\n{PLAIN}");
    assert_eq!(run.stdout, expected.as_bytes(), "{}", run.stderr);
    assert_eq!(run.code, Some(7));
}

#[test]
fn signals_are_handed_on_and_the_file_goes_when_the_command_has_ended() {
    for signal in ["HUP", "INT", "QUIT", "TERM"] {
        let told = format!(
            "trap 'cat {{}}; exit 5' TERM; kill -{signal} $PPID; while :; do sleep 0.01; done"
        );
        let run = exec_file(&["--no-fifo"], &told);
        assert_eq!(run.stdout, PLAIN.as_bytes(), "{signal}: {}", run.stderr);
        assert_eq!(run.code, Some(5), "{signal}");
        let ended = format!("kill -{signal} $PPID; while :; do sleep 0.01; done");
        assert_eq!(exec_file(&[], &ended).code, Some(128 + 15), "{signal}");
    }
}

#[test]
fn what_is_no_file_is_written_to() {
    let run = program(&["decrypt", "--output", "/dev/stdout", "a.yaml"]).run();
    assert_eq!(run.stdout, PLAIN.as_bytes(), "{}", run.stderr);
    let out = fs::symlink_metadata("/dev/stdout").unwrap();
    assert!(out.is_symlink(), "it was replaced");

    let program = program(&["decrypt", "--output", "pipe", "a.yaml"]);
    let pipe = program.folder().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let from = pipe.clone();
    let reader = std::thread::spawn(move || fs::read_to_string(from).unwrap());
    assert_eq!(program.run().code, Some(0));
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(reader.join().unwrap(), PLAIN);

    let folder = sops(&["decrypt", "--output", ".", "a.yaml"]);
    let run = folder.file("a.yaml", encrypted("a.yaml", PLAIN)).run();
    assert!(run.stderr.contains("could not write"), "{}", run.stderr);
}

#[test]
fn files_keep_their_mode_and_new_ones_get_the_usual_one() {
    let program = program(&["decrypt", "--output", "new.yaml", "a.yaml"]).file("usual", "");
    let mode = |name| {
        fs::metadata(program.folder().join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(program.run().code, Some(0));
    assert_eq!(mode("new.yaml"), mode("usual"));
    let private = fs::Permissions::from_mode(0o640);
    fs::set_permissions(program.folder().join("new.yaml"), private).unwrap();
    assert_eq!(program.run().code, Some(0));
    assert_eq!(mode("new.yaml") & 0o777, 0o640);
}
