# Sourced by ./run and ./test from the project's directory: finds Python and keeps .venv up to date.

# Without compiled modules each of our processes would compile Django anew: 10 s instead of 1.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$python" >/dev/null 2>&1 &&
            "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            break
        fi
        python=
    done
    if [ -z "$python" ]; then
        say "Bucky needs Python 3.11 or newer. On Debian or Ubuntu: apt-get install python3 python3-venv"
        exit 2
    fi
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        say "Bucky needs Python's venv module. On Debian or Ubuntu: apt-get install python3-venv"
        exit 2
    fi
}

# fresh FILE...: is what these files list installed in .venv? The stamp is written only after pip has ended well.
stamp_of() { cksum "$1" | tr -c '0-9\n' '-'; }

fresh() {
    [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || return 1
    for file in "$@"; do
        [ "$(cat ".venv/$file.stamp" 2>/dev/null)" = "$(stamp_of "$file")" ] || return 1
    done
}

# make_venv FILE...: install what the files list, by their hashes.
make_venv() {
    fresh "$@" && return
    find_python
    say "Installing Python packages into .venv ..."
    if ! .venv/bin/python -c '' 2>/dev/null; then
        "$python" -m venv --clear .venv || exit 2
    fi
    lists=
    for file in "$@"; do lists="$lists -r $file"; done
    # shellcheck disable=SC2086
    # Not compiled here: Python compiles what it imports, a small part of what is in the packages.
    if ! .venv/bin/python -m pip install --no-compile -qq --disable-pip-version-check --no-input \
        --require-hashes $lists </dev/null; then
        say "The packages could not be installed; pip's words are above. A network is needed the first time."
        exit 2
    fi
    for file in "$@"; do stamp_of "$file" >".venv/$file.stamp"; done
}
