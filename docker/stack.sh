#!/bin/sh
# The containerised system: docker/stack.sh up | env | pin | down | status | logs [...] | backup | verify-backup FOLDER | restore FOLDER
#
# Needs only a POSIX shell, Docker and its Compose plugin. The first `up` writes .env with new secrets.
set -eu
cd "$(dirname "$0")/.."

SECRETS="POSTGRES_PASSWORD AIRFLOW_DB_PASSWORD METRICS_DB_PASSWORD METRICS_READER_PASSWORD METRICS_ALERTS_PASSWORD AIRFLOW_ADMIN_PASSWORD AIRFLOW_API_SECRET AIRFLOW_JWT_SECRET OBJECT_STORE_ROOT_PASSWORD S3_SECRET_KEY S3_MEDIA_SECRET_KEY S3_READER_SECRET_KEY GRAFANA_PASSWORD"
NAMES="OBJECT_STORE_ROOT_USER S3_ACCESS_KEY S3_MEDIA_ACCESS_KEY S3_READER_ACCESS_KEY AIRFLOW_FERNET_KEY DOCKER_GID"
AIRFLOW="api-server scheduler dag-processor triggerer watchdog airflow-clean"
BACKUP="airflow.dump metrics.dump store.tar" # the files of a backup
SHORTEST=16

fail() { echo "$*" >&2; exit 1; }

need_docker() {
    command -v docker >/dev/null || fail "docker was not found, expected Docker Engine with the Compose plugin; 'make demo' needs neither"
    found=$(docker compose version --short 2>/dev/null) || fail "'docker compose' does not work, expected the Compose plugin 2.24 or later"
    case ${found#v} in
        2.[0-9] | 2.[0-9].* | 2.1[0-9] | 2.1[0-9].* | 2.2[0-3] | 2.2[0-3].* | [01].*) fail "Compose $found found, expected 2.24 or later" ;;
        [0-9]*.[0-9]*) ;;
        *) fail "'docker compose version' says '$found', expected the Compose plugin 2.24 or later" ;;
    esac
    docker info >/dev/null 2>&1 || fail "the Docker engine does not answer, expected it to run and to accept your user: 'docker info' says more"
}

value() { # of a setting, as Compose sees it: the shell overrides the file
    printenv "$1" || sed -n "s/^$1=//p" .env | tail -n 1
}

sha256() { # has different names on Linux and macOS
    if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

secret() { head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '='; }

socket() {
    case ${DOCKER_HOST:-} in
        unix://*) echo "${DOCKER_HOST#unix://}" ;;
        *) echo /var/run/docker.sock ;;
    esac
}

write_env() {
    volume=${COMPOSE_PROJECT_NAME:-audioclip4rec}_postgres
    if docker volume inspect "$volume" >/dev/null 2>&1; then
        fail "volume $volume of an earlier installation found and no .env, expected its .env, without which the data cannot be used: put it back, or remove the data with 'docker volume rm'"
    fi
    path=${DOCKER_SOCK:-$(socket)}
    memory=$(awk '/^MemTotal:/ {print int($2 / 2097152)}' /proc/meminfo 2>/dev/null || echo 4) # half of it, in GiB
    [ "${memory:-0}" -ge 2 ] || memory=2
    accelerator=${ACCELERATOR:-$(sh docker/gpu.sh && echo cuda || echo cpu)}
    slots=1
    [ "$accelerator" = cuda ] || slots=2
    umask 077
    {
        echo "# Settings of this installation; docker-compose.yaml shows all of them. Keep this file: without these secrets the"
        echo "# data in the volumes cannot be used. Never commit it."
        echo
        for name in $SECRETS; do echo "$name=$(secret)"; done
        echo "AIRFLOW_FERNET_KEY=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
        echo "OBJECT_STORE_ROOT_USER=root-$(secret | head -c 8)"
        echo "S3_ACCESS_KEY=recsys-tasks"
        echo "S3_MEDIA_ACCESS_KEY=recsys-media"
        echo "S3_READER_ACCESS_KEY=recsys-reader"
        echo
        echo "# The engine's socket and its group. Limits of a task container: all CPUs and half of the memory of this machine."
        echo "DOCKER_SOCK=$path"
        echo "DOCKER_GID=$(stat -Lc %g "$path" 2>/dev/null || echo 0)"
        echo "TASK_CPUS=$(nproc 2>/dev/null || echo 2)"
        echo "TASK_MEMORY=${memory}g"
        echo "# GiB of that memory that models may use in commands typed by hand: three quarters, as in scheduled runs."
        echo "RECSYS_MEMORY_GIB=$((memory * 3 / 4))"
        echo
        echo "# The build of PyTorch. cuda: for GPUs; also works without one. cpu: 5 GB smaller; chosen where this machine has no"
        echo "# GPU of NVIDIA. TORCH_INDEX_URL is the index where pip looks for it; empty: pip's own, and for cpu PyTorch's own."
        echo "ACCELERATOR=$accelerator"
        echo "TORCH_INDEX_URL=${TORCH_INDEX_URL:-}"
        echo
        echo "# Slots of the pool gpu when it is made: one with a GPU; else two, which have half of the memory each."
        echo "GPU_SLOTS=$slots"
        echo
        echo "# Alerts: 'dev' starts a server that catches all email. For a real server leave it empty, and set SMTP_HOST, SMTP_PORT"
        echo "# (587; or 465, which speaks TLS from the start), SMTP_USER, SMTP_PASSWORD and SMTP_FROM. Its certificate is verified."
        echo "# SMTP_DISABLE_TLS=true sends everything, also the password, in clear."
        echo "COMPOSE_PROFILES=dev"
        echo "RECSYS_ALERT_TO=operator@localhost"
    } >.env.part
    mv .env.part .env
    echo "Wrote .env with new secrets."
}

