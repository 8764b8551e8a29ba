package registry

import (
	"strconv"
	"strings"
)

// next reads the Range header of an upload's answer, "0-<last byte>" as of
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks,
// and returns the byte that comes next. believed is where the caller is.
//
// "0-0" is one byte by the spec. Registries say it of an empty upload, too,
// because nothing else can be said of one
// (https://github.com/opencontainers/distribution-spec/issues/578), some say
// "0--1", and no caller sends chunks of one byte.
func next(header string, believed int64) (int64, bool) {
	value := strings.TrimPrefix(strings.TrimPrefix(header, "bytes="), "bytes ")
	last, ok := strings.CutPrefix(value, "0-")
	if !ok {
		return 0, false
	}
	if last == "-1" || last == "0" && believed != 1 {
		return 0, true
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 || n+1 < 0 || last[0] == '+' {
		return 0, false
	}
	return n + 1, true
}

// contentRange writes the header of that name for n bytes, both ends included.
func contentRange(offset int64, n int) string {
	return strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+int64(n)-1, 10)
}
