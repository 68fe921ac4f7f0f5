import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as ByteReader from "../../src/framing/ByteReader.ts"
import * as Framed from "../../src/framing/Framed.ts"
import * as Frames from "../../src/framing/Frames.ts"
import * as LengthPrefixed from "../../src/framing/LengthPrefixed.ts"
import * as Lines from "../../src/framing/Lines.ts"
import * as Ndjson from "../../src/framing/Ndjson.ts"
import * as Netstrings from "../../src/framing/Netstrings.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { pairOn, read, readAll, reasonOf, world } from "../memory/pair.ts"

const now = { startImmediately: true } as const
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytesOf = (value: string) => new TextEncoder().encode(value)

/** A connection whose server gets what comes in pieces of `size` bytes. */
const pairIn = Effect.fnUntraced(function* (size?: number) {
  const { network, reactor } = yield* world({ chunking: size ?? "asWritten" })
  return { network, ...(yield* pairOn(reactor)) }
})

/** `body` over a connection on which `input` comes, at every size of the pieces. */
const atEverySize = (
  input: string,
  body: (server: Transport, client: Transport) => Effect.Effect<void, unknown>
) =>
  Effect.gen(function* () {
    for (let size = 1; size <= input.length; size++) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { client, server } = yield* pairIn(size)
          yield* client.send(input)
          yield* client.end
          yield* body(server, client)
        })
      )
    }
  })

/** All frames, and how the input ended. */
const everything = <In>(frames: Frames.Frames<In, never>) =>
  Effect.gen(function* () {
    const all: Array<In> = []
    const end = yield* reasonOf(Effect.forever(Effect.map(frames.receive, (frame) => all.push(frame))))
    return { all, end }
  })