check_mode() { # what others could read may have been read, so a new mode alone does not do
    found=$(stat -Lc %a .env 2>/dev/null || stat -Lf %Lp .env)
    case $found in
        *[0-7]00) ;;
        *) fail ".env has mode $found, so others can read its secrets, expected 600: 'chmod 600 .env', and where others use this machine or had a copy, new secrets in it" ;;
    esac
}

check_env() {
    check_mode
    for name in $SECRETS $NAMES; do
        found=$(value "$name")
        [ -n "$found" ] || fail "$name is missing in .env, expected a value: 'head -c 24 /dev/urandom | base64' makes a secret"
    done
    for name in $SECRETS; do
        found=$(value "$name")
        [ "${#found}" -ge $SHORTEST ] || fail "$name in .env has ${#found} characters, expected at least $SHORTEST: 'head -c 24 /dev/urandom | base64' makes a secret"
        case $found in
            *[!A-Za-z0-9._~-]*) fail "$name in .env has characters with a meaning in URLs, expected letters, digits and . _ ~ -" ;;
        esac
        case $(echo "$found" | tr '[:upper:]' '[:lower:]') in
            *password* | *changeme* | *change_me* | *secret* | *12345678* | *example*) fail "$name in .env can be guessed: 'head -c 24 /dev/urandom | base64' makes a secret" ;;
        esac
        [ "$(printf %s "$found" | fold -w 1 | sort -u | wc -l)" -ge 6 ] || fail "$name in .env has less than six different characters, expected at least six: 'head -c 24 /dev/urandom | base64' makes a secret"
    done
}

