package stages

import (
	"lamina.build/llb"
	"lamina.build/lock"
)

// Builder is where native code is compiled and where the checks have their
// tools. Nothing of it reaches the image but the wheels it makes.
func Builder(in Input) llb.State {
	base := Base(in, lock.SetBuilder)
	base.Exclude = llb.Exclude{
		"/usr/share/doc/**", "/usr/share/man/**", "/usr/share/info/**", "/usr/share/locale/**",
	}
	return base.Layer()
}
