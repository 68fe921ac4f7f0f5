/** Descriptions of what a process is started with: descriptors, sockets of systemd, standard input and output. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import { layer, muchBytes, dial, python, streamOptions, streamOptionsAnswer, workshop } from "./endpoints.ts"
import * as Inheriting from "./inheriting.ts"
import { plainSocket, socketEnd } from "./sockets.ts"

const script = path.join(import.meta.dirname, "endpointsChild.ts")

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test))

const inet = Inheriting.server({ port: 0, host: "127.0.0.1" })
const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port

/** The child alone accepts from now on. */
const handed = Effect.fnUntraced(function* (child: Inheriting.Heir, ...servers: ReadonlyArray<net.Server>) {
  const [, place] = yield* child.says(/listening (.*)\n/)
  for (const server of servers) server.close()
  return place
})

/** A client that reads nothing until it is asked to. */
const client = (options: net.NetConnectOpts) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect({ ...options, onread: { buffer: Buffer.alloc(1), callback: () => false } })
      socket.on("error", () => {})
      socket.once("connect", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Sends, ends its side, and gives all that came back. */
const echoed = (socket: net.Socket, text: string) =>
  Effect.callback<string>((resume) => {
    let all = ""
    socket.on("data", (bytes: Buffer) => {
      all += bytes.toString()
    })
    socket.on("end", () => resume(Effect.succeed(all)))
    socket.on("close", () => resume(Effect.succeed(`${all} (lost)`)))
    socket.end(text)
  })

/** As systemd starts a process: the variables name its own number, which only it knows. */
const activated = (
  args: ReadonlyArray<string>,
  names: ReadonlyArray<string>,
  ...sockets: ReadonlyArray<net.Server>
) =>
  Inheriting.start(
    ["-c", 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath, script, ...args],
    ["ignore", "said", "said", ...sockets],
    { command: "sh", env: { LISTEN_FDS: String(sockets.length), LISTEN_FDNAMES: names.join(":") } }
  )

/** The peer of a child that receives nothing and sends much: all options are in force. */
const isGenerous = Effect.fnUntraced(function* (child: Inheriting.Heir, peer: net.Socket, options: string) {
  yield* child.says(/\nsent\n/)
  if (python !== undefined) {
    assert.strictEqual((yield* child.says(/^options (.*)$/m))[1], options)
  }
  yield* Effect.callback<void>((resume) => {
    peer.write(new Uint8Array(muchBytes), () => resume(Effect.void))
  })
  process.kill(child.pid, "SIGUSR2")
  const [, millis] = yield* child.says(/closed after (\d+) ms/)
  assert.isBelow(Number(millis), 5_000)
  assert.strictEqual(yield* child.ended, 0)
})

describe("fd", () => {
  for (const [use, text] of [
    ["server", "fd:3"],
    ["server", "fd:fd=3:backlog=5"],
    ["client", "fd:3:timeout=5"]
  ] as const) {
    live(
      `${use} ${text}`,
      Effect.gen(function* () {
        const server = yield* inet
        const { ours, theirs } = yield* Inheriting.connection
        const child = yield* Inheriting.start(
          [script, use, text, "echo"],
          ["ignore", "said", "said", use === "server" ? server : theirs]
        )
        theirs.destroy()
        const port = portOf(server)
        if (use === "server") assert.strictEqual(yield* handed(child, server), `127.0.0.1:${port}`)
        const peer = use === "server" ? yield* plainSocket(port) : ours
        yield* child.says(new RegExp(`peer 127\\.0\\.0\\.1:${peer.localPort}\\n`))
        peer.resume()
        assert.strictEqual(yield* echoed(peer, "hello"), "hello")
        assert.strictEqual(yield* child.ended, 0)
      })
    )

    live(
      `${use} ${text}, with stream options`,
      Effect.gen(function* () {
        const server = yield* inet
        const { ours, theirs } = yield* Inheriting.connection
        const child = yield* Inheriting.start(
          [script, use, `${text}:${streamOptions}`, "generous"],
          ["ignore", "said", "said", use === "server" ? server : theirs]
        )
        theirs.destroy()
        const port = portOf(server)
        if (use === "server") yield* handed(child, server)
        const peer = use === "server" ? yield* client({ port, host: "127.0.0.1" }) : ours
        yield* isGenerous(child, peer, streamOptionsAnswer)
      })
    )
  }
})

describe("systemd", () => {
  for (const [text, which] of [
    ["systemd:index=0", 0],
    ["systemd:name=second:domain=INET", 1],
    ["systemd:domain=INET:index=1:backlog=7", 1]
  ] as const) {
    live(
      text,
      Effect.gen(function* () {
        const servers = [yield* inet, yield* inet]
        const port = portOf(servers[which]!)
        const child = yield* activated(["server", text, "echo"], ["first", "second"], ...servers)
        assert.strictEqual(yield* handed(child, ...servers), `127.0.0.1:${port}`)
        const peer = yield* Effect.sync(() => net.connect({ port, host: "127.0.0.1" }))
        assert.strictEqual(yield* echoed(peer, "hello"), "hello")
        assert.strictEqual(yield* child.ended, 0)
      })
    )
  }

  live(
    "with stream options",
    Effect.gen(function* () {
      const server = yield* inet
      const text = `systemd:index=0:${streamOptions}`
      const child = yield* activated(["server", text, "generous"], ["web"], server)
      const port = portOf(server)
      yield* handed(child, server)
      const peer = yield* client({ port, host: "127.0.0.1" })
      yield* isGenerous(child, peer, streamOptionsAnswer)
    })
  )

  live(
    "the wrong domain, and nothing at all, are said",
    Effect.gen(function* () {
      const server = yield* inet
      const wrong = yield* activated(["server", "systemd:index=0:domain=UNIX", "echo"], ["web"], server)
      assert.strictEqual(yield* wrong.ended, 1)
      assert.match(
        wrong.said(),
        /cannot listen on systemd:domain=UNIX:index=0: .* not one of the domain UNIX/
      )
      const none = yield* Child.run(process.execPath, [script, "server", "systemd:name=web", "echo"])
      assert.match(none.stderr, /LISTEN_FDS is not set/)
    })
  )

  it.live.skipIf(!certificates.available)("with TLS on it, over a UNIX socket", () =>
    Effect.gen(function* () {
      const { file } = yield* workshop
      const { authority, server: identity } = certificates.localhost()
      const key = file("key.pem", identity.certificate + identity.privateKey)
      const roots = file("roots.pem", authority.certificate)
      const place = yield* socketPath
      const server = yield* Inheriting.server({ path: place })
      const text = `secured:privateKey=${key}:systemd:name=local`
      // Closing it, so that we do not accept in the child's place, removes the name that it knows.
      const kept = `${place}.kept`
      fs.linkSync(place, kept)
      const child = yield* activated(["server", text, "echo"], ["local"], server)
      yield* handed(child, server)
      const ours = yield* dial(`secured:hostname=localhost:trustRoots=${roots}:unix:${kept}`)
      yield* ours.send("sealed")
      assert.strictEqual(String(Buffer.from(yield* ours.receive)), "sealed")
      yield* ours.end
      assert.strictEqual(yield* child.ended, 0)
    }).pipe(Effect.scoped, Effect.provide(layer))
  )
})

describe("stdio", () => {
  for (const use of ["server", "client"] as const) {
    live(
      `${use}: in a pipe`,
      Effect.gen(function* () {
        for (const text of ["stdio:", "stdio", "stdio:closeTimeout=1"]) {
          const { code, stderr, stdout } = yield* Child.run(process.execPath, [script, use, text, "echo"], {
            input: "hello"
          })
          assert.deepStrictEqual([code, stdout], [0, "hello"], stderr)
        }
      })
    )

    live(
      `${use}: as inetd starts it, with stream options`,
      Effect.gen(function* () {
        const { ours, theirs } = yield* Inheriting.connection
        const args = [script, use, `stdio:${streamOptions}`, "generous"]
        const child = yield* Inheriting.start(args, [theirs, theirs, "said"])
        theirs.destroy()
        yield* isGenerous(child, ours, streamOptionsAnswer)
        assert.strictEqual((yield* socketEnd(ours)).how, "ECONNRESET")
      })
    )
  }

  live(
    "a server behind a header",
    Effect.gen(function* () {
      const { ours, theirs } = yield* Inheriting.connection
      const text = "haproxy:trusted=127.0.0.1:stdio:"
      const child = yield* Inheriting.start([script, "server", text, "echo"], [theirs, theirs, "said"])
      theirs.destroy()
      ours.write("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n")
      yield* child.says(/peer 192\.0\.2\.1:56324\n/)
      ours.resume()
      assert.strictEqual(yield* echoed(ours, "hello"), "hello")
      assert.strictEqual(yield* child.ended, 0)
    })
  )
})
