//! The inputs that fuzzing keeps, through the checks that found them: `cargo test` needs no fuzzer.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use crate::support::oracle::TARGETS;

#[test]
fn kept_inputs_hold() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut failed = Vec::new();
    for (target, check) in TARGETS {
        let folder = fs::read_dir(corpus.join(target)).unwrap();
        let files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 20, "{target} has only {} inputs", files.len());
        let fails = |file: &PathBuf| {
            let input = fs::read(file).unwrap();
            catch_unwind(|| check(&input)).is_err()
        };
        failed.extend(files.into_iter().filter(fails));
    }
    assert!(failed.is_empty(), "{failed:?}");
}
