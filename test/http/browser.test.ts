/** Pages in a real browser: what it makes of our answers, and what it does not let other sites do. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as EffectHttpServer from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as AccessLog from "../../src/http/AccessLog.ts"
import * as SameOrigin from "../../src/http/SameOrigin.ts"
import * as SessionStore from "../../src/http/SessionStore.ts"
import * as Sessions from "../../src/http/Sessions.ts"
import * as StaticFiles from "../../src/http/StaticFiles.ts"
import * as Browser from "../support/browser.ts"
import { inetOf } from "../support/endpoints.ts"
import { describePeer } from "../support/peers.ts"
import { served, serving } from "./httpKit.ts"
import { directory, write } from "./staticKit.ts"

/** Where it is, by both of its names: to a browser these are two sites. */
const site = Effect.fnUntraced(function* (
  routesAt: (port: number) => Layer.Layer<never, unknown, HttpRouter.HttpRouter>
) {
  const lines: Array<string> = []
  const log = AccessLog.layer({
    format: ({ host, method, status, target }) => `${method} ${host?.split(":")[0]}${target} ${status}`,
    write: (line) => Effect.sync(() => void lines.push(line))
  })
  const routes = Layer.unwrap(
    Effect.map(EffectHttpServer.HttpServer, ({ address }) => routesAt(inetOf(address).port))
  )
  const application = Layer.orDie(served(Layer.mergeAll(log, routes))) as Layer.Layer<
    never,
    never,
    EffectHttpServer.HttpServer
  >
  const { bound } = yield* serving("tcp", { drainTimeout: 100 }, application)
  const { port } = inetOf(bound.address)
  return { lines, own: `http://127.0.0.1:${port}`, other: `http://localhost:${port}` }
})

