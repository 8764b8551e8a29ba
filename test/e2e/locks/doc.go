// Package locks lets real uv resolve requirements against package indexes made
// for it, good ones and bad ones.
package locks
