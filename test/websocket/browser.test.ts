/** A page in a real browser: WebSockets of its own site and of another one, and server-sent events. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as ServerSentEvents from "../../src/http/ServerSentEvents.ts"
import * as WebSocketServer from "../../src/websocket/WebSocketServer.ts"
import * as Child from "../support/child.ts"
import { inetOf } from "../support/endpoints.ts"
import { describePeer, which } from "../support/peers.ts"
import { echo, servingRoutes } from "./webSocketKit.ts"

const page = `<!doctype html><script>
const lines = []
const finish = () => fetch("/report", { method: "POST", body: lines.join("\\n") })
const scheme = location.protocol.replace("http", "ws") + "//"
const own = new WebSocket(scheme + location.host + "/echo", ["a", "b"])
own.binaryType = "arraybuffer"
const sent = ["hello", "gr\\u00fc\\u00dfe", "x".repeat(200000), new Uint8Array(300)]
let came = 0
own.onopen = () => {
  lines.push("open " + own.protocol + " " + own.extensions.split(";")[0])
  for (const message of sent) own.send(message)
}
own.onmessage = ({ data }) => {
  const message = sent[came++]
  lines.push(typeof data === "string" ? data === message : data.byteLength === message.length)
  if (came === sent.length) own.close(4001, "done")
}
own.onclose = ({ code, wasClean }) => {
  lines.push("close " + code + " " + wasClean)
  const other = new WebSocket(scheme + "localhost:" + location.port + "/echo")
  other.onopen = () => lines.push("another site may")
  other.onclose = ({ code }) => {
    lines.push("another site " + code)
    listen()
  }
}
const listen = () => {
  const events = new EventSource("/events")
  let seen = 0
  events.addEventListener("news", ({ data, lastEventId }) => {
    lines.push("news " + data + " " + lastEventId)
    if (++seen < 3) return
    events.close()
    finish()
  })
}
</script>`

const chromium = { name: "chromium", debian: "chromium", path: which("chromium") }

describePeer(chromium, (browser) => {
  // Of a site that it speaks HTTP/2 with, it asks for WebSockets there, too (RFC 8441).
  for (const [version, kind] of [
    ["HTTP/1.1", "tcp"],
    ["HTTP/2", "tls"]
  ] as const) {
    it.live(
      `speaks with ours, and is sent what it missed: ${version}`,
      () =>
        Effect.gen(function* () {
          const report = yield* Deferred.make<string>()
          const asked: Array<string> = []
          const keys: Array<boolean> = []
          const echoing = WebSocketServer.handler(echo, { protocols: ["b"], compression: true })
          // Each answer ends behind its events: the browser comes back for the rest.
          const answer = (from: number) =>
            Effect.scoped(
              Effect.gen(function* () {
                const source = yield* ServerSentEvents.make({ retry: 10 })
                for (let i = from; i < from + 2; i++) {
                  yield* source.publish({ event: "news", data: `n${i}`, id: String(i) })
                }
                return source.listen("none")
              })
            )
          const routes = Layer.mergeAll(
            HttpRouter.add("GET", "/", HttpServerResponse.html(page)),
            HttpRouter.add(
              "GET",
              "/events",
              Effect.gen(function* () {
                const seen = (yield* HttpServerRequest).headers["last-event-id"]
                asked.push(seen ?? "none")
                return HttpServerResponse.stream(yield* answer(Number(seen ?? 0) + 1), {
                  contentType: "text/event-stream"
                })
              })
            ),
            HttpRouter.add(
              "POST",
              "/report",
              Effect.gen(function* () {
                yield* Deferred.succeed(report, yield* (yield* HttpServerRequest).text)
                return HttpServerResponse.empty()
              })
            ),
            HttpRouter.add(
              "GET",
              "/echo",
              Effect.flatMap(HttpServerRequest, ({ headers }) => {
                keys.push(headers["sec-websocket-key"] !== undefined)
                return echoing
              })
            )
          ) as Layer.Layer<never, never, HttpRouter.HttpRouter>
          const { bound } = yield* servingRoutes(kind, routes, { drainTimeout: 100 })
          const folder = yield* Effect.acquireRelease(
            Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-browser-"))),
            (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true, maxRetries: 10 }))
          )
          yield* Child.spawn(
            browser,
            [
              "--headless",
              "--no-sandbox",
              "--disable-gpu",
              "--disable-dev-shm-usage",
              "--no-first-run",
              "--remote-debugging-port=0",
              `--user-data-dir=${folder}`,
              "--ignore-certificate-errors",
              `${kind === "tls" ? "https" : "http"}://127.0.0.1:${inetOf(bound.address).port}/`
            ],
            { timeout: 60_000 }
          )
          assert.deepStrictEqual((yield* Effect.timeout(Deferred.await(report), "50 seconds")).split("\n"), [
            "open b permessage-deflate",
            "true",
            "true",
            "true",
            "true",
            "close 4001 true",
            "another site 1006",
            "news n1 1",
            "news n2 2",
            "news n3 3"
          ])
          assert.deepStrictEqual(asked, ["none", "2"])
          assert.strictEqual(keys[0], version === "HTTP/1.1")
        }).pipe(Effect.scoped),
      70_000
    )
  }
})
