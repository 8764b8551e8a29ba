package lock_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/lock"
)

// twoPlatforms returns the sample for two platforms, with a package that differs.
func twoPlatforms() lock.Lock {
	amd64, arm64 := sample(), sample()
	arm64.Platform = "linux/arm64"
	arm64.Packages[0].Architecture, arm64.Packages[0].SHA256 = "arm64", hash("arm64")
	return lock.Join([]lock.Lock{amd64, arm64})
}

func TestALockOfTwoPlatformsHasEach(t *testing.T) {
	l := twoPlatforms()
	survives(t, l)
	if got := l.Platforms(); !cmp.Equal(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("it is for %v", got)
	}
	for _, one := range l.Each() {
		if got, ok := l.For(one.Platform); !ok || !cmp.Equal(got, one) || len(one.Further) > 0 {
			t.Errorf("%s: got %v", one.Platform, cmp.Diff(one, got))
		}
	}
	arm64, _ := l.For("linux/arm64")
	if arm64.Packages[0].Architecture != "arm64" || !cmp.Equal(arm64.Requests, l.Requests) || !cmp.Equal(arm64.Models, l.Models) {
		t.Errorf("got %v", arm64)
	}
	if _, ok := l.For("linux/s390x"); ok {
		t.Error("it has a platform that was not locked")
	}
}

// A lock of one platform is written without further ones.
func TestALockOfOnePlatformSaysNothingOfFurtherOnes(t *testing.T) {
	if text := string(sample().Format()); strings.Contains(text, "further") {
		t.Error(text)
	}
}

func TestParseChecksEachPlatform(t *testing.T) {
	for _, tt := range []struct {
		change func(*lock.Lock)
		want   string
	}{
		{func(l *lock.Lock) { l.Further[0].Packages[0].SHA256 = "x" }, `platform linux/arm64: package adduser 3.134: "x" is not a sha256`},
		{func(l *lock.Lock) { l.Further[0].Platform = "linux/amd64" }, "platform linux/amd64: listed twice"},
		{func(l *lock.Lock) { l.Packages[0].Size, l.Further[0].Packages[0].Size = 1<<49, 1<<49+1 }, "more than a petabyte"},
		{func(l *lock.Lock) { l.Further[0].UV = lock.UV{} }, "platform linux/arm64: uv: "},
	} {
		l := twoPlatforms()
		tt.change(&l)
		if _, err := lock.Parse("image.lock", l.Format()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
