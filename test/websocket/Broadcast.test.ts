/** One to many. */
import * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Broadcast from "../../src/websocket/Broadcast.ts"
import type { Message, Prepared, WebSocket } from "../../src/websocket/WebSocket.ts"
import { inetOf } from "../support/endpoints.ts"
import { text } from "./frames.ts"
import { handshake, serving } from "./webSocketKit.ts"

/** One that takes messages, or does not; nothing else of it is asked for. */
const fake = (room: () => boolean, taken: (message: Message | Prepared) => void) => {
  const opened = Deferred.makeUnsafe<void>()
  let closed: number | undefined
  const socket = {
    send: (message: Message | Prepared) => {
      taken(message)
      return room() ? Effect.void : Deferred.await(opened)
    },
    // What waits for room is over with its connection.
    close: (code = 1000) =>
      Effect.suspend(() => {
        closed = code
        return Deferred.succeed(opened, undefined)
      })
  } as unknown as WebSocket
  return { socket, open: Deferred.succeed(opened, undefined), closedWith: () => closed }
}

/** One that keeps the end of what came. */
const listener = (port: number): Promise<{ readonly socket: net.Socket; readonly seen: () => string }> =>
  new Promise((resolve, reject) => {
    let seen = ""
    const socket = net.connect({ port, host: "127.0.0.1" }, () => socket.write(handshake()))
    socket.on("error", reject)
    socket.on("data", (bytes: Buffer) => {
      const isFirst = seen === ""
      seen = (seen + bytes.toString("latin1")).slice(-1_000)
      if (isFirst) resolve({ socket, seen: () => seen })
    })
  })

