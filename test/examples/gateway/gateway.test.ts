/** The gateway as it is started by `npm start`, and `npm run feed`, from outside: real clients, real signals. */
import * as http from "node:http"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Child from "../../support/child.ts"
import { describePeer, netcat, openssl, socat } from "../../support/peers.ts"
import { argumentsOf, connect, examples, reads } from "../start.ts"
import { temporaryDirectory } from "./fixtures/temporaryDirectory.ts"

const host = "127.0.0.1"
const anyPort = {
  GATEWAY_TCP: `tcp:0:interface=${host}`,
  GATEWAY_TLS: `tls:0:interface=${host}`,
  GATEWAY_UDP: `udp:0:interface=${host}`,
  GATEWAY_HTTP: `tcp:0:interface=${host}`,
  // Several run in one directory.
  SPINDLE_PIDFILE: ""
}

const spindle = path.join(examples, "../src/bin.ts")

/** As `npm start` has it. */
const gateway =
  `--conditions=source ${spindle} run --logfile + --log-level warn ${path.join(examples, "gateway/main.ts")}`.split(
    " "
  )

/** What Ctrl-C does: it ends by that signal, in time, and without a complaint. */
const stops = (child: Child.Child, within: number) =>
  Effect.gen(function* () {
    const begin = performance.now()
    yield* child.signal("SIGINT")
    const { signal, stderr } = yield* child.ended
    assert.deepStrictEqual({ signal, stderr }, { signal: "SIGINT", stderr: "" })
    assert.isBelow(performance.now() - begin, within)
  })

/** Starts it, and reads its doors from what it prints. */
const start = Effect.fnUntraced(function* (directory: string) {
  const child = yield* Child.spawn(process.execPath, gateway, {
    env: { ...anyPort, DATA_DIR: directory }
  })
  yield* child.says(/Ctrl-C stops/)
  const line = (door: string): string => new RegExp(`^ *${door} +(.*)$`, "m").exec(child.stdout())?.[1] ?? ""
  const find = (door: string, pattern: RegExp): string => pattern.exec(line(door))?.[1] ?? ""
  return {
    child,
    line,
    tcp: find("TCP", /127\.0\.0\.1 (\d+)$/),
    tls: find("TLS", /127\.0\.0\.1:(\d+)$/),
    authority: find("TLS", /-CAfile (\S+)/),
    http: find("HTTP", /127\.0\.0\.1:(\d+)\//)
  }
})

const started = Effect.flatMap(temporaryDirectory, start)

/** The status and the JSON, over a connection of its own. */
const get = (port: string, path: string) =>
  Effect.callback<readonly [number | undefined, unknown]>((resume) => {
    http.get({ host, port, path, agent: false }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece
      })
      response.on("end", () => resume(Effect.succeed([response.statusCode, JSON.parse(text) as unknown])))
    })
  })

