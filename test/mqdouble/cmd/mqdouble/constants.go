package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/test/mqdouble/headers"
)

// constants writes the Go file of package mqi.
func constants(args []string) error {
	flags := flag.NewFlagSet("constants", flag.ExitOnError)
	out := flags.String("o", "constants.go", "file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("constants: expected the file with the wanted names")
	}
	list, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	all, err := readConstants()
	if err != nil {
		return err
	}
	path, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	text, err := headers.Go(filepath.Base(filepath.Dir(path)), all, headers.Wanted(string(list)))
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o666)
}

func readConstants() ([]headers.Constant, error) {
	file, err := headers.Source()
	if err != nil {
		return nil, err
	}
	return headers.Read(file)
}
