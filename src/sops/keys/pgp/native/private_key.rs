//! A file of `private-keys-v1.d`: an S-expression, in gpg's newer form within lines of names and values. It holds the numbers of a
//! key and nothing of OpenPGP, so that it is made a packet with the help of the public key.

use zeroize::Zeroizing;

/// Real ones have four levels.
const MAX_DEPTH: usize = 16;
/// Public key algorithms: RSA in its three forms, and Diffie-Hellman on curves.
const RSA: std::ops::RangeInclusive<u8> = 1..=3;
const ECDH: u8 = 18;
/// Version, time and algorithm come before the numbers of a public key.
const NUMBERS: usize = 6;

/// The secret half of a key.
pub(super) enum PrivateKey {
    /// Its numbers, as a packet has them.
    Plain(Zeroizing<Vec<u8>>),
    /// Behind a passphrase or on a card.
    Locked,
}

/// Reads a file: the number that the public key has as well, and the secret ones.
pub(super) fn parse(bytes: &[u8]) -> Option<(Vec<u8>, PrivateKey)> {
    let text = expression(bytes)?;
    let file = Node::parse(&mut text.as_slice(), MAX_DEPTH)?;
    let [Node::Atom(kind), key, ..] = file.list()? else {
        return None;
    };
    let Node::Atom(algorithm) = key.list()?.first()? else {
        return None;
    };
    let (public, secret): (_, &[&[u8]]) = match algorithm.as_slice() {
        b"rsa" => (&[&b"n"[..], b"e"][..], &[b"d", b"p", b"q", b"u"]),
        b"ecc" | b"ecdh" => (&[&b"q"[..]][..], &[b"d"]),
        _ => return None,
    };
    let numbers: Option<Vec<_>> = match kind.as_slice() {
        b"private-key" => Some(
            secret
                .iter()
                .map(|name| key.value(name))
                .collect::<Option<_>>()?,
        ),
        b"protected-private-key" => {
            imported(key).map(|all| all.into_iter().skip(public.len()).collect())
        }
        b"shadowed-private-key" => None,
        _ => return None,
    };
    let material = number(key.value(public[0])?).to_vec();
    Some((
        material,
        match numbers {
            Some(numbers) => PrivateKey::Plain(packet_numbers(&numbers)?),
            None => PrivateKey::Locked,
        },
    ))
}

/// All numbers of a key that gpg has imported and not used yet: called protected, with no protection.
fn imported(key: &Node) -> Option<Vec<&[u8]>> {
    let [_, Node::Atom(kind), key, ..] = key.field(b"protected")? else {
        return None;
    };
    if **kind != *b"openpgp-native" || key.value(b"protection")? != b"none" {
        return None;
    }
    let (pairs, _) = key.field(b"skey")?.get(1..)?.as_chunks();
    pairs
        .iter()
        .map(|[mark, number]| match (mark, number) {
            (Node::Atom(mark), Node::Atom(number)) if **mark == *b"_" => Some(number.as_slice()),
            _ => None,
        })
        .collect()
}

/// The number of a public key's packet that its secret half repeats: the modulus, or the point.
pub(super) fn material(body: &[u8]) -> Option<&[u8]> {
    let (head, mut numbers) = body.split_at_checked(NUMBERS)?;
    let [4, .., algorithm] = head else {
        return None;
    };
    if *algorithm == ECDH {
        let (size, rest) = numbers.split_first()?;
        numbers = rest.get(usize::from(*size)..)?;
    } else if !RSA.contains(algorithm) {
        return None;
    }
    let (bits, rest) = numbers.split_first_chunk()?;
    let size = usize::from(u16::from_be_bytes(*bits)).div_ceil(8);
    rest.get(..size).map(number)
}

/// The body of a secret key's packet: the public half, no passphrase, the numbers, and their sum.
pub(super) fn packet(public: &[u8], numbers: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut packet = Zeroizing::new(Vec::with_capacity(public.len() + numbers.len() + 3));
    packet.extend_from_slice(public);
    packet.push(0);
    packet.extend_from_slice(numbers);
    let sum = numbers
        .iter()
        .fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    packet.extend_from_slice(&sum.to_be_bytes());
    packet
}

