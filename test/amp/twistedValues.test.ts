/** Every type of argument against Twisted's own code: what is written here it writes the same, and what is read here it reads the same. */
import { execFileSync } from "node:child_process"
import { assert, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import { describePeer, twisted } from "../support/peers.ts"
import { fuzz, inputsCount } from "../support/randomBytes.ts"
import { valueParts } from "./valueParts.ts"

/** Reads lines of a type and bytes; writes what `toString(fromString(bytes))` is, or why it is nothing. */
const script = `
import sys
from twisted.protocols import amp
optional = amp.AmpList([(b"a", amp.Integer()), (b"b", amp.Unicode(optional=True))])
types = dict(
    integer=amp.Integer(), string=amp.String(), unicode=amp.Unicode(), float=amp.Float(), boolean=amp.Boolean(),
    decimal=amp.Decimal(), datetime=amp.DateTime(), path=amp.Path(), integers=amp.ListOf(amp.Integer()),
    nested=amp.ListOf(amp.ListOf(amp.Unicode())), moments=amp.ListOf(amp.DateTime()), boxes=optional,
    boxesOfBoxes=amp.AmpList([(b"boxes", optional), (b"list", amp.ListOf(amp.Decimal()))]),
)
for line in sys.stdin:
    name, value = (line.rstrip("\\n") + " ").split(" ")[:2]
    proto = amp.AMP()
    try:
        read = types[name].fromStringProto(bytes.fromhex(value), proto)
        print(types[name].toStringProto(read, proto).hex())
    except Exception as e:
        print("refused", type(e).__name__)
`

/** What is made of bytes: read, and written again; `undefined` for what is refused. */
const rewritten =
  <A>(type: Schema.Codec<A, Uint8Array>) =>
  (bytes: Uint8Array): string | undefined => {
    const read = Schema.decodeUnknownResult(type)(bytes)
    return Result.isFailure(read)
      ? undefined
      : Buffer.from(Schema.encodeSync(type)(read.success)).toString("hex")
  }

const boxes = AmpArgument.AmpList({
  a: AmpArgument.BigInteger,
  b: AmpArgument.optional(AmpArgument.Unicode)
})

const types: Readonly<Record<string, (bytes: Uint8Array) => string | undefined>> = {
  integer: rewritten(AmpArgument.BigInteger),
  string: rewritten(AmpArgument.String),
  unicode: rewritten(AmpArgument.Unicode),
  float: rewritten(AmpArgument.Float),
  boolean: rewritten(AmpArgument.Boolean),
  decimal: rewritten(AmpArgument.Decimal),
  datetime: rewritten(AmpArgument.DateTime),
  path: rewritten(AmpArgument.Path),
  integers: rewritten(AmpArgument.ListOf(AmpArgument.BigInteger)),
  nested: rewritten(AmpArgument.ListOf(AmpArgument.ListOf(AmpArgument.Unicode))),
  moments: rewritten(AmpArgument.ListOf(AmpArgument.DateTime)),
  boxes: rewritten(boxes),
  boxesOfBoxes: rewritten(AmpArgument.AmpList({ boxes, list: AmpArgument.ListOf(AmpArgument.Decimal) }))
}

const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))
const utf8 = (text: string) => Buffer.from(text).toString("latin1")
const list = (...elements: ReadonlyArray<string>) =>
  elements.map((one) => String.fromCharCode(one.length >> 8, one.length & 255) + one).join("")
const box = (pairs: Readonly<Record<string, string>>) =>
  `${Object.entries(pairs)
    .map(([key, value]) => list(key, value))
    .join("")}\0\0`
const moment = (text: string) => `2020-01-02T03:04:05.000006${text}`

/** The same bytes come back, from both. */
const exact: Readonly<Record<string, ReadonlyArray<string>>> = {
  integer: ["0", "-1", "9007199254740993", `-${"9".repeat(300)}`, "9".repeat(4300)],
  string: ["", "\0", "\xff".repeat(65_535)],
  unicode: ["", "\0", utf8("ü"), utf8("\ufeff"), utf8("\u{10ffff}\u{1f600}"), utf8("\ud7ff\ue000\uffff")],
  float: [
    "0.0",
    "-0.0",
    "1.0",
    "-1.5",
    "0.1",
    "1e+16",
    "9999999999999998.0",
    "0.0001",
    "1e-05",
    "5e-324",
    "1.7976931348623157e+308",
    "2.2250738585072014e-308",
    "inf",
    "-inf",
    "nan",
    "1.2345678901234567"
  ],
  boolean: ["True", "False"],
  decimal: [
    "0",
    "-0",
    "0.00",
    "-0.00",
    "0E+3",
    "0E-7",
    "1",
    "1E+2",
    "0.1",
    "0.000001",
    "1E-7",
    "1.5E+2",
    "-1.50E+7",
    "NaN",
    "-NaN",
    "sNaN",
    "-sNaN123",
    "Infinity",
    "-Infinity",
    "1E+999999",
    "1E-999999",
    "9".repeat(1000),
    "123456789012345678901234567890.123456789"
  ],
  datetime: [
    moment("-00:00"),
    moment("+05:30"),
    moment("-09:30"),
    moment("+23:59"),
    moment("-23:59"),
    moment("+00:01"),
    "0001-01-01T00:00:00.000000-00:00",
    "9999-12-31T23:59:59.999999-00:00",
    "2000-02-29T00:00:00.000001-00:00",
    "1600-02-29T12:00:00.100000+01:00"
  ],
  path: ["/", "/a b", utf8("/ü/\u{1f600}"), "//two", "/.hidden", "/a..b", `/${"x".repeat(1000)}`],
  integers: ["", list("0"), list("1", "-2", "3"), list(...Array.from({ length: 5000 }, () => "7"))],
  nested: ["", list(""), list("", ""), list(list("a", ""), "", list(utf8("\u{1f600}")))],
  moments: ["", list(moment("-00:00"), moment("+05:30"))],
  boxes: ["", box({ a: "1" }), box({ a: "1", b: "" }), box({ a: "-1", b: utf8("ü") }) + box({ a: "2" })],
  boxesOfBoxes: ["", box({ boxes: "", list: "" }), box({ boxes: box({ a: "1" }), list: list("NaN", "-0.0") })]
}

