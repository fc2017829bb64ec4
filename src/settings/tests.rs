//! Precedence, settings files and their errors, as `avp-compat.md` 9 and design section 4 say.

use std::fs;

use super::*;
use crate::diagnostics::{Rendering, render};

/// A folder with files in it, an environment, and perhaps a named file.
struct Case<'a> {
    files: &'a [(&'a str, &'a str)],
    environment: &'a [(&'a str, &'a str)],
    config: Option<&'a str>,
}

impl Case<'_> {
    fn load(&self) -> Result<Settings, Vec<Diagnostic>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in self.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        load(&Request {
            environment: &self.environment.iter().copied().collect(),
            folder: folder.path(),
            rendered: &folder.path().canonicalize().unwrap().join("k8s/shop"),
            system_folder: &folder.path().join("etc"),
            is_shared: false,
            config: self.config,
            secret: None,
        })
    }

    fn failure(&self) -> String {
        render(&self.load().unwrap_err(), Rendering::PLAIN)
    }
}

fn in_file<'a>(files: &'a [(&'a str, &'a str)]) -> Case<'a> {
    Case {
        files,
        environment: &[],
        config: Some(files[0].0),
    }
}

/// The value and origin of a key from the given environment and `c.yaml`.
fn winner(environment: &[(&str, &str)], file: &str, key: &str) -> Option<(String, String)> {
    let settings = Case {
        files: &[("c.yaml", file)],
        environment,
        config: Some("c.yaml"),
    }
    .load()
    .unwrap();
    let setting = settings.flat.get(key)?;
    let value = setting.value.expose_str().unwrap().to_owned();
    Some((value, setting.origin.to_string()))
}

#[test]
fn avps_keys_come_from_argocd_then_plain_then_file() {
    let all = [("AVP_TYPE", "plain"), ("ARGOCD_ENV_AVP_TYPE", "argocd")];
    let file = "AVP_TYPE: file\n";
    for (environment, value, origin) in [
        (
            &all[..],
            "argocd",
            "the environment variable ARGOCD_ENV_AVP_TYPE",
        ),
        (&all[..1], "plain", "the environment variable AVP_TYPE"),
        (&[], "file", "AVP_TYPE in c.yaml"),
        (&[("AVP_TYPE", "")], "file", "AVP_TYPE in c.yaml"),
        (
            &[("AVP_TYPE", "plain"), ("ARGOCD_ENV_AVP_TYPE", "")],
            "",
            "the environment variable ARGOCD_ENV_AVP_TYPE",
        ),
    ] {
        let expected = Some((value.to_owned(), origin.to_owned()));
        assert_eq!(winner(environment, file, "AVP_TYPE"), expected);
    }
}

#[test]
fn keys_for_libraries_come_from_argocd_then_file_then_plain() {
    for key in [
        "VAULT_ADDR",
        "VAULT_TOKEN",
        "AWS_REGION",
        "AZURE_X",
        "GOOGLE_X",
        "SOPS_X",
        "OP_CONNECT_X",
        "K8S_SECRET_X",
    ] {
        let argocd = format!("ARGOCD_ENV_{key}");
        let file = format!("{key}: file\n");
        let all = [(key, "plain"), (argocd.as_str(), "argocd")];
        let value =
            |environment: &[_], file: &str| winner(environment, file, key).map(|(value, _)| value);
        assert_eq!(value(&all, &file).as_deref(), Some("argocd"), "{key}");
        assert_eq!(value(&all[..1], &file).as_deref(), Some("file"), "{key}");
        assert_eq!(value(&all[..1], "").as_deref(), Some("plain"), "{key}");
        assert_eq!(
            value(&all[..1], &format!("{key}:\n")).as_deref(),
            Some("plain"),
            "{key}"
        );
        assert_eq!(
            value(&all[..1], &format!("{key}: ''\n")).as_deref(),
            Some(""),
            "{key}"
        );
    }
}

#[test]
fn other_keys_come_from_the_plain_environment_only() {
    let environment = [("ARGOCD_ENV_HTTPS_PROXY", "x"), ("KSM_TOKEN", "k")];
    let file = "HTTPS_PROXY: y\nKSM_HOSTNAME: z\nanything: {else: [1]}\n";
    assert_eq!(winner(&environment, file, "HTTPS_PROXY"), None);
    assert_eq!(winner(&environment, file, "KSM_HOSTNAME"), None);
    assert!(winner(&environment, file, "KSM_TOKEN").is_some());
    assert_eq!(winner(&[("HOME", "")], file, "HOME"), None);
    assert_eq!(winner(&environment, file, "ARGOCD_ENV_HTTPS_PROXY"), None);
}