/// A number without the zeros that gpg puts in front of some.
fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// Numbers as packets have them, each with its size in bits.
fn packet_numbers(numbers: &[&[u8]]) -> Option<Zeroizing<Vec<u8>>> {
    let size = numbers.iter().map(|number| number.len() + 2).sum();
    let mut packet = Zeroizing::new(Vec::with_capacity(size));
    for number in numbers.iter().map(|bytes| number(bytes)) {
        let unused = number.first().map_or(0, |first| first.leading_zeros());
        let bits = u32::try_from(number.len()).ok()?.checked_mul(8)? - unused;
        packet.extend_from_slice(&u16::try_from(bits).ok()?.to_be_bytes());
        packet.extend_from_slice(number);
    }
    Some(packet)
}

/// The S-expression of a file: all of it, or what its line `Key:` says, with the lines that go on with it.
fn expression(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if bytes.starts_with(b"(") {
        return Some(Zeroizing::new(bytes.to_vec()));
    }
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let first = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"key:").then_some(value)
    })?;
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len()));
    text.extend_from_slice(first);
    for line in lines.take_while(|line| line.starts_with(b" ") || line.starts_with(b"\t")) {
        text.extend_from_slice(line);
    }
    Some(text)
}

/// A piece of an S-expression.
enum Node {
    List(Vec<Node>),
    Atom(Zeroizing<Vec<u8>>),
}

impl Node {
    /// Reads one piece off the front.
    fn parse(text: &mut &[u8], depth: usize) -> Option<Self> {
        *text = text.trim_ascii_start();
        let (first, rest) = text.split_first()?;
        match first {
            b'(' => {
                let depth = depth.checked_sub(1)?;
                *text = rest;
                let mut nodes = Vec::new();
                loop {
                    *text = text.trim_ascii_start();
                    if let Some(rest) = text.strip_prefix(b")") {
                        *text = rest;
                        return Some(Self::List(nodes));
                    }
                    nodes.push(Self::parse(text, depth)?);
                }
            }
            b'#' => {
                let (digits, rest) = split_once(rest, b'#')?;
                *text = rest;
                hexadecimal(digits).map(Self::Atom)
            }
            b'"' => {
                let (atom, rest) = split_once(rest, b'"')?;
                *text = rest;
                Some(Self::Atom(Zeroizing::new(atom.to_vec())))
            }
            b'0'..=b'9' => {
                let (size, rest) = split_once(text, b':')?;
                let size: usize = str::from_utf8(size).ok()?.parse().ok()?;
                let atom;
                (atom, *text) = rest.split_at_checked(size)?;
                Some(Self::Atom(Zeroizing::new(atom.to_vec())))
            }
            _ => {
                let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"()#\"".contains(byte);
                let size = text.iter().position(is_end).filter(|size| *size > 0)?;
                let atom;
                (atom, *text) = text.split_at(size);
                Some(Self::Atom(Zeroizing::new(atom.to_vec())))
            }
        }
    }

    fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(nodes) => Some(nodes),
            Self::Atom(_) => None,
        }
    }

    /// The list in this one that begins with a name.
    fn field(&self, name: &[u8]) -> Option<&[Self]> {
        let mut lists = self.list()?.iter().filter_map(Self::list);
        lists.find(|list| matches!(list, [Self::Atom(first), ..] if **first == *name))
    }

    /// What follows a name.
    fn value(&self, name: &[u8]) -> Option<&[u8]> {
        match self.field(name)? {
            [_, Self::Atom(value)] => Some(value),
            _ => None,
        }
    }
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = memchr::memchr(at, text)?;
    Some((&text[..position], &text[position + 1..]))
}

/// Bytes from digits, between which lines may break.
fn hexadecimal(digits: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    let mut half = None;
    for digit in digits.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        match half.take() {
            None => half = Some(value),
            Some(first) => bytes.push(16 * first + value),
        }
    }
    half.is_none().then_some(bytes)
}
