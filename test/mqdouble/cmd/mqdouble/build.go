package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/test/mqdouble"
)

// library builds the library that the flags in args ask for.
func library(name string, args []string) (mqdouble.Library, error) {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	dir := flags.String("o", mqdouble.Cache(), "folder to build in")
	asan := flags.Bool("asan", false, "build for the address sanitizer")
	if err := flags.Parse(args); err != nil {
		return mqdouble.Library{}, err
	}
	path, err := filepath.Abs(*dir)
	if err != nil {
		return mqdouble.Library{}, err
	}
	return mqdouble.Build(context.Background(), path, *asan)
}

// build prints where the library is.
func build(args []string) error {
	l, err := library("build", args)
	if err == nil {
		fmt.Println(l.Dir)
	}
	return err
}

// env prints the settings to compile with, for a shell's eval.
func env(args []string) error {
	l, err := library("env", args)
	if err != nil {
		return err
	}
	for _, setting := range l.Env() {
		key, value, _ := strings.Cut(setting, "=")
		fmt.Printf("export %s='%s'\n", key, strings.ReplaceAll(value, "'", `'\''`))
	}
	return nil
}
