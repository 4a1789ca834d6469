# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed fields of requests: what Go's decoders make of query strings and JSON bodies, error texts included.

``strconv``, ``encoding/json``, ``time.Parse`` and jsonpb of golang/protobuf 1.5.4, as far as the master's gateway uses
them.
Every reader raises ValueError with Go's own text.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t
from datetime import UTC, datetime, timedelta

# --- Go's scalar parsers ---


def go_parse_int(text: str, bits: int) -> int:
    """``strconv.ParseInt(text, 0, bits)``: decimal, 0x, 0o, 0b, a leading 0 for octal, underscores between digits.

    Raises:
        ValueError: with Go's text.
    """
    quoted = go_quote(text)
    digits = text[1:] if text[:1] in ("+", "-") else text
    if re.fullmatch(r"0[0-7_]+", digits):
        digits = "0o" + digits[1:]
    if not re.fullmatch(r"0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+|0|[1-9](_?[0-9])*", digits):
        raise ValueError(f"strconv.ParseInt: parsing {quoted}: invalid syntax")
    value = int(digits.replace("_", ""), 0) * (-1 if text[:1] == "-" else 1)
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise ValueError(f"strconv.ParseInt: parsing {quoted}: value out of range")
    return value


def go_quote(text: str) -> str:
    """``strconv.Quote``, for the characters that occur."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char.isprintable():
            out.append(char)
        else:
            named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
            number = ord(char)
            escape = (
                f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
            )
            out.append(named.get(char, escape))
    return '"' + "".join(out) + '"'


def time_quote(text: str) -> str:
    """The quoting of Go's package time: bytes outside printable ASCII in hexadecimal."""
    out = []
    for byte in text.encode():
        char = chr(byte)
        out.append("\\" + char if char in '"\\' else char if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
    return '"' + "".join(out) + '"'


TIME_PARTS = (
    ("2006", r"\d{4}"),
    ("-", "-"),
    ("01", r"\d{2}"),
    ("-", "-"),
    ("02", r"\d{2}"),
    ("T", "T"),
    ("15", r"\d{2}"),
    (":", ":"),
    ("04", r"\d{2}"),
    (":", ":"),
    ("05", r"\d{2}"),
    (".999999999", r"(?:[.,]\d+)?"),
    ("Z07:00", r"Z|[+-]\d{2}:\d{2}"),
)


def go_parse_time(text: str) -> datetime:
    """``time.Parse(time.RFC3339Nano, text)`` as UTC, cut to microseconds.

    Raises:
        ValueError: with Go's text.
    """
    position, values = 0, []
    prefix = f'parsing time {time_quote(text)} as "2006-01-02T15:04:05.999999999Z07:00": '
    for layout, pattern in TIME_PARTS:
        match = re.compile(pattern).match(text, position)
        if match is None:
            raise ValueError(f"{prefix}cannot parse {time_quote(text[position:])} as {time_quote(layout)}")
        position = match.end()
        values.append(match.group())
    if position != len(text):
        raise ValueError(f"parsing time {time_quote(text)}: extra text: {time_quote(text[position:])}")
    micros = (values[11][1:] + "000000")[:6] if values[11] else "0"
    zone = timedelta(0)
    if values[12] != "Z":
        zone = timedelta(hours=int(values[12][1:3]), minutes=int(values[12][4:6])) * (-1 if values[12][0] == "-" else 1)
    fields = [int(values[i]) for i in (0, 2, 4, 6, 8, 10)]
    for name, low, high, value in zip(
        ("month", "day", "hour", "minute", "second"), (1, 1, 0, 0, 0), (12, 31, 23, 59, 59), fields[1:], strict=True
    ):
        if not low <= value <= high:
            raise ValueError(f"parsing time {time_quote(text)}: {name} out of range")
    try:
        return datetime(*fields, int(micros), tzinfo=UTC) - zone  # type: ignore[misc,arg-type]
    except ValueError:
        raise ValueError(f"parsing time {time_quote(text)}: day out of range") from None


# --- field types ---


class RawFloat(float):
    """A JSON number with a fraction or exponent; remembers its text for error messages."""

    raw: str


def json_kind(value: t.Any) -> str:
    """Go's word for the kind of a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def wrong_kind(value: t.Any, go_type: str) -> ValueError:
    """The error of encoding/json for a value of another kind."""
    return ValueError(f"json: cannot unmarshal {json_kind(value)} into Go value of type {go_type}")


class FieldType:
    """How one field is read from a query string and from JSON. Both raise ValueError with the gateway's text."""

    def from_query(self, values: list[str]) -> t.Any:
        """Read the values of one key; of a scalar the first wins."""
        return self.parse(values[0])

    def parse(self, text: str) -> t.Any:
        """Read one query value."""
        raise ValueError(f"field type {type(self).__name__} is not supported in query parameters")

    def from_json(self, value: t.Any) -> t.Any:
        """Read a decoded JSON value that is not null."""
        raise NotImplementedError

    def zero(self) -> t.Any:
        """The value of a null inside a list, or of an absent body."""
        return None


class _Int(FieldType):
    def __init__(self, bits: int) -> None:
        self.bits = bits

    def parse(self, text: str) -> int:
        return go_parse_int(text, self.bits)

    def from_json(self, value: t.Any) -> int:
        go_type = f"int{self.bits}"
        if isinstance(value, str):
            value = go_json(value.encode())  # jsonpb strips the quotes and reads what is left as JSON
            if value is None:
                return 0
        if isinstance(value, RawFloat):
            raise ValueError(f"json: cannot unmarshal number {value.raw} into Go value of type {go_type}")
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_kind(value, go_type)
        if not -(2 ** (self.bits - 1)) <= value < 2 ** (self.bits - 1):
            raise ValueError(f"json: cannot unmarshal number {value} into Go value of type {go_type}")
        return value

    def zero(self) -> int:
        return 0


class _Bool(FieldType):
    WORDS: t.ClassVar[dict[str, bool]] = {
        **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
        **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
    }

    def parse(self, text: str) -> bool:
        if text not in self.WORDS:
            raise ValueError(f"strconv.ParseBool: parsing {go_quote(text)}: invalid syntax")
        return self.WORDS[text]

    def from_json(self, value: t.Any) -> bool:
        if not isinstance(value, bool):
            raise wrong_kind(value, "bool")
        return value

    def zero(self) -> bool:
        return False


class _BoolValue(_Bool):
    def parse(self, text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError(f"bad BoolValue: {text}")
        return text == "true"


class _String(FieldType):
    def parse(self, text: str) -> str:
        return text

    def from_json(self, value: t.Any) -> str:
        if not isinstance(value, str):
            raise wrong_kind(value, "string")
        return value

    def zero(self) -> str:
        return ""


class _Bytes(_String):
    def from_json(self, value: t.Any) -> t.Any:
        if not isinstance(value, str):
            raise wrong_kind(value, "[]uint8")
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            raise ValueError("illegal base64 data at input byte 0") from None


class _Double(FieldType):
    def parse(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"strconv.ParseFloat: parsing {go_quote(text)}: invalid syntax") from None

    def from_json(self, value: t.Any) -> float:
        if value in ("NaN", "Infinity", "-Infinity"):
            return float(value)
        if isinstance(value, str):
            value = go_json(value.encode())
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong_kind(value, "float64")
        return float(value)

    def zero(self) -> float:
        return 0.0


class _Timestamp(FieldType):
    def parse(self, text: str) -> datetime:
        try:
            return go_parse_time(text)
        except ValueError as error:
            raise ValueError(f"bad Timestamp: {error}") from None

    def from_json(self, value: t.Any) -> datetime:
        if not isinstance(value, str):
            raise wrong_kind(value, "string")
        return self.parse(value)


def as_struct_value(value: t.Any) -> t.Any:
    """A JSON value after a trip through google.protobuf.Value: numbers are doubles, whole ones print as integers."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < 2**63 else number
    if isinstance(value, list):
        return [as_struct_value(item) for item in value]
    return {key: as_struct_value(item) for key, item in value.items()}


class _Struct(FieldType):
    def from_json(self, value: t.Any) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            raise ValueError(f"bad StructValue: {wrong_kind(value, 'map[string]json.RawMessage')}")
        return t.cast("dict[str, t.Any]", as_struct_value(value))

    def zero(self) -> dict[str, t.Any]:
        return {}


class _ListValue(FieldType):
    def from_json(self, value: t.Any) -> list[t.Any]:
        if not isinstance(value, list):
            raise ValueError(f"bad ListValue: {wrong_kind(value, '[]json.RawMessage')}")
        return t.cast("list[t.Any]", as_struct_value(value))


class Enum(FieldType):
    """An enumeration; values are decoded to their names (an unknown number in a body stays a number).

    Args:
        go_name: Go's type, for query errors, as ``apiv1.GetUsersRequest_SortBy``.
        names: the names in the order of their numbers, from 0; ``NAME=5`` sets the number.
        proto_name: the full protobuf name, for body errors.
    """

    def __init__(self, go_name: str, *names: str, proto_name: str = "") -> None:
        self.go_name = go_name
        self.proto_name = proto_name or go_name
        self.numbers: dict[str, int] = {}
        number = 0
        for name in names:
            label, _sep, explicit = name.partition("=")
            number = int(explicit) if explicit else number
            self.numbers[label] = number
            number += 1
        self.labels = {value: key for key, value in self.numbers.items()}

    def parse(self, text: str) -> str:
        if text in self.numbers:
            return text
        number = int(text) if re.fullmatch(r"[+-]?\d+", text) else None
        if number not in self.labels:
            raise ValueError(f"{text} is not a valid {self.go_name}")
        return self.labels[number]

    def from_json(self, value: t.Any) -> str | int:
        if isinstance(value, str):
            if value not in self.numbers:
                quoted = go_quote(json.dumps(value, ensure_ascii=False))
                raise ValueError(f"unknown value {quoted} for enum {self.proto_name}")
            return value
        if isinstance(value, RawFloat):
            raise ValueError(f"json: cannot unmarshal number {value.raw} into Go value of type protoreflect.EnumNumber")
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_kind(value, "protoreflect.EnumNumber")
        return self.labels.get(value, value)

    def zero(self) -> str:
        return self.labels[0]


class List(FieldType):
    """A repeated field."""

    def __init__(self, item: FieldType) -> None:
        self.item = item

    def from_query(self, values: list[str]) -> list[t.Any]:
        return [self.item.parse(value) for value in values]

    def from_json(self, value: t.Any) -> list[t.Any]:
        if not isinstance(value, list):
            raise wrong_kind(value, "[]json.RawMessage")
        return [self.item.zero() if item is None else self.item.from_json(item) for item in value]


class Map(FieldType):
    """A ``map<string, T>`` field."""

    def __init__(self, item: FieldType) -> None:
        self.item = item

    def from_json(self, value: t.Any) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            raise wrong_kind(value, "map[string]json.RawMessage")
        return {key: self.item.zero() if item is None else self.item.from_json(item) for key, item in value.items()}


class Message(FieldType):
    """A message: fields by their camelCase name, accepted in snake_case too; unknown keys ignored, null means absent.

    Args:
        fields: the field types by camelCase name, in the order of declaration (errors are found in that order).
        oneofs: members by the name of their oneof; two of one in a query string are an error, in a body the last
            declared wins.
        go_name: the Go type, for the text that refuses the message itself as a query parameter.
    """

    def __init__(
        self,
        fields: dict[str, FieldType],
        oneofs: dict[str, tuple[str, ...]] | None = None,
        go_name: str = "",
    ) -> None:
        self.fields = fields
        self.go_name = go_name
        self.names = {**{snake(name): name for name in fields}, **{name: name for name in fields}}
        self.oneofs = oneofs or {}

    def parse(self, text: str) -> t.Any:
        raise ValueError(f"field type {self.go_name} is not supported in query parameters")

    def from_json(self, value: t.Any) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            raise wrong_kind(value, "map[string]json.RawMessage")
        out: dict[str, t.Any] = {}
        for name, field in self.fields.items():
            raw = value.get(name) if name in value else value.get(snake(name))
            if raw is not None:
                out[name] = field.from_json(raw)
        for members in self.oneofs.values():
            for loser in [name for name in members if name in out][:-1]:
                del out[loser]
        return out

    def from_pairs(self, pairs: dict[str, list[str]]) -> dict[str, t.Any]:
        """Read a parsed query string: unknown keys ignored, nested fields as ``outer.inner``."""
        out: dict[str, t.Any] = {}
        for key, values in pairs.items():
            bracket = re.fullmatch(r"(.*)\[(.*)\]", key, re.DOTALL)
            if bracket:
                key, values = bracket.group(1), [bracket.group(2), *values]
            self._set(out, key.split("."), values, key)
        return out

    def _set(self, out: dict[str, t.Any], path: list[str], values: list[str], whole: str) -> None:
        name = self.names.get(path[0])
        if name is None:
            return
        for oneof, members in self.oneofs.items():
            if name in members and any(member in out for member in members):
                raise ValueError(f"field already set for {oneof} oneof")
        field = self.fields[name]
        if len(path) > 1:
            if not isinstance(field, Message):
                seen = whole[: whole.rindex(path[1]) - 1]
                what = "repeated field in" if isinstance(field, List) else f"nested field {path[1]} in"
                raise ValueError(f"unexpected {what} {whole if isinstance(field, List) else seen}")
            field._set(out.setdefault(name, {}), path[1:], values, whole)
        else:
            out[name] = field.from_query(values)

    def zero(self) -> dict[str, t.Any]:
        return {}


Int32 = _Int(32)
Int64 = _Int(64)
Bool = _Bool()
BoolValue = _BoolValue()
String = _String()
Bytes = _Bytes()
Double = _Double()
Struct = _Struct()
ListValue = _ListValue()
Timestamp = _Timestamp()
OrderBy = Enum(
    "apiv1.OrderBy", "ORDER_BY_UNSPECIFIED", "ORDER_BY_ASC", "ORDER_BY_DESC", proto_name="determined.api.v1.OrderBy"
)


def snake(name: str) -> str:
    """The protobuf name of a camelCase field."""
    return re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)


# --- JSON ---


def _raw_float(text: str) -> RawFloat:
    value = RawFloat(text)
    value.raw = text
    return value


def _no_constant(text: str) -> t.NoReturn:
    raise json.JSONDecodeError("constant", text, 0)


_DECODER = json.JSONDecoder(parse_float=_raw_float, parse_constant=_no_constant)


def go_json(raw: bytes) -> t.Any:
    """Decode the first JSON value of ``raw`` as Go does; what follows it is ignored.

    Raises:
        ValueError: with the text of encoding/json. An empty input is "unexpected end of JSON input".
    """
    text = raw.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise ValueError("unexpected end of JSON input")
    try:
        value, _end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(_go_syntax_error(text, error)) from None
    if "\\ud" in text or "\\uD" in text:
        value = json.loads(
            json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    return value


def _go_syntax_error(text: str, error: json.JSONDecodeError) -> str:
    position, message = error.pos, error.msg
    if message == "constant":
        position = text.find(error.doc)
    if message.startswith("Unterminated string") or position >= len(text) or not text[position:].strip():
        return "unexpected EOF"
    if message.startswith("Invalid control character"):
        return f"invalid character {_go_char(text[position])} in string literal"
    if message.startswith(("Invalid \\escape", "Invalid \\uXXXX")):
        return (
            f"invalid character {_go_char(text[position + 1 : position + 2] or text[position])} in string escape code"
        )
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    if message.startswith("Expecting property name"):
        state = "looking for beginning of object key string"
    elif message.startswith("Expecting ':'"):
        state = "after object key"
    elif message.startswith("Expecting ','"):
        state = _after_what(text[:position])
    else:
        for word in ("true", "false", "null"):
            if text[position] == word[0]:
                length = next(
                    (i for i, char in enumerate(word) if text[position + i : position + i + 1] != char), len(word)
                )
                if position + length >= len(text):
                    return "unexpected EOF"
                found = _go_char(text[position + length])
                return f"invalid character {found} in literal {word} (expecting '{word[length]}')"
        state = "looking for beginning of value"
    return f"invalid character {_go_char(text[position])} {state}"


def _after_what(head: str) -> str:
    """Inside what the decoder stood at the end of ``head``: strings are skipped, brackets counted."""
    stack: list[str] = []
    for char in re.sub(r'"(?:[^"\\]|\\.)*"', "", head):
        if char in "{[":
            stack.append(char)
        elif char in "}]" and stack:
            stack.pop()
    return "after object key:value pair" if stack and stack[-1] == "{" else "after array element"


def _go_char(char: str) -> str:
    return "'\\''" if char == "'" else "'\"'" if char == '"' else f"'{go_quote(char)[1:-1]}'"


def timestamp(value: datetime | None) -> str | None:
    """RFC 3339 in UTC with 0, 3 or 6 fractional digits, as jsonpb prints it."""
    if value is None:
        return None
    text = value.strftime("%Y-%m-%dT%H:%M:%S")
    if not value.microsecond:
        return text + "Z"
    return (
        f"{text}.{value.microsecond // 1000:03d}Z"
        if value.microsecond % 1000 == 0
        else f"{text}.{value.microsecond:06d}Z"
    )
