//! The archive of an application that repo-server uploads, unpacked in memory: nothing is written, so that no name, link or
//! device in it can reach a disk. Stricter than Argo CD's own server, which takes hard links, devices and sparse claims.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

/// How much an archive may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole unpacked archive, names and padding included.
    pub unpacked: u64,
    /// Files, folders and links.
    pub entries: usize,
}

impl Default for Limits {
    /// 1 GiB, 100,000 entries.
    fn default() -> Self {
        Self {
            unpacked: 1 << 30,
            entries: 100_000,
        }
    }
}

/// Bytes of a name, as of a path on Linux.
const LONGEST_NAME: usize = 4096;
/// Steps of a name.
const DEEPEST: usize = 64;
/// Links that lead to links.
const MOST_LINKS: usize = 40;

/// What of an archive is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The application's folder.
    Application,
    /// Everything: the operator lets applications read their whole repository.
    Everything,
}

/// Why an archive is refused. The names in it are told, its contents never.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no archive, or is cut off.
    #[error("the uploaded archive is broken")]
    Broken(#[source] io::Error),
    /// More than a limit allows.
    #[error("the uploaded archive holds more than {0}")]
    TooMuch(String),
    /// A name or link that leads elsewhere, or a kind of entry that no repository holds.
    #[error("the uploaded archive holds {name}, {reason}")]
    Refused {
        /// The entry, as far as it can be shown.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The application's folder is no folder of the archive.
    #[error("the application's folder {0} is not in the uploaded archive")]
    NoApplication(String),
}

/// What stands in the archive under a name.
#[derive(Debug)]
enum Node {
    Folder,
    /// `None` where the content was not kept.
    File(Option<Vec<u8>>),
    /// The name of what it stands for.
    Link(String),
}

/// The unpacked archive.
#[derive(Debug)]
pub struct Tree {
    /// By names relative to the archive's root, without `.` and empty steps; the root is the empty name.
    nodes: BTreeMap<String, Node>,
    /// The application's folder, where all links are followed.
    application: String,
}

impl Tree {
    /// The application's folder in the archive; empty where it is the root.
    pub fn application(&self) -> &str {
        &self.application
    }

    /// The files of the application's folder by their names in it, in the order of a walk: each folder's entries by the
    /// bytes of their names. A link to a file is one; a link to a folder is not followed.
    pub fn files(&self) -> Vec<(&str, &[u8])> {
        let inner = below(&self.nodes, &self.application);
        let mut files: Vec<_> = inner
            .filter_map(|(name, node)| match node {
                Node::File(Some(bytes)) => Some((name, bytes.as_slice())),
                Node::Link(_) => Some((name, self.file(&join(&self.application, name))?)),
                _ => None,
            })
            .collect();
        files.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
        files
    }

    /// All files, folders and links by their names relative to the root, parents first; a link with the name it stands
    /// for. Files without content were not kept.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Entry<'_>)> {
        self.nodes.iter().map(|(name, node)| {
            let entry = match node {
                Node::Folder => Entry::Folder,
                Node::File(bytes) => Entry::File(bytes.as_deref()),
                Node::Link(target) => Entry::Link(target),
            };
            (name.as_str(), entry)
        })
    }

    /// The name of what a name stands for, through links; `None` where that is nothing.
    pub fn resolve(&self, name: &str) -> Option<String> {
        resolve(&self.nodes, name)
    }

    /// The file of a name relative to the root, through links; `None` where there is none, or it was not kept.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        match self.nodes.get(&resolve(&self.nodes, name)?) {
            Some(Node::File(Some(bytes))) => Some(bytes),
            _ => None,
        }
    }
}

/// What stands under a name.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'t> {
    /// A folder.
    Folder,
    /// A file, and its content where it was kept.
    File(Option<&'t [u8]>),
    /// A link, and what it stands for, relative to the root.
    Link(&'t str),
}

/// Unpacks an archive of which `open` gives the compressed bytes from their beginning; it is asked twice where the
/// application's folder is a link, or holds links to what lies outside of it. `application` is the folder as repo-server names it, `.` for the root.
pub fn unpack<R: Read>(
    open: impl Fn() -> R,
    application: &str,
    keep: Keep,
    limits: &Limits,
) -> Result<Tree, Error> {
    let missing = || Error::NoApplication(application.to_owned());
    let named = clean(application).filter(|_| !application.starts_with('/'));
    let named = named.ok_or_else(missing)?;
    let kept = |folder: &str| match keep {
        Keep::Application => vec![folder.to_owned()],
        Keep::Everything => vec![String::new()],
    };
    let first = kept(&named);
    let mut nodes = read(open(), &first, limits)?;
    let folder = resolve(&nodes, &named).ok_or_else(missing)?;
    if !matches!(nodes.get(&folder), Some(Node::Folder)) {
        return Err(missing());
    }
    let mut wanted = kept(&folder);
    wanted.extend(linked(&nodes, &folder).filter(|name| !is_among(name, &first)));
    if wanted != first {
        nodes = read(open(), &wanted, limits)?;
    }
    Ok(Tree {
        nodes,
        application: folder,
    })
}

/// What lies below a folder, by its name in it.
fn below<'n>(
    nodes: &'n BTreeMap<String, Node>,
    folder: &str,
) -> impl Iterator<Item = (&'n str, &'n Node)> {
    let prefix = match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    nodes
        .range(prefix.clone()..)
        .map_while(move |(name, node)| Some((name.strip_prefix(&prefix)?, node)))
        .filter(|(name, _)| !name.is_empty())
}

