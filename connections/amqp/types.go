package amqp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"

	"github.com/Azure/go-amqp"
)

// Types of AMQP that neither Go nor go-amqp has. Values of them are found in the
// headers, annotations and bodies of received messages, may be used in those that
// are sent, and are relayed as they came.
type (
	// Decimal32 is a number of 7 decimal digits: IEEE 754-2008, binary integer
	// encoding, the most significant byte first. Its String is exact.
	Decimal32 struct{ Bits [4]byte }

	// Decimal64 is one of 16 digits.
	Decimal64 struct{ Bits [8]byte }

	// Decimal128 is one of 34 digits.
	Decimal128 struct{ Bits [16]byte }

	// Char is one character of Unicode.
	Char rune

	// Described is a value with a description of what it means, usually an
	// amqp.Symbol such as "com.example:money:list" or an uint64.
	Described struct {
		Descriptor, Value any
	}

	// Encoded is any other value that has no form in Go, as it came, its
	// constructor first: an array of lists, of decimals or of characters, a map
	// with keys that have parts.
	Encoded []byte
)

// String returns the number as in 12.50, 1E+6000, NaN or -Infinity.
func (d Decimal32) String() string { return decimal(d.Bits[:], 8) }

// String returns the number as Decimal32's does.
func (d Decimal64) String() string { return decimal(d.Bits[:], 10) }

// String returns the number as Decimal32's does.
func (d Decimal128) String() string { return decimal(d.Bits[:], 14) }

// String returns the character.
func (c Char) String() string { return string(rune(c)) }

// String returns the value alone.
func (d Described) String() string { return fmt.Sprint(d.Value) }

// String returns the bytes in hexadecimal.
func (e Encoded) String() string { return hex.EncodeToString(e) }

// decimal returns a number in the binary integer encoding as text: a sign, an
// exponent of so many bits, and the coefficient. (Two bits that are both set say
// that the exponent is two bits further on, behind them: the coefficient then
// begins with 100, in binary.)
func decimal(b []byte, exponentBits int) string {
	n := new(big.Int).SetBytes(b)
	bits := 8 * len(b)
	sign := ""
	if n.Bit(bits-1) == 1 {
		sign = "-"
	}
	field := func(first, count int) *big.Int { // of bits, counted from the sign
		v := new(big.Int).Rsh(n, uint(bits-first-count))
		return v.And(v, mask(count))
	}
	switch field(1, 5).Int64() {
	case 0b11111:
		return "NaN"
	case 0b11110:
		return sign + "Infinity"
	}
	exponent := field(1, exponentBits)
	coefficient := field(1+exponentBits, bits-1-exponentBits)
	if field(1, 2).Int64() == 0b11 {
		exponent = field(3, exponentBits)
		coefficient = field(3+exponentBits, bits-3-exponentBits)
		coefficient.SetBit(coefficient, bits-exponentBits-1, 1)
	}
	digits := (bits/32)*9 - 2 // 7, 16, 34
	if coefficient.Cmp(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)) >= 0 {
		coefficient.SetInt64(0) // more digits than there may be mean none
	}
	bias := 3<<(exponentBits-3) + digits - 2 // 101, 398, 6176
	return sign + scientific(coefficient.String(), int(exponent.Int64())-bias)
}

func mask(bits int) *big.Int {
	m := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	return m.Sub(m, big.NewInt(1))
}

// scientific returns digits times ten to the exponent as in "to-scientific-string"
// of the General Decimal Arithmetic.
func scientific(digits string, exponent int) string {
	adjusted := exponent + len(digits) - 1
	switch {
	case exponent == 0:
		return digits
	case exponent < 0 && adjusted >= -6:
		for len(digits) <= -exponent {
			digits = "0" + digits
		}
		point := len(digits) + exponent
		return digits[:point] + "." + digits[point:]
	}
	if len(digits) > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	if adjusted >= 0 {
		return digits + "E+" + strconv.Itoa(adjusted)
	}
	return digits + "E" + strconv.Itoa(adjusted)
}

// Constructors of the types above, and of symbols.
const (
	smallSymbol    = 0xa3
	longSymbol     = 0xb3
	charCode       = 0x73
	decimal32Code  = 0x74
	decimal64Code  = 0x84
	decimal128Code = 0x94
)

// typed returns an encoded value as the type that it has here.
func typed(encoded []byte) any {
	switch encoded[0] {
	case smallSymbol:
		return amqp.Symbol(encoded[2:])
	case longSymbol:
		return amqp.Symbol(encoded[5:])
	case charCode:
		return Char(binary.BigEndian.Uint32(encoded[1:]))
	case decimal32Code:
		return Decimal32{[4]byte(encoded[1:])}
	case decimal64Code:
		return Decimal64{[8]byte(encoded[1:])}
	case decimal128Code:
		return Decimal128{[16]byte(encoded[1:])}
	}
	return Encoded(encoded)
}

// encodedForm returns a value of one of the types above as it is on the wire. The
// parts of a Described must be what AMQP knows.
func encodedForm(v any) (encoded []byte, err error) {
	switch v := v.(type) {
	case Char:
		return binary.BigEndian.AppendUint32([]byte{charCode}, uint32(v)), nil
	case Decimal32:
		return append([]byte{decimal32Code}, v.Bits[:]...), nil
	case Decimal64:
		return append([]byte{decimal64Code}, v.Bits[:]...), nil
	case Decimal128:
		return append([]byte{decimal128Code}, v.Bits[:]...), nil
	case Encoded:
		if n, err := span(v, 0); err != nil || n != len(v) {
			return nil, fmt.Errorf("an Encoded that is no AMQP value: %d bytes", len(v))
		}
		return v, nil
	case Described:
		encoded = []byte{described}
		for _, part := range []any{v.Descriptor, v.Value} {
			b, err := encodedValue(part)
			if err != nil {
				return nil, err
			}
			encoded = append(encoded, b...)
		}
		return encoded, nil
	}
	return nil, fmt.Errorf("%T has no AMQP form", v)
}
