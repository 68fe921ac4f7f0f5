import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import type { Datagram, Message } from "../../reactor/Datagram.ts"
import { unsentMax } from "../../reactor/DatagramPort.ts"
import { pattern, sameBytes, text } from "./bytes.ts"
import { equal, that, turn, turns, until } from "./check.ts"
import {
  collect,
  datagramCase,
  datagramFails,
  hears,
  inOrder,
  numbered,
  numbersOf,
  type Ports,
  portOf,
  receive,
  texts
} from "./DatagramCase.ts"

const fork = { startImmediately: true } as const

const echo = (port: Datagram) =>
  Effect.forkScoped(
    port.receiveEach((batch) => port.sendAll(batch)),
    fork
  )

/** What is sent, and what comes. */
const exchangeCases = [
  datagramCase(
    "datagrams go both ways, and say whom they are from",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      that(portOf(a) > 0 && portOf(a) !== portOf(b), "two ports have no number of their own")
      equal(a.peer, undefined, "the peer of a port that talks to everybody")
      yield* a.send("ping", b.local)
      const [ping] = yield* hears(b, "ping", "what came")
      that(Equal.equals(ping!.peer, a.local), `it came from ${a.local}, not ${ping!.peer}`)
      yield* b.send("pong \u00e9", ping!.peer)
      equal(texts(yield* collect(a, 1)), "pong \u00e9", "the answer")
    })
  ),

  datagramCase(
    "a batch keeps its order and its borders; an empty datagram is one",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      const words = ["1", "", "three", "", "5"]
      yield* a.sendAll(words.map((bytes) => ({ bytes, peer: b.local })))
      equal(texts(yield* collect(b, words.length)), words.join(" "), "the batch")
      yield* a.sendAll([])
    })
  ),

  datagramCase(
    "who receives gets all that waits, in one batch",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      yield* a.sendAll(numbered(20, b.local))
      // The port's own, sent last, has arrived: so have the others.
      const [first] = yield* receive(b)
      equal(text(first!.bytes), "0", "the first")
      yield* a.sendAll(numbered(20, b.local))
      yield* turns(300)
      that((yield* receive(b)).length >= 20, "what waited came in pieces")
    })
  ),

  datagramCase(
    "thousands come in order, whatever their number in a turn",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      const got: Array<number> = []
      yield* Effect.forkScoped(
        b.receiveEach((batch) => Effect.sync(() => void got.push(...numbersOf(batch)))),
        fork
      )
      for (let size = 1, sent = 0; sent < 5_000; size = (size % 100) + 7) {
        yield* a.sendAll(numbered(size, b.local, sent))
        sent += size
        yield* until(() => got.length === sent, `all ${sent} come`)
      }
      inOrder(got, "what came")
      equal(yield* b.dropped, 0, "dropped")
    })
  ),

  datagramCase(
    "an echo goes back to each of many peers, its own and in order",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const server = yield* open()
      yield* echo(server)
      const clients = yield* Effect.forEach(Array.from({ length: 20 }), () => open())
      for (let round = 0; round < 10; round++) {
        for (const client of clients) {
          yield* client.sendAll(
            Array.from({ length: 5 }, (_, i) => ({ bytes: `${portOf(client)}/${i}`, peer: server.local }))
          )
        }
        for (const client of clients) {
          const expected = Array.from({ length: 5 }, (_, i) => `${portOf(client)}/${i}`).join(" ")
          yield* hears(client, expected, "the echo")
        }
      }
    })
  ),

  datagramCase(
    "every length comes whole",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      yield* echo(b)
      for (const length of [0, 1, 63, 64, 65, 1_472, 4_096, 8_193, 32_768, 65_507]) {
        const sent = pattern(length, length + 1)
        yield* a.send(sent, b.local)
        const [message] = yield* collect(a, 1)
        sameBytes(message!.bytes, sent, `the echo of ${length} bytes`)
      }
    })
  ),

  datagramCase(
    "bytes are the receiver's: neither the sender's buffer nor what comes later changes them",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      const kept: Array<Message> = []
      const scratch = new Uint8Array(300)
      for (let i = 0; i < 200; i++) {
        scratch.set(pattern(300, i))
        yield* a.sendAll([
          { bytes: scratch, peer: b.local },
          { bytes: scratch.subarray(0, 20), peer: b.local }
        ])
        scratch.fill(0xee)
        kept.push(...(yield* collect(b, 2)))
      }
      for (let i = 0; i < 200; i++) {
        sameBytes(kept[2 * i]!.bytes, pattern(300, i), `the long one of round ${i}`)
        sameBytes(kept[2 * i + 1]!.bytes, pattern(300, i).subarray(0, 20), `the short one of round ${i}`)
      }
    })
  ),

  datagramCase(
    `more than ${unsentMax} at once all leave, in turns; those who send meanwhile wait in line`,
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open({ receiveMax: 10_000, receiveBufferBytes: 4_000_000 })]
      const got: Array<number> = []
      yield* Effect.forkScoped(
        b.receiveEach((batch) => Effect.sync(() => void got.push(...numbersOf(batch)))),
        fork
      )
      const count = 2 * unsentMax + 44
      const first = yield* Effect.forkChild(a.sendAll(numbered(count, b.local)), fork)
      yield* a.send(String(count), b.local)
      yield* Fiber.join(first)
      yield* until(() => got.length === count + 1, "all come")
      inOrder(got, "what came")
    })
  )
]

