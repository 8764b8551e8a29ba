// Package user imports another.
package user

import "example.test/sums/calc"

// Four is twice two.
func Four() int { return calc.Double(2) }