describe("gateway", () => {
  it.live(
    "tells whoever listens what it has committed: by server-sent events, by WebSocket; who was away catches up",
    () =>
      Effect.gen(function* () {
        const { http, tcp } = yield* started
        const url = `http://${host}:${http}/live`
        const told = (value: number) =>
          `[{"station":"roof","metric":"rain","time":"2026-01-01T00:00:00.000Z","value":${value}}]`
        /** Until so much of the events has come. */
        const events = (enough: RegExp, headers: Record<string, string> = {}, onFirst = () => {}) =>
          Effect.promise(async (signal) => {
            const response = await fetch(url, { headers, signal })
            const decoder = new TextDecoder()
            let text = ""
            for await (const bytes of response.body!) {
              text += decoder.decode(bytes as Uint8Array, { stream: true })
              onFirst()
              if (enough.test(text)) return text
            }
            return text
          })
        const socket = yield* Effect.acquireRelease(
          Effect.callback<WebSocket>((resume) => {
            const opened = new WebSocket(`${url.replace("http", "ws")}/socket`)
            opened.addEventListener("open", () => resume(Effect.succeed(opened)))
          }),
          (opened) => Effect.sync(() => opened.close())
        )
        const messages: Array<unknown> = []
        const heard = yield* Effect.forkChild(
          Effect.callback<void>((resume) => {
            socket.addEventListener("message", ({ data }) => {
              if (messages.push(data) === 2) resume(Effect.void)
            })
          }),
          { startImmediately: true }
        )
        const begun = yield* Deferred.make<void>()
        const begin = () => void Deferred.doneUnsafe(begun, Effect.void)
        const listening = yield* Effect.forkChild(events(/value":1}/, {}, begin), { startImmediately: true })
        // It says something at once.
        yield* Deferred.await(begun)
        const feeder = yield* connect(tcp)
        const commit = Effect.fnUntraced(function* (value: number) {
          feeder.write(`roof rain ${value} 2026-01-01T00:00:00Z\n`)
          yield* reads(feeder, /^ok\r?\n/)
        })
        yield* commit(1)
        const first = yield* Fiber.join(listening)
        assert.include(first, `data: ${told(1)}\n`)
        const [, id = ""] = /^id: ?(.*)$/m.exec(first) ?? []
        yield* commit(2)
        // It has missed the second one, and that only.
        const second = yield* events(/value":2}/, { "last-event-id": id })
        assert.include(second, `data: ${told(2)}\n`)
        assert.notInclude(second, told(1))
        yield* Fiber.join(heard)
        assert.deepStrictEqual(messages, [told(1), told(2)])
      })
  )

  describePeer(netcat, (nc) => {
    it.live("answers each line in order, and counts", () =>
      Effect.gen(function* () {
        const { http, tcp } = yield* started
        const input = [
          "roof temperature 21.5 2026-01-01T00:00:00Z",
          "roof temperature warm",
          "roof temperature 22 2026-01-01T00:01:00Z",
          "",
          "roof wind 3 2026-01-01T00:00:00Z more",
          "roof wind 3 2026-01-01T00:00:00Z"
        ]
        const { stdout } = yield* Child.run(nc, ["-N", host, tcp], { input: `${input.join("\r\n")}\n` })
        assert.deepStrictEqual(stdout.split("\r\n"), [
          "ok",
          'error value is not a number: "warm"',
          "ok",
          "error station is missing",
          'error line has more than 4 fields, the fifth is "more"',
          "ok",
          ""
        ])
        assert.deepStrictEqual(yield* get(http, "/counters"), [
          200,
          { accepted: 3, rejected: 3, connections: 1 }
        ])
        assert.deepStrictEqual(yield* get(http, "/readings?station=roof&metric=temperature"), [
          200,
          [
            { time: "2026-01-01T00:00:00.000Z", value: 21.5 },
            { time: "2026-01-01T00:01:00.000Z", value: 22 }
          ]
        ])
      })
    )

    it.live("ends a connection at a line too long, or cut off, but answers what came before", () =>
      Effect.gen(function* () {
        const { child, http, tcp } = yield* started
        const ask = (input: string) =>
          Effect.map(Child.run(nc, ["-N", host, tcp], { input }), ({ stdout }) => stdout)
        const long = `roof wind ${"0".repeat(1_014)}`
        assert.strictEqual(yield* ask(`${long}\n`), "ok\r\n")
        assert.strictEqual(
          yield* ask(`roof wind 3\n${long}0\nroof wind 4\n`),
          "ok\r\nerror a frame of more than 1,024 bytes, the limit\r\n"
        )
        assert.strictEqual(
          yield* ask("roof wind 5\nroof wind 6"),
          "ok\r\nerror the input ended inside a frame, after 11 bytes of it\r\n"
        )
        assert.deepStrictEqual(yield* get(http, "/counters"), [
          200,
          { accepted: 3, rejected: 2, connections: 3 }
        ])
        yield* stops(child, 2_000)
      })
    )

    describePeer(openssl, (client) => {
      it.live("prints lines to copy and paste, and they work", () =>
        Effect.gen(function* () {
          const { child, http, line } = yield* started
          const shell = (door: string) => Child.run("bash", ["-c", line(door)], { timeout: 10_000 })
          const [tcp, tls, udp] = yield* Effect.all([shell("TCP"), shell("TLS"), shell("UDP")], {
            concurrency: 3
          })
          assert.deepStrictEqual([tcp.code, tcp.stdout], [0, "ok\r\n"])
          assert.deepStrictEqual([tls.code, tls.stdout], [0, "ok\r\n"])
          assert.deepStrictEqual([udp.code, udp.stdout], [0, ""])
          const latest = (metric: string) => get(http, `/latest?station=roof&metric=${metric}`)
          assert.propertyVal((yield* latest("temperature"))[1], "value", 21.5)
          assert.propertyVal((yield* latest("humidity"))[1], "value", 40)
          assert.propertyVal((yield* latest("wind"))[1], "value", 3.2)
          assert.match(
            line("HTTP"),
            /^curl 'http:\/\/127\.0\.0\.1:\d+\/latest\?station=roof&metric=temperature'$/
          )
          yield* stops(child, 2_000)
        })
      )

      it.live("stops on Ctrl-C, even if clients stay", () =>
        Effect.gen(function* () {
          const { authority, child, http, tcp, tls } = yield* started
          const overTcp = yield* Child.spawn(nc, [host, tcp])
          const options = `s_client -quiet -CAfile ${authority} -verify_return_error -connect ${host}:${tls}`
          const overTls = yield* Child.spawn(client, options.split(" "))
          yield* overTcp.write("roof wind 3\n")
          yield* overTls.write("roof wind 4\n")
          yield* overTcp.says(/^ok\r$/m)
          yield* overTls.says(/^ok\r$/m)
          const overHttp = yield* connect(http)
          overHttp.write("GET /counters HTTP/1.1\r\nHost: gateway\r\n\r\n")
          yield* Effect.callback<void>((resume) => {
            overHttp.once("data", () => resume(Effect.void))
          })
          yield* stops(child, 2_000)
        })
      )
    })
  })

  it.live("answers bad queries with what is wrong", () =>
    Effect.gen(function* () {
      const { http } = yield* started
      assert.deepStrictEqual(yield* get(http, "/latest?station=roof"), [400, { error: "metric is missing" }])
      assert.deepStrictEqual(yield* get(http, "/latest?station=roof&metric=wind"), [
        404,
        { error: "there is no reading of wind from roof" }
      ])
      assert.deepStrictEqual(yield* get(http, "/lates"), [
        404,
        { error: "there is no such path: try /latest, /readings, /aggregate, /counters" }
      ])
    })
  )

  it.live("loses nothing that it answered ok when it is killed", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* start(directory)
      const writer = yield* connect(before.tcp)
      const begin = Date.UTC(2026, 0, 1)
      let sent = 0
      const send = (count: number) => {
        let lines = ""
        for (const end = sent + count; sent < end; sent++) {
          lines += `roof count ${sent} ${new Date(begin + sent).toISOString()}\n`
        }
        writer.write(lines)
      }
      let replies = ""
      let answered = 0
      writer.on("data", (bytes: Buffer) => {
        replies += bytes.toString()
        const count = replies.length / "ok\r\n".length
        send(Math.max(0, Math.floor(count) - answered))
        answered = Math.floor(count)
        // In the midst: as many are always on their way.
        if (answered > 10_000) process.kill(before.child.pid, "SIGKILL")
      })
      send(500)
      yield* Effect.callback<void>((resume) => {
        writer.once("close", () => resume(Effect.void))
      })
      assert.strictEqual((yield* before.child.ended).signal, "SIGKILL")
      assert.isAbove(answered, 10_000)
      assert.isTrue(replies.replaceAll("ok\r\n", "") === "")
      assert.isAbove(sent, answered)

      const after = yield* start(directory)
      const [status, points] = yield* get(after.http, "/readings?station=roof&metric=count&limit=100000")
      assert.strictEqual(status, 200)
      const values = (points as ReadonlyArray<{ readonly value: number }>).map(({ value }) => value)
      assert.isAtLeast(values.length, answered)
      assert.isTrue(values.every((value, i) => value === i))
      yield* stops(after.child, 2_000)
    })
  )

  it.live("says what is wrong with an endpoint, and does not start", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const { http, tcp } = yield* start(directory)
      const run = (env: Readonly<Record<string, string>>) =>
        Child.run(process.execPath, gateway, {
          env: { ...anyPort, DATA_DIR: directory, ...env }
        })
      const [bad, badTls, taken, takenHttp] = yield* Effect.all(
        [
          run({ GATEWAY_TCP: "tpc:7300" }),
          run({ GATEWAY_TLS: "tls:7301:intreface=127.0.0.1" }),
          run({ GATEWAY_TCP: `tcp:${tcp}:interface=${host}` }),
          run({ GATEWAY_HTTP: `tcp:${http}:interface=${host}` })
        ],
        { concurrency: 2 }
      )
      assert.deepStrictEqual([bad.code, badTls.code, taken.code, takenHttp.code], [78, 78, 69, 69])
      assert.match(bad.stderr, /gateway\.tcp: .*tpc.*GATEWAY_TCP[^]*did you mean "?tcp/)
      assert.match(badTls.stderr, /gateway\.tls: .*intreface.*GATEWAY_TLS[^]*did you mean "?interface/)
      const inUse = /cannot listen on .*: somebody already listens there$/m
      assert.match(taken.stderr, /^spindle: tcp: cannot start/m)
      assert.match(taken.stderr, inUse)
      assert.match(takenHttp.stderr, /^spindle: http: cannot start/m)
      assert.match(takenHttp.stderr, inUse)
      for (const { stderr, stdout } of [bad, badTls, taken, takenHttp]) {
        assert.notMatch(stderr, /^ +at /m)
        assert.strictEqual(stdout, "")
      }
    })
  )
})

describe("gateway, by the command", () => {
  it.live(
    "shows its services, hands over to a successor, and stops",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const env = { ...anyPort, DATA_DIR: directory, SPINDLE_PIDFILE: path.join(directory, "gateway.pid") }
        const child = yield* Child.spawn(process.execPath, gateway, { env, cwd: directory, timeout: 60_000 })
        yield* child.says(/Ctrl-C stops/)
        const [, port = ""] = /HTTP .*127\.0\.0\.1:(\d+)\//.exec(child.stdout()) ?? []
        const command = (...args: ReadonlyArray<string>) =>
          Child.run(process.execPath, ["--conditions=source", spindle, ...args], {
            env,
            cwd: directory,
            timeout: 30_000
          })
        yield* get(port, "/counters")
        const status = yield* command("status")
        const services = [...status.stdout.matchAll(/^  (\w+) +running/gm)].map(([, name]) => name)
        assert.deepStrictEqual(services, ["live", "store", "counters", "tcp", "tls", "udp", "http"])
        assert.strictEqual((yield* command("reload")).code, 0)

        let asking = true
        let answers = 0
        const asked = yield* Effect.forkChild(
          Effect.gen(function* () {
            while (asking) {
              assert.strictEqual((yield* get(port, "/counters"))[0], 200)
              answers++
            }
          }),
          { startImmediately: true }
        )
        const restart = yield* command("restart")
        assert.deepStrictEqual([restart.code, restart.stderr], [0, ""])
        const before = answers
        while (answers < before + 10) yield* Effect.sleep("10 millis")
        asking = false
        yield* Fiber.join(asked)
        assert.match((yield* command("stop")).stdout, /has stopped/)
      }),
    90_000
  )
})

