package llb

import (
	"maps"
	"path"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
)

// Clean copies what from has below src to dst in a new layer, in which every file's time is
// [Epoch]. Such a layer has the same digest after a prune, alone or merged; hard links,
// owners, setuid bits and file capabilities survive.
func Clean(name string, from State, src, dst string) State { return clean(name, from, src, dst) }

func clean(name string, from State, src, dst string, more ...bkllb.ConstraintsOpt) State {
	epoch := EpochTime()
	return bkllb.Scratch().File(bkllb.Copy(from, src, dst, &bkllb.CopyInfo{
		CopyDirContentsOnly: true,
		CreateDestPath:      true,
		CreatedTime:         &epoch,
	}), append(more, bkllb.WithCustomName(name))...)
}

// here keeps the result of a step out of caches outside the engine: what can be fetched again,
// or is an intermediate step of a layer. A cache finds the layer without it, and would
// otherwise be ten times as large as the image.
func here() bkllb.ConstraintsOpt { return bkllb.WithoutExportCache() }

// File is a file of another state and its destination.
type File struct {
	From State  // holds the file at its root, under the same base name
	Path string // absolute
}

// Gather copies single files from many states into one, in one operation: a Merge of as many
// sources takes twice the time.
func Gather(name string, files []File) State {
	return bkllb.Scratch().File(copies(directory("/"), files), bkllb.WithCustomName(name), here())
}

// Files returns a state with small files at its root, by name, readable by all.
func Files(name string, files map[string]string) State {
	action := directory("/")
	for _, path := range slices.Sorted(maps.Keys(files)) {
		action = action.Mkfile(path, 0o644, []byte(files[path]), atEpoch())
	}
	return bkllb.Scratch().File(action, bkllb.WithCustomName(name))
}

// Text returns a layer of one file, readable by all.
func Text(name, file, content string) State {
	action := directory(path.Dir(file)).Mkfile(file, 0o644, []byte(content), atEpoch())
	made := bkllb.Scratch().File(action, bkllb.WithCustomName(name), here())
	return Clean(name+": one layer", made, "/", "/")
}

// ModelLayer has the engine make a layer of fetched files, byte for byte the layer that the
// client makes of them. Each file is at the root of its state; empty are the paths of files
// without content, which are not fetched.
func ModelLayer(name string, files []File, empty []string) State {
	action := directory("/")
	for _, p := range empty {
		action = action.Mkdir(path.Dir(p), 0o755, bkllb.WithParents(true), atEpoch()).Mkfile(p, 0o644, nil, atEpoch())
	}
	made := bkllb.Scratch().File(copies(action, files), bkllb.WithCustomName(name))
	if len(files)+len(empty) == 1 {
		return made // it may be large, and needs no second copy
	}
	// Each file copied into a directory gives it the time of the build.
	return Clean(name+": one layer", made, "/", "/")
}

func directory(path string) *bkllb.FileAction {
	return bkllb.Mkdir(path, 0o755, bkllb.WithParents(true), atEpoch())
}

func copies(action *bkllb.FileAction, files []File) *bkllb.FileAction {
	epoch := EpochTime()
	for _, f := range files {
		action = action.Copy(f.From, path.Base(f.Path), f.Path, &bkllb.CopyInfo{
			CreateDestPath: true, CreatedTime: &epoch,
		})
	}
	return action
}

func atEpoch() bkllb.CreatedTime { return bkllb.WithCreatedTime(EpochTime()) }
