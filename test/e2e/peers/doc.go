// Package peers has the programs of others read what a build publishes.
package peers
