//! Broken input, as a user meets it: a clear error that names the place, empty stdout, no panic, bounded time and memory.

use std::fmt::Write;
use std::os::unix::fs::symlink;

use crate::support::program::{Program, Run};

/// The environment of a Vault that is never asked.
fn program(args: &[&str]) -> Program {
    Program::manifuse(args.iter().copied())
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "t")
        .env("VAULT_ADDR", "http://127.0.0.1:1")
}

fn render(stdin: impl Into<Vec<u8>>) -> Run {
    program(&["generate", "-"]).stdin(stdin).run()
}

fn assert_refused(run: &Run, stderr: &str) {
    assert_eq!(
        (run.code, run.stdout.as_slice(), run.stderr.as_str()),
        (Some(1), b"".as_slice(), stderr)
    );
}

/// Input and what stands on stderr.
const BROKEN: &[(&[u8], &str)] = &[
    (
        b"kind: X\na: \xff<x>\n",
        "error: this is not UTF-8 text\n --> <stdin>:2:4\n  = help: save the file as UTF-8\n",
    ),
    (
        b"kind: X\na: \"<x>\nb: 1\n",
        "error: this is not YAML: unclosed quote\n --> <stdin>:2:4\n  = help: the quote that opens here is not closed\n",
    ),
    (
        b"kind: X\n\ta: <x>\n",
        "error: this is not YAML: while scanning a plain scalar, found a tab\n --> <stdin>:2:1\n  = help: YAML forbids tabs here: use spaces\n",
    ),
    (
        b"%YAML 1.1\n---\nkind: X\n",
        "error: a directive that the --- line cuts off from its document\n --> <stdin>:1:1\n  \
         = help: remove the directive: Kubernetes needs none\n",
    ),
    (
        b"foo: <x>\n",
        "error: the document has no kind\n --> <stdin>:1:1\n  = help: each document needs a kind, like `kind: ConfigMap`\n",
    ),
    (
        b"kind: X\n--- {a: b}\n",
        "error: something stands behind the --- of a separator line\n --> <stdin>:2:1\n  \
         = help: nothing but a comment may stand behind --- on its line; begin the document on the next line\n",
    ),
    (
        b"{\"kind\":\"X\",}",
        "error: this is not JSON: invalid character looking for the beginning of an object key\n --> <stdin>:1:13\n  \
         = help: a key stands in double quotes, and no comma behind the last entry\n",
    ),
    (
        b"{\"kind\":\"X\"",
        "error: this is not JSON: unexpected end of JSON input\n --> <stdin>:1:12\n",
    ),
    (
        b"",
        "error: standard input is empty\n  \
         = help: the command before the pipe may have failed; if nothing is right, say --allow-empty\n",
    ),
];

#[test]
fn broken_input_names_the_place() {
    for (stdin, stderr) in BROKEN {
        assert_refused(&render(*stdin), stderr);
    }
}

#[test]
fn all_broken_documents_are_told_in_file_order() {
    let run = program(&["generate", "."])
        .file("b.yaml", "kind: X\n")
        .file("c.yaml", "kind:\na: <x>\n---\nfoo: 1\n");
    let run = run.file("a.yaml", "a: [<x>\n").run();
    let places: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with(" --> "))
        .collect();
    assert_eq!(
        places,
        [" --> a.yaml:1:4", " --> c.yaml:1:5", " --> c.yaml:4:1"],
        "{}",
        run.stderr
    );
    assert!(run.stdout.is_empty());
}

#[test]
fn deep_nesting_is_an_error() {
    for (open, kind) in [
        ("[", "YAML: recursion limit exceeded"),
        ("{\"a\":", "JSON: nested too deeply"),
    ] {
        let head = if kind.starts_with("JSON") {
            "{\"kind\":\"X\",\"a\":"
        } else {
            "kind: X\na: <x>\nb: "
        };
        let run = render(head.to_owned() + &open.repeat(10_000));
        assert!(
            run.stderr
                .starts_with(&format!("error: this is not {kind}")),
            "{}",
            run.stderr
        );
        assert_eq!((run.code, run.stdout.len()), (Some(1), 0));
    }
}