check_mail() { # what stands in the JSON of a connection
    for name in SMTP_HOST SMTP_USER SMTP_PASSWORD SMTP_FROM SLACK_WEBHOOK APPRISE_URL; do
        case $(value "$name") in
            *[\"\\]*) fail "$name has a quotation mark or a backslash, expected neither: choose another" ;;
        esac
    done
}

add_media_key() { # to an .env of an earlier version; no data depend on it
    [ -z "$(value S3_MEDIA_ACCESS_KEY)$(value S3_MEDIA_SECRET_KEY)" ] || return 0
    check_mode
    user=recsys-media key=$(secret)
    if [ "$(value S3_ACCESS_KEY)" = "$(value OBJECT_STORE_ROOT_USER)" ]; then # then 'provision' makes no users
        user=$(value S3_ACCESS_KEY) key=$(value S3_SECRET_KEY)
    fi
    umask 077
    { awk 1 .env && echo "S3_MEDIA_ACCESS_KEY=$user" && echo "S3_MEDIA_SECRET_KEY=$key"; } >.env.part
    mv .env.part .env
    echo "Added S3_MEDIA_ACCESS_KEY and S3_MEDIA_SECRET_KEY to .env: the key of tasks that decode media." >&2
}

add_password() { # NAME and what it is for; likewise
    [ -z "$(value "$1")" ] || return 0
    check_mode
    umask 077
    { awk 1 .env && echo "$1=$(secret)"; } >.env.part
    mv .env.part .env
    echo "Added $1 to .env: $2." >&2
}

need_env() {
    [ -f .env ] || fail ".env is missing, expected it: 'make up' writes it, or restore yours"
    add_media_key
    add_password METRICS_ALERTS_PASSWORD "of the role that writes the messages of alerts"
    add_password GRAFANA_PASSWORD "that of Grafana's user admin, in the profile grafana"
}

compose() { docker compose "$@"; }

start() {
    if ! compose up --detach --wait --wait-timeout "${UP_TIMEOUT:-900}" --remove-orphans; then
        # Compose has printed its own errors, such as a port in use; the logs of ended or unhealthy services are shown here.
        for service in $(compose ps --all --format '{{.Service}} {{.Status}}' | grep 'Exited\|Restarting\|unhealthy' | grep -v 'Exited (0)' | cut -d' ' -f1); do
            echo "== last log lines of $service" >&2
            compose logs --no-log-prefix --tail 8 "$service" >&2 || true
        done
        fail "not all services are running, expected all: 'make status' shows their state, 'make logs' their output"
    fi
}

stop_outdated() { # an old scheduler must not run while the database is migrated
    wanted=$(docker image inspect --format '{{.Id}}' "$(compose config --images airflow-init | grep airflow | head -n 1)")
    for service in $AIRFLOW; do
        container=$(compose ps --quiet "$service")
        [ -z "$container" ] || [ "$(docker inspect --format '{{.Image}}' "$container")" = "$wanted" ] || outdated="${outdated:-} $service"
    done
    # shellcheck disable=SC2086
    [ -z "${outdated:-}" ] || compose stop --timeout 60 $outdated
}

make_env() {
    need_docker
    [ -f .env ] || write_env
    need_env
    check_env
    check_mail
}

up() {
    make_env
    REVISION=${REVISION:-$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)}
    export REVISION
    [ -n "${NO_BUILD:-}" ] || compose --profile tools build
    stop_outdated
    start
    echo
    echo "Airflow        http://localhost:$(port UI_PORT 8080)   user admin   password $(shown AIRFLOW_ADMIN_PASSWORD)"
    echo "Object store   http://localhost:$(port CONSOLE_PORT 9001)   user $(value OBJECT_STORE_ROOT_USER)   password $(shown OBJECT_STORE_ROOT_PASSWORD)"
    case ,$(value COMPOSE_PROFILES), in *,grafana,*) echo "Grafana        http://localhost:$(port GRAFANA_PORT 3000)   user admin   password $(shown GRAFANA_PASSWORD)" ;; esac
    case ,$(value COMPOSE_PROFILES), in *,dev,*) echo "Emails         http://localhost:$(port MAIL_PORT 8025)" ;; esac
    echo "Commands       docker compose run --rm tasks --help"
}

