/** What holds for all examples. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { examples } from "./start.ts"

const files = fs.readdirSync(examples).filter((file) => file.endsWith(".ts"))
const read = (file: string): string => fs.readFileSync(path.join(examples, file), "utf8")

describe("examples", () => {
  it("are what they are", () => {
    assert.deepStrictEqual(files, [
      "chat.ts",
      "echo.ts",
      "line-echo.ts",
      "multicast-chat.ts",
      "proxy.ts",
      "sniff.ts",
      "starttls-echo.ts",
      "time-client.ts",
      "udp-echo.ts"
    ])
  })

  for (const file of [...files, "chat/Rooms.ts"]) {
    it(`${file} has less than 60 lines`, () => assert.isBelow(read(file).trimEnd().split("\n").length, 60))
  }

  for (const file of files) {
    it(`${file} says at its top how to try it, as README.md does`, () => {
      const commands = /^ \* {5}(.+)$/gm
      const found = [...read(file).matchAll(commands)].flatMap(([, command]) => command ?? [])
      assert.strictEqual(found.length, 2)
      for (const command of found) assert.include(read("README.md"), command)
      // The port that is used where none is given.
      const [, port] = /^PORT=(\d+) /.exec(found[0] ?? "") ?? []
      assert.include(read(file), `Config.withDefault(${port})`)
    })
  }
})
