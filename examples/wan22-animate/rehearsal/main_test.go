package main

import (
	"os"
	"testing"

	"lamina.build/internal/e2etest"
)

func TestMain(m *testing.M) { os.Exit(e2etest.Main(m)) }
