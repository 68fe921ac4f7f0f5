/** The command line: its mistakes, Twisted's spellings, and what is only printed. */
import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Child from "../../support/child.ts"
import { describePeer, which } from "../../support/peers.ts"
import * as Spindle from "./spindle.ts"
import { exchange } from "./visitors.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), Spindle.testTimeout)

const visits = Spindle.fixture("visits")

describe("a mistake", () => {
  const mistakes: ReadonlyArray<
    readonly [line: string, said: RegExp, env?: Readonly<Record<string, string>>]
  > = [
    ["stpo", /^there is no command "stpo" \(did you mean stop\?/],
    ["run", /^missing required argument: file \(see spindle run --help\)$/],
    ["run app.ts --deamon", /^there is no flag --deamon \(did you mean --daemon\? see spindle run --help\)$/],
    ["--daemon", /^there is no command: what is to be run\?$/],
    ["-l", /^--logfile needs a value: FILE$/],
    ["-l app.log status", /^--logfile is of no use to "status"$/],
    ["-r epoll run app.ts", /^-r is refused: there is one reactor/],
    ["run app.ts --chroot /srv", /^--chroot is refused: .*RootDirectory=\/srv/],
    ["run app.ts -D -n", /^--daemon and --nodaemon exclude one another$/],
    ["run app.ts --workers 2 --threads 2", /^--workers and --threads exclude one another$/],
    ["run app.ts --umask 99", /^--umask is "99", not an octal number/],
    ["run app.ts", /^SPINDLE_LOG_FORMAT is "yaml", not text or json$/, { SPINDLE_LOG_FORMAT: "yaml" }],
    ["echo --listen tpc:7", /^--listen "tpc:7": unknown scheme "tpc" \(did you mean "tcp"\?\)/],
    ["stop --timeout soon", /^invalid value for flag --timeout: "soon"/],
    ["completions tcsh", /^invalid value for argument <shell>: "tcsh"/],
    ["systemd-unit run app.ts --daemon", /^--daemon is of no use to systemd/],
    ["systemd-unit run app.ts --lgofile x", /^run has no flag --lgofile/]
  ]

  live(
    "is one line that says what was meant, and exit code 64",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      yield* Effect.forEach(
        mistakes,
        ([line, said, env]) =>
          Effect.map(Spindle.fails(place, line.split(" "), 64, { env }), (text) => assert.match(text, said)),
        { concurrency: 2 }
      )
      assert.deepStrictEqual(place.files(), [])
    })
  )

  live(
    "in the levels of the log is found before anything is begun",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const said = yield* Spindle.fails(place, ["run", visits, "--log-level", "web.door=lod"], 64)
      assert.match(said, /^--log-level: .*lod/)
    })
  )
})

describe("Twisted's spellings", () => {
  live(
    "are understood, before the application and behind it",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      fs.mkdirSync(place.file("run"))
      const child = yield* Spindle.start(
        place,
        ["-n", "-o", "-drun", "-l", "twistd.log", "--umask=022", "-y", visits, "--pidfile", "twistd.pid"],
        { env: { SPINDLE_LOG_FORMAT: "text", SPINDLE_LOG_LEVEL: "debug" } }
      )
      const log = () => (place.has("run/twistd.log") ? place.read("run/twistd.log") : "")
      yield* Spindle.until("it is ready", () => log().includes("visits is ready"))
      assert.deepStrictEqual(fs.readdirSync(place.file("run")).sort(), [
        "twistd.log",
        "twistd.pid",
        "twistd.pid.sock"
      ])
      assert.match(log(), /^\d{4}-\d\d-\d\dT\S+ \[web\.door#info\] web\/door listening/m)
      yield* child.signal("SIGTERM")
      assert.deepInclude(yield* child.ended, { signal: "SIGTERM", stdout: "", stderr: "" })
    })
  )
})

