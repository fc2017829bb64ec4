//! Encrypted manifests in the stream, as the guides of Flux build them: decrypted in place, or told by what is wrong.
//! The files of `tests/golden/stream/` were encrypted by the real sops.

use std::fs;

use crate::support::program::{Program, Run};

const PLAIN: &str = "kind: ConfigMap\napiVersion: v1\ndata: {a: 'b'} # stays\n";

fn file(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stream");
    fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

fn program(stream: &str) -> Program {
    Program::manifuse(["generate", "-"])
        .env("SOPS_AGE_KEY", file("test.agekey").lines().last().unwrap())
        .stdin(stream)
}

fn run(stream: &str) -> Run {
    program(stream).run()
}

fn rendered(run: &Run) -> &str {
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    std::str::from_utf8(&run.stdout).unwrap()
}

fn failure(run: Run, code: i32) -> String {
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    assert!(run.stdout.is_empty());
    run.stderr
}

/// Where sops 3.11 puts comments that stood behind a value.
fn moved(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

fn types() -> String {
    moved(
        &file("types.plain.yaml"),
        "        - b.example # the second\n",
        "        # the second\n        - b.example\n",
    )
}

/// What the Secret decrypts to; `user` is where its placeholder stands.
fn secret(user: &str) -> String {
    let text = moved(
        &file("secret.plain.yaml"),
        "    password: 'it''s: # 123' # changed in May\n",
        "    # changed in May\n    password: \"it's: # 123\"\n",
    );
    let text = moved(
        &text,
        "note: \"one\\ntwo\"",
        "note: |-\n      one\n      two",
    );
    let crt =
        "        -----BEGIN CERTIFICATE-----\n        MIIBszCCAVmgAwIBAgIUQ0hO\n\n        -----END";
    let text = moved(&text, crt, &crt.replace("        ", "      "));
    moved(&text, "<path:values.enc.yaml#user>", user)
}

#[test]
fn values_and_comments_are_decrypted_where_they_stand() {
    assert_eq!(rendered(&run(&file("types.yaml"))), types());
    let multi = file("multi.plain.yaml");
    assert_eq!(rendered(&run(&file("multi.yaml"))), multi);
}

#[test]
fn placeholders_in_decrypted_values_are_replaced() {
    let values = crate::sops::case("yaml-simple");
    for name in ["secret.yaml", "all.yaml"] {
        let keys = [file("test.agekey"), values.keys.join("\n")].join("\n");
        let run = Program::manifuse(["generate", "k8s"])
            .file("k8s/a.yaml", file(name))
            .file("k8s/values.enc.yaml", &values.encrypted)
            .file("keys.txt", keys)
            .env("SOPS_AGE_KEY_FILE", "keys.txt")
            .env("AVP_TYPE", "sops")
            .run();
        let user = "shopkeeper";
        assert_eq!(rendered(&run), secret(user), "{name}");
    }
}

#[test]
fn plain_documents_around_stay_byte_for_byte() {
    let stream = [
        "# head\n---\n",
        PLAIN,
        "--- # one\n",
        &file("types.yaml"),
        "---\n",
        PLAIN,
        "---\n",
        &file("multi.yaml"),
        "---\n# only a comment\n---\n",
        PLAIN,
    ];
    let expected = stream.concat();
    let expected = expected.replace(&file("types.yaml"), &types());
    let expected = expected.replace(&file("multi.yaml"), &file("multi.plain.yaml"));
    assert_eq!(rendered(&run(&stream.concat())), expected);
}

#[test]
fn lines_may_end_in_two_bytes() {
    let crlf = |text: String| text.replace('\n', "\r\n");
    assert_eq!(rendered(&run(&crlf(file("types.yaml")))), crlf(types()));
}

#[test]
fn json_keeps_its_layout() {
    let text = rendered(&run(&file("config.json"))).to_owned();
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(read(&text), read(&file("config.plain.json")));
    assert!(text.ends_with("\t\t\t\"q\"\n\t\t]\n\t}\n}\n"), "{text}");
    // Among YAML documents, JSON is a document in flow style.
    let both = format!("---\n{}---\n{PLAIN}", file("config.json"));
    assert_eq!(rendered(&run(&both)), format!("---\n{text}---\n{PLAIN}"));
}

#[test]
fn comments_in_brackets_go() {
    let types = file("types.yaml");
    let lines: Vec<&str> = types.lines().collect();
    let hosts = lines
        .iter()
        .position(|line| line.trim() == "hosts:")
        .unwrap();
    let item = |line: &str| format!("\"{}\"", line.trim().trim_start_matches("- "));
    let flow: Vec<String> = lines[hosts + 1..=hosts + 4]
        .iter()
        .map(|line| item(line))
        .collect();
    let block = lines[hosts + 1..=hosts + 4].join("\n");
    let flow = types.replace(
        &format!("hosts:\n{block}\n        - name: "),
        &format!("hosts: [{}]\n    more:\n        - name: ", flow.join(", ")),
    );
    assert!(flow.contains("hosts: ["), "{flow}");
    let stderr = failure(run(&flow), 1);
    assert!(
        stderr.contains("could not decrypt spec.more.name"),
        "{stderr}"
    );
    let is_left_out = |line: &&str| {
        ["more:", "- name:", "          port:"]
            .iter()
            .any(|part| line.contains(part))
    };
    let only: String = flow
        .split_inclusive('\n')
        .filter(|line| !is_left_out(line))
        .collect();
    let run = program(&only)
        .env("MANIFUSE_SOPS_STREAM_MAC", "ignore")
        .run();
    let text = rendered(&run);
    assert!(
        text.contains("    hosts: [\"a.example\", \"b.example\"]\n"),
        "{text}"
    );
}

#[test]
fn a_list_of_comments_becomes_empty() {
    let types = file("types.yaml");
    let stream = types.replace("        - null\n", "");
    let text = types_of(&stream, "verify");
    assert!(
        text.contains("    only: []\n        # nothing here\n"),
        "{text}"
    );
    let text = types_of(
        &stream.replace("    only:\n        - ENC", "    only:\n    - ENC"),
        "verify",
    );
    assert!(
        text.contains("    only: []\n    # nothing here\n"),
        "{text}"
    );
}

fn types_of(stream: &str, mac: &str) -> String {
    let run = program(stream).env("MANIFUSE_SOPS_STREAM_MAC", mac).run();
    rendered(&run).to_owned()
}

#[test]
fn anchors_and_aliases() {
    let types = file("types.yaml");
    let line = types.lines().find(|line| line.ends_with("type:str]"));
    let value = line.unwrap().trim().trim_start_matches("- ");
    let stream = types.replace(value, &format!("&a {value}\n        - *a"));
    let text = types_of(&stream, "ignore");
    let expected = "        - &a a.example\n        - a.example\n";
    assert!(text.contains(expected), "{text}");
}

/// One file of several documents has one MAC over all of them.
#[test]
fn documents_of_one_file_belong_together() {
    let multi = file("multi.yaml");
    let plain = file("multi.plain.yaml");
    let (first, second) = multi.split_once("\n---\n").unwrap();
    let first = &format!("{first}\n");
    let wrong = "MAC mismatch";
    let hint = "say sops.streamMac: ignore (MANIFUSE_SOPS_STREAM_MAC=ignore), as Flux always does";
    for (stream, line) in [
        (first.to_owned(), 7),
        (second.to_owned(), 7),
        (format!("{second}---\n{first}"), 7),
        (format!("{PLAIN}---\n{first}"), 11),
    ] {
        let stderr = failure(run(&stream), 1);
        assert!(stderr.contains(wrong) && stderr.contains(hint), "{stderr}");
        assert!(stderr.contains(&format!("<stdin>:{line}:1")), "{stderr}");
    }
    let both = run(&format!("{first}---\n{PLAIN}---\n{second}"));
    let (a, b) = plain.split_once("---\n").unwrap();
    assert_eq!(rendered(&both), format!("{a}---\n{PLAIN}---\n{b}"));
    let types_twice = format!("{0}---\n{0}", file("types.yaml"));
    assert_eq!(
        rendered(&run(&types_twice)),
        format!("{0}---\n{0}", types())
    );
}

#[test]
fn what_a_renderer_changed_needs_the_operators_word() {
    let stream = file("types.yaml").replace("metadata:\n", "metadata:\n    namespace: added\n");
    let stderr = failure(run(&stream), 1);
    assert!(stderr.contains("MAC mismatch"), "{stderr}");
    assert!(stderr.contains("= in Gateway added/g\n"), "{stderr}");
    let expected = types().replace("metadata:\n", "metadata:\n    namespace: added\n");
    assert_eq!(types_of(&stream, "ignore"), expected);
    let settings = |text: &str| {
        program(&stream)
            .file("m.yaml", text)
            .env("MANIFUSE_CONFIG", "m.yaml")
    };
    let ignore = "sops:\n  streamMac: ignore\n";
    assert_eq!(rendered(&settings(ignore).run()), expected);
    let verify = settings(ignore).env("MANIFUSE_SOPS_STREAM_MAC", "verify");
    assert!(failure(verify.run(), 1).contains("MAC mismatch"));
    let odd = settings("sops:\n  streamMac: of\n").run();
    let message = "error: sops.streamMac must be verify or ignore\n --> m.yaml:2:14\n";
    assert_eq!(failure(odd, 2), message);
    let odd = settings("sops:\n  streamMack: ignore\n").run();
    let message = "error: unknown setting sops.streamMack\n --> m.yaml:2:3\n  = help: did you mean sops.streamMac?\n";
    assert_eq!(failure(odd, 2), message);
    let odd = program(&stream).env("MANIFUSE_SOPS_STREAM_MAC", "no").run();
    let message = "error: MANIFUSE_SOPS_STREAM_MAC must be verify or ignore\n";
    assert_eq!(failure(odd, 2), message);
}

#[test]
fn documents_that_are_to_stay_encrypted_do() {
    for annotation in [
        "kustomize.toolkit.fluxcd.io/decrypt: Disabled",
        "avp.kubernetes.io/ignore: \"true\"",
    ] {
        let with = format!("metadata:\n    annotations: {{{annotation}}}\n");
        let stream = file("types.yaml").replace("metadata:\n", &with);
        assert_eq!(rendered(&run(&stream)), stream);
    }
}

#[test]
fn a_field_of_that_name_is_no_block() {
    for sops in [
        "sops: true\n",
        "sops: {replicas: 1}\n",
        "spec: {sops: {mac: x}}\n",
    ] {
        let stream = format!("kind: X\n{sops}");
        assert_eq!(rendered(&run(&stream)), stream);
    }
}

#[test]
fn changed_values_are_told_with_their_place() {
    let types = file("types.yaml");
    for (from, to, message) in [
        (
            "port: ENC[AES256_GCM,data:",
            "port: ENC[AES256_GCM,data:AA",
            "<stdin>:6:11",
        ),
        (
            "    tls: ENC",
            "    tls: true\n    was: ENC",
            "<stdin>:9:10",
        ),
        ("    mac: ENC", "    mic: ENC", "the file has no MAC"),
        ("lastmodified: \"2", "lastmodified: \"x", "lastmodified"),
        (
            "_regex: ^spec$",
            "_regex: (",
            "encrypted_regex is not a valid",
        ),
    ] {
        assert!(types.contains(from), "{from}");
        let run = run(&types.replacen(from, to, 1));
        assert_eq!(run.code, Some(1), "{message}");
        let stderr = failure(run, 1);
        assert!(stderr.contains(message), "{message}: {stderr}");
    }
}

#[test]
fn without_a_key_the_run_fails_and_says_where_keys_were_looked_for() {
    let run = program(&file("types.yaml")).env("SOPS_AGE_KEY", "").run();
    let stderr = failure(run, 3);
    assert!(
        stderr.starts_with("error: no key at hand opens this file\n  --> <stdin>:26:1\n"),
        "{stderr}"
    );
    assert!(stderr.contains("SOPS_AGE_KEY_FILE, "), "{stderr}");
}

/// The default backend's keys if it is of type sops, else those of the first named one that is.
#[test]
fn a_named_instance_gives_its_keys() {
    let one = "  files: {type: sops, ageKeyFile: test.agekey}\n";
    let other = "  none: {type: sops, ageKeyFile: nothing}\n";
    for (settings, opens) in [
        (format!("backends:\n{one}"), true),
        (format!("backends:\n{one}{other}"), true),
        (format!("backends:\n{other}{one}"), false),
        (
            format!("defaultBackend: files\nbackends:\n{other}{one}"),
            true,
        ),
    ] {
        let run = program(&file("types.yaml"))
            .env("SOPS_AGE_KEY", "")
            .file("m.yaml", &settings)
            .file("test.agekey", file("test.agekey"))
            .env("MANIFUSE_CONFIG", "m.yaml")
            .run();
        assert_eq!(run.code == Some(0), opens, "{settings}: {}", run.stderr);
    }
}

/// What Flux's Secret generator makes of encrypted files.
#[test]
fn files_in_the_data_of_a_secret() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let stream = |data: &[(&str, String)]| {
        let data = data
            .iter()
            .map(|(key, text)| format!("  {key}: {} # kept\n", encode(text)));
        format!(
            "kind: Secret\napiVersion: v1\ndata:\n{}",
            data.collect::<String>()
        )
    };
    let files = [
        ("shop.env", file("files.env")),
        ("types.yaml", file("types.yaml")),
        (".dockerconfigjson", file("whole.json")),
        ("plain", "not encrypted".to_owned()),
    ];
    let json = serde_json::from_str::<serde_json::Value>(&file("config.plain.json")).unwrap();
    let rendered = rendered(&run(&stream(&files))).to_owned();
    let expected = [
        ("shop.env", file("files.plain.env")),
        ("types.yaml", moved(&types(), "1.5e+20", "1.5e+20")),
        ("plain", "not encrypted".to_owned()),
    ];
    for (key, text) in expected {
        let line = format!("  {key}: {} # kept\n", encode(&text));
        assert!(rendered.contains(&line), "{key}: {rendered}");
    }
    let docker = rendered
        .lines()
        .find_map(|line| line.strip_prefix("  .dockerconfigjson: "));
    let docker = docker.unwrap().trim_end_matches(" # kept");
    let docker = base64::engine::general_purpose::STANDARD
        .decode(docker)
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&docker).unwrap(),
        json
    );
    let wrong = stream(&[("config", file("types.yaml"))]);
    let stderr = failure(run(&wrong), 1);
    assert!(stderr.contains("can be printed as binary"), "{stderr}");
    assert!(stderr.contains("<stdin>:4:11"), "{stderr}");
}

/// A document that cannot be read is told of, not only that its file's MAC is wrong without it.
#[test]
fn a_broken_document_of_a_file_is_told() {
    let stream = file("multi.yaml").replace("    name: b\n", "    name: b\n   x: [\n");
    let stderr = failure(run(&stream), 1);
    assert!(stderr.contains("this is not YAML"), "{stderr}");
    assert!(stderr.contains("<stdin>:27:"), "{stderr}");
}

#[test]
fn broken_settings_are_told_instead() {
    let run = program(&file("types.yaml"))
        .env("AVP_TYPE", "nonsense")
        .run();
    assert!(failure(run, 2).contains("AVP_TYPE"));
}
