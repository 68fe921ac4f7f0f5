/** Telnet as bytes, in the order of RFC 854 and RFC 855, and negotiation by RFC 1143. */
import { assert, describe, it } from "@effect/vitest"
import * as TelnetDetails from "../../src/telnet/TelnetDetailsWire.ts"
import * as TelnetWire from "../../src/telnet/TelnetWire.ts"
import * as Chunking from "../../src/testing/Chunking.ts"
import { fuzz, inputsCount, numbers } from "../support/randomBytes.ts"

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"))
const latin1 = (of: Uint8Array): string => Buffer.from(of).toString("latin1")

interface Outcome {
  readonly events: ReadonlyArray<string>
  readonly failure: string | undefined
}

/** Events as text, data that stands together as one. */
const decode = (pieces: ReadonlyArray<Uint8Array>, isBinary = false, max?: number): Outcome => {
  const decoder = new TelnetWire.TelnetDecoder(max)
  decoder.isBinary = isBinary
  const events: Array<string> = []
  let data = ""
  const flush = () => {
    if (data !== "") events.push(`data ${data}`)
    data = ""
  }
  const onEvent = (event: TelnetWire.Event) => {
    if (event._tag === "Data") {
      data += latin1(event.bytes)
      return
    }
    flush()
    if (event._tag === "Command") events.push(`command ${event.command}`)
    else if (event._tag === "Negotiation") events.push(`${event.verb} ${event.option}`)
    else events.push(`details ${event.option} ${latin1(event.bytes)}`)
  }
  for (const piece of pieces) {
    const before = Buffer.from(piece)
    decoder.push(piece, onEvent)
    if (!before.equals(piece)) assert.fail("the input was written into")
    if (decoder.heldBytes > (max ?? TelnetWire.subnegotiationBytesMaxDefault) + 1)
      assert.fail("too much is held")
  }
  decoder.finish(onEvent)
  flush()
  return { events, failure: decoder.failure?.message }
}

/** The same however it is cut. */
const decoded = (text: string, isBinary = false, max?: number): Outcome => {
  const whole = decode([bytes(text)], isBinary, max)
  for (const { name, pieces } of Chunking.all(bytes(text), 1)) {
    assert.deepStrictEqual(decode(pieces, isBinary, max), whole, name)
  }
  return whole
}

describe("RFC 854: data and commands", () => {
  it("new lines, carriage returns, 255", () => {
    for (const [text, events] of [
      ["hello", ["data hello"]],
      ["a\r\nb\r\n", ["data a\nb\n"]],
      ["a\r\0b", ["data a\rb"]],
      ["a\nb", ["data a\nb"]],
      ["a\rb", ["data a\rb"]],
      ["\r\r\n\r", ["data \r\n\r"]],
      ["\0\r\0\0", ["data \0\r\0"]],
      ["a\xff\xffb", ["data a\xffb"]],
      ["\r\xff\xff\n", ["data \r\xff\n"]],
      ["\r\xff\xf1\n", ["data \r", "command 241", "data \n"]],
      ["x\xff\xf6y\xff\xf4", ["data x", "command 246", "data y", "command 244"]],
      ["", []],
      ["\xff", []]
    ] as const) {
      assert.deepStrictEqual(decoded(text), { events: [...events], failure: undefined }, JSON.stringify(text))
    }
  })

  it("RFC 856: in binary, only 255 is special", () => {
    assert.deepStrictEqual(decoded("a\r\nb\r\0\xff\xff", true).events, ["data a\r\nb\r\0\xff"])
  })

  it("what is no command is told", () => {
    assert.match(decoded("ab\xff\x07cd").failure!, /there is no command 7/)
    assert.deepStrictEqual(decoded("ab\xff\x07cd").events, ["data ab"])
  })
})

