#!/bin/sh
# Builds PgBouncer, and the libevent that it needs, from Debian's copies of their releases: build.sh
# FOLDER writes FOLDER/pgbouncer. Needs what building Leadstream needs. Takes half a minute.
set -eu

POOL=https://deb.debian.org/debian/pool/main

target=$1
work=$target/pgbouncer-build
rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd)

# fetch PATH SHA256: unpacks a release in $work.
fetch() {
	file=$work/$(basename "$1")
	if command -v curl >/dev/null; then
		curl --silent --show-error --fail --location --output "$file" "$POOL/$1"
	else
		python3 -c 'import sys, urllib.request as r; r.urlretrieve(*sys.argv[1:])' "$POOL/$1" "$file"
	fi
	found=$(openssl dgst -sha256 -r "$file")
	if [ "${found%% *}" != "$2" ]; then
		echo "$POOL/$1 has the SHA-256 ${found%% *}, not $2" >&2
		exit 1
	fi
	tar -xzf "$file" -C "$work"
}

fetch libe/libevent/libevent_2.1.12-stable.orig.tar.gz \
	92e6de1be9ec176428fd2367677e61ceffc2ee1cb119035037a27d346b0403bb
fetch p/pgbouncer/pgbouncer_1.24.1.orig.tar.gz \
	da72a3aba13072876d055a3e58dd4aba4a5de4ed6148e73033185245598fd3e0

cd "$work/libevent-2.1.12-stable"
./configure --quiet --disable-shared --disable-openssl --disable-samples --disable-libevent-regress \
	--prefix="$work/libevent"
make -s -j2 install >/dev/null

cd "$work/pgbouncer-1.24.1"
PKG_CONFIG_PATH=$work/libevent/lib/pkgconfig ./configure --quiet --without-openssl --without-cares \
	--without-pam
make -s -j2 pgbouncer >/dev/null
cp pgbouncer "$work/../pgbouncer"
rm -rf "$work"