#[test]
fn names_in_files_may_be_in_any_case_and_numbers_and_bools_are_texts() {
    let file =
        "avp_type: vault\nAvp_Kv_Version: 1\nVAULT_MAX_RETRIES: 5\nvault_skip_verify: true\n";
    for (key, value) in [
        ("AVP_TYPE", "vault"),
        ("AVP_KV_VERSION", "1"),
        ("VAULT_MAX_RETRIES", "5"),
        ("VAULT_SKIP_VERIFY", "true"),
    ] {
        assert_eq!(winner(&[], file, key).unwrap().0, value);
    }
}

#[test]
fn numbers_are_found_behind_a_byte_order_mark_and_any_line_end() {
    for file in [
        "\u{feff}AVP_KV_VERSION: 17\n",
        "VAULT_ADDR: x\rAVP_KV_VERSION: 17\r",
    ] {
        let (value, _) = winner(&[], file, "AVP_KV_VERSION").unwrap();
        assert_eq!(value, "17", "{file:?}");
    }
    for file in ["\u{feff}4", "\n\u{feff}2 ", "\u{feff}\u{feff}2"] {
        let broken = in_file(&[("c.yaml", file)]).failure();
        assert_eq!(
            broken,
            "error: While parsing config\n --> c.yaml:1:1\n  = cause: expected keys and values\n"
        );
    }
}

#[test]
fn only_the_two_types_are_trimmed_and_only_the_kv_version_has_a_default() {
    let environment = [
        ("AVP_TYPE", " vault\n"),
        ("AVP_AUTH_TYPE", "\ttoken "),
        ("AVP_ROLE_ID", "role\n"),
    ];
    let value = |key: &str| winner(&environment, "", key);
    assert_eq!(value("AVP_TYPE").unwrap().0, "vault");
    assert_eq!(value("AVP_AUTH_TYPE").unwrap().0, "token");
    assert_eq!(value("AVP_ROLE_ID").unwrap().0, "role\n");
    let default = ("2".to_owned(), "the default".to_owned());
    assert_eq!(value("AVP_KV_VERSION"), Some(default));
    assert_eq!(value("AWS_REGION"), None);
}

