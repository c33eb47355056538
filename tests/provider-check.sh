#!/bin/sh
# Runs the examples of every provider manifest: a signed request in, the expected records out. Prints
# TAP. Run in the build folder with srcdir set (make check does).
for manifest in "${srcdir:-.}"/providers/*.json; do
	said=$(./connectctl provider check "$manifest" 2>&1)
	status=$?
	printf '%s\n' "$said" | sed -E "s|^((not )?ok) [0-9]+ - |\\1 0 - $(basename "$manifest" .json): |"
	if [ $status != 0 ] && ! printf '%s\n' "$said" | grep -q '^not ok'; then
		echo "not ok 0 - $manifest: ended with status $status"
	fi
done | awk '
	/^1\.\./ { next }
	/^(not )?ok / { n++; sub(/ok 0/, "ok " n); failed += /^not/ }
	{ print }
	END { print "1.." n + 0; exit failed > 0 }'
