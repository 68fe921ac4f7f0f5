/** What a node insists on. */
export interface Rules {
  /** Who must have an entry on its disk before its client is told: the leader alone, or a majority. */
  readonly acknowledges: "leader" | "majority"
  /** Whom a leader asks whether it still leads, before it answers what was read: its clock, or a majority. */
  readonly reads: "lease" | "majority"
  /** Which clock leases are measured with: the wall clock can be set. */
  readonly clock: "wall" | "monotonic"
  /** Whether a term fences: whoever leads in an older one is refused, and told. */
  readonly fences: boolean
  /** Whether what was promised, or acknowledged, is synced before that is said. */
  readonly syncs: boolean
}

/** A lease says who may try; the term, shown to a majority, says who may. Right, however wrong clocks are. */
export const careful: Rules = {
  acknowledges: "majority",
  reads: "majority",
  clock: "monotonic",
  fences: true,
  syncs: true
}

/** What is left out for the sake of speed, or by mistake. */
export const flaws = {
  "acknowledges alone": { acknowledges: "leader" },
  "trusts its clock": { reads: "lease", clock: "wall" },
  "does not fence": { fences: false },
  "does not sync": { syncs: false }
} as const satisfies Record<string, Partial<Rules>>

/** Whoever has the lease writes, answers, and sends copies to the others when it has the time. */
export const naive: Rules = Object.values(flaws).reduce<Rules>(
  (rules, flaw) => ({ ...rules, ...flaw }),
  careful
)
