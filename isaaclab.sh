#!/usr/bin/env bash
# Sets up .venv on first use, then hands its arguments to Isaac Lab's own command line.
#
#   ./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase    run a script with the project's Python
#   ./isaaclab.sh train --backend rsl_rl --task Franka-Erase       any command of Isaac Lab: train, play, list_envs, ...
#   ./isaaclab.sh -t [pytest arguments]                            this project's tests (paths are from this folder)
#   ./isaaclab.sh -i                                               set up and stop
#
# Everything it installs is in .venv, pinned with hashes in requirements.lock. Delete .venv to start over.
set -euo pipefail

SCRIPT="$(readlink -f -- "${BASH_SOURCE[0]}")"
ROOT="${SCRIPT%/*}"
LOCK="$ROOT/requirements.lock"
VENV="$ROOT/.venv"
PYTHON="$VENV/bin/python"
SITE_PACKAGES="$VENV/lib/python3.12/site-packages"
STAMP="$VENV/.mereq-ready"         # written last: the key of what is installed, and how many packages that made
CACHE="$VENV/.download-cache"      # outlives an interrupted start, so that the next one downloads only what is missing
USERS="$VENV/.mereq-users"         # locked, shared, by all that runs in .venv, and alone by what changes it
SETUP_MUTEX="$ROOT/.venv.lock"
SETUP_LOG="$ROOT/.venv.log"
UV_SETTINGS=()                     # what uv is told of the user's settings for pip
IN_USE=""                          # the descriptor of the lock, while it is held
MIN_DISK_GB="${MEREQ_MIN_DISK_GB:-12}"

# A path can hold what a terminal obeys.
say() { printf '[setup] %s\n' "${*//[[:cntrl:]]/?}" >&2; }

die() {
    printf 'isaaclab.sh: error: %s\n' "${*//[[:cntrl:]]/?}" >&2
    exit 1
}

# --- is .venv ready? (on every start, so it must stay cheap) ----------------------------------------------------------

# A moved checkout needs a new editable install, so the folder is part of the key.
wanted_key() { { printf '%s\n' "$ROOT" && cat "$LOCK" "$ROOT"/source/*/pyproject.toml; } | sha256sum | cut -c 1-64; }

count_packages() {
    local packages=("$SITE_PACKAGES"/*.dist-info)
    printf '%s' "${#packages[@]}"
}

count_pinned() { grep -c '^[a-zA-Z0-9]' "$LOCK"; }

# Whether a set-up once ended here and no package has gone since (say, by an interrupted removal).
is_whole() {
    local key packages
    [[ -x $PYTHON && -r $STAMP ]] && read -r key packages <"$STAMP" &&
        [[ $packages =~ ^[0-9]+$ ]] && (($(count_packages) >= packages))
}

is_ready() {
    local key packages
    is_whole && read -r key packages <"$STAMP" && [[ $key == "$(wanted_key)" ]]
}

# --- finding a Python 3.12 --------------------------------------------------------------------------------------------

home_in_passwd() { getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6; }

python_candidates() {
    type -aP python3.12 python3 python || true
    local pyenv_root
    for pyenv_root in "${PYENV_ROOT:-}" "${HOME:-}/.pyenv" "$(home_in_passwd)/.pyenv" /opt/pyenv /usr/local/pyenv; do
        printf '%s\n' "$pyenv_root"/versions/3.12*/bin/python3.12 | sort -Vr
    done
    printf '%s\n' "${HOME:-}/.local/bin/python3.12" /usr/local/bin/python3.12
}

# A pyenv shim can be on the PATH and still refuse to run: only the version that it reports counts.
runs_python312() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12) or sys.implementation.name != "cpython")' \
        </dev/null >/dev/null 2>&1
}

find_python_with_uv() {
    local uv
    export UV_PYTHON_PREFERENCE=only-managed # the others have been looked at
    for uv in "$(type -P uv || true)" "${HOME:-}/.local/bin/uv" "${HOME:-}/.cargo/bin/uv"; do
        [[ -x $uv ]] || continue
        "$uv" python find --system 3.12 2>/dev/null && return
        say "fetching Python 3.12 with $uv"
        "$uv" python install 3.12 >&2 && "$uv" python find --system 3.12 && return
    done
    return 1
}

