/** Who must come before whom, and who cannot come at all: pure, and no matter how the metadata are, it ends. */
import * as Result from "effect/Result"
import { nearest } from "../result/NearestWord.ts"
import { keyOf, type PluginEntry } from "./PluginEntry.ts"
import { ofEntry, type PluginError } from "./PluginError.ts"
import {
  DependencyAmbiguous,
  DependencyCycle,
  DependencyIncompatible,
  DependencyMissing,
  OrderIgnored,
  type PluginReason
} from "./PluginReason.ts"

/** What is known of versions: by `PluginVersions`, or a test's. */
export interface Versions {
  readonly isRange: (range: string) => boolean
  readonly satisfies: (version: string, range: string) => boolean
}

type Entries = ReadonlyArray<PluginEntry>

/** Any version will do, also none. */
export const isAny = (range: string): boolean => range.trim() === "" || range.trim() === "*"

/** Of a longer chain the rest is not told, but its end. */
const chainMax = 32

/** A requirement that is not met. */
interface Unmet {
  readonly reference: string
  readonly reason: (chain: ReadonlyArray<string>) => PluginReason
}

/** Why an entry cannot be used. */
interface Fault {
  /** What it requires, and is not sound either; `undefined` where it is its own requirement that is not met. */
  readonly next: PluginEntry | undefined
  /** What following `next` ends at; `undefined` where it goes round for ever. */
  readonly end: Unmet | undefined
}

export class PluginDependencies {
  private readonly entries: Entries
  private readonly versions: Versions
  private readonly byKey: ReadonlyMap<string, PluginEntry>
  private readonly byName = new Map<string, Array<PluginEntry>>()
  /** Of those that were looked at; `undefined`: everything that they require is there. */
  private readonly faults = new Map<PluginEntry, Fault | undefined>()
  private sorted: { readonly order: Entries; readonly ignored: ReadonlyArray<PluginError> } | undefined
  private readonly preceding = new Map<PluginEntry, Array<PluginEntry>>()

  /** `entries`: of each kind and name one, from near to far. */
  constructor(entries: Entries, versions: Versions) {
    this.entries = entries
    this.versions = versions
    this.byKey = new Map(entries.map((entry) => [keyOf(entry), entry]))
    for (const entry of entries) {
      const same = this.byName.get(entry.name)
      if (same === undefined) this.byName.set(entry.name, [entry])
      else same.push(entry)
    }
  }

  /** What an entry requires directly, if everything that it requires, however far, is there in the right version. */
  requirements(entry: PluginEntry): Result.Result<Entries, PluginError> {
    return this.fault(entry) === undefined
      ? Result.succeed(this.direct(entry))
      : Result.fail(ofEntry(entry, this.reasonOf(entry)))
  }

  /** All entries, everything after what it requires and what it wants to come after; otherwise from near to far. */
  get order(): Entries {
    return this.sort().order
  }

  /** What must be over before the entry begins, if it has begun. */
  predecessors(entry: PluginEntry): Entries {
    this.sort()
    return this.preceding.get(entry) ?? []
  }

  /** Requirements that are not met, and `after` that cannot be. */
  get problems(): ReadonlyArray<PluginError> {
    const unmet = this.entries.flatMap((entry) => {
      const required = this.requirements(entry)
      return Result.isFailure(required) ? [required.failure] : []
    })
    return [...unmet, ...this.sort().ignored]
  }

  // --- requirements -------------------------------------------------------------------------------------

  private find(reference: string, from: PluginEntry): Entries {
    const own = this.byKey.get(
      reference.includes(":") ? reference : keyOf({ kind: from.kind, name: reference })
    )
    return own === undefined ? (this.byName.get(reference) ?? []) : [own]
  }

  /** Of a sound entry. */
  private direct(entry: PluginEntry): Entries {
    return [...entry.requires.keys()].flatMap((reference) => this.find(reference, entry))
  }

