//! How fast the steps are that see every byte, each alone and on one thread: `cargo bench --bench rooms`.
//!
//! Inputs are made here and look like what people render. Whole runs against other programs are `benches/compare`.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use manifuse::modifier;
use manifuse::placeholder::{self, Generic, Scope};
use manifuse::secret::{Map, OnMissing, Value};
use manifuse::yaml::YamlReader;
use manifuse::yaml::tree::Tree;

#[path = "../tests/support/render.rs"]
mod render;

/// Below the size at which documents are read by several threads.
const DOCUMENTS: usize = 200;

/// A Deployment; `secret` is the text of its two secrets.
fn deployment(number: usize, secret: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{number}\n  labels: {{app: web, part: \"{number}\"}}\n\
         spec:\n  replicas: 3\n  template:\n    spec:\n      # restarted by the operator\n      containers:\n      \
         - name: web\n        image: registry.example.com/shop/web:1.{number}.0\n        ports:\n        - containerPort: 8080\n        \
         env:\n        - name: USER\n          value: {secret}\n        - name: DATABASE_URL\n          \
         value: \"postgres://shop:{secret}@db.shop.svc:5432/shop?sslmode=require\"\n        args:\n        - |\n          \
         --level=info\n          --listen=:8080\n"
    )
}

fn stream(secret: &str) -> String {
    (0..DOCUMENTS).fold(String::new(), |stream, number| {
        stream + "---\n" + &deployment(number, secret)
    })
}

fn secret() -> Map {
    vec![("k".to_owned(), Value::string("p@ss: w0rd #1"))]
}

/// Runs a step on a text, and tells its speed by the text's bytes.
fn measure<T>(bench: &mut Criterion, name: &str, text: &str, step: impl Fn(&str) -> T) {
    let mut group = bench.benchmark_group("rooms");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(name, |bencher| bencher.iter(|| step(black_box(text))));
    group.finish();
}

fn rendered(text: &str, validate: bool) -> String {
    render::render(text, secret(), validate).expect("the stream is right")
}

/// Documents that hold nothing for us, which are not parsed; and the same, parsed.
fn scan(bench: &mut Criterion) {
    let text = stream("shop");
    measure(bench, "scan", &text, |text| rendered(text, false));
    measure(bench, "validate", &text, |text| rendered(text, true));
}

/// Events to a tree.
fn parse(bench: &mut Criterion) {
    let text = deployment(1, "shop");
    let one =
        |text: &str| Tree::read(&mut YamlReader::new(text)).map(|tree| tree.map(|tree| tree.len()));
    measure(bench, "parse", &text, one);
}

/// Documents with placeholders, their values in memory.
fn edit(bench: &mut Criterion) {
    let text = stream("<path:shop/db#k>");
    let edits =
        |text: &str| render::look(text, secret(), false, |rendered| rendered.edits[0].len());
    measure(bench, "edit", &text, edits);
}

/// References in one long text, in a document with the `path` annotation.
fn grammar(bench: &mut Criterion) {
    let scope = Scope {
        generic: Some(Generic {
            path: Some("shop/db".into()),
            version: None,
        }),
        default_backend: "memory".into(),
        backends: ["memory".into()].into(),
        kv_version: None,
        on_missing: OnMissing::Fail,
    };
    let mut text = String::new();
    for number in 0..DOCUMENTS {
        writeln!(
            text,
            "server {number}: <path:shop/db#host | trim>:<port> <b>of {number}</b> as <memory:shop/db#user#2>"
        )
        .expect("a string takes any text");
    }
    measure(bench, "grammar", &text, |text| {
        placeholder::parse(text.as_bytes(), &scope).len()
    });
}

/// A filter over a list in a JSON text.
fn json_path(bench: &mut Criterion) {
    let users: Vec<String> = (0..DOCUMENTS)
        .map(|number| {
            format!(
                r#"{{"name":"user-{number}","admin":{},"id":{number}}}"#,
                number % 7 == 0
            )
        })
        .collect();
    let text = format!(r#"{{"users":[{}]}}"#, users.join(","));
    let template = ["jsonPath {range .users[?(@.admin==true)]}{.name} {end}".to_owned()];
    measure(bench, "jsonPath", &text, |text| {
        modifier::apply(&template, Some(Value::string(text)), "").expect("the template is right")
    });
}

criterion_group!(rooms, scan, parse, edit, grammar, json_path);
criterion_main!(rooms);