describe("Lines", () => {
  it.effect("hold a conversation", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn(3)
      const ours = Lines.make(server)
      const theirs = Lines.make(client)
      const chat = yield* Effect.forkChild(
        Effect.gen(function* () {
          yield* ours.send("name?")
          const name = yield* ours.receive
          yield* ours.send(`hello ${name}`)
          yield* ours.receiveEach((line) => ours.send(`${name}: ${line}`))
          yield* ours.send("bye")
          yield* server.end
        }),
        now
      )
      assert.strictEqual(yield* theirs.receive, "name?")
      yield* theirs.send("Zoë")
      assert.strictEqual(yield* theirs.receive, "hello Zoë")
      yield* theirs.send("one")
      yield* theirs.send("")
      yield* theirs.send("two")
      yield* client.end
      assert.deepStrictEqual(yield* everything(theirs), {
        all: ["Zoë: one", "Zoë: ", "Zoë: two", "bye"],
        end: "<end>"
      })
      yield* Fiber.join(chat)
    })
  )

  it.effect("come one by one, in batches, or through a handler, at every cut", () =>
    atEverySize("one\r\ntwo\r\n\r\nfour\r\n", (server) =>
      Effect.gen(function* () {
        const lines = Lines.make(server)
        assert.strictEqual(yield* lines.receive, "one")
        const batch = yield* lines.receiveBatch
        const all = [...batch]
        assert.isAtLeast(all.length, 1)
        yield* lines.receiveEach((line) => Effect.sync(() => void all.push(line)))
        assert.deepStrictEqual(all, ["two", "", "four"])
        assert.isUndefined(yield* Frames.orEnd(lines))
        assert.strictEqual(yield* reasonOf(lines.receive), "<end>")
      })
    )
  )

  it.effect("before a failure are given first, and the failure stays", () =>
    atEverySize("one\r\ntwo\r\nlong line\r\n", (server) =>
      Effect.gen(function* () {
        const lines = Lines.make(server, { lineBytesMax: 5 })
        const seen: Array<string> = []
        const failed = yield* Effect.flip(
          lines.receiveEach((line) => Effect.sync(() => void seen.push(line)))
        )
        assert.deepStrictEqual(seen, ["one", "two"])
        assert.strictEqual(failed.reason._tag, "FrameTooLong")
        assert.strictEqual(yield* reasonOf(lines.receive), "FrameTooLong")
        assert.strictEqual(yield* reasonOf(lines.receiveBatch), "FrameTooLong")
      })
    )
  )

  it.effect("that the input ends inside of are Truncated, not the end", () =>
    atEverySize("one\r\ntw", (server) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* everything(Lines.make(server)), { all: ["one"], end: "Truncated" })
      })
    )
  )

  it.effect("that a reset cuts off fail as the transport does", () =>
    Effect.gen(function* () {
      const { client, network, server } = yield* pairIn()
      yield* client.send("one\r\ntw")
      yield* network.settled
      yield* client.abort
      assert.deepStrictEqual(yield* everything(Lines.make(server)), { all: ["one"], end: "Reset" })
    })
  )

  it.effect("that are too long may be skipped", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn(2)
      yield* client.send("one\r\nmuch too long\r\ntwo\r\n")
      const lines = Lines.make(server, { lineBytesMax: 5, onTooLong: "skip" })
      assert.strictEqual(yield* lines.receive, "one")
      const skipped = yield* lines.receive
      assert.isTrue(Lines.isSkipped(skipped))
      assert.strictEqual(yield* lines.receive, "two")
    })
  )

  it.effect("with a delimiter inside cannot be sent, and nothing of them is", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const lines = Lines.make(client)
      assert.strictEqual(yield* reasonOf(lines.send("one\r\ntwo")), "Unencodable")
      yield* lines.send("whole")
      assert.strictEqual(yield* read(server), "whole\r\n")
    })
  )

  it.effect("that were read ahead come to a handler at once, without more input", () =>
    Effect.gen(function* () {
      const { client, network, server } = yield* pairIn()
      const lines = Lines.make(server)
      yield* client.send("one\r\ntwo\r\n")
      assert.strictEqual(yield* lines.receive, "one")
      const seen: Array<string> = []
      yield* Effect.forkChild(
        lines.receiveEach((line) => Effect.sync(() => void seen.push(line))),
        now
      )
      yield* network.settled
      assert.deepStrictEqual(seen, ["two"])
    })
  )

  it.effect("that nobody handles yet stay: a handler that fails has taken one line", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const lines = Lines.make(server)
      yield* client.send("one\r\nstop\r\nthree\r\nfour\r\n")
      const stopped = yield* Effect.flip(
        lines.receiveEach((line) => (line === "stop" ? Effect.fail("stopped") : Effect.void))
      )
      assert.strictEqual(stopped, "stopped")
      assert.strictEqual(yield* lines.bufferedBytes, "three\r\nfour\r\n".length)
      assert.deepStrictEqual(yield* lines.receiveBatch, ["three", "four"])
    })
  )

  it.effect("are not lost by an interruption, at any point", () =>
    Effect.gen(function* () {
      const { client, network, server } = yield* pairIn()
      const lines = Lines.make(server)
      for (const piece of ["on", "e\r", "\ntwo\r\nthree\r\n"]) {
        for (const read of [lines.receive, lines.receiveBatch, lines.receiveEach(() => Effect.void)]) {
          const reading = yield* Effect.forkChild(Effect.ignore(read), now)
          yield* network.settled
          assert.isUndefined(reading.pollUnsafe())
          yield* Fiber.interrupt(reading)
        }
        yield* client.send(piece)
        yield* network.settled
      }
      assert.deepStrictEqual(
        [yield* lines.receive, yield* lines.receive, yield* lines.receive],
        ["one", "two", "three"]
      )
    })
  )

  it.effect("wait for the handler, one after another", () =>
    Effect.gen(function* () {
      const { client, network, server } = yield* pairIn()
      const log: Array<string> = []
      yield* Effect.forkChild(
        Lines.make(server).receiveEach((line) =>
          Effect.gen(function* () {
            log.push(`${line} begins`)
            yield* Effect.yieldNow
            log.push(`${line} ends`)
          })
        ),
        now
      )
      yield* client.send("a\r\nb\r\n")
      yield* network.settled
      yield* network.settled
      assert.deepStrictEqual(log, ["a begins", "a ends", "b begins", "b ends"])
    })
  )
})

