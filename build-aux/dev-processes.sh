# shellcheck shell=bash
# Part of ./dev: starting, finding and stopping the processes of this state folder, and no other.
#
# run/NAME.pid holds "pid start-time": the process is ours only if both agree and its command line
# names the program. Each is the leader of a session, by which its children are found.

# stat_of PID → "state session start-time", or fails
stat_of() {
	local line
	line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	line=${line##*) }
	# shellcheck disable=SC2086
	set -- $line
	printf '%s %s %s\n' "$1" "$4" "${20}"
}

names_program() {	# PID NAME: does its command line name the program?
	tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- "$(program_of "$2")"
}

program_of() {
	case $1 in
	fcgi) echo connect-fcgi ;;
	cron) echo connect-cron ;;
	sandbox) echo connect-sandbox ;;
	mariadb) echo mariadbd ;;
	*) echo "$1" ;;
	esac
}

# pid_of NAME → its pid while it lives
pid_of() {
	local pid start st
	read -r pid start 2>/dev/null <"$run/$1.pid" || return 1
	st=$(stat_of "$pid") || return 1
	[[ $st != Z* ]] && [ "${st##* }" = "$start" ] && names_program "$pid" "$1" || return 1
	printf '%s\n' "$pid"
}

# Members of the sessions that the recorded processes led, the leader included.
session_members() {
	local pid start st other
	read -r pid start 2>/dev/null <"$run/$1.pid" || return 0
	# The number belongs to someone else by now: then nothing of ours is left in that session.
	if st=$(stat_of "$pid") && [ "${st##* }" != "$start" ]; then
		return 0
	fi
	{ cat /proc/[0-9]*/stat 2>/dev/null || true; } |	# some process always ends meanwhile
		awk -v leader="$pid" '{
			pid = $1
			sub(/.*\) /, "")
			if ($4 == leader && $1 != "Z")
				print pid
		}' |
		while read -r other; do
			! names_program "$other" "$1" || printf '%s\n' "$other"
		done
}

# start NAME SIGNATURE COMMAND…
start() {
	local name=$1 signature=$2 pid st end=$((SECONDS + 10))
	shift 2
	env -u CONNECT_STATE -u CONNECT_PORT -u CONNECT_SANDBOX_PORT -u CONNECT_BUILD \
		-u CONNECT_DB_MEMORY_MB setsid "$@" </dev/null >>"$state/log/$name.log" 2>&1 9>&- &
	pid=$!
	# Until it has become the program it would pass for a stranger.
	while ! names_program "$pid" "$name" && stat_of "$pid" >/dev/null && [ "$SECONDS" -lt "$end" ]; do
		sleep 0.01
	done
	if st=$(stat_of "$pid"); then
		printf '%s %s\n' "$pid" "${st##* }" >"$run/$name.pid"
		printf '%s\n' "$signature" >"$run/$name.signature"
	fi
}

# stop NAME [SECONDS]: TERM, then KILL; also what a killed leader left behind.
stop() {
	local name=$1 patience=${2:-15} pid members end
	[ -e "$run/$name.pid" ] || return 0
	if pid=$(pid_of "$name"); then
		kill -TERM "$pid" 2>/dev/null || true
	else
		members=$(session_members "$name")
		# shellcheck disable=SC2086
		[ -z "$members" ] || kill -TERM $members 2>/dev/null || true
	fi
	end=$((SECONDS + patience))
	while members=$(session_members "$name") && [ -n "$members" ]; do
		if [ "$SECONDS" -ge "$end" ]; then
			# shellcheck disable=SC2086
			kill -KILL $members 2>/dev/null || true
		fi
		sleep 0.05
	done
	rm -f "$run/$name.pid" "$run/$name.signature"
}

# ensure NAME SIGNATURE COMMAND…: running, and with this signature.
ensure() {
	if pid_of "$1" >/dev/null && [ "$(cat "$run/$1.signature" 2>/dev/null)" = "$2" ]; then
		return 0
	fi
	stop "$1"
	start "$@"
}

# What a process was started from: when it changes, the process is restarted.
signature() {
	{
		cat "$@"
		env | grep '^CONNECT_' | grep -vE '^CONNECT_(STATE|PORT|SANDBOX_PORT|BUILD|DB_MEMORY_MB)=' | sort
	} 2>/dev/null | sha256sum | cut -d' ' -f1
}

# wait_for SECONDS NAME WHAT COMMAND…: until the command succeeds; NAME must stay alive meanwhile.
wait_for() {
	local end=$((SECONDS + $1)) name=$2 what=$3
	shift 3
	until "$@" >/dev/null 2>&1; do
		if ! pid_of "$name" >/dev/null || [ "$SECONDS" -ge "$end" ]; then
			"$@" >/dev/null 2>&1 && return 0
			tail -n 25 "$state/log/$name.log" >&2
			die "$what (log: $state/log/$name.log)"
		fi
		sleep 0.05
	done
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
