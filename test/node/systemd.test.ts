/** Socket activation, sd_listen_fds(3): the environment, and real processes that are started so. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SystemdDescriptors from "../../src/node/SystemdDescriptors.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import { describePeer, which } from "../support/peers.ts"
import * as Inheriting from "./inheriting.ts"

const script = path.join(import.meta.dirname, "descriptorChild.ts")

describe("the environment", () => {
  const passed = (environment: SystemdDescriptors.Environment) => SystemdDescriptors.passedTo(7, environment)

  it("names what was passed", () => {
    assert.deepStrictEqual(passed({ LISTEN_PID: "7", LISTEN_FDS: "2", LISTEN_FDNAMES: "web:" }), [
      { fd: 3, name: "web" },
      { fd: 4, name: "" }
    ])
    assert.deepStrictEqual(passed({ LISTEN_PID: "7", LISTEN_FDS: "1" }), [{ fd: 3, name: "unknown" }])
    assert.deepStrictEqual(passed({ LISTEN_PID: "7", LISTEN_FDS: "0" }), [])
  })

  it("says why nothing was passed", () => {
    assert.match(String(passed({})), /LISTEN_FDS is not set/)
    assert.match(String(passed({ LISTEN_FDS: "1" })), /not LISTEN_PID/)
    assert.match(String(passed({ LISTEN_PID: "8", LISTEN_FDS: "1" })), /process 8.*this is process 7/)
    assert.match(String(passed({ LISTEN_PID: "me", LISTEN_FDS: "1" })), /LISTEN_PID is "me"/)
    for (const count of [undefined, "", "-1", "1.5", "1e9", "99999999"]) {
      assert.match(String(passed({ LISTEN_PID: "7", LISTEN_FDS: count })), /no number of descriptors/)
    }
  })

  it("is searched by index and by name", () => {
    const environment = { LISTEN_PID: String(process.pid), LISTEN_FDS: "3", LISTEN_FDNAMES: "a:b:b" }
    const find = (descriptor: Endpoint.SystemdServer["descriptor"]) =>
      SystemdDescriptors.find(Endpoint.systemd({ descriptor }), environment)
    const fdOf = (found: ReturnType<typeof find>) => ("fd" in found ? found.fd : found._tag)
    assert.strictEqual(fdOf(find({ index: 0 })), 3)
    assert.strictEqual(fdOf(find({ index: 2 })), 5)
    assert.strictEqual(fdOf(find({ name: "b" })), 4)
    assert.strictEqual(fdOf(find({ index: -1 })), "InvalidAddress")
    assert.strictEqual(fdOf(find({ index: 0.5 })), "InvalidAddress")
    const missing = find({ name: "c" })
    assert.strictEqual(
      "detail" in missing && missing.detail,
      'systemd passed no descriptor named "c", but 0 ("a"), 1 ("b"), 2 ("b")'
    )
    assert.strictEqual(fdOf(find({ index: 3 })), "BadFile")
  })

  it.effect("can be unset", () =>
    Effect.gen(function* () {
      process.env["LISTEN_PID"] = "1"
      process.env["LISTEN_FDS"] = "1"
      process.env["LISTEN_FDNAMES"] = "x"
      yield* SystemdDescriptors.unsetEnvironment
      assert.deepStrictEqual(
        Object.keys(process.env).filter((name) => name.startsWith("LISTEN_")),
        []
      )
    })
  )
})

/** As systemd starts a process: the variables name its own number, which only it knows. */
const activated = (
  steps: ReadonlyArray<unknown>,
  names: ReadonlyArray<string>,
  ...sockets: ReadonlyArray<net.Server | net.Socket>
) =>
  Inheriting.start(
    ["-c", 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath, script, JSON.stringify(steps)],
    ["ignore", "said", "said", ...sockets],
    {
      command: "sh",
      env: { LISTEN_FDS: String(sockets.length), LISTEN_FDNAMES: names.join(":") }
    }
  )

const greeting = (options: net.NetConnectOpts) =>
  Effect.callback<string>((resume) => {
    const socket = net.connect(options)
    socket.once("data", (bytes: Buffer) => {
      socket.destroy()
      resume(Effect.succeed(bytes.toString()))
    })
    socket.on("error", (error) => resume(Effect.succeed(error.message)))
  })

const systemd = (descriptor: Endpoint.SystemdServer["descriptor"], domain?: "INET" | "INET6" | "UNIX") =>
  Endpoint.systemd({ descriptor, domain })

