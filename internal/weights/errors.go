package weights

import (
	"fmt"

	"lamina.build/internal/humanize"
)

// MismatchError is a file that is not the one of the lock.
type MismatchError struct {
	File      string // of the model, as of [lock.ModelFile.Path]
	Want, Got string // sha256, hexadecimal
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("file %q has the sha256 %s, and %s in the lock", e.File, e.Got, e.Want)
}

// Hint says what helps.
func (e *MismatchError) Hint() string {
	return "run it again in case it was damaged on its way; else the file was replaced where it comes from: lock the model anew once you know why"
}

// SpaceError is a disk that the layers don't fit on.
type SpaceError struct {
	Dir        string
	Need, Free int64 // bytes that are missing there, and those that can be had
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%q has %s free, and the model needs another %s there", e.Dir, humanize.Size(e.Free), humanize.Size(e.Need))
}

// Hint says what helps.
func (e *SpaceError) Hint() string {
	return "make room or choose another folder, then run it again: what came stays; build model push needs no disk at all"
}
