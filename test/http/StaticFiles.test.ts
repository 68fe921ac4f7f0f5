/** Files of a directory: which, as what, and in which parts. RFC 9110 §12-§15. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as StaticFiles from "../../src/http/StaticFiles.ts"
import { asking, directory, files, type Via, write } from "./staticKit.ts"

const digits = "0123456789"

const tree = Effect.fnUntraced(function* (options: Partial<StaticFiles.LayerOptions> = {}, via?: Via) {
  const root = yield* directory
  write(root, "index.html", "<h1>home</h1>")
  write(root, "digits.txt", digits)
  write(root, "empty.bin", "")
  write(root, "docs/index.html", "docs")
  write(root, "docs/about.html", "about")
  write(root, "bare/a b&<c>.txt", "odd")
  write(root, ".secret/key", "secret")
  write(root, ".well-known/acme", "acme")
  return { root, ...(yield* asking(files({ root, ...options }, via))) }
})

for (const via of ["Node", "FileSystem"] as const) {
  describe(`StaticFiles by ${via}`, () => {
    it.live("a file, whole: 200 with its type, size, tag and age", () =>
      Effect.gen(function* () {
        const { get, send } = yield* tree({ cacheControl: "max-age=60" }, via)
        const { body, headers, status } = yield* get("/digits.txt?a=b")
        assert.deepStrictEqual([status, body], [200, digits])
        assert.strictEqual(headers["content-type"], "text/plain; charset=utf-8")
        assert.strictEqual(headers["content-length"], "10")
        assert.strictEqual(headers["accept-ranges"], "bytes")
        assert.strictEqual(headers["cache-control"], "max-age=60")
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.strictEqual(headers["last-modified"], "Tue, 14 Nov 2023 22:13:20 GMT")
        assert.match(headers["etag"]!, /^"[^"]+"$/)
        const head = yield* send("HEAD", "/digits.txt")
        assert.deepStrictEqual([head.status, head.body], [200, ""])
        for (const name of ["content-type", "content-length", "etag", "last-modified"])
          assert.strictEqual(head.headers[name], headers[name])
        assert.deepStrictEqual((yield* get("/empty.bin")).headers["content-length"], "0")
        assert.strictEqual((yield* get("/empty.bin")).headers["content-type"], "application/octet-stream")
      })
    )

    it.live("ranges (RFC 9110 §14)", () =>
      Effect.gen(function* () {
        const { get } = yield* tree({}, via)
        for (const [range, status, said, body] of [
          ["bytes=0-3", 206, "bytes 0-3/10", "0123"],
          ["bytes=5-", 206, "bytes 5-9/10", "56789"],
          ["bytes=-3", 206, "bytes 7-9/10", "789"],
          ["bytes=8-1000", 206, "bytes 8-9/10", "89"],
          // Twisted answers this one with 500.
          ["bytes=-1000", 206, "bytes 0-9/10", digits],
          ["bytes=0-99999999999999999999", 206, "bytes 0-9/10", digits],
          ["BYTES=2-2", 206, "bytes 2-2/10", "2"],
          ["bytes=2-4,4-5", 206, "bytes 2-5/10", "2345"],
          ["bytes=2-3,50-", 206, "bytes 2-3/10", "23"],
          ["bytes=10-", 416, "bytes */10", undefined],
          ["bytes=-0", 416, "bytes */10", undefined],
          ["bytes=99999999999999999999-", 416, "bytes */10", undefined],
          ["bytes=5-2", 200, undefined, digits],
          ["bytes=", 200, undefined, digits],
          ["bytes=a-b", 200, undefined, digits],
          ["bytes=+1-2", 200, undefined, digits],
          ["bytes=0x1-2", 200, undefined, digits],
          ["bytes=1.0-2", 200, undefined, digits],
          ["items=0-3", 200, undefined, digits],
          [`bytes=${Array.from({ length: 11 }, (_, i) => `${i}-${i}`).join(",")}`, 200, undefined, digits],
          [`bytes=${"0-,".repeat(1300)}0-`, 200, undefined, digits]
        ] as const) {
          const answer = yield* get("/digits.txt", { range })
          assert.deepStrictEqual(
            [range, answer.status, answer.headers["content-range"]],
            [range, status, said]
          )
          if (body !== undefined) assert.strictEqual(answer.body, body)
        }
        assert.strictEqual((yield* get("/empty.bin", { range: "bytes=0-" })).status, 200)
      })
    )

    it.live("several ranges are parts of one answer, in the order asked for", () =>
      Effect.gen(function* () {
        const { get } = yield* tree({}, via)
        const { body, headers, status } = yield* get("/digits.txt", { range: "bytes=7-8, 0-1 ,-1" })
        assert.strictEqual(status, 206)
        const boundary = /^multipart\/byteranges; boundary=([0-9a-f]{32})$/.exec(
          headers["content-type"]!
        )![1]!
        assert.strictEqual(headers["content-range"], undefined)
        assert.strictEqual(Number(headers["content-length"]), body.length)
        const part = (range: string, text: string) =>
          `--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ${range}/10\r\n\r\n${text}\r\n`
        // 7-8 and 9-9 touch: they are one.
        assert.strictEqual(body, `${part("7-9", "789")}${part("0-1", "01")}--${boundary}--\r\n`)
        const again = yield* get("/digits.txt", { range: "bytes=7-8,0-1" })
        assert.notInclude(again.headers["content-type"], boundary)
      })
    )

    it.live("conditions (RFC 9110 §13)", () =>
      Effect.gen(function* () {
        const { get, send } = yield* tree({ cacheControl: "max-age=60" }, via)
        const { headers } = yield* get("/digits.txt")
        const etag = headers["etag"]!
        const same = headers["last-modified"]!
        const before = "Tue, 14 Nov 2023 22:13:19 GMT"
        const range = { range: "bytes=0-3" }
        for (const [asked, status] of [
          [{ "if-none-match": etag }, 304],
          [{ "if-none-match": `W/${etag}` }, 304],
          [{ "if-none-match": `"a,b", ${etag}` }, 304],
          [{ "if-none-match": "*" }, 304],
          [{ "if-none-match": '"other"' }, 200],
          [{ "if-modified-since": same }, 304],
          [{ "if-modified-since": before }, 200],
          [{ "if-modified-since": "yesterday" }, 200],
          // The tag stands above the date.
          [{ "if-none-match": '"other"', "if-modified-since": same }, 200],
          [{ "if-match": etag }, 200],
          [{ "if-match": "*" }, 200],
          [{ "if-match": '"other"' }, 412],
          // Weak tags never match strongly.
          [{ "if-match": `W/${etag}` }, 412],
          [{ "if-unmodified-since": same }, 200],
          [{ "if-unmodified-since": before }, 412],
          [{ "if-match": etag, "if-unmodified-since": before }, 200],
          [{ "if-match": '"other"', "if-none-match": etag }, 412],
          [{ ...range, "if-none-match": etag }, 304],
          [{ ...range, "if-match": '"other"' }, 412],
          [{ ...range, "if-range": etag }, 206],
          [{ ...range, "if-range": same }, 206],
          [{ ...range, "if-range": `W/${etag}` }, 200],
          [{ ...range, "if-range": '"other"' }, 200],
          [{ ...range, "if-range": before }, 200],
          [{ range: "bytes=99-", "if-range": '"other"' }, 200]
        ] as ReadonlyArray<readonly [Record<string, string>, number]>) {
          const answer = yield* get("/digits.txt", asked)
          assert.deepStrictEqual([asked, answer.status], [asked, status])
          if (status !== 304) continue
          assert.strictEqual(answer.body, "")
          assert.strictEqual(answer.headers["etag"], etag)
          assert.strictEqual(answer.headers["cache-control"], "max-age=60")
          assert.strictEqual(answer.headers["content-length"], undefined)
        }
        assert.strictEqual((yield* send("HEAD", "/digits.txt", { "if-none-match": etag })).status, 304)
        // A range is for GET only.
        assert.strictEqual((yield* send("HEAD", "/digits.txt", range)).status, 200)
      })
    )

    it.live("what has just changed has a weak tag; what changed has another one", () =>
      Effect.gen(function* () {
        const { get, root } = yield* tree({}, via)
        const first = (yield* get("/digits.txt")).headers["etag"]
        write(root, "digits.txt", "9876543210", 1_700_000_001)
        const second = (yield* get("/digits.txt")).headers["etag"]
        assert.notStrictEqual(second, first)
        write(root, "digits.txt", digits, Date.now() / 1000)
        assert.match((yield* get("/digits.txt")).headers["etag"]!, /^W\//)
        write(root, "digits.txt", digits, Date.now() / 1000 + 86_400)
        const { headers } = yield* get("/digits.txt")
        assert.isAtMost(Date.parse(headers["last-modified"]!), Date.now())
      })
    )

    it.live("directories: a redirect, an index, or nothing", () =>
      Effect.gen(function* () {
        const { get, root } = yield* tree({ index: ["index.htm", "index.html"] }, via)
        assert.strictEqual((yield* get("/")).body, "<h1>home</h1>")
        assert.strictEqual((yield* get("/docs/")).body, "docs")
        const redirect = yield* get("/docs?a=b")
        assert.deepStrictEqual([redirect.status, redirect.headers["location"]], [301, "./docs/?a=b"])
        write(root, "docs/index.htm", "first")
        assert.strictEqual((yield* get("/docs/")).body, "first")
        assert.strictEqual((yield* get("/bare/")).status, 404)
        assert.strictEqual((yield* get("/digits.txt/")).status, 404)
        fs.mkdirSync(path.join(root, "a:b"))
        // Without `./` this were a reference with a scheme.
        assert.strictEqual((yield* get("/a:b")).headers["location"], "./a:b/")
      })
    )

    it.live("big files, in pieces, whole and in part", () =>
      Effect.gen(function* () {
        const { get, root } = yield* tree({}, via)
        const big = new Uint8Array(1_000_003)
        for (let i = 0; i < big.length; i++) big[i] = (i * 7919) % 127
        write(root, "big.bin", big)
        const text = Buffer.from(big).toString("latin1")
        const whole = yield* get("/big.bin")
        assert.strictEqual(whole.headers["content-length"], "1000003")
        assert.isTrue(whole.body === text)
        const part = yield* get("/big.bin", { range: "bytes=100-900099" })
        assert.isTrue(part.body === text.slice(100, 900_100))
        const parts = yield* get("/big.bin", { range: "bytes=0-299999,400000-" })
        assert.strictEqual(parts.body.length, Number(parts.headers["content-length"]))
        assert.isTrue(parts.body.includes(text.slice(400_000)))
      })
    )
  })
}