describe("a process that systemd started", () => {
  it.live("serves sockets of all domains, by index and by name", () =>
    Effect.gen(function* () {
      const name = yield* socketPath
      const inet = yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      const inet6 = yield* Inheriting.server({ port: 0, host: "::1" })
      const unix = yield* Inheriting.server({ path: name })
      const [port, port6] = [inet, inet6].map((server) => (server.address() as net.AddressInfo).port)
      const child = yield* activated(
        [
          { serve: systemd({ index: 0 }, "INET") },
          { serve: systemd({ name: "six" }, "INET6") },
          { serve: systemd({ name: "local" }, "UNIX") }
        ],
        ["web", "six", "local"],
        inet,
        inet6,
        unix
      )
      yield* child.says(/ready/)
      fs.renameSync(name, `${name}.kept`)
      for (const server of [inet, inet6, unix]) server.close()
      assert.strictEqual(yield* greeting({ port: port!, host: "127.0.0.1" }), `127.0.0.1:${port}\n`)
      assert.strictEqual(yield* greeting({ port: port6!, host: "::1" }), `[::1]:${port6}\n`)
      assert.strictEqual(yield* greeting({ path: `${name}.kept` }), `${name}\n`)
    }).pipe(Effect.scoped)
  )

  it.live("gets each once, and several of one name in their order", () =>
    Effect.gen(function* () {
      const servers = [
        yield* Inheriting.server({ port: 0, host: "127.0.0.1" }),
        yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      ]
      const [first, second] = servers.map((server) => (server.address() as net.AddressInfo).port)
      const web = { serve: systemd({ name: "web" }) }
      const child = yield* activated(
        [web, web, { refuse: web.serve }, { stop: 0 }, { refuse: systemd({ index: 0 }) }],
        ["web", "web"],
        ...servers
      )
      yield* child.says(
        new RegExp(
          `serving 127\\.0\\.0\\.1:${first}\nserving 127\\.0\\.0\\.1:${second}\nListenError AlreadyListened: .*descriptor 3, 4 was taken before.*\nstopped\nListenError AlreadyListened: .*\nready`
        )
      )
    }).pipe(Effect.scoped)
  )

  it.live("is told what was passed instead", () =>
    Effect.gen(function* () {
      const server = yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      const { theirs } = yield* Inheriting.connection
      const child = yield* activated(
        [
          { refuse: systemd({ index: 0 }, "UNIX") },
          { refuse: systemd({ index: 0 }, "INET6") },
          { refuse: systemd({ index: 1 }) },
          { refuse: systemd({ index: 2 }) },
          // What was refused can still be taken.
          { refuse: systemd({ index: 0 }, "INET") }
        ],
        ["web", "accepted"],
        server,
        theirs
      )
      assert.strictEqual(yield* child.ended, 0)
      assert.deepStrictEqual(
        child
          .said()
          .split("\n")
          .map((line) => line.replace(/cannot listen on systemd.*?: (?=desc|systemd)/, "")),
        [
          "ListenError BadFile: descriptor 3 is an IPv4 socket that listens, not one of the domain UNIX",
          "ListenError BadFile: descriptor 3 is an IPv4 socket that listens, not one of the domain INET6",
          "ListenError BadFile: descriptor 4 is an IPv4 socket that is connected",
          'ListenError BadFile: systemd passed no descriptor 2, but 0 ("web"), 1 ("accepted")',
          "it works",
          "ready",
          ""
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("does not take what is meant for another process", () =>
    Effect.gen(function* () {
      const server = yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      const child = yield* Inheriting.start(
        [script, JSON.stringify([{ refuse: systemd({ index: 0 }) }])],
        ["ignore", "said", "said", server],
        { env: { LISTEN_PID: "1", LISTEN_FDS: "1" } }
      )
      yield* child.says(/ListenError BadFile: .*passed descriptors to process 1 \(LISTEN_PID\)/)
      assert.strictEqual(yield* child.ended, 0)
    }).pipe(Effect.scoped)
  )
})

describePeer(
  { name: "systemd-socket-activate", debian: "systemd", path: which("systemd-socket-activate") },
  (activate) => {
    it.live("is started by the first connection, and answers it", () =>
      Effect.gen(function* () {
        const name = yield* socketPath
        const steps = JSON.stringify([{ serve: systemd({ name: "local" }, "UNIX") }])
        const args = [`--listen=${name}`, "--fdname=local", process.execPath, script, steps]
        const child = yield* Child.spawn(activate, args)
        yield* child.says(/Listening on/)
        assert.strictEqual(yield* greeting({ path: name }), `${name}\n`)
      }).pipe(Effect.scoped)
    )
  }
)
