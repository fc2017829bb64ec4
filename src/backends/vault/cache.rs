//! Tokens kept between runs: one file per address, namespace, login and credential, readable by us alone (D01-D05).
//!
//! A cache that cannot be used is no error: the login is made again. AVP's own files are never read, because they do
//! not say which server and which role they belong to.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::secret::{Text, Value};
use crate::yaml::value::from_json;

/// The file of one login.
pub(super) struct Cache {
    folder: PathBuf,
    file: PathBuf,
}

/// Held as long as it lives.
pub(super) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// No token is nearly as large.
const LARGEST_FILE: u64 = 64 << 10;

/// A login takes less.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often a lock is asked for again.
const LOCK_POLL: Duration = Duration::from_millis(5);

/// Anyone but the owner may write.
const OTHERS_WRITE: u32 = 0o022;

impl Cache {
    /// The file for the login that these parts describe. Each part counts, and where one ends and the next begins.
    pub(super) fn new(folder: &Path, parts: &[&[u8]], credential: &Text) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(Sha256::digest(credential.expose()));
        let hash: [u8; 32] = hash.finalize().into();
        let half = hash.first_chunk().expect("16 of 32 bytes");
        let name = u128::from_be_bytes(*half);
        Self {
            folder: folder.to_owned(),
            file: folder.join(format!("manifuse-{name:032x}.json")),
        }
    }

    /// The token, if there is a file that nobody else could have written.
    pub(super) fn load(&self) -> Option<Text> {
        if !is_ours(&fs::metadata(&self.folder).ok()?) {
            return None;
        }
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(no_follow())
            .open(&self.file)
            .ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_ours(&metadata) {
            return None;
        }
        let mut text = Zeroizing::new(String::new());
        file.take(LARGEST_FILE).read_to_string(&mut text).ok()?;
        let Ok(Value::Map(entries)) = from_json(&text) else {
            return None;
        };
        entries.into_iter().find_map(|entry| match entry {
            (key, Value::String(token)) if key == "vault_token" => Some(token),
            _ => None,
        })
    }

    /// Keeps a token for the next run, if the folder is ours.
    pub(super) fn store(&self, token: &Text) {
        // Without a home, or with one that cannot be written, there is no cache.
        let _ = self.write(token);
    }

    /// Forgets this token, under the lock: another process may have kept a better one meanwhile, also without the lock.
    pub(super) fn forget(&self, token: &Text, _held: &Lock) {
        if self.load().as_ref() == Some(token) {
            let _ = fs::remove_file(&self.file);
        }
    }

    /// Waits until no other process logs in for the same token, but not for long: without the lock there is a login too
    /// many, and no more. The system lifts it when its holder ends, however that ends.
    pub(super) async fn lock(&self, deadline: Instant) -> Option<Lock> {
        let file = self.lock_file().ok()?;
        let end = deadline.min(Instant::now() + LONGEST_WAIT);
        while let Err(TryLockError::WouldBlock) = file.try_lock() {
            if Instant::now() >= end {
                return None;
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
        Some(Lock(file))
    }

    fn lock_file(&self) -> io::Result<File> {
        self.make_folder()?;
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(self.file.with_extension("lock"))
    }

    fn make_folder(&self) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !is_ours(&fs::metadata(&self.folder)?) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }

    fn write(&self, token: &Text) -> io::Result<()> {
        self.make_folder()?;
        let token = token.expose_str().unwrap_or_default();
        let quoted = Zeroizing::new(serde_json::to_string(token)?);
        let text = Zeroizing::new(format!("{{\n \"vault_token\": {}\n}}\n", quoted.as_str()));
        let draft = self.draft();
        let written = create_private(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&draft, &self.file));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// A name of its own for each write, so that runs at the same time do not meet.
    fn draft(&self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        self.file
            .with_extension(format!("{}-{next}.tmp", process::id()))
    }
}

/// Neither through a link nor into a pipe.
fn no_follow() -> i32 {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    flags.bits().cast_signed()
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn is_ours(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & OTHERS_WRITE == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn cache(home: &Path) -> Cache {
        Cache::new(
            &home.join(".avp"),
            &[b"address", b"role"],
            &"secret id".into(),
        )
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn keeps_a_token_for_us_alone() {
        let home = tempfile::tempdir().unwrap();
        let cache = cache(home.path());
        assert_eq!(cache.load(), None);
        cache.store(&"first".into());
        cache.store(&"s.\"to\nken\"".into());
        assert_eq!(cache.load(), Some("s.\"to\nken\"".into()));
        assert_eq!(mode(&cache.folder), 0o700);
        assert_eq!(mode(&cache.file), 0o600);
        let names = fs::read_dir(&cache.folder).unwrap().count();
        assert_eq!(names, 1, "drafts are gone");
    }

    #[tokio::test]
    async fn forgets_only_the_token_that_was_refused() {
        let home = tempfile::tempdir().unwrap();
        let cache = cache(home.path());
        let lock = cache.lock(Instant::now() + LONGEST_WAIT).await.unwrap();
        cache.store(&"of another process".into());
        cache.forget(&"refused".into(), &lock);
        assert_eq!(cache.load(), Some("of another process".into()));
        cache.forget(&"of another process".into(), &lock);
        assert_eq!(cache.load(), None);
    }

    #[test]
    fn ignores_what_others_could_have_written() {
        let home = tempfile::tempdir().unwrap();
        let cache = cache(home.path());
        cache.store(&"token".into());
        set_mode(&cache.file, 0o620);
        assert_eq!(cache.load(), None);
        set_mode(&cache.file, 0o644);
        assert_eq!(cache.load(), Some("token".into()));
        set_mode(&cache.folder, 0o777);
        assert_eq!(cache.load(), None);
        fs::remove_file(&cache.file).unwrap();
        cache.store(&"token".into());
        assert!(!cache.file.exists());
    }

    #[test]
    fn ignores_links_and_broken_files() {
        let home = tempfile::tempdir().unwrap();
        let cache = cache(home.path());
        for broken in [
            "",
            "x",
            "{}",
            "[]",
            "{\"vault_token\": 7}",
            "{\"vault_token\": \"x\"",
        ] {
            cache.store(&"token".into());
            fs::write(&cache.file, broken).unwrap();
            assert_eq!(cache.load(), None, "{broken:?}");
        }
        cache.store(&"token".into());
        let elsewhere = home.path().join("elsewhere");
        fs::rename(&cache.file, &elsewhere).unwrap();
        symlink(&elsewhere, &cache.file).unwrap();
        assert_eq!(cache.load(), None);
    }

    #[test]
    fn does_without_a_folder() {
        let cache = Cache::new(Path::new("/proc/none/.avp"), &[], &"x".into());
        cache.store(&"token".into());
        assert_eq!(cache.load(), None);
    }

    #[test]
    fn every_part_counts_and_so_does_where_it_ends() {
        let name = |parts: &[&[u8]], credential: &str| {
            Cache::new(Path::new("/h"), parts, &credential.into()).file
        };
        let all = [
            name(&[b"ab", b"c"], "s"),
            name(&[b"a", b"bc"], "s"),
            name(&[b"ab", b"c"], "t"),
            name(&[b"ab", b"c", b""], "s"),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[0], name(&[b"ab", b"c"], "s"));
    }
}