describe("detach", () => {
  const block = "\r\nraw: \r\n\r"

  it.effect("lines, so many raw bytes, lines again: whatever the block, however it is cut", () =>
    Effect.gen(function* () {
      for (let size = 0; size <= block.length; size++) {
        yield* atEverySize(`put ${size}\r\n${block.slice(0, size)}after\r\nlast\r\n`, (server) =>
          Effect.gen(function* () {
            const lines = Lines.make(server)
            const command = yield* lines.receive
            assert.strictEqual(command, `put ${size}`)
            const raw = ByteReader.make(yield* lines.detach)
            assert.strictEqual(yield* lines.bufferedBytes, 0)
            assert.strictEqual(text(yield* raw.readExactly(size)), block.slice(0, size))
            const again = Lines.make(yield* raw.detach)
            assert.deepStrictEqual(yield* everything(again), { all: ["after", "last"], end: "<end>" })
          })
        )
      }
    })
  )

  it.effect("by the same lines: they go on with what the transport gives then", () =>
    atEverySize("one\r\nRAWtwo\r\nthree\r\n", (server) =>
      Effect.gen(function* () {
        const lines = Lines.make(server)
        assert.strictEqual(yield* lines.receive, "one")
        const transport = yield* lines.detach
        let raw = ""
        while (raw.length < 3) raw += text(yield* transport.receive)
        assert.strictEqual(raw.slice(0, 3), "RAW")
        yield* transport.unread(bytesOf(raw.slice(3)))
        assert.deepStrictEqual(yield* everything(lines), { all: ["two", "three"], end: "<end>" })
      })
    )
  )

  it.effect("shows what is left over, the beginning of a line included", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const lines = Lines.make(server)
      yield* client.send("one\r\ntwo\r\nthr")
      yield* lines.receive
      assert.strictEqual(yield* lines.bufferedBytes, "two\r\nthr".length)
      assert.strictEqual(yield* read(yield* lines.detach), "two\r\nthr")
    })
  )

  it.effect("from inside a handler that then fails", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const lines = Lines.make(server)
      yield* client.send("one\r\ndata\r\nraw bytes")
      const transport = yield* Effect.flip(
        lines.receiveEach((line) =>
          line === "data" ? Effect.flatMap(lines.detach, Effect.fail) : Effect.void
        )
      )
      assert.isTrue("unread" in transport)
      assert.strictEqual(yield* read(server), "raw bytes")
    })
  )

  const identity = { certificate: "a certificate", privateKey: "its key" }

  it.effect("then TLS, then lines", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const ours = Lines.make(server)
      const theirs = Lines.make(client)
      const serving = yield* Effect.forkChild(
        Effect.gen(function* () {
          assert.strictEqual(yield* ours.receive, "STARTTLS")
          const plain = yield* ours.detach
          const secured = yield* plain.startTls({ role: "server", tls: { identity }, reply: "220 ready\r\n" })
          const lines = Lines.make(secured)
          yield* lines.receiveEach((line) => lines.send(`250 ${line} ${secured.security._tag}`))
        }),
        now
      )
      yield* theirs.send("STARTTLS")
      assert.strictEqual(yield* theirs.receive, "220 ready")
      const plain = yield* theirs.detach
      const secured = yield* plain.startTls({ role: "client", tls: { serverName: "localhost" } })
      const lines = Lines.make(secured)
      yield* lines.send("EHLO")
      assert.strictEqual(yield* lines.receive, "250 EHLO Tls")
      yield* secured.end
      yield* Fiber.join(serving)
      assert.strictEqual(yield* reasonOf(ours.receive), "Detached")
    })
  )

  it.effect("lets no plaintext through TLS: commands behind STARTTLS are refused (CVE-2011-0411)", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const lines = Lines.make(server)
      yield* client.send("STARTTLS\r\nRCPT TO:<eve>\r\n")
      assert.strictEqual(yield* lines.receive, "STARTTLS")
      const plain = yield* lines.detach
      assert.strictEqual(
        yield* reasonOf(plain.startTls({ role: "server", tls: { identity }, reply: "220 ready\r\n" })),
        "UnreadBytes"
      )
    })
  )
})