describe("what is only printed", () => {
  live(
    "is help, versions, and what endpoints take",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const [none, help, version, echo, endpoints] = yield* Effect.forEach(
        [[], ["-h"], ["-V"], ["echo", "-h"], ["endpoints", "client"]],
        (args) => Spindle.says(place, args),
        { concurrency: 2 }
      )
      assert.strictEqual(none, help)
      for (const word of ["run", "status", "systemd-unit", "portforward", "inetd"]) {
        assert.match(help!, new RegExp(`^  ${word} `, "m"))
      }
      assert.match(version!, /^spindle \d+\.\d+\.\d+\n$/)
      assert.match(echo!, /^ {2}--listen, -l ENDPOINT /m)
      // Its own -l: the daemon's has no short one here.
      assert.match(echo!, /^ {2}--logfile FILE +[^(]*$/m)
      assert.match(echo!, /^ {2}--rundir DIRECTORY .*\(-d\)$/m)
      assert.match(endpoints!, /^CLIENTS[^]*tcp:[^]*tls:[^]*unix:/)
      assert.notMatch(endpoints!, /^SERVERS/m)
    })
  )

  live(
    "is the list of plugins, of which none is loaded unless they are to be checked",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const plugin = (name: string) => ({
        name,
        kind: "service",
        module: `./${name}.js`,
        description: `is ${name}`
      })
      const plugins = [plugin("broken"), plugin("echo")]
      place.write("package.json", JSON.stringify({ name: "shop", version: "2.0.0", spindle: { plugins } }))
      place.write("broken.js", `process.stdout.write("loaded\\n")\nthrow new Error("out of order")`)
      place.write("echo.js", `process.stdout.write("loaded\\n")\nexport default 1`)
      const [list, json, check, used] = yield* Effect.all(
        [
          Spindle.run(place, ["plugins"]),
          Spindle.says(place, ["plugins", "service", "--json"]),
          Spindle.run(place, ["plugins", "--check"]),
          Spindle.run(place, ["broken"])
        ],
        { concurrency: 2 }
      )
      assert.deepInclude(list, { code: 0, signal: undefined })
      assert.match(list.stderr, /^spindle: .*"echo" of "spindle": it is not used, as "shop" [^\n]*\n$/)
      assert.match(list.stdout, /^service +broken +shop 2\.0\.0 +is broken$/m)
      assert.match(list.stdout, /^service +echo +shop 2\.0\.0 +is echo$/m)
      assert.match(list.stdout, /^service +echo +built in +\(shadowed by shop\) /m)
      assert.notInclude(list.stdout + json, "loaded")
      const listed = JSON.parse(json) as { readonly plugins: ReadonlyArray<{ readonly name: string }> }
      assert.deepStrictEqual(listed.plugins.filter(({ name }) => name === "echo").length, 2)
      assert.deepInclude(check, { code: 70, signal: undefined })
      assert.match(check.stderr, /^spindle: .*"broken" of "shop" .*out of order/m)
      assert.match(check.stderr, /^spindle: \d of \d+ plugins cannot be used$/m)
      assert.deepInclude(used, { signal: undefined })
      assert.match(used.stderr, /^spindle: .*"broken" of "shop" .*out of order[^\n]*\n$/)
    })
  )

  describePeer({ name: "bash", debian: "bash", path: which("bash") }, (bash) => {
    live(
      "is what a shell needs to complete the command",
      Effect.gen(function* () {
        const place = yield* Spindle.place
        place.write("completions", yield* Spindle.says(place, ["completions", "bash"]))
        assert.deepInclude(yield* Child.run(bash, ["-n", place.file("completions")]), { code: 0, stderr: "" })
        const complete = (...words: ReadonlyArray<string>) =>
          Effect.map(
            Child.run(bash, [
              "-c",
              `source "$0"
               COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=\${#COMP_LINE}
               function=$(complete -p spindle) function=\${function##*-F }
               \${function%% *} spindle "\${!#}" "$(($# - 2))"
               printf '%s\\n' "\${COMPREPLY[@]}"`,
              place.file("completions"),
              ...words
            ]),
            ({ stdout }) => stdout.trim().split(/\s+/).sort()
          )
        assert.deepStrictEqual(yield* complete("spindle", "st"), ["status", "stop"])
        assert.deepStrictEqual(yield* complete("spindle", "run", "--log-"), ["--log-format", "--log-level"])
      })
    )
  })

  for (const shell of ["zsh", "fish"]) {
    describePeer({ name: shell, debian: shell, path: which(shell) }, (program) => {
      live(
        "is what it needs, too",
        Effect.gen(function* () {
          const place = yield* Spindle.place
          place.write("completions", yield* Spindle.says(place, ["completions", shell]))
          assert.deepInclude(yield* Child.run(program, ["-n", place.file("completions")]), { code: 0 })
        })
      )
    })
  }
})

describe("a plugin's command", () => {
  live(
    "is an application of its own, with the daemon's options beside its own",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      // Its own -l, and the daemon's before it.
      const line = ["-l", "-", "echo", "-l", "tcp:0:interface=127.0.0.1", "--log-format=text"]
      const child = yield* Spindle.start(place, line)
      yield* child.says(/echo is ready/)
      const [, port] = yield* child.says(/listening address=127\.0\.0\.1:(\d+)/)
      assert.strictEqual(yield* exchange(Number(port), "once more\n"), "once more\n")
      assert.match(yield* Spindle.says(place, ["status"]), /^echo: running/)
      assert.strictEqual(yield* Spindle.says(place, ["stop", "echo"]), `process ${child.pid} has stopped\n`)
    })
  )
})
