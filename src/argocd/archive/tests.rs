//! Archives made by hand, good and bad.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::*;

type Entries = Vec<(EntryType, &'static str, &'static str)>;

const FILE: EntryType = EntryType::Regular;
const FOLDER: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A name goes into the header as it is, also one that the builder would refuse.
fn set(field: &mut [u8], text: &str) {
    field[..text.len()].copy_from_slice(text.as_bytes());
}

fn plain(entries: &Entries) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let is_file = *kind == FILE;
        header.set_size(if is_file { content.len() as u64 } else { 0 });
        let old = header.as_old_mut();
        set(&mut old.name, name);
        if !is_file {
            set(&mut old.linkname, content);
        }
        header.set_cksum();
        let content = if is_file { content.as_bytes() } else { b"" };
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpacked(bytes: &[u8], application: &str, keep: Keep) -> Result<Tree, Error> {
    unpack(|| bytes, application, keep, &Limits::default())
}

fn tree(entries: &Entries, application: &str, keep: Keep) -> Result<Tree, Error> {
    unpacked(&compress(&plain(entries)), application, keep)
}

fn files(tree: &Tree) -> Vec<(&str, &str)> {
    tree.files()
        .into_iter()
        .map(|(name, bytes)| (name, std::str::from_utf8(bytes).unwrap()))
        .collect()
}

fn repository() -> Entries {
    vec![
        (FOLDER, ".", ""),
        (FILE, "README.md", "r"),
        (FOLDER, "apps/", ""),
        (FOLDER, "apps/shop", ""),
        (FILE, "apps/shop/a.yaml", "a"),
        (FILE, "apps/shop/sub/b.yaml", "b"),
        (FILE, "apps/shopping/c.yaml", "c"),
        (FILE, "base/d.yaml", "d"),
        (LINK, "current", "apps/shop"),
        (LINK, "apps/shop/base", "../../base"),
        (LINK, "apps/shop/same.yaml", "a.yaml"),
    ]
}

const SHOP: [(&str, &str); 3] = [("a.yaml", "a"), ("same.yaml", "a"), ("sub/b.yaml", "b")];

/// A link out of the application's folder is read as on a disk, and brings nothing else along.
#[test]
fn what_links_lead_to_is_kept() {
    let mut entries = repository();
    entries.push((LINK, "apps/shop/z.yaml", "../shopping/c.yaml"));
    entries.push((LINK, "apps/shop/folder", "../../base"));
    entries.push((LINK, "apps/shop/nothing.yaml", "gone"));
    let tree = tree(&entries, "apps/shop", Keep::Application).unwrap();
    let files = files(&tree);
    assert_eq!(files[..3], SHOP);
    assert_eq!(files[3..], [("z.yaml", "c")]);
    assert_eq!(tree.file("README.md"), None);
}

#[test]
fn files_are_in_the_order_of_a_walk() {
    let names = ["a-b.yaml", "a/x.yaml", "a.yaml", "a/b/c.yaml", "B.yaml"];
    let entries = names.map(|name| (FILE, name, "")).to_vec();
    let tree = tree(&entries, ".", Keep::Application).unwrap();
    let walked: Vec<_> = files(&tree).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        walked,
        ["B.yaml", "a/b/c.yaml", "a/x.yaml", "a-b.yaml", "a.yaml"]
    );
}

#[test]
fn the_application_s_folder_is_kept() {
    let tree = tree(&repository(), "apps/shop", Keep::Application).unwrap();
    assert_eq!(tree.application(), "apps/shop");
    assert_eq!(files(&tree), SHOP);
    assert_eq!(tree.file("apps/shop/same.yaml"), Some(&b"a"[..]));
    for name in [
        "apps/shop/base/d.yaml",
        "base/d.yaml",
        "apps/shopping/c.yaml",
        "README.md",
        "gone",
        "",
    ] {
        assert_eq!(tree.file(name), None, "{name}");
    }
}

#[test]
fn everything_is_kept_where_the_operator_says_so() {
    let tree = tree(&repository(), "apps/shop", Keep::Everything).unwrap();
    assert_eq!(files(&tree), SHOP);
    assert_eq!(tree.file("apps/shop/base/d.yaml"), Some(&b"d"[..]));
    assert_eq!(tree.file("README.md"), Some(&b"r"[..]));
}

#[test]
fn the_folder_may_be_the_root_or_a_link() {
    let root = tree(&repository(), ".", Keep::Application).unwrap();
    assert_eq!((root.application(), files(&root).len()), ("", 6));
    for name in ["current", "./current", "current/.", "apps/../current"] {
        let linked = tree(&repository(), name, Keep::Application).unwrap();
        assert_eq!(linked.application(), "apps/shop");
        assert_eq!(files(&linked), SHOP);
    }
}

#[test]
fn a_folder_that_is_none_is_told() {
    for name in [
        "gone",
        "..",
        "../apps",
        "README.md",
        "apps/shop/a.yaml",
        "apps/sho",
    ] {
        let error = tree(&repository(), name, Keep::Everything).unwrap_err();
        let expected = format!("the application's folder {name} is not in the uploaded archive");
        assert_eq!(error.to_string(), expected);
    }
    let circle = vec![(LINK, "a", "b"), (LINK, "b", "a")];
    assert!(tree(&circle, "a", Keep::Everything).is_err());
}