  /** Goes through all that an entry requires, without recursion: chains may be of any length. */
  private fault(root: PluginEntry): Fault | undefined {
    if (this.faults.has(root)) return this.faults.get(root)
    const frameOf = (entry: PluginEntry) => ({ entry, requirements: [...entry.requires], index: 0 })
    const stack = [frameOf(root)]
    const open = new Set([root])
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const requirement = frame.requirements[frame.index]
      const met = requirement === undefined ? undefined : this.required(frame.entry, ...requirement)
      let fault: Fault | undefined
      if (met !== undefined && "reason" in met) fault = { next: undefined, end: met }
      else if (met !== undefined && open.has(met)) fault = { next: met, end: undefined }
      else if (met !== undefined && !this.faults.has(met)) {
        // The same requirement again, when it is known how that one fares.
        stack.push(frameOf(met))
        open.add(met)
        continue
      } else if (met !== undefined) {
        const further = this.faults.get(met)
        frame.index += 1
        if (further === undefined) continue
        fault = { next: met, end: further.end }
      }
      this.faults.set(frame.entry, fault)
      open.delete(frame.entry)
      stack.pop()
    }
    return this.faults.get(root)
  }

  /** The entry that meets a requirement, or why none does. */
  private required(entry: PluginEntry, reference: string, range: string): PluginEntry | Unmet {
    const found = this.find(reference, entry)
    const [required] = found
    if (required === undefined) {
      const known = this.entries.map((each) => (reference.includes(":") ? keyOf(each) : each.name))
      const suggestion = nearest(reference, known)
      return { reference, reason: (chain) => new DependencyMissing({ chain, suggestion }) }
    }
    if (found.length > 1) {
      const candidates = found.map(keyOf)
      return { reference, reason: (chain) => new DependencyAmbiguous({ chain, candidates }) }
    }
    if (this.fits(required, range)) return required
    const isRange = this.versions.isRange(range)
    const { path, version } = required.package
    return {
      reference,
      reason: (chain) => new DependencyIncompatible({ chain, range, isRange, version, path })
    }
  }

  /** Why an entry is not sound, with the chain that leads there. */
  private reasonOf(entry: PluginEntry): PluginReason {
    const chain = [entry]
    let fault = this.faults.get(entry)
    const end = fault?.end
    while (fault?.next !== undefined && chain.length < chainMax) {
      const { next } = fault
      const isRound = chain.includes(next)
      chain.push(next)
      fault = isRound ? undefined : this.faults.get(next)
    }
    const names = [...labels(chain), ...(fault?.next === undefined ? [] : ["..."])]
    return end === undefined ? new DependencyCycle({ chain: names }) : end.reason([...names, end.reference])
  }

  private fits({ package: { version } }: PluginEntry, range: string): boolean {
    return isAny(range) || (version !== undefined && this.versions.satisfies(version, range))
  }

  // --- order --------------------------------------------------------------------------------------------

  private sort() {
    return (this.sorted ??= { ignored: this.precede(), order: this.linear() })
  }

  /** Fills `preceding`, so that it has no cycles, and tells what it had to leave out. */
  private precede(): ReadonlyArray<PluginError> {
    for (const entry of this.entries) {
      this.preceding.set(entry, Result.isSuccess(this.requirements(entry)) ? [...this.direct(entry)] : [])
    }
    return this.entries.flatMap((entry) =>
      entry.after.flatMap((reference) => {
        const [earlier, ...others] = this.find(reference, entry)
        // What is not there need not be waited for.
        if (earlier === undefined || others.length > 0) return []
        const path = this.path(earlier, entry)
        if (path === undefined) {
          this.preceding.get(entry)!.push(earlier)
          return []
        }
        return [ofEntry(entry, new OrderIgnored({ chain: labels([entry, ...path]) }))]
      })
    )
  }

  /** From an entry over what precedes it to another one. */
  private path(from: PluginEntry, to: PluginEntry): Entries | undefined {
    const cameFrom = new Map<PluginEntry, PluginEntry | undefined>([[from, undefined]])
    const open = [from]
    for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
      if (entry === to) {
        const path: Array<PluginEntry> = []
        for (let step: PluginEntry | undefined = to; step !== undefined; step = cameFrom.get(step))
          path.unshift(step)
        return path
      }
      for (const next of this.preceding.get(entry) ?? []) {
        if (cameFrom.has(next)) continue
        cameFrom.set(next, entry)
        open.push(next)
      }
    }
    return undefined
  }

  private linear(): Entries {
    const order = new Set<PluginEntry>()
    for (const root of this.entries) {
      const open = [root]
      for (let entry = open.at(-1); entry !== undefined; entry = open.at(-1)) {
        const next = order.has(entry)
          ? undefined
          : this.preceding.get(entry)?.find((each) => !order.has(each))
        if (next !== undefined) {
          open.push(next)
          continue
        }
        order.add(entry)
        open.pop()
      }
    }
    return [...order]
  }
}

/** By name, and by kind too where it is not that of the first. */
export const labels = ([first, ...others]: Entries): ReadonlyArray<string> =>
  first === undefined
    ? []
    : [first.name, ...others.map((entry) => (entry.kind === first.kind ? entry.name : keyOf(entry)))]
