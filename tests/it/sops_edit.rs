//! `edit`: what an editor sees, what comes of what it does, and that nothing decrypted is left behind.

use std::fs;

use crate::support::program::Run;
use crate::support::sops_files::{RECIPIENT, decrypted, encrypted, sops};

const OTHER: &str = "age1kury3dpwxr8htp6xxf2m6qd0jmagnqnc0es2yd8vnlq0k883hy0s2y9uy8";
const PLAIN: &str = "# note\nuser: app\npassword: s3cr3t\nhosts:\n    - a # first\n    - b\n";

/// A session with a script as editor, which finds the file's path in `$1`. Gives the file behind it. Nothing is left where
/// the decrypted file was.
fn session(args: &[&str], file: &str, text: Option<&str>, script: &str) -> (Run, Option<String>) {
    let program = sops(args).file("editor.sh", format!("set -e\n{script}\n"));
    let program = match text {
        Some(text) => program.file(file, text),
        None => program,
    };
    let memory = program.folder().join("memory");
    fs::create_dir(&memory).expect("a new folder");
    let program = program
        .env("XDG_RUNTIME_DIR", memory.to_str().expect("UTF-8"))
        .env("EDITOR", "no such editor")
        .env("SOPS_EDITOR", "/bin/sh 'editor.sh'");
    let run = program.run();
    let left: Vec<_> = fs::read_dir(&memory).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    (run, fs::read_to_string(program.folder().join(file)).ok())
}

#[test]
fn the_editor_gets_a_private_file_of_the_same_name() {
    let text = encrypted("a.yaml", PLAIN);
    let script = "\
        case $1 in memory/*|*/memory/.sops*/a.yaml) ;; *) exit 1 ;; esac
        test \"$(stat -c %a \"$1\") $(stat -c %a \"${1%/*}\")\" = '600 700'
        sed -i s/s3cr3t/new/ \"$1\"; echo swap > \"$1~\"";
    let (run, after) = session(&["a.yaml"], "a.yaml", Some(&text), script);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let after = after.unwrap();
    assert_eq!(
        decrypted("a.yaml", &after),
        decrypted("a.yaml", &text).replace("s3cr3t", "new")
    );
    // What did not change has its text still.
    let changed = |line: &&str| !after.contains(*line) && !line.contains("lastmodified");
    let names = text
        .lines()
        .filter(changed)
        .map(|line| line.trim().split(':').next());
    assert_eq!(names.collect::<Vec<_>>(), [Some("password"), Some("mac")]);
}

#[test]
fn sessions_that_write_nothing() {
    let text = encrypted("a.yaml", PLAIN);
    for (script, code, message) in [
        ("true", 200, "the file has not changed"),
        ("echo x >> $1; exit 3", 201, "exit status: 3"),
        ("echo '\t- }' >> $1", 2, "a.yaml in the editor:"),
        (
            "echo 'sops: x' >> $1",
            203,
            "a top-level entry is called sops",
        ),
        ("echo '- list' > $1", 2, "must be a mapping"),
        ("rm $1", 2, "the editor left no file"),
        (
            "echo x >> $1; kill -TERM $PPID; exec sleep 60",
            1,
            "broken off",
        ),
        ("kill -INT $PPID; exec sleep 60", 1, "broken off"),
        ("kill -HUP $PPID; trap '' TERM; sleep 3", 1, "broken off"),
    ] {
        for args in [&["a.yaml"][..], &["edit", "-s", "a.yaml"]] {
            if args.len() > 1 && code == 203 {
                continue;
            }
            let (run, after) = session(args, "a.yaml", Some(&text), script);
            assert_eq!(run.code, Some(code), "{script}: {}", run.stderr);
            assert!(run.stderr.contains(message), "{script}: {}", run.stderr);
            assert!(!run.stderr.contains("s3cr3t"), "{}", run.stderr);
            assert_eq!(after.as_deref(), Some(text.as_str()), "{script}");
        }
    }
}

/// On a terminal there is somebody to ask; where the input ends, nobody is left.
#[test]
fn a_broken_text_goes_back_to_the_editor() {
    let script = r#"if [ -e "$HOME/again" ]; then echo 'a: b' >$1; else touch "$HOME/again"; echo '	- }' >>$1; fi"#;
    let program = || {
        sops(&["a.yaml"])
            .file("a.yaml", encrypted("a.yaml", PLAIN))
            .file("editor.sh", script)
            .env("SOPS_EDITOR", "/bin/sh 'editor.sh'")
    };
    let (asked, gone) = (program().stdin("\n"), program());
    let run = asked.run_on_terminal();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("Press enter"), "{}", run.stderr);
    let after = fs::read_to_string(asked.folder().join("a.yaml")).unwrap();
    assert_eq!(decrypted("a.yaml", &after), "a: b\n");
    let run = gone.run_on_terminal();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("broken off"), "{}", run.stderr);
    assert!(!run.stderr.contains("s3cr3t"), "{}", run.stderr);
}

