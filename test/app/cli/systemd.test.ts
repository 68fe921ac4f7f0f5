/** Under systemd, or what looks like it: a socket that it hears of the daemon by, and sockets that it passes. */
import { createHash } from "node:crypto"
import type * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Inheriting from "../../node/inheriting.ts"
import * as Child from "../../support/child.ts"
import { describePeer, which } from "../../support/peers.ts"
import * as Spindle from "./spindle.ts"
import { visit, visitor } from "./visitors.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), Spindle.testTimeout)

/** Prints each datagram as a line of JSON. Node has no such sockets. */
const receiver = `
import json, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print("bound", flush=True)
while True: print(json.dumps(server.recv(4096).decode()), flush=True)
`

describePeer({ name: "python3", debian: "python3", path: which("python3") }, (python) => {
  live(
    "a notify socket hears that it is ready, reloads, is succeeded, lives, and stops",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const socket = place.file("notify")
      const manager = yield* Child.spawn(python, ["-c", receiver, socket], { timeout: 60_000 })
      yield* manager.says(/bound/)
      const heard = (pattern: RegExp) => manager.says(new RegExp(`^"${pattern.source}"$`, "m"))
      const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000" }
      const daemon = yield* Spindle.serve(place, [], { env, timeout: 60_000 })
      yield* heard(/READY=1\\nSTATUS=visits is ready/)
      yield* heard(/WATCHDOG=1/)
      yield* daemon.signal("SIGHUP")
      yield* heard(/RELOADING=1\\nMONOTONIC_USEC=\d+/)
      yield* heard(/READY=1/)
      // The manager is told who serves then, so nobody stays behind for its sake.
      const said = yield* Spindle.says(place, ["restart"])
      const next = Number(/^process (\d+) /.exec(said)![1])
      yield* manager.says(new RegExp(`"MAINPID=${next}"\n[^]*"READY=1`))
      yield* Spindle.until("the old one is gone", () => !Spindle.isAlive(daemon.pid))
      assert.deepInclude(yield* visit(daemon.port), { pid: next })
      assert.notInclude(manager.stdout(), "STOPPING")
      yield* Spindle.says(place, ["stop"])
      yield* heard(/STOPPING=1/)
      const words = manager
        .stdout()
        .trimEnd()
        .split("\n")
        .filter((line) => line !== '"WATCHDOG=1"')
      assert.strictEqual(words.at(-1), '"STOPPING=1"')
      assert.deepStrictEqual(place.files(), ["notify"])
    })
  )
})

/** Starts it as systemd does: the variables name its own number, which only it knows. */
const activated = (place: Spindle.Place, socket: net.Server) =>
  Inheriting.start(
    [
      "-c",
      'LISTEN_PID=$$ exec "$0" "$@"',
      process.execPath,
      ...Spindle.nodeArgs,
      "run",
      Spindle.fixture("visits"),
      "--rundir",
      place.directory,
      "--set",
      "listen=systemd:name=web"
    ],
    ["ignore", "said", "said", socket],
    { command: "sh", env: { ...place.env, LISTEN_FDS: "1", LISTEN_FDNAMES: "web" } }
  )

describe("socket activation", () => {
  live(
    "serves who has come before it was there, and hands the socket on when it is restarted",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const socket = yield* Inheriting.server({ port: 0, host: "127.0.0.1" })
      const { port } = socket.address() as net.AddressInfo
      const daemon = yield* activated(place, socket)
      // Only the daemon's is left, and it is not there yet.
      socket.close()
      const early = yield* visitor(port)
      yield* daemon.says(/visits is ready/)
      assert.strictEqual((yield* early.ask).pid, daemon.pid)
      early.socket.end()
      assert.strictEqual((yield* visit(port)).pid, daemon.pid)
      const said = yield* Spindle.says(place, ["restart"])
      const next = Number(/^process (\d+) /.exec(said)![1])
      assert.strictEqual((yield* visit(port)).pid, next)
      yield* Spindle.says(place, ["stop"])
      yield* Spindle.until("all are gone", () => Spindle.processesOf(place).length === 0)
      const refused: NodeJS.ErrnoException = yield* Effect.flip(visit(port))
      assert.strictEqual(refused.code, "ECONNREFUSED")
    })
  )
})

describe("the unit file", () => {
  const line = [
    "systemd-unit",
    "--user",
    "daemon",
    "run",
    "-l",
    "app.log",
    Spindle.fixture("visits"),
    "-sa=b $c"
  ]

  live(
    "runs the line that was given, in the foreground, with what systemd can do to confine it",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const [unit, plugin, privileged] = yield* Effect.forEach(
        [
          line,
          ["systemd-unit", "echo", "--listen", "tcp:7", "--prefix", "x"],
          ["systemd-unit", "--privileged-ports", "--name", "my app", "-y", "app.ts", "--pidfile="]
        ],
        (args) => Spindle.says(place, args),
        { concurrency: 2 }
      )
      assert.match(unit!, /^Type=notify$/m)
      assert.match(unit!, /^ExecReload=.* reload --pidfile=\/run\/visits\/visits\.pid$/m)
      assert.match(unit!, /^User=daemon$/m)
      assert.match(unit!, /^WatchdogSec=30$/m)
      assert.include(
        unit!,
        ` run --logfile=app.log ${Spindle.fixture("visits")} "--set=a=b $$c" --pidfile=/run/visits/visits.pid\n`
      )
      assert.match(plugin!, /^DynamicUser=yes$/m)
      assert.match(plugin!, /^ExecStart=.* echo --listen tcp:7 --prefix x --pidfile=\/run\/echo\/echo\.pid$/m)
      assert.match(privileged!, /^AmbientCapabilities=CAP_NET_BIND_SERVICE$/m)
      assert.include(privileged!, ` run ${place.file("app.ts")} --pidfile=\n`)
      assert.match(privileged!, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m)
      assert.match(privileged!, /^RuntimeDirectory=my-app$/m)
    })
  )

  describePeer({ name: "systemd-analyze", debian: "systemd", path: which("systemd-analyze") }, (analyze) => {
    live(
      "is one that systemd understands",
      Effect.gen(function* () {
        const place = yield* Spindle.place
        const name = `spindle-${createHash("sha1").update(place.directory).digest("hex").slice(0, 8)}.service`
        place.write(name, yield* Spindle.says(place, line))
        const { code, stderr, stdout } = yield* Child.run(analyze, ["verify", "--man=no", place.file(name)])
        const about = (stdout + stderr).split("\n").filter((text) => text.includes(name))
        assert.deepStrictEqual([code, about], [0, []])
      })
    )
  })
})
