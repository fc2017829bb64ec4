//! Files that SOPS's commands work on, with a key of their own.

use super::program::Program;

/// A test key that protects nothing.
pub(crate) const KEY: &str =
    "AGE-SECRET-KEY-19SJJAV6XUMZJNSTZ5QDMSYYCD9N9RSHXQZS5CFD9338TCETL234SX9PYLR";
pub(crate) const RECIPIENT: &str = "age120jhny0xm9426cdksc6x2dhrr5kmlsw6ekj9rvf77ca02hedde9qcfwspp";

/// The program called `sops`, with the key at hand.
pub(crate) fn sops(args: &[&str]) -> Program {
    Program::sops(args.iter().copied()).env("SOPS_AGE_KEY", KEY)
}

/// A run that must succeed; gives the file that it works on.
pub(crate) fn done(program: &Program, file: &str) -> String {
    let run = program.run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    std::fs::read_to_string(program.folder().join(file)).expect("the file is there")
}

pub(crate) fn encrypted(file: &str, plain: &str) -> String {
    let args = ["encrypt", "-i", "--age", RECIPIENT, file];
    done(&sops(&args).file(file, plain), file)
}

pub(crate) fn decrypted(file: &str, text: &str) -> String {
    let run = sops(&["decrypt", file]).file(file, text).run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    String::from_utf8(run.stdout).expect("UTF-8")
}
