/** The seeds that failed once, by the name of their test: kept in a file beside the tests, to be run first for ever after. */

/** What is used of `node:fs`. */
export interface Files {
  readonly existsSync: (path: string) => boolean
  readonly readFileSync: (path: string, encoding: "utf8") => string
  readonly writeFileSync: (path: string, text: string) => void
}

export type Seed = number | string

export interface SeedList {
  readonly of: (test: string) => ReadonlyArray<Seed>
  readonly add: (test: string, seed: Seed) => void
}

/** Seeds that are kept of a test; the oldest go. */
const seedsMax = 50

type Content = Readonly<Record<string, ReadonlyArray<Seed>>>

/** Without files, or a path, nothing is kept. */
export const make = (files: Files | undefined, path: string | undefined): SeedList => {
  if (files === undefined || path === undefined) return { of: () => [], add: () => {} }
  const read = (): Content =>
    files.existsSync(path) ? (JSON.parse(files.readFileSync(path, "utf8")) as Content) : {}
  return {
    of: (test) => read()[test] ?? [],
    add: (test, seed) => {
      const all = read()
      const known = all[test] ?? []
      if (known.includes(seed)) return
      const content = { ...all, [test]: [...known, seed].slice(-seedsMax) }
      files.writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`)
    }
  }
}
