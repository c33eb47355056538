# shellcheck shell=bash
# Part of ./dev: the Debian packages that are missing, and how they are installed.

# package|alternative: why. Of MariaDB the -core packages and of Apache the -bin bring no system service; those
# of lighttpd and nginx are kept from starting below.
packages_build='
autoconf: build
automake: build
make: build
gcc: build
libc6-dev: build
pkg-config|pkgconf: build
libfcgi-dev: build (FastCGI)
libmariadb-dev: build (database client)
libjansson-dev: build (JSON)
libcurl4-gnutls-dev|libcurl4-openssl-dev|libcurl4-nss-dev: build (HTTP client)
libgnutls28-dev: build (cryptography)
libcrypt-dev: build (password hashes)
libjwt-gnutls-dev: build (tokens)
libutf8proc-dev: build (text folding)
libcsv-dev: build (CSV)
zlib1g-dev: build (coded bodies)
libqrencode-dev: build (QR codes)
libcunit1-dev: build (unit tests)'
packages_run='
mariadb-server-core: run (a private database)
mariadb-client-core: run (to set the database up)
tzdata: run (time zones)
lighttpd: run (the web server in front)
lighttpd-mod-deflate: run (packed style sheets)
curl: run (to talk to the product)
openssl: run (secrets and signatures)
ca-certificates: run (TLS to providers)'
packages_test='
clang: test (second compiler)
clang-format: test (lint)
python3: test (lints, HTTP tests)
chromium: test (browser)
chromium-driver: test (browser)
fonts-dejavu-core: test (browser)
nginx: test (samples)
apache2-bin: test (samples)
libapache2-mod-fcgid: test (samples)'
packages_bench='
python3: bench'

# missing LIST → "package why" lines of those that are not installed
missing() {
	local line names why name installed
	installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' 2>/dev/null || true)"
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		names=${line%%: *}
		why=${line#*: }
		for name in ${names//|/ }; do
			[[ $installed == *" installed:$name "* ]] && continue 2
		done
		printf '%s\t%s\n' "${names%%|*}" "$why"
	done <<<"$1"
}

# install LISTS: Debian packages, by root or sudo, after saying which and why.
install_packages() {
	local wanted names=() name why root=()
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		[ -e "$state/not-debian" ] || say "This is not Debian: taking it that the packages of README.md are installed."
		: >"$state/not-debian"
		return 0
	fi
	wanted=$(missing "$1")
	[ -n "$wanted" ] || return 0
	say "These Debian packages are missing and will be installed now:"
	while IFS=$'\t' read -r name why; do
		printf '  %-22s to %s\n' "$name" "$why"
		names+=("$name")
	done <<<"$wanted"
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || die "that takes root, and there is no sudo. As root: apt-get install --no-install-recommends ${names[*]}"
		root=(sudo)
		say "Installing takes root: sudo may ask for your password."
	fi
	say "No system service is started by this."
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive bash -s -- "${names[@]}" <<'ROOT' >"$state/log/install.log" 2>&1 9>&- ||
set -u
policy=/usr/sbin/policy-rc.d
mark='# left by the dev script of Connect while it installs packages'
restore() {
	if [ -e "$policy" ] && grep -qxF "$mark" "$policy"; then
		rm -f "$policy"
		[ ! -e "$policy.before-connect" ] || mv "$policy.before-connect" "$policy"
	fi
}
restore			# of a run that was killed
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]; }
new=
for service in lighttpd nginx; do
	installed "$service" || new="$new $service"
done
trap restore EXIT
trap 'exit 1' INT TERM HUP
[ ! -e "$policy" ] || mv "$policy" "$policy.before-connect"
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
chmod 755 "$policy"
get() { apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "$@" </dev/null; }
if ! apt-get -q -s --no-install-recommends install "$@" >/dev/null 2>&1; then
	apt-get -q -o DPkg::Lock::Timeout=300 update || exit 1
	get "$@" || exit 1
elif ! get "$@"; then
	apt-get -q -o DPkg::Lock::Timeout=300 update || exit 1
	get "$@" || exit 1
fi
# Debian would start its own at the next boot; nobody asked for that.
for service in $new; do
	installed "$service" || continue
	update-rc.d "$service" disable || true
	deb-systemd-helper disable "$service.service" || true
done
exit 0
ROOT
	{
		tail -n 30 "$state/log/install.log" >&2
		die "the packages could not be installed (log: $state/log/install.log)"
	}
}
