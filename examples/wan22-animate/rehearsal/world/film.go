package world

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/png"
)

// Film is what a stand-in for an mp4 file tells the stand-ins for ffmpeg and for Wan's
// scripts.
type Film struct {
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	FPS     float64 `json:"fps"`
	Seconds float64 `json:"seconds"`
	Sound   bool    `json:"sound"`
	Person  bool    `json:"person"` // it shows a person's face

	// Problem is how preprocessing fails with the film, like REHEARSAL_PROBLEM for all films:
	// "preprocess-die", "preprocess-hang", "preprocess-nothing".
	Problem string `json:"problem,omitempty"`
}

// Driving returns a film that a job can use.
func Driving() Film {
	return Film{Width: 320, Height: 240, FPS: 30, Seconds: 2, Sound: true, Person: true}
}

// filmSize is the size of the smallest film.
const filmSize = 4096

// MP4 returns the film as a file, which begins like real ones.
func (f Film) MP4() []byte {
	text, err := json.Marshal(f)
	if err != nil {
		panic("internal error: " + err.Error()) // numbers and strings
	}
	file := box(box(nil, "ftyp", []byte("isom\x00\x00\x02\x00isomiso2")), "free", text)
	return box(file, "mdat", make([]byte, max(filmSize-len(file)-8, 0)))
}

func box(file []byte, kind string, content []byte) []byte {
	file = binary.BigEndian.AppendUint32(file, uint32(8+len(content))) //nolint:gosec // a few thousand bytes
	return append(append(file, kind...), content...)
}

// ParseFilm returns the film in a file, and false if there is none.
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

// Picture returns a PNG file of a size.
func Picture(width, height int) []byte {
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		panic("internal error: " + err.Error()) // a buffer accepts all
	}
	return out.Bytes()
}