#[test]
fn alias_bombs_are_refused() {
    let mut text = "kind: X\nz: <x>\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{}, ", level - 1);
        let aliases = alias.repeat(10);
        writeln!(
            text,
            "a{level}: &a{level} [{}]",
            aliases.trim_end_matches(", ")
        )
        .unwrap();
    }
    let run = render(text);
    assert_refused(
        &run,
        "error: this is not YAML: too many nodes by aliases\n --> <stdin>:8:55\n",
    );
}

#[test]
fn a_line_of_a_gigabyte_is_not_parsed() {
    // 300 MB show the same as 1 GB: it is refused by its size, before it is parsed.
    let mut text = b"kind: X\na: <".to_vec();
    text.resize(300_000_000, b'a');
    let run = render(text);
    assert!(
        run.stderr
            .starts_with("error: a document of more than 268435456 bytes\n --> <stdin>:1:1\n"),
        "{}",
        run.stderr
    );
    assert!(run.stdout.is_empty());
}

#[test]
fn input_beyond_the_limit_is_not_read() {
    let run = program(&["generate", "-", "--input-limit", "1000"])
        .stdin("a".repeat(10_000))
        .run();
    assert_eq!((run.code, run.stdout.len()), (Some(1), 0));
    assert!(run.stderr.contains("--input-limit"), "{}", run.stderr);
}

#[test]
fn duplicate_keys_and_text_behind_the_end_are_warned_of() {
    let text = "kind: X\na: 1\na: <x>\n...\nkind: Y\n";
    let run = render(text);
    assert_eq!(
        (run.code, run.stdout.as_slice()),
        (Some(0), text.as_bytes())
    );
    assert_eq!(
        run.stderr,
        "warning[duplicate-key]: <stdin>:3:1: the same key twice: the last one counts\n\
         warning[text-behind-document]: <stdin>:3:7: text behind the end of the document is not read\n"
    );
}

#[test]
fn a_loop_of_links_is_not_followed() {
    let program = program(&["generate", "."]).file("a.yaml", "kind: X\n");
    symlink(".", program.folder().join("loop")).unwrap();
    let run = program.run();
    assert_eq!(
        (run.code, run.stdout.as_slice(), run.stderr.as_str()),
        (Some(0), b"kind: X\n".as_slice(), "")
    );
}

#[test]
fn a_file_that_cannot_be_read_fails_the_run() {
    let program = program(&["generate", "."]).file("a.yaml", "kind: X\n");
    symlink("nowhere", program.folder().join("b.yaml")).unwrap();
    let run = program.run();
    assert_eq!((run.code, run.stdout.len()), (Some(1), 0));
    assert!(
        run.stderr.contains("b.yaml") && run.stderr.contains("no such file or directory"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_the_same_in_several_places_is_told_once_with_all_of_them() {
    let run = render("foo: 1\n---\nkind: X\n---\nbar: <x>\n---\nbaz: 1\n");
    assert_refused(
        &run,
        "error: the document has no kind\n --> <stdin>:1:1\n  = also <stdin>:5:1\n  = also <stdin>:7:1\n  \
         = help: each document needs a kind, like `kind: ConfigMap`\n",
    );
}

#[test]
fn a_misspelt_backend_is_told() {
    let text = "kind: X\na: <vautl:secret/data/a#k>\n";
    let run = render(text);
    assert_eq!(
        (run.code, run.stdout.as_slice()),
        (Some(0), text.as_bytes())
    );
    assert_eq!(
        run.stderr,
        "warning[misspelt-backend]: <stdin>:2:4: <vautl:…> is left as it is: there is no backend vautl, but there is vault, in X\n"
    );
}

#[test]
fn a_kustomization_is_to_be_built_first() {
    let run = program(&["generate", "."])
        .file("kustomization.yaml", "resources: [a.yaml]\n")
        .run();
    assert_refused(
        &run,
        "error: the document has no kind\n --> kustomization.yaml:1:1\n  \
         = help: render it first: kustomize build . | manifuse generate -\n",
    );
}

#[test]
fn by_avps_name_its_phrase_leads() {
    let run = Program::avp(["generate", "-"])
        .env("AVP_TYPE", "vault")
        .stdin("foo: 1\n")
        .run();
    assert_refused(
        &run,
        "Error: error unmarshaling JSON: while decoding JSON: Object 'Kind' is missing\n --> <stdin>:1:1\n  \
         = cause: the document has no kind\n  = help: each document needs a kind, like `kind: ConfigMap`\n",
    );
}
