/** Conversations with a cache, each with a fresh one: what is said, and what comes back. Checked against memcached itself where it is installed. */

export interface Script {
  readonly name: string
  readonly says: string
  readonly hears: string
  /** A newer memcached says the same. */
  readonly isLater: boolean
  /** Why memcached 1.6.18 says something else. */
  readonly differs?: string | undefined
}

export const script = (name: string, ...lines: ReadonlyArray<string>): Script => ({
  name,
  says: lines
    .filter((line) => line.startsWith("> "))
    .map((line) => `${line.slice(2)}\r\n`)
    .join(""),
  hears: lines
    .filter((line) => line.startsWith("< "))
    .map((line) => `${line.slice(2)}\r\n`)
    .join(""),
  isLater: lines.includes("! later than 1.6.18"),
  differs: lines.find((line) => line.startsWith("! "))?.slice(2)
})
