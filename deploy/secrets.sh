#!/bin/sh
# Makes the secrets of deploy/compose.yaml that can be made, under deploy/secrets, and keeps what is there. Write the
# secrets of your Meta app and your CRM into its files yourself. The containers run as 65532, so they may be read.
set -eu
cd "$(dirname "$0")"
umask 022
mkdir -p secrets
chmod 700 secrets
make() { [ -s "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"; }
make postgres_password "$(openssl rand -hex 24)"
make database_url "postgres://leadstream:$(cat secrets/postgres_password)@postgres/leadstream"
make erasure_key "$(openssl rand -hex 32)"
make meta_verify_token "$(openssl rand -hex 16)"
make api_token "$(openssl rand -hex 32)"
hash=$(openssl dgst -sha256 -r <secrets/api_token | cut -d ' ' -f 1)
make api_token_hashes "- { name: operator, sha256: $hash, scopes: ['leads:read', 'leads:write'] }"
for name in meta_app_secret meta_access_token hubspot_access_token; do
	[ -s "secrets/$name" ] || printf 'write %s\n' "deploy/secrets/$name" >&2
	touch "secrets/$name"
done
