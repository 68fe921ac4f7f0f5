/**
 * Whether what clients saw of a thing they share could have happened one operation after another, each at some moment
 * between its call and its return (Herlihy and Wing, 1990). The search is that of Wing and Gong with Lowe's memory of
 * states, each key for itself (Horn and Kroening, 2015). For histories of some hundred operations a key.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** What the thing does when nobody else is there. */
export interface Model<S, I, O> {
  readonly initial: S
  /** The state after an operation, or undefined if it cannot give this output there; an output of undefined is unknown. */
  readonly step: (state: S, input: I, output: O | undefined) => S | undefined
  /** Operations of different keys have nothing to do with each other. Default: all have the same. */
  readonly key?: ((input: I) => string) | undefined
  /** States with the same text are the same. Default: their JSON. */
  readonly show?: ((state: S) => string) | undefined
}

/** Something a client did: between the call and the return it took effect. */
export interface Operation<I, O> {
  readonly client: string
  readonly input: I
  readonly call: number
  /** Undefined together with `output`: nobody knows how it ended; it may have taken effect at any time since, or never. */
  readonly return?: number | undefined
  readonly output?: O | undefined
}

export type Verdict<I, O> =
  | {
      readonly _tag: "Linearizable"
      /** An order that explains everything; of each key. */
      readonly orders: ReadonlyMap<string, ReadonlyArray<Operation<I, O>>>
    }
  | {
      readonly _tag: "NotLinearizable"
      readonly key: string
      /** The longest order that explains a part. */
      readonly longest: ReadonlyArray<Operation<I, O>>
      /** None of these can come next. */
      readonly stuck: ReadonlyArray<Operation<I, O>>
    }
  | { readonly _tag: "TooMuch"; readonly key: string }

export interface CheckOptions {
  /** Steps of the search, for each key. Default 1,000,000. */
  readonly stepsMax?: number | undefined
}

const stepsMaxDefault = 1_000_000

export const check = <S, I, O>(
  model: Model<S, I, O>,
  history: ReadonlyArray<Operation<I, O>>,
  { stepsMax = stepsMaxDefault }: CheckOptions = {}
): Verdict<I, O> => {
  const groups = Map.groupBy(history, ({ input }) => model.key?.(input) ?? "")
  const orders = new Map<string, ReadonlyArray<Operation<I, O>>>()
  for (const [key, operations] of groups) {
    const verdict = new Search(model, key, operations, stepsMax).run()
    if (verdict._tag !== "Linearizable") return verdict
    orders.set(key, verdict.orders.get(key)!)
  }
  return { _tag: "Linearizable", orders }
}

/** An event of the history, in a list that operations leave and come back to. */
interface Event {
  readonly operation: number
  /** The return of a call; undefined for a return. */
  readonly match: Event | undefined
  before: Event | undefined
  after: Event | undefined
}

class Search<S, I, O> {
  private readonly model: Model<S, I, O>
  private readonly key: string
  private readonly operations: ReadonlyArray<Operation<I, O>>
  private readonly stepsMax: number
  private readonly head: Event = { operation: -1, match: undefined, before: undefined, after: undefined }
  private readonly show: (state: S) => string
  private readonly seen = new Set<string>()
  private readonly taken: Array<{ readonly event: Event; readonly state: S }> = []
  private done = 0n
  private longest: ReadonlyArray<Operation<I, O>> = []
  private stuck: ReadonlyArray<Operation<I, O>> = []

  constructor(
    model: Model<S, I, O>,
    key: string,
    operations: ReadonlyArray<Operation<I, O>>,
    stepsMax: number
  ) {
    this.model = model
    this.key = key
    this.operations = operations
    this.stepsMax = stepsMax
    this.show = model.show ?? ((state) => JSON.stringify(state))
    this.fill()
  }

  run(): Verdict<I, O> {
    const { key, operations } = this
    let returning = operations.filter(returned).length
    let state = this.model.initial
    let event = this.head.after
    for (let steps = 0; returning > 0; steps++) {
      if (steps > this.stepsMax) return { _tag: "TooMuch", key }
      if (event?.match !== undefined) {
        const next = this.step(event, state)
        if (next !== undefined) {
          this.taken.push({ event, state })
          this.done |= 1n << BigInt(event.operation)
          if (returned(operations[event.operation]!)) returning--
          lift(event)
          state = next
          this.remember()
          event = this.head.after
          continue
        }
        event = event.after
        continue
      }
      // A return that nothing explains: the last choice was wrong.
      this.blame()
      const last = this.taken.pop()
      if (last === undefined)
        return { _tag: "NotLinearizable", key, longest: this.longest, stuck: this.stuck }
      state = last.state
      this.done &= ~(1n << BigInt(last.event.operation))
      if (returned(operations[last.event.operation]!)) returning++
      unlift(last.event)
      event = last.event.after
    }
    return { _tag: "Linearizable", orders: new Map([[key, this.order]]) }
  }

  /** The state after this one, if that can come next and was not tried before. */
  private step({ operation }: Event, state: S): S | undefined {
    const { input, output } = this.operations[operation]!
    const next = this.model.step(state, input, output)
    if (next === undefined) return undefined
    const place = `${(this.done | (1n << BigInt(operation))).toString(36)} ${this.show(next)}`
    if (this.seen.has(place)) return undefined
    this.seen.add(place)
    return next
  }