describe("the other framings", () => {
  it.effect("Netstrings there and back, at every cut", () =>
    atEverySize("5:hello,0:,3:a,b,", (server, client) =>
      Effect.gen(function* () {
        const { all, end } = yield* everything(Netstrings.make(server))
        assert.deepStrictEqual([all.map(text), end], [["hello", "", "a,b"], "<end>"])
        const answer = Netstrings.make(server)
        yield* answer.send("héllo")
        yield* answer.send(Uint8Array.of(1, 2))
        yield* server.end
        assert.strictEqual(yield* readAll(client), "6:héllo,2:\x01\x02,")
      })
    )
  )

  it.effect("LengthPrefixed there and back, at every cut", () =>
    atEverySize("\0\x05hello\0\0\0\x01x", (server, client) =>
      Effect.gen(function* () {
        const frames = LengthPrefixed.make(server, { prefixBits: 16 })
        const { all, end } = yield* everything(frames)
        assert.deepStrictEqual([all.map(text), end], [["hello", "", "x"], "<end>"])
        yield* frames.send("abc")
        assert.strictEqual(yield* reasonOf(frames.send(new Uint8Array(65_536))), "FrameTooLongToSend")
        yield* server.end
        assert.strictEqual(yield* readAll(client), "\0\x03abc")
      })
    )
  )

  it.effect("Ndjson there and back, at every cut", () =>
    atEverySize('{"a":[1,"\\n"]}\n"text"\nnull\n', (server, client) =>
      Effect.gen(function* () {
        const frames = Ndjson.make(server)
        const { all, end } = yield* everything(frames)
        assert.deepStrictEqual([all, end], [[{ a: [1, "\n"] }, "text", null], "<end>"])
        yield* frames.send({ b: "\n" })
        assert.strictEqual(yield* reasonOf(frames.send(undefined)), "Unencodable")
        yield* server.end
        assert.strictEqual(yield* readAll(client), '{"b":"\\n"}\n')
      })
    )
  )

  it.effect("`over` makes protocols of bytes of all of them", () =>
    Effect.gen(function* () {
      const echo = <In>(frames: Frames.Frames<In, In>) => frames.receiveEach(frames.send)
      for (const [protocol, input] of [
        [Lines.over({ delimiter: "\n" })(echo), "one\ntwo\n"],
        [Netstrings.over()(echo<Uint8Array>), "3:one,3:two,"],
        [LengthPrefixed.over({ prefixBits: 8 })(echo<Uint8Array>), "\x03one\x03two"],
        [Ndjson.over()(echo), '{"one":1}\n["two"]\n']
      ] as const) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { client, server } = yield* pairIn(2)
            yield* client.send(input)
            yield* client.end
            yield* protocol(server)
            yield* server.end
            assert.strictEqual(yield* readAll(client), input)
          })
        )
      }
    })
  )
})

