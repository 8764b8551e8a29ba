package python

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/cache"
	"lamina.build/llb"
)

//go:embed scripts/*.py
var scripts embed.FS

// Under which name an exec asks for the logins, and where it finds them.
const (
	netrcID   = "lamina-netrc"
	netrcPath = "/run/secrets/netrc"
)

// trustedPath is where an exec finds the certificates that this machine trusts.
const trustedPath = "/.lamina/trusted"

// graph is one exec a question, side by side, each with an answer of its own.
// What the network says today is no secret of yesterday: nothing is cached but
// what pip downloads.
func (o Options) graph(list []question, project *llb.Layer) ([]llb.State, error) {
	code, err := scriptFiles()
	if err != nil {
		return nil, err
	}
	answers := make([]llb.State, len(list))
	for i, q := range list {
		text, err := q.text()
		if err != nil {
			return nil, err
		}
		exec := llb.Exec{
			Name: "pip resolves " + o.Requests[i].Set,
			Args: []string{"/usr/bin/python3", "/.lamina/scripts/resolve.py", questionsPath + "/question.json", "/.lamina/answer/" + answerName(i)},
			Env:  []string{"NETRC=" + netrcPath},
			Mounts: slices.Concat([]bkllb.RunOption{
				llb.Mount("/.lamina/scripts", llb.Files("scripts around pip", code)),
				llb.Mount(questionsPath, llb.Files("question", map[string]string{"question.json": text})),
				cache.Pip(o.Namespace).Option(),
				bkllb.AddSecret(netrcPath, bkllb.SecretID(netrcID), bkllb.SecretOptional),
				bkllb.WithProxy(o.Proxy),
			}, o.projectMounts(i, project), treeMounts(q)),
		}
		if len(o.Trusted) > 0 {
			exec.Env = append(exec.Env, "SSL_CERT_FILE="+trustedPath+"/ca.pem")
			exec = exec.With(llb.Mount(trustedPath, llb.Files("authorities", map[string]string{"ca.pem": string(o.Trusted)})))
		}
		answers[i] = exec.Online(o.Builder).AddMount("/.lamina/answer", bkllb.Scratch())
	}
	return answers, nil
}

// projectMounts shows the files of the user that the question speaks of.
func (o Options) projectMounts(i int, project *llb.Layer) []bkllb.RunOption {
	if text := o.Requests[i].Pylock; text != nil {
		return []bkllb.RunOption{llb.Mount(projectPath, llb.Files("pylock.toml", map[string]string{pylockName: string(text)}))}
	}
	if project == nil {
		return nil
	}
	return []bkllb.RunOption{llb.Mount(projectPath, llb.Packed(*project))}
}

func treeMounts(q question) []bkllb.RunOption {
	mounts := make([]bkllb.RunOption, len(q.Git))
	for i, t := range q.Git {
		mounts[i] = llb.Mount(t.Path, llb.Git(t.remote, t.commit))
	}
	return mounts
}

func scriptFiles() (map[string]string, error) {
	names, err := fs.Glob(scripts, "scripts/*.py")
	if err != nil {
		return nil, err
	}
	code := map[string]string{"globs.py": llb.GlobScript()}
	for _, name := range names {
		data, err := scripts.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		code[name[len("scripts/"):]] = string(data)
	}
	return code, nil
}
