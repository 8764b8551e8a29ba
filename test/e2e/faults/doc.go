// Package faults locks, builds and pushes with problems: broken indexes and registries,
// sdists that spy or never end, full disks, clients and engines that die.
package faults