describe("RFC 855: options and their details", () => {
  it("negotiations", () => {
    assert.deepStrictEqual(decoded("a\xff\xfb\x01\xff\xfc\x03\xff\xfd\xff\xff\xfe\0b").events, [
      "data a",
      "will 1",
      "wont 3",
      "do 255",
      "dont 0",
      "data b"
    ])
  })

  it("details, with 255 in them; what is broken off is dropped", () => {
    assert.deepStrictEqual(decoded("\xff\xfa\x1f\0\x50\0\x18\xff\xf0x").events, [
      "details 31 \0\x50\0\x18",
      "data x"
    ])
    assert.deepStrictEqual(decoded("\xff\xfa\x1f\0\xff\xff\0\r\n\xff\xf0").events, [
      "details 31 \0\xff\0\r\n"
    ])
    assert.deepStrictEqual(decoded("\xff\xfa\xff\xf0x\xff\xf0").events, ["data x"])
    assert.deepStrictEqual(decoded("\xff\xfa\x18ab\xff\xfb\x01x").events, ["will 1", "data x"])
    assert.deepStrictEqual(decoded("\xff\xfa\x18ab").events, [])
  })

  it("are no longer than they may be", () => {
    const long = (size: number) => `\xff\xfa\x18${"x".repeat(size)}\xff\xf0`
    assert.deepStrictEqual(decoded(long(10), false, 10).events, [`details 24 ${"x".repeat(10)}`])
    assert.match(decoded(long(11), false, 10).failure!, /option 24 has more than 10 bytes, the limit/)
    assert.match(decode([bytes(`\xff\xfa\x18${"x".repeat(1_000_000)}`)]).failure!, /more than 1024 bytes/)
  })

  it("the size of a window, the kind of a terminal", () => {
    for (const window of [
      { columns: 80, rows: 24 },
      { columns: 65_535, rows: 0 },
      { columns: 255, rows: 255 }
    ]) {
      assert.deepStrictEqual(TelnetDetails.parseWindow(TelnetDetails.formatWindow(window)), window)
    }
    assert.strictEqual(TelnetDetails.parseWindow(new Uint8Array(3)), undefined)
    assert.strictEqual(
      TelnetDetails.parseTerminalType(TelnetDetails.formatTerminalType("xterm-256color")),
      "xterm-256color"
    )
    assert.strictEqual(TelnetDetails.parseTerminalType(TelnetDetails.sendTerminalType), true)
    assert.strictEqual(TelnetDetails.parseTerminalType(bytes(`\0${"x".repeat(41)}`)), undefined)
    assert.strictEqual(latin1(TelnetDetails.formatTerminalType("a\r\nb\x1b")), "\0a??b?")
  })
})

describe("laws", () => {
  it("what is escaped is decoded to the same; nobody's data is a command", () => {
    const below = numbers(3)
    for (let i = 0; i < 2_000; i++) {
      const data = Uint8Array.from(
        { length: below(60) },
        () => [255, 13, 10, 0, 240, 250, below(256)][below(7)]!
      )
      const [text, all] = [data.length === 0 ? [] : [`data ${latin1(data)}`], `details 255 ${latin1(data)}`]
      // Cutting it everywhere takes its time.
      const how =
        i < 20
          ? (sent: Uint8Array, isBinary?: boolean) => decoded(latin1(sent), isBinary)
          : (sent: Uint8Array, isBinary?: boolean) => decode([sent], isBinary)
      for (const isBinary of [false, true]) {
        assert.deepStrictEqual(how(TelnetWire.escape(data, isBinary), isBinary), {
          events: text,
          failure: undefined
        })
      }
      assert.deepStrictEqual(how(TelnetWire.subnegotiation(255, data)).events, [all])
    }
    assert.deepStrictEqual(TelnetWire.escape("plain"), bytes("plain"))
  })

  it("fuzzing: never throws, the same however it is cut, what failed stays failed", () => {
    const words = ["\xff", "\xfa", "\xf0", "\xfb", "\xfd", "\x01", "\x1f", "\r", "\n", "\0", "x", "hello"]
    const examples = ["\xff\xfa\x1f\0\x50\0\x18\xff\xf0", "a\r\nb\xff\xfd\x01", "\xff\xf6\r\0"]
    fuzz({ words, examples, inputs: inputsCount(10_000) }, (input, below) => {
      const isBinary = below(2) === 0
      const whole = decode([input], isBinary, 16)
      const at = below(input.length + 1)
      const cut = [input.subarray(0, at), input.subarray(at)]
      const bytewise = [...input].map((byte) => Uint8Array.of(byte))
      // As text: comparing them as values takes most of the time.
      const expected = JSON.stringify(whole)
      assert.strictEqual(JSON.stringify(decode(cut, isBinary, 16)), expected)
      assert.strictEqual(JSON.stringify(decode(bytewise, isBinary, 16)), expected)
    })
  })
})
