/** How a leader comes into office, and goes. */
import { follow } from "./LogFollowing.ts"
import * as Leading from "./LogLeading.ts"
import {
  type Action,
  agreed,
  andThen,
  lastTerm,
  leaseMillis,
  type Moment,
  patience,
  save,
  type State,
  type Step
} from "./LogState.ts"
import type { Message } from "./LogWire.ts"

type Ask = Extract<Message, { readonly _tag: "Ask" }>
type Grant = Extract<Message, { readonly _tag: "Grant" }>

/** It has heard from nobody for too long. */
export const stand = (state: State, moment: Moment): Step => {
  const { log, others, self } = state
  const term = state.term + 1
  const ask: Ask = { _tag: "Ask", from: self, term, length: log.length, lastTerm: lastTerm(log) }
  return andThen(save(state, { _tag: "Vote", term, vote: self }), (state) =>
    andThen(
      [
        {
          ...state,
          role: { _tag: "Candidate", askedAt: moment.now, grants: new Set() },
          wakesAt: patience(moment)
        },
        others.map((to): Action => ({ _tag: "Send", to, message: ask }))
      ],
      (state) => elected(state, moment)
    )
  )
}

/** Not while another was promised help, not twice in a term, and for nobody whose log lacks something of this one. */
export const consider = (state: State, ask: Ask, moment: Moment): Step => {
  const { role } = state
  const promisedUntil = Math.max(state.promisedUntil, role._tag === "Leader" ? role.leaseUntil : 0)
  if (ask.term < state.term || moment.now < promisedUntil) return [state, [grant(state, ask, false)]]
  const noticed: Step = ask.term > state.term ? follow(state, ask.term, undefined, moment) : [state, []]
  return andThen(noticed, (state) => {
    const { log, vote } = state
    const last = lastTerm(log)
    const isComplete = ask.lastTerm > last || (ask.lastTerm === last && ask.length >= log.length)
    if (!isComplete || (vote !== undefined && vote !== ask.from)) return [state, [grant(state, ask, false)]]
    return andThen(save(state, { _tag: "Vote", term: ask.term, vote: ask.from }), (state) => [
      { ...state, promisedUntil: moment.now + leaseMillis, wakesAt: patience(moment) },
      [grant(state, ask, true)]
    ])
  })
}

const grant = ({ self, term }: State, { from }: Ask, isGranted: boolean): Action => ({
  _tag: "Send",
  to: from,
  message: { _tag: "Grant", from: self, term, isGranted }
})

export const count = (state: State, { from, isGranted, term }: Grant, moment: Moment): Step => {
  const { role } = state
  if (term > state.term) return follow(state, term, undefined, moment)
  if (role._tag !== "Candidate" || term < state.term || !isGranted) return [state, []]
  return elected({ ...state, role: { ...role, grants: new Set([...role.grants, from]) } }, moment)
}

const elected = (state: State, moment: Moment): Step => {
  const { others, role } = state
  if (role._tag !== "Candidate") return [state, []]
  const votes = others.map((name) => (role.grants.has(name) ? 1 : 0))
  return agreed(state, votes) < 1 ? [state, []] : Leading.begin(state, role.askedAt, moment)
}
