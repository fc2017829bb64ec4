//! The program as a function: exact texts and exit codes of its command line, without a process.

use std::fs;

use super::*;

/// One run in a folder of its own.
struct Run {
    arguments: Vec<&'static str>,
    files: Vec<(&'static str, &'static str)>,
    environment: Vec<(&'static str, &'static str)>,
    stdin: &'static str,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    code: u8,
    stdout: String,
    stderr: String,
}

fn program(arguments: &[&'static str]) -> Run {
    Run {
        arguments: arguments.to_vec(),
        files: Vec::new(),
        environment: Vec::new(),
        stdin: "",
    }
}

fn manifuse(arguments: &[&'static str]) -> Run {
    program(&[&["manifuse"], arguments].concat())
}

/// By AVP's name, with settings that are right.
fn avp(arguments: &[&'static str]) -> Run {
    program(&[&["/usr/local/bin/argocd-vault-plugin"], arguments].concat())
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "CANARY")
}

impl Run {
    fn file(mut self, name: &'static str, text: &'static str) -> Self {
        self.files.push((name, text));
        self
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value));
        self
    }

    fn stdin(mut self, text: &'static str) -> Self {
        self.stdin = text;
        self
    }

    fn run(self) -> Came {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in &self.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let code = run(Process {
            arguments: self.arguments.iter().map(OsString::from).collect(),
            environment: self.environment.iter().copied().collect(),
            folder: folder.path().to_owned(),
            stdin: &mut self.stdin.as_bytes(),
            stdout: &mut stdout,
            stderr: &mut stderr,
            terminal: false,
        });
        let came = Came {
            code,
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        };
        assert!(!came.stderr.contains("CANARY"), "{came:?}");
        came
    }

    /// The exit code and stderr of a run that prints nothing else.
    fn failure(self) -> (u8, String) {
        let came = self.run();
        assert_eq!(came.stdout, "", "{came:?}");
        (came.code, came.stderr)
    }
}

fn printed(stdout: impl Into<String>) -> Came {
    Came {
        code: 0,
        stdout: stdout.into(),
        stderr: String::new(),
    }
}

const PLAIN: &str = "kind: X # comment\nv:  on\n";

#[test]
fn avp_without_a_command_or_with_help_prints_help_on_stdout() {
    let help = avp(&[]).run();
    assert_eq!(help.code, 0);
    assert_eq!(help.stderr, "");
    assert!(help.stdout.contains("\n  generate    "), "{}", help.stdout);
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["help", "nothing"],
        &["-h=true"],
    ] {
        assert_eq!(avp(arguments).run(), help, "{arguments:?}");
    }
    let generate = avp(&["generate", "--help"]).run();
    for flag in [
        "-c, --config-path",
        "-s, --secret-name",
        "--verbose-sensitive-output",
        "--disable-token-cache",
        "-h, --help",
    ] {
        assert!(generate.stdout.contains(flag), "{flag}");
    }
    for arguments in [
        &["generate", "x", "-h"][..],
        &["-h", "generate"],
        &["help", "generate"],
        &["generate", "-hc", "x"],
    ] {
        assert_eq!(avp(arguments).run(), generate, "{arguments:?}");
    }
    assert!(
        avp(&["version", "--help"])
            .run()
            .stdout
            .starts_with("Print the version\n")
    );
    assert!(
        avp(&["completion"])
            .run()
            .stdout
            .contains("[bash|fish|powershell|zsh]")
    );
}

#[test]
fn avp_prints_its_version_line() {
    let line = concat!(
        "argocd-vault-plugin v",
        env!("CARGO_PKG_VERSION"),
        " (manifuse) BuildDate: unknown\n"
    );
    assert_eq!(avp(&["version"]).run(), printed(line));
    assert_eq!(avp(&["version", "extra"]).run(), printed(line));
}

