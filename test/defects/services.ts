/** What the attacked process can serve, by name. Each is a server on a port of its own, without limits but those named here. */
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as FingerDirectory from "../../src/finger/FingerDirectory.ts"
import * as FingerServer from "../../src/finger/FingerServer.ts"
import * as Framed from "../../src/framing/Framed.ts"
import * as LengthPrefixed from "../../src/framing/LengthPrefixed.ts"
import * as Lines from "../../src/framing/Lines.ts"
import * as Ndjson from "../../src/framing/Ndjson.ts"
import * as Netstrings from "../../src/framing/Netstrings.ts"
import * as IdentServer from "../../src/ident/IdentServer.ts"
import * as IdentUsers from "../../src/ident/IdentUsers.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import * as NodeHandoff from "../../src/node/NodeHandoff.ts"
import * as PostfixServer from "../../src/postfix/PostfixServer.ts"
import * as PostfixTable from "../../src/postfix/PostfixTable.ts"
import * as SocketmapServer from "../../src/postfix/SocketmapServer.ts"
import * as SocketmapTables from "../../src/postfix/SocketmapTables.ts"
import * as Idle from "../../src/protocol/Idle.ts"
import * as Limit from "../../src/protocol/Limit.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Sniff from "../../src/protocol/Sniff.ts"
import * as Timeout from "../../src/protocol/Timeout.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import * as TelnetServer from "../../src/telnet/TelnetServer.ts"
import * as TelnetShell from "../../src/telnet/TelnetShell.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

type Conversation = (transport: Transport) => Effect.Effect<void, unknown, Scope.Scope>
type Make = Effect.Effect<Server.Server, unknown, Reactor | Scope.Scope>

/** The certificates, from whoever starts the process. */
export interface Identities {
  readonly server: Tls.Identity
  readonly authority: string
}

/** What the services have done, beside the counts of their servers. */
export const progress = { sentBytes: 0 }

export const pieceBytes = 65_536
/** Where `flood` ends, and `halfClosed` after the end of input. */
export const floodBytes = 8 * 1024 * 1024

const loopback = { port: 0, interface: "127.0.0.1" } as const
const trusted = ["127.0.0.0/8"]
/** How long the peers of the timed services may take. */
export const timedMillis = 1_500

const serve = <R = never>(
  endpoint: Endpoint.Server,
  conversation: (transport: Transport) => Effect.Effect<void, unknown, R>,
  options?: Server.Options
) => Server.make(endpoint, conversation, { drainTimeout: "2 seconds", ...options })
const plain = (conversation: Conversation) => serve(Endpoint.tcp(loopback), conversation)

const echo: Conversation = (transport) => transport.receiveEach(transport.send)
const drop = () => Effect.void

const sendBytes = (transport: Transport, bytes: number) => {
  const piece = new Uint8Array(pieceBytes).fill(65)
  return Effect.whileLoop({
    while: () => bytes > 0,
    body: () => Effect.suspend(() => transport.send(piece.subarray(0, Math.min(bytes, pieceBytes)))),
    step: () => {
      progress.sentBytes += Math.min(bytes, pieceBytes)
      bytes -= pieceBytes
    }
  })
}

/** Asked for so many bytes by a line, it sends them. */
const stream: Conversation = Lines.over()(
  Effect.fnUntraced(function* (lines) {
    yield* sendBytes(lines.transport, Number(yield* lines.receive))
  })
)

/** Enough of SMTP. */
const starttls =
  (tls: Tls.ServerOptions): Conversation =>
  (transport) => {
    const lines = Lines.make(transport)
    return Effect.gen(function* () {
      yield* lines.send("220 ready")
      for (;;) {
        const command = yield* lines.receive
        if (command !== "STARTTLS") {
          yield* lines.send(`250 ${command}`)
          continue
        }
        const plain = yield* lines.detach
        const secured = yield* plain.startTls({ role: "server", tls, reply: "220 go ahead\r\n" })
        return yield* Lines.over()((protectedLines) =>
          protectedLines.receiveEach((line) => protectedLines.send(`250 ${line} by TLS`))
        )(secured)
      }
    })
  }

const Message = Schema.Struct({ text: Schema.String })

