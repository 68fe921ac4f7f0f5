/** The files that the HTTP servers serve, and what each answer is compared with. */
import { mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { hello, lengthOf } from "./servers/answers.ts"

/** Sizes by name. */
const sizes = { "1k.bin": 1024, "1m.bin": 1_048_576 }

/** Bytes of an upload. */
export const uploadBytes = 10_240

/** Bytes that do not repeat, nor compress. */
const noise = (bytes: number): Uint8Array => {
  let state = 2463534242
  return Uint8Array.from({ length: bytes }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 255
  })
}

const parent = fileURLToPath(new URL("../node_modules/.cache/bench/site/", import.meta.url))

/** What is served below `/files/`. */
export const folder = `${parent}files`

/** The body of an answer, as a file. */
export type Expected = "hello" | "upload" | keyof typeof sizes

export const expected = (name: Expected): string =>
  name === "hello" || name === "upload" ? `${parent}${name}` : `${folder}/${name}`

/** Writes them. */
export const make = (): void => {
  mkdirSync(folder, { recursive: true })
  for (const [name, bytes] of Object.entries(sizes)) writeFileSync(`${folder}/${name}`, noise(bytes))
  writeFileSync(expected("hello"), JSON.stringify(hello))
  writeFileSync(expected("upload"), lengthOf({ byteLength: uploadBytes }))
}
