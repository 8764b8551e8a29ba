# Builds the Python source tree in /.lamina/source into the one wheel in
# /.lamina/out, with nothing but what the builder has.
set -eu
lamina=/.lamina
# The tree is copied to a fixed place: build backends write into it, and the
# compiler's cache is keyed by paths.
cp -R $lamina/source /build
export CFLAGS="-ffile-prefix-map=/build=." CXXFLAGS="-ffile-prefix-map=/build=."
export PATH=/usr/lib/ccache:$PATH CCACHE_DIR=/var/cache/ccache
# All compilers have one date here, so that ccache must look at what they are.
export CCACHE_COMPILERCHECK=content
python3 -m build --wheel --no-isolation --outdir $lamina/out /build