  private get order(): ReadonlyArray<Operation<I, O>> {
    return this.taken.map(({ event }) => this.operations[event.operation]!)
  }

  private remember(): void {
    if (this.taken.length > this.longest.length) {
      this.longest = this.order
      this.stuck = []
    }
  }

  /** What might have come next, where the longest order ends. */
  private blame(): void {
    if (this.stuck.length > 0 || this.taken.length < this.longest.length) return
    const next: Array<Operation<I, O>> = []
    for (let event = this.head.after; event?.match !== undefined; event = event.after) {
      next.push(this.operations[event.operation]!)
    }
    this.stuck = next
  }

  /** Calls and returns in their order; what never returned does so behind all others. */
  private fill(): void {
    const events = this.operations.flatMap((operation, i) => {
      const end: Event = { operation: i, match: undefined, before: undefined, after: undefined }
      const begin: Event = { operation: i, match: end, before: undefined, after: undefined }
      return [
        { at: operation.call, event: begin },
        { at: operation.return ?? Number.POSITIVE_INFINITY, event: end }
      ]
    })
    events.sort((a, b) => (a.at === b.at ? 0 : a.at - b.at))
    let last = this.head
    for (const { event } of events) {
      last.after = event
      event.before = last
      last = event
    }
  }
}

const returned = (operation: Operation<unknown, unknown>): boolean => operation.return !== undefined

const out = ({ after, before }: Event): void => {
  if (before !== undefined) before.after = after
  if (after !== undefined) after.before = before
}

const back = (event: Event): void => {
  if (event.before !== undefined) event.before.after = event
  if (event.after !== undefined) event.after.before = event
}

/** A call and its return leave the list. */
const lift = (call: Event): void => {
  out(call)
  out(call.match!)
}

const unlift = (call: Event): void => {
  back(call.match!)
  back(call)
}

// --- recording ------------------------------------------------------------------------------------------

export interface Recorder<I, O> {
  /** Runs an operation of a client, and writes down when it began and ended. */
  readonly record: <E, R>(
    client: string,
    input: I,
    effect: Effect.Effect<O, E, R>,
    options?: {
      /** Whether a failure says that nothing happened: then it is no operation. Default: nobody knows. */
      readonly isWithoutEffect?: ((error: E) => boolean) | undefined
    }
  ) => Effect.Effect<O, E, R>
  /** What was written down so far. */
  readonly history: () => ReadonlyArray<Operation<I, O>>
}

/** Writes operations down as they happen. In one process one thing happens after another: their order is their time. */
export const recorder = <I, O>(): Recorder<I, O> => {
  const operations = new Set<Operation<I, O>>()
  let time = 0
  return {
    record: (client, input, effect, options) =>
      Effect.suspend(() => {
        const begun: Operation<I, O> = { client, input, call: time++ }
        operations.add(begun)
        const settle = (ended: Operation<I, O> | undefined) => {
          operations.delete(begun)
          if (ended !== undefined) operations.add(ended)
        }
        return Effect.onExit(effect, (exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) settle({ ...begun, return: time++, output: exit.value })
            else if (exit.cause.reasons.some((reason) => isNothing(reason, options?.isWithoutEffect))) {
              settle(undefined)
            }
          })
        )
      }),
    history: () => [...operations]
  }
}

const isNothing = <E>(
  reason: { readonly _tag: string; readonly error?: unknown },
  isWithoutEffect: ((error: E) => boolean) | undefined
): boolean => reason._tag === "Fail" && isWithoutEffect?.(reason.error as E) === true

// --- models ---------------------------------------------------------------------------------------------

/** What is done to one of many registers. */
export type RegisterInput<A> =
  | { readonly _tag: "Read"; readonly key: string }
  | { readonly _tag: "Write"; readonly key: string; readonly value: A }
  | { readonly _tag: "CompareAndSet"; readonly key: string; readonly from: A; readonly to: A }

/** Registers by key, of values that `===` compares, each `initial` in the beginning. Reading gives the value, writing `true`, comparing whether it was set. */
export const registers = <A>(initial: A): Model<A, RegisterInput<A>, A | boolean> => ({
  initial,
  key: ({ key }) => key,
  step: (state, input, output) => {
    switch (input._tag) {
      case "Read":
        return output === undefined || output === state ? state : undefined
      case "Write":
        return input.value
      case "CompareAndSet": {
        const isSet = state === input.from
        if (output !== undefined && output !== isSet) return undefined
        return isSet ? input.to : state
      }
    }
  }
})

/** For people. */
export const format = <I, O>(verdict: Verdict<I, O>): string => {
  if (verdict._tag === "Linearizable") return "linearizable"
  if (verdict._tag === "TooMuch") return `too much to search (key "${verdict.key}")`
  const line = ({ client, input, output }: Operation<I, O>) =>
    `  ${client}: ${JSON.stringify(input)} -> ${output === undefined ? "?" : JSON.stringify(output)}`
  return [
    `not linearizable (key "${verdict.key}")`,
    ...(verdict.longest.length === 0 ? [] : ["after", ...verdict.longest.slice(-5).map(line)]),
    "none of these can come next:",
    ...verdict.stuck.map(line)
  ].join("\n")
}