/** What a port refuses, and what it drops. */
const limitCases = [
  datagramCase(
    "65,508 bytes are too long to be sent",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      const error = yield* datagramFails(
        a.send(new Uint8Array(65_508), b.local),
        "send",
        "MessageTooLong",
        "sending too much"
      )
      that(Equal.equals(error.peer, b.local), "the error does not say to whom")
      yield* a.send("still open", b.local)
      equal(texts(yield* collect(b, 1)), "still open", "what came then")
    })
  ),

  datagramCase(
    "datagramBytesMax holds both ways, is told once with the sender's address, and nothing is cut",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open({ datagramBytesMax: 10 })]
      yield* a.sendAll(["short", "much too long", "0123456789"].map((bytes) => ({ bytes, peer: b.local })))
      yield* hears(b, "short", "before the long one")
      const error = yield* datagramFails(receive(b), "receive", "Oversized", "receiving the long one")
      that(Equal.equals(error.peer, a.local), "the error does not say from whom")
      yield* hears(b, "0123456789", "after the long one")
      // Ten letters of two bytes each: bytes count.
      yield* datagramFails(b.send("\u00e9".repeat(10), a.local), "send", "MessageTooLong", "sending too much")
      yield* b.send("\u00e9".repeat(5), a.local)
      yield* collect(a, 1)
    })
  ),

  datagramCase(
    "a batch with one datagram that never could be sent sends nothing",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open({ datagramBytesMax: 10 }), yield* open()]
      const batch = [
        { bytes: "fits", peer: b.local },
        { bytes: "does not fit", peer: b.local }
      ]
      yield* datagramFails(a.sendAll(batch), "send", "MessageTooLong", "sending the batch")
      yield* a.send("first", b.local)
      yield* hears(b, "first", "what came")
    })
  ),

  datagramCase(
    "an address that cannot be meant is InvalidAddress",
    Effect.fnUntraced(function* ({ at, family, interface: host, open }: Ports) {
      const port = yield* open()
      const wrong: ReadonlyArray<NetAddress.SocketAddress | undefined> = [
        undefined,
        NetAddress.unixPathAddress("/tmp/none"),
        NetAddress.inetAddressFromIpStringUnsafe(family === "IPv4" ? "::1" : "127.0.0.1", 9),
        at(0, host)
      ]
      for (const peer of wrong) {
        yield* datagramFails(port.send("x", peer), "send", "InvalidAddress", `sending to ${peer}`)
      }
    })
  ),

  datagramCase(
    "above receiveMax the newest are dropped and counted",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open({ receiveMax: 100 })]
      let dropped = 0
      for (let i = 0; i < 1_000; i += 25) {
        yield* a.sendAll(numbered(25, b.local, i))
        const expected = Math.max(0, i + 25 - 100)
        if (expected > 0) {
          while (dropped < expected) {
            yield* turn
            dropped = yield* b.dropped
          }
        }
      }
      equal(dropped, 900, "dropped")
      const batch = yield* receive(b)
      equal(batch.length, 100, "datagrams that waited")
      inOrder(numbersOf(batch), "what waited")
      yield* a.send("after", b.local)
      yield* hears(b, "after", "what came then")
    })
  )
]

/** What goes, what comes, and what does not. */
export const datagramCases = [...exchangeCases, ...limitCases]