describe("StaticFiles", () => {
  it.live("a prefix; other methods; other routes stand above it", () =>
    Effect.gen(function* () {
      const root = yield* directory
      write(root, "index.html", "home")
      write(root, "a.txt", "a")
      const { get, send } = yield* asking(
        Layer.mergeAll(
          files({ root, prefix: "/static" }),
          HttpRouter.add("GET", "/static/b.txt", HttpServerResponse.text("route"))
        )
      )
      assert.strictEqual((yield* get("/static/a.txt")).body, "a")
      assert.strictEqual((yield* get("/static/b.txt")).body, "route")
      assert.strictEqual((yield* get("/static/")).body, "home")
      assert.strictEqual((yield* get("/static")).headers["location"], "./static/")
      assert.strictEqual((yield* get("/a.txt")).status, 404)
      const post = yield* send("POST", "/static/a.txt", {}, "body")
      assert.deepStrictEqual([post.status, post.headers["allow"]], [405, "GET, HEAD, OPTIONS"])
      const options = yield* send("OPTIONS", "/static/a.txt")
      assert.deepStrictEqual([options.status, options.headers["allow"]], [204, "GET, HEAD, OPTIONS"])
    })
  )

  it.live("listings: hidden names are not in them, others are escaped; JSON for who wants it", () =>
    Effect.gen(function* () {
      const { get, root } = yield* tree({ listing: true })
      write(root, 'bare/"><svg onload=alert(1)>.txt', "x")
      write(root, "bare/.hidden", "x")
      write(root, "bare/sub/x", "x")
      fs.symlinkSync("/etc/passwd", path.join(root, "bare/link"))
      const { body, headers, status } = yield* get("/bare/", { accept: "text/html,*/*;q=0.8" })
      assert.strictEqual(status, 200)
      assert.match(headers["content-security-policy"]!, /default-src 'none'/)
      assert.notMatch(body, /<svg|hidden|link/)
      assert.include(body, "&quot;&gt;&lt;svg onload=alert(1)&gt;.txt")
      assert.include(body, '<a href="./a%20b%26%3Cc%3E.txt">a b&amp;&lt;c&gt;.txt</a>')
      assert.strictEqual((yield* get("/bare/a%20b%26%3Cc%3E.txt")).body, "odd")
      const json = yield* get("/bare/", { accept: "application/json" })
      assert.strictEqual(json.headers["content-type"], "application/json")
      assert.deepStrictEqual(
        (JSON.parse(json.body) as { entries: ReadonlyArray<{ name: string; kind: string }> }).entries.map(
          ({ kind, name }) => [name, kind]
        ),
        [
          ["sub", "directory"],
          ['"><svg onload=alert(1)>.txt', "file"],
          ["a b&<c>.txt", "file"]
        ]
      )
      // An index stands above it.
      assert.strictEqual((yield* get("/docs/")).body, "docs")
    })
  )

  it.live("a listing has a limit", () =>
    Effect.gen(function* () {
      const { get } = yield* tree({ listing: true, listingMax: 1, index: [] })
      const { body } = yield* get("/", { accept: "application/json" })
      const { entries, more } = JSON.parse(body) as { entries: ReadonlyArray<unknown>; more: boolean }
      assert.deepStrictEqual([entries.length, more], [1, true])
    })
  )

  it.live("pre-compressed siblings, for whoever understands them", () =>
    Effect.gen(function* () {
      const { get, root } = yield* tree({ precompressed: true })
      write(root, "app.js", "plain")
      write(root, "app.js.gz", "gzipped")
      write(root, "app.js.br", "brotli")
      write(root, "old.js", "new", 1_700_000_100)
      write(root, "old.js.gz", "old")
      for (const [accepted, body, coding] of [
        ["gzip, deflate, br", "brotli", "br"],
        ["gzip", "gzipped", "gzip"],
        ["br;q=0.5, gzip;q=0.8", "gzipped", "gzip"],
        ["br;q=0, *", "gzipped", "gzip"],
        ["br;q=0, gzip;q=0.0", "plain", undefined],
        ["zstd", "plain", undefined],
        ["identity", "plain", undefined]
      ] as const) {
        const answer = yield* get("/app.js", { "accept-encoding": accepted })
        assert.deepStrictEqual(
          [accepted, answer.body, answer.headers["content-encoding"]],
          [accepted, body, coding]
        )
        assert.strictEqual(answer.headers["vary"], "Accept-Encoding")
        assert.strictEqual(answer.headers["content-type"], "text/javascript; charset=utf-8")
      }
      const plain = yield* get("/app.js")
      const gzipped = yield* get("/app.js", { "accept-encoding": "gzip" })
      assert.notStrictEqual(plain.headers["etag"], gzipped.headers["etag"])
      assert.strictEqual((yield* get("/old.js", { "accept-encoding": "gzip" })).body, "new")
      const itself = yield* get("/app.js.gz", { "accept-encoding": "gzip" })
      assert.deepStrictEqual(
        [itself.headers["content-type"], itself.headers["content-encoding"]],
        ["application/gzip", undefined]
      )
    })
  )

  it.live("an application of one page; extensions that may be left out; types", () =>
    Effect.gen(function* () {
      const { get, root } = yield* tree({
        spa: true,
        extensions: [".html"],
        types: { zzz: "text/x-z" },
        defaultType: "text/plain"
      })
      write(root, "a.zzz", "z")
      write(root, "README", "read me")
      const html = { accept: "text/html" }
      assert.strictEqual((yield* get("/some/view", html)).body, "<h1>home</h1>")
      assert.strictEqual((yield* get("/some/view", { accept: "application/json" })).status, 404)
      assert.strictEqual((yield* get("/missing.js", html)).status, 404)
      assert.strictEqual((yield* get("/docs/about", html)).body, "about")
      assert.strictEqual((yield* get("/a.zzz")).headers["content-type"], "text/x-z; charset=utf-8")
      assert.strictEqual((yield* get("/README")).headers["content-type"], "text/plain; charset=utf-8")
    })
  )

  it.live("what is not there is a page, or JSON, and repeats nothing", () =>
    Effect.gen(function* () {
      const { get } = yield* tree()
      const page = yield* get("/%3Cscript%3E", { accept: "text/html" })
      assert.deepStrictEqual([page.status, page.headers["content-type"]], [404, "text/html; charset=utf-8"])
      assert.notInclude(page.body, "script")
      const json = yield* get("/nope", { accept: "application/problem+json" })
      assert.deepStrictEqual(JSON.parse(json.body), { title: "Not Found", status: 404 })
    })
  )

  it.live("a single file; a root that is a link to what changes", () =>
    Effect.gen(function* () {
      const root = yield* directory
      write(root, "one/a.txt", "one")
      write(root, "two/a.txt", "two")
      fs.symlinkSync("one", path.join(root, "current"))
      const link = yield* asking(files({ root: path.join(root, "current") }))
      assert.strictEqual((yield* link.get("/a.txt")).body, "one")
      fs.rmSync(path.join(root, "current"))
      fs.symlinkSync("two", path.join(root, "current"))
      assert.strictEqual((yield* link.get("/a.txt")).body, "two")
      const single = yield* asking(files({ root: path.join(root, "one/a.txt") }))
      assert.strictEqual((yield* single.get("/")).body, "one")
      assert.strictEqual((yield* single.get("/a.txt")).status, 404)
    })
  )

  it.live("long paths", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const name = `${"d".repeat(200)}/${"e".repeat(200)}/${"f".repeat(250)}`
      write(root, name, "deep")
      const { get } = yield* asking(files({ root }))
      assert.strictEqual((yield* get(`/${name}`)).body, "deep")
      const { get: below } = yield* asking(files({ root, prefix: "/below/it" }))
      assert.strictEqual((yield* below(`/below/it/${name}`)).body, "deep")
    })
  )

  it.live("a root that is not there is told at once", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const error = yield* Effect.flip(
        Layer.build(Layer.provide(files({ root: path.join(root, "absent") }), HttpRouter.layer))
      )
      assert.strictEqual(error.reason._tag, "NotFound")
    }).pipe(Effect.scoped)
  )
})
