/** Inherited sockets: a child process gets them at a place of its own, as from a super-server. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { ListenError } from "../../src/reactor/ReactorError.ts"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import { describePeer, whichAll } from "../support/peers.ts"
import * as Inheriting from "./inheriting.ts"
import { plainSocket } from "./sockets.ts"

const script = path.join(import.meta.dirname, "descriptorChild.ts")

/** A child with `sockets` from descriptor 3 on, doing what the steps say. */
const heir = (steps: ReadonlyArray<unknown>, ...sockets: ReadonlyArray<net.Socket | net.Server>) =>
  Inheriting.start([script, JSON.stringify(steps)], ["ignore", "said", "said", ...sockets])

/** Connects, says it, ends; all that came back. */
const conversation = (options: net.NetConnectOpts, words = "hello") =>
  Effect.callback<string>((resume) => {
    let all = ""
    const socket = net.connect({ ...options, allowHalfOpen: true } as net.NetConnectOpts, () =>
      socket.end(words)
    )
    socket.on("data", (bytes: Buffer) => {
      all += bytes.toString()
    })
    socket.on("error", (error: NodeJS.ErrnoException) => {
      all += error.code
    })
    socket.on("close", () => resume(Effect.succeed(all)))
  })

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port

describe("a listening socket", () => {
  it.live("of TCP is served, with its address, until it is stopped", () =>
    Effect.gen(function* () {
      const server = yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      const port = portOf(server)
      const child = yield* heir([{ serve: Endpoint.fd({ fd: 3 }) }], server)
      server.close()
      yield* child.says(new RegExp(`serving 127\\.0\\.0\\.1:${port}\\nready`))
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(yield* conversation({ port, host: "127.0.0.1" }), `127.0.0.1:${port}\nhello`)
      }
    }).pipe(Effect.scoped)
  )

  it.live("of IPv6 is served", () =>
    Effect.gen(function* () {
      const server = yield* Inheriting.server({ port: 0, host: "::1" })
      const port = portOf(server)
      const child = yield* heir([{ serve: Endpoint.fd({ fd: 3 }) }], server)
      server.close()
      yield* child.says(/ready/)
      assert.strictEqual(yield* conversation({ port, host: "::1" }), `[::1]:${port}\nhello`)
    }).pipe(Effect.scoped)
  )

  it.live("of UNIX is served by its name, which stays when it stops: somebody else made it", () =>
    Effect.gen(function* () {
      for (const name of [yield* socketPath, `\0spindle descriptors ${process.pid}`]) {
        const server = yield* Inheriting.server({ path: name })
        const child = yield* heir([{ serve: Endpoint.fd({ fd: 3 }) }, { stop: 0 }], server)
        const shown = name.replace("\0", "@")
        yield* child.says(new RegExp(`serving ${shown}\\nstopped`))
        if (shown === name) assert.isTrue(fs.lstatSync(name).isSocket())
      }
      const path = yield* socketPath
      const server = yield* Inheriting.server({ path })
      const child = yield* heir([{ serve: Endpoint.fd({ fd: 3 }) }], server)
      yield* child.says(/ready/)
      // Node would remove the file with the server.
      fs.renameSync(path, `${path}.kept`)
      server.close()
      assert.strictEqual(yield* conversation({ path: `${path}.kept` }), `${path}\nhello`)
    }).pipe(Effect.scoped)
  )

  it.live("stopping closes it: nobody answers any more", () =>
    Effect.gen(function* () {
      const server = yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      const port = portOf(server)
      const child = yield* heir([{ serve: Endpoint.fd({ fd: 3 }) }, { stop: 0 }], server)
      server.close()
      yield* child.says(/ready/)
      assert.strictEqual(yield* conversation({ port, host: "127.0.0.1" }), "ECONNREFUSED")
    }).pipe(Effect.scoped)
  )

  it.live("is taken once", () =>
    Effect.gen(function* () {
      for (const options of [{ port: 0, host: "127.0.0.1" }, { path: yield* socketPath }]) {
        const server = yield* Inheriting.server(options)
        const endpoint = Endpoint.fd({ fd: 3 })
        const again = [{ refuse: endpoint }, { refuseClient: Endpoint.fdClient({ fd: 3 }) }]
        const child = yield* heir([{ serve: endpoint }, ...again, { stop: 0 }, { refuse: endpoint }], server)
        yield* child.says(
          /serving.*\nListenError AlreadyListened: .*descriptor 3.*\nConnectError BindFailed: .*\nstopped\nListenError BadFile: .*descriptor 3 is not open\nready/
        )
      }
    }).pipe(Effect.scoped)
  )
})

describe("out of descriptors", () => {
  it.live("an inherited listener lives on, and says so", () =>
    Effect.gen(function* () {
      const server = yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      const port = portOf(server)
      const child = yield* Inheriting.start(
        [
          "-c",
          'ulimit -n 48; exec "$0" "$@"',
          process.execPath,
          script,
          JSON.stringify([{ serve: Endpoint.fd({ fd: 3 }) }])
        ],
        ["ignore", "said", "said", server],
        { command: "bash", env: { NO_COLOR: "1" } }
      )
      server.close()
      yield* child.says(/ready/)
      const clients = yield* Effect.forEach(Array.from({ length: 60 }), () => plainSocket(port))
      yield* child.says(/WARN.*no descriptor is left/)
      assert.match(child.said(), /endpoint: 'fd:3'/)
      for (const client of clients) client.destroy()
      yield* child.says(/accepts connections again/)
      assert.strictEqual(yield* conversation({ port, host: "127.0.0.1" }), `127.0.0.1:${port}\nhello`)
    }).pipe(Effect.scoped)
  )
})