describe("a broadcast", () => {
  it.live("reaches all who are there, in order, and nobody who has left", () =>
    Effect.gen(function* () {
      const all = yield* Broadcast.make()
      const { connect } = yield* serving("memory", (socket) =>
        Effect.scoped(
          Effect.andThen(
            all.join(socket),
            Effect.andThen(socket.send("joined"), Effect.ignore(socket.closed))
          )
        )
      )
      const sockets = yield* Effect.forEach(Array.from({ length: 20 }), () => connect("/"))
      for (const socket of sockets) assert.strictEqual(yield* socket.receive, "joined")
      yield* sockets[0]!.close()
      yield* sockets[0]!.closed
      yield* Effect.repeat(
        Effect.map(all.counts, ({ members }) => members),
        { until: (members) => members === 19 }
      )
      yield* Effect.all([all.send("one"), all.send(Uint8Array.of(2)), all.send("three")], {
        concurrency: "unbounded"
      })
      for (const socket of sockets.slice(1)) {
        assert.strictEqual(yield* socket.receive, "one")
        assert.deepStrictEqual([...((yield* socket.receive) as Uint8Array)], [2])
        assert.strictEqual(yield* socket.receive, "three")
      }
      yield* all.close(1012)
      assert.deepInclude(yield* sockets[1]!.closed, { code: 1012, by: "Peer" })
    }).pipe(Effect.scoped)
  )

  it.effect("frames a message once, and lets the loop go on in between", () =>
    Effect.gen(function* () {
      const all = yield* Broadcast.make()
      const seen = new Set<unknown>()
      let sent = 0
      const count = (message: Message | Prepared) => {
        sent++
        seen.add((message as Prepared).frame)
      }
      for (let i = 0; i < 10_000; i++) yield* all.join(fake(() => true, count).socket)
      let turns = 0
      const immediates = Effect.sync(() => {
        const next = () => {
          turns++
          if (sent < 10_000) setImmediate(next)
        }
        setImmediate(next)
      })
      yield* immediates
      yield* all.send("hello")
      assert.deepStrictEqual([sent, seen.size], [10_000, 1])
      assert.isAtLeast(turns, 10)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves out who takes nothing, until it does", () =>
    Effect.gen(function* () {
      const all = yield* Broadcast.make()
      let isOpen = false
      const taken: Array<Message> = []
      const slow = fake(
        () => isOpen,
        (message) => taken.push((message as Prepared).message)
      )
      const others: Array<Message> = []
      yield* all.join(slow.socket)
      yield* all.join(
        fake(
          () => true,
          (message) => others.push((message as Prepared).message)
        ).socket
      )
      for (const message of ["a", "b", "c"]) yield* all.send(message)
      assert.deepInclude(yield* all.counts, { slow: 1, skipped: 2 })
      isOpen = true
      yield* slow.open
      yield* Effect.yieldNow
      yield* all.send("d")
      assert.deepStrictEqual(taken, ["a", "d"])
      assert.deepStrictEqual(others, ["a", "b", "c", "d"])
      assert.strictEqual(slow.closedWith(), undefined)
    }).pipe(Effect.scoped)
  )

  it.effect("or closes it", () =>
    Effect.gen(function* () {
      const strict = yield* Broadcast.make({ slow: "close" })
      const patient = yield* Broadcast.make({ skippedMax: 2 })
      const one = fake(
        () => false,
        () => {}
      )
      const two = fake(
        () => false,
        () => {}
      )
      yield* strict.join(one.socket)
      yield* patient.join(two.socket)
      const closedAfter = (all: Broadcast.Broadcast, closedWith: () => number | undefined) =>
        Effect.gen(function* () {
          let sent = 0
          while (closedWith() === undefined && sent < 10) {
            yield* all.send("x")
            sent++
          }
          return [sent, closedWith()]
        })
      assert.deepStrictEqual(yield* closedAfter(strict, one.closedWith), [2, 1013])
      assert.deepStrictEqual(yield* closedAfter(patient, two.closedWith), [4, 1013])
      assert.deepInclude(yield* patient.counts, { closed: 1, skipped: 3 })
    }).pipe(Effect.scoped)
  )

  it.effect("that is interrupted in the middle leaves nobody out for good", () =>
    Effect.gen(function* () {
      const all = yield* Broadcast.make({ sliceSize: 1 })
      const ones = Array.from({ length: 3 }, () =>
        fake(
          () => false,
          () => {}
        )
      )
      for (const { socket } of ones) yield* all.join(socket)
      const sending = yield* Effect.forkChild(all.send("x"), { startImmediately: true })
      yield* Fiber.interrupt(sending)
      for (const { open } of ones) yield* open
      yield* Effect.yieldNow
      assert.deepInclude(yield* all.counts, { members: 3, slow: 0 })
    }).pipe(Effect.scoped)
  )

  it.live(
    "over real sockets: all who read have it all, in order, whoever does not",
    () =>
      Effect.gen(function* () {
        const count = 300
        const slow = 5
        const messages = Array.from({ length: 20 }, (_, i) => `news ${String(i).padStart(4, "0")}`)
        const all = yield* Broadcast.make({ skippedMax: 10 })
        const { bound } = yield* serving("tcp", (socket) =>
          Effect.scoped(
            Effect.gen(function* () {
              yield* all.join(socket)
              // More than what lies between the two of them takes.
              yield* socket.receiveEach(() =>
                Effect.repeat(socket.send(new Uint8Array(1_000_000)), { times: 30 })
              )
            })
          )
        )
        const { port } = inetOf(bound.address)
        const clients = yield* Effect.acquireRelease(
          Effect.promise(() => Promise.all(Array.from({ length: count }, () => listener(port)))),
          (made) => Effect.sync(() => made.forEach(({ socket }) => socket.destroy()))
        )
        for (const { socket } of clients.slice(0, slow)) {
          socket.pause()
          socket.write(text("fill"))
        }
        while ((yield* all.counts).slow < slow) {
          yield* all.send("begin")
          yield* Effect.sleep("10 millis")
        }
        for (const message of messages) yield* all.send(message)
        const last = messages.map((message) => `\x81\x09${message}`).join("")
        for (const client of clients.slice(slow)) {
          while (!client.seen().endsWith(last)) yield* Effect.sleep("5 millis")
        }
        while ((yield* all.counts).closed < slow) yield* Effect.sleep("5 millis")
        assert.isAtLeast((yield* all.counts).skipped, slow * 11)
      }).pipe(Effect.scoped),
    60_000
  )
})
