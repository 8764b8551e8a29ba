package llb

import (
	"maps"
	"path"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
)

// Clean is what from holds below src, copied to dst into one layer of its own
// in which every file's time is [Epoch]. Such a layer has the same digest after
// a prune, alone or merged; hard links, owners, setuid bits and file
// capabilities survive in it.
func Clean(name string, from State, src, dst string) State {
	epoch := EpochTime()
	return bkllb.Scratch().File(bkllb.Copy(from, src, dst, &bkllb.CopyInfo{
		CopyDirContentsOnly: true,
		CreateDestPath:      true,
		CreatedTime:         &epoch,
	}), bkllb.WithCustomName(name))
}

// File is a file of another state and where it shall be.
type File struct {
	From State  // holds the file at its root, under the same base name
	Path string // absolute
}

// Gather puts single files from many states into one, in one operation: a
// Merge of as many sources costs twice the time.
func Gather(name string, files []File) State {
	epoch := EpochTime()
	action := bkllb.Mkdir("/", 0o755, bkllb.WithParents(true), bkllb.WithCreatedTime(epoch))
	return bkllb.Scratch().File(copies(action, files), bkllb.WithCustomName(name))
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

// Files is a state of small files with fixed content, readable by all.
func Files(name string, files map[string]string) State {
	epoch := EpochTime()
	action := bkllb.Mkdir("/", 0o755, bkllb.WithParents(true), bkllb.WithCreatedTime(epoch))
	for _, path := range slices.Sorted(maps.Keys(files)) {
		action = action.Mkfile(path, 0o644, []byte(files[path]), bkllb.WithCreatedTime(epoch))
	}
	return bkllb.Scratch().File(action, bkllb.WithCustomName(name))
}

// Text is a layer of one file, which all may read.
func Text(name, file, content string) State {
	epoch := bkllb.WithCreatedTime(EpochTime())
	made := bkllb.Scratch().File(
		bkllb.Mkdir(path.Dir(file), 0o755, bkllb.WithParents(true), epoch).Mkfile(file, 0o644, []byte(content), epoch),
		bkllb.WithCustomName(name),
	)
	return Clean(name+": one layer", made, "/", "/")
}
