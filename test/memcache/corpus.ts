/**
 * Commands by chance, to be said to two servers, and whether what they answer is the same.
 *
 * A CAS differs between servers: `<cas KEY>` in a command stands for the one that the server told last, and in answers equal ones must
 * be equal on both sides. Seconds, which pass meanwhile, are compared in thousands.
 */
export interface Said {
  /** Without its end. */
  readonly line: string
  readonly value?: string | undefined
  /** Keys whose CAS it names. */
  readonly named: ReadonlyArray<string>
}

export interface Options {
  /** Leaves out what came later than memcached 1.6.18: the flags E and x, C of `mg`, s and N of `ms`. */
  readonly isOld: boolean
}

type Below = (bound: number) => number

const items = ["k1", "k2", "k3"]
const counters = ["n1", "n2"]
/** The key `a b`. */
const encoded = "YSBi"

const times = ["0", "100000", "200000", "-1"]
const texts = ["", "a", "hello", "x".repeat(300), "0", "17"]

/** One after another, without end. */
export const commands = (below: Below, { isOld }: Options): (() => Said) => {
  const pick = <A>(of: ReadonlyArray<A>): A => of[below(of.length)]!
  const sometimes = <A>(one: number, value: A): ReadonlyArray<A> => (below(one) === 0 ? [value] : [])
  const said = (words: ReadonlyArray<string>, value?: string): Said => {
    const line = words.join(" ")
    return { line, value, named: [...line.matchAll(/<cas (\w+)>/g)].map(([, key]) => key!) }
  }
  const later = (one: number, flag: string) => (isOld ? [] : sometimes(one, flag))
  const cas = (key: string) => pick([`<cas ${key}>`, `<cas ${key}>`, "1", "999999999999", "0"])

  const store = () => {
    const key = pick(items)
    const value = pick(texts)
    const words = [String(below(3) === 0 ? below(100_000) : 0), pick(times), String(value.length)]
    const noreply = sometimes(6, "noreply")
    const mode = pick(["set", "set", "add", "replace", "append", "prepend", "cas"])
    return said([mode, key, ...words, ...(mode === "cas" ? [cas(key)] : []), ...noreply], value)
  }
  const keys = () => Array.from({ length: 1 + below(3) }, () => pick([...items, ...counters]))
  const retrieve = () =>
    below(3) === 0
      ? said([pick(["gat", "gats"]), pick(times), ...keys()])
      : said([pick(["get", "gets"]), ...keys()])
  const count = () => {
    const key = pick(counters)
    const delta = pick(["1", "7", "18446744073709551615", "x", "-1"])
    return said([pick(["incr", "incr", "incr", "decr"]), key, delta, ...sometimes(6, "noreply")])
  }
  const other = () =>
    pick([
      () => said(["delete", pick(items), ...sometimes(6, "noreply")]),
      () => said(["touch", pick(items), pick(times), ...sometimes(6, "noreply")]),
      () => said(["set", pick(counters), "0", "0", "3"], pick(["100", "100", "abc"])),
      () => said(["verbosity", "0"]),
      () => said(below(8) === 0 ? ["flush_all"] : ["delete", "n1"])
    ])()
  const wrong = () =>
    said(
      pick([
        ["get", "k".repeat(251)],
        ["touch", "k1"],
        ["touch", "k1", "x"],
        ["gat", "x", "k1"],
        ["incr", "k1"],
        ["decr"],
        ["get"],
        ["mg"],
        ["md"],
        ["ma"],
        ["md", "k1", `O${"o".repeat(40)}`],
        ["flush_all", "x"],
        ["verbosity", "x"],
        ["nothing"],
        ["GET", "k1"]
      ])
    )

  /** Some of these flags, in any order. */
  const some = (flags: ReadonlyArray<string>) =>
    flags
      .filter(() => below(3) === 0)
      .map((flag) => [below(1000), flag] as const)
      .toSorted(([a], [b]) => a - b)
      .map(([, flag]) => flag)
  const broken = () => sometimes(40, pick(["Y", "v", "k", "Tx", "Cx", "Fx", "Nx", "Mz"]))
  const common = () => [
    ...some(["k", `O${below(99)}`, "Lpath/", "Pproxy"]),
    ...sometimes(5, "q"),
    ...broken()
  ]
  const shuffled = (flags: ReadonlyArray<string>) => flags.toSorted(() => below(3) - 1)
  const anyKey = () => pick([...items, encoded])
  const ended = (key: string) => (key === encoded ? ["b"] : [])

  const metaGet = () => {
    const key = anyKey()
    const flags = shuffled([
      ...some(["c", "f", "h", "l", "s", "t", "v", "u", "R150000", pick(["T100000", "T0"])]),
      ...later(3, `C${cas(key)}`),
      ...common(),
      ...sometimes(6, pick(["N0", "N100000"]))
    ])
    // memcached tells the key of an item that it made itself as bytes.
    return said(["mg", key, ...ended(key), ...flags.filter((flag) => key !== encoded || flag !== "k")])
  }
  const metaSet = () => {
    const key = anyKey()
    const value = pick(texts)
    const flags = shuffled([
      ...later(3, "s"),
      ...some(["c", `F${below(99)}`, pick(["T100000", "T0", "T-1"])]),
      ...sometimes(3, `C${cas(key)}`),
      ...sometimes(4, "I"),
      ...sometimes(2, `M${pick(["S", "E", "A", "P", "R"])}`),
      ...later(5, "N100000"),
      ...later(5, `E${1_000_000_000 + below(1000)}`),
      ...common()
    ])
    return said(["ms", key, String(value.length), ...ended(key), ...flags], value)
  }
  const metaDelete = () => {
    const key = anyKey()
    const flags = shuffled([
      ...sometimes(3, `C${cas(key)}`),
      ...sometimes(2, "I"),
      ...some([pick(["T100000", "T0"])]),
      ...later(3, "x"),
      ...later(5, `E${2_000_000_000 + below(1000)}`),
      ...common()
    ])
    return said(["md", key, ...ended(key), ...flags])
  }
  const metaCount = () => {
    const key = pick(counters)
    const vivified = sometimes(3, pick(["N0", "N100000"]))
    const flags = shuffled([
      // Without `T` and `E`: memcached forgets them where the number gets longer.
      ...some(["c", "t", "v", `D${below(1000)}`, "J20"]),
      ...vivified,
      ...sometimes(3, `M${pick(["I", "+", "I", "D", "-"])}`),
      ...sometimes(5, `C${cas(key)}`),
      ...common()
    ])
    // 1.6.18 tells that it made one, quiet or not.
    const isTold = isOld && vivified.length > 0
    return said(["ma", key, ...(isTold ? flags.filter((flag) => flag !== "q") : flags)])
  }
  const debug = () => said(["me", pick(items)])

  const kinds = [store, store, store, retrieve, retrieve, count, other, metaGet, metaGet, metaGet]
  const all = [...kinds, metaSet, metaSet, metaSet, metaDelete, metaCount, metaCount, debug]
  return () => (below(30) === 0 ? wrong() : pick(all)())
}

