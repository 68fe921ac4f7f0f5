/** Files of variables: what they hold, what wins, and what is wrong with them. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeEnvFile from "../../src/node/NodeEnvFile.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-env-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)
const aFile = (text: string | Uint8Array, name = "a.env") =>
  Effect.map(folder, (made) => {
    const file = path.join(made, name)
    fs.writeFileSync(file, text)
    return file
  })

describe("an environment file", () => {
  it.effect("is read as Node reads it", () =>
    Effect.gen(function* () {
      const file = yield* aFile(
        `\uFEFF# comment\nA=1\r\nexport B = 'two\nlines' # more\nC="a\\nb"\n\nD=\`x\`\nE=\nF=x # y\nG.h-i=\n`
      )
      assert.deepStrictEqual(
        { ...(yield* NodeEnvFile.read(file)) },
        { A: "1", B: "two\nlines", C: "a\nb", D: "x", E: "", F: "x", "G.h-i": "" }
      )
    }).pipe(Effect.scoped)
  )

  it.effect("leaves what is there, unless it is told to", () =>
    Effect.gen(function* () {
      const first = yield* aFile("A=1\nB=1\nC=1\n")
      const second = yield* aFile("B=2\nC=2\n")
      const environment: Record<string, string | undefined> = { C: "0", D: "0", A: undefined }
      assert.deepStrictEqual(yield* NodeEnvFile.load([first, second], { environment }), ["A", "B"])
      assert.deepStrictEqual(environment, { A: "1", B: "2", C: "0", D: "0" })
      const override = true
      assert.deepStrictEqual(yield* NodeEnvFile.load([first], { environment, override }), ["A", "B", "C"])
      assert.deepStrictEqual(environment, { A: "1", B: "1", C: "1", D: "0" })
    }).pipe(Effect.scoped)
  )

  it.effect("is for this process, if for no other", () =>
    Effect.gen(function* () {
      const name = `SPINDLE_TEST_${process.pid}`
      assert.deepStrictEqual(yield* NodeEnvFile.load([yield* aFile(`${name}=x`)]), [name])
      assert.strictEqual(process.env[name], "x")
      delete process.env[name]
    }).pipe(Effect.scoped)
  )

  it.effect("that is wrong is told by name, without its values; then none is taken", () =>
    Effect.gen(function* () {
      const good = yield* aFile("A=1\n")
      const made = yield* folder
      for (const [file, detail, errno] of [
        [path.join(made, "none"), "there is no such file", "ENOENT"],
        [path.join(good, "none"), "there is no such file", "ENOTDIR"],
        [made, "it is a directory", undefined],
        [yield* aFile("A=secret\nB C=secret\n"), '"B C" is no name of a variable', undefined],
        [yield* aFile("1A=secret\n"), '"1A" is no name of a variable', undefined],
        [yield* aFile("A=a\0b\n"), "it holds a NUL character", undefined],
        [yield* aFile(Uint8Array.of(0x41, 0x3d, 0xff)), "it is not UTF-8", undefined],
        [yield* aFile("#".repeat(1_048_577)), "it is longer than 1048576 bytes", undefined]
      ] as const) {
        const environment = {}
        const error = yield* Effect.flip(NodeEnvFile.load([good, file], { environment }))
        assert.strictEqual(error.message, `environment file ${file}: ${detail}`)
        assert.strictEqual(error.errno, errno)
        assert.deepStrictEqual(environment, {})
      }
    }).pipe(Effect.scoped)
  )
})
