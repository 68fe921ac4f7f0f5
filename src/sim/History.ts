import type { Engine } from "./Engine.ts"
import type { Machine } from "./Machine.ts"
import * as Nanos from "./Nanos.ts"

const kinds = ["Call", "Refusal", "Data", "End", "Reset", "Datagram", "Fault", "Note", "Log"] as const

export type Kind = (typeof kinds)[number]

/** One thing that happened between hosts, or to one. */
export interface Entry {
  readonly kind: Kind
  /** Nanoseconds since the world began. */
  readonly at: number
  /** When it arrives; undefined if it was lost, or went nowhere. */
  readonly arrives: number | undefined
  readonly from: string
  readonly to: string
  readonly bytes: number
  /** Which connection or port, or what was noted. */
  readonly what: string
}

const entriesMaxDefault = 10_000

/**
 * Who sent what to whom, and when. It costs some numbers an entry, and so stays on: the newest entries are kept, and all go
 * into the hash of the world.
 */
export class History {
  private readonly engine: Engine
  private readonly max: number
  private readonly numbers: Array<number> = []
  private readonly texts: Array<string> = []
  private count = 0

  constructor(engine: Engine, entriesMax = entriesMaxDefault) {
    this.engine = engine
    this.max = Math.max(1, entriesMax)
  }

  record(
    kind: Kind,
    from: Machine,
    to: Machine,
    nanos: number | undefined,
    bytes: number,
    what: string
  ): void {
    const { hash, now } = this.engine
    const place = (this.count++ % this.max) * fields
    const number = kinds.indexOf(kind)
    const arrives = nanos === undefined ? -1 : now + nanos
    const { numbers } = this
    numbers[place] = number
    numbers[place + 1] = now
    numbers[place + 2] = arrives
    numbers[place + 3] = from.id
    numbers[place + 4] = to.id
    numbers[place + 5] = bytes
    this.texts[place / fields] = what
    hash.add(number)
    hash.add(arrives)
    hash.add(from.id * 65_536 + to.id)
    hash.add(bytes)
    if (kind === "Fault" || kind === "Note") hash.addText(what)
  }

  /** How many things happened; the oldest may be forgotten. */
  get length(): number {
    return this.count
  }

  /** What is remembered, in its order. */
  get entries(): ReadonlyArray<Entry> {
    const { count, max, numbers } = this
    const entries: Array<Entry> = []
    for (let i = Math.max(0, count - max); i < count; i++) {
      const slot = i % max
      const place = slot * fields
      const arrives = numbers[place + 2]!
      entries.push({
        kind: kinds[numbers[place]!]!,
        at: numbers[place + 1]!,
        arrives: arrives < 0 ? undefined : arrives,
        from: this.nameOf(numbers[place + 3]!),
        to: this.nameOf(numbers[place + 4]!),
        bytes: numbers[place + 5]!,
        what: this.texts[slot]!
      })
    }
    return entries
  }

  /** One line for each of the newest entries. */
  text(entriesMax = 40): string {
    const forgotten = Math.max(0, this.count - entriesMax)
    const lines = this.entries.slice(-entriesMax).map(lineOf)
    return (forgotten === 0 ? lines : [`... ${forgotten} earlier`, ...lines]).join("\n")
  }

  private nameOf(id: number): string {
    return this.engine.machines[id]!.name
  }
}

const fields = 6

const lineOf = (entry: Entry): string => `${Nanos.format(entry.at).padStart(13)}  ${labelOf(entry)}`

/** Whether it is of one host, and no arrow. */
export const isLocal = ({ kind }: Entry): boolean => kind === "Note" || kind === "Fault" || kind === "Log"

const labelOf = (entry: Entry): string =>
  isLocal(entry)
    ? `${entry.kind === "Fault" ? "! " : ""}${entry.from}: ${entry.what}`
    : `${entry.from} ${entry.arrives === undefined ? "--x" : "-->"} ${entry.to}  ${describe(entry)}`

/** What an arrow says. */
export const describe = ({ bytes, kind, what }: Entry): string => {
  const size = kind === "Data" || kind === "Datagram" ? ` ${bytes} B` : ""
  return `${kind.toLowerCase()}${size} ${what}`
}