pin() { # images that others made, each by the digest that its tag has now; all or none
    need_docker
    need_env
    check_mode
    for setting in $(grep -o '\${[A-Z_]*_IMAGE:-[^}]*}' docker-compose.yaml | grep -v ':-audioclip4rec-' | sort -u); do
        name=${setting#??}
        name=${name%%:*}
        image=$(value "$name")
        [ -n "$image" ] || image=$(echo "$setting" | sed 's/.*:-\(.*\)}/\1/')
        tagged=${image%@*} # a digest from before; what stands before it says what to look for
        digest=$(resolve "$tagged") || fail "$tagged ($name) cannot be resolved, expected a registry that answers: nothing was changed; with 'docker pull $tagged' Docker says why"
        pinned="${pinned:-}$name=$tagged@$digest
"
        [ "$image" = "$tagged@$digest" ] && echo "$name is the same: $image" || echo "$name=$tagged@$digest"
    done
    umask 077
    {
        printf %s "$pinned" | cut -d= -f1 | sed 's/.*/^&=/' | grep -v -f - .env || true # none is left
        printf %s "$pinned"
    } >.env.part
    mv .env.part .env
    echo "Wrote them to .env: 'make up' takes these and no others. 'make pin' again takes what the tags mean by then."
}

resolve() { # the digest of a tag, by Docker, which knows its registries; pull is there where the plugin buildx is not
    found=$(docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}' 2>/dev/null) ||
        found=$(docker pull "$1" 2>/dev/null | sed -n 's/^Digest: //p')
    echo "$found" | grep -x 'sha256:[0-9a-f]\{64\}'
}

shown() { # a secret, only on a terminal; in a log it would stay
    if [ -t 2 ] && [ -t 0 ]; then value "$1"; else echo "in .env: $1"; fi
}

port() { found=$(value "$1"); echo "${found:-$2}"; }

down() {
    need_docker
    need_env
    compose --profile '*' stop --timeout 60 scheduler >/dev/null 2>&1 || true # the scheduler ends its task containers
    left=$(docker ps --all --quiet --filter "label=recsys.site=$(project)_tasks")
    # shellcheck disable=SC2086
    [ -z "$left" ] || docker rm --force --volumes $left >/dev/null
    compose --profile '*' down --remove-orphans "$@"
}

project() { compose config --format json | sed -n 's/^  "name": "\(.*\)",*$/\1/p' | head -n 1; }

need_running() {
    for service in postgres object-store; do
        [ -n "$(compose ps --status running --quiet "$service")" ] || fail "$service is not running, expected it to run: 'make up' starts it"
    done
}

backup() {
    need_docker
    need_env
    check_mode
    need_running
    umask 077
    folder=${BACKUPS:-backups}/$(date -u +%Y%m%dT%H%M%SZ)
    mkdir -p "$folder.part"
    trap 'rm -rf "$folder.part"' EXIT
    # Databases first: what they refer to then is still there when the store has been copied. gc removes only what nothing
    # referred to for two days; of what comes later the databases know nothing.
    for name in airflow metrics; do
        compose exec -T postgres pg_dump --username postgres --format custom "$name" >"$folder.part/$name.dump"
    done
    compose run --rm --no-deps -T tasks export-store >"$folder.part/store.tar"
    # shellcheck disable=SC2086
    (cd "$folder.part" && sha256 $BACKUP >SHA256SUMS)
    seal "$folder.part" >"$folder.part/COMPLETE"
    mv "$folder.part" "$folder"
    echo "Backup $folder, $(du -sh "$folder" | cut -f1). It does not contain the secrets: also keep a copy of .env elsewhere."
}

seal() { # what the last file of a backup says: how many files there are, and what their list is
    echo "$(wc -l <"$1/SHA256SUMS" | tr -d ' ') files, SHA256SUMS $(sha256 <"$1/SHA256SUMS" | cut -d' ' -f1)"
}

verify_backup() { # all that was written is there as it was written, and nothing else
    folder=${1:-}
    [ -n "$folder" ] || fail "no backup is named, expected 'make $command FROM=backups/...'"
    for name in $BACKUP SHA256SUMS COMPLETE; do
        [ -f "$folder/$name" ] || fail "$folder/$name is not there, expected a folder that 'make backup' of this version made to its end"
    done
    for path in "$folder"/* "$folder"/.[!.]*; do
        case " $BACKUP SHA256SUMS COMPLETE " in
            *" ${path##*/} "*) ;;
            *) [ ! -e "$path" ] || fail "$path is no file of a backup, expected $BACKUP, SHA256SUMS and COMPLETE alone: move it away" ;;
        esac
    done
    [ "$(cat "$folder/COMPLETE")" = "$(seal "$folder")" ] || fail "$folder/SHA256SUMS is not the list that COMPLETE was written for, expected it as 'make backup' wrote it"
    [ "$(cut -c 67- "$folder/SHA256SUMS" | tr '\n' ' ')" = "$BACKUP " ] || fail "$folder/SHA256SUMS does not list $BACKUP, expected these and no others"
    (cd "$folder" && sha256 --check SHA256SUMS >/dev/null 2>&1) || fail "$folder is not as it was written, expected the files that SHA256SUMS names"
}

restore() {
    need_docker
    need_env
    check_env
    verify_backup "$@"
    compose --profile '*' stop --timeout 60 $AIRFLOW
    compose up --detach --wait postgres object-store
    compose run --rm databases
    compose run --rm store-init
    stamp=$(date -u +%Y%m%d%H%M%S)
    for name in airflow metrics; do
        sql "DROP DATABASE IF EXISTS ${name}_restored" "CREATE DATABASE ${name}_restored OWNER $name" "REVOKE ALL ON DATABASE ${name}_restored FROM PUBLIC"
        compose exec -T postgres pg_restore --username postgres --exit-on-error --no-owner --role "$name" --dbname "${name}_restored" <"$folder/$name.dump"
    done
    compose run --rm --no-deps -T tasks import-store <"$folder/store.tar"
    for name in airflow metrics; do
        sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$name'" \
            "ALTER DATABASE $name RENAME TO ${name}_before_$stamp" "ALTER DATABASE ${name}_restored RENAME TO $name"
    done
    compose run --rm databases
    start
    echo "Restored $folder. The previous databases are airflow_before_$stamp and metrics_before_$stamp; drop them when you no longer need them."
}

sql() {
    for statement in "$@"; do
        compose exec -T postgres psql --username postgres --quiet --no-psqlrc --set ON_ERROR_STOP=1 --output /dev/null --command "$statement"
    done
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
    up | backup | pin) $command ;;
    env) make_env ;;
    down | restore) $command "$@" ;;
    verify-backup) verify_backup "$@" && echo "$folder is as it was written: $BACKUP." ;;
    status) need_docker && need_env && compose ps --all ;;
    logs) need_docker && need_env && compose logs --tail 200 "$@" ;;
    *) fail "command '$command' found, expected up, env, pin, down, status, logs, backup, verify-backup or restore" ;;
esac
