package amqp

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// saslprep prepares a user or a password as RFC 4013 says, so that both sides mean
// the same characters. Whether letters that are written from right to left are
// mixed with others is left to the broker.
func saslprep(text string) (string, error) {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(mappedToNothing, r):
			return -1
		case unicode.Is(unicode.Zs, r):
			return ' '
		}
		return r
	}, text)
	prepared := norm.NFKC.String(mapped)
	if strings.ContainsFunc(prepared, prohibited) {
		return "", errors.New("a character is prohibited")
	}
	return prepared, nil
}

// mappedToNothing is table B.1 of RFC 3454.
var mappedToNothing = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1}, {Lo: 0x034f, Hi: 0x034f, Stride: 1}, {Lo: 0x1806, Hi: 0x1806, Stride: 1},
		{Lo: 0x180b, Hi: 0x180d, Stride: 1}, {Lo: 0x200b, Hi: 0x200d, Stride: 1}, {Lo: 0x2060, Hi: 0x2060, Stride: 1},
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, {Lo: 0xfeff, Hi: 0xfeff, Stride: 1},
	},
	LatinOffset: 1,
}

// prohibited reports whether r is in one of the tables C.2 to C.9 of RFC 3454:
// characters that control, describe others, are for private use, or are none. The
// byte of a text that is not UTF-8 is one of these.
func prohibited(r rune) bool {
	return r == utf8.RuneError || 0x2ff0 <= r && r <= 0x2ffb || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Noncharacter_Code_Point)
}
