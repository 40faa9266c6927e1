#!/bin/sh
# Installs Ophtimus Edge from the kit that this file lies in, or updates what is installed.
# Start it in a terminal:  sh install.sh [--to DIR] [--yes]
# It works from a stick that is read-only and from which nothing may be executed.
# 터미널에서 실행하십시오:  sh install.sh
set -eu

kit=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

# Where it is installed: as the program itself has it (ophtimus_edge/locations.py).
if [ -n "${OPHTIMUS_HOME:-}" ]; then
    root=$OPHTIMUS_HOME/program
else
    root=${XDG_DATA_HOME:-${HOME:?}/.local/share}/ophtimus/program
fi
before=
for word do
    case $before in --to) root=$word ;; esac
    case $word in --to=*) root=${word#--to=} ;; esac
    before=$word
done

say() {
    printf '%s\n' "$@" >&2
}

# What is installed knows which key to trust: nothing on the stick runs before that key vouches for it.
if [ -x "$root/bin/ophtimus" ] && [ -e "$root/current" ]; then
    if "$root/bin/ophtimus" --version >/dev/null 2>&1; then
        exec "$root/bin/ophtimus" kit update "$kit" "$@"
    fi
    say "install: what is installed does not start any more, perhaps since the system's Python was replaced." \
        "         It is installed again from this kit: compare its SHA-256 with the paper." \
        "         설치된 프로그램이 실행되지 않아 이 키트로 다시 설치합니다. 종이의 SHA-256과 비교하십시오."
fi

new_enough() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

wheel=
for found in "$kit"/wheels/linux-x86_64/ophtimus_edge-*.whl; do
    wheel=$found
done
if [ ! -f "$wheel" ]; then
    say "install: this kit has no program for Linux on x86-64." "         Ask for a kit for this computer."
    exit 1
fi

python=
for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if found=$(command -v "$name") && new_enough "$found"; then
        python=$found
        break
    fi
done

# A kit may carry a Python for machines that have none.
own=
runtime=$kit/runtime/linux-x86_64.tar.gz
if [ -z "$python" ] && [ -f "$runtime" ]; then
    mkdir -p -- "$root"
    own=$(mktemp -d "$root/.first-XXXXXX")
    trap 'rm -rf -- "$own"' EXIT
    trap 'exit 130' INT TERM
    tar -xzf "$runtime" -C "$own"
    for found in "$own"/*/bin/python3 "$own"/bin/python3; do
        if [ -x "$found" ]; then
            python=$found
        fi
    done
fi
if [ -z "$python" ] && ! python=$(command -v python3); then
    say "install: Python 3.11 or newer is needed, and this computer has none." \
        "         Install it, with its venv module (Debian: apt install python3 python3-venv), and start again." \
        "         파이썬 3.11 이상이 필요합니다. 관리자에게 설치를 요청하십시오(python3, python3-venv)."
    exit 1
fi

code=0
"$python" -I -B -c 'import sys; sys.path.insert(0, sys.argv[1])
from ophtimus_edge.kit.installing.first import main
sys.exit(main(sys.argv[2:]))' "$wheel" "$kit" "$@" || code=$?
exit "$code"
