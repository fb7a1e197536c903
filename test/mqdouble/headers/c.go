package headers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Write writes the header files into dir, which must exist. They include types.h.
func Write(dir string, constants []Constant) error {
	files := map[string][]byte{
		"cmqc.h":    definitions(constants),
		"cmqxc.h":   []byte(note + "#include \"cmqc.h\"\n"),
		"cmqcfc.h":  []byte(note + "#include \"cmqc.h\"\n"),
		"cmqstrc.h": names(constants),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

const note = "/* Made for the queue-manager double from the constants of mq-golang. Not IBM's file. */\n"

// definitions is cmqc.h.
func definitions(constants []Constant) []byte {
	var b bytes.Buffer
	b.WriteString(note + "#ifndef MQDOUBLE_CMQC_H\n#define MQDOUBLE_CMQC_H\n")
	for _, c := range constants {
		fmt.Fprintf(&b, "#define %s %s\n", c.Name, c.c())
	}
	b.WriteString("#define MQBNO_STRUC_ID \"BNO \"\n") // the only one that mq-golang has in C alone
	b.WriteString("#include \"types.h\"\n#endif\n")
	return b.Bytes()
}

// c returns the value as C writes it. Formats are filled up with blanks.
func (c Constant) c() string {
	switch {
	case c.Type != "string":
		return c.Text
	case strings.HasPrefix(c.Name, "MQFMT_"):
		s, err := strconv.Unquote(c.Text)
		if err == nil {
			return fmt.Sprintf("\"%-8s\"", s)
		}
	}
	return c.Text
}

// named are the families of constants whose names cmqstrc.h can tell.
var named = []string{
	"MQBACF", "MQCA", "MQCACF", "MQCACH", "MQCAMO", "MQCC", "MQCHT", "MQCMD", "MQIA", "MQIACF", "MQIACH",
	"MQIAMO", "MQIAMO64", "MQOT", "MQPL", "MQRC", "MQRCCF",
}

// names is cmqstrc.h.
func names(constants []Constant) []byte {
	var b bytes.Buffer
	b.WriteString(note + "#ifndef MQDOUBLE_CMQSTRC_H\n#define MQDOUBLE_CMQSTRC_H\n#include \"cmqc.h\"\n")
	for _, family := range named {
		fmt.Fprintf(&b, "static inline char *%s_STR(MQLONG v)\n{\n\tswitch (v) {\n", family)
		for _, c := range members(constants, family) {
			fmt.Fprintf(&b, "\tcase %s: return \"%s\";\n", c.Text, c.Name)
		}
		b.WriteString("\t}\n\treturn \"\";\n}\n")
	}
	b.WriteString("#endif\n")
	return b.Bytes()
}

// members returns the constants of a family, one for each value: not those that
// only mark its bounds.
func members(constants []Constant, family string) []Constant {
	var found []Constant
	seen := make(map[string]bool)
	for _, c := range constants {
		if !strings.HasPrefix(c.Name, family+"_") || seen[c.Text] || isBound(c.Name) {
			continue
		}
		if _, ok := c.Int(); ok {
			seen[c.Text] = true
			found = append(found, c)
		}
	}
	return found
}

func isBound(name string) bool {
	for _, end := range []string{"_FIRST", "_LAST", "_LAST_USED", "_USER_LIST"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}
