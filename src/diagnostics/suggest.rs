//! "Did you mean …?": the nearest of the names that would have been right. And some of many names.

/// How many of one kind are told; of the rest how many there are.
pub const MANY: usize = 10;

/// The first of the names, and how many more there are.
pub fn few(names: &[String]) -> String {
    let first = names[..names.len().min(MANY)].join(", ");
    match names.len().saturating_sub(MANY) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// The candidate that a mistyped name is likely to mean: at most two typos away (one or none in short names), or the same in
/// another case.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// In bytes: typos of so many letters differ by no more.
    const LONGEST_LETTER: usize = 4;
    let lower = name.to_lowercase();
    let allowed = match lower.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        _ => 2,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(lower.len()) <= allowed * LONGEST_LETTER)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::{few, nearest};

    #[test]
    fn of_many_names_some_are_told() {
        let names: Vec<_> = (0..12).map(|n| n.to_string()).collect();
        assert_eq!(few(&names[..2]), "0, 1");
        assert_eq!(few(&names[..10]), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
        assert_eq!(few(&names), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
    }

    #[test]
    fn finds_typos_and_case_but_no_strangers() {
        let names = ["vault", "sops", "awssecretsmanager"];
        assert_eq!(nearest("vualt", names), Some("vault"));
        assert_eq!(nearest("Vault", names), Some("vault"));
        assert_eq!(
            nearest("AWSSecretManager", names),
            Some("awssecretsmanager")
        );
        assert_eq!(nearest("sop", names), Some("sops"));
        assert_eq!(nearest("so", names), None);
        assert_eq!(nearest("gcp", names), None);
        assert_eq!(nearest("", names), None);
    }
}
