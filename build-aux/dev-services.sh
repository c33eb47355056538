# shellcheck shell=bash
# Part of ./dev: the database, the configuration, the web server, the sandbox, the first account.

sql() { mariadb --no-defaults --socket="$run/mariadb.sock" --user=root --batch --skip-column-names "$@"; }

# A secret made once: secret NAME
secret() {
	local file=$state/secrets/$1
	mkdir -p "$state/secrets"
	if [ ! -s "$file" ]; then
		openssl rand -hex "${2:-20}" >"$file.new"
		mv "$file.new" "$file"
	fi
	cat "$file"
}

database_up() {
	local pool=${CONNECT_DB_MEMORY_MB:-} log_size user=()
	if [ -z "$pool" ]; then
		pool=$(awk '/^MemTotal:/ {m = int($2 / 8192); print (m > 1024 ? 1024 : m < 64 ? 64 : m)}' /proc/meminfo)
	fi
	log_size=$((pool / 2))
	[ "$(id -u)" != 0 ] || user=(user=root)
	mkdir -p "$base/mariadb-tmp"
	write "$state/mariadb.cnf" <<CNF
[mariadbd]
datadir=$base/mariadb
socket=$run/mariadb.sock
pid-file=$base/mariadb-tmp/mariadbd.pid
tmpdir=$base/mariadb-tmp
log-error=$base/log/mariadb.log
${user[*]:-}
skip-networking
skip-name-resolve
character-set-server=utf8mb4
collation-server=utf8mb4_bin
transaction-isolation=READ-COMMITTED
max-allowed-packet=32M
max-connections=250
performance-schema=OFF
innodb-buffer-pool-size=${pool}M
innodb-log-file-size=${log_size}M
innodb-flush-log-at-trx-commit=1
innodb-io-capacity=2000
innodb-ft-enable-stopword=OFF
innodb-ft-min-token-size=2
sync-binlog=0
CNF
	if [ ! -d "$state/mariadb" ]; then
		say "Making the database"
		rm -rf "$state/mariadb.new"
		logged "making the database" "$state/log/mariadb-install.log" mariadb-install-db --no-defaults \
			--datadir="$base/mariadb.new" --auth-root-authentication-method=normal \
			--skip-test-db --skip-name-resolve --force ${user[0]:+--user=root}
		mv "$state/mariadb.new" "$state/mariadb"
	fi
	ensure mariadb "$(signature "$state/mariadb.cnf")" mariadbd --defaults-file="$base/mariadb.cnf"
	wait_for 120 mariadb "the database did not start" sql -e 'SELECT 1'
	sql <<SQL
CREATE DATABASE IF NOT EXISTS \`connect\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'connect'@'localhost';
ALTER USER 'connect'@'localhost' IDENTIFIED BY '$(secret db-password)';
GRANT ALL PRIVILEGES ON \`connect\`.* TO 'connect'@'localhost';
SQL
}

# write FILE: replaces it from standard input, only when it would change
write() {
	cat >"$1.new"
	if cmp -s "$1.new" "$1"; then
		rm -f "$1.new"
	else
		mv "$1.new" "$1"
	fi
}

write_config() {
	write "$state/connect.conf" <<CONF
# Written by ./dev up.
db_socket = $run/mariadb.sock
db_user = connect
db_password = $(secret db-password)
db_name = connect
base_url = $url
listen = $run/fcgi.sock
state_dir = $base
key_file = $base/keys
providers_dir = $product/providers
templates_dir = $product/templates
static_dir = $product/static
migrations_dir = $product/db/migrations
egress_allow_loopback = true
sandbox = $([ "$with_sandbox" = yes ] && echo true || echo false)
sandbox_url = $([ "$with_sandbox" = yes ] && echo "$sandbox_url")
provider_origins = $([ "$with_sandbox" = yes ] && provider_origins)
CONF
}

# Every provider that the sandbox plays is called there; see connect.conf(5).
played="meta_lead_ads google_ads linkedin_ads tiktok_ads hubspot salesforce google_calendar twilio zoom slack
whatsapp stripe shopify zendesk"
provider_origins() {
	local name list=''
	for name in $played; do
		list="$list${list:+, }$name=$sandbox_url/$name"
	done
	printf '%s\n' "$list"
}

ctl() { "$build/connectctl" -c "$base/connect.conf" "$@"; }

# member KEY: a text member of the flat JSON object on standard input; json FILE KEY: of a file
member() {
	awk -v key="$1" '!found && match($0, "\"" key "\" *: *\"[^\"]*\"") {
		found = 1
		split(substr($0, RSTART + length(key) + 2, RLENGTH), part, "\"")
		print part[2]
	}'
}
json() { [ ! -r "$1" ] || member "$2" <"$1"; }

api() {	# METHOD PATH [BODY]
	curl -sS --max-time 20 -X "$1" -H "x-api-key: $api_key" -H 'Content-Type: application/json' \
		${3:+--data "$3"} "$url/connect/v1$2"
}
api_answers() {	# STATUS PATH
	[ "$(curl -s -o /dev/null --max-time 20 -w '%{http_code}' -H "x-api-key: $api_key" "$url/connect/v1$2")" = "$1" ]
}

# uuid_of "SELECT id …": BINARY(16) as text
uuid_of() { sql connect -e "SELECT LOWER(HEX(id)) FROM ($1) q LIMIT 1" | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12})$/\1-\2-\3-\4-\5/'; }

account_up() {
	local file=$state/credentials.json made password email=admin@example.com account
	api_key=$(json "$file" apiKey)
	account=$(json "$file" accountId)
	password=$(secret admin-password 8)
	if [ -z "$api_key" ] || ! api_answers 200 /me; then
		account=$(uuid_of "SELECT m.account_id AS id FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = '$email'")
		if [ -z "$account" ]; then
			made=$(ctl account create --name "My company" --email "$email" --password-stdin \
				--json <<<"$password") || die "the first account could not be made"
			account=$(member accountId <<<"$made")
		else
			ctl user password --email "$email" --password-stdin <<<"$password" >/dev/null ||
				die "the password of $email could not be set"
		fi
		made=$(ctl api-key create --account "$account" --name dev --all --json) ||
			die "the API key could not be made"
		api_key=$(member key <<<"$made")
		[ -n "$api_key" ] || die "no API key in: $made"
	fi
	local sandbox_json=null
	[ "$with_sandbox" = no ] || sandbox_json="\"$sandbox_url\""
	write "$file" <<JSON
{"url":"$url","email":"$email","password":"$password","apiKey":"$api_key","accountId":"$account","sandboxUrl":$sandbox_json}
JSON
	account_id=$account
}

# connection TYPE NAME CREDENTIALS SETTINGS → its id: found again by name, made otherwise
connection() {
	local id answer
	id=$(uuid_of "SELECT id FROM connections WHERE account_id = UNHEX('${account_id//-/}') AND provider_type = '$1' AND name = '$2'")
	if [ -n "$id" ]; then
		if [ "$(cat "$state/sandbox-at" 2>/dev/null)" != "$sandbox_url/" ]; then
			answer=$(api PATCH "/connections/$id" "{\"credentials\":$3,\"settings\":$4}")
			[[ $answer == *"$id"* ]] || die "the connection \"$2\" could not be changed: $answer"
		fi
	else
		answer=$(api POST "/providers/$1/connect" "{\"name\":\"$2\",\"credentials\":$3,\"settings\":$4}")
		id=$(member id <<<"$answer")
		[ -n "$id" ] || die "the connection \"$2\" could not be made: $answer"
	fi
	printf '%s\n' "$id"
}

page_id=153125381133
form_id=123123123

connections_up() {
	local at="http://127.0.0.1:$sandbox_port" app_secret verify_token connections
	app_secret=$(secret meta-app-secret 16)
	verify_token=$(secret meta-verify-token 12)
	meta_id=$(connection meta_lead_ads "Sandbox page" \
		"{\"accessToken\":\"sandbox-page-token\",\"webhookSecret\":\"$app_secret\",\"verifyToken\":\"$verify_token\"}" \
		"{\"externalAccountId\":\"$page_id\",\"baseUrl\":\"$at/meta_lead_ads\"}")
	crm_id=$(connection custom_crm "Sandbox CRM" '{}' \
		"{\"url\":\"$at/crm/sandbox\",\"method\":\"POST\",\"headers\":{},\"auth\":{\"type\":\"none\"}}")
	printf "%s\n" "$sandbox_url/" >"$state/sandbox-at"
	connections=$(CONNECT_STATE=$base "$build/connect-sandbox" connect --url "$url" --key "$api_key") ||
		die "the sandbox's connections could not be made"
	write "$state/sandbox.json" <<JSON
{"productUrl":"$url","metaConnectionId":"$meta_id","metaAppSecret":"$app_secret","metaVerifyToken":"$verify_token","pageId":"$page_id","formId":"$form_id","crmConnectionId":"$crm_id","secrets":{"meta_lead_ads":"$app_secret"},"connections":$connections}
JSON
}

sandbox_up() {
	mkdir -p "$state/sandbox"
	ensure sandbox "$(signature "$build/connect-sandbox" "$src"/templates-sandbox/*)" \
		"$build/connect-sandbox" -s "$run/sandbox.sock" -d "$base/sandbox" -c "$base/sandbox.json" \
		-t "$product/templates-sandbox"
	wait_for 30 sandbox "the sandbox did not start" test -S "$run/sandbox.sock"
}

# The web server's configuration; the part between the two sandbox marks only with a sandbox.
write_lighttpd() {
	local cut=()
	[ "$with_sandbox" = yes ] || cut=(-e '/^# sandbox begin/,/^# sandbox end/d')
	mkdir -p "$state/uploads"
	sed "${cut[@]}" -e "s|@STATE@|$base|g" -e "s|@PORT@|$port|g" -e "s|@SRC@|$product|g" \
		-e "s|@SOCKET@|$run/fcgi.sock|g" -e "s|@SANDBOX_PORT@|$sandbox_port|g" \
		-e "s|@SANDBOX_SOCKET@|$run/sandbox.sock|g" "$src/contrib/lighttpd/dev.conf.in" |
		write "$state/lighttpd.conf"
}

# The ports must be free, or held by our own web server, before anything is started for their sake.
claim_ports() {
	local key number held='' keys=(CONNECT_PORT)
	[ "$with_sandbox" = no ] || keys+=(CONNECT_SANDBOX_PORT)
	! pid_of lighttpd >/dev/null ||
		held=" $(sed -n 's/^$SERVER\["socket"\] == "127\.0\.0\.1:\([0-9]*\)".*/\1/p' "$state/lighttpd.conf" | tr '\n' ' ')"
	for key in "${keys[@]}"; do
		number=$port
		[ "$key" = CONNECT_PORT ] || number=$sandbox_port
		[[ $held != *" $number "* ]] || continue
		! port_answers "$number" ||
			die "port $number is taken by another program. Stop it, or choose another port: $key=$((number + 10)) ./dev up"
	done
}

lighttpd_up() {
	write_lighttpd
	ensure lighttpd "$(signature "$state/lighttpd.conf")" lighttpd -D -f "$base/lighttpd.conf"
	wait_for 20 lighttpd "the web server did not start" port_answers "$port"
}

is_ready() { [ "$(curl -s -o "$state/log/readyz.json" --max-time 5 -w '%{http_code}' "$url/readyz")" = 200 ]; }

greet() {
	local lead now secret_text
	cat <<TXT

Connect is running.

  address    $url/admin
  sign in    $(json "$state/credentials.json" email)
  password   $(json "$state/credentials.json" password)
  API key    $api_key

TXT
	if [ "$with_sandbox" = no ]; then
		say "Stop it with ./dev down. All it writes is in $state."
		return
	fi
	now=$(date +%s)
	lead=$now$(printf '%05d' $((RANDOM % 100000)))
	secret_text=$(json "$state/sandbox.json" metaAppSecret)
	cat <<TXT
Three things to try:

1. Open $url/admin and sign in.

2. Send a lead, signed as Meta signs it (paste the line; the same line again changes nothing):

BODY='{"object":"page","entry":[{"id":"$page_id","time":$now,"changes":[{"field":"leadgen","value":{"leadgen_id":"$lead","page_id":"$page_id","form_id":"$form_id","created_time":$now}}]}]}'; curl -sS -H "Content-Type: application/json" -H "X-Hub-Signature-256: sha256=\$(printf %s "\$BODY" | openssl dgst -sha256 -hmac $secret_text | sed 's/.* //')" -d "\$BODY" $url/webhook/meta_lead_ads/$meta_id

3. Open $sandbox_url/received and see what the CRM received, and $sandbox_url/providers
   to send an event of any other provider.

Stop it with ./dev down. All it writes is in $state.
TXT
}
