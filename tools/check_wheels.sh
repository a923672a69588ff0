#!/bin/sh
# See that every locked requirement has a wheel for each platform and each Python that docs/platforms.md names.
# Usage: check_wheels.sh UV FILE …
set -eu

uv=$1
shift
nowhere=$(mktemp -d)
trap 'rm -rf "$nowhere"' EXIT
failed=0
for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 x86_64-apple-darwin aarch64-apple-darwin x86_64-pc-windows-msvc; do
    for version in 3.11 3.12 3.13 3.14; do
        for file in "$@"; do
            "$uv" pip install --dry-run --quiet --target "$nowhere" --python-platform "$platform" \
                --python-version "$version" --only-binary :all: --require-hashes -r "$file" || {
                echo "$file has no wheels for $platform, Python $version" >&2
                failed=1
            }
        done
    done
done
exit "$failed"
