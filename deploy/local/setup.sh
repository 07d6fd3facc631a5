#!/bin/sh
# Installs what building and running Leadstream on this machine needs and does not find: with apt
# on Debian and Ubuntu (as root, or with a sudo that asks nothing), with Homebrew on macOS. What it
# cannot install it names with the command that does. Asks nothing; quick when all is there.
set -eu

RUST=1.95
RUSTUP_COMMAND="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"

cd "$(dirname "$0")/../.."
PATH="${HOME:-/root}/.cargo/bin:$PATH"

has() { command -v "$1" >/dev/null 2>&1; }

fail() {
	printf 'set-up: %s\n' "$@" >&2
	exit 1
}

# The major version that the launcher $1 prints, or nothing.
java_major() {
	"$1" -version 2>&1 | sed -n 's/.*version "1\.\([0-9]*\).*/\1/p;t
s/.*version "\([0-9]*\).*/\1/p' | head -n 1
}

# The same places in which Leadstream looks for Java.
has_java() {
	for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || :)" \
		/opt/homebrew/opt/openjdk*/bin/java /usr/local/opt/openjdk*/bin/java; do
		if [ -x "$java" ]; then
			major=$(java_major "$java")
			[ "${major:-0}" -ge 17 ] && return 0
		fi
	done
	return 1
}

has_venv() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

has_openssl() { pkg-config --exists openssl >/dev/null 2>&1; }

# apt-cache succeeds for a package that others merely mention, so its output counts.
offers() { [ -n "$(apt-cache show "$1" 2>/dev/null)" ]; }

# Debian's and Ubuntu's packages for what is missing.
missing_apt() {
	if ! has cc || ! has c++ || ! has make; then echo build-essential; fi
	has pkg-config || echo pkg-config
	has pkg-config && has_openssl || echo libssl-dev
	if ! has_java; then
		if ! offers openjdk-17-jre-headless && offers openjdk-21-jre-headless; then
			echo openjdk-21-jre-headless
		else
			echo openjdk-17-jre-headless
		fi
	fi
	has mvn || echo maven
	has_venv || echo python3-venv
	if ! has cargo; then
		if offers rustup; then
			echo rustup
		else
			has curl || echo curl
		fi
	fi
}

setup_apt() {
	packages=$(missing_apt | tr '\n' ' ')
	[ -n "$packages" ] || return 0
	if [ "$(id -u)" -eq 0 ]; then
		sudo=
	elif has sudo && sudo -n true 2>/dev/null; then
		sudo="sudo -n"
	else
		fail "missing: $packages" "run: sudo apt-get update && sudo apt-get install -y $packages"
	fi
	echo "set-up: installing what is missing"
	$sudo apt-get update -q
	# An empty list of packages knows none; now it knows them all.
	packages=$(missing_apt | tr '\n' ' ')
	echo "set-up: installing $packages"
	# shellcheck disable=SC2086 # one word per package
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
}

setup_brew() {
	xcode-select -p >/dev/null 2>&1 || fail "no C compiler: run: xcode-select --install"
	packages=
	has pkg-config || packages="$packages pkgconf"
	has pkg-config && has_openssl || packages="$packages openssl@3"
	has_java || packages="$packages openjdk@17"
	has mvn || packages="$packages maven"
	has_venv || packages="$packages python3"
	[ -n "$packages" ] || return 0
	has brew || fail "missing:$packages" "install Homebrew, then run: brew install$packages"
	echo "set-up: installing$packages"
	# shellcheck disable=SC2086 # one word per package
	NONINTERACTIVE=1 brew install --quiet $packages
}

# Neither apt nor Homebrew: names what is missing.
name_missing() {
	missing=
	for program in cc c++ make pkg-config mvn python3; do
		has "$program" || missing="$missing $program"
	done
	has_java || missing="$missing java(17+)"
	has_openssl || missing="$missing OpenSSL's-headers"
	has_venv || missing="$missing python3's-venv"
	[ -z "$missing" ] || fail "install with this system's package manager:$missing"
}

# rustup brings the toolchain that rust-toolchain.toml names by itself; without rustup, cargo has to
# be new enough.
check_rust() {
	has cargo || fail "Rust is missing; run: $RUSTUP_COMMAND"
	version=$(cargo --version) || fail "Rust $RUST is missing; run: rustup toolchain install"
	numbers=${version#cargo }
	major=${numbers%%.*}
	rest=${numbers#*.}
	minor=${rest%%.*}
	if [ "$major" -eq 1 ] && [ "$minor" -lt "${RUST#1.}" ]; then
		fail "$version is too old, $RUST is needed; run: $RUSTUP_COMMAND"
	fi
}

case $(uname -s) in
Darwin) setup_brew ;;
*) if has apt-get; then setup_apt; else name_missing; fi ;;
esac
check_rust
