//! Age's plugins by the program: one that is a script, one that fails, and what of it is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::program::{Program, Run};

/// Speaks age's plugin protocol, and hides nothing: its stanzas hold the file key as it is.
const PLUGIN: &str = r#"#!/bin/sh
while read -r line; do
  case $line in
    "-> wrap-file-key" | "-> recipient-stanza 0 test") read -r body ;;
    "-> done") read -r line; break ;;
  esac
done
case $1 in
  --age-plugin=recipient-v1) echo "-> recipient-stanza 0 test" ;;
  --age-plugin=identity-v1) echo "-> file-key 0" ;;
esac
echo "$body"
read -r line && read -r line
echo "-> done"
echo
"#;
const BROKEN: &str = "#!/bin/sh\necho cnry-out\necho cnry-err >&2\nexit 1\n";
const RECIPIENT: &str = "age1test1pzry9x8gpzry9x8gpzry9x8gpzry9x8g5ca0lw";
const IDENTITY: &str = "AGE-PLUGIN-TEST-1M7420Z";

/// Waits for what nobody sends.
const SILENT: &str = "#!/bin/sh\necho $$ >\"$HOME/pid\"\ncat >/dev/null\n";

fn run(args: &[&str], file: &str, plugin: &str) -> Run {
    with_plugin(Program::sops(args.to_vec()).file("f.yaml", file), plugin).run()
}

/// The program with that plugin in its `PATH`.
fn with_plugin(program: Program, plugin: &str) -> Program {
    let program = program.file("plugins/age-plugin-test", plugin);
    let folder = program.folder().join("plugins");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("age-plugin-test"), executable).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    program.env("PATH", path).env("SOPS_AGE_KEY", IDENTITY)
}

#[test]
fn a_plugin_wraps_and_unwraps() {
    let plain = "user: shop\n";
    let sealed = run(&["encrypt", "--age", RECIPIENT, "f.yaml"], plain, PLUGIN);
    assert_eq!((sealed.code, sealed.stderr.as_str()), (Some(0), ""));
    let sealed = String::from_utf8(sealed.stdout).unwrap();
    assert!(sealed.contains(RECIPIENT) && !sealed.contains("shop"));
    let opened = run(&["decrypt", "f.yaml"], &sealed, PLUGIN);
    assert_eq!((opened.code, opened.stderr.as_str()), (Some(0), ""));
    assert_eq!(opened.stdout, plain.as_bytes());
    let failed = run(&["decrypt", "f.yaml"], &sealed, BROKEN);
    assert_eq!(failed.code, Some(128));
    let told = format!("{RECIPIENT}: a plugin failed");
    assert!(failed.stderr.contains(&told), "{}", failed.stderr);
    assert!(!failed.stderr.contains("cnry"), "{}", failed.stderr);
}

#[test]
fn a_plugin_that_cannot_wrap_is_told() {
    let args = ["encrypt", "--age", RECIPIENT, "f.yaml"];
    let failed = run(&args, "user: shop\n", BROKEN);
    assert_eq!((failed.code, failed.stdout.len()), (Some(1), 0));
    let told = format!("could not encrypt the data key for {RECIPIENT}: its plugin failed");
    assert!(failed.stderr.contains(&told), "{}", failed.stderr);
    assert!(!failed.stderr.contains("cnry"), "{}", failed.stderr);
}

#[test]
fn a_plugin_that_never_answers_ends_with_us() {
    let plain = "kind: Secret\nstringData: {user: shop}\n";
    let sealed = run(&["encrypt", "--age", RECIPIENT, "f.yaml"], plain, PLUGIN);
    let program = Program::manifuse(["generate", "-", "--timeout", "2s"]).stdin(sealed.stdout);
    let program = with_plugin(program, SILENT);
    let failed = program.run();
    assert_eq!((failed.code, failed.stdout.len()), (Some(3), 0));
    assert!(
        failed.stderr.contains("it took too long"),
        "{}",
        failed.stderr
    );
    let pid = fs::read_to_string(program.folder().join("../home/pid")).unwrap();
    let process = format!("/proc/{}", pid.trim());
    let ends = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        !std::path::Path::new(&process).exists()
    });
    assert!(ends, "{process} is still there");
}

#[test]
fn the_hint_names_where_such_a_key_is_looked_for() {
    let recipients = [
        (
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN",
            "SSH_PRIVATE_KEY_FILE or",
        ),
        (RECIPIENT, "SOPS_AGE_KEY_FILE or"),
    ];
    for (recipient, named) in recipients {
        let sealed = run(&["encrypt", "--age", recipient, "f.yaml"], "a: b\n", PLUGIN);
        let failed = Program::sops(["decrypt", "f.yaml"])
            .file("f.yaml", sealed.stdout)
            .run();
        assert_eq!(failed.code, Some(128));
        assert!(failed.stderr.contains(named), "{}", failed.stderr);
    }
}
