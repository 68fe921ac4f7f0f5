/** Receiving that is interrupted at any moment, while fibers yield wherever they can: nothing that came is lost. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as ByteReader from "../../src/framing/ByteReader.ts"
import * as Lines from "../../src/framing/Lines.ts"
import * as Idle from "../../src/protocol/Idle.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as World from "../../src/sim/World.ts"
import { connect, type Program, text, valueOf } from "./runs.ts"

const words = Array.from({ length: 30 }, (_, index) => `word${index}`)
const all = words.map((word) => `${word}\n`).join("")

/** Runs it again and again, each time in a fiber that is interrupted sooner or later; gives what it gave, until it fails. */
const impatiently = <A, E>(receive: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const received: Array<A> = []
    let interrupted = 0
    for (;;) {
      const fiber = yield* Effect.forkChild(receive)
      const turns = yield* Random.nextIntBetween(0, 12)
      for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
      if (yield* Random.nextBoolean) yield* Effect.sleep("1 millis")
      const exit = yield* Fiber.interrupt(fiber).pipe(Effect.andThen(Fiber.await(fiber)))
      if (Exit.isSuccess(exit)) received.push(exit.value)
      else if (Exit.hasInterrupts(exit)) interrupted++
      else return { received, interrupted }
    }
  })

const overStream = <A>(
  receiveOf: (transport: Transport) => Effect.Effect<A, unknown>,
  show: (a: A) => string
) =>
  Effect.gen(function* () {
    const server = Effect.andThen(
      Server.make(Endpoint.tcp({ port: 7 }), (transport) =>
        Effect.forEach(words, (word) => transport.send(`${word}\n`), { discard: true })
      ),
      Effect.never
    )
    yield* World.host("server", Effect.scoped(server))
    yield* Effect.sleep("10 millis")
    const transport = yield* connect("server", 7)
    const { interrupted, received } = yield* impatiently(receiveOf(transport))
    return { interrupted, all: received.map(show).join("") }
  }).pipe(Effect.scoped)

const overDatagrams = Effect.gen(function* () {
  const reactor = yield* Reactor
  const scope = yield* Scope.make()
  const port = yield* Scope.provide(
    reactor.datagram(Endpoint.udp({ port: 0, interface: "127.0.0.1" })),
    scope
  )
  const sender = yield* reactor.datagram(Endpoint.udp({ port: 0, interface: "127.0.0.1" }))
  const sending = Effect.gen(function* () {
    for (const word of words) yield* sender.send(`${word}\n`, port.local)
    yield* Effect.sleep("100 millis")
    yield* Scope.close(scope, Exit.void)
  })
  yield* Effect.forkChild(sending)
  const { interrupted, received } = yield* impatiently(port.receive)
  const bytes = received.flatMap((batch) => batch.map((message) => text(message.bytes)))
  return { interrupted, all: bytes.join("") }
}).pipe(Effect.scoped)

/** The view that a wrapper gives its protocol, kept for longer than it lasts. */
const wrapped = (transport: Transport) => {
  let view = transport
  const wrap = Idle.over("1 hour")((watched) => Effect.sync(() => (view = watched)))
  return Effect.suspend(() =>
    view === transport
      ? Effect.andThen(
          wrap(transport),
          Effect.suspend(() => view.receive)
        )
      : view.receive
  )
}

const line = (text: string) => `${text}\n`
const cases: Readonly<Record<string, Program<{ readonly interrupted: number; readonly all: string }>>> = {
  "Transport.receive": overStream((transport) => transport.receive, text),
  "Frames.receive": overStream((transport) => Lines.make(transport, { delimiter: "\n" }).receive, line),
  "Frames.receiveBatch": overStream(
    (transport) => Lines.make(transport, { delimiter: "\n" }).receiveBatch,
    (lines) => lines.map(line).join("")
  ),
  "ByteReader.readLine": overStream((transport) => ByteReader.make(transport).readLine(), line),
  "ByteReader.readUntil": overStream(
    (transport) => ByteReader.make(transport).readUntil("\n"),
    (bytes) => line(text(bytes))
  ),
  "ByteReader.readExactly": overStream((transport) => ByteReader.make(transport).readExactly(1), text),
  "Transport.receive of a wrapper": overStream(wrapped, text),
  "Datagram.receive": overDatagrams
}

describe("an interrupted receiver loses nothing", () => {
  for (const [name, program] of Object.entries(cases)) {
    it(name, () => {
      let interruptions = 0
      for (let seed = 0; seed < 60; seed++) {
        const run = World.run(program, { seed, yieldEvery: 3, yieldAfter: 1, link: { segmentation: 0.3 } })
        const { all: got, interrupted } = valueOf(run)
        assert.strictEqual(got, all, `seed ${seed}`)
        interruptions += interrupted
      }
      assert.isAbove(interruptions, 20)
    })
  }
})
