// Command goproxy writes a file GOPROXY that serves this repository's module as
// if it were published, for tools that fetch modules and ignore replacements, such
// as Knative's func.
//
//	go -C tools run ./goproxy -o DIR
//	export GOPROXY="file://DIR,$(go env GOPROXY)" GONOSUMDB=github.com/fairlead/fairlead
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// What is served. The version is the one that templates require (templates.Version).
const (
	path    = "github.com/fairlead/fairlead"
	version = "v0.1.0"
)

func main() {
	out := flag.String("o", "", "write to the folder `DIR`")
	root := flag.String("root", "..", "root `FOLDER` of the module")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(*root, filepath.Join(*out, filepath.FromSlash(path), "@v")); err != nil {
		fmt.Fprintln(os.Stderr, "goproxy:", err)
		os.Exit(1)
	}
}

// serve writes the files of the GOPROXY protocol for the module in root.
func serve(root, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return pack(root, filepath.Join(dir, version+".zip"))
}

func pack(root, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := zip.CreateFromDir(f, module.Version{Path: path, Version: version}, root); err != nil {
		f.Close()
		return fmt.Errorf("pack %s: %w", root, err)
	}
	return f.Close()
}