/** A quiet minute: 44-byte header, then one byte 8,000 times a second. */
const wave = (seconds: number): Buffer => {
  const bytes = 8_000 * seconds
  const head = Buffer.alloc(44)
  head.write("RIFF", 0)
  head.writeUInt32LE(36 + bytes, 4)
  head.write("WAVEfmt ", 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(8_000, 24)
  head.writeUInt32LE(8_000, 28)
  head.writeUInt16LE(1, 32)
  head.writeUInt16LE(8, 34)
  head.write("data", 36)
  head.writeUInt32LE(bytes, 40)
  return Buffer.concat([head, Buffer.alloc(bytes, 128)])
}

const session = Sessions.stored({
  schema: Schema.Struct({ user: Schema.String }),
  store: SessionStore.memory()
})

describePeer(Browser.chromium, (program) => {
  it.live(
    "files: a listing, an application of one page, a place within a recording",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        write(root, "files/<img src=x onerror=alert(1)>.txt", "harmless")
        write(root, "files/a & b/inner.txt", "inner")
        write(root, "files/grüße.txt", "hello")
        write(root, "files/long.wav", wave(600))
        write(root, "app/index.html", "<title>app</title><script src=/app/main.js></script>")
        write(root, "app/main.js", "document.title += ' at ' + location.pathname")
        const { lines, own } = yield* site(() =>
          Layer.mergeAll(
            StaticFiles.layer({ root: `${root}/files`, prefix: "/files", listing: true }),
            StaticFiles.layer({ root: `${root}/app`, prefix: "/app", spa: true })
          )
        )
        const page = yield* Browser.open(program)
        yield* page.goto(`${own}/files/`)
        const names = yield* page.evaluate<ReadonlyArray<string>>(
          "[...document.links].map((link) => link.textContent)"
        )
        assert.includeMembers([...names], ["<img src=x onerror=alert(1)>.txt", "a & b/", "grüße.txt"])
        assert.strictEqual(yield* page.evaluate("document.images.length"), 0)
        const follow = (name: string) =>
          page.evaluate(
            `void [...document.links].find((link) => link.textContent === ${JSON.stringify(name)}).click()`
          )
        yield* follow("a & b/")
        yield* page.until(`[...document.links].some((link) => link.textContent === "inner.txt")`)
        yield* page.goto(`${own}/files/`)
        yield* follow("grüße.txt")
        yield* page.until(`document.body.innerText.trim() === "hello"`)
        yield* page.goto(`${own}/app/views/of/it`)
        assert.strictEqual(yield* page.evaluate("document.title"), "app at /app/views/of/it")
        assert.strictEqual(yield* page.evaluate(`fetch("/app/absent.js").then(({ status }) => status)`), 404)
        assert.deepStrictEqual(
          page.problems().filter((one) => !/absent\.js|favicon/.test(one)),
          []
        )
        // Nine minutes in: what is between is not fetched.
        const at = yield* page.evaluate(`new Promise((resolve, reject) => {
          const audio = new Audio("/files/long.wav")
          audio.preload = "metadata"
          audio.onerror = () => reject(new Error("no recording"))
          audio.onloadedmetadata = () => { audio.currentTime = 540 }
          audio.onseeked = () => resolve([audio.duration, audio.currentTime])
        })`)
        assert.deepStrictEqual(at, [600, 540])
        assert.isTrue(lines.some((line) => line === "GET 127.0.0.1/files/long.wav 206"))
      }).pipe(Effect.scoped),
    Browser.testTimeout
  )

  it.live(
    "sessions, and what other sites may not do",
    () =>
      Effect.gen(function* () {
        const visits: Array<string> = []
        const empty = HttpServerResponse.html("<title>page</title>")
        const { lines, other, own } = yield* site(() =>
          Layer.mergeAll(
            SameOrigin.layer(),
            HttpRouter.add("GET", "/page", empty),
            HttpRouter.add(
              "POST",
              "/login",
              Effect.gen(function* () {
                yield* (yield* session.current).set({ user: "alice" })
                return HttpServerResponse.empty()
              })
            ),
            HttpRouter.add(
              "*",
              "/me",
              Effect.gen(function* () {
                const data = yield* (yield* session.current).get
                visits.push(`${(yield* HttpServerRequest).method} ${data?.user ?? "nobody"}`)
                return HttpServerResponse.text(data?.user ?? "nobody")
              })
            )
          )
        )
        const page = yield* Browser.open(program)
        const form = (action: string) =>
          page.evaluate(`{
            const form = document.createElement("form")
            form.method = "POST"
            form.action = ${JSON.stringify(action)}
            document.body.append(form)
            setTimeout(() => form.submit())
          }`)
        yield* page.goto(`${own}/page`)
        assert.strictEqual(
          yield* page.evaluate(`fetch("/login", { method: "POST" }).then(({ status }) => status)`),
          204
        )
        assert.strictEqual(yield* page.evaluate("document.cookie"), "")
        assert.strictEqual(yield* page.evaluate(`fetch("/me").then((response) => response.text())`), "alice")
        yield* form(`${own}/me`)
        yield* page.until(`document.body.innerText === "alice"`)
        // The same from a page of another site: neither is it let in, nor is the cookie sent along.
        yield* page.goto(`${other}/page`)
        yield* page.evaluate(`fetch("${own}/me", { mode: "no-cors", credentials: "include" }).then(() => {})`)
        yield* form(`${own}/me`)
        yield* page.until(`document.body.innerText.includes("made by a page of another site")`)
        assert.deepStrictEqual(visits, ["GET alice", "POST alice", "GET nobody"])
        assert.include(lines, "POST 127.0.0.1/me 403")
        // A link is followed as the user's own.
        yield* page.goto(`${other}/page`)
        yield* page.evaluate(`setTimeout(() => { location.href = "${own}/me" })`)
        yield* page.until(`document.body.innerText === "alice"`)
      }).pipe(Effect.scoped),
    Browser.testTimeout
  )

  it.live(
    "scripts of other sites, as far as they are let in",
    () =>
      Effect.gen(function* () {
        const { lines, other, own } = yield* site((port) =>
          Layer.mergeAll(
            HttpRouter.add("GET", "/page", HttpServerResponse.html("<title>page</title>")),
            HttpRouter.add("PUT", "/open", HttpServerResponse.text("done")),
            SameOrigin.layer({ trusted: [`http://localhost:${port}`] }),
            HttpRouter.cors({
              allowedOrigins: [`http://localhost:${port}`],
              allowedMethods: ["GET", "PUT"],
              allowedHeaders: ["content-type"]
            })
          )
        )
        const page = yield* Browser.open(program)
        const put = (type: string, headers = "{}") =>
          page.evaluate<string>(`fetch("${own}/open", {
            method: ${JSON.stringify(type)}, body: "{}", headers: ${headers}
          }).then((response) => response.text(), () => "refused")`)
        yield* page.goto(`${other}/page`)
        assert.strictEqual(yield* put("PUT", `{ "content-type": "application/json" }`), "done")
        assert.deepStrictEqual(lines.slice(-2), ["OPTIONS 127.0.0.1/open 204", "PUT 127.0.0.1/open 200"])
        assert.strictEqual(yield* put("PUT", `{ "x-other": "1" }`), "refused")
        assert.strictEqual(yield* put("DELETE"), "refused")
        assert.strictEqual(lines.filter((line) => /^(PUT|DELETE)/.test(line)).length, 1)
      }).pipe(Effect.scoped),
    Browser.testTimeout
  )
})
