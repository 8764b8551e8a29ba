package lock_test

import (
	"fmt"

	"lamina.build/lock"
)

// A lock that was edited by hand is detected.
func ExampleParse() {
	text := lock.Lock{Requirements: lock.Requirements{Platform: "linux/amd64"}}.Format()
	l, err := lock.Parse("image.lock", text)
	fmt.Println(l.Platform, err)

	_, err = lock.Parse("image.lock", append(text, '\n', '#'))
	fmt.Println(err)
	// Output:
	// linux/amd64 <nil>
	// image.lock: lock was changed after it was written
}
