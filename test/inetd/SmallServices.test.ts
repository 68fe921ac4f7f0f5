/** The small services over TCP, in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import * as ChargenWire from "../../src/inetd/ChargenWire.ts"
import * as Daytime from "../../src/inetd/Daytime.ts"
import * as Qotd from "../../src/inetd/Qotd.ts"
import * as QotdWire from "../../src/inetd/QotdWire.ts"
import * as SmallServices from "../../src/inetd/SmallServices.ts"
import * as Time from "../../src/inetd/Time.ts"
import type { SmallService } from "../../src/inetd/SmallService.ts"
import { read, readAll } from "../memory/pair.ts"
import { serve, type ServeOptions } from "../protocol/serving.ts"

const named = (name: string): SmallService => SmallServices.internal.get(name) ?? assert.fail(name)
const start = (service: SmallService, options?: ServeOptions) => serve(service.protocol, options)

describe("echo", () => {
  it.effect("gives back what comes, also behind the client's end", () =>
    Effect.gen(function* () {
      const { dial } = yield* start(named("echo"))
      const client = yield* dial
      yield* client.send("one")
      assert.strictEqual(yield* read(client), "one")
      yield* client.send("two")
      yield* client.end
      assert.strictEqual(yield* readAll(client), "two")
    })
  )

  it.effect("who does not read is not read from", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* start(named("echo"), {
        stream: { receiveBytesMax: 1000, sendBytesMax: 1000 }
      })
      const client = yield* dial
      let sent = 0
      yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            client.send(new Uint8Array(1000)),
            Effect.sync(() => (sent += 1000))
          )
        ),
        { startImmediately: true }
      )
      yield* settled
      const stuck = sent
      yield* settled
      assert.deepStrictEqual([sent, sent > 0, sent < 1_000_000], [stuck, true, true])
    })
  )
})

describe("discard", () => {
  it.effect("says nothing, and ends when the client does", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* start(named("discard"))
      const client = yield* dial
      yield* client.send(new Uint8Array(100_000))
      yield* settled
      assert.strictEqual(server.counts.value.open, 1)
      yield* client.end
      assert.strictEqual(yield* readAll(client), "")
    })
  )
})

describe("chargen", () => {
  /** The next `count` bytes. */
  const take = Effect.fnUntraced(function* (
    client: { readonly receive: Effect.Effect<Uint8Array, unknown> },
    count: number
  ) {
    const pieces: Array<Uint8Array> = []
    let length = 0
    while (length < count) {
      const piece = yield* client.receive
      pieces.push(piece)
      length += piece.length
    }
    return Buffer.concat(pieces).subarray(0, count)
  })

  it.effect("the pattern, over and over, no faster than it is read", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* start(named("chargen"), { stream: { sendBytesMax: 10_000 } })
      const client = yield* dial
      // What is said to it is dropped; the end of it changes nothing.
      yield* client.send("stop")
      yield* client.end
      yield* settled
      const pattern = Buffer.from(ChargenWire.pattern)
      const got = yield* take(client, 3 * pattern.length)
      assert.isTrue(got.equals(Buffer.concat([pattern, pattern, pattern])))
    })
  )

  it.effect("ends when the connection does", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* start(named("chargen"))
      const client = yield* dial
      yield* take(client, 10)
      yield* client.abort
      yield* settled
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([server.counts.value.open, server.counts.value.failed], [0, 0])
    })
  )
})

describe("what says one thing and closes", () => {
  const said = (service: SmallService) =>
    Effect.gen(function* () {
      const { dial } = yield* start(service)
      return yield* readAll(yield* dial)
    })

  it.effect("daytime: in virtual time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 2, 4, 5, 6, 7))
      assert.strictEqual(yield* said(Daytime.make()), "2026-03-04T05:06:07Z\r\n")
      assert.strictEqual(yield* said(named("daytime")), "Wed Mar  4 05:06:07 2026\r\n")
    })
  )

  it.effect("time: which a client of ours understands, before and after 2036", () =>
    Effect.gen(function* () {
      for (const year of [2026, 2040]) {
        const now = Date.UTC(year, 2, 4, 5, 6, 7)
        yield* TestClock.setTime(now)
        const { dial } = yield* start(Time.service)
        assert.strictEqual(yield* Time.receive(yield* dial), now)
      }
    })
  )

  it.effect("qotd: one of them, by chance", () =>
    Effect.gen(function* () {
      const service = Qotd.make(QotdWire.parse("a\n\nb\n\nc"))
      const seen = new Set<string>()
      for (let i = 0; i < 40; i++) seen.add(yield* said(service))
      assert.deepStrictEqual([...seen].sort(), ["a\r\n", "b\r\n", "c\r\n"])
    }).pipe(Random.withSeed("quotations"))
  )

  it.effect("qotd: without any, nothing", () =>
    Effect.map(said(Qotd.make(QotdWire.parse(""))), (text) => assert.strictEqual(text, ""))
  )
})
