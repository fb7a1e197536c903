package config

import (
	"slices"
	"strings"
)

// soundsSecret reports whether a key of a map is probably a secret's. Such maps,
// of headers and of functions' settings, have no tags.
func soundsSecret(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc([]string{"password", "passwd", "passcode", "passphrase", "secret", "token", "apikey", "api-key", "api_key", "authorization", "credential"},
		func(s string) bool { return strings.Contains(key, s) })
}

// maskURL replaces the passwords in s if it is a URL, or a text with several.
func maskURL(s string) string {
	if info := userInfo(s); strings.Contains(info, ":") {
		user, _, _ := strings.Cut(info, ":")
		scheme, rest, _ := strings.Cut(s, "://")
		s = scheme + "://" + user + ":" + masked + rest[len(info):]
	}
	base, query, _ := strings.Cut(s, "?")
	if !strings.Contains(base, "://") {
		return s
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, v, _ := strings.Cut(pair, "="); v != "" && soundsSecret(name) {
			s = strings.Replace(s, pair, name+"="+masked, 1)
		}
	}
	return s
}

// isDSN reports whether s, where a URL is expected, is made of pairs such as
// host=localhost.
func isDSN(s string) bool { return strings.Contains(s, "=") && !strings.Contains(s, "://") }

// passwordIn returns the password in a URL or a DSN, or "".
func passwordIn(s string) string {
	if _, password, _ := strings.Cut(userInfo(s), ":"); password != "" {
		return password
	}
	const parameter = "password="
	_, rest, _ := strings.Cut(s, parameter)
	password, _, _ := strings.Cut(rest, " ")
	password, _, _ = strings.Cut(password, "&")
	return password
}

// userInfo returns "user:password" of a URL. It takes everything to the last @,
// so that a password which breaks the form of the URL is in it.
func userInfo(s string) string {
	_, rest, ok := strings.Cut(s, "://")
	end := strings.LastIndex(rest, "@")
	if !ok || end < 0 {
		return ""
	}
	return rest[:end]
}
