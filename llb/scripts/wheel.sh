# Builds the Python project in /.lamina/source into the one wheel in
# /.lamina/out, with nothing but what the builder and its /usr/local have.
# $1: the sdist to unpack, or nothing for a tree; $2: the folder of the project
# below the tree; $3: "true" where it may fail.
set -eu
lamina=/.lamina
archive=$1 dir=$2 optional=$3

# The tree is put at a fixed place: build backends write into it, and the
# compiler's cache is keyed by paths.
case $archive in
'') cp -R $lamina/source /build ;;
*.zip) python3 -m zipfile -e "$lamina/source/$archive" /unpacked ;;
*) python3 -m tarfile -e "$lamina/source/$archive" /unpacked ;;
esac
if [ -n "$archive" ]; then mv /unpacked/* /build; fi

export CFLAGS="-ffile-prefix-map=/build=." CXXFLAGS="-ffile-prefix-map=/build=."
export PATH=/usr/lib/ccache:$PATH CCACHE_DIR=/var/cache/ccache
# All compilers have one date here, so that ccache must look at what they are.
export CCACHE_COMPILERCHECK=content
export CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" MAX_JOBS="$(nproc)"

# What is built with locked requirements may have been told others than it declares.
check=--skip-dependency-check
if [ -z "$(ls /usr/local/lib/python3.*/dist-packages 2>/dev/null)" ]; then check=; fi
if python3 -m build --wheel --no-isolation $check --outdir $lamina/out "/build/$dir"; then exit 0; fi
$optional || exit 1
rm -f $lamina/out/*
echo "left out: it is optional and can not be built"
