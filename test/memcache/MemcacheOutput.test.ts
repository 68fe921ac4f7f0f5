/** Replies of several connections, written into one buffer. */
import { assert, it } from "@effect/vitest"
import { MemcacheOutput, OutputBuffer } from "../../src/memcache/MemcacheOutput.ts"
import { numbers } from "../support/randomBytes.ts"

it("what several say at once, in pieces of any size, stays apart, and is not written over", () => {
  const below = numbers(4)
  const shared = new OutputBuffer()
  const outputs = Array.from({ length: 3 }, () => new MemcacheOutput(shared))
  const said = outputs.map(() => "")
  const taken: Array<{ readonly who: number; readonly pieces: ReadonlyArray<Uint8Array> }> = []
  for (let i = 0; i < 20_000; i++) {
    const who = below(outputs.length)
    const output = outputs[who]!
    const size = below(10) === 0 ? below(6_000) : below(100)
    const text = String.fromCharCode(97 + (i % 26)).repeat(size)
    if (below(2) === 0) output.text(text)
    else output.value(Buffer.from(text))
    said[who] += text
    if (below(20) === 0) {
      const { bytes } = output
      const pieces = output.take()
      assert.strictEqual(
        pieces.reduce((sum, piece) => sum + piece.length, 0),
        bytes
      )
      taken.push({ who, pieces })
    }
  }
  for (const [who, output] of outputs.entries()) taken.push({ who, pieces: output.take() })
  // Looked at when all is said: nothing was written over.
  const heard = outputs.map((_, who) =>
    Buffer.concat(taken.flatMap((take) => (take.who === who ? take.pieces : []))).toString("latin1")
  )
  assert.isTrue(heard.every((text, who) => text === said[who]))
})
