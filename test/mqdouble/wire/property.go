package wire

import (
	"encoding/binary"
	"math"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

func (s *session) setmp(in *request) engine.Result {
	handle, name, kind, data := in.long(), string(in.bytes()), in.int(), in.bytes()
	if in.err != nil {
		return engine.Result{}
	}
	v, known := value(kind, data)
	if !known {
		return engine.Result{Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_PROPERTY_TYPE_ERROR}
	}
	return s.conn.SetProperty(handle, name, v)
}

func (s *session) inqmp(in *request, out *answer) engine.Result {
	handle, name, options, size := in.long(), string(in.bytes()), in.int(), in.int()
	if in.err != nil {
		return engine.Result{}
	}
	p, r := s.conn.InquireProperty(handle, name, options)
	kind, data := plain(p)
	if r.Code == mqi.MQCC_OK && len(data) > int(size) {
		r = engine.Result{Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_PROPERTY_VALUE_TOO_BIG}
	}
	out.bytes([]byte(p.Name))
	out.int(kind)
	out.int(int32(len(data)))
	out.bytes(data)
	return r
}

// value reads a property as C has it.
func value(kind int32, data []byte) (v any, known bool) {
	width := map[int32]int{
		mqi.MQTYPE_BOOLEAN: 4, mqi.MQTYPE_INT8: 1, mqi.MQTYPE_INT16: 2, mqi.MQTYPE_INT32: 4,
		mqi.MQTYPE_INT64: 8, mqi.MQTYPE_FLOAT32: 4, mqi.MQTYPE_FLOAT64: 8,
	}
	if n, fixed := width[kind]; fixed && len(data) != n {
		return nil, false
	}
	o := binary.LittleEndian
	switch kind {
	case mqi.MQTYPE_NULL:
		return nil, true
	case mqi.MQTYPE_STRING:
		return string(data), true
	case mqi.MQTYPE_BYTE_STRING:
		return append([]byte{}, data...), true
	case mqi.MQTYPE_BOOLEAN:
		return o.Uint32(data) != 0, true
	case mqi.MQTYPE_INT8:
		return int8(data[0]), true
	case mqi.MQTYPE_INT16:
		return int16(o.Uint16(data)), true
	case mqi.MQTYPE_INT32:
		return int32(o.Uint32(data)), true
	case mqi.MQTYPE_INT64:
		return int64(o.Uint64(data)), true
	case mqi.MQTYPE_FLOAT32:
		return math.Float32frombits(o.Uint32(data)), true
	case mqi.MQTYPE_FLOAT64:
		return math.Float64frombits(o.Uint64(data)), true
	}
	return nil, false
}

// plain writes a property as C has it.
func plain(p rfh2.Property) (kind int32, data []byte) {
	o := binary.LittleEndian
	switch v := p.Value.(type) {
	case string:
		return mqi.MQTYPE_STRING, []byte(v)
	case rfh2.Group:
		return mqi.MQTYPE_STRING, []byte(v)
	case rfh2.Char:
		return mqi.MQTYPE_STRING, []byte(string(rune(v)))
	case []byte:
		return mqi.MQTYPE_BYTE_STRING, v
	case bool:
		if v {
			return mqi.MQTYPE_BOOLEAN, o.AppendUint32(nil, 1)
		}
		return mqi.MQTYPE_BOOLEAN, o.AppendUint32(nil, 0)
	case int8:
		return mqi.MQTYPE_INT8, []byte{byte(v)}
	case int16:
		return mqi.MQTYPE_INT16, o.AppendUint16(nil, uint16(v))
	case int32:
		return mqi.MQTYPE_INT32, o.AppendUint32(nil, uint32(v))
	case int64:
		return mqi.MQTYPE_INT64, o.AppendUint64(nil, uint64(v))
	case float32:
		return mqi.MQTYPE_FLOAT32, o.AppendUint32(nil, math.Float32bits(v))
	case float64:
		return mqi.MQTYPE_FLOAT64, o.AppendUint64(nil, math.Float64bits(v))
	}
	return mqi.MQTYPE_NULL, nil
}
