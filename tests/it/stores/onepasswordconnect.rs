//! A Connect server of 1Password as the fake has it: <https://developer.1password.com/docs/connect/api-reference/>.

use serde_json::{Value as Json, json};

use super::{CREDENTIAL, Instead, NUMBERED, Store, UNICODE, VALUE, example, large, suite, values};
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

pub(super) const STORE: Store = Store {
    current: "1passwordconnect:vaults/shop/items/database#password",
    old: None,
    unicode: "1passwordconnect:vaults/shop/items/database#notes",
    large: Some("1passwordconnect:vaults/shop/items/large#large"),
    bytes: None,
    absent_path: (
        "1passwordconnect:vaults/shop/items/none#password",
        "Found 0 item(s) in vault \"shop\" with title \"none\"",
    ),
    absent_key: Some("1passwordconnect:vaults/shop/items/database#none"),
    numbered: |number| {
        format!(
            "1passwordconnect:vaults/shop/items/{}#password",
            item_id(number)
        )
    },
    batch: 1,
    tls: true,
    settings,
    answer,
    // The others look a title up.
    reads: |request| !request.target.contains('?'),
    denied: || {
        refusal(
            403,
            "Authorization: token does not have access to the vault",
        )
    },
    throttled: || refusal(429, "too many requests").with_header("Retry-After", "0"),
};

suite!(STORE);

const SHOP: &str = "ftz4pm2xxwmwrsd7rjqn7grzfz";
const OTHER: &str = "hxz4pm2xxwmwrsd7rjqn7grzfz";
const DATABASE: &str = "2fcbqwe9ndg175zg2dzwftvkpa";
/// A title that looks like an id.
const ODD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
const SLASH: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbb";
const LARGE: &str = "cccccccccccccccccccccccccc";

/// The id of an item that is called by a number.
fn item_id(number: usize) -> String {
    format!("n{number:025}")
}

fn settings(program: Program, url: &str) -> Program {
    program
        .env("OP_CONNECT_HOST", url)
        .env("OP_CONNECT_TOKEN", CREDENTIAL)
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        json!({"status": status, "message": message}).to_string(),
    )
}

fn answer(request: &Request) -> Reply {
    if request.header("authorization") != Some(&format!("Bearer {CREDENTIAL}")) {
        return refusal(401, "Invalid token signature");
    }
    if request.method != "GET" {
        return refusal(405, "method not allowed");
    }
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let title = title(query);
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (parts.as_slice(), title) {
        (["v1", "vaults"], Some(title)) => list(&vaults(&title)),
        (["v1", "vaults", SHOP, "items"], Some(title)) => list(&items(&title)),
        (["v1", "vaults", SHOP, "items", id], None) => item(id),
        (["v1", "vaults", SHOP, ..], _) => refusal(400, "bad request"),
        (["v1", "vaults", ..], _) => refusal(403, "no access to the vault"),
        _ => refusal(404, "not found"),
    }
}

/// The title of a filter.
fn title(query: &str) -> Option<String> {
    let query = format!("http://x/?{query}")
        .parse::<reqwest::Url>()
        .unwrap();
    let (name, filter) = query.query_pairs().next()?;
    assert_eq!(name, "filter");
    let quoted = filter.strip_prefix("title eq ").unwrap().to_owned();
    serde_json::from_str(&quoted).unwrap()
}

fn vaults(title: &str) -> Vec<&'static str> {
    match title {
        "shop" => vec![SHOP],
        "twice" => vec![SHOP, OTHER],
        "path" => vec!["../../x"],
        _ => Vec::new(),
    }
}

fn items(title: &str) -> Vec<&'static str> {
    match title {
        "database" | "a\\one" => vec![DATABASE],
        "with/slash/es" => vec![SLASH],
        "large" => vec![LARGE],
        "twice" => vec![DATABASE, SLASH],
        "ffffffffffffffffffffffffff" => vec![ODD],
        _ => Vec::new(),
    }
}

fn list(ids: &[&str]) -> Reply {
    let all: Vec<Json> = ids
        .iter()
        .map(|id| json!({"id": id, "title": "t"}))
        .collect();
    Reply::json(200, json!(all).to_string())
}

fn item(id: &str) -> Reply {
    let field = |label: &str, value: &str| json!({"id": "f", "type": "STRING", "label": label, "value": value});
    let fields = match id {
        DATABASE => vec![
            field("username", "shop"),
            field("password", "first"),
            field("password", VALUE),
            field("notes", UNICODE),
            json!({"id": "f", "label": "empty"}),
            json!({"id": "f", "value": "no label"}),
        ],
        ODD | SLASH => vec![field("password", id)],
        LARGE => vec![field("large", &large())],
        _ => match id.strip_prefix('n').map(str::parse::<usize>) {
            Some(Ok(number)) => vec![field("password", &format!("{NUMBERED}{number}"))],
            _ => return refusal(404, "item not found"),
        },
    };
    Reply::json(
        200,
        json!({"id": id, "title": "t", "fields": fields}).to_string(),
    )
}

