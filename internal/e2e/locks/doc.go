// Package locks lets real pip resolve requirements against package indexes made
// for it, good ones and bad ones.
package locks
