/** Nobody gets out of the root (CVE-2017-14849, CVE-2021-41773, CVE-2025-27210 and their kind). */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as StaticPath from "../../src/http/StaticPath.ts"
import type * as StaticFiles from "../../src/http/StaticFiles.ts"
import { asking, directory, files, write } from "./staticKit.ts"

/** `base/root` is served; `base/secret.txt` and `base/rootless/secret.txt` are not. */
const served = Effect.fnUntraced(function* (
  options: Partial<StaticFiles.LayerOptions> = {},
  via: "Node" | "FileSystem" = "Node"
) {
  const base = yield* directory
  write(base, "secret.txt", "secret")
  write(base, "rootless/secret.txt", "secret")
  write(base, "root/ok.txt", "ok")
  write(base, "root/sub/ok.txt", "ok")
  write(base, "root/.git/config", "secret")
  write(base, "root/.env", "secret")
  write(base, "root/sub/.htpasswd", "secret")
  write(base, "root/.well-known/acme", "acme")
  const root = path.join(base, "root")
  return { base, root, ...(yield* asking(files({ root, listing: true, ...options }, via))) }
})

const dots = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..;", ". .", "...", "%c0%ae%c0%ae", "%e0%80%ae."]
const slashes = [
  "/",
  "%2f",
  "%2F",
  "\\",
  "%5c",
  "%255c",
  "%252f",
  "//",
  "%c0%af",
  "%ef%bc%8f",
  "/./",
  "/%2e/"
]

const traversals: ReadonlyArray<string> = [
  ...dots.flatMap((dot) =>
    slashes.flatMap((slash) => [
      `/${dot}${slash}secret.txt`,
      `/sub${slash}${dot}${slash}${dot}${slash}secret.txt`,
      `/sub/${dot}${slash}${dot}${slash}${dot}${slash}etc${slash}passwd`
    ])
  ),
  "/..",
  "/../",
  "/%2e%2e",
  "/sub/..",
  "/sub/../ok.txt",
  "/./ok.txt",
  "/../root/ok.txt",
  "/../rootless/secret.txt",
  "//etc/passwd",
  "///etc/passwd",
  "/%2fetc%2fpasswd",
  "/etc/passwd",
  "/file:///etc/passwd",
  "/ok.txt%00",
  "/ok.txt%00.html",
  "/%00",
  "/ok.txt%0a",
  "/ok.txt%0d%0aX:%20y",
  "/ok.txt%7f",
  "/ok.txt%",
  "/ok.txt%2",
  "/%ff%fe",
  "/%u002e%u002e/secret.txt",
  "/C:/Windows/win.ini",
  "/c:%5cwindows%5cwin.ini",
  "/%5c%5cserver%5cshare",
  "/ok.txt::$DATA",
  "/CON",
  "/sub%2fok.txt",
  "/sub%5cok.txt",
  "/sub//ok.txt",
  "/.git/config",
  "/.git/",
  "/%2egit/config",
  "/.env",
  "/sub/.htpasswd",
  "/sub/.well-known/",
  `/${"a".repeat(300)}`,
  `/${"a/".repeat(1000)}`
]

