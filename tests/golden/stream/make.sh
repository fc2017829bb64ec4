#!/usr/bin/env bash
# Encrypts the plain files here with the real sops, as the guides of Flux say it. Usage: PATH=FOLDER-OF-SOPS:$PATH ./make.sh
set -euo pipefail
cd "$(dirname "$0")"
export SOPS_DISABLE_VERSION_CHECK=1
recipient=$(grep -o 'age1[a-z0-9]*' test.agekey)
encrypt() { sops encrypt --age "$recipient" "${@:3}" "$1" > "$2"; }
encrypt secret.plain.yaml secret.yaml --encrypted-regex '^(data|stringData)$'
encrypt secret.plain.yaml all.yaml
encrypt multi.plain.yaml multi.yaml --encrypted-regex '^(data|stringData)$'
encrypt types.plain.yaml types.yaml --encrypted-regex '^spec$'
encrypt config.plain.json config.json --encrypted-regex '^(stringData|spec)$'
encrypt files.plain.env files.env
encrypt shop.plain.yaml shop.enc.yaml
encrypt config.plain.json whole.json