#[test]
fn the_type_of_a_file_is_its_extension() {
    for (name, text) in [
        ("x.yaml", "AVP_TYPE: vault\n"),
        ("x.yml", "AVP_TYPE: vault\n"),
        ("x.json", "{\"AVP_TYPE\": \"vault\"}"),
        ("x.env", "AVP_TYPE=vault\n"),
        (".env", "export AVP_TYPE='vault'\n"),
        ("d.d/x.dotenv", "AVP_TYPE: vault\n"),
        ("x.toml", "AVP_TYPE = \"vault\"\n"),
        ("x.hcl", "AVP_TYPE = \"vault\"\n"),
        ("x.tfvars", "AVP_TYPE = \"vault\"\n"),
        ("x.properties", "AVP_TYPE=vault\n"),
        ("x.props", "AVP_TYPE: vault\n"),
        ("x.prop", "AVP_TYPE vault\n"),
    ] {
        let settings = in_file(&[(name, text)]).load().unwrap();
        assert_eq!(settings.flat.text("AVP_TYPE"), Some("vault"), "{name}");
    }
    for (name, extension) in [
        ("x.txt", "txt"),
        ("noext", ""),
        ("X.YAML", "YAML"),
        ("a.d/noext", ""),
    ] {
        assert_eq!(
            in_file(&[(name, "")]).failure(),
            format!(
                "error: Unsupported Config Type \"{extension}\"\n  \
                   = help: the name of a settings file ends in one of .yaml .yml .json .toml .hcl .tfvars .properties .props .prop .env .dotenv .ini\n"
            )
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let case = Case {
        files: &[],
        environment: &[],
        config: Some("nosuch.yaml"),
    };
    assert_eq!(
        case.failure(),
        "error: open nosuch.yaml: no such file or directory\n  \
           = help: -c or MANIFUSE_CONFIG names it, from the working directory\n"
    );
    assert_eq!(
        in_file(&[("bad.yaml", "a: [\n")]).failure(),
        "error: While parsing config\n --> bad.yaml:1:4\n  = cause: unclosed bracket '['\n"
    );
    let text = in_file(&[(
        "m.yaml",
        "AVP_TYPE: vault\nVAULT_ADDR: {a: b}\nAVP_ROLE_ID: [x]\n",
    )]);
    assert_eq!(
        text.failure(),
        "error: VAULT_ADDR must be a text, a number or true or false\n --> m.yaml:2:1\n\
         error: AVP_ROLE_ID must be a text, a number or true or false\n --> m.yaml:3:1\n"
    );
}

#[test]
fn a_file_that_is_not_utf_8_says_where() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["c.yaml", "c.json", "c.env"] {
        fs::write(folder.path().join(name), b"A: b\nVAULT_TOKEN: \xffCANARY\n").unwrap();
        let loaded = load(&Request {
            environment: &Environment::default(),
            folder: folder.path(),
            rendered: folder.path(),
            system_folder: Path::new("/nosuch"),
            is_shared: false,
            config: Some(name),
            secret: None,
        });
        let errors = loaded.unwrap_err();
        assert_eq!(
            render(&errors, Rendering::PLAIN),
            format!(
                "error: While parsing config: this is not UTF-8 text\n --> {name}:2:14\n  = help: save the file as UTF-8\n"
            )
        );
    }
}

#[test]
fn our_file_is_found_in_the_system_folder_then_on_the_way_to_what_is_rendered_but_not_in_a_tenants_folder()
 {
    let here = ("manifuse.yaml", "AVP_ROLE_ID: here\n");
    let system = ("etc/manifuse.yaml", "AVP_ROLE_ID: system\n");
    let near = ("k8s/shop/manifuse.yaml", "AVP_ROLE_ID: near\n");
    let between = ("k8s/manifuse.yaml", "AVP_ROLE_ID: between\n");
    let beside = ("k8s/web/manifuse.yaml", "AVP_ROLE_ID: beside\n");
    let named = ("c.yaml", "AVP_ROLE_ID: named\n");
    let argocd = [("ARGOCD_APP_NAME", "shop")];
    for (files, environment, config, expected) in [
        (&[here][..], &[][..], None, Some("here")),
        (&[here, system], &[], None, Some("system")),
        (&[near], &[], None, Some("near")),
        (&[near, between, beside], &[], None, Some("between")),
        (&[near, between, here], &[], None, Some("here")),
        (&[near], &argocd, None, None),
        (&[beside], &[], None, None),
        (&[here], &argocd, None, None),
        (&[here, system], &argocd, None, Some("system")),
        (
            &[here, system, named],
            &argocd,
            Some("c.yaml"),
            Some("named"),
        ),
        (&[], &[], None, None),
    ] {
        let case = Case {
            files,
            environment,
            config,
        };
        let settings = case.load().unwrap();
        assert_eq!(settings.flat.text("AVP_ROLE_ID"), expected, "{files:?}");
    }
}

#[test]
fn our_file_that_cannot_be_opened_is_an_error_and_no_other_place_counts() {
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path().join("etc");
    fs::create_dir(&system).unwrap();
    fs::write(folder.path().join("manifuse.yaml"), "AVP_ROLE_ID: here\n").unwrap();
    std::os::unix::fs::symlink("nosuch", system.join("manifuse.yaml")).unwrap();
    let loaded = load(&Request {
        environment: &Environment::default(),
        folder: folder.path(),
        rendered: folder.path(),
        system_folder: &system,
        is_shared: false,
        config: None,
        secret: None,
    });
    assert_eq!(
        render(&loaded.unwrap_err(), Rendering::PLAIN),
        "error: open etc/manifuse.yaml: no such file or directory\n"
    );
}

const OURS: &str = "\
AVP_ROLE_ID: role
defaultBackend: prod
backends:
  prod:
    type: vault
    address: https://vault.example.com
    auth: {type: kubernetes, role: argocd, mount: ~}
    retries: 3
  files: {type: sops}
";

#[test]
fn named_backends_are_read_as_dotted_keys_with_their_origin() {
    let settings = in_file(&[("manifuse.yaml", OURS)]).load().unwrap();
    assert_eq!(settings.default_backend.as_ref().unwrap().text, "prod");
    assert_eq!(settings.flat.text("AVP_ROLE_ID"), Some("role"));
    let shown: Vec<_> = settings
        .backends
        .iter()
        .flat_map(|backend| {
            let show = |setting: &BackendSetting| {
                let value = setting.setting.value.expose_str().unwrap();
                format!(
                    "{}: {}={value} ({})",
                    backend.name, setting.key, setting.setting.origin
                )
            };
            let kind = format!("{}: {}", backend.name, backend.kind.text);
            std::iter::once(kind)
                .chain(backend.settings.iter().map(show))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        shown,
        [
            "prod: vault",
            "prod: address=https://vault.example.com (backends.prod.address in manifuse.yaml)",
            "prod: auth.type=kubernetes (backends.prod.auth.type in manifuse.yaml)",
            "prod: auth.role=argocd (backends.prod.auth.role in manifuse.yaml)",
            "prod: retries=3 (backends.prod.retries in manifuse.yaml)",
            "files: sops",
        ]
    );
}

#[test]
fn unknown_keys_in_our_file_are_errors_with_a_suggestion() {
    let text = "defaultBackend: a\nbackend:\n  a: {type: sops}\nvaultaddr: x\nAVP_X: y\nsomething: z\npolicy: {path: []}\n";
    assert_eq!(
        in_file(&[("c.yaml", text)]).failure(),
        "error: unknown setting backend\n --> c.yaml:2:1\n  = help: did you mean backends?\n\
         error: unknown setting vaultaddr\n --> c.yaml:4:1\n  = help: did you mean VAULT_ADDR?\n\
         error: unknown setting something\n --> c.yaml:6:1\n\
         error: unknown setting policy.path\n --> c.yaml:7:10\n  = help: did you mean policy.paths?\n"
    );
    assert_eq!(
        in_file(&[("manifuse.yaml", "DefaultBackend: a\n")]).failure(),
        "error: unknown setting DefaultBackend\n --> manifuse.yaml:1:1\n  \
           = help: did you mean defaultBackend?\n"
    );
    assert!(in_file(&[("c.yaml", "DefaultBackend: a\n")]).load().is_ok());
}

#[test]
fn a_mistyped_variable_in_our_file_is_an_error_with_a_suggestion() {
    let text =
        "vault_tokn: CANARY\nAVP_AUTHTYPE: CANARY\nAWS_MAX_ATTEMPTS: 1\nAWS_DEFAULT_REGION: x\n";
    assert_eq!(
        in_file(&[("manifuse.yaml", text)]).failure(),
        "error: unknown setting vault_tokn\n --> manifuse.yaml:1:1\n  = help: did you mean VAULT_TOKEN?\n\
         error: unknown setting AVP_AUTHTYPE\n --> manifuse.yaml:2:1\n  = help: did you mean AVP_AUTH_TYPE?\n"
    );
    assert!(in_file(&[("c.yaml", text)]).load().is_ok());
}

/// The warnings of a file that sets a type, and of variables.
fn warned(environment: &[(&str, &str)], name: &str, text: &str) -> String {
    let case = Case {
        files: &[(name, text)],
        environment,
        config: Some(name),
    };
    render(&case.load().unwrap().warnings, Rendering::PLAIN)
}

#[test]
fn what_is_set_for_us_without_effect_is_warned_of() {
    for (environment, text, expected) in [
        (
            &[][..],
            "vault_tokn: CANARY\nunrelated: 1\n",
            "vault_tokn in c.yaml is not known, and has no effect (help: did you mean VAULT_TOKEN?)",
        ),
        (
            &[("AWS_REGION", "plain"), ("AVP_TYPE", "sops")],
            "AZURE_USERNAME: CANARY\n",
            "AZURE_USERNAME in c.yaml is not read by this version",
        ),
        (
            &[("VAULT_WRAP_TTL", "1m")],
            "AVP_TYPE: vault\n",
            "the environment variable VAULT_WRAP_TTL is ignored: a wrapped answer could not be read",
        ),
        (
            &[],
            "backends: {a: {type: vault, wrapTtl: 1m}}\n",
            "backends.a.wrapTtl in c.yaml is ignored: a wrapped answer could not be read",
        ),
        (
            &[("MANIFUSE_COLOUR", "CANARY")],
            "AVP_TYPE: vault\n",
            "the environment variable MANIFUSE_COLOUR is not known, and has no effect",
        ),
        (
            &[],
            "other: {AVP_TYPE: vault}\n",
            "c.yaml sets nothing that is read",
        ),
    ] {
        let told = warned(environment, "c.yaml", text);
        assert_eq!(told, format!("warning[ignored-setting]: {expected}\n"));
    }
    assert_eq!(
        warned(&[], "c.ini", "AVP_TYPE=vault\n"),
        "warning[ignored-setting]: c.ini sets nothing that is read (help: the keys of an INI file lie in sections; \
         write KEY=value in a file that ends in .env)\n"
    );
}

#[test]
fn a_file_that_says_nothing_is_warned_of_and_what_it_may_have_meant() {
    for (text, expected) in [
        ("", "c.yaml is empty"),
        ("# nothing\n", "c.yaml is empty"),
        ("backends:\n", "c.yaml:1:1: backends is empty"),
        (
            "AVP_TYPE: vault\nbackends: {}\n",
            "c.yaml:2:1: backends is empty",
        ),
        (
            "hello: 1\nbackend: {a: {type: vault}}\n",
            "c.yaml:2:1: backend is not known, and has no effect (help: did you mean backends?)",
        ),
        (
            "defaultbackend: a\n",
            "c.yaml:1:1: defaultbackend is not known, and has no effect (help: did you mean defaultBackend?)",
        ),
    ] {
        let expected = format!("warning[ignored-setting]: {expected}\n");
        assert_eq!(warned(&[], "c.yaml", text), expected);
    }
}

#[test]
fn a_value_that_its_format_damages_is_warned_of_where_it_counts() {
    let text = "VAULT_TOKEN=CAN#ARY\nAVP_PASSWORD=\"CANARY\nAVP_ROLE_ID=a#b\nAVP_ROLE_ID=a$NARY\nOTHER=a#b\n";
    let tail = "(help: in single quotes a value is taken as it is)";
    let password = format!(
        "warning[odd-setting]: c.env:2:1: AVP_PASSWORD begins with a quote that does not end it, and is part of the value {tail}\n"
    );
    let expected = format!(
        "warning[odd-setting]: c.env:4:1: AVP_ROLE_ID has a $ in front of what is no variable that is set, and both are left \
         out {tail}\n\
         warning[odd-setting]: c.env:1:1: VAULT_TOKEN is cut off at a #, where a comment begins {tail}\n"
    );
    assert_eq!(warned(&[], "c.env", text), password + &expected);
    assert_eq!(
        warned(&[("AVP_PASSWORD", "plain")], "c.env", text),
        expected
    );
}

#[test]
fn what_may_be_right_is_not_warned_of() {
    let environment = [
        ("AWS_REGION", "r"),
        ("VAULT_TOKN", "t"),
        ("VAULT_CACERT_BYTES", "pem\n"),
        ("SOPS_AGE_KEY", "key\n"),
        ("ARGOCD_ENV_REPLICAS", "3"),
        ("ARGOCD_ENV_AVP_TYPE", "vault"),
        ("ARGOCD_ENV_AWS_REGION", "for-helm"),
        ("MANIFUSE_ROOT", "/"),
        ("SOPS_AGE_KEY_CMD", "x"),
    ];
    let text = "AVP_TYPE: vault\nAWS_DEFAULT_REGION: r\nother: 1\n";
    assert_eq!(warned(&environment, "c.yaml", text), "");
}

#[test]
fn one_setting_in_two_spellings_is_an_error_with_both_lines() {
    for (name, text, place) in [
        ("c.yaml", "avp_type: CANARY\n\nAVP_TYPE: CANARY\n", "3:1"),
        ("c.env", "avp_type=CANARY\n\nAVP_TYPE=CANARY\n", "3:1"),
        (
            "c.json",
            "{\"avp_type\": \"CANARY\",\n \"AVP_TYPE\": 1}",
            "2:2",
        ),
    ] {
        assert_eq!(
            in_file(&[(name, text)]).failure(),
            format!(
                "error: AVP_TYPE is the same setting as avp_type in line 1\n --> {name}:{place}\n  \
                   = help: keep one of them\n"
            )
        );
    }
    let others = "key: a\nKEY: b\n";
    assert!(in_file(&[("c.yaml", others)]).load().is_ok());
    let same = "AVP_TYPE=a\nAVP_TYPE=b\n";
    assert!(in_file(&[("c.env", same)]).load().is_ok());
}

#[test]
fn a_nul_in_a_setting_is_an_error() {
    let text = "VAULT_TOKEN: \"CANARY\\0\"\nother: \"\\0\"\n";
    assert_eq!(
        in_file(&[("c.yaml", text)]).failure(),
        "error: VAULT_TOKEN holds a NUL, which no setting can\n --> c.yaml:1:1\n"
    );
    let text = "backends:\n  a: {type: vault, auth: {token: \"\\0CANARY\"}}\n";
    assert_eq!(
        in_file(&[("manifuse.yaml", text)]).failure(),
        "error: backends.a.auth.token holds a NUL, which no setting can\n --> manifuse.yaml:2:27\n"
    );
}

#[test]
fn broken_backends_are_told_together() {
    let text = "backends:\n  path: {type: sops}\n  'a b': {type: sops}\n  none: {}\n  odd: text\n  list: {type: vault, x: {y: [1]}}\n  kind: {type: [a]}\n";
    assert_eq!(
        in_file(&[("c.yaml", text)]).failure(),
        "error: \"path\" cannot be the name of a backend\n --> c.yaml:2:3\n  \
           = help: path is reserved: <path:…> reads from the default backend\n\
         error: \"a b\" cannot be the name of a backend\n --> c.yaml:3:3\n  \
           = help: use letters, digits, -, _ and ., and begin with a letter or digit\n\
         error: the backend none has no type\n --> c.yaml:4:3\n\
         error: backends.odd must be a map\n --> c.yaml:5:3\n\
         error: backends.list.x.y must not be a list\n --> c.yaml:6:27\n\
         error: type must be a text\n --> c.yaml:7:10\n"
    );
}

#[test]
fn an_application_cannot_set_our_variables() {
    let case = Case {
        files: &[],
        environment: &[("ARGOCD_ENV_MANIFUSE_ROOT", "/"), ("MANIFUSE_ROOT", "/srv")],
        config: None,
    };
    assert_eq!(
        case.failure(),
        "error: an application may not set ARGOCD_ENV_MANIFUSE_ROOT\n  \
           = help: set MANIFUSE_ROOT in the environment of the plugin itself\n"
    );
}

#[test]
fn a_path_validation_is_compiled_when_asked_for_and_matches_anywhere() {
    for (pattern, path, matches) in [
        ("/s", "p/s", true),
        ("/s", "s/p", false),
        ("^a", "a/b", true),
        (r"^\p{L}\x{2d}[+--]$", "é--", true),
    ] {
        let settings = with_validation(&[("AVP_PATH_VALIDATION", pattern)], "");
        let regex = settings.path_validation().unwrap().unwrap();
        assert_eq!(regex.is_match(path), matches, "{pattern} on {path}");
    }
    let unset = with_validation(&[("AVP_PATH_VALIDATION", "")], "");
    assert!(unset.path_validation().unwrap().is_none());
}

#[test]
fn a_wrong_path_validation_says_what_is_wrong_and_who_set_it() {
    for (environment, file, reason, origin) in [
        (
            &[("AVP_PATH_VALIDATION", "(")][..],
            "",
            "( is not a valid regular expression: unclosed group",
            "the environment variable AVP_PATH_VALIDATION",
        ),
        (
            &[("ARGOCD_ENV_AVP_PATH_VALIDATION", "(?x)a")],
            "",
            "(?x)a is not a valid regular expression: there is no flag x",
            "the environment variable ARGOCD_ENV_AVP_PATH_VALIDATION",
        ),
        (
            &[],
            "avp_path_validation: '[b-a]'\n",
            "[b-a] is not a valid regular expression: \
             invalid character class range, the start must be <= the end",
            "avp_path_validation in c.yaml",
        ),
    ] {
        let settings = with_validation(environment, file);
        let error = Diagnostic::from_error(&settings.path_validation().unwrap_err());
        assert_eq!(
            render(&[error], Rendering::PLAIN),
            format!(
                "error: {reason}\n  = cause: AVP_PATH_VALIDATION is from {origin}\n  \
                   = help: AVP_PATH_VALIDATION is an RE2 expression: no look-around, no back-references\n"
            )
        );
    }
}

fn with_validation(environment: &[(&str, &str)], file: &str) -> Settings {
    let case = Case {
        files: &[("c.yaml", file)],
        environment,
        config: Some("c.yaml"),
    };
    case.load().unwrap()
}

#[test]
fn nothing_prints_a_value() {
    let text = "AVP_SECRET_ID: CANARY\nbackends:\n  a: {type: vault, token: CANARY}\n";
    let case = Case {
        files: &[("c.yaml", text)],
        environment: &[("VAULT_TOKEN", "CANARY")],
        config: Some("c.yaml"),
    };
    let shown = format!("{:?}", case.load().unwrap());
    assert!(shown.contains("AVP_SECRET_ID"), "{shown}");
    assert!(!shown.contains("CANARY"), "{shown}");
}
