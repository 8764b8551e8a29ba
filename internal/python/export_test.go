package python

import (
	"lamina.build/llb"
	"lamina.build/lock"
)

// Answer is what scripts say.
type Answer = answer

// What the tests of the package look at.
var (
	ReadAnswer    = question{}.read
	Fill          = fill
	CheckBuilders = checkBuilders
	CheckNames    = checkNames
)

// Read reads an answer to r.
func (r Request) Read(data []byte) (Answer, error) {
	q, err := r.ask("")
	if err != nil {
		return Answer{}, err
	}
	return q.read(r.Set, data)
}

// Netrc is l as pip reads it.
func (l Logins) Netrc() []byte { return l.netrc() }

// Question is r as the scripts read it.
func (r Request) Question(own string) (string, error) {
	q, err := r.ask(own)
	if err != nil {
		return "", err
	}
	return q.text()
}

// Compiled are the projects that are known to compile.
func Compiled() map[string][][]string { return compiled() }

// Named is a distribution as scripts word it.
func Named(name, file string) lock.Distribution {
	return distribution{Name: name, Version: "1.0", File: file}.entry()
}

// Graph is what an engine is asked to do for the requests.
func (o Options) Graph() ([]llb.State, error) {
	list, err := o.questions()
	if err != nil {
		return nil, err
	}
	return o.graph(list, nil)
}