describe("feed", () => {
  it.live("sends a year of readings, and shows what the gateway answers about them", () =>
    Effect.gen(function* () {
      const gateway = yield* started
      const env = { FEED_TCP: `tcp:${host}:${gateway.tcp}`, FEED_HTTP: `http://${host}:${gateway.http}` }
      const { code, stdout } = yield* Child.run(process.execPath, argumentsOf("gateway/feed.ts"), { env })
      assert.strictEqual(code, 0)
      assert.match(stdout, /^26,277 readings to tcp:/)
      assert.match(stdout, /^acknowledged in \d+\.\d\d s: [1-9][\d,]* readings\/s, 0 refused$/m)
      assert.match(stdout, /^\{"accepted":26277,"rejected":0,"connections":1\}$/m)
      assert.match(stdout, /"metric":"temperature","time":"2010-12-31T23:00:00.000Z","value":4.3\}$/m)
      assert.match(stdout, /^\[\{"time":"2010-01-01T00:00:00.000Z","value":4\.7\d+\},/m)
    })
  )

  describePeer(socat, (path) => {
    it.live("draws a progress bar on a terminal", () =>
      Effect.gen(function* () {
        const gateway = yield* started
        const env = { FEED_TCP: `tcp:${host}:${gateway.tcp}`, FEED_HTTP: `http://${host}:${gateway.http}` }
        const command = [process.execPath, ...argumentsOf("gateway/feed.ts")].join(" ")
        const { stdout } = yield* Child.run(path, ["-u", `EXEC:"${command}",pty,stderr`, "-"], { env })
        assert.match(stdout, /\r\[#+\.+\] +\d+ % {2}[\d,]+ readings\/s /)
        assert.match(stdout, /\r\[#{40}\] 100 % {2}[\d,]+ readings\/s \r?\n/)
      })
    )
  })

  it.live("says so when there is no gateway, or one that goes away", () =>
    Effect.gen(function* () {
      const broken = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const server = net.createServer((socket) =>
            socket
              .end("ok\r\n")
              .resume()
              .on("error", () => {})
          )
          server.listen(0, host, () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = broken.address() as net.AddressInfo
      const nobody = yield* started
      yield* stops(nobody.child, 2_000)
      const run = (port: string) =>
        Child.run(process.execPath, argumentsOf("gateway/feed.ts"), {
          env: { FEED_TCP: `tcp:${host}:${port}` }
        })
      const [absent, gone] = yield* Effect.all([run(nobody.tcp), run(String(port))], { concurrency: 2 })
      assert.deepStrictEqual([absent.code, gone.code], [1, 1])
      assert.match(absent.stderr, /^The feed stopped: .*127\.0\.0\.1/)
      assert.match(gone.stderr, /^The feed stopped: /)
      for (const { stderr } of [absent, gone]) assert.notMatch(stderr, /^ +at /m)
    })
  )
})
