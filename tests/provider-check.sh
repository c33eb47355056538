#!/bin/sh
# Runs the examples of every provider manifest: a signed request in, the expected records out. Prints
# TAP. Run in the build folder with srcdir set (make check does).
exec ./connectctl provider check "${srcdir:-.}"/providers/*.json
