/** What a node does while another leads. */
import {
  type Action,
  andThen,
  leaseMillis,
  type Moment,
  patience,
  save,
  type State,
  type Step
} from "./LogState.ts"
import { later, type Message } from "./LogWire.ts"

/**
 * It follows whoever leads in a term that is not older, and does so with the new term in mind; or, without a leader, it waits
 * for one. Clients of its own time in office are told to ask again.
 */
export const follow = (state: State, term: number, leader: string | undefined, moment: Moment): Step => {
  const { role } = state
  const noticed: Step = term > state.term ? save(state, { _tag: "Vote", term, vote: undefined }) : [state, []]
  const left: ReadonlyArray<Action> =
    role._tag === "Leader"
      ? [
          { _tag: "Tell", text: "leads no more" },
          ...role.waiting.map(({ client }): Action => ({ _tag: "Answer", client, answer: later }))
        ]
      : []
  return andThen(noticed, (state) => [
    {
      ...state,
      role: { _tag: "Follower", leader },
      promisedUntil: leader === undefined ? state.promisedUntil : moment.now + leaseMillis,
      wakesAt: leader === undefined && role._tag !== "Leader" ? state.wakesAt : patience(moment)
    },
    left
  ])
}

type Copy = Extract<Message, { readonly _tag: "Copy" }>

/** A leader's word: its log is ours from now on. */
export const copy = (state: State, message: Copy, moment: Moment): Step => {
  const { before, beforeTerm, entries, from, round } = message
  const answer = (term: number, isAccepted: boolean, length: number): Action => ({
    _tag: "Send",
    to: from,
    message: { _tag: "Copied", from: state.self, term, round, isAccepted, length }
  })
  if (state.rules.fences && message.term < state.term) return [state, [answer(state.term, false, 0)]]
  return andThen(follow(state, message.term, from, moment), (state) => {
    const { log } = state
    const hasBefore = before === 0 || log[before - 1]?.term === beforeTerm
    if (!hasBefore) return [state, [answer(message.term, false, Math.min(log.length, before - 1))]]
    // What comes late may be less than what is there. Only what differs goes.
    const same = entries.findIndex((entry, i) => log[before + i]?.term !== entry.term)
    const saved: Step =
      same < 0
        ? [state, []]
        : save(state, { _tag: "Entries", at: before + same, entries: entries.slice(same) })
    const length = before + entries.length
    return andThen(saved, (state) => [
      { ...state, committed: Math.max(state.committed, Math.min(message.committed, length)) },
      [answer(message.term, true, length)]
    ])
  })
}
