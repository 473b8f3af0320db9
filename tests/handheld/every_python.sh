#!/bin/sh
# Runs the clean-install smoke and the tests under every supported Python of this machine, each in an
# environment of its own. pyenv's versions count too.
set -u
failed=""
found=""
for version in 3.10 3.11 3.12 3.13; do
    python=""
    for candidate in "python$version" "$HOME/.pyenv/versions/$version".*/bin/python; do
        # A pyenv shim exists for versions that cannot be run; only a start tells.
        if "$candidate" -c 'import venv' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "python $version: not on this machine"
        continue
    fi
    found="$found $version"
    echo "python $version: $python"
    make test PYTHON="$python" VENV=".venv-$version" HANDHELD=".venv-handheld-$version" \
        BUILD="build/python-$version" || failed="$failed $version"
done
echo "ran under:${found:- none}; failed under:${failed:- none}"
[ -n "$found" ] && [ -z "$failed" ]