/** What both count, from `stats`. */
export const counts = (stats: string): ReadonlyArray<string> => {
  const names = /^STAT ((cmd|get|delete|incr|decr|cas|touch)_(get|set|touch|hits|misses|badval) .*)/
  return stats
    .split("\r\n")
    .flatMap((line) => names.exec(line)?.[1] ?? [])
    .toSorted()
}

/** What a command is on the wire. */
export const bytesOf = ({ line, value }: Said, casOf: (key: string) => string): string => {
  const told = line.replaceAll(/<cas (\w+)>/g, (_, key: string) => casOf(key))
  return value === undefined ? `${told}\r\n` : `${told}\r\n${value}\r\n`
}

/** How the CAS of two servers belong together. */
export class Twins {
  private readonly ours = new Map<string, string>()
  private readonly theirs = new Map<string, string>()

  agree(ours: string, theirs: string): boolean {
    const known = this.ours.get(ours) ?? theirs
    const back = this.theirs.get(theirs) ?? ours
    this.ours.set(ours, theirs)
    this.theirs.set(theirs, ours)
    return known === theirs && back === ours
  }
}

const number = (word: string, letter: string) => new RegExp(`^${letter}=?(-?\\d+)$`).exec(word)?.[1]
const near = (ours: string, theirs: string): boolean =>
  // 1.6.18 has the sign of one of them wrong.
  Math.abs(Math.abs(Number(ours)) - Math.abs(Number(theirs))) < 500

const error = /CLIENT_ERROR .*?\r\n(\r\n)?/g

/** What is different, in words; `undefined` if nothing is. */
export const difference = (
  ours: string,
  theirs: string,
  twins: Twins,
  { isOld }: Options
): string | undefined => {
  // How an error is worded is looked at elsewhere; later than 1.6.18 some are no `ERROR` any more.
  const plain = (text: string) => text.replaceAll(error, isOld ? "CLIENT_ERROR\r\n" : "ERROR\r\n")
  const [left, right] = [linesOf(plain(ours)), linesOf(plain(theirs))]
  if (left.length !== right.length) return `${JSON.stringify(ours)} instead of ${JSON.stringify(theirs)}`
  for (const [i, words] of left.entries()) {
    const others = right[i]!
    const isSame =
      words.length === others.length && words.every((word, at) => same(words, word, others[at]!, at, twins))
    if (!isSame) return `${JSON.stringify(words.join(" "))} instead of ${JSON.stringify(others.join(" "))}`
  }
  return undefined
}

/** Numbers that got shorter are filled up with spaces by memcached. */
const linesOf = (text: string): ReadonlyArray<ReadonlyArray<string>> => {
  const lines = text.split("\r\n")
  return lines.map((line, i) => {
    const words = line.split(" ")
    const value = lines[i + 1] ?? ""
    if (/^\d+ +$/.test(line)) return [line.trimEnd()]
    const at = words[0] === "VALUE" ? 3 : words[0] === "VA" ? 1 : 0
    return at > 0 && /^\d+ +$/.test(value) ? words.with(at, String(value.trimEnd().length)) : words
  })
}

const same = (
  words: ReadonlyArray<string>,
  ours: string,
  theirs: string,
  at: number,
  twins: Twins
): boolean => {
  const isMeta = /^(HD|VA|EN|NF|NS|EX|ME)$/.test(words[0]!)
  if (words[0] === "VALUE" && at === 4) return twins.agree(ours, theirs)
  if (!isMeta || ours === theirs) return ours === theirs
  for (const letter of ["c", "cas"]) {
    const [one, other] = [number(ours, letter), number(theirs, letter)]
    if (one !== undefined && other !== undefined) return twins.agree(one, other)
  }
  for (const letter of ["t", "l", "exp", "la"]) {
    const [one, other] = [number(ours, letter), number(theirs, letter)]
    if (one !== undefined && other !== undefined) return near(one, other)
  }
  // How much room it takes, and where: their business.
  return words[0] === "ME" && /^(cls|size)=/.test(ours) && /^(cls|size)=/.test(theirs)
}
