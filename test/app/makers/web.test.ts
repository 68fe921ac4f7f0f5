/** `spindle web`. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { maker } from "../../../src/app/makers/web.ts"
import * as StaticStore from "../../../src/http/StaticStore.ts"
import * as NodeFileStore from "../../../src/node/NodeFileStore.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import { Reactor } from "../../../src/reactor/Reactor.ts"
import { get, received, until } from "../../http/httpKit.ts"
import { directory, parse, write } from "../../http/staticKit.ts"
import { world } from "../../memory/pair.ts"
import { observed } from "../../protocol/serving.ts"
import { run } from "../running.ts"
import { service } from "./making.ts"

const serving = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const { reactor } = yield* world()
  const running = yield* Effect.provideService(run(yield* service(maker, args)), Reactor, reactor)
  const ask = (port: number, target: string, headers = "") =>
    Effect.scoped(
      Effect.gen(function* () {
        const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
        yield* client.send(get(target, `Connection: close\r\n${headers}`))
        return parse(yield* received(client))
      })
    )
  return { ask, running }
})

const www = Effect.gen(function* () {
  const root = yield* directory
  write(root, "index.htm", "home")
  write(root, "about.html", "about")
  write(root, "data", "data")
  write(root, "sub/.hidden", "hidden")
  return root
})

describe("web", () => {
  it.live("serves a directory on loopback, and tells where", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const root = yield* www
        const { ask } = yield* serving(["--path", root])
        assert.strictEqual((yield* ask(8080, "/")).body, "home")
        assert.strictEqual((yield* ask(8080, "/sub/")).status, 404)
        assert.strictEqual((yield* ask(8080, "/sub/.hidden")).status, 404)
        assert.isTrue(logs.some(({ text }) => text.includes(`${root} is at http://127.0.0.1:8080/`)))
      })
    )
  )

  it.live("its options, with Twisted's names", () =>
    Effect.gen(function* () {
      const root = yield* www
      const log = path.join(root, "access.log")
      const { ask, running } = yield* serving([
        "--path",
        root,
        "--port",
        "81",
        "--listen",
        "tcp:82:interface=127.0.0.1",
        "--index",
        "about.html",
        "--ignore-ext",
        "html",
        "--mime-type",
        "text/plain",
        "--listing",
        "--add-header",
        "X-One: 1",
        "--add-header",
        "x-two:2",
        "--dotfiles",
        "--compress",
        "--access-log",
        log,
        "--cache-control",
        "no-cache",
        "--access-log-format",
        "common"
      ])
      assert.strictEqual((yield* ask(82, "/")).body, "about")
      const { body, headers } = yield* ask(81, "/about")
      assert.deepStrictEqual(
        [body, headers["x-one"], headers["x-two"], headers["cache-control"]],
        ["about", "1", "2", "no-cache"]
      )
      assert.strictEqual((yield* ask(81, "/data")).headers["content-type"], "text/plain; charset=utf-8")
      assert.include((yield* ask(81, "/sub/")).body, ".hidden")
      write(root, "long.txt", "long ".repeat(1000))
      const long = yield* ask(81, "/long.txt", "Accept-Encoding: gzip\r\n")
      assert.strictEqual(long.headers["content-encoding"], "gzip")
      yield* running.stop
      assert.match(fs.readFileSync(log, "utf8"), /"GET \/about HTTP\/1\.1" 200 5\n/)
    })
  )

  it.live("asks who it is, and knows nobody else", () =>
    Effect.gen(function* () {
      const root = yield* www
      const users = path.join(root, ".users")
      fs.writeFileSync(users, "alice:secret\nbob:builder\n")
      const log = path.join(root, ".log")
      const { ask, running } = yield* serving([
        `--path=${root}`,
        `--auth=file:${users}`,
        "--auth=memory:eve=apple",
        `--access-log=${log}`,
        "--access-log-format=common"
      ])
      const as = (user: string) => `Authorization: Basic ${Buffer.from(user).toString("base64")}\r\n`
      const asked = yield* ask(8080, "/nowhere")
      assert.deepStrictEqual(
        [asked.status, asked.headers["www-authenticate"]],
        [401, 'Basic realm="spindle web", charset="UTF-8"']
      )
      assert.strictEqual((yield* ask(8080, "/", as("alice:secret"))).body, "home")
      assert.strictEqual((yield* ask(8080, "/", as("eve:apple"))).body, "home")
      assert.strictEqual((yield* ask(8080, "/", as("bob:secret"))).status, 401)
      fs.writeFileSync(users, "alice:another secret\n")
      assert.strictEqual((yield* ask(8080, "/", as("alice:secret"))).status, 401)
      assert.strictEqual((yield* ask(8080, "/", as("alice:another secret"))).body, "home")
      // Who guesses is not even asked any more.
      for (let i = 0; i < 5; i++) yield* ask(8080, "/", as(`mallory:${i}`))
      assert.strictEqual((yield* ask(8080, "/", as("mallory:x"))).status, 429)
      yield* running.stop
      assert.match(fs.readFileSync(log, "utf8"), /^127\.0\.0\.1 - alice .* 200 4$/m)
    })
  )

  it.live("bears so many connections, of all and of each peer", () =>
    Effect.gen(function* () {
      const root = yield* www
      for (const [flag, refused] of [
        ["--connections-max=1", true],
        ["--connections-per-peer-max=1", true],
        ["--connections-per-peer-max=2", false]
      ] as const) {
        const { reactor } = yield* world()
        yield* Effect.provideService(run(yield* service(maker, [`--path=${root}`, flag])), Reactor, reactor)
        const client = Endpoint.tcpClient({ host: "127.0.0.1", port: 8080 })
        const asking = Effect.gen(function* () {
          const transport = yield* reactor.connect(client)
          yield* transport.send(get("/", ""))
          return yield* Effect.orElseSucceed(until(transport, /home$/), () => "refused")
        })
        yield* asking
        assert.deepStrictEqual([flag, (yield* asking) === "refused"], [flag, refused])
      }
    })
  )

  it.live("tells what went wrong where that is wanted, and nothing of it elsewhere", () =>
    observed(() =>
      Effect.gen(function* () {
        const root = yield* www
        for (const [args, told] of [
          [[], false],
          [["--display-tracebacks"], true]
        ] as const) {
          const { ask } = yield* Effect.provideService(
            serving(["--path", root, ...args]),
            StaticStore.StaticStore,
            { ...NodeFileStore.make, open: () => Effect.die(new Error("the disk <b>is</b> gone")) }
          )
          const { body, status } = yield* ask(8080, "/data", "Accept: text/html\r\n")
          assert.strictEqual(status, 500)
          assert.strictEqual(body.includes("the disk &lt;b&gt;is&lt;/b&gt; gone"), told)
        }
      })
    )
  )

  it.effect("what it cannot do is told in one line", () =>
    Effect.gen(function* () {
      const root = yield* directory
      for (const [args, said] of [
        [["--path", `${root}/absent`], /^--path: .*absent: there is no such file or directory/],
        [["--path", root, "--add-header", "no field"], /^--add-header "no field" is no field/],
        [["--path", root, "--add-header", "a: b\r\nc: d"], /is no field/],
        [["--path", root, "--add-header", "Content-Length: 1"], /is not to be set/],
        [["--path", root, "--port", "70000"], /^--port: 70000 is no port$/],
        [["--path", root, "--tls", "a.pem", "--listen", "tcp:1"], /not to be used together/],
        [["--path", root, "--tls", `${root}/absent.pem`], /absent\.pem/],
        [["--path", root, "--auth", "fil:a"], /^--auth "fil": .*did you mean "file"\?/],
        [["--path", root, "--auth", `file:${root}/absent`], /^--auth "file": .*absent: it cannot be read/],
        [["--path", root, "--auth", "anonymous"], /^--auth "anonymous": it takes no passwords/],
        [["--path", root, "--auth", "memory:a=b", "--port", "1"], /passwords would go in plaintext/],
        [["--path", root, "--display-tracebacks", "--port", "1"], /tracebacks tell names and values/]
      ] as const) {
        assert.match((yield* Effect.flip(service(maker, args))).message, said)
      }
    })
  )
})