#[test]
fn what_leads_elsewhere_is_refused() {
    let elsewhere = "whose name leads elsewhere";
    let link = "a link that leads out of it";
    let kind = "which is no file, folder or symbolic link";
    let twice = "which is there twice and differs";
    let below = "which lies below what is no folder";
    for (entries, reason) in [
        (vec![(FILE, "/etc/passwd", "")], elsewhere),
        (vec![(FILE, "../x", "")], elsewhere),
        (vec![(FILE, "a/../x", "")], elsewhere),
        (vec![(FILE, "a//x", "")], elsewhere),
        (vec![(FILE, "./x", "")], elsewhere),
        (vec![(LINK, "x", "/etc")], link),
        (vec![(LINK, "x", "..")], link),
        (vec![(LINK, "a/x", "../../b")], link),
        (vec![(LINK, "x", "")], link),
        (vec![(EntryType::Link, "x", "y")], kind),
        (vec![(EntryType::Fifo, "x", "")], kind),
        (vec![(EntryType::Char, "x", "")], kind),
        (vec![(EntryType::Block, "x", "")], kind),
        (vec![(EntryType::Continuous, "x", "")], kind),
        (vec![(FILE, "x", ""), (FOLDER, "x", "")], twice),
        (vec![(FOLDER, "x", ""), (LINK, "x", "y")], twice),
        (vec![(LINK, "x", "y"), (LINK, "x", "z")], twice),
        (vec![(FILE, "x/y", ""), (FILE, "x", "")], twice),
        (vec![(LINK, "x", "y"), (FILE, "x/a", "")], below),
        (vec![(FILE, "x", ""), (FILE, "x/a/b", "")], below),
    ] {
        let error = tree(&entries, ".", Keep::Everything)
            .unwrap_err()
            .to_string();
        assert!(error.ends_with(reason), "{entries:?}: {error}");
    }
    let deep = "a/".repeat(DEEPEST) + "x";
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(FILE);
    header.set_size(0);
    builder.append_data(&mut header, deep, io::empty()).unwrap();
    let error = unpacked(
        &compress(&builder.into_inner().unwrap()),
        ".",
        Keep::Everything,
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .ends_with("too long or too deep")
    );
}

#[test]
fn the_later_file_of_a_name_wins() {
    let entries = vec![(FILE, "a.yaml", "1"), (FILE, "a.yaml", "2")];
    let tree = tree(&entries, ".", Keep::Application).unwrap();
    assert_eq!(files(&tree), [("a.yaml", "2")]);
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let long = format!("{}/x.yaml", "d".repeat(200));
    let mut gnu = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    gnu.append_data(&mut header, &long, &b"x"[..]).unwrap();
    let mut pax = Builder::new(Vec::new());
    pax.append_pax_extensions([("path", long.as_bytes())])
        .unwrap();
    let mut header = Header::new_ustar();
    header.set_size(1);
    pax.append_data(&mut header, "short", &b"x"[..]).unwrap();
    for builder in [gnu, pax] {
        let bytes = compress(&builder.into_inner().unwrap());
        let tree = unpacked(&bytes, ".", Keep::Application).unwrap();
        assert_eq!(files(&tree), [(long.as_str(), "x")]);
    }
}

#[test]
fn limits_hold_before_memory_is_taken() {
    let limits = Limits {
        unpacked: 1 << 20,
        entries: 10,
    };
    let error = |bytes: &[u8]| {
        unpack(|| bytes, ".", Keep::Everything, &limits)
            .unwrap_err()
            .to_string()
    };
    let bomb = compress(&vec![0; 64 << 20]);
    let mut header = Header::new_ustar();
    header.set_path("x").unwrap();
    header.set_size(10 << 30);
    header.set_cksum();
    let mut claim = header.as_bytes().to_vec();
    claim.resize(2 << 20, 0);
    let told = "the uploaded archive holds more than 1048576 bytes";
    assert_eq!(error(&bomb), told);
    assert_eq!(error(&compress(&claim)), told);
    let many: Entries = (0..20)
        .map(|i| (FOLDER, ["a", "b/c/d/e/f", "g/h/i/j/k"][i % 3], ""))
        .collect();
    assert_eq!(
        error(&compress(&plain(&many))),
        "the uploaded archive holds more than 10 entries"
    );
}

#[test]
fn what_is_broken_or_cut_is_told() {
    let good = compress(&plain(&repository()));
    for bytes in [
        &b""[..],
        b"x",
        &good[..good.len() / 2],
        &good[..good.len() - 4],
        &plain(&repository()),
    ] {
        let error = unpacked(bytes, ".", Keep::Everything).unwrap_err();
        assert!(matches!(error, Error::Broken(_)), "{error}");
    }
    let mut flipped = good.clone();
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    assert!(matches!(
        unpacked(&flipped, ".", Keep::Everything),
        Err(Error::Broken(_))
    ));
    // A header's own sum.
    let mut header = plain(&repository());
    header[0] ^= 1;
    assert!(unpacked(&compress(&header), ".", Keep::Everything).is_err());
}
