// Package faults locks and builds with problems: broken indexes,
// sdists that spy or never end, full disks, clients and engines that die.
package faults