describe("what is no listening socket", () => {
  const refused = (fd: number) =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const error = yield* Effect.flip(reactor.listen(Endpoint.fd({ fd })))
      assert.instanceOf(error, ListenError)
      return `${error.reason._tag} ${error.reason.detail}`
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))

  it.live("is refused by name, and left open", () =>
    Effect.gen(function* () {
      const file = fs.openSync(script, "r")
      const nowhere = fs.openSync("/dev/null", "r")
      try {
        assert.match(yield* refused(file), /^BadFile descriptor \d+ is a regular file$/)
        assert.match(yield* refused(nowhere), /^BadFile descriptor \d+ is a terminal or another device$/)
        fs.fstatSync(file)
      } finally {
        fs.closeSync(file)
        fs.closeSync(nowhere)
      }
      assert.match(yield* refused(file), /^BadFile descriptor \d+ is not open$/)
      for (const fd of [-1, 3.5, Number.NaN, 2 ** 31]) {
        assert.match(yield* refused(fd), /^InvalidAddress .* is no file descriptor$/)
      }
    })
  )

  it.live("a connected one is refused, a listening one is no connection", () =>
    Effect.gen(function* () {
      const server = yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      const { theirs } = yield* Inheriting.connection
      const steps = [{ refuse: Endpoint.fd({ fd: 4 }) }, { refuseClient: Endpoint.fdClient({ fd: 3 }) }]
      const child = yield* heir(steps, server, theirs)
      yield* child.says(
        /ListenError BadFile: .*descriptor 4 is an IPv4 socket that is connected\nConnectError BadFile: .*descriptor 3 is an IPv4 socket that listens\nready/
      )
      assert.strictEqual(yield* child.ended, 0)
    }).pipe(Effect.scoped)
  )

  describePeer({ name: "python3", debian: "python3", path: whichAll("python3")[0] }, (python) => {
    const passing = (make: string, steps: ReadonlyArray<unknown>) =>
      Child.run(python, [
        "-c",
        `
import os, socket, sys
reserved = [os.open(os.devnull, 0) for _ in range(8)]
made = ${make}
os.dup2(made.fileno(), 3, inheritable=True)
os.execv(sys.argv[1], sys.argv[1:])
`,
        process.execPath,
        script,
        JSON.stringify(steps)
      ])

    it.live("one that is not bound, of datagrams, or of packets is refused", () =>
      Effect.gen(function* () {
        const kinds = [
          ["socket.socket()", "a socket that neither listens nor has a port"],
          ["socket.socket(socket.AF_INET6)", "a socket that neither listens nor has a port"],
          ["socket.socket(socket.AF_UNIX)", "a UNIX socket that does not listen"],
          ["socket.socketpair()[0]", "a UNIX socket that is connected"],
          ["socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)", "a UNIX socket, but not one of streams"],
          ["[s := socket.socket(type=socket.SOCK_DGRAM), s.bind(('127.0.0.1', 0))][0]", "a UDP socket"]
        ]
        for (const [make, what] of kinds) {
          const { code, stderr } = yield* passing(make!, [{ refuse: Endpoint.fd({ fd: 3 }) }])
          assert.include(stderr, `ListenError BadFile: cannot listen on fd:3: descriptor 3 is ${what}\n`)
          assert.strictEqual(code, 0)
        }
        const { stderr } = yield* passing("socket.socket()", [{ refuseClient: Endpoint.fdClient({ fd: 3 }) }])
        assert.include(
          stderr,
          "ConnectError BadFile: cannot connect to fd:3: descriptor 3 is a socket that is not connected\n"
        )
      })
    )

    it.live("one that is bound begins to listen", () =>
      Effect.gen(function* () {
        const bound = "[s := socket.socket(), s.bind(('127.0.0.1', 0))][0]"
        const { stderr } = yield* passing(bound, [{ refuse: Endpoint.fd({ fd: 3 }) }])
        assert.include(stderr, "it works\n")
      })
    )
  })
})

describe("a connected socket", () => {
  it.live("of TCP is a connection of two directions that knows its ends", () =>
    Effect.gen(function* () {
      const { ours, theirs } = yield* Inheriting.connection
      const [mine, other] = [ours.localPort, ours.remotePort]
      const child = yield* heir([{ echo: Endpoint.fdClient({ fd: 3 }) }], theirs)
      theirs.destroy()
      yield* child.says(new RegExp(`connected 127\\.0\\.0\\.1:${other} 127\\.0\\.0\\.1:${mine}\\n`))
      const sent = "x".repeat(1_000_000)
      ours.end(sent)
      const back = yield* Effect.callback<string>((resume) => {
        let all = ""
        ours.on("data", (bytes: Buffer) => {
          all += bytes.toString()
        })
        ours.on("end", () => resume(Effect.succeed(all)))
      })
      assert.isTrue(back === sent)
      assert.strictEqual(yield* child.ended, 0)
    }).pipe(Effect.scoped)
  )
})
