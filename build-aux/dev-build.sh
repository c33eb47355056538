# shellcheck shell=bash
# Part of ./dev: a tree of links, and the builds made from it.

# The build's source folder is a tree of links, so that autoreconf writes under the state too. Programs
# run from it as well where the checkout's own path has odd characters.
link_tree() {
	local entry list=$src/build-aux/lists.am
	mkdir -p "$tree/build-aux"
	# What the lists name, by its first folder; autoreconf adds files of its own to build-aux.
	for entry in Makefile.am configure.ac $(sed -n '/^# ---- written/,$ s|^\t\([^ ]*\).*|\1|p' "$list" |
		sed 's|^\(build-aux/[^/]*\).*|\1|; t; s|/.*||' | sort -u); do
		if [ -e "$src/$entry" ] && [ "$(readlink "$tree/$entry")" != "$src/$entry" ]; then
			ln -sfn "$src/$entry" "$tree/$entry"
		fi
	done
	ln -sfn "$list" "$tree/build-aux/lists.am"
}

make_tree() {
	local list=$src/build-aux/lists.am
	link_tree
	if [ ! -x "$tree/configure" ] || [ "$src/configure.ac" -nt "$tree/configure" ]; then
		logged autoreconf "$state/log/autoreconf.log" autoreconf -fi "$tree"
	# Files came or went: what configure found out stands.
	elif [ "$src/Makefile.am" -nt "$tree/Makefile.in" ] || [ "$list" -nt "$tree/Makefile.in" ]; then
		logged automake "$state/log/automake.log" env -C "$tree" automake
	fi
}

# logged NAME LOG COMMAND…: quiet, unless it fails.
logged() {
	local name=$1 log=$2
	shift 2
	if ! "$@" >"$log" 2>&1 9>&-; then
		tail -n 30 "$log" >&2
		die "$name failed (log: $log)"
	fi
}

# build_variant NAME TARGET
build_variant() {
	local variant=$1 folder args=() jobs
	shift
	folder=$(build_folder "$variant")
	case $variant in
	normal) args=(CC=gcc) ;;
	# Of other places too, so that none is taken for granted.
	clang) args=(CC=clang --enable-werror --prefix=/opt/connect --sysconfdir=/etc/opt --localstatedir=/var/opt) ;;
	sanitizers) args=(CC=gcc --enable-sanitizers "CFLAGS=-g -O1") ;;
	*) die "no such variant: $variant (normal, clang, sanitizers)" ;;
	esac
	make_tree
	# Objects of other flags, or of a folder that was moved, are of no use.
	[ "$(cat "$folder/configured" 2>/dev/null)" = "$tree ${args[*]}" ] || rm -rf "$folder"
	if [ ! -e "$folder/configured" ]; then
		mkdir -p "$folder"
		say "Building ($variant; the first time takes a minute or two)"
		(cd "$folder" && logged configure "$state/log/configure-$variant.log" "$tree/configure" \
			-q --prefix=/usr --sysconfdir=/etc --localstatedir=/var "${args[@]}")
		printf '%s\n' "$tree ${args[*]}" >"$folder/configured"
	fi
	jobs=$(nproc 2>/dev/null || echo 2)
	logged make "$state/log/make-$variant.log" make -C "$folder" -j"$jobs" "$@"
}

build_folder() {
	if [ "$1" = normal ]; then
		printf '%s\n' "$state/build"
	else
		printf '%s\n' "$state/build-$1"
	fi
}