#[test]
fn avp_refuses_what_it_does_not_know_and_shows_usage() {
    let usage = avp(&["generate", "-h"]).run().stdout;
    for (arguments, message) in [
        (
            &["generate"][..],
            "<path> argument required to generate manifests",
        ),
        (&["generate", "--bogus", "x"], "unknown flag: --bogus"),
        (&["--bogus", "x", "generate"], "unknown flag: --bogus"),
        (&["generate", "--bogus=x", "y"], "unknown flag: --bogus"),
        (&["generate", "-x"], "unknown shorthand flag: 'x' in -x"),
        (&["generate", "-s"], "flag needs an argument: 's' in -s"),
        (
            &["generate", "x", "--config-path"],
            "flag needs an argument: --config-path",
        ),
        (&["generate", "--conf", "x"], "unknown flag: --conf"),
        (&["generate", "--=x"], "bad flag syntax: --=x"),
        (&["generate", "---x"], "bad flag syntax: ---x"),
        (
            &["generate", "f.yaml", "--disable-token-cache=maybe"],
            "invalid argument \"maybe\" for \"--disable-token-cache\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
        ),
        (
            &["generate", "-h=maybe"],
            "invalid argument \"maybe\" for \"-h, --help\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
        ),
    ] {
        let expected = (1, format!("Error: {message}\n{usage}"));
        assert_eq!(avp(arguments).failure(), expected, "{arguments:?}");
    }
    for (argument, message) in [
        ("--version", "unknown flag: --version"),
        ("-v", "unknown shorthand flag: 'v' in -v"),
    ] {
        let (code, stderr) = avp(&[argument]).failure();
        assert_eq!(
            (code, stderr.lines().next()),
            (1, Some(format!("Error: {message}").as_str()))
        );
    }
}

#[test]
fn avp_suggests_commands() {
    let told = |suggestion: &str, command: &str| {
        (
            1,
            format!(
                "Error: unknown command \"{command}\" for \"argocd-vault-plugin\"{suggestion}\nRun 'argocd-vault-plugin --help' for usage.\n"
            ),
        )
    };
    let meant = "\n\nDid you mean this?\n\tgenerate\n";
    assert_eq!(avp(&["genrate"]).failure(), told(meant, "genrate"));
    assert_eq!(avp(&["GEN"]).failure(), told(meant, "GEN"));
    assert_eq!(avp(&["xyz"]).failure(), told("", "xyz"));
    assert_eq!(
        avp(&["--verbose-sensitive-output", "generate", "xyz"]).failure(),
        told("", "xyz")
    );
}

#[test]
fn avp_takes_flags_in_all_forms_and_places() {
    let settings = "AVP_TYPE: vault\nAVP_AUTH_TYPE: token\nVAULT_TOKEN: t\n";
    for arguments in [
        &["generate", "-c", "cfg.yaml", "f.yaml"][..],
        &["generate", "-c=cfg.yaml", "f.yaml"],
        &["generate", "-ccfg.yaml", "f.yaml"],
        &["generate", "f.yaml", "-c", "cfg.yaml"],
        &["generate", "f.yaml", "--config-path=cfg.yaml"],
        &["generate", "--config-path", "cfg.yaml", "--", "f.yaml"],
        &["-c", "cfg.yaml", "generate", "f.yaml"],
        &["generate", "-c", "other.txt", "-c", "cfg.yaml", "f.yaml"],
        &[
            "generate",
            "--disable-token-cache=T",
            "-ccfg.yaml",
            "f.yaml",
            "nosuch.yaml",
        ],
        &[
            "generate",
            "--verbose-sensitive-output=0",
            "-ccfg.yaml",
            "f.yaml",
            "--disable-token-cache",
        ],
    ] {
        let run = program(&[&["argocd-vault-plugin"], arguments].concat());
        let run = run.file("cfg.yaml", settings).file("f.yaml", PLAIN);
        assert_eq!(run.run(), printed(PLAIN), "{arguments:?}");
    }
    let run = avp(&["generate", "-s", "", "-c", "", "f.yaml"]).file("f.yaml", PLAIN);
    assert_eq!(run.run(), printed(PLAIN));
}

