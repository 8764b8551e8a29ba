# Gives files the content that they have each time: of the Java key stores among its arguments
# the dates of their entries, of Berkeley DB files the random number that names each, and the
# date that Postfix writes into those of aliases. Perl without modules is in every Debian.
use strict;
use warnings;

my $epoch = $ENV{SOURCE_DATE_EPOCH};

for my $path (@ARGV) {
    open(my $file, '<:raw', $path) or die "$path: $!\n";
    local $/;
    my $data = <$file>;
    my $kind = length($data) < 72 ? '' : unpack('N', $data) == 0xfeedfeed ? 'keystore' : berkeley($data) ? 'berkeley' : '';
    my $before = $data;
    $data = keystore($path, $data) if $kind eq 'keystore';
    if ($kind eq 'berkeley') {
        my ($number, $none) = (substr($data, 52, 20), "\0" x 20);
        $data =~ s/\Q$number\E/$none/g;    # on each page that was ever the first of a database
        $data =~ s/\x01[0-9]{10}\x01YP_LAST_MODIFIED/sprintf("\x01%010d\x01YP_LAST_MODIFIED", $epoch)/e;
    }
    next if $data eq $before;
    open(my $out, '+<:raw', $path) or die "$path: $!\n";    # with its owner and mode
    print $out $data or die "$path: $!\n";
    close($out) or die "$path: $!\n";
}

# A hash, a tree or a queue, by the number at the same place of its first page.
sub berkeley {
    my $magic = substr($_[0], 12, 4);
    return grep { $magic eq pack('V', $_) || $magic eq pack('N', $_) } 0x061561, 0x053162, 0x042253;
}

# One that has another password than Java's usual one stays as it is.
sub keystore {
    my ($path, $data) = @_;
    my $body = substr($data, 0, -20);
    return $data if digest($body) ne substr($data, -20);
    my $version = unpack('x4N', $body);
    my $at = 12;
    for (1 .. unpack('x8N', $body)) {
        my $tag = unpack("x${at}N", $body);
        $at += 4;
        $at += 2 + unpack("x${at}n", $body);    # its name
        substr($body, $at, 8) = pack('NN', (1000 * $epoch) >> 32, (1000 * $epoch) & 0xffffffff);
        $at += 8;
        my $certificates = 1;
        if ($tag == 1) {
            $at += 4 + unpack("x${at}N", $body);    # a key
            $certificates = unpack("x${at}N", $body);
            $at += 4;
        }
        for (1 .. $certificates) {
            $at += 2 + unpack("x${at}n", $body) if $version == 2;    # "X.509"
            $at += 4 + unpack("x${at}N", $body);
        }
    }
    return $body . digest($body);
}

# SHA-1 of the password in UTF-16, a phrase of Java's and the text.
sub digest {
    my $text = "\0" . join("\0", split(//, 'changeit')) . 'Mighty Aphrodite' . $_[0];
    my $name = "/tmp/keystore.$$";
    open(my $out, '>:raw', $name) or die "$name: $!\n";
    print $out $text;
    close($out) or die "$name: $!\n";
    my ($sum) = `sha1sum $name` =~ /^([0-9a-f]{40})/ or die "sha1sum: no sum of $name\n";
    unlink($name);
    return pack('H*', $sum);
}
