package graph

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/moby/buildkit/solver/pb"
)

// maxLabel is the length to which a label is truncated: a script of a hundred lines is in the JSON.
const maxLabel = 100

// Label describes v in one line: its name, or else what it does.
func (v Vertex) Label() string {
	label := strings.Join(strings.Fields(cmp.Or(v.Name, describe(v.Op.Op))), " ")
	if r := []rune(label); len(r) > maxLabel {
		return string(r[:maxLabel-1]) + "…"
	}
	return label
}

func describe(op *pb.Op) string {
	switch o := op.Op.(type) {
	case *pb.Op_Source:
		return o.Source.Identifier
	case *pb.Op_Exec:
		return strings.Join(o.Exec.GetMeta().GetArgs(), " ")
	case *pb.Op_File:
		return describeFile(o.File.Actions)
	}
	return ""
}

// describeFile names the first action: a file operation of the base has hundreds of similar ones.
func describeFile(actions []*pb.FileAction) string {
	if len(actions) == 0 {
		return ""
	}
	first := describeAction(actions[0])
	if more := len(actions) - 1; more > 0 {
		return fmt.Sprintf("%s, and %d more", first, more)
	}
	return first
}

func describeAction(action *pb.FileAction) string {
	switch a := action.Action.(type) {
	case *pb.FileAction_Copy:
		return fmt.Sprintf("copy %s → %s", a.Copy.Src, a.Copy.Dest)
	case *pb.FileAction_Mkfile:
		return "write " + a.Mkfile.Path
	case *pb.FileAction_Mkdir:
		return "make " + a.Mkdir.Path
	case *pb.FileAction_Rm:
		return "remove " + a.Rm.Path
	case *pb.FileAction_Symlink:
		return fmt.Sprintf("link %s → %s", a.Symlink.Newpath, a.Symlink.Oldpath)
	}
	return ""
}

// uses returns where an exec mounts each input of v; "" for other kinds.
func (v Vertex) uses() []string {
	uses := make([]string, len(v.Inputs))
	for _, m := range v.Op.GetExec().GetMounts() {
		if m.Input >= 0 && int(m.Input) < len(uses) && uses[m.Input] == "" {
			uses[m.Input] = path.Clean("/" + m.Dest)
		}
	}
	return uses
}