/// The files that links in a folder stand for.
fn linked(nodes: &BTreeMap<String, Node>, folder: &str) -> impl Iterator<Item = String> {
    let links = below(nodes, folder).filter(|(_, node)| matches!(node, Node::Link(_)));
    links.filter_map(move |(name, _)| {
        let target = resolve(nodes, &join(folder, name))?;
        matches!(nodes.get(&target), Some(Node::File(_))).then_some(target)
    })
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// All names of an archive, and the contents of what lies in folders, or is named itself.
fn read(
    compressed: impl Read,
    kept: &[String],
    limits: &Limits,
) -> Result<BTreeMap<String, Node>, Error> {
    let bounded = Bounded {
        inner: GzDecoder::new(compressed),
        left: limits.unpacked,
    };
    let mut archive = Archive::new(bounded);
    let mut nodes = BTreeMap::from([(String::new(), Node::Folder)]);
    let failed = |error| broken(error, limits);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let Some(name) = name(&entry)? else {
            continue;
        };
        let node = match entry.header().entry_type() {
            EntryType::Directory => Node::Folder,
            EntryType::Symlink => Node::Link(target(&name, &entry)?),
            EntryType::Regular if is_among(&name, kept) => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(failed)?;
                Node::File(Some(bytes))
            }
            EntryType::Regular => Node::File(None),
            _ => return Err(refused(&name, "which is no file, folder or symbolic link")),
        };
        insert(&mut nodes, name, node)?;
        if nodes.len() > limits.entries {
            return Err(Error::TooMuch(format!("{} entries", limits.entries)));
        }
    }
    // Only at its end the checksum of the compressed text is looked at.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(failed)?;
    Ok(nodes)
}

/// The name of an entry; `None` for the root.
fn name(entry: &tar::Entry<'_, impl Read>) -> Result<Option<String>, Error> {
    let bytes = entry.path_bytes();
    let shown = || shown(&bytes);
    let name =
        std::str::from_utf8(&bytes).map_err(|_| refused(&shown(), "whose name is not UTF-8"))?;
    let name = name.strip_suffix('/').unwrap_or(name);
    if matches!(name, "." | "./") {
        return Ok(None);
    }
    if name.len() > LONGEST_NAME || name.split('/').count() > DEEPEST {
        return Err(refused(&shown(), "whose name is too long or too deep"));
    }
    let is_step = |step: &str| !matches!(step, "" | "." | "..") && !step.contains('\0');
    if name.split('/').all(is_step) {
        Ok(Some(name.to_owned()))
    } else {
        Err(refused(&shown(), "whose name leads elsewhere"))
    }
}

/// The name that a link stands for.
fn target(name: &str, entry: &tar::Entry<'_, impl Read>) -> Result<String, Error> {
    let elsewhere = || refused(name, "a link that leads out of it");
    let bytes = entry.link_name_bytes().ok_or_else(elsewhere)?;
    let target = std::str::from_utf8(&bytes).map_err(|_| elsewhere())?;
    if target.is_empty() || target.starts_with('/') || target.contains('\0') {
        return Err(elsewhere());
    }
    clean(&format!("{}/{target}", parent(name))).ok_or_else(elsewhere)
}

/// A name without `.`, `..` and empty steps; `None` where it leaves the root, from which it is seen.
pub fn clean(name: &str) -> Option<String> {
    let mut steps = Vec::new();
    for step in name.trim_start_matches("./").split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()?),
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

/// Later files win over earlier ones of their name, as archives have it; nothing changes its kind, and nothing lies
/// below what is no folder.
fn insert(nodes: &mut BTreeMap<String, Node>, name: String, node: Node) -> Result<(), Error> {
    let mut above = parent(&name);
    while !above.is_empty() {
        match nodes.get(above) {
            Some(Node::Folder) => break,
            None => drop(nodes.insert(above.to_owned(), Node::Folder)),
            Some(_) => return Err(refused(&name, "which lies below what is no folder")),
        }
        above = parent(above);
    }
    match (nodes.get(&name), &node) {
        (None, _) | (Some(Node::Folder), Node::Folder) | (Some(Node::File(_)), Node::File(_)) => {
            nodes.insert(name, node);
            Ok(())
        }
        _ => Err(refused(&name, "which is there twice and differs")),
    }
}

/// The name of what a name stands for, by links at each of its steps; `None` where that is nothing.
fn resolve(nodes: &BTreeMap<String, Node>, name: &str) -> Option<String> {
    let mut rest: Vec<String> = name
        .split('/')
        .rev()
        .filter(|step| !step.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    let mut found = String::new();
    let mut links = 0;
    while let Some(step) = rest.pop() {
        let next = join(&found, &step);
        match nodes.get(&next)? {
            Node::Link(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                rest.extend(
                    target
                        .split('/')
                        .rev()
                        .filter(|step| !step.is_empty())
                        .map(ToOwned::to_owned),
                );
                found = String::new();
            }
            Node::Folder | Node::File(_) => found = next,
        }
    }
    Some(found)
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Whether a name is one of these, or lies below one of them.
fn is_among(name: &str, kept: &[String]) -> bool {
    kept.iter().any(|kept| {
        let rest = name.strip_prefix(kept.as_str());
        kept.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn refused(name: &str, reason: &'static str) -> Error {
    Error::Refused {
        name: shown(name.as_bytes()),
        reason,
    }
}

/// As much of a name as a message can bear.
fn shown(name: &[u8]) -> String {
    const LENGTH: usize = 160;
    let text = String::from_utf8_lossy(name);
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(LENGTH)
        .collect()
}

fn broken(error: io::Error, limits: &Limits) -> Error {
    if error.kind() == io::ErrorKind::FileTooLarge {
        Error::TooMuch(format!("{} bytes", limits.unpacked))
    } else {
        Error::Broken(error)
    }
}

/// A reader that fails where more than so many bytes come.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }
}

#[cfg(test)]
mod tests;
