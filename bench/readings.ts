/** The lines that the gateway is fed with: a file of readings, each of another time, made once. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../node_modules/.cache/bench/", import.meta.url))
const count = 100_000
const begin = Date.UTC(2010, 0, 1)

export const readingsFile = (): string => {
  const file = `${folder}readings.txt`
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true })
    const lines = Array.from({ length: count }, (_, i) => {
      const time = new Date(begin + i * 60_000).toISOString()
      return `station-${i % 50} temperature ${((i % 400) / 10).toFixed(1)} ${time}\r\n`
    })
    writeFileSync(file, lines.join(""))
  }
  return file
}
