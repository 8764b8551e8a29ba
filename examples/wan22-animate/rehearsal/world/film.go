package world

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/png"
)

// Film is what a stand-in for an mp4 file tells to the stand-ins for ffmpeg and
// for Wan's scripts.
type Film struct {
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	FPS     float64 `json:"fps"`
	Seconds float64 `json:"seconds"`
	Sound   bool    `json:"sound"`
	Person  bool    `json:"person"` // somebody is in it whose face can be seen

	// Problem is what goes wrong with the film in preprocessing, as REHEARSAL_PROBLEM says of all
	// films: "preprocess-die", "preprocess-hang", "preprocess-nothing".
	Problem string `json:"problem,omitempty"`
}

// Driving is a film that a job can be done with.
func Driving() Film {
	return Film{Width: 320, Height: 240, FPS: 30, Seconds: 2, Sound: true, Person: true}
}

// filmSize is that of the smallest film.
const filmSize = 4096

// MP4 is the film as a file: it begins as real ones do.
func (f Film) MP4() []byte {
	text, err := json.Marshal(f)
	if err != nil {
		panic("internal error: " + err.Error()) // numbers and texts
	}
	file := box(box(nil, "ftyp", []byte("isom\x00\x00\x02\x00isomiso2")), "free", text)
	return box(file, "mdat", make([]byte, max(filmSize-len(file)-8, 0)))
}

func box(file []byte, kind string, content []byte) []byte {
	file = binary.BigEndian.AppendUint32(file, uint32(8+len(content))) //nolint:gosec // a few thousand bytes
	return append(append(file, kind...), content...)
}

// ParseFilm returns the film in a file, and false where there is none.
func ParseFilm(file []byte) (f Film, ok bool) {
	for len(file) >= 8 {
		size := binary.BigEndian.Uint32(file)
		if size < 8 || int(size) > len(file) {
			return f, false
		}
		if string(file[4:8]) == "free" {
			return f, json.Unmarshal(file[8:size], &f) == nil
		}
		file = file[size:]
	}
	return f, false
}

// Picture is a PNG file of a size.
func Picture(width, height int) []byte {
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		panic("internal error: " + err.Error()) // a buffer takes all
	}
	return out.Bytes()
}
