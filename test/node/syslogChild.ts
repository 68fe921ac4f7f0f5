/** Stands in for `logger`: `node syslogChild.ts FILE` appends what it reads to the file, and ends when it reads `die`. */
import * as fs from "node:fs"
import * as readline from "node:readline"

const [, , file = ""] = process.argv

readline.createInterface(process.stdin).on("line", (line) => {
  fs.appendFileSync(file, `${line}\n`)
  if (line === "die") process.exit(1)
})