#[test]
fn avp_fails_with_its_leading_words_and_exit_code_1() {
    assert_eq!(
        avp(&["generate", "nosuch"]).failure(),
        (1, "Error: no YAML or JSON files were found in nosuch\n  = cause: there is no file or folder \"nosuch\"\n".to_owned())
    );
    assert_eq!(
        avp(&["generate", "nosuch.yaml"]).failure(),
        (
            1,
            "Error: could not read YAML/JSON files:\n\
             error: could not read file: nosuch.yaml from disk\n  = cause: there is no file or folder \"nosuch.yaml\"\n"
                .to_owned()
        )
    );
    assert_eq!(
        avp(&["generate", "-"]).env("AVP_TYPE", "Vault").stdin(PLAIN).failure(),
        (
            1,
            "Error: Must provide a supported Vault Type, received Vault\n  \
               = cause: AVP_TYPE is from the environment variable AVP_TYPE\n  = help: did you mean vault?\n"
                .to_owned()
        )
    );
    let (code, stderr) = avp(&["generate", "-"])
        .env("AVP_TYPE", "")
        .stdin(PLAIN)
        .failure();
    assert_eq!(code, 1);
    assert!(
        stderr.starts_with("Error: Must provide a supported Vault Type, received \n"),
        "{stderr}"
    );
    let (code, stderr) = avp(&["generate", "-"])
        .env("VAULT_TOKEN", "")
        .stdin(PLAIN)
        .failure();
    assert_eq!(code, 1);
    assert!(
        stderr.ends_with(
            "Error: VAULT_TOKEN for token authentication cannot be empty\n  = help: set VAULT_TOKEN (auth.token), or choose another way to log in by AVP_AUTH_TYPE (auth.type)\n"
        ),
        "{stderr}"
    );
    let run = avp(&["generate", "-s", "creds", "-"]).stdin(PLAIN);
    assert_eq!(
        run.failure(),
        (
            1,
            "Error: could not connect to local Kubernetes cluster to read Secret: unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined\n  \
               = help: run it in a pod, or name a kubeconfig in MANIFUSE_KUBECONFIG or KUBECONFIG\n"
                .to_owned()
        )
    );
}

#[test]
fn broken_input_is_told_before_wrong_settings() {
    let run = avp(&["generate", "-", "-c", "nosuch.yaml"]).stdin("kind: [\n");
    let (_, stderr) = run.failure();
    assert!(stderr.contains("--> <stdin>:"), "{stderr}");
    assert!(!stderr.contains("nosuch.yaml"), "{stderr}");
    let run = avp(&["generate", "d", "-c", "nosuch.yaml"]).file("d/x.txt", "");
    assert!(
        run.failure()
            .1
            .starts_with("Error: no YAML or JSON files were found in d\n")
    );
    let run = avp(&["generate", "-", "-c", "nosuch.yaml"]).stdin(PLAIN);
    assert_eq!(
        run.failure(),
        (
            1,
            "Error: open nosuch.yaml: no such file or directory\n  = help: -c or MANIFUSE_CONFIG names it, from the working directory\n".to_owned()
        )
    );
}

#[test]
fn completion_scripts_come_by_both_names() {
    for shell in ["bash", "fish", "zsh", "powershell"] {
        let own = manifuse(&["completions", shell]).run();
        assert!(own.stdout.contains("error-format"), "{shell}");
        let avp = avp(&["completion", shell]).run();
        assert!(avp.stdout.contains("disable-token-cache"), "{shell}");
        assert!(avp.stdout.contains("argocd-vault-plugin"), "{shell}");
        assert_eq!((own.code, avp.code), (0, 0));
    }
}

