/** What the system is told of keep-alive, by asking it back: Node cannot, so a Python is given the socket. */
import * as fs from "node:fs"
import type * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import type { NodeTransport } from "../../src/node/NodeTransport.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { echoTls, inetOf } from "../support/endpoints.ts"
import { describePeer, whichAll } from "../support/peers.ts"
import * as Inheriting from "./inheriting.ts"

/** `on idle interval count`, as the system has it. */
const question = `
import socket
s = socket.socket(fileno=0)
of = lambda option: s.getsockopt(socket.IPPROTO_TCP, option)
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), of(socket.TCP_KEEPIDLE), of(socket.TCP_KEEPINTVL), of(socket.TCP_KEEPCNT))
`

const asked = (python: string, socket: net.Socket) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* Inheriting.start(["-c", question], [socket, "said", "said"], { command: python })
      return (yield* child.says(/^(.*)\n/))[1]!
    })
  )

type Pair = { readonly server: Endpoint.Server; readonly client: (port: number) => Endpoint.Client }

/** The sockets of a connection: the accepted one, and the connected one. */
const sockets = Effect.fnUntraced(function* ({ client, server }: Pair) {
  const reactor = yield* Reactor
  const listener = yield* reactor.listen(server)
  const accepted = yield* Deferred.make<Transport>()
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => Deferred.doneUnsafe(accepted, Effect.succeed(transport)))
  )
  const connected = yield* reactor.connect(client(inetOf(listener.address).port))
  const socketOf = (transport: Transport) => (transport as NodeTransport).carrier
  const taken = yield* Deferred.await(accepted)
  yield* Effect.addFinalizer(() => taken.abort)
  return [socketOf(taken), socketOf(connected)] as const
})

const tcp = (options: Endpoint.StreamOptions): Pair => ({
  server: Endpoint.tcp({ ...options, interface: "127.0.0.1", port: 0 }),
  client: (port) => Endpoint.tcpClient({ ...options, host: "127.0.0.1", port })
})

const tls = (options: Endpoint.StreamOptions): Pair => {
  const material = echoTls()!
  return {
    server: Endpoint.tls({ ...options, interface: "127.0.0.1", port: 0, tls: material.server }),
    client: (port) => Endpoint.tlsClient({ ...options, host: "127.0.0.1", port, tls: material.client })
  }
}

const linux = process.platform === "linux"

/** The defaults of this machine. */
const [idle, interval, count] = ["time", "intvl", "probes"].map((name) =>
  linux ? Number(fs.readFileSync(`/proc/sys/net/ipv4/tcp_keepalive_${name}`, "utf8")) : 0
)

const python = { name: "python3", debian: "python3", path: whichAll("python3")[0] }

describePeer(python, (python) => {
  const told = (name: string, pair: () => Pair, expected: string, skipped = false) =>
    it.live.skipIf(skipped)(name, () =>
      Effect.gen(function* () {
        const [accepted, connected] = yield* sockets(pair())
        assert.deepStrictEqual(
          [yield* asked(python, accepted), yield* asked(python, connected)],
          [expected, expected]
        )
      }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
    )

  told("off by default", () => tcp({}), `0 ${idle} ${interval} ${count}`, !linux)
  told(
    "on, with all the system's defaults",
    () => tcp({ keepAlive: true }),
    `1 ${idle} ${interval} ${count}`,
    !linux
  )
  told(
    "with a time of idleness, the others still the system's",
    () => tcp({ keepAlive: "42 seconds" }),
    `1 42 ${interval} ${count}`,
    !linux
  )
  told(
    "with all three",
    () => tcp({ keepAlive: "42 seconds", keepAliveInterval: "7 seconds", keepAliveCount: 3 }),
    "1 42 7 3"
  )
  told(
    "parts of seconds are rounded up",
    () => tcp({ keepAlive: "1500 millis", keepAliveInterval: "1 millis", keepAliveCount: 127 }),
    "1 2 1 127"
  )
  told(
    "an interval and a count without a time of idleness",
    () => tcp({ keepAlive: true, keepAliveInterval: "7 seconds", keepAliveCount: 3 }),
    `1 ${idle} 7 3`,
    !linux
  )
  told(
    "nothing when it is off, whatever else is said",
    () => tcp({ keepAlive: false, keepAliveInterval: "7 seconds", keepAliveCount: 3 }),
    `0 ${idle} ${interval} ${count}`,
    !linux
  )
  told(
    "below TLS, too",
    () => tls({ keepAlive: "42 seconds", keepAliveInterval: "7 seconds", keepAliveCount: 3 }),
    "1 42 7 3",
    echoTls() === undefined
  )
})

describe("what cannot be asked for", () => {
  const wrong: ReadonlyArray<readonly [string, Endpoint.StreamOptions]> = [
    ["no time at all", { keepAlive: 0 }],
    ["more than the system takes", { keepAlive: "32768 seconds" }],
    ["for ever", { keepAlive: "Infinity" }],
    ["no interval at all", { keepAlive: true, keepAliveInterval: 0 }],
    ["an interval of more than the system takes", { keepAlive: true, keepAliveInterval: "1 day" }],
    ["no probe", { keepAlive: true, keepAliveCount: 0 }],
    ["half a probe", { keepAlive: true, keepAliveCount: 1.5 }],
    ["more probes than the system takes", { keepAlive: true, keepAliveCount: 128 }]
  ]
  for (const [name, options] of wrong) {
    it.live(`${name} is an invalid argument of listening and of connecting`, () =>
      Effect.gen(function* () {
        const reactor = yield* Reactor
        const { client, server } = tcp(options)
        const refusals: ReadonlyArray<Effect.Effect<unknown, unknown, Scope.Scope>> = [
          reactor.listen(server),
          reactor.listen(Endpoint.fd({ ...options, fd: 99_999 })),
          reactor.connect(client(9)),
          reactor.connect(Endpoint.fdClient({ ...options, fd: 99_999 }))
        ]
        for (const refusal of refusals) {
          const { reason } = (yield* Effect.flip(Effect.scoped(refusal))) as {
            readonly reason: { readonly _tag: string; readonly errno?: string }
          }
          assert.deepStrictEqual([reason._tag, reason.errno], ["InvalidAddress", "ERR_OUT_OF_RANGE"])
        }
      }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
    )
  }
})
