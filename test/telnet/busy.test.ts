/** A session that does other things than to read: what the peer says meanwhile reaches it (RFC 854: IP, AO, AYT, BRK, EC, EL). In memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as TelnetClient from "../../src/telnet/TelnetClient.ts"
import * as TelnetServer from "../../src/telnet/TelnetServer.ts"
import { TelnetShell } from "../../src/telnet/TelnetShell.ts"
import type { TelnetTerminal } from "../../src/telnet/TelnetTerminal.ts"
import { option } from "../../src/telnet/TelnetWire.ts"
import { now, serve } from "../protocol/serving.ts"

const atOnce = { drainTimeout: 0, interruptTimeout: 0 } as const

/** A peer by hand, and what it has heard since it was last asked. */
const session = Effect.fnUntraced(function* (
  converse: TelnetShell["Service"]["converse"],
  options?: TelnetServer.Options
) {
  const { dial, server, settled } = yield* serve(
    (transport) =>
      Effect.provideService(TelnetServer.protocol(options)(transport), TelnetShell, { converse }),
    atOnce
  )
  const client = yield* dial
  let heard = ""
  yield* Effect.forkScoped(
    Effect.ignore(
      client.receiveEach((bytes) =>
        Effect.sync(() => {
          heard += Buffer.from(bytes).toString("latin1")
        })
      )
    ),
    now
  )
  const say = (text: string) =>
    Effect.andThen(client.send(Uint8Array.from(Buffer.from(text, "latin1"))), settled)
  const taken = () => {
    const all = heard
    heard = ""
    return all
  }
  return { client, say, server, settled, taken }
})

const interrupts = [
  ["^C", "\x03"],
  ["IP", "\xff\xf4"],
  ["IP and the data mark of a Synch", "\xff\xf4\xff\xf2"],
  ["BRK", "\xff\xf3"],
  ["ABORT", "\xff\xee"]
] as const

describe("a session that is busy", () => {
  for (const [name, said] of interrupts) {
    it.effect(`is interrupted by ${name}`, () =>
      Effect.gen(function* () {
        const results: Array<string> = []
        const { say, taken } = yield* session(
          Effect.fnUntraced(function* (terminal) {
            const result = yield* terminal.run(Effect.never)
            results.push(result._tag)
            yield* terminal.print("stopped")
            const read = yield* terminal.readLine()
            results.push(read._tag === "Line" ? read.line : read._tag)
          })
        )
        yield* say("typed ahead\r\n")
        assert.deepStrictEqual(results, [])
        yield* say(`${said}go on\r\n`)
        assert.deepStrictEqual(results, ["None", "go on"])
        assert.include(taken(), "stopped")
      }).pipe(Effect.scoped)
    )
  }

  it.effect("says that it is there, and what size the window has", () =>
    Effect.gen(function* () {
      const sizes: Array<string> = []
      const { say, taken } = yield* session(
        Effect.fnUntraced(function* (terminal) {
          yield* Effect.forkScoped(
            Stream.runForEach(terminal.sizes, ({ columns, rows }) =>
              Effect.sync(() => void sizes.push(`${columns}x${rows}`))
            ),
            now
          )
          return yield* Effect.never
        }, Effect.scoped)
      )
      taken()
      yield* say("\xff\xf6")
      assert.strictEqual(taken(), "\r\n[Yes]\r\n")
      yield* say("\xff\xfb\x1f\xff\xfa\x1f\0\x64\0\x1e\xff\xf0\xff\xfa\x1f\0\x64\0\x1e\xff\xf0")
      yield* say("\xff\xfa\x1f\0\0\0\0\xff\xf0\xff\xfa\x1f\xff\xf0")
      assert.deepStrictEqual(sizes, ["80x24", "100x30", "80x24"])
    }).pipe(Effect.scoped)
  )

  it.effect("ends with its connection; one that reads on waits for lines that are not lost", () =>
    Effect.gen(function* () {
      let ended = false
      const { client, say, server, settled } = yield* session(() =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => (ended = true)))
      )
      yield* say("something\r\n")
      yield* client.abort
      yield* settled
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([ended, server.counts.value.open], [true, 0])
    }).pipe(Effect.scoped)
  )

  it.effect("AO: what it says is thrown away until it reads; the data mark tells where", () =>
    Effect.gen(function* () {
      const next = yield* Deferred.make<void>()
      const { say, settled, taken } = yield* session(
        Effect.fnUntraced(function* (terminal) {
          yield* terminal.print("before")
          yield* terminal.run(
            Effect.gen(function* () {
              yield* Deferred.await(next)
              yield* terminal.print("thrown away")
            })
          )
          yield* terminal.print("behind")
          yield* terminal.readLine({ prompt: "> " })
        })
      )
      yield* say("\xff\xf5")
      yield* Deferred.succeed(next, undefined)
      yield* settled
      assert.match(taken(), /before\r\n\xff\xf2behind\r\n> $/)
    }).pipe(Effect.scoped)
  )
})