describe("StaticRoot", () => {
  for (const via of ["Node", "FileSystem"] as const) {
    it.live(`${traversals.length} ways out lead nowhere, by ${via}`, () =>
      Effect.gen(function* () {
        assert.isAbove(traversals.length, 200)
        const { get } = yield* served({}, via)
        for (const target of traversals) {
          const { body, status } = yield* get(target)
          assert.isTrue(status === 404 || status === 400, `${target}: ${status}`)
          assert.notMatch(body, /secret|root:|^ok$/, target)
        }
        assert.strictEqual((yield* get("/sub/ok.txt")).body, "ok")
        assert.strictEqual((yield* get("/%73ub/%6fk.txt")).body, "ok")
        assert.strictEqual((yield* get("/.well-known/acme")).body, "acme")
      })
    )

    it.live(`links: refused, followed inside, followed, by ${via}`, () =>
      Effect.gen(function* () {
        for (const [symlinks, inside, outside, hidden] of [
          ["refuse", 404, 404, 404],
          ["inside", 200, 404, 404],
          ["follow", 200, 200, 200]
        ] as const) {
          const { base, get, root } = yield* served({ symlinks }, via)
          fs.symlinkSync("ok.txt", path.join(root, "in.txt"))
          fs.symlinkSync("sub", path.join(root, "in"))
          fs.symlinkSync("../secret.txt", path.join(root, "out.txt"))
          fs.symlinkSync(base, path.join(root, "out"))
          // A name that begins as the root's does is not in it.
          fs.symlinkSync("../rootless", path.join(root, "beside"))
          fs.symlinkSync(".git", path.join(root, "git"))
          fs.symlinkSync("loop", path.join(root, "loop"))
          fs.symlinkSync("nowhere", path.join(root, "broken"))
          for (const [target, status] of [
            ["/in.txt", inside],
            ["/in/ok.txt", inside],
            ["/in/", inside],
            ["/out.txt", outside],
            ["/out/secret.txt", outside],
            ["/out/", outside],
            ["/beside/secret.txt", outside],
            ["/git/config", hidden],
            ["/loop", 404],
            ["/broken", 404]
          ] as const) {
            assert.deepStrictEqual(
              [symlinks, target, (yield* get(target)).status],
              [symlinks, target, status]
            )
          }
          const { body } = yield* get("/", { accept: "application/json" })
          const { entries } = JSON.parse(body) as { entries: ReadonlyArray<{ name: string }> }
          const expected = {
            refuse: ["sub", "ok.txt"],
            inside: ["in", "sub", "in.txt", "ok.txt"],
            follow: ["beside", "git", "in", "out", "sub", "in.txt", "ok.txt", "out.txt"]
          }
          assert.deepStrictEqual(
            entries.map(({ name }) => name),
            expected[symlinks]
          )
        }
      })
    )

    it.live.skipIf(process.platform === "win32")(`a FIFO keeps nobody waiting, by ${via}`, () =>
      Effect.gen(function* () {
        const { get, root } = yield* served({}, via)
        execFileSync("mkfifo", [path.join(root, "fifo")])
        assert.strictEqual((yield* get("/fifo")).status, 404)
        assert.strictEqual((yield* get("/sub/ok.txt")).body, "ok")
      })
    )
  }

  it.live("a link that is put in between leads nowhere either", () =>
    Effect.gen(function* () {
      const { base, get, root } = yield* served()
      const file = path.join(root, "swapped.txt")
      const swap = (place: () => void) =>
        Effect.sync(() => {
          fs.rmSync(file, { force: true })
          place()
        })
      const toggling = Effect.forever(
        Effect.gen(function* () {
          yield* swap(() => fs.writeFileSync(file, "ok"))
          yield* Effect.sleep("1 millis")
          yield* swap(() => fs.symlinkSync(path.join(base, "secret.txt"), file))
          yield* Effect.sleep("1 millis")
        })
      )
      yield* Effect.forkChild(toggling)
      for (let i = 0; i < 300; i++) assert.notInclude((yield* get("/swapped.txt")).body, "secret")
    })
  )

  it.live("names with dots in front, where they are wanted", () =>
    Effect.gen(function* () {
      const { get } = yield* served({ dotfiles: "serve" })
      assert.strictEqual((yield* get("/.env")).body, "secret")
      assert.strictEqual((yield* get("/../secret.txt")).status, 404)
    })
  )

  it.live.skipIf(process.getuid?.() === 0)("what may not be read is forbidden", () =>
    Effect.gen(function* () {
      const { get, root } = yield* served()
      fs.chmodSync(path.join(root, "ok.txt"), 0o000)
      assert.strictEqual((yield* get("/ok.txt")).status, 403)
    })
  )

  it("names that Windows takes for others", () => {
    for (const name of ["CON", "nul.txt", "com1", "LPT9.log", "a.", "a ", "a:b", "a?", "AUX .txt", "COM¹"]) {
      assert.isTrue(StaticPath.isWindowsName(["x", name]), name)
    }
    for (const name of ["console", "null", "com10", "a.b", "nulls.txt"])
      assert.isFalse(StaticPath.isWindowsName([name]), name)
  })

  it("what comes out are names, whatever goes in", () => {
    let state = 42
    const next = (n: number) => (state = (state * 1103515245 + 12345) % 2147483648) % n
    const pieces = [...dots, ...slashes, "a", "%", "%2", "?", "#", "\0", "é", "%C3%A9", ":", "~1"]
    for (let i = 0; i < 20_000; i++) {
      const url = `/${Array.from({ length: next(8) }, () => pieces[next(pieces.length)]).join("")}`
      for (const segment of StaticPath.parse(url)?.segments ?? []) {
        assert.strictEqual(path.basename(segment), segment, url)
        assert.notInclude(["", ".", ".."], segment)
        assert.notMatch(segment, /[/\\\0]/)
      }
    }
  })
})
