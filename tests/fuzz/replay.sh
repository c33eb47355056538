#!/bin/sh
# Replays the corpus of every fuzz target: one TAP line per target. Run in the build folder with
# srcdir and FUZZ_PROGRAMS set (make check does).
srcdir=${srcdir:-.}
n=0
failed=0
for program in $FUZZ_PROGRAMS; do
	n=$((n + 1))
	corpus=$srcdir/tests/fuzz/corpus/${program#fuzz-}
	set --
	[ -d "$corpus" ] && set -- "$corpus"
	if said=$("./$program" -runs=0 "$@" 2>&1); then
		echo "ok $n - $program: $(ls "$corpus" 2>/dev/null | wc -l) inputs"
	else
		failed=1
		echo "not ok $n - $program"
		printf '%s\n' "$said" | tail -n 60 | sed 's/^/# /'
	fi
done
if [ "$n" = 0 ]; then
	echo "1..0 # SKIP no fuzz target is built"
else
	echo "1..$n"
fi
exit $failed
