# Part of install.sh, before it unpacks: where settings allow, has maintainer scripts make
# the same each time, and nothing that belongs in no image. made.tsv says why.

# Fix the order of Perl's hashes, and the date in TeX's output.
export PERL_HASH_SEED=0 FORCE_SOURCE_DATE=1

clusters=/etc/postgresql-common/createcluster.d
if grep -q '^postgresql-' $lamina/scripts/packages && ! kept '/var/lib/postgresql/*/main'; then
	mkdir -p $clusters
	echo 'create_main_cluster = false' >$clusters/lamina.conf
fi
