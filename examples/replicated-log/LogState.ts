/** What a node knows, what happens to it, and what it has done about it. */
import type { Rules } from "./LogRules.ts"
import type { Answer, Entry, Message, Request } from "./LogWire.ts"

/** Milliseconds that whoever hears from a leader helps nobody else into office. */
export const leaseMillis = 500

/** What is on a node's disk. */
export interface Kept {
  /** The newest term it knows, and whom it gave its vote there. */
  readonly term: number
  readonly vote: string | undefined
  readonly log: ReadonlyArray<Entry>
}

/** What is written there: a term with its vote, or entries that take the place of all from `at` on. */
export type Change =
  | { readonly _tag: "Vote"; readonly term: number; readonly vote: string | undefined }
  | { readonly _tag: "Entries"; readonly at: number; readonly entries: ReadonlyArray<Entry> }

export const apply = (kept: Kept, change: Change): Kept =>
  change._tag === "Vote"
    ? { ...kept, term: change.term, vote: change.vote }
    : { ...kept, log: [...kept.log.slice(0, change.at), ...change.entries] }

export interface State extends Kept {
  readonly self: string
  readonly others: ReadonlyArray<string>
  readonly rules: Rules
  /** Entries that will never change. */
  readonly committed: number
  readonly role: Follower | Candidate | Leader
  /** Until then it helps nobody else. */
  readonly promisedUntil: number
  /** When there is something to do even if nothing happens. */
  readonly wakesAt: number
}

export interface Follower {
  readonly _tag: "Follower"
  readonly leader: string | undefined
}

export interface Candidate {
  readonly _tag: "Candidate"
  readonly askedAt: number
  readonly grants: ReadonlySet<string>
}

export interface Leader {
  readonly _tag: "Leader"
  /** As long as the log must be for the entry that its term began with. */
  readonly began: number
  readonly copies: ReadonlyMap<string, Copies>
  /** The newest that was sent, and when those were that no majority has answered. */
  readonly round: number
  readonly rounds: ReadonlyMap<number, number>
  readonly leaseUntil: number
  readonly waiting: ReadonlyArray<Waiting>
}

/** What a leader knows of another's log: as far as `length` it is its own. */
export interface Copies {
  readonly length: number
  /** What is sent next begins here. */
  readonly next: number
  /** The newest that was answered. */
  readonly round: number
}

/** A client whose answer is due when so many entries are committed, and a majority has answered that round. */
export interface Waiting {
  readonly client: number
  readonly request: Request
  readonly length: number
  readonly round: number
}

export type Event =
  | { readonly _tag: "Awake" }
  | { readonly _tag: "Heard"; readonly message: Message }
  | { readonly _tag: "Asked"; readonly client: number; readonly request: Request }

/** To be done one after another: what is said rests on what was saved before. */
export type Action =
  | { readonly _tag: "Save"; readonly change: Change }
  | { readonly _tag: "Send"; readonly to: string; readonly message: Message }
  | { readonly _tag: "Answer"; readonly client: number; readonly answer: Answer }
  /** For who watches. */
  | { readonly _tag: "Tell"; readonly text: string }

export type Step = readonly [State, ReadonlyArray<Action>]

/** When it happens, in milliseconds that only grow; and a number from 0 to 1 by chance, so that not all do the same. */
export interface Moment {
  readonly now: number
  readonly chance: number
}

/** One step after the other. */
export const andThen = ([state, actions]: Step, next: (state: State) => Step): Step => {
  const [after, more] = next(state)
  return [after, [...actions, ...more]]
}

/** What is kept, and written. */
export const save = (state: State, change: Change): Step => [
  { ...state, ...apply({ term: state.term, vote: state.vote, log: state.log }, change) },
  [{ _tag: "Save", change }]
]

/** When a node that hears from nobody stands for election itself. */
export const patience = ({ chance, now }: Moment): number => now + leaseMillis * (1 + chance)

export const lastTerm = (log: ReadonlyArray<Entry>): number => log.at(-1)?.term ?? 0

/** The largest number that, with itself, a majority has reached. */
export const agreed = ({ others }: State, numbers: Iterable<number>): number => {
  const needed = Math.floor((others.length + 1) / 2)
  return needed === 0 ? Number.POSITIVE_INFINITY : ([...numbers].sort((a, b) => b - a)[needed - 1] ?? 0)
}

/** What clients wrote. */
export const texts = (log: ReadonlyArray<Entry>): ReadonlyArray<string> =>
  log.filter(({ id }) => id !== "").map(({ text }) => text)
