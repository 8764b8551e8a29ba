// Package locks resolves requirements with the real uv against package indexes made for
// it, good ones and bad ones.
package locks
