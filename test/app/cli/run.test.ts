/** `spindle run FILE` in the foreground: what it refuses, where it runs, what it logs, by what it ends. */
import * as dgram from "node:dgram"
import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Spindle from "./spindle.ts"
import { visit, visitor } from "./visitors.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), Spindle.testTimeout)

/** What Linux says of a process. */
const told = (pid: number, key: string): string | undefined =>
  new RegExp(`^${key}:\\s*(.*)$`, "m").exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]

const lines = (text: string) => text.trimEnd().split("\n")

interface Line {
  readonly level: string
  readonly namespace?: string
  readonly message: string
}
interface State {
  readonly state: string
  readonly connections: Readonly<Record<string, number>>
  readonly process: { readonly pid: number; readonly fibers: { readonly active: number } }
  readonly services: ReadonlyArray<{ readonly path: string; readonly ready: boolean }>
}

const records = (text: string) => lines(text).map((line) => JSON.parse(line) as Line)

describe("what is no application", () => {
  const files = [
    {
      name: "none.ts",
      text: "export const app = 1",
      status: 65,
      said: /none\.ts has no default export: it should be an Application$/
    },
    {
      name: "other.ts",
      text: "export default 42",
      status: 65,
      said: /the default export of .*other\.ts is no Application$/
    },
    {
      name: "throws.ts",
      text: `throw new Error("no luck")`,
      status: 70,
      said: /throws\.ts cannot be loaded: .*no luck$/
    },
    {
      name: "syntax.ts",
      text: "const x: = 1\nexport default x",
      status: 70,
      said: /syntax\.ts cannot be loaded: ./
    },
    {
      name: "lacks.ts",
      text: `import "nothing-of-the-kind"`,
      status: 70,
      said: /lacks\.ts cannot be loaded: .*nothing-of-the-kind/
    },
    { name: ".", text: undefined, status: 66, said: /^\S+ is a directory$/ },
    { name: "absent.ts", text: undefined, status: 66, said: /^there is no file .*absent\.ts$/ }
  ]

  live(
    "is refused with one line that says why",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      yield* Effect.forEach(
        files,
        ({ name, said, status, text }) =>
          Effect.gen(function* () {
            if (text !== undefined) place.write(name, text)
            assert.match(yield* Spindle.fails(place, ["run", name], status), said)
          }),
        { concurrency: 2 }
      )
      assert.deepStrictEqual(
        place.files(),
        files
          .filter(({ text }) => text !== undefined)
          .map(({ name }) => name)
          .sort()
      )
    })
  )

  live(
    "that cannot start is refused with the path of the service and its reason, and leaves nothing",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("broken", "")
      const ended = yield* Spindle.run(place, ["run", Spindle.fixture("visits")])
      assert.deepInclude(ended, { code: 69, signal: undefined })
      assert.match(ended.stderr, /^spindle: temper: cannot start[^\n]*not in the mood[^\n]*\n$/)
      assert.deepStrictEqual(place.files(), ["broken"])
      assert.deepStrictEqual(Spindle.processesOf(place), [])
    })
  )
})

/** A system's log that keeps what it is sent. */
const systemLog = Effect.acquireRelease(
  Effect.callback<{ readonly messages: Array<string>; readonly port: number; readonly socket: dgram.Socket }>(
    (resume) => {
      const socket = dgram.createSocket("udp4")
      const messages: Array<string> = []
      socket.on("message", (bytes) => messages.push(bytes.toString()))
      socket.bind(0, "127.0.0.1", () =>
        resume(Effect.succeed({ messages, port: socket.address().port, socket }))
      )
    }
  ),
  ({ socket }) => Effect.sync(() => socket.close())
)

