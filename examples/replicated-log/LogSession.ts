/**
 * The rules of a node, without its network, clock and disk: what happens goes in, with the time it happens at; what is to be
 * done comes out. A majority elects a leader for a term; those who hear from it help nobody else for a while, which is its
 * lease. (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014; Gray and Cheriton, "Leases", 1989.)
 */
import * as Election from "./LogElection.ts"
import * as Following from "./LogFollowing.ts"
import * as Leading from "./LogLeading.ts"
import type { Rules } from "./LogRules.ts"
import {
  type Event,
  type Kept,
  leaseMillis,
  type Moment,
  patience,
  type State,
  type Step
} from "./LogState.ts"
import { later, type Message } from "./LogWire.ts"

/** A node that starts. What it promised before it does not know: it promises it anew. */
export const make = (
  self: string,
  nodes: ReadonlyArray<string>,
  rules: Rules,
  kept: Kept,
  moment: Moment
): State => ({
  ...kept,
  self,
  others: nodes.filter((name) => name !== self),
  rules,
  committed: 0,
  role: { _tag: "Follower", leader: undefined },
  promisedUntil: moment.now + leaseMillis,
  wakesAt: patience(moment)
})

export const step = (state: State, event: Event, moment: Moment): Step => {
  const { role } = state
  switch (event._tag) {
    case "Awake":
      if (moment.now < state.wakesAt) return [state, []]
      return role._tag === "Leader" ? Leading.renew(state, role, moment) : Election.stand(state, moment)
    case "Asked": {
      const { client } = event
      if (role._tag === "Leader") return Leading.serve(state, role, event, moment)
      const leader = role._tag === "Follower" ? role.leader : undefined
      const answer = leader === undefined ? later : ({ _tag: "Elsewhere", leader } as const)
      return [state, [{ _tag: "Answer", client, answer }]]
    }
    case "Heard":
      return heard(state, event.message, moment)
  }
}

const heard = (state: State, message: Message, moment: Moment): Step => {
  switch (message._tag) {
    case "Ask":
      return Election.consider(state, message, moment)
    case "Grant":
      return Election.count(state, message, moment)
    case "Copy":
      return Following.copy(state, message, moment)
    case "Copied":
      return Leading.copied(state, message, moment)
  }
}
