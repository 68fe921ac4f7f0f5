/** What a leader does: copies its log to the others, and answers clients when enough of them have said so. */
import { follow } from "./LogFollowing.ts"
import {
  type Action,
  agreed,
  andThen,
  type Copies,
  type Event,
  lastTerm,
  type Leader,
  leaseMillis,
  type Moment,
  save,
  type State,
  type Step,
  texts,
  type Waiting
} from "./LogState.ts"
import { type Answer, type Entry, entriesMax, later, type Message } from "./LogWire.ts"

/** Milliseconds after which the lease is renewed. */
const renewalMillis = leaseMillis / 5

/** A term begins with an entry of its own: when that is committed, so are all before it. */
export const begin = (state: State, askedAt: number, moment: Moment): Step => {
  const { log, others, term } = state
  const leader: Leader = {
    _tag: "Leader",
    began: log.length + 1,
    copies: new Map(others.map((name) => [name, { length: 0, next: log.length, round: 0 }])),
    round: 0,
    rounds: new Map(),
    leaseUntil: askedAt + leaseMillis,
    waiting: []
  }
  return andThen([state, [{ _tag: "Tell", text: `leads in term ${term}` }]], (state) =>
    add(state, leader, { term, id: "", text: "" }, moment)
  )
}

/** From time to time; one whose lease has run out leads no more. */
export const renew = (state: State, leader: Leader, moment: Moment): Step =>
  moment.now < leader.leaseUntil
    ? sendAll(state, leader, moment)
    : follow(state, state.term, undefined, moment)

/** A client's request. */
export const serve = (
  state: State,
  leader: Leader,
  { client, request }: Extract<Event, { readonly _tag: "Asked" }>,
  moment: Moment
): Step => {
  const { log, rules, term } = state
  const waiting = (length: number, round: number): Leader => ({
    ...leader,
    waiting: [...leader.waiting, { client, request, length, round }]
  })
  if (request._tag === "Read") {
    // Of what is committed; all of it is known when the first entry of the term is.
    if (rules.reads === "lease") {
      return moment.now < leader.leaseUntil
        ? settle({ ...state, role: waiting(leader.began, 0) })
        : [state, [{ _tag: "Answer", client, answer: later }]]
    }
    return andThen(sendAll(state, waiting(leader.began, leader.round + 1), moment), settle)
  }
  const { id, text } = request
  const known = log.findIndex((entry) => entry.id === id)
  if (known >= 0) return settle({ ...state, role: waiting(known + 1, 0) })
  return add(state, waiting(log.length + 1, 0), { term, id, text }, moment)
}

const add = (state: State, leader: Leader, entry: Entry, moment: Moment): Step =>
  andThen(
    andThen(save(state, { _tag: "Entries", at: state.log.length, entries: [entry] }), (state) =>
      sendAll(state, leader, moment)
    ),
    settle
  )

const sendAll = (state: State, leader: Leader, { now }: Moment): Step => {
  const round = leader.round + 1
  const role: Leader = { ...leader, round, rounds: new Map([...leader.rounds, [round, now]]) }
  return [{ ...state, role, wakesAt: now + renewalMillis }, state.others.map((to) => send(state, role, to))]
}

const send = ({ committed, log, self, term }: State, { copies, round }: Leader, to: string): Action => {
  const before = copies.get(to)?.next ?? 0
  const entries = log.slice(before, before + entriesMax)
  const beforeTerm = lastTerm(log.slice(0, before))
  return {
    _tag: "Send",
    to,
    message: { _tag: "Copy", from: self, term, round, before, beforeTerm, entries, committed }
  }
}

/** What another says to it. */
export const copied = (
  state: State,
  message: Extract<Message, { readonly _tag: "Copied" }>,
  moment: Moment
): Step => {
  const { role, rules, term } = state
  const { from, isAccepted, length } = message
  if (message.term > term && rules.fences) return follow(state, message.term, undefined, moment)
  const copies = role._tag === "Leader" ? role.copies.get(from) : undefined
  if (role._tag !== "Leader" || copies === undefined || message.term !== term) return [state, []]
  const round = Math.max(copies.round, message.round)
  const next: Copies = isAccepted
    ? { length: Math.max(copies.length, length), next: Math.max(copies.next, length), round }
    : // It has less than it was thought to have; an answer of an earlier round says nothing new.
      { ...copies, next: Math.min(copies.next, length), round }
  const leader: Leader = { ...role, copies: new Map([...role.copies, [from, next]]) }
  const hasMore =
    next.next < copies.next || (isAccepted && length < state.log.length && length > copies.length)
  return andThen(settle({ ...state, role: leader }), (state) => [
    state,
    hasMore && state.role._tag === "Leader" ? [send(state, state.role, from)] : []
  ])
}

/** Whatever enough of the others have said: what is committed, how long the lease lasts, and who gets an answer. */
const settle = (state: State): Step => {
  const { log, role, rules, term } = state
  if (role._tag !== "Leader") return [state, []]
  const others = [...role.copies.values()]
  const copied =
    rules.acknowledges === "leader"
      ? log.length
      : Math.min(
          log.length,
          agreed(
            state,
            others.map(({ length }) => length)
          )
        )
  // Of an earlier term's entry a majority says nothing, alone (section 5.4.2 of the paper).
  const isOwn = log[copied - 1]?.term === term
  const committed = isOwn ? Math.max(state.committed, copied) : state.committed
  const round = Math.min(
    role.round,
    agreed(
      state,
      others.map(({ round }) => round)
    )
  )
  const sentAt = role.rounds.get(round)
  const isDue = (waiting: Waiting) => waiting.length <= committed && waiting.round <= round
  const next: Leader = {
    ...role,
    rounds: new Map([...role.rounds].filter(([number]) => number > round)),
    leaseUntil: sentAt === undefined ? role.leaseUntil : Math.max(role.leaseUntil, sentAt + leaseMillis),
    waiting: role.waiting.filter((waiting) => !isDue(waiting))
  }
  const answers = role.waiting.filter(isDue).map((waiting): Action => ({
    _tag: "Answer",
    client: waiting.client,
    answer: answerOf(waiting, log.slice(0, committed))
  }))
  return [{ ...state, committed, role: next }, answers]
}

const answerOf = ({ length, request }: Waiting, committed: ReadonlyArray<Entry>): Answer =>
  request._tag === "Read"
    ? { _tag: "Texts", texts: texts(committed) }
    : { _tag: "Appended", position: texts(committed.slice(0, length)).length }
