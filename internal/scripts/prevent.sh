# A part of install.sh, before it unpacks: has maintainer scripts make the same each time,
# and not make what is no image's, as far as they can be asked. made.tsv says why.

# The order of Perl's hashes, and the date in what TeX makes.
export PERL_HASH_SEED=0 FORCE_SOURCE_DATE=1

clusters=/etc/postgresql-common/createcluster.d
if grep -q '^postgresql-' $lamina/scripts/packages && ! kept '/var/lib/postgresql/*/main'; then
	mkdir -p $clusters
	echo 'create_main_cluster = false' >$clusters/lamina.conf
fi
