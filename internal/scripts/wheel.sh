# Builds the Python project in /.lamina/source into one wheel in /.lamina/out, with
# only what the builder and its /usr/local have.
# $1: the sdist to unpack, or "" for a tree; $2: the directory of the project below
# the tree; $3: its locked version, or ""; $4: "true" if the build may fail; $5: its
# locked name, or "".
set -eu
exec 2>&1 # through one pipe, so that the output stays in order
lamina=/.lamina
archive=$1 dir=$2 version=$3 optional=$4 name=$5

build() {
	project=$(/usr/bin/python3 -I $lamina/scripts/source.py "$archive" "$dir" "$version") || return 1

	export CFLAGS="-ffile-prefix-map=/build=." CXXFLAGS="-ffile-prefix-map=/build=."
	export CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" MAX_JOBS="$(nproc)"

	# setuptools searches its vendored packages last: Debian's older ones would come
	# first.
	for site in /usr/local/lib/python3.*/dist-packages; do
		export PYTHONPATH="$site:$site/setuptools/_vendor"
	done

	# The locked build requirements may differ from the declared ones.
	check=--skip-dependency-check
	if [ -z "$(ls /usr/local/lib/python3.*/dist-packages 2>/dev/null)" ]; then check=; fi
	python3 -m build --wheel --no-isolation $check --outdir $lamina/out "$project" || return 1
	if [ -n "$version" ]; then /usr/bin/python3 -I $lamina/scripts/built.py $lamina/out "$name" "$version"; fi
}

if build; then exit 0; fi
$optional || exit 1
rm -f $lamina/out/*
echo "left out: it is optional and could not be built"
