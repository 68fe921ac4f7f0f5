/** The protocol families under the attacks that concern every server: no end, a reset, tiny pieces, lengths that lie. */
import type * as net from "node:net"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  connected,
  heard,
  live,
  MiB,
  noiseBytes,
  over,
  type Target,
  target,
  unharmed,
  writeBytewise,
  writeRepeatedly
} from "./attack.ts"

/** The longest line of each; and what is good, and answered. */
const families = [
  { service: "finger", limit: 512, asks: "alice\r\n" },
  { service: "ident", limit: 1_000, asks: "22, 23\r\n" },
  { service: "postfix", limit: 4_095, asks: "get k\n" },
  { service: "socketmap", limit: 100_000, asks: "3:m k," },
  { service: "memcached", limit: 65_536, asks: "set k 0 0 1\r\n1\r\nget k\r\n" }
] as const
const services = families.map(({ service }) => service)
/** A terminal's line that is too long is dropped, and the next one read. */
const terminal = { service: "telnet", limit: 4_096, asks: "echo 1\r\n" } as const
const sentMax = 256 * MiB
const piece = Buffer.alloc(65_536, "A")

const answered = (
  attacked: Target,
  { asks, service }: Pick<(typeof families)[number] | typeof terminal, "asks" | "service">
) =>
  Effect.scoped(
    Effect.flatMap(connected(attacked.port(service)), (socket) => {
      socket.write(asks)
      return heard(socket)
    })
  )

const endless = Effect.fnUntraced(function* (attacked: Target) {
  for (const { limit, service } of families) {
    for (const bytewise of [false, true]) {
      const socket = yield* connected(attacked.port(service))
      const [{ after }, written] = yield* Effect.all(
        [
          over(socket),
          bytewise
            ? Effect.as(writeBytewise(socket, Buffer.alloc(limit + 2, "A")), 0)
            : writeRepeatedly(socket, piece, sentMax)
        ],
        { concurrency: "unbounded" }
      )
      assert.isBelow(after, 10_000, service)
      assert.isBelow(written, sentMax, service)
      socket.destroy()
    }
  }
})

describe("protocol families", () => {
  live(
    "C1: 256 MiB of As end their own connection, and cost a limit",
    Effect.gen(function* () {
      const attacked = yield* target(services)
      yield* endless(attacked)
      yield* attacked.quiet
      const before = yield* attacked.measure
      yield* endless(attacked)
      for (const family of families) yield* answered(attacked, family)
      yield* attacked.quiet
      const after = yield* attacked.measure
      unharmed(before, after)
      assert.isBelow(after.resident - before.resident, 4 * 65_536 + noiseBytes)
    })
  )

  live(
    "C1: a line without end at a terminal costs its limit, and nothing of it runs",
    Effect.gen(function* () {
      const attacked = yield* target(["telnet"])
      const flood = Effect.gen(function* () {
        const socket = yield* connected(attacked.port("telnet"))
        let said = ""
        socket.on("data", (bytes: Buffer) => void (said += bytes.toString("latin1")))
        socket.write("echo 1\r\n")
        yield* writeRepeatedly(socket, piece, 16 * MiB)
        socket.write("\r\nquit\r\n")
        yield* over(socket)
        assert.match(said, /more than 4096 characters: given up\r\n> Bye\.\r\n$/)
      })
      yield* flood
      yield* attacked.quiet
      const before = yield* attacked.measure
      yield* flood
      yield* attacked.quiet
      const after = yield* attacked.measure
      unharmed(before, after)
      assert.isBelow(after.resident - before.resident, 4 * 65_536 + noiseBytes)
    })
  )

  live(
    "C1: values that are announced and do not come cost what has come",
    Effect.gen(function* () {
      const attacked = yield* target(["memcached"])
      const before = yield* attacked.measure
      const sockets: Array<net.Socket> = []
      for (let i = 0; i < 300; i++) {
        const socket = yield* connected(attacked.port("memcached"))
        socket.write(`set k${i} 0 0 1048576\r\n0123456789`)
        sockets.push(socket)
      }
      yield* Effect.repeat(Effect.andThen(Effect.sleep("20 millis"), attacked.counts), {
        until: ({ memcached }) => memcached!.open === 300
      })
      const { resident } = yield* attacked.measure
      // They announced 300 MB.
      assert.isBelow(resident - before.resident, 2 * 300 * 12_288 + noiseBytes)
      for (const socket of sockets) socket.destroy()
    })
  )

  live(
    "C2: a reset at any moment ends its own connection, and is nobody's failure",
    Effect.gen(function* () {
      const attacked = yield* target([...services, terminal.service])
      const before = yield* attacked.measure
      for (const family of [...families, terminal]) {
        const half = family.asks.slice(0, 5)
        for (let i = 0; i < 150; i++) {
          const socket = yield* connected(attacked.port(family.service))
          if (i % 3 === 1)
            yield* Effect.callback<void>((resume) => void socket.write(half, () => resume(Effect.void)))
          if (i % 3 === 2) {
            socket.write(family.asks)
            yield* heard(socket)
          }
          socket.resetAndDestroy()
        }
        yield* answered(attacked, family)
      }
      yield* attacked.quiet
      unharmed(before, yield* attacked.measure)
    })
  )
})