describe("Framed", () => {
  const Request = Schema.Struct({ id: Schema.Int, at: Schema.DateFromString })
  const Reply = Schema.Struct({ ok: Schema.Int.check(Schema.isGreaterThan(0)) })
  const schemas = { receive: Request, send: Reply }
  const asked = (id: unknown) => `${JSON.stringify({ id, at: "2020-01-02T03:04:05.000Z" })}\n`

  it.effect("decodes and encodes", () =>
    atEverySize(asked(1), (server, client) =>
      Effect.gen(function* () {
        const framed = Framed.make(Ndjson.make(server), schemas)
        const { at, id } = yield* framed.receive
        assert.deepStrictEqual([at.getUTCFullYear(), id], [2020, 1])
        assert.isUndefined(yield* Framed.orEnd(framed))
        yield* framed.send({ ok: 1 })
        yield* server.end
        assert.strictEqual(yield* readAll(client), '{"ok":1}\n')
      })
    )
  )

  it.effect("fails typed for a message that does not fit, and the next one is readable", () =>
    atEverySize(asked("x") + asked(2) + "[]\n" + asked(3), (server) =>
      Effect.gen(function* () {
        const framed = Framed.make(Ndjson.make(server), schemas)
        const error = yield* Effect.flip(framed.receive)
        if (Cause.isDone(error) || error._tag !== "FramingError") return assert.fail(String(error))
        assert.strictEqual(error.reason._tag, "Undecodable")
        assert.strictEqual(error.fault, "Remote")
        assert.include(error.message, '["id"]')
        assert.strictEqual((yield* framed.receive).id, 2)
        const seen: Array<number> = []
        const see = ({ id }: { readonly id: number }) => Effect.sync(() => void seen.push(id))
        const failed = yield* Effect.flip(framed.receiveEach(see))
        assert.strictEqual(failed.reason._tag, "Undecodable")
        yield* framed.receiveEach(see)
        assert.deepStrictEqual(seen, [3])
      })
    )
  )

  it.effect("sends nothing that the schema does not allow, nor what JSON cannot say", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const framed = Framed.make(Ndjson.make(client), schemas)
      const error = yield* Effect.flip(framed.send({ ok: -1 }))
      assert.strictEqual(error.reason._tag, "Unencodable")
      const big = { receive: Schema.Unknown, send: Schema.Unknown }
      assert.strictEqual(yield* reasonOf(Framed.make(Ndjson.make(client), big).send(1n)), "Unencodable")
      yield* framed.send({ ok: 2 })
      assert.strictEqual(yield* read(server), '{"ok":2}\n')
    })
  )

  it.effect("as a wrapper, with detach to raw bytes", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn(1)
      yield* client.send(`${asked(7)}raw`)
      yield* client.end
      let rest = ""
      yield* Framed.over(schemas)((framed) =>
        Effect.gen(function* () {
          yield* framed.send({ ok: (yield* Effect.orDie(framed.receive)).id })
          rest = yield* Effect.orDie(readAll(yield* framed.detach))
        })
      )(server)
      assert.strictEqual(rest, "raw")
      yield* server.end
      assert.strictEqual(yield* readAll(client), '{"ok":7}\n')
    })
  )
})