/** Read, and written otherwise: the same by both. */
const normalized: Readonly<Record<string, ReadonlyArray<string>>> = {
  integer: ["-0", "007", "-007"],
  float: [
    "1",
    ".5",
    "1.",
    "+1.0",
    "1E5",
    "1e400",
    "-1e400",
    "1e-400",
    "INF",
    "-Infinity",
    "nAn",
    "00.5",
    "0e9"
  ],
  decimal: ["+.5", "5.", "1e2", "inf", "-infinity", "nan007", "NAN0", "00.10", "1E+00", "0e0", "1e-0"],
  datetime: [moment("+00:00")],
  path: ["/a/../b", "/a/./b//c/", "/..", "///a"],
  boxes: [box({ a: "1", other: "x" }), box({ b: "x", a: "1" }), `${list("a", "0")}${box({ a: "1" })}`]
}

/** Refused by both. */
const refused: Readonly<Record<string, ReadonlyArray<string>>> = {
  integer: ["", "-", "x", "1.0", "1e3", "--1", "0x10", "1 2", "9".repeat(4301)],
  unicode: ["\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"],
  float: ["", "x", "1,5", "1e", "--1", "0x1p3", "infinit"],
  boolean: ["", "true", "1", "TRUE"],
  decimal: ["", "x", "1..2", "1e", "e5", "NaNx", "--1"],
  datetime: [
    "",
    moment("-0:000"),
    "2019-02-29T03:04:05.000006-00:00",
    "1900-02-29T03:04:05.000006-00:00",
    "0000-01-02T03:04:05.000006-00:00",
    "2020-13-02T03:04:05.000006-00:00",
    "2020-01-02T24:04:05.000006-00:00",
    "2020-01-02T03:60:05.000006-00:00",
    "2020-01-02T03:04:60.000006-00:00",
    moment("-24:00"),
    moment("*01:00")
  ],
  integers: [list("1", "x"), list("")],
  boxes: [box({}), box({ b: "x" }), box({ a: "x" })]
}

describePeer(twisted(), (python) => {
  /** What Twisted makes of each; `undefined` where it refuses. */
  const twistedOf = (inputs: ReadonlyArray<readonly [type: string, bytes: Uint8Array]>) => {
    const input = inputs.map(([type, bytes]) => `${type} ${Buffer.from(bytes).toString("hex")}\n`).join("")
    return execFileSync(python, ["-W", "ignore", "-c", script], {
      input,
      timeout: 30_000,
      maxBuffer: 2 ** 27
    })
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => (line.startsWith("refused") ? undefined : line))
  }
  const ours = (type: string, bytes: Uint8Array) => types[type]!(bytes)
  const flat = (cases: Readonly<Record<string, ReadonlyArray<string>>>) =>
    Object.entries(cases).flatMap(([type, texts]) => texts.map((text) => [type, latin1(text)] as const))
  const name = ([type, bytes]: readonly [string, Uint8Array]) =>
    `${type} ${JSON.stringify(Buffer.from(bytes.subarray(0, 60)).toString("latin1"))}`

  it("every type, with the values at its edges: the same bytes, both ways", () => {
    assert.deepStrictEqual(Object.keys(exact).toSorted(), Object.keys(types).toSorted())
    const inputs = flat(exact)
    twistedOf(inputs).forEach((there, i) => {
      const [type, bytes] = inputs[i]!
      const hex = Buffer.from(bytes).toString("hex")
      assert.strictEqual(there, hex, `${name(inputs[i]!)} at Twisted`)
      assert.strictEqual(ours(type, bytes), hex, name(inputs[i]!))
    })
  })

  it("what can be written in several ways is written in the same one", () => {
    const inputs = flat(normalized)
    twistedOf(inputs).forEach((there, i) => {
      assert.isDefined(there, name(inputs[i]!))
      assert.strictEqual(ours(...inputs[i]!), there, name(inputs[i]!))
    })
  })

  it("what Twisted refuses", () => {
    const inputs = flat(refused)
    twistedOf(inputs).forEach((there, i) => {
      assert.isUndefined(there, `${name(inputs[i]!)} at Twisted`)
      assert.isUndefined(ours(...inputs[i]!), name(inputs[i]!))
    })
  })

  it("inputs that nobody meant: what is read here, Twisted reads as the same", () => {
    const inputs: Array<readonly [string, Uint8Array]> = []
    for (const type of Object.keys(types)) {
      const examples = [...exact[type]!, ...(normalized[type] ?? [])].filter((text) => text.length < 400)
      fuzz(
        { words: valueParts, examples, inputs: inputsCount(300) },
        (bytes) => void inputs.push([type, bytes])
      )
    }
    let read = 0
    twistedOf(inputs).forEach((there, i) => {
      const here = ours(...inputs[i]!)
      if (here === undefined) return
      read++
      assert.strictEqual(here, there, name(inputs[i]!))
    })
    assert.isAbove(read, inputs.length / 20)
  })
})
