/** memcached itself, where it is installed. */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Client from "../../src/protocol/Client.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Child from "../support/child.ts"
import { type Peer, which } from "../support/peers.ts"

export const memcached: Peer = { name: "memcached", debian: "memcached", path: which("memcached") }

export const at = (port: number) => Endpoint.tcpClient({ host: "127.0.0.1", port })

/** Whether what `version` said is that of one that has all flags of meta commands that there are here. */
export const isNewer = (said: string): boolean => Number(/VERSION 1\.6\.(\d+)/.exec(said)?.[1] ?? 0) >= 40

/** A port that was free a moment ago. */
const freePort = Effect.callback<number>((resume) => {
  const server = net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

export interface Running {
  readonly args?: ReadonlyArray<string>
  /** At the same port. It refuses that where it asks for passwords. Default no. */
  readonly overUdp?: boolean
}

/** Starts it, and gives its port; again at another one, where somebody was faster. */
export const running = (command: string, options?: Running) =>
  Effect.retry(starting(command, options), { times: 2 })

const starting = Effect.fnUntraced(function* (command: string, { args = [], overUdp = false }: Running = {}) {
  const port = yield* freePort
  const user = process.getuid?.() === 0 ? ["-u", "nobody"] : []
  const place = ["-l", "127.0.0.1", "-p", String(port)]
  yield* Child.spawn(command, [...user, ...place, "-U", overUdp ? String(port) : "0", ...args], {
    timeout: 110_000
  })
  yield* Effect.retry(Effect.scoped(Client.connect(at(port))), {
    schedule: Schedule.spaced("20 millis"),
    times: 200
  })
  return port
})