describe("its options", () => {
  live(
    "say where it runs, logs, and what new files are like",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      fs.mkdirSync(place.file("run"))
      const options = ["-d", "run", "--umask", "027", "--logfile", "app.log", "--log-format", "json"]
      const child = yield* Spindle.start(place, ["run", Spindle.fixture("visits"), ...options])
      const log = () => (place.has("run/app.log") ? place.read("run/app.log") : "")
      yield* Spindle.until("the log says it is ready", () => log().includes("visits is ready"))
      assert.deepStrictEqual(place.files(), ["run"])
      assert.deepStrictEqual(fs.readdirSync(place.file("run")).sort(), [
        "app.log",
        "visits.pid",
        "visits.pid.sock"
      ])
      assert.strictEqual(fs.readlinkSync(`/proc/${child.pid}/cwd`), fs.realpathSync(place.file("run")))
      assert.strictEqual(told(child.pid, "Umask"), "0027")
      assert.strictEqual(fs.statSync(place.file("run/app.log")).mode & 0o027, 0)

      // As logrotate does it: what was open goes on until it is told.
      fs.renameSync(place.file("run/app.log"), place.file("run/app.log.1"))
      yield* child.signal("SIGHUP")
      yield* Spindle.until("the old log says so", () => place.read("run/app.log.1").includes('"reloaded"'))
      assert.isFalse(place.has("run/app.log"))
      yield* child.signal("SIGUSR1")
      yield* Spindle.until("a new log", () => place.has("run/app.log"))
      yield* child.signal("SIGTERM")
      yield* child.ended
      const [before, after] = [place.read("run/app.log.1"), log()]
      assert.include(
        records(before).map(({ message }) => message),
        "visits is ready"
      )
      assert.include(
        records(after).map(({ message }) => message),
        "stopping: SIGTERM"
      )
      assert.deepInclude(yield* child.ended, { stdout: "", stderr: "" })
    })
  )

  live(
    "say what is logged of which namespace, as text or JSON",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const levels = ["--log-level", "warn", "--log-level", "web.door=info", "--pidfile", ""]
      const [json, text] = yield* Effect.forEach(
        ["json", "text"],
        (format) =>
          Effect.gen(function* () {
            const child = yield* Spindle.start(place, [
              "run",
              Spindle.fixture("visits"),
              "--log-format",
              format,
              ...levels
            ])
            yield* child.says(/door listening/)
            yield* child.signal("SIGTERM")
            return (yield* child.ended).stdout
          }),
        { concurrency: 2 }
      )
      assert.deepStrictEqual(
        records(json!).map(({ level, namespace }) => [level, namespace]),
        [["info", "web.door"]]
      )
      assert.strictEqual(lines(text!).length, 1)
      assert.match(text!, /^\S+ \[web\.door#info\] web\/door listening /)
      assert.throws(() => JSON.parse(text!))
      assert.deepStrictEqual(place.files(), [])
    })
  )

  live(
    "configure it: flags, environment, files of variables, a file, in this order",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("c.json", JSON.stringify({ greeting: "file", count: 2, token: "of the file" }))
      place.write("local.env", "COUNT=3\nTOKEN=sesame\n")
      const sources = ["--config", "c.json", "--env-file", "local.env"]
      const env = { GREETING: "environment" }
      const file = Spindle.fixture("visits")
      const [table, json, daemon] = yield* Effect.all(
        [
          Spindle.says(place, ["config", file, ...sources, "-s", "greeting=flag"], { env }),
          Spindle.says(place, ["config", file, "--json", ...sources], { env }),
          Spindle.serve(place, sources, { env })
        ],
        { concurrency: 2 }
      )
      assert.match(table, /^greeting +flag +flag --set greeting$/m)
      assert.match(table, /^count +3 +local\.env:1 \(COUNT\)$/m)
      assert.match(table, /^token +<redacted> /m)
      assert.match(table, /^listen .*default$/m)
      assert.notMatch(table + json, /sesame|of the file/)
      assert.match(json, /"environment"/)
      JSON.parse(json)
      assert.strictEqual((yield* visit(daemon.port)).greeting, "environment")
    })
  )

  live(
    "come from the environment, too, and from a file of variables; the line stands above both",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("local.env", "SPINDLE_PIDFILE=file.pid\nSPINDLE_LOGFILE=file.log\nGREETING=of the file\n")
      place.write("c.yaml", "count: 7\n")
      place.write("c.toml", "count = 8\n")
      const env = {
        SPINDLE_ENV_FILE: "local.env",
        SPINDLE_LOGFILE: "environment.log",
        SPINDLE_CONFIG: "c.yaml",
        SPINDLE_LOG_FORMAT: "text",
        SPINDLE_UMASK: "077"
      }
      const child = yield* Spindle.start(place, ["run", Spindle.fixture("visits"), "--umask", "027"], { env })
      const log = () => (place.has("environment.log") ? place.read("environment.log") : "")
      yield* Spindle.until("it is ready", () => log().includes("visits is ready"))
      assert.deepStrictEqual(place.files(), [
        "c.toml",
        "c.yaml",
        "environment.log",
        "file.pid",
        "file.pid.sock",
        "local.env"
      ])
      assert.strictEqual(told(child.pid, "Umask"), "0027")
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(log())!
      assert.strictEqual((yield* visit(Number(port))).greeting, "of the file")
      yield* child.signal("SIGTERM")
      yield* child.ended

      const [yaml, toml] = yield* Effect.all(
        [
          Spindle.says(place, ["config", Spindle.fixture("visits")], { env }),
          // Any line of run will do.
          Spindle.says(place, ["-n", "config", Spindle.fixture("visits"), "-cc.toml", "-l", "x", "-w2"], {
            env
          })
        ],
        { concurrency: 2 }
      )
      assert.match(yaml, /^count +7 +c\.yaml:1 /m)
      assert.match(yaml, /^greeting +of the file +local\.env:3 /m)
      assert.match(toml, /^count +8 +c\.toml:1 /m)
      assert.notInclude(place.files(), "x")
    })
  )

  live(
    "let a debugger in, and log to a system's log over the network",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const { messages, port } = yield* systemLog
      const options = ["--inspect", "0", "--syslog-to", `udp://127.0.0.1:${port}`, "--prefix", "desk"]
      const daemon = yield* Spindle.serve(place, options)
      const [, inspector] = yield* daemon.says(/ws:\/\/127\.0\.0\.1:(\d+)\//)
      const targets = yield* Effect.promise(() => fetch(`http://127.0.0.1:${inspector}/json`))
      assert.lengthOf((yield* Effect.promise(() => targets.json())) as ReadonlyArray<unknown>, 1)
      yield* Spindle.until("it is told", () => messages.some((text) => text.endsWith("visits is ready")))
      for (const text of messages) assert.match(text, new RegExp(`^<30>1 \\S+ - desk ${daemon.pid} `))
    })
  )

  live(
    "that are wrong are told all at once",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("c.toml", 'listen = "tpc:80"\n')
      const wrong = ["--config", "c.toml", "--set", "count=many", "--set", "greting=x"]
      for (const command of [["config"], ["run"]]) {
        const ended = yield* Spindle.run(place, [...command, Spindle.fixture("visits"), ...wrong])
        assert.deepInclude(ended, { code: 78, signal: undefined })
        const said = command[0] === "run" ? ended.stderr : ended.stdout + ended.stderr
        assert.match(said, /3 mistakes/)
        assert.match(said, /listen: unknown scheme "tpc" \(c\.toml:1[^]*did you mean "tcp"\?/)
        assert.match(said, /count.*not "many".*--set count/)
        assert.match(said, /greting.*did you mean.*greeting/)
      }
      assert.deepStrictEqual(place.files(), ["c.toml"])
    })
  )
})

