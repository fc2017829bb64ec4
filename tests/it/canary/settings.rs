//! Settings that are wrong, in each of their places.

use super::{CREDENTIAL, Case, HOST, Reply, SETTING, TOKEN, URL, VARIABLE, case, check};

#[test]
fn variables_that_are_wrong() {
    check(&variables());
}

#[test]
fn settings_files_that_cannot_be_read() {
    check(&files());
}

#[test]
fn settings_files_that_say_something_wrong() {
    check(&structured());
}

const SETUP: &str = "error encountered setting up default configuration";

#[expect(clippy::too_many_lines, reason = "a flat table")]
fn variables() -> Vec<Case> {
    let wrong = |what, name| case(what, 2, SETUP).env(name, SETTING);
    let ours = |name, says| case(name, 2, says).env(name, SETTING);
    let address = |what, code, says, text: String| case(what, code, says).env("VAULT_ADDR", text);
    vec![
        address(
            "user info of a silent server",
            3,
            "no connection: GET http://127.0.0.1:1",
            format!("http://{SETTING}:{SETTING}@127.0.0.1:1/"),
        ),
        address(
            "user info of a server that denies",
            3,
            "permission denied",
            format!("http://{SETTING}:{SETTING}@{HOST}/?{SETTING}#{SETTING}"),
        )
        .value("<path:secret/data/closed#k>"),
        address(
            "user info with a wrong port",
            2,
            "no valid host",
            format!("http://x:{SETTING}@h:99999"),
        ),
        address(
            "user info of another protocol",
            2,
            "must start with",
            format!("ftp://x:{SETTING}@h"),
        ),
        address(
            "user info without a protocol",
            2,
            "VAULT_ADDR",
            format!("x:{SETTING}@h"),
        ),
        address("no URL at all", 2, "it is not a URL", SETTING.to_owned()),
        case("a silent proxy with a password", 3, "no connection")
            .env("HTTP_PROXY", format!("http://x:{SETTING}@{HOST}"))
            .env("ALL_PROXY", format!("http://x:{SETTING}@{HOST}"))
            .env(
                "VAULT_HTTP_PROXY",
                format!("http://x:{SETTING}@127.0.0.1:1"),
            ),
        case("a proxy that refuses a password", 3, "answered 407")
            .env("VAULT_PROXY_ADDR", format!("http://x:{SETTING}@{HOST}"))
            .answers(|_| Reply::new(407, SETTING)),
        case("a tunnel that is refused", 3, "no connection")
            .env("VAULT_PROXY_ADDR", format!("http://x:{SETTING}@{HOST}"))
            .env("VAULT_ADDR", "https://vault.test")
            .answers(|_| Reply::new(407, SETTING)),
        case("a SOCKS proxy that is none", 3, "no connection")
            .env("VAULT_PROXY_ADDR", format!("socks5://x:{SETTING}@{HOST}")),
        case("a proxy of the system that is none", 2, "http_proxy")
            .env("http_proxy", format!("ftp://x:{SETTING}@h"))
            .env("VAULT_ADDR", "http://vault.test"),
        case("a proxy that is none", 2, SETUP)
            .env("VAULT_PROXY_ADDR", format!("ftp://x:{SETTING}@h")),
        wrong("headers that are none", "VAULT_HEADERS"),
        case("headers that are no texts", 2, SETUP)
            .env("VAULT_HEADERS", format!(r#"{{"A": ["{SETTING}"]}}"#)),
        case("a header with a line end", 2, SETUP)
            .env("VAULT_HEADERS", format!(r#"{{"A": "{SETTING}\n"}}"#)),
        wrong("a rate limit", "VAULT_RATE_LIMIT"),
        wrong("a wish for SRV records", "VAULT_SRV_LOOKUP"),
        wrong("a DNS server", "MANIFUSE_VAULT_DNS_SERVER"),
        wrong("an agent's address", "VAULT_AGENT_ADDR"),
        wrong("a number of tries", "VAULT_MAX_RETRIES"),
        wrong("a time", "VAULT_CLIENT_TIMEOUT"),
        wrong("a truth value", "VAULT_SKIP_VERIFY"),
        wrong("an authority's file", "VAULT_CACERT"),
        case("an authority instead of its file", 2, "VAULT_CACERT").env(
            "VAULT_CACERT",
            format!("-----BEGIN CERTIFICATE-----\n/{SETTING}\n"),
        ),
        case(
            "a key instead of its path",
            2,
            "VAULT_CLIENT_KEY: the file cannot be read",
        )
        .env("VAULT_CLIENT_CERT", "k8s/app.yaml")
        .env("VAULT_CLIENT_KEY", format!("/{CREDENTIAL}")),
        wrong("an authority", "VAULT_CACERT_BYTES"),
        wrong("a folder of authorities", "VAULT_CAPATH"),
        wrong("a client's certificate alone", "VAULT_CLIENT_CERT"),
        case("a client's key instead of its file", 2, SETUP)
            .env("VAULT_CLIENT_CERT", "k8s/app.yaml")
            .env(
                "VAULT_CLIENT_KEY",
                format!("-----BEGIN PRIVATE KEY-----\n{CREDENTIAL}"),
            ),
        case("a client's key that is none", 2, SETUP)
            .env("VAULT_CLIENT_CERT", "key.pem")
            .env("VAULT_CLIENT_KEY", "key.pem")
            .file(
                "key.pem",
                format!("-----BEGIN PRIVATE KEY-----\n{CREDENTIAL}\n-----END PRIVATE KEY-----\n"),
            ),
        case("a version of KV", 2, "Unsupported kvVersion specified")
            .env("AVP_KV_VERSION", SETTING),
        wrong("a cache that is neither on nor off", "MANIFUSE_TOKEN_CACHE"),
        case("a name for TLS", 2, "it is no host name")
            .env("VAULT_TLS_SERVER_NAME", format!("{SETTING}:{SETTING}")),
        case("a token with a line end", 2, "VAULT_TOKEN")
            .env("VAULT_TOKEN", format!("{TOKEN}\n{TOKEN}")),
        case("a namespace with a line end", 2, "VAULT_NAMESPACE")
            .env("VAULT_NAMESPACE", format!("{SETTING}\n")),
        case(
            "no token",
            2,
            "VAULT_TOKEN for token authentication cannot be empty",
        )
        .env("VAULT_TOKEN", ""),
        case("no secret id", 2, "cannot be empty")
            .env("AVP_AUTH_TYPE", "approle")
            .env("AVP_ROLE_ID", CREDENTIAL),
        case("no password", 2, "cannot be empty")
            .env("AVP_AUTH_TYPE", "userpass")
            .env("AVP_USERNAME", CREDENTIAL),
        case(
            "another way to log in",
            2,
            "Must provide a supported Authentication Type, received oidc",
        )
        .env("AVP_AUTH_TYPE", "oidc")
        .env("AVP_PASSWORD", CREDENTIAL),
        case(
            "another store",
            2,
            "Must provide a supported Vault Type, received kepass",
        )
        .env("AVP_TYPE", "kepass"),
        case(
            "an application that sets what it may not",
            2,
            "an application may not set",
        )
        .env("ARGOCD_ENV_MANIFUSE_TIMEOUT", VARIABLE),
        ours("MANIFUSE_TIMEOUT", "MANIFUSE_TIMEOUT is wrong"),
        ours("MANIFUSE_CONCURRENCY", "MANIFUSE_CONCURRENCY is wrong"),
        ours("MANIFUSE_INPUT_LIMIT", "MANIFUSE_INPUT_LIMIT is wrong"),
        ours("MANIFUSE_FILE_LIMIT", "MANIFUSE_FILE_LIMIT is wrong"),
        ours("MANIFUSE_ALLOW_EMPTY", "MANIFUSE_ALLOW_EMPTY is wrong"),
        ours("MANIFUSE_WARN", "MANIFUSE_WARN is wrong"),
    ]
}

#[expect(clippy::too_many_lines, reason = "a flat table")]
fn files() -> Vec<Case> {
    let parsing = "While parsing config";
    let yaml =
        |what, text: &str| case(what, 2, parsing).settings("s.yaml", text.replace("S!", SETTING));
    vec![
        yaml("an unclosed quote", "AVP_PASSWORD: \"S!\nVAULT_ADDR: x\n"),
        yaml("an unknown anchor", "AVP_PASSWORD: *S!\n"),
        yaml("an unknown tag", "AVP_PASSWORD: !S!!x S!\n"),
        yaml("a colon in plain text", "AVP_PASSWORD: S!: S!\n"),
        yaml("a wrong escape", "AVP_PASSWORD: \"\\qS!\"\n"),
        yaml("a number that is none", "AVP_PASSWORD: !!int S!\n"),
        yaml("bytes that are none", "AVP_PASSWORD: !!binary S!\n"),
        yaml("a tab", "AVP_PASSWORD:\n\tS!: S!\n"),
        yaml("a reserved character", "AVP_PASSWORD: @S!\n"),
        yaml("a forgotten blank", "AVP_PASSWORD:S!\n"),
        yaml(
            "a forgotten blank and more",
            "AVP_PASSWORD:S!\nAVP_TYPE: vault\n",
        ),
        yaml("two documents", "AVP_PASSWORD: S!\n---\nAVP_PASSWORD: S!\n"),
        yaml("equal keys", "AVP_PASSWORD: S!\nAVP_PASSWORD: S!\n"),
        yaml("a list", "- S!\n"),
        case("broken JSON", 2, parsing).settings(
            "s.json",
            format!("{{\"AVP_PASSWORD\": \"{SETTING}\" \"{SETTING}\"}}"),
        ),
        case("JSON with a bare word", 2, parsing)
            .settings("s.json", format!("{{\"AVP_PASSWORD\": {SETTING}}}")),
        case("JSON with a wrong escape", 2, parsing)
            .settings("s.json", format!("{{\"AVP_PASSWORD\": \"{SETTING}\\q\"}}")),
        case("a broken line", 2, parsing).settings("s.env", format!("AVP_PASSWORD {SETTING}\n")),
        case("a line end in quotes", 2, parsing)
            .settings("s.env", format!("AVP_PASSWORD='{SETTING}\n{SETTING}'\n")),
        case("a variable in a broken file", 2, parsing)
            .settings("s.env", "AVP_PASSWORD=$UNRELATED\n$UNRELATED\n"),
        case("settings that are not UTF-8", 2, "is not UTF-8 text").settings(
            "s.yaml",
            [b"AVP_PASSWORD: \xff".as_slice(), SETTING.as_bytes()].concat(),
        ),
        case("TOML without quotes", 2, parsing)
            .settings("s.toml", format!("AVP_PASSWORD = {SETTING}\n")),
        case("TOML with an open quote", 2, parsing)
            .settings("s.toml", format!("AVP_PASSWORD = \"{SETTING}\n")),
        case("TOML with equal keys", 2, parsing).settings(
            "s.toml",
            format!("AVP_PASSWORD = \"{SETTING}\"\nAVP_PASSWORD = \"{SETTING}\"\n"),
        ),
        case("HCL without quotes", 2, parsing)
            .settings("s.hcl", format!("AVP_PASSWORD = {SETTING}\n")),
        case("HCL with an open quote", 2, parsing)
            .settings("s.hcl", format!("AVP_PASSWORD = \"{SETTING}\n")),
        case("HCL with a function", 2, parsing)
            .settings("s.hcl", format!("AVP_PASSWORD = file(\"{SETTING}\")\n")),
        case("properties with a wrong escape", 2, parsing).settings(
            "s.properties",
            format!("AVP_PASSWORD={SETTING}\\u{SETTING}\n"),
        ),
        case("properties that mean themselves", 2, parsing).settings(
            "s.properties",
            format!("AVP_PASSWORD={SETTING}${{AVP_PASSWORD}}\n"),
        ),
        case("properties with an open brace", 2, parsing)
            .settings("s.properties", format!("AVP_PASSWORD=${{{SETTING}\n")),
        case("an open section", 2, parsing).settings("s.ini", format!("[{SETTING}\n")),
        case("an INI line that is no key", 2, parsing)
            .settings("s.ini", format!("[default]\n{SETTING}\n")),
        case("a section of settings", 2, "must be a text")
            .settings("s.ini", format!("[vault]\nVAULT_TOKEN={SETTING}\n")),
        case(
            "a value within the name of a section",
            2,
            "VAULT_TOKEN= must be",
        )
        .settings("s.ini", format!("[VAULT_TOKEN={SETTING}]\na = b\n")),
        case("a key that is a list", 2, "must be a text")
            .settings("s.yaml", format!("AVP_PASSWORD: [{SETTING}]\n")),
        case("a key that is a map", 2, "must be a text")
            .settings("s.yaml", format!("VAULT_TOKEN: {{{SETTING}: {SETTING}}}\n")),
        case("an address out of a file", 2, "it is not a URL")
            .settings("s.yaml", format!("VAULT_ADDR: {SETTING}\n")),
        case("one setting in two spellings", 2, "is the same setting as").settings(
            "s.env",
            format!("avp_password={SETTING}\nAVP_PASSWORD={SETTING}\n"),
        ),
        case(
            "a mistyped variable beside an error",
            2,
            "did you mean VAULT_TOKEN?",
        )
        .settings("s.yaml", format!("VAULT_TOKN: {SETTING}\n"))
        .env("AVP_AUTH_TYPE", "x"),
        case("a line end beside an error", 2, "ends in a line end")
            .settings("s.yaml", format!("AVP_PASSWORD: \"{SETTING}\\n\"\n"))
            .env("AVP_AUTH_TYPE", "userpass")
            .env("AVP_USERNAME", "shop")
            .env("AVP_PATH_VALIDATION", "("),
        case("a quote that does not end", 2, "begins with a quote")
            .settings("s.env", format!("AVP_PASSWORD=\"{SETTING}\n"))
            .env("AVP_PATH_VALIDATION", "("),
        case("a value cut off", 2, "is cut off at a #")
            .settings("s.env", format!("AVP_PASSWORD={SETTING}#{SETTING}\n"))
            .env("AVP_PATH_VALIDATION", "("),
        case("a variable that is not set", 2, "has a $ in front")
            .settings("s.env", format!("AVP_PASSWORD={SETTING}$5{SETTING}\n"))
            .env("AVP_PATH_VALIDATION", "("),
        case("a NUL", 2, "AVP_PASSWORD holds a NUL")
            .settings("s.yaml", format!("AVP_PASSWORD: \"{SETTING}\\0\"\n")),
        case("no file", 2, "no such file").env("MANIFUSE_CONFIG", "nothing.yaml"),
    ]
}

#[expect(clippy::too_many_lines, reason = "a flat table")]
fn structured() -> Vec<Case> {
    let file = |what, says, text: &str| {
        let text = text.replace("S!", SETTING).replace("T!", TOKEN);
        case(what, 2, says).settings("manifuse.yaml", text)
    };
    vec![
        file(
            "an unknown key",
            "unknown setting password",
            "password: S!\nbackends: {}\n",
        ),
        file(
            "a mistyped variable",
            "did you mean VAULT_TOKEN?",
            "VAULT_TOKN: T!\n",
        ),
        file(
            "a setting of another login",
            "auth.jwt is for jwt authentication",
            "backends: {prod: {type: vault, auth: {type: token, token: T!, jwt: T!}}}\n",
        ),
        file(
            "a NUL in a backend",
            "holds a NUL",
            "backends: {prod: {type: vault, auth: {type: token, token: \"T!\\0\"}}}\n",
        ),
        file(
            "a value within an unknown key",
            "unknown setting password=",
            "\"password=S!\": x\nbackends: {}\n",
        ),
        file(
            "a value within a backend's name",
            "cannot be the name",
            "backends: {\"prod:S!\": {}}\n",
        ),
        file(
            "a value within a backend's key",
            "has no setting auth.token=",
            "backends: {prod: {type: vault, auth: {type: token, \"token=S!\": x}}}\n",
        ),
        file(
            "an unknown key of a backend",
            "has no setting auth.tokn",
            "backends: {prod: {type: vault, auth: {type: token, tokn: T!}}}\n",
        ),
        file(
            "a backend without a type",
            "has no type",
            "backends: {prod: {auth: {token: T!}}}\n",
        ),
        file(
            "a backend of an unknown type",
            "there is no backend type",
            "backends: {prod: {type: vualt, auth: {token: T!}}}\n",
        ),
        file(
            "a backend that is a text",
            "must be a map",
            "backends: {prod: S!}\n",
        ),
        file(
            "backends that are a list",
            "must be a map",
            "backends: [S!]\n",
        ),
        file(
            "a token that is a list",
            "must not be a list",
            "backends: {prod: {type: vault, auth: {type: token, token: [T!]}}}\n",
        ),
        file(
            "a wrong address with a password",
            "backends.prod.address in manifuse.yaml",
            "backends: {prod: {type: vault, address: \"x:S!@h\", auth: {type: token, token: T!}}}\n",
        ),
        file(
            "a token with a line end",
            "backends.prod.auth.token in manifuse.yaml",
            "backends: {prod: {type: vault, auth: {type: token, token: \"T!\\n\"}}}\n",
        ),
        file(
            "an env backend without names",
            "must say which variables",
            "backends: {ci: {type: env}}\n",
        ),
        file(
            "no folder for a file backend",
            "cannot be used",
            "backends: {m: {type: file, root: nothing}}\n",
        ),
        case("a good file and a denial", 3, "permission denied")
            .settings(
                "manifuse.yaml",
                format!(
                    "defaultBackend: prod\nbackends: {{prod: {{type: vault, address: \"{URL}\", \
                     auth: {{type: token, token: \"{TOKEN}\"}}}}}}\n"
                ),
            )
            .value("<path:secret/data/closed#k>"),
    ]
}