fn render(references: &[&str]) -> super::Outcome {
    let references = references
        .iter()
        .map(|path| format!("1passwordconnect:{path}"));
    STORE.render(&references.collect::<Vec<_>>(), Instead::Never)
}

#[test]
fn titles_and_ids_lead_to_items() {
    let by_id = format!("vaults/{SHOP}/items/{DATABASE}#username");
    let outcome = render(&[&by_id]);
    assert_eq!(values(&outcome.run), ["shop"]);
    assert_eq!(outcome.requests.len(), 1, "both by id");
    let outcome = render(&[
        "vaults/shop/items/database#empty",
        "vaults/shop/items/with/slash/es#password",
        "vaults/shop/items/a\\one#password",
        "vaults/shop/items/ffffffffffffffffffffffffff#password",
    ]);
    assert_eq!(values(&outcome.run), ["", SLASH, VALUE, ODD]);
    let lookups = outcome
        .requests
        .iter()
        .filter(|one| one.target.starts_with("/v1/vaults?"));
    assert_eq!(lookups.count(), 1, "of the vault's title");
}

#[test]
fn what_is_not_the_only_one_is_told() {
    for (path, words) in [
        (
            "vaults/shop/items/twice",
            "Found 2 item(s) in vault \"shop\" with title \"twice\"",
        ),
        (
            "vaults/twice/items/database",
            "Found 2 vaults with title \"twice\"",
        ),
        (
            "vaults/none/items/database",
            "Found 0 vaults with title \"none\"",
        ),
        (
            "vaults/shop",
            "Please provide either the item name or its ID.",
        ),
        (
            "vaults/shop/items",
            "Please provide either the item name or its ID.",
        ),
        ("vaults//items/x", "a path is vaults/VAULT/items/ITEM"),
        // An id of the server becomes a part of a path.
        ("vaults/path/items/x", "is not the list that was asked for"),
    ] {
        let reference = format!("1passwordconnect:{path}#password");
        STORE.fails(&reference, Instead::Never, 1, &[words]);
    }
}

/// Only what is not there is looked for by another way.
#[test]
fn other_failures_of_an_id_are_told() {
    let reference = format!("1passwordconnect:vaults/{OTHER}/items/{DATABASE}#password");
    let words = ["1Password Connect answered 403", "check OP_CONNECT_TOKEN"];
    STORE.fails(&reference, Instead::Never, 3, &words);
}

/// What the fake refuses shows that it looks.
#[test]
fn another_token_is_refused() {
    let server = Server::start(answer);
    let program = super::program(&[STORE.current.to_owned()], "20s");
    let run = settings(program, &server.url())
        .env("OP_CONNECT_TOKEN", "cnry-token-other")
        .run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    for words in ["Invalid token signature", "check OP_CONNECT_TOKEN"] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert!(!run.stderr.contains("cnry-token"), "{}", run.stderr);
}

/// The token goes to the operator's server or nowhere.
#[test]
fn an_application_says_not_where_the_token_goes() {
    let server = Server::start(answer);
    let run = super::program(&[STORE.current.to_owned()], "20s")
        .env("ARGOCD_ENV_OP_CONNECT_HOST", server.url())
        .env("OP_CONNECT_TOKEN", CREDENTIAL)
        .run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("an application cannot set it"),
        "{}",
        run.stderr
    );
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn settings_that_are_missing_or_wrong() {
    for (name, value, message, hint) in [
        (
            "OP_CONNECT_HOST",
            "",
            "There is no hostname available in the \"OP_CONNECT_HOST\" variable",
            "set OP_CONNECT_HOST",
        ),
        (
            "OP_CONNECT_TOKEN",
            "",
            "There is no token available in the \"OP_CONNECT_TOKEN\" variable",
            "set OP_CONNECT_TOKEN",
        ),
        (
            "OP_CONNECT_HOST",
            "connect",
            "OP_CONNECT_HOST cannot be used: it is not a URL",
            "for example https://connect.example.com",
        ),
    ] {
        let program = super::program(&[STORE.current.to_owned()], "20s");
        let run = settings(program, "https://127.0.0.1:1")
            .env(name, value)
            .run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        for words in [message, hint] {
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        }
    }
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/1passwordconnect.md");
    let server = Server::start(answer);
    let program = example(page).env("AVP_TYPE", "1passwordconnect");
    let run = settings(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(
        text.contains(&format!("  user: shop\n  password: {VALUE}\n")),
        "{text}"
    );
}