describe("a terminal", () => {
  it.effect("in binary, a new line is what terminals take, not what NVTs do", () =>
    Effect.gen(function* () {
      const { say, taken } = yield* session(
        Effect.fnUntraced(function* (terminal) {
          const read = yield* terminal.readLine({ prompt: "> " })
          if (read._tag === "Line") yield* terminal.print(`${read.line}\nof two`)
        })
      )
      yield* say("\xff\xfd\0\xff\xfb\0\xff\xfd\x01\xff\xfd\x03")
      taken()
      yield* say("\xc3\xa4\xff\xff\r")
      assert.strictEqual(taken(), "\xc3\xa4\r\n\xc3\xa4\r\nof two\r\n")
    }).pipe(Effect.scoped)
  )

  it.effect("is asked for another kind until one is good (RFC 1091), and no oftener than that", () =>
    Effect.gen(function* () {
      for (const [names, accepts, expected] of [
        [["DUMB", "VT100", "ANSI"], undefined, ["DUMB", "VT100"]],
        [["XTERM", "VT100"], undefined, ["XTERM"]],
        [["XTERM", "VT100", "ANSI"], () => false, ["XTERM", "VT100", "ANSI"]],
        [["UNKNOWN"], undefined, ["UNKNOWN"]]
      ] as const) {
        let terminal: TelnetTerminal | undefined
        const { dial, settled } = yield* serve(
          (transport) =>
            Effect.provideService(
              TelnetServer.protocol({ acceptsTerminal: accepts })(transport),
              TelnetShell,
              {
                converse: (at) =>
                  Effect.andThen(
                    Effect.sync(() => (terminal = at)),
                    Effect.never
                  )
              }
            ),
          atOnce
        )
        const client = TelnetClient.make(yield* dial, { terminalType: names })
        const receiving = yield* Effect.forkChild(Effect.forever(client.receive), now)
        yield* settled
        assert.deepStrictEqual(terminal!.terminalTypes(), expected)
        yield* Fiber.interrupt(receiving)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a peer that always has another name is not asked for ever", () =>
    Effect.gen(function* () {
      let terminal: TelnetTerminal | undefined
      const { say, taken } = yield* session(
        (at) =>
          Effect.andThen(
            Effect.sync(() => (terminal = at)),
            Effect.never
          ),
        { acceptsTerminal: () => false }
      )
      yield* say("\xff\xfb\x18")
      for (let i = 0; i < 40; i++) yield* say(`\xff\xfa\x18\0vt${i}\xff\xf0`)
      assert.strictEqual(terminal!.terminalTypes().length, 16)
      assert.strictEqual(taken().split("\xff\xfa\x18\x01\xff\xf0").length - 1, 17)
    }).pipe(Effect.scoped)
  )

  it.effect("RFC 2066: characters are UTF-8, or nothing is said of them", () =>
    Effect.gen(function* () {
      const { say, taken } = yield* session(() => Effect.never)
      taken()
      // WILL CHARSET, its request; one without UTF-8; a table; DO CHARSET, where we ask.
      yield* say("\xff\xfb\x2a\xff\xfa\x2a\x01;LATIN-1;utf-8\xff\xf0")
      assert.strictEqual(taken(), "\xff\xfd\x2a\xff\xfa\x2a\x02utf-8\xff\xf0")
      yield* say("\xff\xfa\x2a\x01[TTABLE]\x01 LATIN-1\xff\xf0\xff\xfa\x2a\x04x\xff\xf0")
      assert.strictEqual(taken(), "\xff\xfa\x2a\x03\xff\xf0\xff\xfa\x2a\x05\xff\xf0")
      yield* say("\xff\xfd\x2a")
      assert.strictEqual(taken(), "\xff\xfb\x2a\xff\xfa\x2a\x01;UTF-8\xff\xf0")
      yield* say("\xff\xfa\x2a\x02UTF-8\xff\xf0\xff\xfa\x2a\xff\xf0")
      assert.strictEqual(taken(), "")
    }).pipe(Effect.scoped)
  )
})

describe("line mode (RFC 1184)", () => {
  const reading: TelnetShell["Service"]["converse"] = Effect.fnUntraced(function* (terminal) {
    const first = yield* terminal.run(terminal.readLine({ prompt: "> " }))
    yield* terminal.print(JSON.stringify(Option.getOrUndefined(first)))
    const hidden = yield* terminal.readLine({ prompt: "Password: ", isHidden: true })
    yield* terminal.print(JSON.stringify(hidden))
    yield* terminal.readLine({ prompt: "> " })
  })

  it.effect(
    "is asked for where it is wanted; lines come whole, and are not shown where they are hidden",
    () =>
      Effect.gen(function* () {
        const { say, taken } = yield* session(reading, { lineMode: true })
        assert.isTrue(taken().startsWith("\xff\xfd\x22\xff\xfb\x03\xff\xfd\x03\xff\xfd\x1f\xff\xfd\x18"))
        yield* say("\xff\xfb\x22\xff\xfd\x03\xff\xfb\x03")
        assert.strictEqual(taken(), "\xff\xfa\x22\x01\x03\xff\xf0")
        yield* say("\xff\xfa\x22\x01\x07\xff\xf0one\r\n")
        // Nothing is shown of the line; before the password, we say that we show it.
        assert.strictEqual(taken(), '{"_tag":"Line","line":"one"}\r\n\xff\xfb\x01Password: ')
        yield* say("\xff\xfd\x01secret\r\n")
        assert.strictEqual(
          taken(),
          '\r\n\xff\xfc\x01{"_tag":"Line","line":"secret"}\r\n> '.replace("\r\n", "")
        )
      }).pipe(Effect.scoped)
  )

  it.effect("a peer that has none sends each key instead", () =>
    Effect.gen(function* () {
      const { say, taken } = yield* session(reading, { lineMode: true })
      taken()
      yield* say("\xff\xfc\x22")
      assert.strictEqual(taken(), "\xff\xfb\x01")
      yield* say("\xff\xfd\x01\xff\xfd\x03on\x7fk\r")
      assert.include(taken(), "on")
      // By default nobody is asked for it, and who offers it is refused.
      const refusing = yield* session(reading)
      refusing.taken()
      yield* refusing.say("\xff\xfb\x22")
      assert.strictEqual(refusing.taken(), "\xff\xfe\x22")
    }).pipe(Effect.scoped)
  )
})

describe("a client", () => {
  it.effect("interrupts what runs there", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* serve(
        (transport) =>
          Effect.provideService(TelnetServer.protocol()(transport), TelnetShell, {
            converse: (terminal) =>
              Effect.flatMap(terminal.run(Effect.never), ({ _tag }) => terminal.print(_tag))
          }),
        atOnce
      )
      const client = TelnetClient.make(yield* dial)
      const text = yield* Effect.forkChild(client.receiveText, now)
      yield* settled
      yield* client.interrupt
      assert.match(yield* Fiber.join(text), /None\n$/)
      assert.isTrue(client.telnet.isOn("Remote", option.echo))
    }).pipe(Effect.scoped)
  )
})
