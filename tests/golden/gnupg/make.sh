#!/usr/bin/env bash
# Makes the folders and messages beside this script anew, with the gpg of this machine (last: 2.2.40). Every key is a test key
# that protects nothing; that of locked@ has the passphrase "correct horse".
#
#   home      as gpg makes it today: a keybox, secret keys between names and values
#   imported  secret keys as gpg --batch --import leaves them until they are used, and a keyring of the older form
#   older     secret keys as bare S-expressions, one of them used
#   legacy    secring.gpg and pubring.gpg, as gpg 1 and 2.0 have them
#   *.asc     public.asc and secret.asc hold all unlocked keys, locked.asc the other one
#   fingerprints.txt  each key and its subkey
#   choices   keys with several subkeys, expired or revoked; choices.txt says which subkey gpg takes ("-": none)
#   entries   what a password store has for the keys rsa and curve, by the names of its tests
#   messages  the text below for one key, several, a hidden one, and in each way gpg knows
set -euo pipefail
cd "$(dirname "$0")"
share='a share of thirty-two bytes, or so'
work=$(mktemp -d)
trap 'for home in "$work"/*/; do gpgconf --homedir "$home" --kill gpg-agent; done; rm -rf "$work"' EXIT

at() { export GNUPGHOME=$work/$1; mkdir -p -m 700 "$GNUPGHOME"; }
g() { gpg --faked-system-time 20250101T000000! --batch --yes --quiet --pinentry-mode loopback --trust-model always "$@"; }
first() { gpg --list-keys --with-colons "$1@example.invalid" | awk -F: '/^fpr/ { print $10; exit }'; }
make() { # make NAME PRIMARY SUBKEY PASSPHRASE
  g --passphrase "$4" --quick-generate-key "$1 test only (protects nothing) <$1@example.invalid>" "$2" cert,sign never
  g --passphrase "$4" --quick-add-key "$(first "$1")" "$3" encr never
}

at home
make rsa rsa2048 rsa2048 ''
make curve ed25519 cv25519 ''
for bits in 256 384 521; do make "nistp$bits" "nistp$bits" "nistp$bits" ''; done
make locked ed25519 cv25519 'correct horse'
unlocked=(rsa@example.invalid curve@example.invalid nistp256@example.invalid nistp384@example.invalid nistp521@example.invalid)
g --armor --export "${unlocked[@]}" > public.asc
g --armor --export-secret-keys "${unlocked[@]}" > secret.asc
g --passphrase 'correct horse' --armor --export-secret-keys locked@example.invalid > locked.asc
for name in rsa curve nistp256 nistp384 nistp521 locked; do
  echo "$name" $(gpg --list-keys --with-colons "$name@example.invalid" | awk -F: '/^fpr/ { print $10 }')
done > fingerprints.txt
g --export "${unlocked[@]}" > "$work/public"
g --export-secret-keys rsa@example.invalid curve@example.invalid > "$work/secret"

at choices
at_time() { local time=$1; shift; g --faked-system-time "${time}T000000!" --passphrase '' "$@"; }
subkey() { at_time "$2" --quick-add-key "$(first "$1")" "$3" encr "${4:-never}"; }
revoke() { printf '%s\n' "$2" revkey y 0 '' y save | at_time 20250601 --command-fd 0 --edit-key "$(first "$1")"; }
for name in newest expired revoked-subkey revoked over primary; do
  kind=ed25519 use=cert,sign expire=never
  [ "$name" != over ] || expire=30d
  [ "$name" != primary ] || kind=rsa2048 use=cert,encr
  at_time 20240101 --quick-generate-key "$name@example.invalid" "$kind" "$use" "$expire"
done
for name in newest expired revoked-subkey revoked over; do subkey "$name" 20240102 cv25519; done
subkey newest 20240103 cv25519
subkey expired 20240103 cv25519 30d
subkey revoked-subkey 20240103 cv25519
revoke revoked-subkey 'key 2'
revoke revoked 'key 0'
gpg --armor --export > choices.asc
for name in newest expired revoked-subkey revoked over primary; do
  taken=$(printf x | g --encrypt -r "$name@example.invalid" 2>/dev/null | gpg --list-packets 2>/dev/null | sed -n 's/.*keyid //p' | head -n 1 || true)
  echo "$name $(first "$name") ${taken:--}"
done > choices.txt

at home
rm -rf messages && mkdir messages
seal() { local name=$1; shift; printf '%s' "$share" | g --armor --encrypt "$@" > "messages/$name.asc"; }
for name in rsa curve nistp256 nistp384 nistp521 locked; do seal "$name" -r "$name@example.invalid"; done
seal several -r locked@example.invalid -r rsa@example.invalid -r curve@example.invalid
seal hidden -R curve@example.invalid
seal hidden-among -R locked@example.invalid -R rsa@example.invalid
for cipher in 3DES CAST5 BLOWFISH AES AES192 AES256 TWOFISH CAMELLIA128 CAMELLIA192 CAMELLIA256 IDEA; do
  seal "$cipher" -r curve@example.invalid --cipher-algo "$cipher"
done
for way in none zip zlib; do seal "compressed-$way" -r curve@example.invalid --compress-algo "$way"; done
seal no-integrity -r curve@example.invalid --rfc2440 --cipher-algo AES || true
rm -rf entries && mkdir entries
entry() { local name=$1; shift; g --encrypt -r rsa@example.invalid -r curve@example.invalid "$@" > "entries/$name.gpg"; }
printf 'cnry-value-v7q2-now\nuser: shop\n' | entry lines
printf 'cnry-value-v7q2-now\n' | entry armored --armor
printf 'cnry-value-v7q2-now\n' | entry hidden --throw-keyids
printf 'x%.0s' {1..60000} | entry large
printf '' | entry empty
printf 'cnry-value-v7q2-now\n' | g --encrypt -r locked@example.invalid > entries/locked.gpg
printf '%s' "$share" | g --armor --sign -u curve@example.invalid > messages/signed-only.asc
seal signed -r curve@example.invalid --sign -u curve@example.invalid
printf '%s' "$share" | g --armor --symmetric --passphrase x > messages/passphrase.asc

keep() { # keep NAME FILE...: parts of a folder
  local name=$1
  shift
  rm -rf "$name" && mkdir "$name"
  (cd "$work/$name" && cp -r "$@" "$OLDPWD/$name/")
  rm -f "$name"/*/*~ "$name"/*~
}
keep home pubring.kbx private-keys-v1.d

at imported
cp "$work/public" "$GNUPGHOME/pubring.gpg"
gpg --batch --quiet --import "$work/secret"
keep imported pubring.gpg private-keys-v1.d

at older
echo disable-extended-key-format > "$GNUPGHOME/gpg-agent.conf"
gpg --batch --quiet --import "$work/secret"
g --decrypt messages/curve.asc > "$work/out"
keep older pubring.kbx private-keys-v1.d

at legacy
cp "$work/public" "$GNUPGHOME/pubring.gpg"
cp "$work/secret" "$GNUPGHOME/secring.gpg"
keep legacy secring.gpg pubring.gpg
