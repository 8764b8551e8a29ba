module example.test/sums

go 1.26