/// Nobody presses enter. The signal comes when the question is on the terminal, which the script looks for.
#[test]
fn a_signal_ends_the_question_too() {
    let script = "\
        echo '\t- }' >>$1
        (for i in $(seq 1000); do
            grep -q poll /proc/$PPID/task/$PPID/wchan && break; sleep 0.01
        done; kill -INT $PPID) &";
    let program = sops(&["a.yaml"])
        .file("a.yaml", encrypted("a.yaml", PLAIN))
        .file("editor.sh", script)
        .env("SOPS_EDITOR", "/bin/sh 'editor.sh'")
        .stdin_stays_open();
    fs::create_dir(program.folder().join("memory")).unwrap();
    let memory = program.folder().join("memory");
    let program = program.env("XDG_RUNTIME_DIR", memory.to_str().unwrap());
    let run = program.run_on_terminal();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("broken off"), "{}", run.stderr);
    assert_eq!(fs::read_dir(memory).unwrap().count(), 0);
}

#[test]
fn editors_that_are_not_there() {
    let text = encrypted("a.yaml", PLAIN);
    for (name, editor) in [
        ("SOPS_EDITOR", "none-such"),
        ("EDITOR", "'"),
        ("EDITOR", "none such"),
        ("PATH", "/none"),
    ] {
        let run = sops(&["a.yaml"])
            .file("a.yaml", &text)
            .env(name, editor)
            .run();
        assert_eq!(run.code, Some(201), "{}", run.stderr);
        assert!(
            run.stderr.contains("SOPS_EDITOR or EDITOR"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_new_file_begins_with_an_example() {
    for file in ["new.yaml", "new.json", "new.env", "new.ini", "new.txt"] {
        let (run, after) = session(
            &["--age", RECIPIENT, file],
            file,
            None,
            "sed -i s/xample/ther/ $1; sed -i s/like/please/ $1",
        );
        assert_eq!(run.code, Some(0), "{file} {}", run.stderr);
        let after = after.unwrap();
        assert!(after.contains("ENC["), "{after}");
        let text = decrypted(file, &after);
        assert!(text.contains("ther") || text.contains("please"), "{text}");
        let (run, after) = session(&["--age", RECIPIENT, file], file, None, "true");
        assert_eq!((run.code, after), (Some(200), None), "{}", run.stderr);
    }
    let (run, after) = session(&["new.yaml"], "new.yaml", None, "echo 'a: 1' > $1");
    assert_eq!(
        (run.code, after),
        (Some(1), None),
        "for nobody: {}",
        run.stderr
    );
}

#[test]
fn the_block_can_be_edited() {
    for (file, plain, script) in [
        (
            "a.yaml",
            PLAIN,
            "grep -q 'mac: ENC' $1; sed -i 's/^    age:/&\\n        - recipient: OTHER/' $1",
        ),
        (
            "a.env",
            "A=1\n",
            "grep -q sops_mac=ENC $1; echo sops_age__list_1__map_recipient=OTHER >> $1",
        ),
    ] {
        let text = encrypted(file, plain);
        let (run, after) = session(
            &["-s", file],
            file,
            Some(&text),
            &script.replace("OTHER", OTHER),
        );
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let after = after.unwrap();
        assert!(after.contains(OTHER), "{after}");
        assert_eq!(after.matches("BEGIN AGE").count(), 2, "{after}");
        assert_eq!(decrypted(file, &after), decrypted(file, &text));
    }
}

/// As helm-secrets, editor plugins and scripts call it.
#[test]
fn tools_that_run_sops() {
    let text = encrypted("values.yaml", PLAIN);
    // In a list, sops makes a comment behind an item one in front of it.
    let plain = PLAIN.replace("    - a # first\n", "    # first\n    - a\n");
    for args in [
        &[
            "decrypt",
            "--input-type",
            "yaml",
            "--output-type",
            "yaml",
            "values.yaml",
        ][..],
        &[
            "--decrypt",
            "--input-type",
            "yaml",
            "--output-type",
            "yaml",
            "values.yaml",
        ],
        &["-d", "values.yaml"],
        &["--enable-local-keyservice=true", "-d", "values.yaml"],
    ] {
        let run = sops(args).file("values.yaml", &text).run();
        assert_eq!(
            String::from_utf8(run.stdout).unwrap(),
            plain,
            "{args:?} {}",
            run.stderr
        );
    }
    let program = sops(&["--decrypt", "--output", "values.yaml.dec", "values.yaml"])
        .file("values.yaml", &text);
    assert_eq!(program.run().code, Some(0));
    assert_eq!(
        fs::read_to_string(program.folder().join("values.yaml.dec")).unwrap(),
        plain
    );
    let args = [
        "--encrypt",
        "--input-type",
        "yaml",
        "--output-type",
        "yaml",
        "--in-place",
        "--age",
        RECIPIENT,
        "values.yaml",
    ];
    let program = sops(&args).file("values.yaml", &plain);
    assert_eq!(program.run().code, Some(0));
    let again = fs::read_to_string(program.folder().join("values.yaml")).unwrap();
    assert_eq!(decrypted("values.yaml", &again), plain);
    let status = sops(&["filestatus", "values.yaml"])
        .file("values.yaml", &again)
        .run();
    assert_eq!(status.stdout, b"{\"encrypted\":true}\n");
}