describe("a signal", () => {
  for (const [signal, kind] of [
    ["SIGTERM", "cpu"],
    ["SIGINT", "heap"]
  ] as const) {
    live(
      `${signal} ends it by ${signal}, when it has cleaned up and written its ${kind} profile`,
      Effect.gen(function* () {
        const place = yield* Spindle.place
        const daemon = yield* Spindle.serve(place, ["--profile", kind])
        yield* daemon.signal(signal)
        const ended = yield* daemon.ended
        assert.deepInclude(ended, { code: undefined, signal, stderr: "" })
        assert.include(ended.stdout, `stopping: ${signal}`)
        const files = place.files()
        assert.strictEqual(files.length, 1)
        assert.match(files[0]!, new RegExp(`^spindle-.*\\.${kind}profile$`))
        const profile = JSON.parse(place.read(files[0]!)) as {
          readonly nodes?: unknown
          readonly head?: unknown
        }
        assert.isDefined(kind === "cpu" ? profile.nodes : profile.head)
      })
    )
  }

  live(
    "that comes a second time is not made to wait",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("stubborn", "")
      const daemon = yield* Spindle.serve(place)
      yield* daemon.signal("SIGINT")
      yield* daemon.says(/stopping: SIGINT/)
      assert.isTrue(Spindle.isAlive(daemon.pid))
      yield* daemon.signal("SIGTERM")
      const ended = yield* daemon.ended
      assert.deepInclude(ended, { code: undefined, signal: "SIGTERM" })
      assert.match(ended.stdout, /not waiting any longer/)
      assert.deepStrictEqual(place.files(), ["stubborn"])
    })
  )

  live(
    "ends it while it starts, too",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("slow", "")
      const child = yield* Spindle.start(place, ["run", Spindle.fixture("visits")])
      yield* child.says(/control listening/)
      yield* child.signal("SIGTERM")
      assert.deepInclude(yield* child.ended, { code: undefined, signal: "SIGTERM" })
      assert.deepStrictEqual(place.files(), ["slow"])
    })
  )

  live(
    "USR2 has it log how it is doing, HUP reload",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const daemon = yield* Spindle.serve(place)
      const guest = yield* visitor(daemon.port)
      yield* guest.ask
      yield* daemon.signal("SIGUSR2")
      const [line] = yield* daemon.says(/^.*"message":"visits: running.*$/m)
      const { annotations, message } = JSON.parse(line) as {
        readonly message: string
        readonly annotations: { readonly state: State }
      }
      assert.match(message, new RegExp(`^visits: running, process ${daemon.pid}, up \\d+s`))
      assert.match(message, /^ {4}door +running .*open 1/m)
      assert.match(message, /^connections: web\/door 1$/m)
      assert.match(message, /^fibers: \d+ active, \d+ started$/m)
      assert.match(message, /^memory: [\d.]+ MiB/m)
      assert.match(message, /^handles: .*TCPServerWrap 1/m)
      const { connections, process: facts, services, state } = annotations.state
      assert.deepStrictEqual([state, connections], ["Running", { "web/door": 1 }])
      assert.isAtLeast(facts.fibers.active, 1)
      assert.strictEqual(facts.pid, daemon.pid)
      assert.deepStrictEqual(
        services.map(({ path, ready }) => [path, ready]),
        [
          ["temper", true],
          ["web", true],
          ["web/door", true]
        ]
      )
      // For people it is text alone.
      const told = yield* Spindle.says(place, ["logs", "-n", "1"])
      assert.match(told, /#info\] visits: running[^{]*\tconnections: web\/door 1\n[^{]*$/)
      yield* daemon.signal("SIGHUP")
      yield* daemon.says(/"reloaded"/)
    })
  )
})