describe("ByteReader", () => {
  it.effect("reads by need, at every cut", () =>
    atEverySize("abcKEY::value\r\nplain\n\r\n\r\r\n\uFEFFé\nrest", (server) =>
      Effect.gen(function* () {
        const reader = ByteReader.make(server)
        assert.strictEqual(text(yield* reader.readExactly(3)), "abc")
        assert.strictEqual((yield* reader.readExactly(0)).length, 0)
        assert.strictEqual(text(yield* reader.readUntil("::")), "KEY")
        assert.strictEqual(yield* reader.readLine(), "value")
        assert.strictEqual(yield* reader.readLine(), "plain")
        assert.strictEqual(yield* reader.readLine(), "")
        assert.strictEqual(yield* reader.readLine(), "\r")
        assert.strictEqual(yield* reader.readLine(), "\uFEFFé")
        assert.strictEqual(text(yield* reader.readExactly(2)), "re")
        assert.strictEqual(yield* readAll(yield* reader.detach), "st")
      })
    )
  )

  it.effect("tells the end between two reads from an end within one, which keeps its bytes", () =>
    atEverySize("ab", (server) =>
      Effect.gen(function* () {
        const reader = ByteReader.make(server)
        assert.strictEqual(yield* reasonOf(reader.readExactly(3)), "Truncated")
        assert.strictEqual(yield* reasonOf(reader.readUntil("x")), "Truncated")
        assert.strictEqual(yield* reasonOf(reader.readLine()), "Truncated")
        assert.strictEqual(text(yield* reader.readExactly(2)), "ab")
        assert.strictEqual(yield* reasonOf(reader.readExactly(1)), "<end>")
        assert.strictEqual((yield* reader.readExactly(0)).length, 0)
      })
    )
  )

  it.effect("interrupted in the middle, begins again where it began", () =>
    Effect.gen(function* () {
      for (const [give, first, second] of [
        [(reader: ByteReader.ByteReader) => Effect.map(reader.readExactly(6), text), "abc", "def"],
        [(reader: ByteReader.ByteReader) => Effect.map(reader.readUntil("--"), text), "abcdef-", "-"],
        [(reader: ByteReader.ByteReader) => reader.readLine(), "abcdef\r", "\n"]
      ] as const) {
        const { client, network, server } = yield* pairIn()
        const reader = ByteReader.make(server)
        yield* client.send(first)
        yield* network.settled
        const reading = yield* Effect.forkChild(give(reader), now)
        yield* network.settled
        assert.isUndefined(reading.pollUnsafe())
        yield* Fiber.interrupt(reading)
        yield* client.send(second)
        yield* network.settled
        assert.strictEqual(yield* give(reader), "abcdef")
      }
    })
  )

  it.effect("has exact limits, and takes nothing of what is over them", () =>
    Effect.gen(function* () {
      const cases = [
        { input: "abcde::", ok: true, until: true },
        { input: "abcdef::", ok: false, until: true },
        { input: "abcdefgh", ok: false, until: true },
        { input: "abcde\n", ok: true, until: false },
        { input: "abcde\r\n", ok: true, until: false },
        { input: "abcdef\n", ok: false, until: false },
        { input: "abcdef\r\n", ok: false, until: false },
        { input: "abcdefgh", ok: false, until: false }
      ]
      for (const { input, ok, until } of cases) {
        yield* atEverySize(input, (server) =>
          Effect.gen(function* () {
            const reader = ByteReader.make(server)
            const line = until
              ? Effect.map(reader.readUntil("::", { bytesMax: 5 }), text)
              : reader.readLine({ lineBytesMax: 5 })
            if (ok) return assert.strictEqual(yield* line, "abcde")
            const error = yield* Effect.flip(line)
            if (Cause.isDone(error)) return assert.fail("the end")
            assert.strictEqual(error.reason._tag, "FrameTooLong")
            assert.include(error.message, "more than 5 bytes")
            assert.strictEqual(text(yield* reader.readExactly(6)), "abcdef")
          })
        )
      }
    })
  )

  it.effect("has a default limit of 16,384 bytes", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const reader = ByteReader.make(server)
      yield* client.send(`${"x".repeat(16_384)}\r\n${"y".repeat(16_384)}::${"z".repeat(16_385)}\n`)
      assert.strictEqual((yield* reader.readLine()).length, 16_384)
      assert.strictEqual((yield* reader.readUntil("::")).length, 16_384)
      assert.strictEqual(yield* reasonOf(reader.readLine()), "FrameTooLong")
    })
  )

  it.effect("does not accept sizes and delimiters that make no sense", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pairIn()
      const reader = ByteReader.make(server)
      yield* client.send("abc")
      for (const mistake of [
        reader.readExactly(-1),
        reader.readExactly(1.5),
        reader.readExactly(Number.NaN),
        reader.readUntil("")
      ]) {
        const cause = yield* Effect.flip(Effect.sandbox(mistake))
        assert.isTrue(Cause.hasDies(cause))
      }
      assert.strictEqual(text(yield* reader.readExactly(3)), "abc")
    })
  )

  it.effect("fails as the transport does", () =>
    Effect.gen(function* () {
      const { client, network, server } = yield* pairIn()
      yield* client.send("ab")
      yield* network.settled
      yield* client.abort
      assert.strictEqual(yield* reasonOf(ByteReader.make(server).readExactly(3)), "Reset")
    })
  )
})