export const services = (identities: Identities | undefined): ReadonlyMap<string, Make> => {
  const all = new Map<string, Make>([
    ["echo", plain(echo)],
    ["lineEcho", plain(Lines.over()((lines) => lines.receiveEach(lines.send)))],
    ["lines", plain(Lines.over()((lines) => lines.receiveEach(drop)))],
    ["linesPulled", plain(Lines.over()((lines) => Effect.forever(Effect.asVoid(lines.receive))))],
    ["netstrings", plain(Netstrings.over()((frames) => frames.receiveEach(drop)))],
    ["lengthPrefixed", plain(LengthPrefixed.over()((frames) => frames.receiveEach(drop)))],
    ["ndjson", plain(Ndjson.over()((frames) => frames.receiveEach(drop)))],
    ["framed", plain(Framed.over({ receive: Message, send: Message })((frames) => frames.receiveEach(drop)))],
    ["proxied", serve(Endpoint.proxied({ inner: Endpoint.tcp(loopback), proxy: { trusted } }), echo)],
    // One that cannot tell before it has seen 1,000 bytes.
    ["sniff", plain(Sniff.over([Sniff.when(Sniff.prefix(`${"A".repeat(999)}B`), echo)]))],
    ["stream", plain(stream)],
    ["flood", plain((transport) => sendBytes(transport, floodBytes))],
    [
      "halfClosed",
      plain((transport) => Effect.andThen(transport.receiveEach(drop), sendBytes(transport, floodBytes)))
    ],
    // Takes the first piece, and leaves the others where they are.
    ["stuck", plain((transport) => Effect.andThen(transport.receive, Effect.never))],
    [
      "stuckLines",
      plain(Lines.over()((lines) => Effect.andThen(Effect.asVoid(lines.receive), Effect.never)))
    ],
    [
      "stuckNetstrings",
      plain(Netstrings.over()((frames) => Effect.andThen(Effect.asVoid(frames.receive), Effect.never)))
    ],
    ["idle", plain(Idle.over(timedMillis)(echo))],
    [
      "timed",
      plain(
        Limit.over({ connectionsMax: 500 })(
          Timeout.over({ firstByte: timedMillis, total: 2 * timedMillis })(
            Lines.over()((lines) => lines.receiveEach(lines.send))
          )
        )
      )
    ],
    [
      "timedStream",
      plain(Timeout.over({ sendProgress: timedMillis })((transport) => sendBytes(transport, 2 ** 30)))
    ],
    [
      "timedProxied",
      serve(
        Endpoint.proxied({ inner: Endpoint.tcp(loopback), proxy: { trusted, headerTimeout: timedMillis } }),
        echo
      )
    ],
    [
      "finger",
      Effect.provide(
        serve(Endpoint.tcp(loopback), FingerServer.protocol()),
        FingerDirectory.layer([{ login: "alice", plan: "Rest." }])
      )
    ],
    ["ident", Effect.provide(serve(Endpoint.tcp(loopback), IdentServer.protocol()), IdentUsers.layer())],
    [
      "postfix",
      Effect.provide(
        serve(Endpoint.tcp(loopback), PostfixServer.protocol()),
        PostfixTable.layer([["k", "v"]])
      )
    ],
    [
      "socketmap",
      Effect.provide(
        serve(Endpoint.tcp(loopback), SocketmapServer.protocol()),
        SocketmapTables.layer({ m: PostfixTable.memory([["k", "v"]]) })
      )
    ],
    ["telnet", Effect.provide(serve(Endpoint.tcp(loopback), TelnetServer.protocol()), TelnetShell.layer())],
    [
      "memcached",
      Effect.provide(
        Effect.flatMap(MemcacheServer.make(), (protocol) => serve(Endpoint.tcp(loopback), protocol)),
        MemcacheStore.layer()
      )
    ],
    [
      "handoff",
      Effect.gen(function* () {
        const worker = yield* Effect.acquireRelease(
          Effect.sync(() => new Worker(new URL("../node/handoffWorker.ts", import.meta.url))),
          (worker) => Effect.promise(() => worker.terminate())
        )
        return yield* serve(Endpoint.tcp(loopback), yield* NodeHandoff.distribute([worker]))
      })
    ]
  ])
  if (identities === undefined) return all
  const { authority, server } = identities
  const tls = { identity: server }
  const onTls = (options: Partial<Tls.ServerOptions>, conversation: Conversation) =>
    serve(Endpoint.tls({ ...loopback, tls: { ...tls, ...options } }), conversation)
  return new Map([
    ...all,
    ["tls", onTls({}, echo)],
    // The hello is read by us first.
    ["tlsNamed", onTls({ unknownServerName: "refuse" }, echo)],
    ["mutualTls", onTls({ clientCertificate: "require", authorities: authority }, echo)],
    ["tlsStream", onTls({}, stream)],
    ["timedTls", onTls({ handshakeTimeout: timedMillis }, echo)],
    ["starttls", plain(starttls(tls))]
  ])
}