find_python() {
    local candidate candidates without_venv=""
    mapfile -t candidates < <(python_candidates) # all: who writes on when nobody reads any more complains after us
    for candidate in "${candidates[@]}"; do
        if [[ ! -x $candidate || $candidate == "$VENV"/* ]] || ! runs_python312 "$candidate"; then continue; fi
        if "$candidate" -I -c 'import ensurepip, venv' </dev/null 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
        without_venv="$candidate"
    done
    find_python_with_uv && return
    [[ -z $without_venv ]] || die "$without_venv cannot make a virtual environment: install its venv module" \
        "(on Debian and Ubuntu: apt install python3.12-venv) and start again"
    die "no Python 3.12 found: looked for python3.12, python3 and python on the PATH, under versions/ of pyenv" \
        "(${PYENV_ROOT:-~/.pyenv}, /opt/pyenv, /usr/local/pyenv), and for uv to fetch one; install one (apt install" \
        "python3.12 python3.12-venv, pyenv install 3.12, or uv python install 3.12) and start again"
}

# --- making .venv -----------------------------------------------------------------------------------------------------

# What a half-made .venv already holds counts as free.
check_disk() {
    local free_kb held_kb gb
    free_kb="$(stat -f -c '%a %S' "$VENV" | awk '{printf "%.0f", $1 * $2 / 1024}')" ||
        die "stat cannot tell how much disk is free for $VENV"
    held_kb="$({ du -sk "$VENV/" 2>/dev/null || true; } | cut -f1)" # a file that goes meanwhile is no reason to end
    gb="$(LC_ALL=C awk -v kb="$((free_kb + ${held_kb:-0}))" 'BEGIN {printf "%.1f", kb / 1048576}')"
    LC_ALL=C awk -v have="$gb" -v need="$MIN_DISK_GB" 'BEGIN {exit have < need}' ||
        die "$gb GB of disk free for $VENV, but setting up takes $MIN_DISK_GB GB: free some and start again"
}

remove_half_made_venv() {
    find -H "$VENV" -mindepth 1 -maxdepth 1 ! -name "${CACHE##*/}" ! -name "${USERS##*/}" -exec rm -rf -- {} +
}

# Runs a command with its output in the log, and shows the end of the log if it fails. It runs in the background so that
# a signal reaches the traps at once, and without whatever Python environment is active around us. `env` would take a
# path with a "=" in it for a setting.
logged() {
    (
        cd -- "$ROOT"
        unset PYTHONPATH VIRTUAL_ENV CONDA_PREFIX UV_SYSTEM_PYTHON UV_REQUIRE_HASHES
        export PIP_USER=0 "${UV_SETTINGS[@]}"
        exec "$@"
    ) </dev/null >>"$SETUP_LOG" 2>&1 &
    INSTALLER=$!
    wait "$INSTALLER" && return
    printf '\n' >&2
    tail -n 15 "$SETUP_LOG" >&2
    return 1
}

report_size() {
    local started=$SECONDS
    while sleep 10 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        say "  $(du -sh "$VENV/" 2>/dev/null | cut -f1) so far, at most $MIN_DISK_GB GB, after $((SECONDS - started)) s"
    done
}

stop_children() { kill ${INSTALLER:+"$INSTALLER"} ${REPORTER:+"$REPORTER"} 2>/dev/null || true; }

# uv reads no pip configuration, so what the user set for pip (indexes, local folders, certificates) is handed on. Local
# folders that do not exist are left out: pip ignores them, uv stops at them.
pip_setting() {
    local scope value
    for scope in :env: install global; do
        value="$(sed -n "s/^$scope\.$1='\(.*\)'\$/\1/p" <<<"$PIP_CONFIG")"
        [[ -z $value ]] || break
    done
    local word words=()
    local -
    set -f # what looks like a pattern is none
    for word in ${value//\\n/ }; do
        [[ ${word#file://} == /* && ! -e ${word#file://} ]] || words+=("$word")
    done
    printf '%s' "${words[*]-}"
}

# Prints NAME=value lines; a variable that the user has set for uv stays.
uv_settings_from_pip() {
    local PIP_CONFIG name value
    PIP_CONFIG="$("$PYTHON" -I -m pip config list 2>/dev/null)"
    while read -r name value; do
        [[ -z $value || -n ${!name:-} ]] || printf '%s=%s\n' "$name" "$value"
    done <<SETTINGS
UV_DEFAULT_INDEX $(pip_setting index-url)
UV_INDEX $(pip_setting extra-index-url)
UV_FIND_LINKS $(pip_setting find-links | tr ' ' ',')
UV_NO_INDEX $(pip_setting no-index)
UV_INSECURE_HOST $(pip_setting trusted-host)
UV_HTTP_TIMEOUT $(pip_setting timeout)
HTTPS_PROXY $(pip_setting proxy)
SSL_CERT_FILE $(pip_setting cert)
UV_INDEX_STRATEGY unsafe-best-match
SETTINGS
}

# The lines of the lock that pin the installer and the build backend.
bootstrap_requirements() { awk '/^(uv|setuptools)==/ {wanted = 1} wanted {print} !/\\$/ {wanted = 0}' "$LOCK"; }

make_venv() {
    local python
    python="$(find_python)"
    mkdir -p "$VENV" || die "cannot make $VENV"
    take_alone
    check_disk
    if [[ -e $VENV/pyvenv.cfg || -e $VENV/bin ]]; then
        say ".venv is not complete: making it anew"
    fi
    remove_half_made_venv
    say "1/4 making .venv with $python"
    logged "$python" -I -m venv "$(readlink -f -- "$VENV")" || die "making .venv failed (log: $SETUP_LOG)"
}

install_packages() {
    say "2/4 installing the installer"
    local requirements
    requirements="$(bootstrap_requirements)"
    logged "$PYTHON" -m pip install --disable-pip-version-check --no-compile --require-hashes \
        -r <(printf '%s\n' "$requirements") || die "installing uv failed (log: $SETUP_LOG)"

    say "3/4 installing the $(count_pinned) packages of requirements.lock"
    local uv_install=("$PYTHON" -m uv pip install --python "$PYTHON" --no-build-isolation)
    mapfile -t UV_SETTINGS < <(uv_settings_from_pip)
    UV_SETTINGS+=("UV_CACHE_DIR=${UV_CACHE_DIR:-$CACHE}")
    report_size 9>&- {IN_USE}>&- &
    REPORTER=$!
    logged "${uv_install[@]}" --require-hashes -r requirements.lock || {
        stop_children
        die "installing requirements.lock failed (log: $SETUP_LOG)"
    }
    stop_children

    local project editable=()
    for project in "$ROOT"/source/*/pyproject.toml; do
        project="${project%/pyproject.toml}"
        editable+=(--editable "./source/${project##*/}") # uv reads a whole path as a requirement, with its own signs
    done
    say "4/4 installing this project's packages in editable mode"
    logged "${uv_install[@]}" --no-deps --offline "${editable[@]}" ||
        die "installing the packages in source/ failed (log: $SETUP_LOG)"
    rm -rf "$CACHE"
}

# What the user adds to .venv may go again: only the lock's packages, ours and pip must stay.
write_stamp() {
    local projects=("$ROOT"/source/*/pyproject.toml) installed ours
    installed="$(count_packages)"
    ours=$(($(count_pinned) + ${#projects[@]} + 1))
    printf '%s %s\n' "$(wanted_key)" "$((installed < ours ? installed : ours))" >"$STAMP.new"
    mv "$STAMP.new" "$STAMP"
}

set_up() {
    local INSTALLER="" REPORTER=""
    trap 'stop_children; say "interrupted: the next start goes on from here"; exit 130' INT
    trap 'stop_children; exit 143' TERM HUP
    : >"$SETUP_LOG"
    [[ ! -d $VENV ]] || take_alone
    if is_whole; then
        say "the pinned packages have changed: updating .venv"
    else
        say "first start: setting up .venv takes a minute or more and $MIN_DISK_GB GB, of which 9 stay (log: $SETUP_LOG)"
        make_venv
    fi
    rm -f "$STAMP"
    install_packages
    write_stamp
    say "ready after $SECONDS s"
    release
    trap - INT TERM HUP
}

# Why .venv cannot be set up here, before anything tries.
check_place() {
    [[ $ROOT != *[:{}$'\n']* ]] ||
        die "the path of this checkout has a colon, a brace or a newline in it, with which Python makes no environment:" \
            "move it ($ROOT)"
    [[ -r $LOCK ]] || die "$LOCK is missing: this checkout is not complete"
    [[ ! -L $VENV || -e $VENV ]] ||
        die "$VENV is a link to $(readlink -- "$VENV"), which is not there: make that folder, or remove the link"
    [[ ! -e $VENV || -d $VENV ]] || die "$VENV is no folder, but .venv goes there: remove it"
    [[ -w $ROOT ]] || die "cannot write to $ROOT: .venv goes there ($(access_of "$ROOT"))"
    local place
    for place in "$VENV" "$VENV/bin" "$SITE_PACKAGES" "$CACHE" "$STAMP" "$USERS" "$SETUP_MUTEX" "$SETUP_LOG"; do
        [[ ! -e $place ]] || { [[ -w $place ]] && { [[ ! -d $place ]] || [[ -x $place ]]; }; } ||
            die "cannot write to $place, but .venv has to be set up ($(access_of "$place")): let its owner do it" \
                "(./isaaclab.sh -i), or take a checkout of your own"
    done
}

access_of() { stat -L -c "it belongs to %U, mode %a, and you are $(id -un 2>/dev/null || id -u)" -- "$1"; }

ensure_ready() {
    check_place
    exec 9>"$SETUP_MUTEX"
    flock -n 9 || {
        say "another start is setting up .venv: waiting for it (its log: $SETUP_LOG)"
        flock 9
    }
    is_ready || set_up
    exec 9>&-
}

# --- programs that run in .venv ---------------------------------------------------------------------------------------

# Each start holds a shared lock, which the program that replaces this shell inherits and the system takes back however
# it ends. An update needs it alone: packages that change under a running program break it.
use_venv() {
    while true; do
        if [[ -e $USERS ]] || { : >>"$USERS"; } 2>/dev/null; then # without it: another user's, of an earlier launcher
            exec {IN_USE}<"$USERS"
            flock -n -s "$IN_USE" || {
                say "another start is setting up .venv: waiting for it (its log: $SETUP_LOG)"
                flock -s "$IN_USE"
            }
        fi
        is_ready && return
        release
        ensure_ready
    done
}

take_alone() {
    [[ -z $IN_USE ]] || return 0
    exec {IN_USE}<>"$USERS"
    flock -n -x "$IN_USE" && return
    release
    die ".venv has to be set up anew, but programs run in it: $(list_users); start again when they have ended"
}

release() {
    [[ -z $IN_USE ]] || exec {IN_USE}>&-
    IN_USE=""
}

list_users() {
    local entry pid last="" users="" words
    while read -r -d '' entry; do
        pid="${entry#/proc/}"
        pid="${pid%%/*}"
        if [[ $pid == "$last" || $pid == "$!" ]]; then continue; fi # `find` has it open, too
        words="$(tr '\0' ' ' <"/proc/$pid/cmdline")"
        words="${words/#"$PYTHON"/python}"
        users+="${users:+, }$pid (${words:0:300})"
        last="$pid"
    done < <(find -L /proc/[0-9]*/fd -maxdepth 1 -samefile "$USERS" -print0 2>/dev/null)
    printf '%s' "${users:-of another user or machine}"
}

# --- handing over -----------------------------------------------------------------------------------------------------

# Isaac Lab picks its Python by VIRTUAL_ENV before anything else: an environment that is active around us must not win.
#
# Bytecode goes into .venv, also where the surroundings ask for none, as containers often do: without it, importing the
# simulator took 8 s of CPU time instead of 4 s, at every start.
enter_venv() {
    unset PYTHONHOME PYTHONDONTWRITEBYTECODE
    export PYTHONPYCACHEPREFIX="$VENV/pycache"
    export VIRTUAL_ENV="$VENV" PATH="$VENV/bin:$PATH"
    local cache
    cache="$(cache_home)"
    [[ $cache == /.cache ]] || # no home at all
        export MPLCONFIGDIR="${MPLCONFIGDIR:-$cache/matplotlib}" # or it makes a folder in ~/.config as well
}

# Isaac Lab's `-p` adds search paths for a linked Isaac Sim, and a preload on ARM. Elsewhere it only starts the same
# Python as a child; replacing this shell keeps exit codes and Ctrl-C as they are, and starts sooner.
run_python() {
    if [[ -e $SITE_PACKAGES/isaaclab/_isaac_sim || $HOSTTYPE != x86_64 ]]; then
        exec "$PYTHON" -m isaaclab -p "$@"
    fi
    exec "$PYTHON" "$@"
}

# Packages of another Python on PYTHONPATH (ROS has some) would load their own plugins into pytest.
run_tests() {
    cd "$ROOT"
    unset PYTHONPATH
    exec "$PYTHON" -m pytest "$@"
}

cache_home() { printf '%s' "${XDG_CACHE_HOME:-${HOME-$(home_in_passwd)}/.cache}"; }

# What Isaac Lab's commands keep for later starts, and where a home can hold none.
check_caches() {
    local cache
    for cache in "${WARP_CACHE_PATH:-$(cache_home)/warp}" "${MEREQ_CACHE:-$(cache_home)/mereq_lab}"; do
        { mkdir -p -- "$cache" && [[ -w $cache ]]; } 2>/dev/null ||
            die "cannot write to $cache, where compiled code and robots are kept: set XDG_CACHE_HOME to a folder that" \
                "can be written"
    done
}

# Settings that Isaac Lab 3.0.0 takes and then does not read, or replaces, so that a run is another than it was asked for.
# Hydra adds with + and ++, and removes with ~.
refuse_unread_setting() {
    local command="$1" name="${2%%=*}"
    name="${name#"${name%%[!+~]*}"}"
    case "$command $name" in
        *" agent.resume" | "train agent.load_run" | "train agent.load_checkpoint")
            die "Isaac Lab's $command does not read $name; to go on from a checkpoint: --checkpoint <file>"
            ;;
        "train env.seed" | "play env.seed") die "Isaac Lab's $command does not read $name; the seed is: --seed <number>" ;;
        "train env.log_dir" | "play env.log_dir")
            die "Isaac Lab's $command does not read $name; files go to logs/rsl_rl/<--experiment_name>/<time>_<--run_name>"
            ;;
    esac
}

# Isaac Lab 3.0.0 calls the learning library --rl_library; --backend, its name in other releases, is understood as well.
# What it would take for something else, or not notice, is refused.
run_isaaclab() {
    local arguments=() argument
    for argument in "$@"; do
        refuse_unread_setting "$1" "$argument"
        case "$argument" in
            -r | --run) die "unknown option $argument" ;; # Hydra has one, which does nothing
            --backend) arguments+=(--rl_library) ;;
            --backend=*) arguments+=("--rl_library=${argument#*=}") ;;
            *) arguments+=("$argument") ;;
        esac
    done
    case "${1:-}" in
        "" | -* | list_envs) ;;
        *) check_caches ;;
    esac
    export PYTHONPATH="$ROOT/source/mereq_lab/mereq_lab/strict_options${PYTHONPATH:+:$PYTHONPATH}"
    exec "$PYTHON" -m isaaclab "${arguments[@]}"
}

main() {
    unset PYTHONHOME
    use_venv
    enter_venv
    case "${1:-}" in
        -p | --python) run_python "${@:2}" ;;
        -t | --test) run_tests "${@:2}" ;;
        -i | --install)
            if (($# == 1)); then exit 0; fi
            exec "$PYTHON" -m isaaclab "$@"
            ;;
        *) run_isaaclab "$@" ;;
    esac
}

main "$@"
