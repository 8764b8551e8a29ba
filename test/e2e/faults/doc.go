// Package faults locks where something is wrong: indexes in every kind of trouble,
// sdists that spy or never end, clients and engines that die.
package faults