#[test]
fn our_own_help_version_and_manual() {
    let help = manifuse(&[]).run();
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(
        help.stdout
            .contains("\n  3  a backend is unreachable or denies\n"),
        "{}",
        help.stdout
    );
    assert_eq!(manifuse(&["--help"]).run(), help);
    let version = concat!("manifuse ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(manifuse(&["version"]).run(), printed(version));
    assert_eq!(manifuse(&["--version"]).run(), printed(version));
    let page = manifuse(&["man"]).run().stdout;
    assert!(page.starts_with(".ie"), "{page}");
    let line = concat!("\nv", env!("CARGO_PKG_VERSION"), "\n");
    assert!(page.contains(line), "{page}");
    assert!(
        manifuse(&["man", "generate"])
            .run()
            .stdout
            .contains("MANIFUSE_TIMEOUT")
    );
    assert_eq!(
        manifuse(&["man", "x"]).failure(),
        (2, "error: there is no command x\n".to_owned())
    );
}

#[test]
fn our_own_usage_errors_suggest_and_exit_with_2() {
    for (arguments, suggestion) in [
        (
            &["genrate", "x"][..],
            "a similar subcommand exists: 'generate'",
        ),
        (
            &["generate", "--alow-empty", "-"],
            "a similar argument exists: '--allow-empty'",
        ),
        (
            &["generate", "-", "--error-format", "jsn"],
            "a similar value exists: 'json'",
        ),
        (
            &["generate", "-", "--timeout", "soon"],
            "it is a time such as 500ms, 90s or 2m, and at least 1ms",
        ),
        (
            &["generate", "-", "--timeout", "0"],
            "it is a time such as 500ms, 90s or 2m, and at least 1ms",
        ),
        (&["generate"], "<PATH>..."),
    ] {
        let (code, stderr) = manifuse(arguments).failure();
        assert_eq!(code, 2, "{arguments:?}");
        assert!(stderr.contains(suggestion), "{stderr}");
    }
}

#[test]
fn manifests_without_references_come_out_as_they_are_and_need_no_backend() {
    assert_eq!(
        manifuse(&["generate", "-"]).stdin(PLAIN).run(),
        printed(PLAIN)
    );
    let run = manifuse(&["generate", "d"]).file("d/a.yaml", PLAIN);
    assert_eq!(run.run(), printed(PLAIN));
}

#[test]
fn exit_codes_say_what_failed() {
    let reference = "kind: X\nv: <path:a#b>\n";
    for (run, code) in [
        (manifuse(&["generate", "nosuch"]), 1),
        (manifuse(&["generate", "-"]).stdin("kind: [\n"), 1),
        (manifuse(&["generate", "-", "-c", "x.txt"]).stdin(PLAIN), 2),
        (manifuse(&["generate", "-"]).stdin(reference), 2),
        (
            manifuse(&["generate", "-"])
                .stdin(PLAIN)
                .env("MANIFUSE_TIMEOUT", "x"),
            2,
        ),
        (
            manifuse(&["generate", "-"])
                .stdin(PLAIN)
                .env("AVP_PATH_VALIDATION", "("),
            2,
        ),
        (
            avp(&["generate", "-"])
                .stdin(reference)
                .env("AVP_PATH_VALIDATION", "^z"),
            1,
        ),
        (
            manifuse(&["generate", "-"])
                .stdin(reference)
                .env("AVP_TYPE", "vault")
                .env("AVP_AUTH_TYPE", "token")
                .env("VAULT_TOKEN", "CANARY")
                .env("AVP_PATH_VALIDATION", "^z"),
            4,
        ),
    ] {
        let (came, stderr) = run.failure();
        assert_eq!(came, code, "{stderr}");
    }
}

#[test]
fn a_reference_without_a_default_backend_says_what_to_set() {
    let run = manifuse(&["generate", "f.yaml"]).file(
        "f.yaml",
        "kind: X\nmetadata: {name: n}\nv: a <path:p#k> b\n",
    );
    assert_eq!(
        run.failure(),
        (
            2,
            "error: no default backend is set\n --> f.yaml:3:6\n  |\n3 | <path:p#k>\n  | ^^^^^^^^^^\n  \
               = in X n at v\n  = help: set AVP_TYPE, or defaultBackend in manifuse.yaml\n"
                .to_owned()
        )
    );
}

#[test]
fn errors_as_json_have_one_object_a_line() {
    let run = avp(&["generate", "a", "b"]).env("MANIFUSE_ERROR_FORMAT", "json");
    let (code, stderr) = run.failure();
    assert_eq!(code, 1);
    let line: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(line["message"], "no YAML or JSON files were found in a");
    assert_eq!(line["causes"][0], "there is no file or folder \"a\"");
    let run = manifuse(&["generate", "--error-format", "json", "a", "b"]);
    assert_eq!(run.failure().1.lines().count(), 2);
}

#[test]
fn under_argo_cd_nothing_is_quoted() {
    let run = manifuse(&["generate", "-"])
        .stdin("kind: X\nv: <path:p#k>\n")
        .env("ARGOCD_APP_NAME", "shop");
    let (_, stderr) = run.failure();
    assert!(stderr.contains(" --> <stdin>:2:4\n"), "{stderr}");
    assert!(!stderr.contains("<path:p#k>"), "{stderr}");
}

#[test]
fn verbose_says_what_is_passed_over_and_where_settings_come_from() {
    let run = manifuse(&["generate", "-v", "d", "-c", "c.yaml"])
        .file("d/a.yaml", PLAIN)
        .file("d/.sops.yaml", "creation_rules: []\n")
        .file(
            "c.yaml",
            "VAULT_ADDR: http://127.0.0.1:1\nSOPS_AGE_KEY: CANARY\n",
        )
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("ARGOCD_ENV_VAULT_TOKEN", "CANARY")
        .env("PATH", "CANARY");
    let came = run.run();
    assert_eq!(came.stdout, PLAIN);
    assert_eq!(
        came.stderr,
        "note: passed over d/.sops.yaml: it is no manifest\n\
         note: AVP_TYPE is set by the environment variable AVP_TYPE\n\
         note: AVP_AUTH_TYPE is set by the environment variable AVP_AUTH_TYPE\n\
         note: AVP_KV_VERSION is set by the default\n\
         note: VAULT_ADDR is set by VAULT_ADDR in c.yaml\n\
         note: VAULT_TOKEN is set by the environment variable ARGOCD_ENV_VAULT_TOKEN\n"
    );
}

#[test]
fn verbose_tells_of_built_in_and_named_backends_that_are_used() {
    let run = manifuse(&["generate", "-v", "-", "-c", "c.yaml"])
        .stdin("kind: X\na: <sops:nothing.yaml#k>\n")
        .file("c.yaml", "backends: {ci: {type: env, prefix: P_}}\n")
        .env("SOPS_AGE_KEY_FILE", "CANARY")
        .env("AVP_ROLE_ID", "CANARY");
    let (_, stderr) = run.failure();
    assert!(
        stderr.starts_with(
            "note: SOPS_AGE_KEY_FILE is set by the environment variable SOPS_AGE_KEY_FILE\n\
             note: backends.ci.prefix is set by backends.ci.prefix in c.yaml\n\
             error: "
        ),
        "{stderr}"
    );
}

#[test]
fn a_warning_stands_beside_the_error_that_it_explains() {
    let run = avp(&["generate", "-", "-c", "c.ini"])
        .env("AVP_TYPE", "")
        .file("c.ini", "AVP_TYPE=vault\n")
        .stdin(PLAIN);
    let (code, stderr) = run.failure();
    assert_eq!(code, 1);
    for words in [
        "Must provide a supported Vault Type, received \n",
        "warning[ignored-setting]: c.ini sets nothing that is read",
    ] {
        assert!(stderr.contains(words), "{stderr}");
    }
}

#[test]
fn warnings_can_be_switched_off() {
    let files = |run: Run| run.file("d/a.yaml", "kind: X\na: 1\na: 2\n");
    let warned = files(manifuse(&["generate", "d"])).run();
    assert_eq!(warned.code, 0);
    assert!(
        warned
            .stderr
            .starts_with("warning[duplicate-key]: d/a.yaml:"),
        "{}",
        warned.stderr
    );
    assert_eq!(warned.stderr.lines().count(), 1, "{}", warned.stderr);
    let silent = files(manifuse(&["generate", "d", "--warn", "all=off"])).run();
    assert_eq!(silent, printed(warned.stdout));
}

#[test]
fn an_empty_input_needs_permission() {
    for stdin in ["", " \n", "# only a comment\n", "---\n---\nnull\n"] {
        let (code, stderr) = avp(&["generate", "-"]).stdin(stdin).failure();
        assert_eq!(code, 1, "{stdin:?}");
        assert!(stderr.contains("say --allow-empty"), "{stderr}");
        let came = avp(&["generate", "-"])
            .stdin(stdin)
            .env("MANIFUSE_ALLOW_EMPTY", "true")
            .run();
        assert_eq!((came.code, came.stderr.as_str()), (0, ""), "{stdin:?}");
    }
}

#[test]
fn named_backends_are_checked_against_their_type() {
    let settings = "\
backends:
  a: {type: vualt}
  prod: {type: vault, adress: x, auth: {type: token, token: CANARY}}
  c: {type: vault, auth: {type: nonsense}}
defaultBackend: pord
";
    let run = manifuse(&["generate", "-", "-c", "c.yaml"])
        .file("c.yaml", settings)
        .stdin(PLAIN);
    let (code, stderr) = run.failure();
    assert_eq!(code, 2);
    assert_eq!(
        stderr,
        "error: there is no backend type \"vualt\"\n --> c.yaml:2:13\n  = help: did you mean vault?\n\
         error: a backend of type vault has no setting adress\n --> c.yaml:3:23\n  = help: did you mean address?\n\
         error: there is no authentication type \"nonsense\"\n --> c.yaml:4:27\n  \
           = help: auth.type is one of approle, aws, cert, github, jwt, k8s, ldap, token, userpass\n\
         error: there is no backend \"pord\"\n --> c.yaml:5:17\n  = help: did you mean prod?\n"
    );
}

#[test]
fn a_backend_with_errors_is_not_opened_as_the_default_too() {
    let unknown = "error: a backend of type vault has no setting adress\n --> c.yaml:2:20\n  \
                     = help: did you mean address?\n";
    let unsupported = "error: auth.type is missing\n --> c.yaml:2:13\n  \
                         = help: auth.type is one of approle, aws, cert, github, jwt, k8s, ldap, token, userpass\n";
    for (settings, expected) in [
        ("backends:\n  a: {type: vault, adress: http://x}\n", unknown),
        (
            "backends:\n  a: {type: vault, adress: http://x}\ndefaultBackend: a\n",
            unknown,
        ),
        ("backends:\n  a: {type: vault}\n", unsupported),
        (
            "backends:\n  vault: {type: vualt}\ndefaultBackend: vault\n",
            "error: there is no backend type \"vualt\"\n --> c.yaml:2:17\n  = help: did you mean vault?\n",
        ),
        (
            "backends:\n  a: {type: vualt}\ndefaultBackend: a\n",
            "error: there is no backend type \"vualt\"\n --> c.yaml:2:13\n  = help: did you mean vault?\n",
        ),
    ] {
        let run = manifuse(&["generate", "-", "-c", "c.yaml"])
            .file("c.yaml", settings)
            .stdin(PLAIN);
        assert_eq!(run.failure(), (2, expected.to_owned()), "{settings}");
    }
}

#[test]
fn stdout_that_cannot_be_written_is_told_unless_its_reader_went_away() {
    struct Full(std::io::ErrorKind);
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(self.0.into())
        }
    }
    for (kind, expected) in [
        (
            std::io::ErrorKind::StorageFull,
            "error: could not write the output: no storage space\n",
        ),
        (std::io::ErrorKind::BrokenPipe, ""),
    ] {
        for arguments in [&["manifuse", "version"][..], &["manifuse", "generate", "-"]] {
            let mut stderr = Vec::new();
            let code = run(Process {
                arguments: arguments.iter().map(OsString::from).collect(),
                environment: Environment::default(),
                folder: PathBuf::from("."),
                stdin: &mut PLAIN.as_bytes(),
                stdout: &mut Full(kind),
                stderr: &mut stderr,
                terminal: false,
            });
            assert_eq!(
                (code, String::from_utf8(stderr).unwrap().as_str()),
                (1, expected)
            );
        }
    }
}
