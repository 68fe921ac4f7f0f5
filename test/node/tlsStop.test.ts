/** A listener that stops while clients are in the middle of their handshakes: none of them is lost. */
import * as net from "node:net"
import { Duplex } from "node:stream"
import * as nodeTls from "node:tls"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Scope from "effect/Scope"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as certificates from "../support/certificates.ts"
import { inetOf } from "../support/endpoints.ts"
import { plainSocket } from "./sockets.ts"
import { authority, echo, live, local, server as identity } from "./tlsEcho.ts"

const other = certificates.available ? authority.issue({ names: ["other.example"] }) : certificates.nobody
const plain = { port: 0, interface: local } as const
const endpoints: ReadonlyArray<readonly [string, Endpoint.Server]> = [
  ["TLS", Endpoint.tls({ ...plain, tls: { identity } })],
  // The hello is read by us then, not by OpenSSL.
  ["TLS with several identities", Endpoint.tls({ ...plain, tls: { identity: [identity, other] } })],
  ["TLS around another endpoint", Endpoint.secured({ inner: Endpoint.tcp(plain), tls: { identity } })],
  [
    "TLS behind a PROXY header",
    Endpoint.proxied({
      inner: Endpoint.tls({ ...plain, tls: { identity } }),
      proxy: { trusted: [local] }
    })
  ]
]

/** Where a client stops until it is told to go on: before its hello, within it, or before its answer to the server's. */
const moments = ["silent", "half a hello", "an answer"] as const
type Moment = (typeof moments)[number]

/** What a TLS client writes to: some of it goes to the socket, the rest when it is opened. */
class Held extends Duplex {
  readonly socket: net.Socket
  private bytesMax: number
  private rest: Array<() => void> = []

  constructor(socket: net.Socket, moment: Moment) {
    super()
    this.socket = socket
    this.bytesMax = moment === "silent" ? 0 : moment === "half a hello" ? 60 : Number.POSITIVE_INFINITY
    socket.on("data", (bytes) => {
      if (this.bytesMax === Number.POSITIVE_INFINITY && !this.isOpen) this.bytesMax = 0
      this.push(bytes)
    })
    socket.on("end", () => this.push(null))
    socket.on("error", (error) => this.destroy(error))
    socket.on("close", () => this.destroy())
  }

  private isOpen = false

  open(): void {
    this.isOpen = true
    for (const write of this.rest.splice(0)) write()
  }

  override _read(): void {}

  override _write(bytes: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.isOpen) return void this.socket.write(bytes, done)
    const head = bytes.subarray(0, this.bytesMax)
    this.bytesMax -= head.length
    if (head.length > 0) this.socket.write(head)
    if (head.length === bytes.length) return done()
    this.rest.push(() => this.socket.write(bytes.subarray(head.length), done))
  }

  override _final(done: () => void): void {
    this.socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.destroy()
    done(error)
  }
}

/** A client that is in the middle of its handshake; `goOn` says something, and gives what is answered until the end. */
const client = Effect.fnUntraced(function* (port: number, moment: Moment, header = "", words = "hello") {
  const socket = net.connect({ port, host: local })
  const held = new Held(socket, moment)
  yield* Effect.addFinalizer(() => Effect.sync(() => held.destroy()))
  yield* Effect.callback<void, Error>((resume) => {
    socket.once("error", (error) => resume(Effect.fail(error)))
    socket.once("connect", () => resume(Effect.void))
  })
  if (header !== "") socket.write(header)
  const secured = nodeTls.connect({ socket: held, ca: authority.certificate, servername: "localhost" })
  const outcome = new Promise<string>((resolve) => {
    let text = ""
    secured.on("error", (error: NodeJS.ErrnoException) => resolve(`lost: ${error.code ?? error.message}`))
    secured.on("data", (bytes) => (text += String(bytes)))
    secured.on("end", () => resolve(text))
    secured.on("close", () => resolve(`${text} closed`))
  })
  secured.end(words)
  const goOn = Effect.suspend(() => {
    held.open()
    return Effect.promise(() => outcome)
  })
  // The server's side is in the same process: a few turns, and it is where it can get.
  yield* Effect.sleep("20 millis")
  yield* Effect.sleep("20 millis")
  return { goOn, outcome: Effect.promise(() => outcome) }
})

const proxyHeader = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n"

describe.skipIf(!certificates.available)("stopping", () => {
  for (const [name, endpoint] of endpoints) {
    live(
      `${name}: who is in the middle of a handshake is served, nobody else is let in`,
      Effect.gen(function* () {
        const running = yield* Server.make(endpoint, echo, { drainTimeout: "15 seconds" })
        const { port } = inetOf(running.address)
        const header = endpoint._tag === "ProxiedServer" ? proxyHeader : ""
        const clients = yield* Effect.forEach([...moments, ...moments], (moment) =>
          client(port, moment, header)
        )
        const stopping = yield* Effect.forkChild(running.stop, { startImmediately: true })
        yield* Effect.sleep("20 millis")
        const late = yield* plainSocket(port)
        assert.isUndefined(late.remotePort)
        assert.isUndefined(stopping.pollUnsafe())
        const outcomes = yield* Effect.forEach(clients, ({ goOn }) => goOn, { concurrency: "unbounded" })
        assert.deepStrictEqual(
          outcomes,
          outcomes.map(() => "hello")
        )
        yield* running.stop
        const { accepted, open } = running.counts.value
        assert.deepStrictEqual({ accepted, open }, { accepted: clients.length, open: 0 })
      })
    )

    live(
      `${name}: who never goes on is waited for until drainTimeout, and no longer than its own deadline`,
      Effect.gen(function* () {
        const running = yield* Server.make(endpoint, echo, { drainTimeout: "300 millis" })
        const { port } = inetOf(running.address)
        const header = endpoint._tag === "ProxiedServer" ? proxyHeader : ""
        const clients = yield* Effect.forEach(moments, (moment) => client(port, moment, header))
        const began = performance.now()
        yield* running.stop
        const took = performance.now() - began
        assert.isTrue(took >= 290 && took < 10_000, `${took} ms`)
        for (const { outcome } of clients) assert.notInclude(yield* outcome, "hello")
      })
    )
  }

  live(
    "a handshake that fails meanwhile, and nothing else, is waited for no longer",
    Effect.gen(function* () {
      const endpoint = Endpoint.tls({ ...plain, tls: { identity, handshakeTimeout: "300 millis" } })
      const running = yield* Server.make(endpoint, echo, { drainTimeout: "1 hour" })
      yield* client(inetOf(running.address).port, "silent")
      yield* running.stop
      assert.strictEqual(running.counts.value.accepted, 0)
    })
  )

  live(
    "HTTP: a request that comes behind such a handshake is answered",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const bound = yield* HttpServer.bind(endpoints[0]![1]).pipe(Scope.provide(scope))
      const response = Effect.succeed(HttpServerResponse.text("at your service"))
      yield* bound.server.serve(response).pipe(Scope.provide(scope))
      const clients = yield* Effect.forEach(moments, (moment) =>
        client(inetOf(bound.address).port, moment, "", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      )
      const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* Effect.sleep("20 millis")
      assert.isUndefined(stopping.pollUnsafe())
      const outcomes = yield* Effect.forEach(clients, ({ goOn }) => goOn, { concurrency: "unbounded" })
      for (const outcome of outcomes) assert.match(outcome, /^HTTP\/1\.1 200 OK[^]*at your service/)
      yield* Fiber.join(stopping)
    })
  )
})
