# Builds the Python project in /.lamina/source into the one wheel in
# /.lamina/out, with nothing but what the builder and its /usr/local have.
# $1: the sdist to unpack, or nothing for a tree; $2: the directory of the project
# below the tree; $3: the version that is locked for it, or nothing; $4: "true"
# where it may fail; $5: the name that is locked for it, or nothing.
set -eu
exec 2>&1 # by one pipe, so that what is said last comes last
lamina=/.lamina
archive=$1 dir=$2 version=$3 optional=$4 name=$5

build() {
	project=$(/usr/bin/python3 -I $lamina/scripts/source.py "$archive" "$dir" "$version") || return 1

	export CFLAGS="-ffile-prefix-map=/build=." CXXFLAGS="-ffile-prefix-map=/build=."
	export CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" MAX_JOBS="$(nproc)"

	# What setuptools brings for itself it looks for last: Debian's own, which are
	# older, would come before.
	for site in /usr/local/lib/python3.*/dist-packages; do
		export PYTHONPATH="$site:$site/setuptools/_vendor"
	done

	# What is built with locked requirements may have been told others than it declares.
	check=--skip-dependency-check
	if [ -z "$(ls /usr/local/lib/python3.*/dist-packages 2>/dev/null)" ]; then check=; fi
	python3 -m build --wheel --no-isolation $check --outdir $lamina/out "$project" || return 1
	if [ -n "$version" ]; then /usr/bin/python3 -I $lamina/scripts/built.py $lamina/out "$name" "$version"; fi
}

if build; then exit 0; fi
$optional || exit 1
rm -f $lamina/out/*
echo "left out: it is optional and can not be built"
